//! The report: lines that were run, by crate and by concern, and which of these are too few.
//!
//! Separate so that the floors stand in one place, and reading LLVM's summary can be tested without LLVM.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::concerns;

/// How much of all lines, in per cent, and of each concern, must be run.
const FLOOR: f64 = 90.0;
const FLOOR_OF_CONCERNS: f64 = 97.0;
/// The row of everything.
const ALL: &str = "all";

/// Lines, and how many of them were run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Lines {
    count: u64,
    run: u64,
}

impl Lines {
    fn percent(self) -> f64 {
        if self.count == 0 { 100.0 } else { self.run as f64 * 100.0 / self.count as f64 }
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.run += other.run;
    }
}

/// Lines by crate, by concern and of all.
#[derive(Debug, Default)]
pub(super) struct Report {
    crates: BTreeMap<String, Lines>,
    concerns: BTreeMap<&'static str, Lines>,
    all: Lines,
    /// The files with the most lines that were never run.
    worst: Vec<(String, Lines)>,
}

/// How many files are named.
const NAMED: usize = 20;

impl Report {
    /// Reads what `llvm-cov export --summary-only` printed about files below `root`.
    ///
    /// # Errors
    ///
    /// It is not that, or names no file of ours.
    pub(super) fn read(text: &str, root: &Path) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("llvm-cov: {e}"))?;
        let files = value["data"][0]["files"].as_array().ok_or("llvm-cov names no files")?;
        let mut report = Self::default();
        for file in files {
            let name = Path::new(file["filename"].as_str().unwrap_or_default());
            let Ok(name) = name.strip_prefix(root) else { continue };
            let name = name.to_string_lossy().into_owned();
            let lines = &file["summary"]["lines"];
            let number = |field: &str| lines[field].as_u64().unwrap_or(0);
            report.add(name, Lines { count: number("count"), run: number("covered") });
        }
        report.worst.sort_by_key(|(_, lines)| std::cmp::Reverse(lines.count - lines.run));
        report.worst.truncate(NAMED);
        if report.all.count == 0 { Err("no file of ours was run".to_owned()) } else { Ok(report) }
    }

    fn add(&mut self, name: String, lines: Lines) {
        let mut parts = name.split('/');
        let (Some("crates"), Some(package)) = (parts.next(), parts.next()) else { return };
        self.crates.entry(package.to_owned()).or_default().add(lines);
        if let Some(concern) = concerns::of(&name) {
            self.concerns.entry(concern.name).or_default().add(lines);
        }
        self.all.add(lines);
        if lines.run < lines.count {
            self.worst.push((name, lines));
        }
    }

    /// One line for each row below its floor.
    pub(super) fn too_low(&self) -> Vec<String> {
        let concerns = self.concerns.iter().map(|(name, lines)| (*name, *lines, FLOOR_OF_CONCERNS));
        concerns
            .chain([(ALL, self.all, FLOOR)])
            .filter(|(_, lines, floor)| lines.percent() < *floor)
            .map(|(name, lines, floor)| {
                format!("{name}: {:.1} % of the lines were run, {floor} % must be", lines.percent())
            })
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, lines: &Lines| {
            writeln!(
                f,
                "   {name:48} {:>7} of {:>7}  {:>5.1} %",
                lines.run,
                lines.count,
                lines.percent()
            )
        };
        self.crates.iter().try_for_each(|(name, lines)| row(name, lines))?;
        row(ALL, &self.all)?;
        self.concerns.iter().try_for_each(|(name, lines)| row(name, lines))?;
        self.worst.iter().try_for_each(|(name, lines)| row(name, lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(files: &[(&str, u64, u64)]) -> String {
        let file = |(name, count, covered): &(&str, u64, u64)| {
            format!(
                r#"{{"filename":"{name}","summary":{{"lines":{{"count":{count},"covered":{covered}}}}}}}"#
            )
        };
        let files: Vec<String> = files.iter().map(file).collect();
        format!(r#"{{"data":[{{"files":[{}]}}]}}"#, files.join(","))
    }

    fn read(files: &[(&str, u64, u64)]) -> Result<Report, String> {
        Report::read(&summary(files), Path::new("/w"))
    }

    #[test]
    fn lines_are_summed_by_crate_and_by_concern() {
        let files = [
            ("/w/crates/krpc/src/decode.rs", 100, 99),
            ("/w/crates/krpc/src/encode.rs", 100, 100),
            ("/w/crates/cli/src/main.rs", 100, 80),
            ("/elsewhere/crates/krpc/src/lib.rs", 100, 0),
        ];
        let report = read(&files).unwrap();
        assert_eq!(report.crates["krpc"], Lines { count: 200, run: 199 });
        assert_eq!(report.concerns["codec"], Lines { count: 200, run: 199 });
        assert_eq!(report.all, Lines { count: 300, run: 279 });
        assert_eq!(report.worst[0].0, "crates/cli/src/main.rs");
        assert_eq!(report.too_low(), Vec::<String>::new());
        assert!(report.to_string().contains("279 of     300   93.0 %"), "{report}");
    }

    #[test]
    fn what_is_run_too_little_is_named_with_its_floor() {
        let report = read(&[("/w/crates/krpc/src/decode.rs", 100, 89)]).unwrap();
        let problems = report.too_low();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("codec: 89.0 %") && problems[0].contains("97 %"));
    }

    #[test]
    fn a_summary_without_our_files_is_a_failure() {
        assert!(read(&[("/elsewhere/lib.rs", 1, 1)]).is_err());
        assert!(Report::read("[]", Path::new("/w")).is_err());
        assert!(Report::read("no JSON", Path::new("/w")).is_err());
    }
}
