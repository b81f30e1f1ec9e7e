//! Conditions of a request: which packet must, or must not, be there.
//! Apart because a lost update hides in every imprecise comparison: seconds are too coarse, and so is a timestamp that
//! two packets can share.

use std::{fmt, str::FromStr};

use mainstay_packets::{SignedPacket, Timestamp};
use thiserror::Error;

/// Names one packet of a key exactly: its timestamp, and the beginning of its signature for the case that two packets
/// share that.
///
/// A strong validator ([RFC 9110, section 8.8.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3)), written with
/// its quotes: `"1700000000000000-d4022d11b6a9eb0a"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityTag {
    timestamp: Timestamp,
    mark: u64,
}

impl EntityTag {
    /// The tag of a packet.
    #[must_use]
    pub fn of(packet: &SignedPacket) -> Self {
        let signature = packet.signature();
        let mark = signature.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        Self { timestamp: packet.timestamp(), mark }
    }

    /// The timestamp of the packet that it names.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.timestamp
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}-{:016x}\"", self.timestamp.as_u64(), self.mark)
    }
}

impl FromStr for EntityTag {
    type Err = MalformedTag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let quoted = text.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let (timestamp, mark) = quoted.and_then(|tag| tag.split_once('-')).ok_or(MalformedTag)?;
        let timestamp = timestamp.parse().map_err(|_| MalformedTag)?;
        // The number parser also takes a sign and upper case, which would be second spellings.
        let digits = mark.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mark = u64::from_str_radix(mark, 16).ok().filter(|_| digits && mark.len() == 16);
        Ok(Self { timestamp, mark: mark.ok_or(MalformedTag)? })
    }
}

/// The text is no tag of ours; with a condition on it, no packet can meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is neither a timestamp in microseconds nor an entity tag of a packet")]
pub struct MalformedTag;

/// Writes `If-Match` for a publisher who replaces the packet of this timestamp, or none if it is 0: the microseconds,
/// without quotes, which relays of every generation that know conditions understand.
#[must_use]
pub fn if_match(replaced: Timestamp) -> String {
    replaced.as_u64().to_string()
}

/// Which packet a publisher expects to replace: what `If-Match` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any packet, but one: `*`.
    Any,
    /// The packet with this timestamp: microseconds, with or without quotes. 0 expects that there is none.
    At(Timestamp),
    /// Exactly this packet: one tag.
    Exactly(EntityTag),
}

impl Expected {
    /// Whether the packet that is there is the expected one.
    #[must_use]
    pub fn is(&self, present: Option<&SignedPacket>) -> bool {
        if *self == Self::At(Timestamp::from(0)) && present.is_none() {
            return true;
        }
        present.is_some_and(|present| match self {
            Self::Any => true,
            Self::At(timestamp) => present.timestamp() == *timestamp,
            Self::Exactly(tag) => EntityTag::of(present) == *tag,
        })
    }
}

impl FromStr for Expected {
    type Err = MalformedTag;

    /// Reads the value of `If-Match`. Lists of several tags are refused: a publisher has seen one packet.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Ok(tag) = text.parse() {
            return Ok(Self::Exactly(tag));
        }
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        bare.parse().map(Self::At).map_err(|_| MalformedTag)
    }
}

/// Which packets somebody has already: what `If-None-Match` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfNoneMatch<'a>(&'a str);

impl<'a> IfNoneMatch<'a> {
    /// Takes the header's value; every text is one, and what is no tag of ours matches nothing.
    #[must_use]
    pub const fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// Whether the packet that is there is one of them, so that 304 is the answer. Weak and strong tags compare alike,
    /// as for this header they must.
    #[must_use]
    pub fn has(&self, present: &SignedPacket) -> bool {
        let tag = EntityTag::of(present);
        self.0
            .split(',')
            .map(str::trim)
            .any(|had| had == "*" || had.strip_prefix("W/").unwrap_or(had).parse() == Ok(tag))
    }
}

/// Whether a packet is newer than the second that `If-Modified-Since` names, to the microsecond. A date that cannot be
/// read is no condition, so then it is.
#[must_use]
pub fn changed_since(timestamp: Timestamp, if_modified_since: &str) -> bool {
    Timestamp::parse_http_date(if_modified_since.trim()).map_or(true, |since| timestamp > since)
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;
    use proptest::prelude::*;

    use super::*;

    const MICROS: u64 = 1_700_000_000_000_000;

    fn packet(timestamp: u64, text: &str) -> SignedPacket {
        SignedPacket::builder()
            .txt("x".try_into().unwrap(), text.try_into().unwrap(), 30)
            .timestamp(timestamp.into())
            .sign(&Keypair::from_secret_key(&[7; 32]))
            .unwrap()
    }

    #[test]
    fn a_tag_tells_packets_apart_that_share_a_timestamp() {
        let (one, other) = (packet(MICROS, "one"), packet(MICROS, "other"));
        let tag = EntityTag::of(&one);
        assert_ne!(tag, EntityTag::of(&other));
        assert_eq!(tag.timestamp(), MICROS.into());
        assert_eq!(tag.to_string().parse(), Ok(tag));
        assert!(tag.to_string().starts_with("\"1700000000000000-"));
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        let tag = EntityTag::of(&packet(MICROS, "one")).to_string();
        let bare = tag.trim_matches('"');
        for text in [
            String::new(),
            "\"\"".into(),
            bare.into(),
            format!("W/{tag}"),
            tag.replace('-', "-+"),
            "\"1-D4022D11B6A9EB0A\"".into(),
            "\"1-+d4022d11b6a9eb0\"".into(),
            format!("\"{bare}0\""),
            format!("\"-{bare}\""),
            "\"1-\"".into(),
            "\"\u{e9}-0000000000000000\"".into(),
        ] {
            assert_eq!(text.parse::<EntityTag>(), Err(MalformedTag), "{text}");
        }
    }

    #[test]
    fn if_match_is_understood_in_every_form() {
        let present = packet(MICROS, "one");
        let tag = EntityTag::of(&present).to_string();
        let met = |text: &str| text.parse::<Expected>().unwrap().is(Some(&present));
        assert!(met(&if_match(MICROS.into())));
        assert!(met("\"1700000000000000\""));
        assert!(met(&tag));
        assert!(met("*"));
        assert!(!met("1699999999999999"));
        assert!(!met(&EntityTag::of(&packet(MICROS, "other")).to_string()));
        for text in ["*", tag.as_str(), "1700000000000000"] {
            assert!(!text.parse::<Expected>().unwrap().is(None), "{text} needs a packet");
        }
        let nothing: Expected = "0".parse().unwrap();
        assert!(nothing.is(None) && !nothing.is(Some(&present)));
        for text in ["", "-1", "+1", "1.0", "\"1", "1, 2", "Tue, 14 Nov 2023 22:13:20 GMT"] {
            assert_eq!(text.parse::<Expected>(), Err(MalformedTag), "{text}");
        }
    }

    #[test]
    fn if_none_match_finds_the_packet_in_a_list() {
        let present = packet(MICROS, "one");
        let tag = EntityTag::of(&present).to_string();
        for text in ["*", &tag, &format!("W/{tag}"), &format!("\"x\", {tag} ,\"y\"")] {
            assert!(IfNoneMatch::new(text).has(&present), "{text}");
        }
        for text in ["", "\"x\"", &EntityTag::of(&packet(MICROS, "other")).to_string()] {
            assert!(!IfNoneMatch::new(text).has(&present), "{text}");
        }
    }

    #[test]
    fn a_second_is_compared_with_microseconds() {
        let second = "Tue, 14 Nov 2023 22:13:20 GMT";
        assert!(!changed_since(MICROS.into(), second));
        assert!(!changed_since((MICROS - 1).into(), second));
        assert!(changed_since((MICROS + 1).into(), second));
        assert!(changed_since(0.into(), "yesterday"), "an unreadable date is no condition");
    }

    proptest! {
        #[test]
        fn every_tag_reads_back_and_expects_its_packet(timestamp: u64, mark: u64) {
            let tag = EntityTag { timestamp: timestamp.into(), mark };
            let text = tag.to_string();
            prop_assert_eq!(text.parse(), Ok(tag));
            prop_assert_eq!(text.parse(), Ok(Expected::Exactly(tag)));
            let bare = if_match(timestamp.into());
            prop_assert_eq!(bare.parse(), Ok(Expected::At(timestamp.into())));
            prop_assert_eq!(format!("\"{bare}\"").parse(), Ok(Expected::At(timestamp.into())));
        }

        #[test]
        fn no_header_makes_the_readers_panic(text in "\\PC{0,40}|[\"*W/,0-9a-f -]{0,40}") {
            let _ = text.parse::<EntityTag>();
            let _ = text.parse::<Expected>();
            let _ = IfNoneMatch::new(&text).has(&packet(MICROS, "one"));
            let _ = changed_since(MICROS.into(), &text);
        }
    }
}
