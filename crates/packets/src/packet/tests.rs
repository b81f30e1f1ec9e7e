//! What is verified, what is refused and how names are found.

use std::collections::BTreeSet;

use mainstay_keys::Keypair;
use mainstay_krpc::item::{ItemError, MutableItem};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    dns::{Packet, TYPE, rdata::RData},
    samples::{self, keypair},
};

/// A packet whose owner signed this DNS message, whatever it is.
fn signed(timestamp: u64, dns: &[u8]) -> Result<SignedPacket, VerifyError> {
    let mut signable = format!("3:seqi{timestamp}e1:v{}:", dns.len()).into_bytes();
    signable.extend_from_slice(dns);
    let signature = keypair().sign(&signable);
    let key = keypair().public_key();
    let timestamp = timestamp.to_be_bytes();
    SignedPacket::try_from(
        [key.as_bytes(), &signature.to_bytes()[..], &timestamp, dns].concat().as_slice(),
    )
}

fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let fields = [0, flags].into_iter().chain(counts);
    fields.flat_map(u16::to_be_bytes).collect()
}

/// A message with one answer: a name, and then an A record of class IN.
fn answer(name: &[u8]) -> Vec<u8> {
    let mut message = header(0x8000, [0, 1, 0, 0]);
    message.extend_from_slice(name);
    message.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    message
}

fn own_label() -> Vec<u8> {
    let own = keypair().to_z32();
    [&[52][..], own.as_bytes()].concat()
}

fn zone(records: &[(&str, u8)]) -> SignedPacket {
    let builder = records.iter().fold(SignedPacket::builder(), |builder, (owner, last)| {
        builder.a((*owner).try_into().unwrap(), [192, 0, 2, *last].into(), 60)
    });
    builder.sign(&keypair()).unwrap()
}

/// The last bytes of the addresses that a name has.
fn found(packet: &SignedPacket, name: &str) -> Vec<u8> {
    packet.resource_records(name).map(|record| *record.raw_rdata().last().unwrap()).collect()
}

#[test]
fn the_empty_zone_is_the_smallest_packet() {
    let packet = SignedPacket::builder().timestamp(Timestamp::from(0)).sign(&keypair()).unwrap();
    assert_eq!(packet.as_bytes().len(), 116);
    assert_eq!(packet.ttl(5, 10), 5);
    assert_eq!(packet.resource_records("@").count(), 0);
    assert!(matches!(signed(0, &[0; 11]), Err(VerifyError::Dns(DnsError::Truncated))));
}

#[test]
fn clones_share_their_memory() {
    let packet = zone(&[("a", 1)]);
    let clone = packet.clone();
    assert_eq!(packet.as_bytes().as_ptr(), clone.as_bytes().as_ptr());
    assert_eq!(packet.to_relay_payload().as_ptr(), clone.as_bytes()[KEY..].as_ptr());
}

#[test]
fn timestamps_no_packet_may_carry_are_refused_though_signed() {
    let dns = header(0x8000, [0; 4]);
    assert!(signed(Timestamp::MAX.as_u64(), &dns).is_ok());
    for micros in [Timestamp::MAX.as_u64() + 1, 1 << 63, u64::MAX] {
        let refused = VerifyError::Timestamp(TimestampError::TooFar { micros });
        assert_eq!(signed(micros, &dns), Err(refused));
    }
}

#[test]
fn faults_are_reported_in_the_order_of_their_cost() {
    let mut bytes = zone(&[("a", 1)]).as_bytes().to_vec();
    let refused = |bytes: &[u8]| SignedPacket::try_from(bytes).unwrap_err();
    assert!(matches!(refused(&bytes[..103]), VerifyError::TooShort { length: 103 }));
    assert!(matches!(refused(&[0; 1105]), VerifyError::TooLong { length: 1105 }));
    bytes[104] ^= 1;
    assert!(matches!(refused(&bytes), VerifyError::Signature(_)));
    bytes[96] = 0xff;
    assert!(matches!(refused(&bytes), VerifyError::Timestamp(_)));
    bytes[..32].fill(2);
    assert!(matches!(refused(&bytes), VerifyError::PublicKey(_)));
}

#[test]
fn a_packet_has_from_104_to_1104_bytes_and_comes_without_its_key_from_a_relay() {
    let refused = signed(1, b"").unwrap_err();
    assert_eq!(refused, VerifyError::Dns(DnsError::Truncated), "104 bytes are read");
    let largest = [header(0x8000, [0; 4]), vec![0; 988]].concat();
    let packet = signed(1, &largest).unwrap();
    assert_eq!(packet.as_bytes().len(), 1104);
    assert_eq!(SignedPacket::MAX_BYTES, 1104);
    let refused = signed(1, &[&largest[..], &[0]].concat()).unwrap_err();
    assert_eq!(refused, VerifyError::TooLong { length: 1105 });

    let key = packet.public_key();
    let read =
        |payload: &[u8]| SignedPacket::from_relay_payload(&key, &Bytes::copy_from_slice(payload));
    let payload = packet.to_relay_payload();
    assert_eq!(payload.len(), SignedPacket::MAX_RELAY_PAYLOAD_BYTES);
    assert_eq!(read(&payload), Ok(packet));
    assert_eq!(read(&payload[..71]), Err(VerifyError::TooShort { length: 103 }));
    assert_eq!(read(&[&payload[..], &[0]].concat()), Err(VerifyError::TooLong { length: 1105 }));
    let other = Keypair::from_secret_key(&[8; 32]).public_key();
    let of_other = SignedPacket::from_relay_payload(&other, &payload);
    assert!(matches!(of_other, Err(VerifyError::Signature(_))));
}

#[test]
fn counts_are_checked_against_the_bytes_before_anything_else() {
    for section in 0..4 {
        let mut counts = [0; 4];
        counts[section] = u16::MAX;
        let refused = signed(1, &header(0x8000, counts));
        assert_eq!(refused, Err(VerifyError::Dns(DnsError::Counts)), "section {section}");
    }
    assert!(matches!(signed(1, &answer(&[0])[..25]), Err(VerifyError::Dns(DnsError::Truncated))));
}

#[test]
fn only_the_reserved_bit_of_the_flags_is_refused() {
    for bit in 0..16 {
        let read = signed(1, &header(1 << bit, [0; 4]));
        if bit == 6 {
            assert_eq!(read, Err(VerifyError::Dns(DnsError::ReservedBit)));
        } else {
            assert!(read.is_ok(), "bit {bit}");
        }
    }
}

#[test]
fn pointers_that_do_not_lead_backwards_are_refused() {
    let pointer = |at| VerifyError::Dns(DnsError::Pointer { at });
    // To itself, forwards, and round in a circle.
    assert_eq!(signed(1, &answer(&[0xc0, 12])), Err(pointer(12)));
    assert_eq!(signed(1, &answer(&[0xc0, 20])), Err(pointer(12)));
    let endless = Err(VerifyError::Dns(DnsError::NameTooLong));
    assert_eq!(signed(1, &answer(&[1, b'a', 0xc0, 12])), endless);
    let unknown_kind = Err(VerifyError::Dns(DnsError::Label { at: 12 }));
    assert_eq!(signed(1, &answer(&[0x40, 0])), unknown_kind);
    assert_eq!(signed(1, &answer(&[0x80, 0])), unknown_kind);
}

#[test]
fn a_name_that_pointers_make_too_long_is_refused() {
    let label = [&[63][..], &[b'x'; 63]].concat();
    let mut message = header(0x8000, [0, 2, 0, 0]);
    let record = [0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
    message.extend([&label[..], &label, &label, &[0], &record].concat());
    // One more label before those three: 4 * 64 + 1 bytes.
    message.extend([&label[..], &[0xc0, 12], &record].concat());
    assert_eq!(signed(1, &message), Err(VerifyError::Dns(DnsError::NameTooLong)));
}

/// How many records a packet with one of this type and data is read to have.
fn records_with(rtype: u16, rdata: &[u8]) -> Result<usize, VerifyError> {
    let mut message = header(0x8000, [0, 1, 0, 0]);
    message.push(0);
    message.extend_from_slice(&rtype.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    message.extend_from_slice(&u16::try_from(rdata.len()).unwrap().to_be_bytes());
    message.extend_from_slice(rdata);
    signed(1, &message).map(|packet| packet.all_resource_records().count())
}

#[test]
fn data_that_is_not_of_its_type_is_refused() {
    for (rtype, rdata) in [
        (1, &[192, 0, 2][..]),
        (28, &[0; 15]),
        (5, &[3, b'a']),
        (15, &[0, 10]),
        (16, &[2, b'a']),
        (64, &[0, 1, 0, 0, 3, 0, 2, 1, 1, 0, 1, 0, 0]),
        (64, &[0, 1, 0, 0, 4, 0, 3, 1, 2, 3]),
        (65, &[0, 1, 0, 0, 1, 0, 2, 2, b'h']),
    ] {
        let malformed = DnsError::Data { rtype: TYPE::from(rtype) };
        let refused =
            [Err(VerifyError::Dns(malformed)), Err(VerifyError::Dns(DnsError::Truncated))];
        assert!(refused.contains(&records_with(rtype, rdata)), "type {rtype}");
    }
    for rtype in [1, 5, 16, 64, 65_280] {
        assert_eq!(records_with(rtype, &[]), Ok(1), "type {rtype} without data");
    }
    assert_eq!(records_with(65_280, &[0xff; 9]), Ok(1));
}

#[test]
fn data_has_at_least_what_its_type_prescribes() {
    // By type: the least data there is, of which a name takes one byte, and so does a text.
    for (rtype, least) in [
        (TYPE::A, 4),
        (TYPE::NS, 1),
        (TYPE::SOA, 22),
        (TYPE::WKS, 5),
        (TYPE::HINFO, 2),
        (TYPE::MX, 3),
        (TYPE::RP, 2),
        (TYPE::ISDN, 2),
        (TYPE::NSAP, 20),
        (TYPE::AAAA, 16),
        (TYPE::LOC, 16),
        (TYPE::SRV, 7),
        (TYPE::NAPTR, 8),
        (TYPE::KX, 3),
        (TYPE::CERT, 5),
        (TYPE::DS, 4),
        (TYPE::RRSIG, 19),
        (TYPE::NSEC, 1),
        (TYPE::DNSKEY, 4),
        (TYPE::DHCID, 3),
        (TYPE::ZONEMD, 6),
        (TYPE::EUI48, 6),
        (TYPE::EUI64, 8),
        (TYPE::CAA, 2),
        (TYPE::HTTPS, 3),
    ] {
        assert_eq!(records_with(rtype.into(), &vec![0; least]), Ok(1), "{rtype:?}");
        for bytes in 1..least {
            assert!(records_with(rtype.into(), &vec![0; bytes]).is_err(), "{rtype:?} of {bytes}");
        }
    }
}

#[test]
fn a_question_that_ends_too_early_is_refused() {
    let name = [1, b'a', 0];
    let of = |rest: &[u8]| signed(1, &[&header(0x8000, [1, 0, 0, 0])[..], &name, rest].concat());
    assert_eq!(of(&[0, 1, 0]), Err(VerifyError::Dns(DnsError::Truncated)));
    assert!(of(&[0, 1, 0, 1]).is_ok());
}

#[test]
fn what_real_packets_contain_is_accepted() {
    let own = own_label();
    let name = [&own[..], &[0]].concat();
    let mut message = answer(&name);
    message[0] = 0xab;
    message.extend_from_slice(b"bytes behind the last record");
    assert_eq!(found(&signed(1, &message).unwrap(), "@"), [1]);
    // A question, then an authority and an additional record behind the answer.
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2];
    let mut message = header(0x0100, [1, 1, 1, 1]);
    message.extend([&name[..], &[0xff, 0xff, 0, 1]].concat());
    for last in [1, 2, 3] {
        message.extend([&record[..], &[last]].concat());
    }
    let packet = signed(1, &message).unwrap();
    assert_eq!(found(&packet, "@"), [1]);
    assert_eq!(packet.all_resource_records().count(), 1);
}

#[test]
fn a_record_of_unknown_class_is_refused_and_cache_flush_ignored() {
    let mut message = answer(&[&own_label()[..], &[0]].concat());
    let class = message.len() - 12;
    message[class] = 0x80;
    let packet = signed(1, &message).unwrap();
    let record = packet.resource_records("@").next().unwrap();
    assert_eq!(u16::from(record.class()), 1);
    message[class] = 7;
    let refused = VerifyError::Dns(DnsError::Class { class: 0x0701 });
    assert_eq!(signed(1, &message), Err(refused));
}

#[test]
fn records_outside_the_zone_are_seen_and_never_found() {
    let root = signed(1, &answer(&[0])).unwrap();
    assert_eq!(root.all_resource_records().next().unwrap().name().to_string(), ".");
    let packet = signed(1, &answer(b"\x03www\x07example\x03com\0")).unwrap();
    let record = packet.all_resource_records().next().unwrap();
    assert!(!record.in_zone());
    assert_eq!(record.name().to_string(), "www.example.com");
    assert_eq!(record.name().relative(), "www.example.com.");
    for name in ["www.example.com", "www.example.com.", "www", "@", "*", "*.example.com"] {
        assert_eq!(packet.resource_records(name).count(), 0, "{name}");
    }
    assert_eq!(packet.to_builder().size(&keypair().public_key()), Ok(12));
}

#[test]
fn a_ttl_above_31_bits_counts_as_zero() {
    let mut message = answer(&[&own_label()[..], &[0]].concat());
    let ttl = message.len() - 10;
    message[ttl..ttl + 4].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
    let packet = signed(1, &message).unwrap();
    assert_eq!(packet.all_resource_records().next().unwrap().ttl(), 0x7fff_ffff);
    message[ttl] = 0x80;
    let packet = signed(1, &message).unwrap();
    assert_eq!(packet.all_resource_records().next().unwrap().ttl(), 0);
    assert_eq!(packet.ttl(300, 86_400), 300);
}

#[test]
fn the_least_ttl_counts_within_its_bounds() {
    let packet = SignedPacket::builder()
        .a("a".try_into().unwrap(), [192, 0, 2, 1].into(), 600)
        .a("b".try_into().unwrap(), [192, 0, 2, 1].into(), 60)
        .sign(&keypair())
        .unwrap();
    assert_eq!(packet.ttl(0, 1000), 60);
    assert_eq!(packet.ttl(300, 1000), 300);
    assert_eq!(packet.ttl(0, 30), 30);
    assert_eq!(packet.ttl(1000, 10), 1000);
    let fresh = |age| packet.fresh_resource_records("a", Duration::from_millis(age)).count();
    assert_eq!(fresh(599_999), 1);
    assert_eq!(fresh(600_000), 0);
}

#[test]
fn a_name_is_found_in_every_spelling() {
    let own = keypair().to_z32();
    let packet = zone(&[("www", 1), ("@", 2), ("WwW", 3), ("_x._tcp", 4), ("é", 5)]);
    for name in ["www", "WWW", "www.", "www.@", &format!("www.{own}"), &format!("wWw.{own}.")] {
        assert_eq!(found(&packet, name), [1, 3], "{name}");
    }
    for name in ["", ".", "@", "@.", &own, &own.to_uppercase(), &format!("{own}.")] {
        assert_eq!(found(&packet, name), [2], "{name}");
    }
    assert_eq!(found(&packet, "_X._TCP"), [4]);
    assert_eq!(packet.resource_records_of("www", TYPE::A).count(), 2);
    assert_eq!(packet.resource_records_of("www", TYPE::AAAA).count(), 0);
    assert_eq!(found(&packet, "é"), [5]);
    assert_eq!(found(&packet, r"\195\169"), [5]);
    for name in ["ww", "wwww", "_tcp", "a.www", "a b", "\\", &"x".repeat(64), &"x.".repeat(200)] {
        assert!(found(&packet, name).is_empty(), "{name}");
    }
}

#[test]
fn a_name_under_another_key_is_never_found() {
    let other = Keypair::from_secret_key(&[8; 32]).to_z32();
    let owner = crate::Owner::try_from(format!("www.{other}.@")).unwrap();
    let address = [192, 0, 2, 1].into();
    let packet = SignedPacket::builder().a(owner, address, 60).sign(&keypair()).unwrap();
    let starred = zone(&[("*", 2)]);
    for packet in [packet, starred] {
        for name in [format!("www.{other}"), other.clone(), format!("WWW.{other}.").to_uppercase()]
        {
            assert!(found(&packet, &name).is_empty(), "{name}");
        }
    }
}

#[test]
fn wildcards_answer_as_rfc_4592_has_it() {
    // The zone of RFC 4592 2.2.1, under the key.
    let packet = zone(&[
        ("*", 1),
        ("sub.*", 2),
        ("host1", 3),
        ("_ssh._tcp.host1", 4),
        ("_ssh._tcp.host2", 5),
        ("subdel", 6),
    ]);
    assert_eq!(found(&packet, "host3"), [1]);
    assert_eq!(found(&packet, "foo.bar"), [1]);
    assert_eq!(found(&packet, "host1"), [3]);
    assert_eq!(found(&packet, "sub.*"), [2]);
    // Names that exist, with or without records, are not covered, and nor is what lies below them.
    for name in ["host2", "_tcp.host1", "_telnet._tcp.host1", "x.host1", "host.subdel", "ghost.*"] {
        assert!(found(&packet, name).is_empty(), "{name}");
    }
    let below = zone(&[("*.foo", 1), ("a.foo", 2)]);
    assert_eq!(found(&below, "b.foo"), [1]);
    assert_eq!(found(&below, "B.c.FOO"), [1]);
    assert_eq!(found(&below, "a.foo"), [2]);
    for name in ["foo", "@", "b.a.foo", "bar"] {
        assert!(found(&below, name).is_empty(), "{name}");
    }
    let wild = below.resource_records("b.foo").next().unwrap();
    assert!(wild.name().is_wildcard());
}

#[test]
fn a_query_with_a_star_finds_all_names_with_one_label_in_its_place() {
    let packet =
        zone(&[("*.foo", 1), ("a.foo", 2), ("b.a.foo", 3), ("foo", 4), ("@", 5), ("B.foo", 6)]);
    assert_eq!(found(&packet, "*.foo"), [1, 2, 6]);
    assert_eq!(found(&packet, "*"), [4]);
    assert!(found(&packet, "*.bar").is_empty());
}

#[test]
fn the_later_packet_wins_and_of_two_alike_the_greater() {
    let at = |micros: u64, last| {
        let address = [192, 0, 2, last].into();
        let builder = SignedPacket::builder().a("a".try_into().unwrap(), address, 60);
        builder.timestamp(micros.into()).sign(&keypair()).unwrap()
    };
    assert!(at(2, 1).more_recent_than(&at(1, 9)));
    assert!(!at(1, 9).more_recent_than(&at(2, 1)));
    assert!(at(1, 2).more_recent_than(&at(1, 1)));
    assert!(!at(1, 1).more_recent_than(&at(1, 1)));
    assert!(at(1, 1).is_same_as(&at(1, 1)));
    assert!(!at(1, 1).is_same_as(&at(2, 1)));
    assert_eq!(at(1, 1), at(1, 1));
    assert_ne!(at(1, 1), at(1, 2));
}

#[test]
fn all_records_are_given_in_order_and_counted_before() {
    let packet = zone(&[("b", 1), ("a", 2), ("b", 3)]);
    let mut records = packet.all_resource_records();
    for (left, last) in [(3, 1), (2, 2), (1, 3)] {
        assert_eq!((records.len(), records.size_hint()), (left, (left, Some(left))));
        assert_eq!(records.next().unwrap().raw_rdata(), [192, 0, 2, last]);
    }
    assert_eq!(records.size_hint(), (0, Some(0)));
    assert!(records.next().is_none());
    let bytes: &[u8] = packet.as_ref();
    assert_eq!(bytes, &packet.as_bytes()[..]);
    assert_eq!(SignedPacket::try_from(packet.as_bytes().clone()), Ok(packet));
}

#[test]
fn an_item_is_a_packet_only_in_its_own_form() {
    let packet = zone(&[("a", 1)]);
    let item = packet.to_mutable_item().unwrap();
    assert_eq!(item.seq(), i64::try_from(packet.timestamp().as_u64()).unwrap());
    assert_eq!(item.bytes(), Some(packet.encoded_packet()));
    assert_eq!(SignedPacket::try_from(&item), Ok(packet.clone()));
    let read = |item: Result<MutableItem, ItemError>| SignedPacket::try_from(&item.unwrap());
    let dns = packet.encoded_packet();
    let sign =
        |salt: &[u8], seq, bytes: &[u8]| MutableItem::sign_bytes(&keypair(), salt, seq, bytes);
    assert_eq!(read(sign(b"salt", 1, dns)), Err(StoredError::Salted));
    let micros = u64::try_from(i64::MAX).unwrap();
    let too_far = StoredError::Timestamp(TimestampError::TooFar { micros });
    assert_eq!(read(sign(b"", i64::MAX, dns)), Err(too_far));
    let source = DnsError::Truncated;
    assert_eq!(read(sign(b"", 7, &[0; 11])), Err(StoredError::NotDns { seq: 7, source }));
    let number = MutableItem::sign(&keypair(), b"", 7, b"i1e");
    assert_eq!(read(number), Err(StoredError::NotBytes { seq: 7 }));
}

#[test]
fn a_message_that_nodes_would_not_store_is_no_item() {
    let text = |bytes: usize| {
        let text = "x".repeat(bytes);
        let text = text.as_str().try_into().unwrap();
        SignedPacket::builder().txt("@".try_into().unwrap(), text, 60).sign(&keypair()).unwrap()
    };
    assert_eq!(text(916).encoded_packet().len(), SignedPacket::MAX_STORED_DNS_BYTES);
    assert!(text(916).to_mutable_item().is_ok());
    let refused = text(917).to_mutable_item();
    assert!(matches!(refused, Err(ItemError::ValueTooLarge { size: 1001 })), "{refused:?}");
}

/// What a lookup must find, by comparing names as text, slowly.
fn oracle(packet: &SignedPacket, query: &str) -> Vec<RData<'static>> {
    let message = Packet::parse(packet.encoded_packet()).unwrap();
    let labels = |name: &crate::dns::Name<'_>| -> Vec<Vec<u8>> {
        name.as_bytes().map(<[u8]>::to_ascii_lowercase).collect()
    };
    let mut asked = Labels::new();
    let at_apex = asked.read(query).unwrap();
    let mut asked: Vec<Vec<u8>> =
        crate::labels::iter(asked.as_wire()).map(<[u8]>::to_ascii_lowercase).collect();
    let own = keypair().to_z32().into_bytes();
    if at_apex || asked.last() != Some(&own) {
        asked.push(own);
    }
    let names: Vec<Vec<Vec<u8>>> =
        message.answers.iter().map(|record| labels(&record.name)).collect();
    // Every name that is there, and all that lie above one.
    let exist: BTreeSet<&[Vec<u8>]> =
        names.iter().flat_map(|name| (0..name.len()).map(|at| &name[at..])).collect();
    let of = |wanted: &[Vec<u8>]| -> Vec<RData<'static>> {
        let records = names.iter().zip(&message.answers).filter(|(name, _)| *name == wanted);
        records.map(|(_, record)| record.rdata.clone().into_owned()).collect()
    };
    if asked[0] == b"*" {
        let mut children: Vec<_> = names
            .iter()
            .zip(&message.answers)
            .filter(|(name, _)| name[1..] == asked[1..])
            .collect();
        children.sort_by(|one, other| one.0[0].cmp(&other.0[0]));
        return children.into_iter().map(|(_, record)| record.rdata.clone().into_owned()).collect();
    }
    if exist.contains(asked.as_slice()) {
        return of(&asked);
    }
    let above =
        (1..asked.len()).find(|at| exist.contains(&asked[*at..])).unwrap_or(asked.len() - 1);
    of(&[vec![b"*".to_vec()], asked[above..].to_vec()].concat())
}

proptest! {
    #[test]
    fn lookups_find_what_a_slow_search_finds(
        samples in samples::zone(), queries in vec(samples::owner(), 1..20),
    ) {
        let Ok(packet) = samples::builder(&samples).sign(&keypair()) else { return Ok(()) };
        for query in queries {
            let found: Vec<_> = packet.resource_records(&query).map(|r| r.rdata().unwrap()).collect();
            prop_assert_eq!(found, oracle(&packet, &query), "{}", query);
        }
    }

    #[test]
    fn records_are_what_simple_dns_reads(samples in samples::zone()) {
        let Ok(packet) = samples::builder(&samples).sign(&keypair()) else { return Ok(()) };
        let message = Packet::parse(packet.encoded_packet()).unwrap();
        let records: Vec<_> =
            packet.all_resource_records().map(|record| record.to_resource_record().unwrap()).collect();
        prop_assert_eq!(records, message.answers);
    }

    #[test]
    fn signed_noise_never_panics(flags in any::<u16>(), noise in vec(any::<u8>(), 0..200)) {
        let dns = [&header(flags, [0, 2, 1, 0])[..], &noise].concat();
        read_everything(&dns);
        read_everything(&noise);
    }

    #[test]
    fn damaged_messages_never_panic_and_are_read_as_simple_dns_reads_them(
        samples in samples::zone(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let Ok(packet) = samples::builder(&samples).sign(&keypair()) else { return Ok(()) };
        let mut dns = packet.encoded_packet().to_vec();
        for (at, byte) in damage {
            let at = at.index(dns.len());
            dns[at] = byte;
        }
        let ours = read_everything(&dns);
        let theirs = Packet::parse(&dns);
        prop_assert!(ours.is_some() || theirs.is_err(), "refused: {:?}", theirs);
        // Questions are not looked into, and data of the rarest types only when it is asked for.
        let is_rare = |packet: &SignedPacket| {
            dns[4..6] != [0, 0] || packet.all_resource_records().any(|r| r.rdata().is_err())
        };
        let agreed = ours.as_ref().is_none_or(|packet| theirs.is_ok() || is_rare(packet));
        prop_assert!(agreed, "accepted: {:?}", theirs);
        if let (Some(packet), Ok(theirs)) = (ours, theirs) {
            let names = packet.all_resource_records().map(|record| record.name().labels().map(<[u8]>::to_vec).collect::<Vec<_>>());
            let expected = theirs.answers.iter().map(|record| record.name.as_bytes().map(<[u8]>::to_vec).collect::<Vec<_>>());
            prop_assert!(names.eq(expected));
        }
    }
}

/// Reads a message as far as it goes, by every way there is.
fn read_everything(dns: &[u8]) -> Option<SignedPacket> {
    let packet = signed(1, dns).ok()?;
    for record in packet.all_resource_records() {
        let _ = (record.rdata(), record.text(), record.address(), record.ttl(), record.class());
        let _ = packet.resource_records(&record.name().to_string()).count();
        let _ = packet.resource_records(&format!("x.{}", record.name().relative())).count();
        #[cfg(feature = "zone-text")]
        assert!(record.data_text().bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    let _ = (format!("{packet:?}"), packet.ttl(0, 1));
    let _ = packet.to_builder().sign(&keypair()).map(|again| again.to_relay_payload());
    Some(packet)
}
