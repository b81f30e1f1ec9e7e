//! What handles tell the task that owns a node, and where the answers go.
//! Separate because it is the whole of what the two sides know of each other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay_dht_proto::{
    Ask, AskOptions, LookupReport, PutReport, RemoteNode, Samples, Scrape, Snapshot,
};
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use crate::error::{GetError, PutError};
use crate::event::NodeEvent;
use crate::packets::Packet;
use crate::putting::PutStep;
use crate::span;
use crate::trace::TraceStep;

/// Commands that may wait for the node; whoever comes then waits for room.
pub(crate) const QUEUE: usize = 256;

/// One wish of a handle.
#[derive(Debug)]
pub(crate) enum Command {
    /// Start an ask. Boxed, since the queue keeps room for several commands in every node.
    Ask(Box<NewAsk>),
    /// Send the steps of all asks that start from now on here.
    Trace(mpsc::Sender<TraceStep>),
    /// Send the events that happened lately, and those to come, here.
    Watch(mpsc::Sender<NodeEvent>),
    /// Give the last datagrams.
    Packets(oneshot::Sender<Vec<Packet>>),
    /// Give the state that would be saved now.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Look whether the limits have changed.
    Look,
    /// Stop, close the sockets, and say so.
    Shutdown(oneshot::Sender<()>),
}

/// An ask on its way to the node.
#[derive(Debug)]
pub(crate) struct NewAsk {
    /// The handle's name for it.
    pub(crate) ticket: u64,
    pub(crate) ask: Ask,
    pub(crate) options: AskOptions,
    pub(crate) reply: Reply,
    /// What happens for it happens in here.
    pub(crate) span: Span,
}

impl NewAsk {
    /// An ask in a span of its own, within the span that this is called in.
    pub(crate) fn new(ticket: u64, ask: Ask, options: AskOptions, reply: Reply) -> Self {
        let span = span::of(&ask);
        Self { ticket, ask, options, reply, span }
    }
}

/// The answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// Who answered.
    pub node: RemoteNode,
    /// How long it took.
    pub round_trip: Duration,
}

/// Where the answers to one ask go; the variant fits that of the ask.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Each better item, then the report.
    Items(mpsc::Sender<MutableItem>, oneshot::Sender<Result<LookupReport, GetError>>),
    /// The newest item.
    Newest(oneshot::Sender<Result<Option<MutableItem>, GetError>>),
    /// The immutable item.
    Immutable(oneshot::Sender<Result<Option<ImmutableItem>, GetError>>),
    /// Each batch of new peers, then the report.
    Peers(mpsc::Sender<Vec<SocketAddr>>, oneshot::Sender<Result<LookupReport, GetError>>),
    /// The closest nodes.
    Nodes(oneshot::Sender<Result<Vec<RemoteNode>, GetError>>),
    /// Who answered a ping, if anybody.
    Pong(oneshot::Sender<Option<Pong>>),
    /// The samples.
    Samples(oneshot::Sender<Result<Vec<Samples>, GetError>>),
    /// The counts.
    Scrape(oneshot::Sender<Result<Box<Scrape>, GetError>>),
    /// The report of a put or announce, with the sequence number it was to replace.
    Put(Option<i64>, oneshot::Sender<Result<PutReport, PutError>>),
    /// Each answer to a put, then its report.
    Putting {
        cas: Option<i64>,
        answers: mpsc::Sender<PutStep>,
        /// Nobody waits for the report, and yet the put is wanted.
        detached: Arc<AtomicBool>,
        report: oneshot::Sender<Result<PutReport, PutError>>,
    },
}

impl Reply {
    /// True when nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Items(_, settled) | Self::Peers(_, settled) => settled.is_closed(),
            Self::Newest(reply) => reply.is_closed(),
            Self::Immutable(reply) => reply.is_closed(),
            Self::Nodes(reply) => reply.is_closed(),
            Self::Pong(reply) => reply.is_closed(),
            Self::Samples(reply) => reply.is_closed(),
            Self::Scrape(reply) => reply.is_closed(),
            Self::Put(_, reply) => reply.is_closed(),
            Self::Putting { detached, report, .. } => {
                report.is_closed() && !detached.load(Ordering::Acquire)
            }
        }
    }
}

/// Tells the node that nobody waits for an ask any more, unless disarmed before.
///
/// The channel is unbounded because `drop` cannot wait; an ask sends into it once at most, so the
/// asks that a node accepts bound it.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(Option<(u64, mpsc::UnboundedSender<u64>)>);

impl CancelOnDrop {
    pub(crate) fn new(ticket: u64, cancels: mpsc::UnboundedSender<u64>) -> Self {
        Self(Some((ticket, cancels)))
    }

    /// One that has nothing to cancel.
    pub(crate) fn disarmed() -> Self {
        Self(None)
    }

    /// The ask has ended; there is nothing to cancel any more.
    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some((ticket, cancels)) = self.0.take() {
            // A node that is gone has nothing to cancel.
            let _ = cancels.send(ticket);
        }
    }
}
