//! `resolve --trace`: each step of the lookups on stderr, with its time.
//!
//! Separate, because it watches the DHT node and must not hold up the verb that it explains.

use std::fmt::Write as _;
use std::io::Write as _;

use mainstay::Client;
use mainstay::dht::{StepKind, TraceStep, TraceStream};

/// The steps that a node reports while this lives.
#[derive(Debug)]
pub(crate) struct Trace {
    steps: TraceStream,
}

impl Trace {
    /// Starts to watch; `None` when the DHT is off.
    pub(crate) async fn start(client: &Client) -> Option<Self> {
        let Some(dht) = client.dht() else {
            // Stderr gone means that nobody watches.
            let _ = writeln!(
                std::io::stderr(),
                ";; trace: the DHT is off, and only its lookups have steps"
            );
            return None;
        };
        Some(Self { steps: dht.trace().await })
    }

    /// Prints what has happened so far.
    pub(crate) fn finish(mut self) {
        let mut text = String::new();
        while let Some(step) = self.steps.try_next() {
            line(&mut text, &step);
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn line(text: &mut String, step: &TraceStep) {
    let (at, who) = (step.step.at.as_secs_f64() * 1000.0, step.step.addr);
    let id = step.step.id.map_or_else(String::new, |id| format!(" {id}"));
    let target = step.target.map_or_else(String::new, |target| target.to_string());
    let what = match step.step.what {
        StepKind::Asked => "asked".to_owned(),
        StepKind::Storing => "asked to store".to_owned(),
        StepKind::Answered { rtt, nodes } => {
            format!("answered in {:.1} ms, naming {nodes} nodes", rtt.as_secs_f64() * 1000.0)
        }
        StepKind::Value { seq: Some(seq) } => format!("gave a value, sequence {seq}"),
        StepKind::Value { seq: None } => "gave a value".to_owned(),
        StepKind::Invalid => "gave a value that does not verify".to_owned(),
        StepKind::Stalled => "is slow; going on without waiting".to_owned(),
        StepKind::TimedOut => "did not answer".to_owned(),
        StepKind::Error { code } => format!("answered with error {code}"),
        StepKind::WrongId => "answered under another id".to_owned(),
        StepKind::Stored { rtt } => format!("stored it in {:.1} ms", rtt.as_secs_f64() * 1000.0),
        other => format!("{other:?}"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, ";; {at:9.3} ms  {target}  {who}{id}: {what}");
}
