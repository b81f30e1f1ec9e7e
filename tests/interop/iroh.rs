//! iroh's publisher, resolver, relay client and endpoints at a relay of ours, below `/pkarr` as at a relay of theirs.
//!
//! Separate from the pairings, because iroh has no pkarr crate in it: its packets, its strict signatures and its HTTP
//! are its own, and it speaks of addresses where pkarr speaks of records.
//!
//! What iroh makes of each status of a relay that it can be given; it sends no condition, so 304 and 412 are not among
//! them, and nothing that is malformed or too long, so 400 and 413 are not:
//!
//! | status | to its client | to its publisher |
//! |---|---|---|
//! | 200, 204 | a packet, stored | republishes after five minutes |
//! | 404, 409, 428, 429, 503 | an error that names the status | tries again, a second later each time |

use std::time::Duration;

use mainstay::dht::Testnet;
use mainstay::{Client, Keypair, SignedPacket, SignedPacketBuilder};
use mainstay_relay_server::RelayServer;
use serde_json::{Value, json};

use crate::held::HeldDht;
use crate::hex;
use crate::peer::{Peer, Program};
use crate::relays::{Http, our_relay, patient_relay, relay_client};

/// What an endpoint says of itself, with all that iroh has a record for.
const ADDRESSES: [&str; 3] = ["192.0.2.7:4433", "198.51.100.9:1", "[2001:db8::7]:4433"];
const RELAY: &str = "https://relay.example/";
const USER_DATA: &str = "said by its owner";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_iroh_announces_at_our_relay_mainstay_resolves_there_and_on_the_dht() {
    let Some(mut world) = World::start().await else { return };
    let keypair = Keypair::random();
    let (key, mut watch) = (keypair.public_key(), world.http.watch(&keypair.public_key()).await);
    let announcement = world.announcement("announce", &keypair);
    world.iroh.must(&announcement);
    let timestamp = watch.next().await;
    let below = format!("{}pkarr", world.relay.url());
    for client in [relay_client(world.relay.url().as_str()), relay_client(&below), world.on_dht()] {
        let packet = client.resolve_most_recent(&key).await.expect("iroh has published it");
        assert_eq!(packet.timestamp().as_u64(), timestamp);
        let mut said = records(&packet);
        said.sort();
        let mut expected: Vec<_> = ADDRESSES.map(|address| format!("addr={address}")).to_vec();
        expected.extend([format!("relay={RELAY}"), format!("user-data={USER_DATA}")]);
        assert_eq!(said, expected);
        assert!(packet.all_resource_records().all(|record| record.ttl() == 30));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mainstay_publishes_iroh_finds_at_our_relay_and_verifies() {
    let Some(mut world) = World::start().await else { return };
    let keypair = Keypair::random();
    // Once to the relay, once past it: then the relay has to ask the DHT.
    for (n, client) in [relay_client(world.relay.url().as_str()), world.on_dht()].iter().enumerate()
    {
        let keypair = if n == 0 { keypair.clone() } else { Keypair::random() };
        let packet = zone(SignedPacket::builder()).sign(&keypair).expect("a small zone");
        client.publish(&packet, None).await.expect("it is stored");
        let found = world.iroh.must(&world.about("find", &keypair));
        assert_eq!(found, shown(&keypair));
    }
    // Records that iroh does not know are no obstacle.
    let (www, address) = ("www".try_into().expect("a name"), [192, 0, 2, 1].into());
    let packet = zone(SignedPacket::builder()).a(www, address, 60).sign(&keypair);
    let packet = packet.expect("a small zone");
    let client = relay_client(world.relay.url().as_str());
    client.publish(&packet, None).await.expect("it is newer");
    assert_eq!(world.iroh.must(&world.about("find", &keypair)), shown(&keypair));
    let bytes = world.iroh.must(&world.about("resolve", &keypair));
    assert_eq!(bytes["packet"], hex::encode(packet.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_iroh_announces_at_one_relay_of_ours_iroh_finds_at_another() {
    let Some(mut world) = World::start().await else { return };
    let other = our_relay(&world.testnet.bootstrap, None).await;
    let keypair = Keypair::random();
    let mut watch = world.http.watch(&keypair.public_key()).await;
    let announcement = world.announcement("announce", &keypair);
    world.iroh.must(&announcement);
    watch.next().await;
    for relay in [&world.relay, &other] {
        let mut request = world.about("find", &keypair);
        request["relay"] = below(relay).into();
        assert_eq!(world.iroh.must(&request), shown(&keypair), "{}", relay.url());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_of_iroh_reaches_another_by_its_key_and_our_relay_alone() {
    let Some(mut world) = World::start().await else { return };
    let served = world.iroh.must(&json!({ "op": "serve", "relay": below(&world.relay) }));
    let key = served["public_key"].as_str().expect("a key").try_into().expect("a key");
    world.http.watch(&key).await.next().await;
    let said = world.iroh.must(&json!({
        "op": "dial", "relay": below(&world.relay), "public_key": key.to_z32(), "word": "mainstay",
    }));
    assert_eq!(said["said"], "mainstay");
    // It was this relay that led there: by another one, who has no DHT to ask, there is no way.
    let alone = our_relay(&[], None).await;
    let answer = world.iroh.ask(&json!({
        "op": "dial", "relay": below(&alone), "public_key": key.to_z32(), "word": "mainstay",
    }));
    assert!(answer["error"].is_string(), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mainstay_adds_to_what_iroh_announced_and_iroh_finds_all_of_its_own() {
    let Some(mut world) = World::start().await else { return };
    let keypair = Keypair::random();
    let signed = world.iroh.must(&world.announcement("sign", &keypair));
    let first = packet(&signed);
    world.iroh.must(&world.publish(&first));
    let client = relay_client(world.relay.url().as_str());
    let update = client.update(&keypair, |zone| {
        Ok(zone.to_builder().a("www".try_into()?, [192, 0, 2, 1].into(), 60))
    });
    update.await.expect("it is stored");
    let merged = client.resolve_most_recent(&keypair.public_key()).await.expect("it is there");
    assert_eq!(merged.all_resource_records().count(), first.all_resource_records().count() + 1);
    assert_eq!(world.iroh.must(&world.about("find", &keypair)), shown(&keypair));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iroh_republishes_the_same_and_the_newer_and_is_refused_the_older() {
    let Some(mut world) = World::start().await else { return };
    let keypair = Keypair::random();
    let [older, newer] =
        [(); 2].map(|()| packet(&world.iroh.must(&world.announcement("sign", &keypair))));
    assert!(newer.more_recent_than(&older));
    for packet in [&older, &older, &newer, &newer] {
        world.iroh.must(&world.publish(packet));
    }
    assert_status(&world.iroh.ask(&world.publish(&older)), 409);
    let kept = world.iroh.must(&world.about("resolve", &keypair));
    assert_eq!(kept["packet"], hex::encode(newer.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iroh_tells_an_unknown_key_from_a_relay_that_cannot_look() {
    let Some(mut world) = World::start().await else { return };
    for op in ["find", "resolve"] {
        assert_status(&world.iroh.ask(&world.about(op, &Keypair::random())), 404);
    }
    let held = HeldDht::start();
    let relay = our_relay(&held.bootstrap, None).await;
    let keypair = Keypair::random();
    for request in [world.about("find", &keypair), world.publish(&signed(&keypair))] {
        let mut request = request;
        request["relay"] = below(&relay).into();
        assert_status(&world.iroh.ask(&request), 503);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iroh_is_told_that_it_asks_too_often() {
    let Some(mut world) = World::start().await else { return };
    let limits = "[rate_limiter]\nquota = '1r/d'\nburst = 1";
    let relay = our_relay(&world.testnet.bootstrap, Some(limits)).await;
    let keypair = Keypair::random();
    for (request, status) in [
        (world.about("find", &keypair), 404),
        (world.about("find", &keypair), 429),
        (world.publish(&signed(&keypair)), 429),
    ] {
        let mut request = request;
        request["relay"] = below(&relay).into();
        assert_status(&world.iroh.ask(&request), status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iroh_is_told_that_another_publish_of_the_key_is_under_way() {
    let Some(mut world) = World::start().await else { return };
    let mut held = HeldDht::start();
    let relay = patient_relay(&held.bootstrap, Duration::from_secs(90), None).await;
    let keypair = Keypair::random();
    let first = signed(&keypair);
    let (http, key) = (Http::new(relay.url().as_str()), keypair.to_z32());
    let body = first.to_relay_payload().to_vec();
    let under_way = tokio::spawn(async move { http.put(&key, body, None).await.status() });
    held.keeps_waiting_for(&keypair.public_key()).await;
    let mut newer = world.publish(&signed(&keypair));
    newer["relay"] = below(&relay).into();
    assert_status(&world.iroh.ask(&newer), 428);
    assert!(!under_way.is_finished());
    under_way.abort();
}

/// A DHT, a relay of ours in it, and iroh.
struct World {
    testnet: Testnet,
    relay: RelayServer,
    http: Http,
    iroh: Peer,
}

impl World {
    async fn start() -> Option<Self> {
        let iroh = Peer::spawn(Program::Iroh)?;
        let testnet = Testnet::new(8).await.expect("loopback has room for it");
        let relay = our_relay(&testnet.bootstrap, None).await;
        let http = Http::new(relay.url().as_str());
        Some(Self { testnet, relay, http, iroh })
    }

    /// A client that asks nodes and no relay.
    fn on_dht(&self) -> Client {
        let builder = Client::builder().no_default_network().cache_size(0);
        builder.bootstrap(&self.testnet.bootstrap).build().expect("a client")
    }

    /// What an endpoint with this key says of itself, for the request `op`.
    fn announcement(&self, op: &str, keypair: &Keypair) -> Value {
        json!({
            "op": op, "relay": below(&self.relay),
            "seed": hex::encode(keypair.secret_key().as_bytes()),
            "addresses": ADDRESSES, "relays": [RELAY], "user_data": USER_DATA,
        })
    }

    /// A question about a key.
    fn about(&self, op: &str, keypair: &Keypair) -> Value {
        json!({ "op": op, "relay": below(&self.relay), "public_key": keypair.to_z32() })
    }

    fn publish(&self, packet: &SignedPacket) -> Value {
        json!({
            "op": "publish", "relay": below(&self.relay), "packet": hex::encode(packet.as_bytes()),
        })
    }
}

/// Where iroh's relays answer, and ours too.
fn below(relay: &RelayServer) -> String {
    format!("{}pkarr", relay.url())
}

/// The zone that [`World::announcement`] makes iroh build.
fn zone(builder: SignedPacketBuilder) -> SignedPacketBuilder {
    let texts = ADDRESSES.map(|address| format!("addr={address}")).into_iter();
    let texts = texts.chain([format!("relay={RELAY}"), format!("user-data={USER_DATA}")]);
    texts.fold(builder, |builder, text| {
        let text = text.as_str().try_into().expect("short");
        builder.txt("_iroh".try_into().expect("a name"), text, 30)
    })
}

fn signed(keypair: &Keypair) -> SignedPacket {
    zone(SignedPacket::builder()).sign(keypair).expect("a small zone")
}

/// What iroh says of a zone like that.
fn shown(keypair: &Keypair) -> Value {
    json!({
        "public_key": keypair.to_z32(), "relays": [RELAY],
        "addresses": ADDRESSES, "user_data": USER_DATA,
    })
}

fn records(packet: &SignedPacket) -> Vec<String> {
    let texts = packet.resource_records("_iroh").filter_map(|record| record.text());
    texts.map(|text| String::from_utf8(text).expect("text")).collect()
}

fn packet(answer: &Value) -> SignedPacket {
    let bytes = hex::decode(answer["packet"].as_str().expect("a packet"));
    SignedPacket::try_from(&bytes[..]).expect("iroh signs as we verify")
}

/// Asserts that iroh's error has the status of the refusal.
fn assert_status(answer: &Value, status: u16) {
    assert_eq!(answer["status"], status, "{answer}");
}
