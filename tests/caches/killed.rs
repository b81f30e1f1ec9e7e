//! Writers killed at any point of their work: what they acknowledged is there, and every packet is whole.
//!
//! Separate because each round is a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mainstay_tests::caches::{ENGINES, KEYS, is_ours, key, number, open, run};

use super::{Chance, child, scale};

/// How many writers of each engine are killed; `MAINSTAY_KILLS` says otherwise.
const KILLS: u64 = 100;

/// What has been acknowledged: of each key the highest number.
type Acknowledged = BTreeMap<u64, u64>;

#[test]
fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let kills = scale("MAINSTAY_KILLS", KILLS);
    let rounds = ENGINES.map(|engine| thread::spawn(move || kill_again_and_again(engine, kills)));
    for (engine, round) in ENGINES.iter().zip(rounds) {
        let acknowledged = round.join().expect("no round fails");
        assert!(acknowledged >= kills, "{engine}: {acknowledged} puts in {kills} rounds");
    }
}

/// Returns how many puts were acknowledged in all.
fn kill_again_and_again(engine: &str, kills: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = Chance(scale("MAINSTAY_SEED", 7));
    let mut acknowledged = Acknowledged::new();
    let mut total = 0;
    for round in 0..kills {
        // One in five dies while it opens what the one before has left.
        let while_opening = chance.below(5) == 0;
        // After a few puts, or none; then from a tenth of a millisecond to thirteen, short times as often
        // as long ones.
        let awaited = if while_opening { 0 } else { 1 + chance.index(5) };
        let patience = Duration::from_micros(100 << chance.below(8));
        // One in ten dies while it closes the cache, if it has not just closed it.
        let while_closing = !while_opening && chance.below(10) == 0;
        let first = acknowledged.values().max().map_or(0, |highest| highest + 1);
        let moment = Moment { awaited, while_closing, patience };
        total += one_round(engine, folder.path(), first, moment, &mut acknowledged);
        verify(engine, folder.path(), round, &mut acknowledged);
    }
    total
}

/// When a writer is killed.
struct Moment {
    /// After so many puts were acknowledged.
    awaited: usize,
    /// Once it has been told to end.
    while_closing: bool,
    /// After so much more time.
    patience: Duration,
}

fn one_round(
    engine: &str,
    folder: &Path,
    first: u64,
    moment: Moment,
    acknowledged: &mut Acknowledged,
) -> u64 {
    let mut writer = child(engine, "write").arg(folder).arg(first.to_string()).spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    // The first line says that it is open.
    let awaited = if moment.awaited == 0 { 0 } else { moment.awaited + 1 };
    told.extend(lines.by_ref().take(awaited).map(Result::unwrap));
    let listener = thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    if moment.while_closing {
        drop(writer.stdin.take());
    }
    let told_last = Instant::now();
    while told_last.elapsed() < moment.patience {
        thread::yield_now();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let mut count = 0;
    told.extend(listener.join().unwrap());
    for line in told {
        if line == "open" {
            continue;
        }
        let number: u64 = line.parse().unwrap_or_else(|_| panic!("{engine}: {line}"));
        let highest = acknowledged.entry(number % KEYS).or_default();
        *highest = number.max(*highest);
        count += 1;
    }
    count
}

/// Each key has the packet acknowledged last, or one put after it, whole.
fn verify(engine: &str, folder: &Path, round: u64, acknowledged: &mut Acknowledged) {
    let opened = open(engine, folder).unwrap_or_else(|error| panic!("{engine} {round}: {error:?}"));
    assert!(!opened.is_new, "{engine}, round {round}: the file was taken for damaged");
    for of_key in 0..KEYS {
        let found = run(opened.cache.get(&key(of_key))).unwrap();
        let highest = acknowledged.get(&of_key).copied();
        let stands = found.as_ref().map(number);
        assert!(stands >= highest, "{engine}, round {round}: {highest:?} lost, {stands:?} stands");
        assert!(found.is_none_or(|cached| is_ours(of_key, &cached)), "{engine}, round {round}");
        if let Some(stands) = stands {
            acknowledged.insert(of_key, stands);
        }
    }
}
