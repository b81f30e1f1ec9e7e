//! The last commits in a row that this process made, with none of another process between them.
//!
//! Separate because it is what lets a hit do without a transaction: as long as the last commit is one of the run, what
//! this process knows of the file holds.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::super::persistent::Epoch;

/// A run of commits. One thread extends it, any number asks.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The commit before the first of the run: nobody has written between the two.
    since: AtomicU64,
    /// The last of the run; 0 while the run is being changed, and before there is one.
    last: AtomicU64,
}

impl Run {
    /// The epoch in which the file is after this commit.
    pub(super) fn epoch_of(&self, commit: u64) -> Epoch {
        let last = self.last.load(SeqCst);
        let since = self.since.load(SeqCst);
        let is_unchanged = self.last.load(SeqCst) == last;
        let is_of_run = is_unchanged && (since..=last).contains(&commit);
        Epoch::since(if is_of_run { since } else { commit })
    }

    /// Notes a commit of this process, and returns the epoch that it is part of.
    pub(super) fn extend(&self, commit: u64) -> Epoch {
        let before = commit.saturating_sub(1);
        if self.last.load(SeqCst) != before || before == 0 {
            self.last.store(0, SeqCst);
            self.since.store(before, SeqCst);
        }
        self.last.store(commit, SeqCst);
        Epoch::since(self.since.load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Run};

    #[test]
    fn commits_in_a_row_are_one_epoch_with_what_was_there_before_them() {
        let run = Run::default();
        assert_eq!(run.epoch_of(4), Epoch::since(4));
        for commit in 5..9 {
            assert_eq!(run.extend(commit), Epoch::since(4));
        }
        assert!((4..9).all(|commit| run.epoch_of(commit) == Epoch::since(4)));
    }

    #[test]
    fn a_commit_of_another_process_ends_the_epoch() {
        let run = Run::default();
        run.extend(5);
        assert_eq!(run.epoch_of(6), Epoch::since(6));
        // What was seen after the other's commit is still there after ours; what was seen before need not be.
        assert_eq!(run.extend(7), Epoch::since(6));
        assert_eq!(
            [4, 5, 6, 7, 8].map(|commit| run.epoch_of(commit)),
            [4, 5, 6, 6, 8].map(Epoch::since)
        );
    }
}
