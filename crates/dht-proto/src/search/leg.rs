//! A search in one family: the walk to the target and the store phase behind it.
//! Apart from the search, which adds up both families and speaks to the owner.

use std::net::SocketAddr;
use std::time::Instant;

use mainstay_kad::{Answer, Ending, Paths};
use mainstay_krpc::{AnnouncePort, Method, Put, Response, Want};

use super::veil::Veil;
use super::{Pace, Scene};
use crate::contact::{Contact, Endpoint, kad_id};
use crate::goal::Goal;
use crate::network::{FEW, NODES, Network};
use crate::put::{Holder, Note, Stage, Storing};
use crate::scope::{Family, Scope};
use crate::transactions::Purpose;
use crate::wire::Request;
use crate::{QueryId, RemoteNode, StepKind};

/// How many contacts a walk starts from.
const SEEDS: usize = 16;
/// How many it is given at most, when those were not enough.
const MOST_SEEDS: usize = 256;

/// One family's part of a search.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) family: Family,
    /// The closest nodes that answered; known once the walk has settled.
    pub(crate) closest: Vec<RemoteNode>,
    /// How many nodes were passed over because too many stood near the target.
    pub(crate) crowded: usize,
    /// How long the longest chain of answers was; known once the walk has settled.
    hops: usize,
    pace: Pace,
    manner: Manner,
    state: State,
}

/// How a leg asks those on its way.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// What those far from the target are asked instead.
    veil: Option<Veil>,
    /// Whether their answers are waited for half as long again as others.
    patiently: bool,
    /// Whether the walk spares messages, and so wants to know who is late.
    hedged: bool,
}

/// Walking → storing, if the goal is to store → done.
#[derive(Debug)]
enum State {
    Walking(Box<Walk>),
    Storing(Storing),
    Done { asked: usize },
}

/// A walk, and the copies stored on the way.
#[derive(Debug)]
struct Walk {
    lookup: Paths<Contact, 20, Note>,
    /// How many contacts near the target it was given to start from.
    seeds: usize,
    closest: usize,
    early: Storing,
}

impl Walk {
    /// Where nobody but stalled nodes is left and too few have answered, goes on from contacts farther off;
    /// true if there are any. Where nine of ten nodes are dead, those who answer name too few who live.
    fn reseed(&mut self, family: Family, scene: &Scene<'_>) -> bool {
        let stuck = !self.lookup.is_settled() && self.lookup.in_flight() == 0;
        if !stuck || self.seeds >= MOST_SEEDS || self.lookup.responded_to() >= self.closest {
            return false;
        }
        let Some(network) = scene.networks.of(family) else { return false };
        self.seeds *= 2;
        let target = *self.lookup.target();
        let mut fresh = false;
        let remembered = network.remembered(scene.now, &target, self.seeds);
        for seed in remembered.chain(network.table.closest(&target, self.seeds)) {
            fresh |= self.lookup.add(*seed);
        }
        fresh
    }
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
        let config = pace.lookup(goal, network);
        let hedged = config.sparing.is_some();
        let mut lookup = Paths::new(target, config, pace.paths).excluding(kad_id(&network.id));
        if let Some(addr) = goal.only() {
            let asked = Family::of(addr) == network.family
                && Scope::of(addr) != Scope::Never
                && lookup.add_unidentified(Contact::unidentified(addr));
            return asked.then(|| Self::walking(network.family, goal, pace, lookup));
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
        for remembered in network.remembered(now, &target, SEEDS) {
            known += usize::from(lookup.add(*remembered));
        }
        let failing = if living.len() < NODES { SEEDS } else { 0 };
        for seed in living.into_iter().chain(table.closest_even_failing(&target, failing)) {
            known += usize::from(lookup.add(*seed));
        }
        let veil = if pace.private { Veil::new(goal, network) } else { None };
        let leg = Self::walking(network.family, goal, pace, lookup);
        (known > 0).then_some(Self { manner: Manner { veil, hedged, ..leg.manner }, ..leg })
    }

    fn walking(family: Family, goal: &Goal, pace: Pace, lookup: Paths<Contact, 20, Note>) -> Self {
        // What is for one address is for nobody else.
        let seeds = if goal.only().is_some() { MOST_SEEDS } else { SEEDS };
        let walk =
            Walk { lookup, seeds, closest: pace.closest(goal), early: Storing::new(pace.copies()) };
        let state = State::Walking(Box::new(walk));
        let manner = Manner { veil: None, patiently: pace.thorough, hedged: false };
        Self { family, closest: Vec::new(), crowded: 0, hops: 0, pace, manner, state }
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
            State::Walking(walk) => walk.early.asked(),
            State::Storing(storing) => storing.asked(),
            State::Done { asked } => *asked,
        }
    }

    /// How long the longest chain of answers is, each naming the next.
    pub(crate) fn hops(&self) -> usize {
        match &self.state {
            State::Walking(walk) => walk.lookup.stats().hops,
            State::Storing(_) | State::Done { .. } => self.hops,
        }
    }

    /// Whether the walk has answers and waits for nobody but stalled nodes.
    pub(crate) fn only_stalls(&self) -> bool {
        let State::Walking(walk) = &self.state else { return false };
        let lookup = &walk.lookup;
        !self.pace.thorough
            && !lookup.is_settled()
            && lookup.in_flight() == 0
            && lookup.responded_to() > 0
    }

    /// Uses an answer; says how many nodes it named.
    pub(crate) fn take(
        &mut self,
        goal: &Goal,
        scene: &mut Scene<'_>,
        contact: Contact,
        note: Note,
        response: &Response<'_>,
    ) -> usize {
        let State::Walking(walk) = &mut self.state else { return 0 };
        let mut named = Vec::new();
        for family in Family::BOTH {
            let others = scene.networks.hear(scene.now, contact.addr(), named_in(response, family));
            if family == self.family {
                named = others;
            }
        }
        let count = named.len();
        if goal.only().is_some() {
            named.clear();
        }
        let early = if self.pace.eager && goal.is_eager() { note.holder(contact) } else { None };
        let counted = walk.lookup.responded(contact, note, named) == Answer::Counted;
        if let Some(holder) = early.filter(|_| counted)
            && scene.networks.of(self.family).is_some_and(|network| {
                network.is_close(&goal.target(), &contact.key(), walk.early.wanted())
            })
        {
            walk.early.offer(holder);
        }
        count
    }

    /// Whom an answer names, in both families.
    pub(crate) fn named_in(response: &Response<'_>) -> impl Iterator<Item = Contact> {
        Family::BOTH.into_iter().flat_map(|family| named_in(response, family))
    }

    /// A value was found: a lookup need not look as widely any more as for one that may be absent.
    pub(crate) fn found(&mut self) {
        match &mut self.state {
            State::Walking(walk) => walk.lookup.narrow(NODES),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// A visit takes longer than most.
    pub(crate) fn late(&mut self, addr: SocketAddr) {
        match &mut self.state {
            State::Walking(walk) => walk.lookup.late(&Endpoint::from(addr)),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// A visit timed out.
    pub(crate) fn lose(&mut self, addr: SocketAddr) {
        match &mut self.state {
            State::Walking(walk) => walk.lookup.lost(&Endpoint::from(addr)),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// A visit was answered with something that cannot be used.
    pub(crate) fn fail(&mut self, addr: SocketAddr) {
        match &mut self.state {
            State::Walking(walk) => walk.lookup.failed(&Endpoint::from(addr)),
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// A visit takes longer than usual; where much is lost, or nobody is to be missed, another datagram follows.
    pub(crate) fn stall(&mut self, scene: &Scene<'_>, addr: SocketAddr) {
        let rough =
            scene.networks.of(self.family).is_some_and(|network| network.weather.is_rough());
        match &mut self.state {
            State::Walking(walk) => {
                walk.lookup.ask_twice(rough || self.pace.thorough);
                walk.lookup.stalled(&Endpoint::from(addr));
            }
            State::Storing(_) | State::Done { .. } => {}
        }
    }

    /// Notes what became of a store request; false if that is not news.
    pub(crate) fn report(&mut self, addr: SocketAddr, stage: Stage) -> bool {
        match &mut self.state {
            State::Storing(storing) => storing.report(addr, stage),
            State::Walking(walk) => walk.early.report(addr, stage),
            State::Done { .. } => false,
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
        if let State::Walking(walk) = &mut self.state {
            while let Some(holder) = walk.early.next() {
                store(query, goal, scene, &holder);
                sent.push((holder.contact, StepKind::Storing));
            }
            loop {
                while let Some(contact) = walk.lookup.next() {
                    visit(query, goal, self.manner, scene, &contact);
                    sent.push((contact, StepKind::Asked));
                }
                if !walk.reseed(self.family, scene) {
                    break;
                }
            }
            if walk.lookup.is_settled() {
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
        let done = State::Done { asked: self.asked_to_store() };
        let State::Walking(walk) = std::mem::replace(&mut self.state, done) else { return };
        let Walk { lookup, early: mut storing, .. } = *walk;
        let target = kad_id(&goal.target());
        self.crowded = lookup.crowded();
        self.hops = lookup.stats().hops;
        let outcome = lookup.into_outcome();
        let nearest = outcome.responders.iter().take(NODES);
        self.closest =
            nearest.clone().map(|responder| RemoteNode::from(&responder.contact)).collect();
        if let Some(network) = scene.networks.of_mut(self.family) {
            if !self.pace.thorough {
                let stats = &outcome.stats;
                network.weather.asked_twice(stats.second_queries, stats.second_answers);
            }
            if outcome.ending == Ending::Converged && self.crowded == 0 {
                let ids = nearest.map(|responder| kad_id(&responder.contact.key()));
                network.size.observe(&target, ids);
            }
        }
        if goal.stores() && !goal.is_outdated(true) {
            let responders = outcome.responders.into_iter();
            storing.settle(
                responders
                    .filter_map(|responder| responder.extra.holder(responder.contact))
                    .collect(),
            );
            self.state = State::Storing(storing);
        }
    }
}

/// Asks one node on the way; one datagram a visit.
fn visit(query: QueryId, goal: &Goal, manner: Manner, scene: &mut Scene<'_>, contact: &Contact) {
    let want = scene.networks.want(contact.family());
    let Some(network) = scene.networks.of_mut(contact.family()) else { return };
    let Manner { veil, patiently, hedged } = manner;
    let method = match veil {
        Some(veil) => veil.method(goal, contact, &mut scene.wire.rng),
        None => goal.method(),
    };
    network.asked(scene.now, contact);
    let request = Request {
        own: network.id,
        to: contact.addr(),
        id: contact.known_id(),
        want,
        method,
        purpose: Purpose::Walk(query),
        patiently,
        hedged,
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
        Goal::Announce { info_hash, port, seed } => {
            let port = match port {
                Some(port) => AnnouncePort::Explicit(*port),
                None => AnnouncePort::Implied { fallback: network.port() },
            };
            let (info_hash, seed) = (*info_hash, *seed);
            Method::AnnouncePeer { info_hash, port, token, seed, name: None }
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
        patiently: false,
        hedged: false,
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
