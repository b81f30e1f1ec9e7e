//! What the client remembers: the `Cache` trait and the one rule by which a cache changes.
//!
//! Separate so that a cache can be written without knowing anything of networks or policies.

#[cfg(all(feature = "disk-cache", not(target_family = "wasm")))]
mod disk;
#[cfg(all(feature = "lmdb-cache", not(target_family = "wasm")))]
mod lmdb;
mod memory;
#[cfg(all(any(feature = "disk-cache", feature = "lmdb-cache"), not(target_family = "wasm")))]
mod persistent;

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use thiserror::Error;

use crate::freshness::is_past;
use crate::progress::is_better;

#[cfg(all(feature = "disk-cache", not(target_family = "wasm")))]
pub use disk::DiskCache;
#[cfg(all(feature = "lmdb-cache", not(target_family = "wasm")))]
pub use lmdb::LmdbCache;
pub use memory::InMemoryCache;
#[cfg(all(any(feature = "disk-cache", feature = "lmdb-cache"), not(target_family = "wasm")))]
pub use persistent::{
    CacheFault, CacheOptions, CacheStatus, Durability, OpenCacheError, SetAside, Writing,
};

/// How many packets the default cache holds.
pub const DEFAULT_CACHE_SIZE: usize = 1000;

/// A packet as a cache keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The packet, verified as every [`SignedPacket`] is.
    pub packet: SignedPacket,
    /// When a backend last confirmed that this is the packet it holds.
    pub last_seen: Timestamp,
}

impl Cached {
    /// A packet confirmed right now.
    #[must_use]
    pub fn seen_now(packet: SignedPacket) -> Self {
        Self { packet, last_seen: Timestamp::clock() }
    }

    /// The rule of every cache: what should stand after `incoming` meets what stands.
    ///
    /// An older packet never replaces a newer one; the same bytes seen again keep the later
    /// `last_seen`. `None` means that what stands stays as it is.
    ///
    /// What only a clock that stood wrong can have put there yields: a packet signed more than two hours ahead of this
    /// machine's clock to any that is not, and a `last_seen` more than a minute ahead to any that is not. Otherwise a
    /// clock that was once set to another year would lock its keys until then.
    ///
    /// ```
    /// use mainstay_client::{Cached, Keypair, Put, SignedPacket};
    ///
    /// let packet = SignedPacket::builder().sign(&Keypair::random())?;
    /// let incoming = Cached::seen_now(packet);
    /// let (stands, put) = Cached::merge(None, incoming.clone());
    /// assert_eq!((stands, put), (Some(incoming), Put::Stored));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn merge(standing: Option<&Self>, incoming: Self) -> (Option<Self>, Put) {
        Self::merge_at(standing, incoming, Timestamp::clock())
    }

    fn merge_at(standing: Option<&Self>, incoming: Self, now: Timestamp) -> (Option<Self>, Put) {
        let Some(standing) = standing else {
            return (Some(incoming), Put::Stored);
        };
        if is_better(&incoming.packet, &standing.packet, now) {
            return (Some(incoming), Put::Stored);
        }
        if !incoming.packet.is_same_as(&standing.packet) {
            return (None, Put::Superseded(standing.clone()));
        }
        let mended = is_past(incoming.last_seen, now) && !is_past(standing.last_seen, now);
        if incoming.last_seen <= standing.last_seen && !mended {
            return (None, Put::Refreshed);
        }
        (Some(incoming), Put::Refreshed)
    }
}

/// What a [`Cache::put`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The packet is new here, or newer than the one that stood.
    Stored,
    /// The same packet stood already; its `last_seen` is the later of the two.
    Refreshed,
    /// A newer packet stands, and stays.
    Superseded(Cached),
}

/// What [`Cache::peek`] can say without waiting.
#[derive(Clone, Debug)]
pub enum Peek {
    /// The packet.
    Hit(Cached),
    /// There is none: asking would find nothing either.
    Miss,
    /// Only [`Cache::get`] can tell.
    Ask,
}

/// Why a cache could not answer.
///
/// The client goes on without the cache: it treats a failed read as a miss and a failed write as
/// not made. The cause is whatever the cache's own storage reported.
#[derive(Debug, Error)]
#[error("the cache failed")]
pub struct CacheError {
    source: Box<dyn Error + Send + Sync>,
}

impl CacheError {
    /// A failure with this cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: cause.into() }
    }
}

/// Where a client keeps the packets it has seen.
///
/// Implementations store and nothing else: whether a packet is still fresh is judged by
/// [`Freshness`](crate::Freshness). What they must keep true:
///
/// * [`put`](Self::put) is one atomic compare-and-put that follows [`Cached::merge`]: of two racing
///   puts for one key the newer packet stands afterwards, whichever came first;
/// * packets read back from outside the process are verified again (parsing them as
///   [`SignedPacket`] does that);
/// * neither method blocks the thread; work that must (files, say) moves to one where it may.
///
/// A cache in memory also overrides [`peek`](Self::peek), so that a hit costs no boxed future.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use async_trait::async_trait;
/// use mainstay_client::{Cache, CacheError, Cached, PublicKey, Put};
///
/// #[derive(Debug, Default)]
/// struct Unbounded(Mutex<HashMap<PublicKey, Cached>>);
///
/// #[async_trait]
/// impl Cache for Unbounded {
///     fn capacity(&self) -> usize {
///         usize::MAX
///     }
///
///     fn len(&self) -> usize {
///         self.0.lock().expect("no holder panics").len()
///     }
///
///     async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
///         Ok(self.0.lock().expect("no holder panics").get(key).cloned())
///     }
///
///     async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
///         let mut entries = self.0.lock().expect("no holder panics");
///         let key = incoming.packet.public_key();
///         let (stands, put) = Cached::merge(entries.get(&key), incoming);
///         if let Some(stands) = stands {
///             entries.insert(key, stands);
///         }
///         Ok(put)
///     }
/// }
///
/// assert!(Unbounded::default().is_empty());
/// ```
#[async_trait]
pub trait Cache: fmt::Debug + Send + Sync + 'static {
    /// How many packets fit; 0 means that the cache is off.
    fn capacity(&self) -> usize;

    /// How many packets are in it.
    fn len(&self) -> usize;

    /// Whether it holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks without waiting, where that is possible.
    ///
    /// The default says [`Peek::Ask`].
    fn peek(&self, key: &PublicKey) -> Peek {
        let _ = key;
        Peek::Ask
    }

    /// The packet of this key, fresh or not.
    ///
    /// # Errors
    /// When the storage behind the cache failed.
    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError>;

    /// Compares and puts, by the rule of [`Cached::merge`], in one atomic step.
    ///
    /// # Errors
    /// When the storage behind the cache failed; then nothing has changed.
    async fn put(&self, incoming: Cached) -> Result<Put, CacheError>;
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::{Cached, Put};
    use crate::Timestamp;
    use crate::scripted::packet;

    const DAY: u64 = 86_400_000_000;

    #[test]
    fn what_a_wrong_clock_left_behind_yields_once_the_clock_is_right() {
        let keypair = Keypair::random();
        let at = |micros: u64| packet(&keypair, Timestamp::from(micros), 300);
        let now = 1_700_000_000_000_000;
        let merged = |standing: &Cached, incoming: &Cached| {
            Cached::merge_at(Some(standing), incoming.clone(), Timestamp::from(now))
        };
        for jump in [DAY, 30 * DAY, 3_650 * DAY] {
            let wrong = Cached { packet: at(now + jump), last_seen: Timestamp::from(now + jump) };
            let right = Cached { packet: at(now), last_seen: Timestamp::from(now) };
            assert_eq!(merged(&wrong, &right), (Some(right.clone()), Put::Stored));
            assert_eq!(merged(&right, &wrong), (None, Put::Superseded(right.clone())));
            let seen_wrong = Cached { last_seen: wrong.last_seen, ..right.clone() };
            assert_eq!(merged(&seen_wrong, &right), (Some(right), Put::Refreshed));
        }
    }
}
