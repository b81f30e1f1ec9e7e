//! The steps of lookups as they happen, for people who want to watch one.
//! Separate because nothing else depends on being watched.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use mainstay_dht_proto::{QueryId, Step};
use mainstay_krpc::Id;
use tokio::sync::mpsc;

use crate::runtime::block_on;

/// One step of one lookup or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceStep {
    /// Which lookup; steps of several may come mixed.
    pub query: QueryId,
    /// What that lookup is after; a ping is after nothing.
    pub target: Option<Id>,
    /// When, about which node, and what happened.
    pub step: Step,
}

impl TraceStep {
    pub(crate) fn new(query: QueryId, target: Option<Id>, step: Step) -> Self {
        Self { query, target, step }
    }
}

/// The steps of all lookups and puts that start after [`Dht::trace`](crate::Dht::trace) was called.
///
/// The stream ends when the node does. Steps that are not taken wait in a queue of
/// [`TraceStream::QUEUE`]; what comes on top of that is lost, since watching must never hold up the
/// node. Dropping the stream ends the tracing.
#[derive(Debug)]
pub struct TraceStream(mpsc::Receiver<TraceStep>);

impl TraceStream {
    /// How many steps may wait to be taken.
    pub const QUEUE: usize = 4096;

    pub(crate) fn channel() -> (mpsc::Sender<TraceStep>, Self) {
        let (sender, receiver) = mpsc::channel(Self::QUEUE);
        (sender, Self(receiver))
    }

    /// The next step, or `None` once the node is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<TraceStep> {
        self.0.recv().await
    }

    /// A step that is there already, if any.
    pub fn try_next(&mut self) -> Option<TraceStep> {
        self.0.try_recv().ok()
    }
}

impl Stream for TraceStream {
    type Item = TraceStep;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<TraceStep>> {
        self.0.poll_recv(context)
    }
}

/// A [`TraceStream`] for threads: an iterator that blocks until the next step.
#[derive(Debug)]
pub struct TraceIter(TraceStream);

impl TraceIter {
    pub(crate) fn new(stream: TraceStream) -> Self {
        Self(stream)
    }

    /// A step that is there already, if any.
    pub fn try_next(&mut self) -> Option<TraceStep> {
        self.0.try_next()
    }
}

impl Iterator for TraceIter {
    type Item = TraceStep;

    fn next(&mut self) -> Option<TraceStep> {
        block_on(self.0.next())
    }
}
