//! Real nodes on a virtual network, with the whole internet behind it or none.
//!
//! Separate from the internet, which has no clock: here is the loop that drives both.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, AskOptions, Config, Event, LookupReport, Node, Outcome, QueryId};
use mainstay_sim::{Datagram, Dice, Host, Latency, Link, Machine, Network};

use super::{Internet, Terrain};

/// The time of day at the start of every run: 2026-11-21, since 1970.
const TODAY: Duration = Duration::from_secs(1_795_219_200);

/// A node and all it has told its owner, with the time.
pub struct Guest {
    /// The node.
    pub node: Node,
    /// What it said.
    pub events: Vec<(Instant, Event)>,
}

/// A virtual network with real nodes on it.
pub struct World {
    /// The network.
    pub net: Network<Guest>,
    /// Its nodes, in the order they came.
    pub guests: Vec<mainstay_sim::Node>,
    /// What stands behind it, if anything does.
    pub internet: Option<Rc<RefCell<Internet>>>,
    seed: u64,
}

impl World {
    /// An empty network. Every round trip is log-normal with a median of 120 ms, as measured between hosts of the
    /// internet; this share of packets is lost each way.
    #[must_use]
    pub fn empty(seed: u64, loss: f64) -> Self {
        let mut net = Network::new(seed, Instant::now());
        let [median, least] = [60, 3].map(Duration::from_millis);
        let latency = Latency::LogNormal { median, sigma: 0.6, least };
        net.set_link(Link { latency, jitter: Duration::from_millis(4), loss, ..Link::default() });
        Self { net, guests: Vec::new(), internet: None, seed }
    }

    /// A network with an internet behind it.
    #[must_use]
    pub fn before(terrain: Terrain, loss: f64) -> Self {
        let mut world = Self::empty(terrain.seed, loss);
        let internet = Rc::new(RefCell::new(Internet::new(terrain)));
        world.net.set_backdrop(Rc::clone(&internet));
        world.internet = Some(internet);
        world
    }

    /// A node that knows a few addresses of the internet, and has had this long to join.
    pub fn join(&mut self, settling: Duration, adjust: impl FnOnce(Config) -> Config) -> usize {
        let bootstrap = self.some_addresses(8);
        let guest = self.spawn(|config| adjust(Config { bootstrap, ..config }));
        self.net.run_for(settling);
        guest
    }

    /// A node of this configuration, at an address of its own.
    pub fn spawn(&mut self, adjust: impl FnOnce(Config) -> Config) -> usize {
        let index = self.guests.len();
        let home = home_address(index);
        let config =
            Config { ipv4: Some(home), public_ipv4: Some(*home.ip()), ..Config::default() };
        let guest = self.guest(adjust(config), index as u64);
        self.guests.push(self.net.add(Host::open(home.into()), guest));
        index
    }

    /// A node that is not on the network yet; `salt` makes its randomness.
    #[must_use]
    pub fn guest(&self, config: Config, salt: u64) -> Guest {
        let mut dice = Dice::of(&[self.seed, 0x0067_7565_7374, salt]);
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&dice.next().to_be_bytes());
        }
        let mut node = Node::new(config, seed, self.net.now());
        node.set_wall_clock(self.net.now(), TODAY + self.net.elapsed());
        Guest { node, events: Vec::new() }
    }

    /// Addresses of nodes that live; none without an internet.
    #[must_use]
    pub fn some_addresses(&self, count: usize) -> Vec<SocketAddr> {
        let mut dice = Dice::of(&[self.seed, 0x0b00_7057_4a90, self.guests.len() as u64]);
        let Some(internet) = &self.internet else { return Vec::new() };
        let internet = internet.borrow();
        let census = internet.census();
        (0..count).map(|_| census.address(census.anybody(&mut dice)).into()).collect()
    }

    /// The node.
    #[must_use]
    pub fn node(&self, guest: usize) -> &Node {
        &self.net.machine(self.guests[guest]).node
    }

    /// What a node said and nobody took.
    #[must_use]
    pub fn events(&self, guest: usize) -> &[(Instant, Event)] {
        &self.net.machine(self.guests[guest]).events
    }

    /// Starts an ask and does not wait.
    pub fn start(&mut self, guest: usize, ask: Ask, traced: bool) -> QueryId {
        self.start_with(guest, ask, AskOptions { traced, ..AskOptions::default() })
    }

    /// As [`start`](Self::start), with options.
    pub fn start_with(&mut self, guest: usize, ask: Ask, options: AskOptions) -> QueryId {
        self.net.with(self.guests[guest], |guest, now| {
            let query = guest.node.ask_with(now, ask, options);
            guest.drain(now);
            query
        })
    }

    /// Runs until the ask has ended, and for the time that its deadline leaves at most; `None` if it did not end.
    pub fn finish(
        &mut self,
        guest: usize,
        query: QueryId,
        limit: Duration,
    ) -> Option<(Outcome, LookupReport)> {
        let node = self.guests[guest];
        self.net.run_while_not(limit, |net| net.machine(node).ending(query).is_some());
        self.net.machine(node).ending(query)
    }

    /// Asks, waits for the end, and gives every event of the ask with the time since it began.
    ///
    /// # Panics
    /// If it does not end within a minute.
    pub fn ask(
        &mut self,
        guest: usize,
        ask: Ask,
        traced: bool,
    ) -> (Outcome, LookupReport, Vec<(Duration, Event)>) {
        let node = self.guests[guest];
        self.net.with(node, |guest, _| guest.events.clear());
        let began = self.net.now();
        let query = self.start(guest, ask, traced);
        let limit = Duration::from_secs(60);
        let (outcome, report) =
            self.finish(guest, query, limit).expect("an ask ends within its deadline");
        let events = self.net.with(node, |guest, _| std::mem::take(&mut guest.events));
        let since = |(at, event): (Instant, Event)| (at.saturating_duration_since(began), event);
        let own = |(_, event): &(Instant, Event)| event.query() == Some(query);
        (outcome, report, events.into_iter().filter(own).map(since).collect())
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("net", &self.net)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Guest {
    /// Takes what the node has to tell.
    pub fn drain(&mut self, now: Instant) {
        while let Some(event) = self.node.poll_event() {
            self.events.push((now, event));
        }
    }

    /// The end of an ask, if it has come.
    ///
    /// # Panics
    /// If it came twice.
    #[must_use]
    pub fn ending(&self, query: QueryId) -> Option<(Outcome, LookupReport)> {
        let mut ends = self.events.iter().rev().filter_map(|(_, event)| match event {
            Event::Done { query: other, outcome, report } if *other == query => {
                Some((outcome, report))
            }
            _ => None,
        });
        let end = ends.next().map(|(outcome, report)| (outcome.clone(), report.clone()));
        assert!(end.is_none() || ends.next().is_none(), "{query:?} ended twice");
        end
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

impl Machine for Guest {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.node.handle_datagram(now, from, bytes);
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
        self.drain(now);
    }

    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        self.node.handle_unreachable(now, to);
        self.drain(now);
    }

    fn poll_transmit(&mut self) -> Option<Datagram> {
        let transmit = self.node.poll_transmit()?;
        Some(Datagram { to: transmit.to, payload: transmit.payload })
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.node.poll_timeout()
    }
}

/// Where guest number `index` lives: in a /16 of its own as long as there are some, outside the blocks of the internet.
///
/// # Panics
/// Beyond two million.
#[must_use]
pub fn home_address(index: usize) -> SocketAddrV4 {
    let number = u32::try_from(index).expect("a small number");
    assert!(number < 1 << 21, "too many guests");
    let [_, _, high, low] = (number % 2048).to_be_bytes();
    let [_, _, third, last] = (number / 2048).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(208 + high, low, third, last), 6881)
}

/// As [`home_address`], of any family.
#[must_use]
pub fn address(index: usize) -> SocketAddr {
    home_address(index).into()
}
