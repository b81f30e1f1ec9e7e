//! `cargo-mutants`, which makes the errors and runs the tests: how it is called, and how its answers are read.
//!
//! Separate because it alone knows its options and formats. What no test can judge is left out by
//! `.cargo/mutants.toml`, with the reasons.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::verdicts::Verdict;
use crate::cargo;
use crate::workspace::Workspace;

/// The name of the program.
pub(super) const NAME: &str = "cargo-mutants";
/// After how many seconds a mutant counts as noticed because its tests do not end: far more than they take on a
/// machine that does other things too.
const PATIENCE_FOR_MODULES: &str = "60";
const PATIENCE: &str = "180";
const PATIENCE_ACROSS: &str = "1200";
const PATIENCE_FOR_BUILDS: &str = "1200";
/// How it ends when all went well: nothing missed; some missed; some without an end.
const GOOD: [i32; 3] = [0, 2, 3];
/// How it ends when the tests fail although nothing is wrong.
const BASELINE: i32 = 4;

/// One deliberate error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Where it is and what it replaces by what; no other has the same.
    pub(super) name: String,
    pub(super) file: String,
    pub(super) package: String,
}

impl Mutant {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |field: &str| Some(value[field].as_str()?.to_owned());
        Some(Self { name: text("name")?, file: text("file")?, package: text("package")? })
    }

    /// The module directly below the root of its crate in which it lies: `limits` in `src/limits/budgets.rs`.
    pub(super) fn module(&self) -> &str {
        let (_, inside) = self.file.split_once("/src/").unwrap_or(("", &self.file));
        inside.split(['/', '.']).next().unwrap_or(inside)
    }
}

/// Which mutants; all, as long as nothing is added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection(Vec<OsString>);

impl Selection {
    /// Those alone, and fields left out in the same files: the program asks no pattern about these.
    pub(super) fn of(mutants: &[Mutant]) -> Self {
        let mut selection = Self::default();
        for file in mutants.iter().map(|mutant| &*mutant.file).collect::<BTreeSet<_>>() {
            selection.file(file);
        }
        for mutant in mutants {
            selection.add("--re", format!("^{}$", escaped(&mutant.name)));
        }
        selection
    }

    pub(super) fn package(&mut self, name: &str) {
        self.add("--package", name);
    }

    /// Those of a file, or of all that a pattern fits.
    pub(super) fn file(&mut self, pattern: &str) {
        self.add("--file", pattern);
    }

    /// `K/N`: every Nth, from the Kth on.
    pub(super) fn shard(&mut self, shard: &str) {
        self.add("--sharding", "round-robin");
        self.add("--shard", shard);
    }

    /// Those in the lines that a file of differences names.
    pub(super) fn lines(&mut self, differences: &Path) {
        self.add("--in-diff", differences);
    }

    fn add(&mut self, option: &str, value: impl AsRef<OsStr>) {
        self.0.extend([OsString::from(option), value.as_ref().to_owned()]);
    }
}

/// Which tests judge.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judges<'a> {
    /// The unit tests of one module of the mutant's package.
    Module(&'a str),
    /// The unit tests of the mutant's package.
    Own,
    /// These binaries of the tests across crates.
    Across(&'a [&'a str]),
}

/// The program, and where it works.
#[derive(Debug)]
pub(super) struct Program<'a> {
    path: PathBuf,
    workspace: &'a Workspace,
    /// What is built, found and noted.
    pub(super) folder: PathBuf,
}

impl<'a> Program<'a> {
    pub(super) fn new(workspace: &'a Workspace, path: PathBuf) -> Self {
        Self { path, workspace, folder: workspace.target().join("mutants") }
    }

    /// The mutants of a selection, in the order in which they would be judged.
    pub(super) fn list(&self, selection: &Selection) -> Result<Vec<Mutant>, String> {
        let mut command = self.command();
        command.args(["--list", "--json"]).args(&selection.0);
        if !selection.0.iter().any(|word| word == "--package") {
            command.arg("--workspace");
        }
        let text = cargo::output(&mut command)?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<Value> =
            serde_json::from_str(&text).map_err(|error| format!("{NAME} --list: {error}"))?;
        Ok(list.iter().filter_map(Mutant::read).collect())
    }

    /// Judges mutants of one package in a copy of the workspace, which it makes where `TMPDIR` says.
    ///
    /// # Errors
    ///
    /// The tests fail without any mutant, or the program cannot do its work.
    pub(super) fn judge(
        &self,
        package: &str,
        mutants: &[Mutant],
        judges: &Judges<'_>,
    ) -> Result<Vec<(Mutant, Verdict)>, String> {
        let selection = Selection::of(mutants);
        fs::create_dir_all(&self.folder).map_err(|e| format!("{}: {e}", self.folder.display()))?;
        let mut command = self.command();
        command.args(["--package", package]).args(&selection.0).arg("--output").arg(&self.folder);
        command.args(["--build-timeout", PATIENCE_FOR_BUILDS, "--colors", "never"]);
        match judges {
            Judges::Module(module) => {
                command.args(["--timeout", PATIENCE_FOR_MODULES, "--cargo-arg=--tests"]);
                command.arg(format!("--cargo-test-arg={module}::"))
            }
            Judges::Own => command.args(["--timeout", PATIENCE, "--cargo-arg=--tests"]),
            Judges::Across(binaries) => {
                command.args(["--timeout", PATIENCE_ACROSS, "--test-package", "mainstay-tests"]);
                // Not for the build before, which is of the mutant's own package.
                command.args(binaries.iter().map(|name| format!("--cargo-test-arg=--test={name}")))
            }
        };
        // What the copies compile is kept, or each run would begin with all dependencies.
        command.env("CARGO_TARGET_DIR", self.folder.join("build"));
        let status = command.status().map_err(|e| format!("{NAME} does not start: {e}"))?;
        match status.code() {
            Some(code) if GOOD.contains(&code) => {
                let mut judged = self.found()?;
                judged.retain(|(mutant, _)| mutants.contains(mutant));
                Ok(judged)
            }
            Some(BASELINE) => Err(format!("{package}: its tests fail without any mutant")),
            _ => Err(format!("`{}` failed ({status})", cargo::line(&command))),
        }
    }

    /// Writes down what differs from a revision.
    pub(super) fn differences(&self, revision: &str) -> Result<PathBuf, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        let mut git = cargo::program_in(&self.workspace.root, "git");
        let text = cargo::output(git.args(["diff", "--no-color", revision, "--", "crates"]))?;
        fs::create_dir_all(&self.folder).map_err(told)?;
        let path = self.folder.join("since.diff");
        fs::write(&path, text).map_err(told)?;
        Ok(path)
    }

    fn command(&self) -> Command {
        let mut command = cargo::program_in(&self.workspace.root, &self.path);
        command.arg("mutants");
        command
    }

    fn found(&self) -> Result<Vec<(Mutant, Verdict)>, String> {
        let path = self.folder.join("mutants.out").join("outcomes.json");
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        outcomes(&fs::read_to_string(&path).map_err(told)?)
    }
}

/// Reads the program's `outcomes.json`.
fn outcomes(text: &str) -> Result<Vec<(Mutant, Verdict)>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("outcomes.json: {e}"))?;
    let outcomes = value["outcomes"].as_array().ok_or("outcomes.json names no outcomes")?;
    let read = |outcome: &Value| {
        let mutant = Mutant::read(&outcome["scenario"]["Mutant"])?;
        let verdict = match outcome["summary"].as_str()? {
            "CaughtMutant" => Verdict::Caught,
            "Timeout" => Verdict::Endless,
            "MissedMutant" => Verdict::Missed,
            "Unviable" => Verdict::Unviable,
            _ => return None,
        };
        Some((mutant, verdict))
    };
    Ok(outcomes.iter().filter_map(read).collect())
}

/// The text as a pattern that fits it alone.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        // A backslash before one of these brackets would mean the edge of a word.
        if letter.is_ascii_punctuation() && !matches!(letter, '<' | '>') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_without_the_run_before_the_first_mutant() {
        let outcome = |name: &str, summary: &str| {
            format!(
                r#"{{"scenario":{{"Mutant":{{"name":"{name}","file":"crates/kad/src/id.rs","package":"mainstay-kad"}}}},"summary":"{summary}"}}"#
            )
        };
        let text = format!(
            r#"{{"outcomes":[{{"scenario":"Baseline","summary":"Success"}},{},{},{}]}}"#,
            outcome("a", "CaughtMutant"),
            outcome("b", "MissedMutant"),
            outcome("c", "Timeout"),
        );
        let judged = outcomes(&text).unwrap();
        let judged: Vec<(&str, Verdict)> =
            judged.iter().map(|(mutant, verdict)| (&*mutant.name, *verdict)).collect();
        assert_eq!(
            judged,
            [("a", Verdict::Caught), ("b", Verdict::Missed), ("c", Verdict::Endless)]
        );
        assert!(outcomes("{}").is_err() && outcomes("no JSON").is_err());
    }

    #[test]
    fn a_mutants_module_is_the_outermost_around_it() {
        for (file, module) in [
            ("crates/dht-proto/src/limits/budgets.rs", "limits"),
            ("crates/dht-proto/src/limits.rs", "limits"),
            ("crates/keys/src/public_key.rs", "public_key"),
            ("crates/keys/src/lib.rs", "lib"),
        ] {
            let (name, package) = (String::new(), String::new());
            assert_eq!(Mutant { name, file: file.to_owned(), package }.module(), module);
        }
    }

    #[test]
    fn a_mutant_is_selected_by_a_pattern_that_fits_it_alone() {
        let name =
            "crates/kad/src/id.rs:7:5: replace <impl Ord for Id<N>>::cmp -> Ordering with ()";
        let file = "crates/kad/src/id.rs".to_owned();
        let mutant = Mutant { name: name.to_owned(), file, package: String::new() };
        let pattern = r"^crates\/kad\/src\/id\.rs\:7\:5\: replace <impl Ord for Id<N>>\:\:cmp \-> Ordering with \(\)$";
        let of_file = ["--file", "crates/kad/src/id.rs"];
        assert_eq!(Selection::of(&[mutant]).0, [&of_file[..], &["--re", pattern]].concat());
    }
}
