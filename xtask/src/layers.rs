//! `layers`: who may import whom, held against `cargo metadata` (what each manifest declares) and
//! `cargo tree` (what comes in through others).
//!
//! Separate from the table it enforces, which is in `layers/table.rs` and reads like the page it is from.

mod table;

use std::collections::BTreeSet;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::{Dependency, Kind, Package, Workspace};
use table::{Arrow, Others, Row, TABLE};

/// Checks the arrows, then what comes in behind them.
pub(crate) fn run(workspace: &Workspace, _: &Arguments, journal: &mut Journal) {
    journal.step("layers: declared imports", || Outcome::of(arrows(workspace)));
    journal.step("layers: imports of imports", || Outcome::of(strangers(workspace)));
}

/// Every arrow of a manifest that the table does not have, as sentences.
pub(crate) fn arrows(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for package in &workspace.packages {
        match TABLE.iter().find(|row| row.package == package.name) {
            Some(row) => problems.extend(arrows_of(package, row)),
            None => problems.push(format!(
                "{} is not in the import table: add a row to xtask/src/layers/table.rs",
                package.name
            )),
        }
    }
    problems
}

fn arrows_of(package: &Package, row: &Row) -> Vec<String> {
    let declared = package.dependencies.iter().filter(|d| d.kind != Kind::Development);
    declared.filter_map(|dependency| refusal(package, row, dependency)).collect()
}

/// Why this dependency may not be there, if it may not.
fn refusal(package: &Package, row: &Row, dependency: &Dependency) -> Option<String> {
    let importer = &package.name;
    let imported = &dependency.name;
    if dependency.is_local {
        let Some(arrow) = row.ours.iter().find(|arrow| arrow.to == imported) else {
            let allowed: Vec<&str> = row.ours.iter().map(|arrow| arrow.to).collect();
            return Some(format!(
                "{importer} may not import {imported}: of ours it may import {}",
                listed(&allowed)
            ));
        };
        return forbidden_feature(arrow, dependency).map(|feature| {
            format!("{importer} may import {imported} only without its feature `{feature}`")
        });
    }
    match row.others {
        Others::Any => None,
        Others::Only(names) if names.contains(&imported.as_str()) => None,
        Others::Only(names) => Some(format!(
            "{importer} may not import {imported}: of others it may import {}",
            listed(names)
        )),
    }
}

/// The feature that this arrow refuses and the dependency asks for.
fn forbidden_feature(arrow: &Arrow, dependency: &Dependency) -> Option<&'static str> {
    let feature = arrow.without?;
    let asked = dependency.default_features || dependency.features.iter().any(|f| f == feature);
    asked.then_some(feature)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Every package that comes into a crate through others and must not, as sentences.
pub(crate) fn strangers(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for row in TABLE {
        if workspace.package(row.package).is_none() {
            continue;
        }
        let modes = [("--all-features", row.never), ("--no-default-features", row.never_bare)];
        for (mode, never) in modes {
            if never.is_empty() {
                continue;
            }
            let present = match tree(workspace, &["-p", row.package, mode]) {
                Ok(present) => present,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            for name in never.iter().filter(|name| present.contains(**name)) {
                let package = row.package;
                problems.push(format!("{package} with {mode} must never see {name}, but it does"));
            }
        }
    }
    problems
}

/// The names of all packages in `cargo tree -e normal` for the given selection.
///
/// # Errors
///
/// Cargo refuses the selection; the text is cargo's.
pub(crate) fn tree(workspace: &Workspace, selection: &[&str]) -> Result<BTreeSet<String>, String> {
    let text = cargo::output(
        cargo::cargo(&workspace.root)
            .args(["tree", "--edges", "normal", "--prefix", "none"])
            .args(selection),
    )?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
