//! A process with a cache on disk, there to be killed, starved of disk, or given a broken file.
//!
//! Separate from its tests for that reason. Usage: `cache-child ENGINE write PLACE FIRST`, `cache-child ENGINE
//! read` with places on standard input, `cache-child ENGINE fill PLACE`.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mainstay_client::{Cache, Cached, OpenCacheError, PublicKey, SignedPacket};
use mainstay_tests::caches::{self, Failure, KEYS, cached, is_ours, key, run};

/// How many puts are under way at a time.
const WRITERS: u64 = 4;

/// How many groups of packets are tried before the disk counts as endless.
const GROUPS: usize = 400;

/// More than any test waits for.
const MOST: u64 = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [engine, "write", place, first] => write(engine, place, first),
        [engine, "read"] => read(engine),
        [engine, "fill", place] => fill(engine, place),
        _ => Err("usage".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&format!("failed: {}", caches::all_causes(&*failure)));
            ExitCode::from(3)
        }
    }
}

/// Puts numbered packets, and tells the number of each once it is acknowledged; closes the cache when standard input ends.
fn write(engine: &str, place: &str, first: &str) -> Result<(), Failure> {
    let first: u64 = first.parse()?;
    let cache = caches::open(engine, place)?.cache;
    tell("open");
    let next = Arc::new(AtomicU64::new(first));
    let end = first.saturating_add(MOST);
    thread::spawn({
        let next = Arc::clone(&next);
        move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            next.store(end, Ordering::Relaxed);
        }
    });
    let writers = (0..WRITERS).map(|_| {
        let (cache, next) = (Arc::clone(&cache), Arc::clone(&next));
        thread::spawn(move || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return;
                }
                match run(cache.put(cached(number))) {
                    Ok(_) => tell(&number.to_string()),
                    Err(error) => tell(&format!("refused: {}", caches::all_causes(&error))),
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a writer panicked".into()))
}

/// Opens one place after another, reads all keys, writes, and reads again; tells of each.
fn read(engine: &str) -> Result<(), Failure> {
    let all: Vec<_> = (0..KEYS).map(cached).collect();
    // Signing what is expected again for each of many files would take most of the time.
    let mut known = HashMap::new();
    for place in io::stdin().lock().lines() {
        let place = place?;
        let told = match caches::open(engine, &place) {
            Ok(opened) => {
                let found = look(&*opened.cache, &mut known)?;
                let (stored, _) = caches::put_all(&*opened.cache, &all);
                let again = look(&*opened.cache, &mut known)?;
                let aside = if opened.is_new { "set aside" } else { "kept" };
                format!("{aside}, {found} found, {stored} stored, {again} found again")
            }
            // What a newer version or another program wrote is left alone.
            Err(
                failure @ (OpenCacheError::NewerFormat { .. } | OpenCacheError::Foreign { .. }),
            ) => {
                format!("left alone: {}", caches::all_causes(&failure))
            }
            Err(failure) => format!("refused: {}", caches::all_causes(&failure)),
        };
        tell(&told);
    }
    Ok(())
}

/// Puts packets until one is refused; then, after each line of standard input, tries again.
fn fill(engine: &str, place: &str) -> Result<(), Failure> {
    let cache = caches::open(engine, place)?.cache;
    let mut lines = io::stdin().lock().lines();
    let mut acknowledged = Vec::new();
    for _ in 0..GROUPS {
        let group: Vec<_> = (0..64).map(|_| caches::of_somebody()).collect();
        let puts = caches::put_each(&*cache, &group);
        let refused =
            puts.iter().find_map(|put| put.as_ref().err()).map(|error| caches::all_causes(error));
        let taken =
            group.into_iter().zip(&puts).filter_map(|(cached, put)| put.is_ok().then_some(cached));
        acknowledged.extend(taken);
        let Some(refused) = refused else { continue };
        let is_there = |cached: &&Cached| {
            let found = run(cache.get(&cached.packet.public_key()));
            matches!(found, Ok(Some(found)) if found.packet == cached.packet)
        };
        let kept = acknowledged.iter().filter(is_there).count();
        let lost = acknowledged.len() - kept;
        tell(&format!("{lost} of {} lost, {refused}", acknowledged.len()));
        if lines.next().transpose()?.is_none() {
            return Ok(());
        }
        // Each engine may need one more to notice that there is room again.
        let tries = (0..3).map(|_| caches::put_all(&*cache, &[caches::of_somebody()]).0);
        let stored: usize = tries.sum();
        tell(if stored > 0 { "stored again" } else { "still refused" });
        return Ok(());
    }
    Err("nothing was refused".into())
}

/// How many keys have a packet. Fails on one that none of us wrote; `known` are those that some of us did.
fn look(
    cache: &dyn Cache,
    known: &mut HashMap<u64, (PublicKey, Vec<SignedPacket>)>,
) -> Result<usize, Failure> {
    let mut found = 0;
    for number in 0..KEYS {
        let (key, ours) = known.entry(number).or_insert_with(|| (key(number), Vec::new()));
        if let Ok(Some(cached)) = run(cache.get(key)) {
            if ours.contains(&cached.packet) {
                found += 1;
                continue;
            }
            if !is_ours(number, &cached) {
                return Err(format!("key {number} has a packet that nobody put").into());
            }
            ours.push(cached.packet);
            found += 1;
        }
    }
    Ok(found)
}

fn tell(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody listens any more: then nobody wants to know.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
