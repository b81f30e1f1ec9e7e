//! Two processes and one cache: LMDB's they share, a `DiskCache` has one owner and tells the other so.
//!
//! Separate because several processes live at a time, and what one sees of the others is the point.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use mainstay_client::Cache;
use mainstay_tests::caches::{KEYS, all_causes, cached, is_ours, key, number, open, run};

use super::{Chance, child, scale};

/// How often two writers are started and one of them killed; `MAINSTAY_SHARED_ROUNDS` says otherwise.
const ROUNDS: u64 = 6;

/// How many puts a writer must have acknowledged before it is believed to work.
const SOME: usize = 20;

/// Longer than any put takes: whoever says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that puts numbered packets until it is killed.
struct Writer {
    process: Child,
    lines: Receiver<String>,
    acknowledged: Vec<u64>,
}

impl Writer {
    fn start(engine: &str, folder: &Path, first: u64) -> Self {
        let mut process =
            child(engine, "write").arg(folder).arg(first.to_string()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (tell, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok())
        });
        Self { process, lines, acknowledged: Vec::new() }
    }

    /// Waits until it has acknowledged so many more puts.
    fn acknowledge(&mut self, more: usize) {
        let enough = self.acknowledged.len() + more;
        while self.acknowledged.len() < enough {
            let line = self.lines.recv_timeout(PATIENCE).expect("it goes on");
            self.note(&line);
        }
    }

    fn note(&mut self, line: &str) {
        if line != "open" {
            self.acknowledged.push(line.parse().unwrap_or_else(|_| panic!("{line}")));
        }
    }

    /// Kills it, and returns the number of each put that it has acknowledged.
    fn kill(mut self) -> Vec<u64> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.note(&line);
        }
        std::mem::take(&mut self.acknowledged)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It is gone already, unless the test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn of_two_writers_on_one_folder_one_is_killed_and_the_other_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = open("lmdb", folder.path()).unwrap();
    let mut chance = Chance(scale("MAINSTAY_SEED", 7));
    let mut highest = BTreeMap::new();
    let mut first = 0;
    for round in 0..scale("MAINSTAY_SHARED_ROUNDS", ROUNDS) {
        let mut doomed = Writer::start("lmdb", folder.path(), first);
        let mut other = Writer::start("lmdb", folder.path(), first + chance.below(KEYS));
        // One in three dies while it opens the folder.
        if round % 3 < 2 {
            doomed.acknowledge(1 + chance.index(SOME));
        }
        let acknowledged = doomed.kill();
        other.acknowledge(SOME);
        // What this process has seen of a key never goes back, whoever wrote it.
        let seen = look(&*here.cache, round);
        // It writes, too, so that its own commits lie between those of the other.
        let mine: Vec<_> = seen.values().take(SOME).map(|number| number + KEYS).collect();
        for number in &mine {
            run(here.cache.put(cached(*number))).unwrap();
        }
        other.acknowledge(SOME);
        let later = look(&*here.cache, round);
        assert!(seen.iter().all(|(key, number)| later.get(key) >= Some(number)), "round {round}");
        for number in other.acknowledged.iter().chain(&mine) {
            let stands = later.get(&(number % KEYS));
            assert!(stands >= Some(number), "round {round}: {number} is not seen");
        }
        for number in acknowledged.into_iter().chain(other.kill()).chain(mine) {
            let of_key = highest.entry(number % KEYS).or_insert(number);
            *of_key = number.max(*of_key);
        }
        let stands = look(&*here.cache, round);
        for (key, number) in &highest {
            assert!(stands.get(key) >= Some(number), "round {round}: {number} is lost");
        }
        first = stands.values().max().map_or(0, |number| number + 1);
    }
}

/// The number of the packet that each key has, here and in this process.
fn look(cache: &dyn Cache, round: u64) -> BTreeMap<u64, u64> {
    let mut stands = BTreeMap::new();
    for of_key in 0..KEYS {
        if let Some(cached) = run(cache.get(&key(of_key))).unwrap() {
            assert!(is_ours(of_key, &cached), "round {round}: key {of_key}");
            stands.insert(of_key, number(&cached));
        }
    }
    stands
}

#[test]
fn the_second_process_on_a_disk_cache_is_told_why_and_does_the_first_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut owner = Writer::start("disk", folder.path(), 0);
    owner.acknowledge(SOME);
    let told = all_causes(&open("disk", folder.path()).unwrap_err());
    assert!(told.contains("is open already, in this process or another"), "{told}");
    let mut second = child("disk", "read").spawn().unwrap();
    writeln!(second.stdin.take().unwrap(), "{}", folder.path().display()).unwrap();
    let mut told = String::new();
    BufReader::new(second.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("refused: ") && told.contains("is open already"), "{told}");
    assert!(second.wait().unwrap().success());
    owner.acknowledge(SOME);
    let acknowledged = owner.kill();
    let here = open("disk", folder.path()).unwrap();
    assert!(!here.is_new);
    let stands = look(&*here.cache, 0);
    for number in acknowledged {
        assert!(stands.get(&(number % KEYS)) >= Some(&number), "{number} is lost");
    }
}
