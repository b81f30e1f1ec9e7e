//! `cargo xtask`: every check that CI runs, in one binary that needs nothing but cargo.
//!
//! This file reads the command line and hands over; the usage text is here so that it is written once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod arguments;
mod bench;
mod cargo;
mod concerns;
mod coverage;
mod deny;
mod docs;
mod features;
mod fuzz;
mod journal;
mod layers;
mod lint;
mod mutants;
mod sim;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use arguments::Arguments;
use journal::Journal;
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask TASK [OPTIONS]: the checks of Mainstay

  ci [--except TASK]...      everything below but the last three, in this order
  tidy                       file headers and sizes, names, docs, versions: what no compiler checks
  layers                     who may import whom, against `cargo metadata` and `cargo tree`
  lint                       rustfmt, then clippy per package with default, no and all features
  test [NAME]...             all tests (or those whose name contains NAME), with the peers they talk to
  features                   each row of the decision tree alone; writes docs/features.md
  docs                       rustdoc without a warning, the book, every Rust block in it compiled
  deny                       licences, banned crates and sources, by cargo-deny
  sim [--quick | --night]    lookups before a simulated internet: the tables and plots of docs/simulation.md
  fuzz [TARGET]...           replays the corpus of each decoder, then mutates it for a while
  coverage                   which lines the tests run, by crate; fails under the floors of docs/testing.md
  mutants [FILE]...          which deliberate errors in our crates the tests notice, by concern; hours for all
  bench [--quick] [PART]...  Mainstay beside its peers, on a machine that does nothing else

options:
  --require-all              what is skipped because something is missing is a failure
  --no-peers                 test: leave out the programs of other people
  --quick                    bench: few rounds; sim: small networks only, as in `ci`, and nothing is written
  --sim N                    sim: trials a row; test: with N seeds in each simulation, whatever the test's own number
  --seed S                   sim: the seed; test: with this seed alone, or with N from this one on
  --night                    sim: seed after seed of whole nodes in trouble, each run twice; nothing is written
  --seconds N                fuzz: how long each target runs (default: 20); sim --night: how long it lasts (3,600)
  --missed                   mutants: judge again those that the tests did not notice before
  --since REVISION           mutants: only those in lines that differ from that revision of git
  --shard K/N                mutants: every Nth, from the Kth on (from 0)
  -p, --package PACKAGE      lint, test, coverage, mutants: only this package (repeatable)
  --root FOLDER              the workspace to check (default: the one xtask belongs to)
";

fn main() -> ExitCode {
    if coverage::is_compiler() {
        return coverage::compile_with_counters();
    }
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("xtask: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.task == "help" {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let tasks = match chosen(&arguments) {
        Ok(tasks) => tasks,
        Err(unknown) => {
            eprintln!("xtask: there is no task `{unknown}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let workspace = match Workspace::load(&arguments.root) {
        Ok(workspace) => workspace,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut journal = Journal::new(arguments.require_all);
    for (_, run) in tasks {
        run(&workspace, &arguments, &mut journal);
    }
    journal.finish()
}

/// A task's name and what it does.
type Task = (&'static str, fn(&Workspace, &Arguments, &mut Journal));

/// Every task but `ci`, which is all of them in the order in which a person wants to hear bad news: first what
/// is wrong in a second and mended in a minute, then the code, then what is built from it and written around it.
const TASKS: [Task; 12] = [
    ("tidy", tidy::run),
    ("layers", layers::run),
    ("lint", lint::run),
    ("test", test::run),
    ("features", features::run),
    ("docs", docs::run),
    ("deny", deny::run),
    ("fuzz", fuzz::run),
    ("sim", sim::run),
    (COVERAGE, coverage::run),
    (MUTANTS, mutants::run),
    (BENCH, bench::run),
];

/// The tasks that `ci` leaves out: `coverage` compiles and tests everything a second time, `mutants` thousands of times,
/// and the figures of `bench` mean nothing on a machine that does something else.
const COVERAGE: &str = "coverage";
const MUTANTS: &str = "mutants";
const BENCH: &str = "bench";

/// The tasks that the command line asks for, or the word that is none.
fn chosen(arguments: &Arguments) -> Result<Vec<Task>, &str> {
    let is_task = |name: &str| TASKS.iter().any(|(task, _)| *task == name);
    let named = arguments.except.iter().chain((!arguments.is_ci()).then_some(&arguments.task));
    if let Some(unknown) = named.map(String::as_str).find(|name| !is_task(name)) {
        return Err(unknown);
    }
    let asked = |name: &str| {
        name == arguments.task
            || arguments.is_ci()
                && ![COVERAGE, MUTANTS, BENCH].contains(&name)
                && !arguments.except.iter().any(|e| e == name)
    };
    Ok(TASKS.into_iter().filter(|(name, _)| asked(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_of(line: &str) -> Result<Vec<&'static str>, String> {
        let arguments = Arguments::parse(line.split(' ').map(str::to_owned)).unwrap();
        let tasks = chosen(&arguments).map_err(str::to_owned)?;
        Ok(tasks.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn ci_is_every_task_but_those_excepted() {
        assert_eq!(chosen_of("ci").unwrap().len(), TASKS.len() - 3);
        let tasks = chosen_of("ci --except test --except fuzz").unwrap();
        assert_eq!(tasks, ["tidy", "layers", "lint", "features", "docs", "deny", "sim"]);
        assert_eq!(chosen_of("docs").unwrap(), ["docs"]);
    }

    #[test]
    fn a_word_that_is_no_task_is_named_wherever_it_stands() {
        assert_eq!(chosen_of("polish"), Err("polish".to_owned()));
        assert_eq!(chosen_of("ci --except polish"), Err("polish".to_owned()));
    }

    #[test]
    fn every_task_is_in_the_usage_text() {
        for (name, _) in TASKS {
            assert!(USAGE.contains(&format!("\n  {name} ")), "{name}");
        }
    }
}
