//! What the tests of caches on disk and the process they kill agree on: engines, keys, numbered packets.
//!
//! Separate because the two are two programs.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use mainstay_client::{
    Cache, CacheError, Cached, DiskCache, Keypair, LmdbCache, OpenCacheError, PublicKey, Put,
    SignedPacket,
};

/// Both engines, as [`open`] names them.
pub const ENGINES: [&str; 2] = ["lmdb", "disk"];

/// How many keys the numbered packets have.
pub const KEYS: u64 = 32;

/// What went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A cache, and whether it had to begin anew.
#[derive(Debug)]
pub struct Opened {
    /// The cache.
    pub cache: Arc<dyn Cache>,
    /// Whether what was there was damaged and set aside.
    pub is_new: bool,
}

/// Opens the cache of an engine in a folder.
///
/// # Errors
/// As the engine's own `open`.
pub fn open(engine: &str, folder: impl AsRef<Path>) -> Result<Opened, OpenCacheError> {
    let folder = folder.as_ref();
    if engine == "lmdb" {
        let cache = LmdbCache::open(folder)?;
        let is_new = cache.set_aside().is_some();
        return Ok(Opened { cache: Arc::new(cache), is_new });
    }
    let cache = DiskCache::open(folder.join(file(engine)))?;
    let is_new = cache.set_aside().is_some();
    Ok(Opened { cache: Arc::new(cache), is_new })
}

/// The name of the file that holds the packets.
#[must_use]
pub fn file(engine: &str) -> &'static str {
    if engine == "lmdb" { "data.mdb" } else { "packets" }
}

fn keypair(number: u64) -> Keypair {
    let [.., low] = number.rem_euclid(KEYS).to_be_bytes();
    Keypair::from_secret_key(&[low.wrapping_add(1); 32])
}

/// The key of the packet with this number.
#[must_use]
pub fn key(number: u64) -> PublicKey {
    keypair(number).public_key()
}

/// The packet with this number: it is its timestamp, and its text says it.
///
/// # Panics
/// Never: each of them can be built.
#[must_use]
pub fn cached(number: u64) -> Cached {
    Cached::seen_now(packet(number))
}

/// A packet of a key of its own.
#[must_use]
pub fn of_somebody() -> Cached {
    let packet = SignedPacket::builder().timestamp(1.into());
    Cached::seen_now(packet.sign(&Keypair::random()).expect("no record is too much"))
}

fn packet(number: u64) -> SignedPacket {
    let name = "n".try_into().expect("a name");
    // Lengths differ, so that places in the file are used again by packets of other sizes.
    let text = format!("{number} {}", "x".repeat((number % 7 * 100 % 255) as usize % 240));
    let text = text.as_str().try_into().expect("a text");
    let timestamp = (number + 1).into();
    let packet = SignedPacket::builder().txt(name, text, 300).timestamp(timestamp);
    packet.sign(&keypair(number)).expect("a small packet")
}

/// The number of a packet.
#[must_use]
pub fn number(cached: &Cached) -> u64 {
    cached.packet.timestamp().as_u64().saturating_sub(1)
}

/// Whether it is one of the numbered packets, of the key of this number.
#[must_use]
pub fn is_ours(number_of_key: u64, cached: &Cached) -> bool {
    let number = number(cached);
    number % KEYS == number_of_key % KEYS && cached.packet == packet(number)
}

/// Waits for a future of a cache.
///
/// # Panics
/// If the machine gives no resources for a runtime.
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers").block_on(future)
}

/// Puts all of them at once, and returns what each was answered.
pub fn put_each(cache: &dyn Cache, all: &[Cached]) -> Vec<Result<Put, CacheError>> {
    let puts = all.iter().map(|cached| cache.put(cached.clone()));
    run(futures_util::future::join_all(puts))
}

/// Puts all of them, and returns how many were acknowledged and why the first was not that was not.
pub fn put_all(cache: &dyn Cache, all: &[Cached]) -> (usize, Option<String>) {
    let puts = put_each(cache, all);
    let refused = puts.iter().find_map(|put| put.as_ref().err()).map(|error| all_causes(error));
    (puts.iter().filter(|put| put.is_ok()).count(), refused)
}

/// An error and all that caused it, in a line.
#[must_use]
pub fn all_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
