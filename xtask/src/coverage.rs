//! `coverage`: which lines of our crates the tests reach, a row for each crate and one for what must not be wrong.
//!
//! Separate from `test`, because it compiles our packages once more, with counters in them, and takes minutes.

mod llvm;
mod report;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::arguments::Arguments;
use crate::cargo;
use crate::journal::{Journal, Outcome};
use crate::workspace::Workspace;
use llvm::Llvm;
use report::Report;

pub(crate) use llvm::compile_with_counters;

/// The package of the tests across crates, and which of its binaries count: all but those that talk to other
/// people's programs.
const ACROSS_CRATES: &str = "mainstay-tests";
const BINARIES: [&str; 8] =
    ["wire", "swarm", "model", "loopback", "caches", "internet", "frugal", "cli"];
/// What runs no code of a user.
const LEFT_OUT: [&str; 3] = ["mainstay-benches", "xtask", ACROSS_CRATES];

/// Tests the packages asked for, or all, and prints how much of them was run. The floors are judged only when all are
/// asked for: what one package's own tests reach of another says nothing about either.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments, journal: &mut Journal) {
    let packages = match workspace.select(&arguments.packages) {
        Ok(packages) => packages,
        Err(problem) => return journal.step("coverage", || Outcome::Failed(vec![problem])),
    };
    let all = arguments.packages.is_empty();
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut run = Run { workspace, llvm: None, programs: Vec::new(), mainstay: None };
    journal.step("coverage: the tools", || match Llvm::find(workspace) {
        Ok(llvm) => {
            run.llvm = Some(llvm);
            Outcome::Passed
        }
        Err(missing) => Outcome::Skipped(missing),
    });
    let Some(llvm) = run.llvm.clone() else { return };
    journal.step("coverage: build with counters", || run.build(&names).into());
    journal.step("coverage: run the tests", || Outcome::of(run.test(&llvm)));
    journal.step("coverage: lines that were run", || {
        let objects = run.programs.iter().map(|program| &program.path).chain(&run.mainstay);
        match llvm.summary(objects).and_then(|text| Report::read(&text, &workspace.root)) {
            Ok(report) => {
                print!("{report}");
                Outcome::of(if all { report.too_low() } else { Vec::new() })
            }
            Err(problem) => Outcome::Failed(vec![problem]),
        }
    });
}

/// One run of the task.
struct Run<'a> {
    workspace: &'a Workspace,
    llvm: Option<Llvm>,
    programs: Vec<Program>,
    /// The command line, which its tests start as a process.
    mainstay: Option<PathBuf>,
}

/// A test binary, and the folder of its package, in which it expects to run.
struct Program {
    path: PathBuf,
    folder: PathBuf,
}

impl Run<'_> {
    fn build(&mut self, names: &[&str]) -> Result<(), String> {
        let crates: Vec<&str> =
            names.iter().copied().filter(|name| !LEFT_OUT.contains(name)).collect();
        if !crates.is_empty() {
            let own = crates.iter().flat_map(|name| ["-p", name]).chain(["--lib", "--bins"]);
            self.compile(["test", "--no-run"].into_iter().chain(own).collect())?;
        }
        if names.contains(&ACROSS_CRATES) {
            let binaries = BINARIES.iter().flat_map(|name| ["--test", name]);
            let across = ["test", "--no-run", "-p", ACROSS_CRATES].into_iter().chain(binaries);
            self.compile(across.collect())?;
            self.compile(vec!["build", "-p", "mainstay-cli"])?;
        }
        Ok(())
    }

    /// Compiles, and notes what came of it.
    fn compile(&mut self, words: Vec<&str>) -> Result<(), String> {
        let mut command = cargo::cargo(&self.workspace.root);
        command.args(words).args(["--quiet", "--all-features", "--message-format=json"]);
        llvm::count_in(&mut command, self.workspace)?;
        for line in cargo::output(&mut command)?.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            let Some(path) = message["executable"].as_str().map(PathBuf::from) else { continue };
            if message["profile"]["test"] == true {
                let manifest = PathBuf::from(message["manifest_path"].as_str().unwrap_or_default());
                let folder = manifest.parent().map_or_else(PathBuf::new, PathBuf::from);
                self.programs.push(Program { path, folder });
            } else if message["target"]["name"] == "mainstay" {
                self.mainstay = Some(path);
            }
        }
        Ok(())
    }

    /// Runs all, one after the other; gives those that failed.
    fn test(&self, llvm: &Llvm) -> Vec<String> {
        let mut problems = llvm.forget().err().into_iter().collect::<Vec<_>>();
        for program in &self.programs {
            let mut command = cargo::program_in(&program.folder, &program.path);
            command.arg("--quiet").env("CARGO_MANIFEST_DIR", &program.folder);
            command.envs(self.mainstay.as_ref().map(|path| ("MAINSTAY_BIN", path)));
            problems.extend(cargo::run(llvm.counting(&mut command)).err());
        }
        problems
    }
}

/// Whether this process was started by cargo, to compile with counters.
pub(crate) fn is_compiler() -> bool {
    std::env::var_os(llvm::WRAPS).is_some()
}

/// A command that says on standard output what it found.
fn said(command: &mut Command) -> Result<String, String> {
    cargo::output(command)
}
