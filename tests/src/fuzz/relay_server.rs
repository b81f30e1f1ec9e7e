//! Fuzz targets of the relay server: whole requests without a socket, and configuration files.
//!
//! Separate, because each crate's promises are written down in one file.

use std::sync::OnceLock;

use mainstay_client::Client;
use mainstay_keys::Keypair;
use mainstay_packets::SignedPacket;
use mainstay_relay_server::{Body, Config, ConfigError, Peer, RelayService};

/// A relay whose node knows nobody, and the runtime that it lives in.
struct Alone {
    runtime: tokio::runtime::Runtime,
    service: RelayService,
}

fn alone() -> &'static Alone {
    static ALONE: OnceLock<Alone> = OnceLock::new();
    ALONE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Client::builder()
            .no_default_network()
            .dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()).no_bootstrap())
            .build();
        let config = Config::parse("[rate_limiter]\nenabled = false\ntrusted_proxies = 1\n");
        let config = config.expect("the keys exist");
        Alone {
            runtime: runtime.expect("a runtime starts"),
            service: RelayService::new(client.expect("a port is free"), config),
        }
    })
}

/// A method, a path with its query, headers, an empty line, a body.
pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let keypair = Keypair::from_secret_key(&[7; 32]);
    let key = keypair.to_z32();
    let signed = SignedPacket::builder().sign(&keypair).expect("an empty zone can be signed");
    let texts = [
        format!("GET /{key}?policy=CacheOnly\nif-none-match: \"1-0000000000000000\"\n\n"),
        format!(
            "HEAD /pkarr/{key}?policy=CacheOnly\nif-modified-since: Tue, 14 Nov 2023 22:13:20 GMT\n\n"
        ),
        format!("GET /packets?policy=CacheOnly&key={key}&key=x\n\n"),
        format!("POST /packets?policy=CacheOnly\n\n{key}\n{key}"),
        "GET /watch?key=x\nlast-event-id: 1,2\n\n".to_owned(),
        format!("GET /records/{key}?policy=CacheOnly\nx-forwarded-for: 192.0.2.1, ::1\n\n"),
        "OPTIONS /x\norigin: https://app.example\naccess-control-request-headers: if-match\n\n"
            .to_owned(),
        "GET /?key=%3Cscript%3E\n\n".to_owned(),
        "GET /metrics\n\n".to_owned(),
        "GET /info\n\n".to_owned(),
    ];
    let mut seeds: Vec<Vec<u8>> = texts.map(String::into_bytes).to_vec();
    let mut put = format!("PUT /{key}\nif-match: 0\ncontent-length: 72\n\n").into_bytes();
    put.extend_from_slice(&signed.to_relay_payload());
    seeds.push(put);
    seeds
}

/// Any request is answered, with a status of the protocol, headers that scripts may read, and nothing of the asker's in
/// HTML that is not escaped.
pub(super) fn relay_request(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let Alone { runtime, service } = alone();
    let path = request.uri().path().to_owned();
    let answer = runtime.block_on(service.answer(Peer::Local, request));
    let status = answer.status().as_u16();
    let known = [200, 204, 304, 400, 404, 405, 408, 409, 412, 413, 414, 428, 429, 503];
    assert!(known.contains(&status), "{path} is answered with {status}");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("access-control-allow-origin"), Some("*"), "{path}");
    if header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        let html = String::from_utf8_lossy(answer.body().as_bytes());
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, 1, "the page has a script that is not its own");
    }
}

/// Reads a request as the seeds write one.
fn request(data: &[u8]) -> Option<hyper::Request<Body>> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = data.split_at_checked(end)?;
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut builder = hyper::Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        builder = builder.header(name, value);
    }
    builder.body(Body::from(body.get(2..)?.to_vec())).ok()
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    let lines = Config::SAMPLE.lines().filter(|line| !line.starts_with("# "));
    let keys: Vec<_> = lines.map(|line| line.strip_prefix('#').unwrap_or(line)).collect();
    vec![
        Config::SAMPLE.as_bytes().to_vec(),
        keys.join("\n").into_bytes(),
        b"[http]\nprot = 1\n[[http]]\n".to_vec(),
    ]
}

/// Any text is refused with a line that it has, or is a configuration.
pub(super) fn relay_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().count().saturating_add(1);
    match Config::parse(text) {
        Ok(_) => {}
        Err(
            ConfigError::Value { line, .. }
            | ConfigError::UnknownKey { line, .. }
            | ConfigError::UnknownTable { line, .. },
        ) => assert!((1..=lines).contains(&line), "there is no line {line}"),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says nothing"),
    }
}
