//! `simulate`: what lookups cost before an internet of a thousand to ten million nodes; tables, plots, and checks.
//!
//! A binary of its own and no test, because it wants a release build and minutes. `cargo xtask sim` runs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod chart;
mod crowd;
mod night;
mod page;
mod plots;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use sweep::{Row, Sweep};

const USAGE: &str = "\
simulate [--quick] [--trials N] [--seed S] [--docs FOLDER] [--nodes N [--sybils P] | --crowd N | --night]

  --quick        small networks and few trials, each row twice; fails if a row falls below its floor
  --trials N     puts and gets in each row (default: 400; quick: 40)
  --seed S       the first row's seed (default: 1)
  --docs FOLDER  writes the tables into FOLDER/simulation.md and the plots into FOLDER/plots
  --nodes N      one row only: this many nodes
  --sybils P     that row with P of a hundred nodes being sybils
  --crowd N      instead: a network of N real nodes in one process, their memory and time
  --night        instead: seed after seed of whole nodes in trouble, each run twice
  --seconds N    how long a night is (default: 3,600)
";

/// What was asked for.
#[derive(Debug)]
struct Options {
    quick: bool,
    trials: Option<usize>,
    seed: u64,
    docs: Option<PathBuf>,
    nodes: Option<usize>,
    sybils: usize,
    crowd: Option<usize>,
    night: bool,
    seconds: u64,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("simulate: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Some(nodes) = options.crowd {
        println!("{}", crowd::measure(nodes, options.seed));
        return ExitCode::SUCCESS;
    }
    let done = if options.night {
        night::watch(options.seed, options.seconds).map(|report| println!("{report}"))
    } else {
        measure(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("simulate: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        quick: false,
        trials: None,
        seed: 1,
        docs: None,
        nodes: None,
        sybils: 0,
        crowd: None,
        night: false,
        seconds: 3600,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number =
            |text: String| text.parse::<usize>().map_err(|_| format!("`{text}` is no number"));
        match word.as_str() {
            "--quick" => options.quick = true,
            "--trials" => options.trials = Some(number(value()?)?),
            "--seed" => options.seed = number(value()?)? as u64,
            "--docs" => options.docs = Some(PathBuf::from(value()?)),
            "--nodes" => options.nodes = Some(number(value()?)?),
            "--sybils" => options.sybils = number(value()?)?.min(100),
            "--night" => options.night = true,
            "--seconds" => options.seconds = number(value()?)? as u64,
            "--crowd" => options.crowd = Some(number(value()?)?),
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(options)
}

/// Runs the rows, prints each as it is done, and writes the page.
fn measure(options: &Options) -> Result<(), String> {
    let trials = options.trials.unwrap_or(if options.quick { 40 } else { 400 });
    let rows = match options.nodes {
        Some(nodes) => vec![Row::of_nodes(nodes, trials, options.seed).among(options.sybils)],
        None => sweep::rows(options.quick, trials, options.seed),
    };
    let mut results = Vec::new();
    let mut broken = Vec::new();
    let mut shown = None;
    for row in rows {
        if shown.replace(row.sweep) != Some(row.sweep) {
            println!("\n{}\n{}", row.sweep.title(), page::HEADING);
        }
        let began = Instant::now();
        let figures = row.series.run(|config| config);
        println!("{}  {:.1} s", page::line(&row, &figures), began.elapsed().as_secs_f64());
        if options.quick {
            broken.extend(row.complaints(&figures));
            if row.series.run(|config| config).trace != figures.trace {
                broken.push(format!("{}: two runs of one seed differ", row.label));
            }
        }
        results.push((row, figures));
    }
    let nodes: Vec<_> = results.iter().filter(|(row, _)| row.sweep == Sweep::Nodes).collect();
    if let Some(growth) = page::Growth::of(&nodes) {
        println!("\n{growth}");
    }
    println!("\n{}", page::floors(&results));
    println!("{}", page::spent(&results));
    if let Some(memory) = page::peak_memory() {
        println!("peak memory {memory}");
    }
    if let Some(docs) = &options.docs {
        page::write(docs, &results).map_err(|error| format!("{}: {error}", docs.display()))?;
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}
