//! The client with our own relays in front of a DHT, and beside them.
//! Apart because every part is real here: what one way stores, each other way must find.

use mainstay::dht::Testnet;
use mainstay::{Client, ClientBuilder, Keypair, Policy, ResolveError, SignedPacket, Source};
use mainstay_relay_server::RelayServer;

use super::publishing::add_record;
use super::{over_dht, packet};

/// A relay of ours that is a client of this network.
async fn relay(testnet: &Testnet) -> RelayServer {
    let client = over_dht(testnet).build().expect("a free port");
    let server = RelayServer::builder(client).no_rate_limits().bind(([127, 0, 0, 1], 0).into());
    server.await.expect("a free port")
}

/// Configures a client that asks these relays and nobody else.
fn over(relays: &[&RelayServer]) -> ClientBuilder {
    let urls: Vec<_> = relays.iter().map(|relay| relay.url().to_string()).collect();
    Client::builder().no_default_network().relays(&urls).expect("they are URLs")
}

#[tokio::test]
async fn what_goes_in_through_a_relay_comes_out_of_the_dht_and_of_another_relay() {
    let testnet = Testnet::new(10).await.unwrap();
    let (one, two) = (relay(&testnet).await, relay(&testnet).await);
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let report = over(&[&one]).build().unwrap().publish_report(&packet, None).await.unwrap();
    assert!(report.stored_nodes() > 3, "{report}");
    let readers = [over_dht(&testnet).build().unwrap(), over(&[&two]).build().unwrap()];
    for reader in readers {
        let key = keypair.public_key();
        let resolved = reader.resolve_with(&key, Policy::NetworkOnly).await.unwrap();
        assert_eq!(resolved.packet, packet, "{}", resolved.source);
    }
}

#[tokio::test]
async fn what_goes_into_the_dht_comes_out_of_a_relay_with_its_url() {
    let testnet = Testnet::new(10).await.unwrap();
    let relay = relay(&testnet).await;
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    over_dht(&testnet).build().unwrap().publish(&packet, None).await.unwrap();
    let reader = over(&[&relay]).build().unwrap();
    let resolved = reader.resolve_with(&keypair.public_key(), Policy::CacheFirst).await.unwrap();
    assert_eq!(resolved.packet, packet);
    assert!(matches!(&resolved.source, Source::Relay(url) if url.port() == relay.url().port()));
    let unknown = Keypair::random().public_key();
    let error = reader.resolve_with(&unknown, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn publishing_everywhere_at_once_is_no_conflict_with_oneself() {
    let testnet = Testnet::new(10).await.unwrap();
    let (one, two) = (relay(&testnet).await, relay(&testnet).await);
    let urls = [one.url().to_string(), two.url().to_string()];
    let client = over_dht(&testnet).extra_relays(&urls).unwrap().build().unwrap();
    let keypair = Keypair::random();
    let mut cas = None;
    for seconds_ago in [50, 40, 30, 20, 10] {
        // Each relay puts the packet into the same DHT that we put it into.
        let packet = packet(&keypair, seconds_ago);
        client.publish(&packet, cas).await.unwrap();
        cas = Some(packet.timestamp());
    }
    let newest = client.resolve_most_recent(&keypair.public_key()).await;
    assert_eq!(newest.map(|packet| packet.timestamp()), cas);
}

#[tokio::test]
async fn two_publishers_over_two_relays_and_the_dht_lose_no_update() {
    let testnet = Testnet::new(10).await.unwrap();
    let (one, two) = (relay(&testnet).await, relay(&testnet).await);
    let urls = [one.url().to_string(), two.url().to_string()];
    let everywhere = || over_dht(&testnet).extra_relays(&urls).unwrap().build().unwrap();
    let keypair = Keypair::random();
    let empty = SignedPacket::builder().sign(&keypair).unwrap();
    everywhere().publish(&empty, None).await.unwrap();
    let hammering = ["a", "b"].map(|publisher| {
        let (client, keypair) = (everywhere(), keypair.clone());
        tokio::spawn(async move {
            for update in 0..5 {
                add_record(&client, &keypair, &format!("{publisher}{update}")).await;
            }
        })
    });
    for publisher in hammering {
        publisher.await.unwrap();
    }
    let newest = everywhere().resolve_most_recent(&keypair.public_key()).await.unwrap();
    assert_eq!(newest.all_resource_records().len(), 10);
}
