//! The command line as a value: one task, its options, and filters for the tests.
//!
//! Separate so that every task reads the same options in the same way.

use std::path::PathBuf;

/// What was asked on the command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) task: String,
    pub(crate) root: PathBuf,
    pub(crate) require_all: bool,
    /// Do not set up the programs of other people that the interop tests talk to.
    pub(crate) no_peers: bool,
    /// Tasks that `ci` leaves out.
    pub(crate) except: Vec<String>,
    pub(crate) packages: Vec<String>,
    /// How long each fuzz target runs, or a night of simulation.
    pub(crate) seconds: Option<u64>,
    /// Small networks only.
    pub(crate) quick: bool,
    /// Seed after seed of whole nodes in trouble.
    pub(crate) night: bool,
    /// How many seeds each simulation of the tests runs with, or how many trials a row of `sim` has.
    pub(crate) sim: Option<u64>,
    /// The first of these seeds, or the only one.
    pub(crate) seed: Option<u64>,
    /// Only the mutants that the tests did not notice before.
    pub(crate) missed: bool,
    /// Only the mutants in lines that differ from this revision.
    pub(crate) since: Option<String>,
    /// Every Nth mutant, from the Kth on: `K/N`.
    pub(crate) shard: Option<String>,
    /// Names of tests, fuzz targets or files to run; empty means all.
    pub(crate) filters: Vec<String>,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    ///
    /// An unknown option, or an option without its value, said in one sentence.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            task: String::new(),
            root: default_root(),
            require_all: false,
            no_peers: false,
            except: Vec::new(),
            packages: Vec::new(),
            seconds: None,
            quick: false,
            night: false,
            sim: None,
            seed: None,
            missed: false,
            since: None,
            shard: None,
            filters: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "-h" | "--help" => arguments.task = "help".to_owned(),
                "--require-all" => arguments.require_all = true,
                "--quick" => arguments.quick = true,
                "--night" => arguments.night = true,
                "--no-peers" => arguments.no_peers = true,
                "--root" => arguments.root = PathBuf::from(value()?),
                "--except" => arguments.except.push(value()?),
                "-p" | "--package" => arguments.packages.push(value()?),
                "--seconds" => arguments.seconds = Some(number(&value()?, "seconds")?),
                "--sim" => arguments.sim = Some(number(&value()?, "seeds")?),
                "--seed" => arguments.seed = Some(number(&value()?, "a seed")?),
                "--missed" => arguments.missed = true,
                "--since" => arguments.since = Some(value()?),
                "--shard" => arguments.shard = Some(value()?),
                option if option.starts_with('-') => {
                    return Err(format!("there is no option `{option}`"));
                }
                _ if arguments.task.is_empty() => arguments.task = word,
                _ => arguments.filters.push(word),
            }
        }
        if arguments.task.is_empty() {
            arguments.task = "help".to_owned();
        }
        Ok(arguments)
    }

    /// All tasks are asked for, not one.
    pub(crate) fn is_ci(&self) -> bool {
        self.task == "ci"
    }
}

fn number(text: &str, what: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number ({what} wanted)"))
}

/// The folder above xtask: cargo tells it when it runs us, the compiler when it built us.
fn default_root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), std::path::Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_first_word_is_the_task_and_the_others_filter() {
        let arguments = parse("test --require-all relay -p mainstay-krpc cas").unwrap();
        assert_eq!(arguments.task, "test");
        assert_eq!(arguments.filters, ["relay", "cas"]);
        assert_eq!(arguments.packages, ["mainstay-krpc"]);
        assert!(arguments.require_all && !arguments.no_peers);
    }

    #[test]
    fn seeds_are_numbers() {
        let arguments = parse("test --sim 1000 --seed 7").unwrap();
        assert_eq!((arguments.sim, arguments.seed), (Some(1000), Some(7)));
        assert!(parse("test --seed lucky").unwrap_err().contains("lucky"));
    }

    #[test]
    fn an_unknown_option_is_named() {
        assert!(parse("tidy --slowly").unwrap_err().contains("--slowly"));
    }

    #[test]
    fn an_option_without_its_value_is_named() {
        assert!(parse("fuzz --seconds").unwrap_err().contains("--seconds"));
        assert!(parse("fuzz --seconds soon").unwrap_err().contains("soon"));
    }

    #[test]
    fn no_word_at_all_asks_for_help() {
        assert_eq!(parse("").unwrap().task, "help");
    }
}
