//! What all clones of a client share, and how a key is resolved with it.
//!
//! Separate from `Client` because background work holds this, while a `Client` is only a handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_keys::PublicKey;
use mainstay_packets::Timestamp;
use tokio::sync::watch;

use crate::backend::{Backend, Reach};
use crate::cache::{Cache, Cached, Peek, Put};
use crate::error::ResolveError;
use crate::flight::Flights;
use crate::freshness::{Freshness, Known, Policy, Verdict};
use crate::progress::{Progress, is_better};
use crate::publishing::Publishes;
use crate::ranking::Ranking;
use crate::report::{Answer, AnswerOutcome, Failure, Resolution, Source};
use crate::runtime::{Background, Moment};
use crate::seen::Seen;
use crate::update::Turns;

/// What all clones of a client share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) cache: Option<Arc<dyn Cache>>,
    pub(crate) freshness: Freshness,
    pub(crate) seen: Seen,
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    pub(crate) flights: Flights,
    pub(crate) publishes: Publishes,
    pub(crate) turns: Turns,
    pub(crate) background: Background,
    /// Which relays do well.
    ranking: Mutex<Ranking>,
    /// Whether the cache has ever refused a packet. It may then hold an older one than was handed out.
    lags: AtomicBool,
    /// When the ranking began to count.
    begun: Moment,
}

impl Engine {
    pub(crate) fn new(
        backends: Vec<Arc<dyn Backend>>,
        cache: Option<Arc<dyn Cache>>,
        freshness: Freshness,
        background: Background,
    ) -> Self {
        let capacity = cache.as_ref().map_or(0, |cache| cache.capacity());
        let ranking = Ranking::new(backends.iter().map(|backend| backend.is_ranked()));
        Self {
            cache,
            freshness,
            seen: Seen::beside_cache_of(capacity),
            backends,
            flights: Flights::default(),
            publishes: Publishes::default(),
            turns: Turns::default(),
            background,
            ranking: Mutex::new(ranking),
            lags: AtomicBool::new(false),
            begun: Moment::now(),
        }
    }

    /// Which relays do well.
    pub(crate) fn ranking(&self) -> MutexGuard<'_, Ranking> {
        // No holder leaves it half changed, so what a panic left is sound.
        self.ranking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present moment, as the ranking counts.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Answers from memory if that takes no waiting.
    pub(crate) fn at_hand(&self, key: &PublicKey, policy: Policy) -> Option<Resolution> {
        let now = Timestamp::clock();
        let cached = self.peek(key, now)?;
        let verdict = self.freshness.judge(Known::Packet(&cached), now, policy);
        (verdict == Verdict::Serve).then(|| from_cache(cached))
    }

    /// What the cache holds, if that takes no waiting and needs no comparison with what was seen.
    pub(crate) fn peek(&self, key: &PublicKey, now: Timestamp) -> Option<Cached> {
        // What was seen is compared in `recall` only, for a look into that memory costs more than all of this.
        if self.lags.load(Ordering::Relaxed) {
            return None;
        }
        let Peek::Hit(cached) = self.cache.as_ref()?.peek(key) else { return None };
        // A cache is trusted to store, not to tell keys apart, nor to know the time.
        let ours = cached.packet.public_key() == *key
            && Freshness::is_plausible(cached.packet.timestamp(), now);
        ours.then_some(cached)
    }

    /// Resolves a key as the policy says.
    pub(crate) async fn resolve(
        self: Arc<Self>,
        key: PublicKey,
        policy: Policy,
    ) -> Result<Resolution, ResolveError> {
        let cached = self.recall(&key).await;
        let absent_since = self.seen.absent_since(&key);
        let known = match (&cached, absent_since) {
            (Some(cached), _) => Known::Packet(cached),
            (None, Some(since)) => Known::Absent(since),
            (None, None) => Known::Nothing,
        };
        let verdict = self.freshness.judge(known, Timestamp::clock(), policy);
        match (verdict, cached) {
            (Verdict::Serve, Some(cached)) => Ok(from_cache(cached)),
            (Verdict::ServeAndRefresh, Some(cached)) => {
                // Whether there is room for a refresh or not, the caller is served.
                let at_hand = Some(cached.packet.timestamp());
                let _ = Flights::join_or_start(&self, key, Reach::First, at_hand);
                Ok(from_cache(cached))
            }
            (Verdict::DenyFromMemory | Verdict::Serve | Verdict::ServeAndRefresh, _) => {
                Err(self.denial(policy))
            }
            (Verdict::AskFirst { or_stale }, cached) => {
                let fallback = cached.clone().filter(|_| or_stale);
                let answer = self.ask(key, Reach::First, cached.as_ref()).await;
                answer.or_else(|error| fallback.map(from_cache).ok_or(error))
            }
            (Verdict::AskAll { or_cached }, cached) => {
                let answer = self.ask(key, Reach::All, cached.as_ref()).await;
                newest_of(answer, cached.filter(|_| or_cached))
            }
        }
    }

    /// Asks the network and waits until its answer suffices for `reach`.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        key: PublicKey,
        reach: Reach,
        cached: Option<&Cached>,
    ) -> Result<Resolution, ResolveError> {
        let at_hand = cached.map(|cached| cached.packet.timestamp());
        let mut progress =
            Flights::join_or_start(self, key, reach, at_hand).ok_or(ResolveError::Busy)?;
        if let Ok(progress) = progress.wait_for(|progress| progress.suffices(reach)).await {
            return conclude(&progress);
        }
        Err(abandoned(&progress))
    }

    /// Puts a packet that a backend holds into the cache, and notes its timestamp, unless it was signed
    /// so far in the future that remembering it would lock the key, or a newer one was seen meanwhile.
    ///
    /// If a newer packet stands in the cache, that stays, and is returned.
    pub(crate) async fn remember(&self, cached: Cached) -> Option<Cached> {
        let (key, timestamp) = (cached.packet.public_key(), cached.packet.timestamp());
        let now = Timestamp::clock();
        if !Freshness::is_plausible(timestamp, now) {
            return None;
        }
        // The cache may have evicted the newer one, and would take this.
        if self.seen.highest(&key, now) > Some(timestamp) {
            return None;
        }
        let put = match &self.cache {
            Some(cache) => cache.put(cached).await,
            None => Ok(Put::Stored),
        };
        if put.is_err() {
            // Before anybody can be told of the packet, which the cache may hold an elder of.
            self.lags.store(true, Ordering::Relaxed);
        }
        // After the cache, so that at no time the cache seems to lag behind what was seen.
        self.seen.note_packet(key, timestamp, now);
        match put {
            Ok(Put::Superseded(newer)) if newer.packet.public_key() == key => {
                self.seen.note_packet(key, newer.packet.timestamp(), now);
                Some(newer)
            }
            Ok(Put::Stored | Put::Refreshed | Put::Superseded(_)) => None,
            Err(error) => {
                tracing::warn!(%key, %error, "the cache did not take a packet");
                None
            }
        }
    }

    /// What the cache holds, unless something newer has been seen since.
    pub(crate) async fn recall(&self, key: &PublicKey) -> Option<Cached> {
        let cache = self.cache.as_ref()?;
        let cached = match cache.peek(key) {
            Peek::Hit(cached) => Some(cached),
            Peek::Miss => None,
            Peek::Ask => cache.get(key).await.unwrap_or_else(|error| {
                tracing::warn!(%key, %error, "the cache could not be read");
                None
            }),
        }?;
        let (timestamp, now) = (cached.packet.timestamp(), Timestamp::clock());
        // A cache that others can write to is not trusted further than any other source.
        let ours = cached.packet.public_key() == *key && Freshness::is_plausible(timestamp, now);
        let current = self.seen.highest(key, now).is_none_or(|seen| seen <= timestamp);
        (ours && current).then_some(cached)
    }

    fn denial(&self, policy: Policy) -> ResolveError {
        if policy == Policy::CacheOnly {
            return ResolveError::NotCached;
        }
        let answers = self
            .backends
            .iter()
            .map(|backend| Answer { backend: backend.name(), outcome: AnswerOutcome::NotFound });
        ResolveError::from_answers(answers.collect())
    }
}

pub(crate) fn from_cache(cached: Cached) -> Resolution {
    Resolution {
        packet: cached.packet,
        source: Source::Cache,
        last_seen: cached.last_seen,
        answers: Vec::new(),
    }
}

pub(crate) fn conclude(progress: &Progress) -> Result<Resolution, ResolveError> {
    let answers = progress.answers().to_vec();
    let Some(best) = progress.best() else {
        return Err(ResolveError::from_answers(answers));
    };
    Ok(Resolution {
        packet: best.packet.clone(),
        source: best.source.clone(),
        last_seen: best.last_seen,
        answers,
    })
}

/// The newer of the network's answer and the cached packet, where that may compete.
fn newest_of(
    answer: Result<Resolution, ResolveError>,
    cached: Option<Cached>,
) -> Result<Resolution, ResolveError> {
    let Some(cached) = cached else {
        return answer;
    };
    match answer {
        Ok(found) if !is_better(&cached.packet, &found.packet, Timestamp::clock()) => Ok(found),
        Ok(found) => Ok(Resolution { answers: found.answers, ..from_cache(cached) }),
        Err(error) => Ok(Resolution { answers: error.answers().to_vec(), ..from_cache(cached) }),
    }
}

/// The error when a flight's task died before its end: the runtime is being torn down.
fn abandoned(progress: &watch::Receiver<Progress>) -> ResolveError {
    let mut answers = progress.borrow().answers().to_vec();
    for answer in &mut answers {
        if matches!(answer.outcome, AnswerOutcome::Pending) {
            answer.outcome = AnswerOutcome::Failed(Failure::Abandoned);
        }
    }
    ResolveError::from_answers(answers)
}

#[cfg(test)]
mod tests;
