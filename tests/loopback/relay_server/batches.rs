//! Several keys with one request.
//! Separate, as each path of the relay is.

use mainstay::{Keypair, SignedPacket, Timestamp};
use serde_json::Value;

use super::{Relay, packet};

async fn stored(relay: &Relay) -> (Keypair, SignedPacket) {
    let keypair = Keypair::random();
    let packet = packet(&keypair, Timestamp::now().as_u64(), 600);
    assert_eq!(relay.put(&packet, None).await.status(), 204);
    (keypair, packet)
}

/// Base64, read.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{} is no letter of Base64", char::from(c)),
    };
    let letters: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let chunk = |chunk: &[u8]| {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 18 | at(1) << 12 | at(2) << 6 | at(3);
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    };
    letters.chunks(4).flat_map(chunk).collect()
}

#[tokio::test]
async fn a_batch_answers_each_key_as_a_request_for_it_alone_would() {
    let relay = Relay::start().await;
    let (first, first_packet) = stored(&relay).await;
    let (second, second_packet) = stored(&relay).await;
    let unknown = Keypair::random();
    let keys =
        [first.to_z32(), "no-key".to_owned(), unknown.to_z32(), format!("pk:{}", second.to_z32())];
    let in_query: String = keys.iter().map(|key| format!("&key={key}")).collect();
    let asked = relay.get(&format!("packets?{}", &in_query[1..]), &[]).await;
    let posted = relay.http.post(relay.url("packets")).body(keys.join("\n")).send().await.unwrap();
    for response in [asked, posted] {
        assert_eq!(response.status(), 200);
        let batch: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let packets = batch["packets"].as_array().unwrap();
        let statuses: Vec<_> =
            packets.iter().map(|found| found["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [200, 400, 404, 200]);
        for (found, packet) in [(&packets[0], &first_packet), (&packets[3], &second_packet)] {
            assert_eq!(found["key"], packet.public_key().to_z32());
            assert_eq!(found["timestamp"], packet.timestamp().as_u64());
            assert_eq!(bytes(found["packet"].as_str().unwrap()), packet.to_relay_payload());
            assert!((590..=600).contains(&found["max_age"].as_u64().unwrap()));
        }
        assert_eq!(packets[1]["key"], "no-key");
        assert!(packets[2]["packet"].is_null() && packets[2]["error"].is_string());
        assert!(packets.iter().all(|found| found["retry_after"].is_null()));
    }
}

#[tokio::test]
async fn a_key_that_the_dht_may_not_be_asked_for_says_when_to_ask_again() {
    let relay =
        super::limits::limited("[rate_limiter]\nuser_dht_quota = '1r/h'\nuser_dht_burst = 1").await;
    let (at_hand, unknown) = (stored(&relay).await.0, Keypair::random());
    let path = format!("packets?key={}&key={}", at_hand.to_z32(), unknown.to_z32());
    let answer = relay.get(&path, &[]).await.text().await.unwrap();
    let batch: Value = serde_json::from_str(&answer).unwrap();
    let [found, refused] = batch["packets"].as_array().unwrap().as_slice() else {
        panic!("{answer}")
    };
    assert_eq!((&found["status"], &refused["status"]), (&200.into(), &429.into()));
    assert!(found["retry_after"].is_null());
    assert!((3500..=3600).contains(&refused["retry_after"].as_u64().unwrap()), "{answer}");
}

#[tokio::test]
async fn a_batch_is_bounded_and_costs_what_its_keys_cost() {
    let limits = "[http]\nmax_batch = 3\n[rate_limiter]\nquota = '1r/h'\nburst = 4";
    let config = mainstay_relay_server::Config::parse(limits).unwrap();
    let relay = Relay::start_with(|builder| builder.config(config)).await;
    let key = Keypair::random().to_z32();
    let batch =
        |keys: usize| format!("packets?policy=CacheOnly{}", format!("&key={key}").repeat(keys));
    assert_eq!(relay.get(&batch(4), &[]).await.status(), 400);
    assert_eq!(relay.get(&batch(3), &[]).await.status(), 200);
    assert_eq!(relay.get(&batch(1), &[]).await.status(), 429);
    let relay = Relay::start().await;
    assert_eq!(relay.get("packets", &[]).await.status(), 400);
    let body = "x ".repeat(10_000);
    assert_eq!(
        relay.http.post(relay.url("packets")).body(body).send().await.unwrap().status(),
        413
    );
    let deleted = relay.http.delete(relay.url("packets")).send().await.unwrap();
    assert_eq!(
        (deleted.status().as_u16(), super::header(&deleted, "allow")),
        (405, "GET, HEAD, POST")
    );
}
