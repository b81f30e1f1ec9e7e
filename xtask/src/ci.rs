//! `ci`: every check, in the order in which a person wants to hear bad news.
//!
//! Separate because the order is the point: first what is wrong in a second and mended in a minute, then what
//! is wrong with the code, then with what is built and written around it.

use crate::arguments::Arguments;
use crate::journal::Journal;
use crate::workspace::Workspace;
use crate::{deny, docs, features, fuzz, layers, lint, test, tidy};

/// Runs everything; a failed step does not stop the others.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    tidy::run(workspace, journal);
    layers::run(workspace, journal);
    lint::run(workspace, arguments, journal);
    test::run(workspace, arguments, journal);
    features::run(workspace, journal);
    docs::run(workspace, false, journal);
    deny::run(workspace, journal);
    fuzz::run(workspace, arguments, journal);
}
