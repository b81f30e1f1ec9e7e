//! The default cache: packets in memory, bounded, shared between threads.
//!
//! Separate from the trait because most other caches will not be in memory.

use async_trait::async_trait;
use mainstay_keys::PublicKey;
use mainstay_packets::SignedPacket;

use super::{Cache, CacheError, Cached, Peek, Put};
use crate::bounded::{Bounded, Leaving};

/// What an entry costs beside its packet: key, bookkeeping, parsed index.
const ENTRY_OVERHEAD: u64 = 512;

/// Packets in memory, least useful ones leaving first.
///
/// When full, a packet that is asked for often stays and a newcomer asked for once may be turned
/// away (TinyLFU), so a flood of keys nobody needs does not push out those in use.
///
/// ```
/// use mainstay_client::{Cache, InMemoryCache};
///
/// let cache = InMemoryCache::new(500);
/// assert_eq!((cache.len(), cache.capacity()), (0, 500));
/// ```
#[derive(Debug)]
pub struct InMemoryCache {
    entries: Bounded<Cached>,
    capacity: usize,
}

impl InMemoryCache {
    /// A cache of at most so many packets.
    #[must_use]
    pub fn new(packets: usize) -> Self {
        let entries = Bounded::new(packets as u64, Leaving::LeastUseful, |_| 1);
        Self { entries, capacity: packets }
    }

    /// A cache of about so many bytes, counting each packet's own and its overhead.
    ///
    /// Its [`capacity`](Cache::capacity) is how many packets of the largest size fit.
    #[must_use]
    pub fn bounded_in_bytes(bytes: u64) -> Self {
        let largest = SignedPacket::MAX_BYTES as u64 + ENTRY_OVERHEAD;
        let capacity = usize::try_from(bytes / largest).unwrap_or(usize::MAX);
        Self { entries: Bounded::new(bytes, Leaving::LeastUseful, weight), capacity }
    }
}

#[async_trait]
impl Cache for InMemoryCache {
    fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many packets are in it; what is due to leave leaves first.
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn peek(&self, key: &PublicKey) -> Peek {
        self.entries.get(key).map_or(Peek::Miss, Peek::Hit)
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        Ok(self.entries.get(key))
    }

    async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
        let mut put = Put::Stored;
        self.entries.put_with(incoming.packet.public_key(), |standing| {
            let (stands, done) = Cached::merge(standing.as_ref(), incoming);
            put = done;
            stands
        });
        Ok(put)
    }
}

/// What an entry weighs in a map bounded in bytes.
pub(super) fn weight(cached: &Cached) -> u32 {
    let bytes = cached.packet.as_bytes().len() as u64 + ENTRY_OVERHEAD;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
