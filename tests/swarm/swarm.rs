//! Many nodes on one virtual network, and what the tests ask of them.
//! Time is driven by hand, so that a test of two hours takes what its packets take.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, Config, Event, LookupReport, Node, Outcome, QueryId};
use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_sim::{Datagram, Host, Latency, Link, Machine, Network};

/// The time of day at the start of every test: 2026-11-21, in seconds since 1970.
pub(crate) const TODAY: Duration = Duration::from_secs(1_795_219_200);

/// A node and everything it has told its owner.
pub(crate) struct Peer {
    pub(crate) node: Node,
    pub(crate) events: Vec<Event>,
}

impl Peer {
    fn drain(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.events.push(event);
        }
    }
}

impl Machine for Peer {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.node.handle_datagram(now, from, bytes);
        self.drain();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
        self.drain();
    }

    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        self.node.handle_unreachable(now, to);
        self.drain();
    }

    fn poll_transmit(&mut self) -> Option<Datagram> {
        let transmit = self.node.poll_transmit()?;
        Some(Datagram { to: transmit.to, payload: transmit.payload })
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.node.poll_timeout()
    }
}

/// A network of nodes that have joined through the first.
pub(crate) struct Swarm {
    pub(crate) net: Network<Peer>,
    pub(crate) nodes: Vec<mainstay_sim::Node>,
    seed: u64,
}

impl Swarm {
    /// A network without nodes: 40 ms from anyone to anyone, and back.
    pub(crate) fn empty(seed: u64) -> Self {
        let mut net = Network::new(seed, start());
        let latency = Latency::Fixed(Duration::from_millis(20));
        net.set_link(Link { latency, ..Link::default() });
        Self { net, nodes: Vec::new(), seed }
    }

    /// `count` nodes, each knowing the first and its own address, a minute after the last was started.
    pub(crate) fn joined(count: usize, seed: u64) -> Self {
        Self::grown(count, seed, settled)
    }

    /// As [`joined`](Self::joined), with other configurations.
    pub(crate) fn grown(count: usize, seed: u64, adjust: impl Fn(Config) -> Config) -> Self {
        let mut swarm = Self::empty(seed);
        for _ in 0..count {
            swarm.spawn(&adjust);
            swarm.net.run_for(Duration::from_millis(50));
        }
        swarm.net.run_for(Duration::from_secs(60));
        swarm
    }

    /// Starts a node that knows the first; gives its place in [`nodes`](Self::nodes).
    pub(crate) fn spawn(&mut self, adjust: impl FnOnce(Config) -> Config) -> usize {
        let index = self.nodes.len();
        let bootstrap = if index == 0 { vec![] } else { vec![address(0)] };
        let config = Config { bootstrap, ipv4: Some(v4(index)), ..Config::default() };
        self.spawn_with(adjust(config))
    }

    /// Starts a node with exactly this configuration.
    pub(crate) fn spawn_with(&mut self, config: Config) -> usize {
        let index = self.nodes.len();
        let peer = self.peer(config, index);
        self.nodes.push(self.net.add(Host::open(address(index)), peer));
        index
    }

    /// A node that is not on the network yet.
    pub(crate) fn peer(&self, config: Config, index: usize) -> Peer {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_be_bytes());
        seed[8..16].copy_from_slice(&(index as u64).to_be_bytes());
        let mut node = Node::new(config, seed, self.net.now());
        node.set_wall_clock(self.net.now(), TODAY + self.net.elapsed());
        Peer { node, events: Vec::new() }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.net.machine(self.nodes[index]).node
    }

    pub(crate) fn events(&self, index: usize) -> &[Event] {
        &self.net.machine(self.nodes[index]).events
    }

    /// Starts an ask and does not wait.
    pub(crate) fn start(&mut self, index: usize, ask: Ask) -> QueryId {
        self.net.with(self.nodes[index], |peer, now| {
            let query = peer.node.ask(now, ask);
            peer.drain();
            query
        })
    }

    /// Runs until the ask has ended.
    pub(crate) fn finish(&mut self, index: usize, query: QueryId) -> (Outcome, LookupReport) {
        let node = self.nodes[index];
        let over = self.net.run_while_not(Duration::from_secs(60), |net| {
            ending(&net.machine(node).events, query).is_some()
        });
        assert!(over, "{query:?} of node {index} never ended");
        ending(self.events(index), query).expect("it ended")
    }

    /// Asks and waits for the end.
    pub(crate) fn ask(&mut self, index: usize, ask: Ask) -> (Outcome, LookupReport) {
        let query = self.start(index, ask);
        self.finish(index, query)
    }

    pub(crate) fn put(&mut self, index: usize, item: &MutableItem) -> Outcome {
        self.ask(index, Ask::PutMutable { item: item.clone(), cas: None }).0
    }

    pub(crate) fn get(&mut self, index: usize, item: &MutableItem) -> Option<MutableItem> {
        match self.ask(index, get_of(item)).0 {
            Outcome::Mutable(Ok(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    /// Takes nodes down, as if their plugs were pulled.
    pub(crate) fn kill(&mut self, indices: impl IntoIterator<Item = usize>) {
        for index in indices {
            self.net.set_up(self.nodes[index], false);
        }
    }
}

/// The end of an ask among its node's events; panics if there are two.
pub(crate) fn ending(events: &[Event], query: QueryId) -> Option<(Outcome, LookupReport)> {
    let mut ends = events.iter().filter_map(|event| match event {
        Event::Done { query: other, outcome, report } if *other == query => {
            Some((outcome.clone(), report.clone()))
        }
        _ => None,
    });
    let end = ends.next();
    assert!(ends.next().is_none(), "{query:?} ended twice");
    end
}

/// A node that knows its public address and therefore keeps its id.
pub(crate) fn settled(config: Config) -> Config {
    let public_ipv4 = config.ipv4.map(|addr| *addr.ip());
    Config { public_ipv4, ..config }
}

/// A fresh item: `number` decides the key, `seq` the value too.
pub(crate) fn item(number: u8, seq: i64) -> MutableItem {
    let value = format!("value {seq} of {number}");
    MutableItem::sign_bytes(&keypair(number), b"", seq, value.as_bytes()).expect("a small value")
}

pub(crate) fn keypair(number: u8) -> Keypair {
    Keypair::from_secret_key(&[number; 32])
}

/// Asks for the item that `item` is a version of.
pub(crate) fn get_of(item: &MutableItem) -> Ask {
    Ask::GetMutable { key: *item.key(), salt: item.salt().to_vec(), newer_than: None }
}

pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::V4(v4(index))
}

/// Each node has a /16 of its own, so that it is a voter and a place in a bucket of its own.
pub(crate) fn v4(index: usize) -> SocketAddrV4 {
    let [high, low] = u16::try_from(index).expect("a small swarm").to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(40 + high, low, 7, 7), 6881)
}

pub(crate) fn start() -> Instant {
    Instant::now()
}
