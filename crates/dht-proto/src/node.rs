//! The node: takes datagrams, time and asks in, hands datagrams and events out, and routes between its parts.
//! It holds no rule of its own; each lives with the part that obeys it.

mod life;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_kad::Entry;
use mainstay_krpc::{Body, DecodeError, Id, Message, Query, Response};
use rand::Rng as _;

use crate::asks::{Asks, Reply};
use crate::contact::{Contact, kad_id};
use crate::network::Networks;
use crate::node::life::Life;
use crate::published::Published;
use crate::reach::{CONTACT, Reach};
use crate::recent::Recent;
use crate::scope::{Family, Scope};
use crate::search::Scene;
use crate::server::Server;
use crate::transactions::{Lapse, Pending, Purpose};
use crate::upkeep::Upkeep;
use crate::wall_clock::WallClock;
use crate::wire::Wire;
use crate::{
    Ask, AskOptions, Config, Event, Info, LimitConfig, LimitError, QueryId, RemoteNode,
    RequestHook, Snapshot, Store, Transmit,
};

/// A Mainline node for IPv4, IPv6 or both.
///
/// Methods come in four kinds: `handle_*` takes something from outside, [`ask`](Self::ask) and
/// [`cancel`](Self::cancel) are the owner's wishes, `poll_*` hands out what came of it, and the rest only look.
/// After any of the first two kinds, all three `poll_*` may answer differently.
#[derive(Debug)]
pub struct Node {
    wire: Wire,
    networks: Networks,
    server: Server,
    asks: Asks,
    upkeep: Upkeep,
    published: Published,
    clock: WallClock,
    life: Life,
    reach: Reach,
    config: Config,
}

impl Node {
    /// Makes a node; it starts to join at the first [`handle_timeout`](Self::handle_timeout), which is due
    /// at once.
    ///
    /// `seed` decides its id, tokens and transaction ids: draw it from the system's randomness, unless
    /// the run is to be replayed.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut wire = Wire::new(&config, seed, now);
        let networks = Networks::new(&config, &mut wire.rng, now);
        let mut key = [0; 16];
        wire.rng.fill_bytes(&mut key);
        let server = Server::new(&config, key, networks.home(), now);
        wire.contacted = Recent::new(key);
        let reach = Reach::new(&config, now);
        wire.read_only = reach.is_read_only();
        let asks = Asks::new(&config);
        let upkeep = Upkeep::new(now, networks.iter().map(|network| network.family));
        let published = Published::new(config.remember_published.min(Snapshot::MOST_PUBLISHED));
        let (clock, life) = (WallClock::default(), Life::default());
        Self { wire, networks, server, asks, upkeep, published, clock, life, reach, config }
    }

    /// Takes a datagram that came in from `from`. Never panics, never answers a reply.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.enter(now);
        self.wire.counters.received += 1;
        if Scope::of(from) == Scope::Never || self.networks.of(Family::of(from)).is_none() {
            self.wire.counters.unusable += 1;
            return;
        }
        match Message::decode(datagram) {
            Ok(Message { transaction, read_only, body: Body::Query(query), .. }) => {
                self.wire.transactions.heard(now, from);
                self.handle_query(now, from, datagram.len(), transaction, read_only, &query);
            }
            Ok(Message { transaction, ip, body: Body::Response(response), .. }) => {
                self.handle_response(now, from, transaction, ip, &response);
            }
            Ok(Message { transaction, body: Body::Error(error), .. }) => {
                if let Some(pending) = self.close(now, from, transaction) {
                    self.wire.counters.errors += 1;
                    self.route(now, &pending, Reply::Error { code: error.code });
                }
            }
            Err(error) => {
                self.wire.counters.malformed += 1;
                tracing::trace!(%from, %error, "not a message");
                if error.reply().is_some() {
                    self.handle_broken(now, from, datagram.len(), &error);
                } else if let Some(pending) =
                    error.transaction().and_then(|tid| self.wire.transactions.close(now, from, tid))
                {
                    self.lose(now, &pending);
                }
            }
        }
        self.blame(now, Family::of(from));
        self.settle(now);
    }

    /// Does what is due; call it when the time of [`poll_timeout`](Self::poll_timeout) has come. Early or
    /// late calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.enter(now);
        while let Some(lapse) = self.wire.transactions.pop_lapsed(now) {
            match lapse {
                Lapse::Stalled(pending) => {
                    if pending.purpose == Purpose::Ping {
                        self.upkeep.ping_stalled(pending.to);
                    }
                    if let Some(id) = pending.id
                        && let Some(network) = self.networks.of_mut(Family::of(pending.to))
                    {
                        network.stalled(now, &id, pending.to);
                    }
                    let mut scene =
                        Scene { now, wire: &mut self.wire, networks: &mut self.networks };
                    self.asks.handle_stall(&mut scene, &pending);
                }
                Lapse::Late(pending) => {
                    let mut scene =
                        Scene { now, wire: &mut self.wire, networks: &mut self.networks };
                    self.asks.handle_late(&mut scene, &pending);
                }
                Lapse::Expired(pending) => self.lose(now, &pending),
            }
        }
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.asks.handle_timeout(&mut scene);
        self.upkeep.handle_timeout(&mut scene, &mut self.asks);
        self.server.store.handle_timeout(now);
        let changed = self.reach.handle_timeout(now);
        self.tell_role(changed);
        self.leave(now);
    }

    /// Tells that a datagram to `to` was refused by the host there (ICMP port unreachable): its requests fail at
    /// once and need not wait for their timeout, and the node is held to be gone.
    ///
    /// Where this host has no way to `to`, call [`handle_no_route`](Self::handle_no_route) instead.
    pub fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        while let Some(pending) = self.wire.transactions.take_unreachable(to) {
            if let (Some(id), Some(network)) = (pending.id, self.networks.of_mut(Family::of(to))) {
                network.missed(now, &id, to);
                network.lost(now, &id, to);
            }
            self.give_up(now, &pending);
        }
        self.settle(now);
    }

    /// Tells that a datagram to `to` could not be sent because this host has no way there (`ENETUNREACH` and the like):
    /// its requests fail at once. The nodes there are blamed for it only if others are heard soon after; where nobody is, our
    /// own line is down, and the node is [offline](Event::Offline) after five seconds.
    pub fn handle_no_route(&mut self, now: Instant, to: SocketAddr) {
        while let Some(pending) = self.wire.transactions.take_without_route(to) {
            self.lose(now, &pending);
        }
        self.settle(now);
    }

    /// Tells the time of day, as the duration since the UNIX epoch. It judges sequence numbers from the future and
    /// dates snapshots, and no lifetime depends on it; call it at the start and whenever the node is driven, so that
    /// a clock that was set is noticed.
    pub fn set_wall_clock(&mut self, now: Instant, unix: Duration) {
        self.look_at_clock(now, unix);
        self.server.set_wall_clock(now, unix);
    }

    /// Adds addresses to join through, for instance once a bootstrap name has been resolved. Ends the wait
    /// of [`Config::more_bootstrap`], so call it even when nothing was found.
    pub fn add_bootstrap(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.config.bootstrap.extend_from_slice(addresses);
        self.config.bootstrap.truncate(256);
        self.config.more_bootstrap = false;
        self.networks.allow(&self.config);
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.asks.add_bootstrap(&mut scene, addresses);
        self.upkeep.join_now(now);
        self.settle(now);
    }

    /// Starts an ask; its end is one [`Event::Done`].
    pub fn ask(&mut self, now: Instant, ask: Ask) -> QueryId {
        self.ask_with(now, ask, AskOptions::default())
    }

    /// Like [`ask`](Self::ask), and reports every step as an [`Event::Step`].
    pub fn ask_traced(&mut self, now: Instant, ask: Ask) -> QueryId {
        self.ask_with(now, ask, AskOptions { traced: true, ..AskOptions::default() })
    }

    /// Like [`ask`](Self::ask), with a deadline, an effort or a trace of its own.
    pub fn ask_with(&mut self, now: Instant, ask: Ask, options: AskOptions) -> QueryId {
        self.enter(now);
        let item = self.published.item_of(&ask);
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        let query = self.asks.ask(&mut scene, &*self.server.store, ask, options);
        self.published.begun(query, item);
        self.leave(now);
        query
    }

    /// Drops an ask and all its state. No event of it follows, not even its end.
    pub fn cancel(&mut self, now: Instant, query: QueryId) {
        let _ = now;
        self.published.cancelled(query);
        self.asks.cancel(query);
        self.wire.events.retain(|event| event.query() != Some(query));
    }

    /// Stores with `store` from now on, in the place of [`MemoryStore`](crate::MemoryStore); what was stored until
    /// now is dropped. Best called right after [`new`](Self::new).
    pub fn set_store(&mut self, mut store: Box<dyn Store>) {
        store.set_home(self.networks.home());
        self.server.store = store;
    }

    /// Answers strangers within these limits from now on, in the place of [`Config::limits`]. Nothing else changes: who
    /// has proven its address stays proven, tokens stay good, and who was over budget earns it back at the new rate. Only
    /// another number of [budgets](LimitConfig::remembered) makes every budget full, which at most one burst is gained by.
    ///
    /// # Errors
    /// [`LimitError`] for limits that make no sense; the old ones then stay.
    pub fn set_limits(&mut self, limits: LimitConfig) -> Result<(), LimitError> {
        limits.check()?;
        self.server.set_limits(&limits);
        self.config.limits = limits;
        Ok(())
    }

    /// The limits within which strangers are answered.
    #[must_use]
    pub fn limits(&self) -> &LimitConfig {
        &self.config.limits
    }

    /// Lets `hook` see every request of strangers before it is answered, and refuse it.
    pub fn set_hook(&mut self, hook: RequestHook) {
        self.server.hook.set(hook);
    }

    /// Takes back the payload of a [`Transmit`] that was sent: the next answer is then written into the same memory.
    /// Not needed, but saves an allocation an answer.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        self.wire.recycle(payload);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.wire.poll_transmit()
    }

    /// The next thing the owner should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.wire.poll_event()?;
        self.published.heed(&event);
        if let Event::Done { report, .. } = &event {
            let counters = &mut self.wire.counters;
            counters.ask_requests.record(u64::try_from(report.queried).unwrap_or(u64::MAX));
            counters.ask_times.record(whole_millis(report.elapsed));
            if report.answered > 0 {
                counters.ask_hops.record(u64::try_from(report.hops).unwrap_or(u64::MAX));
            }
        }
        Some(event)
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next; `None` when nothing is due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.wire.transactions.poll_timeout(),
            self.asks.poll_timeout(),
            self.upkeep.poll_timeout(),
            self.server.store.poll_timeout(),
            self.offline_due(),
            self.reach.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Looks at the node.
    #[must_use]
    pub fn info(&self) -> Info {
        let counts = self.server.store.counts();
        let family = |family| self.networks.of(family).map(crate::network::Network::info);
        Info {
            ipv4: family(Family::V4),
            ipv6: family(Family::V6),
            bootstrapped: self.upkeep.has_settled(),
            offline: self.is_offline(),
            read_only: self.reach.is_read_only(),
            reachable: self.reach.is_reachable(),
            asks: self.asks.len(),
            items: counts.items,
            info_hashes: counts.info_hashes,
            counters: self.wire.counters,
        }
    }

    /// The nodes of our tables, those that answered last first: what to save and bootstrap from next time.
    #[must_use]
    pub fn contacts(&self) -> Vec<RemoteNode> {
        self.living().into_iter().map(|entry| RemoteNode::from(entry.contact())).collect()
    }

    /// Whom a search for `target` can start from, the closest first: the `most` closest of all that we remember, those
    /// of the table among them ([`Config::contacts`]). For looking at; a search chooses for itself.
    #[must_use]
    pub fn remembered(&self, now: Instant, target: &Id, most: usize) -> Vec<RemoteNode> {
        let goal = kad_id(target);
        let known = self.networks.iter().flat_map(|network| {
            let listed = network.table.iter().map(Entry::contact);
            network.remembered(now, &goal, most).chain(listed)
        });
        let mut known: Vec<_> = known.map(RemoteNode::from).collect();
        known.sort_by_key(|node| (goal.distance(&kad_id(&node.id)), node.addr));
        known.dedup();
        known.truncate(most);
        known
    }

    /// The entries of our tables: those without a failure first, and of these those that answered last.
    fn living(&self) -> Vec<&Entry<Contact>> {
        let mut entries: Vec<_> =
            self.networks.iter().flat_map(|network| network.table.iter()).collect();
        entries.sort_by_key(|entry| (entry.failures(), std::cmp::Reverse(entry.last_answer())));
        entries
    }

    fn handle_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        length: usize,
        transaction: &[u8],
        read_only: bool,
        query: &Query<'_>,
    ) {
        let Some(network) = self.networks.of(Family::of(from)) else { return };
        let counters = &mut self.wire.counters;
        if query.id == network.id {
            // Our own id from elsewhere is our own voice, reflected.
            counters.reflected += 1;
            return;
        }
        self.note_stranger(now, from);
        if self.reach.is_read_only() {
            self.wire.counters.unserved += 1;
            return;
        }
        let (server, networks, wire) = (&mut self.server, &self.networks, &mut self.wire);
        let admitted = server.admit(now, from, length, Some(&query.id), networks);
        let Some(arrival) = admitted else {
            wire.counters.limited += 1;
            return;
        };
        wire.counters.queries += 1;
        wire.counters.asked_of_us.count(&query.method);
        server.handle_query(&arrival, transaction, read_only, query, networks, wire);
        if !read_only {
            let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
            self.upkeep.greet(&mut scene, Contact::new(query.id, from));
        }
    }

    fn handle_broken(
        &mut self,
        now: Instant,
        from: SocketAddr,
        length: usize,
        error: &DecodeError<'_>,
    ) {
        if self.reach.is_read_only() {
            return;
        }
        let (server, networks, wire) = (&mut self.server, &self.networks, &mut self.wire);
        if let Some(arrival) = server.admit(now, from, length, None, networks) {
            server.handle_broken(&arrival, error, wire);
        }
    }

    /// Whoever asks us without having been asked by us got through to us.
    fn note_stranger(&mut self, now: Instant, from: SocketAddr) {
        let far = Scope::of(from) == Scope::Global;
        if far && !self.wire.contacted.has(now, from.ip(), CONTACT) {
            let changed = self.reach.asked_unasked(now, from.ip());
            self.tell_role(changed);
        }
    }

    fn tell_role(&mut self, changed: bool) {
        if changed {
            let (reachable, read_only) = (self.reach.is_reachable(), self.reach.is_read_only());
            tracing::info!(?reachable, read_only, "our reachability or role changed");
            self.wire.read_only = read_only;
            self.wire.events.push_back(Event::Role { reachable, read_only });
        }
    }

    fn handle_response(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        ip: Option<SocketAddr>,
        response: &Response<'_>,
    ) {
        let Some(pending) = self.close(now, from, transaction) else { return };
        self.wire.counters.answers += 1;
        let rtt = now.saturating_duration_since(pending.sent);
        self.wire.counters.round_trips.record(whole_millis(rtt));
        let filter = self.networks.filter;
        self.server.prove(now, from);
        let Some(network) = self.networks.of_mut(Family::of(from)) else { return };
        if let Some(expected) = pending.id.filter(|expected| *expected != response.id) {
            network.mistook(&expected, from);
            self.route(now, &pending, Reply::WrongId(response.id));
            return;
        }
        let contact = Contact::new(response.id, from);
        if network.is_other(filter, &contact) {
            self.learn(now, contact, &pending, ip);
        }
        self.route(now, &pending, Reply::Response { contact, response });
    }

    /// Uses what every answer tells, whatever it answers: its sender lives, and sees us somewhere.
    fn learn(&mut self, now: Instant, contact: Contact, pending: &Pending, ip: Option<SocketAddr>) {
        let family = contact.family();
        let Some(network) = self.networks.of_mut(family) else { return };
        let rtt = now.saturating_duration_since(pending.sent);
        network.answered(now, contact, rtt, pending.stalled);
        let Some(seen) = ip else { return };
        let Some(addr) = network.vote(now, &mut self.wire.rng, contact.addr().ip(), seen) else {
            return;
        };
        let id: Id = network.id;
        tracing::info!(%addr, %id, "others agree on our address");
        self.wire.events.push_back(Event::PublicAddress { addr, id });
        self.server.store.set_home(self.networks.home());
        self.upkeep.rejoin(now, family);
    }

    /// The request that a reply belongs to; anything else is counted and dropped.
    fn close(&mut self, now: Instant, from: SocketAddr, transaction: &[u8]) -> Option<Pending> {
        let pending = self.wire.transactions.close(now, from, transaction);
        self.wire.counters.unexpected += u64::from(pending.is_none());
        pending
    }

    fn route(&mut self, now: Instant, pending: &Pending, reply: Reply<'_>) {
        if pending.purpose == Purpose::Ping {
            self.upkeep.ping_ended(pending.to);
            return;
        }
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.asks.handle_reply(&mut scene, pending, reply);
    }

    /// A request will not be answered.
    fn lose(&mut self, now: Instant, pending: &Pending) {
        let family = Family::of(pending.to);
        // While our line is down everybody seems dead, and nobody should be forgotten for it.
        if !self.wire.transactions.is_down(family)
            && let Some(id) = pending.id
            && let Some(network) = self.networks.of_mut(family)
        {
            network.missed(now, &id, pending.to);
            if self.wire.transactions.blames(now, pending, id) {
                network.lost(now, &id, pending.to);
            }
        }
        self.give_up(now, pending);
    }

    /// Holds earlier losses against those of whom it has turned out since that they were silent.
    fn blame(&mut self, now: Instant, family: Family) {
        while let Some(silent) = self.wire.transactions.next_blamed(family) {
            if let Some(network) = self.networks.of_mut(family) {
                network.lost(now, &silent.id, silent.addr);
            }
        }
    }

    /// Goes on without the answer to a request.
    fn give_up(&mut self, now: Instant, pending: &Pending) {
        self.wire.counters.timed_out += 1;
        if pending.purpose == Purpose::Ping {
            self.upkeep.ping_ended(pending.to);
            return;
        }
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.asks.handle_loss(&mut scene, pending);
    }

    /// Lets the upkeep see what an input changed.
    fn settle(&mut self, now: Instant) {
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.upkeep.settle(&mut scene, &mut self.asks);
        self.leave(now);
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_of_an_address_that_cannot_be_reached_ends_at_once() {
        let now = crate::testing::start();
        let mut node = Node::new(Config::default(), [5; 32], now);
        let [asked, other] = [[60, 1, 1, 1], [60, 1, 1, 2]].map(|ip| SocketAddr::from((ip, 6881)));
        let query = node.ask(now, Ask::Ping { addr: asked });
        let sent: Vec<_> = std::iter::from_fn(|| node.poll_transmit()).take(10).collect();
        assert!(sent.iter().any(|transmit| transmit.to == asked));
        let is_done = |node: &mut Node| {
            let events = std::iter::from_fn(|| node.poll_event()).take(10);
            events
                .into_iter()
                .any(|event| matches!(event, Event::Done { query: of, .. } if of == query))
        };
        node.handle_unreachable(now, other);
        assert!(!is_done(&mut node), "nobody asked there");
        node.handle_unreachable(now, asked);
        assert!(is_done(&mut node));
    }
}
