//! How a node begins and ends: runtimes, executors, threads, cancelling, shutting down.
//! Apart from what it finds in between.

use std::future::Future;
use std::net::UdpSocket;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use mainstay_dht::{
    BuildError, Dht, GetError, Id, MutableItem, PingError, PutError, Testnet, Verdict,
};
use mainstay_keys::Keypair;

use super::{client_of, joined, loopback};

const NOBODY: Id = Id::from_bytes([1; 20]);

#[test]
fn threads_without_a_runtime_put_and_get() {
    let testnet = Testnet::blocking(6).unwrap();
    let dht = client_of(&testnet).build().unwrap().as_blocking();
    assert!(dht.ready());
    let keypair = Keypair::random();
    let item = MutableItem::sign_bytes(&keypair, b"", 1, b"value").unwrap();
    dht.put_mutable(item.clone(), None).unwrap();
    let found: Vec<_> = dht.get_mutable(&keypair.public_key(), None, None).collect();
    assert_eq!(found, std::slice::from_ref(&item));
    assert_eq!(dht.get_mutable_most_recent(&keypair.public_key(), None), Ok(Some(item)));

    let info_hash = Id::from_bytes([2; 20]);
    dht.announce_peer(info_hash, Some(9)).unwrap();
    let peers: Vec<_> = dht.get_peers(info_hash).flatten().collect();
    assert_eq!(peers, ["127.0.0.1:9".parse().unwrap()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_only_worker_of_a_runtime_may_block() {
    let testnet = Testnet::new(3).await.unwrap();
    let dht = joined(&testnet).await.as_blocking();
    let stored = tokio::spawn(async move {
        let report = dht.put_immutable(b"value").unwrap();
        dht.get_immutable(report.target).unwrap().is_some()
    });
    assert!(stored.await.unwrap());
}

#[test]
fn futures_of_a_handle_run_on_any_executor() {
    let testnet = wait(Testnet::new(6)).unwrap();
    let dht = client_of(&testnet).build().unwrap();
    wait(async {
        assert!(dht.ready().await);
        let report = dht.put_immutable(b"value").await.unwrap();
        assert!(dht.get_immutable(report.target).await.unwrap().is_some());
    });
}

#[tokio::test]
async fn dropping_a_stream_ends_its_lookup() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let dht = client_through(&silent);
    let stream = dht.get_peers(NOBODY);
    let other = dht.get_mutable(&Keypair::random().public_key(), None, None);
    until(|| dht.info().running() == 2).await;
    drop(stream);
    until(|| dht.info().running() == 1).await;
    drop(other);
    until(|| dht.info().running() == 0).await;
}

#[tokio::test]
async fn dropping_a_future_ends_its_lookup() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let dht = client_through(&silent);
    {
        let mut put = pin!(dht.put_immutable(b"value"));
        let mut get = pin!(dht.get_immutable(NOBODY));
        tokio::select! {
            biased;
            put = &mut put => panic!("a silent node stored: {put:?}"),
            get = &mut get => panic!("a silent node answered: {get:?}"),
            () = until(|| dht.info().running() == 2) => {}
        }
    }
    until(|| dht.info().running() == 0).await;
}

#[tokio::test]
async fn more_questions_than_the_queue_holds_are_all_answered() {
    let testnet = Testnet::new(5).await.unwrap();
    let dht = joined(&testnet).await;
    // Nothing else runs meanwhile: most of them find the queue full.
    let info_hashes = (0..=255).cycle().take(700).map(|byte| Id::from_bytes([byte; 20]));
    let streams: Vec<_> = info_hashes.map(|info_hash| dht.get_peers(info_hash)).collect();
    for stream in streams {
        assert!(stream.finish().await.unwrap().answered > 0);
    }
    assert_eq!(dht.info().running(), 0);
}

#[tokio::test]
async fn a_node_can_keep_its_id() {
    let id = Id::from_bytes([0xa5; 20]);
    let dht = Dht::builder().no_bootstrap().bind(loopback()).id(id).build().unwrap();
    assert_eq!(dht.info().id(), id);
    let other = Dht::builder().no_bootstrap().bind(loopback()).build().unwrap();
    assert_ne!(other.info().id(), id);
}

#[tokio::test]
async fn a_node_that_was_shut_down_answers_every_call_with_an_error() {
    let testnet = Testnet::new(3).await.unwrap();
    let dht = joined(&testnet).await;
    let address = dht.local_addr();
    tokio::join!(dht.shutdown(), dht.shutdown());
    dht.shutdown().await;

    let key = Keypair::random();
    let item = MutableItem::sign_bytes(&key, b"", 1, b"value").unwrap();
    let shutdown = GetError::Shutdown;
    assert_eq!(dht.get_mutable_most_recent(&key.public_key(), None).await, Err(shutdown));
    assert_eq!(dht.get_mutable(&key.public_key(), None, None).finish().await, Err(shutdown));
    assert_eq!(dht.get_peers(NOBODY).finish().await, Err(shutdown));
    assert_eq!(dht.get_immutable(NOBODY).await, Err(shutdown));
    assert_eq!(dht.find_node(NOBODY).await, Err(shutdown));
    assert_eq!(dht.sample_infohashes(NOBODY).await, Err(shutdown));
    assert_eq!(dht.put_mutable(item, None).await, Err(PutError::Shutdown));
    assert_eq!(dht.put_immutable(b"value").await, Err(PutError::Shutdown));
    assert_eq!(dht.announce_peer(NOBODY, None).await, Err(PutError::Shutdown));
    assert_eq!(dht.ping(address).await, Err(PingError::Shutdown));
    assert_eq!(dht.trace().await.next().await, None);
    assert!(!dht.ready().await && !dht.bootstrapped());
    assert!(!dht.info().is_running());
    assert_eq!(dht.local_addr(), address);
    UdpSocket::bind(address).expect("the port is free again");
}

#[tokio::test]
async fn shutting_down_ends_what_is_under_way() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let dht = client_through(&silent);
    let get = dht.get_immutable(NOBODY);
    let peers = dht.get_peers(NOBODY).finish();
    let (got, peers, ()) = tokio::join!(get, peers, dht.shutdown());
    assert_eq!(got, Err(GetError::Shutdown));
    assert_eq!(peers, Err(GetError::Shutdown));
}

#[tokio::test]
async fn a_hook_that_panics_ends_its_node_and_hangs_nobody() {
    let testnet = Testnet::new(3).await.unwrap();
    let faulty = client_of(&testnet)
        .server_mode(true)
        .request_hook(
            |request| if request.target == Some(NOBODY) { panic!() } else { Verdict::Answer },
        )
        .build()
        .unwrap();
    assert!(faulty.ready().await);
    let mut events = faulty.events().await;
    let other = Dht::builder().bootstrap(&[faulty.local_addr().to_string()]).bind(loopback());
    let other = other.build().unwrap();
    let (_found, silent) = tokio::join!(other.find_node(NOBODY), async {
        while events.next().await.is_some() {}
        faulty.find_node(NOBODY).await
    });
    assert_eq!(silent, Err(GetError::Shutdown));
    assert!(!faulty.info().is_running());
    faulty.shutdown().await;
}

#[test]
fn a_runtime_that_goes_away_ends_its_nodes_and_hangs_nobody() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dht = runtime.block_on(async { client_through(&silent) });
    let mut stream = dht.get_peers(NOBODY);
    drop(runtime);
    assert_eq!(wait(stream.next()), None);
    assert_eq!(stream.report(), Some(Err(GetError::Shutdown)));
    assert_eq!(dht.as_blocking().get_immutable(NOBODY), Err(GetError::Shutdown));
    assert!(!dht.as_blocking().ready());
    dht.as_blocking().shutdown();
}

#[tokio::test]
async fn a_node_ends_with_its_last_handle() {
    let dht = Dht::builder().no_bootstrap().bind(loopback()).build().unwrap();
    let address = dht.local_addr();
    let other = dht.clone();
    let stream = dht.get_peers(NOBODY);
    drop(dht);
    drop(other);
    assert!(UdpSocket::bind(address).is_err(), "a stream keeps the node alive");
    drop(stream);
    until(|| UdpSocket::bind(address).is_ok()).await;
}

#[tokio::test]
async fn bootstrap_nodes_that_are_dead_are_told_apart_from_finding_nothing() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let dht = client_through(&silent);
    assert!(!dht.ready().await);
    assert!(!dht.bootstrapped());
    let error = dht.get_immutable(NOBODY).await.unwrap_err();
    assert!(matches!(error, GetError::NoNodes | GetError::NoAnswer { .. }), "{error:?}");
    let error = dht.put_immutable(b"value").await.unwrap_err();
    assert!(matches!(error, PutError::NoNodes | PutError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn bootstrap_names_are_resolved_after_the_build() {
    let testnet = Testnet::new(3).await.unwrap();
    let name = format!("localhost:{}", testnet.nodes[0].local_addr().port());
    let dht = Dht::builder().bootstrap(&[name]).bind(loopback()).build().unwrap();
    assert!(dht.ready().await);
    assert!(!dht.to_bootstrap().is_empty());
}

#[tokio::test]
async fn what_a_node_learnt_serves_to_join_again() {
    let testnet = Testnet::new(8).await.unwrap();
    let learnt = joined(&testnet).await.to_bootstrap();
    assert!(learnt.len() >= 4, "{learnt:?}");
    let dht = Dht::builder().bootstrap(&learnt).bind(loopback()).build().unwrap();
    assert!(dht.ready().await);
    assert!(dht.bootstrapped());
}

#[tokio::test]
async fn a_bootstrap_address_without_a_port_is_refused() {
    let error = Dht::builder().bootstrap(&["dht.example.org"]).build().unwrap_err();
    assert!(matches!(error, BuildError::Bootstrap { .. }), "{error:?}");
}

/// A client whose only bootstrap node never answers.
fn client_through(silent: &UdpSocket) -> Dht {
    Dht::builder()
        .bootstrap(&[silent.local_addr().unwrap().to_string()])
        .request_timeout(Duration::from_millis(300))
        .bind(loopback())
        .build()
        .unwrap()
}

/// Lets the others run until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// The smallest of all executors.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
