//! The republisher over backends that do what the test says, under a paused clock.
//!
//! Separate from the tests of the schedule, which need no runtime.

use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::Keypair;

use super::*;
use crate::error::ConcurrencyError;
use crate::report::PublishResult;
use crate::scripted::{Scripted, ago, engine, packet};

fn client(backends: &[&Arc<Scripted>]) -> Client {
    let engine = Arc::into_inner(engine(backends)).unwrap();
    Client::new(
        engine,
        7,
        #[cfg(feature = "dht")]
        None,
    )
}

fn start(backend: &Arc<Scripted>) -> (Republisher, Events) {
    let republisher = Republisher::builder(client(&[backend])).start().unwrap();
    let events = republisher.events();
    (republisher, events)
}

#[tokio::test(start_paused = true)]
async fn a_packet_is_put_again_byte_for_byte_for_as_long_as_it_is_kept() {
    let backend = Arc::new(Scripted::with(&[]));
    let (republisher, mut events) = start(&backend);
    let packet = packet(&Keypair::random(), ago(1), 300);
    republisher.add(packet.clone()).await.unwrap();
    let event = events.next().await.unwrap();
    assert_eq!((event.work, event.verdict), (Work::Put, Verdict::Kept));
    assert_eq!((event.copies, event.timestamp), (Some(20), Some(packet.timestamp())));
    assert!(backend.published.lock().unwrap().iter().all(|(put, _)| put.is_same_as(&packet)));
    let metrics = republisher.metrics();
    assert_eq!((metrics.kept, metrics.stored), (1, 1));
    assert!(republisher.remove(&packet.public_key()).await.is_some());
    assert!(republisher.kept(&packet.public_key()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_newer_packet_in_the_network_takes_the_place_of_the_one_that_is_kept() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(60), 300), packet(&keypair, ago(30), 300));
    let conflict = ConcurrencyError::NotMostRecent { seen: None };
    let backend = Arc::new(
        Scripted::with(std::slice::from_ref(&new)).answering(PublishResult::Conflict { conflict }),
    );
    let (republisher, mut events) = start(&backend);
    republisher.add(old.clone()).await.unwrap();
    assert_eq!(events.next().await.unwrap().verdict, Verdict::Searching);
    let adopted = events.next().await.unwrap();
    assert_eq!(adopted.verdict, Verdict::Adopted { instead_of: Some(old.timestamp()) });
    let kept = republisher.kept(&keypair.public_key()).await.unwrap();
    assert!(kept.packet.unwrap().is_same_as(&new));
    assert_eq!(republisher.metrics().adopted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_alone_is_kept_with_what_the_network_has() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(60), 300);
    let backend = Arc::new(Scripted::with(std::slice::from_ref(&packet)));
    let (republisher, mut events) = start(&backend);
    republisher.add_key(keypair.public_key()).await.unwrap();
    assert_eq!(events.next().await.unwrap().verdict, Verdict::Adopted { instead_of: None });
    assert_eq!(events.next().await.unwrap().verdict, Verdict::Kept);
    assert_eq!(backend.published(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_what_is_not_due_is_not_put() {
    let place = tempfile::tempdir().unwrap();
    let backend = Arc::new(Scripted::with(&[]));
    let kept = packet(&Keypair::random(), ago(60), 300);
    let removed = packet(&Keypair::random(), ago(60), 300);
    let builder = Republisher::builder(client(&[&backend])).state(place.path());
    let republisher = builder.start().unwrap();
    let mut events = republisher.events();
    for packet in [&kept, &removed] {
        republisher.add(packet.clone()).await.unwrap();
        assert_eq!(events.next().await.unwrap().verdict, Verdict::Kept);
    }
    republisher.remove(&removed.public_key()).await;
    republisher.shutdown().await;
    assert_eq!(republisher.add(kept.clone()).await, Err(AddError::Shutdown));
    assert!(events.next().await.is_none());

    let builder = Republisher::builder(client(&[&backend])).state(place.path());
    let republisher = builder.start().unwrap();
    let again = republisher.kept(&kept.public_key()).await.unwrap();
    assert!(again.packet.unwrap().is_same_as(&kept));
    assert!(again.next > Timestamp::clock());
    assert!(republisher.kept(&removed.public_key()).await.is_none());
    assert_eq!(republisher.metrics().overdue, 0);
    republisher.shutdown().await;
    assert_eq!(backend.published(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_no_longer_than_its_farewell_for_a_backend_that_hangs() {
    let backend = Arc::new(Scripted::gated(&[]));
    let (republisher, _events) = start(&backend);
    republisher.add(packet(&Keypair::random(), ago(1), 300)).await.unwrap();
    while backend.published() == 0 {
        tokio::task::yield_now().await;
    }
    let asked = tokio::time::Instant::now();
    republisher.shutdown().await;
    assert!(asked.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_last_handle() {
    let backend = Arc::new(Scripted::with(&[]));
    let (republisher, mut events) = start(&backend);
    drop(republisher.clone());
    assert!(republisher.kept(&Keypair::random().public_key()).await.is_none());
    drop(republisher);
    assert!(events.next().await.is_none());
}
