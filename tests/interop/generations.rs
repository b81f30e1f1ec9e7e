//! What publishers of one key are told who got in each other's way, and those who ask too often: by our relay, by
//! pkarr-relay 0.11, which knows `If-Match`, and by pkarr-relay 2.1, which does not.
//!
//! Separate from the other statuses, because here the generations differ, and a client has to understand each of them.

use std::time::Duration;

use mainstay::dht::Testnet;
use mainstay::{ConcurrencyError, Keypair, Policy, PublishError, ResolveError, Timestamp};
use serde_json::{Value, json};

use crate::held::HeldDht;
use crate::peer::{Peer, Program};
use crate::relays::{Http, header, our_relay, patient_relay, relay_client, their_relay};
use crate::statuses::{SECOND, client_of, error, packet, publish};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_is_judged_alike_by_our_relay_and_pkarr_relay_0_11_and_ignored_by_2_1() {
    let testnet = Testnet::new(8).await.expect("loopback has room for it");
    let Some((_old, old)) = relay_of(Program::Pkarr5, json!({ "bootstrap": testnet.bootstrap }))
    else {
        return;
    };
    let Some((_new, new)) = their_relay(&testnet.bootstrap) else { return };
    let ours = our_relay(&testnet.bootstrap, None).await;
    for (url, conditions_hold) in [(ours.url().as_str(), true), (&old, true), (&new, false)] {
        let (relay, keypair) = (Http::new(url), Keypair::random());
        let failed = if conditions_hold { 412 } else { 204 };
        // Where a condition is ignored, what should have been refused is there now.
        let present = if conditions_hold { SECOND } else { SECOND + 2 };
        for (timestamp, condition, expected) in [
            (SECOND, Some(0), 204),
            (SECOND + 1, Some(0), failed),
            (SECOND + 2, Some(SECOND - 1), failed),
            (SECOND + 3, Some(present), 204),
            (SECOND + 2, Some(SECOND + 3), 409),
            (SECOND + 2, None, 409),
            (SECOND + 3, None, 204),
        ] {
            let body = packet(&keypair, timestamp).to_relay_payload().to_vec();
            let condition = condition.map(|timestamp: u64| timestamp.to_string());
            let answer = relay.put(&keypair.to_z32(), body, condition.as_deref()).await;
            let asked = (timestamp - SECOND, condition);
            assert_eq!(answer.status(), expected, "{url}: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_tells_the_refusals_of_pkarr_relay_0_11_apart() {
    let testnet = Testnet::new(8).await.expect("loopback has room for it");
    let Some((_old, url)) = relay_of(Program::Pkarr5, json!({ "bootstrap": testnet.bootstrap }))
    else {
        return;
    };
    let (keypair, client) = (Keypair::random(), relay_client(&url));
    let unknown = client.resolve_with(&keypair.public_key(), Policy::NetworkOnly).await;
    assert!(matches!(unknown, Err(ResolveError::NotFound(_))), "{unknown:?}");
    let stored = packet(&keypair, SECOND);
    client.publish(&stored, Some(0.into())).await.expect("it is the first");
    let read = client.resolve_most_recent(&keypair.public_key()).await.expect("it is there");
    assert_eq!(read.as_bytes(), stored.as_bytes());
    // Other clients of ours, which remember nothing and so have to ask.
    let conflict = async |timestamp: u64, cas: Option<u64>| {
        let cas = cas.map(Timestamp::from);
        let refusal = relay_client(&url).publish(&packet(&keypair, timestamp), cas).await;
        refusal.expect_err("it is refused").concurrency().expect("for another packet")
    };
    let first = conflict(SECOND + 1, Some(0)).await;
    assert!(matches!(first, ConcurrencyError::CasFailed { .. }), "{first:?}");
    let other = conflict(SECOND + 1, Some(SECOND - 1)).await;
    assert!(matches!(other, ConcurrencyError::CasFailed { .. }), "{other:?}");
    let older = conflict(SECOND - 1, None).await;
    assert!(matches!(older, ConcurrencyError::NotMostRecent { .. }), "{older:?}");
    let next = packet(&keypair, SECOND + 1);
    client.publish(&next, Some(SECOND.into())).await.expect("the condition holds");
    // This client has the elder in memory: from such a relay the newer one must come whole all the same.
    let read = client.resolve_most_recent(&keypair.public_key()).await.expect("it is there");
    assert_eq!(read.as_bytes(), next.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_packet_is_being_stored_its_rivals_are_told_to_name_what_they_replace() {
    let mut held = HeldDht::start();
    let ours = patient_relay(&held.bootstrap, Duration::from_secs(90), None).await;
    let (url, keypair) = (ours.url(), Keypair::random());
    let first = packet(&keypair, SECOND).to_relay_payload().to_vec();
    let (relay, key) = (Http::new(url.as_str()), keypair.to_z32());
    let under_way = tokio::spawn(async move { relay.put(&key, first, None).await.status() });
    held.keeps_waiting_for(&keypair.public_key()).await;
    let conflict = async |timestamp: u64, cas: Option<u64>| {
        let cas = cas.map(Timestamp::from);
        let refusal = relay_client(url.as_str()).publish(&packet(&keypair, timestamp), cas).await;
        refusal.expect_err("there is a rival").concurrency().expect("it is that which is said")
    };
    assert_eq!(conflict(SECOND + 1, None).await, ConcurrencyError::ConflictRisk);
    let other = conflict(SECOND + 1, Some(SECOND - 1)).await;
    assert!(matches!(other, ConcurrencyError::CasFailed { .. }), "{other:?}");
    let older = conflict(SECOND - 1, None).await;
    assert!(matches!(older, ConcurrencyError::NotMostRecent { .. }), "{older:?}");
    for (program, words) in [
        (Program::Pkarr5, "concurrently published"),
        // It sends no condition, and every conflict is the same to it.
        (Program::Modern, "more recent"),
    ] {
        let Some(mut pkarr) = client_of(program, &ours) else { return };
        let said = error(&mut pkarr, &publish(&packet(&keypair, SECOND + 1), None));
        assert!(said.contains(words), "{program:?}: {said}");
    }
    assert!(!under_way.is_finished(), "what they said was said of no rival");
    under_way.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_heeds_the_limits_of_each_generation() {
    let testnet = Testnet::new(3).await.expect("loopback has room for it");
    let bootstrap = &testnet.bootstrap;
    let Some((_old, old)) =
        relay_of(Program::Pkarr5, json!({ "bootstrap": bootstrap, "limited": true }))
    else {
        return;
    };
    let Some((_all, all)) =
        relay_of(Program::Modern, json!({ "bootstrap": bootstrap, "quota": "1r/d" }))
    else {
        return;
    };
    // This one limits only what it has to ask the DHT for, and does not say for how long.
    let searches = json!({ "bootstrap": bootstrap, "user_dht_quota": "1r/d" });
    let Some((_some, some)) = relay_of(Program::Modern, searches) else { return };
    for (url, says_when) in [(old, true), (all, true), (some, false)] {
        let key = Keypair::random().public_key();
        let http = Http::new(&url);
        let mut refusal = http.get(&key.to_z32(), None).await;
        // With 0.11 the first may be one too many: what nodes of the DHT ask counts, too.
        if refusal.status() == 404 {
            refusal = http.get(&key.to_z32(), None).await;
        }
        assert_eq!(refusal.status(), 429, "{url}");
        assert_eq!(header(&refusal, "retry-after").is_some(), says_when, "{url}");
        let refused = relay_client(&url).resolve_with(&key, Policy::NetworkOnly).await;
        let refused = refused.expect_err("it is asked too often");
        assert!(matches!(refused, ResolveError::NoAnswer(_)), "{url}: {refused:?}");
        assert!(refused.to_string().contains("429"), "{url}: {refused}");
        let refused = relay_client(&url).publish(&packet(&Keypair::random(), SECOND), None).await;
        let refused = refused.expect_err("it is asked too often");
        assert!(matches!(refused, PublishError::NotStored(_)), "{url}: {refused:?}");
        assert!(refused.to_string().contains("429"), "{url}: {refused}");
    }
}

/// A relay of theirs with these options, and its URL.
fn relay_of(program: Program, mut options: Value) -> Option<(Peer, String)> {
    options["op"] = "relay".into();
    let mut peer = Peer::spawn(program)?;
    let url = peer.must(&options)["url"].as_str().expect("a URL").to_owned();
    Some((peer, url))
}
