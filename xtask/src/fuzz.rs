//! `fuzz`: replays each target's corpus and its seeded mutations for a while, on the stable toolchain.
//!
//! Separate from `test`, because it runs for as long as it is told to and wants an optimised build.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Child;
use std::thread::available_parallelism;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::Workspace;

/// The package and binary that replay.
const PACKAGE: &str = "mainstay-tests";
const BINARY: &str = "fuzz-replay";
/// One file a target.
const TARGETS: &str = "tests/fuzz/fuzz_targets";

/// Runs all targets, or those named, as many at once as the machine has cores.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    journal.step("fuzz: build", || {
        let mut command = cargo::cargo(&workspace.root);
        command.args(["build", "--quiet", "--release", "-p", PACKAGE, "--bin", BINARY]);
        cargo::run(&mut command).into()
    });
    let seconds = arguments.seconds.to_string();
    journal.step(&format!("fuzz: {seconds} s a target"), || {
        let targets = match targets(&workspace.root, &arguments.filters) {
            Ok(targets) if targets.is_empty() => return Outcome::Failed(vec![none()]),
            Ok(targets) => targets,
            Err(problem) => return Outcome::Failed(vec![problem]),
        };
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let replays = shares(&targets, cores).into_iter().map(|share| {
            let program = workspace.target().join("release").join(BINARY);
            let mut command = cargo::program_in(&workspace.root, program);
            command.args(["--seconds", &seconds]).args(&share).spawn().map_err(|e| e.to_string())
        });
        let replays: Vec<Result<Child, String>> = replays.collect();
        Outcome::of(replays.into_iter().filter_map(|replay| end(replay).err()).collect())
    });
}

fn none() -> String {
    format!("there is no fuzz target in {TARGETS}")
}

/// The targets asked for, or all that there are.
fn targets(root: &Path, named: &[String]) -> Result<Vec<String>, String> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let entries = fs::read_dir(root.join(TARGETS)).map_err(|e| format!("{TARGETS}: {e}"))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let rust = paths.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let mut names: Vec<String> =
        rust.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// The targets dealt out to so many processes, none of which gets nothing.
fn shares(targets: &[String], processes: usize) -> Vec<Vec<String>> {
    let mut shares = vec![Vec::new(); processes.min(targets.len())];
    for (target, share) in targets.iter().zip((0..shares.len()).cycle()) {
        shares.get_mut(share).into_iter().for_each(|share| share.push(target.clone()));
    }
    shares
}

fn end(replay: Result<Child, String>) -> Result<(), String> {
    let status = replay?.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("a replay failed ({status})")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_in_one_share() {
        let targets: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(shares(&targets, 2), [vec!["a", "c", "e"], vec!["b", "d"]]);
        assert_eq!(shares(&targets, 9).len(), 5);
        assert!(shares(&[], 2).is_empty());
    }
}
