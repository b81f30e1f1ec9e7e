//! The network itself: nodes, sites, a clock, and the run loop.
//! Separate because it only routes; links, NATs and the queue each decide for themselves.

mod carriage;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::link::mix;
use crate::nat::Gate;
use crate::queue::{Event, Queue};
use crate::trace::Trace;
use crate::{Host, Link, Machine, Nat, Node, Packet, Site, Stats};

/// How long a machine that does not move its deadline waits to be called again.
const STUCK: Duration = Duration::from_millis(1);

/// A virtual network of machines and the clock they live by.
///
/// Time stands still until [`run_for`](Self::run_for), [`run_until`](Self::run_until) or
/// [`step`](Self::step) moves it. Cost per event: the machine's own, and O(log n) of the queue.
pub struct Network<M> {
    start: Instant,
    now: Instant,
    seed: u64,
    rng: StdRng,
    queue: Queue,
    slots: Vec<Slot<M>>,
    sites: Vec<SiteState>,
    /// Who has which address on the open network.
    open: BTreeMap<SocketAddr, Node>,
    /// Which site shows which address.
    gates: BTreeMap<IpAddr, Site>,
    link: Link,
    reports_unreachable: bool,
    stats: Stats,
    trace: Trace,
    capture: Option<Capture>,
}

type Capture = Box<dyn FnMut(&Packet<'_>)>;

struct Slot<M> {
    machine: M,
    host: Host,
    up: bool,
    part: u32,
    /// The earliest wake-up of this node in the queue.
    armed: Option<Instant>,
}

struct SiteState {
    gate: Gate,
    hosts: BTreeMap<SocketAddr, Node>,
}

impl<M: Machine> Network<M> {
    /// An empty network that starts at `start` (any moment will do) and draws all chance from
    /// `seed`.
    pub fn new(seed: u64, start: Instant) -> Self {
        Self {
            start,
            now: start,
            seed: mix(seed),
            rng: StdRng::seed_from_u64(seed),
            queue: Queue::default(),
            slots: Vec::new(),
            sites: Vec::new(),
            open: BTreeMap::new(),
            gates: BTreeMap::new(),
            link: Link::default(),
            reports_unreachable: false,
            stats: Stats::default(),
            trace: Trace::new(),
            capture: None,
        }
    }

    /// The stretch that every packet crosses, besides the access lines of its two ends.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Whether a sender learns that nobody listens where it sent to, after the time of a round
    /// trip. Default: false.
    pub const fn set_unreachable_reports(&mut self, on: bool) {
        self.reports_unreachable = on;
    }

    /// Shows every packet to `hook` when its fate is known.
    pub fn set_capture(&mut self, hook: impl FnMut(&Packet<'_>) + 'static) {
        self.capture = Some(Box::new(hook));
    }

    /// A private network behind a NAT. An outside address that another site or host has is taken
    /// over.
    pub fn add_site(&mut self, nat: Nat) -> Site {
        let site = Site(self.sites.len());
        self.gates.insert(nat.outside, site);
        self.sites.push(SiteState { gate: Gate::new(nat), hosts: BTreeMap::new() });
        site
    }

    /// A machine at a host; it is up, and asked for its first transmits and deadline at once. An
    /// address that another host has is taken over.
    pub fn add(&mut self, host: Host, machine: M) -> Node {
        let node = Node(self.slots.len());
        self.attach(node, &host);
        self.slots.push(Slot { machine, host, up: true, part: 0, armed: None });
        self.drain(node);
        node
    }

    /// Now.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How much time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    /// How many nodes there are, up or down.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Every node, in the order they were added.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<M> {
        (0..self.slots.len()).map(Node)
    }

    /// Looks at a machine.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn machine(&self, node: Node) -> &M {
        &self.slots[node.0].machine
    }

    /// The addresses that a node was added with.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn addresses(&self, node: Node) -> &[SocketAddr] {
        &self.slots[node.0].host.addresses
    }

    /// Does something with a machine, then takes what it wants to send. A node that is down does
    /// it too, but sends nothing.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn with<R>(&mut self, node: Node, act: impl FnOnce(&mut M, Instant) -> R) -> R {
        let result = act(&mut self.slots[node.0].machine, self.now);
        self.drain(node);
        result
    }

    /// Puts another machine in a node's place, as after a restart; gives back the old one.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn replace(&mut self, node: Node, machine: M) -> M {
        let old = core::mem::replace(&mut self.slots[node.0].machine, machine);
        self.drain(node);
        old
    }

    /// Moves a node to another host, as when its address changes: its old addresses lead nowhere.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn relocate(&mut self, node: Node, host: Host) {
        self.open.retain(|_, owner| *owner != node);
        for site in &mut self.sites {
            site.hosts.retain(|_, owner| *owner != node);
        }
        self.attach(node, &host);
        self.slots[node.0].host = host;
    }

    /// Takes a node down or up. While down it gets no packets and no time, and what it sends is
    /// dropped; its deadlines come when it is up again.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn set_up(&mut self, node: Node, up: bool) {
        self.slots[node.0].up = up;
        self.drain(node);
    }

    /// Whether a node is up.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn is_up(&self, node: Node) -> bool {
        self.slots[node.0].up
    }

    /// Changes a node's access line.
    ///
    /// # Panics
    /// If the node is of another network.
    pub fn set_line(&mut self, node: Node, line: Link) {
        self.slots[node.0].host.line = line;
    }

    /// Moves nodes to a part of the network; packets only pass within one part. All nodes begin in
    /// part 0. Packets under way arrive only if their ends are in one part then.
    ///
    /// # Panics
    /// If a node is of another network.
    pub fn partition(&mut self, nodes: impl IntoIterator<Item = Node>, part: u32) {
        for node in nodes {
            self.slots[node.0].part = part;
        }
    }

    /// Makes the network whole again.
    pub fn heal(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.part = 0);
    }

    /// A site's NAT restarts and forgets all its mappings.
    ///
    /// # Panics
    /// If the site is of another network.
    pub fn restart_nat(&mut self, site: Site) {
        self.sites[site.0].gate.forget();
    }

    /// What happened so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// A hash of everything that happened so far: each packet with its times, ends, payload and
    /// fate, and each deadline. Equal for equal runs.
    pub const fn trace(&self) -> u64 {
        self.trace.value()
    }

    /// When the next event comes, if any.
    pub fn next_event(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// Lets the next event happen and says when it did; `None` if none will ever come.
    pub fn step(&mut self) -> Option<Instant> {
        let (at, event) = self.queue.pop()?;
        self.now = self.now.max(at);
        match event {
            Event::Arrive { sent, from, to, sender, payload } => {
                self.arrive(sent, from, to, sender, &payload);
            }
            Event::Wake(node) => self.wake(node, at),
            Event::Unreachable { node, to } => {
                if self.slots[node.0].up {
                    self.slots[node.0].machine.handle_unreachable(self.now, to);
                    self.drain(node);
                }
            }
        }
        Some(self.now)
    }

    /// Runs all events up to and at `deadline`, and moves the clock there.
    pub fn run_until(&mut self, deadline: Instant) {
        while self.next_event().is_some_and(|at| at <= deadline) {
            self.step();
        }
        self.now = self.now.max(deadline);
    }

    /// Runs for this long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs until `done` says so, looking after every event, for at most `limit`; true if it did.
    pub fn run_while_not(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let deadline = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if self.next_event().is_none_or(|at| at > deadline) {
                self.now = self.now.max(deadline);
                return false;
            }
            self.step();
        }
    }

    fn attach(&mut self, node: Node, host: &Host) {
        let addresses = match host.site.and_then(|site| self.sites.get_mut(site.0)) {
            Some(site) => &mut site.hosts,
            None => &mut self.open,
        };
        addresses.extend(host.addresses.iter().map(|address| (*address, node)));
    }

    fn wake(&mut self, node: Node, at: Instant) {
        let slot = &mut self.slots[node.0];
        if slot.armed == Some(at) {
            slot.armed = None;
        }
        if !slot.up {
            return;
        }
        let mut earliest = self.now;
        if slot.machine.poll_timeout().is_some_and(|due| due <= self.now) {
            self.stats.timeouts += 1;
            self.trace.wake(self.elapsed(), node);
            let slot = &mut self.slots[node.0];
            slot.machine.handle_timeout(self.now);
            if slot.machine.poll_timeout().is_some_and(|next| next <= self.now) {
                self.stats.stuck += 1;
                earliest = self.now + STUCK;
            }
        }
        self.drain_from(node, earliest);
    }

    /// Sends what a node has to send and takes note of its deadline.
    fn drain(&mut self, node: Node) {
        self.drain_from(node, self.now);
    }

    /// As [`drain`](Self::drain), but calls the node no sooner than `earliest`.
    fn drain_from(&mut self, node: Node, earliest: Instant) {
        while let Some(datagram) = self.slots[node.0].machine.poll_transmit() {
            if self.slots[node.0].up {
                self.send(node, datagram);
            }
        }
        let slot = &mut self.slots[node.0];
        if slot.up
            && let Some(due) = slot.machine.poll_timeout()
        {
            let at = due.max(earliest);
            if slot.armed.is_none_or(|armed| at < armed) {
                self.arm(node, at);
            }
        }
    }

    fn arm(&mut self, node: Node, at: Instant) {
        self.slots[node.0].armed = Some(at);
        self.queue.push(at, Event::Wake(node));
    }
}

impl<M> fmt::Debug for Network<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("elapsed", &self.now.saturating_duration_since(self.start))
            .field("nodes", &self.slots.len())
            .field("stats", &self.stats)
            .field("trace", &self.trace.value())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
