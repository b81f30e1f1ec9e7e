//! Caches: what a hit, a put, an opening and an eviction cost, in memory and with both engines on disk.
//!
//! Separate from packets, because here a disk takes part. A table of ratios: `pread` of a record and `fsync` of a page
//! on the same disk are the floors.
//!
//! `cargo bench -p mainstay-benches --bench cache -- PACKETS [FOLDER [ENGINE]]`, 100,000 packets, the system's temporary
//! folder, and both engines unless told otherwise. `cold` is with the file put out of the system's memory first, as far as the system
//! lets go of it; `after a kill` is what a process left that ended by a signal with the cache open, after one put.
#![allow(clippy::cast_possible_truncation, reason = "counts of packets, far below 2³²")]
#![allow(missing_docs, reason = "a bench has no readers but its table")]
#![expect(clippy::print_stdout, reason = "the table")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mainstay_client::{
    Cache, CacheOptions, Cached, DiskCache, InMemoryCache, Keypair, LmdbCache, Peek, PublicKey,
    SignedPacket,
};
use tokio::runtime::Runtime;

/// How many puts wait together.
const TOGETHER: usize = 256;

/// How many operations of one kind are timed.
const TIMED: usize = 20_000;

/// Names the engine that a process is to open, write to, and leave open at its end.
const KILLED: &str = "MAINSTAY_BENCH_KILLED";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    if let Ok(engine) = std::env::var(KILLED) {
        let place = arguments.next().expect("a folder");
        let cache = open(&engine, place.as_ref(), 0, usize::MAX);
        let put = Runtime::new().expect("a runtime").block_on(cache.put(packet(&keypair(0), 3)));
        put.expect("it is stored");
        std::process::abort();
    }
    let packets = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let place = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let only = arguments.next();
    let folder = tempfile::tempdir_in(place).expect("a folder");
    println!("{packets} packets of {} bytes", packet(&keypair(0), 1).packet.as_bytes().len());
    floors(folder.path());
    let memory = InMemoryCache::new(TIMED);
    let runtime = Runtime::new().expect("a runtime");
    fill(&runtime, &memory, TIMED, 1);
    show("memory", "hit", hits(&memory, TIMED / 2));
    for engine in ["lmdb", "disk"] {
        if only.as_ref().is_some_and(|only| only != engine) {
            continue;
        }
        let place = folder.path().join(engine);
        measure(&runtime, engine, packets, &place, |memory| open(engine, &place, memory, packets));
        fs::remove_dir_all(place).expect("it is ours");
    }
}

fn open(engine: &str, place: &Path, memory: u64, packets: usize) -> Box<dyn Cache> {
    let options = CacheOptions::default().packets(packets).bytes(1 << 40).memory(memory);
    if engine == "lmdb" {
        return Box::new(LmdbCache::open_with(place, &options).expect("it opens"));
    }
    Box::new(DiskCache::open_with(place.join("packets"), &options).expect("it opens"))
}

/// The steps of one engine.
fn measure(
    runtime: &Runtime,
    engine: &str,
    packets: usize,
    place: &Path,
    open: impl Fn(u64) -> Box<dyn Cache>,
) {
    let cache = open(0);
    let started = Instant::now();
    fill(runtime, &*cache, packets, 1);
    show(engine, "put, 256 together", started.elapsed() / u32::try_from(packets).unwrap_or(1));
    drop(cache);

    let opened = |what| {
        let started = Instant::now();
        let cache = open(64 << 20);
        show(engine, what, started.elapsed());
        assert_eq!(cache.len(), packets);
        cache
    };
    drop(opened("open, closed well"));
    forget(place);
    drop(opened("open, closed well, cold"));
    kill(engine, place);
    drop(opened("open after a kill"));
    kill(engine, place);
    forget(place);
    drop(opened("open after a kill, cold"));
    forget(place);
    let cache = opened("open, closed well, cold");

    let keys: Vec<_> = (0..TIMED).map(|n| key((n * 7919) % packets)).collect();
    let started = Instant::now();
    for key in &keys {
        let found = runtime.block_on(cache.get(key)).expect("it answers");
        assert!(found.is_some());
    }
    show(engine, "first read, verified", started.elapsed() / TIMED as u32);
    show(engine, "hit", hits_of(&*cache, &keys));

    let timed = TIMED / 20;
    let started = Instant::now();
    for number in 0..timed {
        let put = runtime.block_on(cache.put(packet(&keypair(number), 2)));
        put.expect("it is stored");
    }
    show(engine, "put, one at a time, newer", started.elapsed() / timed as u32);

    let started = Instant::now();
    fill_from(runtime, &*cache, packets, TIMED, 1);
    show(engine, "put and evict, 256 together", started.elapsed() / TIMED as u32);
    assert_eq!(cache.len(), packets);
    let bytes: u64 = fs::read_dir(place)
        .expect("a folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum();
    println!("{engine:8} {:28} {:>12}", "bytes on disk a packet", bytes / packets as u64);
}

/// Leaves the cache as a process does that is killed with it open.
fn kill(engine: &str, place: &Path) {
    let program = std::env::current_exe().expect("a name");
    let status = Command::new(program).env(KILLED, engine).arg(place).status();
    assert!(status.is_ok_and(|status| status.code().is_none()), "it was to end by a signal");
}

/// Asks the system to let go of what it keeps of these files in memory.
fn forget(place: &Path) {
    for entry in fs::read_dir(place).expect("a folder").flatten() {
        let mut file = std::ffi::OsString::from("if=");
        file.push(entry.path());
        let done = Command::new("dd").arg(file).args(["iflag=nocache", "count=0"]).output();
        assert!(done.is_ok_and(|done| done.status.success()), "dd of coreutils");
    }
}

fn fill(runtime: &Runtime, cache: &dyn Cache, packets: usize, timestamp: u64) {
    fill_from(runtime, cache, 0, packets, timestamp);
}

fn fill_from(runtime: &Runtime, cache: &dyn Cache, from: usize, packets: usize, timestamp: u64) {
    let mut next = from;
    while next < from + packets {
        let end = (next + TOGETHER).min(from + packets);
        let puts = (next..end).map(|number| cache.put(packet(&keypair(number), timestamp)));
        for put in runtime.block_on(join_all(puts)) {
            put.expect("it is stored");
        }
        next = end;
    }
}

/// The median of a hit among the packets put last.
fn hits(cache: &dyn Cache, packets: usize) -> Duration {
    let keys: Vec<_> = (packets..TIMED).map(key).collect();
    hits_of(cache, &keys)
}

fn hits_of(cache: &dyn Cache, keys: &[PublicKey]) -> Duration {
    let mut rounds: Vec<_> = (0..9)
        .map(|_| {
            let started = Instant::now();
            let found =
                keys.iter().filter(|key| matches!(black_box(cache.peek(key)), Peek::Hit(_)));
            let found = found.count();
            assert!(found * 10 > keys.len() * 9, "{found} of {}", keys.len());
            started.elapsed() / u32::try_from(keys.len()).unwrap_or(1)
        })
        .collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

/// What this disk needs for a page, read and written.
fn floors(folder: &Path) {
    let path = folder.join("floor");
    let mut file = File::create_new(&path).expect("a file");
    file.write_all(&[7; 4096]).expect("room");
    let started = Instant::now();
    for _ in 0..200 {
        file.write_all_at(&[8; 4096], 0).expect("room");
        file.sync_data().expect("a disk");
    }
    show("floor", "fdatasync of a page", started.elapsed() / 200);
    let file = File::open(&path).expect("it is there");
    let mut page = [0; 4096];
    let started = Instant::now();
    for _ in 0..TIMED {
        file.read_exact_at(black_box(&mut page), 0).expect("it is there");
    }
    show("floor", "pread of a page in memory", started.elapsed() / TIMED as u32);
}

fn show(engine: &str, what: &str, each: Duration) {
    println!("{engine:8} {what:28} {:>12}", format!("{each:.2?}"));
}

fn keypair(number: usize) -> Keypair {
    let mut secret = [3; 32];
    if let Some(head) = secret.first_chunk_mut() {
        *head = (number as u64).to_be_bytes();
    }
    Keypair::from_secret_key(&secret)
}

fn key(number: usize) -> PublicKey {
    keypair(number).public_key()
}

/// A packet of about 300 bytes, seen now.
fn packet(keypair: &Keypair, timestamp: u64) -> Cached {
    let text =
        "a text of the length that services and addresses of a name may have, more or less, in all";
    let packet = SignedPacket::builder()
        .address("@".try_into().expect("a name"), [192, 0, 2, 7].into(), 3600)
        .txt("_service".try_into().expect("a name"), text.try_into().expect("a text"), 3600)
        .timestamp(timestamp.into());
    Cached::seen_now(packet.sign(keypair).expect("a small packet"))
}
