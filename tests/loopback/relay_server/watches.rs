//! The stream of new packets.
//! Separate, as each path of the relay is.

use std::time::Duration;

use mainstay::{Client, Keypair, SignedPacket, Timestamp};
use mainstay_relay_server::Config;
use reqwest::Response;
use serde_json::Value;

use super::batches::bytes;
use super::{Relay, header, packet};

/// How long a stream may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// The events of an answer, one after the other.
struct Events {
    response: Response,
    read: String,
}

/// One event: its id, and what it says.
struct Event {
    id: String,
    data: Value,
}

impl Events {
    async fn open(relay: &Relay, keys: &[&Keypair], last: Option<&str>) -> Self {
        let query: Vec<_> = keys.iter().map(|key| format!("key={}", key.to_z32())).collect();
        let last: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
        let response = relay.get(&format!("watch?{}", query.join("&")), &last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The next block, without the empty line behind it; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("the stream is silent").ok().flatten()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                assert_eq!(field("event: ").as_deref(), Some("packet"));
                return Some(Event { id, data: serde_json::from_str(&data).unwrap() });
            }
        }
    }
}

fn says(event: &Event, packet: &SignedPacket) {
    assert_eq!(event.data["key"], packet.public_key().to_z32());
    assert_eq!(event.data["timestamp"], packet.timestamp().as_u64());
    assert_eq!(bytes(event.data["packet"].as_str().unwrap()), packet.to_relay_payload());
}

fn signed(keypair: &Keypair) -> SignedPacket {
    packet(keypair, Timestamp::now().as_u64(), 600)
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_what_comes() {
    let relay = Relay::start().await;
    let (first, second) = (Keypair::random(), Keypair::random());
    let there = signed(&first);
    relay.put(&there, None).await;
    let mut events = Events::open(&relay, &[&first, &second], None).await;
    says(&events.event().await.unwrap(), &there);
    for keypair in [&second, &first, &second] {
        let new = signed(keypair);
        assert_eq!(relay.put(&new, None).await.status(), 204);
        says(&events.event().await.unwrap(), &new);
    }
}

#[tokio::test]
async fn what_a_watch_has_the_network_asked_for_counts_as_requests_would() {
    let text = "[rate_limiter]\nuser_dht_quota = '1r/h'\nuser_dht_burst = 2\nquota = '1000r/s'\nburst = 1000000";
    let config = Config::parse(text).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let keys: Vec<_> = (0..8).map(|_| Keypair::random()).collect();
    let _events = Events::open(&relay, &keys.iter().collect::<Vec<_>>(), None).await;
    let asked = async {
        while relay.metric("mainstay_relay_searches_total").await < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("no search of a watch is counted");
    assert_eq!(relay.get(&Keypair::random().to_z32(), &[]).await.status(), 429);
    assert_eq!(relay.metric("mainstay_relay_searches_total").await, 2);
}

#[tokio::test]
async fn a_watch_goes_on_where_the_last_one_ended() {
    let relay = Relay::start().await;
    let (first, second) = (Keypair::random(), Keypair::random());
    let (old, other) = (signed(&first), signed(&second));
    relay.put(&old, None).await;
    relay.put(&other, None).await;
    let mut events = Events::open(&relay, &[&first, &second], None).await;
    let (one, two) = (events.event().await.unwrap(), events.event().await.unwrap());
    assert_ne!(one.data["key"], two.data["key"]);
    drop(events);
    let missed = signed(&second);
    relay.put(&missed, None).await;
    let mut events = Events::open(&relay, &[&first, &second], Some(&two.id)).await;
    says(&events.event().await.unwrap(), &missed);
    // An id of something else means that nothing is known.
    let mut events = Events::open(&relay, &[&first], Some("nonsense")).await;
    says(&events.event().await.unwrap(), &old);
}

#[tokio::test]
async fn what_is_published_past_the_relay_is_told_too() {
    let config = "[watch]\nrefresh_seconds = 1\n[rate_limiter]\nenabled = false";
    let config = Config::parse(config).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let keypair = Keypair::random();
    let mut events = Events::open(&relay, &[&keypair], None).await;
    assert_eq!(events.block().await.unwrap(), "retry: 3000");
    let elsewhere = Client::builder()
        .no_default_network()
        .bootstrap(&relay._testnet.bootstrap)
        .build()
        .unwrap();
    let new = signed(&keypair);
    elsewhere.publish(&new, None).await.unwrap();
    says(&events.event().await.unwrap(), &new);
}

#[tokio::test]
async fn a_silent_watch_shows_that_it_lives_and_ends_with_the_relay() {
    let config = Config::parse("[watch]\nheartbeat_seconds = 1").unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let mut events = Events::open(&relay, &[&Keypair::random()], None).await;
    assert_eq!(events.block().await.unwrap(), "retry: 3000");
    for _ in 0..2 {
        assert_eq!(events.block().await.unwrap(), ": here");
    }
    let Relay { server, .. } = relay;
    tokio::time::timeout(Duration::from_secs(3), server.shutdown()).await.unwrap();
    assert!(events.block().await.is_none());
}

#[tokio::test]
async fn watches_are_bounded_and_give_their_place_back() {
    let config = "[watch]\nmax_watches = 3\nmax_watches_per_source = 2\nmax_keys = 4\nmax_keys_per_watch = 2";
    let config = Config::parse(config).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let keys: Vec<_> = (0..5).map(|_| Keypair::random()).collect();
    let status = async |keys: &[&Keypair]| {
        let query: Vec<_> = keys.iter().map(|key| format!("key={}", key.to_z32())).collect();
        relay.get(&format!("watch?{}", query.join("&")), &[]).await.status().as_u16()
    };
    assert_eq!(status(&[]).await, 400);
    assert_eq!(status(&[&keys[0], &keys[1], &keys[2]]).await, 400);
    assert_eq!(relay.get("watch?key=no-key", &[]).await.status(), 400);
    let first = Events::open(&relay, &[&keys[0], &keys[1]], None).await;
    let second = Events::open(&relay, &[&keys[2], &keys[3]], None).await;
    assert_eq!(status(&[&keys[0]]).await, 503, "one source has as many as it may");
    drop(first);
    // Places are given back when the server sees that the client has gone.
    while relay.metric("mainstay_relay_watches").await != 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(relay.metric("mainstay_relay_watched_keys").await, 2);
    drop((second, Events::open(&relay, &[&keys[4]], None).await));
}
