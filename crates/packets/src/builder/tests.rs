//! What the builder accepts, where it puts names, and that the bytes are those of another writer.

use proptest::prelude::*;

use super::*;
use crate::{
    NameError, VerifyError,
    dns::{
        CLASS, Label, Packet, TYPE,
        rdata::{Gateway, IPSECKEY, NULL},
    },
    samples::{self, Sample, keypair},
};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn owner(text: &str) -> Owner {
    text.try_into().unwrap()
}

/// The name under which a record of `text` is published.
fn placed(text: &str) -> Result<String, BuildError> {
    let packet = SignedPacket::builder().a(owner(text), HERE, 60).sign(&keypair())?;
    Ok(packet.all_resource_records().next().unwrap().name().to_string())
}

#[test]
fn names_find_their_place_under_the_key() {
    let own = keypair().to_z32();
    let upper = own.to_uppercase();
    // The same key in a spelling with stray bits, which other implementations read as this key.
    let stray = format!("{}n", own.strip_suffix('y').unwrap());
    for (text, place) in [
        ("", own.clone()),
        (".", own.clone()),
        ("@", own.clone()),
        ("@.", own.clone()),
        ("foo", format!("foo.{own}")),
        ("foo.", format!("foo.{own}")),
        ("foo.@", format!("foo.{own}")),
        ("a..b", format!("a.b.{own}")),
        ("*", format!("*.{own}")),
        ("*.foo", format!("*.foo.{own}")),
        ("_x._tcp", format!("_x._tcp.{own}")),
        ("foo_", format!("foo_.{own}")),
        ("Foo.BAR", format!("Foo.BAR.{own}")),
        ("example.com", format!("example.com.{own}")),
        (r"\@", format!(r"\@.{own}")),
        (r"a\.b", format!(r"a\.b.{own}")),
        (r"\032", format!(r"\032.{own}")),
        (own.as_str(), own.clone()),
        (&format!("{own}."), own.clone()),
        (&format!("www.{own}"), format!("www.{own}")),
        (&format!("www.{upper}"), format!("www.{own}")),
        (&format!("www.{stray}"), format!("www.{own}")),
        (&format!("www.{own}.@"), format!("www.{own}.{own}")),
    ] {
        assert_eq!(placed(text), Ok(place), "{text:?}");
    }
}

#[test]
fn a_name_under_another_key_is_refused() {
    let key = Keypair::from_secret_key(&[8; 32]).public_key();
    for text in [key.to_z32(), format!("www.{key}"), format!("www.{key}.").to_uppercase()] {
        let owner = owner(&text);
        assert_eq!(placed(&text), Err(BuildError::OtherKey { owner, key }), "{text}");
    }
    // Fifty-two characters that are nobody's key are a label like any other.
    let nobody = "y".repeat(52);
    assert!(placed(&nobody).is_ok());
}

#[test]
fn names_that_are_too_long_are_refused_rather_than_cut() {
    let longest = "x".repeat(63);
    assert!(placed(&longest).is_ok());
    let refused = Owner::try_from("x".repeat(64).as_str());
    assert_eq!(refused, Err(NameError::LabelTooLong { bytes: 64 }));
    // Three labels leave nine bytes for a fourth once the key and the root stand behind them.
    let long = [longest.as_str(); 3].join(".");
    assert!(placed(&format!("{long}.{}", "x".repeat(8))).is_ok());
    let text = format!("{long}.{}", "x".repeat(9));
    assert_eq!(placed(&text), Err(BuildError::NameTooLong { owner: owner(&text) }));
    let refused = Owner::try_from([longest.as_str(); 4].join(".").as_str());
    assert_eq!(refused, Err(NameError::TooLong));
}

#[test]
fn a_text_that_is_no_name_is_refused() {
    for (text, error) in [
        ("a b", NameError::Character { byte: b' ' }),
        ("a\n", NameError::Character { byte: b'\n' }),
        ("\u{7f}", NameError::Character { byte: 0x7f }),
        ("a\\", NameError::Escape),
        (r"\25", NameError::Escape),
        (r"\256", NameError::Escape),
        (r"\2x5", NameError::Escape),
    ] {
        assert_eq!(Owner::try_from(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_record_with_a_name_of_another_library_is_placed_alike() {
    let at = ResourceRecord::new(Name::new_unchecked("@"), CLASS::IN, 60, RData::A(A::from(HERE)));
    let labels = [Label::new_unchecked(&b"a.b"[..]), Label::new_unchecked(&b"@"[..])];
    let below = ResourceRecord { name: Name::new_with_labels(&labels), ..at.clone() };
    let packet = SignedPacket::builder().record(at).record(below).sign(&keypair()).unwrap();
    let names = packet.all_resource_records().map(|record| record.name().relative());
    assert_eq!(names.collect::<Vec<_>>(), ["@", r"a\.b"]);
    let long = Name::new_with_labels(&[Label::new_unchecked(vec![b'x'; 64])]);
    let record = ResourceRecord::new(long, CLASS::IN, 60, RData::A(A::from(HERE)));
    let refused = SignedPacket::builder().record(record).sign(&keypair());
    assert_eq!(refused, Err(BuildError::Name(NameError::LabelTooLong { bytes: 64 })));
}

#[test]
fn a_record_that_is_there_already_is_dropped() {
    let other = Ipv4Addr::new(192, 0, 2, 2);
    let packet = SignedPacket::builder()
        .a(owner("www"), HERE, 60)
        .a(owner("www"), other, 60)
        .a(owner("WWW.@"), HERE, 30)
        .a(owner("www2"), HERE, 60)
        .sign(&keypair())
        .unwrap();
    let records: Vec<_> = packet.all_resource_records().collect();
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].ttl(), 60);
}

#[test]
fn a_ttl_that_readers_take_for_zero_is_refused() {
    let build = |ttl| SignedPacket::builder().a(owner("a"), HERE, ttl).sign(&keypair());
    assert!(build(0x7fff_ffff).is_ok());
    let refused = BuildError::Ttl { owner: owner("a"), ttl: 0x8000_0000 };
    assert_eq!(build(0x8000_0000), Err(refused));
}

#[test]
fn data_that_its_type_does_not_allow_is_refused() {
    let long = |bytes| Name::new_with_labels(&[Label::new_unchecked(vec![b'x'; bytes])]);
    for bytes in [64, 192, 255, 256, 257, 300] {
        let built = SignedPacket::builder().cname(owner("a"), long(bytes), 60).sign(&keypair());
        let refused = BuildError::Data { owner: owner("a"), rtype: TYPE::CNAME };
        assert_eq!(built, Err(refused), "{bytes}");
    }
    let gateway = Gateway::Domain(long(300));
    let key = IPSECKEY { precedence: 1, algorithm: 2, gateway, public_key: b"key".into() };
    let built =
        SignedPacket::builder().rdata(owner("a"), RData::IPSECKEY(key), 60).sign(&keypair());
    assert_eq!(built, Err(BuildError::Data { owner: owner("a"), rtype: TYPE::IPSECKEY }));
    let short = RData::NULL(1, NULL::new(&[1, 2, 3]).unwrap());
    let built = SignedPacket::builder().rdata(owner("a"), short, 60).sign(&keypair());
    assert_eq!(built, Err(BuildError::Data { owner: owner("a"), rtype: TYPE::A }));
}

#[test]
fn data_in_bytes_counts_as_its_type() {
    let bytes = NULL::new(b"\x01a\x07example\0").unwrap();
    let build = |rdata| SignedPacket::builder().rdata(owner("a"), rdata, 60).sign(&keypair());
    let packet = build(RData::NULL(5, bytes)).unwrap();
    let record = packet.all_resource_records().next().unwrap();
    let alias = CNAME(Name::new_unchecked("a.example"));
    assert_eq!(record.rdata().unwrap(), RData::CNAME(alias.clone()));
    assert_eq!(packet.encoded_packet(), build(RData::CNAME(alias)).unwrap().encoded_packet());
    // A pointer would point into another message.
    let pointer = NULL::new(b"\x01a\xc0\x00").unwrap();
    assert!(build(RData::NULL(5, pointer)).is_err());
}

#[test]
fn the_first_fault_is_the_one_reported() {
    let builder = SignedPacket::builder().a(owner("first"), HERE, u32::MAX).a(
        owner("second"),
        HERE,
        u32::MAX,
    );
    let fault = BuildError::Ttl { owner: owner("first"), ttl: u32::MAX };
    assert_eq!(builder.size(&keypair().public_key()), Err(fault.clone()));
    assert_eq!(builder.sign(&keypair()), Err(fault));
}

#[test]
fn a_zone_too_large_names_its_costliest_record_and_the_excess() {
    let text = "x".repeat(600);
    let builder = SignedPacket::builder()
        .txt(owner("small"), "v".repeat(400).as_str().try_into().unwrap(), 60)
        .txt(owner("large"), text.as_str().try_into().unwrap(), 60);
    let size = builder.size(&keypair().public_key()).unwrap();
    let Err(error) = builder.sign(&keypair()) else { panic!("{size} bytes were signed") };
    // The name is a label of six bytes and a pointer; the text three strings.
    let costliest = Costliest { owner: owner("large"), rtype: TYPE::TXT, bytes: 6 + 2 + 10 + 603 };
    let text = format!(
        "the zone has {size} bytes, {} more than fit a packet; its costliest record is large TXT with 621 bytes",
        size - 1000
    );
    assert_eq!(error.to_string(), text);
    let excess = size - 1000;
    assert_eq!(error, BuildError::TooLarge { size, excess, costliest: Box::new(costliest) });
}

#[test]
fn a_timestamp_beyond_the_year_9999_is_not_signed() {
    let sign = |timestamp| SignedPacket::builder().timestamp(timestamp).sign(&keypair());
    assert!(sign(Timestamp::from(0)).is_ok());
    assert!(sign(Timestamp::MAX).is_ok());
    for micros in [Timestamp::MAX.as_u64() + 1, 1 << 63, u64::MAX] {
        let refused = TimestampError::TooFar { micros };
        assert_eq!(sign(Timestamp::from(micros)), Err(BuildError::Timestamp(refused)));
    }
}

#[test]
fn long_texts_are_cut_into_strings_and_joined_again() {
    let text = "ab".repeat(400);
    let packet = SignedPacket::builder()
        .txt(owner("t"), text.as_str().try_into().unwrap(), 60)
        .sign(&keypair())
        .unwrap();
    let record = packet.resource_records("t").next().unwrap();
    assert_eq!(record.text(), Some(text.into_bytes()));
    let lengths = [254_usize, 254, 254, 38];
    let raw = record.raw_rdata();
    let mut at = 0;
    for length in lengths {
        assert_eq!(usize::from(raw[at]), length);
        at += 1 + length;
    }
    assert_eq!(at, raw.len());
}

/// The message that simple-dns writes from the same records, which is what pkarr signs.
fn oracle(samples: &[Sample]) -> Vec<u8> {
    let mut packet = Packet::new_reply(0);
    for sample in samples {
        let mut place = Vec::new();
        let placed = owner(&sample.owner).place(&Origin::new(keypair().public_key()), &mut place);
        assert!(placed.is_ok(), "{} has a place", sample.owner);
        let labels: Vec<_> = crate::labels::iter(&place).map(Label::new_unchecked).collect();
        let name = Name::new_with_labels(&labels).into_owned();
        let record = ResourceRecord::new(name, CLASS::IN, sample.ttl, sample.rdata.clone());
        let is_same = |other: &ResourceRecord<'_>| {
            let mut one = Packet::new_reply(0);
            let mut two = Packet::new_reply(0);
            one.answers.push(ResourceRecord { ttl: 0, name: Owner::root(), ..record.clone() });
            two.answers.push(ResourceRecord { ttl: 0, name: Owner::root(), ..other.clone() });
            record.name == other.name
                && one.build_bytes_vec().unwrap() == two.build_bytes_vec().unwrap()
        };
        if !packet.answers.iter().any(is_same) {
            packet.answers.push(record);
        }
    }
    packet.build_bytes_vec_compressed().unwrap()
}

proptest! {
    #[test]
    fn the_message_is_the_one_that_simple_dns_writes(samples in samples::zone()) {
        let builder = samples::builder(&samples);
        let expected = oracle(&samples);
        prop_assert_eq!(builder.size(&keypair().public_key()), Ok(expected.len()));
        match builder.sign(&keypair()) {
            Ok(packet) => prop_assert_eq!(packet.encoded_packet(), expected),
            Err(BuildError::TooLarge { size, .. }) => prop_assert_eq!(size, expected.len()),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn a_packet_survives_every_way_it_travels(samples in samples::zone()) {
        let Ok(packet) = samples::builder(&samples).sign(&keypair()) else { return Ok(()) };
        prop_assert_eq!(&SignedPacket::from_bytes(packet.as_bytes()), &Ok(packet.clone()));
        let payload = packet.to_relay_payload();
        let key = packet.public_key();
        prop_assert_eq!(&SignedPacket::from_relay_payload(&key, &payload), &Ok(packet.clone()));
        let again = packet.to_builder().timestamp(packet.timestamp()).sign(&keypair());
        prop_assert_eq!(again, Ok(packet));
    }

    #[test]
    fn a_changed_packet_does_not_verify(
        samples in samples::zone(), at in any::<proptest::sample::Index>(), flip in 1..=u8::MAX,
    ) {
        let Ok(packet) = samples::builder(&samples).sign(&keypair()) else { return Ok(()) };
        let mut bytes = packet.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        match SignedPacket::try_from(bytes.as_slice()) {
            Ok(_) => prop_assert!(false, "byte {at} may be changed"),
            Err(VerifyError::Dns(error)) => prop_assert!(false, "{error} was seen first"),
            Err(_) => {}
        }
    }
}

#[test]
fn records_are_removed_by_name_and_type_whatever_their_case() {
    let keypair = Keypair::from_secret_key(&[9; 32]);
    let records = SignedPacketBuilder::default()
        .txt("Www".try_into().unwrap(), "x".try_into().unwrap(), 300)
        .a("www".try_into().unwrap(), [192, 0, 2, 1].into(), 300)
        .a("www.www".try_into().unwrap(), [192, 0, 2, 2].into(), 300);
    let left = |records: SignedPacketBuilder, name: &str, rtype| {
        let left = records.remove(&name.try_into().unwrap(), rtype).sign(&keypair).unwrap();
        left.all_resource_records().len()
    };
    let signed = records.sign(&keypair).unwrap();
    for records in [records, signed.to_builder()] {
        assert_eq!(left(records.clone(), "WWW", None), 1);
        assert_eq!(left(records.clone(), "www", Some(TYPE::A)), 2);
        assert_eq!(left(records.clone(), "www.@", Some(TYPE::MX)), 3);
        assert_eq!(left(records, "@", None), 3);
    }
}
