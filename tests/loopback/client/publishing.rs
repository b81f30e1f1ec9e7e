//! Publishing with rivals, over sockets.
//! Apart because these tests need two publishers.

use mainstay::{Client, ConcurrencyError, Keypair, Policy, SignedPacket, Timestamp};

use super::relay::{Manner, Relay};
use super::{over_dht, over_relays, packet};

#[tokio::test]
async fn a_rival_with_an_outdated_cas_is_refused_by_the_relay() {
    let relay = Relay::start(Manner::Honest).await;
    let (first, second) =
        (over_relays(&[&relay]).build().unwrap(), over_relays(&[&relay]).build().unwrap());
    let keypair = Keypair::random();
    let (base, ours, theirs) = (packet(&keypair, 50), packet(&keypair, 20), packet(&keypair, 10));
    first.publish(&base, None).await.unwrap();
    let cas = second.resolve_most_recent(&keypair.public_key()).await.map(|it| it.timestamp());
    first.publish(&ours, Some(base.timestamp())).await.unwrap();
    let error = second.publish(&theirs, cas).await.unwrap_err();
    assert_eq!(relay.packet(keypair.public_key()), Some(ours));
    assert!(matches!(error.concurrency(), Some(ConcurrencyError::CasFailed { .. })), "{error}");
}

#[tokio::test]
async fn an_older_packet_is_refused_by_the_dht() {
    let testnet = mainstay::dht::Testnet::new(10).await.unwrap();
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, 50), packet(&keypair, 5));
    over_dht(&testnet).build().unwrap().publish(&new, None).await.unwrap();
    let behind = over_dht(&testnet).build().unwrap();
    let error = behind.publish(&old, None).await.unwrap_err();
    let seen = Some(new.timestamp());
    assert_eq!(error.concurrency(), Some(ConcurrencyError::NotMostRecent { seen }), "{error}");
    assert_eq!(behind.resolve(&keypair.public_key()).await, Some(new));
}

#[tokio::test]
async fn the_dht_refuses_a_cas_that_names_another_packet() {
    let testnet = mainstay::dht::Testnet::new(10).await.unwrap();
    let keypair = Keypair::random();
    let (old, new, newer) = (packet(&keypair, 50), packet(&keypair, 20), packet(&keypair, 5));
    over_dht(&testnet).build().unwrap().publish(&new, None).await.unwrap();
    let behind = over_dht(&testnet).build().unwrap();
    let error = behind.publish(&newer, Some(old.timestamp())).await.unwrap_err();
    assert!(matches!(error.concurrency(), Some(ConcurrencyError::CasFailed { .. })), "{error}");
    behind.publish(&newer, Some(new.timestamp())).await.unwrap();
}

#[tokio::test]
async fn publishing_the_same_packet_again_refreshes_it_everywhere() {
    let testnet = mainstay::dht::Testnet::new(10).await.unwrap();
    let relay = Relay::start(Manner::Honest).await;
    let client = over_dht(&testnet).extra_relays(&[&relay.url]).unwrap().build().unwrap();
    let packet = packet(&Keypair::random(), 5);
    for _ in 0..3 {
        let report = client.publish_report(&packet, None).await.unwrap();
        assert_eq!(report.stored_backends(), 2, "{report}");
    }
    assert_eq!(relay.count("PUT"), 3);
}

/// Adds one record to whatever is published, as often as it takes.
pub(crate) async fn add_record(client: &Client, keypair: &Keypair, name: &str) {
    let key = keypair.public_key();
    for _ in 0..1000 {
        let newest = client.resolve_with(&key, Policy::MostRecent).await.ok();
        let newest = newest.map(|resolution| resolution.packet);
        let records = newest.as_ref().map_or_else(SignedPacket::builder, SignedPacket::to_builder);
        let seen = newest.as_ref().map(SignedPacket::timestamp);
        let packet = records
            .txt(name.try_into().expect("a name"), "x".try_into().expect("short"), 300)
            .timestamp(seen.map_or_else(Timestamp::now, Timestamp::after))
            .sign(keypair)
            .expect("a small zone");
        match client.publish(&packet, seen).await {
            Ok(()) => return,
            Err(error) => assert!(error.concurrency().is_some(), "{error}"),
        }
    }
    panic!("a thousand conflicts in a row");
}

#[tokio::test]
async fn two_publishers_that_hammer_one_key_lose_no_update() {
    let relay = Relay::start(Manner::Honest).await;
    let keypair = Keypair::random();
    // A relay that has nothing yet cannot compare: the first packet is there before the race.
    let seed = over_relays(&[&relay]).build().unwrap();
    seed.publish(&SignedPacket::builder().sign(&keypair).unwrap(), None).await.unwrap();
    let hammering = ["a", "b"].map(|publisher| {
        let client = over_relays(&[&relay]).build().unwrap();
        let keypair = keypair.clone();
        tokio::spawn(async move {
            for update in 0..10 {
                add_record(&client, &keypair, &format!("{publisher}{update}")).await;
            }
        })
    });
    for publisher in hammering {
        publisher.await.unwrap();
    }
    let stands = relay.packet(keypair.public_key()).expect("it was published");
    assert_eq!(stands.all_resource_records().len(), 20);
}

#[tokio::test]
async fn every_relay_is_asked_over_the_http_client_that_was_given() {
    let keypair = Keypair::random();
    let relays = [Relay::start(Manner::Honest).await, Relay::start(Manner::Honest).await];
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().user_agent("somebody/1").build().unwrap();
    let client = over_relays(&[&relays[0], &relays[1]]).relay_http_client(http).build().unwrap();
    client.publish(&packet(&keypair, 1), None).await.unwrap();
    client.resolve_most_recent(&keypair.public_key()).await.unwrap();
    for relay in relays {
        assert!(relay.was_always_told("somebody/1"), "{relay:?}");
    }
}
