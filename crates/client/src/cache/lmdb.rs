//! `LmdbCache`: packets in a folder of LMDB's, which many processes may share.
//!
//! Separate because it is a feature: a program that needs no cache on disk builds no engine.

mod check;
mod engine;
mod home;
mod map;
mod run;
#[cfg(test)]
mod tests;

use std::path::Path;

use async_trait::async_trait;
use mainstay_keys::PublicKey;

use self::engine::Lmdb;
use super::persistent::{CacheOptions, CacheStatus, OpenCacheError, Persistent, SetAside};
use super::{Cache, CacheError, Cached, Peek, Put};

/// Packets in one folder, kept by LMDB: any number of threads and processes read and write it at once.
///
/// It opens the cache folders of pkarr, keeps their packets, and leaves them readable by pkarr; both may
/// even work at the same time. What it promises:
///
/// * A put that has resolved is on disk ([`Durability::Disk`](crate::Durability)): a killed process or a
///   power cut loses nothing that was acknowledged, and leaves no half of a packet.
/// * Every packet read from disk is verified under the key asked for, once per process, and again when its
///   bytes have changed; a record that the key has not signed is dropped and counted
///   ([`CacheStatus::damaged`]), never served.
/// * It is bounded in packets and bytes ([`CacheOptions`]), and never stops storing: the map grows as needed.
///   When full, what expired longest ago leaves first; when nothing has expired, what was seen longest ago,
///   found by a sample of five.
/// * One thread writes; puts that arrive while a commit is under way share the next. No method blocks the
///   thread that awaits it, but for a page of the file that the system has to fetch from disk.
/// * A damaged file is set aside ([`Self::set_aside`]) and a new one begun. LMDB maps the file into memory
///   and trusts what stands there, so opening checks every page first ([`CacheOptions::check`]), unless the file is as it
///   was when it was closed well: a mark beside it says so.
///
/// The folder must be on a local disk and belong to this user: whoever shortens the file while it is open
/// ends the process.
///
/// A hit that was verified before costs as much as one in memory, and after another process has written, once, a
/// read transaction and a comparison. Where [`CacheOptions::memory`] has no room for it, it costs a read transaction and a
/// hash ([`CacheOptions::fingerprints`]); the first read of a packet a signature check, on another thread. Dropping the
/// cache waits until what is queued has been written.
///
/// ```
/// use mainstay_client::{Cache, Cached, LmdbCache, Keypair, SignedPacket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("packets");
/// let keypair = Keypair::random();
/// let packet = SignedPacket::builder().sign(&keypair)?;
/// let cache = LmdbCache::open(&path)?;
/// cache.put(Cached::seen_now(packet.clone())).await?;
/// drop(cache);
///
/// let cache = LmdbCache::open(&path)?;
/// let found = cache.get(&keypair.public_key()).await?;
/// assert_eq!(found.map(|cached| cached.packet), Some(packet));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LmdbCache(Persistent<Lmdb>);

impl LmdbCache {
    /// Opens the cache in this folder with the default [`CacheOptions`], or begins one.
    ///
    /// Blocks: it reads and checks the whole file, unless another process has it open already or it was closed well. Call
    /// it before the runtime starts, or on a thread where that is allowed.
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
        let (engine, set_aside) = Lmdb::open(path.as_ref(), options)?;
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
impl Cache for LmdbCache {
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
