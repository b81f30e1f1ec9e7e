//! What happens to a node in the course of its life, for those who run one.
//! Apart from the answers to questions, which go to whoever asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use mainstay_krpc::Id;
use tokio::sync::mpsc;

use crate::runtime::block_on;
use crate::state::StateError;

/// Something that happened to a node. None of it needs a reaction: the node recovers by itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// The first bootstrap has settled; with no nodes it has failed so far, and goes on.
    Settled {
        /// How many nodes are known.
        nodes: usize,
    },
    /// Nobody could be joined through: all bootstrap addresses are dead, or UDP does not get out.
    BootstrapFailed {
        /// Whether it is the IPv6 network.
        ipv6: bool,
        /// How many attempts have failed in a row.
        attempts: u32,
        /// When the next one comes.
        retry: Duration,
    },
    /// Nobody answers any more: the uplink is gone. Noticed when something is asked, or within twenty minutes.
    Offline,
    /// Somebody answers again.
    Online {
        /// For how long nobody did.
        after: Duration,
    },
    /// Others agree on our public address, for the first time or anew; our id there fits it.
    PublicAddress {
        /// The address that they see.
        address: SocketAddr,
        /// Our id in that family's network.
        id: Id,
    },
    /// It became known whether strangers reach us, or our role changed with it
    /// ([`DhtBuilder::adaptive`](crate::DhtBuilder::adaptive)).
    Role {
        /// Whether hosts that the node did not contact before ask it.
        reachable: Option<bool>,
        /// Whether the node answers nobody.
        read_only: bool,
    },
    /// The host or the process slept; the node joins anew.
    Resumed {
        /// For how long, as far as the monotonic clock tells.
        late: Duration,
    },
    /// The time of day was set, or the host slept while the monotonic clock stood still.
    ClockJumped {
        /// Whether it shows a later time than was expected.
        forward: bool,
        /// By how much.
        by: Duration,
    },
    /// The system took a socket away; it will be bound again.
    SocketLost {
        /// What it was bound to.
        local: SocketAddr,
    },
    /// A socket that was lost is bound again.
    SocketBound {
        /// What it is bound to.
        local: SocketAddr,
    },
    /// The state of an earlier run was found.
    StateRestored {
        /// The file.
        path: PathBuf,
        /// How many nodes it names.
        nodes: usize,
        /// How many published items it holds.
        published: usize,
    },
    /// The state of an earlier run cannot be used; the node began without it.
    StateSetAside {
        /// The file.
        path: PathBuf,
        /// Where it is now; `None` if it could not be moved, and then no state is written in this run.
        moved_to: Option<PathBuf>,
        /// Why.
        reason: StateError,
    },
    /// The state was written.
    StateSaved {
        /// The file.
        path: PathBuf,
    },
    /// The state could not be written; the last one is still there, and the next attempt comes in ten minutes.
    StateNotSaved {
        /// Why.
        reason: StateError,
    },
}

/// The events of a node, from [`Dht::events`](crate::Dht::events): the last [`EventStream::REMEMBERED`] that happened
/// before, then those to come.
///
/// The stream ends when the node does. Events that are not taken wait in a queue of [`EventStream::QUEUE`]; what comes
/// on top of that is lost, since watching must never hold up the node.
#[derive(Debug)]
pub struct EventStream(mpsc::Receiver<NodeEvent>);

impl EventStream {
    /// How many events may wait to be taken.
    pub const QUEUE: usize = 256;
    /// How many past events a new stream begins with at most.
    pub const REMEMBERED: usize = 32;

    pub(crate) fn channel() -> (mpsc::Sender<NodeEvent>, Self) {
        let (sender, receiver) = mpsc::channel(Self::QUEUE);
        (sender, Self(receiver))
    }

    /// The next event, or `None` once the node is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        self.0.recv().await
    }

    /// An event that is there already, if any.
    pub fn try_next(&mut self) -> Option<NodeEvent> {
        self.0.try_recv().ok()
    }
}

impl Stream for EventStream {
    type Item = NodeEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<NodeEvent>> {
        self.0.poll_recv(context)
    }
}

/// An [`EventStream`] for threads: an iterator that blocks until the next event.
#[derive(Debug)]
pub struct EventIter(EventStream);

impl EventIter {
    pub(crate) fn new(stream: EventStream) -> Self {
        Self(stream)
    }

    /// An event that is there already, if any.
    pub fn try_next(&mut self) -> Option<NodeEvent> {
        self.0.try_next()
    }
}

impl Iterator for EventIter {
    type Item = NodeEvent;

    fn next(&mut self) -> Option<NodeEvent> {
        block_on(self.0.next())
    }
}

/// The driver's end: the past and the watchers.
#[derive(Debug, Default)]
pub(crate) struct Events {
    past: VecDeque<NodeEvent>,
    watchers: Vec<mpsc::Sender<NodeEvent>>,
}

impl Events {
    pub(crate) fn push(&mut self, event: NodeEvent) {
        self.watchers.retain(|watcher| {
            !matches!(watcher.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
        if self.past.len() >= EventStream::REMEMBERED {
            self.past.pop_front();
        }
        self.past.push_back(event);
    }

    pub(crate) fn watch(&mut self, watcher: mpsc::Sender<NodeEvent>) {
        for event in &self.past {
            // The queue is longer than the past.
            let _ = watcher.try_send(event.clone());
        }
        self.watchers.retain(|other| !other.is_closed());
        self.watchers.push(watcher);
    }
}
