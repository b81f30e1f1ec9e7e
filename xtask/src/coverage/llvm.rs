//! The counters: how the compiler puts them in, where they are written, and LLVM's two programs that read them.
//!
//! Separate because it alone knows of compilers. Only our own packages are compiled anew: the others are shared with
//! every other build.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::said;
use crate::cargo;
use crate::workspace::Workspace;

/// Set where cargo calls us in the place of the compiler.
pub(super) const WRAPS: &str = "MAINSTAY_XTASK_COUNTS";
/// Where a program writes its counters.
const PROFILE: &str = "LLVM_PROFILE_FILE";
/// Files that are no code of ours that runs: tests, what others wrote, and the checks themselves.
const IGNORED: &str =
    r"(/registry/|/rustc/|/tests/|/tests\.rs$|/testing\.rs$|/scripted\.rs$|/xtask/|/benches/)";

/// LLVM's two programs, and the folder of the counters.
#[derive(Debug, Clone)]
pub(super) struct Llvm {
    profdata: PathBuf,
    cov: PathBuf,
    folder: PathBuf,
}

impl Llvm {
    /// Those of the environment, or those of the toolchain.
    ///
    /// # Errors
    ///
    /// They are missing; the text says how to get them.
    pub(super) fn find(workspace: &Workspace) -> Result<Self, String> {
        let of_toolchain = bin(&workspace.root)?;
        let program = |variable: &str, name: &str| {
            let there = std::env::var_os(variable).map(PathBuf::from);
            let there = there.unwrap_or_else(|| of_toolchain.join(name));
            cargo::exists(&there).then_some(there).ok_or_else(|| {
                format!(
                    "{name} is missing (`rustup component add llvm-tools`, or {variable}=PATH to one of the \
                     LLVM that `rustc -vV` names)"
                )
            })
        };
        Ok(Self {
            profdata: program("LLVM_PROFDATA", "llvm-profdata")?,
            cov: program("LLVM_COV", "llvm-cov")?,
            folder: folder(workspace),
        })
    }

    /// Throws away the counters of an earlier run.
    pub(super) fn forget(&self) -> Result<(), String> {
        for counters in self.written()? {
            fs::remove_file(&counters)
                .map_err(|error| format!("{}: {error}", counters.display()))?;
        }
        Ok(())
    }

    /// Lets `command` write its counters; processes that run at once share at most four files.
    pub(super) fn counting<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env(PROFILE, self.folder.join("%4m.profraw"))
    }

    /// The lines of each file and how many of them were run, as JSON.
    pub(super) fn summary<'p>(
        &self,
        objects: impl Iterator<Item = &'p PathBuf>,
    ) -> Result<String, String> {
        let merged = self.folder.join("all.profdata");
        let mut merge = Command::new(&self.profdata);
        merge.args(["merge", "-sparse", "-o"]).arg(&merged).args(self.written()?);
        cargo::run(&mut merge)?;
        let mut export = Command::new(&self.cov);
        export.args(["export", "--summary-only", "--instr-profile"]).arg(merged);
        export.arg(format!("--ignore-filename-regex={IGNORED}"));
        export.args(objects.flat_map(|object| [OsString::from("--object"), object.into()]));
        said(&mut export)
    }

    fn written(&self) -> Result<Vec<PathBuf>, String> {
        let problem = |error| format!("{}: {error}", self.folder.display());
        fs::create_dir_all(&self.folder).map_err(problem)?;
        let entries = fs::read_dir(&self.folder).map_err(problem)?;
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        Ok(paths.filter(|path| path.extension().is_some_and(|end| end == "profraw")).collect())
    }
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("coverage")
}

/// Where the toolchain keeps its own programs.
fn bin(root: &Path) -> Result<PathBuf, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = said(cargo::program_in(root, rustc).args(["--print", "target-libdir"]))?;
    let library = PathBuf::from(library.trim());
    library.parent().map(|host| host.join("bin")).ok_or_else(|| "no target-libdir".to_owned())
}

/// Makes a build of cargo call this program for each of our own packages in the place of the compiler.
pub(super) fn count_in(command: &mut Command, workspace: &Workspace) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| format!("where am I: {error}"))?;
    command.env("RUSTC_WORKSPACE_WRAPPER", this).env(WRAPS, "1").env("CARGO_INCREMENTAL", "0");
    // Build scripts of ours would write theirs into the sources.
    command.env(PROFILE, folder(workspace).join("build-%4m.profraw.not"));
    Ok(())
}

/// What this program does in the place of the compiler: the same, with counters.
pub(crate) fn compile_with_counters() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(compiler) = words.next() else { return ExitCode::from(2) };
    let status = Command::new(compiler)
        .args(words)
        .args(["-C", "instrument-coverage"])
        .env_remove(WRAPS)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}
