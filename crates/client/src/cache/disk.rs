//! `DiskCache`: packets in a file of redb's, an engine in safe Rust.
//!
//! Separate because it is a feature: a program that needs no cache on disk builds no engine.

mod engine;
#[cfg(test)]
mod faults;

use std::path::Path;

use async_trait::async_trait;
use mainstay_keys::PublicKey;

use self::engine::{Redb, System};
use super::persistent::{CacheOptions, CacheStatus, OpenCacheError, Persistent, SetAside};
use super::{Cache, CacheError, Cached, Peek, Put};

/// Packets in one file, kept by an engine in safe Rust: no memory map, nothing that a damaged file could do
/// to the process.
///
/// One process at a time; for several see `LmdbCache`. What it promises:
///
/// * A put that has resolved is on disk ([`Durability::Disk`](crate::Durability)): a killed process or a
///   power cut loses nothing that was acknowledged, and leaves no half of a packet.
/// * Every packet read from disk is verified under the key asked for, once per process; a record that the
///   key has not signed is dropped and counted ([`CacheStatus::damaged`]), never served.
/// * It is bounded in packets and bytes ([`CacheOptions`]). When full, what expired longest ago leaves
///   first; when nothing has expired, what was seen longest ago, found by a sample of five.
/// * One thread writes; puts that arrive while a commit is under way share the next. No method blocks the
///   thread that awaits it.
/// * A damaged file is set aside ([`Self::set_aside`]) and a new one begun; so is one whose making was
///   interrupted, with nothing in it.
///
/// A hit that was verified before costs as much as one in memory; else it costs a read and a signature
/// check, on another thread. Dropping the cache waits until what is queued has been written.
///
/// ```
/// use mainstay_client::{Cache, Cached, DiskCache, Keypair, SignedPacket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("packets");
/// let keypair = Keypair::random();
/// let packet = SignedPacket::builder().sign(&keypair)?;
/// let cache = DiskCache::open(&path)?;
/// cache.put(Cached::seen_now(packet.clone())).await?;
/// drop(cache);
///
/// let cache = DiskCache::open(&path)?;
/// let found = cache.get(&keypair.public_key()).await?;
/// assert_eq!(found.map(|cached| cached.packet), Some(packet));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DiskCache(Persistent<Redb>);

impl DiskCache {
    /// Opens the cache in this file with the default [`CacheOptions`], or begins one.
    ///
    /// Blocks: after a kill it reads and checks the whole file; after a drop that went well, milliseconds, as the
    /// file `….closed` beside it says then (Linux alone). Call it before the runtime starts, or on a thread where
    /// that is allowed.
    ///
    /// # Errors
    /// [`OpenCacheError`] says what is wrong with the place, or who has it open. Damage is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenCacheError> {
        Self::open_with(path, &CacheOptions::default())
    }

    /// As [`Self::open`], with options.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &CacheOptions,
    ) -> Result<Self, OpenCacheError> {
        let (engine, set_aside) = Redb::open(System, path.as_ref(), options)?;
        Persistent::start(engine, options, set_aside).map(Self)
    }

    /// What it holds, and what has happened to it since it was opened.
    #[must_use]
    pub fn status(&self) -> CacheStatus {
        self.0.status()
    }

    /// The damaged file that opening found and moved out of the way, if it did.
    #[must_use]
    pub fn set_aside(&self) -> Option<&SetAside> {
        self.0.set_aside()
    }
}

#[async_trait]
impl Cache for DiskCache {
    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn peek(&self, key: &PublicKey) -> Peek {
        self.0.peek(key)
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        self.0.get(key).await
    }

    async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
        self.0.put(incoming).await
    }
}
