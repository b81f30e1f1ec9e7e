//! How wide a lookup walks and when it gives up.
//! Separate because owners write these numbers and nothing else of the lookup.

/// The limits of a [`Lookup`](crate::Lookup).
#[derive(Debug, Clone, PartialEq)]
pub struct LookupConfig {
    /// How many of the closest live nodes must have answered: Kademlia's K. At least 1 is used.
    /// Default: 8.
    pub closest: usize,
    /// Queries in flight while the walk still finds closer nodes: Kademlia's alpha.
    ///
    /// More shortens walks through slow nodes and costs messages to nodes that a little patience
    /// would have shown to be useless. At least 1 is used. Default: 4.
    pub parallelism: usize,
    /// Queries in flight once the closest node known has answered and only its neighbours are
    /// left, or once the walk is [near](Self::near). More where all of them are needed, less where
    /// the first of their answers will do. At least 1 is used. Default: 8.
    pub closing_parallelism: usize,
    /// Which share of the space is the neighbourhood of the target, where that is known: with
    /// somebody in it to ask, the walk has arrived. Default: 0.0, which waits for an answer.
    pub near: f64,
    /// How a walk spares messages once it has arrived; `None` asks as many as may be in flight.
    /// Default: `None`.
    pub sparing: Option<Sparing>,
    /// Whether a stalled node among the K closest is waited for until it answers or fails.
    ///
    /// A patient walk finds nearly all of the K closest that live, and takes as long as the owner
    /// waits for the slowest of those that do not. Default: false.
    pub patient: bool,
    /// Candidates remembered, not counting those in flight or stalled, which
    /// [`visits`](Self::visits) bounds. When full, the farthest that was not asked makes room for
    /// a closer one, or else the farthest answer beyond the K closest. At least twice `closest` is
    /// used. Default: 160.
    pub candidates: usize,
    /// Nodes asked at most; it bounds what a stream of ever closer lies can cost. Default: 500.
    pub visits: usize,
    /// New candidates taken from one answer, so that one liar cannot fill the list. Default: 8.
    pub new_per_answer: usize,
    /// How many nodes the network has, where that is known well: then those who crowd at the target
    /// are told by their number, and passed over.
    ///
    /// Of n nodes, n times the share of the space are expected within a distance. Twice as many
    /// and six more are let through; who stands behind so many closer ones is neither asked nor
    /// counted as an answer. Who places a hundred nodes next to one target then gets six of them
    /// among the closest, not all. In an honest network one walk in a thousand passes over
    /// somebody. Default: `None`, which lets everybody through.
    pub network_size: Option<u64>,
    /// At most one candidate per [`Host`](crate::Contact::Host). Off, it is one per address.
    /// Default: true.
    pub one_per_host: bool,
    /// At most one candidate per [`Subnet`](crate::Contact::Subnet) at a time; one that fails
    /// makes way for another. Default: true.
    pub one_per_subnet: bool,
}

/// What a walk goes by that asks no more nodes than it needs, once it has arrived.
///
/// It asks somebody only while, of those who stand closer, fewer than
/// [`closest`](LookupConfig::closest) have answered or are likely to. A node that was asked counts
/// for [`answering`](Self::answering) of an answer, until it answers, fails,
/// [stalls](crate::Lookup::stalled) or is [late](crate::Lookup::late). Where a crowd stands at the
/// target nothing is spared.
///
/// That costs half of the messages of a walk that keeps its slots full, and a round trip where more
/// nodes are silent than was expected and nobody says that they are late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparing {
    /// Which share of queries is answered before they stall, from 0 to 1.
    pub answering: f64,
    /// With so many queries in flight that are not late, nobody outside the
    /// [neighbourhood](LookupConfig::near) is asked. They seldom belong to the closest, but know
    /// others of them than those name each other. At least 1 is used.
    pub scouts: usize,
}

impl Default for LookupConfig {
    fn default() -> Self {
        Self {
            closest: 8,
            parallelism: 4,
            closing_parallelism: 8,
            near: 0.0,
            sparing: None,
            patient: false,
            candidates: 160,
            visits: 500,
            new_per_answer: 8,
            network_size: None,
            one_per_host: true,
            one_per_subnet: true,
        }
    }
}

impl LookupConfig {
    /// The defaults without the rules on hosts and subnets: for a network on one machine.
    pub fn loopback() -> Self {
        Self { one_per_host: false, one_per_subnet: false, ..Self::default() }
    }

    /// The same limits with every number raised to the least that makes sense.
    pub(super) fn sane(mut self) -> Self {
        self.closest = self.closest.max(1);
        self.parallelism = self.parallelism.max(1);
        self.closing_parallelism = self.closing_parallelism.max(1);
        if let Some(sparing) = &mut self.sparing {
            // What is no number counts for nothing.
            let answering = sparing.answering;
            sparing.answering = if answering > 0.0 { answering.min(1.0) } else { 0.0 };
            sparing.scouts = sparing.scouts.max(1);
        }
        self.candidates = self.candidates.clamp(2 * self.closest, usize::from(u16::MAX));
        self
    }
}
