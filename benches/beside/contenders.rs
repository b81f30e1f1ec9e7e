//! Who runs: the programs and how each is started.
//!
//! Separate and a table, so that a new contender is a new row. The folder of the peers comes by `MAINSTAY_BENCH_PEERS`, that
//! of the interop tests' peers by `MAINSTAY_PEERS`; who is not there is left out, and said.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::Process;

/// One who runs.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// The word that a program of several crates knows it by.
    pub(crate) which: &'static str,
    program: Vec<String>,
    /// Whether it stores BEP 44 items.
    pub(crate) items: bool,
    /// Whether it can look up, or only serve.
    pub(crate) client: bool,
}

/// All who can run on this machine, Mainstay first.
#[derive(Debug)]
pub(crate) struct Contenders(Vec<Contender>);

impl Contenders {
    pub(crate) fn find() -> Self {
        let ours = env::current_exe().unwrap_or_default().with_file_name("contender");
        let built = env::var_os("MAINSTAY_BENCH_PEERS").map(PathBuf::from).unwrap_or_default();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let interop = env::var_os("MAINSTAY_PEERS").map(PathBuf::from).unwrap_or_default();
        let rust = built.join("release").join("bench-peers");
        let python = interop.join("venv").join("bin").join("python");
        let node = interop.join("webtorrent").join("contender.js");
        let row = |name, which, program: &[&Path], items, client| Contender {
            name,
            which,
            program: program.iter().map(|word| word.display().to_string()).collect(),
            items,
            client,
        };
        let all = vec![
            row("Mainstay", "mainstay", &[&ours], true, true),
            row("mainline 8", "mainline", &[&rust], true, true),
            row(
                "libtorrent 2",
                "libtorrent",
                &[&python, &scripts.join("libtorrent").join("contender.py")],
                true,
                true,
            ),
            row("librqbit-dht 9", "librqbit", &[&rust], false, false),
            row("bittorrent-dht 11", "webtorrent", &[Path::new("node"), &node], true, true),
        ];
        let there = |contender: &Contender| {
            let needed = if contender.which == "webtorrent" {
                &node
            } else {
                Path::new(&contender.program[0])
            };
            let there = needed.exists();
            if !there {
                println!("{} is left out: {} is not there", contender.name, needed.display());
            }
            there
        };
        Self(all.into_iter().filter(there).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Contender> {
        self.0.iter()
    }
}

impl Contender {
    /// Starts it on these cores, in the words of `taskset`.
    pub(crate) fn start_on(&self, cores: &str) -> Result<Process, String> {
        Process::start(&self.program, cores)
    }

    /// Starts it as a node that answers queries, joined to this network.
    pub(crate) fn serve(
        &self,
        cores: &str,
        bootstrap: &[String],
    ) -> Result<(Process, String), String> {
        let mut process = self.start_on(cores)?;
        let answer =
            process.ask(&json!({ "op": "serve", "which": self.which, "bootstrap": bootstrap }))?;
        let address = answer["address"].as_str().ok_or("no address")?.to_owned();
        Ok((process, address))
    }

    /// Starts it as a client of this network.
    pub(crate) fn join(&self, cores: &str, bootstrap: &[String]) -> Result<Process, String> {
        let mut process = self.start_on(cores)?;
        let answer: Value =
            process.ask(&json!({ "op": "join", "which": self.which, "bootstrap": bootstrap }))?;
        match answer["ready"].as_bool() {
            Some(true) => Ok(process),
            _ => Err(format!("{} did not join", self.name)),
        }
    }
}
