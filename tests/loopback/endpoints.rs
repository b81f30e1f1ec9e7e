//! Names under keys over real sockets: records in a DHT, TLS by key and by certificate, one HTTP client for both.
//! What records mean is proven beside the search; here it is that the names they lead to are reached.

mod connect;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{StreamExt, future};
use mainstay::dht::Testnet;
use mainstay::dns::Name;
use mainstay::dns::rdata::{SVCB, SVCParam};
use mainstay::tls::ServerVerifier;
use mainstay::{
    Client, CouldNotResolveEndpoint, DeadEnd, Keypair, PublicKey, SignedPacket, SignedPacketBuilder,
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use server::{Authority, by_key};

/// A DHT, and somebody who publishes there.
struct World {
    testnet: Testnet,
    publisher: Client,
}

impl World {
    async fn new() -> Self {
        let testnet = Testnet::new(8).await.unwrap();
        let publisher = client(&testnet);
        Self { testnet, publisher }
    }

    /// Publishes a zone and gives its key.
    async fn zone(
        &self,
        keypair: &Keypair,
        fill: impl FnOnce(SignedPacketBuilder) -> SignedPacketBuilder,
    ) -> PublicKey {
        let packet = fill(SignedPacket::builder()).sign(keypair).unwrap();
        self.publisher.publish(&packet, None).await.unwrap();
        keypair.public_key()
    }

    /// A client that has resolved nothing so far.
    fn reader(&self) -> Client {
        client(&self.testnet)
    }

    fn http(&self) -> reqwest::Client {
        reqwest::ClientBuilder::from(self.reader()).no_proxy().build().unwrap()
    }
}

fn client(testnet: &Testnet) -> Client {
    let builder = Client::builder().no_default_network().bootstrap(&testnet.bootstrap);
    builder.dht(|dht| dht.bind(([127, 0, 0, 1], 0).into())).build().unwrap()
}

/// A record that leads to this port of the name itself.
fn here(priority: u16, port: u16) -> SVCB<'static> {
    SVCB::new(priority, Name::new(".").unwrap()).with_param(SVCParam::Port(port))
}

/// A record that leads to the name of a key.
fn to(priority: u16, key: &PublicKey) -> SVCB<'static> {
    SVCB::new(priority, Name::new(&key.to_z32()).unwrap()).into_owned()
}

trait Zone: Sized {
    fn at(self, name: &str, service: SVCB<'static>) -> Self;
    fn on_loopback(self, name: &str) -> Self;
    /// The whole zone of a server at this address.
    fn serving(self, address: SocketAddr) -> Self {
        self.at("@", here(1, address.port())).on_loopback("@")
    }
}

impl Zone for SignedPacketBuilder {
    fn at(self, name: &str, service: SVCB<'static>) -> Self {
        self.https(name.try_into().unwrap(), service, 300)
    }

    fn on_loopback(self, name: &str) -> Self {
        self.a(name.try_into().unwrap(), [127, 0, 0, 1].into(), 300)
    }
}

async fn read(http: &reqwest::Client, url: impl Into<String>) -> Result<String, reqwest::Error> {
    http.get(url.into()).send().await?.text().await
}

/// An error and all that it comes from.
fn whole_story(error: &dyn Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}

/// A port that nothing listens on.
fn dead_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_url_with_a_key_for_a_host_reaches_the_server_that_holds_it() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let address = by_key(&keypair, "hello").await;
    let key = world
        .zone(&keypair, |zone| {
            let port = address.port();
            zone.serving(address).at("*", here(1, port)).on_loopback("*")
        })
        .await;
    let http = world.http();
    assert_eq!(read(&http, format!("https://{key}/")).await.unwrap(), "hello");
    assert_eq!(read(&http, format!("https://anything.{key}/")).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_name_that_delegates_is_served_by_the_other_key() {
    let (world, name, host) = (World::new().await, Keypair::random(), Keypair::random());
    let address = by_key(&host, "delegated").await;
    let host = world.zone(&host, |zone| zone.serving(address)).await;
    let name = world.zone(&name, |zone| zone.at("@", to(1, &host)).at("www", to(1, &host))).await;
    let http = world.http();
    assert_eq!(read(&http, format!("https://{name}/")).await.unwrap(), "delegated");
    assert_eq!(read(&http, format!("https://www.{name}/")).await.unwrap(), "delegated");
}

#[tokio::test]
async fn a_server_that_holds_another_key_is_refused() {
    let (world, keypair, impostor) = (World::new().await, Keypair::random(), Keypair::random());
    let address = by_key(&impostor, "trust me").await;
    let key = world.zone(&keypair, |zone| zone.serving(address)).await;
    let error = read(&world.http(), format!("https://{key}/")).await.unwrap_err();
    let story = whole_story(&error);
    assert!(error.is_connect(), "{story}");
    assert!(story.contains(&format!("the server holds {}", impostor.public_key())), "{story}");
}

#[tokio::test]
async fn one_client_reaches_keys_and_the_web() {
    let (world, keypair, authority) = (World::new().await, Keypair::random(), Authority::new());
    let address = by_key(&keypair, "key").await;
    let key = world.zone(&keypair, |zone| zone.serving(address)).await;
    let web = authority.by_certificate("localhost", "web").await;
    let http = world.reader().reqwest_builder_with_roots(authority.roots());
    let http = http.no_proxy().build().unwrap();
    let web = format!("https://localhost:{}/", web.port());
    // All at once on one thread: what one connection asks for must not become the other's.
    let urls = (0..20).map(|n| if n % 2 == 0 { web.clone() } else { format!("https://{key}/") });
    let answers = future::join_all(urls.map(|url| read(&http, url))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let expected = if n % 2 == 0 { "web" } else { "key" };
        assert_eq!(answer.map_err(|error| whole_story(&error)), Ok(expected.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_reaches_keys_and_the_web_from_several_threads() {
    let (world, keypair, authority) = (World::new().await, Keypair::random(), Authority::new());
    let address = by_key(&keypair, "key").await;
    let key = world.zone(&keypair, |zone| zone.serving(address)).await;
    let web = authority.by_certificate("localhost", "web").await;
    let http = world.reader().reqwest_builder_with_roots(authority.roots());
    let http = http.no_proxy().build().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        for (url, expected) in [
            (format!("https://localhost:{}/", web.port()), "web"),
            (format!("https://{key}/"), "key"),
        ] {
            let http = http.clone();
            tasks.push((tokio::spawn(async move { read(&http, url).await }), expected));
        }
    }
    for (task, expected) in tasks {
        assert_eq!(task.await.unwrap().map_err(|e| whole_story(&e)), Ok(expected.to_owned()));
    }
}

#[tokio::test]
async fn the_web_needs_certificates_and_keys_need_the_key() {
    let (world, keypair, authority) = (World::new().await, Keypair::random(), Authority::new());
    // A certificate for the very name, by an authority that is trusted, does not stand for the key.
    let certified = authority.by_certificate(&keypair.to_z32(), "certified").await;
    let key = world.zone(&keypair, |zone| zone.serving(certified)).await;
    let raw = by_key(&keypair, "raw").await;
    let unknown = Authority::new().by_certificate("localhost", "unknown").await;
    let http = world.reader().reqwest_builder_with_roots(authority.roots());
    let http = http.no_proxy().build().unwrap();
    for url in [
        format!("https://{key}/"),
        format!("https://localhost:{}/", raw.port()),
        format!("https://localhost:{}/", unknown.port()),
    ] {
        let error = read(&http, url.as_str()).await.unwrap_err();
        assert!(error.is_connect(), "{url}: {}", whole_story(&error));
    }
}

#[tokio::test]
async fn a_dead_endpoint_costs_no_more_than_the_next() {
    let (world, name) = (World::new().await, Keypair::random());
    let (dead, live) = (Keypair::random(), Keypair::random());
    let address = by_key(&live, "alive").await;
    let live = world.zone(&live, |zone| zone.serving(address)).await;
    let dead = world.zone(&dead, |zone| zone.at("@", here(1, dead_port())).on_loopback("@")).await;
    let unpublished = Keypair::random().public_key();
    let name = world
        .zone(&name, |zone| {
            zone.at("@", to(1, &unpublished)).at("@", to(2, &dead)).at("@", to(3, &live))
        })
        .await;
    assert_eq!(read(&world.http(), format!("https://{name}/")).await.unwrap(), "alive");
}

#[tokio::test]
async fn the_port_of_a_url_beats_that_of_a_record() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let recorded = by_key(&keypair, "recorded").await;
    let other = by_key(&keypair, "other").await;
    let key = world.zone(&keypair, |zone| zone.serving(recorded)).await;
    let http = world.http();
    assert_eq!(read(&http, format!("https://{key}/")).await.unwrap(), "recorded");
    let url = format!("https://{key}:{}/", other.port());
    assert_eq!(read(&http, url).await.unwrap(), "other");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_fails_with_what_was_tried() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let key =
        world.zone(&keypair, |zone| zone.at("@", SVCB::new(0, Name::new(".").unwrap()))).await;
    let error = read(&world.http(), format!("https://{key}/")).await.unwrap_err();
    let story = whole_story(&error);
    assert!(story.contains("the service is not offered"), "{story}");
    let error = world.reader().resolve_https_endpoint(&key.to_z32()).await.unwrap_err();
    assert!(matches!(error.tried()[0].reason, DeadEnd::NotOffered), "{error}");
    let error = world.reader().resolve_https_endpoint("www.example.com").await.unwrap_err();
    assert!(matches!(error, CouldNotResolveEndpoint::NoKey(_)), "{error}");
}

#[tokio::test]
async fn endpoints_and_tls_work_without_reqwest() {
    let (world, name, host) = (World::new().await, Keypair::random(), Keypair::random());
    let address = by_key(&host, "bare").await;
    let host = world.zone(&host, |zone| zone.serving(address)).await;
    let name = world.zone(&name, |zone| zone.at("@", to(1, &host))).await;
    let client = world.reader();
    let server = ServerName::try_from(name.to_z32()).unwrap();
    let connector = TlsConnector::from(Arc::new(rustls::ClientConfig::from(&client)));
    // Until the name is resolved, only its own key would do.
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(server.clone(), stream).await.unwrap_err();
    let endpoint = client.resolve_https_endpoint(&name.to_z32()).await.unwrap();
    assert_eq!(endpoint.to_socket_addrs().await.unwrap(), [address]);
    assert_eq!(endpoint.public_key(), host);
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(server.clone(), stream).await.unwrap();
    // What another client has resolved says nothing to this one.
    let config = ServerVerifier::new(&world.reader()).into_client_config();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(server, stream).await.unwrap_err();
}

#[tokio::test]
async fn the_streams_give_all_endpoints_on_any_task() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let key = world
        .zone(&keypair, |zone| {
            let zone = zone.at("@", here(2, 2)).at("@", here(1, 1)).on_loopback("@");
            zone.svcb("_foo".try_into().unwrap(), here(1, 3), 300).on_loopback("_foo")
        })
        .await;
    let (https, svcb) = (world.reader(), world.reader());
    let name = key.to_z32();
    let https = tokio::spawn(https.resolve_https_endpoints(&name).collect::<Vec<_>>());
    let svcb =
        tokio::spawn(svcb.resolve_svcb_endpoints(&format!("_foo.{key}")).collect::<Vec<_>>());
    let ports = |endpoints: Vec<mainstay::Endpoint>| -> Vec<Option<u16>> {
        endpoints.iter().map(mainstay::Endpoint::port).collect()
    };
    assert_eq!(ports(https.await.unwrap()), [Some(1), Some(2), None]);
    assert_eq!(ports(svcb.await.unwrap()), [Some(3), None]);
}
