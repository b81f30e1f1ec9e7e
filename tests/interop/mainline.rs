//! mainline 8 as a client of our nodes, and our client among its: everything its own rules allow.
//!
//! Separate from the items, because what mainline's nodes do not take is shown in `limits.rs`.

use std::net::SocketAddr;

use futures_util::StreamExt;
use mainstay_dht::{Dht, Testnet};
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;
use serde_json::json;

use crate::hex;
use crate::peer::{Peer, Program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mainline_stores_and_reads_items_and_peers_through_our_nodes() {
    let Some(mut mainline) = Peer::spawn(Program::Modern) else { return };
    let testnet = Testnet::new(10).await.expect("loopback has room for it");
    let joined = mainline.must(&json!({ "op": "dht", "bootstrap": testnet.bootstrap }));
    assert_eq!(joined["bootstrapped"], true);
    let ours = &testnet.nodes[4];
    let keypair = Keypair::random();
    let key = hex::encode(keypair.public_key().as_bytes());
    for salt in [&b""[..], b"a salt"] {
        let mut put = json!({
            "op": "put_mutable", "seed": hex::encode(keypair.secret_key().as_bytes()), "seq": 1,
            "value": hex::encode(b"from mainline"),
        });
        let mut get = json!({ "op": "get_mutable", "key": key });
        if !salt.is_empty() {
            put["salt"] = json!(hex::encode(salt));
            get["salt"] = json!(hex::encode(salt));
        }
        let stored = mainline.must(&put);
        assert!(stored["stored"].as_u64() >= Some(8), "{stored}");
        let read = ours.get_mutable_most_recent(&keypair.public_key(), Some(salt)).await;
        let item = read.expect("nodes answer").expect("it is found");
        assert_eq!((item.seq(), item.bytes()), (1, Some(&b"from mainline"[..])));

        let next = MutableItem::sign_bytes(&keypair, salt, 2, b"from us").expect("a small value");
        ours.put_mutable(next, Some(1)).await.expect("it replaces theirs");
        let read = mainline.must(&get);
        assert_eq!(read, json!({ "seq": 2, "value": hex::encode(b"from us") }));
    }
    let stored =
        mainline.must(&json!({ "op": "put_immutable", "value": hex::encode(b"never changes") }));
    let target: Id = stored["target"].as_str().expect("a target").parse().expect("40 hex digits");
    let item = ours.get_immutable(target).await.expect("nodes answer").expect("it is found");
    assert_eq!(item.bytes(), Some(&b"never changes"[..]));

    peers_both_ways(&mut mainline, ours).await;
}

/// mainline collects the tokens of its announces with `get`; ours are bound to address and target, and good for both.
async fn peers_both_ways(mainline: &mut Peer, ours: &Dht) {
    let hash = Id::from_bytes(*b"announced by mainlin");
    mainline.must(&json!({ "op": "announce", "info_hash": hash.to_string(), "port": 1234 }));
    let batches: Vec<_> = ours.get_peers(hash).collect().await;
    let expected = SocketAddr::from(([127, 0, 0, 1], 1234));
    assert!(batches.into_iter().flatten().any(|peer| peer == expected), "their peer is not found");

    let hash = Id::from_bytes(*b"announced by mainsta");
    ours.announce_peer(hash, Some(4321)).await.expect("our nodes take it");
    let read = mainline.must(&json!({ "op": "get_peers", "info_hash": hash.to_string() }));
    assert_eq!(read["peers"], json!(["127.0.0.1:4321"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_find_nodes_and_peers_among_mainline_servers() {
    let Some(mut first) = Peer::spawn(Program::Modern) else { return };
    let started = first.must(&json!({ "op": "dht", "bootstrap": [], "server": true }));
    let port =
        started["address"].as_str().and_then(|a| a.rsplit(':').next()).expect("a port").to_owned();
    let bootstrap = vec![format!("127.0.0.1:{port}")];
    let mut others: Vec<_> = (0..2).filter_map(|_| Peer::spawn(Program::Modern)).collect();
    for other in &mut others {
        other.must(&json!({ "op": "dht", "bootstrap": bootstrap, "server": true }));
    }
    let ours = Dht::builder()
        .bootstrap(&bootstrap)
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .build()
        .expect("loopback has a free port");
    assert!(ours.ready().await, "our four-byte transaction ids are what mainline answers");
    assert!(!ours.find_node(Id::from_bytes([7; 20])).await.expect("they answer").is_empty());

    let hash = Id::from_bytes(*b"among mainline nodes");
    let report = ours.announce_peer(hash, Some(4321)).await.expect("they take announces");
    assert!(report.stored >= 1);
    let read = others[0].must(&json!({ "op": "get_peers", "info_hash": hash.to_string() }));
    assert_eq!(read["peers"], json!(["127.0.0.1:4321"]));
}
