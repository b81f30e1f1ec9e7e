//! The task that owns a node: moves datagrams, time and commands in, and datagrams and answers out.
//! Separate from the handles, which only talk to it, and from `dht-proto`, which knows every rule.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mainstay_dht_proto::{Event, LimitConfig, Node, Outcome, Transmit};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Sleep, sleep_until};
use tracing::{Instrument as _, debug, warn};

use crate::command::{Command, QUEUE};
use crate::driver::asks::OpenAsks;
use crate::driver::port::{Port, Received, Sent};
use crate::driver::resolver::Resolver;
use crate::event::{Events, NodeEvent};
use crate::handle::Dht;
use crate::info::{Info, LocalAddrs, Published};
use crate::listen::Ports;
use crate::packets::PacketLog;
use crate::state::{Keeper, Saved};

mod asks;
pub(crate) mod port;
mod resolver;
#[cfg(test)]
mod tests;

/// How many datagrams one socket may bring, and how many commands the handles, before the others
/// get their turn.
const BATCH: usize = 64;
/// How many datagrams that wait together share one look at the clock. A round trip then seems shorter by as long as the
/// node took over those before it, which is less than a millisecond.
const CLOCK_EVERY: usize = 8;
/// The longest datagram that is read whole; longer ones are cut, and the node then drops them.
const DATAGRAM: usize = 2048;
/// How long the published list of contacts may lag behind the table.
const CONTACTS_EVERY: Duration = Duration::from_secs(1);
/// A time, since 1970, before which this program did not exist: the beginning of 2026.
const WRITTEN: Duration = Duration::from_secs(1_767_225_600);
/// How many contacts are published and saved at most.
const CONTACTS: usize = 200;

/// Spawns the task of a node and returns the first handle of it. Must run inside `runtime`.
pub(crate) fn start(
    runtime: &Handle,
    node: Node,
    ports: Ports,
    names: Vec<Box<str>>,
    life: Life,
    homes: Vec<Dht>,
) -> Dht {
    let (driver, dht) = Driver::new(node, ports, names, life, homes);
    let span = tracing::info_span!("dht", local = %dht.local_addr());
    let run = async move {
        // By the time that the acknowledgement is sent, the driver and its sockets are gone.
        if let Some(done) = driver.run().await {
            let _ = done.send(());
        }
    };
    runtime.spawn(run.instrument(span));
    dht
}
/// The owner of a node.
struct Driver {
    node: Node,
    ports: Ports,
    commands: mpsc::Receiver<Command>,
    cancels: mpsc::UnboundedReceiver<u64>,
    limits: watch::Receiver<LimitConfig>,
    asks: OpenAsks,
    resolver: Resolver,
    life: Life,
    outbox: Outbox,
}

/// What outlives the node, and who watches it live.
#[derive(Default)]
pub(crate) struct Life {
    pub(crate) keeper: Option<Keeper>,
    pub(crate) events: Events,
    pub(crate) packets: PacketLog,
}

impl Life {
    /// Completes when a state has been written; never without a state file. Cancel safe.
    async fn saved(&mut self) -> Saved {
        match &mut self.keeper {
            Some(keeper) => keeper.saved().await,
            None => std::future::pending().await,
        }
    }

    fn wrote(&mut self, saved: Saved) {
        self.events.push(match saved {
            Ok(path) => NodeEvent::StateSaved { path },
            Err(reason) => {
                warn!(error = %reason, "state not saved");
                NodeEvent::StateNotSaved { reason }
            }
        });
    }
}

/// What the driver shows to the handles.
struct Outbox {
    published: Arc<Published>,
    /// Datagrams that the system did not take.
    dropped: u64,
    /// When the contacts were published last, and how many nodes the table held.
    contacts: Option<(Instant, usize)>,
}

impl Drop for Outbox {
    /// Also when the runtime goes away under the driver, or the driver panics.
    fn drop(&mut self) {
        self.published.close();
    }
}

/// Why a turn ended the driver.
enum Stop {
    /// A handle asked for it, and wants to be told.
    Asked(oneshot::Sender<()>),
    /// No handle is left.
    Orphaned,
}

impl Driver {
    /// A driver that is not run yet, and the first handle of it.
    fn new(
        node: Node,
        ports: Ports,
        names: Vec<Box<str>>,
        life: Life,
        homes: Vec<Dht>,
    ) -> (Box<Self>, Dht) {
        let (commands, command_queue) = mpsc::channel(QUEUE);
        let (cancels, cancel_queue) = mpsc::unbounded_channel();
        let (limit_switch, limits) = watch::channel(node.limits().clone());
        let local = LocalAddrs {
            ipv4: ports.ipv4.as_ref().map(Port::local_addr),
            ipv6: ports.ipv6.as_ref().map(Port::local_addr),
        };
        let info = Info { local, node: node.info(), dropped: 0, running: true };
        let published = Arc::new(Published::new(info));
        // In a box, as a future keeps room for each place that a value is moved through.
        let driver = Box::new(Self {
            node,
            ports,
            commands: command_queue,
            cancels: cancel_queue,
            limits,
            asks: OpenAsks::default(),
            resolver: Resolver::new(names),
            life,
            outbox: Outbox { published: published.clone(), dropped: 0, contacts: None },
        });
        let dht = Dht::new(commands, cancels, published, limit_switch, homes);
        (driver, dht)
    }

    async fn run(mut self: Box<Self>) -> Option<oneshot::Sender<()>> {
        self.ports.writable().await;
        self.resolver.start();
        let now = Instant::now();
        set_wall_clock(&mut self.node, now);
        self.node.handle_timeout(now);
        self.drain(now);
        let mut alarm = Alarm::new(now);
        let mut sleep = pin!(sleep_until(now.into()));
        loop {
            self.publish(Instant::now());
            alarm.set(sleep.as_mut(), self.deadline());
            let woken = self.wait(&alarm, sleep.as_mut()).await;
            if let Err(stop) = woken.and_then(|command| self.turn(command)) {
                self.publish_contacts(Instant::now());
                self.save_at_last().await;
                return match stop {
                    Stop::Asked(done) => Some(done),
                    Stop::Orphaned => None,
                };
            }
        }
    }

    /// Sleeps until there is something to do; hands over the command if that is what woke it.
    async fn wait(
        &mut self,
        alarm: &Alarm,
        sleep: Pin<&mut Sleep>,
    ) -> Result<Option<Command>, Stop> {
        tokio::select! {
            biased;
            command = self.commands.recv() => command.map(Some).ok_or(Stop::Orphaned),
            Some(ticket) = self.cancels.recv() => {
                self.asks.cancel(&mut self.node, Instant::now(), ticket);
                Ok(None)
            }
            () = self.resolver.wait() => Ok(None),
            saved = self.life.saved() => {
                self.life.wrote(saved);
                Ok(None)
            }
            () = readable(self.ports.ipv4.as_ref()) => Ok(None),
            () = readable(self.ports.ipv6.as_ref()) => Ok(None),
            () = sleep, if alarm.is_set() => Ok(None),
        }
    }

    /// Takes whatever is there by now: local work first, a bounded share of each.
    fn turn(&mut self, first: Option<Command>) -> Result<(), Stop> {
        let now = Instant::now();
        set_wall_clock(&mut self.node, now);
        let mut command = first;
        for _ in 0..BATCH {
            let Some(next) = command.or_else(|| self.commands.try_recv().ok()) else {
                break;
            };
            self.command(now, next)?;
            self.drain(now);
            command = None;
        }
        while let Ok(ticket) = self.cancels.try_recv() {
            self.asks.cancel(&mut self.node, now, ticket);
        }
        if let Some(addresses) = self.resolver.take() {
            self.node.add_bootstrap(now, &addresses);
            self.drain(now);
        }
        self.take_limits();
        self.receive();
        let now = Instant::now();
        self.rebind(now);
        if self.node.poll_timeout().is_some_and(|due| due <= now) {
            self.node.handle_timeout(now);
        }
        self.drain(now);
        self.save_if_due(now);
        Ok(())
    }

    /// Before any datagram is read, so that those who were told see them obeyed.
    fn take_limits(&mut self) {
        if !self.limits.has_changed().unwrap_or(false) {
            return;
        }
        let limits = self.limits.borrow_and_update().clone();
        // The handle has checked them.
        let taken = self.node.set_limits(limits);
        debug_assert!(taken.is_ok(), "{taken:?}");
    }

    fn command(&mut self, now: Instant, command: Command) -> Result<(), Stop> {
        match command {
            Command::Ask(ask) => {
                self.asks.open(&mut self.node, now, *ask);
                Ok(())
            }
            Command::Trace(steps) => {
                self.asks.trace(steps);
                Ok(())
            }
            Command::Watch(watcher) => {
                self.life.events.watch(watcher);
                Ok(())
            }
            Command::Packets(reply) => {
                // Who asked may be gone.
                let _ = reply.send(self.life.packets.copy());
                Ok(())
            }
            Command::Snapshot(reply) => {
                // Who asked may be gone.
                let _ = reply.send(self.node.snapshot(now, CONTACTS));
                Ok(())
            }
            // The turn looks for what has changed.
            Command::Look => Ok(()),
            Command::Shutdown(done) => Err(Stop::Asked(done)),
        }
    }

    /// Reads a bounded number of datagrams from each socket.
    fn receive(&mut self) {
        // On the stack, where all nodes of a process share it.
        let mut buffer = [0; DATAGRAM];
        for ipv6 in [false, true] {
            let mut now = Instant::now();
            for count in 1..=BATCH {
                if count % CLOCK_EVERY == 0 {
                    now = Instant::now();
                }
                let port = if ipv6 { &mut self.ports.ipv6 } else { &mut self.ports.ipv4 };
                let Some(port) = port else { break };
                match port.receive(now, &mut buffer) {
                    Received::Datagram(length, from) => {
                        self.life.packets.note(false, from, &buffer[..length]);
                        self.node.handle_datagram(now, from, &buffer[..length]);
                        self.drain(now);
                    }
                    Received::Hiccup => {}
                    Received::Empty => break,
                }
            }
        }
    }

    /// Lets everything out that the last input brought about.
    fn drain(&mut self, now: Instant) {
        loop {
            let mut astray = None;
            while let Some(transmit) = self.node.poll_transmit() {
                let sent = self.send(now, &transmit);
                self.node.recycle(transmit.payload);
                if sent == Sent::NoRoute {
                    astray = Some(transmit.to);
                    break;
                }
            }
            while let Some(event) = self.node.poll_event() {
                self.event(now, event);
            }
            let Some(to) = astray else { break };
            self.node.handle_no_route(now, to);
        }
    }

    fn send(&mut self, now: Instant, transmit: &Transmit) -> Sent {
        self.life.packets.note(true, transmit.to, &transmit.payload);
        let sent = match self.ports.towards(transmit.to) {
            Some(port) => port.send(now, &transmit.payload, transmit.to),
            None => Sent::Dropped,
        };
        if sent != Sent::Yes {
            self.outbox.dropped += 1;
        }
        sent
    }

    fn event(&mut self, now: Instant, event: Event) {
        if let Some(told) = told(&event) {
            debug!(event = ?told, "node");
            self.life.events.push(told);
        }
        match event {
            Event::Bootstrapped { .. } => {
                self.publish_contacts(now);
                self.publish(now);
                self.hurry(now);
                self.outbox.published.settle();
            }
            event => {
                // What a caller learns from an answer must agree with what `info` tells.
                if let Event::Done { outcome, .. } = &event {
                    if matches!(outcome, Outcome::Put(Ok(_))) {
                        self.hurry(now);
                    }
                    self.publish(now);
                }
                self.asks.event(event);
            }
        }
    }

    fn hurry(&mut self, now: Instant) {
        if let Some(keeper) = &mut self.life.keeper {
            keeper.hurry(now);
        }
    }

    fn save_if_due(&mut self, now: Instant) {
        if let Some(keeper) = &mut self.life.keeper
            && keeper.due().is_some_and(|due| due <= now)
        {
            keeper.save(now, self.node.snapshot(now, CONTACTS));
        }
    }

    async fn save_at_last(&mut self) {
        let Some(keeper) = &mut self.life.keeper else { return };
        let saved = keeper.finish(self.node.snapshot(Instant::now(), CONTACTS)).await;
        keeper.release();
        if let Some(saved) = saved {
            self.life.wrote(saved);
        }
    }

    fn rebind(&mut self, now: Instant) {
        for port in [&mut self.ports.ipv4, &mut self.ports.ipv6].into_iter().flatten() {
            let local = port.local_addr();
            if port.rebind(now) {
                self.life.events.push(NodeEvent::SocketBound { local });
            }
            if port.take_loss() {
                self.life.events.push(NodeEvent::SocketLost { local });
            }
        }
    }

    /// The earliest time at which something is due that no socket and no command announces.
    fn deadline(&self) -> Option<Instant> {
        let rebind = |port: &Option<Port>| port.as_ref().and_then(Port::rebind_at);
        let save = self.life.keeper.as_ref().and_then(Keeper::due);
        [self.node.poll_timeout(), rebind(&self.ports.ipv4), rebind(&self.ports.ipv6), save]
            .into_iter()
            .flatten()
            .min()
    }

    fn publish(&mut self, now: Instant) {
        let info = self.node.info();
        let nodes = table_size(&info);
        self.outbox.published.publish_node(info, self.outbox.dropped);
        let stale = self.outbox.contacts.is_none_or(|(at, published)| {
            published != nodes && now.duration_since(at) >= CONTACTS_EVERY
        });
        if stale && nodes > 0 {
            self.publish_contacts(now);
        }
    }

    fn publish_contacts(&mut self, now: Instant) {
        let contacts = self.node.contacts().iter().take(CONTACTS).map(|node| node.addr).collect();
        self.outbox.contacts = Some((now, table_size(&self.node.info())));
        self.outbox.published.publish_contacts(contacts);
    }
}

/// Tells the node what time of day it is.
pub(crate) fn set_wall_clock(node: &mut Node, now: Instant) {
    if let Some(unix) = time_of_day(SystemTime::now()) {
        node.set_wall_clock(now, unix);
    }
}

/// What the system's clock tells; `None` if it was never set, as on hosts that have no battery for it and begin in
/// 1970. By such a clock every item would be from the future, and none would be stored.
fn time_of_day(system: SystemTime) -> Option<Duration> {
    system.duration_since(UNIX_EPOCH).ok().filter(|unix| *unix >= WRITTEN)
}

/// What those who run the node should know of.
fn told(event: &Event) -> Option<NodeEvent> {
    match *event {
        Event::Bootstrapped { nodes } => Some(NodeEvent::Settled { nodes }),
        Event::PublicAddress { addr, id } => Some(NodeEvent::PublicAddress { address: addr, id }),
        Event::Offline => Some(NodeEvent::Offline),
        Event::Online { after } => Some(NodeEvent::Online { after }),
        Event::BootstrapFailed { ipv6, attempts, retry } => {
            Some(NodeEvent::BootstrapFailed { ipv6, attempts, retry })
        }
        Event::Role { reachable, read_only } => Some(NodeEvent::Role { reachable, read_only }),
        Event::Resumed { late } => Some(NodeEvent::Resumed { late }),
        Event::ClockJumped { forward, by } => Some(NodeEvent::ClockJumped { forward, by }),
        // The others belong to asks.
        _ => None,
    }
}

fn table_size(info: &mainstay_dht_proto::Info) -> usize {
    info.ipv4.into_iter().chain(info.ipv6).map(|family| family.nodes).sum()
}

async fn readable(port: Option<&Port>) {
    match port {
        Some(port) => port.readable().await,
        None => std::future::pending().await,
    }
}

/// Remembers what the one timer is set to, since setting it costs more than comparing.
struct Alarm(Option<Instant>);

impl Alarm {
    fn new(now: Instant) -> Self {
        Self(Some(now))
    }

    fn set(&mut self, sleep: Pin<&mut Sleep>, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && self.0 != Some(deadline)
        {
            sleep.reset(deadline.into());
        }
        self.0 = deadline;
    }

    fn is_set(&self) -> bool {
        self.0.is_some()
    }
}
