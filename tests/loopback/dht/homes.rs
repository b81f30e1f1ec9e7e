//! A node with several addresses of one family (BEP 45), on the addresses that every loopback interface has.
//! Apart from the sockets, because it is several nodes to everybody else.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use mainstay_dht::{Dht, Testnet, Verdict};

use super::{joined, loopback};

fn second() -> SocketAddr {
    "127.0.0.2:0".parse().unwrap()
}

#[tokio::test]
async fn one_node_serves_at_several_addresses_of_a_family_each_with_an_id_of_its_own() {
    let testnet = Testnet::new(10).await.unwrap();
    let dht = Dht::builder()
        .bootstrap(&testnet.bootstrap)
        .server_mode(true)
        .bind(loopback())
        .also_bind(second())
        .also_bind("127.0.0.3:0".parse().unwrap())
        .build()
        .unwrap();
    let [one, other] = dht.homes() else { panic!("{:?}", dht.homes()) };
    assert!(dht.ready().await && one.ready().await && other.ready().await);
    let addresses = dht.local_addrs();
    let hosts: Vec<String> = addresses.iter().map(|addr| addr.ip().to_string()).collect();
    assert_eq!(hosts, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    // To everybody else these are three nodes, and each answers from where it was asked.
    let stranger = joined(&testnet).await;
    let mut ids = BTreeSet::new();
    for (address, home) in addresses.iter().zip([&dht, one, other]) {
        let pong = stranger.ping(*address).await.unwrap();
        assert_eq!((pong.node.addr, pong.node.id), (*address, home.info().id()));
        ids.insert(pong.node.id);
        let found = stranger.find_node(home.info().id()).await.unwrap();
        assert_eq!(found[0].addr, *address);
    }
    assert_eq!(ids.len(), 3);
    let report = dht.put_immutable(b"from many places").await.unwrap();
    assert!(other.get_immutable(report.target).await.unwrap().is_some());
    dht.shutdown().await;
    assert!(!one.info().is_running() && !other.info().is_running());
    assert!(stranger.ping(addresses[2]).await.is_err());
}

#[tokio::test]
async fn who_is_not_heard_at_its_first_address_asks_from_the_next() {
    let deaf: IpAddr = loopback().ip();
    let first =
        Dht::builder().no_bootstrap().server_mode(true).bind("127.0.0.9:0".parse().unwrap());
    let first = first
        .request_hook(
            move |request| {
                if request.from.ip() == deaf { Verdict::Ignore } else { Verdict::Answer }
            },
        )
        .build()
        .unwrap();
    let bootstrap = [first.local_addr().to_string()];
    let dht =
        Dht::builder().bootstrap(&bootstrap).bind(loopback()).also_bind(second()).build().unwrap();
    assert!(dht.homes()[0].ready().await);
    assert!(!dht.bootstrapped());
    let report = dht.put_immutable(b"roundabout").await.unwrap();
    assert_eq!(report.nodes[0].addr, first.local_addr());
    assert!(dht.get_immutable(report.target).await.unwrap().is_some());
}

#[tokio::test]
async fn each_address_keeps_its_id_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let build = || {
        let dht = Dht::builder().no_bootstrap().bind(loopback()).also_bind(second());
        dht.state_file(&state).build().unwrap()
    };
    let ids = |dht: &Dht| [dht.info().id(), dht.homes()[0].info().id()];
    let before = build();
    let known = ids(&before);
    before.shutdown().await;
    assert!(folder.path().join("state.2").exists());
    let again = build();
    assert_eq!(ids(&again), known);
    assert_ne!(known[0], known[1]);
    again.shutdown().await;
}
