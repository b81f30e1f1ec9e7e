//! Where the time of one ask went: its steps read backwards from what it was waiting for.
//!
//! Separate from the figures, which add up many asks and know nothing of steps.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Event, Step, StepKind};

/// The chain of causes behind one moment of an ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Answers that had to come one after the other.
    pub hops: usize,
    /// The time those answers took.
    pub answering: Duration,
    /// The time spent waiting for nodes that said nothing, before going on without them.
    pub stalling: Duration,
}

impl Path {
    /// Back from the first value.
    #[must_use]
    pub fn to_first_value(events: &[(Duration, Event)]) -> Option<Self> {
        let steps = steps(events);
        let at = steps.iter().position(|step| matches!(step.what, StepKind::Value { .. }))?;
        Some(Self::back_from(&steps, at))
    }

    /// Back from the acknowledgement that made `count`.
    #[must_use]
    pub fn to_stored(events: &[(Duration, Event)], count: usize) -> Option<Self> {
        let steps = steps(events);
        let stored = |(_, step): &(usize, &Step)| matches!(step.what, StepKind::Stored { .. });
        let (at, _) = steps.iter().enumerate().filter(stored).nth(count.checked_sub(1)?)?;
        Some(Self::back_from(&steps, at))
    }

    fn back_from(steps: &[Step], end: usize) -> Self {
        let mut path = Self::default();
        let mut at = end;
        loop {
            let Some(step) = steps.get(at) else { return path };
            let Some(asked) = asked_before(steps, at, step.addr) else { return path };
            let time = step.at.saturating_sub(steps.get(asked).map_or(step.at, |asked| asked.at));
            match step.what {
                StepKind::Answered { .. } | StepKind::Value { .. } | StepKind::Stored { .. } => {
                    path.hops += 1;
                    path.answering += time;
                }
                _ => path.stalling += time,
            }
            // What made the node ask: the last thing that it heard or missed before.
            let Some(cause) = (0..asked).rev().find(|at| steps.get(*at).is_some_and(is_cause))
            else {
                return path;
            };
            let gap = steps.get(asked).zip(steps.get(cause));
            path.stalling += gap.map_or(Duration::ZERO, |(asked, cause)| asked.at - cause.at);
            at = cause;
        }
    }
}

fn steps(events: &[(Duration, Event)]) -> Vec<Step> {
    let step = |(_, event): &(Duration, Event)| match event {
        Event::Step { step, .. } => Some(*step),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

fn asked_before(steps: &[Step], at: usize, addr: SocketAddr) -> Option<usize> {
    let asks = |step: &Step| matches!(step.what, StepKind::Asked | StepKind::Storing);
    (0..at).rev().find(|at| steps.get(*at).is_some_and(|step| step.addr == addr && asks(step)))
}

const fn is_cause(step: &Step) -> bool {
    !matches!(step.what, StepKind::Asked | StepKind::Storing | StepKind::Value { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_dht_proto::StepKind::{Answered, Asked, Stalled, Value};

    #[test]
    fn waiting_for_answers_and_waiting_for_nothing_are_told_apart() {
        let ms = Duration::from_millis;
        let step = |at, node: u8, what| Step {
            named_by: None,
            at: ms(at),
            addr: SocketAddr::from(([1, 1, 1, node], 1)),
            id: None,
            what,
        };
        let answered = |at, node| step(at, node, Answered { rtt: ms(1), nodes: 8 });
        let steps = [
            step(0, 1, Asked),
            step(0, 2, Asked),
            answered(100, 1),
            step(100, 3, Asked),
            step(180, 2, Stalled),
            step(400, 3, Stalled),
            step(400, 4, Asked),
            answered(450, 4),
            step(450, 4, Value { seq: None }),
        ];
        let path = Path::back_from(&steps, 8);
        assert_eq!(path, Path { hops: 2, answering: ms(150), stalling: ms(300) });
    }
}
