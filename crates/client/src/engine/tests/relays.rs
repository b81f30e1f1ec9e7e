//! Several relays: the fastest first, the next in time, and nobody who does not wish it.
//!
//! Separate because time is counted here, on the test's own clock.

use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::Keypair;
use tokio::time::Instant;

use crate::backend::{End, Reach};
use crate::engine::Engine;
use crate::publishing::Publishes;
use crate::ranking::{Errand, Performance, Standing};
use crate::report::{AnswerOutcome, Failure, PublishResult};
use crate::scripted::{PATIENCE, Scripted, ago, engine, packet, settle};
use crate::{Policy, ResolveError, SignedPacket};

const FAST: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_millis(300);

/// Some time, longer than the answers of these relays and shorter than any rest.
const WHILE: Duration = Duration::from_millis(500);

/// Two relays that have answered before, the first fast, the second slow; and what they have.
async fn two_relays() -> (Arc<Engine>, [Arc<Scripted>; 2], Keypair, SignedPacket) {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relays = [FAST, SLOW].map(|delay| {
        let relay = Scripted::with(std::slice::from_ref(&packet));
        Arc::new(relay.ranked().answering_after(delay))
    });
    let engine = engine(&[&relays[0], &relays[1]]);
    // Nobody knows them yet, so both are asked.
    engine.clone().resolve(keypair.public_key(), Policy::CacheFirst).await.unwrap();
    tokio::time::sleep(WHILE).await;
    for relay in &relays {
        assert_eq!(relay.asked(), 1);
        relay.asked.lock().unwrap().clear();
    }
    (engine, relays, keypair, packet)
}

/// Resolves a key that is not cached, whatever it is; returns how long that took.
async fn cold(engine: &Arc<Engine>, relays: &[Arc<Scripted>; 2]) -> Duration {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    for relay in relays {
        *relay.finds.lock().unwrap() = vec![packet.clone()];
    }
    let begun = Instant::now();
    let resolved = engine.clone().resolve(keypair.public_key(), Policy::CacheFirst).await.unwrap();
    assert_eq!(resolved.packet, packet);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_fastest_is_asked_and_the_other_only_if_it_takes_longer_than_usual() {
    let (engine, relays, ..) = two_relays().await;
    assert_eq!(cold(&engine, &relays).await, FAST);
    tokio::time::sleep(WHILE).await;
    assert_eq!([relays[0].asked(), relays[1].asked()], [1, 0]);
    relays[0].gate.forget_permits(usize::MAX);
    let hedge = Duration::from_millis(30);
    let took = cold(&engine, &relays).await;
    assert!((SLOW..SLOW + hedge).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_was_not_asked_shows_in_the_report() {
    let (engine, relays, ..) = two_relays().await;
    let keypair = Keypair::random();
    *relays[0].finds.lock().unwrap() = vec![packet(&keypair, ago(5), 60)];
    let resolved = engine.clone().resolve(keypair.public_key(), Policy::CacheFirst).await.unwrap();
    assert!(matches!(resolved.answers[1].outcome, AnswerOutcome::NotAsked));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_only_after_every_relay_was_asked() {
    let (engine, relays, ..) = two_relays().await;
    let unknown = Keypair::random();
    for relay in &relays {
        relay.finds.lock().unwrap().clear();
    }
    let begun = Instant::now();
    let error = engine.clone().resolve(unknown.public_key(), Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound(_)), "{error}");
    assert_eq!(begun.elapsed(), FAST + SLOW, "the second is asked as soon as the first has ended");
}

#[tokio::test(start_paused = true)]
async fn the_whole_network_is_still_asked_for_the_newest() {
    let (engine, relays, keypair, _) = two_relays().await;
    engine.clone().resolve(keypair.public_key(), Policy::MostRecent).await.unwrap();
    for relay in &relays {
        assert_eq!(*relay.asked.lock().unwrap(), [Reach::All]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_hangs_costs_its_timeout_once_and_then_a_second_at_most() {
    let (engine, relays, keypair, _) = two_relays().await;
    relays[0].gate.forget_permits(usize::MAX);
    for patience in [PATIENCE, Duration::from_secs(1)] {
        let begun = Instant::now();
        engine.clone().resolve(keypair.public_key(), Policy::MostRecent).await.unwrap();
        assert_eq!(begun.elapsed(), patience);
    }
    assert_eq!(cold(&engine, &relays).await, SLOW, "and nothing where one answer is enough");
    let begun = Instant::now();
    let packet = packet(&Keypair::random(), ago(5), 60);
    let report = Publishes::publish(&engine, &packet, None).await.unwrap();
    assert_eq!((begun.elapsed(), report.stored_backends()), (Duration::from_secs(3), 1));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_failed_is_tried_again_beside_the_others_and_comes_back() {
    let (engine, relays, ..) = two_relays().await;
    *relays[0].end.lock().unwrap() = End::Failed(Failure::Abandoned);
    let keypair = Keypair::random();
    *relays[1].finds.lock().unwrap() = vec![packet(&keypair, ago(5), 60)];
    relays[0].finds.lock().unwrap().clear();
    engine.clone().resolve(keypair.public_key(), Policy::CacheFirst).await.unwrap();
    *relays[0].end.lock().unwrap() = End::Exhausted;
    assert_eq!(cold(&engine, &relays).await, SLOW, "it is left alone");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cold(&engine, &relays).await, FAST, "it is probed");
    assert_eq!(cold(&engine, &relays).await, FAST, "it is back");
}

#[tokio::test(start_paused = true)]
async fn when_all_have_failed_lately_they_are_asked_all_the_same() {
    let (engine, relays, ..) = two_relays().await;
    let now = engine.now();
    for relay in [0, 1] {
        engine.ranking().handle_end(relay, Errand::Lookup, now, Performance::Failed);
    }
    assert_eq!(cold(&engine, &relays).await, FAST);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_asks_us_to_wait_is_not_asked_before_and_what_it_limits_is_limited() {
    let wait = Duration::from_secs(60);
    for errand in [Errand::Lookup, Errand::Publish] {
        let (engine, relays, keypair, packet) = two_relays().await;
        let now = engine.now();
        let busy = Performance::Busy { retry_after: Some(wait) };
        engine.ranking().handle_end(0, errand, now, busy);
        let key = keypair.public_key();
        let newest = engine.clone().resolve(key, Policy::NetworkOnly).await.unwrap();
        let outcome = &newest.answers[0].outcome;
        let is_asked = !matches!(outcome, AnswerOutcome::Failed(Failure::Waiting { .. }));
        assert_eq!(
            (is_asked, relays[0].asked()),
            match errand {
                Errand::Lookup => (false, 0),
                Errand::Publish => (true, 1),
            }
        );
        let report = Publishes::publish(&engine, &packet, None).await.unwrap();
        let result = &report.outcomes[0].result;
        let is_published = !matches!(result, PublishResult::Failed(Failure::Waiting { .. }));
        assert_eq!(
            (is_published, relays[0].published()),
            match errand {
                Errand::Lookup => (true, 1),
                Errand::Publish => (false, 0),
            }
        );
        tokio::time::sleep(wait).await;
        Publishes::publish(&engine, &packet, None).await.unwrap();
        engine.clone().resolve(key, Policy::NetworkOnly).await.unwrap();
        settle().await;
        assert!(relays[0].published() > 0 && relays[0].asked() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_was_asked_by_a_task_that_died_is_probed_again() {
    let (engine, relays, keypair, packet) = two_relays().await;
    let now = engine.now();
    engine.ranking().handle_end(0, Errand::Lookup, now, Performance::Failed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // To wait at a closed gate is a panic.
    relays[0].gate.close();
    let lookup = engine.clone().resolve(keypair.public_key(), Policy::NetworkOnly).await;
    assert!(lookup.is_err(), "its task has died");
    assert_eq!(engine.ranking().standing(0, engine.now()), Standing::Probe);
    let published = Publishes::publish(&engine, &packet, None).await;
    assert!(published.is_err(), "its task has died");
    assert_eq!(engine.ranking().standing(0, engine.now()), Standing::Probe);
}
