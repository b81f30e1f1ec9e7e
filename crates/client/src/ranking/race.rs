//! The course of one lookup: who is asked now, who next, and when.
//!
//! Separate from the ranking because it belongs to one lookup and ends with it.

use std::collections::VecDeque;
use std::time::Duration;

use super::Standing;
use crate::backend::Reach;

/// However slow the relays, so long after the beginning each of those that are well has been asked.
pub(crate) const BUDGET: Duration = Duration::from_millis(800);

/// How long a relay that has failed lately may take, where all are asked.
pub(crate) const PATIENCE_WITH_BROKEN: Duration = Duration::from_secs(1);

/// The plan of one lookup, and how far it has come.
///
/// Drive it so: start all that [`Self::poll_start`] gives; then wait for an end, which goes to [`Self::handle_end`], or
/// for the moment of [`Self::poll_timeout`]; and again. [`Self::handle_dry`], when nothing runs any more.
#[derive(Debug)]
pub(crate) struct Race {
    at_once: VecDeque<Start>,
    /// The others, fastest first, each with how long to wait for it before the next.
    queue: VecDeque<(usize, Duration)>,
    /// Those that failed lately, the one that is left alone shortest first.
    last_resort: Vec<usize>,
    /// Who asked us to wait, and how long still.
    waiting: Vec<(usize, Duration)>,
    /// When the next of the queue is asked, unless somebody ends before.
    due: Duration,
    deadline: Duration,
}

/// A backend that is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) backend: usize,
    /// How long it may take, if not as long as usual.
    pub(crate) patience: Option<Duration>,
}

impl Race {
    pub(super) fn new(
        reach: Reach,
        now: Duration,
        backends: impl Iterator<Item = (Standing, Duration)>,
    ) -> Self {
        let mut race = Self {
            at_once: VecDeque::new(),
            queue: VecDeque::new(),
            last_resort: Vec::new(),
            waiting: Vec::new(),
            due: now,
            deadline: now.saturating_add(BUDGET),
        };
        let (mut good, mut broken) = (Vec::new(), Vec::new());
        for (backend, (standing, hedge)) in backends.enumerate() {
            match (standing, reach) {
                (Standing::Waiting { remaining }, _) => race.waiting.push((backend, remaining)),
                (Standing::Broken { .. }, Reach::All) => {
                    let patience = Some(PATIENCE_WITH_BROKEN);
                    race.at_once.push_back(Start { backend, patience });
                }
                (Standing::Unranked | Standing::Probe, _) | (_, Reach::All) => {
                    race.at_once.push_back(Start { backend, patience: None });
                }
                (Standing::Good { expected }, Reach::First) => {
                    good.push((expected, backend, hedge));
                }
                (Standing::Broken { remaining }, Reach::First) => broken.push((remaining, backend)),
            }
        }
        good.sort();
        broken.sort();
        race.queue.extend(good.into_iter().map(|(_, backend, hedge)| (backend, hedge)));
        race.last_resort.extend(broken.into_iter().map(|(_, backend)| backend));
        race
    }

    /// Who is not asked at all, because they wished so, and for how much longer.
    pub(crate) fn waiting(&self) -> &[(usize, Duration)] {
        &self.waiting
    }

    /// Who has not been asked so far, of those that may be.
    pub(crate) fn unasked(&self) -> impl Iterator<Item = usize> {
        let at_once = self.at_once.iter().map(|start| start.backend);
        let queue = self.queue.iter().map(|(backend, _)| *backend);
        at_once.chain(queue).chain(self.last_resort.iter().copied())
    }

    /// The next one to be asked now.
    pub(crate) fn poll_start(&mut self, now: Duration) -> Option<Start> {
        if let Some(start) = self.at_once.pop_front() {
            return Some(start);
        }
        if now < self.due {
            return None;
        }
        let (backend, hedge) = self.queue.pop_front()?;
        // The time that is left is shared by those that are left.
        let left = u32::try_from(self.queue.len()).unwrap_or(u32::MAX).max(1);
        let share = self.deadline.saturating_sub(now) / left;
        self.due = now.saturating_add(hedge.min(share));
        Some(Start { backend, patience: None })
    }

    /// When to poll again though nothing has ended.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        (!self.queue.is_empty()).then_some(self.due)
    }

    /// A backend ended, and the lookup goes on: one whose time was up to wait for is not waited for any longer.
    pub(crate) fn handle_end(&mut self, now: Duration) {
        self.due = self.due.min(now);
    }

    /// Nobody is being asked any more and there is no answer: whoever failed lately gets another chance.
    pub(crate) fn handle_dry(&mut self) {
        let starts = self.last_resort.drain(..);
        self.at_once.extend(starts.map(|backend| Start { backend, patience: None }));
    }
}
