//! Publishes under way: at most one packet of a key goes out at a time, and rivals are told.
//!
//! Separate because the rules hold between callers, before any backend is asked.

use std::collections::HashMap;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::backend::{Backend, Published, Reach};
use crate::cache::Cached;
use crate::engine::Engine;
use crate::error::{ConcurrencyError, PublishError};
use crate::progress::is_better;
use crate::ranking::{Asked, Errand, Performance, Standing};
use crate::report::{Failure, PublishOutcome, PublishReport, PublishResult};
use crate::runtime::timeout;

/// How many publishes may be under way at once; further ones are refused until one has ended.
pub(crate) const MAX_PUBLISHES: usize = 4096;

/// How long a relay that has failed lately may take to store a packet.
///
/// Storing begins with a search in the DHT, so it gets more time than for a lookup.
const PATIENCE_WITH_BROKEN: Duration = Duration::from_secs(3);

/// How a publish ended.
pub(crate) type Outcome = Result<PublishReport, PublishError>;

/// `None` until the publish has ended.
type Pending = watch::Receiver<Option<Outcome>>;

/// The publishes under way, the latest for each key.
#[derive(Debug)]
pub(crate) struct Publishes {
    entries: Mutex<HashMap<PublicKey, InFlight>>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct InFlight {
    packet: SignedPacket,
    outcome: Pending,
}

impl Default for Publishes {
    fn default() -> Self {
        Self { entries: Mutex::default(), room: Arc::new(Semaphore::new(MAX_PUBLISHES)) }
    }
}

impl Publishes {
    /// Publishes, or joins the publish of this very packet that is under way.
    ///
    /// What was begun goes on in the background though the caller drops this future.
    pub(crate) async fn publish(
        engine: &Arc<Engine>,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Outcome {
        Self::publish_after(engine, packet, cas, &[]).await
    }

    /// The same for a writer that has lost with these before, and now passes over them.
    pub(crate) async fn publish_after(
        engine: &Arc<Engine>,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
        lost: &[SignedPacket],
    ) -> Outcome {
        let mut outcome = Self::begin(engine, packet, cas, lost)?;
        let ended = outcome.wait_for(Option::is_some).await;
        match ended.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            Ok(None) | Err(_) => Err(PublishError::Abandoned),
        }
    }

    fn begin(
        engine: &Arc<Engine>,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
        lost: &[SignedPacket],
    ) -> Result<Pending, PublishError> {
        let key = packet.public_key();
        let mut entries = engine.publishes.lock();
        let predecessor = match entries.get(&key) {
            Some(other) if other.packet.is_same_as(packet) => return Ok(other.outcome.clone()),
            Some(other) => {
                may_follow(&other.packet, packet, cas).map_err(PublishError::Concurrency)?;
                Some(other.outcome.clone())
            }
            None => None,
        };
        let room = engine.publishes.room.clone().try_acquire_owned();
        let room = room.map_err(|_full| PublishError::Busy)?;
        let (sender, outcome) = watch::channel(None);
        let entry = InFlight { packet: packet.clone(), outcome: outcome.clone() };
        entries.insert(key, entry);
        drop(entries);
        let departure = Departure {
            engine: engine.clone(),
            packet: packet.clone(),
            cas,
            lost: lost.to_vec(),
            outcome: outcome.clone(),
            _room: room,
        };
        engine.background.spawn(departure.run(predecessor, sender));
        Ok(outcome)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, InFlight>> {
        // No holder leaves the map half changed, so what a panic left is sound.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `packet` may be published while `under_way` is.
fn may_follow(
    under_way: &SignedPacket,
    packet: &SignedPacket,
    cas: Option<Timestamp>,
) -> Result<(), ConcurrencyError> {
    let seen = Some(under_way.timestamp());
    if !packet.more_recent_than(under_way) {
        return Err(ConcurrencyError::NotMostRecent { seen });
    }
    match cas {
        None => Err(ConcurrencyError::ConflictRisk),
        Some(_) if cas == seen => Ok(()),
        Some(_) => Err(ConcurrencyError::CasFailed { seen }),
    }
}

/// One publish on its way. Dropping it takes it off the list, however it ended.
struct Departure {
    engine: Arc<Engine>,
    packet: SignedPacket,
    cas: Option<Timestamp>,
    /// What the same writer has lost with before.
    lost: Vec<SignedPacket>,
    outcome: Pending,
    _room: OwnedSemaphorePermit,
}

impl Drop for Departure {
    fn drop(&mut self) {
        let key = self.packet.public_key();
        let mut entries = self.engine.publishes.lock();
        let ours =
            entries.get(&key).is_some_and(|listed| listed.outcome.same_channel(&self.outcome));
        if ours {
            entries.remove(&key);
        }
    }
}

impl Departure {
    async fn run(mut self, predecessor: Option<Pending>, sender: watch::Sender<Option<Outcome>>) {
        if let Some(mut predecessor) = predecessor {
            // Ended or died: either way it is out of our way.
            let _ = predecessor.wait_for(Option::is_some).await;
        }
        let outcome = self.publish().await;
        // Off the list before anyone is told, so that whoever is told may publish again at once.
        drop(self);
        sender.send_replace(Some(outcome));
    }

    async fn publish(&mut self) -> Outcome {
        self.compare_with_memory().await.map_err(PublishError::Concurrency)?;
        let report = self.ask_all().await;
        if let Some(conflict) = self.conflict(&report) {
            self.settle(conflict, &report).await?;
        } else if report.stored_backends() == 0 {
            return Err(PublishError::NotStored(report));
        }
        self.engine.remember(Cached::seen_now(self.packet.clone())).await;
        self.engine.flights.outdate(self.packet.public_key());
        Ok(report)
    }

    /// The first sign of a rival among the answers: a backend that refused, or some nodes behind one that stored.
    fn conflict(&self, report: &PublishReport) -> Option<ConcurrencyError> {
        report.outcomes.iter().find_map(|outcome| match &outcome.result {
            PublishResult::Conflict { conflict } => Some(*conflict),
            PublishResult::Stored { .. } if outcome.refused == 0 => None,
            PublishResult::Stored { .. } if self.cas.is_some() => {
                Some(ConcurrencyError::CasFailed { seen: None })
            }
            PublishResult::Stored { .. } => Some(ConcurrencyError::NotMostRecent { seen: None }),
            PublishResult::Failed(_) => None,
        })
    }

    /// Refuses what memory knows to be overtaken.
    async fn compare_with_memory(&mut self) -> Result<(), ConcurrencyError> {
        let key = self.packet.public_key();
        let seen = self.engine.seen.highest(&key, Timestamp::clock());
        if seen > Some(self.packet.timestamp()) {
            return Err(ConcurrencyError::NotMostRecent { seen });
        }
        let Some(cached) = self.engine.recall(&key).await else {
            return Ok(());
        };
        if cached.packet.is_same_as(&self.packet) {
            // It replaced already what it was to replace: this is a republish.
            self.cas = None;
            return Ok(());
        }
        let seen = Some(cached.packet.timestamp());
        if cached.packet.more_recent_than(&self.packet) {
            return Err(ConcurrencyError::NotMostRecent { seen });
        }
        let is_lost = self.lost.iter().any(|lost| lost.is_same_as(&cached.packet));
        if self.cas.is_some() && seen > self.cas && !is_lost {
            return Err(ConcurrencyError::CasFailed { seen });
        }
        Ok(())
    }

    async fn ask_all(&self) -> PublishReport {
        let backends = self.engine.backends.iter();
        let asked = backends
            .enumerate()
            .map(|(index, backend)| ask(&self.engine, index, &**backend, &self.packet, self.cas));
        PublishReport { timestamp: self.packet.timestamp(), outcomes: join_all(asked).await }
    }

    /// Some backend refused: finds out whether ours is the newest packet all the same.
    ///
    /// A refusal need not be a defeat: the backend may be behind the others, or our own packet may
    /// have reached it by another way before we did. But where most have taken another packet in place of the same one,
    /// its writer may have been told that it stands, and ours is only newer: then ours has lost.
    async fn settle(
        &self,
        conflict: ConcurrencyError,
        report: &PublishReport,
    ) -> Result<(), PublishError> {
        self.engine.flights.outdate(self.packet.public_key());
        let newest = self.engine.ask(self.packet.public_key(), Reach::All, None).await;
        let mut newest = newest.map(|resolution| resolution.packet);
        let mut won = newest.as_ref().map_or(report.stored_backends() > 0, |newest| {
            let stored = report.stored_backends() > 0 || newest.is_same_as(&self.packet);
            // What was signed far ahead of the clock wins against nobody.
            stored && !is_better(newest, &self.packet, Timestamp::clock())
        });
        if let Some(base) = self.cas.filter(|_| won && report.is_outvoted()) {
            let ours = [self.lost.as_slice(), slice::from_ref(&self.packet)].concat();
            let rival = self.engine.passed_over(self.packet.public_key(), base, &ours).await;
            if let Some(rival) = rival {
                (won, newest) = (false, Ok(rival));
            }
        }
        if won {
            return Ok(());
        }
        let seen = newest.ok().map(|newest| newest.timestamp());
        Err(PublishError::Refused { conflict: conflict.with_seen(seen), report: report.clone() })
    }
}

/// Asks one backend, unless it wished not to be asked; one that has failed lately is given less time.
async fn ask(
    engine: &Engine,
    index: usize,
    backend: &dyn Backend,
    packet: &SignedPacket,
    cas: Option<Timestamp>,
) -> PublishOutcome {
    let standing = engine.ranking().standing_to_publish(index, engine.now());
    let patience = match standing {
        Standing::Waiting { remaining } => {
            let result = PublishResult::Failed(Failure::Waiting { remaining });
            return PublishOutcome { backend: backend.name(), result, refused: 0 };
        }
        Standing::Broken { .. } => backend.patience().min(PATIENCE_WITH_BROKEN),
        Standing::Unranked | Standing::Probe | Standing::Good { .. } => backend.patience(),
    };
    let asked = Asked::start(engine, index, Errand::Publish);
    let Published { result, refused } = timeout(patience, backend.publish(packet, cas))
        .await
        .unwrap_or(PublishResult::Failed(Failure::TimedOut { after: patience }).into());
    let performance = match &result {
        PublishResult::Stored { .. } | PublishResult::Conflict { .. } => Performance::Alive,
        PublishResult::Failed(failure) if failure.is_refusal() => Performance::Alive,
        PublishResult::Failed(failure) => failure.performance(),
    };
    asked.end(performance);
    PublishOutcome { backend: backend.name(), result, refused }
}

#[cfg(test)]
mod tests;
