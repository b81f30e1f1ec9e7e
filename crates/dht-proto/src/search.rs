//! One ask from its first request to its end: a walk in each family, then perhaps a store phase.
//! Searches never share state; that two of them have one target means nothing.

mod ending;
mod leg;
mod pace;
mod veil;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::item::immutable_target;
use mainstay_krpc::{Id, Response};

pub(crate) use self::leg::Leg;
pub(crate) use self::pace::Pace;
use crate::contact::Contact;
use crate::goal::{Goal, Worth};
use crate::network::Networks;
use crate::put::{Note, Stage};
use crate::report::Holder;
use crate::scope::Family;
use crate::transactions::{Pending, Purpose};
use crate::wire::Wire;
use crate::{Event, LookupReport, QueryId, RemoteNode, Step, StepKind};

/// Whom a search runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The owner of the node, who gets events.
    Owner { traced: bool },
    /// The upkeep of one family's table, which is only told the end.
    Upkeep,
}

impl Origin {
    /// Whether every step is told.
    fn is_traced(self) -> bool {
        self == Self::Owner { traced: true }
    }
}

/// What an input acts on.
pub(crate) struct Scene<'a> {
    pub(crate) now: Instant,
    pub(crate) wire: &'a mut Wire,
    pub(crate) networks: &'a mut Networks,
}

/// One running ask.
///
/// Waiting for bootstrap names (no legs) → walking → storing, if it is a put → ended, each family by itself.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) id: QueryId,
    pub(crate) goal: Goal,
    pub(crate) origin: Origin,
    pub(crate) pace: Pace,
    legs: Vec<Leg>,
    began: Instant,
    report: LookupReport,
    /// Visits that stalled and were neither answered nor lost yet.
    stalling: usize,
    tally: Tally,
    /// Who named whom first, if that is told: as many as the answers of all visits hold.
    namers: BTreeMap<SocketAddr, SocketAddr>,
}

/// What a put has achieved, over both families.
#[derive(Debug, Default)]
struct Tally {
    stored: Vec<RemoteNode>,
    refused: Vec<(RemoteNode, i64)>,
    first_stored: Duration,
    quorum: Option<Duration>,
}

impl Search {
    pub(crate) fn new(now: Instant, id: QueryId, goal: Goal, origin: Origin, pace: Pace) -> Self {
        Self {
            id,
            goal,
            origin,
            pace,
            legs: Vec::new(),
            began: now,
            report: LookupReport::default(),
            stalling: 0,
            tally: Tally::default(),
            namers: BTreeMap::new(),
        }
    }

    pub(crate) fn has_started(&self) -> bool {
        !self.legs.is_empty()
    }

    /// Starts walking; `legs` are the families that have somebody to ask.
    pub(crate) fn start(&mut self, legs: Vec<Leg>, scene: &mut Scene<'_>) {
        self.legs = legs;
        self.pump(scene);
    }

    /// Whether the search has come to its end. A family whose line is down is asked, too, but not waited for while
    /// another works: many hosts have an IPv6 that leads nowhere.
    pub(crate) fn is_over(&self, wire: &Wire) -> bool {
        let is_down = |leg: &&Leg| wire.transactions.is_down(leg.family);
        let works = self.legs.iter().any(|leg| !is_down(&leg));
        let awaited = self.legs.iter().filter(|leg| !works || !is_down(leg));
        self.goal.is_reached() || awaited.clone().all(Leg::is_done)
    }

    /// When to go on without the nodes that only stall; `None` while others are still expected.
    pub(crate) fn grace(&self, now: Instant, wire: &Wire) -> Option<Instant> {
        let stuck = self.legs.iter().find(|leg| leg.only_stalls())?;
        Some(now + wire.transactions.patience(stuck.family) * 2)
    }

    /// Ends the walks that wait for stalled nodes only.
    pub(crate) fn end_grace(&mut self, scene: &mut Scene<'_>) {
        for leg in &mut self.legs {
            if leg.only_stalls() {
                leg.settle(&self.goal, scene);
            }
        }
        self.pump(scene);
    }

    /// A node answered a visit of ours, under the id it was asked by if that was known.
    ///
    /// What it says is judged before it counts as an answer: a node that hands out another key's item, or
    /// one that was tampered with, is treated as if it had stayed silent.
    pub(crate) fn handle_answer(
        &mut self,
        scene: &mut Scene<'_>,
        pending: &Pending,
        contact: Contact,
        response: &Response<'_>,
    ) {
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.family == contact.family()) else {
            return;
        };
        if !leg.is_walking() {
            return;
        }
        self.stalling -= usize::from(pending.stalled);
        let from = RemoteNode::from(&contact);
        let filter = scene.networks.filter.as_told_by(pending.to);
        let worth = self.goal.judge(self.id, from, response, filter, &mut scene.wire.events);
        let what = match worth {
            Worth::Invalid => {
                self.report.invalid += 1;
                leg.fail(pending.to);
                StepKind::Invalid
            }
            Worth::Hints | Worth::Value { .. } => {
                self.report.answered += 1;
                let rtt = scene.now.saturating_duration_since(pending.sent);
                if self.origin.is_traced() {
                    for named in Leg::named_in(response) {
                        self.namers.entry(named.addr()).or_insert(pending.to);
                    }
                }
                let nodes = leg.take(&self.goal, scene, contact, note(response), response);
                StepKind::Answered { rtt, nodes }
            }
        };
        self.trace(scene, pending.to, Some(from.id), what);
        let says = match worth {
            Worth::Value { seq } => Some((seq, true)),
            Worth::Hints => response.seq.map(|seq| (Some(seq), false)),
            Worth::Invalid => None,
        };
        if let Some((seq, verified)) = says {
            let shown = response.value.filter(|_| verified && seq.is_some());
            let value = shown.map(immutable_target);
            self.report.holders.push(Holder { node: from, seq, value, verified });
        }
        if let Worth::Value { seq } = worth {
            if self.goal.finds() {
                self.legs.iter_mut().for_each(Leg::found);
            }
            self.report.values += 1;
            self.report.first_value.get_or_insert(scene.now.saturating_duration_since(self.began));
            self.trace(scene, pending.to, Some(from.id), StepKind::Value { seq });
        }
        self.pump(scene);
    }

    /// A node answered under another id than it is known by: whatever it says is not what was asked for.
    pub(crate) fn handle_wrong_id(&mut self, scene: &mut Scene<'_>, pending: &Pending, id: Id) {
        self.report.invalid += 1;
        self.fail(scene, pending, Some(id), StepKind::WrongId);
    }

    /// A node answered a visit with an error.
    pub(crate) fn handle_error(&mut self, scene: &mut Scene<'_>, pending: &Pending, code: i64) {
        self.report.errors += 1;
        self.fail(scene, pending, pending.id, StepKind::Error { code });
    }

    /// A node left a visit unanswered until the timeout, or cannot be reached.
    pub(crate) fn handle_loss(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        self.report.timed_out += 1;
        if let Some(leg) = self.leg(pending.to)
            && leg.is_walking()
        {
            leg.lose(pending.to);
            self.stalling -= usize::from(pending.stalled);
        }
        self.trace(scene, pending.to, pending.id, StepKind::TimedOut);
        self.pump(scene);
    }

    /// A visit takes longer than most: another may be asked in its place.
    pub(crate) fn handle_late(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        if let Some(leg) = self.leg(pending.to) {
            leg.late(pending.to);
        }
        self.pump(scene);
    }

    /// A visit or a store request takes longer than usual.
    pub(crate) fn handle_stall(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        let visit = matches!(pending.purpose, Purpose::Walk(_));
        if let Some(leg) = self.leg(pending.to) {
            if !visit {
                leg.report(pending.to, Stage::Stalled);
            } else if leg.is_walking() {
                leg.stall(scene, pending.to);
                self.stalling += 1;
            }
        }
        self.trace(scene, pending.to, pending.id, StepKind::Stalled);
        self.pump(scene);
    }

    /// A store request was answered: `refusal` is the error code, if it was one.
    pub(crate) fn handle_stored(
        &mut self,
        scene: &mut Scene<'_>,
        pending: &Pending,
        id: Id,
        refusal: Option<i64>,
    ) {
        let node = RemoteNode { id, addr: pending.to };
        let stage = refusal.map_or(Stage::Stored, stage_of);
        if !self.leg(pending.to).is_some_and(|leg| leg.report(pending.to, stage)) {
            return;
        }
        let quorum = self.pace.quorum();
        let (query, rtt) = (self.id, scene.now.saturating_duration_since(pending.sent));
        let (event, what) = match refusal {
            None => {
                let elapsed = scene.now.saturating_duration_since(self.began);
                self.tally.stored.push(node);
                let stored = self.tally.stored.len();
                if stored == 1 {
                    self.tally.first_stored = elapsed;
                }
                if stored == quorum {
                    self.tally.quorum = Some(elapsed);
                }
                (Event::Stored { query, node, stored, quorum }, StepKind::Stored { rtt })
            }
            Some(code) => {
                self.tally.refused.push((node, code));
                (Event::Refused { query, node, code }, StepKind::Error { code })
            }
        };
        scene.wire.events.push_back(event);
        self.trace(scene, pending.to, Some(id), what);
        self.pump(scene);
    }

    /// A store request was lost.
    pub(crate) fn handle_store_loss(&mut self, scene: &mut Scene<'_>, pending: &Pending) {
        if let Some(leg) = self.leg(pending.to) {
            leg.report(pending.to, Stage::Failed);
        }
        self.trace(scene, pending.to, pending.id, StepKind::TimedOut);
        self.pump(scene);
    }

    /// A visit came to nothing for good.
    fn fail(&mut self, scene: &mut Scene<'_>, pending: &Pending, id: Option<Id>, what: StepKind) {
        if let Some(leg) = self.leg(pending.to)
            && leg.is_walking()
        {
            leg.fail(pending.to);
            self.stalling -= usize::from(pending.stalled);
        }
        self.trace(scene, pending.to, id, what);
        self.pump(scene);
    }

    /// Sends all that may be sent, and settles the walks that have ended.
    fn pump(&mut self, scene: &mut Scene<'_>) {
        if self.goal.is_reached() {
            return;
        }
        let mut sent = Vec::new();
        for leg in &mut self.legs {
            leg.pump(self.id, &self.goal, scene, &mut sent);
        }
        for (contact, what) in sent {
            self.report.queried += usize::from(what == StepKind::Asked);
            self.trace(scene, contact.addr(), contact.known_id(), what);
        }
    }

    fn leg(&mut self, addr: SocketAddr) -> Option<&mut Leg> {
        let family = Family::of(addr);
        self.legs.iter_mut().find(|leg| leg.family == family)
    }

    fn trace(&self, scene: &mut Scene<'_>, addr: SocketAddr, id: Option<Id>, what: StepKind) {
        if self.origin.is_traced() {
            let named_by = self.namers.get(&addr).copied();
            let at = scene.now.saturating_duration_since(self.began);
            let step = Step { at, addr, id, named_by, what };
            scene.wire.events.push_back(Event::Step { query: self.id, step });
        }
    }
}

/// The longest token kept. Real ones have 4 to 20 bytes.
const MAX_TOKEN: usize = 128;

fn note(response: &Response<'_>) -> Note {
    let token = response.token.filter(|token| token.len() <= MAX_TOKEN);
    Note { token: token.map(Box::from), holds: response.seq }
}

fn stage_of(code: i64) -> Stage {
    use mainstay_krpc::error_code::{CAS_MISMATCH, SEQUENCE_TOO_LOW};
    if code == CAS_MISMATCH || code == SEQUENCE_TOO_LOW { Stage::Outdated } else { Stage::Failed }
}
