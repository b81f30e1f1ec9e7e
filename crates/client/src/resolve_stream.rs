//! A lookup watched while it runs: each better answer as it comes.
//!
//! Separate from resolving because its callers want to see the answers on the way, not the one at the end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::{self, Stream, StreamExt};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::watch;

use crate::backend::Reach;
use crate::client::Client;
use crate::engine::{Engine, conclude, from_cache};
use crate::error::ResolveError;
use crate::flight::Flights;
use crate::progress::{Progress, is_better};
use crate::report::Resolution;
#[cfg(not(target_family = "wasm"))]
use crate::runtime::block_on;

/// The answers to one question, each better than the one before; from [`Client::resolve_stream`].
///
/// What it yields may be trusted as what [`Client::resolve_with`] returns. It ends when every backend has ended; a
/// consumer that is slower than the network gets the best answer there is by then, and not those that it has overtaken.
/// Dropping it takes nothing from others who wait for the same key.
pub struct ResolveStream {
    answers: Pin<Box<dyn Stream<Item = Resolution> + Send>>,
    progress: Option<watch::Receiver<Progress>>,
}

impl ResolveStream {
    /// What the network's answers amount to as far as they have come; once the stream has ended, what they amount to.
    ///
    /// # Errors
    /// [`ResolveError`] says what each backend answered, if none of them had a packet. The cached packet, which the
    /// stream yields first, does not count.
    pub fn conclusion(&self) -> Result<Resolution, ResolveError> {
        self.progress
            .as_ref()
            .map_or(Err(ResolveError::Busy), |progress| conclude(&progress.borrow()))
    }
}

impl Stream for ResolveStream {
    type Item = Resolution;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Resolution>> {
        self.answers.poll_next_unpin(context)
    }
}

impl fmt::Debug for ResolveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveStream").field("conclusion", &self.conclusion()).finish()
    }
}

/// [`ResolveStream`] for threads without an executor; from [`ClientBlocking::resolve_iter`](crate::ClientBlocking::resolve_iter).
#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
pub struct ResolveIter(ResolveStream);

#[cfg(not(target_family = "wasm"))]
impl ResolveIter {
    pub(crate) fn new(stream: ResolveStream) -> Self {
        Self(stream)
    }

    /// See [`ResolveStream::conclusion`].
    ///
    /// # Errors
    /// As [`ResolveStream::conclusion`].
    pub fn conclusion(&self) -> Result<Resolution, ResolveError> {
        self.0.conclusion()
    }
}

#[cfg(not(target_family = "wasm"))]
impl Iterator for ResolveIter {
    type Item = Resolution;

    fn next(&mut self) -> Option<Resolution> {
        block_on(self.0.next())
    }
}

/// Resolving, watched.
impl Client {
    /// Every better answer as it comes: the cached packet at once, fresh or not, then whatever the network has that is
    /// newer, until every backend has ended.
    ///
    /// For programs that act on the first answer and correct themselves when a newer one arrives. Each answer tells
    /// who gave it and what the others have said so far. The whole network is asked, as by
    /// [`Self::resolve_most_recent`], from this call on, whether the stream is polled or not.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    /// # use mainstay_client::{Client, PublicKey};
    /// # async fn example(client: Client, key: PublicKey) {
    /// let mut answers = client.resolve_stream(&key);
    /// while let Some(better) = answers.next().await {
    ///     println!("{} from {}", better.packet.timestamp(), better.source);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn resolve_stream(&self, key: &PublicKey) -> ResolveStream {
        ResolveStream::start(self.engine(), *key)
    }
}

impl ResolveStream {
    pub(crate) fn start(engine: &Arc<Engine>, key: PublicKey) -> Self {
        let progress = Flights::join_or_start(
            engine,
            key,
            Reach::All,
            engine.seen.highest(&key, Timestamp::clock()),
        );
        let network = progress.clone().map(|progress| {
            stream::unfold((progress, None), |(mut progress, last)| async move {
                let better = next_better(&mut progress, last.as_ref()).await?;
                let last = Some(better.packet.clone());
                Some((better, (progress, last)))
            })
        });
        let engine = engine.clone();
        let cached = async move { engine.recall(&key).await.map(from_cache) };
        let answers = stream::once(cached)
            .filter_map(std::future::ready)
            .chain(stream::iter(network).flatten())
            .scan(None, |best: &mut Option<SignedPacket>, answer| {
                let now = Timestamp::clock();
                let better = best.as_ref().is_none_or(|best| is_better(&answer.packet, best, now));
                if better {
                    *best = Some(answer.packet.clone());
                }
                std::future::ready(Some(better.then_some(answer)))
            })
            .filter_map(std::future::ready);
        Self { answers: Box::pin(answers), progress }
    }
}

/// Waits for an answer that is not the last one; `None` when there will be none.
async fn next_better(
    progress: &mut watch::Receiver<Progress>,
    last: Option<&SignedPacket>,
) -> Option<Resolution> {
    let is_new = |progress: &Progress| {
        progress.best().is_some_and(|best| last.is_none_or(|last| !last.is_same_as(&best.packet)))
    };
    let ready = progress.wait_for(|progress| is_new(progress) || progress.is_done()).await.ok()?;
    if is_new(&ready) { conclude(&ready).ok() } else { None }
}

#[cfg(test)]
mod tests;
