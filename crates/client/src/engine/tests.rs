//! What resolving promises whatever the backends do: sharing, freshness, no rollback, no foreign keys.
//!
//! Separate because the promises are many and each needs backends that misbehave in its own way.

mod adversary;
mod caches;
mod relays;

use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::Keypair;
use tokio::time::Instant;

use crate::backend::{End, Reach};
use crate::cache::{Cache, Cached, InMemoryCache};
use crate::engine::Engine;
use crate::error::ResolveError;
use crate::flight::MAX_FLIGHTS;
use crate::freshness::{Freshness, Policy};
use crate::report::{AnswerOutcome, Failure, Source};
use crate::scripted::{PATIENCE, Scripted, ago, engine, engine_with, packet, settle};
use crate::{Resolution, SignedPacket, Timestamp};

type Resolved = Result<Resolution, ResolveError>;

async fn resolve(engine: &Arc<Engine>, keypair: &Keypair, policy: Policy) -> Resolved {
    engine.clone().resolve(keypair.public_key(), policy).await
}

async fn timestamp(engine: &Arc<Engine>, keypair: &Keypair, policy: Policy) -> Option<Timestamp> {
    let resolved = resolve(engine, keypair, policy).await;
    resolved.ok().map(|resolution| resolution.packet.timestamp())
}

fn failing() -> End {
    End::Failed(Failure::Abandoned)
}

async fn remember(engine: &Engine, packet: &SignedPacket, last_seen: Timestamp) {
    engine.remember(Cached { packet: packet.clone(), last_seen }).await;
}

#[tokio::test(start_paused = true)]
async fn a_fresh_packet_is_served_without_asking_anybody() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(60), 3600);
    let relay = Arc::new(Scripted::with(&[]));
    let engine = engine(&[&relay]);
    remember(&engine, &packet, ago(60)).await;
    let resolved = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap();
    assert_eq!((resolved.packet, resolved.source), (packet, Source::Cache));
    settle().await;
    assert_eq!(relay.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_expired_packet_is_served_at_once_and_refreshed_behind_the_caller() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(9000), 60), packet(&keypair, ago(5), 60));
    let relay = Arc::new(Scripted::gated(std::slice::from_ref(&new)));
    let engine = engine(&[&relay]);
    remember(&engine, &old, ago(9000)).await;
    let first = resolve(&engine, &keypair, Policy::StaleWhileRevalidate).await.unwrap();
    assert_eq!(first.packet, old);
    settle().await;
    assert_eq!(relay.asked(), 1);
    relay.gate.add_permits(1);
    settle().await;
    let second = resolve(&engine, &keypair, Policy::StaleWhileRevalidate).await.unwrap();
    assert_eq!((second.packet, second.source), (new, Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn seeing_the_same_packet_again_keeps_it_fresh() {
    let keypair = Keypair::random();
    let same = packet(&keypair, ago(9000), 60);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&same)));
    let engine = engine(&[&relay]);
    remember(&engine, &same, ago(9000)).await;
    for policy in [Policy::CacheFirst, Policy::CacheFirst] {
        assert_eq!(resolve(&engine, &keypair, policy).await.unwrap().packet, same);
    }
    assert_eq!(relay.asked(), 1, "the second is served from the cache");
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_the_same_time_share_one_lookup() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::gated(std::slice::from_ref(&packet)));
    let engine = engine(&[&relay]);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (engine, keypair) = (engine.clone(), keypair.clone());
            tokio::spawn(async move { timestamp(&engine, &keypair, Policy::CacheFirst).await })
        })
        .collect();
    settle().await;
    relay.gate.add_permits(100);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Some(packet.timestamp()));
    }
    assert_eq!(relay.asked(), 1);
    settle().await;
    assert_eq!(engine.flights.len(), 0, "a lookup that has ended is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_disturbs_nobody_else() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::gated(std::slice::from_ref(&packet)));
    let engine = engine(&[&relay]);
    let first = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    let second = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    relay.gate.add_permits(1);
    assert_eq!(second.await.unwrap().unwrap().packet, packet);
    assert_eq!(relay.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_of_the_whole_network_also_serves_who_wants_any_answer() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::gated(&[packet]));
    let engine = engine(&[&relay]);
    let all = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::NetworkOnly));
    settle().await;
    let first = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    relay.gate.add_permits(1);
    assert!(all.await.unwrap().is_ok() && first.await.unwrap().is_ok());
    assert_eq!(*relay.asked.lock().unwrap(), [Reach::All]);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_for_any_answer_does_not_serve_who_wants_the_newest() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::gated(&[packet]));
    let engine = engine(&[&relay]);
    let first = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    let all = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::MostRecent));
    settle().await;
    relay.gate.add_permits(2);
    assert!(all.await.unwrap().is_ok() && first.await.unwrap().is_ok());
    assert_eq!(*relay.asked.lock().unwrap(), [Reach::First, Reach::All]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_backend_does_not_delay_anothers_answer() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let (hanging, good) = (Arc::new(Scripted::gated(&[])), Arc::new(Scripted::with(&[packet])));
    let engine = engine(&[&hanging, &good]);
    let begun = Instant::now();
    let resolved = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(matches!(resolved.answers[0].outcome, AnswerOutcome::Pending));
}

#[tokio::test(start_paused = true)]
async fn who_wants_the_newest_waits_for_a_hanging_backend_no_longer_than_its_deadline() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let (hanging, good) = (Arc::new(Scripted::gated(&[])), Arc::new(Scripted::with(&[packet])));
    let engine = engine(&[&hanging, &good]);
    let begun = Instant::now();
    let resolved = resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap();
    assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()));
    let outcome = &resolved.answers[0].outcome;
    assert!(matches!(outcome, AnswerOutcome::Failed(Failure::TimedOut { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_all_answers_wins_and_the_others_show_in_the_report() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(50), 60), packet(&keypair, ago(5), 60));
    let behind = Arc::new(Scripted::gated(&[old]));
    let ahead = Arc::new(Scripted::with(std::slice::from_ref(&new)));
    let engine = engine(&[&behind, &ahead]);
    let resolving = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::NetworkOnly));
    settle().await;
    behind.gate.add_permits(1);
    let resolved = resolving.await.unwrap().unwrap();
    assert_eq!(resolved.packet, new);
    let outcome = &resolved.answers[0].outcome;
    assert!(matches!(outcome, AnswerOutcome::Outdated { seen, .. } if *seen == new.timestamp()));
}

#[tokio::test(start_paused = true)]
async fn another_keys_packet_never_surfaces() {
    let keypair = Keypair::random();
    let foreign = packet(&Keypair::random(), ago(5), 60);
    let liar = Arc::new(Scripted::with(std::slice::from_ref(&foreign)));
    let engine = engine(&[&liar]);
    for policy in [Policy::CacheFirst, Policy::NetworkOnly] {
        let error = resolve(&engine, &keypair, policy).await.unwrap_err();
        assert!(matches!(error.answers()[0].outcome, AnswerOutcome::WrongKey), "{error}");
    }
    for key in [keypair.public_key(), foreign.public_key()] {
        assert!(engine.recall(&key).await.is_none(), "nor is it cached");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_packet_does_not_win_where_a_newer_was_seen_even_without_a_cache() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(50), 60), packet(&keypair, ago(5), 60));
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&new)));
    let engine = engine_with(&[&relay], None, Freshness::default());
    assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, new);
    settle().await;
    *relay.finds.lock().unwrap() = vec![old];
    for policy in [Policy::CacheFirst, Policy::MostRecent, Policy::NetworkOnly] {
        let error = resolve(&engine, &keypair, policy).await.unwrap_err();
        let is_outdated =
            matches!(error, ResolveError::Outdated { seen, .. } if seen == new.timestamp());
        assert!(is_outdated, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_a_stale_relay_waits_for_a_better_one() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(9000), 60), packet(&keypair, ago(5), 60));
    let stale = Scripted::with(&[old]).last_seen(ago(9000));
    let (stale, slow) = (Arc::new(stale), Arc::new(Scripted::gated(std::slice::from_ref(&new))));
    let engine = engine(&[&stale, &slow]);
    let resolving = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    assert!(!resolving.is_finished());
    slow.gate.add_permits(1);
    assert_eq!(resolving.await.unwrap().unwrap().packet, new);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_better_than_none() {
    let keypair = Keypair::random();
    let old = packet(&keypair, ago(9000), 60);
    let stale = Scripted::with(std::slice::from_ref(&old)).last_seen(ago(9000));
    let (stale, empty) = (Arc::new(stale), Arc::new(Scripted::with(&[])));
    let engine = engine(&[&stale, &empty]);
    assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, old);
}

#[tokio::test(start_paused = true)]
async fn one_failing_backend_never_fails_the_whole() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let broken = Arc::new(Scripted::with(&[]).ending(failing()));
    let good = Arc::new(Scripted::with(std::slice::from_ref(&packet)));
    let engine = engine(&[&broken, &good]);
    assert_eq!(resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap().packet, packet);
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_error_says_so_and_a_stale_packet_may_stand_in() {
    let keypair = Keypair::random();
    let old = packet(&keypair, ago(9000), 60);
    let broken = Arc::new(Scripted::with(&[]).ending(failing()));
    let engine = engine(&[&broken]);
    remember(&engine, &old, ago(9000)).await;
    for policy in [Policy::CacheFirst, Policy::NetworkOnly] {
        let error = resolve(&engine, &keypair, policy).await.unwrap_err();
        assert!(matches!(error, ResolveError::NoAnswer(_)), "{error}");
    }
    for policy in [Policy::StaleIfError, Policy::MostRecent, Policy::CacheOnly] {
        let resolved = resolve(&engine, &keypair, policy).await.unwrap();
        assert_eq!((resolved.packet, resolved.source), (old.clone(), Source::Cache));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_anywhere_is_told_from_nobody_answering() {
    let keypair = Keypair::random();
    let (empty, broken) =
        (Arc::new(Scripted::with(&[])), Arc::new(Scripted::with(&[]).ending(failing())));
    let engine = engine(&[&empty, &broken]);
    let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.answers().len(), 2);
    let error = resolve(&engine, &keypair, Policy::CacheOnly).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotCached), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_no_packet_is_reported_with_its_sequence_number() {
    let keypair = Keypair::random();
    let odd = Arc::new(Scripted::with(&[]).ending(End::NotAPacket { seq: 42 }));
    let engine = engine(&[&odd]);
    let error = resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotAPacket { seq: 42, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_absence_is_remembered_only_if_all_agree_and_only_as_long_as_told() {
    let keypair = Keypair::random();
    let (empty, other) =
        (Arc::new(Scripted::with(&[])), Arc::new(Scripted::with(&[]).ending(failing())));
    let freshness = Freshness::default().with_negative_ttl(60);
    let engine = engine_with(&[&empty, &other], None, freshness);
    for asked in [1, 2] {
        resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
        settle().await;
        assert_eq!(empty.asked(), asked, "one failed, so the absence is not certain");
    }
    *other.end.lock().unwrap() = End::Exhausted;
    for _ in 0..3 {
        let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        settle().await;
    }
    assert_eq!(empty.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_packet_from_the_far_future_is_handed_out_but_locks_nothing() {
    let keypair = Keypair::random();
    let locked = packet(&keypair, Timestamp::MAX, 60);
    let sane = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&locked)));
    let engine = engine(&[&relay]);
    assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, locked);
    assert!(engine.recall(&keypair.public_key()).await.is_none());
    settle().await;
    *relay.finds.lock().unwrap() = vec![locked, sane.clone()];
    assert_eq!(resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap().packet, sane);
}

#[tokio::test(start_paused = true)]
async fn too_many_lookups_are_refused_and_room_comes_back() {
    let relay = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&relay]);
    for _ in 0..MAX_FLIGHTS {
        let key = Keypair::random().public_key();
        tokio::spawn(engine.clone().resolve(key, Policy::CacheFirst));
    }
    while relay.asked() < MAX_FLIGHTS {
        settle().await;
    }
    let keypair = Keypair::random();
    let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::Busy), "{error}");
    relay.gate.add_permits(MAX_FLIGHTS + 1);
    while engine.flights.len() > 0 {
        settle().await;
    }
    let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn of_two_packets_of_one_timestamp_the_same_one_stands_whichever_comes_first() {
    let keypair = Keypair::random();
    let now = ago(5);
    let (one, two) = (packet(&keypair, now, 60), packet(&keypair, now, 61));
    let (small, large) = if one.more_recent_than(&two) { (two, one) } else { (one, two) };
    for finds in [[small.clone(), large.clone()], [large.clone(), small]] {
        let relay = Arc::new(Scripted::with(&finds[..1]));
        let engine = engine(&[&relay]);
        resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap();
        *relay.finds.lock().unwrap() = finds[1..].to_vec();
        settle().await;
        let second = resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap();
        assert_eq!(second.packet, large);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_puts_into_a_shared_cache_meanwhile_wins_if_it_is_newer() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(50), 60), packet(&keypair, ago(5), 60));
    let relay = Arc::new(Scripted::gated(&[old]));
    let shared = Arc::new(InMemoryCache::new(10));
    let engine = engine_with(&[&relay], Some(shared.clone()), Freshness::default());
    let resolving = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    shared.put(Cached { packet: new.clone(), last_seen: ago(1) }).await.unwrap();
    relay.gate.add_permits(1);
    let resolved = resolving.await.unwrap().unwrap();
    assert_eq!((resolved.packet, resolved.source), (new, Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_a_second_backend_confirms_is_fresh_from_then_on() {
    let keypair = Keypair::random();
    let same = packet(&keypair, ago(9000), 60);
    let stale = Scripted::with(std::slice::from_ref(&same)).last_seen(ago(9000));
    let (stale, live) = (Arc::new(stale), Arc::new(Scripted::gated(std::slice::from_ref(&same))));
    let engine = engine(&[&stale, &live]);
    let resolving = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::CacheFirst));
    settle().await;
    live.gate.add_permits(1);
    assert_eq!(resolving.await.unwrap().unwrap().packet, same);
    let again = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap();
    assert_eq!(again.source, Source::Cache);
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_an_answer_is_in_does_not_get_that_answer_again() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(50), 60), packet(&keypair, ago(5), 60));
    let (quick, hanging) =
        (Arc::new(Scripted::with(std::slice::from_ref(&old))), Arc::new(Scripted::gated(&[])));
    let engine = engine_with(&[&quick, &hanging], None, Freshness::default());
    assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, old);
    *quick.finds.lock().unwrap() = vec![new.clone()];
    assert_eq!(engine.flights.len(), 1, "the first still waits for the other backend");
    assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, new);
}

#[tokio::test(start_paused = true)]
async fn a_packet_is_never_seen_in_the_future() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let tomorrow = Timestamp::clock().checked_add(Duration::from_secs(86_400)).unwrap();
    let relay = Arc::new(Scripted::with(&[packet]).last_seen(tomorrow));
    let resolved = resolve(&engine(&[&relay]), &keypair, Policy::CacheFirst).await.unwrap();
    assert!(resolved.last_seen <= Timestamp::clock());
}
