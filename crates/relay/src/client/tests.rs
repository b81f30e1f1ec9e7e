//! The client against relays that do everything relays are known to do, and some that no relay should.
//! Apart from the client because there are many; each is a server on loopback that answers fixed bytes.

use std::error::Error as _;

use mainstay_keys::Keypair;
use mainstay_packets::VerifyError;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

use self::fake::{Fake, answer};
use super::*;

mod fake;

/// 2023-11-14 22:13:20.
const MICROS: u64 = 1_700_000_000_000_000;

fn keypair() -> Keypair {
    Keypair::from_secret_key(&[7; 32])
}

fn key() -> PublicKey {
    keypair().public_key()
}

fn packet_of(keypair: &Keypair) -> SignedPacket {
    SignedPacket::builder()
        .txt("_proto".try_into().unwrap(), "v=1".try_into().unwrap(), 30)
        .timestamp(MICROS.into())
        .sign(keypair)
        .unwrap()
}

fn packet() -> SignedPacket {
    packet_of(&keypair())
}

fn found(headers: &str) -> Vec<u8> {
    answer(200, headers, &packet().to_relay_payload())
}

fn client(url: &str) -> RelayClient {
    RelayClient::new(url, RelayOptions::default()).unwrap()
}

async fn publish_answered(bytes: Vec<u8>) -> Result<Stored, RelayError> {
    let fake = Fake::answering(vec![bytes]).await;
    client(&fake.url).publish(&packet(), None).await
}

async fn resolve_answered<A: AsRef<[u8]> + Send + 'static>(
    answers: Vec<A>,
) -> Result<Fetched, RelayError> {
    let fake = Fake::answering(answers).await;
    client(&fake.url).resolve(&key(), Policy::CacheFirst, None).await
}

#[tokio::test]
async fn an_http_client_of_ones_own_asks_in_its_own_way() {
    let moved = answer(302, "location: /elsewhere\r\n", b"");
    let endless = answer(200, "", &[0; 5000]);
    let mut fake = Fake::answering(vec![found(""), moved, endless]).await;
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let http = HttpClient::builder()
        .tls_backend_preconfigured(tls)
        .user_agent("somebody/1")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let relay = RelayClient::with_http(&fake.url, RelayOptions::default(), http.clone()).unwrap();
    let resolve = async || relay.resolve(&key(), Policy::CacheFirst, None).await;
    assert_eq!(resolve().await.unwrap().packet, packet());
    assert_eq!(fake.next().await.header("user-agent"), Some("somebody/1"));
    // Its own rule, which follows nowhere; ours, which reads no more than a packet may have.
    let followed = resolve().await.unwrap_err();
    assert!(matches!(followed, RelayError::Failed { status: 302, .. }), "{followed:?}");
    let endless = resolve().await.unwrap_err();
    assert!(matches!(endless, RelayError::TooLarge { .. }), "{endless:?}");
    let refused = RelayClient::with_http("no relay", RelayOptions::default(), http);
    assert!(matches!(refused, Err(BuildError::Url(_))));
}

#[tokio::test]
async fn publishing_puts_the_payload_under_the_key() {
    let stored = answer(204, "Pkarr-Dht-Stored-Nodes: 17\r\n", b"");
    let mut fake = Fake::answering(vec![stored]).await;
    let stored = client(&fake.url).publish(&packet(), None).await.unwrap();
    assert_eq!(stored.nodes, Some(17));
    let seen = fake.next().await;
    assert_eq!(seen.line(), format!("put /{} http/1.1", key()));
    assert_eq!(seen.body, packet().to_relay_payload());
    assert_eq!(seen.header("if-match"), None);
}

#[tokio::test]
async fn a_condition_travels_as_microseconds_without_quotes() {
    let mut fake = Fake::answering(vec![answer(204, "", b"")]).await;
    client(&fake.url).publish(&packet(), Some(Timestamp::from(MICROS))).await.unwrap();
    assert_eq!(fake.next().await.header("if-match"), Some("1700000000000000"));
}

#[tokio::test]
async fn a_relay_that_counts_no_nodes_has_stored_on_an_unknown_number() {
    for header in ["", "many", "-1", "+1", "4294967296"].map(|nodes| {
        if nodes.is_empty() {
            String::new()
        } else {
            format!("pkarr-dht-stored-nodes: {nodes}\r\n")
        }
    }) {
        let stored = publish_answered(answer(204, &header, b"")).await.unwrap();
        assert_eq!(stored.nodes, None, "{header}");
    }
    let zero = publish_answered(answer(200, "pkarr-dht-stored-nodes: 0\r\n", b"")).await.unwrap();
    assert_eq!(zero.nodes, Some(0));
}

#[tokio::test]
async fn three_statuses_are_conflicts() {
    for (status, conflict) in
        [(409, Conflict::NotMostRecent), (412, Conflict::CasFailed), (428, Conflict::ConflictRisk)]
    {
        let error = publish_answered(answer(status, "", b"newer")).await.unwrap_err();
        assert_eq!(error.conflict(), Some(conflict));
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn refusals_repeat_the_relays_words_and_name_it() {
    for status in [400, 401, 403, 404, 405, 413, 422] {
        let bytes = answer(status, "", b" invalid\x1b[31m key\n");
        let fake = Fake::answering(vec![bytes]).await;
        let error = client(&fake.url).publish(&packet(), None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the relay {} refused with {status}: invalid [31m key", fake.url)
        );
        assert_eq!(error.relay(), fake.url);
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_busy_relay_says_when_to_come_back() {
    for (status, header, wait) in [
        (429, "retry-after: 7\r\n", Some(7)),
        (503, "Retry-After: 120\r\n", Some(120)),
        (429, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", Some(86_400)),
        (429, "retry-after: Tue, 14 Nov 2023 22:13:20 GMT\r\n", Some(0)),
        (503, "retry-after: soon\r\n", None),
        (503, "", None),
    ] {
        let published = publish_answered(answer(status, header, b"")).await.unwrap_err();
        let resolved = resolve_answered(vec![answer(status, header, b"")]).await.unwrap_err();
        for error in [published, resolved] {
            assert!(matches!(error, RelayError::Busy { status: said, .. } if said == status));
            assert_eq!(error.retry_after(), wait.map(Duration::from_secs), "{header}");
            assert!(error.is_retryable());
        }
    }
}

#[tokio::test]
async fn a_failing_relay_may_be_asked_again_and_a_confused_one_not() {
    for (status, retryable) in [(500, true), (502, true), (504, true), (300, false), (206, false)] {
        let error = resolve_answered(vec![answer(status, "", b"oops")]).await.unwrap_err();
        assert!(
            matches!(&error, RelayError::Failed { words, .. } if &**words == "oops"),
            "{status}"
        );
        assert_eq!(error.is_retryable(), retryable, "{status}");
    }
}

#[tokio::test]
async fn resolving_gets_the_key_with_a_policy_and_no_condition() {
    for policy in Policy::ALL {
        let mut fake = Fake::answering(vec![found("")]).await;
        let fetched = client(&fake.url).resolve(&key(), policy, Some(1.into())).await.unwrap();
        assert_eq!(fetched.packet, packet());
        let seen = fake.next().await;
        let query = policy.to_string().to_lowercase();
        assert_eq!(seen.line(), format!("get /{}?policy={query} http/1.1", key()));
        for absent in ["if-modified-since", "if-none-match", "accept-encoding", "referer"] {
            assert_eq!(seen.header(absent), None, "{absent}");
        }
        let bypasses = seen.header("cache-control").is_some_and(|value| value.contains("no-cache"));
        assert_eq!(bypasses, policy == Policy::NetworkOnly);
    }
}

#[tokio::test]
async fn the_path_of_a_relay_is_kept() {
    let mut fake = Fake::answering(vec![found(""), answer(204, "", b"")]).await;
    let client = client(&format!("{}/pkarr/?token=t", fake.url));
    client.resolve(&key(), Policy::CacheOnly, None).await.unwrap();
    client.publish(&packet(), None).await.unwrap();
    let query = "token=t&policy=cacheonly";
    assert_eq!(fake.next().await.line(), format!("get /pkarr/{}?{query} http/1.1", key()));
    assert_eq!(fake.next().await.line(), format!("put /pkarr/{}?token=t http/1.1", key()));
}

#[tokio::test]
async fn when_a_packet_was_seen_is_told_if_the_relay_tells_it() {
    let seen = Some(Timestamp::from(MICROS));
    for (headers, expected) in [
        ("Memento-Datetime: Tue, 14 Nov 2023 22:13:20 GMT\r\n", seen),
        ("memento-datetime: Fri, 31 Dec 9999 23:59:59 GMT\r\n", None),
        ("memento-datetime: \u{e9}\r\n", None),
        ("", None),
    ] {
        let fetched = resolve_answered(vec![found(headers)]).await.unwrap();
        assert_eq!(fetched.last_seen, expected, "{headers}");
        assert_eq!(fetched.max_age, None);
    }
    let cached = "cache-control: public, max-age=60\r\nage: 9\r\n";
    let fetched = resolve_answered(vec![found(cached)]).await.unwrap();
    assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));
    let age = Timestamp::clock().saturating_duration_since(fetched.last_seen.unwrap());
    assert!(age >= Duration::from_secs(9));
}

#[tokio::test]
async fn an_empty_or_unmodified_answer_is_asked_for_once_more_past_all_caches() {
    for odd in [answer(200, "", b""), answer(304, "", b"")] {
        let mut fake = Fake::answering(vec![odd.clone(), found("")]).await;
        let fetched = client(&fake.url).resolve(&key(), Policy::CacheFirst, None).await.unwrap();
        assert_eq!(fetched.packet, packet());
        assert_eq!(fake.next().await.header("cache-control"), None);
        let again = fake.next().await;
        assert!(again.header("cache-control").unwrap().contains("no-cache"));
        assert!(again.line().ends_with("?policy=cachefirst http/1.1"));

        let twice = resolve_answered(vec![odd.clone(), odd]).await;
        assert!(matches!(twice, Err(RelayError::Empty { .. })), "{twice:?}");
    }
}

#[tokio::test]
async fn nothing_found_may_come_with_what_there_is_instead() {
    for (headers, expected) in [
        ("", None),
        ("Pkarr-Invalid-Signed-Packet-Seq: 12\r\n", Some(12)),
        ("pkarr-invalid-signed-packet-seq: -9223372036854775808\r\n", Some(i64::MIN)),
        ("pkarr-invalid-signed-packet-seq: 9223372036854775808\r\n", None),
        ("pkarr-invalid-signed-packet-seq: x\r\n", None),
    ] {
        let error = resolve_answered(vec![answer(404, headers, b"no")]).await.unwrap_err();
        let RelayError::NotFound { invalid_seq, .. } = error else { unreachable!("{error}") };
        assert_eq!(invalid_seq, expected, "{headers}");
    }
}

#[tokio::test]
async fn a_body_longer_than_any_packet_is_refused_and_one_far_longer_not_even_read() {
    for (length, cut) in [(1_073, false), (1_104, false), (1_105, true), (5_000_000, true)] {
        let error = resolve_answered(vec![answer(200, "", &vec![1; length])]).await.unwrap_err();
        match error {
            RelayError::TooLarge { .. } => assert!(cut, "{length}"),
            RelayError::Invalid { source: VerifyError::TooLong { .. }, .. } => {
                assert!(!cut, "{length}");
            }
            other => unreachable!("{length}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_body_without_end_is_left_after_a_thousand_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        fake::request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        while stream.write_all(b"10\r\n0123456789abcdef\r\n").await.is_ok() {}
    });
    let error = client(&url).resolve(&key(), Policy::CacheFirst, None).await.unwrap_err();
    assert!(matches!(error, RelayError::TooLarge { .. }), "{error}");
    endless.await.unwrap();
}

#[tokio::test]
async fn a_packet_of_another_key_is_no_answer() {
    let other = packet_of(&Keypair::from_secret_key(&[8; 32])).to_relay_payload();
    let error = resolve_answered(vec![answer(200, "", &other)]).await.unwrap_err();
    let signature = matches!(&error, RelayError::Invalid { source: VerifyError::Signature(_), .. });
    assert!(signature, "{error}");
    assert!(error.source().is_some());
    let mut altered = packet().to_relay_payload().to_vec();
    altered[80] ^= 1;
    for body in [altered, b"short".to_vec(), packet().as_bytes().to_vec()] {
        let error = resolve_answered(vec![answer(200, "", &body)]).await.unwrap_err();
        assert!(matches!(error, RelayError::Invalid { .. }), "{error}");
    }
}

#[tokio::test]
async fn only_a_later_timestamp_is_newer() {
    for (known, newer) in [(MICROS - 1, true), (MICROS, false), (MICROS + 1, false)] {
        let fake = Fake::answering(vec![found("")]).await;
        let known = Some(Timestamp::from(known));
        let result = client(&fake.url).resolve(&key(), Policy::CacheFirst, known).await;
        match result {
            Ok(_) => assert!(newer),
            Err(RelayError::NothingNewer { timestamp, .. }) => {
                assert!(!newer);
                assert_eq!(timestamp, MICROS.into());
            }
            Err(other) => unreachable!("{other}"),
        }
    }
}

#[tokio::test]
async fn two_redirects_are_followed_and_a_third_is_not() {
    let elsewhere = |to: &str| answer(307, &format!("location: {to}\r\n"), b"");
    let mut fake = Fake::answering(vec![elsewhere("/a/x"), elsewhere("/b"), found("")]).await;
    let fetched = client(&fake.url).resolve(&key(), Policy::CacheFirst, None).await.unwrap();
    assert_eq!(fetched.packet, packet());
    fake.next().await;
    assert_eq!(fake.next().await.line(), "get /a/x http/1.1");
    assert_eq!(fake.next().await.line(), "get /b http/1.1");

    let thrice = vec![elsewhere("/a"), elsewhere("/b"), elsewhere("/c"), found("")];
    let error = resolve_answered(thrice).await.unwrap_err();
    assert!(matches!(error, RelayError::Redirected { .. }), "{error}");
    let error = resolve_answered(vec![elsewhere("ftp://127.0.0.1/")]).await.unwrap_err();
    assert!(matches!(error, RelayError::Redirected { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_that_turns_publishing_into_fetching_has_stored_nothing() {
    let see_other = answer(303, "location: /thanks\r\n", b"");
    let fake = Fake::answering(vec![see_other, answer(200, "", b"thanks")]).await;
    let error = client(&fake.url).publish(&packet(), None).await.unwrap_err();
    assert!(matches!(error, RelayError::Failed { status: 200, .. }), "{error}");

    let moved = answer(308, "location: /moved\r\n", b"");
    let mut fake = Fake::answering(vec![moved, answer(204, "", b"")]).await;
    assert!(client(&fake.url).publish(&packet(), None).await.is_ok());
    fake.next().await;
    let again = fake.next().await;
    assert_eq!(again.line(), "put /moved http/1.1");
    assert_eq!(again.body, packet().to_relay_payload());
}

#[tokio::test(start_paused = true)]
async fn a_silent_relay_times_out_by_its_own_clock_for_each_kind_of_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = RelayOptions::default()
        .resolve_timeout(Duration::from_secs(3))
        .publish_timeout(Duration::from_secs(7));
    let client = RelayClient::new(&url, options).unwrap();
    let resolved = client.resolve(&key(), Policy::CacheFirst, None).await.unwrap_err();
    let published = client.publish(&packet(), None).await.unwrap_err();
    for (error, seconds) in [(resolved, 3), (published, 7)] {
        assert!(error.is_retryable());
        let RelayError::Timeout { after, .. } = error else { unreachable!("{error}") };
        assert_eq!(after, Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_told_from_one_that_hangs_up() {
    // A socket that has an address but does not listen keeps that address from everybody else.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let error = client(&url).resolve(&key(), Policy::CacheFirst, None).await.unwrap_err();
    assert!(matches!(error, RelayError::Unreachable { .. }), "{error}");
    assert!(error.is_retryable());

    let half = found("").split_at(150).0.to_vec();
    for hangs_up in
        [b"".to_vec(), b"HTTP/1.1 2".to_vec(), b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), half]
    {
        let error = resolve_answered(vec![hangs_up]).await.unwrap_err();
        assert!(matches!(error, RelayError::Broken { .. }), "{error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn https_is_spoken_without_a_crypto_provider_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("https://{}", listener.local_addr().unwrap()));
    let key = key();
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut record = [0; 6];
        stream.read_exact(&mut record).await.unwrap();
        record
    };
    let (result, record) = tokio::join!(client.resolve(&key, Policy::CacheFirst, None), hello);
    // A TLS record of type handshake that begins with a ClientHello.
    assert_eq!((record[0], record[5]), (22, 1));
    assert!(matches!(result, Err(RelayError::Unreachable { .. })), "{result:?}");
}

#[tokio::test]
async fn a_refusal_counts_even_if_its_words_are_lost() {
    let mut bytes = answer(400, "", b"a long explanation");
    bytes.truncate(bytes.len() - 5);
    let error = publish_answered(bytes).await.unwrap_err();
    assert!(matches!(error, RelayError::Refused { status: 400, .. }), "{error}");
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    // 20 bytes of gzip that unpack to nothing.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let bytes = answer(200, "content-encoding: gzip\r\n", gzip);
    let error = resolve_answered(vec![bytes]).await.unwrap_err();
    let RelayError::Invalid { source, .. } = error else { unreachable!("{error}") };
    assert_eq!(source, VerifyError::TooShort { length: 52 });
}

#[tokio::test]
async fn what_is_secret_in_an_address_is_sent_and_never_shown() {
    let refused = answer(403, "", b"");
    let mut fake = Fake::answering(vec![refused]).await;
    let url = fake.url.replace("http://", "http://me:hunter2@") + "/?token=hunter3";
    let client = client(&url);
    let refused = client.resolve(&key(), Policy::CacheFirst, None).await.unwrap_err();
    assert!(fake.next().await.header("authorization").is_some());
    let gone = client.resolve(&key(), Policy::CacheFirst, None).await.unwrap_err();
    let cause = gone.source().unwrap();
    let shown = format!("{refused} {refused:?} {gone} {gone:?} {cause} {cause:?} {client:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains(&fake.url));
}

#[tokio::test]
async fn dropping_a_request_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let asked = tokio::spawn(async move { client.resolve(&key(), Policy::CacheFirst, None).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    fake::request(&mut stream).await;
    asked.abort();
    let mut rest = Vec::new();
    // The other side closes, properly or not; either ends the reading.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert!(asked.await.unwrap_err().is_cancelled());
}

#[test]
fn addresses_that_are_none_and_malformed_ones_are_told_apart() {
    let build = |url: &str| RelayClient::new(url, RelayOptions::default());
    let parse = build("relay").unwrap_err();
    assert!(matches!(parse, BuildError::Url(protocol::RelayUrlError::Parse(_))));
    let scheme = build("ftp://relay.example").unwrap_err();
    assert!(matches!(scheme, BuildError::Url(protocol::RelayUrlError::NotHttp)));
    let url = Url::parse("https://relay.example/pkarr").unwrap();
    assert_eq!(RelayClient::new(&url, RelayOptions::default()).unwrap().url(), &url);
}

#[test]
fn clients_and_their_futures_can_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    fn shareable<T: Send + Sync + Clone + 'static>(_: &T) {}
    let client = client("https://relay.example");
    shareable(&client);
    let (key, packet) = (key(), packet());
    movable(&client.resolve(&key, Policy::CacheFirst, None));
    movable(&client.publish(&packet, None));
}
