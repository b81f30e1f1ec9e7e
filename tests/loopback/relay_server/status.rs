//! How a relay says that it is well, and what may change while it runs.
//! Separate, because operators and their tools read these answers, and nobody else.

use mainstay::{Keypair, Timestamp};
use mainstay_relay_server::Config;
use reqwest::Certificate;
use serde_json::Value;

use super::{Relay, header, packet};

#[tokio::test]
async fn the_numbers_are_in_the_format_of_prometheus_and_count() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    relay.put(&packet(&keypair, Timestamp::now().as_u64(), 600), None).await;
    for _ in 0..3 {
        relay.get(&keypair.to_z32(), &[]).await;
    }
    relay.get("no-key", &[]).await;
    let response = relay.get("metrics", &[]).await;
    assert_eq!(header(&response, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    for (line, count) in [
        ("mainstay_relay_responses_total{subject=\"get\",status=\"2xx\"}", 3),
        ("mainstay_relay_responses_total{subject=\"get\",status=\"4xx\"}", 1),
        ("mainstay_relay_responses_total{subject=\"put\",status=\"2xx\"}", 1),
        ("mainstay_relay_response_seconds_count{subject=\"get\"}", 4),
        ("mainstay_relay_cached_packets", 1),
        ("mainstay_relay_dht_joined", 1),
    ] {
        assert!(text.contains(&format!("\n{line} {count}\n")), "no {line} {count} in\n{text}");
    }
    let mut families = 0;
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<_> = comment.splitn(3, ' ').collect();
            assert!(
                matches!(words[..], ["HELP" | "TYPE", name, _] if name.starts_with("mainstay_relay_")),
                "{line}"
            );
            families += 1;
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("mainstay_relay_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(families > 20 && !text.contains(&keypair.to_z32()) && !text.contains("127.0.0.1"));
}

#[tokio::test]
async fn ready_and_info_say_what_the_relay_can_do_and_tell_on_nobody() {
    let relay = Relay::start().await;
    // Whoever searches waits for the node to join.
    assert_eq!(relay.get(&Keypair::random().to_z32(), &[]).await.status(), 404);
    assert_eq!(relay.get("ready", &[]).await.status(), 200);
    let response = relay.get("info", &[]).await;
    assert_eq!(header(&response, "content-type"), "application/json");
    let text = response.text().await.unwrap();
    assert!(!text.contains("127.0.0.1"), "{text}");
    let info: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&info["dht"]["joined"], &info["limits"]["max_batch"]), (&true.into(), &64.into()));
    let alone = mainstay::Client::builder()
        .no_default_network()
        .bootstrap(&["127.0.0.1:1"])
        .build()
        .unwrap();
    let server = mainstay_relay_server::RelayServer::builder(alone);
    let server = server.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let ready = relay.http.get(format!("{}ready", server.url())).send().await.unwrap();
    assert_eq!(ready.status(), 503);
}

#[tokio::test]
async fn the_numbers_can_have_a_door_of_their_own() {
    let config = Config::parse("[metrics]\nbind = '127.0.0.1:0'").unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    assert_eq!(relay.get("metrics", &[]).await.status(), 404);
    let door = relay.server.local_addrs()[1];
    let get = async |path: &str| {
        relay.http.get(format!("http://{door}/{path}")).send().await.unwrap().status().as_u16()
    };
    assert_eq!((get("metrics").await, get("health").await), (200, 404));
}

#[tokio::test]
async fn new_limits_hold_at_once_and_what_cannot_change_is_named() {
    let relay = Relay::start().await;
    let new = "[http]\nport = 1\nmax_batch = 1\n[rate_limiter]\nquota = '1r/h'\nburst = 2";
    let running = relay.server.reload(Config::parse(new).unwrap()).unwrap();
    assert!(running.needs_restart.contains(&"[http] port"), "{running:?}");
    assert!(!running.needs_restart.iter().any(|key| key.starts_with("[rate_limiter] quota")));
    assert_eq!(relay.get("health", &[]).await.status(), 200);
    assert_eq!(relay.get("health", &[]).await.status(), 200);
    assert_eq!(relay.get("health", &[]).await.status(), 429);
}

#[tokio::test]
async fn a_reload_changes_what_the_dht_node_sends_and_nothing_that_its_owner_gave_it() {
    use mainstay::dht::{LimitConfig, Testnet};

    let testnet = Testnet::new(3).await.unwrap();
    let own = LimitConfig { bytes_in_total: 50_000, ..LimitConfig::default() };
    let client = mainstay::Client::builder()
        .no_default_network()
        .bootstrap(&testnet.bootstrap)
        .dht(|node| node.limits(own))
        .build()
        .unwrap();
    let dht = client.dht().unwrap();
    let server = mainstay_relay_server::RelayServer::builder(client);
    let server = server.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let reload = |text: &str| {
        let running = server.reload(Config::parse(text).unwrap()).unwrap();
        assert!(!running.needs_restart.iter().any(|key| key.contains("dht")), "{running:?}");
    };
    let limits = || {
        let limits = dht.limits();
        (limits.replies_per_proven_address, limits.replies_per_address, limits.bytes_in_total)
    };
    reload("");
    assert_eq!(limits(), (100, 12, 50_000));
    reload("[rate_limiter]\ndht_quota = '5r/s'\ndht_burst = 7");
    assert_eq!(limits(), (7, 7, 50_000));
    reload("[rate_limiter]\ndht_quota = '300r/s'\ndht_burst = 7");
    assert_eq!(limits(), (300, 12, 50_000));
}

/// A certificate for `localhost` and its key, in these files.
fn certificate(folder: &std::path::Path) -> (rcgen::CertifiedKey<rcgen::KeyPair>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let pem = made.cert.pem();
    (made, pem)
}

#[tokio::test]
async fn https_is_served_and_its_certificate_can_be_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, first) = certificate(folder.path());
    let text = "[tls]\nport = 0\ncertificate = 'cert.pem'\nkey = 'key.pem'";
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, text).unwrap();
    let config = || Config::load(&file).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config())).await;
    let port = relay.server.local_addrs()[1].port();
    let get = async |trusted: &str| {
        let trusted = Certificate::from_pem(trusted.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .resolve("localhost", ([127, 0, 0, 1], port).into())
            .build()
            .unwrap();
        let answer = client.get(format!("https://localhost:{port}/health")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    assert!(get(&first).await);
    let (_, second) = certificate(folder.path());
    assert!(get(&first).await && !get(&second).await, "a file is read only when somebody says so");
    relay.server.reload(config()).unwrap();
    assert!(get(&second).await && !get(&first).await);
    std::fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
    let error = relay.server.reload(config()).unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
    assert!(get(&second).await, "a file that cannot be used changes nothing");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_serves_and_replaces_one_that_was_left_behind() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let mut config = Config::default();
    config.http.unix_socket = Some(path.clone());
    let relay = Relay::start_with(|builder| builder.config(config.clone())).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    // Somebody listens on it: it is not taken away.
    let client = mainstay::Client::builder().no_default_network().bootstrap(&["127.0.0.1:1"]);
    let second =
        mainstay_relay_server::RelayServer::builder(client.build().unwrap()).config(config);
    assert!(second.bind(([127, 0, 0, 1], 0).into()).await.is_err());
    assert!(path.exists());
    relay.server.shutdown().await;
    assert!(!path.exists(), "the file of a socket that is closed is left behind");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_that_has_taken_the_place_of_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let mut config = Config::default();
    config.http.unix_socket = Some(path.clone());
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    std::fs::rename(&path, folder.path().join("moved")).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    relay.server.shutdown().await;
    assert!(path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn what_stands_where_the_unix_socket_should_and_is_none_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    std::fs::write(&path, "somebody's work").unwrap();
    let mut config = Config::default();
    config.http.unix_socket = Some(path.clone());
    let client = mainstay::Client::builder().no_default_network().bootstrap(&["127.0.0.1:1"]);
    let server =
        mainstay_relay_server::RelayServer::builder(client.build().unwrap()).config(config);
    let error = server.bind(([127, 0, 0, 1], 0).into()).await.unwrap_err();
    assert!(error.to_string().contains("relay.sock"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's work");
}

#[tokio::test]
async fn a_relay_for_one_connection_serves_it_at_each_of_its_doors() {
    let text = "[http]\nmax_connections = 1\n[metrics]\nbind = '127.0.0.1:0'";
    let config = Config::parse(text).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let ask = async |door: std::net::SocketAddr, path: &str| {
        let mut stream = tokio::net::TcpStream::connect(door).await.unwrap();
        let head = format!("GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        let said = super::rest(&mut stream);
        tokio::time::timeout(std::time::Duration::from_secs(20), said).await
    };
    let doors = relay.server.local_addrs();
    for (door, path) in [(doors[0], "health"), (doors[1], "metrics"), (doors[0], "health")] {
        let said = ask(door, path).await.unwrap_or_else(|_| panic!("no room for /{path}"));
        assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    }
}

#[tokio::test]
async fn a_relay_listens_on_both_families() {
    let mut config = Config::default();
    config.http.port = 0;
    let client = mainstay::Client::builder().no_default_network().bootstrap(&["127.0.0.1:1"]);
    let server = mainstay_relay_server::RelayServer::builder(client.build().unwrap());
    let server = server.config(config).start().await.unwrap();
    let port = server.local_addr().port();
    for host in ["127.0.0.1", "[::1]"] {
        let get = super::http().get(format!("http://{host}:{port}/health")).send().await;
        assert_eq!(get.unwrap().status(), 200, "{host}");
    }
    assert_eq!(server.url().host_str(), Some("127.0.0.1"));
}
