//! What one client may ask of a relay, and what stays free.
//! Separate, because these relays have limits, which those of the other tests have not.

use std::time::Duration;

use mainstay::{Client, Keypair, Timestamp};
use mainstay_relay_server::{Config, Peer, RelayServer, RelayService};

use super::{Relay, header, http, packet};

/// A relay with the limits of this configuration.
pub(super) async fn limited(text: &str) -> Relay {
    let config = Config::parse(text).unwrap();
    Relay::start_with(|builder| builder.config(config)).await
}

#[tokio::test]
async fn one_request_too_many_is_told_when_to_come_back_and_browsers_can_read_it() {
    let relay = limited("[rate_limiter]\nquota = '1r/h'\nburst = 3").await;
    let key = Keypair::random().to_z32();
    let path = format!("{key}?policy=CacheOnly");
    for _ in 0..3 {
        assert_eq!(relay.get(&path, &[]).await.status(), 404);
    }
    let refused = relay.get(&path, &[("origin", "https://app.example")]).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "access-control-allow-origin"), "*");
    assert!(header(&refused, "access-control-expose-headers").contains("retry-after"));
    assert!(refused.text().await.unwrap().contains("too many requests"));
}

#[tokio::test]
async fn preflights_are_free() {
    let relay = limited("[rate_limiter]\nquota = '1r/h'\nburst = 1").await;
    let url = relay.url(&Keypair::random().to_z32());
    for _ in 0..20 {
        let request = relay
            .http
            .request(reqwest::Method::OPTIONS, &url)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "PUT");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!(relay.get("health", &[]).await.status(), 200);
    assert_eq!(relay.get("health", &[]).await.status(), 429);
}

#[tokio::test]
async fn what_is_at_hand_is_free_of_the_budget_for_the_dht() {
    let relay = limited("[rate_limiter]\nuser_dht_quota = '1r/h'\nuser_dht_burst = 2").await;
    let keypair = Keypair::random();
    let known = packet(&keypair, Timestamp::now().as_u64(), 600);
    assert_eq!(relay.put(&known, None).await.status(), 204);
    let other = Keypair::random().to_z32();
    assert_eq!(relay.get(&other, &[]).await.status(), 404);
    // The budget is used up: by the publish, and by the search.
    assert_eq!(relay.get(&Keypair::random().to_z32(), &[]).await.status(), 429);
    let newer = packet(&keypair, Timestamp::now().as_u64(), 600);
    assert_eq!(relay.put(&newer, None).await.status(), 429);
    for _ in 0..5 {
        assert_eq!(relay.get(&keypair.to_z32(), &[]).await.status(), 200);
    }
}

#[tokio::test]
async fn an_expired_packet_is_served_where_the_dht_may_not_be_asked() {
    let text = "[rate_limiter]\nuser_dht_quota = '1r/h'\nuser_dht_burst = 1";
    let config = Config::parse(text).unwrap();
    let testnet = mainstay::dht::Testnet::new(5).await.unwrap();
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&testnet.bootstrap)
        .maximum_ttl(0)
        .build()
        .unwrap();
    let server = RelayServer::builder(client).config(config);
    let server = server.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let relay = Relay { _testnet: testnet, server, http: http() };
    let keypair = Keypair::random();
    let expired = packet(&keypair, Timestamp::now().as_u64(), 0);
    assert_eq!(relay.put(&expired, None).await.status(), 204);
    let served = relay.get(&keypair.to_z32(), &[]).await;
    assert_eq!(served.status(), 200);
    assert_eq!(header(&served, "cache-control"), "public, max-age=0");
    let newest = relay.get(&format!("{}?policy=NetworkOnly", keypair.to_z32()), &[]).await;
    assert_eq!(newest.status(), 429);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_budgets_of_their_own() {
    let relay = limited("[rate_limiter]\ntrusted_proxies = 1\nquota = '1r/h'\nburst = 1").await;
    for (forwarded, status) in [
        ("198.51.100.1", 200),
        ("198.51.100.1", 429),
        ("198.51.100.2", 200),
        // What the client itself claims stands further left, and changes nothing.
        ("192.0.2.1, 198.51.100.2", 429),
        ("2001:db8:0:1::1", 200),
        ("2001:db8:0:1::2", 429),
        ("2001:db8:0:2::1", 200),
    ] {
        let answer = relay.get("health", &[("x-forwarded-for", forwarded)]).await;
        assert_eq!(answer.status(), status, "{forwarded}");
    }
}

#[tokio::test]
async fn a_site_of_ipv6_cannot_ask_from_each_of_its_networks() {
    let service = service("[rate_limiter]\nquota = '1r/h'\nburst = 2").await;
    let mut allowed = 0;
    for network in 0..100_u16 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 7, network, 0, 0, 0, 1);
        allowed += usize::from(
            ask(&service, Peer::from(std::net::IpAddr::V6(address)), "/health").await == 200,
        );
    }
    assert_eq!(allowed, 32, "sixteen times what one network may");
}

/// A relay without sockets for HTTP, in front of a node that knows nobody.
async fn service(text: &str) -> RelayService {
    let client = Client::builder()
        .no_default_network()
        .dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()).no_bootstrap())
        .negative_ttl(60)
        .build()
        .unwrap();
    RelayService::new(client, Config::parse(text).unwrap())
}

async fn ask(service: &RelayService, peer: Peer, path: &str) -> u16 {
    let request = hyper::Request::get(path).body(mainstay_relay_server::Body::default()).unwrap();
    service.answer(peer, request).await.status().as_u16()
}

/// How many requests of each kind: the full measure is set by hand, since it takes minutes in a debug build.
fn flood() -> u64 {
    std::env::var("MAINSTAY_FLOOD").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// What this process holds in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_of_unknown_keys_from_a_flood_of_sources_takes_no_memory() {
    let service = service("").await;
    let begun = std::time::Instant::now();
    let mut before = 0;
    for round in 0..flood() {
        // What is filled once and then stays full is not counted: caches, tables, the allocator's own.
        if round == flood() / 2 {
            before = resident();
        }
        let address = std::net::Ipv6Addr::from_bits(u128::from(round) << 80 | 0x2001 << 112);
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&round.to_le_bytes());
        let key = Keypair::from_secret_key(&secret).to_z32();
        let status =
            ask(&service, Peer::from(std::net::IpAddr::V6(address)), &format!("/{key}")).await;
        assert!([404, 429, 503].contains(&status), "{status}");
    }
    let grown = resident().saturating_sub(before);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} unknown keys from as many networks: +{grown} bytes in {seconds:.1} s", flood());
    assert!(grown <= 8 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn a_crowd_that_asks_for_one_key_costs_one_search() {
    let testnet = mainstay::dht::Testnet::new(10).await.unwrap();
    // A crowd of this size keeps a busy machine from reading answers for longer than nodes are waited for.
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&testnet.bootstrap)
        .request_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let dht = client.dht().unwrap();
    assert!(dht.ready().await);
    let publisher = Keypair::random();
    let wanted = packet(&publisher, Timestamp::now().as_u64(), 600);
    let other =
        Client::builder().no_default_network().bootstrap(&testnet.bootstrap).build().unwrap();
    other.publish(&wanted, None).await.unwrap();
    let config = Config::parse("[rate_limiter]\nenabled = false").unwrap();
    let service = RelayService::new(client, config);
    let mut trace = dht.trace().await;
    let path = format!("/{}", publisher.to_z32());
    let crowd = (0..10_000).map(|_| ask(&service, Peer::Local, &path));
    let answers = futures_util::future::join_all(crowd).await;
    let other = answers.iter().find(|status| **status != 200);
    assert_eq!(other, None);
    let target = wanted.to_mutable_item().unwrap().target();
    let mut searches = std::collections::BTreeSet::new();
    while let Some(step) = trace.try_next() {
        if step.target == Some(target) {
            searches.insert(format!("{:?}", step.query));
        }
    }
    assert_eq!(searches.len(), 1, "{searches:?}");
}

#[tokio::test]
async fn a_relay_searches_for_so_many_keys_at_once_and_no_more() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&[silent.local_addr().unwrap().to_string()])
        .request_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let config = Config::parse("[http]\nmax_lookups = 2\n[rate_limiter]\nenabled = false").unwrap();
    let service = RelayService::new(client, config);
    let keys: Vec<_> = (0..5).map(|_| format!("/{}", Keypair::random().to_z32())).collect();
    let service = &service;
    let asked = keys.iter().map(|key| async move {
        let request =
            hyper::Request::get(key).body(mainstay_relay_server::Body::default()).unwrap();
        let answer = service.answer(Peer::Local, request).await;
        let said = String::from_utf8(answer.body().as_bytes().to_vec()).unwrap();
        (answer.status().as_u16(), said)
    });
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|(status, _)| *status == 503), "{answers:?}");
    let turned_away = answers.iter().filter(|(_, said)| said.contains("as many keys as it can"));
    assert_eq!(turned_away.count(), 3, "{answers:?}");
}
