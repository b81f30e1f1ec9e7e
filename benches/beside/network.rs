//! A network of simulated nodes that answer KRPC over real UDP on loopback, each at an address of its own.
//!
//! Separate from the rows, because every contender runs on the same one. The nodes are a sorted list of ids; a node's
//! routing table is drawn when it is first asked. Two threads serve all of them.

use std::collections::{BinaryHeap, HashMap};
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mainstay_krpc::item::{MutableItem, mutable_target};
use mainstay_krpc::{Body, Id, Message, Method, MutablePut, NodeInfo, Nodes, Query, Response};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// How many nodes an answer names, and how many a bucket of a simulated table holds (BEP 5).
const K: usize = 8;
/// Beyond this depth a bucket of the largest network is empty.
const DEPTHS: u32 = 40;
/// What every simulated node gives away and takes back.
const TOKEN: &[u8] = b"tokn";

/// What the network is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// How many nodes there are: 60,000 at most, one in each /24 of the loopback range.
    pub(crate) nodes: usize,
    /// The mean time from a query's arrival to its answer's departure.
    pub(crate) round_trip: Duration,
    /// The share of nodes that are named by others and never answer.
    pub(crate) dead: f64,
    /// The share of datagrams, each way, that are lost.
    pub(crate) loss: f64,
}

/// A running network; it ends with the process.
#[derive(Debug)]
pub(crate) struct Network {
    /// Nodes to join through.
    pub(crate) bootstrap: Vec<String>,
    received: Arc<AtomicU64>,
}

impl Network {
    /// Starts the network, which holds `items` at the eight nodes closest to each.
    pub(crate) fn start(weather: Weather, items: &[MutableItem]) -> Self {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
            .expect("Linux tells where a datagram went");
        // As much as the machine allows: the limit is the operator's.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &(8 << 20));
        let mut world = World::new(weather, port);
        for item in items {
            for node in world.closest(item.target()) {
                world.store.insert((node, item.target()), Stored::of(item));
            }
        }
        let bootstrap = (0..weather.nodes as u32)
            .filter(|&node| !world.is_dead(node))
            .step_by(1 + weather.nodes / 16)
            .take(8)
            .map(|node| world.address(node).to_string())
            .collect();
        let received = Arc::new(AtomicU64::new(0));
        let later = Arc::new((Mutex::new(BinaryHeap::new()), Condvar::new()));
        let (counter, queue) = (received.clone(), later.clone());
        let sending = socket.try_clone().expect("a second descriptor");
        std::thread::spawn(move || send_when_due(&sending, &queue));
        std::thread::spawn(move || answer_all(&socket, &mut world, &counter, &later));
        Self { bootstrap, received }
    }

    /// How many datagrams have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// An answer on its way, soonest first.
struct Due {
    when: Instant,
    from: Ipv4Addr,
    to: SocketAddrV4,
    bytes: Vec<u8>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.when.cmp(&self.when)
    }
}

type Queue = (Mutex<BinaryHeap<Due>>, Condvar);

fn answer_all(
    socket: &std::net::UdpSocket,
    world: &mut World,
    received: &AtomicU64,
    later: &Queue,
) {
    let mut buffer = [0; 2048];
    let mut control = nix::cmsg_space!(nix::libc::in_pktinfo);
    loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message = recvmsg::<SockaddrIn>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        );
        let Ok(message) = message else { continue };
        let to = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
                }
                _ => None,
            })
        });
        let (Some(to), Some(from), length) = (to, message.address, message.bytes) else { continue };
        let from = SocketAddrV4::new(from.ip(), from.port());
        received.fetch_add(1, Ordering::Relaxed);
        let Some((wait, bytes)) = world.answer(to, from, buffer.get(..length).unwrap_or_default())
        else {
            continue;
        };
        if wait.is_zero() {
            send(socket.as_raw_fd(), to, from, &bytes);
            continue;
        }
        let due = Due { when: Instant::now() + wait, from: to, to: from, bytes };
        let mut queue = later.0.lock().expect("nobody panics with the queue");
        let sooner = queue.peek().is_none_or(|first| due.when < first.when);
        queue.push(due);
        drop(queue);
        if sooner {
            later.1.notify_one();
        }
    }
}

fn send_when_due(socket: &std::net::UdpSocket, later: &Queue) {
    let mut queue = later.0.lock().expect("nobody panics with the queue");
    loop {
        let now = Instant::now();
        let wait = match queue.peek() {
            Some(due) if due.when <= now => {
                let due = queue.pop().expect("it was just there");
                drop(queue);
                send(socket.as_raw_fd(), due.from, due.to, &due.bytes);
                queue = later.0.lock().expect("nobody panics with the queue");
                continue;
            }
            Some(due) => due.when - now,
            None => Duration::from_secs(1),
        };
        queue = later.1.wait_timeout(queue, wait).expect("nobody panics with the queue").0;
    }
}

fn send(socket: RawFd, from: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) {
    let from = nix::libc::in_addr { s_addr: u32::from(from).to_be() };
    let info = nix::libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: from };
    let control = [ControlMessage::Ipv4PacketInfo(&info)];
    let to = SockaddrIn::from(to);
    // A full buffer loses the datagram, as a network would.
    let _ = sendmsg(socket, &[IoSlice::new(bytes)], &control, MsgFlags::MSG_DONTWAIT, Some(&to));
}

/// An item as a node keeps it that checks nothing.
struct Stored {
    key: [u8; 32],
    signature: [u8; 64],
    seq: i64,
    value: Box<[u8]>,
}

impl Stored {
    fn of(item: &MutableItem) -> Self {
        let (key, signature) = (item.key().to_bytes(), item.signature().to_bytes());
        Self { key, signature, seq: item.seq(), value: item.value().into() }
    }

    fn put(value: &[u8], put: &MutablePut<'_>) -> Self {
        Self { key: *put.key, signature: *put.signature, seq: put.seq, value: value.into() }
    }
}

/// All nodes: sorted ids, tables as far as they were asked for, and what they store.
struct World {
    weather: Weather,
    port: u16,
    ids: Vec<[u8; 20]>,
    tables: HashMap<u32, Box<[u32]>>,
    store: HashMap<(u32, Id), Stored>,
    chance: SmallRng,
}

impl World {
    fn new(weather: Weather, port: u16) -> Self {
        assert!(weather.nodes <= 60_000, "one node in each /24 of 127.16.0.0 and above");
        let mut chance = SmallRng::seed_from_u64(44);
        let mut ids: Vec<[u8; 20]> = (0..weather.nodes).map(|_| chance.random()).collect();
        ids.sort_unstable();
        Self { weather, port, ids, tables: HashMap::new(), store: HashMap::new(), chance }
    }

    /// Neighbours in the id space live far apart: the rank is scattered by a step that is prime.
    fn address(&self, node: u32) -> SocketAddrV4 {
        let place = (u64::from(node) * 7_919 % self.ids.len() as u64) as u32;
        let ip = Ipv4Addr::new(127, 16 + (place / 250) as u8, 1 + (place % 250) as u8, 7);
        SocketAddrV4::new(ip, self.port)
    }

    fn node_at(&self, ip: Ipv4Addr) -> Option<u32> {
        let [_, high, low, _] = ip.octets();
        let place = u64::from(high.checked_sub(16)?) * 250 + u64::from(low.checked_sub(1)?);
        let count = self.ids.len() as u64;
        // The inverse of the step by brute force once would do; the extended Euclid is shorter to run than to write.
        let inverse = inverse(7_919 % count, count);
        (place < count).then(|| (place * inverse % count) as u32)
    }

    fn is_dead(&self, node: u32) -> bool {
        draw(u64::from(node), 1) < self.weather.dead
    }

    /// Log-normal, with the mean that was asked for: the same for all queries to one node.
    fn round_trip(&self, node: u32) -> Duration {
        const SIGMA: f64 = 0.5;
        let (u, v) = (draw(u64::from(node), 2).max(1e-9), draw(u64::from(node), 3));
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        self.weather.round_trip.mul_f64((SIGMA * normal - SIGMA * SIGMA / 2.0).exp())
    }

    fn answer(
        &mut self,
        to: Ipv4Addr,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<(Duration, Vec<u8>)> {
        let node = self.node_at(to)?;
        let heard = |chance: &mut SmallRng, loss: f64| !chance.random_bool(loss);
        let loss = self.weather.loss;
        if self.is_dead(node) || !heard(&mut self.chance, loss) || !heard(&mut self.chance, loss) {
            return None;
        }
        let message = Message::decode(bytes).ok()?;
        let Body::Query(query) = &message.body else { return None };
        let id = Id::from_bytes(*self.ids.get(node as usize)?);
        let mut reply = Vec::with_capacity(400);
        let target = target(query);
        let named = target.map(|target| self.named(node, target));
        let item = match query.method {
            Method::Get { target, .. } => self.store.get(&(node, target)),
            _ => None,
        };
        let token =
            matches!(query.method, Method::Get { .. } | Method::GetPeers { .. }).then_some(TOKEN);
        let response = Response {
            // An acknowledgement names nobody: mainline takes one with nodes for an answer to something else.
            nodes: named.as_deref().map(Nodes::List).unwrap_or_default(),
            token,
            value: item.map(|item| &*item.value),
            key: item.map(|item| &item.key),
            signature: item.map(|item| &item.signature),
            seq: item.map(|item| item.seq),
            ..Response::new(id)
        };
        let mut answer = Message::response(message.transaction, response);
        answer.ip = Some(from.into());
        answer.encode(&mut reply);
        if let Method::Put(put) = &query.method
            && let Some(mutable) = &put.mutable
        {
            // The network has one core for all its nodes: signatures are checked by who reads.
            let target = mutable_target(mutable.key, mutable.salt);
            self.store.insert((node, target), Stored::put(put.value, mutable));
        }
        Some((self.round_trip(node), reply))
    }

    /// The nodes of this node's table that are closest to the target, closest first.
    fn named(&mut self, node: u32, target: Id) -> Vec<NodeInfo> {
        if !self.tables.contains_key(&node) {
            let table = self.table(node);
            self.tables.insert(node, table);
        }
        let table = self.tables.get(&node).map(|table| &**table).unwrap_or_default();
        let mut known: Vec<([u8; 20], u32)> = table
            .iter()
            .map(|&other| (distance(&self.ids[other as usize], &target), other))
            .collect();
        known.sort_unstable();
        let info = |&(_, other): &([u8; 20], u32)| NodeInfo {
            id: Id::from_bytes(self.ids[other as usize]),
            addr: self.address(other),
        };
        known.iter().take(K).map(info).collect()
    }

    /// Eight nodes of every distance, drawn by the node's own seed; all of a bucket that has no more.
    fn table(&self, node: u32) -> Box<[u32]> {
        let own = self.ids[node as usize];
        let mut chance = SmallRng::seed_from_u64(u64::from(node) ^ 0x7ab1e);
        let mut table = Vec::new();
        for depth in 0..DEPTHS {
            let (low, high) = bucket(&own, depth);
            let first = self.ids.partition_point(|id| *id < low) as u32;
            let end = self.ids.partition_point(|id| *id <= high) as u32;
            if end - first <= K as u32 {
                table.extend(first..end);
            } else {
                let mut drawn = Vec::new();
                while drawn.len() < K {
                    let one = chance.random_range(first..end);
                    if !drawn.contains(&one) {
                        drawn.push(one);
                    }
                }
                table.append(&mut drawn);
            }
        }
        table.shuffle(&mut chance);
        table.into()
    }

    /// The nodes closest to the target in the whole network that are alive.
    fn closest(&self, target: Id) -> Vec<u32> {
        let mut all: Vec<u32> =
            (0..self.ids.len() as u32).filter(|&node| !self.is_dead(node)).collect();
        all.sort_by_cached_key(|&node| distance(&self.ids[node as usize], &target));
        all.truncate(K);
        all
    }
}

fn target(query: &Query<'_>) -> Option<Id> {
    match query.method {
        Method::FindNode { target } | Method::Get { target, .. } => Some(target),
        Method::GetPeers { info_hash, .. } => Some(info_hash),
        _ => None,
    }
}

/// The lowest and the highest id that share `depth` bits with `own` and differ in the next.
fn bucket(own: &[u8; 20], depth: u32) -> ([u8; 20], [u8; 20]) {
    let (mut low, mut high) = (*own, *own);
    let byte = (depth / 8) as usize;
    let bit = 0x80_u8 >> (depth % 8);
    low[byte] = (own[byte] ^ bit) & !(bit - 1);
    high[byte] = (own[byte] ^ bit) | (bit - 1);
    low[byte + 1..].fill(0);
    high[byte + 1..].fill(0xff);
    (low, high)
}

fn distance(id: &[u8; 20], target: &Id) -> [u8; 20] {
    let mut distance = *id;
    for (mine, theirs) in distance.iter_mut().zip(target.as_bytes()) {
        *mine ^= theirs;
    }
    distance
}

/// A number of the interval from 0 to 1 that is always the same for the same node and purpose (SplitMix64).
fn draw(node: u64, purpose: u64) -> f64 {
    let mut mixed = (node << 8 | purpose).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn inverse(step: u64, count: u64) -> u64 {
    let (mut old, mut new) = ((count as i64, 0_i64), (step as i64, 1_i64));
    while new.0 != 0 {
        let whole = old.0 / new.0;
        (old, new) = (new, (old.0 - whole * new.0, old.1 - whole * new.1));
    }
    assert_eq!(old.0, 1, "the count of nodes must not be a multiple of the step");
    old.1.rem_euclid(count as i64) as u64
}
