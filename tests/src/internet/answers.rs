//! What the nodes of the internet say, in the manner of their programs.
//!
//! Separate from what they know: the same table speaks libtorrent's dialect or another's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_keys::{PublicKey, Signature};
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{
    Body, ErrorReply, Id, Message, Method, MutablePut, NodeInfo, Nodes, Put, Response, Values,
    error_code,
};
use mainstay_sim::{Backdrop, Dice, Reply};

use super::census::{Census, Number, Program, Terrain};
use super::shelf::{Shelf, Stored};

/// What draws for the time of an answer are made with, beside the seed.
const THINKING: u64 = 0x0074_6869_6e6b;

/// Everybody but the nodes under test.
#[derive(Debug)]
pub struct Internet {
    census: Census,
    shelf: Shelf,
    began: Option<Instant>,
    /// Queries that came, by what became of them.
    pub answered: u64,
    /// Queries to those who are gone or do not like the question.
    pub ignored: u64,
}

/// A query on its way to its answer.
struct Visit<'a> {
    now: Instant,
    number: Number,
    stay: u64,
    from: SocketAddr,
    program: Program,
    transaction: &'a [u8],
}

/// What a node says: an answer in parts that own what they name.
#[derive(Default)]
struct Said {
    nodes: Option<Vec<NodeInfo>>,
    token: Option<Vec<u8>>,
    item: Option<Stored>,
    /// The sequence number alone, where the asker has the value.
    seq: Option<i64>,
    peers: Vec<SocketAddr>,
}

impl Internet {
    /// Everybody of this terrain.
    #[must_use]
    pub fn new(terrain: Terrain) -> Self {
        Self {
            census: Census::new(terrain),
            shelf: Shelf::default(),
            began: None,
            answered: 0,
            ignored: 0,
        }
    }

    /// Who there is.
    #[must_use]
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// How many items are stored.
    #[must_use]
    pub fn items(&self) -> usize {
        self.shelf.len()
    }

    /// Whether a node lives, stores items and tells the truth: who counts where items are stored.
    #[must_use]
    pub fn keeps_items(&self, number: Number) -> bool {
        self.census.lives(number)
            && self.census.program(number) != Program::Jech
            && !self.census.nature(number)[0]
    }

    /// Whether this node has an item under `target` now.
    #[must_use]
    pub fn holds(&self, now: Instant, number: Number, target: &Id) -> bool {
        self.census
            .stay(number)
            .is_some_and(|stay| self.shelf.item(now, number, stay, target).is_some())
    }

    /// What one node says to one query; `None` for silence.
    fn say(&mut self, visit: &Visit<'_>, method: &Method<'_>) -> Result<Said, ErrorReply<'static>> {
        let knows_items = visit.program != Program::Jech;
        match method {
            Method::Ping => Ok(Said::default()),
            Method::FindNode { target } | Method::SampleInfohashes { target } => {
                Ok(self.nodes(visit, target))
            }
            Method::GetPeers { info_hash, .. } => Ok(Said {
                token: Some(self.token(visit, info_hash)),
                peers: self.shelf.peers(visit.number, info_hash).to_vec(),
                ..self.nodes(visit, info_hash)
            }),
            Method::AnnouncePeer { info_hash, port, token, .. } => {
                self.check_token(visit, info_hash, token)?;
                let mut peer = visit.from;
                peer.set_port(port.resolve(visit.from.port()));
                self.shelf.announce(visit.number, *info_hash, peer);
                Ok(Said::default())
            }
            Method::Get { target, seq } if knows_items => Ok(self.read(visit, target, *seq)),
            Method::Put(put) if knows_items => self.store(visit, put),
            Method::Get { .. } | Method::Put(_) => Err(ErrorReply::METHOD_UNKNOWN),
            Method::Unknown { target: Some(target), .. } => Ok(self.nodes(visit, target)),
            Method::Unknown { target: None, .. } => Err(ErrorReply::METHOD_UNKNOWN),
        }
    }

    fn nodes(&self, visit: &Visit<'_>, target: &Id) -> Said {
        let count = visit.program.names();
        let named = if self.is_sybil(visit.number) {
            self.census
                .closest(target, count, |number| self.is_sybil(number) && number != visit.number)
        } else {
            self.census.known_to(visit.number, target, count)
        };
        let nodes = named.into_iter().map(|number| self.census.contact(number)).collect();
        Said { nodes: Some(nodes), ..Said::default() }
    }

    fn read(&self, visit: &Visit<'_>, target: &Id, newer_than: Option<i64>) -> Said {
        let token = Some(self.token(visit, target));
        let mut said = Said { token, ..self.nodes(visit, target) };
        match self.shelf.item(visit.now, visit.number, visit.stay, target) {
            Some(Stored::Mutable(item)) if newer_than.is_some_and(|seq| item.seq() <= seq) => {
                said.seq = Some(item.seq());
            }
            stored => said.item = stored.cloned(),
        }
        said
    }

    fn store(&mut self, visit: &Visit<'_>, put: &Put<'_>) -> Result<Said, ErrorReply<'static>> {
        let refuse = |code, text| ErrorReply { code, text };
        let item = match &put.mutable {
            None => ImmutableItem::new(put.value).map(Stored::Immutable),
            Some(MutablePut { key, salt, seq, signature, .. }) => {
                let invalid = refuse(error_code::BAD_SIGNATURE, b"invalid key");
                let key = PublicKey::from_bytes(key).map_err(|_| invalid)?;
                MutableItem::verify(key, salt, *seq, put.value, Signature::from_bytes(signature))
                    .map(Stored::Mutable)
            }
        };
        let item = item.map_err(|error| refuse(error.code(), b"not an item"))?;
        let target = match &item {
            Stored::Mutable(item) => item.target(),
            Stored::Immutable(item) => item.target(),
        };
        self.check_token(visit, &target, put.token)?;
        if self.is_sybil(visit.number) {
            return Ok(Said::default());
        }
        let old = self.shelf.item(visit.now, visit.number, visit.stay, &target);
        if let (Some(Stored::Mutable(old)), Stored::Mutable(new)) = (old, &item) {
            let cas = put.mutable.and_then(|mutable| mutable.cas);
            if cas.is_some_and(|cas| cas != old.seq()) {
                return Err(refuse(error_code::CAS_MISMATCH, b"another is stored"));
            }
            if new.seq() < old.seq() {
                return Err(refuse(error_code::SEQUENCE_TOO_LOW, b"a newer is stored"));
            }
        }
        self.shelf.keep(visit.now, visit.number, visit.stay, target, item);
        Ok(Said::default())
    }

    fn is_sybil(&self, number: Number) -> bool {
        self.census.nature(number)[0] && self.census.lives(number)
    }

    fn token(&self, visit: &Visit<'_>, target: &Id) -> Vec<u8> {
        let from = match visit.from.ip() {
            std::net::IpAddr::V4(ip) => u64::from(ip.to_bits()),
            std::net::IpAddr::V6(_) => 0,
        };
        let [.., tail] = *target.as_bytes().as_chunks::<4>().0 else { return Vec::new() };
        let words = [u64::from(visit.number), from, u64::from(u32::from_be_bytes(tail))];
        let length = if visit.program == Program::Libtorrent { 4 } else { 8 };
        Dice::of(&words).next().to_be_bytes()[..length].to_vec()
    }

    fn check_token(
        &self,
        visit: &Visit<'_>,
        target: &Id,
        token: &[u8],
    ) -> Result<(), ErrorReply<'static>> {
        let right = token == self.token(visit, target);
        let error = ErrorReply { code: error_code::PROTOCOL, text: b"invalid token" };
        right.then_some(()).ok_or(error)
    }

    /// How long a node takes for its answer.
    fn thinking(&self, visit: &Visit<'_>) -> Duration {
        let seed = self.census.terrain().seed;
        let tail = visit.transaction.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.pause(visit.number, &mut Dice::of(&[seed, THINKING, u64::from(visit.number), tail]))
    }

    /// How long this node takes for an answer that these dice draw for.
    pub(crate) fn pause(&self, number: Number, dice: &mut Dice) -> Duration {
        let [_, busy, queueing] = self.census.nature(number);
        let usual = if busy { [500, 3000] } else { [1, 20] };
        let line = if queueing { dice.below(400) } else { 0 };
        Duration::from_millis(usual[0] + dice.below(usual[1] - usual[0]) + line)
    }
}

impl Backdrop for Internet {
    fn owns(&self, address: SocketAddr) -> bool {
        self.census.at(address).is_some()
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        let began = *self.began.get_or_insert(now);
        self.census.set_clock(now.saturating_duration_since(began));
        let Some(number) = self.census.at(to) else { return };
        let Ok(Message { transaction, body: Body::Query(query), .. }) = Message::decode(datagram)
        else {
            return;
        };
        let program = self.census.program(number);
        let deaf = program == Program::Mainline && transaction.len() != 4
            || program == Program::Libtorrent && !self.shelf.is_welcome(now, number, from.ip());
        let Some(stay) = self.census.stay(number).filter(|_| !deaf) else {
            self.ignored += 1;
            return;
        };
        self.answered += 1;
        let visit = Visit { now, number, stay, from, program, transaction };
        let said = self.say(&visit, &query.method);
        let mut payload = Vec::with_capacity(400);
        encode(&visit, self.census.id(number), &said, &mut payload);
        replies.push(Reply { from: to, to: from, payload, after: self.thinking(&visit) });
    }
}

/// Writes what a node says as its program would.
fn encode(visit: &Visit<'_>, id: Id, said: &Result<Said, ErrorReply<'static>>, out: &mut Vec<u8>) {
    let mut message = match said {
        Err(error) => Message::error(visit.transaction, *error),
        Ok(said) => {
            let mut response = Response::new(id);
            if let Some(nodes) = &said.nodes {
                response.nodes = Nodes::List(nodes);
            }
            response.token = said.token.as_deref();
            response.seq = said.seq;
            if !said.peers.is_empty() {
                response.values = Values::List(&said.peers);
            }
            match &said.item {
                Some(Stored::Mutable(item)) => {
                    response.value = Some(item.value());
                    response.key = Some(item.key().as_bytes());
                    response.seq = Some(item.seq());
                    response.signature = Some(item.signature().as_bytes());
                }
                Some(Stored::Immutable(item)) => response.value = Some(item.value()),
                None => {}
            }
            Message::response(visit.transaction, response)
        }
    };
    message.version = match visit.program {
        Program::Libtorrent => Some(b"LT\x02\x01"),
        Program::Jech => Some(b"JC\x00\x00"),
        Program::Mainline => None,
        Program::Ours => Some(b"MS\x00\x01"),
    };
    message.ip = (visit.program != Program::Jech).then_some(visit.from);
    message.encode(out);
}
