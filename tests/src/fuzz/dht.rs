//! Fuzz target of a whole DHT node: any datagrams from any addresses at any times, between asks of its owner.
//!
//! Separate, because its promises are about what a node sends and remembers, not about what one decoder reads.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{
    Ask, AskOptions, Config, Effort, Event, LimitConfig, LookupError, Node, Outcome, QueryId,
    Snapshot, StoreConfig, Transmit,
};
use mainstay_keys::Keypair;
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{AnnouncePort, Body, Id, Message, Method, Put, Query};

/// Caps so small that an input reaches them.
const CAP: usize = 4;
/// The most bytes of any reply, and of any without a value.
const LARGEST: [usize; 2] = [1400, 1024];
/// The time of day at the start.
const TODAY: Duration = Duration::from_secs(1_800_000_000);
/// How often the node may ask to be woken without time passing.
const MOST_WAKES: usize = 16;
/// Longer than an ask may take.
const LONG: Duration = Duration::from_secs(60);
/// What a reply in an input says for the transaction id of the request it answers.
const HOLE: &[u8] = b"4:????";
/// What a query in an input says for the token that the node gave last.
const TOKEN: &[u8] = b"????????";

/// Scripts that make a node walk through its life: asked, answering, answered, waiting.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let messages = super::krpc::message_seeds();
    let from_strangers = messages.iter().flat_map(|message| record(0, 7, message)).collect();
    let mut alone: Vec<_> = messages.iter().map(|message| record(0, 9, message)).collect();
    let answers: Vec<_> = messages.iter().map(|message| answer(message)).collect();
    let mut conversation = Vec::new();
    for (number, message) in (0_u8..).zip(&answers) {
        conversation.extend(record(3, number, &[]));
        for nth in [0, 1, 0] {
            conversation.extend(record(1, nth, message));
        }
        conversation.extend(record(2, 4 + number % 12, &[]));
        conversation.extend(record(5, number, &[]));
    }
    conversation.extend(record(6, 0, &[]));
    conversation.extend(record(2, 14, &[]));
    alone.extend(answers.iter().map(|message| {
        let ask = record(3, 1, &[]);
        [ask, record(1, 0, message), record(2, 14, &[]), record(4, 0, &[])].concat()
    }));
    alone.push(from_strangers);
    alone.push(visits());
    alone.push(conversation);
    alone
}

/// A stranger fetches tokens and stores with them: an item of each kind, a newer one, and itself as a peer.
fn visits() -> Vec<u8> {
    let write = |method: Method<'_>| {
        let (mut bytes, id) = (Vec::new(), Id::from_bytes([9; 20]));
        Message::query(b"aa", Query::new(id, method)).encode(&mut bytes);
        record(0, 3, &bytes)
    };
    let mut script = Vec::new();
    for seq in [1, 2] {
        let item = signed(seq);
        script.extend(write(Method::Get { target: item.target(), seq: None }));
        script.extend(write(Method::Put(Put::mutable(TOKEN, &item, None))));
    }
    let item = ImmutableItem::from_bytes(b"x").expect("a small value");
    script.extend(write(Method::Get { target: item.target(), seq: None }));
    script.extend(write(Method::Put(Put::immutable(TOKEN, &item))));
    let info_hash = item.target();
    let (port, seed) = (AnnouncePort::Explicit(80), false);
    script.extend(write(Method::GetPeers { info_hash, no_seed: false, scrape: false }));
    script.extend(write(Method::AnnouncePeer { info_hash, port, token: TOKEN, seed, name: None }));
    script.extend(write(Method::GetPeers { info_hash, no_seed: false, scrape: true }));
    script
}

/// A snapshot as a file keeps it: what is finer than a millisecond of its time, a microsecond of a round trip and a
/// second of an age is left out.
fn as_kept(mut snapshot: Snapshot) -> Snapshot {
    let below =
        |time: Duration, unit: u32| Duration::from_nanos(u64::from(time.subsec_nanos() % unit));
    snapshot.taken = snapshot.taken.map(|taken| taken - below(taken, 1_000_000));
    for saved in &mut snapshot.nodes {
        saved.rtt -= below(saved.rtt, 1_000);
        saved.age -= below(saved.age, 1_000_000_000);
    }
    snapshot
}

fn signed(seq: i64) -> MutableItem {
    let keypair = Keypair::from_secret_key(&[1; 32]);
    MutableItem::sign_bytes(&keypair, b"", seq, b"x").expect("a small item")
}

fn record(action: u8, number: u8, bytes: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
    [&[action, number, high, low], bytes].concat()
}

/// The message with a hole where its transaction id was.
fn answer(message: &[u8]) -> Vec<u8> {
    let tid = b"2:aa1:";
    let at = message.windows(tid.len()).rposition(|bytes| bytes == tid);
    let Some((before, after)) = at.and_then(|at| message.split_at_checked(at)) else {
        return message.to_vec();
    };
    [before, HOLE, after.get(4..).unwrap_or_default()].concat()
}

/// Whatever is sent to a node, it answers queries only, once, in bounded bytes, remembers no more than it was
/// told to, sleeps in between, and ends each ask of its owner once.
pub(super) fn node(script: &[u8]) {
    let mut bench = Bench::new();
    bench.play(script);
    bench.wait(LONG);
    assert!(bench.open.is_empty(), "asks without an end: {:?}", bench.open);
    if bench.stored() > 0 {
        bench.wait(LONG * 60 * 3);
        bench.check();
        assert_eq!(bench.stored(), 0, "what has expired is kept");
    }
}

struct Bench {
    node: Node,
    now: Instant,
    /// Requests of the node that nobody has answered.
    asked: Vec<Transmit>,
    open: BTreeSet<QueryId>,
    token: Vec<u8>,
    transmitted: u64,
    replies: u64,
    reply_bytes: u64,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self::unstarted(Instant::now());
        bench.wait(Duration::ZERO);
        bench
    }

    fn unstarted(now: Instant) -> Self {
        let store = StoreConfig {
            immutable_items: CAP,
            mutable_items: CAP,
            info_hashes: CAP,
            peers: CAP,
            ..StoreConfig::default()
        };
        let limits = LimitConfig { remembered: CAP, ..LimitConfig::default() };
        let config = Config {
            ipv6: Some("[2001:db8::1]:6881".parse().expect("an address")),
            bootstrap: vec![sender(0), sender(1)],
            max_asks: CAP,
            max_visits: 50,
            remember_published: CAP,
            store,
            limits,
            ..Config::default()
        };
        let mut node = Node::new(config, [7; 32], now);
        node.set_wall_clock(now, TODAY);
        let (asked, open, token) = (Vec::new(), BTreeSet::new(), Vec::new());
        let (transmitted, replies, reply_bytes) = (0, 0, 0);
        Self { node, now, asked, open, token, transmitted, replies, reply_bytes }
    }

    fn play(&mut self, mut script: &[u8]) {
        while let [action, number, high, low, rest @ ..] = script {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
            let (bytes, next) = rest.split_at(length);
            script = next;
            self.act(*action, *number, bytes);
            self.check();
        }
    }

    fn act(&mut self, action: u8, number: u8, bytes: &[u8]) {
        match action % 8 {
            0 => {
                let filled = replace(bytes, TOKEN, &self.token);
                self.receive(sender(number), &filled);
            }
            1 => {
                // From whom it was asked, under the id it was asked with.
                let at = usize::from(number).checked_rem(self.asked.len()).unwrap_or(0);
                let Some(request) = self.asked.get(at).cloned() else { return };
                let message = Message::decode(&request.payload).expect("our own bytes");
                let tid = [b"4:", message.transaction].concat();
                let filled = replace(bytes, HOLE, &tid);
                self.receive(request.to, &filled);
                // Once more, and from elsewhere: neither may count.
                let unexpected = self.node.info().counters.unexpected;
                self.receive(request.to, &filled);
                self.receive(sender(number ^ 0x40), &filled);
                assert!(self.node.info().counters.unexpected >= unexpected);
            }
            2 => self.wait(Duration::from_millis(1 << (number % 26))),
            3 => self.ask(number),
            4 => {
                let to = self.asked.first().map_or(sender(number), |request| request.to);
                if number.is_multiple_of(2) {
                    self.node.handle_unreachable(self.now, to);
                } else {
                    self.node.handle_no_route(self.now, to);
                }
                self.drain();
            }
            5 => self.set_clock_or_limits(number),
            6 => self.start_again(),
            _ => {
                let query = self.open.iter().nth(usize::from(number)).copied();
                if let Some(query) = query {
                    self.open.remove(&query);
                    self.node.cancel(self.now, query);
                    self.drain();
                }
            }
        }
    }

    /// The owner changes its mind, or somebody sets the host's clock: by seconds or by years, either way.
    fn set_clock_or_limits(&mut self, number: u8) {
        let (ahead, by) = (number % 4 < 2, Duration::from_secs(1 << (number / 4 % 30)));
        if number.is_multiple_of(2) {
            let unix = if ahead { TODAY.saturating_add(by) } else { TODAY.saturating_sub(by) };
            self.node.set_wall_clock(self.now, unix);
        } else {
            let bytes = if ahead { 0 } else { 10_000 };
            let limits =
                LimitConfig { bytes_per_address: bytes, remembered: CAP, ..LimitConfig::default() };
            self.node.set_limits(limits).expect("they make sense");
        }
        self.drain();
    }

    /// Another run begins with what this one leaves, as it would be read from a file.
    fn start_again(&mut self) {
        let snapshot = self.node.snapshot(self.now, 2 * CAP);
        let read = Snapshot::decode(&snapshot.encode()).expect("our own bytes");
        assert_eq!(read, as_kept(snapshot));
        let mut next = Self::unstarted(self.now);
        next.node.restore(next.now, &read);
        next.wait(Duration::ZERO);
        *self = next;
    }

    fn ask(&mut self, number: u8) {
        let target = Id::from_bytes(*b"mnopqrstuvwxyz123456");
        let item = signed(5);
        let ask = match number % 11 {
            0 => Ask::GetMutable { key: *item.key(), salt: Vec::new(), newer_than: None },
            1 => Ask::PutMutable { item, cas: Some(i64::MIN) },
            2 => Ask::GetImmutable { target },
            3 => {
                Ask::PutImmutable { item: ImmutableItem::from_bytes(b"x").expect("a small value") }
            }
            4 => Ask::GetPeers { info_hash: target, no_seeds: number > 99 },
            5 => Ask::AnnouncePeer { info_hash: target, port: None, seed: false },
            6 => Ask::FindNode { target },
            7 => Ask::Ping { addr: sender(number) },
            8 => Ask::Scrape { info_hash: target },
            9 => Ask::SampleNode { addr: sender(number), target },
            _ => Ask::SampleInfohashes { target },
        };
        let options = AskOptions {
            paths: number / 11 % 5,
            effort: [None, Some(Effort::Quick), Some(Effort::Thorough)][usize::from(number % 3)],
            deadline: number.is_multiple_of(7).then(|| Duration::from_millis(u64::from(number))),
            traced: true,
        };
        let query = self.node.ask_with(self.now, ask, options);
        self.open.insert(query);
        self.drain();
    }

    fn receive(&mut self, from: SocketAddr, bytes: &[u8]) {
        let before = self.replies;
        let received = self.node.info().counters.received;
        self.node.handle_datagram(self.now, from, bytes);
        self.drain();
        assert_eq!(self.node.info().counters.received, received + 1);
        let is_query = match Message::decode(bytes) {
            Ok(message) => matches!(message.body, Body::Query(_)),
            Err(error) => error.reply().is_some(),
        };
        assert!(self.replies - before <= u64::from(is_query), "a reply to what is no query");
    }

    /// Lets time pass, waking the node when it wants to be woken.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut wakes = 0;
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            wakes = if due > self.now { 0 } else { wakes + 1 };
            assert!(wakes <= MOST_WAKES, "the node never sleeps");
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            self.transmitted += 1;
            self.look_at(&transmit);
        }
        while let Some(event) = self.node.poll_event() {
            let Some(query) = event.query() else { continue };
            assert!(self.open.contains(&query), "an event of an ask that has ended");
            if let Event::Done { outcome, .. } = event {
                self.open.remove(&query);
                let busy = Some(LookupError::Busy);
                assert!(self.open.len() <= CAP || error_of(&outcome) == busy, "too many asks run");
            }
        }
    }

    /// What we send is a message that others accept, to an address where somebody could be.
    fn look_at(&mut self, transmit: &Transmit) {
        let (to, length) = (transmit.to, transmit.payload.len());
        assert!(to.port() != 0 && !to.ip().is_multicast() && !to.ip().is_unspecified());
        let message = Message::decode(&transmit.payload).expect("our own bytes");
        // An error leaves it out where it would be much longer than what it answers.
        let may_be_short = matches!(message.body, Body::Error(_)) && message.ip.is_none();
        match message.body {
            Body::Query(_) => {
                assert!(length <= LARGEST[0]);
                self.asked.push(transmit.clone());
                return;
            }
            Body::Response(response) => {
                assert!(length <= LARGEST[usize::from(response.value.is_none())]);
                assert!(response.nodes.iter().count() <= 8);
                assert!(response.nodes6.iter().count() <= 8);
                if let Some(token) = response.token {
                    assert!(token.len() <= 20);
                    self.token = token.to_vec();
                }
            }
            Body::Error(_) => assert!(length <= 200),
        }
        assert!(may_be_short || message.ip == Some(to), "a reply says whom it answers");
        self.replies += 1;
        self.reply_bytes += u64::try_from(length).unwrap_or(u64::MAX);
    }

    fn stored(&self) -> usize {
        let info = self.node.info();
        info.items + info.info_hashes
    }

    fn check(&self) {
        let info = self.node.info();
        assert_eq!(info.counters.sent, self.transmitted);
        let counted = info.counters.queries + info.counters.answers + info.counters.errors;
        assert_eq!(info.counters.received, counted + info.counters.dropped(), "a datagram is lost");
        assert_eq!(info.counters.queries, info.counters.asked_of_us.total());
        assert_eq!(info.counters.served, self.replies);
        assert_eq!(info.counters.served_bytes, self.reply_bytes);
        assert!(info.asks <= CAP && info.items <= 2 * CAP && info.info_hashes <= CAP);
        assert_eq!(info.asks, self.open.len());
        assert_eq!(info.ipv4.map(|family| family.nodes > 1000), Some(false));
    }
}

fn error_of(outcome: &Outcome) -> Option<LookupError> {
    match outcome {
        Outcome::Mutable(Err(error)) | Outcome::Nodes(Err(error)) => Some(*error),
        Outcome::Immutable(Err(error)) | Outcome::Peers(Err(error)) => Some(*error),
        Outcome::Samples(Err(error)) | Outcome::Scrape(Err(error)) => Some(*error),
        Outcome::Put(Err(mainstay_dht_proto::PutError::Lookup(error))) => Some(*error),
        _ => None,
    }
}

/// A stranger's address: most are ordinary, some cannot be, some are near, some are of IPv6.
fn sender(number: u8) -> SocketAddr {
    let port = 1024 + u16::from(number);
    match number >> 4 {
        15 => SocketAddr::from(([127, 0, 0, number], port)),
        14 => SocketAddr::from(([192, 168, 0, number], port)),
        13 => SocketAddr::from(([224, 0, 0, number], port)),
        12 => SocketAddr::from(([60, number, 1, 1], 0)),
        11 => SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 1, u16::from(number)], port)),
        8..=10 => SocketAddr::from(([0x2400, u16::from(number), 0, 0, 0, 0, 0, 1], port)),
        _ => SocketAddr::from(([60, number, 1, 1], port)),
    }
}

fn replace(bytes: &[u8], hole: &[u8], with: &[u8]) -> Vec<u8> {
    let at = bytes.windows(hole.len()).position(|window| window == hole);
    match at.and_then(|at| bytes.split_at_checked(at)) {
        Some((before, after)) => {
            [before, with, after.get(hole.len()..).unwrap_or_default()].concat()
        }
        None => bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_reach_the_store_and_the_table() {
        let mut bench = Bench::new();
        bench.play(&visits());
        let info = bench.node.info();
        assert_eq!((info.items, info.info_hashes), (2, 1));
        let mut known = 0;
        for seed in seeds() {
            let mut bench = Bench::new();
            bench.play(&seed);
            known = known.max(bench.node.contacts().len());
        }
        assert!(known > 0);
    }
}
