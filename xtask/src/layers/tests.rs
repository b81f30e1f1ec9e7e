//! Proof that `layers` fails: the workspace's own metadata, doctored with one wrong import at a time.
//!
//! Separate from the check for its length; `xtask/tests` has the same proof end to end.

use super::*;
use crate::layers::table::TABLE;

/// A workspace that declares exactly what the table allows.
fn obedient() -> Workspace {
    let packages = TABLE.iter().map(|row| Package {
        name: row.package.to_owned(),
        features: std::collections::BTreeMap::new(),
        dependencies: row.ours.iter().map(|arrow| import(arrow.to, true)).collect(),
    });
    Workspace { root: "nowhere".into(), packages: packages.collect() }
}

fn import(name: &str, is_local: bool) -> Dependency {
    Dependency {
        name: name.to_owned(),
        kind: Kind::Normal,
        default_features: false,
        features: Vec::new(),
        is_local,
    }
}

fn with_import(importer: &str, dependency: Dependency) -> Workspace {
    let mut workspace = obedient();
    let package = workspace.packages.iter_mut().find(|package| package.name == importer).unwrap();
    package.dependencies.retain(|present| present.name != dependency.name);
    package.dependencies.push(dependency);
    workspace
}

#[test]
fn what_the_table_allows_passes() {
    assert_eq!(arrows(&obedient()), [""; 0]);
}

#[test]
fn an_arrow_upwards_fails_and_names_both_ends() {
    let problems = arrows(&with_import("mainstay-kad", import("mainstay-krpc", true)));
    assert_eq!(
        problems,
        ["mainstay-kad may not import mainstay-krpc: of ours it may import nothing"]
    );
}

#[test]
fn a_stranger_in_a_pure_crate_fails_and_is_named() {
    let problems = arrows(&with_import("mainstay-dht-proto", import("tokio", false)));
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.starts_with("mainstay-dht-proto may not import tokio"), "{problem}");
}

#[test]
fn the_codec_of_krpc_is_refused_to_packets() {
    let mut krpc = import("mainstay-krpc", true);
    krpc.features.push("codec".to_owned());
    let problems = arrows(&with_import("mainstay-packets", krpc));
    assert_eq!(
        problems,
        ["mainstay-packets may import mainstay-krpc only without its feature `codec`"]
    );
    let mut krpc = import("mainstay-krpc", true);
    krpc.default_features = true;
    assert_eq!(arrows(&with_import("mainstay-packets", krpc)).len(), 1);
}

#[test]
fn a_library_that_imports_the_facade_fails() {
    let problems = arrows(&with_import("mainstay-relay-server", import("mainstay", true)));
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn a_crate_missing_in_the_table_fails() {
    let mut workspace = obedient();
    let mut stranger = workspace.packages.first().cloned().unwrap();
    stranger.name = "mainstay-overlay".to_owned();
    workspace.packages.push(stranger);
    let problems = arrows(&workspace);
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.starts_with("mainstay-overlay is not in the import table"), "{problem}");
}

#[test]
fn dev_dependencies_may_point_anywhere() {
    let mut dependency = import("mainstay-sim", true);
    dependency.kind = Kind::Development;
    assert_eq!(arrows(&with_import("mainstay-kad", dependency)), [""; 0]);
}
