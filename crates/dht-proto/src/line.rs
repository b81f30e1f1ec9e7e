//! Whether our way out works, for each family by itself, judged by what comes in.
//! Apart from the transactions, because it decides whom a loss is held against: the node that was asked, or us.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;

/// After how many lost requests in a row, with nothing received meanwhile, it is our line that is down.
const DOWN: u32 = 10;
/// For how long after a loss it may still turn out that our line worked, by somebody who is heard.
const SOON: Duration = Duration::from_secs(5);

/// The line of one family.
///
/// It works → is in doubt, once something was lost and nothing heard since → works again when somebody is heard, or is
/// down after ten losses. While it is down nobody is blamed for anything, and what was in doubt until then is forgiven.
#[derive(Debug)]
pub(crate) struct Line {
    /// When something came in last; at first, when the line was made.
    heard: Instant,
    /// Whether anything ever came in.
    proven: bool,
    lost_in_a_row: u32,
    /// Who was silent since then. Fewer than [`DOWN`].
    doubts: Vec<Silent>,
    /// Who turned out to be silent while our line worked, and is not judged yet. As many at most.
    blamed: Vec<Silent>,
}

/// A node that left a request unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silent {
    pub(crate) id: Id,
    pub(crate) addr: SocketAddr,
    /// Since when it is known.
    at: Instant,
}

impl Line {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { heard: now, proven: false, lost_in_a_row: 0, doubts: Vec::new(), blamed: Vec::new() }
    }

    /// Something came in from `from`, which is not silent then, whatever it left unanswered before.
    pub(crate) fn heard(&mut self, now: Instant, from: SocketAddr) {
        (self.heard, self.proven, self.lost_in_a_row) = (now, true, 0);
        if !self.doubts.is_empty() {
            let recent = |silent: &Silent| now.saturating_duration_since(silent.at) <= SOON;
            let doubts = std::mem::take(&mut self.doubts).into_iter();
            self.blamed.extend(doubts.filter(|silent| silent.addr != from && recent(silent)));
            self.blamed.truncate(DOWN as usize);
        }
    }

    /// A request was lost.
    pub(crate) fn lost(&mut self) {
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        if self.is_down() {
            self.doubts = Vec::new();
        }
    }

    /// Whether a loss is to be held against the node `id` at `addr`: if somebody was heard after `late`, when its answer
    /// was overdue. Otherwise it is in doubt, and may be [blamed](Self::next_blamed) later.
    pub(crate) fn blames(&mut self, now: Instant, late: Instant, id: Id, addr: SocketAddr) -> bool {
        if self.is_down() {
            return false;
        }
        let works = self.heard > late;
        if !works && self.doubts.len() < DOWN as usize {
            self.doubts.push(Silent { id, addr, at: now });
        }
        works
    }

    /// Somebody whose silence is to be held against it after all.
    pub(crate) fn next_blamed(&mut self) -> Option<Silent> {
        self.blamed.pop()
    }

    /// Whether so much was lost without hearing from anybody that the fault must be on our side.
    pub(crate) fn is_down(&self) -> bool {
        self.lost_in_a_row >= DOWN
    }

    /// Whether it worked when it was used last.
    fn works(&self) -> bool {
        self.proven && !self.is_down()
    }
}

/// Since when nothing has come in over any of these, if we seem to be cut off: one of them is down, and none works. One
/// that never worked tells nothing, since many hosts have addresses of a family that leads nowhere.
pub(crate) fn silent_since(lines: &[Line]) -> Option<Instant> {
    if lines.iter().any(Line::works) || !lines.iter().any(Line::is_down) {
        return None;
    }
    lines.iter().map(|line| line.heard).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(host: u8) -> SocketAddr {
        SocketAddr::from(([60, host, 1, 1], 6881))
    }

    fn id(host: u8) -> Id {
        Id::from_bytes([host; 20])
    }

    /// A loss at `at` of what should have been answered a second before; whether it is held against the node.
    fn lose(line: &mut Line, at: Instant, host: u8) -> bool {
        line.lost();
        line.blames(at, at.checked_sub(Duration::from_secs(1)).unwrap(), id(host), addr(host))
    }

    fn blamed(line: &mut Line) -> Vec<SocketAddr> {
        let mut all: Vec<_> = std::iter::from_fn(|| line.next_blamed()).map(|it| it.addr).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn who_is_silent_while_others_are_heard_is_blamed_at_once() {
        let now = crate::testing::start();
        let mut line = Line::new(now);
        let at = |millis| now + Duration::from_millis(millis);
        line.heard(at(1001), addr(9));
        assert!(lose(&mut line, at(2000), 1), "somebody was heard when it was overdue");
        assert!(!lose(&mut line, at(2001), 2), "nobody was");
    }

    #[test]
    fn what_is_in_doubt_is_decided_by_who_is_heard_next_within_five_seconds() {
        let now = crate::testing::start();
        for (after, expected) in [(5, vec![addr(1), addr(2)]), (6, vec![])] {
            let mut line = Line::new(now);
            let lost = now + Duration::from_secs(100);
            for host in 1..=3 {
                assert!(!lose(&mut line, lost, host));
            }
            assert_eq!(blamed(&mut line), []);
            line.heard(lost + Duration::from_secs(after), addr(3));
            assert_eq!(blamed(&mut line), expected, "whoever is heard is not silent");
            line.heard(lost + Duration::from_secs(after), addr(9));
            assert_eq!(blamed(&mut line), [], "each is blamed once");
        }
    }

    #[test]
    fn a_line_that_is_down_forgives_everybody() {
        let now = crate::testing::start();
        let mut line = Line::new(now);
        let lost = now + Duration::from_secs(100);
        assert!((0..DOWN).zip(1..).all(|(_, host)| !lose(&mut line, lost, host)));
        assert!(line.is_down());
        assert!(!lose(&mut line, lost, 99));
        line.heard(lost, addr(200));
        assert_eq!(blamed(&mut line), []);
        assert!(!line.is_down());
    }

    #[test]
    fn we_are_cut_off_when_no_line_works_that_ever_did() {
        let now = crate::testing::start();
        let at = |secs| now + Duration::from_secs(secs);
        let mut lines = [Line::new(now), Line::new(now)];
        assert_eq!(silent_since(&lines), None, "nothing was asked");
        lines[0].heard(at(7), addr(1));
        (0..DOWN).for_each(|_| lines[1].lost());
        assert_eq!(silent_since(&lines), None, "the other works");
        (1..DOWN).for_each(|_| lines[0].lost());
        assert_eq!(silent_since(&lines), None, "still");
        lines[0].lost();
        assert_eq!(silent_since(&lines), Some(at(7)));
        lines[1].heard(at(20), addr(1));
        assert_eq!(silent_since(&lines), None);
        // A family that has never worked, and was hardly used, does not speak for the other.
        let mut lines = [Line::new(now), Line::new(now)];
        (0..DOWN).for_each(|_| lines[0].lost());
        lines[1].lost();
        assert_eq!(silent_since(&lines), Some(now));
    }
}
