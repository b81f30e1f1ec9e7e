//! A lookup as a tree: what was asked of whom, when, and what came of it.
//! Apart from the trace, which tells the same steps as they happen.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::IntoIter;

use mainstay_dht_proto::{QueryId, Step, StepKind};
use mainstay_krpc::Id;

use crate::trace::TraceStep;

/// One lookup or put, explained: every node it spoke to, with each step and its time, below the node that led to it.
///
/// ```text
/// lookup of 5d41…, 62.1 ms, 3 nodes asked, 1 answered
/// ├─ 60.1.1.1:6881  0a1b…
/// │  ├─ 0.0 ms  asked
/// │  ├─ 41.0 ms  answered in 41.0 ms, naming 8 nodes
/// │  └─ 60.2.1.1:6881  5d3f…
/// │     └─ 41.1 ms  asked
/// └─ 60.3.1.1:6881
///    └─ 0.0 ms  asked
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
    /// The node that named it first; `None` if it was known before.
    pub named_by: Option<SocketAddr>,
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

    /// The nodes that this one led to, or those that were known before, in the order in which they were asked.
    fn led_to_by(&self, by: Option<SocketAddr>) -> Vec<&ExplainedNode> {
        self.nodes.iter().filter(|node| node.named_by == by).collect()
    }

    fn add(&mut self, step: Step) {
        self.took = self.took.max(step.at);
        let known = self.nodes.iter_mut().find(|node| node.addr == step.addr);
        if let Some(node) = known {
            node.id = step.id.or(node.id);
            node.steps.push(step);
        } else {
            // Who is asked twice keeps the first that led there; nobody can be named by who was asked after it.
            let Step { addr, id, named_by, .. } = step;
            let named_by = named_by.filter(|by| self.nodes.iter().any(|node| node.addr == *by));
            self.nodes.push(ExplainedNode { addr, id, named_by, steps: vec![step] });
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
        let mut open = vec![Branch::to(self.led_to_by(None), String::new())];
        while let Some(branch) = open.last_mut() {
            let Some(node) = branch.nodes.next() else {
                open.pop();
                continue;
            };
            let last = branch.nodes.peek().is_none();
            let (turn, trunk) = if last { ("└─", "   ") } else { ("├─", "│  ") };
            write!(f, "{}{turn} {}", branch.trunk, node.addr)?;
            if let Some(id) = node.id {
                write!(f, "  {id}")?;
            }
            writeln!(f)?;
            let below = format!("{}{trunk}", branch.trunk);
            let mut next = Branch::to(self.led_to_by(Some(node.addr)), below);
            for (at, step) in node.steps.iter().enumerate() {
                let last = at + 1 == node.steps.len() && next.nodes.peek().is_none();
                let turn = if last { "└─" } else { "├─" };
                writeln!(f, "{}{turn} {:.1} ms  {}", next.trunk, millis(step.at), What(step.what))?;
            }
            open.push(next);
        }
        Ok(())
    }
}

/// Nodes below one, as far as they are not written yet, and what stands left of them.
struct Branch<'a> {
    nodes: Peekable<IntoIter<&'a ExplainedNode>>,
    trunk: String,
}

impl<'a> Branch<'a> {
    fn to(nodes: Vec<&'a ExplainedNode>, trunk: String) -> Self {
        Self { nodes: nodes.into_iter().peekable(), trunk }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_stands_below_the_one_that_led_to_it() {
        let addr = |host: u8| SocketAddr::from(([60, host, 1, 1], 6881));
        let step = |at: u64, host: u8, by: Option<u8>, what| Step {
            at: Duration::from_millis(at),
            addr: addr(host),
            id: None,
            named_by: by.map(addr),
            what,
        };
        let answered = StepKind::Answered { rtt: Duration::from_millis(40), nodes: 2 };
        let mut lookup = Explanation { target: None, took: Duration::ZERO, nodes: Vec::new() };
        for step in [
            step(0, 1, None, StepKind::Asked),
            step(0, 2, None, StepKind::Asked),
            step(40, 1, None, answered),
            step(40, 3, Some(1), StepKind::Asked),
            step(41, 4, Some(1), StepKind::Asked),
            step(80, 3, Some(1), answered),
            step(80, 5, Some(3), StepKind::Asked),
            // Named by nobody whom this lookup asked: a node that did not answer in time for the trace.
            step(81, 6, Some(99), StepKind::Asked),
        ] {
            lookup.add(step);
        }
        let expected = "\
ping, 81.0 ms, 6 nodes asked, 2 answered
├─ 60.1.1.1:6881
│  ├─ 0.0 ms  asked
│  ├─ 40.0 ms  answered in 40.0 ms, naming 2 nodes
│  ├─ 60.3.1.1:6881
│  │  ├─ 40.0 ms  asked
│  │  ├─ 80.0 ms  answered in 40.0 ms, naming 2 nodes
│  │  └─ 60.5.1.1:6881
│  │     └─ 80.0 ms  asked
│  └─ 60.4.1.1:6881
│     └─ 41.0 ms  asked
├─ 60.2.1.1:6881
│  └─ 0.0 ms  asked
└─ 60.6.1.1:6881
   └─ 81.0 ms  asked
";
        assert_eq!(lookup.to_string(), expected);
    }
}
