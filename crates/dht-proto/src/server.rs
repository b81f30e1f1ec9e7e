//! Answers the requests of strangers: what is known nearby, what is stored, what may be stored.
//! Decides nothing about our own asks, and sends nothing but the one reply.

mod reading;
mod room;
mod writing;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use mainstay_krpc::item::{immutable_target, mutable_target};
use mainstay_krpc::{
    DecodeError, ErrorReply, Id, Message, Method, NodeInfo, NodeInfo6, Query, Response, Want,
};

use self::room::{Listed, Room};
use crate::contact::{Contact, kad_id};
use crate::hooks::{Hook, Request, Verdict};
use crate::limits::Limits;
use crate::network::Networks;
use crate::recent::Recent;
use crate::scope::{Family, Scope};
use crate::store::{MemoryStore, Store};
use crate::tokens::Tokens;
use crate::wire::Wire;
use crate::{Config, LimitConfig};

/// For how long an address counts as proven: as long as its token may still be good.
const PROVEN: Duration = Duration::from_secs(600);

/// The serving half of the node.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Box<dyn Store>,
    pub(crate) hook: Hook,
    tokens: Tokens,
    limits: Limits,
    /// Who answered a request of ours, or showed a token that we had sent there.
    proven: Recent,
    sampler: reading::Sampler,
    sequence_ahead: Option<Duration>,
    /// A moment and the time of day it was.
    wall_clock: Option<(Instant, Duration)>,
}

/// One datagram that asks something: who sent it, and what that allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) now: Instant,
    pub(crate) from: SocketAddr,
    /// How many bytes it had.
    pub(crate) length: usize,
    /// Whether the sender is on our host or site, which is nobody's to abuse but its owner's.
    pub(crate) near: bool,
    /// Whether the sender is where it says.
    pub(crate) proven: bool,
}

/// One request, with all that its answer is made from.
struct Visit<'a> {
    now: Instant,
    from: SocketAddr,
    transaction: &'a [u8],
    own: Id,
    want: Want,
    room: Room,
    networks: &'a Networks,
}

/// What goes back instead of a response.
type Refusal = ErrorReply<'static>;

impl Server {
    pub(crate) fn new(config: &Config, key: [u8; 16], home: Id, now: Instant) -> Self {
        let mut store = MemoryStore::new(&config.store);
        store.set_home(home);
        Self {
            store: Box::new(store),
            hook: Hook::default(),
            tokens: Tokens::new(key, now),
            limits: Limits::new(&config.limits, key, now),
            proven: Recent::new(key),
            sampler: reading::Sampler::default(),
            sequence_ahead: config.store.sequence_ahead,
            wall_clock: None,
        }
    }

    pub(crate) fn set_wall_clock(&mut self, now: Instant, unix: Duration) {
        self.wall_clock = Some((now, unix));
    }

    pub(crate) fn set_limits(&mut self, config: &LimitConfig) {
        self.limits.set(config);
    }

    /// Somebody at this address answered a request of ours.
    pub(crate) fn prove(&mut self, now: Instant, addr: SocketAddr) {
        self.proven.note(now, addr.ip());
    }

    /// Judges who sent a datagram, and whether there may be budget to answer it.
    pub(crate) fn admit(
        &self,
        now: Instant,
        from: SocketAddr,
        length: usize,
        id: Option<&Id>,
        networks: &Networks,
    ) -> Option<Arrival> {
        let near = match Scope::of_ip(from.ip()) {
            Scope::Loopback => true,
            Scope::Private => networks.filter.allows(from),
            Scope::Global | Scope::Never => false,
        };
        let proven = near || self.is_proven(now, from, id, networks);
        if !near && !self.limits.has_some(now, from, proven) {
            return None;
        }
        Some(Arrival { now, from, length, near, proven })
    }

    /// Whether the table has the sender, or it proved its address lately.
    fn is_proven(
        &self,
        now: Instant,
        from: SocketAddr,
        id: Option<&Id>,
        networks: &Networks,
    ) -> bool {
        let listed = || {
            let network = networks.of(Family::of(from))?;
            let entry = network.table.entry(&kad_id(id?))?;
            Some(entry.contact().addr() == from && entry.failures() == 0)
        };
        self.proven.has(now, from.ip(), PROVEN) || listed() == Some(true)
    }

    /// Answers one request.
    pub(crate) fn handle_query(
        &mut self,
        arrival: &Arrival,
        transaction: &[u8],
        read_only: bool,
        query: &Query<'_>,
        networks: &Networks,
        wire: &mut Wire,
    ) {
        let Arrival { now, from, .. } = *arrival;
        let Some(network) = networks.of(Family::of(from)) else { return };
        let want = if query.want == Want::NONE { want_of(from) } else { query.want };
        let own = network.id;
        let room = Room::of(arrival);
        let visit = Visit { now, from, transaction, own, want, room, networks };
        let verdict = self.hook.judge(|| Request {
            now,
            from,
            id: query.id,
            read_only,
            proven: arrival.proven,
            method: query.method,
            target: target_of(&query.method),
        });
        let payload = match verdict {
            Verdict::Answer => self.answer(&visit, &query.method, wire),
            Verdict::Refuse(error) => Err(error),
            Verdict::Ignore => return,
        };
        let payload = payload.map_or_else(|error| visit.refuse(wire, error), Some);
        self.send(arrival, payload, wire);
    }

    /// Tells the sender of a broken query what is wrong with it.
    pub(crate) fn handle_broken(
        &mut self,
        arrival: &Arrival,
        error: &DecodeError<'_>,
        wire: &mut Wire,
    ) {
        let Some(reply) = error.reply() else { return };
        let payload = Room::of(arrival).fit_error(wire, arrival.from, reply);
        self.send(arrival, payload, wire);
    }

    fn answer(
        &mut self,
        visit: &Visit<'_>,
        method: &Method<'_>,
        wire: &mut Wire,
    ) -> Result<Vec<u8>, Refusal> {
        match *method {
            Method::Ping => Ok(visit.encode(wire, Response::new(visit.own))),
            Method::FindNode { target } | Method::Unknown { target: Some(target), .. } => {
                Ok(visit.near(&target).fit(wire, Response::new(visit.own), visit.room.plain))
            }
            Method::Unknown { target: None, .. } => Err(ErrorReply::METHOD_UNKNOWN),
            Method::GetPeers { info_hash, no_seed, scrape } => {
                Ok(self.peers(visit, wire, &info_hash, no_seed, scrape))
            }
            Method::Get { target, seq } => Ok(self.value(visit, wire, &target, seq)),
            Method::SampleInfohashes { target } => Ok(self.samples(visit, wire, &target)),
            Method::AnnouncePeer { info_hash, port, token, seed, name: _ } => {
                self.announce(visit, info_hash, port, token, seed)?;
                Ok(visit.encode(wire, Response::new(visit.own)))
            }
            Method::Put(put) => {
                self.put(visit, &put)?;
                Ok(visit.encode(wire, Response::new(visit.own)))
            }
        }
    }

    /// Lets a reply out, as far as the budget of its receiver goes.
    fn send(&mut self, arrival: &Arrival, payload: Option<Vec<u8>>, wire: &mut Wire) {
        let Some(payload) = payload else { return };
        let Arrival { now, from, near, proven, .. } = *arrival;
        if near || self.limits.charge(now, from.ip(), payload.len(), proven) {
            wire.reply_encoded(from, payload);
        } else {
            wire.counters.withheld += 1;
            wire.recycle(payload);
        }
    }
}

impl Visit<'_> {
    fn encode(&self, wire: &mut Wire, response: Response<'_>) -> Vec<u8> {
        wire.encode_reply(self.from, Message::response(self.transaction, response))
    }

    fn refuse(&self, wire: &mut Wire, error: ErrorReply<'_>) -> Option<Vec<u8>> {
        self.room.fit_error(wire, self.from, Message::error(self.transaction, error))
    }

    /// The nodes nearest to `target`, of the families wanted, as far as the asker can use them: who lives on our site
    /// is nothing to the world.
    fn near(&self, target: &Id) -> Near<'_> {
        let filter = self.networks.filter.as_told_by(self.from);
        let mut near = Near { visit: self, v4: None, v6: None };
        let nearest = |family| {
            let network = self.networks.of(family);
            let nearest = network.into_iter().flat_map(|network| network.nearest(target));
            // Whoever is in the table is allowed on our site.
            nearest.filter(|contact| filter.allows_site() || filter.allows(contact.addr()))
        };
        if self.want.n4 {
            let blank =
                NodeInfo { id: self.own, addr: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0) };
            near.v4 = Some(Listed::new(blank, nearest(Family::V4).filter_map(Contact::node)));
        }
        if self.want.n6 {
            let nowhere = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
            let blank = NodeInfo6 { id: self.own, addr: nowhere };
            near.v6 = Some(Listed::new(blank, nearest(Family::V6).filter_map(Contact::node6)));
        }
        near
    }
}

/// The nodes nearest to a target, of the families wanted.
struct Near<'v> {
    visit: &'v Visit<'v>,
    v4: Option<Listed<NodeInfo>>,
    v6: Option<Listed<NodeInfo6>>,
}

/// Without `want`, nodes of the family that the request came over.
fn want_of(from: SocketAddr) -> Want {
    match Family::of(from) {
        Family::V4 => Want::N4,
        Family::V6 => Want::N6,
    }
}

/// What a request is about.
fn target_of(method: &Method<'_>) -> Option<Id> {
    match *method {
        Method::Ping => None,
        Method::FindNode { target }
        | Method::Get { target, .. }
        | Method::SampleInfohashes { target } => Some(target),
        Method::GetPeers { info_hash, .. } | Method::AnnouncePeer { info_hash, .. } => {
            Some(info_hash)
        }
        Method::Put(put) => Some(match put.mutable {
            Some(mutable) => mutable_target(mutable.key, mutable.salt),
            None => immutable_target(put.value),
        }),
        Method::Unknown { target, .. } => target,
    }
}
