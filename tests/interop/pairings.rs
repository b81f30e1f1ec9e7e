//! Packets between Mainstay's client and the real pkarr clients, over the DHT, our relay and theirs.
//!
//! Separate from the items, because here the whole line is under test: key, packet, network, client.

use mainstay::dht::Testnet;
use mainstay::{Client, Keypair, SignedPacket};
use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};
use crate::relays::{our_relay, relay_client, their_relay};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_8_and_mainstay_resolve_each_other_over_a_dht_of_libtorrent_and_mainstay_nodes() {
    let Some(mixed) = MixedDht::start().await else { return };
    exchange(Program::Modern, &json!({ "bootstrap": mixed.bootstrap }), mixed.client()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_5_and_mainstay_resolve_each_other_over_a_dht_of_libtorrent_and_mainstay_nodes() {
    let Some(mixed) = MixedDht::start().await else { return };
    exchange(Program::Pkarr5, &json!({ "bootstrap": mixed.bootstrap }), mixed.client()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_8_and_mainstay_resolve_each_other_over_our_relay() {
    let Some(mixed) = MixedDht::start().await else { return };
    let relay = our_relay(&mixed.bootstrap, None).await;
    let options = json!({ "relays": [relay.url().as_str()] });
    exchange(Program::Modern, &options, relay_client(relay.url().as_str())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_5_and_mainstay_resolve_each_other_over_our_relay() {
    let Some(mixed) = MixedDht::start().await else { return };
    let relay = our_relay(&mixed.bootstrap, None).await;
    let options = json!({ "relays": [relay.url().as_str()] });
    exchange(Program::Pkarr5, &options, relay_client(relay.url().as_str())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_8_and_mainstay_resolve_each_other_over_pkarr_relay() {
    let Some(mixed) = MixedDht::start().await else { return };
    let Some((_relay, url)) = their_relay(&mixed.bootstrap) else { return };
    exchange(Program::Modern, &json!({ "relays": [url] }), relay_client(&url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarr_5_and_mainstay_resolve_each_other_over_pkarr_relay() {
    let Some(mixed) = MixedDht::start().await else { return };
    let Some((_relay, url)) = their_relay(&mixed.bootstrap) else { return };
    exchange(Program::Pkarr5, &json!({ "relays": [url] }), relay_client(&url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pkarr_publishes_on_the_dht_our_relay_serves_and_the_other_way_round() {
    let Some(mixed) = MixedDht::start().await else { return };
    let relay = our_relay(&mixed.bootstrap, None).await;
    exchange(
        Program::Modern,
        &json!({ "bootstrap": mixed.bootstrap }),
        relay_client(relay.url().as_str()),
    )
    .await;
}

/// A DHT whose nodes are libtorrent's and ours.
struct MixedDht {
    testnet: Testnet,
    _libtorrent: Peer,
    bootstrap: Vec<String>,
}

impl MixedDht {
    async fn start() -> Option<Self> {
        let mut libtorrent = Peer::spawn(Program::Libtorrent)?;
        let testnet = Testnet::new(8).await.expect("loopback has room for it");
        let started =
            libtorrent.must(&json!({ "op": "start", "nodes": 8, "bootstrap": testnet.bootstrap }));
        let theirs = started["addresses"].as_array().expect("addresses");
        let theirs = theirs.iter().map(|address| address.as_str().expect("an address").to_owned());
        // Joining through libtorrent's nodes shows that both kinds know each other.
        let bootstrap: Vec<_> = theirs.take(3).collect();
        Some(Self { testnet, _libtorrent: libtorrent, bootstrap })
    }

    fn client(&self) -> Client {
        assert_eq!(self.testnet.nodes.len(), 8);
        let builder = Client::builder().no_default_network().cache_size(0);
        builder.bootstrap(&self.bootstrap).build().expect("a client")
    }
}

/// We store and they read, they store and we read, and each replaces what the other stored.
async fn exchange(program: Program, options: &Value, ours: Client) {
    let Some(mut pkarr) = Peer::spawn(program) else { return };
    let mut request = options.clone();
    request["op"] = json!("client");
    pkarr.must(&request);
    let keypair = Keypair::random();
    let key = keypair.public_key();

    let first = packet(&keypair, "from mainstay");
    ours.publish(&first, None).await.expect("our packet is stored");
    let read = pkarr.must(&json!({ "op": "resolve", "public_key": key.to_z32() }));
    assert_eq!(read["packet"].as_str(), Some(hex::encode(first.as_bytes()).as_str()));

    let published = pkarr.must(&json!({
        "op": "publish", "seed": hex::encode(keypair.secret_key().as_bytes()),
        "records": [{ "name": "_text", "type": "TXT", "ttl": 300, "data": "from pkarr" }],
    }));
    let theirs = ours.resolve_most_recent(&key).await.expect("their packet is found");
    assert_eq!(
        published["packet"]["packet"].as_str(),
        Some(hex::encode(theirs.as_bytes()).as_str())
    );
    let text = theirs.resource_records("_text").find_map(|record| record.text());
    assert_eq!(text.as_deref(), Some(&b"from pkarr"[..]));

    let next = packet(&keypair, "from mainstay again");
    ours.publish(&next, Some(theirs.timestamp())).await.expect("it replaces theirs");
    let read = pkarr.must(&json!({ "op": "resolve", "public_key": key.to_z32() }));
    assert_eq!(read["packet"].as_str(), Some(hex::encode(next.as_bytes()).as_str()));
}

fn packet(keypair: &Keypair, text: &str) -> SignedPacket {
    SignedPacket::builder()
        .a("@".try_into().expect("a name"), [192, 0, 2, 7].into(), 3600)
        .txt("_text".try_into().expect("a name"), text.try_into().expect("short"), 300)
        .sign(keypair)
        .expect("a small zone")
}
