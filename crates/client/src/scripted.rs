//! A backend that does what a test tells it, and remembers what it was asked.
//!
//! Separate because the tests of resolving and of publishing both drive the engine with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_keys::Keypair;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::Semaphore;
use url::Url;

use crate::backend::{Backend, End, Find, Finds, Published, Question, Reach};
use crate::cache::{Cache, InMemoryCache};
use crate::engine::Engine;
use crate::freshness::Freshness;
use crate::report::{BackendName, PublishResult, Source};
use crate::runtime::Background;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a scripted backend answers.
#[derive(Debug)]
pub(crate) struct Scripted {
    url: Url,
    /// Packets it gives to whoever asks, and how the search then ends.
    pub(crate) finds: Mutex<Vec<SignedPacket>>,
    pub(crate) end: Mutex<End>,
    /// When it says that it last saw its packets, if not just now.
    last_seen: Option<Timestamp>,
    pub(crate) stores: Mutex<PublishResult>,
    /// How many nodes behind it refuse what it stores.
    pub(crate) refused: Mutex<usize>,
    /// Each answer waits for a permit.
    pub(crate) gate: Semaphore,
    /// Answers take so long.
    delay: Duration,
    /// Whether it is one relay of several.
    ranked: bool,
    /// Whether answers to publishes do not.
    publishes_freely: bool,
    pub(crate) asked: Mutex<Vec<Reach>>,
    pub(crate) published: Mutex<Vec<(SignedPacket, Option<Timestamp>)>>,
}

impl Scripted {
    /// One that has these packets, stores whatever it is given, and never hesitates.
    pub(crate) fn with(finds: &[SignedPacket]) -> Self {
        Self {
            url: Url::parse("http://relay.test/").unwrap(),
            finds: Mutex::new(finds.to_vec()),
            end: Mutex::new(End::Exhausted),
            last_seen: None,
            delay: Duration::ZERO,
            ranked: false,
            publishes_freely: false,
            refused: Mutex::default(),
            stores: Mutex::new(PublishResult::Stored { nodes: Some(20) }),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            asked: Mutex::default(),
            published: Mutex::default(),
        }
    }

    /// As [`Self::with`], but each answer waits until the test lets it go.
    pub(crate) fn gated(finds: &[SignedPacket]) -> Self {
        Self { gate: Semaphore::new(0), ..Self::with(finds) }
    }

    pub(crate) fn last_seen(self, last_seen: Timestamp) -> Self {
        Self { last_seen: Some(last_seen), ..self }
    }

    pub(crate) fn answering_after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub(crate) fn ranked(self) -> Self {
        Self { ranked: true, ..self }
    }

    pub(crate) fn publishing_freely(self) -> Self {
        Self { publishes_freely: true, ..self }
    }

    pub(crate) fn ending(self, end: End) -> Self {
        Self { end: Mutex::new(end), ..self }
    }

    pub(crate) fn answering(self, stores: PublishResult) -> Self {
        Self { stores: Mutex::new(stores), ..self }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn published(&self) -> usize {
        self.published.lock().unwrap().len()
    }

    async fn pass(&self) {
        self.gate.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Backend for Scripted {
    fn name(&self) -> BackendName {
        BackendName::Relay(self.url.clone())
    }

    fn is_ranked(&self) -> bool {
        self.ranked
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published {
        self.published.lock().unwrap().push((packet.clone(), cas));
        if !self.publishes_freely {
            self.pass().await;
        }
        let result = self.stores.lock().unwrap().clone();
        if matches!(result, PublishResult::Stored { .. }) {
            *self.finds.lock().unwrap() = vec![packet.clone()];
        }
        Published { result, refused: *self.refused.lock().unwrap() }
    }

    async fn resolve(&self, question: Question, finds: Finds) -> End {
        self.asked.lock().unwrap().push(question.reach);
        self.pass().await;
        tokio::time::sleep(self.delay).await;
        let packets = self.finds.lock().unwrap().clone();
        for packet in packets {
            let source = Source::Relay(self.url.clone());
            let last_seen = self.last_seen.unwrap_or_else(Timestamp::clock);
            finds.send(Find { packet, source, last_seen }).await;
        }
        self.end.lock().unwrap().clone()
    }
}

/// An engine over these backends, with a cache of the usual size, driven by the test's own runtime.
pub(crate) fn engine(backends: &[&Arc<Scripted>]) -> Arc<Engine> {
    engine_with(backends, Some(Arc::new(InMemoryCache::new(1000))), Freshness::default())
}

pub(crate) fn engine_with(
    backends: &[&Arc<Scripted>],
    cache: Option<Arc<dyn Cache>>,
    freshness: Freshness,
) -> Arc<Engine> {
    let backends = backends.iter().map(|backend| (*backend).clone() as Arc<dyn Backend>);
    Arc::new(Engine::new(backends.collect(), cache, freshness, Background::current()))
}

/// A packet of this timestamp whose one record has this TTL.
pub(crate) fn packet(keypair: &Keypair, timestamp: Timestamp, ttl: u32) -> SignedPacket {
    SignedPacket::builder()
        .txt("v".try_into().unwrap(), "1".try_into().unwrap(), ttl)
        .timestamp(timestamp)
        .sign(keypair)
        .unwrap()
}

/// So many seconds before now.
pub(crate) fn ago(seconds: u64) -> Timestamp {
    Timestamp::now().checked_sub(Duration::from_secs(seconds)).unwrap()
}

/// Lets spawned tasks run until each waits for something.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
