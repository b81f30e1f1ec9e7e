//! What the client expects of a network: to be asked for a key, and to be given a packet to store.
//!
//! Separate so that the client's promises are written, and tested, without any real network.

#[cfg(feature = "dht")]
pub(crate) mod dht;
#[cfg(feature = "relays")]
pub(crate) mod relay;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::mpsc;

use crate::report::{BackendName, Failure, PublishResult, Source};

/// A network that packets are published to and resolved from.
#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
pub(crate) trait Backend: fmt::Debug + Send + Sync + 'static {
    fn name(&self) -> BackendName;

    /// Whether it is one of several of a kind, of which the best is asked first.
    fn is_ranked(&self) -> bool {
        false
    }

    /// How long the client waits for any one call before it gives up on it.
    fn patience(&self) -> Duration;

    /// Stores the packet; with `cas`, only in place of the packet of that timestamp.
    ///
    /// 0 stands for no packet.
    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published;

    /// Sends each packet it finds, and ends when there are no more to come.
    async fn resolve(&self, question: Question, finds: Finds) -> End;
}

/// What came of a publish at a backend.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) result: PublishResult,
    /// How many of those behind it hold another packet and refused ours.
    pub(crate) refused: usize,
}

impl From<PublishResult> for Published {
    fn from(result: PublishResult) -> Self {
        Self { result, refused: 0 }
    }
}

/// What is asked of a backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) key: PublicKey,
    pub(crate) reach: Reach,
    /// The timestamp of the packet at hand; older ones are of no use.
    pub(crate) at_hand: Option<Timestamp>,
}

/// How far a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Any good answer will do, a relay's cache included.
    First,
    /// The newest answer that can be had; caches on the way are passed by.
    All,
}

/// Where a backend sends what it finds.
#[derive(Debug)]
pub(crate) struct Finds {
    backend: usize,
    queue: mpsc::Sender<(usize, Find)>,
}

impl Finds {
    pub(crate) fn new(backend: usize, queue: mpsc::Sender<(usize, Find)>) -> Self {
        Self { backend, queue }
    }

    /// Hands over a packet; waits while the client is busy with earlier ones.
    pub(crate) async fn send(&self, find: Find) {
        // The receiver lives as long as the flight; if it is gone, nobody wants the packet.
        let _ = self.queue.send((self.backend, find)).await;
    }
}

/// A packet that a backend found.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    pub(crate) packet: SignedPacket,
    pub(crate) source: Source,
    pub(crate) last_seen: Timestamp,
}

/// How a backend's search ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It sent all that it has, which may be nothing.
    Exhausted,
    /// Its newest value is not a packet.
    NotAPacket { seq: i64 },
    /// It could not answer.
    Failed(Failure),
}
