//! A lookup as a tree: what was asked of whom, when, and what came of it.
//! Apart from the trace, which tells the same steps as they happen.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{QueryId, Step, StepKind};
use mainstay_krpc::Id;

use crate::trace::TraceStep;

/// One lookup or put, explained: every node it spoke to, in the order in which it did, with each step and its time.
///
/// ```text
/// lookup of 5d41…, 62.1 ms, 2 nodes asked, 1 answered
/// ├─ 60.1.1.1:6881  0a1b…
/// │  ├─ 0.0 ms  asked
/// │  └─ 41.0 ms  answered in 41.0 ms, naming 8 nodes
/// └─ 60.2.1.1:6881
///    └─ 41.1 ms  asked
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was looked for; a ping looks for nothing.
    pub target: Option<Id>,
    /// From the beginning to the last step.
    pub took: Duration,
    /// The nodes, in the order in which they were first asked.
    pub nodes: Vec<ExplainedNode>,
}

/// One node's part in an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedNode {
    /// Where it is.
    pub addr: SocketAddr,
    /// Its id, as far as it was known in the end.
    pub id: Option<Id>,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

impl Explanation {
    /// Explains each lookup of a trace, in the order in which they began.
    #[must_use]
    pub fn of(steps: &[TraceStep]) -> Vec<Self> {
        let mut queries: Vec<QueryId> = Vec::new();
        let mut explained: BTreeMap<QueryId, Self> = BTreeMap::new();
        for TraceStep { query, target, step } in steps {
            let lookup = explained.entry(*query).or_insert_with(|| {
                queries.push(*query);
                Self { target: *target, took: Duration::ZERO, nodes: Vec::new() }
            });
            lookup.add(*step);
        }
        queries.iter().filter_map(|query| explained.remove(query)).collect()
    }

    /// How many nodes sent an answer that was used, or stored.
    #[must_use]
    pub fn answered(&self) -> usize {
        let answer =
            |step: &Step| matches!(step.what, StepKind::Answered { .. } | StepKind::Stored { .. });
        self.nodes.iter().filter(|node| node.steps.iter().any(answer)).count()
    }

    fn add(&mut self, step: Step) {
        self.took = self.took.max(step.at);
        let known = self.nodes.iter_mut().find(|node| node.addr == step.addr);
        if let Some(node) = known {
            node.id = step.id.or(node.id);
            node.steps.push(step);
        } else {
            self.nodes.push(ExplainedNode { addr: step.addr, id: step.id, steps: vec![step] });
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            Some(target) => write!(f, "lookup of {target}")?,
            None => f.write_str("ping")?,
        }
        let (took, asked) = (millis(self.took), self.nodes.len());
        writeln!(f, ", {took:.1} ms, {asked} nodes asked, {} answered", self.answered())?;
        for (at, node) in self.nodes.iter().enumerate() {
            let last = at + 1 == self.nodes.len();
            let (branch, trunk) = if last { ("└─", "  ") } else { ("├─", "│ ") };
            write!(f, "{branch} {}", node.addr)?;
            if let Some(id) = node.id {
                write!(f, "  {id}")?;
            }
            writeln!(f)?;
            for (at, step) in node.steps.iter().enumerate() {
                let branch = if at + 1 == node.steps.len() { "└─" } else { "├─" };
                writeln!(f, "{trunk} {branch} {:.1} ms  {}", millis(step.at), What(step.what))?;
            }
        }
        Ok(())
    }
}

/// What happened, in words.
struct What(StepKind);

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            StepKind::Asked => f.write_str("asked"),
            StepKind::Storing => f.write_str("asked to store"),
            StepKind::Answered { rtt, nodes } => {
                write!(f, "answered in {:.1} ms, naming {nodes} nodes", millis(rtt))
            }
            StepKind::Value { seq: Some(seq) } => write!(f, "gave a value, sequence {seq}"),
            StepKind::Value { seq: None } => f.write_str("gave a value"),
            StepKind::Invalid => f.write_str("gave a value that does not verify"),
            StepKind::Stalled => f.write_str("is slow; going on without waiting"),
            StepKind::TimedOut => f.write_str("did not answer"),
            StepKind::Error { code } => write!(f, "answered with error {code}"),
            StepKind::WrongId => f.write_str("answered under another id"),
            StepKind::Stored { rtt } => write!(f, "stored it in {:.1} ms", millis(rtt)),
            other => write!(f, "{other:?}"),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
