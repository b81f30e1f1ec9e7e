//! Answers the requests of strangers: what is known nearby, what is stored, what may be stored.
//! Decides nothing about our own asks, and sends nothing but the one reply.

mod reading;
mod writing;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::{
    ErrorReply, Id, Message, Method, NodeInfo, NodeInfo6, Nodes, Nodes6, Query, Response, Want,
};

use crate::Config;
use crate::limits::Limits;
use crate::network::{NODES, Networks};
use crate::scope::Family;
use crate::store::Store;
use crate::tokens::Tokens;
use crate::wire::{Wire, encode_reply};

/// No reply is larger, save one that carries a value.
const MAX_REPLY: usize = 1024;
/// No reply that carries a value is larger: it must fit one Ethernet frame with room for tunnels.
const MAX_VALUE_REPLY: usize = 1400;

/// The serving half of the node.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Store,
    tokens: Tokens,
    limits: Limits,
    sampler: reading::Sampler,
    read_only: bool,
    sequence_ahead: Option<Duration>,
    /// A moment and the time of day it was.
    wall_clock: Option<(Instant, Duration)>,
}

/// One request, with all that its answer is made from.
struct Visit<'a> {
    now: Instant,
    from: SocketAddr,
    transaction: &'a [u8],
    own: Id,
    want: Want,
    networks: &'a Networks,
}

/// What goes back: a response that borrows from the store, or a refusal.
type Refusal = ErrorReply<'static>;

impl Server {
    pub(crate) fn new(config: &Config, key: [u8; 16], home: Id, now: Instant) -> Self {
        Self {
            store: Store::new(&config.store, home),
            tokens: Tokens::new(key, now),
            limits: Limits::new(&config.limits),
            sampler: reading::Sampler::default(),
            read_only: config.read_only,
            sequence_ahead: config.store.sequence_ahead,
            wall_clock: None,
        }
    }

    pub(crate) fn set_wall_clock(&mut self, now: Instant, unix: Duration) {
        self.wall_clock = Some((now, unix));
    }

    /// Whether the node answers at all.
    pub(crate) fn serves(&self) -> bool {
        !self.read_only
    }

    /// Whether a request from `from` may be answered; counts it against the sender's budget.
    pub(crate) fn admits(&mut self, now: Instant, from: SocketAddr) -> bool {
        self.serves() && self.limits.admit(now, from)
    }

    /// Counts the bytes of an answer against the budget of whom it went to.
    pub(crate) fn answered(&mut self, now: Instant, to: SocketAddr, bytes: u64) {
        self.limits.answered(now, to, bytes);
    }

    /// Answers one request.
    pub(crate) fn handle_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        query: &Query<'_>,
        networks: &Networks,
        wire: &mut Wire,
    ) {
        let Some(network) = networks.of(Family::of(from)) else { return };
        let own = network.id;
        let want = if query.want == Want::NONE { want_of(from) } else { query.want };
        let visit = Visit { now, from, transaction, own, want, networks };
        let refusal = match query.method {
            Method::Ping => {
                visit.respond(wire, Response::new(own));
                None
            }
            Method::FindNode { target } | Method::Unknown { target: Some(target), .. } => {
                visit.respond_with_nodes(wire, &target, Response::new(own), MAX_REPLY);
                None
            }
            Method::Unknown { target: None, .. } => Some(ErrorReply::METHOD_UNKNOWN),
            Method::GetPeers { info_hash, no_seed, scrape } => {
                self.peers(&visit, wire, &info_hash, no_seed, scrape);
                None
            }
            Method::Get { target, seq } => {
                self.value(&visit, wire, &target, seq);
                None
            }
            Method::SampleInfohashes { target } => {
                self.samples(&visit, wire, &target);
                None
            }
            Method::AnnouncePeer { info_hash, port, token, seed, name: _ } => {
                self.announce(&visit, wire, info_hash, port, token, seed)
            }
            Method::Put(put) => self.put(&visit, wire, &put),
        };
        if let Some(error) = refusal {
            wire.reply(from, Message::error(transaction, error));
        }
    }
}

impl Visit<'_> {
    fn message<'m>(&'m self, response: Response<'m>) -> Message<'m> {
        Message::response(self.transaction, response)
    }

    fn respond(&self, wire: &mut Wire, response: Response<'_>) {
        wire.reply(self.from, self.message(response));
    }

    /// Adds the nodes nearest to `target`, as far as they leave the reply within `limit`: those of the
    /// other family go first, then the rest, since a value is worth more than a hint.
    fn respond_with_nodes(
        &self,
        wire: &mut Wire,
        target: &Id,
        response: Response<'_>,
        limit: usize,
    ) {
        let near = Near::new(self, target);
        let full = near.fill(response);
        let mut fewer = full;
        self.drop_other_family(&mut fewer);
        for response in [full, fewer] {
            let payload = encode_reply(self.from, self.message(response));
            if payload.len() <= limit {
                return wire.reply_encoded(self.from, payload);
            }
        }
        self.respond(wire, response);
    }

    /// Leaves out the nodes of the family that the request did not come over.
    fn drop_other_family(&self, response: &mut Response<'_>) {
        match self.from {
            SocketAddr::V4(_) => response.nodes6 = Nodes6::Absent,
            SocketAddr::V6(_) => response.nodes = Nodes::Absent,
        }
    }

    fn size(&self, response: Response<'_>) -> usize {
        encode_reply(self.from, self.message(response)).len()
    }
}

/// The nodes nearest to a target, of the families wanted.
struct Near {
    v4: Option<Vec<NodeInfo>>,
    v6: Option<Vec<NodeInfo6>>,
}

impl Near {
    /// As far as the asker can use them: who lives on our site is nothing to the world.
    fn new(visit: &Visit<'_>, target: &Id) -> Self {
        let (networks, want) = (visit.networks, visit.want);
        let filter = networks.filter.as_told_by(visit.from);
        let of = |family| {
            let nearest =
                networks.of(family).into_iter().flat_map(|network| network.nearest(target));
            nearest.filter(|contact| filter.allows(contact.addr()))
        };
        let v4 = want.n4.then(|| {
            let nodes = of(Family::V4).filter_map(|contact| match contact.addr() {
                SocketAddr::V4(addr) => Some(NodeInfo { id: contact.key(), addr }),
                SocketAddr::V6(_) => None,
            });
            nodes.take(NODES).collect()
        });
        let v6 = want.n6.then(|| {
            let nodes = of(Family::V6).filter_map(|contact| match contact.addr() {
                SocketAddr::V6(addr) => Some(NodeInfo6 { id: contact.key(), addr }),
                SocketAddr::V4(_) => None,
            });
            nodes.take(NODES).collect()
        });
        Self { v4, v6 }
    }

    fn fill<'n>(&'n self, mut response: Response<'n>) -> Response<'n> {
        if let Some(nodes) = &self.v4 {
            response.nodes = Nodes::List(nodes);
        }
        if let Some(nodes) = &self.v6 {
            response.nodes6 = Nodes6::List(nodes);
        }
        response
    }
}

/// Without `want`, nodes of the family that the request came over.
fn want_of(from: SocketAddr) -> Want {
    match Family::of(from) {
        Family::V4 => Want::N4,
        Family::V6 => Want::N6,
    }
}
