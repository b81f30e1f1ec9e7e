//! What can be answered: one shape for all methods, because an answer does not say which one it answers.

use crate::compact::{Nodes, Nodes6, Samples, Values};
use crate::{Id, error_code};

/// An answer. Which fields mean something depends on what was asked; what could not be read is absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response<'a> {
    /// Who answers, as it says itself.
    pub id: Id,
    /// IPv4 nodes near the target.
    pub nodes: Nodes<'a>,
    /// IPv6 nodes near the target ([BEP 32](https://www.bittorrent.org/beps/bep_0032.html)).
    pub nodes6: Nodes6<'a>,
    /// What to show when storing or announcing here.
    pub token: Option<&'a [u8]>,
    /// Peers that have the torrent.
    pub values: Values<'a>,
    /// `v`: the stored value ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)) as it is written, not yet judged:
    /// reading goes through [`MutableItem::verify`](crate::item::MutableItem::verify) or
    /// [`ImmutableItem::new`](crate::item::ImmutableItem::new). Written verbatim.
    pub value: Option<&'a [u8]>,
    /// `k`: who signed it.
    pub key: Option<&'a [u8; 32]>,
    /// `sig`: the signature.
    pub signature: Option<&'a [u8; 64]>,
    /// The sequence number of what is stored.
    pub seq: Option<i64>,
    /// Some of the torrents known ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
    pub samples: Samples<'a>,
    /// In how many seconds there will be other samples, at most [`MAX_INTERVAL`](Self::MAX_INTERVAL) as read.
    pub interval: Option<u32>,
    /// How many torrents are known; a negative number is read as 0.
    pub num: Option<u64>,
    /// `BFsd`: a [Bloom filter](crate::bloom) of the seeds ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
    pub bloom_seeds: Option<&'a [u8; 256]>,
    /// `BFpe`: a Bloom filter of the downloaders.
    pub bloom_peers: Option<&'a [u8; 256]>,
    /// `p`: the port that the query came from; libtorrent's addition.
    pub port: Option<u16>,
}

impl Response<'_> {
    /// The longest interval that BEP 51 allows, in seconds.
    pub const MAX_INTERVAL: u32 = 21_600;

    /// The answer to a ping: nothing but who answers.
    #[must_use]
    pub const fn new(id: Id) -> Self {
        Self {
            id,
            nodes: Nodes::Absent,
            nodes6: Nodes6::Absent,
            token: None,
            values: Values::Absent,
            value: None,
            key: None,
            signature: None,
            seq: None,
            samples: Samples::Absent,
            interval: None,
            num: None,
            bloom_seeds: None,
            bloom_peers: None,
            port: None,
        }
    }
}

/// The refusal to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// One of [`error_code`], or any other number; [`GENERIC`](error_code::GENERIC) if none could be read.
    pub code: i64,
    /// Words for a person; anybody's bytes, perhaps none.
    pub text: &'a [u8],
}

impl ErrorReply<'static> {
    /// The answer to a method that is not known.
    pub const METHOD_UNKNOWN: Self =
        Self { code: error_code::METHOD_UNKNOWN, text: b"Method Unknown" };
}
