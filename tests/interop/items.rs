//! BEP 44 items and announced peers between Mainstay's node and those of libtorrent and bittorrent-dht.
//!
//! Separate from the packets, because here the DHT itself is under test: bytes, tokens, salts, sequence numbers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures_util::StreamExt;
use mainstay_dht::{Dht, PutReport, Testnet};
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem, mutable_target};
use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};

/// More than one bucket of their nodes, so that a lookup has something to choose from.
const THEIRS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libtorrent_and_mainstay_read_each_others_items_from_libtorrents_nodes() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let ours = join_only_theirs(&mut theirs, Ipv4Addr::LOCALHOST.into()).await;
    exchange(&ours, &mut theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libtorrent_and_mainstay_read_each_others_items_from_mixed_nodes() {
    let Some(mut theirs) = Peer::spawn(Program::Libtorrent) else { return };
    let (_testnet, ours) = join_mixed(&mut theirs).await;
    exchange(&ours, &mut theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bittorrent_dht_and_mainstay_read_each_others_items_from_their_nodes() {
    let Some(mut theirs) = Peer::spawn(Program::Webtorrent) else { return };
    let ours = join_only_theirs(&mut theirs, Ipv4Addr::LOCALHOST.into()).await;
    exchange(&ours, &mut theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bittorrent_dht_and_mainstay_read_each_others_items_from_mixed_nodes() {
    let Some(mut theirs) = Peer::spawn(Program::Webtorrent) else { return };
    let (_testnet, ours) = join_mixed(&mut theirs).await;
    exchange(&ours, &mut theirs).await;
}

/// A node of ours among nodes of theirs only.
pub(crate) async fn join_only_theirs(theirs: &mut Peer, host: IpAddr) -> Dht {
    let started =
        theirs.must(&json!({ "op": "start", "nodes": THEIRS, "bootstrap": [], "hosts": [host] }));
    let ours = node(&strings(&started["addresses"]), host);
    assert!(ours.ready().await, "did not join through {started}");
    ours
}

/// As many nodes of ours as of theirs, and one more of ours that stores and reads.
async fn join_mixed(theirs: &mut Peer) -> (Testnet, Dht) {
    let testnet = Testnet::new(THEIRS).await.expect("loopback has room for it");
    let bootstrap: Vec<_> = testnet.bootstrap.clone();
    let started = theirs.must(&json!({ "op": "start", "nodes": THEIRS, "bootstrap": bootstrap }));
    let ours = node(&strings(&started["addresses"]), Ipv4Addr::LOCALHOST.into());
    assert!(ours.ready().await, "did not join through {started}");
    (testnet, ours)
}

/// A node that serves: libtorrent remembers whoever stores with a valid token, read-only or not, and would wait 15 seconds
/// for each answer of one that does not.
pub(crate) fn node(bootstrap: &[String], host: IpAddr) -> Dht {
    Dht::builder()
        .bootstrap(bootstrap)
        .server_mode(true)
        .bind(SocketAddr::new(host, 0))
        .build()
        .expect("loopback has a free port")
}

/// Every pairing of who stores and who reads: mutable with and without salt, immutable, peers.
pub(crate) async fn exchange(ours: &Dht, theirs: &mut Peer) {
    for salt in [&b""[..], b"a salt"] {
        they_read_our_mutable_item(ours, theirs, salt).await;
        we_read_their_mutable_item(ours, theirs, salt).await;
    }
    immutable_items_go_both_ways(ours, theirs).await;
    announced_peers_go_both_ways(ours, theirs).await;
}

async fn they_read_our_mutable_item(ours: &Dht, theirs: &mut Peer, salt: &[u8]) {
    let keypair = Keypair::random();
    for (seq, value) in [(1, &b"first \x00\xff"[..]), (7, b"second")] {
        let item = MutableItem::sign_bytes(&keypair, salt, seq, value).expect("a small value");
        let report = ours.put_mutable(item, None).await.expect("their nodes store our item");
        taken(&report);
        let read = theirs.must(&json!({
            "op": "get_mutable", "session": 3, "key": hex::encode(keypair.public_key().as_bytes()),
            "salt": hex::encode(salt),
            "target": mutable_target(keypair.public_key().as_bytes(), salt).to_string(),
        }));
        assert_eq!(read["value"], hex::encode(value));
        assert_eq!(read["seq"], seq);
    }
}

/// Asserts that as many nodes were asked to store as make a bucket, and none of them refused. How many have acknowledged it
/// when the report is made depends on the machine: those that take longer than the others are not waited for.
fn taken(report: &PutReport) {
    assert!(report.stored > 0 && report.refused.is_empty(), "{report:?}");
    assert!(report.stored + report.timed_out >= 8, "{report:?}");
}

async fn we_read_their_mutable_item(ours: &Dht, theirs: &mut Peer, salt: &[u8]) {
    let keypair = Keypair::random();
    let value = b"theirs \x80\x00";
    let stored = theirs.must(&json!({
        "op": "put_mutable", "seed": hex::encode(keypair.secret_key().as_bytes()),
        "key": hex::encode(keypair.public_key().as_bytes()), "salt": hex::encode(salt), "seq": 1,
        "value": hex::encode(value),
    }));
    assert!(stored["stored"].as_u64() >= Some(8), "{stored}");
    let key = keypair.public_key();
    let read = ours.get_mutable_most_recent(&key, Some(salt)).await.expect("nodes answer");
    let item = read.expect("their item is found");
    assert_eq!(item.bytes(), Some(&value[..]));
    assert_eq!(*item.key(), key);

    // Their item replaced by ours, with the sequence number they stored as the condition.
    let next = MutableItem::sign_bytes(&keypair, salt, item.seq() + 1, b"next").expect("small");
    ours.put_mutable(next, Some(item.seq())).await.expect("the condition holds");
    let stale = MutableItem::sign_bytes(&keypair, salt, item.seq() + 2, b"stale").expect("small");
    let refused = ours.put_mutable(stale, Some(item.seq())).await;
    assert!(refused.is_err(), "the condition no longer holds, yet: {refused:?}");
}

async fn immutable_items_go_both_ways(ours: &Dht, theirs: &mut Peer) {
    let value = b"immutable \xfe";
    let report = ours.put_immutable(value).await.expect("their nodes store it");
    assert_eq!(report.target, ImmutableItem::from_bytes(value).expect("small").target());
    let read = theirs
        .must(&json!({ "op": "get_immutable", "session": 2, "target": report.target.to_string() }));
    assert_eq!(read["value"], hex::encode(value));

    let stored = theirs.must(&json!({ "op": "put_immutable", "value": hex::encode(b"from them") }));
    let target: Id = stored["target"].as_str().expect("a target").parse().expect("40 hex digits");
    let item = ours.get_immutable(target).await.expect("nodes answer").expect("it is found");
    assert_eq!(item.bytes(), Some(&b"from them"[..]));
}

async fn announced_peers_go_both_ways(ours: &Dht, theirs: &mut Peer) {
    let host = ours.local_addr().ip();
    let hash = Id::from_bytes(*b"announced by us     ");
    let report = ours.announce_peer(hash, Some(4321)).await.expect("their nodes take it");
    taken(&report);
    let read =
        theirs.must(&json!({ "op": "get_peers", "session": 1, "info_hash": hash.to_string() }));
    assert!(strings(&read["peers"]).contains(&SocketAddr::new(host, 4321).to_string()), "{read}");

    let hash = Id::from_bytes(*b"announced by them   ");
    theirs.must(
        &json!({ "op": "announce", "session": 4, "info_hash": hash.to_string(), "port": 1234 }),
    );
    let expected = SocketAddr::new(host, 1234);
    // An announce of libtorrent is not acknowledged to its caller: ask until it has arrived, 30 lookups at most.
    for _ in 0..30 {
        let batches: Vec<_> = ours.get_peers(hash).collect().await;
        if batches.into_iter().flatten().any(|peer| peer == expected) {
            return;
        }
    }
    panic!("their announce never arrived");
}

/// A list of strings in an answer.
///
/// # Panics
/// When it is anything else.
pub(crate) fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().expect("a list");
    items.iter().map(|item| item.as_str().expect("a list of strings").to_owned()).collect()
}
