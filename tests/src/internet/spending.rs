//! Where the messages of one put went: its steps, sorted by what they were good for.
//!
//! Separate from the path, which tells where the time went and looks at a few of the steps only.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mainstay_dht_proto::{Event, Step, StepKind};

/// The messages of one put, by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Queries to nodes that were then asked to store: who stores there needs their token.
    pub tokens: usize,
    /// Queries to nodes that answered and were not asked to store: they only led on.
    pub leading: usize,
    /// Queries that nothing came back for before the put had ended.
    pub vain: usize,
    /// Requests to store that were sent while nodes on the way still answered.
    pub early: usize,
    /// Requests to store that were sent when the closest were known.
    pub late: usize,
}

impl Spending {
    /// Of a put whose steps were [traced](mainstay_dht_proto::AskOptions::traced).
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let steps = events.into_iter().filter_map(|event| match event {
            Event::Step { step, .. } => Some(*step),
            _ => None,
        });
        let steps: Vec<Step> = steps.collect();
        let arrived = steps.iter().rposition(|step| matches!(step.what, StepKind::Answered { .. }));
        let mut spending = Self::default();
        let mut queries: BTreeMap<SocketAddr, (usize, bool, bool)> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            let (asked, answered, stored) = queries.entry(step.addr).or_default();
            match step.what {
                StepKind::Asked => *asked += 1,
                StepKind::Answered { .. } => *answered = true,
                StepKind::Storing => {
                    *stored = true;
                    if Some(at) < arrived { spending.early += 1 } else { spending.late += 1 }
                }
                _ => {}
            }
        }
        for (asked, answered, stored) in queries.into_values() {
            match (answered, stored) {
                (_, true) => spending.tokens += asked,
                (true, false) => spending.leading += asked,
                (false, false) => spending.vain += asked,
            }
        }
        spending
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.tokens + self.leading + self.vain + self.early + self.late
    }
}
