//! What a node counts: every datagram in, by what became of it, and every request, by what it asked.
//! Apart from the reports, because these numbers only grow and belong to no ask.

mod histogram;

use mainstay_krpc::Method;

pub use histogram::Histogram;

/// What came in and went out since the node began.
///
/// Every datagram that came in is in exactly one of the fields that say what became of it:
/// `received == queries + answers + errors + dropped()`, at any moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that came in.
    pub received: u64,
    /// Datagrams that went out.
    pub sent: u64,
    /// Requests of others that were taken up; those refused with an error are among them.
    pub queries: u64,
    /// Answers to requests of ours.
    pub answers: u64,
    /// Error replies to requests of ours.
    pub errors: u64,
    /// Dropped: datagrams that are no KRPC message.
    pub malformed: u64,
    /// Dropped: answers that belong to no request, or come from another address.
    pub unexpected: u64,
    /// Dropped: requests of senders over budget.
    pub limited: u64,
    /// Dropped: requests, while the node answers nobody
    /// ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)).
    pub unserved: u64,
    /// Dropped: requests that carry our own id; somebody reflects what we send.
    pub reflected: u64,
    /// Dropped: datagrams from an address that nobody can have, or of a family that is off.
    pub unusable: u64,
    /// Requests answered.
    pub served: u64,
    /// Bytes of those answers.
    pub served_bytes: u64,
    /// Requests taken up whose answer was larger than what the budget of the sender, its network or everybody had
    /// left, and was not sent.
    pub withheld: u64,
    /// Our requests that were lost.
    pub timed_out: u64,
    /// Requests of others that were taken up, by what they asked.
    pub asked_of_us: Methods,
    /// Our requests, by what they asked.
    pub asked_by_us: Methods,
    /// How long answers to our requests took, in milliseconds.
    pub round_trips: Histogram,
    /// How many requests each of the owner's asks took.
    pub ask_requests: Histogram,
    /// How long each of the owner's asks took, in milliseconds.
    pub ask_times: Histogram,
}

impl Counters {
    /// Datagrams that came in and were dropped, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.malformed
            + self.unexpected
            + self.limited
            + self.unserved
            + self.reflected
            + self.unusable
    }

    /// The share of our requests that nothing came back for, of those that were settled; `None` before any was.
    #[must_use]
    pub fn dead_share(&self) -> Option<f64> {
        let settled = self.answers + self.errors + self.timed_out;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let share = self.timed_out as f64 / settled as f64;
        (settled > 0).then_some(share)
    }
}

/// Requests by what they ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Methods {
    /// `ping`.
    pub ping: u64,
    /// `find_node`.
    pub find_node: u64,
    /// `get_peers`.
    pub get_peers: u64,
    /// `announce_peer`.
    pub announce_peer: u64,
    /// `get`.
    pub get: u64,
    /// `put`.
    pub put: u64,
    /// `sample_infohashes`.
    pub sample_infohashes: u64,
    /// Anything else.
    pub other: u64,
}

impl Methods {
    pub(crate) fn count(&mut self, method: &Method<'_>) {
        *match method {
            Method::Ping => &mut self.ping,
            Method::FindNode { .. } => &mut self.find_node,
            Method::GetPeers { .. } => &mut self.get_peers,
            Method::AnnouncePeer { .. } => &mut self.announce_peer,
            Method::Get { .. } => &mut self.get,
            Method::Put(_) => &mut self.put,
            Method::SampleInfohashes { .. } => &mut self.sample_infohashes,
            Method::Unknown { .. } => &mut self.other,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { ping, find_node, get_peers, announce_peer, get, put, sample_infohashes, other } =
            *self;
        ping + find_node + get_peers + announce_peer + get + put + sample_infohashes + other
    }
}
