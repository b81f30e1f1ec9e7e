//! What zone files may contain, where faults are found, and that what is written reads back the same.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    Timestamp,
    dns::TYPE,
    samples::{self, keypair},
};

fn key() -> PublicKey {
    keypair().public_key()
}

fn read(text: &str) -> Result<SignedPacket, ZoneError> {
    let builder = SignedPacketBuilder::from(&parse(text, &key())?);
    Ok(builder.timestamp(Timestamp::from(1)).sign(&keypair()).unwrap())
}

/// The zone as lines without its first: name, TTL, class, type and data.
fn lines(text: &str) -> Vec<String> {
    let zone =
        read(text).unwrap_or_else(|error| panic!("{error} in\n{text}")).to_zone().to_string();
    zone.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_zone_knows_its_key_and_how_many_records_it_has() {
    let zone = parse("www A 192.0.2.1\n@ A 192.0.2.2\n", &key()).unwrap();
    assert_eq!((zone.key(), zone.len(), zone.is_empty()), (key(), 2, false));
    assert_eq!(format!("{zone:?}"), format!("Zone({}, 2 records)", key()));
    let empty = parse("; nothing\n", &key()).unwrap();
    assert_eq!((empty.key(), empty.len(), empty.is_empty()), (key(), 0, true));
    let packet = SignedPacketBuilder::from(zone.clone()).sign(&keypair()).unwrap();
    assert_eq!(packet.to_zone(), zone);
}

#[test]
fn everything_a_master_file_may_contain_is_read() {
    let own = key().to_z32();
    let text = format!(
        "; a comment\n\
         $TTL 600\n\
         @          IN A 192.0.2.1 ; behind a record\n\
         \t\tAAAA 2001:db8::1\n\
         \n\
         www   30   CNAME @\r\n\
         *     IN 40 A 192.0.2.2\n\
         $ORIGIN sub\n\
         a          MX ( 10 ; in parentheses\n\
         \x20             mail )\n\
         @          TXT \"two words\" plain \"\\\"quoted\\\" ; \\065\"\n\
         abs.{own}. NS ns.example.com.\n\
         $TTL 60\n\
         $ORIGIN {own}.\n\
         last       SRV 1 2 3 target.\n\
         u          TYPE65280 \\# 3 ab cdef\n\
         v          A \\# 4 c0000203"
    );
    let expected = [
        "@ 600 IN A 192.0.2.1".to_owned(),
        "@ 600 IN AAAA 2001:db8::1".to_owned(),
        format!("www 30 IN CNAME {own}."),
        "* 40 IN A 192.0.2.2".to_owned(),
        format!("a.sub 600 IN MX 10 mail.sub.{own}."),
        r#"sub 600 IN TXT "two words" "plain" "\"quoted\" ; A""#.to_owned(),
        "abs 600 IN NS ns.example.com.".to_owned(),
        "last 60 IN SRV 1 2 3 target.".to_owned(),
        r"u 60 IN TYPE65280 \# 3 abcdef".to_owned(),
        "v 60 IN A 192.0.2.3".to_owned(),
    ];
    assert_eq!(lines(&text), expected);
}

#[test]
fn every_type_that_the_builder_has_a_method_for_is_read_and_written() {
    let own = key().to_z32();
    for line in [
        "@ 60 IN A 192.0.2.1",
        "@ 60 IN AAAA 2001:db8::1",
        "@ 60 IN CNAME example.com.",
        "@ 60 IN NS ns.example.com.",
        "@ 60 IN PTR example.com.",
        "@ 60 IN MX 10 mail.example.com.",
        "@ 60 IN TXT \"v=1\" \"\"",
        "@ 60 IN SRV 1 2 3 .",
        "@ 60 IN CAA 128 issue \"ca.example; a=b\"",
        "@ 60 IN HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2",
        "@ 60 IN SVCB 0 example.com.",
        "@ 60 IN SOA ns.example.com. admin.example.com. 1 2 3 4 5",
        "@ 60 IN HINFO \"cpu\" \"os\"",
        "@ 60 IN TLSA 3 1 1 ABCD",
        "@ 60 IN TYPE65280 \\# 0",
        "*._x 60 IN A 192.0.2.1",
        "a\\.b\\032\\@ 60 IN A 192.0.2.1",
    ] {
        assert_eq!(lines(line), [line]);
    }
    let relative =
        lines("@ 60 HTTPS 1 www port=1\n@ 60 SVCB 2 @\n@ 60 SOA @ @ 1 2 3 4 5\n@ 60 TXT @");
    assert_eq!(relative[0], format!("@ 60 IN HTTPS 1 www.{own}. port=1"));
    assert_eq!(relative[1], format!("@ 60 IN SVCB 2 {own}."));
    assert_eq!(relative[2], format!("@ 60 IN SOA {own}. {own}. 1 2 3 4 5"));
    assert_eq!(relative[3], "@ 60 IN TXT \"@\"");
}

#[test]
fn service_parameters_are_read_in_any_form_and_written_in_one() {
    // The presentations of RFC 9460 D.2, and what others get wrong.
    for (given, written) in [
        (r#"key667="hello\210qoo""#, r#"key667="hello\210qoo""#),
        ("key667=hello", "key667=hello"),
        (r#"key99="a b""#, r#"key99="a b""#),
        (
            "ipv6hint=\"2001:db8::1,2001:db8::53:1\" mandatory=alpn,ipv4hint alpn=h2 ipv4hint=192.0.2.1",
            "mandatory=alpn,ipv4hint alpn=h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1,2001:db8::53:1",
        ),
        (r#"alpn="f\\\\oo\\,bar,h2""#, r#"alpn="f\\\\oo\\,bar,h2""#),
        (r"alpn=f\\\092oo\092,bar,h2", r#"alpn="f\\\\oo\\,bar,h2""#),
        ("key1=\\002h2", "alpn=h2"),
        ("no-default-alpn alpn=h3", "alpn=h3 no-default-alpn"),
        ("ech=AANhYmM=", "ech=AANhYmM="),
        ("dohpath=/q{?dns}", r#"key7="/q{?dns}""#),
        ("( port=53 ; why\n key65534 )", "port=53 key65534"),
    ] {
        let line = lines(&format!("@ 60 SVCB 16 foo.example.org. {given}"));
        assert_eq!(line, [format!("@ 60 IN SVCB 16 foo.example.org. {written}")]);
        assert_eq!(lines(&line[0]), line);
    }
}

#[test]
fn a_record_without_a_ttl_gets_the_default() {
    let ttl = |zone: &Zone| {
        let packet = SignedPacketBuilder::from(zone).sign(&keypair()).unwrap();
        packet.all_resource_records().next().unwrap().ttl()
    };
    let text = "a A 192.0.2.1";
    assert_eq!(ttl(&parse(text, &key()).unwrap()), 300);
    let reader = Reader::new(&key()).default_ttl(7);
    assert_eq!(ttl(&reader.read(text).unwrap()), 7);
    assert_eq!(ttl(&reader.read(&format!("$TTL 9\n{text}")).unwrap()), 9);
    assert_eq!(ttl(&reader.read("a 8 A 192.0.2.1").unwrap()), 8);
}

#[test]
fn faults_are_found_where_they_are() {
    use ZoneErrorKind as Kind;
    let service = |fault| Kind::Service(fault);
    for (text, line, column, kind) in [
        ("a 60 A 192.0.2.1\nexample.com. A 192.0.2.1", 2, 1, Kind::OutsideZone),
        ("$ORIGIN example.com.\n\nwww A 192.0.2.1", 3, 1, Kind::OutsideZone),
        ("\na 2147483648 A 192.0.2.1", 2, 1, Kind::Ttl { ttl: 0x8000_0000 }),
        ("$INCLUDE /etc/passwd", 1, 1, Kind::Include),
        ("a CLASS77 A 192.0.2.1", 1, 1, Kind::Class { class: 77 }),
        ("a TXT \"open\n\nb A 192.0.2.1", 1, 7, Kind::OpenQuote),
        ("a A 192.0.2.1\nb MX ( 10\n mail", 2, 6, Kind::OpenParenthesis),
        ("a A \\# 3 c00002", 1, 1, Kind::Data),
        ("a..b A 192.0.2.1", 1, 1, Kind::EmptyLabel),
        (".a A 192.0.2.1", 1, 1, Kind::EmptyLabel),
        ("a A 192.0.2.1\nb MX 10 ( ;\n  c..d )", 3, 3, Kind::EmptyLabel),
        ("a HTTPS 1", 1, 8, service(ServiceFault::Incomplete)),
        ("a HTTPS x .", 1, 9, service(ServiceFault::Priority)),
        ("a HTTPS 1 a..b", 1, 11, service(ServiceFault::Target)),
        ("a HTTPS (\n 1 .\n what=1 )", 3, 2, service(ServiceFault::Key)),
        ("a SVCB 1 . port=1 port=2", 1, 19, service(ServiceFault::Repeated)),
        ("a SVCB 1 . port=65536", 1, 12, service(ServiceFault::Value { key: 3 })),
        ("a SVCB 1 . alpn=", 1, 12, service(ServiceFault::Value { key: 1 })),
        ("a SVCB 1 . ipv4hint=1.2.3", 1, 12, service(ServiceFault::Value { key: 4 })),
        ("a SVCB 1 . no-default-alpn=x", 1, 12, service(ServiceFault::Value { key: 2 })),
        ("a SVCB 1 . port=1 mandatory=alpn", 1, 19, service(ServiceFault::Mandatory)),
        ("a SVCB 1 . key65535", 1, 12, service(ServiceFault::Key)),
    ] {
        assert_eq!(read(text), Err(ZoneError { line, column, kind }), "{text}");
    }
}

#[test]
fn faults_of_syntax_are_found_on_their_line() {
    for (text, line, column, words) in [
        ("a A 192.0.2.1\nb A 192.0.2\nc A 192.0.2.1", 2, 12, "expected IPv4 address"),
        ("a A\nb A 192.0.2.1", 1, 4, "the record ends too early"),
        ("a A 192.0.2.1 more", 1, 15, "the record goes on after its end"),
        ("\n\na WHAT 1", 3, 7, "a record type is expected here"),
        ("\ta A 192.0.2.1", 1, 2, "the first record has no name"),
        ("$WHAT 1", 1, 7, "unknown control: $WHAT"),
        ("\"$WH\u{1b}\" 1", 1, 8, "unknown control: $WH\u{fffd}\""),
        ("a A 192.0.2.1 )", 1, 15, "this parenthesis closes none"),
        (
            "a KX 10 mail",
            1,
            6,
            "the data of this record type must be written in bytes, as \\# LENGTH HEX",
        ),
        (
            "grün A 192.0.2.1",
            1,
            5,
            "a character that is no printable ASCII; write names in Punycode (xn--…), bytes as \\DDD",
        ),
        ("a TLSA 1 1 1 (\n aabb\n xx )", 3, 3, "expected hex digits"),
    ] {
        let Err(error) = read(text) else { panic!("{text:?} was read") };
        let ZoneErrorKind::Syntax(syntax) = &error.kind else { panic!("{error:?}") };
        assert_eq!((error.line, error.column, syntax.to_string().as_str()), (line, column, words));
    }
}

#[test]
fn text_of_any_language_and_from_any_editor_is_read() {
    let text = "\u{feff}a TXT \"grüße; \\é\" é\\\\ ( ; ü\r\n  x ) ; ü\r\nb CNAME a ; ü\r\nc.\\. MX 1 .\r\n";
    assert_eq!(
        lines(text),
        [
            r#"a 300 IN TXT "gr\195\188\195\159e; \195\169" "\195\169\\" "x""#.to_owned(),
            format!("b 300 IN CNAME a.{}.", key()),
            r"c.\. 300 IN MX 1 .".to_owned(),
        ]
    );
}

#[test]
fn a_fault_is_told_once() {
    use std::error::Error;
    let error = parse("a A 192.0.2", &key()).unwrap_err();
    assert!(error.source().is_none(), "{error}");
}

#[test]
fn what_terminals_obey_does_not_come_out() {
    let text = SignedPacket::builder()
        .txt("\\027[31m".try_into().unwrap(), "\u{1b}[31m\u{7}é\n".try_into().unwrap(), 60)
        .cname("c".try_into().unwrap(), crate::dns::Name::new_unchecked("\u{1b}[0m"), 60)
        .sign(&keypair())
        .unwrap();
    let zone = text.to_zone().to_string();
    assert!(zone.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{zone}");
    assert!(zone.contains(r"\027[31m 60 IN TXT"), "{zone}");
}

#[test]
fn data_that_no_presentation_fits_is_written_in_bytes() {
    let text = |rtype: u16, rdata: &[u8]| text::rdata(TYPE::from(rtype), rdata);
    assert_eq!(text(65_280, &[0xab, 0]), r"\# 2 ab00");
    assert_eq!(text(1, &[]), r"\# 0");
    // A service binding with the reserved key, and an address with a byte too many.
    assert_eq!(text(64, &[0, 1, 0, 0xff, 0xff, 0, 0]), r"\# 7 000100ffff0000");
    assert_eq!(text(1, &[192, 0, 2, 1, 9]), r"\# 5 c000020109");
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(samples in samples::zone()) {
        let Ok(packet) = samples::builder(&samples).timestamp(Timestamp::from(1)).sign(&keypair()) else {
            return Ok(());
        };
        let text = packet.to_zone().to_string();
        prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{}", text);
        match read(&text) {
            Ok(again) => prop_assert_eq!(again, packet, "{}", text),
            Err(error) => prop_assert!(false, "{}\n{}", error, text),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}", pieces in vec(piece(), 0..24)) {
        for text in [text, pieces.concat(), pieces.join(" ")] {
            if let Err(error) = parse(&text, &key()) {
                prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1), "{error}");
                prop_assert!(error.column >= 1, "{error}");
            }
        }
    }
}

/// What zone files are made of, in no order.
fn piece() -> impl Strategy<Value = &'static str> {
    select(vec![
        "a",
        "@",
        "*",
        ".",
        "..",
        "\"",
        "\\",
        "\\#",
        "\\0",
        "\\300",
        "(",
        ")",
        ";",
        "\n",
        "\r",
        " ",
        "\t",
        "$ORIGIN",
        "$TTL",
        "$INCLUDE",
        "IN",
        "CLASS9",
        "A",
        "AAAA",
        "TXT",
        "SVCB",
        "HTTPS",
        "MX",
        "SOA",
        "CAA",
        "NAPTR",
        "RRSIG",
        "NSEC",
        "IPSECKEY",
        "TYPE64",
        "0",
        "1",
        "65536",
        "192.0.2.1",
        "::1",
        "alpn=",
        "h2",
        "key9",
        "=",
        ",",
        "é",
        "\u{1b}",
        "\0",
        "ab",
    ])
}
