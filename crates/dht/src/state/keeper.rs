//! When a running node's state is written, and by whom: never by the task that answers datagrams.
//! Apart from the file, because it holds the clock of it.

use std::fs::File;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mainstay_dht_proto::Snapshot;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{StateError, place, read_state, set_aside, write_state};
use crate::error::BuildError;
use crate::event::NodeEvent;

/// How often the state is written.
const EVERY: Duration = Duration::from_secs(600);
/// How soon after it has changed in a way worth keeping: a first join, a put.
const SOON: Duration = Duration::from_secs(60);

/// The state file of one node, locked while this lives.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    _lock: File,
    due: Instant,
    writing: Option<JoinHandle<Result<(), StateError>>>,
    /// False where a file that cannot be used could not be set aside: it is not ours to overwrite.
    writes: bool,
}

/// How writing went.
pub(crate) type Saved = Result<PathBuf, StateError>;

impl Keeper {
    /// Locks the file, reads what is there, and says how that went. Blocks.
    pub(crate) fn open(
        path: &Path,
        now: Instant,
    ) -> Result<(Self, Option<Snapshot>, Option<NodeEvent>), BuildError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let lock = match place::lock(&path) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Err(BuildError::StateInUse { path }),
            Err(source) => return Err(BuildError::State { path, source }),
        };
        let keeper = |writes| Self {
            path: path.clone(),
            _lock: lock,
            due: now + EVERY,
            writing: None,
            writes,
        };
        match read_state(&path) {
            Ok(None) => Ok((keeper(true), None, None)),
            Ok(Some(snapshot)) => {
                let (nodes, published) = (snapshot.nodes.len(), snapshot.published.len());
                let event = NodeEvent::StateRestored { path: path.clone(), nodes, published };
                Ok((keeper(true), Some(snapshot), Some(event)))
            }
            Err(StateError::NotAFile { path }) => {
                Err(BuildError::State { path, source: std::io::ErrorKind::InvalidInput.into() })
            }
            Err(reason) => {
                // What cannot even be read may be anything; only what is known to be broken is moved.
                let readable = !matches!(reason, StateError::Io { .. });
                let moved_to = if readable { set_aside(&path, &reason).ok() } else { None };
                let writes = moved_to.is_some();
                let event = NodeEvent::StateSetAside { path: path.clone(), moved_to, reason };
                Ok((keeper(writes), None, Some(event)))
            }
        }
    }

    /// When [`save`](Self::save) wants to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.writes && self.writing.is_none()).then_some(self.due)
    }

    /// Something has changed that should not wait for the next round.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now + SOON);
    }

    /// Starts to write on a thread of its own.
    pub(crate) fn save(&mut self, now: Instant, snapshot: Snapshot) {
        self.due = now + EVERY;
        let path = self.path.clone();
        self.writing = Some(spawn_blocking(move || write_state(&path, &snapshot)));
    }

    /// Completes when writing has ended; never if nothing is written. Cancel safe.
    pub(crate) async fn saved(&mut self) -> Saved {
        let Some(writing) = &mut self.writing else { return pending().await };
        let written = writing.await;
        self.writing = None;
        match written {
            Ok(written) => written.map(|()| self.path.clone()),
            // The runtime goes away, or encoding panicked: either way the old state is still there.
            Err(error) => Err(StateError::io("write", &self.path, std::io::Error::other(error))),
        }
    }

    /// Writes for the last time.
    pub(crate) async fn finish(&mut self, snapshot: Snapshot) -> Option<Saved> {
        if !self.writes {
            return None;
        }
        if self.writing.is_some() {
            // What it says matters no more: the next lines write again.
            let _ = self.saved().await;
        }
        self.save(Instant::now(), snapshot);
        Some(self.saved().await)
    }
}
