//! What publishing promises: one packet of a key at a time, no lost update, no lie in the cache.
//!
//! Separate because each promise needs backends that answer in its own way.

use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::Keypair;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Outcome, Publishes};
use crate::engine::Engine;
use crate::error::{ConcurrencyError, PublishError};
use crate::report::{Failure, PublishResult};
use crate::scripted::{PATIENCE, Scripted, ago, engine, engine_with, packet, settle};
use crate::{Freshness, Policy, SignedPacket, Timestamp};

fn publish(
    engine: &Arc<Engine>,
    packet: &SignedPacket,
    cas: Option<Timestamp>,
) -> JoinHandle<Outcome> {
    let (engine, packet) = (engine.clone(), packet.clone());
    tokio::spawn(async move { Publishes::publish(&engine, &packet, cas).await })
}

async fn conflict(publishing: JoinHandle<Outcome>) -> ConcurrencyError {
    publishing.await.unwrap().unwrap_err().concurrency().expect("a conflict")
}

async fn cached(engine: &Engine, keypair: &Keypair) -> Option<SignedPacket> {
    engine.recall(&keypair.public_key()).await.map(|cached| cached.packet)
}

/// Two packets of one key, the older first.
fn two(keypair: &Keypair) -> (SignedPacket, SignedPacket) {
    (packet(keypair, ago(50), 300), packet(keypair, ago(5), 300))
}

fn refusing(conflict: ConcurrencyError) -> PublishResult {
    PublishResult::Conflict { conflict }
}

const CAS_FAILED: ConcurrencyError = ConcurrencyError::CasFailed { seen: None };

#[tokio::test(start_paused = true)]
async fn what_was_stored_is_reported_and_cached() {
    let keypair = Keypair::random();
    let (_, packet) = two(&keypair);
    let relay = Arc::new(Scripted::with(&[]));
    let engine = engine(&[&relay]);
    let report = publish(&engine, &packet, None).await.unwrap().unwrap();
    assert_eq!((report.stored_nodes(), report.stored_backends()), (20, 1));
    assert_eq!(cached(&engine, &keypair).await, Some(packet));
    assert_eq!(engine.publishes.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_cache_changes_only_after_something_was_stored() {
    let keypair = Keypair::random();
    let (_, packet) = two(&keypair);
    let failed = PublishResult::Failed(Failure::Abandoned);
    let relay = Arc::new(Scripted::gated(&[]).answering(failed));
    let engine = engine(&[&relay]);
    let publishing = publish(&engine, &packet, None);
    settle().await;
    assert_eq!(cached(&engine, &keypair).await, None, "not while it is on its way");
    relay.gate.add_permits(1);
    let error = publishing.await.unwrap().unwrap_err();
    assert!(matches!(error, PublishError::NotStored(_)), "{error}");
    assert_eq!(cached(&engine, &keypair).await, None, "nor when nobody stored it");
}

#[tokio::test(start_paused = true)]
async fn the_same_packet_joins_the_publish_under_way() {
    let keypair = Keypair::random();
    let (_, packet) = two(&keypair);
    let relay = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&relay]);
    let (first, second) = (publish(&engine, &packet, None), publish(&engine, &packet, None));
    settle().await;
    relay.gate.add_permits(2);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    assert_eq!(relay.published(), 1);
}

#[tokio::test(start_paused = true)]
async fn rivals_of_a_publish_under_way_are_told_apart() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let newer = packet(&keypair, Timestamp::now(), 300);
    let relay = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&relay]);
    let first = publish(&engine, &new, None);
    settle().await;
    let seen = Some(new.timestamp());
    let older = conflict(publish(&engine, &old, None)).await;
    assert_eq!(older, ConcurrencyError::NotMostRecent { seen });
    let blind = conflict(publish(&engine, &newer, None)).await;
    assert_eq!(blind, ConcurrencyError::ConflictRisk);
    let wrong = conflict(publish(&engine, &newer, Some(old.timestamp()))).await;
    assert_eq!(wrong, ConcurrencyError::CasFailed { seen });
    relay.gate.add_permits(9);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(relay.published(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_right_cas_follows_once_the_publish_under_way_has_ended() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let relay = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&relay]);
    let first = publish(&engine, &old, None);
    settle().await;
    let second = publish(&engine, &new, Some(old.timestamp()));
    settle().await;
    assert_eq!(relay.published(), 1, "one at a time");
    relay.gate.add_permits(2);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    assert_eq!(cached(&engine, &keypair).await, Some(new.clone()));
    let (_, cas) = relay.published.lock().unwrap()[1].clone();
    assert_eq!(cas, Some(old.timestamp()));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_publish_goes_on_and_leaves_nothing_behind() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let relay = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&relay]);
    let dropped = publish(&engine, &old, None);
    settle().await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    relay.gate.add_permits(9);
    settle().await;
    assert_eq!(cached(&engine, &keypair).await, Some(old));
    assert_eq!(engine.publishes.len(), 0);
    assert!(publish(&engine, &new, None).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_packet_older_than_one_seen_is_refused_without_asking_anybody() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&new)));
    let engine = engine(&[&relay]);
    engine.clone().resolve(keypair.public_key(), Policy::MostRecent).await.unwrap();
    let seen = Some(new.timestamp());
    let refused = conflict(publish(&engine, &old, None)).await;
    assert_eq!(refused, ConcurrencyError::NotMostRecent { seen });
    assert_eq!(relay.published(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cas_older_than_the_packet_seen_is_refused_and_a_newer_one_is_not() {
    let keypair = Keypair::random();
    let (known, next) = two(&keypair);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&known)));
    let engine = engine(&[&relay]);
    engine.clone().resolve(keypair.public_key(), Policy::MostRecent).await.unwrap();
    let stale = Some(ago(90));
    let seen = Some(known.timestamp());
    let refused = conflict(publish(&engine, &next, stale)).await;
    assert_eq!(refused, ConcurrencyError::CasFailed { seen });
    // The caller has read a newer packet by another way than this client.
    assert!(publish(&engine, &next, Some(ago(20))).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn publishing_the_same_packet_again_is_a_republish_whatever_the_cas() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let relay = Arc::new(Scripted::with(&[]));
    let engine = engine(&[&relay]);
    for cas in [None, Some(old.timestamp()), Some(new.timestamp())] {
        assert!(publish(&engine, &new, cas).await.unwrap().is_ok(), "{cas:?}");
    }
    assert!(relay.published.lock().unwrap().iter().all(|(_, cas)| cas.is_none()));
}

#[tokio::test(start_paused = true)]
async fn one_failing_backend_does_not_fail_the_publish() {
    let keypair = Keypair::random();
    let (_, packet) = two(&keypair);
    let failed = PublishResult::Failed(Failure::Abandoned);
    let broken = Arc::new(Scripted::with(&[]).answering(failed));
    let good = Arc::new(Scripted::with(&[]));
    let engine = engine(&[&broken, &good]);
    let report = publish(&engine, &packet, None).await.unwrap().unwrap();
    assert_eq!(report.stored_backends(), 1);
    assert!(matches!(report.outcomes[0].result, PublishResult::Failed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_backend_costs_no_more_than_its_deadline() {
    let keypair = Keypair::random();
    let (_, packet) = two(&keypair);
    let (hanging, good) = (Arc::new(Scripted::gated(&[])), Arc::new(Scripted::with(&[])));
    let engine = engine(&[&hanging, &good]);
    let begun = Instant::now();
    let report = publish(&engine, &packet, None).await.unwrap().unwrap();
    assert!(begun.elapsed() < PATIENCE + Duration::from_secs(1));
    let result = &report.outcomes[0].result;
    assert!(matches!(result, PublishResult::Failed(Failure::TimedOut { .. })), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_knows_a_newer_packet_fails_the_publish_though_others_stored_it() {
    let keypair = Keypair::random();
    let (ours, theirs) = two(&keypair);
    let ahead = Scripted::with(std::slice::from_ref(&theirs)).answering(refusing(CAS_FAILED));
    let (ahead, behind) = (Arc::new(ahead), Arc::new(Scripted::with(&[])));
    let engine = engine(&[&ahead, &behind]);
    let error = publish(&engine, &ours, Some(ago(90))).await.unwrap().unwrap_err();
    let seen = Some(theirs.timestamp());
    assert_eq!(error.concurrency(), Some(ConcurrencyError::CasFailed { seen }));
    assert_eq!(error.report().map(|report| report.outcomes.len()), Some(2));
    assert_eq!(cached(&engine, &keypair).await, Some(theirs), "the cache learns of the winner");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_merely_behind_does_not_fail_the_publish() {
    let keypair = Keypair::random();
    let (theirs, ours) = two(&keypair);
    let behind = Scripted::with(&[theirs]).answering(refusing(CAS_FAILED));
    let (behind, good) = (Arc::new(behind), Arc::new(Scripted::with(&[])));
    let engine = engine(&[&behind, &good]);
    assert!(publish(&engine, &ours, Some(ago(20))).await.unwrap().is_ok());
    assert_eq!(cached(&engine, &keypair).await, Some(ours));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_because_our_own_packet_came_first_is_no_conflict() {
    let keypair = Keypair::random();
    let (_, ours) = two(&keypair);
    let there = Scripted::with(std::slice::from_ref(&ours)).answering(refusing(CAS_FAILED));
    let relay = Arc::new(there);
    let engine = engine(&[&relay]);
    assert!(publish(&engine, &ours, Some(ago(20))).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn after_a_publish_a_lookup_from_before_is_not_joined() {
    let keypair = Keypair::random();
    let (_, new) = two(&keypair);
    let relay = Arc::new(Scripted::gated(&[]).publishing_freely());
    let engine = engine(&[&relay]);
    let resolve =
        || tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::NetworkOnly));
    let before = resolve();
    settle().await;
    publish(&engine, &new, None).await.unwrap().unwrap();
    let after = resolve();
    settle().await;
    assert_eq!(relay.asked(), 2);
    relay.gate.add_permits(2);
    assert_eq!(after.await.unwrap().unwrap().packet, new);
    assert!(before.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_overtaken_while_it_is_published_is_not_cached() {
    let keypair = Keypair::random();
    let backend = Arc::new(Scripted::gated(&[]));
    let engine = engine(&[&backend]);
    let overtaken = packet(&keypair, ago(5), 300);
    let publishing = publish(&engine, &overtaken, None);
    settle().await;
    // Seen, and evicted from the cache since.
    engine.seen.note_packet(keypair.public_key(), ago(1), Timestamp::clock());
    backend.gate.add_permits(1);
    publishing.await.unwrap().unwrap();
    assert!(engine.at_hand(&keypair.public_key(), Policy::CacheOnly).is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_too_a_packet_older_than_one_seen_is_refused() {
    let keypair = Keypair::random();
    let (old, new) = two(&keypair);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&new)));
    let engine = engine_with(&[&relay], None, Freshness::default());
    engine.clone().resolve(keypair.public_key(), Policy::MostRecent).await.unwrap();
    let seen = Some(new.timestamp());
    let refused = conflict(publish(&engine, &old, None)).await;
    assert_eq!(refused, ConcurrencyError::NotMostRecent { seen });
    assert_eq!(relay.published(), 0);
}
