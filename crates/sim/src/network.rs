//! The network itself: nodes, sites, a clock, and the run loop.
//! Separate because it only routes; links, NATs and the queue each decide for themselves.

mod carriage;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::dice::{Mixing, mix};
use crate::limit::Door;
use crate::link::Channel;
use crate::nat::Gate;
use crate::queue::{Event, Queue};
use crate::trace::Trace;
use crate::{Backdrop, Churn, Dice, Host, Link, Machine, Nat, Node, Packet, Reply, Site, Stats};

/// How long a machine that does not move its deadline waits to be called again.
const STUCK: Duration = Duration::from_millis(1);
/// What draws for sessions are made with, beside the seed.
const CHURN: u64 = 0x6368_7572_6e21;

/// A virtual network of machines and the clock they live by.
///
/// Time stands still until [`run_for`](Self::run_for), [`run_until`](Self::run_until) or
/// [`step`](Self::step) moves it. Cost per event: the machine's own, and O(log n) of the queue.
pub struct Network<M> {
    start: Instant,
    now: Instant,
    seed: u64,
    queue: Queue,
    slots: Vec<Slot<M>>,
    sites: Vec<SiteState>,
    /// Who has which address on the open network.
    open: HashMap<SocketAddr, Node, Mixing>,
    /// Which site shows which address.
    gates: HashMap<IpAddr, Site, Mixing>,
    link: Link,
    /// The link's channels, where it has bursts: one for each pair of hosts and direction.
    channels: HashMap<u64, Channel, Mixing>,
    backdrop: Option<Box<dyn Backdrop>>,
    replies: Vec<Reply>,
    churn: Option<Churn>,
    rebirth: Option<Rebirth<M>>,
    reports_unreachable: bool,
    stats: Stats,
    trace: Trace,
    capture: Option<Capture>,
}

type Capture = Box<dyn FnMut(&Packet<'_>)>;
type Rebirth<M> = Box<dyn FnMut(Node, Instant, &mut M)>;

struct Slot<M> {
    machine: M,
    host: Host,
    up: bool,
    part: u32,
    /// The earliest wake-up of this node in the queue.
    armed: Option<Instant>,
    /// Its line's channels: what it sends, what it gets.
    channels: [Channel; 2],
    /// When its uplink has sent all it was given.
    uplink_free: Instant,
    door: Door,
    /// How often it came or went.
    turns: u64,
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
            queue: Queue::default(),
            slots: Vec::new(),
            sites: Vec::new(),
            open: HashMap::default(),
            gates: HashMap::default(),
            link: Link::default(),
            channels: HashMap::default(),
            backdrop: None,
            replies: Vec::new(),
            churn: None,
            rebirth: None,
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

    /// Everybody who is no node. Replaces the one before.
    pub fn set_backdrop(&mut self, backdrop: impl Backdrop + 'static) {
        self.backdrop = Some(Box::new(backdrop));
    }

    /// Lets nodes come and go from now on; those that are up stay for a session first. The lengths
    /// of a node's sessions depend on the seed and on that node alone.
    ///
    /// # Panics
    /// If a node is of another network.
    pub fn set_churn(&mut self, churn: Churn, nodes: impl IntoIterator<Item = Node>) {
        self.churn = Some(churn);
        for node in nodes {
            self.schedule_turn(node);
        }
    }

    /// Ends all coming and going; who is away stays away.
    pub const fn stop_churn(&mut self) {
        self.churn = None;
    }

    /// What happens to the machine of a node that comes back, for instance that it starts anew.
    /// Default: nothing, as after a suspend.
    pub fn set_rebirth(&mut self, rebirth: impl FnMut(Node, Instant, &mut M) + 'static) {
        self.rebirth = Some(Box::new(rebirth));
    }

    /// Sends a datagram from an address that need not be the sender's: what forgers do.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, payload: Vec<u8>) {
        self.stats.sent += 1;
        self.stats.sent_bytes += payload.len() as u64;
        self.carry(None, self.now, from, to, payload);
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
        self.slots.push(Slot {
            machine,
            host,
            up: true,
            part: 0,
            armed: None,
            channels: [Channel::default(); 2],
            uplink_free: self.now,
            door: Door::default(),
            turns: 0,
        });
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

    /// How long a packet takes from one address to the other if nothing is in its way: without jitter, and without what
    /// the lines of the two add.
    pub fn delay(&self, from: SocketAddr, to: SocketAddr) -> Duration {
        self.link.latency.of_pair(self.pair(from, to))
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
            Event::Turn(node) => self.turn(node),
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
        let owned = host.addresses.iter().map(|address| (*address, node));
        match host.site.and_then(|site| self.sites.get_mut(site.0)) {
            Some(site) => site.hosts.extend(owned),
            None => self.open.extend(owned),
        }
    }

    /// A node comes or goes, and its next turn is drawn.
    fn turn(&mut self, node: Node) {
        if self.churn.is_none() {
            return;
        }
        let slot = &mut self.slots[node.0];
        slot.up = !slot.up;
        if slot.up
            && let Some(rebirth) = &mut self.rebirth
        {
            rebirth(node, self.now, &mut slot.machine);
        }
        self.drain(node);
        self.schedule_turn(node);
    }

    fn schedule_turn(&mut self, node: Node) {
        let Some(churn) = self.churn else { return };
        let slot = &mut self.slots[node.0];
        slot.turns += 1;
        let mut dice = Dice::of(&[self.seed, CHURN, node.0 as u64, slot.turns]);
        let time = if slot.up { churn.session } else { churn.absence };
        self.queue.push(self.now + time.draw(&mut dice), Event::Turn(node));
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
