//! Record data of RFC 9460, good and bad, byte by byte.
//! Apart from the reader because the vectors are longer than it.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// Priority, target and parameters as a record's data.
fn rdata(priority: u16, target: &str, params: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = priority.to_be_bytes().to_vec();
    for label in target.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    for (key, value) in params {
        bytes.extend_from_slice(&key.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

fn service(params: &[(u16, &[u8])]) -> Option<Service> {
    Service::parse(&rdata(1, ".", params))
}

/// In wire form a byte longer than the text, and a byte for the root.
#[test]
fn a_target_has_no_more_than_255_bytes() {
    let label = "a".repeat(61);
    let long = |last: usize| format!("{label}.{label}.{label}.{label}.{}", "b".repeat(last));
    let longest = long(5);
    assert_eq!(rdata(1, &longest, &[]).len(), 2 + 255);
    assert_eq!(Service::parse(&rdata(1, &longest, &[])).unwrap().target, longest);
    assert_eq!(Service::parse(&rdata(1, &long(6), &[])), None);
}

/// RFC 9460, appendix D.
#[test]
fn the_vectors_of_the_rfc_are_read() {
    // Figure 2: AliasMode.
    let alias = b"\x00\x00\x03foo\x07example\x03com\x00";
    let alias = Service::parse(alias).unwrap();
    assert!(alias.is_alias());
    assert_eq!(alias.target, "foo.example.com");
    // Figure 3: TargetName is ".".
    let own = Service::parse(b"\x00\x01\x00").unwrap();
    assert_eq!((own.priority, own.target.as_str()), (1, "."));
    // Figure 4: a port.
    let port = b"\x00\x10\x03foo\x07example\x03com\x00\x00\x03\x00\x02\x00\x35";
    let port = Service::parse(port).unwrap();
    assert_eq!((port.priority, port.port()), (16, Some(53)));
    // Figure 6: a generic key with a quoted value.
    let generic = b"\x00\x01\x03foo\x07example\x03com\x00\x02\x9b\x00\x09hello\xd2qoo";
    let generic = Service::parse(generic).unwrap();
    assert_eq!(generic.param(667), Some(&b"hello\xd2qoo"[..]));
    assert_eq!(generic.check(), Ok(()));
    // Figure 7: two quoted IPv6 hints.
    let hints = b"\x00\x01\x03foo\x07example\x03com\x00\x00\x06\x00\x20\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
        \x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x53\x00\x01";
    let hints: Vec<_> = Service::parse(hints).unwrap().hints().collect();
    let expected: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::53:1".parse().unwrap()];
    assert_eq!(hints, expected);
    // Figure 9: keys in ascending order, of which two are mandatory.
    let ordered = b"\x00\x10\x03foo\x07example\x03org\x00\x00\x00\x00\x04\x00\x01\x00\x04\
        \x00\x01\x00\x09\x02h2\x05h3-19\x00\x04\x00\x04\xc0\x00\x02\x01";
    let ordered = Service::parse(ordered).unwrap();
    assert_eq!(ordered.check(), Ok(()));
    let alpn: Vec<_> = ordered.alpn().collect();
    assert_eq!(alpn, [&b"h2"[..], b"h3-19"]);
    assert_eq!(ordered.hints().collect::<Vec<_>>(), [IpAddr::from([192, 0, 2, 1])]);
}

#[test]
fn values_of_the_wrong_form_make_the_record_malformed() {
    for (key, wrong) in [
        (MANDATORY, &b""[..]),
        (MANDATORY, b"\x00\x01\x00"),
        (MANDATORY, b"\x00\x00"),
        (MANDATORY, b"\x00\x03\x00\x01"),
        (MANDATORY, b"\x00\x03\x00\x03"),
        (ALPN, b""),
        (ALPN, b"\x00"),
        (ALPN, b"\x02h2\x00"),
        (ALPN, b"\x03h2"),
        (NO_DEFAULT_ALPN, b"\x00"),
        (PORT, b""),
        (PORT, b"\x01"),
        (PORT, b"\x01\xbb\x00"),
        (IPV4HINT, b""),
        (IPV4HINT, b"\x01\x02\x03"),
        (IPV6HINT, b""),
        (IPV6HINT, b"\x20\x01\x0d\xb8"),
    ] {
        assert_eq!(service(&[(key, wrong)]), None, "key {key}: {wrong:?}");
    }
}

#[test]
fn keys_that_repeat_or_descend_make_the_record_malformed() {
    assert_eq!(service(&[(PORT, b"\x00\x01"), (PORT, b"\x00\x01")]), None);
    assert_eq!(service(&[(PORT, b"\x00\x01"), (ALPN, b"\x02h2")]), None);
    assert!(service(&[(ALPN, b"\x02h2"), (PORT, b"\x00\x01")]).is_some());
}

#[test]
fn data_cut_anywhere_is_malformed_and_nothing_worse() {
    let whole = rdata(1, "foo.example", &[(ALPN, b"\x02h2"), (PORT, b"\x01\xbb")]);
    // Between parameters, and after the target, is where fewer parameters end.
    let ends = [2 + 13, 2 + 13 + 7, whole.len()];
    for length in 0..=whole.len() {
        let parsed = Service::parse(&whole[..length]);
        assert_eq!(parsed.is_some(), ends.contains(&length), "{length} bytes");
    }
}

#[test]
fn a_mandatory_key_that_we_do_not_know_rules_the_record_out() {
    let unknown = service(&[(MANDATORY, b"\x02\x9b"), (667, b"x")]).unwrap();
    assert_eq!(unknown.check(), Err(Misfit::UnknownMandatory(667)));
    let ech = service(&[(MANDATORY, b"\x00\x05"), (5, b"\x00\x01x")]).unwrap();
    assert_eq!(ech.check(), Err(Misfit::UnknownMandatory(5)));
    let known = service(&[(MANDATORY, b"\x00\x03"), (PORT, b"\x01\xbb")]).unwrap();
    assert_eq!(known.check(), Ok(()));
}

#[test]
fn parameters_that_contradict_each_other_rule_the_record_out() {
    let absent = service(&[(MANDATORY, b"\x00\x03"), (ALPN, b"\x02h2")]).unwrap();
    assert_eq!(absent.check(), Err(Misfit::Inconsistent));
    let lonely = service(&[(NO_DEFAULT_ALPN, b"")]).unwrap();
    assert_eq!(lonely.check(), Err(Misfit::Inconsistent));
}

#[test]
fn an_alias_is_an_alias_whatever_its_parameters() {
    let bytes = rdata(0, "foo.example", &[(PORT, b"wrong"), (MANDATORY, b"")]);
    let alias = Service::parse(&bytes).unwrap();
    assert_eq!((alias.params.len(), alias.check()), (0, Ok(())));
}

#[test]
fn targets_are_host_names_in_lower_case() {
    let shouting = Service::parse(&rdata(1, "WWW.Example", &[])).unwrap();
    assert_eq!(shouting.target, "www.example");
    assert_eq!(Service::parse(b"\x00\x01\x01*\x00"), None);
    assert_eq!(Service::parse(b"\x00\x01\x03a.b\x00"), None);
    assert_eq!(Service::parse(b"\x00\x01\xc0\x0c\x00"), None);
}

proptest! {
    #[test]
    fn reading_is_total_and_what_is_read_can_be_asked_anything(bytes in vec(any::<u8>(), 0..300)) {
        if let Some(service) = Service::parse(&bytes) {
            let _ = (service.check(), service.port(), service.alpn().count(), service.hints().count());
            prop_assert!(service.is_alias() || service.params.is_sorted_by(|a, b| a.0 < b.0));
        }
    }

    #[test]
    fn what_is_written_is_read(
        priority in 1_u16..,
        target in "([a-z0-9_-]{1,20}\\.){0,4}[a-z0-9]{1,20}",
        params in btree_map(7_u16.., vec(any::<u8>(), 0..40), 0..5),
    ) {
        let params: Vec<_> = params.into_iter().collect();
        let borrowed: Vec<_> = params.iter().map(|(key, value)| (*key, value.as_slice())).collect();
        let service = Service::parse(&rdata(priority, &target, &borrowed));
        prop_assert_eq!(service, Some(Service { priority, target, params }));
    }
}
