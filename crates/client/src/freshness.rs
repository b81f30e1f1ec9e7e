//! When a cached packet may be served: one pure function of packet, clock and policy.
//!
//! Separate because caches store and backends fetch, but only this page judges.

use mainstay_packets::{SignedPacket, Timestamp};

use crate::cache::Cached;

/// Default lower bound of a packet's time to live, in seconds.
pub const DEFAULT_MINIMUM_TTL: u32 = 300;
/// Default upper bound of a packet's time to live, in seconds.
pub const DEFAULT_MAXIMUM_TTL: u32 = 86_400;

/// How far ahead of our clock a packet may be signed and still be remembered.
///
/// An author whose packet lies further in the future may have locked the key by mistake or on
/// purpose; such a packet is handed out when nothing better is found, but neither cached nor
/// counted as the newest seen.
const FUTURE_TOLERANCE: u64 = 2 * 60 * 60 * MICROS;

/// An answer no older than this is from just now: relays give whole seconds.
const JUST_NOW: u64 = 2 * MICROS;

/// How far ahead of our clock something may have been seen: clocks are set, and those of two machines differ.
///
/// What lies further ahead was noted by a clock that stood wrong. It says nothing about age, so it counts as expired
/// rather than as fresh until our clock gets there.
const CLOCK_TOLERANCE: u64 = 60 * MICROS;

const MICROS: u64 = 1_000_000;

/// Which answers a caller accepts: from memory, from the network, or both.
///
/// | policy | cached, fresh | cached, expired | nothing cached |
/// |---|---|---|---|
/// | `CacheOnly` | cached | cached | error |
/// | `CacheFirst` | cached | first network answer, else error | first network answer |
/// | `StaleIfError` | cached | first network answer, else cached | first network answer |
/// | `StaleWhileRevalidate` | cached | cached, and a refresh behind it | first network answer |
/// | `MostRecent` | newest of all | newest of all | newest of all |
/// | `NetworkOnly` | newest of the network | newest of the network | newest of the network |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Only what this client's cache holds, even if it has expired; never the network.
    ///
    /// In pkarr 8 the policy of this name also asks the caches of relays; here it waits for nobody.
    CacheOnly,
    /// The cache while it is fresh, else the first good answer from the network.
    CacheFirst,
    /// As [`Policy::CacheFirst`], but an expired packet rather than an error.
    StaleIfError,
    /// The cache at once, even if expired, with a refresh in the background
    /// ([RFC 5861](https://www.rfc-editor.org/rfc/rfc5861)); this is what
    /// [`Client::resolve`](crate::Client::resolve) does.
    #[default]
    StaleWhileRevalidate,
    /// Every backend is asked and waited for; the newest answer wins, the cached packet counting as
    /// one of them; this is what [`Client::resolve_most_recent`](crate::Client::resolve_most_recent)
    /// does.
    MostRecent,
    /// As [`Policy::MostRecent`], but the cached packet is no answer: if the network has none, an
    /// error says so.
    NetworkOnly,
}

/// What memory knows about a key.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// A packet, and when a backend last confirmed it.
    Packet(&'a Cached),
    /// All backends answered that there is none, at this time.
    Absent(Timestamp),
    /// Nothing.
    Nothing,
}

/// What to do with what memory knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer from memory.
    Serve,
    /// Answer from memory, and ask the network behind the caller's back.
    ServeAndRefresh,
    /// Answer that there is nothing, from memory.
    DenyFromMemory,
    /// Ask the network and take the first good answer; `or_stale` allows the cached packet if it
    /// has none.
    AskFirst {
        /// Whether an expired packet is better than an error.
        or_stale: bool,
    },
    /// Ask the whole network and take the newest; `or_cached` lets the cached packet compete.
    AskAll {
        /// Whether the cached packet counts as an answer.
        or_cached: bool,
    },
}

/// The bounds within which a packet's own TTL counts, and how long an absence is believed.
///
/// ```
/// use mainstay_client::{Freshness, Known, Policy, Timestamp, Verdict};
///
/// let freshness = Freshness::default();
/// let verdict = freshness.judge(Known::Nothing, Timestamp::clock(), Policy::CacheFirst);
/// assert_eq!(verdict, Verdict::AskFirst { or_stale: false });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    minimum_ttl: u32,
    maximum_ttl: u32,
    negative_ttl: u32,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { minimum_ttl: DEFAULT_MINIMUM_TTL, maximum_ttl: DEFAULT_MAXIMUM_TTL, negative_ttl: 0 }
    }
}

impl Freshness {
    /// Sets the least time, in seconds, for which a packet is fresh; a lower maximum rises with it.
    #[must_use]
    pub fn with_minimum_ttl(mut self, seconds: u32) -> Self {
        self.minimum_ttl = seconds;
        self.maximum_ttl = self.maximum_ttl.max(seconds);
        self
    }

    /// Sets the most time, in seconds, for which a packet is fresh; a higher minimum falls with it.
    ///
    /// With 0 every cached packet has expired: each resolve asks the network.
    #[must_use]
    pub fn with_maximum_ttl(mut self, seconds: u32) -> Self {
        self.maximum_ttl = seconds;
        self.minimum_ttl = self.minimum_ttl.min(seconds);
        self
    }

    /// Sets for how many seconds "no backend has it" is believed without asking again.
    ///
    /// 0, the default, believes it not at all.
    #[must_use]
    pub fn with_negative_ttl(mut self, seconds: u32) -> Self {
        self.negative_ttl = seconds;
        self
    }

    /// The least time, in seconds, for which a packet is fresh.
    #[must_use]
    pub const fn minimum_ttl(&self) -> u32 {
        self.minimum_ttl
    }

    /// The most time, in seconds, for which a packet is fresh.
    #[must_use]
    pub const fn maximum_ttl(&self) -> u32 {
        self.maximum_ttl
    }

    /// For how many seconds an absence is believed.
    #[must_use]
    pub const fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// What to do, given what memory knows.
    #[must_use]
    pub fn judge(&self, known: Known<'_>, now: Timestamp, policy: Policy) -> Verdict {
        let (fresh, denied) = match known {
            Known::Packet(cached) => (Some(self.is_fresh(cached, now)), false),
            Known::Absent(since) => (None, self.is_absence_fresh(since, now)),
            Known::Nothing => (None, false),
        };
        match (policy, fresh) {
            (Policy::CacheOnly, Some(_)) => Verdict::Serve,
            (Policy::CacheOnly, None) => Verdict::DenyFromMemory,
            (Policy::MostRecent, _) => Verdict::AskAll { or_cached: true },
            (Policy::NetworkOnly, _) => Verdict::AskAll { or_cached: false },
            (_, Some(true)) => Verdict::Serve,
            (Policy::StaleWhileRevalidate, Some(false)) => Verdict::ServeAndRefresh,
            (_, None) if denied => Verdict::DenyFromMemory,
            (Policy::CacheFirst | Policy::StaleWhileRevalidate, _) => {
                Verdict::AskFirst { or_stale: false }
            }
            (Policy::StaleIfError, _) => Verdict::AskFirst { or_stale: true },
        }
    }

    /// Whether `cached` was confirmed within its TTL; not, if that was noted by a clock more than a minute ahead of ours.
    #[must_use]
    pub fn is_fresh(&self, cached: &Cached, now: Timestamp) -> bool {
        is_past(cached.last_seen, now) && age(cached.last_seen, now) < self.ttl(cached)
    }

    /// For how many more seconds `cached` is fresh; 0 if it has expired.
    #[must_use]
    pub fn expires_in(&self, cached: &Cached, now: Timestamp) -> u32 {
        if !is_past(cached.last_seen, now) {
            return 0;
        }
        let left = self.ttl(cached).saturating_sub(age(cached.last_seen, now));
        u32::try_from(left / MICROS).unwrap_or(u32::MAX)
    }

    /// Whether a packet that a backend gave just now may be served without asking further.
    ///
    /// Relays say when they last saw it; an answer from a relay's stale cache waits for a better one.
    pub(crate) fn is_just_seen(
        &self,
        packet: &SignedPacket,
        last_seen: Timestamp,
        now: Timestamp,
    ) -> bool {
        let ttl = packet.ttl(self.minimum_ttl, self.maximum_ttl);
        age(last_seen, now) <= (u64::from(ttl) * MICROS).max(JUST_NOW)
    }

    /// Whether a packet with this timestamp may be remembered at all; one signed more than two hours
    /// ahead of our clock may not.
    #[must_use]
    pub fn is_plausible(timestamp: Timestamp, now: Timestamp) -> bool {
        timestamp.as_u64() <= now.as_u64().saturating_add(FUTURE_TOLERANCE)
    }

    fn is_absence_fresh(&self, since: Timestamp, now: Timestamp) -> bool {
        is_past(since, now) && age(since, now) < u64::from(self.negative_ttl) * MICROS
    }

    fn ttl(&self, cached: &Cached) -> u64 {
        u64::from(cached.packet.ttl(self.minimum_ttl, self.maximum_ttl)) * MICROS
    }
}

/// Whether something can have been seen `then`, as far as our clock can tell.
pub(crate) fn is_past(then: Timestamp, now: Timestamp) -> bool {
    then.as_u64() <= now.as_u64().saturating_add(CLOCK_TOLERANCE)
}

/// Microseconds since `then`; 0 if our clock stands before it.
fn age(then: Timestamp, now: Timestamp) -> u64 {
    now.as_u64().saturating_sub(then.as_u64())
}

#[cfg(test)]
mod tests;
