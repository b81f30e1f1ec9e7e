//! `tidy`: the rules of the house that no compiler checks, over every file of the repository.
//!
//! Separate from clippy because these rules are ours. Each part takes texts and gives problems, so that
//! its tests need no files.

mod functions;
mod machine;
mod manifests;
mod pages;
mod repository;
mod sources;

use std::collections::BTreeSet;
use std::fmt;

use crate::arguments::Arguments;
use crate::journal::{Journal, Outcome};
use crate::workspace::Workspace;
use repository::Repository;

/// A broken rule and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    path: String,
    line: usize,
    rule: String,
}

impl Problem {
    fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule: rule.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Reads the repository and checks it.
pub(crate) fn run(workspace: &Workspace, _: &Arguments, journal: &mut Journal) {
    let mut repository = Repository::default();
    journal.step("tidy: read the repository", || match Repository::read(&workspace.root) {
        Ok(read) => {
            repository = read;
            Outcome::Passed
        }
        Err(problem) => Outcome::Failed(vec![problem.to_string()]),
    });
    let packages: BTreeSet<String> =
        workspace.packages.iter().map(|package| package.name.clone()).collect();
    let mut part = |name: &str, mut problems: Vec<Problem>| {
        problems.sort();
        let lines = problems.iter().map(ToString::to_string).collect();
        journal.step(name, || Outcome::of(lines));
    };
    part("tidy: sources", sources::check(&repository));
    part("tidy: functions and tests", functions::check(&repository));
    part("tidy: manifests and versions", manifests::check(&repository));
    part("tidy: documents", pages::check(&repository, &packages));
    part("tidy: no path of one machine", machine::check(&repository));
}
