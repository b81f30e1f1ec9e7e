//! IPv6 against libtorrent, which runs one DHT for each address family: alone, and beside IPv4.
//!
//! Separate from the items, because what is exchanged is the same and the addresses are under test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use futures_util::StreamExt;
use mainstay_dht::Dht;
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;
use serde_json::json;

use crate::hex;
use crate::items::{exchange, join_only_theirs, node, strings};
use crate::peer::{Peer, Program};

const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libtorrent_and_mainstay_read_each_others_items_and_peers_over_ipv6() {
    let Some(mut theirs) = libtorrent_with_ipv6() else { return };
    let ours = join_only_theirs(&mut theirs, IPV6).await;
    exchange(&ours, &mut theirs).await;
    assert_eq!(ours.local_addrs().len(), 1, "nothing went over IPv4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libtorrent_and_mainstay_store_and_announce_over_both_families_at_once() {
    let Some(mut theirs) = libtorrent_with_ipv6() else { return };
    let started =
        theirs.must(&json!({ "op": "start", "nodes": 6, "bootstrap": [], "hosts": [IPV4, IPV6] }));
    let bootstrap = strings(&started["addresses"]);
    let both = Dht::builder()
        .bootstrap(&bootstrap)
        .server_mode(true)
        .bind(SocketAddr::new(IPV4, 0))
        .bind(SocketAddr::new(IPV6, 0))
        .build()
        .expect("loopback has free ports");
    // Each of these sees what lies in one family, and nothing else.
    let single = [IPV4, IPV6].map(|host| node(&bootstrap, host));
    for node in [&both, &single[0], &single[1]] {
        assert!(node.ready().await, "did not join through {started}");
    }

    let (keypair, hash) = (Keypair::random(), Id::from_bytes(*b"by us, both families"));
    let item = MutableItem::sign_bytes(&keypair, b"", 1, b"from us").expect("a small value");
    both.put_mutable(item, None).await.expect("their nodes store our item");
    both.announce_peer(hash, Some(4321)).await.expect("their nodes take our announce");
    for (single, host) in single.iter().zip([IPV4, IPV6]) {
        assert_eq!(value(single, &keypair).await.as_deref(), Some(&b"from us"[..]), "{host}");
        assert!(has_peer(single, hash, SocketAddr::new(host, 4321)).await, "{host}");
    }
    let key = hex::encode(keypair.public_key().as_bytes());
    let read = theirs.must(&json!({ "op": "get_mutable", "session": 2, "key": key }));
    assert_eq!(read["value"], hex::encode(b"from us"));

    let (keypair, hash) = (Keypair::random(), Id::from_bytes(*b"by them, both famili"));
    theirs.must(&json!({
        "op": "put_mutable", "seed": hex::encode(keypair.secret_key().as_bytes()),
        "key": hex::encode(keypair.public_key().as_bytes()), "value": hex::encode(b"from them"),
    }));
    theirs.must(&json!({ "op": "announce", "info_hash": hash.to_string(), "port": 1234 }));
    for (single, host) in single.iter().zip([IPV4, IPV6]) {
        assert_eq!(value(single, &keypair).await.as_deref(), Some(&b"from them"[..]), "{host}");
        assert!(has_peer(single, hash, SocketAddr::new(host, 1234)).await, "{host}");
    }
}

/// The value of the key's item, asked for until it is there, 30 lookups at most: libtorrent says that a put is done when
/// one of its families is.
async fn value(node: &Dht, keypair: &Keypair) -> Option<Vec<u8>> {
    for _ in 0..30 {
        let read = node.get_mutable_most_recent(&keypair.public_key(), None).await;
        if let Some(item) = read.expect("nodes answer") {
            return item.bytes().map(<[u8]>::to_vec);
        }
    }
    None
}

/// Whether the peer is found, asked for as [`value`] is.
async fn has_peer(node: &Dht, hash: Id, wanted: SocketAddr) -> bool {
    for _ in 0..30 {
        let batches: Vec<_> = node.get_peers(hash).collect().await;
        if batches.into_iter().flatten().any(|peer| peer == wanted) {
            return true;
        }
    }
    false
}

/// libtorrent, if it is set up and this machine's loopback has IPv6.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
fn libtorrent_with_ipv6() -> Option<Peer> {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no ::1");
        return None;
    }
    Peer::spawn(Program::Libtorrent)
}
