//! What can be asked, with its arguments: apart from answers, which name no method.

use crate::Id;
use crate::item::{ImmutableItem, MutableItem};

/// A question from a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Query<'a> {
    /// Who asks, as it says itself.
    pub id: Id,
    /// Nodes of which families the answer shall list. Read and written where the answer lists nodes.
    pub want: Want,
    /// What is asked.
    pub method: Method<'a>,
}

impl<'a> Query<'a> {
    /// A query that leaves the family of listed nodes to the transport.
    #[must_use]
    pub const fn new(id: Id, method: Method<'a>) -> Self {
        Self { id, want: Want::NONE, method }
    }
}

/// Nodes of which families an answer shall list ([BEP 32](https://www.bittorrent.org/beps/bep_0032.html)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// IPv4 nodes, in `nodes`.
    pub n4: bool,
    /// IPv6 nodes, in `nodes6`.
    pub n6: bool,
}

impl Want {
    /// Nothing said: the family in which the query came.
    pub const NONE: Self = Self { n4: false, n6: false };
    /// IPv4 nodes.
    pub const N4: Self = Self { n4: true, n6: false };
    /// IPv6 nodes.
    pub const N6: Self = Self { n4: false, n6: true };
    /// Nodes of both families.
    pub const BOTH: Self = Self { n4: true, n6: true };
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method<'a> {
    /// Are you there?
    Ping,
    /// Which nodes do you know nearest to `target`?
    FindNode {
        /// The id that is looked for.
        target: Id,
    },
    /// Who has the torrent `info_hash`?
    GetPeers {
        /// The torrent.
        info_hash: Id,
        /// `noseed`: leave out peers that have it all ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
        no_seed: bool,
        /// Answer with Bloom filters of seeds and peers as well (BEP 33).
        scrape: bool,
    },
    /// I have the torrent `info_hash`.
    AnnouncePeer {
        /// The torrent.
        info_hash: Id,
        /// Where the announcing peer listens.
        port: AnnouncePort,
        /// What the asked node gave with its answer to [`GetPeers`](Self::GetPeers).
        token: &'a [u8],
        /// The announcing peer has it all (BEP 33).
        seed: bool,
        /// `n`: the torrent's name, from old clients.
        name: Option<&'a [u8]>,
    },
    /// What is stored under `target` ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html))?
    Get {
        /// The item.
        target: Id,
        /// Leave out the value unless it is newer than this. A number that cannot be read counts as none.
        seq: Option<i64>,
    },
    /// Store this (BEP 44).
    Put(Put<'a>),
    /// Which torrents do you know ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html))?
    SampleInfohashes {
        /// What the listed nodes shall be near to.
        target: Id,
    },
    /// A method that this crate does not know.
    ///
    /// By custom one with a target is answered like [`FindNode`](Self::FindNode), any other with
    /// [`METHOD_UNKNOWN`](crate::error_code::METHOD_UNKNOWN).
    Unknown {
        /// Its name.
        name: &'a [u8],
        /// Its `target`, or else its `info_hash`.
        target: Option<Id>,
    },
}

/// Where an announcing peer listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnouncePort {
    /// On this port, which is not 0 in a decoded message.
    Explicit(u16),
    /// `implied_port`: on the port that the query came from.
    Implied {
        /// What to write for nodes that do not know `implied_port`; 0 in a decoded message that names no port.
        fallback: u16,
    },
}

impl AnnouncePort {
    /// The port of the peer whose query came from the port `source`.
    #[must_use]
    pub const fn resolve(self, source: u16) -> u16 {
        match self {
            Self::Explicit(port) => port,
            Self::Implied { .. } => source,
        }
    }
}

/// The arguments of a `put`. It names no target: who stores it computes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Put<'a> {
    /// What the asked node gave with its answer to a `get` of the same target.
    pub token: &'a [u8],
    /// The bencoded value as it is written, not yet judged: storing goes through
    /// [`MutableItem::verify`] or [`ImmutableItem::new`]. Written verbatim.
    pub value: &'a [u8],
    /// Who signed it, if it is mutable.
    pub mutable: Option<MutablePut<'a>>,
}

impl<'a> Put<'a> {
    /// Asks to store `item`.
    #[must_use]
    pub fn immutable(token: &'a [u8], item: &'a ImmutableItem) -> Self {
        Self { token, value: item.value(), mutable: None }
    }

    /// Asks to store `item`; with `cas`, only in the place of the item with that sequence number.
    #[must_use]
    pub fn mutable(token: &'a [u8], item: &'a MutableItem, cas: Option<i64>) -> Self {
        let mutable = MutablePut {
            key: item.key().as_bytes(),
            salt: item.salt(),
            seq: item.seq(),
            signature: item.signature().as_bytes(),
            cas,
        };
        Self { token, value: item.value(), mutable: Some(mutable) }
    }
}

/// What makes a [`Put`] mutable; nothing of it is verified yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutablePut<'a> {
    /// Whose value it is.
    pub key: &'a [u8; 32],
    /// What tells apart several values of one key; empty for none.
    pub salt: &'a [u8],
    /// The sequence number.
    pub seq: i64,
    /// The signature.
    pub signature: &'a [u8; 64],
    /// Which sequence number must be stored for this to take its place.
    pub cas: Option<i64>,
}
