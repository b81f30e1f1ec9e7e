//! A search in one family: the walk to the target and the store phase behind it.
//! Apart from the search, which adds up both families and speaks to the owner.

use std::net::SocketAddr;
use std::time::Instant;

use mainstay_kad::{Ending, Lookup, LookupConfig};
use mainstay_krpc::{AnnouncePort, Method, Put, Response, Want};

use super::Scene;
use crate::contact::{Contact, Endpoint, kad_id};
use crate::goal::Goal;
use crate::network::{FEW, NODES, Network};
use crate::put::{Holder, Note, Stage, Storing};
use crate::scope::{Family, Scope};
use crate::transactions::Purpose;
use crate::wire::Request;
use crate::{Config, QueryId, RemoteNode, StepKind};

/// How many contacts a walk starts from.
const SEEDS: usize = 16;

/// How a search walks and how many copies it stores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    concurrency: usize,
    visits: usize,
    store_at: usize,
}

impl Pace {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            concurrency: config.concurrency.max(1),
            visits: config.max_visits,
            store_at: config.store_at.clamp(1, 20),
        }
    }

    fn closest(self, goal: &Goal) -> usize {
        if goal.stores() { self.store_at.max(NODES) } else { NODES }
    }

    fn lookup(self, goal: &Goal) -> LookupConfig {
        LookupConfig {
            closest: self.closest(goal),
            parallelism: self.concurrency,
            // The neighbours of the closest must all be asked anyway.
            closing_parallelism: NODES.max(self.concurrency),
            visits: self.visits,
            ..LookupConfig::default()
        }
    }
}

/// One family's part of a search.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) family: Family,
    /// The closest nodes that answered; known once the walk has settled.
    pub(crate) closest: Vec<RemoteNode>,
    store_at: usize,
    state: State,
}

/// Walking → storing, if the goal is to store → done.
#[derive(Debug)]
enum State {
    Walking(Box<Lookup<Contact, 20, Note>>),
    Storing(Storing),
    Done { asked: usize },
}

impl Leg {
    /// A walk over `network`, from its table and, if that holds few who answer or we seem to be offline
    /// (`desperate`), from those only heard of and from `bootstrap`; `None` if there is nobody to ask.
    pub(crate) fn new(
        now: Instant,
        network: &Network,
        goal: &Goal,
        pace: Pace,
        desperate: bool,
        bootstrap: impl Iterator<Item = SocketAddr>,
    ) -> Option<Self> {
        let target = kad_id(&goal.target());
        let mut lookup = Lookup::new(target, pace.lookup(goal)).excluding(kad_id(&network.id));
        if let Goal::Ping { addr } = goal {
            let asked = Family::of(*addr) == network.family
                && Scope::of(*addr) != Scope::Never
                && lookup.add_unidentified(Contact::unidentified(*addr));
            return asked.then(|| Self::walking(network.family, pace, lookup));
        }
        let table = &network.table;
        let living = table.closest(&target, SEEDS);
        let mut known = 0;
        if living.len() < FEW || desperate {
            // Hosts come before the table's entry at the same address: it may have another id by now.
            let hosts = bootstrap.filter(|addr| Family::of(*addr) == network.family);
            for addr in hosts.take(NODES) {
                known += usize::from(lookup.add_unidentified(Contact::unidentified(addr)));
            }
            for spare in table.spares().take(SEEDS) {
                known += usize::from(lookup.add(*spare));
            }
        }
        for remembered in network.remembered(now, &goal.target(), SEEDS) {
            known += usize::from(lookup.add(*remembered));
        }
        let failing = if living.len() < NODES { SEEDS } else { 0 };
        for seed in living.into_iter().chain(table.closest_even_failing(&target, failing)) {
            known += usize::from(lookup.add(*seed));
        }
        (known > 0).then(|| Self::walking(network.family, pace, lookup))
    }

    fn walking(family: Family, pace: Pace, lookup: Lookup<Contact, 20, Note>) -> Self {
        let state = State::Walking(Box::new(lookup));
        Self { family, closest: Vec::new(), store_at: pace.store_at, state }
    }

    pub(crate) fn is_walking(&self) -> bool {
        matches!(self.state, State::Walking(_))
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// How many nodes were asked to store.
    pub(crate) fn asked_to_store(&self) -> usize {
        match &self.state {
            State::Walking(_) => 0,
            State::Storing(storing) => storing.asked(),
            State::Done { asked } => *asked,
        }
    }

    /// Whether the walk has answers and waits for nobody but stalled nodes.
    pub(crate) fn only_stalls(&self) -> bool {
        let State::Walking(lookup) = &self.state else { return false };
        !lookup.is_settled() && lookup.in_flight() == 0 && lookup.responders().next().is_some()
    }

    /// Uses an answer; says how many nodes it named.
    pub(crate) fn take(
        &mut self,
        scene: &mut Scene<'_>,
        contact: Contact,
        note: Note,
        response: &Response<'_>,
    ) -> usize {
        let State::Walking(lookup) = &mut self.state else { return 0 };
        let mut named = Vec::new();
        for family in Family::BOTH {
            let others = scene.networks.hear(scene.now, contact.addr(), named_in(response, family));
            if family == self.family {
                named = others;
            }
        }
        let count = named.len();
        lookup.responded(contact, note, named);
        count
    }

    pub(crate) fn fail(&mut self, addr: SocketAddr) {
        match &mut self.state {
            State::Walking(lookup) => lookup.failed(&Endpoint::from(addr)),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    pub(crate) fn stall(&mut self, addr: SocketAddr) {
        match &mut self.state {
            State::Walking(lookup) => lookup.stalled(&Endpoint::from(addr)),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// Notes what became of a store request; false if that is not news.
    pub(crate) fn report(&mut self, addr: SocketAddr, stage: Stage) -> bool {
        match &mut self.state {
            State::Storing(storing) => storing.report(addr, stage),
            State::Walking(_) | State::Done { .. } => false,
        }
    }

    /// Sends all that may be sent now, noting it in `sent`, and goes on to the next state when this one
    /// has ended.
    pub(crate) fn pump(
        &mut self,
        query: QueryId,
        goal: &Goal,
        scene: &mut Scene<'_>,
        sent: &mut Vec<(Contact, StepKind)>,
    ) {
        if let State::Walking(lookup) = &mut self.state {
            while let Some(contact) = lookup.next() {
                visit(query, goal, scene, &contact);
                sent.push((contact, StepKind::Asked));
            }
            if lookup.is_settled() {
                self.settle(goal, scene);
            }
        }
        if let State::Storing(storing) = &mut self.state {
            while let Some(holder) = storing.next() {
                store(query, goal, scene, &holder);
                sent.push((holder.contact, StepKind::Storing));
            }
            if storing.is_done() {
                self.state = State::Done { asked: storing.asked() };
            }
        }
    }

    /// Ends the walk, wherever it stands.
    pub(crate) fn settle(&mut self, goal: &Goal, scene: &mut Scene<'_>) {
        let done = State::Done { asked: 0 };
        let State::Walking(lookup) = std::mem::replace(&mut self.state, done) else { return };
        let target = *lookup.target();
        let outcome = lookup.into_outcome();
        let nearest = outcome.responders.iter().take(NODES);
        self.closest =
            nearest.clone().map(|responder| RemoteNode::from(&responder.contact)).collect();
        if let Some(network) = scene.networks.of_mut(self.family)
            && outcome.ending == Ending::Converged
        {
            let ids = nearest.map(|responder| kad_id(&responder.contact.key()));
            network.size.observe(&target, ids);
        }
        if goal.stores() && !goal.is_outdated(true) {
            let holders = outcome.responders.into_iter().filter_map(|responder| {
                let Note { token, holds } = responder.extra;
                Some(Holder { contact: responder.contact, token: token?, holds })
            });
            self.state = State::Storing(Storing::new(holders, self.store_at));
        }
    }
}

/// Asks one node on the way; one datagram a visit.
fn visit(query: QueryId, goal: &Goal, scene: &mut Scene<'_>, contact: &Contact) {
    let want = scene.networks.want(contact.family());
    let Some(network) = scene.networks.of_mut(contact.family()) else { return };
    network.asked(scene.now, contact);
    let request = Request {
        own: network.id,
        to: contact.addr(),
        id: contact.known_id(),
        want,
        method: goal.method(),
        purpose: Purpose::Walk(query),
    };
    scene.wire.ask(scene.now, request);
}

/// Asks one node to store.
fn store(query: QueryId, goal: &Goal, scene: &mut Scene<'_>, holder: &Holder) {
    let Some(network) = scene.networks.of(holder.contact.family()) else { return };
    let token = &*holder.token;
    let method = match goal {
        Goal::PutMutable { item, cas, .. } => {
            // Each node is held to the number it told us itself, and only where the caller wants that:
            // a node with an old copy of what the caller has read would refuse the caller's number.
            // One that holds nothing is held to that: 0 is compared only where somebody was faster.
            let cas = cas.map(|_| holder.holds.unwrap_or(0));
            Method::Put(Put::mutable(token, item, cas))
        }
        Goal::PutImmutable { item } => Method::Put(Put::immutable(token, item)),
        Goal::Announce { info_hash, port } => {
            let port = match port {
                Some(port) => AnnouncePort::Explicit(*port),
                None => AnnouncePort::Implied { fallback: network.port() },
            };
            Method::AnnouncePeer { info_hash: *info_hash, port, token, seed: false, name: None }
        }
        Goal::Mutable { .. }
        | Goal::Immutable { .. }
        | Goal::Peers { .. }
        | Goal::Nodes { .. }
        | Goal::Ping { .. }
        | Goal::Samples { .. }
        | Goal::Scrape { .. } => return,
    };
    let request = Request {
        own: network.id,
        to: holder.contact.addr(),
        id: holder.contact.known_id(),
        want: Want::NONE,
        method,
        purpose: Purpose::Store(query),
    };
    scene.wire.ask(scene.now, request);
}

/// The nodes of one family that an answer names.
fn named_in(response: &Response<'_>, family: Family) -> Vec<Contact> {
    /// More than any honest answer holds; the rest of a long one is not read.
    const MOST: usize = 32;
    match family {
        Family::V4 => response.nodes.iter().take(MOST).map(Contact::from).collect(),
        Family::V6 => response.nodes6.iter().take(MOST).map(Contact::from).collect(),
    }
}
