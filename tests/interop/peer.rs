//! Runs one of the peers as a process and speaks lines of JSON with it.
//!
//! Separate from the tests, so that each of them reads as what is stored by whom and read by whom.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a peer may think about one request before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(90);

/// The programs that `cargo xtask test` sets up under the folder `MAINSTAY_PEERS`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// pkarr 8.1, pkarr-relay 2.1 and mainline 8.
    Modern,
    /// pkarr 5.0.3 and pkarr-relay 0.11.
    Pkarr5,
    /// iroh 1.4: endpoints, pkarr publisher, resolver and relay client.
    Iroh,
    /// libtorrent through its Python binding.
    Libtorrent,
    /// bittorrent-dht on Node.js.
    Webtorrent,
}

/// A running peer. Dropping it ends its process, and takes away what that has left.
#[derive(Debug)]
pub(crate) struct Peer {
    program: Program,
    /// Where it has its temporary files: pkarr-relay, for one, has a cache there that it leaves behind.
    _scratch: TempDir,
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl Peer {
    /// Starts a peer, or says that it is not set up and answers `None`.
    ///
    /// # Panics
    /// When `MAINSTAY_REQUIRE_ALL` is set and the peer is not there: then nothing may be skipped.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
    pub(crate) fn spawn(program: Program) -> Option<Self> {
        let Some(mut command) = program.command() else {
            assert!(
                std::env::var_os("MAINSTAY_REQUIRE_ALL").is_none(),
                "{program:?} is not set up; `cargo xtask test` does that"
            );
            eprintln!("skipped: {program:?} is not set up; `cargo xtask test` does that");
            return None;
        };
        let scratch = TempDir::new().expect("there is room for temporary files");
        let mut child = command
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?} does not start: {error}"));
        let requests = child.stdin.take().expect("stdin was piped");
        let output = BufReader::new(child.stdout.take().expect("stdout was piped"));
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Some(Self { program, _scratch: scratch, child, requests, answers })
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Panics
    /// When the peer has died, stays silent for 90 seconds or answers with something else than JSON.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}")
            .and_then(|()| self.requests.flush())
            .unwrap_or_else(|error| panic!("{:?} does not read: {error}", self.program));
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{:?} does not answer {request}", self.program));
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{:?} answers {line}: {error}", self.program))
    }

    /// Like [`Peer::ask`], for requests that must succeed.
    ///
    /// # Panics
    /// Also when the answer is an error.
    pub(crate) fn must(&mut self, request: &Value) -> Value {
        let answer = self.ask(request);
        assert!(answer.get("error").is_none(), "{:?}: {request} -> {answer}", self.program);
        answer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already; either way nothing is left to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn command(self) -> Option<Command> {
        let peers = PathBuf::from(std::env::var_os("MAINSTAY_PEERS")?);
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop/peers");
        let (program, script) = match self {
            Self::Modern => (peers.join("debug/peer-modern"), None),
            Self::Pkarr5 => (peers.join("debug/peer-pkarr5"), None),
            Self::Iroh => (peers.join("debug/peer-iroh"), None),
            Self::Libtorrent => {
                (peers.join("venv/bin/python"), Some(here.join("libtorrent/peer.py")))
            }
            Self::Webtorrent => (PathBuf::from("node"), Some(peers.join("webtorrent/peer.js"))),
        };
        let there = match &script {
            Some(script) => script.exists() && (program.is_relative() || program.exists()),
            None => program.exists(),
        };
        let mut command = Command::new(program);
        command.args(script);
        there.then_some(command)
    }
}
