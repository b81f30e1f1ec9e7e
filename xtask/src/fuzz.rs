//! `fuzz`: replays each target's corpus and its seeded mutations for a while, on the stable toolchain.
//!
//! Separate from `test`, because it runs for as long as it is told to and wants an optimised build.

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::Journal;
use crate::workspace::Workspace;

/// How cargo selects the program that replays.
const REPLAY: [&str; 5] = ["--release", "-p", "mainstay-tests", "--bin", "fuzz-replay"];

/// How long each target runs unless another time is asked for.
const SECONDS: u64 = 20;

/// Runs all targets, or those named.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    journal.step("fuzz: build", || {
        cargo::run(cargo::cargo(&workspace.root).args(["build", "--quiet"]).args(REPLAY)).into()
    });
    let seconds = arguments.seconds.unwrap_or(SECONDS).to_string();
    journal.step(&format!("fuzz: {seconds} s a target"), || {
        let mut command = cargo::cargo(&workspace.root);
        command.args(["run", "--quiet"]).args(REPLAY).args(["--", "--seconds", &seconds]);
        cargo::run(command.args(&arguments.filters)).into()
    });
}
