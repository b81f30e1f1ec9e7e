//! How asks end: reports and errors.
//! Apart from the events, because callers keep these values and match on them.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_krpc::Id;
use mainstay_krpc::item::{MutableItem, immutable_target};

use crate::{Counters, RemoteNode};

/// What a lookup did, whatever came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookupReport {
    /// Queries sent, store requests apart.
    pub queried: usize,
    /// Answers used.
    pub answered: usize,
    /// Queries that nothing came back for.
    pub timed_out: usize,
    /// Error replies.
    pub errors: usize,
    /// Answers thrown away: another id than expected, or a value that does not verify.
    pub invalid: usize,
    /// Answers that held a value that verified, old ones included.
    pub values: usize,
    /// The longest chain of answers, each naming the next: 1 if only nodes that were known before answered, 0 if
    /// nobody did.
    pub hops: usize,
    /// From the ask to its end.
    pub elapsed: Duration,
    /// From the ask to the first value.
    pub first_value: Option<Duration>,
    /// Whether the deadline ended it, not the lookup itself: closer nodes may be left that were not asked.
    pub cut_short: bool,
    /// Queries that were under way when it ended, neither answered nor given up: what a deadline cut, or what no
    /// longer mattered.
    pub open: usize,
    /// The closest nodes that answered, closest first.
    pub closest: Vec<RemoteNode>,
    /// Who said that it holds what was asked for, and which version of it, in the order of the answers. At most one
    /// entry for each answer.
    pub holders: Vec<Holder>,
    /// How many nodes were passed over because more stand near the target than the size of the network lets
    /// expect. Unless it is 0, somebody has most likely placed nodes there to hide or to refuse what is stored;
    /// then the copies were spread, or looked for, beyond them.
    pub crowded: usize,
}

/// One node's word on what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub node: RemoteNode,
    /// The sequence number of its copy; `None` for what has none.
    pub seq: Option<i64>,
    /// The SHA-1 of the signed value that it showed, as bencoded; `None` if it showed none that verified. By it,
    /// two values under one number are told apart.
    pub value: Option<Id>,
    /// Whether it showed a value that verified. One that is older than a value known by then is not verified, and
    /// one that we asked not to be sent cannot be: then this is only what the node says.
    pub verified: bool,
}

impl LookupReport {
    /// The nodes that hold another version than the newest that was verified: who has not heard of it yet, or keeps
    /// it back.
    pub fn behind(&self) -> impl Iterator<Item = &Holder> {
        let verified = self.holders.iter().filter(|holder| holder.verified);
        let newest = verified.filter_map(|holder| holder.seq).max();
        self.holders.iter().filter(move |holder| holder.seq < newest)
    }

    /// The nodes that hold another value than `item` under its number: its owner signed two, and readers who hear of both
    /// take the one that is greater as bytes.
    pub fn rivals(&self, item: &MutableItem) -> impl Iterator<Item = &Holder> {
        let (seq, value) = (Some(item.seq()), Some(immutable_target(item.value())));
        self.holders.iter().filter(move |holder| {
            holder.seq == seq && holder.value.is_some() && holder.value != value
        })
    }
}

/// A put or announce that at least one node acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutReport {
    /// The target stored under.
    pub target: Id,
    /// How many nodes acknowledged.
    pub stored: usize,
    /// Who they are, in the order of their acknowledgements.
    pub nodes: Vec<RemoteNode>,
    /// Who refused, with the error code given.
    pub refused: Vec<(RemoteNode, i64)>,
    /// Store requests that nothing came back for.
    pub timed_out: usize,
    /// From the ask to the first acknowledgement.
    pub first_stored: Duration,
    /// From the ask to the acknowledgement that made half of the copies wanted
    /// ([`Config::store_at`](crate::Config::store_at)); `None` if they were never that many.
    pub quorum: Option<Duration>,
    /// Whether the deadline ended it: the copies are those acknowledged by then.
    pub cut_short: bool,
}

/// One node's answer to a request for samples
/// ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// Who answered.
    pub node: RemoteNode,
    /// Some of the info hashes it holds.
    pub info_hashes: Vec<Id>,
    /// How many it says it holds.
    pub total: u64,
    /// How long it asks to be left alone: what it holds is not sampled anew before.
    pub interval: Duration,
    /// Nodes that it named, near the target it was asked about.
    pub nodes: Vec<RemoteNode>,
}

/// Why a lookup could not be made.
///
/// "Not found" is none of these: it is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// Our table is empty and no bootstrap address is given or answers.
    #[error("this node knows no other: give it a bootstrap address or wait until it has joined")]
    NoNodes,
    /// Nodes were asked and not one answered; most likely we are offline.
    #[error("none of the {asked} nodes asked answered: check this host's connection")]
    NoAnswer {
        /// How many were asked.
        asked: usize,
    },
    /// [`Config::max_asks`](crate::Config::max_asks) are running; ask again when one ended.
    #[error("too many asks are running: ask again when one has ended")]
    Busy,
}

/// Why nothing was stored, or why storing stopped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// No node could be found to store at.
    #[error("found no node to store at")]
    Lookup(#[from] LookupError),
    /// Nodes answered, but none of them takes stores of this kind.
    #[error("none of the {answered} nodes that answered takes stores of this kind")]
    NoTokens {
        /// How many answered.
        answered: usize,
    },
    /// Somebody stored a newer item, or another value with the same sequence number: read it and put again.
    /// Nothing was stored by us after it was seen.
    #[error("a newer item is stored, sequence {}: read it, then put again", newest.seq())]
    NotMostRecent {
        /// The item, verified.
        newest: Box<MutableItem>,
    },
    /// The stored item is not the one the caller wanted to replace: read it and put again.
    #[error("the stored item has sequence {}, not the one expected: read it, then put again", newest.seq())]
    CasFailed {
        /// The item, verified.
        newest: Box<MutableItem>,
    },
    /// More nodes refused as out of date (301 or 302) than stored; they did not prove it with the newer item.
    #[error(
        "{refused} nodes hold another version (error {code}), {stored} stored: read it, then put again"
    )]
    Conflict {
        /// 301: the sequence number stored there is not the expected one; 302: ours is not newer.
        code: i64,
        /// How many refused so.
        refused: usize,
        /// How many stored all the same.
        stored: usize,
        /// The first that refused.
        node: RemoteNode,
    },
    /// Every node asked to store refused or stayed silent.
    #[error(
        "none of the {asked} nodes asked to store did: {refused} refused, {timed_out} stayed silent"
    )]
    NotStored {
        /// How many were asked.
        asked: usize,
        /// How many refused.
        refused: usize,
        /// How many stayed silent.
        timed_out: usize,
        /// The first refusal's error code.
        code: Option<i64>,
    },
}

/// A look at the node from outside, taken at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// IPv4, where it is on.
    pub ipv4: Option<FamilyInfo>,
    /// IPv6, where it is on.
    pub ipv6: Option<FamilyInfo>,
    /// Whether the first bootstrap has settled.
    pub bootstrapped: bool,
    /// Whether nobody answers any more, so that we must be cut off.
    pub offline: bool,
    /// Whether the node answers nobody at present.
    pub read_only: bool,
    /// Whether strangers reach this node: hosts that it did not contact lately ask it. `None` until there was time
    /// to tell.
    pub reachable: Option<bool>,
    /// Asks that run.
    pub asks: usize,
    /// Items stored for others.
    pub items: usize,
    /// Info hashes with peers stored for others.
    pub info_hashes: usize,
    /// What came in and went out.
    pub counters: Counters,
}

/// One family of an [`Info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyInfo {
    /// Our id in this family's network.
    pub id: Id,
    /// Our address as others see it, once enough of them agree.
    pub public: Option<SocketAddr>,
    /// Nodes in the table.
    pub nodes: usize,
    /// How many nodes the network seems to have, judged by how dense recent lookups found it.
    pub network_size: Option<u64>,
    /// The standard deviation of that number, in nodes: about two times in three it is off by less. What
    /// lookups miss, or what somebody adds around their targets, comes on top.
    pub network_size_error: Option<u64>,
}
