//! Signed packets against vectors that another implementation made.
//! Apart from the crate's own tests because these are facts of the wire, not of our code.

use mainstay_keys::{Keypair, PublicKey, PublicKeyError, SecretKey};
use mainstay_packets::{
    BuildError, Costliest, Owner, SignedPacket, SignedPacketBuilder, VerifyError,
    dns::{
        CLASS, CharacterString, Name, ResourceRecord, TYPE,
        rdata::{
            A, AFSDB, CAA, HINFO, KX, MINFO, MX, NAPTR, NULL, PTR, RData, RP, SOA, SRV, SVCB,
            SVCParam, TXT,
        },
    },
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    packets: Vec<Packet>,
    weak: Weak,
    lengths: Lengths,
}

#[derive(Deserialize)]
struct Packet {
    name: String,
    seed: String,
    timestamp: u64,
    bytes: String,
}

#[derive(Deserialize)]
struct Weak {
    public_key: String,
    signature: String,
    dns: String,
}

#[derive(Deserialize)]
struct Lengths {
    too_short: Length,
    too_long: Length,
}

#[derive(Deserialize)]
struct Length {
    payload: usize,
    reported: usize,
}

#[test]
fn what_we_sign_is_byte_for_byte_what_others_sign() {
    for vector in vectors().packets {
        let keypair = Keypair::from_secret(&SecretKey::from_hex(&vector.seed).unwrap());
        let packet =
            zone(&vector.name, &keypair).timestamp(vector.timestamp.into()).sign(&keypair).unwrap();
        assert_eq!(hex(packet.as_bytes()), vector.bytes, "{}", vector.name);
    }
}

#[test]
fn what_others_signed_is_read_whole() {
    for vector in vectors().packets {
        let keypair = Keypair::from_secret(&SecretKey::from_hex(&vector.seed).unwrap());
        let packet = SignedPacket::try_from(bytes(&vector.bytes).as_slice()).unwrap();
        assert_eq!(packet.public_key(), keypair.public_key());
        assert_eq!(packet.timestamp().as_u64(), vector.timestamp);
        let payload = packet.to_relay_payload();
        assert_eq!(SignedPacket::from_relay_payload(&keypair.public_key(), &payload), Ok(packet));
    }
}

#[test]
fn a_packet_read_and_built_again_is_the_same() {
    for vector in vectors().packets {
        let keypair = Keypair::from_secret(&SecretKey::from_hex(&vector.seed).unwrap());
        let packet = SignedPacket::try_from(bytes(&vector.bytes).as_slice()).unwrap();
        let again = packet.to_builder().timestamp(packet.timestamp()).sign(&keypair);
        assert_eq!(again, Ok(packet), "{}", vector.name);
    }
}

#[test]
fn a_packet_written_as_a_zone_file_reads_back_the_same() {
    for vector in vectors().packets {
        let keypair = Keypair::from_secret(&SecretKey::from_hex(&vector.seed).unwrap());
        let packet = SignedPacket::try_from(bytes(&vector.bytes).as_slice()).unwrap();
        let text = packet.to_zone().to_string();
        let zone = mainstay_packets::zone::parse(&text, &keypair.public_key()).unwrap();
        let again = SignedPacketBuilder::from(&zone).timestamp(packet.timestamp()).sign(&keypair);
        assert_eq!(again, Ok(packet), "{}:\n{text}", vector.name);
    }
}

#[test]
fn one_byte_more_than_a_thousand_is_refused_and_the_record_named() {
    let keypair = Keypair::from_secret_key(&[0; 32]);
    let builder = apex_text(921);
    let (size, excess) = (1001, 1);
    let costliest = Box::new(Costliest { owner: Owner::apex(), rtype: TYPE::TXT, bytes: 989 });
    assert_eq!(builder.size(&keypair.public_key()), Ok(size));
    assert_eq!(builder.sign(&keypair), Err(BuildError::TooLarge { size, excess, costliest }));
    assert_eq!(apex_text(920).size(&keypair.public_key()), Ok(1000));
}

#[test]
fn a_key_under_which_anybody_can_sign_is_refused() {
    let Weak { public_key, signature, dns } = vectors().weak;
    let packet = [public_key, signature, "000000000000002a".to_owned(), dns].concat();
    let refused = SignedPacket::try_from(bytes(&packet).as_slice());
    assert_eq!(refused, Err(VerifyError::PublicKey(PublicKeyError::SmallOrder)));
}

#[test]
fn payloads_of_impossible_lengths_are_refused_with_the_key_counted() {
    let key: PublicKey = Keypair::from_secret_key(&[0; 32]).public_key();
    let Lengths { too_short, too_long } = vectors().lengths;
    let refuse = |payload: usize| SignedPacket::from_relay_payload(&key, &vec![0; payload].into());
    let length = too_short.reported;
    assert_eq!(refuse(too_short.payload), Err(VerifyError::TooShort { length }));
    let length = too_long.reported;
    assert_eq!(refuse(too_long.payload), Err(VerifyError::TooLong { length }));
    assert!(matches!(refuse(too_short.payload + 1), Err(VerifyError::Signature(_))));
    assert!(matches!(refuse(too_long.payload - 1), Err(VerifyError::Signature(_))));
}

/// The records that each vector was made of.
fn zone(vector: &str, keypair: &Keypair) -> SignedPacketBuilder {
    let builder = SignedPacket::builder();
    match vector {
        "V1" => builder,
        "V2" => builder.txt(owner("_proto"), "foo=bar".try_into().unwrap(), 30).a(
            owner("foo"),
            "104.21.59.30".parse().unwrap(),
            300,
        ),
        "V3" => {
            let mut service = SVCB::new(1, name("."));
            service.set_port(6881);
            builder
                .address(owner("."), "209.151.148.15".parse().unwrap(), 3600)
                .address(owner("@"), "2a05:d014:275:6201::64".parse().unwrap(), 3600)
                .https(owner(""), service, 3600)
                .cname(owner("www"), name("example.com"), 60)
        }
        "V4" => {
            let text: String = ('a'..='z').cycle().take(600).collect();
            builder.txt(owner("_long"), text.as_str().try_into().unwrap(), 5)
        }
        "V5" => builder.txt(owner("e"), "".try_into().unwrap(), 5),
        "V6" => {
            let mut service = SVCB::new(1, name("host.example.com"));
            service.set_alpn(&["h2".try_into().unwrap(), "h3".try_into().unwrap()]);
            service.set_port(8443);
            service.set_ipv4hint(&[0x0102_0304]);
            let own = keypair.to_z32();
            builder.https(owner("_foo"), service, 60).svcb(owner("x"), SVCB::new(0, name(&own)), 60)
        }
        "V7" => apex_text(920),
        "every type" => every_type(builder),
        other => panic!("no records are known for the vector {other}"),
    }
}

fn apex_text(characters: usize) -> SignedPacketBuilder {
    let text = "x".repeat(characters);
    SignedPacket::builder().txt(owner("."), text.as_str().try_into().unwrap(), 300)
}

fn every_type(builder: SignedPacketBuilder) -> SignedPacketBuilder {
    let mut service = SVCB::new(1, name("."));
    service.set_mandatory([1, 4].into_iter());
    service.set_alpn(&["h2".try_into().unwrap()]);
    service.set_no_default_alpn();
    service.set_ipv4hint(&[0x7f00_0001]);
    service.set_param(SVCParam::Ech(b"abc".into()));
    service.set_ipv6hint(&[1]);
    service.set_param(SVCParam::Unknown(667, b"hi".into()));
    let text = CharacterString::new(b"\x1b\"\\").unwrap();
    let text = TXT::new().with_char_string(text).with_string("two").unwrap();
    let mixed = ResourceRecord::new(name("Mixed.Case"), CLASS::CH, 60, RData::TXT(text));
    let flushing = ResourceRecord::new(name("flush"), CLASS::IN, 60, RData::A(A { address: 1 }));
    classic_types(builder)
        .rdata(owner("kx"), RData::KX(KX { preference: 1, exchanger: mail() }), 60)
        .rdata(owner("u"), RData::NULL(65280, NULL::new(&[0xab, 0xcd]).unwrap()), 60)
        .rdata(owner("empty"), RData::Empty(TYPE::A), 60)
        .svcb(owner("svc"), service, 60)
        .record(mixed)
        .a(owner("*.mixed.Case"), "192.0.2.1".parse().unwrap(), 60)
        .record(flushing.with_cache_flush(true))
}

fn classic_types(builder: SignedPacketBuilder) -> SignedPacketBuilder {
    let authority = SOA {
        mname: name("ns1.example.com"),
        rname: name("hostmaster.example.com"),
        serial: 7,
        refresh: 3600,
        retry: 600,
        expire: 86400,
        minimum: 300,
    };
    let naming = NAPTR {
        order: 1,
        preference: 2,
        flags: string("s"),
        services: string("SIP"),
        regexp: string(""),
        replacement: name("sip.example.com"),
    };
    let boxes = MINFO { rmailbox: name("r.example.com"), emailbox: name("e.r.example.com") };
    let responsible = RP { mbox: mail(), txt: name("t.mail.example.com") };
    let service = SRV { priority: 1, weight: 2, port: 3, target: mail() };
    let authorization = CAA { flag: 0, tag: string("issue"), value: b"ca.example".into() };
    builder
        .rdata(owner("."), RData::SOA(authority), 300)
        .ns(owner("."), name("ns1.example.com"), 300)
        .mx(owner("."), MX { preference: 10, exchange: mail() }, 300)
        .srv(owner("_x._tcp"), service, 60)
        .caa(owner("."), authorization, 60)
        .rdata(owner("ptr"), RData::PTR(PTR(name("WWW.Example.com"))), 60)
        .rdata(owner("n"), RData::NAPTR(naming), 60)
        .rdata(owner("hinfo"), RData::HINFO(HINFO { cpu: string("a"), os: string("b c") }), 60)
        .rdata(owner("m"), RData::MINFO(boxes), 60)
        .rdata(owner("af"), RData::AFSDB(AFSDB { subtype: 1, hostname: mail() }), 60)
        .rdata(owner("rp"), RData::RP(responsible), 60)
}

fn owner(text: &str) -> Owner {
    text.try_into().unwrap()
}

fn name(text: &str) -> Name<'_> {
    Name::new_unchecked(text)
}

fn mail() -> Name<'static> {
    name("mail.example.com")
}

fn string(text: &'static str) -> CharacterString<'static> {
    text.try_into().unwrap()
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/packets.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
