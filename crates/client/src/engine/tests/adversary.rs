//! Backends that answer with whatever could mislead, ten thousand times: no wrong key, nothing unverified, no rollback.
//!
//! Separate because it is one oracle over random play, and its scale is a parameter: `MAINSTAY_ADVERSARIAL_ANSWERS`
//! (10,000 where it is not set; 1,000,000 before a release) and `MAINSTAY_ADVERSARIAL_SEED`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::{Keypair, PublicKey};

use crate::backend::End;
use crate::cache::InMemoryCache;
use crate::engine::Engine;
use crate::freshness::{Freshness, Policy};
use crate::report::{Failure, PublishResult};
use crate::scripted::{Scripted, ago, engine_with, packet, settle};
use crate::{SignedPacket, Timestamp};

const POLICIES: [Policy; 6] = [
    Policy::CacheOnly,
    Policy::CacheFirst,
    Policy::StaleIfError,
    Policy::StaleWhileRevalidate,
    Policy::MostRecent,
    Policy::NetworkOnly,
];

/// One resolve in so many is the last of its process.
const RESTARTS: usize = 50;

/// Pseudorandom numbers from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn parameter(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn chance() -> (Chance, u64) {
    let seed = parameter("MAINSTAY_ADVERSARIAL_SEED", 1);
    (Chance(seed), seed)
}

fn answers() -> usize {
    usize::try_from(parameter("MAINSTAY_ADVERSARIAL_ANSWERS", 10_000)).unwrap()
}

/// Packets of a few keys, of every age, some from the far future.
fn pool() -> Vec<SignedPacket> {
    let mut pool = Vec::new();
    for key in 1..=4 {
        let keypair = Keypair::from_secret_key(&[key; 32]);
        pool.extend((0..12).map(|n| packet(&keypair, ago(20_000 - n * 1_500), 60)));
        let future = Timestamp::clock().checked_add(Duration::from_secs(86_400)).unwrap();
        pool.extend([future, Timestamp::MAX].map(|future| packet(&keypair, future, 60)));
    }
    pool
}

fn is_plausible(packet: &SignedPacket) -> bool {
    Freshness::is_plausible(packet.timestamp(), Timestamp::clock())
}

/// Lets every backend answer with anything: packets of any key and age, nothing, a failure; returns how many answers.
fn mislead(chance: &mut Chance, relays: &[Arc<Scripted>], pool: &[SignedPacket]) -> usize {
    let mut answers = 0;
    for relay in relays {
        let finds: Vec<_> = (0..chance.below(4)).map(|_| chance.pick(pool).clone()).collect();
        answers += finds.len().max(1);
        *relay.finds.lock().unwrap() = finds;
        *relay.end.lock().unwrap() = match chance.below(4) {
            0 => End::Failed(Failure::Abandoned),
            1 => End::NotAPacket { seq: i64::MAX },
            _ => End::Exhausted,
        };
        // Whether it claims to have stored what it is given or not, it goes on answering as it likes.
        *relay.stores.lock().unwrap() = PublishResult::Failed(Failure::Abandoned);
    }
    answers
}

/// Plays against one observer, which is started anew every now and then with nothing but its cache, if it has one.
async fn observe(cached: bool) {
    let (mut chance, seed) = chance();
    let pool = pool();
    let keys: Vec<PublicKey> =
        (1..=4).map(|n| Keypair::from_secret_key(&[n; 32]).public_key()).collect();
    let relays = [(); 3].map(|()| Arc::new(Scripted::with(&[]).ranked()));
    let start = |cache: &Option<Arc<InMemoryCache>>| {
        let cache = cache.clone().map(|cache| cache as _);
        engine_with(&relays.each_ref(), cache, Freshness::default())
    };
    let cache = cached.then(|| Arc::new(InMemoryCache::new(100)));
    let mut engine = start(&cache);
    let mut shown: HashMap<PublicKey, Timestamp> = HashMap::new();
    let (mut given, mut resolved) = (0, 0);
    while given < answers() {
        given += mislead(&mut chance, &relays, &pool);
        if cached && chance.below(RESTARTS) == 0 {
            settle().await;
            engine = start(&cache);
        }
        let (key, policy) = (*chance.pick(&keys), *chance.pick(&POLICIES));
        let before = format!("seed {seed}, after {given} answers, {policy:?}");
        if let Ok(answer) = engine.clone().resolve(key, policy).await {
            resolved += 1;
            assert_eq!(answer.packet.public_key(), key, "{before}");
            assert!(pool.iter().any(|known| known.is_same_as(&answer.packet)), "{before}");
            if is_plausible(&answer.packet) {
                let last = shown.insert(key, answer.packet.timestamp());
                assert!(last <= Some(answer.packet.timestamp()), "{before}: a rollback");
            }
        }
        check_memory(&engine, &keys, &before).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert!(resolved > given / 50, "it did answer: {resolved}");
}

/// What is remembered is of its key, and from no far future.
async fn check_memory(engine: &Engine, keys: &[PublicKey], before: &str) {
    for key in keys {
        if let Some(cached) = engine.recall(key).await {
            assert_eq!(cached.packet.public_key(), *key, "{before}");
            assert!(is_plausible(&cached.packet), "{before}: the key is locked");
        }
        let highest = engine.seen.highest(key, Timestamp::clock());
        assert!(
            highest.is_none_or(|it| Freshness::is_plausible(it, Timestamp::clock())),
            "{before}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_backends_answer_no_wrong_key_and_no_rollback_surfaces_restarts_included() {
    observe(true).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_neither_while_the_process_lives() {
    observe(false).await;
}

#[test]
fn no_payload_that_was_tampered_with_is_a_packet_of_the_key() {
    let (mut chance, seed) = chance();
    let pool = pool();
    for forgery in 0..answers() {
        let packet = chance.pick(&pool);
        let (mut payload, mut key) = (packet.to_relay_payload().to_vec(), packet.public_key());
        match chance.below(4) {
            0 => payload.truncate(chance.below(payload.len())),
            1 => key = Keypair::from_secret_key(&[99; 32]).public_key(),
            2 => payload.push(0),
            _ => {
                let at = chance.below(payload.len());
                payload[at] ^= 1 << chance.below(8);
            }
        }
        let taken = SignedPacket::from_relay_payload(&key, &payload.into());
        assert!(taken.is_err(), "seed {seed}, forgery {forgery}");
    }
}
