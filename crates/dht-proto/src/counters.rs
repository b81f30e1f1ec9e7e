//! What a node counts: every datagram in, by what became of it, and every request, by what it asked.
//! Apart from the reports, because these numbers only grow and belong to no ask.

mod histogram;

use std::time::Duration;

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
    /// How many hops each of the owner's asks took that was answered: the longest chain of answers, each naming the
    /// next. 1 where only nodes that we knew answered.
    pub ask_hops: Histogram<true>,
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

    /// What was counted after `earlier` was taken from the same node: rates, shares and distributions of late, and not
    /// since the node began.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        macro_rules! differences {
            (numbers: $($number:ident),*; parts: $($part:ident),*) => {
                Self {
                    $($number: self.$number.saturating_sub(earlier.$number),)*
                    $($part: self.$part.since(&earlier.$part),)*
                }
            };
        }
        differences!(
            numbers: received, sent, queries, answers, errors, malformed, unexpected, limited, unserved, reflected,
            unusable, served, served_bytes, withheld, timed_out;
            parts: asked_of_us, asked_by_us, round_trips, ask_requests, ask_times, ask_hops
        )
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

    /// Each method by its name on the wire, and `other`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { ping, find_node, get_peers, announce_peer, get, put, sample_infohashes, other } =
            *self;
        [
            ("ping", ping),
            ("find_node", find_node),
            ("get_peers", get_peers),
            ("announce_peer", announce_peer),
            ("get", get),
            ("put", put),
            ("sample_infohashes", sample_infohashes),
            ("other", other),
        ]
        .into_iter()
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// What was counted after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            ping: self.ping.saturating_sub(earlier.ping),
            find_node: self.find_node.saturating_sub(earlier.find_node),
            get_peers: self.get_peers.saturating_sub(earlier.get_peers),
            announce_peer: self.announce_peer.saturating_sub(earlier.announce_peer),
            get: self.get.saturating_sub(earlier.get),
            put: self.put.saturating_sub(earlier.put),
            sample_infohashes: self.sample_infohashes.saturating_sub(earlier.sample_infohashes),
            other: self.other.saturating_sub(earlier.other),
        }
    }

    /// How many a second, by name, where this is what was counted [since](Self::since) so long ago.
    pub fn rates(&self, over: Duration) -> impl Iterator<Item = (&'static str, f64)> {
        let seconds = over.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = move |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        self.iter().map(move |(name, count)| (name, rate(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_of_late_leave_out_what_was_before() {
        let mut counters = Counters { answers: 90, timed_out: 10, ..Counters::default() };
        counters.asked_by_us.get = 100;
        counters.ask_hops.record(3);
        let earlier = counters;
        counters.answers += 5;
        counters.timed_out += 15;
        counters.asked_by_us.count(&Method::Ping);
        counters.asked_by_us.get += 19;
        counters.ask_hops.record(5);
        let late = counters.since(&earlier);
        assert_eq!((earlier.dead_share(), late.dead_share()), (Some(0.1), Some(0.75)));
        assert_eq!((late.asked_by_us.total(), late.asked_of_us.total()), (20, 0));
        assert_eq!((late.ask_hops.total(), late.ask_hops.quantile(0.5)), (1, Some(5)));
        let rates: Vec<_> = late.asked_by_us.rates(Duration::from_secs(10)).collect();
        assert_eq!(rates.len(), 8);
        assert!(rates.contains(&("ping", 0.1)) && rates.contains(&("get", 1.9)), "{rates:?}");
        assert!(late.asked_by_us.rates(Duration::ZERO).all(|(_, rate)| rate == 0.0));
    }
}
