//! What a batch does with one put: compare, store, and make room.
//!
//! Separate because this is where it is decided who leaves when the cache is full: first what expired
//! longest ago; when nothing has expired, of five records picked at random the one seen longest ago. How
//! long a packet says it lives only matters once it is over, so nobody stays longer by saying more.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use mainstay_keys::PublicKey;
use mainstay_packets::Timestamp;

use super::engine::{Batch, Engine, Failure};
use super::record::{self, Record};
use super::writer::Done;
use super::{CacheOptions, Front, Shared};
use crate::cache::{Cached, Put};
use crate::freshness::{DEFAULT_MAXIMUM_TTL, DEFAULT_MINIMUM_TTL};

/// How many records one put may push out: enough to shrink a cache that was opened with a lower limit.
const LEAVING_PER_PUT: usize = 16;

/// How many expired records one put may spare because they are still asked for.
const SPARED_PER_PUT: usize = 4;

/// For how long an expired record that is still asked for is spared, in microseconds.
const SPARED_FOR: u64 = 300_000_000;

/// How many records are compared when nothing has expired.
const SAMPLE: u64 = 5;

/// Compares and puts.
pub(super) fn put<E: Engine, B: Batch>(
    shared: &Shared<E>,
    batch: &mut B,
    incoming: &Cached,
    done: &mut Done,
) -> Result<Put, Failure> {
    let key = incoming.packet.public_key();
    let id = B::id(&key);
    let on_disk = standing(shared, batch, &key, incoming, done)?;
    // What was verified but never reached the disk stands, too.
    let known = newest(on_disk.clone(), shared.front.get(&key));
    let (replaces, put) = Cached::merge(known.as_ref(), incoming.clone());
    let Some(stands) = replaces.or(known) else { return Ok(put) };
    if on_disk.as_ref() != Some(&stands) {
        batch.put(id, &record::encode(&stands), due(&stands))?;
        make_room(&shared.options, &shared.front, batch, id, done)?;
    }
    done.stored.push(stands);
    Ok(put)
}

/// Removes a record that turned out to be damaged, if it has not been replaced meanwhile.
pub(super) fn forget<B: Batch>(
    batch: &mut B,
    key: &PublicKey,
    damaged: &Bytes,
    done: &mut Done,
) -> Result<(), Failure> {
    let id = B::id(key);
    if batch.record(id, |bytes| record::copy(bytes) == damaged)? == Some(true) {
        batch.remove(id)?;
        done.damaged += 1;
    }
    Ok(())
}

/// The packet on disk, if there is one and its key has signed it.
fn standing<E: Engine, B: Batch>(
    shared: &Shared<E>,
    batch: &mut B,
    key: &PublicKey,
    incoming: &Cached,
    done: &mut Done,
) -> Result<Option<Cached>, Failure> {
    let Some(bytes) = batch.record(B::id(key), record::copy)? else { return Ok(None) };
    let written_here = done.stored.iter().rev().find(|cached| cached.packet.public_key() == *key);
    let verified = [Some(incoming.clone()), shared.front.get(key), written_here.cloned()];
    if let Some(record) = Record::parse(&bytes) {
        for cached in verified.into_iter().flatten() {
            // No need to verify twice what is the same.
            if cached.packet.as_bytes() == record.packet {
                return Ok(Some(Cached { last_seen: record.last_seen(), ..cached }));
            }
        }
    }
    let standing = Record::verify(key, &bytes, &shared.known);
    if standing.is_none() {
        done.damaged += 1;
    }
    Ok(standing)
}

fn newest(a: Option<Cached>, b: Option<Cached>) -> Option<Cached> {
    let Some(b) = b else { return a };
    Cached::merge(a.as_ref(), b).0.or(a)
}

/// When a packet expires, in microseconds.
fn due(cached: &Cached) -> u64 {
    let ttl = u64::from(cached.packet.ttl(DEFAULT_MINIMUM_TTL, DEFAULT_MAXIMUM_TTL));
    cached.last_seen.as_u64().saturating_add(ttl.saturating_mul(1_000_000))
}

/// Makes records leave until the limits hold, never the one just put.
fn make_room<B: Batch>(
    options: &CacheOptions,
    front: &Front,
    batch: &mut B,
    newcomer: B::Id,
    done: &mut Done,
) -> Result<(), Failure> {
    let now = Timestamp::clock().as_u64();
    let mut spared = 0;
    for _ in 0..LEAVING_PER_PUT + SPARED_PER_PUT {
        let usage = batch.usage()?;
        if usage.packets <= options.packets && usage.bytes <= options.bytes {
            return Ok(());
        }
        let expired = batch.first_due()?.filter(|&(due, id)| due <= now && id != newcomer);
        let leaves = match expired {
            Some((_, id)) if spared < SPARED_PER_PUT && is_in_use(front, batch, id)? => {
                batch.postpone(id, now.saturating_add(SPARED_FOR))?;
                spared += 1;
                continue;
            }
            Some((_, id)) => Some(id),
            None => seen_longest_ago(front, batch, newcomer)?,
        };
        let Some(leaves) = leaves else { return Ok(()) };
        batch.remove(leaves)?;
        done.evicted += 1;
    }
    Ok(())
}

fn is_in_use<B: Batch>(front: &Front, batch: &mut B, id: B::Id) -> Result<bool, Failure> {
    let in_use = batch.record(id, |bytes| {
        let key = Record::parse(bytes).and_then(|record| record.key());
        key.is_some_and(|key| front.holds(&key))
    })?;
    Ok(in_use.unwrap_or(false))
}

/// Of a few records picked at random, the one seen longest ago; one that is in use only if all are.
fn seen_longest_ago<B: Batch>(
    front: &Front,
    batch: &mut B,
    newcomer: B::Id,
) -> Result<Option<B::Id>, Failure> {
    let chance = RandomState::new();
    let mut best: Option<((bool, u64), B::Id)> = None;
    for draw in 0..SAMPLE {
        let Some(mut id) = batch.near(chance.hash_one(draw))? else { return Ok(None) };
        if id == newcomer {
            let Some(next) = batch.next(id)?.filter(|next| *next != id) else { return Ok(None) };
            id = next;
        }
        let seen = batch.record(id, |bytes| {
            Record::parse(bytes).map_or(0, |record| record.last_seen().as_u64())
        })?;
        let rank = (is_in_use(front, batch, id)?, seen.unwrap_or(0));
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, id));
        }
    }
    Ok(best.map(|(_, id)| id))
}
