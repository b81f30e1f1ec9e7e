//! `cargo xtask`: every check that CI runs, in one binary that needs nothing but cargo.
//!
//! This file reads the command line and hands over; the usage text is here so that it is written once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod arguments;
mod cargo;
mod journal;
mod layers;
mod lint;
mod tidy;
mod workspace;

use std::process::ExitCode;

use arguments::Arguments;
use journal::Journal;
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask TASK [OPTIONS]: the checks of Mainstay

  tidy                       file headers and sizes, names, docs, versions: what no compiler checks
  layers                     who may import whom, against `cargo metadata` and `cargo tree`
  lint [-p PACKAGE]...       rustfmt, then clippy per package with default, no and all features

options of every task:
  --require-all              a step that is skipped because something is missing is a failure
  --root FOLDER              the workspace to check (default: the one xtask belongs to)
  -p, --package PACKAGE      only this package (repeatable)
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
        "tidy" => tidy::run(workspace, journal),
        "layers" => layers::run(workspace, journal),
        "lint" => lint::run(workspace, arguments, journal),
        _ => return false,
    }
    true
}
