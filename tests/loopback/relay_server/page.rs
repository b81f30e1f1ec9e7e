//! The page for people and the records as JSON, as a browser without scripts gets them.
//! Separate, because everything on it was written by strangers.

use mainstay::{Keypair, SignedPacket, Timestamp};
use mainstay_tests::claims::with_a_claim;
use serde_json::Value;

use super::{Relay, header};

/// A packet with what people write, and with what they should not.
fn zone(keypair: &Keypair) -> SignedPacket {
    let hostile = "<script>alert(1)</script>\"' onload=x \u{202e}\u{1b}[31m";
    SignedPacket::builder()
        .a("@".try_into().unwrap(), [192, 0, 2, 7].into(), 300)
        .txt("_note".try_into().unwrap(), hostile.try_into().unwrap(), 60)
        .timestamp(Timestamp::now())
        .sign(keypair)
        .unwrap()
}

#[tokio::test]
async fn the_page_resolves_a_key_without_a_script_and_escapes_everything() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    relay.put(&zone(&keypair), None).await;
    let key = keypair.to_z32();
    let response = relay.get(&format!("?key=pk%3A{key}"), &[]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = response.text().await.unwrap();
    for shown in [
        key.as_str(),
        "192.0.2.7",
        "2 records",
        "_note",
        "nodes hold this packet",
        "&lt;script&gt;",
    ] {
        assert!(html.contains(shown), "no {shown} in\n{html}");
    }
    for never in [
        "<script>alert",
        "onload=x \u{202e}",
        "\u{1b}",
        "http://",
        "https://",
        "style=\"",
        "onclick",
    ] {
        assert!(!html.contains(never), "{never:?} in\n{html}");
    }
    assert!(html.contains(&format!("value=\"pk:{key}\"")), "the form keeps what was asked");
    assert!(html.contains("<form action=\"./\" method=\"get\""));
}

#[tokio::test]
async fn what_is_asked_for_is_escaped_too_and_refusals_have_their_status() {
    let relay = Relay::start().await;
    let unknown = Keypair::random().to_z32();
    for (asked, status, shown) in [
        ("", 200, "Enter a key"),
        ("%3Cb%3E%22no%22", 400, "value=\"&lt;b&gt;&quot;no&quot;\""),
        (unknown.as_str(), 404, "Not Found"),
    ] {
        let response = relay.get(&format!("?key={asked}"), &[]).await;
        assert_eq!(response.status(), status, "{asked}");
        let html = response.text().await.unwrap();
        assert!(html.contains(shown) && !html.contains("<b>"), "no {shown} in\n{html}");
    }
    for (path, kind) in [("relay.css", "text/css"), ("relay.js", "text/javascript")] {
        let response = relay.get(path, &[]).await;
        assert!(header(&response, "content-type").starts_with(kind));
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn records_of_other_names_are_shown_nowhere_and_the_packet_is_served_as_it_was_signed() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let packet = with_a_claim(&keypair);
    assert_eq!(relay.put(&packet, None).await.status(), 204);
    let key = keypair.to_z32();
    let served = relay.get(&key, &[]).await.bytes().await.unwrap();
    assert_eq!(served, packet.to_relay_payload(), "the signature covers all of it");
    let html = relay.get(&format!("?key={key}"), &[]).await.text().await.unwrap();
    let json = relay.get(&format!("records/{key}"), &[]).await.text().await.unwrap();
    for view in [&html, &json] {
        assert!(view.contains("192.0.2.1") && !view.contains("bank.example"), "{view}");
        assert!(!view.contains("192.0.2.102"), "{view}");
    }
    assert!(html.contains("Left out: 1 record of another name"), "{html}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["left_out"], &json["records"].as_array().unwrap().len()), (&1.into(), &1));
}

#[tokio::test]
async fn records_say_as_json_what_they_say_in_a_zone_file_and_who_holds_them() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    relay.put(&zone(&keypair), None).await;
    let key = keypair.to_z32();
    let asked = relay.get(&format!("records/{key}?nodes=1"), &[]).await.text().await.unwrap();
    let view: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(view["public_key"], key);
    assert_eq!(view["records"][0]["name"], "@");
    assert_eq!(view["records"][0]["type"], "A");
    assert_eq!(view["records"][0]["ttl"], 300);
    assert_eq!(view["records"][0]["data"], "192.0.2.7");
    let nodes = view["nodes"].as_array().unwrap();
    assert!(nodes.len() >= 3, "{nodes:?}");
    assert!(nodes.iter().all(|node| node["address"].as_str().unwrap().starts_with("127.0.0.1:")));
    assert_eq!(
        relay.get(&format!("records/{}", Keypair::random().to_z32()), &[]).await.status(),
        404
    );
}

/// As iroh's publisher and resolver ask: under `/pkarr`, in the key's canonical text, with and without a content type.
#[tokio::test]
async fn the_requests_of_iroh_are_answered_under_pkarr() {
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    let packet = zone(&keypair);
    let url = relay.url(&format!("pkarr/{}", keypair.to_z32()));
    let put = relay.http.put(&url).body(packet.to_relay_payload()).send().await.unwrap();
    assert_eq!(put.status(), 204);
    let got = relay.http.get(&url).send().await.unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!(got.bytes().await.unwrap(), packet.to_relay_payload());
    let again = relay.http.put(&url).body(packet.to_relay_payload()).send().await.unwrap();
    assert_eq!(again.status(), 204, "its publisher republishes the same packet");
    let unknown = relay.url(&format!("pkarr/{}", Keypair::random().to_z32()));
    assert_eq!(relay.http.get(unknown).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_page_shows_what_is_at_hand_where_the_dht_may_not_be_asked_and_says_when_to_come_back()
{
    let relay =
        super::limits::limited("[rate_limiter]\nuser_dht_quota = '1r/h'\nuser_dht_burst = 1").await;
    let keypair = Keypair::random();
    assert_eq!(relay.put(&zone(&keypair), None).await.status(), 204);
    let shown = relay.get(&format!("?key={}", keypair.to_z32()), &[]).await;
    assert_eq!(shown.status(), 200);
    let html = shown.text().await.unwrap();
    assert!(html.contains("192.0.2.7") && html.contains("was not seen this time"), "{html}");
    let unknown = relay.get(&format!("?key={}", Keypair::random().to_z32()), &[]).await;
    assert_eq!(unknown.status(), 429);
    assert!(header(&unknown, "retry-after").parse::<u32>().unwrap() > 3000);
}
