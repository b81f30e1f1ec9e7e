//! Reads service bindings.
//!
//! Separate from writing because only what is read can be wrong.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use bytes::Bytes;
use domain::{
    base::{Name, name::UncertainName},
    utils::base64,
};

use super::{key_name, key_of};
use crate::zone::{
    ZoneErrorKind,
    error::ServiceFault,
    rewrite::Fault,
    text,
    tokens::{Token, unquote},
};

/// The entry with its data in the form of RFC 3597.
pub(in crate::zone) fn rewrite(
    head: &[Token<'_>],
    data: &[Token<'_>],
    origin: &Name<Bytes>,
) -> Result<String, Fault> {
    let end = head.last().map_or(0, |token| token.start + token.text.len());
    let rdata = read(data, end, origin)?;
    let mut rewritten = String::new();
    for token in head {
        rewritten.push_str(token.text);
        rewritten.push(' ');
    }
    rewritten.push_str(&text::generic(&rdata));
    Ok(rewritten)
}

/// The data in wire form; `end` is where its absence would be noticed.
fn read(data: &[Token<'_>], end: usize, origin: &Name<Bytes>) -> Result<Vec<u8>, Fault> {
    let fault = |at: usize, fault: ServiceFault| (at, ZoneErrorKind::Service(fault));
    let [priority, target, params @ ..] = data else {
        return Err(fault(end, ServiceFault::Incomplete));
    };
    let number = priority.text.parse::<u16>();
    let mut rdata =
        number.map_err(|_| fault(priority.start, ServiceFault::Priority))?.to_be_bytes().to_vec();
    let name = absolute(target.text, origin).ok_or(fault(target.start, ServiceFault::Target))?;
    rdata.extend_from_slice(name.as_slice());
    let mut values = BTreeMap::new();
    for param in params {
        let (key, value) = read_param(param.text).map_err(|found| fault(param.start, found))?;
        if values.insert(key, value).is_some() {
            return Err(fault(param.start, ServiceFault::Repeated));
        }
    }
    let named = params.iter().find(|param| param.text.starts_with(key_name(0).as_str()));
    if let Some(param) = named.filter(|_| !is_mandatory(&values)) {
        return Err(fault(param.start, ServiceFault::Mandatory));
    }
    for (key, value) in values {
        let length = u16::try_from(value.len()).map_err(|_| (end, ZoneErrorKind::Data))?;
        rdata.extend_from_slice(&key.to_be_bytes());
        rdata.extend_from_slice(&length.to_be_bytes());
        rdata.extend_from_slice(&value);
    }
    Ok(rdata)
}

/// Whether the parameters that are declared mandatory are there.
fn is_mandatory(values: &BTreeMap<u16, Vec<u8>>) -> bool {
    let (keys, _) = values.get(&0).map(|keys| keys.as_chunks()).unwrap_or_default();
    keys.iter().map(|key| u16::from_be_bytes(*key)).all(|key| key != 0 && values.contains_key(&key))
}

fn absolute(text: &str, origin: &Name<Bytes>) -> Option<Name<Vec<u8>>> {
    match text {
        "." => return Some(Name::root_vec()),
        "@" => return Name::from_octets(origin.as_slice().to_vec()).ok(),
        _ => {}
    }
    match UncertainName::<Vec<u8>>::from_str(text).ok()? {
        UncertainName::Absolute(name) => Some(name),
        UncertainName::Relative(name) => {
            Name::from_octets([name.as_slice(), origin.as_slice()].concat()).ok()
        }
    }
}

fn read_param(text: &str) -> Result<(u16, Vec<u8>), ServiceFault> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let key = key_of(name).ok_or(ServiceFault::Key)?;
    let value = unquote(value.unwrap_or_default()).ok_or(ServiceFault::Value { key })?;
    let wire = if name.starts_with("key") { Some(value) } else { read_value(key, &value) };
    wire.map(|wire| (key, wire)).ok_or(ServiceFault::Value { key })
}

/// The wire form of a value in the form of its key.
fn read_value(key: u16, value: &[u8]) -> Option<Vec<u8>> {
    match key {
        0 => {
            let mut keys = list(value)?
                .into_iter()
                .map(|item| key_of(str::from_utf8(&item).ok()?))
                .collect::<Option<Vec<_>>>()?;
            keys.sort_unstable();
            let given = keys.len();
            keys.dedup();
            (keys.len() == given).then(|| keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        1 => list(value)?.into_iter().try_fold(Vec::new(), |mut wire, item| {
            wire.push(u8::try_from(item.len()).ok()?);
            wire.extend_from_slice(&item);
            Some(wire)
        }),
        2 | 8 => value.is_empty().then(Vec::new),
        3 => number(value).map(|port| port.to_be_bytes().to_vec()),
        4 => addresses(value, |address: Ipv4Addr| address.octets().to_vec()),
        5 => base64::decode(str::from_utf8(value).ok()?).ok(),
        6 => addresses(value, |address: Ipv6Addr| address.octets().to_vec()),
        _ => Some(value.to_vec()),
    }
}

fn number(value: &[u8]) -> Option<u16> {
    let text = str::from_utf8(value).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}

fn addresses<A: FromStr>(value: &[u8], octets: impl Fn(A) -> Vec<u8>) -> Option<Vec<u8>> {
    let texts = str::from_utf8(value).ok()?.split(',');
    let all = texts.map(|text| text.parse().ok().map(&octets)).collect::<Option<Vec<_>>>()?;
    Some(all.concat())
}

/// The items of a list: between commas, a backslash before a comma or backslash that is meant
/// ([RFC 9460 A.1](https://www.rfc-editor.org/rfc/rfc9460#appendix-A.1)). None is empty.
fn list(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = vec![Vec::new()];
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        let item = items.last_mut()?;
        match byte {
            b',' => items.push(Vec::new()),
            b'\\' => item.push(*rest.next().filter(|byte| matches!(byte, b',' | b'\\'))?),
            _ => item.push(*byte),
        }
    }
    items.iter().all(|item| !item.is_empty()).then_some(items)
}
