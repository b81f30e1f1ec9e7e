//! Record types as text: `AAAA`, `NSAP-PTR`, `TYPE65280`.
//!
//! Separate because people write and read types in zone files, on command lines and in JSON alike, and the numbers that
//! nobody has named have a text of their own ([RFC 3597 5](https://www.rfc-editor.org/rfc/rfc3597#section-5)).

use std::borrow::Cow;

use crate::dns::TYPE;

/// The text of a record type, `TYPE` and its number if it has no name here.
#[must_use]
pub fn type_name(rtype: TYPE) -> Cow<'static, str> {
    let number = u16::from(rtype);
    match NAMES.iter().find(|(named, _)| *named == number) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("TYPE{number}")),
    }
}

/// The record type that a text names, in either case, by its name or as `TYPE` and its number.
#[must_use]
pub fn parse_type(text: &str) -> Option<TYPE> {
    let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
    if let Some((number, _)) = named {
        return Some(TYPE::from(*number));
    }
    let (prefix, digits) = text.split_at_checked(4)?;
    if !prefix.eq_ignore_ascii_case("TYPE") || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|number: u16| TYPE::from(number))
}

/// [Names of types](https://www.iana.org/assignments/dns-parameters/dns-parameters.xhtml) that appear in zones.
const NAMES: [(u16, &str); 51] = [
    (1, "A"),
    (2, "NS"),
    (3, "MD"),
    (4, "MF"),
    (5, "CNAME"),
    (6, "SOA"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAP-PTR"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (108, "EUI48"),
    (109, "EUI64"),
    (257, "CAA"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_text_that_reads_back() {
        for number in 0..=u16::MAX {
            let rtype = TYPE::from(number);
            let name = type_name(rtype);
            assert_eq!(parse_type(&name), Some(rtype), "{name}");
            assert_eq!(parse_type(&name.to_lowercase()), Some(rtype), "{name}");
            assert_eq!(parse_type(&format!("TYPE{number}")), Some(rtype));
        }
        assert_eq!(type_name(TYPE::RouteThrough), "RT");
        assert_eq!(type_name(TYPE::from(65_280)), "TYPE65280");
    }

    #[test]
    fn a_text_that_names_no_type_is_none() {
        for text in ["", "TYPE", "TYPE65536", "TYPE+1", "TYPE-1", "WHAT", "A ", "TYPÉ1"] {
            assert_eq!(parse_type(text), None, "{text:?}");
        }
    }
}
