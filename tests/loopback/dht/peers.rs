//! Peers, nodes and samples from handle to handle: BEP 5 and BEP 51.
//! Apart from items, which nobody has to announce again.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mainstay_dht::{Dht, Id, PingError, StepKind, Testnet};

use super::{client_of, joined, loopback};

#[tokio::test]
async fn peers_are_found_at_the_ports_they_announced() {
    let testnet = Testnet::new(10).await.unwrap();
    let info_hash = Id::from_bytes([5; 20]);
    let (first, second) = (joined(&testnet).await, joined(&testnet).await);
    let report = first.announce_peer(info_hash, Some(4242)).await.unwrap();
    assert_eq!(report.target, info_hash);
    second.announce_peer(info_hash, None).await.unwrap();

    let third = joined(&testnet).await;
    let found = peers(&third, info_hash).await;
    let expected = BTreeSet::from(["127.0.0.1:4242".parse().unwrap(), second.local_addr()]);
    assert_eq!(found, expected);

    first.announce_seed(info_hash, Some(4242)).await.unwrap();
    let mut stream = third.get_downloaders(info_hash);
    let mut found = BTreeSet::new();
    while let Some(peers) = stream.next().await {
        found.extend(peers);
    }
    assert_eq!(found, BTreeSet::from([second.local_addr()]));
    let scrape = third.scrape(info_hash).await.unwrap();
    assert_eq!((scrape.seed_count(), scrape.downloader_count()), (1, 1));
}

#[tokio::test]
async fn an_info_hash_that_nobody_announced_has_no_peers() {
    let testnet = Testnet::new(5).await.unwrap();
    let dht = joined(&testnet).await;
    assert!(peers(&dht, Id::from_bytes([6; 20])).await.is_empty());
    let report = dht.get_peers(Id::from_bytes([6; 20])).finish().await.unwrap();
    assert!(report.answered > 0);
}

#[tokio::test]
async fn find_node_names_the_closest_node_first() {
    let testnet = Testnet::new(20).await.unwrap();
    let dht = joined(&testnet).await;
    let wanted = &testnet.nodes[13];
    let found = dht.find_node(wanted.info().id()).await.unwrap();
    assert_eq!(found[0].addr, wanted.local_addr());
    assert_eq!(found[0].id, wanted.info().id());
    assert!(found.len() >= 8, "{} nodes", found.len());
}

#[tokio::test]
async fn announced_info_hashes_turn_up_in_samples() {
    let testnet = Testnet::new(6).await.unwrap();
    let dht = joined(&testnet).await;
    let info_hash = Id::from_bytes([8; 20]);
    dht.announce_peer(info_hash, Some(1)).await.unwrap();
    let samples = dht.sample_infohashes(info_hash).await.unwrap();
    assert!(samples.iter().any(|sample| sample.info_hashes.contains(&info_hash)), "{samples:?}");
}

#[tokio::test]
async fn a_ping_tells_who_is_there_and_who_is_not() {
    let testnet = Testnet::new(2).await.unwrap();
    let dht = client_of(&testnet).request_timeout(PATIENCE).build().unwrap();
    let node = &testnet.nodes[1];
    let pong = dht.ping(node.local_addr()).await.unwrap();
    assert_eq!(pong.node.id, node.info().id());

    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    let address = silent.local_addr().unwrap();
    assert_eq!(dht.ping(address).await, Err(PingError::NoAnswer { address }));
}

#[tokio::test]
async fn a_trace_shows_the_steps_of_a_lookup() {
    let testnet = Testnet::new(6).await.unwrap();
    let dht = joined(&testnet).await;
    let target = Id::from_bytes([3; 20]);
    let mut trace = dht.trace().await;
    dht.find_node(target).await.unwrap();

    let mut steps = Vec::new();
    while let Some(step) = trace.try_next() {
        assert_eq!(step.target, Some(target));
        steps.push(step.step.what);
    }
    assert!(steps.contains(&StepKind::Asked), "{steps:?}");
    assert!(steps.iter().any(|what| matches!(what, StepKind::Answered { .. })), "{steps:?}");
}

const PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);

async fn peers(dht: &Dht, info_hash: Id) -> BTreeSet<SocketAddr> {
    let mut stream = dht.get_peers(info_hash);
    let mut found = BTreeSet::new();
    while let Some(batch) = stream.next().await {
        for peer in batch {
            assert!(found.insert(peer), "{peer} came twice");
        }
    }
    found
}
