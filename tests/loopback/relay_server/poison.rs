//! Packets from the far future, which would lock a key if a relay took them.
//! Separate because what counts is not the answer to them but what becomes of the key.

use mainstay::dht::Dht;
use mainstay::{Keypair, Timestamp};

use super::{Relay, packet};

const HOUR: u64 = 3_600_000_000;

#[tokio::test]
async fn a_packet_from_the_far_future_is_never_taken_and_the_key_goes_on_at_once() {
    let relay = Relay::start().await;
    let now = || Timestamp::now().as_u64();
    let mut refused = 0;
    for round in 0..20 {
        let keypair = Keypair::random();
        let path = format!("{}?policy=CacheOnly", keypair.to_z32());
        let good = packet(&keypair, now(), 600);
        if round % 2 == 0 {
            assert_eq!(relay.put(&good, None).await.status(), 204);
        }
        let last = Timestamp::MAX.as_u64();
        for ahead in [now() + 3 * HOUR, now() + 25 * HOUR, now() + 3_650 * 24 * HOUR, last] {
            let poisoned = packet(&keypair, ahead, 600);
            assert_eq!(relay.put(&poisoned, None).await.status(), 400, "{ahead}");
            refused += 1;
        }
        let kept = relay.get(&path, &[]).await;
        if round % 2 == 0 {
            assert_eq!(kept.bytes().await.unwrap(), good.to_relay_payload());
        } else {
            assert_eq!(kept.status(), 404);
        }
        let next = packet(&keypair, now(), 600);
        assert_eq!(relay.put(&next, None).await.status(), 204, "the key is locked");
        let served = relay.get(&path, &[]).await;
        assert_eq!(served.bytes().await.unwrap(), next.to_relay_payload());
    }
    println!(
        "{refused} packets from the far future, none taken; each key published at once after it"
    );
}

#[tokio::test]
async fn a_packet_from_the_future_that_nodes_store_is_neither_served_nor_kept_by_a_relay() {
    let relay = Relay::start().await;
    let node = Dht::builder()
        .bootstrap(&relay._testnet.bootstrap)
        .bind(([127, 0, 0, 1], 0).into())
        .build()
        .unwrap();
    assert!(node.ready().await);
    let keypair = Keypair::random();
    let good = packet(&keypair, Timestamp::now().as_u64(), 600);
    assert_eq!(relay.put(&good, None).await.status(), 204);
    // Nodes let clocks be a day apart.
    let poisoned = packet(&keypair, Timestamp::now().as_u64() + 10 * HOUR, 600);
    node.put_mutable(poisoned.to_mutable_item().unwrap(), None).await.unwrap();
    let key = keypair.to_z32();
    assert_eq!(relay.get(&format!("{key}?policy=NetworkOnly"), &[]).await.status(), 404);
    for policy in ["CacheOnly", "CacheFirst"] {
        let served = relay.get(&format!("{key}?policy={policy}"), &[]).await;
        assert_eq!(served.bytes().await.unwrap(), good.to_relay_payload(), "{policy}");
    }
}
