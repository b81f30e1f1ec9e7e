//! `cargo xtask`: every check that CI runs, in one binary that needs nothing but cargo.
//!
//! This file reads the command line and hands over; the usage text is here so that it is written once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod arguments;
mod cargo;
mod ci;
mod deny;
mod docs;
mod features;
mod fuzz;
mod journal;
mod layers;
mod lint;
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

  ci                         everything below, in this order
  tidy                       file headers and sizes, names, docs, versions: what no compiler checks
  layers                     who may import whom, against `cargo metadata` and `cargo tree`
  lint                       rustfmt, then clippy per package with default, no and all features
  test [NAME]...             all tests (or those whose name contains NAME), with the peers they talk to
  features                   each row of the decision tree alone; writes docs/features.md
  docs                       rustdoc without a warning, the book, every Rust block in it compiled
  deny                       licences, banned crates and sources, by cargo-deny
  fuzz [TARGET]...           replays the corpus of each decoder, then mutates it for a while

options:
  --require-all              what is skipped because something is missing is a failure
  --no-peers                 test: leave out the programs of other people
  --seconds N                fuzz: how long each target runs (default: 20)
  -p, --package PACKAGE      lint, test: only this package (repeatable)
  --root FOLDER              the workspace to check (default: the one xtask belongs to)
";

fn main() -> ExitCode {
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
    let workspace = match Workspace::load(&arguments.root) {
        Ok(workspace) => workspace,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut journal = Journal::new(arguments.require_all);
    if !run(&arguments.task, &arguments, &workspace, &mut journal) {
        eprintln!("xtask: there is no task `{}`\n\n{USAGE}", arguments.task);
        return ExitCode::from(2);
    }
    journal.finish()
}

/// Runs one task; false when there is none of that name.
fn run(task: &str, arguments: &Arguments, workspace: &Workspace, journal: &mut Journal) -> bool {
    match task {
        "ci" => ci::run(workspace, arguments, journal),
        "tidy" => tidy::run(workspace, journal),
        "layers" => layers::run(workspace, journal),
        "lint" => lint::run(workspace, arguments, journal),
        "test" => test::run(workspace, arguments, journal),
        "features" => features::run(workspace, journal),
        "docs" => docs::run(workspace, true, journal),
        "deny" => deny::run(workspace, journal),
        "fuzz" => fuzz::run(workspace, arguments, journal),
        _ => return false,
    }
    true
}
