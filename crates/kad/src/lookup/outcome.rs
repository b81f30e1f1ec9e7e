//! What a lookup says about itself: its phase, its answers, its counters.
//! Separate because these are values that outlive the lookup.

/// Where a lookup stands.
///
/// `Approaching` → `Closing` when the closest live candidate has answered; back when an answer
/// brings a closer one; either → `Settled` when the walk has ended. Nothing leaves `Settled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Closer nodes are still being found.
    Approaching,
    /// The closest node known has answered; its neighbours are being asked.
    Closing,
    /// The walk has ended; what comes late is ignored.
    Settled(Ending),
}

/// Why a lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The K closest live nodes have answered and nobody closer is left to ask.
    Converged,
    /// Nobody is left to ask, and fewer than K answered.
    Exhausted,
    /// The cap on [visits](super::LookupConfig::visits) was reached.
    VisitsSpent,
    /// The owner took the outcome before the walk had ended.
    Abandoned,
}

/// A node that answered, with what the owner noted of its answer (for Mainline: the token).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Responder<C, T> {
    /// Who answered.
    pub contact: C,
    /// What the owner handed in with the answer.
    pub extra: T,
}

/// What came of a lookup.
#[derive(Debug, Clone)]
pub struct Outcome<C, T> {
    /// Why it ended.
    pub ending: Ending,
    /// Every node that answered under the id it was asked by, closest first. May be more than K.
    pub responders: Vec<Responder<C, T>>,
    /// What it cost.
    pub stats: Stats,
}

/// Counters of one lookup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Queries sent to nodes that had stalled once; they are among the visits.
    pub second_queries: usize,
    /// Nodes asked twice that answered, be it the first query or the second.
    pub second_answers: usize,
    /// Nodes asked.
    pub visits: usize,
    /// Answers that counted.
    pub answers: usize,
    /// Nodes that did not answer in time, or refused.
    pub failures: usize,
    /// Answers under another id than the one asked; not among the failures.
    pub mismatches: usize,
    /// Queries that were declared slow. Some were answered in the end.
    pub stalls: usize,
    /// The longest chain of answers, each naming the next: 1 if only seeds answered.
    pub hops: usize,
}

/// What a lookup made of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The sender is among the responders, and its nodes are candidates.
    Counted,
    /// The answer came under another id than the one asked: nothing of it was used.
    Mismatch,
    /// Nothing was asked at this address, or it was answered or failed before.
    Unasked,
    /// The lookup has ended.
    Late,
}
