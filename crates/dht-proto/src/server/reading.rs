//! Answers to requests that read: peers, items, samples.
//! Apart from those that write, because nothing here changes what is stored.

use std::time::{Duration, Instant};

use mainstay_krpc::bloom::Bloom;
use mainstay_krpc::{Id, Response, Samples, Values};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{MAX_REPLY, MAX_VALUE_REPLY, Near, Server, Visit};
use crate::scope::Family;
use crate::wire::Wire;

/// How many info hashes one sample holds: with nodes of both families that is a full reply.
const SAMPLES: usize = 20;
/// How long a sample stays the same when there are more info hashes than it holds.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1800);

impl Server {
    /// The peers of an info hash: as many as fit, picked evenly, and the filters of a scrape
    /// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
    pub(super) fn peers(
        &self,
        visit: &Visit<'_>,
        wire: &mut Wire,
        info_hash: &Id,
        no_seed: bool,
        scrape: bool,
    ) {
        let family = Family::of(visit.from);
        let token = self.tokens.issue(visit.now, visit.from.ip(), info_hash);
        let near = Near::new(visit, info_hash);
        let mut response = near.fill(Response::new(visit.own));
        response.token = Some(&token);
        let (mut seeds, mut others) = (Bloom::new(), Bloom::new());
        let mut peers = Vec::new();
        for (peer, seed) in self.store.peers().of(visit.now, info_hash, family) {
            if scrape {
                if seed { &mut seeds } else { &mut others }.insert(peer.ip());
            }
            if !(seed && no_seed) {
                peers.push(peer);
            }
        }
        if scrape {
            response.bloom_seeds = Some(seeds.as_bytes());
            response.bloom_peers = Some(others.as_bytes());
        }
        if visit.size(response) > MAX_REPLY {
            // Two filters and the nodes of both families are too much.
            visit.drop_other_family(&mut response);
        }
        if !peers.is_empty() {
            // The list's own key and brackets take twelve bytes; a peer its length prefix besides.
            let room = MAX_REPLY.saturating_sub(visit.size(response) + 12);
            let each = if family == Family::V4 { 8 } else { 21 };
            pick(&mut wire.rng, &mut peers, room / each);
            response.values = Values::List(&peers);
        }
        visit.respond(wire, response);
    }

    /// What is stored under a target ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
    pub(super) fn value(&self, visit: &Visit<'_>, wire: &mut Wire, target: &Id, seq: Option<i64>) {
        let token = self.tokens.issue(visit.now, visit.from.ip(), target);
        let mut response = Response::new(visit.own);
        response.token = Some(&token);
        if let Some(item) = self.store.mutable(visit.now, target) {
            response.seq = Some(item.seq());
            if seq.is_none_or(|seq| item.seq() > seq) {
                response.value = Some(item.value());
                response.key = Some(item.key().as_bytes());
                response.signature = Some(item.signature().as_bytes());
            }
        } else if let Some(item) = self.store.immutable(visit.now, target) {
            response.value = Some(item.value());
        }
        let limit = if response.value.is_some() { MAX_VALUE_REPLY } else { MAX_REPLY };
        visit.respond_with_nodes(wire, target, response, limit);
    }

    /// A sample of the info hashes stored ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
    pub(super) fn samples(&mut self, visit: &Visit<'_>, wire: &mut Wire, target: &Id) {
        let hashes = self.store.peers().hashes();
        let total = hashes.len() as u64;
        let interval = self.sampler.refresh(visit.now, &mut wire.rng, hashes);
        let mut response = Response::new(visit.own);
        response.num = Some(total);
        response.interval = Some(u32::try_from(interval.as_secs()).unwrap_or(u32::MAX));
        response.samples = Samples::List(&self.sampler.sample);
        visit.respond_with_nodes(wire, target, response, MAX_REPLY);
    }
}

/// The sample handed out in the running interval, so that asking often does not list everything.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    sample: Vec<Id>,
    until: Option<Instant>,
}

impl Sampler {
    /// Brings the sample up to date and says how long it will stay so.
    fn refresh(
        &mut self,
        now: Instant,
        rng: &mut StdRng,
        hashes: impl ExactSizeIterator<Item = Id>,
    ) -> Duration {
        if hashes.len() <= SAMPLES {
            // All of them fit: there is nothing to hide or to wait for.
            (self.sample, self.until) = (hashes.collect(), None);
            return Duration::ZERO;
        }
        if let Some(until) = self.until.filter(|until| now < *until) {
            return until.saturating_duration_since(now);
        }
        let mut all: Vec<Id> = hashes.collect();
        pick(rng, &mut all, SAMPLES);
        (self.sample, self.until) = (all, Some(now + SAMPLE_INTERVAL));
        SAMPLE_INTERVAL
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
