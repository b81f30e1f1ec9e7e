//! `docs`: rustdoc without a warning, the book, and every Rust block of the book and README compiled.
//!
//! Separate from `lint`, because a broken link is found by another tool than a broken line.

use std::fs;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::tools;
use crate::workspace::Workspace;

const PROGRAM: &str = "mdbook";
/// The package whose doctests are the book's blocks, and the file that includes the pages.
const COMPILED_BY: (&str, &str) = ("mainstay-tests", "tests/src/book.rs");
/// Its binary and the library `mainstay` would be written to the same folder.
const SAME_NAME: &str = "mainstay-cli";

/// Runs everything; the blocks unless `ci` does it, where `test` has run them.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    journal.step("docs: rustdoc with private items", || {
        let own = rustdoc(workspace, &["-p", SAME_NAME, "--document-private-items"]);
        let rest = ["--workspace", "--exclude", SAME_NAME, "--document-private-items"];
        own.and_then(|()| rustdoc(workspace, &rest)).into()
    });
    journal.step("docs: rustdoc as published", || {
        let published = ["--workspace", "--exclude", SAME_NAME, "--exclude", "xtask"];
        rustdoc(workspace, &published).into()
    });
    journal.step("docs: every page with Rust is compiled", || Outcome::of(forgotten(workspace)));
    journal.step("docs: the book", || match tools::find(workspace, PROGRAM) {
        Some(program) => book(workspace, &program.to_string_lossy()).into(),
        None => Outcome::Skipped(tools::missing(PROGRAM)),
    });
    if !arguments.is_ci() {
        journal.step("docs: Rust blocks of the book and README", || {
            let mut command = cargo::cargo(&workspace.root);
            cargo::run(command.args(["test", "--quiet", "--doc", "-p", COMPILED_BY.0])).into()
        });
    }
}

fn rustdoc(workspace: &Workspace, selection: &[&str]) -> Result<(), String> {
    let mut command = cargo::cargo(&workspace.root);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command.args(["doc", "--quiet", "--keep-going", "--no-deps", "--all-features"]).args(selection);
    cargo::run(&mut command)
}

fn book(workspace: &Workspace, program: &str) -> Result<(), String> {
    let mut command = cargo::program_in(&workspace.root, program);
    cargo::run(command.args(["build", "docs", "--dest-dir"]).arg(workspace.target().join("book")))
}

/// Pages with a Rust block that the doctests do not include, as sentences.
fn forgotten(workspace: &Workspace) -> Vec<String> {
    let included = match fs::read_to_string(workspace.root.join(COMPILED_BY.1)) {
        Ok(included) => included,
        Err(error) => return vec![format!("{}: {error}", COMPILED_BY.1)],
    };
    let mut pages = vec!["README.md".to_owned()];
    let mut waiting = vec!["docs".to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(workspace.root.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(path),
                Ok(_) if path.ends_with(".md") => pages.push(path),
                _ => {}
            }
        }
    }
    let has_rust = |page: &String| {
        fs::read_to_string(workspace.root.join(page)).is_ok_and(|text| text.contains("```rust"))
    };
    let forgotten = pages.iter().filter(|page| has_rust(page) && !included.contains(page.as_str()));
    forgotten
        .map(|page| format!("{page} has Rust that {} does not include", COMPILED_BY.1))
        .collect()
}
