//! `mutants`: which deliberate errors in our crates the tests notice, by concern.
//!
//! Each mutant is one small error: a function that returns a constant, a `<` that is a `<=`, a lost `!`. It is judged by
//! the unit tests of its own crate, which takes seconds, and only if they notice nothing by the tests across crates.
//! Separate from `test`, because all of them take many hours. The verdicts are kept, so that parts add up.

mod program;
mod report;
mod verdicts;

use std::collections::BTreeSet;

use crate::arguments::Arguments;
use crate::journal::{Journal, Outcome};
use crate::tools;
use crate::workspace::Workspace;
use program::{Judges, Mutant, Program, Selection};
use report::Report;
use verdicts::{Verdict, Verdicts};

/// The tests across crates that reach a package. Those of the command line are not here: they start a binary that is
/// built before.
const ACROSS_CRATES: [(&str, &[&str]); 9] = [
    ("mainstay-client", &["caches", "loopback"]),
    ("mainstay-dht", &["loopback"]),
    ("mainstay-dht-proto", &["swarm"]),
    ("mainstay-kad", &["model", "swarm"]),
    ("mainstay-keys", &["wire"]),
    ("mainstay-krpc", &["wire", "swarm"]),
    ("mainstay-packets", &["wire"]),
    ("mainstay-relay", &["loopback"]),
    ("mainstay-relay-server", &["loopback"]),
];

/// Judges the mutants asked for, or all, and prints what is known of all.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let Some(path) = tools::find(workspace, program::NAME) else {
        let missing = tools::missing(program::NAME);
        return journal.step("mutants", || Outcome::Skipped(missing));
    };
    let program = Program::new(workspace, path);
    let mut verdicts = Verdicts::load(&program.folder);
    let mut asked = (Selection::default(), Vec::new());
    journal.step("mutants: what there is", || {
        select(workspace, arguments, &program, &verdicts).map(|chosen| asked = chosen).into()
    });
    let (selection, mutants) = asked;
    let packages: BTreeSet<&str> = mutants.iter().map(|mutant| &*mutant.package).collect();
    for package in packages {
        let number = mutants.iter().filter(|mutant| mutant.package == package).count();
        journal.step(&format!("mutants: {number} of {package}"), || {
            judge(&program, package, &selection, &mut verdicts).into()
        });
    }
    journal.step("mutants: what the tests notice", || match program.list(&Selection::default()) {
        Ok(all) => {
            let report = Report::of(&all, &verdicts);
            print!("{report}");
            Outcome::of(report.too_low())
        }
        Err(problem) => Outcome::Failed(vec![problem]),
    });
}

/// What the command line asks for, and the mutants that this is.
fn select(
    workspace: &Workspace,
    arguments: &Arguments,
    program: &Program<'_>,
    verdicts: &Verdicts,
) -> Result<(Selection, Vec<Mutant>), String> {
    let mut selection = Selection::default();
    for package in workspace.select(&arguments.packages)? {
        if !arguments.packages.is_empty() {
            selection.package(&package.name);
        }
    }
    for file in &arguments.filters {
        selection.file(file);
    }
    if let Some(shard) = &arguments.shard {
        selection.shard(shard);
    }
    if let Some(revision) = &arguments.since {
        selection.lines(&program.differences(revision)?);
    }
    let mut mutants = program.list(&selection)?;
    if arguments.missed {
        mutants.retain(|mutant| verdicts.of(mutant) == Some(Verdict::Missed));
        selection = Selection::of(mutants.iter());
    }
    Ok((selection, mutants))
}

/// Lets the tests of the package judge its mutants, and the tests across crates those that these let pass.
fn judge(
    program: &Program<'_>,
    package: &str,
    selection: &Selection,
    verdicts: &mut Verdicts,
) -> Result<(), String> {
    let judged = program.judge(package, selection, &Judges::Own)?;
    verdicts.put(&judged)?;
    let missed = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Missed);
    let missed: Vec<&Mutant> = missed.map(|(mutant, _)| mutant).collect();
    let across = ACROSS_CRATES.iter().find(|(name, _)| *name == package);
    let Some((_, binaries)) = across.filter(|_| !missed.is_empty()) else { return Ok(()) };
    let judged = program.judge(package, &Selection::of(missed), &Judges::Across(binaries))?;
    verdicts.put(&judged)
}
