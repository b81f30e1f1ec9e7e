//! The cache: which packet stands is decided by `Cached::merge`, and kept only if nobody was faster.
//! Separate from the protocol, so that it reads as what a cache has to promise.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mainstay::{Cache, CacheError, Cached, PublicKey, Put, SignedPacket, Timestamp};

use super::resp::{Connection, Reply};

/// Sets the record unless another one stands than the one that was read; tells whether it did, and how many there are.
const COMPARE_AND_SET: &str = "
local stands = redis.call('GET', KEYS[1])
if (stands or '') ~= ARGV[1] then return {0, redis.call('DBSIZE')} end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return {1, redis.call('DBSIZE')}";

/// How long a packet is kept that nobody confirms, in seconds: a day, the longest that any lives by default.
const KEPT_FOR: &str = "86400";

/// How often a put is tried while others put the same key.
const TRIES: usize = 64;

/// Packets in a database of Redis that holds nothing else.
///
/// Redis bounds it (`maxmemory`, with a policy that evicts). A command that takes longer than a second, or
/// breaks the protocol, is an error; the client then goes on as without a cache, and the next command
/// connects anew.
#[derive(Debug)]
pub(crate) struct RedisCache {
    connection: Connection,
    /// How many packets there were when the server was asked last.
    packets: AtomicUsize,
}

impl RedisCache {
    /// Connects to a server: the path of its socket, or its host and port.
    pub(crate) async fn connect(server: &str) -> io::Result<Self> {
        let connection = Connection::new(server);
        let counted = connection.ask(&[b"DBSIZE"]).await?;
        let cache = Self { connection, packets: AtomicUsize::new(0) };
        cache.count(&counted);
        Ok(cache)
    }

    fn count(&self, reply: &Reply) {
        if let Reply::Number(packets) = reply {
            self.packets.store(usize::try_from(*packets).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// The bytes that stand for a key, if there are any.
    async fn record(&self, key: &PublicKey) -> io::Result<Option<Vec<u8>>> {
        match self.connection.ask(&[b"GET", name(key).as_bytes()]).await? {
            Reply::Bytes(record) => Ok(record),
            other => Err(io::Error::other(format!("GET was answered with {other:?}"))),
        }
    }

    /// Whether the record was set.
    async fn compare_and_set(
        &self,
        key: &PublicKey,
        read: Option<&[u8]>,
        cached: &Cached,
    ) -> io::Result<bool> {
        let (name, record) = (name(key), encode(cached));
        let script = COMPARE_AND_SET.as_bytes();
        let read = read.unwrap_or_default();
        let words = [b"EVAL", script, b"1", name.as_bytes(), read, &record, KEPT_FOR.as_bytes()];
        match self.connection.ask(&words).await? {
            Reply::Several(replies) => {
                let [set, packets] = replies.as_slice() else {
                    return Err(io::Error::other("the script was answered with something else"));
                };
                self.count(packets);
                Ok(matches!(set, Reply::Number(1)))
            }
            other => Err(io::Error::other(format!("the script was answered with {other:?}"))),
        }
    }
}

#[async_trait]
impl Cache for RedisCache {
    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn len(&self) -> usize {
        self.packets.load(Ordering::Relaxed)
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        let record = self.record(key).await.map_err(CacheError::new)?;
        Ok(record.and_then(|record| decode(key, &record)))
    }

    async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
        let key = incoming.packet.public_key();
        for _ in 0..TRIES {
            let read = self.record(&key).await.map_err(CacheError::new)?;
            // What the key has not signed does not stand: it is replaced.
            let standing = read.as_deref().and_then(|record| decode(&key, record));
            let (stands, put) = Cached::merge(standing.as_ref(), incoming.clone());
            let Some(stands) = stands else { return Ok(put) };
            let set = self.compare_and_set(&key, read.as_deref(), &stands).await;
            if set.map_err(CacheError::new)? {
                return Ok(put);
            }
        }
        Err(CacheError::new("others put this key all the time"))
    }
}

fn name(key: &PublicKey) -> String {
    format!("mainstay:{}", key.to_z32())
}

/// When it was last seen, 64 bits, big-endian; then the packet.
fn encode(cached: &Cached) -> Vec<u8> {
    let seen = cached.last_seen.as_u64().to_be_bytes();
    [seen.as_slice(), cached.packet.as_bytes()].concat()
}

/// The record, if its packet is one that the key has signed.
fn decode(key: &PublicKey, record: &[u8]) -> Option<Cached> {
    let (seen, packet) = record.split_first_chunk()?;
    let payload = packet.strip_prefix(key.as_bytes())?;
    let packet = SignedPacket::from_relay_payload(key, &payload.to_vec().into()).ok()?;
    Some(Cached { packet, last_seen: Timestamp::from(u64::from_be_bytes(*seen)) })
}
