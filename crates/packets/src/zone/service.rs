//! Service bindings (SVCB and HTTPS) as text.
//!
//! Separate because the zone-file parser behind us does not read and write all of
//! [RFC 9460 2.1](https://www.rfc-editor.org/rfc/rfc9460#section-2.1): it refuses keys with a 9 in their number and
//! protocol names with a comma or backslash, and writes values without escapes. Records of these two types are read
//! here, and handed to it in the form of RFC 3597; all else of their lines stays with it.

mod read;
mod write;

pub(super) use self::{read::rewrite, write::write};

/// The parameters that have a name ([IANA](https://www.iana.org/assignments/dns-svcb/dns-svcb.xhtml)).
const KEYS: [(u16, &str); 9] = [
    (0, "mandatory"),
    (1, "alpn"),
    (2, "no-default-alpn"),
    (3, "port"),
    (4, "ipv4hint"),
    (5, "ech"),
    (6, "ipv6hint"),
    (7, "dohpath"),
    (8, "ohttp"),
];

fn key_name(key: u16) -> String {
    match KEYS.iter().find(|(named, _)| *named == key) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("key{key}"),
    }
}

/// A key by its name or as `key` and its number; 65535 is reserved.
fn key_of(text: &str) -> Option<u16> {
    if let Some((key, _)) = KEYS.iter().find(|(_, name)| *name == text) {
        return Some(*key);
    }
    let digits = text.strip_prefix("key").filter(|digits| !digits.starts_with('+'))?;
    digits.parse().ok().filter(|key| *key != u16::MAX)
}
