//! `fuzz`: replays each target's corpus and its seeded mutations for a while, on the stable toolchain.
//!
//! Separate from `test`, because it runs for as long as it is told to and wants an optimised build.

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::Journal;
use crate::workspace::Workspace;

/// Runs all targets, or those named.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let seconds = arguments.seconds.to_string();
    journal.step(&format!("fuzz: {seconds} s a target"), || {
        let mut command = cargo::cargo(&workspace.root);
        command.args(["run", "--quiet", "--release", "-p", "mainstay-tests"]);
        command.args(["--bin", "fuzz-replay", "--", "--seconds", &seconds]);
        cargo::run(command.args(&arguments.filters)).into()
    });
}
