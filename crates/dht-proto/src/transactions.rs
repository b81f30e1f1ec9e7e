//! Requests in flight: what was asked whom, and when silence becomes a stall and then a loss.
//! An answer counts only if transaction id, address and expected id all match, and only once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::QueryId;
use crate::rtt::RoundTrips;
use crate::scope::Family;
use crate::timers::Timers;

/// A transaction id: four unpredictable bytes.
///
/// Two would do for matching, but leave a guesser who knows the address one chance in 65,536; and there
/// are nodes in the field that answer only queries with exactly four.
pub(crate) type Tid = [u8; 4];

/// After how many lost requests in a row, with nothing received meanwhile, it is we who are offline.
const OFFLINE: u32 = 10;

/// The longest timeout, whatever is configured: beyond it, adding it to a time could overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What a request was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// One visit of a lookup.
    Walk(QueryId),
    /// A store request of a put.
    Store(QueryId),
    /// To see whether the node lives.
    Ping,
}

/// One request in flight.
///
/// Waiting (after sending) → stalled (slower than usual) → gone (answered, lost, or unreachable).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) to: SocketAddr,
    /// The id it must answer under, where that is known.
    pub(crate) id: Option<Id>,
    pub(crate) purpose: Purpose,
    pub(crate) sent: Instant,
    /// Whether it took longer than usual.
    pub(crate) stalled: bool,
}

/// A deadline that came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lapse {
    /// Slower than usual; an answer still counts.
    Stalled(Pending),
    /// Lost.
    Expired(Pending),
}

/// All requests in flight, with their deadlines.
#[derive(Debug)]
pub(crate) struct Transactions {
    pending: BTreeMap<Tid, Pending>,
    timers: Timers<Tid>,
    trips: [RoundTrips; 2],
    timeout: Duration,
    lost_in_a_row: u32,
    /// When something came in last.
    heard: Instant,
}

impl Transactions {
    pub(crate) fn new(timeout: Duration, now: Instant) -> Self {
        Self {
            pending: BTreeMap::new(),
            timers: Timers::new(),
            trips: [RoundTrips::new(), RoundTrips::new()],
            timeout: timeout.min(LONGEST),
            lost_in_a_row: 0,
            heard: now,
        }
    }

    /// Notes a request and gives the id to send it under.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        rng: &mut StdRng,
        to: SocketAddr,
        id: Option<Id>,
        purpose: Purpose,
    ) -> Tid {
        let mut tid = Tid::default();
        rng.fill_bytes(&mut tid);
        while self.pending.contains_key(&tid) {
            rng.fill_bytes(&mut tid);
        }
        self.pending.insert(tid, Pending { to, id, purpose, sent: now, stalled: false });
        self.timers.set(tid, now + self.patience(Family::of(to)));
        tid
    }

    /// How long a request may take before it is stalled.
    pub(crate) fn patience(&self, family: Family) -> Duration {
        self.trips[family as usize].patience().min(self.timeout)
    }

    /// Takes the request that a reply belongs to. A wrong address leaves it in place: its real answer may
    /// still come.
    pub(crate) fn close(&mut self, now: Instant, from: SocketAddr, tid: &[u8]) -> Option<Pending> {
        let tid = Tid::try_from(tid).ok()?;
        if self.pending.get(&tid)?.to != from {
            return None;
        }
        let pending = self.pending.remove(&tid)?;
        self.timers.clear(tid);
        self.heard(now);
        self.trips[Family::of(from) as usize].measured(now.saturating_duration_since(pending.sent));
        Some(pending)
    }

    /// The next deadline that has come.
    pub(crate) fn pop_lapsed(&mut self, now: Instant) -> Option<Lapse> {
        let tid = self.timers.pop_due(now)?;
        let pending = self.pending.get_mut(&tid)?;
        let expires = pending.sent + self.timeout;
        if !pending.stalled && now < expires {
            pending.stalled = true;
            self.timers.set(tid, expires);
            return Some(Lapse::Stalled(*pending));
        }
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        self.pending.remove(&tid).map(Lapse::Expired)
    }

    /// Takes a request to an address that cannot be reached.
    pub(crate) fn take_unreachable(&mut self, to: SocketAddr) -> Option<Pending> {
        let tid = self.pending.iter().find(|(_, pending)| pending.to == to).map(|(tid, _)| *tid)?;
        self.timers.clear(tid);
        self.pending.remove(&tid)
    }

    /// Takes any request at all: those in flight while the host slept say nothing about who was asked.
    pub(crate) fn take_any(&mut self) -> Option<Pending> {
        let (tid, pending) = self.pending.pop_first()?;
        self.timers.clear(tid);
        Some(pending)
    }

    /// Round trips of an earlier run, so that patience need not be learnt again.
    pub(crate) fn recall(&mut self, family: Family, trips: impl Iterator<Item = Duration>) {
        for rtt in trips {
            self.trips[family as usize].measured(rtt);
        }
    }

    /// Whether so much was lost without hearing from anybody that the fault must be on our side.
    pub(crate) fn is_offline(&self) -> bool {
        self.lost_in_a_row >= OFFLINE
    }

    /// Since when nothing has come in, if we seem to be offline.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        self.is_offline().then_some(self.heard)
    }

    /// Something came in, so we are not offline.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.lost_in_a_row = 0;
        self.heard = now;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    struct Fixture {
        transactions: Transactions,
        rng: StdRng,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                transactions: Transactions::new(TIMEOUT, crate::testing::start()),
                rng: StdRng::from_seed([3; 32]),
                now: crate::testing::start(),
            }
        }

        fn open(&mut self, port: u16) -> Tid {
            self.transactions.open(self.now, &mut self.rng, addr(port), None, Purpose::Ping)
        }
    }

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_answer_counts_once_and_only_from_the_address_asked() {
        let mut fix = Fixture::new();
        let tid = fix.open(1);
        let transactions = &mut fix.transactions;
        assert!(transactions.close(fix.now, addr(2), &tid).is_none());
        assert!(transactions.close(fix.now, addr(1), &tid[..2]).is_none());
        assert!(transactions.close(fix.now, addr(1), &tid).is_some());
        assert!(transactions.close(fix.now, addr(1), &tid).is_none());
        assert_eq!(transactions.poll_timeout(), None);
    }

    #[test]
    fn silence_is_first_a_stall_and_then_a_loss() {
        let mut fix = Fixture::new();
        fix.open(1);
        let at = |millis| fix.now + Duration::from_millis(millis);
        let transactions = &mut fix.transactions;
        assert_eq!(transactions.poll_timeout(), Some(at(1000)));
        assert!(transactions.pop_lapsed(at(999)).is_none());
        assert!(matches!(transactions.pop_lapsed(at(1000)), Some(Lapse::Stalled(_))));
        assert_eq!(transactions.poll_timeout(), Some(at(2000)));
        assert!(matches!(transactions.pop_lapsed(at(2000)), Some(Lapse::Expired(_))));
        assert!(transactions.pop_lapsed(at(9000)).is_none());
    }

    #[test]
    fn a_stalled_request_still_takes_its_answer() {
        let mut fix = Fixture::new();
        let tid = fix.open(1);
        let late = fix.now + Duration::from_millis(1500);
        assert!(matches!(fix.transactions.pop_lapsed(late), Some(Lapse::Stalled(_))));
        assert!(fix.transactions.close(late, addr(1), &tid).is_some());
    }

    #[test]
    fn a_node_that_hears_nothing_knows_that_it_is_offline() {
        let mut fix = Fixture::new();
        for port in 1..=10 {
            fix.open(port);
        }
        let end = fix.now + TIMEOUT;
        while fix.transactions.pop_lapsed(end).is_some() {}
        assert!(fix.transactions.is_offline());
        fix.transactions.heard(end);
        assert!(!fix.transactions.is_offline());
    }

    #[test]
    fn transaction_ids_do_not_follow_from_each_other() {
        let mut fix = Fixture::new();
        let ids: Vec<u32> = (0..200).map(|port| u32::from_be_bytes(fix.open(port))).collect();
        let mut steps: Vec<u32> =
            ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), 199);
    }
}
