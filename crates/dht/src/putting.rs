//! A put on its way: who has stored by now, and how it ended.
//! Separate from the handle, because a put outlives the call that started it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_dht_proto::{PutReport, RemoteNode};
use mainstay_krpc::error_code;
use tokio::sync::mpsc;

use crate::error::PutError;
use crate::handle::{Dht, Question};

/// A put that was started with [`Dht::start_put_mutable`] or [`Dht::start_put_immutable`].
///
/// A put stores while it still looks for the closest nodes, so its first copy is safe early, half of
/// the copies somewhat later, and the last node is given up long after that. The caller chooses what to
/// wait for: [`step`](Self::step), [`next`](Self::next), [`quorum`](Self::quorum) or [`finish`](Self::finish). Dropping it
/// cancels what is left of the put; [`detach`](Self::detach) lets the node complete it.
///
/// ```
/// use mainstay_dht::{Dht, Testnet};
/// # use mainstay_keys::Keypair;
/// # use mainstay_krpc::item::MutableItem;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let testnet = Testnet::new(5).await?;
/// # let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
/// let item = MutableItem::sign_bytes(&Keypair::random(), b"", 1, b"hello")?;
/// let mut put = dht.start_put_mutable(item, None).await?;
/// if put.next().await.is_some() {
///     put.detach(); // The first copy is safe; the node sees to the others.
/// } else {
///     put.finish().await?; // Says why there is none.
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels the put"]
#[derive(Debug)]
pub struct Putting {
    told: mpsc::Receiver<PutStep>,
    question: Question<Result<PutReport, PutError>>,
    /// The node may see the receiver gone before it has begun; then this tells it to begin all the same.
    detached: Arc<AtomicBool>,
    node: Dht,
}

/// One node has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledged {
    /// Who.
    pub node: RemoteNode,
    /// How many have by now, this one included.
    pub stored: usize,
    /// How many make the put safe: half of the copies wanted, 8 of 16 by default.
    pub quorum: usize,
}

/// One node has refused to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Who.
    pub node: RemoteNode,
    /// Why: 301 if it holds another sequence number than `cas`, 302 if it holds one that is as new, 202 if it has no room
    /// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
    pub code: i64,
}

impl Refused {
    /// Whether somebody else may have published (301 or 302): worth reading the item before anything else is done.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.code, error_code::CAS_MISMATCH | error_code::SEQUENCE_TOO_LOW)
    }
}

/// What a node answered to a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutStep {
    /// It has stored.
    Stored(Acknowledged),
    /// It has not.
    Refused(Refused),
}

impl Putting {
    /// How many answers may wait to be taken: more than one put asks for.
    pub(crate) const QUEUE: usize = 64;

    pub(crate) fn new(
        node: Dht,
        told: mpsc::Receiver<PutStep>,
        question: Question<Result<PutReport, PutError>>,
        detached: Arc<AtomicBool>,
    ) -> Self {
        Self { told, question, detached, node }
    }

    /// The next answer, acknowledgement or refusal, or `None` once the put is over. Cancel safe.
    ///
    /// So whoever is told 301 or 302 learns it at once, and of whom, while the put still asks others.
    pub async fn step(&mut self) -> Option<PutStep> {
        self.told.recv().await
    }

    /// The next acknowledgement, or `None` once the put is over; refusals before it are passed over. Cancel safe.
    pub async fn next(&mut self) -> Option<Acknowledged> {
        loop {
            if let PutStep::Stored(acknowledged) = self.step().await? {
                return Some(acknowledged);
            }
        }
    }

    /// Waits until half of the copies are safe; `None` if the put is over and they never were, as in a
    /// network of a few nodes. Cancel safe.
    pub async fn quorum(&mut self) -> Option<Acknowledged> {
        while let Some(acknowledged) = self.next().await {
            if acknowledged.stored >= acknowledged.quorum {
                return Some(acknowledged);
            }
        }
        None
    }

    /// Waits for the end, as [`Dht::put_mutable`] does.
    ///
    /// # Errors
    ///
    /// As those of [`Dht::put_mutable`].
    pub async fn finish(self) -> Result<PutReport, PutError> {
        let answer = self.question.answer().await;
        drop(self.node);
        answer.unwrap_or(Err(PutError::Shutdown))
    }

    /// Lets the node complete the put by itself. Nobody learns how it ends; it ends with the node's last
    /// handle at the latest.
    pub fn detach(self) {
        self.detached.store(true, Ordering::Release);
        self.question.abandon();
    }
}
