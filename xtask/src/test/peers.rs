//! The programs of other people that the interop tests talk to, set up below the target folder.
//!
//! Separate and a table, so that a new peer is a new row. The tests find them by `MAINSTAY_PEERS`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::Workspace;

/// The version of libtorrent's Python wheel that the tests talk to.
const LIBTORRENT: &str = "libtorrent==2.1.1";
/// Where the peers' sources are.
const SOURCES: &str = "tests/interop/peers";

/// One program, what it needs, and how to get it.
struct Peer {
    name: &'static str,
    needs: &'static [Need],
    set_up: fn(&Workspace) -> Result<(), String>,
}

/// Something that must be on the machine.
struct Need {
    name: &'static str,
    debian: &'static str,
    probe: &'static [&'static str],
}

const PYTHON: Need = Need {
    name: "python3 with venv and pip",
    debian: "python3-venv",
    probe: &["python3", "-c", "import venv, ensurepip"],
};
const NODE: Need = Need { name: "node", debian: "nodejs", probe: &["node", "--version"] };
const NPM: Need = Need { name: "npm", debian: "npm", probe: &["npm", "--version"] };

const PEERS: &[Peer] = &[
    Peer {
        name: "pkarr 8.1, pkarr-relay 2.1, mainline 8",
        needs: &[],
        set_up: |workspace| build(workspace, "modern"),
    },
    Peer {
        name: "pkarr 5.0.3, pkarr-relay 0.11",
        needs: &[],
        set_up: |workspace| build(workspace, "pkarr5"),
    },
    Peer { name: "iroh 1.4", needs: &[], set_up: |workspace| build(workspace, "iroh") },
    Peer { name: "libtorrent", needs: &[PYTHON], set_up: libtorrent },
    Peer { name: "bittorrent-dht", needs: &[NODE, NPM], set_up: webtorrent },
];

/// The folder that `MAINSTAY_PEERS` names.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("peers")
}

/// Sets up every peer whose needs are met; the others are skipped, and so are their tests.
pub(crate) fn set_up(workspace: &Workspace, journal: &mut Journal) {
    for peer in PEERS {
        journal.step(&format!("test: set up {}", peer.name), || {
            match peer.needs.iter().find(|need| !need.is_met()) {
                Some(need) => Outcome::Skipped(need.sentence(peer.name)),
                None => (peer.set_up)(workspace).into(),
            }
        });
    }
}

impl Need {
    fn is_met(&self) -> bool {
        let Some((program, arguments)) = self.probe.split_first() else { return true };
        let mut command = cargo::program_in(Path::new("."), program);
        cargo::output(command.args(arguments)).is_ok()
    }

    fn sentence(&self, peer: &str) -> String {
        format!(
            "{} is missing (Debian: {}): skips the interop tests with {peer}",
            self.name, self.debian
        )
    }
}

fn build(workspace: &Workspace, crate_folder: &str) -> Result<(), String> {
    let manifest = Path::new(SOURCES).join(crate_folder).join("Cargo.toml");
    let mut command = cargo::cargo(&workspace.root);
    command.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo::run(command.arg("--target-dir").arg(folder(workspace)))
}

fn libtorrent(workspace: &Workspace) -> Result<(), String> {
    let venv = folder(workspace).join("venv");
    let python = venv.join("bin").join("python");
    if !python.exists() {
        let mut command = cargo::program_in(&workspace.root, "python3");
        cargo::run(command.args(["-m", "venv"]).arg(&venv))?;
    }
    let asked = "import importlib.metadata as m; print('libtorrent==' + m.version('libtorrent'))";
    let present = cargo::output(cargo::program_in(&workspace.root, &python).args(["-c", asked]));
    if present.is_ok_and(|version| version.trim() == LIBTORRENT) {
        return Ok(());
    }
    let mut command = cargo::program_in(&workspace.root, &python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", LIBTORRENT]);
    cargo::run(&mut command)
}

/// Node looks for packages beside the script, so the script goes where they are installed.
fn webtorrent(workspace: &Workspace) -> Result<(), String> {
    let sources = workspace.root.join(SOURCES).join("webtorrent");
    let place = folder(workspace).join("webtorrent");
    let told = |error: std::io::Error| format!("{}: {error}", place.display());
    fs::create_dir_all(&place).map_err(told)?;
    let wanted = fs::read(sources.join("package.json")).map_err(told)?;
    let stamp = place.join("installed.json");
    fs::copy(sources.join("peer.js"), place.join("peer.js")).map_err(told)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::write(place.join("package.json"), &wanted).map_err(told)?;
    let mut command = cargo::program_in(&place, "npm");
    command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    cargo::run(&mut command)?;
    fs::write(&stamp, &wanted).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_its_package_and_its_tests() {
        let need = Need { name: "dig", debian: "dnsutils", probe: &["no-such-program-here"] };
        assert!(!need.is_met());
        assert_eq!(
            need.sentence("bind"),
            "dig is missing (Debian: dnsutils): skips the interop tests with bind"
        );
    }
}
