//! The proof that `layers` and `features` fail: the real binary on a small workspace with one fault at a time.
//!
//! Separate from the unit tests, which doctor values: here cargo itself reads the wrong manifest.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its fixture has failed")]
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The crates of the fixture: name, then everything of the manifest below the package table.
const CRATES: &[(&str, &str)] = &[
    ("mainstay-keys", ""),
    ("mainstay-kad", ""),
    ("mainstay-krpc", "[dependencies]\nmainstay-keys = { path = \"../mainstay-keys\" }\n"),
    (
        "mainstay-packets",
        "[dependencies]\nmainstay-keys = { path = \"../mainstay-keys\" }\n\
         mainstay-krpc = { path = \"../mainstay-krpc\", default-features = false }\n",
    ),
    ("mainstay-relay", "[dependencies]\nmainstay-packets = { path = \"../mainstay-packets\" }\n"),
    (
        "mainstay-dht-proto",
        "[dependencies]\nmainstay-kad = { path = \"../mainstay-kad\" }\n\
         mainstay-krpc = { path = \"../mainstay-krpc\" }\n",
    ),
    ("mainstay-dht", "[dependencies]\nmainstay-dht-proto = { path = \"../mainstay-dht-proto\" }\n"),
    (
        "mainstay-client",
        "[features]\ndht = [\"dep:mainstay-dht\"]\nrelays = [\"dep:mainstay-relay\"]\n\
         [dependencies]\nmainstay-packets = { path = \"../mainstay-packets\" }\n\
         mainstay-dht = { path = \"../mainstay-dht\", optional = true }\n\
         mainstay-relay = { path = \"../mainstay-relay\", optional = true }\n",
    ),
    (
        "mainstay",
        "[features]\ndefault = [\"dht\", \"relays\"]\nkeys = [\"dep:mainstay-keys\"]\n\
         signed_packet = [\"keys\", \"dep:mainstay-packets\"]\n\
         dht = [\"signed_packet\", \"mainstay-client/dht\"]\n\
         relays = [\"signed_packet\", \"mainstay-client/relays\"]\n\
         full = [\"dht\", \"relays\"]\n\
         [dependencies]\nmainstay-keys = { path = \"../mainstay-keys\", optional = true }\n\
         mainstay-packets = { path = \"../mainstay-packets\", optional = true }\n\
         mainstay-client = { path = \"../mainstay-client\", optional = true }\n",
    ),
];

#[test]
fn the_fixture_keeps_the_layers() {
    let workspace = workspace(CRATES);
    let output = xtask(workspace.path(), "layers");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn layers_fails_on_an_arrow_that_the_table_does_not_have() {
    let workspace = workspace(CRATES);
    append(workspace.path(), "mainstay-kad", "mainstay-krpc = { path = \"../mainstay-krpc\" }\n");
    let output = xtask(workspace.path(), "layers");
    assert!(!output.status.success());
    let sentence = "mainstay-kad may not import mainstay-krpc: of ours it may import nothing";
    assert!(said(&output).contains(sentence), "{}", said(&output));
}

#[test]
fn layers_fails_on_what_comes_in_behind_an_allowed_import() {
    let workspace = workspace(CRATES);
    write_crate(workspace.path(), "tokio", "");
    append(workspace.path(), "mainstay-keys", "tokio = { path = \"../tokio\" }\n");
    let output = xtask(workspace.path(), "layers");
    assert!(!output.status.success());
    let sentence = "mainstay-packets with --all-features must never see tokio, but it does";
    assert!(said(&output).contains(sentence), "{}", said(&output));
}

#[test]
fn features_fails_on_a_feature_that_lets_in_what_must_be_absent() {
    let workspace = workspace(CRATES);
    write_crate(workspace.path(), "bendy", "");
    append(workspace.path(), "mainstay-packets", "bendy = { path = \"../bendy\" }\n");
    let output = xtask(workspace.path(), "features");
    assert!(!output.status.success());
    let line = "features = [\"signed_packet\"] }` must not bring in bendy";
    assert!(said(&output).contains(line), "{}", said(&output));
}

#[test]
fn features_fails_on_a_feature_that_full_forgets() {
    let mut crates = CRATES.to_vec();
    let facade = crates.last_mut().unwrap();
    let forgetful = facade.1.replace("full = [\"dht\", \"relays\"]", "full = [\"dht\"]");
    facade.1 = &forgetful;
    let workspace = workspace(&crates);
    let output = xtask(workspace.path(), "features");
    assert!(!output.status.success());
    let sentence = "`full` does not switch on `relays`";
    assert!(said(&output).contains(sentence), "{}", said(&output));
}

#[test]
fn features_fails_when_its_page_is_stale_and_writes_it_anew() {
    let workspace = workspace(CRATES);
    let page = workspace.path().join("docs/features.md");
    fs::write(&page, "old\n").unwrap();
    let first = said(&xtask(workspace.path(), "features"));
    assert!(
        first.contains("docs/features.md was not what the tree and the manifest say"),
        "{first}"
    );
    let second = said(&xtask(workspace.path(), "features"));
    assert!(!second.contains("docs/features.md was not"), "{second}");
    assert!(fs::read_to_string(&page).unwrap().contains("`signed_packet`"));
}

#[test]
fn tidy_fails_on_a_file_without_a_header() {
    let workspace = workspace(CRATES);
    fs::write(workspace.path().join("crates/mainstay-kad/src/lib.rs"), "pub fn a() {}\n").unwrap();
    let output = xtask(workspace.path(), "tidy");
    assert!(!output.status.success());
    assert!(said(&output).contains("mainstay-kad/src/lib.rs:1: begin with"), "{}", said(&output));
}

#[test]
fn an_unknown_task_is_an_error_of_the_command_line() {
    let workspace = workspace(&[("mainstay-kad", "")]);
    let output = xtask(workspace.path(), "polish");
    assert_eq!(output.status.code(), Some(2));
}

/// A workspace on disk. Nothing in it comes from a registry, so cargo needs none.
fn workspace(crates: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\nexclude = [\"crates/bendy\", \"crates/tokio\"]\n";
    fs::write(folder.path().join("Cargo.toml"), root).unwrap();
    fs::create_dir(folder.path().join("docs")).unwrap();
    for (name, manifest) in crates {
        write_crate(folder.path(), name, manifest);
    }
    folder
}

fn write_crate(root: &Path, name: &str, manifest: &str) {
    let folder = root.join("crates").join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let head = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    fs::write(folder.join("Cargo.toml"), format!("{head}\n{manifest}")).unwrap();
    fs::write(folder.join("src/lib.rs"), "//! Nothing.\n").unwrap();
}

/// Adds one dependency to a crate of the fixture.
fn append(root: &Path, name: &str, dependency: &str) {
    let path = root.join("crates").join(name).join("Cargo.toml");
    let mut manifest = fs::read_to_string(&path).unwrap();
    if !manifest.contains("[dependencies]\n") {
        manifest.push_str("[dependencies]\n");
    }
    fs::write(path, manifest + dependency).unwrap();
}

fn xtask(root: &Path, task: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([task, "--root"])
        .arg(root)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", root.join("target"))
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
