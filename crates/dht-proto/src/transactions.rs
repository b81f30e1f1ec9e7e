//! Requests in flight: what was asked whom, and when silence becomes a stall and then a loss.
//! An answer counts only if transaction id, address and expected id all match, and only once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::QueryId;
use crate::line::{self, Line, Silent};
use crate::rtt::RoundTrips;
use crate::scope::Family;
use crate::timers::Timers;

/// A transaction id: four unpredictable bytes.
///
/// Two would do for matching, but leave a guesser who knows the address one chance in 65,536; and there
/// are nodes in the field that answer only queries with exactly four.
pub(crate) type Tid = [u8; 4];

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

/// A request that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) to: SocketAddr,
    /// The id it must answer under, where that is known.
    pub(crate) id: Option<Id>,
    pub(crate) purpose: Purpose,
    /// Whether it is waited for half as long again as others.
    pub(crate) patiently: bool,
    /// Whether the asker wants to be told when it is late.
    pub(crate) hedged: bool,
}

/// One request in flight.
///
/// Waiting (after sending) → late (slower than most; only where that is asked for) → stalled (slower than usual) →
/// gone (answered, lost, or unreachable).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) to: SocketAddr,
    /// The id it must answer under, where that is known.
    pub(crate) id: Option<Id>,
    pub(crate) purpose: Purpose,
    pub(crate) sent: Instant,
    /// Whether it took longer than usual.
    pub(crate) stalled: bool,
    /// Whether it is waited for half as long again as others.
    patiently: bool,
    /// Whether it is still to be told that it is late.
    hedged: bool,
}

/// A deadline that came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lapse {
    /// Slower than most.
    Late(Pending),
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
    lines: [Line; 2],
    timeout: Duration,
}

impl Transactions {
    pub(crate) fn new(timeout: Duration, now: Instant) -> Self {
        Self {
            pending: BTreeMap::new(),
            timers: Timers::new(),
            trips: [RoundTrips::new(), RoundTrips::new()],
            lines: [Line::new(now), Line::new(now)],
            timeout: timeout.min(LONGEST),
        }
    }

    /// Notes a request and gives the id to send it under.
    pub(crate) fn open(&mut self, now: Instant, rng: &mut StdRng, opened: Opened) -> Tid {
        let Opened { to, id, purpose, patiently, hedged } = opened;
        let patience = self.patience(Family::of(to));
        let usual = self.trips[Family::of(to) as usize].usual();
        let hedged = hedged && usual < patience;
        let mut tid = Tid::default();
        rng.fill_bytes(&mut tid);
        while self.pending.contains_key(&tid) {
            rng.fill_bytes(&mut tid);
        }
        let pending = Pending { to, id, purpose, sent: now, stalled: false, patiently, hedged };
        self.pending.insert(tid, pending);
        self.timers.set(tid, now + if hedged { usual } else { patience });
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
        let pending = self.remove(tid)?;
        self.heard(now, from);
        self.trips[Family::of(from) as usize].measured(now.saturating_duration_since(pending.sent));
        Some(pending)
    }

    /// The next deadline that has come.
    pub(crate) fn pop_lapsed(&mut self, now: Instant) -> Option<Lapse> {
        let tid = self.timers.pop_due(now)?;
        let trips = &self.trips;
        let pending = self.pending.get_mut(&tid)?;
        if pending.hedged {
            pending.hedged = false;
            let patience = trips[Family::of(pending.to) as usize].patience().min(self.timeout);
            self.timers.set(tid, pending.sent + patience);
            return Some(Lapse::Late(*pending));
        }
        let extra = if pending.patiently { self.timeout / 2 } else { Duration::ZERO };
        let expires = pending.sent + self.timeout + extra;
        if !pending.stalled && now < expires {
            pending.stalled = true;
            self.timers.set(tid, expires);
            return Some(Lapse::Stalled(*pending));
        }
        let pending = self.remove(tid)?;
        self.line(pending.to).lost();
        Some(Lapse::Expired(pending))
    }

    /// Takes a request to an address that cannot be reached.
    pub(crate) fn take_unreachable(&mut self, to: SocketAddr) -> Option<Pending> {
        let tid = self.pending.iter().find(|(_, pending)| pending.to == to).map(|(tid, _)| *tid)?;
        self.remove(tid)
    }

    /// Takes a request to an address that our host knows no way to. Nobody there is to blame: our line may be down.
    pub(crate) fn take_without_route(&mut self, to: SocketAddr) -> Option<Pending> {
        let pending = self.take_unreachable(to)?;
        self.line(to).lost();
        Some(pending)
    }

    /// Takes any request at all: those in flight while the host slept say nothing about who was asked.
    pub(crate) fn take_any(&mut self) -> Option<Pending> {
        let tid = *self.pending.first_key_value()?.0;
        self.remove(tid)
    }

    /// Takes a request with its deadline. The last one takes with it the kilobyte that an emptied map keeps.
    fn remove(&mut self, tid: Tid) -> Option<Pending> {
        let pending = self.pending.remove(&tid);
        if self.pending.is_empty() {
            self.pending = BTreeMap::new();
        }
        self.timers.clear(tid);
        pending
    }

    /// Round trips of an earlier run, so that patience need not be learnt again.
    pub(crate) fn recall(&mut self, family: Family, trips: impl Iterator<Item = Duration>) {
        for rtt in trips {
            self.trips[family as usize].measured(rtt);
        }
    }

    /// Whether so much was lost in a family without hearing from anybody there that the fault must be on our side.
    pub(crate) fn is_down(&self, family: Family) -> bool {
        self.lines[family as usize].is_down()
    }

    /// Since when nothing has come in, if we seem to be cut off in every family that ever worked.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        line::silent_since(&self.lines)
    }

    /// Something came in, so our line works.
    pub(crate) fn heard(&mut self, now: Instant, from: SocketAddr) {
        self.line(from).heard(now, from);
    }

    /// Whether the node `id` is to blame for a request that was lost, and not our line; if that cannot be told yet, it
    /// may come from [`next_blamed`](Self::next_blamed).
    pub(crate) fn blames(&mut self, now: Instant, pending: &Pending, id: Id) -> bool {
        let late = (pending.sent + self.patience(Family::of(pending.to))).min(now);
        self.line(pending.to).blames(now, late, id, pending.to)
    }

    /// Somebody who is to blame for an earlier loss, as is known now.
    pub(crate) fn next_blamed(&mut self, family: Family) -> Option<Silent> {
        self.lines[family as usize].next_blamed()
    }

    fn line(&mut self, addr: SocketAddr) -> &mut Line {
        &mut self.lines[Family::of(addr) as usize]
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

#[cfg(test)]
mod tests;
