//! Files that are not what was written: flipped, cut, with pages swapped, emptied, or older than the rest.
//!
//! Separate because each is opened in another process, so that a signal is seen.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use mainstay_tests::caches::{ENGINES, KEYS, cached, file, open, put_all};

use super::{Chance, child, scale};

/// How many broken files of each engine are opened; `MAINSTAY_MUTATIONS` says otherwise.
const MUTATIONS: u64 = 100;

/// How many broken files one process opens, and how many lie on the disk at a time.
const AT_A_TIME: u64 = 25;
/// The same where there are so many that starting processes would take most of the time.
const MANY_AT_A_TIME: u64 = 250;

const PAGE: usize = 4096;

#[test]
fn a_broken_file_is_set_aside_or_served_as_far_as_it_is_whole() {
    let engines = ENGINES.map(|engine| std::thread::spawn(move || break_again_and_again(engine)));
    assert!(engines.into_iter().all(|engine| engine.join().is_ok()));
}

fn break_again_and_again(engine: &str) {
    let (older, newer) = (written(engine, KEYS), written(engine, 5 * KEYS));
    let mut chance = Chance(scale("MAINSTAY_SEED", 7));
    let (mut kept, mut left_alone) = (0, 0);
    let mutations = scale("MAINSTAY_MUTATIONS", MUTATIONS);
    let at_a_time = if mutations > 10_000 { MANY_AT_A_TIME } else { AT_A_TIME };
    let mut first = 0;
    while first < mutations {
        let count = (mutations - first).min(at_a_time);
        let folder = tempfile::tempdir().unwrap();
        let places: Vec<_> = (0..count)
            .map(|number| {
                let broken = mutated(&newer, &older, &mut chance);
                place(folder.path(), engine, number, &broken)
            })
            .collect();
        for told in read(engine, &places) {
            // Whatever has become of what was there, what is put is stored and found again; unless the number of
            // the format was hit, or the names of the tables, as what others wrote is left alone.
            let is_left_alone = told.starts_with("left alone: ");
            let is_well = told.ends_with(&format!("{KEYS} stored, {KEYS} found again"));
            assert!(is_well || is_left_alone, "{engine}, of {first}: {told}");
            kept += u64::from(told.starts_with("kept"));
            left_alone += u64::from(is_left_alone);
        }
        first += count;
    }
    eprintln!(
        "{engine}: {kept} of {mutations} broken files were kept, {left_alone} left alone, the others set aside"
    );
    assert!(kept < mutations, "{engine}: no damage was noticed");
    // The numbers and names that can say so are a few bytes of the file.
    assert!(left_alone * 50 <= mutations, "{engine}: {left_alone} files were taken for others'");
}

#[test]
fn a_whole_file_is_kept() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), engine, 0, &written(engine, 5 * KEYS));
        let told = read(engine, &[place]);
        assert_eq!(told, [format!("kept, {KEYS} found, {KEYS} stored, {KEYS} found again")]);
    }
}

#[test]
fn a_record_that_its_key_has_not_signed_is_not_served() {
    for engine in ENGINES {
        let mut content = written(engine, KEYS);
        // In the midst of a text: the tree is sound, the signature is not.
        let text = b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        let mut hits = 0;
        for at in 0..content.len() - text.len() {
            if content[at..].starts_with(text) && content[at - 1] != b'x' {
                content[at] = b'y';
                hits += 1;
            }
        }
        assert!(hits > 0);
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), engine, 0, &content);
        let told = read(engine, &[place]).remove(0);
        let found = told.split(", ").nth(1).unwrap();
        let found: u64 = found.strip_suffix(" found").unwrap().parse().unwrap();
        assert!(found < KEYS, "{engine}: {told}");
        assert!(told.ends_with(&format!("{KEYS} stored, {KEYS} found again")), "{told}");
    }
}

/// The file of a cache after so many puts.
fn written(engine: &str, puts: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(engine, folder.path()).unwrap().cache;
    for first in (0..puts).step_by(16) {
        let all: Vec<_> = (first..first + 16).map(cached).collect();
        assert_eq!(put_all(&*cache, &all), (16, None));
    }
    drop(cache);
    fs::read(folder.path().join(file(engine))).unwrap()
}

fn place(folder: &Path, engine: &str, number: u64, content: &[u8]) -> PathBuf {
    let place = folder.join(number.to_string());
    fs::create_dir(&place).unwrap();
    fs::write(place.join(file(engine)), content).unwrap();
    place
}

/// What a process tells of the files in these places; it must live to the end.
fn read(engine: &str, places: &[PathBuf]) -> Vec<String> {
    let mut reader = child(engine, "read").stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut input = reader.stdin.take().unwrap();
    let output = BufReader::new(reader.stdout.take().unwrap());
    let listener =
        std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
    for place in places {
        // It may have died: its status says so.
        let _ = writeln!(input, "{}", place.display());
    }
    drop(input);
    let told = listener.join().unwrap();
    let status = reader.wait().unwrap();
    assert!(status.success(), "{engine}: {status} after {told:?}");
    assert_eq!(told.len(), places.len());
    told
}

/// A copy with something wrong in it.
fn mutated(content: &[u8], older: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut broken = content.to_vec();
    let pages = broken.len() / PAGE;
    let page_at = |chance: &mut Chance| chance.index(pages) * PAGE;
    match chance.below(8) {
        0 => broken.truncate(chance.index(content.len())),
        1 => {
            let (one, other) = (page_at(chance), page_at(chance));
            for offset in 0..PAGE {
                broken.swap(one + offset, other + offset);
            }
        }
        2 => {
            let start = page_at(chance);
            broken[start..start + PAGE].fill(if chance.below(2) == 0 { 0 } else { 0xff });
        }
        3 => {
            let start = page_at(chance);
            if let Some(page) = older.get(start..start + PAGE) {
                broken[start..start + PAGE].copy_from_slice(page);
            }
            // If both were the same there.
            let at = start + chance.index(64);
            broken[at] ^= 1;
        }
        // Numbers at their extremes in the first bytes of a page, where headers stand.
        4 => {
            let at = page_at(chance) + chance.index(40) * 4;
            let extreme = [0, 1, 0x7fff_ffff, u32::MAX][chance.index(4)];
            broken[at..at + 4].copy_from_slice(&extreme.to_ne_bytes());
        }
        5 => {
            let at = chance.index(320);
            broken[at] ^= 1 << chance.below(8);
        }
        _ => {
            for _ in 0..=chance.below(4) {
                let at = page_at(chance) + chance.index(256);
                broken[at] ^= 1 << chance.below(8);
            }
        }
    }
    broken
}
