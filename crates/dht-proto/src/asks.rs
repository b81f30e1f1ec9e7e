//! All running searches: who starts, who gets which answer, who ends when.
//! Apart from the searches themselves, which know nothing of each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::{Id, Response};

use crate::contact::Contact;
use crate::goal::Goal;
use crate::scope::Family;
use crate::search::{Leg, Origin, Pace, Scene, Search};
use crate::store::Store;
use crate::timers::Timers;
use crate::transactions::{Pending, Purpose};
use crate::{
    Ask, AskOptions, Config, Event, LookupError, LookupReport, Outcome, PutError, QueryId,
};

/// How many bootstrap addresses are kept.
const MAX_BOOTSTRAP: usize = 256;

/// The longest deadline, whatever is configured: beyond it, adding it to a time could overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Why a search is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Clock {
    /// Only stalled nodes are left, and they had their extra time.
    Grace,
    /// It has run for long enough, whatever the network does.
    Deadline,
}

/// A search of the upkeep that ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tended {
    pub(crate) query: QueryId,
    /// How many nodes answered.
    pub(crate) answered: usize,
}

/// What an answered request was answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply<'a> {
    /// As expected.
    Response { contact: Contact, response: &'a Response<'a> },
    /// Under another id than expected.
    WrongId(Id),
    /// An error.
    Error { code: i64 },
}

/// The running searches and their deadlines.
#[derive(Debug)]
pub(crate) struct Asks {
    next: u64,
    /// Boxed, because a map keeps room for several even when it is empty again.
    running: BTreeMap<QueryId, Box<Search>>,
    timers: Timers<(QueryId, Clock)>,
    /// How many of the running searches are the upkeep's.
    tending: usize,
    /// Searches of the upkeep that ended since it last looked.
    pub(crate) tended: Vec<Tended>,
    bootstrap: Vec<SocketAddr>,
    names_follow: bool,
    /// Whether asks wait until nodes of an earlier run have answered.
    held: bool,
    pace: Pace,
    deadline: Duration,
    capacity: usize,
}

impl Asks {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            next: 0,
            running: BTreeMap::new(),
            timers: Timers::new(),
            tending: 0,
            tended: Vec::new(),
            bootstrap: config.bootstrap.iter().copied().take(MAX_BOOTSTRAP).collect(),
            names_follow: config.more_bootstrap,
            held: false,
            pace: Pace::new(config),
            deadline: config.ask_deadline.min(LONGEST),
            capacity: config.max_asks,
        }
    }

    /// How many of the owner's asks run.
    pub(crate) fn len(&self) -> usize {
        self.running.len().saturating_sub(self.tending)
    }

    /// Whether bootstrap names are still being resolved.
    pub(crate) fn names_follow(&self) -> bool {
        self.names_follow
    }

    /// Whether asks of the owner wait until nodes of an earlier run have answered.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Lets asks of the owner wait, or no longer; see [`start_waiting`](Self::start_waiting).
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub(crate) fn bootstrap(&self) -> &[SocketAddr] {
        &self.bootstrap
    }

    /// Learns bootstrap addresses; whoever waited for them starts.
    pub(crate) fn add_bootstrap(&mut self, scene: &mut Scene<'_>, addresses: &[SocketAddr]) {
        for addr in addresses {
            if self.bootstrap.len() < MAX_BOOTSTRAP && !self.bootstrap.contains(addr) {
                self.bootstrap.push(*addr);
            }
        }
        self.names_follow = false;
        self.start_waiting(scene);
    }

    /// Starts the searches that waited for somebody to ask.
    pub(crate) fn start_waiting(&mut self, scene: &mut Scene<'_>) {
        let waiting: Vec<QueryId> = self
            .running
            .iter()
            .filter(|(_, search)| !search.has_started())
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            if let Some(search) = self.running.remove(&id) {
                self.launch(scene, search, &Family::BOTH);
            }
        }
    }

    /// Starts an ask of the owner.
    pub(crate) fn ask(
        &mut self,
        scene: &mut Scene<'_>,
        store: &dyn Store,
        ask: Ask,
        options: AskOptions,
    ) -> QueryId {
        let id = self.next_id();
        let goal = Goal::new(ask);
        if self.len() >= self.capacity {
            let outcome = busy(&goal);
            let report = LookupReport::default();
            scene.wire.events.push_back(Event::Done { query: id, outcome, report });
            return id;
        }
        let pace = self.pace.of_owner(&goal, options, self.len());
        let origin = Origin::Owner { traced: options.traced };
        let mut search = Search::new(scene.now, id, goal, origin, pace);
        consult(&mut search, scene, store);
        let deadline = options.deadline.map_or(self.deadline, |deadline| deadline.min(LONGEST));
        self.timers.set((id, Clock::Deadline), scene.now + deadline);
        self.launch(scene, Box::new(search), &Family::BOTH);
        id
    }

    /// Starts a search of the upkeep in one family: its answers fill the table.
    pub(crate) fn tend(&mut self, scene: &mut Scene<'_>, family: Family, target: Id) -> QueryId {
        let id = self.next_id();
        let goal = Goal::Nodes { target };
        let search = Search::new(scene.now, id, goal, Origin::Upkeep, self.pace.of_upkeep());
        self.tending += 1;
        self.timers.set((id, Clock::Deadline), scene.now + self.deadline);
        self.launch(scene, Box::new(search), &[family]);
        id
    }

    pub(crate) fn cancel(&mut self, query: QueryId) {
        self.running.remove(&query);
        self.forget_timers(query);
    }

    /// A request of a search was answered.
    pub(crate) fn handle_reply(
        &mut self,
        scene: &mut Scene<'_>,
        pending: &Pending,
        reply: Reply<'_>,
    ) {
        let (Purpose::Walk(query) | Purpose::Store(query)) = pending.purpose else { return };
        let walking = pending.purpose == Purpose::Walk(query);
        self.with(scene, query, |search, scene| match reply {
            Reply::Response { contact, response } if walking => {
                search.handle_answer(scene, pending, contact, response);
            }
            Reply::Response { contact, .. } => {
                search.handle_stored(scene, pending, contact.key(), None);
            }
            Reply::WrongId(id) if walking => search.handle_wrong_id(scene, pending, id),
            Reply::WrongId(_) => search.handle_store_loss(scene, pending),
            Reply::Error { code } if walking => search.handle_error(scene, pending, code),
            Reply::Error { code } => {
                let id = pending.id.unwrap_or(Id::from_bytes([0; 20]));
                search.handle_stored(scene, pending, id, Some(code));
            }
        });
    }

    /// A request of a search takes longer than most.
    pub(crate) fn handle_late(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        if let Purpose::Walk(query) = pending.purpose {
            self.with(scene, query, |search, scene| search.handle_late(scene, pending));
        }
    }

    /// A request of a search takes longer than usual.
    pub(crate) fn handle_stall(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        if let Purpose::Walk(query) | Purpose::Store(query) = pending.purpose {
            self.with(scene, query, |search, scene| search.handle_stall(scene, pending));
        }
    }

    /// A request of a search was lost.
    pub(crate) fn handle_loss(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        match pending.purpose {
            Purpose::Walk(query) => {
                self.with(scene, query, |search, scene| search.handle_loss(scene, pending));
            }
            Purpose::Store(query) => {
                self.with(scene, query, |search, scene| search.handle_store_loss(scene, pending));
            }
            Purpose::Ping => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, scene: &mut Scene<'_>) {
        while let Some((query, clock)) = self.timers.pop_due(scene.now) {
            match clock {
                Clock::Grace => self.with(scene, query, Search::end_grace),
                Clock::Deadline => {
                    if let Some(search) = self.running.remove(&query) {
                        self.end(scene, search, true);
                    }
                }
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn next_id(&mut self) -> QueryId {
        let id = QueryId(self.next);
        self.next += 1;
        id
    }

    /// Gives a search its legs, or lets it wait for bootstrap names, or ends it for want of nodes.
    fn launch(&mut self, scene: &mut Scene<'_>, mut search: Box<Search>, families: &[Family]) {
        let filter = scene.networks.filter;
        let mut legs = Vec::new();
        for family in families {
            let Some(network) = scene.networks.of(*family) else { continue };
            let desperate = scene.wire.transactions.is_down(*family);
            let hosts = self.bootstrap.iter().copied().filter(|addr| filter.allows(*addr));
            legs.extend(Leg::new(scene.now, network, &search.goal, search.pace, desperate, hosts));
        }
        let waits = self.held
            && scene.networks.nodes() == 0
            && search.origin != Origin::Upkeep
            && search.goal.only().is_none();
        let waits = waits || (legs.is_empty() && self.names_follow);
        if waits && !search.goal.is_reached() {
            self.running.insert(search.id, search);
            return;
        }
        search.start(legs, scene);
        self.keep_or_end(scene, search);
    }

    /// Lets a search act, then ends it if it is over.
    fn with(
        &mut self,
        scene: &mut Scene<'_>,
        query: QueryId,
        act: impl FnOnce(&mut Search, &mut Scene<'_>),
    ) {
        if let Some(mut search) = self.running.remove(&query) {
            act(&mut search, scene);
            self.keep_or_end(scene, search);
        }
    }

    fn keep_or_end(&mut self, scene: &mut Scene<'_>, search: Box<Search>) {
        if search.is_over(scene.wire) {
            self.end(scene, search, false);
            return;
        }
        let grace = (search.id, Clock::Grace);
        match search.grace(scene.now, scene.wire) {
            Some(at) => self.timers.set_if_absent(grace, at),
            None => self.timers.clear(grace),
        }
        self.running.insert(search.id, search);
    }

    fn end(&mut self, scene: &mut Scene<'_>, search: Box<Search>, cut_short: bool) {
        let (query, origin) = (search.id, search.origin);
        self.forget_timers(query);
        let (outcome, report) = search.finish(scene.now, cut_short);
        match origin {
            Origin::Owner { .. } => {
                scene.wire.events.push_back(Event::Done { query, outcome, report });
            }
            Origin::Upkeep => {
                self.tending = self.tending.saturating_sub(1);
                self.tended.push(Tended { query, answered: report.answered });
            }
        }
    }

    fn forget_timers(&mut self, query: QueryId) {
        self.timers.clear((query, Clock::Grace));
        self.timers.clear((query, Clock::Deadline));
    }
}

/// Looks into our own store first: what others put here was verified when it came in.
fn consult(search: &mut Search, scene: &mut Scene<'_>, store: &dyn Store) {
    let target = search.goal.target();
    let events = &mut scene.wire.events;
    if let Some(item) = store.mutable(scene.now, &target) {
        search.goal.offer_mutable(search.id, &item, events);
    }
    if let Some(item) = store.immutable(scene.now, &target) {
        search.goal.offer_immutable(search.id, &item, events);
    }
    let filter = scene.networks.filter;
    let mut peers = Vec::new();
    store.peers(scene.now, &target, None, &mut |peer| {
        if filter.allows(peer.addr) {
            peers.push(peer);
        }
    });
    search.goal.offer_peers(search.id, peers.into_iter(), events);
}

/// The outcome of an ask for which there is no room.
fn busy(goal: &Goal) -> Outcome {
    match goal {
        Goal::Mutable { .. } => Outcome::Mutable(Err(LookupError::Busy)),
        Goal::Immutable { .. } => Outcome::Immutable(Err(LookupError::Busy)),
        Goal::Peers { .. } => Outcome::Peers(Err(LookupError::Busy)),
        Goal::Nodes { .. } | Goal::Ping { .. } => Outcome::Nodes(Err(LookupError::Busy)),
        Goal::Samples { .. } => Outcome::Samples(Err(LookupError::Busy)),
        Goal::Scrape { .. } => Outcome::Scrape(Err(LookupError::Busy)),
        Goal::PutMutable { .. } | Goal::PutImmutable { .. } | Goal::Announce { .. } => {
            Outcome::Put(Err(PutError::Lookup(LookupError::Busy)))
        }
    }
}
