//! Connectors for other people's protocol stacks: hyper-util's client and quinn, to names under keys.
//! Apart from the HTTP client because here we choose the address that gets the connection.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioExecutor;
use mainstay::connect::{ConnectError, HttpsConnector, quic_server_config};
use mainstay::dns::Name;
use mainstay::dns::rdata::{SVCB, SVCParam};
use mainstay::tls::TlsKeypair;
use mainstay::{Client, Keypair};
use quinn::{Endpoint, ServerConfig};
use tower::Service;

use super::server::{Authority, by_key, serve};
use super::{World, Zone, dead_port, here, to, whole_story};

type TestHttp = Http<HttpsConnector, String>;

fn http(connector: HttpsConnector) -> TestHttp {
    Http::builder(TokioExecutor::new()).build(connector)
}

async fn read(http: &TestHttp, url: String) -> Result<String, hyper_util::client::legacy::Error> {
    let body = http.get(url.parse().unwrap()).await?.into_body();
    Ok(whole(body).await)
}

async fn whole(mut body: Incoming) -> String {
    let mut text = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn hyper_reaches_keys_those_they_delegate_to_and_the_web() {
    let (world, keypair, other) = (World::new().await, Keypair::random(), Keypair::random());
    let authority = Authority::new();
    let web = authority.by_certificate("localhost", "by certificate").await;
    let address = by_key(&keypair, "by key").await;
    let key = world.zone(&keypair, |zone| zone.serving(address)).await;
    let name = world.zone(&other, |zone| zone.at("www", to(1, &key))).await;
    let http = http(HttpsConnector::with_roots(&world.reader(), authority.roots()));
    assert_eq!(read(&http, format!("https://{key}/")).await.unwrap(), "by key");
    assert_eq!(read(&http, format!("https://www.{name}/")).await.unwrap(), "by key");
    let url = format!("https://localhost:{}/", web.port());
    assert_eq!(read(&http, url).await.unwrap(), "by certificate");
}

#[tokio::test]
async fn hyper_fails_over_from_the_dead_and_from_impostors() {
    let (world, keypair, impostor) = (World::new().await, Keypair::random(), Keypair::random());
    let (wrong, right) = (by_key(&impostor, "wrong").await, by_key(&keypair, "right").await);
    let key = world
        .zone(&keypair, |zone| {
            let zone = zone.at("@", here(1, dead_port())).at("@", here(2, wrong.port()));
            zone.at("@", here(3, right.port())).on_loopback("@")
        })
        .await;
    let http = http(HttpsConnector::new(&world.reader()));
    assert_eq!(read(&http, format!("https://{key}/")).await.unwrap(), "right");
}

#[tokio::test]
async fn hyper_is_told_how_each_address_failed() {
    let (world, keypair, impostor) = (World::new().await, Keypair::random(), Keypair::random());
    let (wrong, dead) = (by_key(&impostor, "wrong").await, dead_port());
    let key = world
        .zone(&keypair, |zone| {
            zone.at("@", here(1, dead)).at("@", here(2, wrong.port())).on_loopback("@")
        })
        .await;
    let error = HttpsConnector::new(&world.reader()).call(https(&key.to_z32())).await.unwrap_err();
    let ConnectError::Unreachable { name, attempts } = &error else { panic!("{error}") };
    assert_eq!(*name, key.to_z32());
    let failed: Vec<_> = attempts.iter().map(|attempt| attempt.address).collect();
    // The addresses of the name itself come last, at the port of HTTPS.
    assert_eq!(failed[..2], [loopback(dead), wrong]);
    let holder = format!("the server holds {}", impostor.public_key());
    assert!(attempts[1].error.to_string().contains(&holder), "{error}");
}

#[tokio::test]
async fn what_is_not_https_is_refused_and_a_key_without_a_zone_is_told() {
    let world = World::new().await;
    let mut connector = HttpsConnector::new(&world.reader());
    for url in ["http://localhost/", "/path", "ftp://localhost/"] {
        let refused = connector.call(url.parse().unwrap()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::NotHttps(_)), "{refused}");
    }
    let nobody = Keypair::random().public_key().to_z32();
    let error = connector.call(https(&nobody)).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoEndpoint(_)), "{error}");
    assert!(whole_story(&error).contains(&nobody), "{error}");
}

#[tokio::test]
async fn hyper_learns_that_http_2_was_agreed_on_only_if_it_was_asked_for() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let mut config = keypair.to_rpk_rustls_server_config();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = serve(config, "hello").await;
    let key = world.zone(&keypair, |zone| zone.serving(address)).await;
    let mut connector = HttpsConnector::new(&world.reader());
    for is_asked_for in [false, true] {
        let stream = connector.call(https(&key.to_z32())).await.unwrap();
        assert_eq!(stream.connected().is_negotiated_h2(), is_asked_for);
        connector = connector.with_http2();
    }
}

fn https(host: &str) -> hyper::Uri {
    format!("https://{host}/").parse().unwrap()
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Answers each stream with what it brought, by QUIC on loopback.
fn echo(config: ServerConfig) -> (Endpoint, SocketAddr) {
    let server = Endpoint::server(config, loopback(0)).unwrap();
    let (address, listener) = (server.local_addr().unwrap(), server.clone());
    tokio::spawn(async move {
        while let Some(incoming) = listener.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.ok()?;
                let (mut sender, mut receiver) = connection.accept_bi().await.ok()?;
                let all = receiver.read_to_end(100).await.ok()?;
                sender.write_all(&all).await.ok()?;
                sender.finish().ok()?;
                sender.stopped().await.ok()
            });
        }
    });
    (server, address)
}

/// A record that leads to this port of the name itself, where this protocol is spoken.
fn speaking(priority: u16, port: u16, protocol: &'static str) -> SVCB<'static> {
    let alpn = vec![protocol.try_into().unwrap()];
    SVCB::new(priority, Name::new(".").unwrap())
        .with_param(SVCParam::Port(port))
        .with_param(SVCParam::Alpn(alpn))
}

async fn say(client: &Client, name: &str, protocol: &[u8]) -> Result<Vec<u8>, ConnectError> {
    let endpoint = Endpoint::client(loopback(0)).unwrap();
    let connection = client.connect_quic(&endpoint, name, &[protocol]).await?;
    let (mut sender, mut receiver) = connection.open_bi().await.unwrap();
    sender.write_all(b"hello").await.unwrap();
    sender.finish().unwrap();
    Ok(receiver.read_to_end(100).await.unwrap())
}

#[tokio::test]
async fn quinn_reaches_the_server_that_holds_the_key_past_those_who_speak_or_hold_something_else() {
    let (world, keypair, impostor) = (World::new().await, Keypair::random(), Keypair::random());
    let (_server, right) = echo(quic_server_config(&keypair, &[b"echo"]).unwrap());
    let (_other, wrong) = echo(quic_server_config(&impostor, &[b"echo"]).unwrap());
    let key = world
        .zone(&keypair, |zone| {
            let zone = zone.at("@", speaking(1, dead_port(), "h3"));
            let zone = zone.at("@", speaking(2, wrong.port(), "echo"));
            zone.at("@", speaking(3, right.port(), "echo")).on_loopback("@")
        })
        .await;
    let said = say(&world.reader(), &key.to_z32(), b"echo").await.unwrap();
    assert_eq!(said, b"hello");
}

#[tokio::test]
async fn quinn_finds_other_services_by_their_own_records() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let (_server, address) = echo(quic_server_config(&keypair, &[b"echo"]).unwrap());
    let key = world
        .zone(&keypair, |zone| {
            let service = speaking(1, address.port(), "echo");
            let zone = zone.svcb("_echo".try_into().unwrap(), service, 300);
            zone.on_loopback("_echo").at("@", here(1, dead_port())).on_loopback("@")
        })
        .await;
    let name = format!("_echo.{key}");
    assert_eq!(say(&world.reader(), &name, b"echo").await.unwrap(), b"hello");
}

#[tokio::test]
async fn quinn_is_told_who_was_no_use() {
    let (world, keypair, impostor) = (World::new().await, Keypair::random(), Keypair::random());
    let (_other, wrong) = echo(quic_server_config(&impostor, &[b"echo"]).unwrap());
    let hint = SVCParam::Ipv4Hint(vec![Ipv4Addr::LOCALHOST.to_bits()]);
    let service = here(1, wrong.port()).with_param(hint);
    let key = world.zone(&keypair, |zone| zone.at("@", service)).await;
    let client = world.reader();
    let error = say(&client, &key.to_z32(), b"echo").await.unwrap_err();
    let ConnectError::Unreachable { attempts, .. } = &error else { panic!("{error}") };
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].address, wrong);
    let error = say(&client, "example.com", b"echo").await.unwrap_err();
    assert!(matches!(error, ConnectError::NoEndpoint(_)), "{error}");
}

#[tokio::test]
async fn endpoints_that_speak_nothing_of_ours_are_passed_over() {
    let (world, keypair) = (World::new().await, Keypair::random());
    let hint = SVCParam::Ipv4Hint(vec![Ipv4Addr::LOCALHOST.to_bits()]);
    let service = speaking(1, dead_port(), "h3").with_param(hint);
    let service = service.with_param(SVCParam::NoDefaultAlpn);
    let key = world.zone(&keypair, |zone| zone.at("@", service)).await.to_z32();
    let client = world.reader();
    let by_quic = say(&client, &key, b"echo").await.unwrap_err();
    assert!(matches!(by_quic, ConnectError::NoEndpoint(_)), "{by_quic}");
    let by_hyper = HttpsConnector::new(&client).call(https(&key)).await.unwrap_err();
    assert!(matches!(by_hyper, ConnectError::NoEndpoint(_)), "{by_hyper}");
}
