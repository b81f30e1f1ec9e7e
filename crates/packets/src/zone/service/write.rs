//! Writes service bindings.
//!
//! Separate from reading because it starts from bytes that somebody else chose: a value that does not have the form of
//! its key is written under the key's number, so that it reads back the same.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
};

use domain::utils::base64;

use super::key_name;
use crate::{labels, message};

/// The presentation of a service binding's data, names in full.
pub(in crate::zone) fn write(rdata: &[u8]) -> Option<String> {
    let priority = message::u16_at(rdata, 0)?;
    let end = message::skip_name(rdata, 2, rdata.len()).ok()?;
    let target = labels::Shown(rdata.get(2..end.checked_sub(1)?)?);
    let params = params(rdata.get(end..)?)?;
    let keys: Vec<u16> = params.iter().map(|(key, _)| *key).collect();
    let mut text = format!("{priority} {target}.");
    for (key, value) in params {
        text.push(' ');
        match write_value(key, value, &keys) {
            Some(value) => text.push_str(&assignment(&key_name(key), value.as_bytes())),
            None => text.push_str(&assignment(&format!("key{key}"), value)),
        }
    }
    Some(text)
}

/// The parameters, unless there is one that text cannot express.
fn params(mut rest: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut params = Vec::new();
    while !rest.is_empty() {
        let key = message::u16_at(rest, 0).filter(|key| *key != u16::MAX)?;
        let length = usize::from(message::u16_at(rest, 2)?);
        let (value, after) = rest.get(4..)?.split_at_checked(length)?;
        params.push((key, value));
        rest = after;
    }
    Some(params)
}

fn assignment(name: &str, value: &[u8]) -> String {
    if value.is_empty() {
        return name.to_owned();
    }
    let mut text = format!("{name}=");
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.,:+/=".contains(byte);
    if value.iter().all(is_plain) {
        text.extend(value.iter().copied().map(char::from));
        return text;
    }
    text.push('"');
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            // Writing to a string does not fail.
            _ => drop(write!(text, "\\{byte:03}")),
        }
    }
    text.push('"');
    text
}

/// The value in the form of its key, before quoting; nothing if it does not have that form.
fn write_value(key: u16, value: &[u8], present: &[u16]) -> Option<String> {
    match key {
        0 => mandatory(value, present),
        1 => protocols(value),
        2 | 8 => value.is_empty().then(String::new),
        3 => value.try_into().ok().map(u16::from_be_bytes).map(|port| port.to_string()),
        4 => joined(value, |bytes: [u8; 4]| Ipv4Addr::from(bytes).to_string()),
        5 => Some(base64::encode_string(value)).filter(|text| !text.is_empty()),
        6 => joined(value, |bytes: [u8; 16]| Ipv6Addr::from(bytes).to_string()),
        _ => None,
    }
}

/// Keys in ascending order that are all there; any other list is better written in bytes.
fn mandatory(value: &[u8], present: &[u16]) -> Option<String> {
    let (keys, _) = value.as_chunks();
    let keys: Vec<u16> = keys.iter().map(|key| u16::from_be_bytes(*key)).collect();
    let fits = keys.is_sorted_by(|one, next| one < next)
        && keys.iter().all(|key| *key != 0 && present.contains(key));
    fits.then(|| joined(value, |bytes| key_name(u16::from_be_bytes(bytes)))).flatten()
}

fn joined<const N: usize>(value: &[u8], show: impl Fn([u8; N]) -> String) -> Option<String> {
    let (items, rest) = value.as_chunks();
    let texts: Vec<String> = items.iter().map(|item| show(*item)).collect();
    (rest.is_empty() && !texts.is_empty()).then(|| texts.join(","))
}

/// Printable protocol names; any other list is better written in bytes.
fn protocols(value: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    for name in labels::iter(value) {
        if name.is_empty() || !name.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        let name = str::from_utf8(name).ok()?;
        texts.push(name.replace('\\', "\\\\").replace(',', "\\,"));
    }
    (!texts.is_empty()).then(|| texts.join(","))
}
