//! A compiler for the browser's target: the one on the path, or Debian's, unpacked below the target folder.
//!
//! Separate from the rows, because what the machine lacks is its own story: rustup's target needs a host that
//! is not always reachable, and Debian's compiler comes without the target's standard library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;
use crate::journal::Outcome;
use crate::workspace::Workspace;

/// The browser's target.
pub(crate) const BROWSER: &str = "wasm32-unknown-unknown";
/// What is asked of Debian; what these need in turn and the machine lacks comes along.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// What the standard library is built of; `proc_macro` and `test` because its manifest names them.
const STANDARD: &str = "-Zbuild-std=std,panic_abort,proc_macro,test";

/// Compiles for browsers.
#[derive(Debug)]
pub(crate) enum Compiler {
    /// The usual one has the target.
    Usual,
    /// Debian's, in this folder.
    Debian(PathBuf),
}

impl Compiler {
    /// The one that is there, or that can be set up without being root.
    ///
    /// # Errors
    ///
    /// A skip where the machine has no way to get one, a failure where the way does not lead there.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self, Outcome> {
        if usual_has_target(workspace) {
            return Ok(Self::Usual);
        }
        let folder = workspace.target().join("browser");
        let wanted = offered(workspace).map_err(Outcome::Skipped)?;
        let stamp = folder.join("packages.txt");
        if fs::read_to_string(&stamp).is_ok_and(|unpacked| unpacked == wanted.join("\n")) {
            return Ok(Self::Debian(folder));
        }
        set_up(workspace, &folder, &wanted).map_err(|problem| Outcome::Failed(vec![problem]))?;
        Ok(Self::Debian(folder))
    }

    /// A cargo command of this compiler in the workspace's root.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Command {
        match self {
            Self::Usual => cargo::cargo(&workspace.root),
            Self::Debian(folder) => {
                let mut command = debian_cargo(&workspace.root, folder);
                // Apart from the usual compiler's, which would compile everything again.
                command.env("CARGO_TARGET_DIR", folder.join("target"));
                command
            }
        }
    }
}

fn usual_has_target(workspace: &Workspace) -> bool {
    let words = ["--print", "target-libdir", "--target", BROWSER];
    let folder = cargo::output(cargo::program_in(&workspace.root, "rustc").args(words));
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// The packages, `name=version`, that Debian would install for the compiler.
///
/// # Errors
///
/// How to get a compiler on a machine where this one cannot be had.
fn offered(workspace: &Workspace) -> Result<Vec<String>, String> {
    let instead = format!("`rustup target add {BROWSER}` is the other way");
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || !cargo::exists("apt-get") {
        return Err(format!("{BROWSER} is not installed: `rustup target add {BROWSER}`"));
    }
    let mut simulate = cargo::program_in(&workspace.root, "apt-get");
    simulate.env("LC_ALL", "C");
    simulate.args(["--simulate", "--no-install-recommends", "install"]).args(PACKAGES);
    let plan = cargo::output(&mut simulate).map_err(|problem| {
        format!("Debian's compiler for {BROWSER} is not offered ({problem}); `apt-get update` brings the lists, or {instead}")
    })?;
    let wanted = to_install(&plan);
    if wanted.is_empty() {
        return Err(format!("Debian's compiler is installed without {BROWSER}; {instead}"));
    }
    Ok(wanted)
}

/// The `name=version` of each line `Inst name (version …` of a simulated installation, sorted.
fn to_install(plan: &str) -> Vec<String> {
    let package = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split_whitespace();
        let name = words.next()?;
        let version = words.find_map(|word| word.strip_prefix('('))?;
        Some(format!("{name}={}", version.trim_end_matches(')')))
    };
    let mut packages: Vec<String> = plan.lines().filter_map(package).collect();
    packages.sort();
    packages
}

/// Unpacks the packages into the folder and builds the target's standard library there.
///
/// The stamp is written last, so that what was interrupted is begun anew.
fn set_up(workspace: &Workspace, folder: &Path, wanted: &[String]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    let downloads = folder.join("downloads");
    fs::create_dir_all(&downloads).map_err(failed)?;
    let mut download = cargo::program_in(&downloads, "apt-get");
    cargo::output(download.args(["--quiet", "download"]).args(wanted))?;
    for package in files(&downloads)? {
        let mut unpack = cargo::program_in(&workspace.root, "dpkg-deb");
        cargo::run(unpack.arg("--extract").arg(&package).arg(folder))?;
    }
    fs::remove_dir_all(&downloads).map_err(failed)?;
    build_standard(folder)?;
    fs::write(folder.join("packages.txt"), wanted.join("\n")).map_err(failed)
}

/// Builds the standard library for the target, once, and puts it where the compiler looks.
fn build_standard(folder: &Path) -> Result<(), String> {
    let scratch = folder.join("standard");
    let failed = |e: std::io::Error| format!("{}: {e}", scratch.display());
    let manifest = "[package]\nname = \"scratch\"\nedition = \"2024\"\n[workspace]\n";
    fs::create_dir_all(scratch.join("src")).map_err(failed)?;
    fs::write(scratch.join("Cargo.toml"), manifest).map_err(failed)?;
    fs::write(scratch.join("src/lib.rs"), "").map_err(failed)?;
    let mut build = debian_cargo(&scratch, folder);
    build.args(["build", "--quiet", "--release", "--target", BROWSER, STANDARD]);
    build.env("CARGO_TARGET_DIR", scratch.join("target"));
    // What only a nightly compiler may do is done once, for the compiler's own library.
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env("RUSTFLAGS", "-Cembed-bitcode=yes -Zforce-unstable-if-unmarked");
    cargo::run(&mut build)?;
    let library = folder.join("usr/lib/rustlib").join(BROWSER).join("lib");
    fs::create_dir_all(&library).map_err(failed)?;
    let built = scratch.join("target").join(BROWSER).join("release/deps");
    for file in files(&built)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libscratch") {
            fs::copy(&file, library.join(name)).map_err(failed)?;
        }
    }
    fs::remove_dir_all(&scratch).map_err(failed)
}

/// Debian's cargo, which finds nothing but what was unpacked beside it.
fn debian_cargo(place: &Path, folder: &Path) -> Command {
    let programs = folder.join("usr/bin");
    let mut command = cargo::program_in(place, programs.join("cargo"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(path) {
        command.env("PATH", path);
    }
    command.env("RUSTC", programs.join("rustc")).env("RUSTDOC", programs.join("rustdoc"));
    command.env("LD_LIBRARY_PATH", folder.join("usr/lib/x86_64-linux-gnu"));
    for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

#[cfg(test)]
mod tests {
    use super::to_install;

    #[test]
    fn a_simulated_installation_names_each_package_with_its_version() {
        let plan = "Reading package lists...\nRemv rustc [1.63]\n\
            Inst rustc-web (1.96.0+dfsg1-1~deb12u2 Debian-Security:12/stable [amd64])\n\
            Inst libgit2-1.5 [1.5.0] (1.5.1+ds-1 Debian:12/stable [amd64]) []\n\
            Conf rustc-web (1.96.0+dfsg1-1~deb12u2 Debian-Security:12/stable [amd64])\n";
        assert_eq!(
            to_install(plan),
            ["libgit2-1.5=1.5.1+ds-1", "rustc-web=1.96.0+dfsg1-1~deb12u2"]
        );
    }

    #[test]
    fn a_plan_without_installations_names_nothing() {
        assert_eq!(to_install("0 upgraded, 0 newly installed.\nInst\nInst x\n"), [""; 0]);
    }
}
