//! What a node tells its owner, and what it wants sent.
//! The only way out of the state machine: a driver maps these to channels and sockets and adds nothing.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

use crate::{LookupError, LookupReport, PutError, PutReport, QueryId, Samples, Scrape};

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to; its family tells the socket.
    pub to: SocketAddr,
    /// The datagram's bytes, at most 1,400.
    pub payload: Vec<u8>,
}

/// Another node: the id it answered with and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteNode {
    /// Its id.
    pub id: Id,
    /// Its address.
    pub addr: SocketAddr,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Our own store, where others put it.
    Own,
    /// A node that answered.
    Node(RemoteNode),
}

/// Something the owner of the node may want to know.
///
/// Every ask that is not cancelled ends in exactly one [`Event::Done`]; no event of it follows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A verified item, better than any this ask reported before: newer, or as new and greater as bytes.
    Mutable {
        /// The ask.
        query: QueryId,
        /// The item.
        item: MutableItem,
        /// Who had it.
        from: Source,
    },
    /// The value that hashes to the target.
    Immutable {
        /// The ask.
        query: QueryId,
        /// The value.
        item: ImmutableItem,
        /// Who had it.
        from: Source,
    },
    /// Peers this ask did not report before.
    Peers {
        /// The ask.
        query: QueryId,
        /// Their addresses, as announced: unproven.
        peers: Vec<SocketAddr>,
        /// Who had them.
        from: Source,
    },
    /// One node's sample of the info hashes it holds.
    Samples {
        /// The ask.
        query: QueryId,
        /// The sample.
        samples: Samples,
    },
    /// A node confirmed that it stored.
    Stored {
        /// The ask.
        query: QueryId,
        /// Who.
        node: RemoteNode,
        /// How many have, this one included; 1 is the first acknowledgement.
        stored: usize,
        /// How many make the put safe: half of the copies wanted
        /// ([`Config::store_at`](crate::Config::store_at)).
        quorum: usize,
    },
    /// A node refused to store.
    Refused {
        /// The ask.
        query: QueryId,
        /// Who.
        node: RemoteNode,
        /// The error code it gave, for instance 301 (not the expected sequence number) or 302 (not newer).
        code: i64,
    },
    /// One step of an ask that is traced ([`Node::ask_traced`](crate::Node::ask_traced)).
    Step {
        /// The ask.
        query: QueryId,
        /// The step.
        step: Step,
    },
    /// The ask ended; nothing more of it follows.
    Done {
        /// The ask.
        query: QueryId,
        /// How.
        outcome: Outcome,
        /// What it took.
        report: LookupReport,
    },
    /// The first bootstrap settled, successfully or not; comes once.
    Bootstrapped {
        /// How many nodes the tables hold.
        nodes: usize,
    },
    /// Several independent nodes agree on our public address, and our id follows it.
    PublicAddress {
        /// The address others see.
        addr: SocketAddr,
        /// The id that fits it.
        id: Id,
    },
    /// So much was lost without hearing from anybody that the fault must be on our side. The node keeps its
    /// tables, and tries every few seconds whether somebody answers.
    Offline,
    /// Somebody answers again. The node walks to its neighbourhood anew.
    Online {
        /// For how long nobody did.
        after: Duration,
    },
    /// Nobody could be joined through; the node will try again by itself.
    BootstrapFailed {
        /// Whether it is the IPv6 network.
        ipv6: bool,
        /// How many attempts have failed in a row.
        attempts: u32,
        /// When the next one comes.
        retry: Duration,
    },
    /// The node was not driven for long after it wanted to be: its host or process slept. What was under way
    /// is given up without blaming anybody, and the node joins anew.
    Resumed {
        /// How late it was driven.
        late: Duration,
    },
    /// The wall clock was set, or the host slept while the clock of [`Instant`](std::time::Instant) stood still.
    /// No lifetime depends on it; sequence numbers are judged by the new time.
    ClockJumped {
        /// Whether it shows a later time than was expected.
        forward: bool,
        /// By how much.
        by: Duration,
    },
    /// It became known whether strangers reach us, or our role changed; comes with every change.
    Role {
        /// Whether hosts that we did not contact before ask us; `None` while there was no time to tell.
        reachable: Option<bool>,
        /// Whether we answer nobody and say so, which an [adaptive](crate::Config::adaptive) node does while
        /// nobody reaches it.
        read_only: bool,
    },
}

impl Event {
    /// The ask this event belongs to.
    #[must_use]
    pub fn query(&self) -> Option<QueryId> {
        match self {
            Self::Mutable { query, .. }
            | Self::Immutable { query, .. }
            | Self::Peers { query, .. }
            | Self::Samples { query, .. }
            | Self::Stored { query, .. }
            | Self::Refused { query, .. }
            | Self::Step { query, .. }
            | Self::Done { query, .. } => Some(*query),
            Self::Bootstrapped { .. }
            | Self::PublicAddress { .. }
            | Self::Offline
            | Self::Online { .. }
            | Self::BootstrapFailed { .. }
            | Self::Resumed { .. }
            | Self::ClockJumped { .. }
            | Self::Role { .. } => None,
        }
    }
}

/// How an ask ended; the variant is that of the [`Ask`](crate::Ask).
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The newest item found, if any.
    Mutable(Result<Option<MutableItem>, LookupError>),
    /// The value, if found.
    Immutable(Result<Option<ImmutableItem>, LookupError>),
    /// All peers found, without repetition.
    Peers(Result<Vec<SocketAddr>, LookupError>),
    /// The closest nodes that answered, closest first, of both families.
    Nodes(Result<Vec<RemoteNode>, LookupError>),
    /// Each answering node's sample.
    Samples(Result<Vec<Samples>, LookupError>),
    /// How many have it.
    Scrape(Result<Box<Scrape>, LookupError>),
    /// A put or an announce.
    Put(Result<PutReport, PutError>),
}

/// One step of a traced ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Since the ask began.
    pub at: Duration,
    /// The node it is about.
    pub addr: SocketAddr,
    /// Its id, where known.
    pub id: Option<Id>,
    /// The node whose answer named it first; `None` if it was known before.
    pub named_by: Option<SocketAddr>,
    /// What happened.
    pub what: StepKind,
}

/// What happened in a [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// A query was sent.
    Asked,
    /// A store request was sent.
    Storing,
    /// An answer came.
    Answered {
        /// The round trip.
        rtt: Duration,
        /// How many nodes it named.
        nodes: usize,
    },
    /// The answer held a value that verified.
    Value {
        /// Its sequence number, for a mutable one.
        seq: Option<i64>,
    },
    /// The answer held a value that is not what was asked for, or not signed by its key.
    Invalid,
    /// No answer for longer than is usual; the lookup goes on without waiting.
    Stalled,
    /// No answer until the timeout.
    TimedOut,
    /// An error reply.
    Error {
        /// Its code.
        code: i64,
    },
    /// The answer came under another id than the node is known by.
    WrongId,
    /// The node confirmed that it stored.
    Stored {
        /// The round trip.
        rtt: Duration,
    },
}
