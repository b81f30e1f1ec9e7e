//! What an ask wants, and what it has found so far.
//! Apart from the walk, which only needs to know whether an answer is good.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_keys::{PublicKey, Signature};
use mainstay_krpc::item::{ImmutableItem, MutableItem, mutable_target};
use mainstay_krpc::{Id, Method, Response};

use crate::contact::Contact;
use crate::scope::Filter;
use crate::{Ask, Event, Peer, QueryId, RemoteNode, Samples, Scrape, Source};

/// How many peers one ask collects at most; a stranger can name as many as it likes.
const MAX_PEERS: usize = 5000;

/// How many info hashes are read from one sample; no datagram of ordinary size holds more.
const MAX_SAMPLES: usize = 75;

/// How many nodes of a family are read from one sample; more than any honest answer names.
const MAX_NAMED: usize = 32;

/// What is wanted, with the best of it so far.
#[derive(Debug)]
pub(crate) enum Goal {
    Mutable { wanted: Wanted, newer_than: Option<i64>, newest: Option<MutableItem> },
    Immutable { target: Id, found: Option<ImmutableItem> },
    Peers { info_hash: Id, no_seeds: bool, found: BTreeSet<SocketAddr> },
    Nodes { target: Id },
    Ping { addr: SocketAddr },
    Samples { target: Id, only: Option<SocketAddr>, found: Vec<Samples> },
    Scrape { info_hash: Id, found: Box<Scrape> },
    PutMutable { wanted: Wanted, item: MutableItem, cas: Option<i64>, newest: Option<MutableItem> },
    PutImmutable { item: ImmutableItem },
    Announce { info_hash: Id, port: Option<u16>, seed: bool },
}

/// Whose mutable item.
#[derive(Debug)]
pub(crate) struct Wanted {
    key: PublicKey,
    salt: Vec<u8>,
    target: Id,
}

/// What an answer was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Nodes and a token, perhaps; no value.
    Hints,
    /// A value that verified, new or not.
    Value { seq: Option<i64> },
    /// A value that is not what was asked for: nothing of the answer may be used.
    Invalid,
}

impl Goal {
    pub(crate) fn new(ask: Ask) -> Self {
        match ask {
            Ask::GetMutable { key, salt, newer_than } => {
                Self::Mutable { wanted: Wanted::new(key, salt), newer_than, newest: None }
            }
            Ask::GetImmutable { target } => Self::Immutable { target, found: None },
            Ask::PutMutable { item, cas } => {
                let wanted = Wanted::new(*item.key(), item.salt().to_vec());
                Self::PutMutable { wanted, item, cas, newest: None }
            }
            Ask::PutImmutable { item } => Self::PutImmutable { item },
            Ask::GetPeers { info_hash, no_seeds } => {
                Self::Peers { info_hash, no_seeds, found: BTreeSet::new() }
            }
            Ask::AnnouncePeer { info_hash, port, seed } => Self::Announce { info_hash, port, seed },
            Ask::FindNode { target } => Self::Nodes { target },
            Ask::Ping { addr } => Self::Ping { addr },
            Ask::Scrape { info_hash } => Self::Scrape { info_hash, found: Box::default() },
            Ask::SampleInfohashes { target } => {
                Self::Samples { target, only: None, found: Vec::new() }
            }
            Ask::SampleNode { addr, target } => {
                Self::Samples { target, only: Some(addr), found: Vec::new() }
            }
        }
    }

    pub(crate) fn target(&self) -> Id {
        match self {
            Self::Mutable { wanted, .. } | Self::PutMutable { wanted, .. } => wanted.target,
            Self::PutImmutable { item } => item.target(),
            Self::Peers { info_hash, .. }
            | Self::Scrape { info_hash, .. }
            | Self::Announce { info_hash, .. } => *info_hash,
            Self::Immutable { target, .. }
            | Self::Nodes { target }
            | Self::Samples { target, .. } => *target,
            // It leads nowhere: there is one node to ask, wherever it stands.
            Self::Ping { .. } => Id::from_bytes([0; 20]),
        }
    }

    /// The one address to ask, if nobody else is to be.
    pub(crate) fn only(&self) -> Option<SocketAddr> {
        match self {
            Self::Ping { addr } => Some(*addr),
            Self::Samples { only, .. } => *only,
            Self::Mutable { .. }
            | Self::Immutable { .. }
            | Self::Peers { .. }
            | Self::Nodes { .. }
            | Self::Scrape { .. }
            | Self::PutMutable { .. }
            | Self::PutImmutable { .. }
            | Self::Announce { .. } => None,
        }
    }

    /// What each node on the way is asked. Tokens for an announce come from `get_peers`, those for a put
    /// from `get`: nodes that know only one of the two must not be asked the other.
    pub(crate) fn method(&self) -> Method<'static> {
        let target = self.target();
        match self {
            Self::Mutable { newer_than, .. } => Method::Get { target, seq: *newer_than },
            // With `cas` the caller's picture of what is stored is judged, so the values must be seen;
            // otherwise only newer ones matter.
            Self::PutMutable { item, cas, .. } => {
                Method::Get { target, seq: cas.is_none().then_some(item.seq()) }
            }
            Self::Immutable { .. } | Self::PutImmutable { .. } => Method::Get { target, seq: None },
            Self::Peers { info_hash, no_seeds, .. } => {
                Method::GetPeers { info_hash: *info_hash, no_seed: *no_seeds, scrape: false }
            }
            Self::Announce { info_hash, .. } => {
                Method::GetPeers { info_hash: *info_hash, no_seed: false, scrape: false }
            }
            Self::Nodes { .. } => Method::FindNode { target },
            Self::Ping { .. } => Method::Ping,
            Self::Samples { .. } => Method::SampleInfohashes { target },
            Self::Scrape { info_hash, .. } => {
                Method::GetPeers { info_hash: *info_hash, no_seed: false, scrape: true }
            }
        }
    }

    /// Whether a value is looked for that may be absent.
    pub(crate) fn finds(&self) -> bool {
        match self {
            Self::Mutable { .. } | Self::Immutable { .. } | Self::Peers { .. } => true,
            Self::PutMutable { .. }
            | Self::PutImmutable { .. }
            | Self::Announce { .. }
            | Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::Samples { .. }
            | Self::Scrape { .. } => false,
        }
    }

    /// Whether storing may begin before the closest nodes are known: not where the caller wants the value
    /// there to be looked at first.
    pub(crate) fn is_eager(&self) -> bool {
        match self {
            Self::PutMutable { cas, .. } => cas.is_none() && !self.is_outdated(false),
            Self::PutImmutable { .. } | Self::Announce { .. } => true,
            Self::Mutable { .. }
            | Self::Immutable { .. }
            | Self::Peers { .. }
            | Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::Samples { .. }
            | Self::Scrape { .. } => false,
        }
    }

    /// Whether something is stored once the closest nodes are known.
    pub(crate) fn stores(&self) -> bool {
        match self {
            Self::PutMutable { .. } | Self::PutImmutable { .. } | Self::Announce { .. } => true,
            Self::Mutable { .. }
            | Self::Immutable { .. }
            | Self::Peers { .. }
            | Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::Samples { .. }
            | Self::Scrape { .. } => false,
        }
    }

    /// Whether there is nothing more to find.
    pub(crate) fn is_reached(&self) -> bool {
        match self {
            Self::Immutable { found, .. } => found.is_some(),
            Self::PutMutable { .. } => self.is_outdated(false),
            Self::Mutable { .. }
            | Self::Peers { .. }
            | Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::Samples { .. }
            | Self::Scrape { .. }
            | Self::PutImmutable { .. }
            | Self::Announce { .. } => false,
        }
    }

    /// Whether what was found forbids the put: a newer item, another with the same number, or, given
    /// `cas`, one that is not the expected. An older one than expected may be a stale copy, so it only
    /// counts once the lookup has `settled`.
    pub(crate) fn is_outdated(&self, settled: bool) -> bool {
        let Self::PutMutable { item, cas, newest: Some(newest), .. } = self else { return false };
        if newest == item {
            // An earlier attempt of the same put got through to some nodes; this one reaches the rest.
            return false;
        }
        let rivals = newest.seq() == item.seq() && newest.value() != item.value();
        let unexpected =
            cas.is_some_and(|cas| newest.seq() > cas || (settled && newest.seq() != cas));
        newest.seq() > item.seq() || rivals || unexpected
    }

    /// Judges an answer and keeps what is better than before, telling the owner of it.
    pub(crate) fn judge(
        &mut self,
        query: QueryId,
        from: RemoteNode,
        response: &Response<'_>,
        filter: Filter,
        events: &mut VecDeque<Event>,
    ) -> Worth {
        let source = Source::Node(from);
        match self {
            Self::Mutable { wanted, newer_than, newest } => {
                let (worth, better) = wanted.read(response, *newer_than, newest.as_ref());
                if let Some(item) = better {
                    *newest = Some(item.clone());
                    events.push_back(Event::Mutable { query, item, from: source });
                }
                worth
            }
            Self::PutMutable { wanted, newest, .. } => {
                let (worth, better) = wanted.read(response, None, newest.as_ref());
                if better.is_some() {
                    *newest = better;
                }
                worth
            }
            Self::Immutable { target, found } => {
                let Some(value) = response.value else { return Worth::Hints };
                match ImmutableItem::new(value) {
                    Ok(item) if item.target() == *target => {
                        *found = Some(item.clone());
                        events.push_back(Event::Immutable { query, item, from: source });
                        Worth::Value { seq: None }
                    }
                    Ok(_) | Err(_) => Worth::Invalid,
                }
            }
            Self::Peers { found, .. } => {
                let peers = response.values.iter().filter(|peer| filter.allows(*peer));
                let fresh = collect(found, peers);
                if response.values.is_absent() {
                    return Worth::Hints;
                }
                if !fresh.is_empty() {
                    events.push_back(Event::Peers { query, peers: fresh, from: source });
                }
                Worth::Value { seq: None }
            }
            Self::Scrape { found, .. } => {
                if found.merge(response) {
                    Worth::Value { seq: None }
                } else {
                    Worth::Hints
                }
            }
            Self::Samples { found, only, .. } => {
                // Who walks wants to know whom it knows, whatever it holds.
                if response.samples.is_absent() && only.is_none() {
                    return Worth::Hints;
                }
                let samples = samples_of(from, response, filter);
                found.push(samples.clone());
                events.push_back(Event::Samples { query, samples });
                Worth::Value { seq: None }
            }
            Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::PutImmutable { .. }
            | Self::Announce { .. } => Worth::Hints,
        }
    }

    /// Takes what our own store has; it was verified when it came in.
    pub(crate) fn offer_mutable(
        &mut self,
        query: QueryId,
        item: &MutableItem,
        events: &mut VecDeque<Event>,
    ) {
        match self {
            Self::Mutable { newer_than, newest, .. } => {
                if newer_than.is_none_or(|floor| item.seq() > floor) {
                    *newest = Some(item.clone());
                    events.push_back(Event::Mutable {
                        query,
                        item: item.clone(),
                        from: Source::Own,
                    });
                }
            }
            Self::PutMutable { newest, .. } => *newest = Some(item.clone()),
            Self::Immutable { .. }
            | Self::Peers { .. }
            | Self::Nodes { .. }
            | Self::Ping { .. }
            | Self::Samples { .. }
            | Self::Scrape { .. }
            | Self::PutImmutable { .. }
            | Self::Announce { .. } => {}
        }
    }

    /// As [`offer_mutable`](Self::offer_mutable).
    pub(crate) fn offer_immutable(
        &mut self,
        query: QueryId,
        item: &ImmutableItem,
        events: &mut VecDeque<Event>,
    ) {
        if let Self::Immutable { found, .. } = self {
            *found = Some(item.clone());
            events.push_back(Event::Immutable { query, item: item.clone(), from: Source::Own });
        }
    }

    /// As [`offer_mutable`](Self::offer_mutable).
    pub(crate) fn offer_peers(
        &mut self,
        query: QueryId,
        peers: impl Iterator<Item = Peer>,
        events: &mut VecDeque<Event>,
    ) {
        if let Self::Peers { found, no_seeds, .. } = self {
            let wanted = peers.filter(|peer| !(*no_seeds && peer.seed));
            let fresh = collect(found, wanted.map(|peer| peer.addr));
            if !fresh.is_empty() {
                events.push_back(Event::Peers { query, peers: fresh, from: Source::Own });
            }
        }
    }
}

impl Wanted {
    fn new(key: PublicKey, salt: Vec<u8>) -> Self {
        let target = mutable_target(key.as_bytes(), &salt);
        Self { key, salt, target }
    }

    /// Reads the item in an answer. The key is compared before anything else is looked at, and the
    /// signature verified unless the answer cannot be better than what is known.
    fn read(
        &self,
        response: &Response<'_>,
        newer_than: Option<i64>,
        known: Option<&MutableItem>,
    ) -> (Worth, Option<MutableItem>) {
        const INVALID: (Worth, Option<MutableItem>) = (Worth::Invalid, None);
        if response.key.is_some_and(|key| key != self.key.as_bytes()) {
            return INVALID;
        }
        let Some(value) = response.value else { return (Worth::Hints, None) };
        let (Some(_), Some(signature), Some(seq)) =
            (response.key, response.signature, response.seq)
        else {
            return INVALID;
        };
        if newer_than.is_some_and(|floor| seq <= floor) {
            return (Worth::Hints, None);
        }
        if let Some(known) = known {
            let same = (seq, value) == (known.seq(), known.value());
            if same && signature == known.signature().as_bytes() {
                return (Worth::Value { seq: Some(seq) }, None);
            }
            if seq < known.seq() {
                // An old copy, or a lie that would change nothing: either way not worth a verification.
                return (Worth::Hints, None);
            }
        }
        let signature = Signature::from_bytes(signature);
        match MutableItem::verify(self.key, &self.salt, seq, value, signature) {
            Ok(item) => {
                // Of two values with one number the greater wins, so that all readers agree.
                let rank = |item: &MutableItem| (item.seq(), item.value().to_vec());
                let better = known.is_none_or(|known| rank(&item) > rank(known));
                (Worth::Value { seq: Some(seq) }, better.then_some(item))
            }
            Err(_) => INVALID,
        }
    }
}

/// Adds peers as far as there is room, and gives those that are new.
fn collect(
    found: &mut BTreeSet<SocketAddr>,
    peers: impl Iterator<Item = SocketAddr>,
) -> Vec<SocketAddr> {
    let mut fresh = Vec::new();
    for peer in peers {
        if found.len() >= MAX_PEERS {
            break;
        }
        if found.insert(peer) {
            fresh.push(peer);
        }
    }
    fresh
}

fn samples_of(node: RemoteNode, response: &Response<'_>, filter: Filter) -> Samples {
    let interval = Duration::from_secs(u64::from(response.interval.unwrap_or(0)));
    let info_hashes: Vec<Id> = response.samples.iter().take(MAX_SAMPLES).collect();
    let total = response.num.unwrap_or(info_hashes.len() as u64);
    let named = response.nodes.iter().take(MAX_NAMED).map(Contact::from);
    let named = named.chain(response.nodes6.iter().take(MAX_NAMED).map(Contact::from));
    let usable = |contact: &Contact| contact.known_id().is_some() && filter.allows(contact.addr());
    let nodes = named.filter(usable).map(|contact| RemoteNode::from(&contact)).collect();
    Samples { node, info_hashes, total, interval, nodes }
}
