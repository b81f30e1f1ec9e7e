//! The node: takes datagrams, time and asks in, hands datagrams and events out, and routes between its parts.
//! It holds no rule of its own; each lives with the part that obeys it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;

use crate::{
    Ask, Config, Counters, Event, FamilyInfo, Info, LookupError, LookupReport, Outcome, PutError,
    QueryId, RemoteNode, Transmit,
};

/// A Mainline node for IPv4, IPv6 or both.
///
/// Methods come in four kinds: `handle_*` takes something from outside, [`ask`](Self::ask) and
/// [`cancel`](Self::cancel) are the owner's wishes, `poll_*` hands out what came of it, and the rest only look.
/// After any of the first two kinds, all three `poll_*` may answer differently.
#[derive(Debug)]
pub struct Node {
    config: Config,
    next_query: u64,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
}

impl Node {
    /// Makes a node; it starts to join at the first [`handle_timeout`](Self::handle_timeout).
    ///
    /// `seed` decides its id, tokens and transaction ids: draw it from the system's randomness, unless
    /// the run is to be replayed.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let _ = (seed, now);
        Self { config, next_query: 0, events: VecDeque::new(), transmits: VecDeque::new() }
    }

    /// Takes a datagram that came in from `from`. Never panics, never answers a reply.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let _ = (now, from, datagram);
    }

    /// Does what is due; call it when the time of [`poll_timeout`](Self::poll_timeout) has come. Early or
    /// late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// Tells that a datagram to `to` could not be delivered (ICMP port unreachable): its requests fail at
    /// once and need not wait for their timeout.
    pub fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        let _ = (now, to);
    }

    /// Tells the time of day, as the duration since the UNIX epoch. Needed only to judge sequence numbers
    /// from the future; call it at the start and after the clock was set.
    pub fn set_wall_clock(&mut self, now: Instant, unix: Duration) {
        let _ = (now, unix);
    }

    /// Adds addresses to join through, for instance once a bootstrap name has been resolved.
    pub fn add_bootstrap(&mut self, now: Instant, addresses: &[SocketAddr]) {
        let _ = (now, addresses);
    }

    /// Starts an ask; its end is one [`Event::Done`].
    pub fn ask(&mut self, now: Instant, ask: Ask) -> QueryId {
        let _ = now;
        let query = QueryId(self.next_query);
        self.next_query += 1;
        let outcome = match ask {
            Ask::GetMutable { .. } => Outcome::Mutable(Err(LookupError::NoNodes)),
            Ask::GetImmutable { .. } => Outcome::Immutable(Err(LookupError::NoNodes)),
            Ask::GetPeers { .. } => Outcome::Peers(Err(LookupError::NoNodes)),
            Ask::Ping { .. } | Ask::FindNode { .. } => Outcome::Nodes(Err(LookupError::NoNodes)),
            Ask::SampleInfohashes { .. } => Outcome::Samples(Err(LookupError::NoNodes)),
            Ask::PutMutable { .. } | Ask::PutImmutable { .. } | Ask::AnnouncePeer { .. } => {
                Outcome::Put(Err(PutError::Lookup(LookupError::NoNodes)))
            }
        };
        self.events.push_back(Event::Done { query, outcome, report: LookupReport::default() });
        query
    }

    /// Like [`ask`](Self::ask), and reports every step as an [`Event::Step`].
    pub fn ask_traced(&mut self, now: Instant, ask: Ask) -> QueryId {
        self.ask(now, ask)
    }

    /// Drops an ask and all its state. No event of it follows, not even its end.
    pub fn cancel(&mut self, now: Instant, query: QueryId) {
        let _ = now;
        self.events.retain(|event| event.query() != Some(query));
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing the owner should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next; `None` when nothing is due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Looks at the node.
    #[must_use]
    pub fn info(&self) -> Info {
        let family =
            FamilyInfo { id: Id::from_bytes([0; 20]), public: None, nodes: 0, network_size: None };
        Info {
            ipv4: self.config.ipv4.map(|_| family),
            ipv6: self.config.ipv6.map(|_| family),
            bootstrapped: false,
            read_only: self.config.read_only,
            asks: 0,
            items: 0,
            info_hashes: 0,
            counters: Counters::default(),
        }
    }

    /// The nodes of our tables that answered last, best first: what to save and bootstrap from next time.
    #[must_use]
    pub fn contacts(&self) -> Vec<RemoteNode> {
        Vec::new()
    }
}
