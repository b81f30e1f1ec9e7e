//! The way out: datagrams, events and randomness, for every part that speaks.
//! One struct, so that each message is counted, encoded and matched in one place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use mainstay_krpc::{Id, Message, Method, Query, Want};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::recent::Recent;
use crate::transactions::{Opened, Purpose, Transactions};
use crate::{Config, Counters, Event, Transmit};

/// Who we are, in the `v` of our messages.
const VERSION: &[u8; 4] = b"MS\x00\x01";
/// Room for most replies.
const REPLY: usize = 384;
/// For how many datagrams an idle node has a place to wait: more than answering takes, fewer than a lookup.
const AT_ONCE: usize = 4;

/// What waits to go out, and what was sent.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) rng: StdRng,
    pub(crate) transactions: Transactions,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    /// Whom we sent a request to lately.
    pub(crate) contacted: Recent,
    pub(crate) read_only: bool,
    transmits: VecDeque<Transmit>,
    /// One buffer to encode into, so that answering takes no allocation when it is given back.
    spare: Option<Vec<u8>>,
}

/// One request to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Our id in the receiver's network.
    pub(crate) own: Id,
    pub(crate) to: SocketAddr,
    /// The id it must answer under, where known.
    pub(crate) id: Option<Id>,
    pub(crate) want: Want,
    pub(crate) method: Method<'a>,
    pub(crate) purpose: Purpose,
    /// Whether its answer is waited for half as long again as others.
    pub(crate) patiently: bool,
    /// Whether the search is to be told when its answer is late.
    pub(crate) hedged: bool,
}

impl Wire {
    pub(crate) fn new(config: &Config, seed: [u8; 32], now: Instant) -> Self {
        Self {
            rng: StdRng::from_seed(seed),
            transactions: Transactions::new(config.request_timeout, now),
            events: VecDeque::new(),
            counters: Counters::default(),
            contacted: Recent::new([0; 16]),
            read_only: config.read_only,
            transmits: VecDeque::new(),
            spare: None,
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, now: Instant, request: Request<'_>) {
        let Request { own, to, id, want, method, purpose, patiently, hedged } = request;
        self.counters.asked_by_us.count(&method);
        self.contacted.note(now, to.ip());
        let opened = Opened { to, id, purpose, patiently, hedged };
        let tid = self.transactions.open(now, &mut self.rng, opened);
        let mut message = Message::query(&tid, Query { id: own, want, method });
        message.version = Some(VERSION);
        message.read_only = self.read_only;
        self.send(to, &message);
    }

    /// The bytes of a reply as they would be sent to `to`: it always names us and the receiver's address
    /// ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)).
    pub(crate) fn encode_reply(&mut self, to: SocketAddr, mut message: Message<'_>) -> Vec<u8> {
        message.ip = Some(to);
        message.version = Some(VERSION);
        let mut payload = self.spare.take().unwrap_or_else(|| Vec::with_capacity(REPLY));
        message.encode(&mut payload);
        payload
    }

    /// Sends a reply.
    pub(crate) fn reply_encoded(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.counters.served += 1;
        self.counters.served_bytes += payload.len() as u64;
        self.push(to, payload);
    }

    /// Takes back the memory of a datagram that was sent, or will not be.
    pub(crate) fn recycle(&mut self, mut payload: Vec<u8>) {
        if payload.capacity() >= REPLY {
            payload.clear();
            self.spare = Some(payload);
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front();
        if self.transmits.is_empty() && self.transmits.capacity() > AT_ONCE {
            // A burst is over: an idle node keeps little.
            self.transmits.shrink_to(AT_ONCE);
        }
        transmit
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() {
            // Events are rare and large: four take more than a kilobyte.
            self.events.shrink_to(0);
        }
        event
    }

    fn send(&mut self, to: SocketAddr, message: &Message<'_>) {
        let mut payload = Vec::with_capacity(128);
        message.encode(&mut payload);
        self.push(to, payload);
    }

    fn push(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.counters.sent += 1;
        self.transmits.push_back(Transmit { to, payload });
    }
}
