//! Lookups under way: one for each key and reach, shared by all who ask meanwhile.
//!
//! Separate because a flight belongs to none of its callers: it ends when every backend has answered
//! or run out of time, whoever has stopped waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mainstay_keys::PublicKey;
use mainstay_packets::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::backend::{End, Find, Finds, Question, Reach};
use crate::cache::Cached;
use crate::engine::Engine;
use crate::progress::{Progress, Worth};
use crate::ranking::{Asked, Errand, Performance, Start};
use crate::report::{AnswerOutcome, Failure, Source};
use crate::runtime::{sleep, timeout};

/// How many lookups may be under way at once; further ones are refused until one has ended.
pub(crate) const MAX_FLIGHTS: usize = 4096;

/// How many finds may wait to be looked at before the backend that sends them waits.
const QUEUE: usize = 32;

type Entry = (PublicKey, Reach);

/// The lookups under way.
#[derive(Debug)]
pub(crate) struct Flights {
    entries: Mutex<HashMap<Entry, watch::Receiver<Progress>>>,
    room: Arc<Semaphore>,
}

impl Default for Flights {
    fn default() -> Self {
        Self { entries: Mutex::default(), room: Arc::new(Semaphore::new(MAX_FLIGHTS)) }
    }
}

impl Flights {
    /// Joins the lookup under way for this key, or starts one. `None` when there are too many.
    ///
    /// A lookup that reaches further serves those who ask for less, but not the other way round. One
    /// whose answer is in already is not joined: what it says was true before the caller asked.
    pub(crate) fn join_or_start(
        engine: &Arc<Engine>,
        key: PublicKey,
        reach: Reach,
        at_hand: Option<Timestamp>,
    ) -> Option<watch::Receiver<Progress>> {
        let mut entries = engine.flights.lock();
        for reach_of_other in [Reach::All, reach] {
            let under_way = entries.get(&(key, reach_of_other));
            if let Some(progress) = under_way.filter(|other| !other.borrow().suffices(reach)) {
                return Some(progress.clone());
            }
        }
        let room = engine.flights.room.clone().try_acquire_owned().ok()?;
        let (sender, progress) =
            watch::channel(Progress::of(engine.backends.iter().map(|backend| backend.name())));
        entries.insert((key, reach), progress.clone());
        drop(entries);
        let landing = Landing {
            engine: engine.clone(),
            entry: (key, reach),
            progress: progress.clone(),
            _room: room,
        };
        let question = Question { key, reach, at_hand };
        engine.background.spawn(fly(landing, question, sender));
        Some(progress)
    }

    /// Lets later callers start afresh: what is under way may not know of a packet just published.
    pub(crate) fn outdate(&self, key: PublicKey) {
        let mut entries = self.lock();
        entries.remove(&(key, Reach::First));
        entries.remove(&(key, Reach::All));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Entry, watch::Receiver<Progress>>> {
        // No holder leaves the map half changed, so what a panic left is sound.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the flight off the list when it ends, however it ends.
struct Landing {
    engine: Arc<Engine>,
    entry: Entry,
    progress: watch::Receiver<Progress>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut entries = self.engine.flights.lock();
        let ours =
            entries.get(&self.entry).is_some_and(|listed| listed.same_channel(&self.progress));
        if ours {
            entries.remove(&self.entry);
        }
    }
}

/// Asks the backends as the ranking plans it, and follows them to their ends.
async fn fly(landing: Landing, question: Question, progress: watch::Sender<Progress>) {
    let engine = &landing.engine;
    let (queue, mut finds) = mpsc::channel(QUEUE);
    let mut race = engine.ranking().race(question.reach, engine.now());
    progress.send_modify(|progress| {
        race.unasked().for_each(|backend| progress.handle_queued(backend));
        for (backend, remaining) in race.waiting().iter().copied() {
            progress.handle_spared(backend, Some(Failure::Waiting { remaining }));
        }
    });
    let mut running = FuturesUnordered::new();
    loop {
        if !progress.borrow().suffices(Reach::First) {
            while let Some(start) = race.poll_start(engine.now()) {
                progress.send_modify(|progress| progress.handle_start(start.backend));
                running.push(ask(engine, start, question, queue.clone()));
            }
        }
        if running.is_empty() {
            if race.unasked().next().is_none() || progress.borrow().suffices(Reach::First) {
                break;
            }
            race.handle_dry();
            continue;
        }
        let due = race.poll_timeout().map(|due| due.saturating_sub(engine.now()));
        let is_due = due.is_some() && !progress.borrow().suffices(Reach::First);
        tokio::select! {
            biased;
            Some((backend, find)) = finds.recv() => {
                handle_find(engine, question, &progress, backend, find).await;
            }
            Some(ended) = running.next() => {
                // What it sent right before it ended is still in the queue.
                while let Ok((backend, find)) = finds.try_recv() {
                    handle_find(engine, question, &progress, backend, find).await;
                }
                handle_end(&progress, ended);
                race.handle_end(engine.now());
            }
            () = sleep(due.unwrap_or_default()), if is_due => {}
        }
    }
    progress.send_modify(|progress| {
        race.unasked().for_each(|backend| progress.handle_spared(backend, None));
    });
    if progress.borrow().is_absence() && engine.freshness.negative_ttl() > 0 {
        engine.seen.note_absence(question.key, Timestamp::clock());
    }
}

/// A backend that was asked, and how it ended.
struct Ended<'a> {
    asked: Asked<'a>,
    end: End,
    took: Duration,
}

async fn ask<'a>(
    engine: &'a Engine,
    start: Start,
    question: Question,
    queue: mpsc::Sender<(usize, Find)>,
) -> Ended<'a> {
    let Start { backend, patience } = start;
    let asked = Asked::start(engine, backend, Errand::Lookup);
    let Some(its) = engine.backends.get(backend) else {
        return Ended { asked, end: End::Exhausted, took: Duration::ZERO };
    };
    let begun = engine.now();
    let patience = patience.unwrap_or(Duration::MAX).min(its.patience());
    let end = timeout(patience, its.resolve(question, Finds::new(backend, queue)))
        .await
        .unwrap_or(End::Failed(Failure::TimedOut { after: patience }));
    Ended { asked, end, took: engine.now().saturating_sub(begun) }
}

fn handle_end(progress: &watch::Sender<Progress>, ended: Ended<'_>) {
    let Ended { asked, end, took } = ended;
    let backend = asked.backend();
    progress.send_modify(|progress| progress.handle_end(backend, end));
    let performance = match progress.borrow().outcome(backend) {
        Some(AnswerOutcome::Found { .. }) => Performance::Answered { took },
        Some(AnswerOutcome::Outdated { .. }) => Performance::Behind { took },
        Some(AnswerOutcome::Failed(failure)) => failure.performance(),
        Some(AnswerOutcome::WrongKey) => Performance::Failed,
        Some(
            AnswerOutcome::NotFound
            | AnswerOutcome::NotAPacket { .. }
            | AnswerOutcome::NotAsked
            | AnswerOutcome::Pending,
        )
        | None => Performance::Nothing { took },
    };
    asked.end(performance);
}

async fn handle_find(
    engine: &Engine,
    question: Question,
    progress: &watch::Sender<Progress>,
    backend: usize,
    mut find: Find,
) {
    // Before anything else looks at it.
    if find.packet.public_key() != question.key {
        progress.send_modify(|progress| progress.handle_wrong_key(backend));
        return;
    }
    let now = Timestamp::clock();
    find.last_seen = find.last_seen.min(now);
    let seen = engine.seen.highest(&question.key, now).max(question.at_hand);
    // Judged on a copy first, so that it is remembered before any caller can be told of it.
    let mut next = progress.borrow().clone();
    if next.handle_find(backend, find.clone(), seen, &engine.freshness, now) == Worth::Remember {
        let Find { packet, last_seen, .. } = find;
        if let Some(newer) = engine.remember(Cached { packet, last_seen }).await {
            // The cache knew better, perhaps from another process that shares it.
            next = progress.borrow().clone();
            let Cached { packet, last_seen } = newer;
            let find = Find { packet, last_seen, source: Source::Cache };
            next.handle_find(backend, find, seen, &engine.freshness, now);
        }
    }
    progress.send_replace(next);
}
