//! A cache on disk, whatever the engine: verified on reading, written by one thread in groups, bounded.
//!
//! Separate from the engines so that what is promised does not depend on which of them stores.

mod ahead;
mod apply;
mod engine;
mod error;
mod files;
mod front;
mod mark;
mod options;
mod reading;
mod record;
mod status;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mainstay_keys::PublicKey;
use mainstay_packets::KnownPackets;
use tokio::sync::{mpsc, oneshot};

use self::front::Front;
use self::reading::Readers;
use self::record::Record;
use self::status::Counters;
use self::writer::Command;
use super::{CacheError, Cached, Peek, Put};
use crate::runtime::Background;

pub(super) use self::ahead::read_ahead;
pub(super) use self::engine::{Batch, Engine, Epoch, Failure, Unwritten, Usage};
pub use self::error::{CacheFault, OpenCacheError};
pub(super) use self::files::Home;
pub use self::files::SetAside;
pub(super) use self::mark::Mark;
pub use self::options::{CacheOptions, Durability};
pub use self::status::{CacheStatus, Writing};

/// How many puts may wait for the writer before the next one waits to be queued.
const QUEUE: usize = 1024;

/// A cache on an engine; see the module.
pub(super) struct Persistent<E: Engine> {
    shared: Arc<Shared<E>>,
    readers: Arc<Readers>,
    queue: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<()>>,
    set_aside: Option<SetAside>,
}

/// What the writer and all readers share.
struct Shared<E> {
    engine: E,
    front: Front,
    /// What was verified and may have left the front.
    known: KnownPackets,
    options: CacheOptions,
    counters: Counters,
    background: Background,
}

impl<E: Engine> Persistent<E> {
    /// Starts the writer of an engine that is open.
    pub(super) fn start(
        engine: E,
        options: &CacheOptions,
        set_aside: Option<SetAside>,
    ) -> Result<Self, OpenCacheError> {
        let background = Background::shared().map_err(OpenCacheError::Threads)?;
        let shared = Arc::new(Shared {
            engine,
            front: Front::new(options.memory),
            known: KnownPackets::new(options.fingerprints.min(options.packets), &rand::random()),
            options: options.clone(),
            counters: Counters::default(),
            background,
        });
        let (queue, commands) = mpsc::channel(QUEUE);
        let writer = thread::Builder::new().name("mainstay-cache".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || writer::run(&shared, commands)
        });
        let writer = writer.map_err(OpenCacheError::Threads)?;
        let readers = Readers::new();
        Ok(Self { shared, readers, queue: Some(queue), writer: Some(writer), set_aside })
    }

    pub(super) fn capacity(&self) -> usize {
        self.shared.options.packets
    }

    /// How many packets the engine holds; 0 if it cannot say.
    pub(super) fn len(&self) -> usize {
        self.shared.engine.usage().map_or(0, |usage| usage.packets)
    }

    pub(super) fn status(&self) -> CacheStatus {
        let usage = self.shared.engine.usage().unwrap_or_default();
        self.shared.counters.status(usage)
    }

    pub(super) fn set_aside(&self) -> Option<&SetAside> {
        self.set_aside.as_ref()
    }

    #[cfg(all(test, feature = "lmdb-cache"))]
    pub(super) fn engine(&self) -> &E {
        &self.shared.engine
    }

    /// Whether nothing is kept, whatever is put.
    fn is_off(&self) -> bool {
        self.shared.options.packets == 0
    }

    pub(super) fn peek(&self, key: &PublicKey) -> Peek {
        if self.is_off() {
            return Peek::Miss;
        }
        self.shared.at_hand(key).map_or(Peek::Ask, Peek::Hit)
    }

    pub(super) async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        if self.is_off() {
            return Ok(None);
        }
        if let Some(cached) = self.shared.at_hand(key) {
            return Ok(Some(cached));
        }
        let (reading, key) = (self.readers.begin(&self.shared).await, *key);
        let read = move || reading.run(|shared| shared.read(&key));
        let read = self.shared.background.run_blocking(read).await.flatten();
        let found = read.unwrap_or(Err(CacheFault::Closed)).map_err(CacheError::new)?;
        if let Found::Damaged(record) = found {
            // Whether there is room in the queue or not: the next reader finds it damaged, too.
            let forget = Command::Forget { key, record };
            let _ = self.queue.as_ref().map(|queue| queue.try_send(forget));
            return Ok(None);
        }
        let Found::Packet(cached) = found else { return Ok(None) };
        Ok(Some(cached))
    }

    pub(super) async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
        if self.is_off() {
            return Ok(Put::Stored);
        }
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| CacheError::new(CacheFault::Closed))?;
        let queued = queue.send(Command::Put { incoming, answer: Some(answer) }).await;
        queued.map_err(|_| CacheError::new(CacheFault::Closed))?;
        let put = answered.await.unwrap_or(Err(CacheFault::Closed));
        put.map_err(CacheError::new)
    }
}

/// What reading a key from disk found.
enum Found {
    Packet(Cached),
    Nothing,
    /// A record that no owner of the key has signed.
    Damaged(bytes::Bytes),
}

impl<E: Engine> Shared<E> {
    /// The packet, if it has been verified before and is still what the disk holds.
    fn at_hand(&self, key: &PublicKey) -> Option<Cached> {
        let Some(known) = self.front.find(key) else { return self.recognised(key) };
        if known.is_of(self.engine.epoch()) {
            return Some(known.cached().clone());
        }
        let same = self.engine.read(key, |bytes| {
            let record = Record::parse(bytes)?;
            (record.packet == known.cached().packet.as_bytes()).then_some(record.last_seen())
        });
        match same {
            Ok((Some(Some(last_seen)), epoch)) if last_seen > known.cached().last_seen => {
                let seen_later = Cached { last_seen, ..known.cached().clone() };
                Some(self.front.note(key, seen_later, epoch))
            }
            // What left the disk is still right.
            Ok((Some(Some(_)) | None, epoch)) => {
                known.set_epoch(epoch);
                Some(known.cached().clone())
            }
            // Another process has put another packet there; or damage has.
            Ok((Some(None), _)) => None,
            // What cannot be read is still right.
            Err(_) => Some(known.cached().clone()),
        }
    }

    /// The packet on disk, if it was verified before and the memory of the file is ours.
    fn recognised(&self, key: &PublicKey) -> Option<Cached> {
        if !E::IS_MAPPED || !self.known.knows(key) {
            return None;
        }
        let read = self.engine.read(key, |bytes| Record::parse(bytes)?.recognise(key, &self.known));
        let (Some(Some(cached)), epoch) = read.ok()? else { return None };
        Some(self.front.note(key, cached, epoch))
    }

    /// Reads from disk and verifies. Takes a thread for tens of microseconds, or as long as the disk does.
    fn read(&self, key: &PublicKey) -> Result<Found, CacheFault> {
        let read = self.engine.read(key, record::copy);
        let known = self.front.get(key);
        let (record, epoch) = match (read, known) {
            (Ok((Some(record), epoch)), _) => (record, epoch),
            (_, Some(known)) => return Ok(Found::Packet(known)),
            (Ok((None, _)), None) => return Ok(Found::Nothing),
            (Err(failure), None) => {
                self.counters.failed_reads.add(1);
                return Err(failure.into_fault());
            }
        };
        match (Record::verify(key, &record, &self.known), self.front.get(key)) {
            (Some(cached), _) => Ok(Found::Packet(self.front.note(key, cached, epoch))),
            (None, Some(known)) => Ok(Found::Packet(known)),
            (None, None) => {
                self.engine.doubt();
                Ok(Found::Damaged(record))
            }
        }
    }
}

impl<E: Engine> Drop for Persistent<E> {
    /// Waits until the writer has written what is queued, and all have let go of the files.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.readers.wait();
    }
}

impl<E: Engine> fmt::Debug for Persistent<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persistent")
            .field("options", &self.shared.options)
            .field("set_aside", &self.set_aside)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
