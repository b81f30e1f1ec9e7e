//! `features`: the decision tree of `mainstay`, row by row: it compiles alone, what must be absent is absent,
//! `full` is everything, and `docs/features.md` says so.
//!
//! Separate from the rows, which are in `features/tree.rs`.

mod browser;
mod page;
mod tree;

use std::collections::BTreeSet;
use std::fs;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::layers;
use crate::workspace::{Package, Workspace};
use browser::{BROWSER, Compiler};
use tree::{Branch, TREE};

/// The crate that the tree chooses features of.
const FACADE: &str = "mainstay";
const PAGE: &str = "docs/features.md";

/// Checks the manifest and the page, then each row.
pub(crate) fn run(workspace: &Workspace, _: &Arguments, journal: &mut Journal) {
    let Some(facade) = workspace.package(FACADE) else {
        return journal.step("features", || Outcome::from(Err(format!("no package {FACADE}"))));
    };
    let was_good = journal.is_good();
    journal.step("features: the manifest has the tree", || Outcome::of(manifest(facade)));
    for branch in TREE {
        let name = format!("features: {}, what comes in", branch.name);
        journal.step(&name, || Outcome::of(presences(workspace, branch)));
    }
    journal.step("features: docs/features.md", || regenerate(workspace, facade).into());
    journal.step("features: the README names every row", || Outcome::of(readme(workspace)));
    for branch in TREE {
        let name = format!("features: {}, compiles", branch.name);
        journal.step(&name, || check(workspace, branch).into());
    }
    browser(workspace, journal, was_good);
}

/// What the manifest's features get wrong against the tree, as sentences.
pub(crate) fn manifest(facade: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    for branch in TREE {
        for feature in branch.features.iter().filter(|f| !facade.features.contains_key(**f)) {
            problems.push(format!("{FACADE} has no feature `{feature}` ({})", branch.name));
        }
    }
    for branch in TREE {
        let on = switched_on(facade, branch);
        for feature in branch.leaves_off.iter().filter(|feature| on.contains(**feature)) {
            problems.push(format!("`{}` must not switch on `{feature}`", branch.line));
        }
    }
    let full = facade.reached_from("full");
    for feature in facade.features.keys() {
        let missing = !full.contains(feature.as_str());
        if missing && feature != "full" && feature != "default" {
            problems.push(format!("`full` does not switch on `{feature}`"));
        }
    }
    problems
}

/// The features that a branch's line switches on, whatever leads to them.
fn switched_on<'a>(facade: &'a Package, branch: &Branch) -> BTreeSet<&'a str> {
    let default = branch.default_features.then_some("default");
    let named = default.iter().chain(branch.features);
    named.flat_map(|feature| facade.reached_from(feature)).collect()
}

/// What comes in with a branch and must not, or does not and must, as sentences.
fn presences(workspace: &Workspace, branch: &Branch) -> Vec<String> {
    let mut problems = Vec::new();
    for (target, absent) in [(None, branch.absent), (Some(BROWSER), branch.absent_in_browser)] {
        if target.is_some() && !branch.is_for_browsers {
            continue;
        }
        let mut selection = selection(branch);
        selection.extend(target.iter().flat_map(|target| ["--target", *target]));
        match layers::tree(workspace, &selection) {
            Ok(present) => problems.extend(disagreements(branch, absent, &present)),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// The same as a function of what `cargo tree` printed.
fn disagreements(branch: &Branch, absent: &[&str], present: &BTreeSet<String>) -> Vec<String> {
    let unwanted = absent.iter().filter(|name| present.contains(**name));
    let unwanted = unwanted.map(|name| format!("`{}` must not bring in {name}", branch.line));
    let missing = branch.brings.iter().filter(|name| !present.contains(**name));
    let missing = missing.map(|name| format!("`{}` must bring in {name}", branch.line));
    unwanted.chain(missing).collect()
}

/// The options by which cargo selects exactly this branch.
fn selection(branch: &Branch) -> Vec<&'static str> {
    let mut words = vec!["-p", FACADE];
    if !branch.default_features {
        words.push("--no-default-features");
    }
    for feature in branch.features {
        words.extend(["--features", feature]);
    }
    words
}

fn check(workspace: &Workspace, branch: &Branch) -> Result<(), String> {
    let mut command = cargo::cargo(&workspace.root);
    cargo::run(command.args(["check", "--quiet"]).args(selection(branch)))
}

/// Checks the rows for browsers, with a compiler that is set up where there is none.
///
/// What is wrong already is to be mended first: a compiler is a minute's work.
fn browser(workspace: &Workspace, journal: &mut Journal, was_good: bool) {
    if was_good && !journal.is_good() {
        return journal.note(format!("features: nothing compiled for {BROWSER} after a failure"));
    }
    let mut found = None;
    journal.step(&format!("features: a compiler for {BROWSER}"), || {
        match Compiler::find(workspace) {
            Ok(compiler) => {
                found = Some(compiler);
                Outcome::Passed
            }
            Err(outcome) => outcome,
        }
    });
    let Some(compiler) = found else { return };
    for branch in TREE.iter().filter(|branch| branch.is_for_browsers) {
        let name = format!("features: {}, compiles for {BROWSER}", branch.name);
        journal.step(&name, || {
            let mut command = compiler.cargo(workspace);
            command.args(["check", "--quiet", "--target", BROWSER]).args(selection(branch));
            cargo::run(&mut command).into()
        });
    }
}

/// Writes the page anew; a difference is a failure, so that the new page is committed.
fn regenerate(workspace: &Workspace, facade: &Package) -> Result<(), String> {
    let manifest = workspace.root.join("crates").join(FACADE).join("Cargo.toml");
    let manifest =
        fs::read_to_string(&manifest).map_err(|e| format!("{FACADE}'s manifest: {e}"))?;
    let page = page::render(facade, &manifest);
    let path = workspace.root.join(PAGE);
    if fs::read_to_string(&path).is_ok_and(|there| there == page) {
        return Ok(());
    }
    fs::write(&path, page).map_err(|e| format!("{PAGE}: {e}"))?;
    Err(format!("{PAGE} was not what the tree and the manifest say; it is now: commit it"))
}

fn readme(workspace: &Workspace) -> Vec<String> {
    let text = fs::read_to_string(workspace.root.join("README.md")).unwrap_or_default();
    let missing = TREE.iter().filter(|branch| !text.contains(branch.line));
    missing.map(|branch| format!("README.md lacks `{}` ({})", branch.line, branch.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facade() -> Package {
        let names = TREE.iter().flat_map(|branch| branch.features).map(|f| (*f).to_owned());
        let names: BTreeSet<String> = names.collect();
        let full = names.iter().filter(|name| *name != "full").cloned().collect();
        let mut features: std::collections::BTreeMap<String, Vec<String>> =
            names.into_iter().map(|name| (name, Vec::new())).collect();
        features.insert("full".to_owned(), full);
        Package { name: FACADE.to_owned(), features, dependencies: Vec::new() }
    }

    fn branch(name: &str) -> &'static Branch {
        TREE.iter().find(|branch| branch.name == name).unwrap()
    }

    #[test]
    fn a_manifest_with_the_tree_passes() {
        assert_eq!(manifest(&facade()), [""; 0]);
    }

    #[test]
    fn a_feature_that_full_forgets_fails() {
        let mut facade = facade();
        facade.features.insert("forgotten".to_owned(), Vec::new());
        assert_eq!(manifest(&facade), ["`full` does not switch on `forgotten`"]);
    }

    #[test]
    fn a_default_that_brings_the_verifier_of_tls_fails() {
        let mut facade = facade();
        facade.features.insert("default".to_owned(), vec!["reqwest-builder".to_owned()]);
        let line = "`mainstay = \"0.1\"` must not switch on `reqwest-builder`";
        assert!(manifest(&facade).iter().any(|problem| problem == line), "{:?}", manifest(&facade));
    }

    #[test]
    fn a_row_without_its_feature_fails() {
        let mut facade = facade();
        facade.features.remove("signed_packet");
        let problems = manifest(&facade);
        assert!(problems.iter().any(|p| p.contains("no feature `signed_packet`")), "{problems:?}");
    }

    #[test]
    fn a_crate_that_must_be_absent_fails_and_is_named() {
        let offline = branch("sign offline");
        let mut present: BTreeSet<String> =
            offline.brings.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(disagreements(offline, offline.absent, &present), [""; 0]);
        present.insert("bendy".to_owned());
        let problems = disagreements(offline, offline.absent, &present);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.ends_with("must not bring in bendy"), "{problem}");
    }

    #[test]
    fn a_crate_that_must_come_in_is_missed() {
        let keys = branch("keys only");
        let problems = disagreements(keys, keys.absent, &BTreeSet::new());
        assert_eq!(problems.len(), keys.brings.len());
    }
}
