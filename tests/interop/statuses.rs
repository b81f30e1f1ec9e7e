//! The answers of relays: ours and pkarr-relay 2.1 side by side, and what the real clients make of them.
//!
//! Separate from the pairings, because there everything goes well, and from the generations, where conditions, rivals and
//! limits are. What can be provoked with the real programs, here unless it is said where; `G` is `generations.rs`:
//!
//! | status | our relay | pkarr-relay 2.1 | pkarr-relay 0.11 | pkarr 8.1 at our relay | pkarr 5.0.3 at our relay | Mainstay at pkarr-relay |
//! |---|---|---|---|---|---|---|
//! | 204, 200 | here | here | G | `pairings.rs` | `pairings.rs` | `pairings.rs`, G |
//! | 304 | here | here | its client sends no condition | a client without a cache sends none | the same | our client sends none |
//! | 400 (key, body, policy) | here | here | as 2.1 | a client sends none of these | the same | the same |
//! | 404 | here | here | G | here | here | here, G |
//! | 404 with `Pkarr-Invalid-Signed-Packet-Seq` | here | here | never | here | here: not found, it reads no header | here |
//! | 409 | here, G | here, G | G | here | here | here, G |
//! | 412 | here, G | never: it reads no condition | G | it sends no condition | here | G |
//! | 413 | here | here | as 2.1 | a client sends nothing as long | the same | the same |
//! | 428 | G | never | in its source, not provoked | G: as 409 | G | not provoked |
//! | 429, with `Retry-After` | here | G | G | here | here | G |
//! | 429, without | never | G | never | never | never | G |
//! | 500 | never | here | as 2.1 | never | never | here |
//! | 503 | here | here | never | here | here | here |

use std::net::UdpSocket;

use mainstay::dht::Testnet;
use mainstay::{Keypair, Policy, PublishError, ResolveError, SignedPacket};
use mainstay_krpc::item::MutableItem;
use mainstay_relay_server::RelayServer;
use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};
use crate::relays::{Http, header, our_relay, relay_client, their_relay};

/// Tue, 14 Nov 2023 22:13:20 GMT, to the microsecond: what HTTP dates can say.
pub(crate) const SECOND: u64 = 1_700_000_000_000_000;
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const EARLIER: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const NO_PACKET_SEQ: i64 = 1_700_000_000_000_005;
const STORED: &str = "pkarr-dht-stored-nodes";
const INVALID: &str = "pkarr-invalid-signed-packet-seq";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_relay_and_pkarr_relay_give_the_same_statuses() {
    let testnet = Testnet::new(8).await.expect("loopback has room for it");
    let Some((_peer, theirs)) = their_relay(&testnet.bootstrap) else { return };
    let ours = our_relay(&testnet.bootstrap, None).await;
    for (relay, conditions_hold, too_large) in
        [(&Http::new(ours.url().as_str()), true, 1073), (&Http::new(&theirs), false, 1105)]
    {
        stored_and_served(relay).await;
        refused(relay, too_large).await;
        conflicts(relay, conditions_hold).await;
        let owner = no_packet(&testnet).await;
        let answer = relay.get(&format!("{}?policy=NetworkOnly", owner.to_z32()), None).await;
        assert_eq!(answer.status(), 404, "{}", relay.url);
        assert_eq!(header(&answer, INVALID), Some(NO_PACKET_SEQ.to_string().as_str()));
    }
}

async fn stored_and_served(relay: &Http) {
    let keypair = Keypair::random();
    let (key, packet) = (keypair.to_z32(), packet(&keypair, SECOND));
    let stored = relay.put(&key, packet.to_relay_payload().to_vec(), None).await;
    assert_eq!(stored.status(), 204, "{}", relay.url);
    let nodes = header(&stored, STORED).and_then(|count| count.parse::<u32>().ok());
    assert!(nodes >= Some(1), "{}: {nodes:?}", relay.url);
    for (path, since, status) in [
        (key.clone(), None, 200),
        (format!("{key}?policy=CacheOnly"), None, 200),
        (format!("{key}?policy=NetworkOnly"), None, 200),
        (key.clone(), Some(DATE), 304),
        (key.clone(), Some(EARLIER), 200),
        (key.clone(), Some("yesterday"), 200),
    ] {
        let answer = relay.get(&path, since).await;
        assert_eq!(answer.status(), status, "{}/{path} {since:?}", relay.url);
        assert_eq!(header(&answer, "last-modified"), Some(DATE), "{}", relay.url);
        let kind = header(&answer, "content-type");
        assert!(status == 304 || kind == Some("application/pkarr.org/relays#payload"), "{kind:?}");
        assert!(header(&answer, "memento-datetime").is_some(), "{}", relay.url);
        assert!(header(&answer, "cache-control").is_some(), "{}", relay.url);
        let body = answer.bytes().await.expect("a body");
        let whole = if status == 304 { Vec::new() } else { packet.to_relay_payload().to_vec() };
        assert_eq!(body, whole, "{}/{path} {since:?}", relay.url);
    }
}

async fn refused(relay: &Http, too_large: usize) {
    let (keypair, other) = (Keypair::random(), Keypair::random());
    let (key, good) = (keypair.to_z32(), packet(&keypair, SECOND).to_relay_payload().to_vec());
    let mut forged = good.clone();
    forged[3] ^= 1;
    for (path, body, status) in [
        (key.as_str(), forged, 400),
        (&other.to_z32(), good.clone(), 400),
        ("no-key", good, 400),
        (&key, vec![0; 71], 400),
        (&key, Vec::new(), 400),
        (&key, vec![0; 1072], 400),
        (&key, vec![0; too_large], 413),
    ] {
        let length = body.len();
        let answer = relay.put(path, body, None).await;
        assert_eq!(answer.status(), status, "{}/{path}, {length} bytes", relay.url);
    }
    for (path, status) in [
        ("no-key".to_owned(), 400),
        (format!("{key}?policy=Sometimes"), 400),
        (format!("{key}?policy=CacheOnly"), 404),
        (key, 404),
    ] {
        let answer = relay.get(&path, None).await;
        assert_eq!(answer.status(), status, "{}/{path}", relay.url);
        assert_eq!(header(&answer, INVALID), None, "{}/{path}", relay.url);
    }
}

async fn conflicts(relay: &Http, conditions_hold: bool) {
    let keypair = Keypair::random();
    let key = keypair.to_z32();
    let put = async |timestamp, condition| {
        let body = packet(&keypair, timestamp).to_relay_payload().to_vec();
        relay.put(&key, body, condition).await.status().as_u16()
    };
    assert_eq!(put(SECOND, None).await, 204, "{}", relay.url);
    assert_eq!(put(SECOND, None).await, 204, "{}: the same again", relay.url);
    assert_eq!(put(SECOND - 1, None).await, 409, "{}", relay.url);
    let wrong = (SECOND - 1).to_string();
    let status = if conditions_hold { 412 } else { 204 };
    assert_eq!(put(SECOND + 1, Some(&wrong)).await, status, "{}", relay.url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_without_a_network_answer_with_a_server_error() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let bootstrap = vec![silent.local_addr().expect("it is bound").to_string()];
    let Some((_peer, theirs)) = their_relay(&bootstrap) else { return };
    let ours = our_relay(&bootstrap, None).await;
    let keypair = Keypair::random();
    let packet = packet(&keypair, SECOND);
    for (relay, put) in [(Http::new(ours.url().as_str()), 503), (Http::new(&theirs), 500)] {
        let key = keypair.to_z32();
        assert_eq!(relay.get(&key, None).await.status(), 503, "{}", relay.url);
        let answer = relay.put(&key, packet.to_relay_payload().to_vec(), None).await;
        assert_eq!(answer.status(), put, "{}", relay.url);
    }
    let client = relay_client(&theirs);
    let refusal = client.publish(&packet, None).await.expect_err("nobody stores it");
    assert!(matches!(refusal, PublishError::NotStored(_)), "{refusal:?}");
    assert!(refusal.to_string().contains("500"), "{refusal}");
    let refusal = client
        .resolve_with(&keypair.public_key(), Policy::NetworkOnly)
        .await
        .expect_err("nobody has");
    assert!(matches!(refusal, ResolveError::NoAnswer(_)), "{refusal:?}");
    assert!(refusal.to_string().contains("503"), "{refusal}");
    let errors = Errors { resolve: "no responses", publish: "no responses" };
    their_clients_say(&ours, &keypair, &errors, &Errors::of_pkarr_5("unexpected"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_tells_the_refusals_of_pkarr_relay_apart() {
    let testnet = Testnet::new(8).await.expect("loopback has room for it");
    let Some((_peer, theirs)) = their_relay(&testnet.bootstrap) else { return };
    let keypair = Keypair::random();
    relay_client(&theirs).publish(&packet(&keypair, SECOND), None).await.expect("it is stored");
    let refusal = relay_client(&theirs).publish(&packet(&keypair, SECOND - 1), None).await;
    let conflict = refusal.as_ref().expect_err("it is older").concurrency();
    assert!(
        matches!(conflict, Some(mainstay::ConcurrencyError::NotMostRecent { .. })),
        "{refusal:?}"
    );
    let client = relay_client(&theirs);
    let none = client.resolve_with(&Keypair::random().public_key(), Policy::NetworkOnly).await;
    assert!(matches!(none, Err(ResolveError::NotFound(_))), "{none:?}");
    let owner = no_packet(&testnet).await;
    let none = client.resolve_with(&owner.public_key(), Policy::NetworkOnly).await;
    assert!(matches!(none, Err(ResolveError::NotAPacket { seq: NO_PACKET_SEQ, .. })), "{none:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pkarrs_clients_tell_the_refusals_of_our_relay_apart() {
    let testnet = Testnet::new(8).await.expect("loopback has room for it");
    let ours = our_relay(&testnet.bootstrap, None).await;
    let (unknown, stored) = (Keypair::random(), Keypair::random());
    relay_client(ours.url().as_str())
        .publish(&packet(&stored, SECOND), None)
        .await
        .expect("it is stored");
    for program in [Program::Modern, Program::Pkarr5] {
        let Some(mut pkarr) = client_of(program, &ours) else { return };
        assert!(error(&mut pkarr, &resolve(&unknown)).contains("not found"));
        let said = error(&mut pkarr, &publish(&packet(&stored, SECOND - 1), None));
        assert!(said.contains("more recent"), "{program:?}: {said}");
        let said = error(&mut pkarr, &resolve(&no_packet(&testnet).await));
        let told = if matches!(program, Program::Modern) {
            said.contains(&NO_PACKET_SEQ.to_string())
        } else {
            said.contains("not found")
        };
        assert!(told, "{program:?}: {said}");
    }
    let Some(mut pkarr) = client_of(Program::Pkarr5, &ours) else { return };
    let said = error(&mut pkarr, &publish(&packet(&stored, SECOND + 1), Some(SECOND - 1)));
    assert!(said.contains("Compare and swap failed"), "{said}");
    pkarr.must(&publish(&packet(&stored, SECOND + 1), Some(SECOND)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_relay_says_when_to_come_back_and_pkarrs_clients_take_it_for_a_failure() {
    let testnet = Testnet::new(3).await.expect("loopback has room for it");
    let limits = "[rate_limiter]\nquota = '1r/h'\nburst = 1";
    let ours = our_relay(&testnet.bootstrap, Some(limits)).await;
    let http = Http::new(ours.url().as_str());
    let keypair = Keypair::random();
    assert_eq!(http.get(&keypair.to_z32(), None).await.status(), 404);
    let answer = http.get(&keypair.to_z32(), None).await;
    assert_eq!(answer.status(), 429);
    let wait = header(&answer, "retry-after").and_then(|value| value.parse::<u64>().ok());
    assert!(wait > Some(1) && wait <= Some(3600), "{wait:?}");
    let errors = Errors { resolve: "unexpected", publish: "unexpected" };
    their_clients_say(&ours, &keypair, &errors, &Errors::of_pkarr_5("unexpected"));
}

/// What a client says to a refusal, in part.
struct Errors {
    resolve: &'static str,
    publish: &'static str,
}

impl Errors {
    /// pkarr 5.0.3 has one word for every packet that does not come.
    fn of_pkarr_5(publish: &'static str) -> Self {
        Self { resolve: "not found", publish }
    }
}

fn their_clients_say(ours: &RelayServer, keypair: &Keypair, modern: &Errors, pkarr_5: &Errors) {
    for (program, errors) in [(Program::Modern, modern), (Program::Pkarr5, pkarr_5)] {
        let Some(mut pkarr) = client_of(program, ours) else { return };
        let said = error(&mut pkarr, &resolve(keypair));
        assert!(said.contains(errors.resolve), "{program:?}: {said}");
        let said = error(&mut pkarr, &publish(&packet(keypair, SECOND), None));
        assert!(said.contains(errors.publish), "{program:?}: {said}");
    }
}

pub(crate) fn error(pkarr: &mut Peer, request: &Value) -> String {
    let answer = pkarr.ask(request);
    answer["error"].as_str().unwrap_or_else(|| panic!("{request} -> {answer}")).to_owned()
}

fn resolve(keypair: &Keypair) -> Value {
    json!({ "op": "resolve", "public_key": keypair.to_z32() })
}

pub(crate) fn publish(packet: &SignedPacket, cas: Option<u64>) -> Value {
    json!({ "op": "publish", "packet": hex::encode(packet.as_bytes()), "cas": cas })
}

pub(crate) fn client_of(program: Program, relay: &RelayServer) -> Option<Peer> {
    let mut pkarr = Peer::spawn(program)?;
    pkarr.must(&json!({ "op": "client", "relays": [relay.url().as_str()] }));
    Some(pkarr)
}

/// Publishes something under a new key that no packet is, and says whose it is.
async fn no_packet(testnet: &Testnet) -> Keypair {
    let keypair = Keypair::random();
    let item = MutableItem::sign_bytes(&keypair, b"", NO_PACKET_SEQ, b"no packet").expect("small");
    testnet.nodes[1].put_mutable(item, None).await.expect("the nodes store it");
    keypair
}

pub(crate) fn packet(keypair: &Keypair, timestamp: u64) -> SignedPacket {
    SignedPacket::builder()
        .a("@".try_into().expect("a name"), [192, 0, 2, 7].into(), 3600)
        .timestamp(timestamp.into())
        .sign(keypair)
        .expect("a small zone")
}
