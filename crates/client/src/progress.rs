//! What a lookup knows so far: finds go in, the best packet and each backend's answer come out.
//!
//! Separate because it is pure: which packet wins is decided here, without tasks or clocks.

use std::time::Duration;

use mainstay_packets::{SignedPacket, Timestamp};

use crate::backend::{End, Find, Reach};
use crate::freshness::Freshness;
use crate::report::{Answer, AnswerOutcome, BackendName, Failure, Source};

/// The same packet seen again is worth a note if that was so much later.
const CONFIRMED_LATER: Duration = Duration::from_secs(1);

/// The state of one lookup.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    best: Option<Find>,
    /// Whether `best` may be served without waiting for more.
    good: bool,
    answers: Vec<Answer>,
    waiting: usize,
}

/// What became of a find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is the best so far, or the best was confirmed later than before: remember it.
    Remember,
    /// Nothing was learnt.
    Nothing,
}

impl Progress {
    pub(crate) fn of(backends: impl Iterator<Item = BackendName>) -> Self {
        let answers: Vec<_> =
            backends.map(|backend| Answer { backend, outcome: AnswerOutcome::Pending }).collect();
        Self { best: None, good: false, waiting: answers.len(), answers }
    }

    /// The best packet so far.
    pub(crate) fn best(&self) -> Option<&Find> {
        self.best.as_ref()
    }

    /// What each backend has answered so far.
    pub(crate) fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Whether a caller who asked this far need wait no longer.
    pub(crate) fn suffices(&self, reach: Reach) -> bool {
        match reach {
            Reach::First => self.good || self.is_done(),
            Reach::All => self.is_done(),
        }
    }

    /// Whether every backend has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.waiting == 0
    }

    /// Whether every backend said that it has nothing.
    pub(crate) fn is_absence(&self) -> bool {
        self.answers.iter().all(|answer| matches!(answer.outcome, AnswerOutcome::NotFound))
    }

    /// A backend found a packet of the key that was asked for.
    ///
    /// `seen` is the highest timestamp known for the key; a packet below it is never the best.
    pub(crate) fn handle_find(
        &mut self,
        backend: usize,
        find: Find,
        seen: Option<Timestamp>,
        freshness: &Freshness,
        now: Timestamp,
    ) -> Worth {
        let timestamp = find.packet.timestamp();
        if let Some(seen) = seen.filter(|seen| *seen > timestamp) {
            self.set_outcome(backend, AnswerOutcome::Outdated { timestamp, seen });
            return Worth::Nothing;
        }
        self.set_outcome(backend, AnswerOutcome::Found { timestamp });
        let plausible = Freshness::is_plausible(timestamp, now);
        let good = plausible && freshness.is_just_seen(&find.packet, find.last_seen, now);
        match self.best.as_mut() {
            Some(best) if best.packet.is_same_as(&find.packet) => {
                count_another_node(&mut best.source, &find.source);
                let later = find.last_seen.saturating_duration_since(best.last_seen);
                best.last_seen = best.last_seen.max(find.last_seen);
                self.good |= good;
                return if later > CONFIRMED_LATER { Worth::Remember } else { Worth::Nothing };
            }
            Some(best) if !is_better(&find.packet, &best.packet, now) => return Worth::Nothing,
            Some(_) | None => {}
        }
        self.best = Some(find);
        self.good |= good;
        Worth::Remember
    }

    /// A backend gave another key's packet, which was discarded.
    pub(crate) fn handle_wrong_key(&mut self, backend: usize) {
        self.set_outcome(backend, AnswerOutcome::WrongKey);
    }

    /// A backend is asked only if those that are asked now do not answer in time.
    pub(crate) fn handle_queued(&mut self, backend: usize) {
        self.set_outcome(backend, AnswerOutcome::NotAsked);
    }

    /// A backend is being asked.
    pub(crate) fn handle_start(&mut self, backend: usize) {
        self.set_outcome(backend, AnswerOutcome::Pending);
    }

    /// A backend will not be asked, because another has answered or, if there is one, for this reason.
    pub(crate) fn handle_spared(&mut self, backend: usize, reason: Option<Failure>) {
        self.waiting = self.waiting.saturating_sub(1);
        let outcome = reason.map_or(AnswerOutcome::NotAsked, AnswerOutcome::Failed);
        self.set_outcome(backend, outcome);
    }

    /// What a backend has answered so far.
    pub(crate) fn outcome(&self, backend: usize) -> Option<&AnswerOutcome> {
        self.answers.get(backend).map(|answer| &answer.outcome)
    }

    /// A backend has ended.
    pub(crate) fn handle_end(&mut self, backend: usize, end: End) {
        self.waiting = self.waiting.saturating_sub(1);
        let pending = matches!(self.outcome(backend), Some(AnswerOutcome::Pending));
        match end {
            End::Exhausted if pending => self.set_outcome(backend, AnswerOutcome::NotFound),
            End::Exhausted => {}
            End::NotAPacket { seq } => self.set_outcome(backend, AnswerOutcome::NotAPacket { seq }),
            End::Failed(failure) if pending => {
                self.set_outcome(backend, AnswerOutcome::Failed(failure));
            }
            // It gave a packet before it failed, and that is the more useful thing to report.
            End::Failed(_) => {}
        }
    }

    fn set_outcome(&mut self, backend: usize, outcome: AnswerOutcome) {
        if let Some(answer) = self.answers.get_mut(backend) {
            answer.outcome = outcome;
        }
    }
}

/// Whether `new` wins over `old`: plausible ones win over those from the far future, else the more
/// recent wins.
pub(crate) fn is_better(new: &SignedPacket, old: &SignedPacket, now: Timestamp) -> bool {
    let plausible = |packet: &SignedPacket| Freshness::is_plausible(packet.timestamp(), now);
    match (plausible(new), plausible(old)) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => new.more_recent_than(old),
    }
}

fn count_another_node(standing: &mut Source, another: &Source) {
    if let (Source::Dht { nodes }, Source::Dht { nodes: more }) = (standing, another) {
        *nodes = nodes.saturating_add(*more);
    }
}

#[cfg(test)]
mod tests;
