//! `test`: sets up what the tests need, runs them all, and closes with the totals.
//!
//! Separate from `test/peers.rs`, which knows the programs of other people that the interop tests talk to.

pub(crate) mod peers;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::{Package, Workspace};

/// The package whose tests talk to the peers and run the command line.
const ACROSS_CRATES: &str = "mainstay-tests";

/// Tests the packages asked for, or all, with the tests whose names contain a filter, or all.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let packages = match workspace.select(&arguments.packages) {
        Ok(packages) => packages,
        Err(problem) => return journal.step("test", || Outcome::Failed(vec![problem])),
    };
    let across = packages.iter().any(|package| package.name == ACROSS_CRATES);
    if across && !arguments.no_peers {
        peers::set_up(workspace, journal);
    }
    if across {
        journal.step("test: the command-line binary", || {
            let mut command = cargo::cargo(&workspace.root);
            command.args([
                "build",
                "--quiet",
                "--workspace",
                "--all-features",
                "--bin",
                "mainstay",
            ]);
            cargo::run(&mut command).into()
        });
    }
    let mut totals = Totals::default();
    journal.step("test: cargo test", || {
        watched(cargo_test(workspace, &packages, arguments), &mut totals)
    });
    journal.note(format!("{} passed, {} failed", totals.passed, totals.failed));
}

/// The command that runs the tests, and tells them where to find what was set up.
fn cargo_test(workspace: &Workspace, packages: &[&Package], arguments: &Arguments) -> Command {
    let mut command = cargo::cargo(&workspace.root);
    command.args(["test", "--quiet", "--no-fail-fast", "--all-features"]);
    command.args(packages.iter().flat_map(|package| ["-p", &package.name]));
    command.arg("--").args(&arguments.filters);
    command.env("MAINSTAY_BIN", workspace.target().join("debug").join("mainstay"));
    if !arguments.no_peers {
        command.env("MAINSTAY_PEERS", peers::folder(workspace));
    }
    for (variable, number) in [("MAINSTAY_SEEDS", arguments.sim), ("MAINSTAY_SEED", arguments.seed)]
    {
        command.envs(number.map(|number| (variable, number.to_string())));
    }
    if arguments.require_all {
        command.env("MAINSTAY_REQUIRE_ALL", "1");
    }
    command
}

/// The sums of the closing lines of every test binary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
}

impl Totals {
    /// Adds a closing line of libtest; any other line counts nothing.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        for count in counts.split("; ") {
            let mut words = count.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                _ => {}
            }
        }
    }
}

/// Runs the tests, shows what they print, and counts.
fn watched(mut command: Command, totals: &mut Totals) -> Outcome {
    let line = cargo::line(&command);
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(vec![format!("{line} does not start: {error}")]),
    };
    for text in
        child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()).flatten()
    {
        println!("{text}");
        totals.add(&text);
    }
    match child.wait() {
        Ok(status) if status.success() && totals.passed > 0 => Outcome::Passed,
        Ok(status) if status.success() => Outcome::Failed(vec!["no test ran".to_owned()]),
        Ok(status) => Outcome::Failed(vec![format!("{} failed ({status})", totals.failed)]),
        Err(error) => Outcome::Failed(vec![format!("{line}: {error}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_all_binaries_are_summed() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 38 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 1 filtered out; finished in 9s",
            "the result: ok. 7 passed",
        ] {
            totals.add(line);
        }
        assert_eq!(totals, Totals { passed: 42, failed: 2 });
    }
}
