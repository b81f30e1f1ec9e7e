//! Programs that cargo does not bring: where they are, or how to get them.
//!
//! Separate so that each task names what it needs, and the sentence about a missing program is written once.

use std::path::PathBuf;

use crate::workspace::Workspace;

/// The program of that name: on the path, or where `.ci/run` installs it below the target folder.
pub(crate) fn find(workspace: &Workspace, name: &str) -> Option<PathBuf> {
    let ours = workspace.target().join("tools").join("bin").join(name);
    if ours.is_file() {
        return Some(ours);
    }
    // Not started to see whether it is there: a program of cargo's may know no `--version` of its own.
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&paths).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// The sentence for a program of cargo that is not there.
pub(crate) fn missing(name: &str) -> String {
    format!("{name} is not installed (`cargo install {name} --locked --root target/tools`)")
}
