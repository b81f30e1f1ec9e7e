//! The relay server over real HTTP: every status, every header, and what browsers need.
//!
//! Separate from the client's tests, because here the bytes of the answers are under test.

mod batches;
mod browser;
mod full;
mod limits;
mod page;
mod poison;
mod status;
mod watches;

use std::time::Duration;

use mainstay::dht::Testnet;
use mainstay::{Client, Keypair, SignedPacket, Timestamp};
use mainstay_relay_server::RelayServer;
use reqwest::{Method, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A relay in front of a small network.
struct Relay {
    _testnet: Testnet,
    server: RelayServer,
    http: reqwest::Client,
}

impl Relay {
    async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    async fn start_with(
        change: impl FnOnce(
            mainstay_relay_server::RelayServerBuilder,
        ) -> mainstay_relay_server::RelayServerBuilder,
    ) -> Self {
        let testnet = Testnet::new(5).await.unwrap();
        let client =
            Client::builder().no_default_network().bootstrap(&testnet.bootstrap).build().unwrap();
        let server = change(RelayServer::builder(client).no_rate_limits())
            .bind(([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        Self { _testnet: testnet, server, http: http() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    async fn put(&self, packet: &SignedPacket, if_match: Option<&str>) -> Response {
        let key = packet.public_key();
        let mut request = self.http.put(self.url(&key.to_z32())).body(packet.to_relay_payload());
        if let Some(value) = if_match {
            request = request.header("if-match", value);
        }
        request.send().await.unwrap()
    }

    /// One of the relay's numbers.
    async fn metric(&self, name: &str) -> u64 {
        let text = self.get("metrics", &[]).await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse().unwrap()
    }

    async fn put_bytes(&self, path: &str, body: impl Into<reqwest::Body>) -> StatusCode {
        self.http.put(self.url(path)).body(body).send().await.unwrap().status()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.http.get(self.url(path));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
    }
}

/// A plain HTTP client; this build of reqwest wants a TLS provider chosen even when it never speaks TLS.
fn http() -> reqwest::Client {
    // An error means that another test has chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn packet(keypair: &Keypair, timestamp: u64, ttl: u32) -> SignedPacket {
    SignedPacket::builder()
        .a("@".try_into().unwrap(), [192, 0, 2, 7].into(), ttl)
        .timestamp(timestamp.into())
        .sign(keypair)
        .unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

#[tokio::test]
async fn a_packet_is_stored_and_served_with_all_its_headers() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let packet = packet(&keypair, 1_700_000_000_000_001, 600);
    let stored = relay.put(&packet, None).await;
    assert_eq!(stored.status(), 204);
    assert!(header(&stored, "pkarr-dht-stored-nodes").parse::<u32>().unwrap() >= 5);

    let key = keypair.to_z32();
    for path in [
        key.clone(),
        format!("pkarr/{key}"),
        format!("pk%3A{key}"),
        format!("{key}?policy=NetworkOnly"),
    ] {
        let response = relay.get(&path, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "content-type"), "application/pkarr.org/relays#payload");
        assert_eq!(header(&response, "last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert!(header(&response, "etag").starts_with("\"1700000000000001-"));
        assert!(Timestamp::parse_http_date(header(&response, "memento-datetime")).is_ok());
        let kept = header(&response, "cache-control");
        if path.ends_with("NetworkOnly") {
            // Whoever wants what the network has now is not given what a cache on the way has kept.
            assert_eq!(kept, "public, no-cache");
        } else {
            let max_age = kept.strip_prefix("public, max-age=").unwrap().parse::<u32>().unwrap();
            assert!((590..=600).contains(&max_age), "{max_age}");
        }
        // The time to live is what is left, so the time that is over is not told a second time.
        assert!(response.headers().get("age").is_none());
        assert_eq!(response.bytes().await.unwrap(), packet.to_relay_payload());
    }
    let head = relay.http.head(relay.url(&key)).send().await.unwrap();
    assert_eq!(
        (head.status(), header(&head, "last-modified")),
        (StatusCode::OK, "Tue, 14 Nov 2023 22:13:20 GMT")
    );
}

#[tokio::test]
async fn a_condition_that_is_met_saves_the_body() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    relay.put(&packet(&keypair, 1_700_000_000_000_000, 600), None).await;
    let key = keypair.to_z32();
    let tag = header(&relay.get(&key, &[]).await, "etag").to_owned();
    let second = "Tue, 14 Nov 2023 22:13:20 GMT";
    let before = "Tue, 14 Nov 2023 22:13:19 GMT";
    for (headers, status) in [
        (&[("if-none-match", tag.as_str())][..], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"other\"")], 200),
        (&[("if-modified-since", second)], 304),
        (&[("if-modified-since", before)], 200),
        (&[("if-modified-since", "yesterday")], 200),
        // The exact condition goes before the coarse one.
        (&[("if-none-match", "\"other\""), ("if-modified-since", second)], 200),
    ] {
        let response = relay.get(&key, headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
        assert_eq!(header(&response, "etag"), tag);
        assert_eq!(response.bytes().await.unwrap().is_empty(), status == 304, "{headers:?}");
    }
}

#[tokio::test]
async fn publishers_that_lost_a_race_are_told() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let now = Timestamp::now().as_u64();
    let (older, first, next) =
        (packet(&keypair, now - 1, 60), packet(&keypair, now, 60), packet(&keypair, now + 1, 60));
    assert_eq!(relay.put(&first, None).await.status(), 204);
    assert_eq!(relay.put(&first, None).await.status(), 204, "a republish is allowed");
    assert_eq!(relay.put(&older, None).await.status(), 409);
    assert_eq!(relay.put(&next, Some(&(now - 1).to_string())).await.status(), 412);
    assert_eq!(relay.put(&next, Some("\"other\"")).await.status(), 400);
    assert_eq!(relay.put(&next, Some(&now.to_string())).await.status(), 204);
    let tag = header(&relay.get(&keypair.to_z32(), &[]).await, "etag").to_owned();
    let last = packet(&keypair, now + 2, 60);
    assert_eq!(relay.put(&last, Some(&tag)).await.status(), 204);
    assert_eq!(relay.put(&packet(&keypair, now + 3, 60), Some(&tag)).await.status(), 412);
    assert_eq!(relay.put(&packet(&Keypair::random(), now, 60), Some("*")).await.status(), 412);
}

#[tokio::test]
async fn a_packet_that_is_to_be_the_first_replaces_none() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let now = Timestamp::now().as_u64();
    let (first, next) = (packet(&keypair, now, 60), packet(&keypair, now + 1, 60));
    let unless = async |packet: &SignedPacket, named: &str| {
        let put = relay.http.put(relay.url(&packet.public_key().to_z32()));
        let put = put.header("if-none-match", named).body(packet.to_relay_payload());
        put.send().await.unwrap().status().as_u16()
    };
    assert_eq!(unless(&first, "*").await, 204);
    assert_eq!(unless(&first, "*").await, 204, "an answer that got lost is asked for again");
    assert_eq!(unless(&next, " * ").await, 412);
    let tag = header(&relay.get(&keypair.to_z32(), &[]).await, "etag").to_owned();
    assert_eq!(unless(&next, &format!("\"other\", {tag}")).await, 412);
    assert_eq!(unless(&next, "\"other\"").await, 204);
}

#[tokio::test]
async fn what_is_no_packet_of_the_key_is_refused_and_not_served() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let key = keypair.to_z32();
    let good = packet(&keypair, Timestamp::now().as_u64(), 60);
    let mut forged = good.to_relay_payload().to_vec();
    forged[3] ^= 1;
    let other = Keypair::random().to_z32();
    for (path, body, status) in [
        (&key, forged, 400),
        (&other, good.to_relay_payload().to_vec(), 400),
        (&key, vec![0; 71], 400),
        (&key, Vec::new(), 400),
        (&key, vec![0; 1072], 400),
        (&key, vec![0; 1073], 413),
        (&key, vec![0; 1 << 20], 413),
        (&"no-key".to_owned(), good.to_relay_payload().to_vec(), 400),
    ] {
        let length = body.len();
        assert_eq!(relay.put_bytes(path, body).await, status, "{path}, {length} bytes");
    }
    let day = 24 * 60 * 60 * 1_000_000;
    let future = packet(&keypair, Timestamp::now().as_u64() + day, 60);
    assert_eq!(relay.put(&future, None).await.status(), 400);
    assert_eq!(relay.get(&key, &[]).await.status(), 404);
}

#[tokio::test]
async fn a_packet_that_no_node_can_store_is_refused_for_good_and_says_why() {
    let relay = Relay::start().await;
    // 920 and 916 characters at the apex make 1,000 and 996 bytes of DNS.
    for (characters, status) in [(920, 413), (917, 413), (916, 204)] {
        let text = "x".repeat(characters);
        let packet = SignedPacket::builder()
            .txt("@".try_into().unwrap(), text.as_str().try_into().unwrap(), 300)
            .sign(&Keypair::random())
            .unwrap();
        assert_eq!(packet.encoded_packet().len(), characters + 80);
        let answer = relay.put(&packet, None).await;
        assert_eq!(answer.status(), status, "{characters} characters");
        let said = answer.text().await.unwrap();
        assert_eq!(said.contains("at most 996"), status == 413, "{said}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_at_the_limit() {
    let relay = Relay::start().await;
    let chunks =
        futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1024])));
    let status =
        relay.put_bytes(&Keypair::random().to_z32(), reqwest::Body::wrap_stream(chunks)).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_body_that_never_arrives_is_given_up() {
    let relay = Relay::start_with(|builder| builder.body_timeout(Duration::from_millis(50))).await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let status =
        relay.put_bytes(&Keypair::random().to_z32(), reqwest::Body::wrap_stream(never)).await;
    assert_eq!(status, 408);
}

#[tokio::test]
async fn unknown_keys_policies_and_paths_have_their_status() {
    let relay = Relay::start().await;
    let key = Keypair::random().to_z32();
    for (path, status) in [
        (key.clone(), 404),
        (format!("{key}?policy=CacheOnly"), 404),
        (format!("{key}?policy=cacheonly"), 400),
        ("no-key".to_owned(), 400),
        ("a/b/c".to_owned(), 404),
        ("health".to_owned(), 200),
        (String::new(), 200),
    ] {
        let response = relay.get(&path, &[("origin", "https://app.example")]).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), "*", "{path}");
        assert!(!response.text().await.unwrap().is_empty(), "{path} answers without a word");
    }
    let deleted = relay.http.delete(relay.url(&key)).send().await.unwrap();
    assert_eq!(deleted.status(), 405);
}

#[tokio::test]
async fn a_relay_whose_network_is_gone_says_when_to_come_back() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&[silent.local_addr().unwrap().to_string()])
        .request_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let server = RelayServer::builder(client).bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let keypair = Keypair::random();
    let url = format!("{}{}", server.url(), keypair.to_z32());
    let http = http();
    let got = http.get(&url).send().await.unwrap();
    let body = packet(&keypair, Timestamp::now().as_u64(), 60).to_relay_payload();
    let put = http.put(&url).body(body).send().await.unwrap();
    for response in [got, put] {
        assert_eq!(response.status(), 503);
        assert!(header(&response, "retry-after").parse::<u32>().unwrap() >= 1);
    }
    let health: serde_json::Value = serde_json::from_str(
        &http.get(format!("{}health", server.url())).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    assert_eq!((&health["status"], &health["nodes"]), (&"joining".into(), &0.into()));
}

#[tokio::test]
async fn every_answer_may_be_read_by_the_scripts_of_every_page() {
    let relay = Relay::start().await;
    let (keypair, now) = (Keypair::random(), Timestamp::now().as_u64());
    let stored = packet(&keypair, now, 600);
    let (key, unknown) = (keypair.to_z32(), Keypair::random().to_z32());
    let mut answers = vec![
        relay.put(&stored, None).await,
        relay.put(&packet(&keypair, now - 1, 600), None).await,
        relay.put(&packet(&keypair, now + 1, 600), Some("0")).await,
        relay.http.put(relay.url(&key)).body(vec![0; 2000]).send().await.unwrap(),
        relay.http.delete(relay.url(&key)).send().await.unwrap(),
        relay.http.head(relay.url(&key)).send().await.unwrap(),
        relay.get(&key, &[("if-none-match", "*")]).await,
    ];
    let long = "a".repeat(300);
    for path in [
        &key,
        &unknown,
        "no-key",
        "",
        "?key=no-key",
        &format!("?key={key}"),
        &format!("records/{key}"),
        &format!("packets?key={key}&key={unknown}"),
        "packets",
        &format!("watch?key={key}"),
        "watch",
        "health",
        "ready",
        "info",
        "metrics",
        "relay.js",
        "relay.css",
        "favicon.ico",
        "nothing/here",
        &long,
    ] {
        answers.push(relay.get(path, &[("origin", "https://app.example")]).await);
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    for status in [200, 204, 304, 400, 404, 405, 409, 412, 413, 414] {
        assert!(statuses.contains(&status), "no answer is {status}: {statuses:?}");
    }
    for answer in &answers {
        assert_eq!(header(answer, "access-control-allow-origin"), "*", "{answer:?}");
        assert!(header(answer, "access-control-expose-headers").contains("etag"), "{answer:?}");
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
    }
}

#[tokio::test]
async fn browsers_may_read_publish_and_see_the_headers() {
    let relay = Relay::start().await;
    let url = relay.url(&Keypair::random().to_z32());
    let preflight = relay
        .http
        .request(Method::OPTIONS, &url)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "if-match,content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(header(&preflight, "access-control-allow-origin"), "*");
    assert!(header(&preflight, "access-control-allow-methods").contains("PUT"));
    assert!(header(&preflight, "access-control-allow-headers").contains("if-match"));
    assert!(header(&preflight, "access-control-max-age").parse::<u32>().unwrap() >= 3600);
    assert!(preflight.headers().get("access-control-allow-credentials").is_none());

    let error =
        relay.http.put(&url).header("origin", "https://app.example").body("").send().await.unwrap();
    assert_eq!(error.status(), 400);
    assert_eq!(header(&error, "access-control-allow-origin"), "*");
    let exposed = header(&error, "access-control-expose-headers").to_ascii_lowercase();
    for name in [
        "memento-datetime",
        "etag",
        "pkarr-dht-stored-nodes",
        "pkarr-invalid-signed-packet-seq",
        "retry-after",
    ] {
        assert!(exposed.contains(name), "{name} is hidden from browsers");
    }
}

#[tokio::test]
async fn shutdown_frees_the_port() {
    let relay = Relay::start().await;
    let address = relay.server.local_addr();
    assert_eq!(relay.get("health", &[]).await.status(), 200);
    drop(relay.http);
    relay.server.shutdown().await;
    tokio::net::TcpListener::bind(address).await.unwrap();
}

/// Sends `bytes` over a connection of its own.
async fn connected(relay: &Relay, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(relay.server.local_addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Everything that still comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset closes it too.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let relay = Relay::start_with(|builder| builder.head_timeout(Duration::from_millis(200))).await;
    for (sent, answer) in [
        (&b""[..], ""),
        (b"GET /health HTTP/1.1\r\nX: ", ""),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"),
    ] {
        let mut stream = connected(&relay, sent).await;
        let closed = tokio::time::timeout(Duration::from_secs(20), rest(&mut stream)).await;
        let said = closed.unwrap_or_else(|_| panic!("held open after {}", sent.escape_ascii()));
        assert!(said.starts_with(answer), "{said}");
    }
}

#[tokio::test]
async fn a_request_without_its_one_host_is_refused_and_scripts_can_read_why() {
    let relay = Relay::start().await;
    for (version, hosts, status) in [
        ("1.1", "Host: x\r\n", "200"),
        ("1.1", "", "400"),
        ("1.1", "Host: x\r\nHost: x\r\n", "400"),
        ("1.1", "Host: x/y\r\n", "400"),
        ("1.0", "", "200"),
    ] {
        let request = format!("GET /health HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let mut stream = connected(&relay, request.as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}");
        assert!(answer.to_ascii_lowercase().contains("access-control-allow-origin: *"), "{answer}");
    }
}

#[tokio::test]
async fn shutdown_does_not_wait_for_connections_that_idle() {
    let relay = Relay::start().await;
    let mut idle = connected(&relay, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.readable().await.unwrap();
    let Relay { server, .. } = relay;
    tokio::time::timeout(Duration::from_secs(5), server.shutdown()).await.unwrap();
    assert!(rest(&mut idle).await.starts_with("HTTP/1.1 200 OK"));
}
