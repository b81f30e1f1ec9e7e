//! Running cargo and other programs in the workspace, with the same environment a person has.
//!
//! Separate because the environment needs one careful place: cargo tells a program it runs about the
//! package it belongs to, and build scripts that watch those variables would compile again each time.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A cargo command in the workspace's root.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    program_in(root, program)
}

/// Any command in the workspace's root.
pub(crate) fn program_in(root: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_our_own_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_about_our_own_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(
            name,
            "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
        )
}

/// Runs a command with its output on our own.
///
/// # Errors
///
/// The program cannot be started, or says that it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{} does not start: {e}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", line(command))) }
}

/// Runs a command and returns what it printed.
///
/// # Errors
///
/// As [`run`]; the error ends with what the program said on standard error.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{} does not start: {e}", line(command)))?;
    if output.status.success() {
        return String::from_utf8(output.stdout)
            .map_err(|_| format!("`{}` did not print UTF-8", line(command)));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` failed ({}): {}", line(command), output.status, said.trim_end()))
}

/// True when the program can be started.
pub(crate) fn exists(program: impl AsRef<OsStr>) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for word in command.get_args() {
        line.push(' ');
        line.push_str(&word.to_string_lossy());
    }
    line
}
