//! What a table answers when it is told something.
//! Separate because owners match on these and never see how they came about.

/// What became of a node that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insert<C> {
    /// It was in the table; its round-trip time and last sign of life are up to date.
    Refreshed,
    /// It got a free place.
    Added,
    /// It took this node's place.
    Replaced(C),
    /// Its bucket is full of nodes at least as good; it waits among the spares.
    Queued,
    /// It may not enter.
    Refused(Refusal),
}

/// What became of a contact that somebody named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It waits for a ping among the spares of its bucket.
    Queued,
    /// It is in the table or among the spares.
    Known,
    /// It may not wait.
    Refused(Refusal),
}

/// Why a contact may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It claims our own id: we hear ourselves, or somebody reflects our packets.
    OwnId,
    /// A healthy entry has its host.
    HostTaken,
    /// A healthy entry of its bucket, or a spare, has its subnet.
    SubnetTaken,
    /// Healthy entries of its provider take all the share of the table that one provider may have.
    ProviderFull,
    /// A healthy entry has its id at another address.
    IdElsewhere,
    /// Its address was an entry under another id. That entry is gone, and this one may come in
    /// with its next answer: a node that changes its id at will gets no place by it.
    IdChanged,
    /// The bucket and its spares are full.
    Full,
}

/// What became of a node that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<C> {
    /// The table does not know this id.
    Unknown,
    /// Nobody can take its place yet; it stays, but is not handed out until it answers.
    Kept {
        /// Failures in a row.
        failures: u8,
    },
    /// It is gone.
    Dropped {
        /// The confirmed spare that took its place.
        promoted: Option<C>,
    },
}
