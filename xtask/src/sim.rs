//! `sim`: lookups of real nodes before a simulated internet; tables, plots and checks; whole nodes in trouble.
//!
//! Separate from `test`, because the full run wants a release build; the quick one is the part of it that CI runs.

use std::fs;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::tools;
use crate::workspace::Workspace;

const PACKAGE: &str = "mainstay-tests";
const BINARY: &str = "simulate";
/// Draws the PNG beside each SVG.
const PAINTER: &str = "resvg";

/// How many seconds a night is unless another time is asked for.
const NIGHT: u64 = 3600;

/// The quick run if that is asked for, or as a part of `ci`; else the full one, which writes the page and the plots.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    if arguments.quick || arguments.is_ci() {
        return journal.step("sim: small networks, each twice", || {
            simulate(workspace, arguments, &["--quick"], false).into()
        });
    }
    if arguments.night {
        return journal.step("sim: a night of whole nodes in trouble, each seed twice", || {
            let seconds = arguments.seconds.unwrap_or(NIGHT).to_string();
            simulate(workspace, arguments, &["--night", "--seconds", &seconds], true).into()
        });
    }
    let mut written = false;
    journal.step("sim: a thousand to ten million nodes", || {
        let done = simulate(workspace, arguments, &["--docs", "docs"], true);
        written = done.is_ok();
        done.into()
    });
    if written {
        journal.step("sim: plots as PNG", || match tools::find(workspace, PAINTER) {
            Some(painter) => paint(workspace, &painter.to_string_lossy()).into(),
            None => Outcome::Skipped(tools::missing(PAINTER)),
        });
    }
}

fn simulate(
    workspace: &Workspace,
    arguments: &Arguments,
    options: &[&str],
    release: bool,
) -> Result<(), String> {
    let mut command = cargo::cargo(&workspace.root);
    command.args(["run", "--quiet", "--package", PACKAGE, "--bin", BINARY]);
    command.args(release.then_some("--release")).arg("--").args(options);
    for (option, number) in [("--trials", arguments.sim), ("--seed", arguments.seed)] {
        if let Some(number) = number {
            command.args([option, &number.to_string()]);
        }
    }
    cargo::run(&mut command)
}

fn paint(workspace: &Workspace, painter: &str) -> Result<(), String> {
    let folder = workspace.root.join("docs").join("plots");
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(&folder).map_err(told)? {
        let svg = entry.map_err(told)?.path();
        if svg.extension().is_some_and(|extension| extension == "svg") {
            let mut command = cargo::program_in(&workspace.root, painter);
            command
                .args(["--quiet", "--zoom", "2", "--sans-serif-family", "DejaVu Sans"])
                .arg(&svg)
                .arg(svg.with_extension("png"));
            cargo::run(&mut command)?;
        }
    }
    Ok(())
}
