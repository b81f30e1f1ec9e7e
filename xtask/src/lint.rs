//! `lint`: rustfmt, then clippy package by package and feature set by feature set.
//!
//! Separate from the other checks because of one rule: never the whole workspace at once, where features
//! asked for by one package would hide what is missing in another.

use std::path::Path;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::{Package, Workspace};

/// Formats and lints the packages asked for, or all.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let packages = match workspace.select(&arguments.packages) {
        Ok(packages) => packages,
        Err(problem) => return journal.step("lint", || Outcome::Failed(vec![problem])),
    };
    journal.step("lint: rustfmt", || format_check(&workspace.root, &packages).into());
    for package in packages {
        for set in feature_sets(package) {
            let name = format!("lint: clippy {} {}", package.name, set.label());
            journal.step(name.trim_end(), || clippy(&workspace.root, package, set).into());
        }
    }
}

fn format_check(root: &Path, packages: &[&Package]) -> Result<(), String> {
    let mut command = cargo::cargo(root);
    command.arg("fmt").arg("--check");
    for package in packages {
        command.args(["-p", &package.name]);
    }
    cargo::run(&mut command)
}

fn clippy(root: &Path, package: &Package, set: FeatureSet) -> Result<(), String> {
    let mut command = cargo::cargo(root);
    command.args(["clippy", "--quiet", "--no-deps", "-p", &package.name]).args(set.flags());
    // Tests may use what the features bring; the product itself must stand without them.
    if set != FeatureSet::None || package.features.is_empty() {
        command.arg("--all-targets");
    }
    cargo::run(command.args(["--", "-D", "warnings"]))
}

/// One way to choose a package's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FeatureSet {
    Default,
    None,
    All,
}

impl FeatureSet {
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::None => &["--no-default-features"],
            Self::All => &["--all-features"],
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::None => "(no features)",
            Self::All => "(all features)",
        }
    }
}

/// The sets that differ from one another: a package without features has one, one without defaults two.
fn feature_sets(package: &Package) -> Vec<FeatureSet> {
    let named = package.features.keys().filter(|name| *name != "default").count();
    if named == 0 {
        return vec![FeatureSet::Default];
    }
    let defaults = package.reached_from("default");
    match defaults.len() {
        0 => vec![FeatureSet::None, FeatureSet::All],
        all if all == named => vec![FeatureSet::None, FeatureSet::All],
        _ => vec![FeatureSet::None, FeatureSet::Default, FeatureSet::All],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let features = features.iter().map(|(name, implies)| {
            ((*name).to_owned(), implies.iter().map(|i| (*i).to_owned()).collect())
        });
        Package { name: "p".to_owned(), features: features.collect(), dependencies: Vec::new() }
    }

    #[test]
    fn a_package_without_features_is_linted_once() {
        assert_eq!(feature_sets(&package(&[])), [FeatureSet::Default]);
        assert_eq!(feature_sets(&package(&[("default", &[])])), [FeatureSet::Default]);
    }

    #[test]
    fn defaults_that_equal_none_or_all_are_not_linted_again() {
        let none = package(&[("default", &[]), ("a", &[])]);
        assert_eq!(feature_sets(&none), [FeatureSet::None, FeatureSet::All]);
        let all = package(&[("default", &["a"]), ("a", &["b", "dep:x"]), ("b", &[])]);
        assert_eq!(feature_sets(&all), [FeatureSet::None, FeatureSet::All]);
    }

    #[test]
    fn three_different_sets_are_all_linted() {
        let some = package(&[("default", &["a"]), ("a", &["other/b"]), ("b", &[])]);
        assert_eq!(feature_sets(&some), [FeatureSet::None, FeatureSet::Default, FeatureSet::All]);
    }
}
