//! The client over a real DHT and over relays of flesh and bone, good and bad.
//! Its rules are proven beside its code; here it is that they hold with sockets, threads and runtimes.

mod faults;
mod processes;
mod publishing;
mod relay;
mod relays;
mod runtimes;

use std::time::Duration;

use mainstay::dht::Testnet;
use mainstay::{
    AnswerOutcome, Client, ClientBuilder, Failure, Keypair, Policy, ResolveError, SignedPacket,
    Source, Timestamp,
};

use relay::{Manner, Relay};

/// Generous beside loopback, small beside any timeout that could hide a wait.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How long a relay may take in these tests.
const RELAY_TIMEOUT: Duration = Duration::from_secs(4);

/// Configures a client that asks only these relays.
fn over_relays(relays: &[&Relay]) -> ClientBuilder {
    let urls: Vec<_> = relays.iter().map(|relay| relay.url.as_str()).collect();
    let builder = Client::builder().no_default_network().relays(&urls).expect("they are URLs");
    builder.relay_request_timeout(RELAY_TIMEOUT)
}

/// Configures a client that asks only this test network.
fn over_dht(testnet: &Testnet) -> ClientBuilder {
    let builder = Client::builder().no_default_network().bootstrap(&testnet.bootstrap);
    builder.dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()))
}

/// A packet made so many seconds ago that says so.
fn packet(keypair: &Keypair, seconds_ago: u64) -> SignedPacket {
    let timestamp = Timestamp::now().checked_sub(Duration::from_secs(seconds_ago));
    let text = format!("{seconds_ago} seconds ago");
    let packet = SignedPacket::builder()
        .txt("made".try_into().expect("a name"), text.as_str().try_into().expect("short"), 300)
        .timestamp(timestamp.expect("not before 1970"));
    packet.sign(keypair).expect("a small zone")
}

#[tokio::test]
async fn what_one_client_publishes_another_resolves_cold_over_the_dht() {
    let testnet = Testnet::new(20).await.unwrap();
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let publisher = over_dht(&testnet).build().unwrap();
    let report = publisher.publish_report(&packet, None).await.unwrap();
    assert!(report.stored_nodes() > 5, "{report}");
    let reader = over_dht(&testnet).build().unwrap();
    let resolved = reader.resolve_with(&keypair.public_key(), Policy::NetworkOnly).await.unwrap();
    assert_eq!(resolved.packet, packet);
    assert!(matches!(resolved.source, Source::Dht { nodes } if nodes > 5), "{:?}", resolved.source);
    let again = reader.resolve_with(&keypair.public_key(), Policy::CacheFirst).await.unwrap();
    assert_eq!((again.packet, again.source), (packet, Source::Cache));
}

#[tokio::test]
async fn what_one_client_publishes_another_resolves_through_a_relay() {
    let relay = Relay::start(Manner::Honest).await;
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let publisher = over_relays(&[&relay]).build().unwrap();
    let report = publisher.publish_report(&packet, None).await.unwrap();
    assert_eq!(report.stored_nodes(), 7);
    let reader = over_relays(&[&relay]).build().unwrap();
    let resolved = reader.resolve_with(&keypair.public_key(), Policy::CacheFirst).await.unwrap();
    assert_eq!(resolved.packet, packet);
    assert_eq!(resolved.source, Source::Relay(relay.url.parse().unwrap()));
}

#[tokio::test]
async fn the_dht_and_the_relays_are_asked_together() {
    let testnet = Testnet::new(10).await.unwrap();
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, 50), packet(&keypair, 5));
    let relay = Relay::start(Manner::Honest).await.holding(&old);
    over_dht(&testnet).build().unwrap().publish(&new, None).await.unwrap();
    let both = over_dht(&testnet).extra_relays(&[&relay.url]).unwrap().build().unwrap();
    assert_eq!(both.resolve_most_recent(&keypair.public_key()).await, Some(new.clone()));
    assert_eq!(relay.count("GET"), 1);
    let newer = packet(&keypair, 1);
    let report = both.publish_report(&newer, Some(new.timestamp())).await.unwrap();
    assert_eq!(report.outcomes.len(), 2, "{report}");
    let reader = over_dht(&testnet).build().unwrap();
    assert_eq!(reader.resolve_most_recent(&keypair.public_key()).await, Some(newer));
}

#[tokio::test]
async fn a_key_that_nobody_published_is_not_found_rather_than_a_failure() {
    let testnet = Testnet::new(10).await.unwrap();
    let relay = Relay::start(Manner::Honest).await;
    let client = over_dht(&testnet).extra_relays(&[&relay.url]).unwrap().build().unwrap();
    let key = Keypair::random().public_key();
    assert_eq!(client.resolve(&key).await, None);
    let error = client.resolve_with(&key, Policy::NetworkOnly).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound(_)), "{error}");
    assert_eq!(error.answers().len(), 2);
}

#[tokio::test]
async fn a_client_that_reaches_nobody_says_so() {
    // A port that was free a moment ago: nothing answers there.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&[silent])
        .dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()))
        .dht_request_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let keypair = Keypair::random();
    let key = keypair.public_key();
    let error = client.resolve_with(&key, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NoAnswer(_)), "{error}");
    let error = client.publish(&packet(&keypair, 5), None).await.unwrap_err();
    assert!(error.concurrency().is_none(), "{error}");
    assert_eq!(error.report().map(mainstay::PublishReport::stored_backends), Some(0));
    assert_eq!(client.resolve(&key).await, None);
}

#[tokio::test]
async fn the_dht_and_the_relays_have_timeouts_of_their_own() {
    const DAY: Duration = Duration::from_secs(86_400);
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let relay = Relay::start(Manner::Hangs).await;
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&[deaf.local_addr().unwrap().to_string()])
        .dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()).deadline(DAY))
        .extra_relays(&[&relay.url])
        .unwrap()
        .request_timeout(DAY)
        .dht_request_timeout(Duration::from_millis(100))
        .relay_request_timeout(Duration::from_millis(150))
        .dht_deadline(DAY)
        .build()
        .unwrap();
    let key = Keypair::random().public_key();
    let error = client.resolve_with(&key, Policy::MostRecent).await.unwrap_err();
    let [dht, relay] = error.answers() else { panic!("{error}") };
    // Each tells of its own: it was not given up on by somebody else.
    let AnswerOutcome::Failed(dht) = &dht.outcome else { panic!("{error}") };
    assert!(!matches!(dht, Failure::TimedOut { .. }), "{error}");
    let AnswerOutcome::Failed(Failure::Relay(relay)) = &relay.outcome else { panic!("{error}") };
    assert!(relay.to_string().contains("within 150ms"), "{error}");
}

#[tokio::test]
async fn a_hundred_callers_for_one_cold_key_cost_each_relay_one_request() {
    let keypair = Keypair::random();
    let relay = Relay::start(Manner::Honest).await.holding(&packet(&keypair, 5));
    let client = over_relays(&[&relay]).build().unwrap();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (client, key) = (client.clone(), keypair.public_key());
            tokio::spawn(async move { client.resolve(&key).await })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap().is_some());
    }
    // Those who come after the answer are served from the cache.
    assert_eq!(relay.count("GET"), 1);
}

#[tokio::test]
async fn an_expired_packet_is_served_though_the_relay_is_gone() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, 5);
    let relay = Relay::start(Manner::Honest).await.holding(&packet);
    let client = over_relays(&[&relay]).maximum_ttl(0).build().unwrap();
    let key = keypair.public_key();
    assert_eq!(client.resolve(&key).await, Some(packet.clone()));
    relay.change(Manner::Resets);
    assert_eq!(client.resolve(&key).await, Some(packet.clone()));
    assert_eq!(client.resolve_most_recent(&key).await, Some(packet));
    let error = client.resolve_with(&key, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NoAnswer(_)), "{error}");
}

#[tokio::test]
async fn aliases_lead_from_key_to_key_and_circles_end() {
    use mainstay::{ResolveNameError, dns};

    let (first, second) = (Keypair::random(), Keypair::random());
    let host = format!("host.{}", second.public_key());
    let back = format!("loop.{}", first.public_key());
    let zone = SignedPacket::builder()
        .cname("www".try_into().unwrap(), dns::Name::new(&host).unwrap(), 300)
        .cname("loop".try_into().unwrap(), dns::Name::new(&back).unwrap(), 300)
        .cname("icann".try_into().unwrap(), dns::Name::new("example.com").unwrap(), 300);
    let zone = zone.sign(&first).unwrap();
    let target = SignedPacket::builder()
        .address("host".try_into().unwrap(), "192.0.2.9".parse().unwrap(), 300)
        .sign(&second)
        .unwrap();
    let relay = Relay::start(Manner::Honest).await.holding(&zone).holding(&target);
    let client = over_relays(&[&relay]).build().unwrap();
    let name = |below| format!("{below}.{}", first.public_key());
    let a = Some(dns::TYPE::A);
    let resolve = |below| {
        let (client, name) = (client.clone(), name(below));
        async move { client.resolve_name(&name, a, Policy::CacheFirst).await }
    };

    let www = resolve("www").await.unwrap();
    assert_eq!(www.hops.len(), 2);
    let address = www.records().find_map(|record| record.address());
    assert_eq!(address, Some("192.0.2.9".parse().unwrap()));
    assert_eq!(www.records().count(), 2, "the alias and what it leads to");
    let icann = resolve("icann").await.unwrap();
    assert_eq!(icann.leads_to.as_deref(), Some("example.com"));
    let circle = resolve("loop").await.unwrap_err();
    assert!(matches!(circle, ResolveNameError::Circle { .. }), "{circle}");
    assert_eq!(resolve("none").await.unwrap().records().count(), 0);

    let shallow = over_relays(&[&relay]).max_recursion_depth(1).build().unwrap();
    let error = shallow.resolve_name(&name("www"), a, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveNameError::TooDeep { limit: 1 }), "{error}");
}
