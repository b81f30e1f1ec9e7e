//! When a running node's state is written, and by whom: never by the task that answers datagrams.
//! Apart from the file, because it holds the clock of it.

use std::fs::File;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// Whoever still writes has it, too: a runtime that goes away drops this before the writing has ended.
    lock: Arc<File>,
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
        let path = place::of(path)
            .map_err(|source| BuildError::State { path: path.to_path_buf(), source })?;
        let lock = match place::lock(&path) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Err(BuildError::StateInUse { path }),
            Err(source) => return Err(BuildError::State { path, source }),
        };
        let keeper = |writes| Self {
            path: path.clone(),
            lock: Arc::new(lock),
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
        let (path, lock) = (self.path.clone(), self.lock.clone());
        self.writing = Some(spawn_blocking(move || {
            let written = write_state(&path, &snapshot);
            drop(lock);
            written
        }));
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

    /// Takes away the mark that the file is in use. Nothing may be written after this.
    pub(crate) fn release(&mut self) {
        self.writes = false;
        if self.writing.is_none() {
            place::unlock(&self.path, &self.lock);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn opened(now: Instant) -> (Keeper, TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (keeper, ..) = Keeper::open(&path, now).unwrap();
        (keeper, folder, path)
    }

    /// A snapshot that is told from others by its time.
    fn taken(secs: u64) -> Snapshot {
        Snapshot { taken: Some(Duration::from_secs(secs)), ..Snapshot::default() }
    }

    #[tokio::test]
    async fn a_state_is_written_every_ten_minutes_and_none_while_one_is_written() {
        let now = Instant::now();
        let (mut keeper, _folder, path) = opened(now);
        assert_eq!(keeper.due(), Some(now + EVERY));
        keeper.save(now + EVERY, taken(1));
        assert_eq!(keeper.due(), None);
        assert_eq!(keeper.saved().await.unwrap(), keeper.path);
        assert_eq!(keeper.due(), Some(now + EVERY * 2));
        assert_eq!(read_state(&path).unwrap(), Some(taken(1)));
    }

    #[tokio::test]
    async fn a_change_brings_the_writing_forward_once_however_many_follow() {
        let now = Instant::now();
        let (mut keeper, ..) = opened(now);
        keeper.hurry(now);
        assert_eq!(keeper.due(), Some(now + SOON));
        keeper.hurry(now + SOON / 2);
        assert_eq!(keeper.due(), Some(now + SOON), "what changes all the time is written, too");
    }

    #[tokio::test]
    async fn a_state_that_could_not_be_written_is_tried_again_at_its_time() {
        let now = Instant::now();
        let (mut keeper, _folder, path) = opened(now);
        let draft = path.with_extension("new");
        fs::create_dir(&draft).unwrap();
        keeper.save(now, taken(1));
        assert!(matches!(keeper.saved().await, Err(StateError::Io { action: "write", .. })));
        assert_eq!(keeper.due(), Some(now + EVERY));
        fs::remove_dir(&draft).unwrap();
        keeper.save(now + EVERY, taken(2));
        assert!(keeper.saved().await.is_ok());
        assert_eq!(read_state(&path).unwrap(), Some(taken(2)));
    }

    #[tokio::test]
    async fn the_last_state_is_the_one_that_stays_though_another_is_being_written() {
        let now = Instant::now();
        let (mut keeper, _folder, path) = opened(now);
        for round in 0..20 {
            keeper.save(now, taken(round));
            assert!(keeper.finish(taken(100 + round)).await.unwrap().is_ok());
            assert_eq!(read_state(&path).unwrap(), Some(taken(100 + round)));
        }
    }

    #[tokio::test]
    async fn a_clean_end_leaves_the_state_and_nothing_beside_it() {
        let (mut keeper, folder, path) = opened(Instant::now());
        assert!(matches!(Keeper::open(&path, Instant::now()), Err(BuildError::StateInUse { .. })));
        keeper.finish(taken(1)).await.unwrap().unwrap();
        keeper.release();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
        // Where files cannot be told apart, an unlocked one may stay.
        assert!(left.contains(&path) && left.len() <= if cfg!(unix) { 1 } else { 2 }, "{left:?}");
        assert!(Keeper::open(&path, Instant::now()).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_moved_out_of_the_way_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, b"somebody's letters").unwrap();
        // A folder that is not empty stands where the file should go.
        fs::create_dir_all(folder.path().join("state.broken/full")).unwrap();
        let now = Instant::now();
        let (mut keeper, found, event) = Keeper::open(&path, now).unwrap();
        assert_eq!(found, None);
        let told = matches!(event, Some(NodeEvent::StateSetAside { moved_to: None, .. }));
        assert!(told, "{event:?}");
        keeper.hurry(now);
        assert_eq!(keeper.due(), None);
        assert!(keeper.finish(taken(1)).await.is_none());
        assert_eq!(fs::read(&path).unwrap(), b"somebody's letters");
    }
}
