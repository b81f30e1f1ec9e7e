//! What sockets can bring: garbage, both address families, ports that are taken.
//! Apart from the rest because here the test speaks to the node from outside.

use std::net::{SocketAddr, UdpSocket};

use mainstay_dht::{BuildError, Dht, Testnet};

use super::{joined, loopback};

#[tokio::test]
async fn garbage_is_counted_and_the_node_goes_on() {
    let testnet = Testnet::new(3).await.unwrap();
    let node = &testnet.nodes[1];
    let before = node.info().counters();
    let socket = UdpSocket::bind(loopback()).unwrap();
    let garbage: [&[u8]; 8] = [
        b"",
        b"d",
        b"hello",
        &[0xff; 1400],
        &[b'l'; 60_000],
        b"d1:q4:ping1:t2:aa1:y1:q",
        b"d1:rd2:id20:abcdefghij0123456789e1:t2:zz1:y1:re",
        b"i99999999999999999999e",
    ];
    for datagram in garbage {
        socket.send_to(datagram, node.local_addr()).unwrap();
    }
    let pong = joined(&testnet).await.ping(node.local_addr()).await.unwrap();
    assert_eq!(pong.node.id, node.info().id());
    let after = node.info().counters();
    assert!(after.received >= before.received + 8, "{after:?}");
    assert!(after.malformed > before.malformed, "{after:?}");
}

#[tokio::test]
async fn a_node_that_nobody_listens_to_any_more_is_given_up() {
    let testnet = Testnet::new(5).await.unwrap();
    let dht = joined(&testnet).await;
    let report = dht.put_immutable(b"value").await.unwrap();
    // Their ports are closed: the kernel answers with ICMP, which must not end our receiving.
    testnet.nodes[1].shutdown().await;
    testnet.nodes[2].shutdown().await;
    assert!(dht.get_immutable(report.target).await.unwrap().is_some());
}

#[tokio::test]
async fn one_node_serves_both_families() {
    if !has_ipv6() {
        return;
    }
    let ipv4 = Testnet::new(5).await.unwrap();
    let ipv6 = Testnet::builder(5).ipv6().build().await.unwrap();
    let both = Dht::builder()
        .bootstrap(&ipv4.bootstrap)
        .extra_bootstrap(&ipv6.bootstrap)
        .bind(loopback())
        .bind("[::1]:0".parse().unwrap())
        .build()
        .unwrap();
    assert!(both.ready().await);
    assert_eq!(both.local_addrs().len(), 2);
    let report = both.put_immutable(b"value").await.unwrap();
    for node in [&ipv4.nodes[2], &ipv6.nodes[2]] {
        assert!(node.get_immutable(report.target).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_network_of_ipv6_alone_stores_and_finds() {
    if !has_ipv6() {
        return;
    }
    let testnet = Testnet::builder(8).ipv6().build().await.unwrap();
    assert!(testnet.bootstrap[0].starts_with("[::1]:"));
    let report = testnet.nodes[1].put_immutable(b"value").await.unwrap();
    assert!(testnet.nodes[7].get_immutable(report.target).await.unwrap().is_some());
}

#[tokio::test]
async fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Dht::builder().no_bootstrap().no_ipv6().port(port).build().unwrap_err();
    let address = SocketAddr::from(([0, 0, 0, 0], port));
    assert!(matches!(error, BuildError::Bind { address: asked, .. } if asked == address));
}

#[tokio::test]
async fn a_client_without_a_wish_gets_some_port() {
    let first = Dht::builder().no_bootstrap().build().unwrap();
    let second = Dht::builder().no_bootstrap().build().unwrap();
    assert_ne!(first.local_addr(), second.local_addr());
}

fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}
