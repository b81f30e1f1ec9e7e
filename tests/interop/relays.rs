//! The relays that the tests run, ours and theirs, and ways to ask them.
//!
//! Separate, because what is asked differs from test to test and who is asked does not.

use std::time::Duration;

use mainstay::{Client, PublicKey};
use mainstay_relay_server::{Config, RelayServer};
use reqwest::Response;
use serde_json::{Value, json};

use crate::peer::{Peer, Program};

/// How long a relay's stream of new packets may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A relay of ours in this DHT, without limits or with those of a configuration.
pub(crate) async fn our_relay(bootstrap: &[String], limits: Option<&str>) -> RelayServer {
    patient_relay(bootstrap, Duration::from_secs(2), limits).await
}

/// As [`our_relay`], with its patience with nodes that do not answer.
pub(crate) async fn patient_relay(
    bootstrap: &[String],
    patience: Duration,
    limits: Option<&str>,
) -> RelayServer {
    let client = Client::builder()
        .no_default_network()
        .bootstrap(bootstrap)
        .request_timeout(patience)
        .build()
        .expect("a client");
    let builder = RelayServer::builder(client);
    let builder = match limits {
        Some(text) => builder.config(Config::parse(text).expect("a configuration")),
        None => builder.no_rate_limits(),
    };
    builder.bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port")
}

/// pkarr-relay 2.1 in this DHT, and its URL.
pub(crate) fn their_relay(bootstrap: &[String]) -> Option<(Peer, String)> {
    let mut peer = Peer::spawn(Program::Modern)?;
    let started = peer.must(&json!({ "op": "relay", "bootstrap": bootstrap }));
    let url = started["url"].as_str().expect("a URL").to_owned();
    Some((peer, url))
}

/// A client of ours that knows one relay and remembers nothing.
pub(crate) fn relay_client(url: &str) -> Client {
    let builder = Client::builder().no_default_network().cache_size(0);
    builder.relays(&[url]).expect("a URL").build().expect("a client")
}

/// A relay, asked without any client of ours or theirs.
pub(crate) struct Http {
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Http {
    pub(crate) fn new(url: &str) -> Self {
        // This build of reqwest wants a TLS provider chosen; an error means that another test has chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url: url.trim_end_matches('/').to_owned(), client: reqwest::Client::new() }
    }

    pub(crate) async fn get(&self, path: &str, since: Option<&str>) -> Response {
        let request = self.client.get(format!("{}/{path}", self.url));
        let request = match since {
            Some(date) => request.header("if-modified-since", date),
            None => request,
        };
        request.send().await.expect("the relay answers")
    }

    pub(crate) async fn put(&self, path: &str, body: Vec<u8>, condition: Option<&str>) -> Response {
        let request = self.client.put(format!("{}/{path}", self.url)).body(body);
        let request = match condition {
            Some(value) => request.header("if-match", value),
            None => request,
        };
        request.send().await.expect("the relay answers")
    }

    /// Begins to watch a key, at a relay of ours.
    pub(crate) async fn watch(&self, key: &PublicKey) -> Watch {
        let response = self.get(&format!("watch?key={}", key.to_z32()), None).await;
        assert_eq!(response.status(), 200);
        Watch { response, read: String::new() }
    }
}

/// The stream of a key's new packets.
pub(crate) struct Watch {
    response: Response,
    read: String,
}

impl Watch {
    /// The timestamp of the next packet: the one that is there, or one that comes.
    pub(crate) async fn next(&mut self) -> u64 {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
                self.read = rest.to_owned();
                if let Some(timestamp) = data.and_then(|data| data["timestamp"].as_u64()) {
                    return timestamp;
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("a packet comes in time").expect("the stream holds");
            let chunk = chunk.expect("the relay keeps the stream open");
            self.read.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

/// A header of an answer, if it is there.
pub(crate) fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("plain text"))
}
