//! Test networks: that they are connected when they say so, and gone when they are dropped.
//! Apart from the rest because every other test stands on this.

use std::net::UdpSocket;

use mainstay_dht::Testnet;

#[tokio::test]
async fn in_two_hundred_nodes_what_one_stores_any_other_finds() {
    let testnet = Testnet::new(200).await.unwrap();
    assert_eq!(testnet.nodes.len(), 200);
    for node in &testnet.nodes {
        assert!(node.bootstrapped());
        assert!(node.info().server_mode());
    }
    for (index, value) in (0..20_u8).enumerate() {
        let report = testnet.nodes[index * 10].put_immutable(&[value]).await.unwrap();
        let reader = &testnet.nodes[(index * 37 + 101) % 200];
        let found = reader.get_immutable(report.target).await.unwrap();
        assert_eq!(found.unwrap().bytes(), Some(&[value][..]));
    }
}

#[tokio::test]
async fn every_node_is_found_by_its_id_from_every_other() {
    let testnet = Testnet::new(40).await.unwrap();
    for (index, wanted) in testnet.nodes.iter().enumerate() {
        let seeker = &testnet.nodes[(index + 17) % 40];
        let found = seeker.find_node(wanted.info().id()).await.unwrap();
        assert_eq!(found[0].addr, wanted.local_addr(), "node {index}");
    }
}

#[tokio::test]
async fn a_network_of_one_takes_others_in() {
    let testnet = Testnet::new(1).await.unwrap();
    let dht = super::client_of(&testnet).server_mode(true).build().unwrap();
    assert!(dht.ready().await);
    let report = dht.put_immutable(b"value").await.unwrap();
    assert_eq!(report.stored, 1);
}

#[tokio::test]
async fn dropping_a_network_frees_its_ports() {
    let testnet = Testnet::new(3).await.unwrap();
    let address = testnet.nodes[2].local_addr();
    assert!(UdpSocket::bind(address).is_err());
    drop(testnet);
    while UdpSocket::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
}
