//! Ten thousand nodes that answer as Mainline nodes do, and a few of ours among them that ask.
//! The crowd has no state but what is stored there: who it knows follows from a seed, so that one lookup costs what
//! its packets cost and a whole network fits in a test.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use mainstay_dht_proto::{
    Ask, AskOptions, Config, Event, LookupReport, Node, Outcome, QueryId, Transmit,
};
use mainstay_keys::{PublicKey, Signature};
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{
    Body, Id, Message, Method, NodeInfo, NodeInfo6, Nodes, Nodes6, Query, Response,
};

use crate::swarm::{TODAY, ending, start};

/// How a member of the crowd behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Honest,
    /// In others' tables, but gone.
    Dead,
    /// Takes stores and forgets them; otherwise polite.
    Forgetful,
    /// As `Forgetful`, and names nobody but its accomplices.
    Conspirator,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) id: Id,
    pub(crate) addr: SocketAddr,
    pub(crate) nature: Nature,
}

/// The crowd, the network between it and us, and our nodes.
pub(crate) struct Crowd {
    /// By id.
    members: Vec<Member>,
    by_addr: BTreeMap<SocketAddr, usize>,
    conspirators: Vec<usize>,
    stored: BTreeMap<(SocketAddr, Id), MutableItem>,
    /// Whether it is a network of IPv6.
    is_six: bool,
    clients: Vec<(Node, Vec<Event>)>,
    /// Round trips lie evenly between these two, the same for each pair.
    pub(crate) rtt: (Duration, Duration),
    /// Of each datagram, either way.
    pub(crate) loss: f64,
    pub(crate) now: Instant,
    began: Instant,
    seed: u64,
    drawn: u64,
    queue: BinaryHeap<Reverse<(Instant, u64, Travel)>>,
    /// Datagrams that we sent, by receiver.
    pub(crate) sent: BTreeMap<SocketAddr, usize>,
}

/// A datagram under way, by the index of our node.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Travel {
    Out { client: usize, to: SocketAddr, payload: Vec<u8> },
    Back { client: usize, from: SocketAddr, payload: Vec<u8> },
}

impl Crowd {
    /// `count` honest members, 20 to 60 ms from us and back, without loss.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        Self::of(count, seed, false)
    }

    /// The same with IPv6 alone, every member in a /32 of its own.
    pub(crate) fn six(count: usize, seed: u64) -> Self {
        Self::of(count, seed, true)
    }

    fn of(count: usize, seed: u64, is_six: bool) -> Self {
        let mut crowd = Self {
            members: Vec::new(),
            by_addr: BTreeMap::new(),
            conspirators: Vec::new(),
            stored: BTreeMap::new(),
            is_six,
            clients: Vec::new(),
            rtt: (Duration::from_millis(20), Duration::from_millis(60)),
            loss: 0.0,
            now: start(),
            began: start(),
            seed,
            drawn: 0,
            queue: BinaryHeap::new(),
            sent: BTreeMap::new(),
        };
        crowd.began = crowd.now;
        let members = (0..count as u64).map(|n| {
            let addr = if is_six { six(public(n)) } else { four(Ipv4Addr::from(public(n))) };
            Member { id: random_id(seed ^ mix(n)), addr, nature: Nature::Honest }
        });
        let members = members.collect();
        crowd.enlist(members);
        crowd
    }

    /// Adds members; everybody's tables know them as if they had always been there.
    pub(crate) fn enlist(&mut self, more: Vec<Member>) {
        self.members.extend(more);
        self.members.sort_by_key(|member| member.id);
        let places = self.members.iter().enumerate();
        self.by_addr = places.clone().map(|(at, member)| (member.addr, at)).collect();
        let liars = places.filter(|(_, member)| member.nature == Nature::Conspirator);
        self.conspirators = liars.map(|(at, _)| at).collect();
    }

    /// Turns a share of the honest members into something else, at once.
    pub(crate) fn turn(&mut self, share: f64, nature: Nature) {
        for at in 0..self.members.len() {
            if self.members[at].nature == Nature::Honest && self.chance() < share {
                self.members[at].nature = nature;
            }
        }
        self.enlist(Vec::new());
    }

    /// Lets these members be gone, though others still name them.
    pub(crate) fn silence<'a>(&mut self, gone: impl Iterator<Item = &'a Member>) {
        for member in gone {
            if let Some(at) = self.by_addr.get(&member.addr) {
                self.members[*at].nature = Nature::Dead;
            }
        }
    }

    /// Starts a node of ours that knows ten honest members.
    pub(crate) fn spawn(&mut self, adjust: impl FnOnce(Config) -> Config) -> usize {
        let client = self.clients.len();
        let honest = self.members.iter().filter(|member| member.nature == Nature::Honest);
        let bootstrap = honest.step_by(self.members.len() / 20).take(10);
        let bootstrap = bootstrap.map(|member| member.addr).collect();
        let ipv4 = Ipv4Addr::new(200, 7, client as u8, 1);
        let ipv6 = Ipv6Addr::new(0x2c00, client as u16, 0, 0, 0, 0, 0, 1);
        let config = Config {
            bootstrap,
            ipv4: (!self.is_six).then_some(SocketAddrV4::new(ipv4, 6881)),
            public_ipv4: (!self.is_six).then_some(ipv4),
            ipv6: self.is_six.then_some(SocketAddrV6::new(ipv6, 6881, 0, 0)),
            public_ipv6: self.is_six.then_some(ipv6),
            read_only: true,
            ..Config::default()
        };
        let mut seed = [0x5e; 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        seed[8] = client as u8;
        let mut node = Node::new(adjust(config), seed, self.now);
        node.set_wall_clock(self.now, TODAY + (self.now - self.began));
        self.clients.push((node, Vec::new()));
        self.run_for(Duration::from_secs(5));
        client
    }

    pub(crate) fn node(&self, client: usize) -> &Node {
        &self.clients[client].0
    }

    pub(crate) fn events(&self, client: usize) -> &[Event] {
        &self.clients[client].1
    }

    fn start_with(&mut self, client: usize, ask: Ask, options: AskOptions) -> QueryId {
        self.clients[client].1.clear();
        let query = self.clients[client].0.ask_with(self.now, ask, options);
        self.drain(client);
        query
    }

    /// Asks, waits for the end, and gives what came of it and the datagrams it took.
    pub(crate) fn ask(&mut self, client: usize, ask: Ask) -> (Outcome, LookupReport, usize) {
        self.ask_with(client, ask, AskOptions::default())
    }

    pub(crate) fn ask_with(
        &mut self,
        client: usize,
        ask: Ask,
        options: AskOptions,
    ) -> (Outcome, LookupReport, usize) {
        let before = self.node(client).info().counters.sent;
        let query = self.start_with(client, ask, options);
        let limit = self.now + Duration::from_secs(60);
        loop {
            if let Some((outcome, report)) = ending(self.events(client), query) {
                let sent = self.node(client).info().counters.sent - before;
                return (outcome, report, sent as usize);
            }
            assert!(self.step(limit), "{query:?} never ended");
        }
    }

    /// Lookups of random targets, to learn from.
    pub(crate) fn warm(&mut self, client: usize, lookups: u64) {
        for n in 0..lookups {
            let target = random_id(self.seed ^ mix(0xfeed ^ (n << 8)));
            self.ask(client, Ask::FindNode { target });
        }
    }

    /// How many honest members hold this item.
    pub(crate) fn copies(&self, item: &MutableItem) -> usize {
        let holds = |member: &&Member| {
            self.stored.get(&(member.addr, item.target())).is_some_and(|held| held == item)
        };
        let honest = self.members.iter().filter(|member| member.nature == Nature::Honest);
        honest.filter(holds).count()
    }

    /// How many of the `count` members closest to it hold this item.
    pub(crate) fn copies_at(&self, item: &MutableItem, count: usize) -> usize {
        let target = item.target();
        let holds = |member: &&Member| {
            self.stored.get(&(member.addr, target)).is_some_and(|held| held == item)
        };
        self.closest(&target, count).iter().filter(holds).count()
    }

    /// The members closest to a target, whatever their nature.
    pub(crate) fn closest(&self, target: &Id, count: usize) -> Vec<Member> {
        let mut members = self.members.clone();
        members.sort_by_key(|member| distance(&member.id, target));
        members.truncate(count);
        members
    }

    /// Puts a copy where no protocol would: at the `count` closest.
    pub(crate) fn plant(&mut self, item: &MutableItem, count: usize) {
        for member in self.closest(&item.target(), count) {
            self.stored.insert((member.addr, item.target()), item.clone());
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// The next thing that happens, unless it is after `limit`.
    fn step(&mut self, limit: Instant) -> bool {
        let arrival = self.queue.peek().map(|Reverse((at, ..))| *at);
        let deadlines = self.clients.iter().enumerate();
        let due = deadlines.filter_map(|(at, (node, _))| Some((node.poll_timeout()?, at))).min();
        let next = [arrival, due.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(next) = next.filter(|at| *at <= limit) else { return false };
        self.now = self.now.max(next);
        match due {
            Some((at, client)) if arrival.is_none_or(|arrival| at < arrival) => {
                self.clients[client].0.handle_timeout(self.now);
                self.drain(client);
            }
            _ => {
                let Some(Reverse((_, _, travel))) = self.queue.pop() else { return false };
                self.arrive(travel);
            }
        }
        true
    }

    fn arrive(&mut self, travel: Travel) {
        match travel {
            Travel::Out { client, to, payload } => {
                let Some(at) = self.by_addr.get(&to).copied() else { return };
                if self.members[at].nature == Nature::Dead {
                    return;
                }
                let Ok(Message { transaction, body: Body::Query(query), .. }) =
                    Message::decode(&payload)
                else {
                    return;
                };
                let payload = self.answer(at, transaction, &query);
                self.carry(client, to, |from| Travel::Back { client, from, payload });
            }
            Travel::Back { client, from, payload } => {
                self.clients[client].0.handle_datagram(self.now, from, &payload);
                self.drain(client);
            }
        }
    }

    fn drain(&mut self, client: usize) {
        while let Some(Transmit { to, payload }) = self.clients[client].0.poll_transmit() {
            *self.sent.entry(to).or_default() += 1;
            self.carry(client, to, |to| Travel::Out { client, to, payload });
        }
        let (node, events) = &mut self.clients[client];
        events.extend(std::iter::from_fn(|| node.poll_event()));
    }

    fn carry(&mut self, client: usize, far: SocketAddr, travel: impl FnOnce(SocketAddr) -> Travel) {
        if self.chance() < self.loss {
            return;
        }
        let pair = mix(self.seed ^ number(far) ^ (client as u64) << 40);
        let spread = (self.rtt.1 - self.rtt.0).mul_f64((pair % 1000) as f64 / 1000.0);
        let at = self.now + (self.rtt.0 + spread) / 2;
        self.queue.push(Reverse((at, self.drawn, travel(far))));
    }

    fn chance(&mut self) -> f64 {
        self.drawn += 1;
        (mix(self.seed ^ self.drawn.rotate_left(32)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn answer(&mut self, at: usize, transaction: &[u8], query: &Query<'_>) -> Vec<u8> {
        let member = self.members[at];
        let mut response = Response::new(member.id);
        let token = mix(self.seed ^ number(member.addr)).to_be_bytes();
        let mut nodes = (Vec::new(), Vec::new());
        let mut held = None;
        match &query.method {
            Method::FindNode { target } | Method::SampleInfohashes { target } => {
                nodes = self.named_by(at, target);
            }
            Method::GetPeers { info_hash, .. } => {
                nodes = self.named_by(at, info_hash);
                response.token = Some(&token);
            }
            Method::Get { target, seq } => {
                nodes = self.named_by(at, target);
                response.token = Some(&token);
                let item = self.stored.get(&(member.addr, *target)).cloned();
                held = item.filter(|_| member.nature == Nature::Honest).map(|item| (item, *seq));
            }
            Method::Put(put) => self.store(&member, put, &token),
            _ => {}
        }
        response.nodes = Nodes::List(&nodes.0);
        response.nodes6 = Nodes6::List(&nodes.1);
        if let Some((item, floor)) = &held {
            response.seq = Some(item.seq());
            if floor.is_none_or(|floor| item.seq() > floor) {
                response.value = Some(item.value());
                response.key = Some(item.key().as_bytes());
                response.signature = Some(item.signature().as_bytes());
            }
        }
        let mut bytes = Vec::new();
        Message::response(transaction, response).encode(&mut bytes);
        bytes
    }

    fn store(&mut self, member: &Member, put: &mainstay_krpc::Put<'_>, token: &[u8]) {
        if put.token != token || member.nature != Nature::Honest {
            return;
        }
        let Some(item) = item_in(put) else { return };
        self.stored.insert((member.addr, item.target()), item);
    }

    /// The eight closest that a member knows: up to eight of each bucket, drawn by its seed.
    fn named_by(&self, at: usize, target: &Id) -> (Vec<NodeInfo>, Vec<NodeInfo6>) {
        let member = &self.members[at];
        let mut known: Vec<usize> = Vec::new();
        if member.nature == Nature::Conspirator {
            known.clone_from(&self.conspirators);
        } else {
            let shared = distance(&member.id, target).iter().fold((0, true), |(sum, on), byte| {
                let zeros = if on { byte.leading_zeros() } else { 0 };
                (sum + zeros, on && *byte == 0)
            });
            let shared = shared.0 as usize;
            self.bucket(at, shared, &mut known);
            let mut deeper = shared + 1;
            while known.len() < 8 && deeper < 48 {
                self.bucket(at, deeper, &mut known);
                deeper += 1;
            }
            for bucket in (0..shared).rev() {
                if known.len() >= 8 {
                    break;
                }
                self.bucket(at, bucket, &mut known);
            }
        }
        known.sort_by_key(|other| distance(&self.members[*other].id, target));
        known.truncate(8);
        let mut named = (Vec::new(), Vec::new());
        for Member { id, addr, .. } in known.into_iter().map(|other| self.members[other]) {
            match addr {
                SocketAddr::V4(addr) => named.0.push(NodeInfo { id, addr }),
                SocketAddr::V6(addr) => named.1.push(NodeInfo6 { id, addr }),
            }
        }
        named
    }

    fn bucket(&self, at: usize, bucket: usize, known: &mut Vec<usize>) {
        let own = self.members[at].id.to_bytes();
        let (mut low, mut high) = (own, own);
        for bit in bucket..160 {
            let mask = 0x80_u8 >> (bit % 8);
            let flip = bit == bucket;
            let ours = own[bit / 8] & mask != 0;
            if ours || !flip {
                low[bit / 8] &= !mask;
            } else {
                low[bit / 8] |= mask;
            }
            if flip && ours {
                high[bit / 8] &= !mask;
            } else {
                high[bit / 8] |= mask;
            }
        }
        let from = self.members.partition_point(|member| *member.id.as_bytes() < low);
        let to = self.members.partition_point(|member| *member.id.as_bytes() <= high);
        if to - from <= 8 {
            known.extend(from..to);
            return;
        }
        let first = known.len();
        let mut draw = mix(number(self.members[at].addr) << 8 ^ bucket as u64);
        while known.len() < first + 8 {
            draw = mix(draw);
            let pick = from + (draw % (to - from) as u64) as usize;
            if !known[first..].contains(&pick) {
                known.push(pick);
            }
        }
    }
}

/// The mutable item that a put carries.
fn item_in(put: &mainstay_krpc::Put<'_>) -> Option<MutableItem> {
    let parts = put.mutable?;
    let key = PublicKey::from_bytes(parts.key).ok()?;
    let signature = Signature::from_bytes(parts.signature);
    MutableItem::verify(key, parts.salt, parts.seq, put.value, signature).ok()
}

/// An id that follows from a number.
pub(crate) fn random_id(seed: u64) -> Id {
    let mut id = [0; 20];
    let mut state = mix(seed);
    for chunk in id.chunks_mut(8) {
        state = mix(state);
        chunk.copy_from_slice(&state.to_be_bytes()[..chunk.len()]);
    }
    Id::from_bytes(id)
}

/// The `n`-th address: every one in a /24 of its own, spread over most of the public space.
fn public(n: u64) -> u32 {
    // 11.0.0.0 to 99.255.255.0, in strides that visit every /24 once.
    let slots = 88_u64 << 16;
    let slot = (n * 2_654_435_761) % slots;
    (((11 << 16) + slot) as u32) << 8 | 7
}

pub(crate) fn four(ip: Ipv4Addr) -> SocketAddr {
    SocketAddrV4::new(ip, 6881).into()
}

/// An address in the /32 that follows from one of IPv4, of which the last byte is not looked at.
fn six(ip: u32) -> SocketAddr {
    let [_, a, b, c] = (ip >> 8).to_be_bytes().map(u16::from);
    let ip = Ipv6Addr::new(0x2a00 | a, b << 8 | c, 7, 7, 0, 0, 0, 1);
    SocketAddrV6::new(ip, 6881, 0, 0).into()
}

/// What stands for an address where something follows from it.
fn number(addr: SocketAddr) -> u64 {
    match addr {
        SocketAddr::V4(addr) => u64::from(addr.ip().to_bits()),
        SocketAddr::V6(addr) => (addr.ip().to_bits() >> 64) as u64,
    }
}

fn distance(id: &Id, target: &Id) -> [u8; 20] {
    let mut distance = id.to_bytes();
    for (byte, other) in distance.iter_mut().zip(target.as_bytes()) {
        *byte ^= other;
    }
    distance
}

/// Scrambles a number (the finaliser of SplitMix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
