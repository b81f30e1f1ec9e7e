//! Runs the command line as people do: as a process.
//!
//! Separate from the tests of it, because the interop tests run it too.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a command may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary that `cargo xtask test` has built, or the one that a plain `cargo build` leaves.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/debug/mainstay");
    let binary = std::env::var_os("MAINSTAY_BIN").map_or(built, PathBuf::from);
    assert!(
        binary.exists(),
        "there is no {}; `cargo build -p mainstay-cli` makes it",
        binary.display()
    );
    binary
}

/// Runs the command to its end, with `input` as its standard input.
///
/// # Panics
/// When it does not start.
pub fn run<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Output {
    let mut child =
        command(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    let input = input.to_vec();
    // A command that needs no input may end without reading it.
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().expect("its output can be read");
    let _ = writer.join();
    output
}

/// Runs the command with `--json`, and gives the object that it prints.
///
/// # Panics
/// When it fails, or prints anything else.
pub fn json<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Value {
    let mut all: Vec<&OsStr> = vec!["--json".as_ref()];
    all.extend(arguments.iter().map(AsRef::as_ref));
    let output = run(&all, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{all:?}: {} {errors}", output.status);
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 1, "{all:?} prints more than one line");
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// A command that runs until it is told to end. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it with `--json` and gives the first line that it prints.
    ///
    /// # Panics
    /// When it does not start, or ends before its first line.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> (Self, Value) {
        let mut child =
            command(arguments).arg("--json").stderr(Stdio::inherit()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("its output can be read");
        let first = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        (Self { child, lines }, first)
    }

    /// The next line that it prints.
    ///
    /// # Panics
    /// When it has ended.
    pub fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("its output can be read");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Starts it with `--json`, ends it by a signal once it has told on stderr of the event `until`, and gives
    /// everything that it told there.
    ///
    /// # Panics
    /// When it ends before that, or tells what is no JSON.
    #[must_use]
    pub fn told<S: AsRef<OsStr>>(arguments: &[S], until: &str, signal: &str) -> Vec<Value> {
        let mut child =
            command(arguments).arg("--json").stderr(Stdio::piped()).spawn().expect("it starts");
        let errors = BufReader::new(child.stderr.take().expect("it was piped"));
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut running = Self { child, lines };
        let mut told: Vec<Value> = Vec::new();
        for line in errors.lines() {
            let line = line.expect("its errors can be read");
            let event =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            told.push(event);
            if told.last().is_some_and(|event| event["event"] == until) {
                running.signal(signal);
            }
        }
        let ended = running.child.wait().expect("it ends");
        assert!(ended.success(), "{ended}: {told:?}");
        told
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name (`HUP`), and goes on.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("there is a kill command").success());
    }

    /// Sends a signal by its name (`TERM`, `INT`) and waits for the end: how it ended, and what it still printed.
    ///
    /// # Panics
    /// When it has not ended after a minute.
    pub fn end(mut self, signal: &str) -> (ExitStatus, String) {
        self.signal(signal);
        let mut rest = String::new();
        let begun = Instant::now();
        // The pipe closes when the process ends, so reading is the wait.
        std::io::Read::read_to_string(&mut self.lines, &mut rest).expect("its output can be read");
        let status = self.child.wait().expect("it can be waited for");
        assert!(begun.elapsed() < PATIENCE, "it took {:?} to end", begun.elapsed());
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).env_remove("MAINSTAY_LOG");
    command
}
