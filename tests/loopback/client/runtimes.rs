//! Clients without a runtime, in several, in one that is gone, and blocking inside one.
//! Apart because what is tested is where the futures run, not what they answer.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mainstay::{BuildError, Client, Keypair};
use tokio::runtime::Runtime;

use super::relay::{Manner, Relay};
use super::{AT_ONCE, over_relays, packet};

/// The smallest executor there is; it knows nothing of tokio.
fn drive<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A relay in a runtime of its own.
fn relay_apart() -> (Runtime, Relay) {
    let runtime = Runtime::new().expect("threads can be started");
    let relay = runtime.block_on(Relay::start(Manner::Honest));
    (runtime, relay)
}

#[test]
fn a_client_works_under_any_executor_without_a_runtime_about() {
    let (_runtime, relay) = relay_apart();
    let client = over_relays(&[&relay]).build().unwrap();
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    drive(client.publish(&packet, None)).unwrap();
    let cold = over_relays(&[&relay]).build().unwrap();
    assert_eq!(drive(cold.resolve(&keypair.public_key())), Some(packet));
}

#[test]
fn a_client_outlives_the_runtime_it_was_built_and_used_in() {
    let (_runtime, relay) = relay_apart();
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let short_lived = Runtime::new().unwrap();
    let client = short_lived.block_on(async {
        let client = over_relays(&[&relay]).build().unwrap();
        client.publish(&packet, None).await.unwrap();
        client
    });
    drop(short_lived);
    let next = Runtime::new().unwrap();
    let newest = next.block_on(client.resolve_most_recent(&keypair.public_key()));
    assert_eq!(newest, Some(packet));
    assert_eq!(relay.count("GET"), 1);
}

#[test]
fn the_blocking_client_needs_no_runtime() {
    let (_runtime, relay) = relay_apart();
    let client = over_relays(&[&relay]).build().unwrap().as_blocking();
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    client.publish(&packet, None).unwrap();
    assert_eq!(client.resolve(&keypair.public_key()), Some(packet.clone()));
    assert_eq!(client.resolve_most_recent(&keypair.public_key()), Some(packet));
    assert_eq!(client.resolve(&Keypair::random().public_key()), None);
}

#[tokio::test]
async fn the_blocking_client_neither_panics_nor_hangs_inside_a_runtime_of_one_thread() {
    let (runtime, relay) = thread::spawn(relay_apart).join().unwrap();
    let testnet = thread::spawn(|| mainstay::dht::Testnet::blocking(5)).join().unwrap().unwrap();
    let client = super::over_dht(&testnet).extra_relays(&[&relay.url]).unwrap().build().unwrap();
    let client = client.as_blocking();
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let report = client.publish_report(&packet, None).unwrap();
    assert_eq!(report.stored_backends(), 2, "{report}");
    assert_eq!(client.resolve_most_recent(&keypair.public_key()), Some(packet));
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_publish_that_is_dropped_goes_on_and_blocks_nobody() {
    let relay = Relay::start(Manner::Hangs).await;
    let patience = Duration::from_secs(1);
    let client = over_relays(&[&relay]).relay_request_timeout(patience).build().unwrap();
    let keypair = Keypair::random();
    let (first, second) = (packet(&keypair, 50), packet(&keypair, 5));
    let mut dropped = Box::pin(client.publish(&first, None));
    // Polled once, it is under way.
    let polled = std::future::poll_fn(|context| Poll::Ready(dropped.as_mut().poll(context)));
    assert!(polled.await.is_pending());
    drop(dropped);
    while relay.count("PUT") == 0 {
        tokio::task::yield_now().await;
    }
    let blind = client.publish(&second, None).await.unwrap_err();
    assert_eq!(blind.concurrency(), Some(mainstay::ConcurrencyError::ConflictRisk));
    relay.change(Manner::Honest);
    // The first runs into its deadline, and then the second has its turn.
    let error = client.publish(&second, Some(first.timestamp())).await.unwrap_err();
    assert!(error.concurrency().is_some(), "nothing stands there to be replaced: {error}");
    client.publish(&second, None).await.unwrap();
    assert_eq!(relay.packet(keypair.public_key()), Some(second));
}

#[test]
fn building_asks_nobody_and_waits_for_nothing() {
    let begun = Instant::now();
    let client = Client::builder()
        .no_default_network()
        .relays(&["http://relay.invalid", "https://relay.invalid/pkarr"])
        .unwrap()
        .build()
        .unwrap();
    assert!(begun.elapsed() < AT_ONCE);
    assert_eq!(client.cache().map(mainstay::Cache::capacity), Some(1000));
}

#[test]
fn a_client_with_nobody_to_ask_is_not_built() {
    let nothing = Client::builder().no_default_network().build();
    assert!(matches!(nothing, Err(BuildError::NoNetwork)));
    let none: [&str; 0] = [];
    let empty = Client::builder().no_default_network().relays(&none).unwrap().build();
    assert!(matches!(empty, Err(BuildError::EmptyListOfRelays)));
    for url in ["", "relay.example.com", "ftp://relay.example.com", "http://"] {
        assert!(Client::builder().relays(&[url]).is_err(), "{url}");
        assert!(Client::builder().extra_relays(&[url]).is_err(), "{url}");
    }
}
