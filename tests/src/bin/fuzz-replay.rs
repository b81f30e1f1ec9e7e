//! Replays every fuzz target: its corpus first, then seeded mutations of it for a while.
//!
//! Separate from `cargo test`, because it runs for a time that the caller sets and wants an optimised build.
//! Usage: `fuzz-replay [--seconds N] [--seed S] [TARGET]...`; prints a line a target, and the failing input in hex.
#![expect(clippy::print_stdout, reason = "its report is what it is run for")]

use std::num::NonZeroUsize;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use mainstay_tests::fuzz::{Mutator, TARGETS, Target};

/// Longer than any datagram or packet of ours, short enough to keep the rate up.
const LONGEST: usize = 4096;

fn main() -> ExitCode {
    let (mut seconds, mut seed, mut only) = (20, 1, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "--seconds" => seconds = number().unwrap_or(seconds),
            "--seed" => seed = number().unwrap_or(seed),
            _ => only.push(argument),
        }
    }
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| only.is_empty() || only.iter().any(|name| name == target.name))
        .collect();
    let failed = replay_all(&chosen, Duration::from_secs(seconds), seed);
    println!("fuzz: {} passed, {failed} failed", chosen.len() - failed);
    if failed == 0 && !chosen.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Replays the targets, as many at a time as there are cores; how many failed.
fn replay_all(targets: &[&Target], length: Duration, seed: u64) -> usize {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match replay(target, length, seed) {
                        Ok(inputs) => {
                            println!(
                                "fuzz {:<24} {inputs} inputs, none broke a promise",
                                target.name
                            );
                        }
                        Err(input) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            let input = hex(&input);
                            println!(
                                "fuzz {:<24} FAILED with seed {seed} on the input {input}",
                                target.name
                            );
                        }
                    }
                }
            });
        }
    });
    failed.into_inner()
}

/// How many inputs were fed, or the one that broke a promise.
fn replay(target: &Target, length: Duration, seed: u64) -> Result<u64, Vec<u8>> {
    let mut inputs = (target.seeds)();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    inputs.extend(files.into_iter().filter_map(|file| std::fs::read(file).ok()));
    for input in &inputs {
        feed(target, input)?;
    }
    let mut fed = inputs.len() as u64;
    let mut mutator = Mutator::new(seed);
    let begun = Instant::now();
    while begun.elapsed() < length {
        for _ in 0..64 {
            let input = mutator.input(&inputs, LONGEST);
            feed(target, &input)?;
            fed += 1;
        }
    }
    Ok(fed)
}

fn feed(target: &Target, input: &[u8]) -> Result<(), Vec<u8>> {
    catch_unwind(|| (target.run)(input)).map_err(|_| input.to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
