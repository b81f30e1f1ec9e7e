//! What can go wrong, one error for each kind of operation.
//! Separate because the async and the blocking handle report the same errors.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mainstay_dht_proto::{LimitError, LookupError, RemoteNode};
use mainstay_krpc::item::{ItemError, MutableItem};

/// A lookup ended without an answer to the question.
///
/// Finding nothing is no error: lookups then yield `None` or an empty list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// This node knows nobody to ask: it has not joined the network, or has lost it.
    #[error(
        "no node to ask: this node is not connected to the network; check the bootstrap addresses and that UDP is allowed"
    )]
    NoNodes,
    /// Nodes were asked and not one of them answered.
    #[error(
        "none of the {asked} nodes that were asked answered; the network may be down, try again"
    )]
    NoAnswer {
        /// How many were asked.
        asked: usize,
    },
    /// Too many questions are being worked on already; ask again when one has ended.
    #[error("this node is working on too many questions; ask again when one has ended")]
    Busy,
    /// The salt is longer than the 64 bytes that BEP 44 allows; no node would answer.
    #[error("the salt is {length} bytes long, BEP 44 allows 64")]
    SaltTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The node was shut down, or the runtime that drove it is gone.
    #[error("this DHT node has been shut down")]
    Shutdown,
}

/// A value or an announcement was not stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// No node could be found that takes values: this node is not connected to the network.
    #[error(
        "no node to store at: this node is not connected to the network; check the bootstrap addresses and that UDP is allowed"
    )]
    NoNodes,
    /// Nodes were asked and not one of them answered. Some may have stored all the same.
    #[error(
        "none of the {asked} nodes that were asked answered; the network may be down, try again"
    )]
    Timeout {
        /// How many were asked.
        asked: usize,
    },
    /// Compare-and-swap failed: another item is stored than the one with sequence number `cas`
    /// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html), error 301).
    ///
    /// Someone else published in between: merge with the newest item and put again.
    #[error("the item changed since it was read{}; read it again, merge and retry", stored(newest))]
    Conflict {
        /// The sequence number that was expected.
        cas: Option<i64>,
        /// The stored item, if a node proved it.
        newest: Option<Box<MutableItem>>,
        /// The first node that said so, where none proved it.
        by: Option<RemoteNode>,
    },
    /// A newer item of this key and salt is stored, or another value with the same sequence number
    /// (BEP 44, error 302).
    #[error(
        "an item that is as new is stored already{}; read it and sign with a higher sequence number",
        stored(newest)
    )]
    NotMostRecent {
        /// The stored item, if a node proved it.
        newest: Option<Box<MutableItem>>,
        /// The first node that said so, where none proved it.
        by: Option<RemoteNode>,
    },
    /// Nodes answered and none of them stored; `code` is the first refusal.
    #[error(
        "none of {asked} nodes stored the value: {refused} refused, the others did not answer; try again later"
    )]
    Rejected {
        /// How many were asked to store.
        asked: usize,
        /// How many of them refused.
        refused: usize,
        /// The error code of the first refusal ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html),
        /// BEP 44), if any was given.
        code: Option<i64>,
    },
    /// The value cannot be stored by anybody, so no node was asked.
    #[error("the value cannot be stored in the DHT: {0}")]
    Item(ItemError),
    /// Too many questions are being worked on already; put again when one has ended.
    #[error("this node is working on too many questions; put again when one has ended")]
    Busy,
    /// The node was shut down, or the runtime that drove it is gone. The value may have been stored.
    #[error("this DHT node has been shut down")]
    Shutdown,
}

impl PutError {
    /// The sequence number that is stored, where a node proved one that is in the way.
    pub fn seen(&self) -> Option<i64> {
        match self {
            Self::Conflict { newest, .. } | Self::NotMostRecent { newest, .. } => {
                newest.as_ref().map(|item| item.seq())
            }
            Self::NoNodes
            | Self::Timeout { .. }
            | Self::Rejected { .. }
            | Self::Item(_)
            | Self::Busy
            | Self::Shutdown => None,
        }
    }

    pub(crate) fn from_node(error: mainstay_dht_proto::PutError, cas: Option<i64>) -> Self {
        use mainstay_dht_proto::PutError as Node;
        use mainstay_krpc::error_code;
        match error {
            Node::Lookup(LookupError::NoNodes) => Self::NoNodes,
            Node::Lookup(LookupError::NoAnswer { asked }) => Self::Timeout { asked },
            Node::Lookup(LookupError::Busy) => Self::Busy,
            Node::NoTokens { answered } => {
                Self::Rejected { asked: answered, refused: answered, code: None }
            }
            Node::CasFailed { newest } => Self::Conflict { cas, newest: Some(newest), by: None },
            Node::NotMostRecent { newest } => {
                Self::NotMostRecent { newest: Some(newest), by: None }
            }
            Node::Conflict { code: error_code::CAS_MISMATCH, node, .. } => {
                Self::Conflict { cas, newest: None, by: Some(node) }
            }
            Node::Conflict { node, .. } => Self::NotMostRecent { newest: None, by: Some(node) },
            Node::NotStored { asked, refused: 0, .. } => Self::Timeout { asked },
            Node::NotStored { asked, refused, code, .. } => Self::Rejected { asked, refused, code },
            // The node's enum may grow; whatever it adds, nothing was stored.
            _ => Self::Rejected { asked: 0, refused: 0, code: None },
        }
    }
}

impl From<ItemError> for PutError {
    fn from(error: ItemError) -> Self {
        Self::Item(error)
    }
}

impl From<LookupError> for GetError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NoAnswer { asked } => Self::NoAnswer { asked },
            LookupError::Busy => Self::Busy,
            // The node's enum may grow; whatever it adds, nobody could be asked.
            LookupError::NoNodes | _ => Self::NoNodes,
        }
    }
}

fn stored(newest: &Option<Box<MutableItem>>) -> String {
    match newest {
        Some(item) => format!(" (sequence {} is stored)", item.seq()),
        None => String::new(),
    }
}

/// Nobody answered a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// Nothing came back in time.
    #[error("{address} did not answer; no node is there, or a firewall is in between")]
    NoAnswer {
        /// The address that was asked.
        address: SocketAddr,
    },
    /// The node was shut down, or the runtime that drove it is gone.
    #[error("this DHT node has been shut down")]
    Shutdown,
}

/// The limits of a node were not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// The limits make no sense.
    #[error(transparent)]
    Nonsense(#[from] LimitError),
    /// The node was shut down, or the runtime that drove it is gone.
    #[error("this DHT node has been shut down")]
    Shutdown,
}

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is taken by another program, or this program may not use it.
    #[error("cannot bind UDP {address}; choose another port, or 0 for any free one")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Both address families were switched off, or none is available on this machine.
    #[error("no address family left to listen on; enable IPv4 or IPv6")]
    NoFamily,
    /// A bootstrap address is not of the form `host:port`.
    #[error(
        "`{address}` is not a bootstrap address; write host:port, 192.0.2.1:6881 or [2001:db8::1]:6881"
    )]
    Bootstrap {
        /// What was given.
        address: Box<str>,
    },
    /// Some nodes of a [`Testnet`](crate::Testnet) cannot be found by the others: datagrams get lost,
    /// because the machine is overloaded or a firewall filters loopback.
    #[error(
        "{nodes} nodes of the test network cannot be found by the others; is the machine overloaded?"
    )]
    NotConnected {
        /// How many.
        nodes: usize,
    },
    /// Another node uses this state file; give each node its own.
    #[error("{} is the state file of another node that runs; name another one", path.display())]
    StateInUse {
        /// The state file.
        path: PathBuf,
    },
    /// The state file's folder cannot be used: it is missing, or not writable.
    #[error("cannot use {} as a state file; check that its folder exists and is writable", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The [limits](crate::DhtBuilder::limits) make no sense.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// The operating system gave no randomness to seed the node with.
    #[error("the operating system gave no randomness")]
    Entropy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The background runtime could not be started.
    #[error("cannot start the runtime that drives the node")]
    Runtime(#[source] io::Error),
}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        let kind = match &error {
            BuildError::Bind { source, .. }
            | BuildError::Runtime(source)
            | BuildError::State { source, .. } => source.kind(),
            BuildError::StateInUse { .. } => io::ErrorKind::ResourceBusy,
            BuildError::NoFamily => io::ErrorKind::Unsupported,
            BuildError::Bootstrap { .. } | BuildError::Limits(_) => io::ErrorKind::InvalidInput,
            BuildError::NotConnected { .. } => io::ErrorKind::TimedOut,
            BuildError::Entropy(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_krpc::item::ImmutableItem;

    use super::PutError;

    #[test]
    fn a_value_that_nobody_stores_is_refused_with_its_reason_in_the_message() {
        let reason = ImmutableItem::from_bytes(&[0; 1000]).unwrap_err();
        let message = PutError::from(reason.clone()).to_string();
        assert!(message.ends_with(&reason.to_string()) && message.contains("1000"), "{message}");
    }
}
