//! The data of one SVCB or HTTPS record, read as [RFC 9460](https://www.rfc-editor.org/rfc/rfc9460) wants it.
//!
//! Separate from the search because what makes a record malformed, or one to be passed over, is decided by its bytes
//! alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Keys of parameters ([RFC 9460, section 14.3.2](https://www.rfc-editor.org/rfc/rfc9460#section-14.3.2)).
pub(super) const MANDATORY: u16 = 0;
pub(super) const ALPN: u16 = 1;
pub(super) const NO_DEFAULT_ALPN: u16 = 2;
pub(super) const PORT: u16 = 3;
pub(super) const IPV4HINT: u16 = 4;
pub(super) const IPV6HINT: u16 = 6;

/// The longest text of a name without its last dot: in its wire form two bytes longer, which are the most that DNS has.
const MAX_NAME: usize = 253;

/// One SVCB or HTTPS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Lower is tried earlier; 0 makes the record an alias.
    pub(super) priority: u16,
    /// In lower case, without the dot at the end; `.` for the record's own name.
    pub(super) target: String,
    /// In ascending order of their keys.
    pub(super) params: Vec<(u16, Vec<u8>)>,
}

/// Why a record that can be read is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It must be understood, and we do not know this key.
    UnknownMandatory(u16),
    /// Its parameters contradict each other.
    Inconsistent,
}

impl Service {
    /// Reads record data in which no name is compressed. `None` is a malformed record, which spoils its whole set
    /// ([section 2.2](https://www.rfc-editor.org/rfc/rfc9460#section-2.2)).
    pub(super) fn parse(rdata: &[u8]) -> Option<Self> {
        let (priority, rest) = rdata.split_first_chunk()?;
        let priority = u16::from_be_bytes(*priority);
        let (target, rest) = parse_name(rest)?;
        // The parameters of an alias mean nothing (section 2.4.2).
        let params = if priority == 0 { Vec::new() } else { parse_params(rest)? };
        Some(Self { priority, target, params })
    }

    pub(super) fn is_alias(&self) -> bool {
        self.priority == 0
    }

    pub(super) fn param(&self, key: u16) -> Option<&[u8]> {
        let (_, value) = self.params.iter().find(|(there, _)| *there == key)?;
        Some(value)
    }

    /// Whether the record may be used by those who know the keys above
    /// ([section 8](https://www.rfc-editor.org/rfc/rfc9460#section-8)).
    pub(super) fn check(&self) -> Result<(), Misfit> {
        for key in self.mandatory() {
            if self.param(key).is_none() {
                return Err(Misfit::Inconsistent);
            }
            if !matches!(key, ALPN | NO_DEFAULT_ALPN | PORT | IPV4HINT | IPV6HINT) {
                return Err(Misfit::UnknownMandatory(key));
            }
        }
        // Section 7.1.1.
        if self.param(NO_DEFAULT_ALPN).is_some() && self.param(ALPN).is_none() {
            return Err(Misfit::Inconsistent);
        }
        Ok(())
    }

    fn mandatory(&self) -> impl Iterator<Item = u16> {
        let (pairs, _) = self.param(MANDATORY).unwrap_or_default().as_chunks::<2>();
        pairs.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    pub(super) fn port(&self) -> Option<u16> {
        let port = self.param(PORT)?.first_chunk()?;
        Some(u16::from_be_bytes(*port))
    }

    /// The protocols that the record lists.
    pub(super) fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.param(ALPN).unwrap_or_default();
        std::iter::from_fn(move || {
            let (id, after) = split_counted(rest)?;
            rest = after;
            Some(id)
        })
    }

    pub(super) fn hints(&self) -> impl Iterator<Item = IpAddr> {
        let (v4, _) = self.param(IPV4HINT).unwrap_or_default().as_chunks::<4>();
        let (v6, _) = self.param(IPV6HINT).unwrap_or_default().as_chunks::<16>();
        let v4 = v4.iter().map(|bytes| IpAddr::from(Ipv4Addr::from(*bytes)));
        v4.chain(v6.iter().map(|bytes| IpAddr::from(Ipv6Addr::from(*bytes))))
    }
}

/// A host name at the start of `bytes`, and what follows it.
///
/// A label may hold what host names hold, and underscores. Nothing else leads anywhere.
pub(super) fn parse_name(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    let mut rest = bytes;
    loop {
        let (label, after) = split_counted(rest)?;
        rest = after;
        if label.is_empty() {
            let name = if name.is_empty() { ".".to_owned() } else { name };
            return Some((name, rest));
        }
        let is_of_a_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if label.len() > 63 || !label.iter().all(is_of_a_host) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        if name.len() > MAX_NAME {
            return None;
        }
    }
}

fn parse_params(mut bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut params: Vec<(u16, Vec<u8>)> = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let key = u16::from_be_bytes(*key);
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let ascends = params.last().is_none_or(|(before, _)| *before < key);
        if !ascends || !is_well_formed(key, value) {
            return None;
        }
        params.push((key, value.to_vec()));
        bytes = rest;
    }
    Some(params)
}

/// Whether a value has the form that its key asks for; any will do for keys that we do not know.
fn is_well_formed(key: u16, value: &[u8]) -> bool {
    match key {
        MANDATORY => {
            let (pairs, rest) = value.as_chunks::<2>();
            let keys = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            let names_itself = keys.clone().any(|key| key == MANDATORY);
            !pairs.is_empty() && rest.is_empty() && keys.is_sorted_by(|a, b| a < b) && !names_itself
        }
        ALPN => {
            let mut rest = value;
            while let Some((id, after)) = split_counted(rest) {
                if id.is_empty() {
                    return false;
                }
                rest = after;
            }
            rest.is_empty() && !value.is_empty()
        }
        NO_DEFAULT_ALPN => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => !value.is_empty() && value.len().is_multiple_of(4),
        IPV6HINT => !value.is_empty() && value.len().is_multiple_of(16),
        _ => true,
    }
}

/// The bytes that the first byte counts, and the rest.
fn split_counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests;
