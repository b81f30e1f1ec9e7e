//! The journal of a run: what each step came to, how long it took, and the table at the end.
//!
//! Separate so that a task only says what it does; printing, timing and the exit code are here.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// Something the step needs is not on this machine; the text says what and how to get it.
    Skipped(String),
    /// One line a problem.
    Failed(Vec<String>),
}

impl Outcome {
    /// Passed when there is no problem.
    pub(crate) fn of(problems: Vec<String>) -> Self {
        if problems.is_empty() { Self::Passed } else { Self::Failed(problems) }
    }
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(problem) => Self::Failed(vec![problem]),
        }
    }
}

/// The steps of one run, in order.
#[derive(Debug)]
pub(crate) struct Journal {
    require_all: bool,
    started: Instant,
    rows: Vec<Row>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: String,
    took: Duration,
    outcome: Outcome,
}

impl Journal {
    /// An empty journal; with `require_all` a skipped step counts as failed.
    pub(crate) fn new(require_all: bool) -> Self {
        Self { require_all, started: Instant::now(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Runs one step, prints its name before and its verdict after.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        println!("── {name}");
        let started = Instant::now();
        let outcome = work();
        let took = started.elapsed();
        match &outcome {
            Outcome::Passed => {}
            Outcome::Skipped(reason) => println!("   skipped: {reason}"),
            Outcome::Failed(problems) => {
                for problem in problems {
                    println!("   {problem}");
                }
            }
        }
        println!("   {} in {}", verdict(&outcome, self.require_all), seconds(took));
        self.rows.push(Row { name: name.to_owned(), took, outcome });
    }

    /// A line to print below the table: totals of tests, things that were left out.
    pub(crate) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// True when every step so far passed or was allowed to be skipped.
    pub(crate) fn is_good(&self) -> bool {
        self.rows.iter().all(|row| match row.outcome {
            Outcome::Passed => true,
            Outcome::Skipped(_) => !self.require_all,
            Outcome::Failed(_) => false,
        })
    }

    /// Prints the table and says how the process should end.
    pub(crate) fn finish(&self) -> ExitCode {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        println!("\n── summary");
        for row in &self.rows {
            let note = match &row.outcome {
                Outcome::Passed => String::new(),
                Outcome::Skipped(reason) => format!("  {reason}"),
                Outcome::Failed(problems) => match problems.as_slice() {
                    [only] => format!("  {only}"),
                    several => format!("  {} problems, above", several.len()),
                },
            };
            let verdict = verdict(&row.outcome, self.require_all);
            println!("   {:width$}  {:>8}  {verdict}{note}", row.name, seconds(row.took));
        }
        println!("   {:width$}  {:>8}", "in all", seconds(self.started.elapsed()));
        for note in &self.notes {
            println!("{note}");
        }
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn verdict(outcome: &Outcome, require_all: bool) -> &'static str {
    match outcome {
        Outcome::Passed => "ok",
        Outcome::Skipped(_) if require_all => "FAILED (skipped, but --require-all)",
        Outcome::Skipped(_) => "skipped",
        Outcome::Failed(_) => "FAILED",
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_step_fails_only_when_all_are_required() {
        for (require_all, good) in [(false, true), (true, false)] {
            let mut journal = Journal::new(require_all);
            journal.step("mdbook", || Outcome::Skipped("mdbook is not installed".to_owned()));
            assert_eq!(journal.is_good(), good);
        }
    }

    #[test]
    fn one_failed_step_spoils_the_run() {
        let mut journal = Journal::new(false);
        journal.step("good", || Outcome::Passed);
        assert!(journal.is_good());
        journal.step("bad", || Outcome::of(vec!["a problem".to_owned()]));
        journal.step("good again", || Outcome::Passed);
        assert!(!journal.is_good());
    }
}
