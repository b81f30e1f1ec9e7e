//! The report: mutants that the tests noticed, by crate and by concern, and where too many were not.
//!
//! Separate so that the floors stand in one place.

use std::collections::BTreeMap;
use std::fmt;

use super::program::Mutant;
use super::verdicts::{Verdict, Verdicts};
use crate::concerns::{self, CONCERNS};

/// How many of the judged mutants must be noticed, in per cent: of all, of each concern, of what is security.
const FLOOR: f64 = 85.0;
const FLOOR_OF_CONCERNS: f64 = 95.0;
const FLOOR_OF_SECURITY: f64 = 100.0;

/// Mutants, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    all: u32,
    caught: u32,
    /// Of `caught`, those whose tests did not end.
    endless: u32,
    missed: u32,
    unviable: u32,
}

impl Tally {
    fn add(&mut self, verdict: Option<Verdict>) {
        self.all += 1;
        match verdict {
            Some(Verdict::Caught) => self.caught += 1,
            Some(Verdict::Endless) => {
                self.caught += 1;
                self.endless += 1;
            }
            Some(Verdict::Missed) => self.missed += 1,
            Some(Verdict::Unviable) => self.unviable += 1,
            None => {}
        }
    }

    fn judged(self) -> u32 {
        self.caught + self.missed
    }

    fn percent(self) -> f64 {
        if self.judged() == 0 {
            100.0
        } else {
            f64::from(self.caught) * 100.0 / f64::from(self.judged())
        }
    }
}

/// Mutants by crate, by concern and of all.
#[derive(Debug, Default)]
pub(super) struct Report {
    crates: BTreeMap<String, Tally>,
    concerns: BTreeMap<&'static str, Tally>,
    all: Tally,
    /// The mutants of what is security that nothing noticed.
    grave: Vec<String>,
}

impl Report {
    /// What is known of all mutants.
    pub(super) fn of(all: &[Mutant], verdicts: &Verdicts) -> Self {
        let mut report = Self::default();
        for mutant in all {
            let verdict = verdicts.of(mutant);
            report.crates.entry(mutant.package.clone()).or_default().add(verdict);
            report.all.add(verdict);
            let Some(concern) = concerns::of(&mutant.file) else { continue };
            report.concerns.entry(concern.name).or_default().add(verdict);
            if concern.is_security && verdict == Some(Verdict::Missed) {
                report.grave.push(format!("{}: {}", concern.name, mutant.name));
            }
        }
        report
    }

    /// One line for each row below its floor, and for each mutant that may not survive.
    pub(super) fn too_low(&self) -> Vec<String> {
        let concerns = CONCERNS.iter().filter_map(|concern| {
            let floor = if concern.is_security { FLOOR_OF_SECURITY } else { FLOOR_OF_CONCERNS };
            Some((concern.name, *self.concerns.get(concern.name)?, floor))
        });
        let low = concerns
            .chain([("all", self.all, FLOOR)])
            .filter(|(_, tally, floor)| tally.percent() < *floor)
            .map(|(name, tally, floor)| {
                let percent = tally.percent();
                format!("{name}: {percent:.1} % of the mutants were noticed, {floor} % must be")
            });
        low.chain(self.grave.iter().cloned()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, tally: &Tally| {
            let percent = tally.percent();
            write!(
                f,
                "   {name:24} {:>5} of {:>5}  {percent:>5.1} %",
                tally.caught,
                tally.judged()
            )?;
            writeln!(
                f,
                "  ({} endless; {} do not compile, {} not judged)",
                tally.endless,
                tally.unviable,
                tally.all - tally.judged() - tally.unviable
            )
        };
        self.crates.iter().try_for_each(|(name, tally)| row(name, tally))?;
        row("all", &self.all)?;
        self.concerns.iter().try_for_each(|(name, tally)| row(name, tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(judged: &[(&str, Option<Verdict>)]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let mut verdicts = Verdicts::load(folder.path());
        let mut all = Vec::new();
        for (number, (file, verdict)) in judged.iter().enumerate() {
            let name = format!("{file}:{number}:1: replace + with -");
            let package = "mainstay-x".to_owned();
            let mutant = Mutant { name, file: (*file).to_owned(), package };
            if let Some(verdict) = verdict {
                verdicts.put(&[(mutant.clone(), *verdict)]).unwrap();
            }
            all.push(mutant);
        }
        Report::of(&all, &verdicts)
    }

    #[test]
    fn what_does_not_compile_or_is_not_judged_counts_for_nothing() {
        let file = "crates/krpc/src/decode.rs";
        let judged = [Some(Verdict::Caught), Some(Verdict::Endless), Some(Verdict::Unviable), None];
        let report = report(&judged.map(|verdict| (file, verdict)));
        let tally = Tally { all: 4, caught: 2, endless: 1, missed: 0, unviable: 1 };
        assert_eq!(report.all, tally);
        assert_eq!(report.concerns["codec"], tally);
        assert_eq!(report.too_low(), Vec::<String>::new());
        let row = "2 of     2  100.0 %  (1 endless; 1 do not compile, 1 not judged)";
        assert!(report.to_string().contains(row), "{report}");
    }

    #[test]
    fn one_survivor_in_twenty_is_borne_but_none_where_it_is_security() {
        let nineteen = |file| {
            let mut judged = vec![(file, Some(Verdict::Caught)); 19];
            judged.push((file, Some(Verdict::Missed)));
            report(&judged).too_low()
        };
        assert_eq!(nineteen("crates/krpc/src/decode.rs"), Vec::<String>::new());
        let problems = nineteen("crates/dht-proto/src/tokens.rs");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("tokens: 95.0 %") && problems[0].contains("100 %"));
        assert!(problems[1].contains("tokens.rs:19:1: replace"));
    }

    #[test]
    fn floors_are_those_of_the_goals() {
        let of = |file, caught: usize, missed: usize| {
            let mut judged = vec![(file, Some(Verdict::Caught)); caught];
            judged.extend(vec![(file, Some(Verdict::Missed)); missed]);
            report(&judged).too_low().len()
        };
        assert_eq!(of("crates/kad/src/id.rs", 85, 15), 0);
        assert_eq!(of("crates/kad/src/id.rs", 84, 16), 1);
        assert_eq!(of("crates/client/src/seen.rs", 94, 6), 1);
    }
}
