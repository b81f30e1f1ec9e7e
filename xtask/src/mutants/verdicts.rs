//! What the tests have said of each mutant, over all runs.
//!
//! Separate so that a run of one file adds to what earlier runs have found of others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::program::Mutant;

/// What the tests said of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A test failed.
    Caught,
    /// The tests did not end, which nobody overlooks either.
    Endless,
    /// All tests passed.
    Missed,
    /// It does not compile.
    Unviable,
}

impl Verdict {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Caught, "caught"),
        (Self::Endless, "endless"),
        (Self::Missed, "missed"),
        (Self::Unviable, "unviable"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(verdict, _)| *verdict == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(verdict, _)| *verdict)
    }
}

/// The verdicts by the mutants' names, which say the line: what has moved since counts as not judged.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    path: PathBuf,
    of: BTreeMap<String, Verdict>,
}

impl Verdicts {
    /// Those of earlier runs, if there were any.
    pub(super) fn load(folder: &Path) -> Self {
        let path = folder.join("verdicts.json");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let kept: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        let read = |(name, verdict): (String, Value)| {
            Some((name, verdict.as_str().and_then(Verdict::named)?))
        };
        Self { path, of: kept.into_iter().filter_map(read).collect() }
    }

    pub(super) fn of(&self, mutant: &Mutant) -> Option<Verdict> {
        self.of.get(&mutant.name).copied()
    }

    /// Adds verdicts, which replace earlier ones, and keeps all.
    pub(super) fn put(&mut self, judged: &[(Mutant, Verdict)]) -> Result<(), String> {
        for (mutant, verdict) in judged {
            self.of.insert(mutant.name.clone(), *verdict);
        }
        let all = self.of.iter().map(|(name, verdict)| (name.clone(), verdict.name().into()));
        let text = format!("{:#}\n", Value::Object(all.collect()));
        fs::write(&self.path, text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str) -> Mutant {
        Mutant { name: name.to_owned(), file: String::new(), package: String::new() }
    }

    #[test]
    fn verdicts_of_all_runs_add_up_and_the_last_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut verdicts = Verdicts::load(folder.path());
        assert_eq!(verdicts.of(&mutant("a")), None);
        verdicts.put(&[(mutant("a"), Verdict::Missed), (mutant("b"), Verdict::Endless)]).unwrap();
        let mut verdicts = Verdicts::load(folder.path());
        verdicts.put(&[(mutant("a"), Verdict::Caught)]).unwrap();
        let verdicts = Verdicts::load(folder.path());
        assert_eq!(verdicts.of(&mutant("a")), Some(Verdict::Caught));
        assert_eq!(verdicts.of(&mutant("b")), Some(Verdict::Endless));
    }
}
