//! Fuzz targets of the packets crate: DNS messages that a key's owner signed, zone files, and names.
//!
//! Separate, because each crate's promises are written down in one file.

use std::sync::LazyLock;

use mainstay_keys::Keypair;
use mainstay_packets::{Owner, Record, SignedPacket, SignedPacketBuilder, Timestamp, dns, zone};

pub(super) static KEYPAIR: LazyLock<Keypair> = LazyLock::new(|| Keypair::from_secret_key(&[7; 32]));

/// A packet's timestamp, which is part of what is signed.
pub(super) const TIMESTAMP: u64 = 1_700_000_000_000_000;

pub(super) fn message_seeds() -> Vec<Vec<u8>> {
    zone_seeds()
        .iter()
        .filter_map(|text| zone::parse(str::from_utf8(text).ok()?, &KEYPAIR.public_key()).ok())
        .filter_map(|zone| SignedPacketBuilder::from(zone).sign(&KEYPAIR).ok())
        .map(|packet| packet.encoded_packet().to_vec())
        .collect()
}

/// Any message is refused or is read as simple-dns reads it; its records are found by their names, and come back from
/// the builder and from a zone file.
pub(super) fn signed_packet(dns: &[u8]) {
    let Ok(packet) = signed(TIMESTAMP, dns) else { return };
    let theirs = dns::Packet::parse(dns);
    if let Ok(message) = &theirs {
        assert_eq!(message.answers.len(), packet.all_resource_records().len());
    } else {
        // Questions are not looked into, and data of the rarest types only when it is asked for.
        let rare = packet.all_resource_records().any(|record| record.rdata().is_err());
        assert!(rare || dns[4..6] != [0, 0], "simple-dns refuses it: {theirs:?}");
    }
    for record in packet.all_resource_records() {
        let _ = (record.address(), record.text(), record.to_resource_record());
        assert!(record.data_text().bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let name = record.name();
        let is_it = |found: Record<'_>| found.raw_rdata().as_ptr() == record.raw_rdata().as_ptr();
        let found = packet.resource_records(&name.to_string()).any(is_it);
        assert_eq!(found, record.in_zone(), "{name}");
        let _ = packet.resource_records(&format!("x.{name}")).count();
    }
    let sign = |builder: SignedPacketBuilder| {
        builder.timestamp(Timestamp::from(TIMESTAMP)).sign(&KEYPAIR).ok()
    };
    let text = packet.to_zone().to_string();
    let zone = zone::parse(&text, &packet.public_key());
    let zone = zone.unwrap_or_else(|error| panic!("{error} in\n{text}"));
    let again = sign(packet.to_builder());
    assert_eq!(sign(SignedPacketBuilder::from(zone)), again, "{text}");
    if let Some(again) = again {
        assert_eq!(SignedPacket::from_bytes(again.as_bytes()), Ok(again));
    }
}

/// What the fuzzers' key says at this timestamp, if it is a packet.
pub(super) fn signed(
    timestamp: u64,
    dns: &[u8],
) -> Result<SignedPacket, mainstay_packets::VerifyError> {
    let mut signable = format!("3:seqi{timestamp}e1:v{}:", dns.len()).into_bytes();
    signable.extend_from_slice(dns);
    let signature = KEYPAIR.sign(&signable).to_bytes();
    let payload = [&signature[..], &timestamp.to_be_bytes(), dns].concat();
    SignedPacket::from_relay_payload(&KEYPAIR.public_key(), &payload.into())
}

pub(super) fn zone_seeds() -> Vec<Vec<u8>> {
    [
        "$TTL 600\n@ A 192.0.2.1\n\tAAAA 2001:db8::1\nwww 30 CNAME @ ; a comment\n* A 192.0.2.2\n",
        "$ORIGIN sub\na MX ( 10\n mail )\n@ TXT \"two words\" plain \"\\\"; \\065\"\n",
        "@ SOA ns.example.com. admin 1 2 3 4 5\n@ NS ns\n@ CAA 0 issue \"ca.example\"\n",
        "_x._tcp SRV 1 2 3 target.\nn NAPTR 1 2 s SIP \"\" sip\nh HINFO cpu os\np PTR a.b.\n",
        "@ HTTPS 1 . alpn=\"h2,f\\\\\\\\oo\\\\,bar\" port=8443 ipv4hint=192.0.2.1 ech=AANhYmM=\n",
        "@ SVCB 16 foo mandatory=alpn,ipv4hint alpn=h2 ipv4hint=192.0.2.1 key667=\"a\\210\"\n",
        "u TYPE65280 \\# 3 ab cdef\nd DS 1 8 2 abcd\nt TLSA 3 1 1 ab\nc CH TXT x\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Any text is refused at a place that it has, or is a zone that reads back the same when it is written.
pub(super) fn zone_text(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match zone::parse(text, &KEYPAIR.public_key()) {
        Ok(zone) => {
            let written = zone.to_string();
            assert!(written.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{written}");
            assert_eq!(zone::parse(&written, &zone.key()), Ok(zone), "{written}");
        }
        Err(error) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error}");
        }
    }
}

pub(super) fn name_seeds() -> Vec<Vec<u8>> {
    ["", "@", "www.@", "*.foo", "_x._tcp.", r"a\.b\032\255", "a..b", "UPPER.lower"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

/// Any text is refused or is a name whose own text is the same name, and under which a record is found.
pub(super) fn owner_name(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(owner) = Owner::try_from(text) else { return };
    assert_eq!(Owner::try_from(owner.to_string()).as_ref(), Ok(&owner), "{owner}");
    let builder = SignedPacket::builder().a(owner, [192, 0, 2, 1].into(), 60);
    let Ok(packet) = builder.sign(&KEYPAIR) else { return };
    assert_eq!(packet.resource_records(text).count(), 1, "{text:?}");
}
