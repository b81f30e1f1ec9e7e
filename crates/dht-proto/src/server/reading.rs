//! Answers to requests that read: peers, items, samples.
//! Apart from those that write, because nothing here changes what is stored.

use std::time::{Duration, Instant};

use mainstay_krpc::bloom::Bloom;
use mainstay_krpc::{Id, Response, Samples, Values};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::room::MAX_REPLY;
use super::{Server, Visit};
use crate::scope::Family;
use crate::store::{PeerFamily, Store};
use crate::wire::Wire;

/// How many info hashes one sample holds: with nodes of both families that is a full reply.
const SAMPLES: usize = 20;
/// How long a sample stays the same when there are more info hashes than it holds.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1800);
/// How often a sample that stays the same is rid of what has expired.
const SAMPLE_SWEEP: Duration = Duration::from_secs(60);
/// How many nodes an unproven asker is named beside what it asked for; the rest of its small room is for that.
const FEW_NODES: usize = 4;

impl Server {
    /// The peers of an info hash: as many as fit, picked evenly, and the filters of a scrape
    /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
    ///
    /// We differ from BEP 33 here: who has not proven its address gets no filters, which alone are five times as
    /// large as its query.
    pub(super) fn peers(
        &self,
        visit: &Visit<'_>,
        wire: &mut Wire,
        info_hash: &Id,
        no_seed: bool,
        scrape: bool,
    ) -> Vec<u8> {
        let scrape = scrape && visit.room.proven;
        let token = self.tokens.issue(visit.now, visit.from.ip(), info_hash);
        let near = visit.near(info_hash);
        let (mut seeds, mut others) = (Bloom::new(), Bloom::new());
        let mut peers = Vec::new();
        let family = PeerFamily::of(visit.from);
        self.store.peers(visit.now, info_hash, Some(family), &mut |peer| {
            // A store of the owner's making may give what was not asked for, and that would not fit.
            if PeerFamily::of(peer.addr) != family {
                return;
            }
            if scrape {
                if peer.seed { &mut seeds } else { &mut others }.insert(peer.addr.ip());
            }
            if !(peer.seed && no_seed) {
                peers.push(peer.addr);
            }
        });
        let mut response = Response::new(visit.own);
        response.token = Some(&token);
        if scrape {
            response.bloom_seeds = Some(seeds.as_bytes());
            response.bloom_peers = Some(others.as_bytes());
        }
        if peers.is_empty() {
            return near.fit(wire, response, visit.room.plain);
        }
        let limit = visit.room.plain;
        let (mut full, size) = if visit.room.proven {
            near.fit_nodes(wire, response, limit)
        } else {
            let few = near.few(response);
            (few, near.size(wire, few))
        };
        // The list's own key and brackets take twelve bytes; a peer its length prefix besides.
        let room = limit.saturating_sub(size + 12);
        let each = if Family::of(visit.from) == Family::V4 { 8 } else { 21 };
        pick(&mut wire.rng, &mut peers, room / each);
        full.values = Values::List(&peers);
        visit.encode(wire, full)
    }

    /// What is stored under a target ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
    pub(super) fn value(
        &self,
        visit: &Visit<'_>,
        wire: &mut Wire,
        target: &Id,
        seq: Option<i64>,
    ) -> Vec<u8> {
        let token = self.tokens.issue(visit.now, visit.from.ip(), target);
        let near = visit.near(target);
        let mut response = Response::new(visit.own);
        response.token = Some(&token);
        let mutable = self.store.mutable(visit.now, target);
        let immutable =
            if mutable.is_none() { self.store.immutable(visit.now, target) } else { None };
        if let Some(item) = &mutable {
            response.seq = Some(item.seq());
            if seq.is_none_or(|seq| item.seq() > seq) {
                response.value = Some(item.value());
                response.key = Some(item.key().as_bytes());
                response.signature = Some(item.signature().as_bytes());
            }
        } else if let Some(item) = &immutable {
            response.value = Some(item.value());
        }
        let room = visit.room;
        let limit = if response.value.is_some() { room.with_value } else { room.plain };
        near.fit(wire, response, limit)
    }

    /// A sample of the info hashes stored ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
    ///
    /// Who has not proven its address gets the beginning of the sample: of a uniform sample that is one, too.
    pub(super) fn samples(&mut self, visit: &Visit<'_>, wire: &mut Wire, target: &Id) -> Vec<u8> {
        let (total, interval) = self.sampler.refresh(visit.now, &mut wire.rng, &*self.store);
        let mut response = Response::new(visit.own);
        response.num = Some(total as u64);
        response.interval = Some(u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
        response.samples = Samples::List(&[]);
        let near = visit.near(target);
        if visit.room.proven {
            response.samples = Samples::List(&self.sampler.sample);
            return near.fit(wire, response, MAX_REPLY);
        }
        let mut full = near.few(response);
        // The length of the string grows by two digits at most.
        let room = visit.room.plain.saturating_sub(near.size(wire, full) + 2) / Id::LENGTH;
        let sample = &self.sampler.sample;
        full.samples = Samples::List(sample.get(..room).unwrap_or(sample));
        visit.encode(wire, full)
    }
}

impl super::Near<'_> {
    /// Adds a few nodes of the family that the request came over.
    fn few<'n>(&'n self, response: Response<'n>) -> Response<'n> {
        match Family::of(self.visit.from) {
            Family::V4 => self.fill(response, FEW_NODES, 0),
            // They are larger, and so would be the reply.
            Family::V6 => self.fill(response, 0, FEW_NODES - 1),
        }
    }
}

/// The sample handed out in the running interval, so that asking often does not list everything.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    sample: Vec<Id>,
    until: Option<Instant>,
    sweep_at: Option<Instant>,
}

impl Sampler {
    /// Brings the sample up to date; of how many it is one, and how long it will stay so.
    ///
    /// What expires in between leaves it, and nothing takes its place.
    fn refresh(&mut self, now: Instant, rng: &mut StdRng, store: &dyn Store) -> (usize, Duration) {
        if let Some(until) = self.until.filter(|until| now < *until) {
            self.sweep(now, store);
            return (store.counts().info_hashes, until.saturating_duration_since(now));
        }
        let mut all = Vec::new();
        store.info_hashes(now, &mut |info_hash| all.push(info_hash));
        let total = all.len();
        if total <= SAMPLES {
            // All of them fit: there is nothing to hide or to wait for.
            (self.sample, self.until) = (all, None);
            return (total, Duration::ZERO);
        }
        pick(rng, &mut all, SAMPLES);
        (self.sample, self.until) = (all, Some(now + SAMPLE_INTERVAL));
        self.sweep_at = Some(now + SAMPLE_SWEEP);
        (total, SAMPLE_INTERVAL)
    }

    fn sweep(&mut self, now: Instant, store: &dyn Store) {
        if self.sweep_at.is_some_and(|at| now < at) {
            return;
        }
        self.sweep_at = Some(now + SAMPLE_SWEEP);
        self.sample.retain(|info_hash| {
            let mut alive = false;
            store.peers(now, info_hash, None, &mut |_| alive = true);
            alive
        });
    }
}

/// Keeps `count` of `items`, each with the same chance.
fn pick<T>(rng: &mut StdRng, items: &mut Vec<T>, count: usize) {
    if items.len() <= count {
        return;
    }
    for at in 0..count {
        let other = rng.random_range(at..items.len());
        items.swap(at, other);
    }
    items.truncate(count);
}
