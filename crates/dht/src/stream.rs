//! The stream of answers of one lookup, which ends when the lookup has settled.
//! Separate because it, and not the handle, owns what happens when a caller loses interest.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use mainstay_dht_proto::LookupReport;
use tokio::sync::{mpsc, oneshot};

use crate::command::CancelOnDrop;
use crate::error::GetError;
use crate::handle::Dht;
use crate::runtime::block_on;

/// Sends the command when the channel to the node was full at first; true once it is sent.
pub(crate) type Start = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Answers of a lookup as they arrive, from
/// [`Dht::get_mutable`](crate::Dht::get_mutable) or [`Dht::get_peers`](crate::Dht::get_peers).
///
/// The stream ends when the lookup has settled: the nodes closest to the target have answered, or
/// all hope of them is lost. [`GetStream::report`] then says how it went, which is how "nothing is
/// stored" is told from "nobody could be asked".
///
/// Dropping the stream cancels the lookup in the node; nothing else of it remains. The stream keeps
/// the node alive, like a [`Dht`] does. It may be polled from any executor.
///
/// Answers that are not taken wait in a queue of [`GetStream::QUEUE`] entries, which is more than
/// a lookup may visit nodes.
#[must_use = "dropping the stream cancels the lookup"]
pub struct GetStream<T> {
    start: Option<Start>,
    items: mpsc::Receiver<T>,
    settled: oneshot::Receiver<Result<LookupReport, GetError>>,
    report: Option<Result<LookupReport, GetError>>,
    cancel: CancelOnDrop,
    _node: Dht,
}

impl<T> GetStream<T> {
    /// How many answers may wait to be taken.
    pub const QUEUE: usize = 1024;

    pub(crate) fn new(
        node: Dht,
        start: Option<Start>,
        items: mpsc::Receiver<T>,
        settled: oneshot::Receiver<Result<LookupReport, GetError>>,
        cancel: CancelOnDrop,
    ) -> Self {
        Self { start, items, settled, report: None, cancel, _node: node }
    }

    /// A stream that has ended already, for a question that need not be asked.
    pub(crate) fn ended(node: Dht, error: GetError) -> Self {
        let (_, items) = mpsc::channel(1);
        let (_, settled) = oneshot::channel();
        let cancel = CancelOnDrop::disarmed();
        Self { start: None, items, settled, report: Some(Err(error)), cancel, _node: node }
    }

    /// The next answer, or `None` once the lookup has settled.
    ///
    /// The same as `StreamExt::next`, without the import. Cancel safe: dropping this future loses
    /// nothing, dropping the stream cancels the lookup.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_item(context)).await
    }

    /// How the lookup went: `None` until the stream has ended.
    ///
    /// # Errors
    ///
    /// [`GetError`] says why the question could not be answered: no node to ask, no answer, or
    /// the node was shut down. A lookup that was answered and found nothing is `Ok`.
    pub fn report(&self) -> Option<Result<&LookupReport, GetError>> {
        self.report.as_ref().map(|report| report.as_ref().map_err(|error| *error))
    }

    /// Waits for the end, dropping the answers that are left. Dropping the future cancels the lookup.
    ///
    /// # Errors
    ///
    /// As [`GetStream::report`].
    pub async fn finish(mut self) -> Result<LookupReport, GetError> {
        while self.next().await.is_some() {}
        self.report.unwrap_or(Err(GetError::Shutdown))
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.report.is_some() {
            return Poll::Ready(None);
        }
        if let Some(start) = &mut self.start {
            let sent = ready!(start.as_mut().poll(context));
            self.start = None;
            if !sent {
                self.end(Err(GetError::Shutdown));
                return Poll::Ready(None);
            }
        }
        if let Some(item) = ready!(self.items.poll_recv(context)) {
            return Poll::Ready(Some(item));
        }
        // The driver reports before it closes the queue, so this is at hand; if not, it died.
        let report = self.settled.try_recv().unwrap_or(Err(GetError::Shutdown));
        self.end(report);
        Poll::Ready(None)
    }

    fn end(&mut self, report: Result<LookupReport, GetError>) {
        self.cancel.disarm();
        self.report = Some(report);
    }
}

// Nothing in it is pinned: the receivers and the boxed start are all `Unpin`.
impl<T> Unpin for GetStream<T> {}

impl<T> Stream for GetStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_item(context)
    }
}

impl<T> fmt::Debug for GetStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetStream").field("report", &self.report).finish_non_exhaustive()
    }
}

/// A [`GetStream`] for threads: an iterator that blocks until the next answer.
///
/// Dropping it cancels the lookup.
#[must_use = "dropping the iterator cancels the lookup"]
#[derive(Debug)]
pub struct GetIter<T>(GetStream<T>);

impl<T> GetIter<T> {
    pub(crate) fn new(stream: GetStream<T>) -> Self {
        Self(stream)
    }

    /// How the lookup went: `None` until the iterator has ended.
    ///
    /// # Errors
    ///
    /// As [`GetStream::report`].
    pub fn report(&self) -> Option<Result<&LookupReport, GetError>> {
        self.0.report()
    }
}

impl<T> Iterator for GetIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        block_on(self.0.next())
    }
}
