//! Random zones made by Mainstay and by the real pkarr crates: the same bytes, read alike.
//!
//! Separate from the networks, because here only the packet itself is under test.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use mainstay_keys::Keypair;
use mainstay_packets::dns::rdata::{CAA, MX, SRV, SVCB, TXT};
use mainstay_packets::dns::{CharacterString, Name};
use mainstay_packets::{Owner, SignedPacket, SignedPacketBuilder, Timestamp};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest::{collection, prop_oneof, sample};
use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};

const ZONES: usize = 1000;
const LATEST: u64 = 4_000_000_000_000_000;

#[test]
fn a_thousand_random_zones_are_the_same_bytes_in_pkarr_8() {
    same_bytes(Program::Modern);
}

#[test]
fn a_thousand_random_zones_are_the_same_bytes_in_pkarr_5() {
    same_bytes(Program::Pkarr5);
}

fn same_bytes(program: Program) {
    let Some(mut pkarr) = Peer::spawn(program) else { return };
    let mut signed = 0;
    for zone in zones() {
        let keypair = Keypair::from_secret_key(&zone.seed);
        let request = json!({
            "op": "sign", "seed": hex::encode(&zone.seed), "timestamp": zone.timestamp, "records": zone.records,
        });
        let theirs = pkarr.ask(&request);
        let ours = build(&zone).sign(&keypair);
        let ours = match (ours, theirs["packet"].as_str()) {
            (Ok(ours), Some(_)) => ours,
            (Err(error), None) => {
                // Only a zone that is too large may be refused, and then both must.
                let refusal = theirs["error"].as_str().unwrap_or_default();
                assert!(
                    refusal.contains("1000") || refusal.contains("large"),
                    "{request}: {error}; {theirs}"
                );
                continue;
            }
            (ours, _) => panic!("{request}\nours: {ours:?}\ntheirs: {theirs}"),
        };
        let bytes = hex::encode(ours.as_bytes());
        assert_eq!(Some(bytes.as_str()), theirs["packet"].as_str(), "{request}");
        signed += 1;
        read_alike(&mut pkarr, &ours, &bytes);
    }
    assert!(signed > ZONES / 2, "only {signed} zones were small enough to be signed");
}

/// They read our bytes as we read theirs: the same names and TTLs, in the same order.
fn read_alike(pkarr: &mut Peer, ours: &SignedPacket, bytes: &str) {
    let read = pkarr.must(&json!({ "op": "read", "packet": bytes }));
    let theirs: Vec<_> = records_of(&read)
        .iter()
        .map(|record| {
            (
                record["name"].as_str().expect("a name").to_owned(),
                record["ttl"].as_u64().expect("a TTL"),
            )
        })
        .collect();
    let bytes = hex::decode(bytes).into();
    let again = SignedPacket::from_bytes(&bytes).expect("what pkarr signed verifies");
    assert!(again.is_same_as(ours));
    let ours: Vec<_> = again
        .all_resource_records()
        .map(|record| {
            (record.name().to_string().trim_end_matches('.').to_owned(), u64::from(record.ttl()))
        })
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(read["timestamp"].as_u64(), Some(again.timestamp().as_u64()));
    assert_eq!(read["public_key"].as_str(), Some(again.public_key().to_z32().as_str()));
}

fn records_of(packet: &Value) -> &[Value] {
    packet["records"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A zone as both sides get it.
#[derive(Debug)]
struct Zone {
    seed: [u8; 32],
    timestamp: u64,
    records: Vec<Value>,
}

/// The same zones in every run: a failure is found again by its number.
fn zones() -> impl Iterator<Item = Zone> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let record = record();
    let zone = (proptest::arbitrary::any::<[u8; 32]>(), 1..LATEST, collection::vec(record, 0..9));
    (0..ZONES).map(move |_| {
        let (seed, timestamp, mut records) =
            zone.new_tree(&mut runner).expect("nothing is filtered").current();
        // We drop records that differ in their TTL at most, pkarr keeps them.
        let mut seen = BTreeSet::new();
        records.retain(|record| {
            let owner = text(record, "name").trim_matches(['@', '.']);
            seen.insert(format!("{owner} {} {}", record["type"], record["data"]))
        });
        Zone { seed, timestamp, records }
    })
}

fn record() -> impl Strategy<Value = Value> {
    let owner = sample::select(vec![
        "@", "", ".", "foo", "_proto", "_a._tcp", "a.b.c", "*", "*.foo", "www", "x-1",
    ]);
    let target = || {
        sample::select(vec![
            "example.com",
            "foo.example.com",
            "ns1.foo.example.com",
            "host",
            "www",
            ".",
        ])
    };
    let text = prop_oneof!["[ -~]{0,40}", "[a-z]{200,400}", "[é-ü]{1,30}"];
    let ttl = prop_oneof![0..100u32, 0..=0x7fff_ffff_u32];
    let data = prop_oneof![
        proptest::arbitrary::any::<u32>()
            .prop_map(|bits| json!(["A", Ipv4Addr::from(bits).to_string()])),
        proptest::arbitrary::any::<u128>()
            .prop_map(|bits| json!(["AAAA", Ipv6Addr::from(bits).to_string()])),
        text.prop_map(|text| json!(["TXT", text])),
        target().prop_map(|name| json!(["CNAME", name])),
        target().prop_map(|name| json!(["NS", name])),
        (proptest::arbitrary::any::<u16>(), target()).prop_map(
            |(preference, name)| json!(["MX", { "preference": preference, "exchange": name }])
        ),
        (proptest::arbitrary::any::<[u16; 3]>(), target()).prop_map(
            |([priority, weight, port], name)| json!([
                "SRV", { "priority": priority, "weight": weight, "port": port, "target": name }
            ])
        ),
        ("(issue|issuewild|iodef)", "[ -~]{0,30}")
            .prop_map(|(tag, value)| json!(["CAA", { "flag": 0, "tag": tag, "value": value }])),
        (service(), target()).prop_map(|(service, name)| with_target("HTTPS", service, name)),
        (service(), target()).prop_map(|(service, name)| with_target("SVCB", service, name)),
    ];
    (owner, ttl, data).prop_map(
        |(name, ttl, data)| json!({ "name": name, "ttl": ttl, "type": data[0], "data": data[1] }),
    )
}

fn service() -> impl Strategy<Value = Value> {
    let alpn = proptest::option::of(sample::subsequence(vec!["h2", "h3", "http/1.1"], 1..=3));
    let port = proptest::option::of(proptest::arbitrary::any::<u16>());
    let hint = proptest::option::of(proptest::arbitrary::any::<u32>());
    (proptest::arbitrary::any::<u16>(), alpn, port, hint).prop_map(
        |(priority, alpn, port, hint)| {
            let hint = hint.map(|bits| Ipv4Addr::from(bits).to_string());
            json!({ "priority": priority, "alpn": alpn, "port": port, "ipv4hint": hint })
        },
    )
}

fn with_target(kind: &str, mut service: Value, target: &str) -> Value {
    service["target"] = json!(target);
    json!([kind, service])
}

fn build(zone: &Zone) -> SignedPacketBuilder {
    let builder = SignedPacket::builder().timestamp(Timestamp::from(zone.timestamp));
    zone.records.iter().fold(builder, |builder, record| {
        let owner = Owner::try_from(text(record, "name")).expect("an owner");
        let ttl = u32::try_from(record["ttl"].as_u64().expect("a TTL")).expect("32 bits");
        add(builder, owner, record, ttl)
    })
}

fn add(
    builder: SignedPacketBuilder,
    owner: Owner,
    record: &Value,
    ttl: u32,
) -> SignedPacketBuilder {
    let data = &record["data"];
    let plain = || data.as_str().expect("text");
    match text(record, "type") {
        "A" => builder.a(owner, plain().parse().expect("an address"), ttl),
        "AAAA" => builder.aaaa(owner, plain().parse().expect("an address"), ttl),
        "TXT" => builder.txt(owner, TXT::try_from(plain()).expect("short enough"), ttl),
        "CNAME" => builder.cname(owner, Name::new_unchecked(plain()), ttl),
        "NS" => builder.ns(owner, Name::new_unchecked(plain()), ttl),
        "MX" => {
            let exchange = Name::new_unchecked(text(data, "exchange"));
            builder.mx(owner, MX { preference: number(data, "preference"), exchange }, ttl)
        }
        "SRV" => {
            let [priority, weight, port] =
                ["priority", "weight", "port"].map(|member| number(data, member));
            let target = Name::new_unchecked(text(data, "target"));
            builder.srv(owner, SRV { priority, weight, port, target }, ttl)
        }
        "CAA" => {
            let tag = CharacterString::new(text(data, "tag").as_bytes()).expect("a short tag");
            builder.caa(
                owner,
                CAA { flag: 0, tag, value: text(data, "value").as_bytes().into() },
                ttl,
            )
        }
        "HTTPS" => builder.https(owner, svcb(data), ttl),
        "SVCB" => builder.svcb(owner, svcb(data), ttl),
        other => panic!("no such type in these zones: {other}"),
    }
}

fn svcb(data: &Value) -> SVCB<'_> {
    let mut service =
        SVCB::new(number(data, "priority"), Name::new_unchecked(text(data, "target")));
    if let Some(ids) = data["alpn"].as_array() {
        let id = |id: &'_ Value| {
            CharacterString::new(id.as_str().expect("text").as_bytes()).expect("short").into_owned()
        };
        service.set_alpn(&ids.iter().map(id).collect::<Vec<_>>());
    }
    if data["port"].is_u64() {
        service.set_port(number(data, "port"));
    }
    if let Some(hint) = data["ipv4hint"].as_str() {
        service.set_ipv4hint(&[hint.parse::<Ipv4Addr>().expect("an address").to_bits()]);
    }
    service
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("text")
}

fn number(value: &Value, member: &str) -> u16 {
    u16::try_from(value[member].as_u64().expect("a number")).expect("16 bits")
}
