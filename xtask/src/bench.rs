//! `bench`: Mainstay beside its peers in one run, and the time and allocations of our own hot paths.
//!
//! Separate from `test`, because its figures mean something only on a machine that does nothing else; `ci` leaves it out.

use std::fs;
use std::path::Path;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::Journal;
use crate::test::peers;
use crate::workspace::Workspace;

/// Where the peers' sources are.
const SOURCES: &str = "benches/peers";
/// How cargo selects what runs beside the peers.
const BESIDE: [&str; 5] = ["build", "--quiet", "--release", "-p", "mainstay-benches"];

/// Runs all parts, or those named: server, client, testnet, packets, relay, republish.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let built = workspace.target().join("bench-peers");
    if !arguments.no_peers {
        peers::set_up(workspace, journal);
        journal.step("bench: build the peers", || set_up(workspace, &built).into());
    }
    journal.step("bench: build", || {
        cargo::run(cargo::cargo(&workspace.root).args(BESIDE).arg("--bins")).into()
    });
    journal.step("bench: beside the peers", || {
        let program = workspace.target().join("release").join("beside");
        // The contenders have the first core, the load and the simulated network the second.
        let mut command = cargo::program_in(&workspace.root, "taskset");
        command.args(["-c", "1"]).arg(program);
        command.env("MAINSTAY_BENCH_PEERS", &built);
        command.env("MAINSTAY_PEERS", peers::folder(workspace));
        if arguments.quick {
            command.arg("--quick");
        }
        cargo::run(command.args(&arguments.filters)).into()
    });
    if arguments.filters.is_empty() {
        journal.step("bench: our own hot paths", || {
            cargo::run(cargo::cargo(&workspace.root).args(["bench", "-p", "mainstay-benches"]))
                .into()
        });
    }
}

/// The Rust peers, built for speed in a workspace of their own, and the script beside the packages that node looks for.
fn set_up(workspace: &Workspace, built: &Path) -> Result<(), String> {
    let sources = workspace.root.join(SOURCES);
    let packages = peers::folder(workspace).join("webtorrent");
    if packages.exists() {
        let script = sources.join("webtorrent").join("contender.js");
        fs::copy(&script, packages.join("contender.js"))
            .map_err(|error| format!("{}: {error}", script.display()))?;
    }
    let mut command = cargo::cargo(&workspace.root);
    command.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]);
    cargo::run(command.arg(sources.join("rust").join("Cargo.toml")).arg("--target-dir").arg(built))
}
