//! `deny`: licences, banned crates and sources of everything we depend on, by cargo-deny and `deny.toml`.
//!
//! Separate because it judges other people's packages. Advisories are left to a job with the internet.

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::tools;
use crate::workspace::Workspace;

const PROGRAM: &str = "cargo-deny";

/// Runs cargo-deny where it is installed.
pub(crate) fn run(workspace: &Workspace, _: &Arguments, journal: &mut Journal) {
    journal.step("deny: licences, bans, sources", || match tools::find(workspace, PROGRAM) {
        Some(program) => cargo::run(
            cargo::program_in(&workspace.root, program)
                .args(["--log-level", "error", "--all-features", "check"])
                .args(["licenses", "bans", "sources"]),
        )
        .into(),
        None => Outcome::Skipped(tools::missing(PROGRAM)),
    });
}
