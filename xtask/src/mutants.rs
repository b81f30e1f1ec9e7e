//! `mutants`: which deliberate errors in our crates the tests notice, by concern.
//!
//! Each mutant is one small error: a function that returns a constant, a `<` that is a `<=`, a lost `!`. It is judged by
//! the unit tests of its own module, which takes seconds; only if they notice nothing by those of its crate, and at last
//! by the tests across crates. Separate from `test`, because all of them take many hours. The verdicts are kept, so that
//! parts add up.

mod program;
mod report;
mod verdicts;

use std::collections::BTreeMap;

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
    let mut asked = Vec::new();
    journal.step("mutants: what there is", || {
        select(workspace, arguments, &program, &verdicts).map(|chosen| asked = chosen).into()
    });
    for (package, mutants) in by(asked, |mutant| &mutant.package) {
        journal.step(&format!("mutants: {} of {package}", mutants.len()), || {
            judge(&program, &package, mutants, &mut verdicts).into()
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

/// The mutants that the command line asks for.
fn select(
    workspace: &Workspace,
    arguments: &Arguments,
    program: &Program<'_>,
    verdicts: &Verdicts,
) -> Result<Vec<Mutant>, String> {
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
    }
    Ok(mutants)
}

/// Lets the tests of its module judge each mutant, those of the package what these let pass, and those across crates what
/// is then left. Only what none of them notices is missed.
fn judge(
    program: &Program<'_>,
    package: &str,
    mutants: Vec<Mutant>,
    verdicts: &mut Verdicts,
) -> Result<(), String> {
    let mut left = Vec::new();
    for (module, mutants) in by(mutants, Mutant::module) {
        left.extend(unnoticed(program, package, &mutants, &Judges::Module(&module), verdicts)?);
    }
    left = unnoticed(program, package, &left, &Judges::Own, verdicts)?;
    if let Some((_, binaries)) = ACROSS_CRATES.iter().find(|(name, _)| *name == package) {
        left = unnoticed(program, package, &left, &Judges::Across(binaries), verdicts)?;
    }
    let missed: Vec<_> = left.into_iter().map(|mutant| (mutant, Verdict::Missed)).collect();
    verdicts.put(&missed)
}

/// Notes what these tests say, and gives the mutants that they let pass.
fn unnoticed(
    program: &Program<'_>,
    package: &str,
    mutants: &[Mutant],
    judges: &Judges<'_>,
    verdicts: &mut Verdicts,
) -> Result<Vec<Mutant>, String> {
    if mutants.is_empty() {
        return Ok(Vec::new());
    }
    let judged = program.judge(package, mutants, judges)?;
    let (passed, noticed): (Vec<_>, Vec<_>) =
        judged.into_iter().partition(|(_, verdict)| *verdict == Verdict::Missed);
    verdicts.put(&noticed)?;
    Ok(passed.into_iter().map(|(mutant, _)| mutant).collect())
}

/// The mutants, sorted into groups.
fn by(mutants: Vec<Mutant>, name: fn(&Mutant) -> &str) -> BTreeMap<String, Vec<Mutant>> {
    let mut groups = BTreeMap::<String, Vec<Mutant>>::new();
    for mutant in mutants {
        groups.entry(name(&mutant).to_owned()).or_default().push(mutant);
    }
    groups
}
