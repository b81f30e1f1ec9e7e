//! What the owner of a node can ask it to do.
//! Requests are values, so that a driver can carry them through a channel and a test can list them.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_keys::PublicKey;
use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

/// Names one ask; every event that belongs to it carries it. Never used twice by one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(crate) u64);

/// How one ask is made, where it should not be made as every other.
///
/// `AskOptions::default()` is what [`Node::ask`](crate::Node::ask) uses. Build others with
/// `AskOptions { deadline: Some(limit), ..AskOptions::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskOptions {
    /// When it ends whatever the network does, counted from the start; more than a day counts as a day. What was
    /// found or stored by then is its outcome, and the report says that it was
    /// [cut short](crate::LookupReport::cut_short). Default: [`Config::ask_deadline`](crate::Config::ask_deadline).
    pub deadline: Option<Duration>,
    /// How hard it looks for the last of the closest nodes. Default: [`Effort::Thorough`] where the nodes are what is
    /// asked for ([`Ask::FindNode`]), else [`Effort::Quick`].
    pub effort: Option<Effort>,
    /// Whether every step is reported as an [`Event::Step`](crate::Event::Step). Default: false.
    pub traced: bool,
    /// Over how many disjoint paths it walks; 0 counts as 1, more than 8 as 8. Default: 1.
    ///
    /// No two paths ask one node, one address or one /24 (IPv6 /48), what a node names is heard by its own path only,
    /// and each path ends for itself: those who lead one of them astray do not lead the others. What all of them found
    /// is put together, and a put stores at the closest of all. As many requests are in flight as without, and
    /// [`Config::max_visits`](crate::Config::max_visits) is the sum. Two paths take about 1.5 times the packets of one for a
    /// get and 1.1 times for a put, four 2.2 to 2.7 and 1.1 to 1.2 times, and half as long again; where packets are lost,
    /// an ask over four may take seconds, since each path waits for its own last answers (`cargo test -p mainstay-tests --test swarm
    /// paths -- --nocapture`). A ping has one path.
    ///
    /// Off by default, because a walk starts from many contacts of its own and passes over crowds anyway: of 1,000 nodes of
    /// which eight in ten lie, one path finds what four find. They gain something where most of those whom this node
    /// knows are in league, for instance in a network it has joined through them.
    pub paths: u8,
}

impl Default for AskOptions {
    fn default() -> Self {
        Self { deadline: None, effort: None, traced: false, paths: 1 }
    }
}

/// How hard a lookup looks for the last of the closest nodes.
///
/// A value is found at the same time either way: what differs is when the lookup ends, and how many of the nodes that
/// are slow, or to whom a packet was lost, are among those it ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Passes over a node that takes longer than nearly all others. Where three in ten contacts are dead and two packets
    /// in a hundred get lost, nine of the ten closest living nodes are found within a second or two.
    Quick,
    /// Asks a silent node among the closest once more, and waits for it half as long again as
    /// [`Config::request_timeout`](crate::Config::request_timeout): in the same network 99 in 100 are found. Takes
    /// about three seconds more wherever one of the closest is dead, and a tenth more packets. A
    /// ping is not made more thorough by it.
    Thorough,
}

/// Something to find or to store.
///
/// Two asks never share state, even for one target: each walks, collects tokens and ends by itself.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Find the newest item under a key ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
    /// Each better value is an [`Event::Mutable`](crate::Event::Mutable) the moment it is verified.
    GetMutable {
        /// Who signed it.
        key: PublicKey,
        /// The salt; empty means none.
        salt: Vec<u8>,
        /// Only values with a sequence number above this are wanted; nodes then save sending others.
        newer_than: Option<i64>,
    },
    /// Find the value that hashes to a target; ends at the first, since there can be no other.
    GetImmutable {
        /// The SHA-1 of the bencoded value.
        target: Id,
    },
    /// Store a signed item at the nodes closest to its target.
    PutMutable {
        /// What to store.
        item: MutableItem,
        /// Store only where the stored sequence number is this one. Nodes that store nothing are not
        /// held to it, and a newer item found on the way ends the put before anything is stored.
        cas: Option<i64>,
    },
    /// Store a value under its hash.
    PutImmutable {
        /// What to store.
        item: ImmutableItem,
    },
    /// Find who announced an info hash ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html)).
    GetPeers {
        /// The info hash.
        info_hash: Id,
        /// Whether those who have everything are left out, where a node tells them apart
        /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)): for who has everything, too.
        no_seeds: bool,
    },
    /// Count who announced an info hash ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)), without asking
    /// for a list.
    ///
    /// Nodes of this kind give their filters only to who has proven its address to them, so that a scrape of a
    /// read-only node may find fewer.
    Scrape {
        /// The info hash.
        info_hash: Id,
    },
    /// Announce this host under an info hash.
    AnnouncePeer {
        /// The info hash.
        info_hash: Id,
        /// The port peers should connect to; `None` lets each node take our UDP source port.
        port: Option<u16>,
        /// Whether this host has everything ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
        seed: bool,
    },
    /// Ask one address whether a node is there. Ends as [`Outcome::Nodes`](crate::Outcome::Nodes) with that
    /// one node, the report's `elapsed` being the round trip, or as
    /// [`LookupError::NoAnswer`](crate::LookupError::NoAnswer).
    Ping {
        /// Whom to ask.
        addr: SocketAddr,
    },
    /// Find the nodes closest to a target.
    FindNode {
        /// Any id.
        target: Id,
    },
    /// Ask the nodes around a target which info hashes they hold
    /// ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
    SampleInfohashes {
        /// Where in the key space to look.
        target: Id,
    },
    /// Ask one address which info hashes it holds, and whom it knows near a target: one step of a walk through the
    /// whole network. Ends as [`Outcome::Samples`](crate::Outcome::Samples) with that one sample.
    SampleNode {
        /// Whom to ask.
        addr: SocketAddr,
        /// Near what the nodes should be that it names.
        target: Id,
    },
}
