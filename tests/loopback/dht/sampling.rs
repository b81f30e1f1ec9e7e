//! A walk through the whole network from handle to handle (BEP 51).
//! Apart from single samples, since it is judged by what it leaves out.

use std::collections::BTreeSet;

use mainstay_dht::{Id, SampleConfig, Testnet};

use super::joined;

#[tokio::test]
async fn a_walk_asks_every_node_once_and_tells_every_info_hash_once() {
    let testnet = Testnet::new(40).await.unwrap();
    let dht = joined(&testnet).await;
    let announced: BTreeSet<Id> =
        (0..30).map(|n: u8| Id::from_bytes([n.wrapping_mul(8).wrapping_add(3); 20])).collect();
    for info_hash in &announced {
        dht.announce_peer(*info_hash, Some(7)).await.unwrap();
    }
    let mut walk = dht.sample_walk(SampleConfig::default());
    let (mut nodes, mut told) = (Vec::new(), Vec::new());
    while let Some(sampled) = walk.next().await {
        nodes.push(sampled.node);
        told.extend(sampled.info_hashes);
    }
    let everybody: BTreeSet<_> = testnet.nodes.iter().map(mainstay_dht::Dht::local_addr).collect();
    let asked: BTreeSet<_> = nodes.iter().map(|node| node.addr).collect();
    assert_eq!((asked.len(), &asked), (nodes.len(), &everybody), "somebody was left out");
    assert_eq!(told.len(), announced.len(), "some were told twice");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), announced);
    let report = walk.report();
    assert_eq!((report.answered, report.info_hashes), (40, 30));
    assert!(report.held >= 30 * 8, "{report:?}");
}

#[tokio::test]
async fn a_walk_ends_where_it_was_told_to() {
    let testnet = Testnet::new(20).await.unwrap();
    let dht = joined(&testnet).await;
    let config = SampleConfig { most_nodes: 5, concurrency: 2, ..SampleConfig::default() };
    let mut walk = dht.sample_walk(config);
    let mut count = 0;
    while walk.next().await.is_some() {
        count += 1;
    }
    assert_eq!((count, walk.report().asked), (5, 5));
}
