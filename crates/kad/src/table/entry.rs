//! One node in the table and what is known of its health.
//! Separate because health is judged in one place, whoever asks.

use std::time::{Duration, Instant};

/// A node that answered us, as the table remembers it. A table has hundreds, so times are kept short.
#[derive(Debug, Clone)]
pub struct Entry<C> {
    pub(super) contact: C,
    /// When it last answered us.
    pub(super) answered: Instant,
    /// When it last answered or asked us: milliseconds since `answered`.
    active: u32,
    /// When we last asked it: milliseconds since `answered`, since an answer settles what was asked before.
    asked: u32,
    /// In microseconds.
    rtt: u32,
    pub(super) failures: u8,
}

impl<C> Entry<C> {
    pub(super) fn new(now: Instant, contact: C, rtt: Duration) -> Self {
        Self { contact, answered: now, active: 0, asked: 0, rtt: micros(rtt), failures: 0 }
    }

    pub(super) fn answered_again(&mut self, now: Instant, rtt: Duration) {
        let (asked, average) = (self.asked(), (self.rtt() * 2 + rtt) / 3);
        self.answered = now;
        self.active = 0;
        self.asked = self.millis(asked);
        self.failures = 0;
        self.rtt = micros(average);
    }

    /// It gave a sign of life.
    pub(super) fn was_active(&mut self, now: Instant) {
        self.active = self.active.max(self.millis(now));
    }

    /// We asked it.
    pub(super) fn mark_asked(&mut self, now: Instant) {
        self.asked = self.asked.max(self.millis(now));
    }

    /// When it last answered or asked us.
    pub(super) fn active(&self) -> Instant {
        self.answered + Duration::from_millis(u64::from(self.active))
    }

    /// When we last asked it, or it answered.
    pub(super) fn asked(&self) -> Instant {
        self.answered + Duration::from_millis(u64::from(self.asked))
    }

    /// Milliseconds since it answered last, 49 days at most.
    fn millis(&self, at: Instant) -> u32 {
        u32::try_from(at.saturating_duration_since(self.answered).as_millis()).unwrap_or(u32::MAX)
    }

    /// Who it is and where.
    pub fn contact(&self) -> &C {
        &self.contact
    }

    /// How long its answers take: a moving average, two parts old to one part new.
    pub fn rtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.rtt))
    }

    /// Queries of ours it left unanswered since its last answer.
    pub fn failures(&self) -> u8 {
        self.failures
    }

    /// When it last answered a query of ours.
    pub fn last_answer(&self) -> Instant {
        self.answered
    }

    /// How much it can be relied on at `now`, given how long silence is acceptable.
    pub fn status(&self, now: Instant, patience: Duration) -> Status {
        if self.failures > 0 {
            Status::Failing
        } else if now.saturating_duration_since(self.active()) > patience {
            Status::Questionable
        } else {
            Status::Good
        }
    }
}

/// Microseconds, 71 minutes at most.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// How much an entry can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It answered us, and gave a sign of life recently.
    Good,
    /// It answered once but has been silent for a while; a ping will tell.
    Questionable,
    /// It left our last query unanswered.
    Failing,
}

/// A contact that waits beside a bucket.
#[derive(Debug, Clone)]
pub(super) enum Spare<C> {
    /// Somebody named it. It becomes an entry or `Proven` when it answers, and goes when it fails.
    Unproven {
        contact: C,
        /// When we last pinged it.
        asked: Option<Instant>,
    },
    /// It answered us, and had no place or lost it.
    Proven(Entry<C>),
}

impl<C> Spare<C> {
    pub(super) fn contact(&self) -> &C {
        match self {
            Self::Unproven { contact, .. } => contact,
            Self::Proven(entry) => &entry.contact,
        }
    }

    pub(super) fn into_contact(self) -> C {
        match self {
            Self::Unproven { contact, .. } => contact,
            Self::Proven(entry) => entry.contact,
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        match self {
            Self::Unproven { .. } => false,
            Self::Proven(_) => true,
        }
    }

    /// When it should be pinged to see whether it answers; `None` if that is known.
    pub(super) fn ping_due(&self, now: Instant, retry_after: Duration) -> Option<Instant> {
        match self {
            Self::Unproven { asked, .. } => Some(asked.map_or(now, |at| at + retry_after)),
            Self::Proven(_) => None,
        }
    }

    pub(super) fn mark_asked(&mut self, now: Instant) {
        match self {
            Self::Unproven { asked, .. } => *asked = (*asked).max(Some(now)),
            Self::Proven(entry) => entry.mark_asked(now),
        }
    }
}
