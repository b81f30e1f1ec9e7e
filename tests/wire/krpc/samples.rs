//! The example packets and test vectors of the BEPs, each read, written and computed anew.
//! Apart from quirks because here every byte is as it should be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mainstay_keys::{PublicKey, Signature};
use mainstay_krpc::bloom::Bloom;
use mainstay_krpc::item::{self, ImmutableItem, MutableItem};
use mainstay_krpc::{Id, bep42};
use serde_json::Value;

use super::{decode, encode, hex};

fn vectors(bep: &str) -> Value {
    let file = include_str!("../vectors/krpc.json");
    let mut vectors: Value = serde_json::from_str(file).expect("JSON");
    vectors[bep].take()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(text(value)).try_into().expect("as many bytes as its kind has")
}

fn id(value: &Value) -> Id {
    text(value).parse().expect("an id")
}

#[test]
fn every_example_of_bep_5_is_read_and_written_back() {
    let examples = vectors("bep5");
    let examples = examples.as_object().expect("an object").iter();
    for (name, packet) in examples.filter(|(name, _)| *name != "source") {
        // The examples abbreviate a list of nodes to nine bytes, which hold no whole node.
        let canonical = text(packet).replace("5:nodes9:def456...", "5:nodes0:");
        let packet = text(packet).as_bytes();
        assert_eq!(encode(&decode(packet)).escape_ascii().to_string(), canonical, "{name}");
    }
}

#[test]
fn the_filter_of_bep_33_is_computed_to_the_bit() {
    let vector = vectors("bep33");
    let rows: String = list(&vector["filter"]).iter().map(text).collect();
    let filter = Bloom::from_bytes(hex(&rows).try_into().expect("256 bytes"));

    let mut ipv4 = Bloom::new();
    (0..=255).for_each(|last| ipv4.insert(Ipv4Addr::new(192, 0, 2, last).into()));
    let mut ipv6 = Bloom::new();
    for last in 0..0x3e8 {
        ipv6.insert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into());
    }
    let mut both = ipv4;
    both.merge(&ipv6);

    assert_eq!(both, filter);
    let close = |estimate: f64, expected: &Value| {
        (estimate - expected.as_f64().expect("a number")).abs() < 1e-6
    };
    assert!(close(both.estimate(), &vector["estimate"]), "{}", both.estimate());
    assert!(close(ipv4.estimate(), &vector["estimate_of_ipv4"]), "{}", ipv4.estimate());
}

#[test]
fn the_ids_of_bep_42_are_made_and_fit() {
    for vector in list(&vectors("bep42")["ids"]) {
        let ip: IpAddr = text(&vector["ip"]).parse().expect("an address");
        let expected = id(&vector["id"]);
        let random = expected.to_bytes();
        assert_eq!(u64::from(random[19]), vector["random"].as_u64().expect("a byte"));

        // What the hash decides is wrong in the random bytes, so that it must be put right.
        let mut wrong = random;
        (wrong[0], wrong[1], wrong[2]) = (!random[0], !random[1], random[2] ^ 0xf8);
        assert_eq!(bep42::id_for(ip, wrong), expected, "{ip}");
        assert!(bep42::is_valid(&expected, ip), "{ip}");
        assert!(!bep42::is_valid(&Id::from_bytes(wrong), ip), "{ip}");
    }
}

#[test]
fn exactly_the_first_21_bits_and_the_random_ones_are_bound_to_the_address() {
    let ip: IpAddr = "124.31.75.21".parse().expect("an address");
    let fitting: Id = "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401".parse().expect("an id");
    for bit in 0..160 {
        let mut bytes = fitting.to_bytes();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        let bound = !(21..157).contains(&bit);
        assert_eq!(bep42::fits(&Id::from_bytes(bytes), ip), !bound, "bit {bit}");
    }
}

#[test]
fn exactly_the_masked_bits_of_an_address_decide() {
    let id_for = |ip: IpAddr| bep42::id_for(ip, [0; 20]);
    for bit in 0..32 {
        let bits = 0x5b3d_a217_u32;
        let decides = 0x030f_3fff_u32 >> bit & 1 == 1;
        let (ip, other) = (Ipv4Addr::from_bits(bits), Ipv4Addr::from_bits(bits ^ 1 << bit));
        assert_eq!(id_for(ip.into()) != id_for(other.into()), decides, "bit {bit} of IPv4");
    }
    for bit in 0..128 {
        let bits = 0x2001_5b3d_a217_66f0_1234_5678_9abc_def0_u128;
        let decides = (0x0103_070f_1f3f_7fff_u128 << 64) >> bit & 1 == 1;
        let (ip, other) = (Ipv6Addr::from_bits(bits), Ipv6Addr::from_bits(bits ^ 1 << bit));
        assert_eq!(id_for(ip.into()) != id_for(other.into()), decides, "bit {bit} of IPv6");
    }
}

#[test]
fn a_filter_that_is_full_or_empty_is_still_estimated() {
    assert!(Bloom::new().estimate() < 1.0);
    let full = Bloom::from_bytes([255; Bloom::LENGTH]).estimate();
    assert!(full.is_finite() && full > 6000.0, "{full}");
    let mut once = Bloom::new();
    once.insert(Ipv4Addr::LOCALHOST.into());
    let mut again = once;
    again.insert(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into());
    assert_eq!(once, again);
}

#[test]
fn hosts_outside_of_the_open_internet_may_have_any_id() {
    let exempt = ["10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.1.1"];
    let exempt = exempt.iter().chain(&["127.0.0.1", "127.9.9.9", "::1", "fe80::1", "fd00::1"]);
    for ip in exempt.chain(&["::ffff:10.0.0.1"]) {
        assert!(bep42::is_exempt(ip.parse().expect("an address")), "{ip}");
    }
    let bound = ["11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "169.253.0.1", "128.0.0.1"];
    for ip in bound.iter().chain(&["2001:b829::1", "::ffff:8.8.8.8"]) {
        assert!(!bep42::is_exempt(ip.parse().expect("an address")), "{ip}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_has_the_ids_of_the_ipv4_address() {
    let plain: IpAddr = "124.31.75.21".parse().expect("an address");
    let dressed: IpAddr = "::ffff:124.31.75.21".parse().expect("an address");
    assert_eq!(bep42::id_for(plain, [9; 20]), bep42::id_for(dressed, [9; 20]));
}

#[test]
fn the_mutable_items_of_bep_44_are_found_signed_and_verified() {
    let vectors = vectors("bep44");
    let key_bytes = array(&vectors["key"]);
    let key = PublicKey::from_bytes(&key_bytes).expect("a key");
    let value = text(&vectors["value"]).as_bytes();
    let seq = vectors["seq"].as_i64().expect("a number");

    for vector in list(&vectors["mutable"]) {
        let salt = text(&vector["salt"]).as_bytes();
        let mut signed = Vec::new();
        item::signable(seq, salt, value, &mut signed);
        assert_eq!(signed, text(&vector["signed"]).as_bytes());
        assert_eq!(item::mutable_target(&key_bytes, salt), id(&vector["target"]));

        let signature = Signature::from_bytes(&array(&vector["signature"]));
        let stored = MutableItem::verify(key, salt, seq, value, signature).expect("a true item");
        assert_eq!(stored.target(), id(&vector["target"]));
        assert_eq!(stored.bytes(), Some(&b"Hello World!"[..]));
        assert!(MutableItem::verify(key, b"other", seq, value, signature).is_err());
        assert!(MutableItem::verify(key, salt, seq + 1, value, signature).is_err());
        assert!(MutableItem::verify(key, salt, seq, b"12:hello World!", signature).is_err());
    }
}

#[test]
fn the_immutable_item_of_bep_44_is_found() {
    let vectors = vectors("bep44");
    let item = ImmutableItem::new(text(&vectors["value"]).as_bytes()).expect("canonical");
    assert_eq!(item.target(), id(&vectors["immutable_target"]));
}

#[test]
fn the_targets_of_bep_46_are_computed() {
    let vectors = vectors("bep46");
    let key: [u8; 32] = array(&vectors["key"]);
    for vector in list(&vectors["targets"]) {
        let salt = text(&vector["salt"]).as_bytes();
        assert_eq!(item::mutable_target(&key, salt), id(&vector["target"]));
    }
}
