//! Which seeds a simulation runs with, before how many nodes, and whose fault a failure is.
//!
//! Separate, so that every seeded test obeys the same variables and names its failing seed in the same words:
//! `MAINSTAY_SEEDS` says how many seeds, `MAINSTAY_SEED` which one; both together are that many from that one on.
//! `cargo xtask test --sim N --seed S` sets them. `MAINSTAY_NODES` says how large the network is.

use std::env;
use std::ops::Range;

/// Runs `test` once a seed: the seeds asked for through the environment, or `1..=default`.
///
/// When `test` panics, the standard error says with which seed, and how to run that one alone.
///
/// # Panics
/// When a variable is not a number, or when `test` does.
pub fn each(default: u64, mut test: impl FnMut(u64)) {
    for seed in seeds(default) {
        let witness = Witness(seed);
        test(seed);
        drop(witness);
    }
}

/// The seeds asked for through the environment, or `1..=default`.
///
/// # Panics
/// When a variable is set to something that is not a number.
pub fn seeds(default: u64) -> Range<u64> {
    chosen(default, number("MAINSTAY_SEEDS"), number("MAINSTAY_SEED"))
}

/// How many nodes the network has: as asked for through the environment, or `default`.
///
/// # Panics
/// When the variable is set to something that is not a number.
pub fn nodes(default: usize) -> usize {
    number("MAINSTAY_NODES").map_or(default, |nodes| usize::try_from(nodes).unwrap_or(usize::MAX))
}

fn chosen(default: u64, count: Option<u64>, first: Option<u64>) -> Range<u64> {
    let count = count.unwrap_or_else(|| if first.is_some() { 1 } else { default });
    let first = first.unwrap_or(1);
    first..first.saturating_add(count)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.trim().parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

/// Says which seed ran if it is dropped by a panic.
struct Witness(u64);

impl Drop for Witness {
    #[expect(clippy::print_stderr, reason = "the one line that makes a failure repeatable")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "seed {seed} failed; alone: MAINSTAY_SEED={seed}, or cargo xtask test --seed {seed}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_how_many_unless_it_is_told() {
        assert_eq!(chosen(3, None, None), 1..4);
        assert_eq!(chosen(3, Some(100), None), 1..101);
        assert_eq!(chosen(3, None, Some(77)), 77..78);
        assert_eq!(chosen(3, Some(10), Some(77)), 77..87);
        assert_eq!(chosen(3, Some(2), Some(u64::MAX)), u64::MAX..u64::MAX);
    }

    #[test]
    fn each_seed_runs_once_in_order() {
        let mut ran = Vec::new();
        each(4, |seed| ran.push(seed));
        assert_eq!(ran, seeds(4).collect::<Vec<_>>());
    }
}
