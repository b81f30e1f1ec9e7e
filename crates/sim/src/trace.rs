//! What happened: the fate of each packet, counters, and a hash over all of it.
//! Separate because looking at a run must not be able to change it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Node;
use crate::dice::{address_word, mix};

/// A packet whose fate is known, as a capture sees it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// When it was sent.
    pub sent: Instant,
    /// When its fate was known: for a delivered packet, when it arrived.
    pub at: Instant,
    /// The node that sent it; `None` if it came from the backdrop or was forged.
    pub sender: Option<Node>,
    /// Its source, as the network sees it.
    pub from: SocketAddr,
    /// Its destination.
    pub to: SocketAddr,
    /// What it says when it arrives.
    pub payload: &'a [u8],
    /// What became of it.
    pub fate: Fate,
}

/// What became of a packet. Each copy has one fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// This node got it.
    Delivered(Node),
    /// Somebody of the backdrop got it.
    Backdrop,
    /// A link lost it.
    Lost,
    /// It was too large for a link.
    TooLarge,
    /// Its ends are in different parts of a divided network.
    Partitioned,
    /// The host takes no more from this address for now.
    Limited,
    /// A NAT or firewall did not let it in (or had no port left to let it out).
    Filtered,
    /// Nobody has the address, or the node there is down.
    Unreachable,
}

/// Counters of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams that nodes handed out.
    pub sent: u64,
    /// Their payload bytes.
    pub sent_bytes: u64,
    /// Copies that reached a node.
    pub delivered: u64,
    /// Copies that reached somebody of the backdrop.
    pub backdrop: u64,
    /// Extra copies that a link made.
    pub duplicated: u64,
    /// Copies that a link damaged.
    pub corrupted: u64,
    /// Copies that a link lost or found too large.
    pub lost: u64,
    /// Copies that a partition stopped.
    pub partitioned: u64,
    /// Copies that a NAT or firewall stopped.
    pub filtered: u64,
    /// Copies that a host's limit turned away.
    pub limited: u64,
    /// Copies for which nobody was there.
    pub unreachable: u64,
    /// Deadlines that came.
    pub timeouts: u64,
    /// Deadlines that were still due after [`handle_timeout`](crate::Machine::handle_timeout) had
    /// been called for them: a machine that does not move its deadline is faulty.
    pub stuck: u64,
}

impl Stats {
    pub(crate) fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Delivered(_) => self.delivered += 1,
            Fate::Backdrop => self.backdrop += 1,
            Fate::Limited => self.limited += 1,
            Fate::Lost | Fate::TooLarge => self.lost += 1,
            Fate::Partitioned => self.partitioned += 1,
            Fate::Filtered => self.filtered += 1,
            Fate::Unreachable => self.unreachable += 1,
        }
    }
}

/// One number for all that happened, in its order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    pub(crate) fn packet(&mut self, start: Instant, packet: &Packet<'_>) {
        self.moment(packet.at.saturating_duration_since(start));
        self.word(address_word(packet.from));
        self.word(address_word(packet.to));
        self.word(content_word(packet.payload));
        self.word(match packet.fate {
            Fate::Delivered(node) => 0x100 + node.0 as u64,
            Fate::Lost => 1,
            Fate::TooLarge => 2,
            Fate::Partitioned => 3,
            Fate::Filtered => 4,
            Fate::Unreachable => 5,
            Fate::Backdrop => 6,
            Fate::Limited => 7,
        });
    }

    pub(crate) fn wake(&mut self, at: Duration, node: Node) {
        self.moment(at);
        self.word(node.0 as u64);
    }

    fn moment(&mut self, at: Duration) {
        self.word(at.as_secs() << 32 | u64::from(at.subsec_nanos()));
    }

    const fn word(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }
}

/// A number that stands for these bytes.
pub(crate) fn content_word(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        // A multiplication between rotations: a tenth of the cost of a full mix, which comes once at the end.
        hash =
            (hash.rotate_left(25) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    for byte in tail {
        hash = (hash.rotate_left(7) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    mix(hash)
}
