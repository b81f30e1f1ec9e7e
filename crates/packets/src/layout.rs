//! What the data of each record type consists of, as far as names and lengths go.
//!
//! Separate because three readers need the same table: the check at the door, the one that writes names out in full,
//! and the writer, which may compress some names and must not touch others
//! ([RFC 3597 4](https://www.rfc-editor.org/rfc/rfc3597#section-4)).

use crate::{
    dns::TYPE,
    message::{self, DnsError, Place},
};

/// A part of a record's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// This many bytes.
    Fixed(usize),
    /// A name that may be compressed when written.
    Name,
    /// A name that is written in full; readers follow pointers in it all the same.
    PlainName,
    /// A character-string: a length byte and that many bytes.
    Text,
    /// Character-strings to the end.
    Texts,
    /// Service parameters ([RFC 9460 2.2](https://www.rfc-editor.org/rfc/rfc9460#section-2.2)) to the end.
    Params,
}

use Field::{Fixed, Name, Params, PlainName, Text, Texts};

/// The parts of a type's data; what follows them, and all data of unknown types, is opaque.
pub(crate) const fn fields(rtype: TYPE) -> &'static [Field] {
    match rtype {
        TYPE::A => &[Fixed(4)],
        TYPE::AAAA => &[Fixed(16)],
        TYPE::NS
        | TYPE::MD
        | TYPE::MF
        | TYPE::CNAME
        | TYPE::MB
        | TYPE::MG
        | TYPE::MR
        | TYPE::PTR
        | TYPE::NSAP_PTR => &[Name],
        TYPE::SOA => &[Name, Name, Fixed(20)],
        TYPE::MINFO | TYPE::RP => &[Name, Name],
        TYPE::MX | TYPE::AFSDB | TYPE::RouteThrough => &[Fixed(2), Name],
        TYPE::KX => &[Fixed(2), PlainName],
        TYPE::SRV => &[Fixed(6), PlainName],
        TYPE::NAPTR => &[Fixed(4), Text, Text, Text, PlainName],
        TYPE::TXT => &[Texts],
        TYPE::HINFO | TYPE::ISDN => &[Text, Text],
        TYPE::CAA => &[Fixed(1), Text],
        TYPE::SVCB | TYPE::HTTPS => &[Fixed(2), PlainName, Params],
        TYPE::RRSIG => &[Fixed(18), PlainName],
        TYPE::NSEC => &[PlainName],
        TYPE::LOC => &[Fixed(16)],
        TYPE::NSAP => &[Fixed(20)],
        TYPE::EUI48 => &[Fixed(6)],
        TYPE::EUI64 => &[Fixed(8)],
        TYPE::WKS | TYPE::CERT => &[Fixed(5)],
        TYPE::DNSKEY | TYPE::DS => &[Fixed(4)],
        TYPE::DHCID => &[Fixed(3)],
        TYPE::ZONEMD => &[Fixed(6)],
        _ => &[],
    }
}

/// Checks that a record's data has the form of its type. Data of no bytes is accepted for every type, as updates
/// ([RFC 2136](https://www.rfc-editor.org/rfc/rfc2136)) have it.
pub(crate) fn check(message: &[u8], rtype: TYPE, place: Place) -> Result<(), DnsError> {
    visit(message, rtype, place, |_| {})
}

/// A record's data with all its names written out in full.
pub(crate) fn expand(message: &[u8], rtype: TYPE, place: Place) -> Vec<u8> {
    let mut data = Vec::with_capacity(place.length);
    // The message was walked when it was verified, so every part is there.
    let _ = visit(message, rtype, place, |part| match part {
        Part::Bytes(bytes) => data.extend_from_slice(bytes),
        Part::Label(label) => {
            data.extend(u8::try_from(label.len()));
            data.extend_from_slice(label);
        }
        Part::EndOfName(_) => data.push(0),
    });
    data
}

/// Whether data that stands alone has the form of its type and no pointer in it.
pub(crate) fn is_uncompressed(rtype: TYPE, rdata: &[u8]) -> bool {
    let mut length = 0_usize;
    let walked = visit(rdata, rtype, Place::of_rdata(rdata.len()), |part| {
        length += match part {
            Part::Bytes(bytes) => bytes.len(),
            Part::Label(label) => label.len() + 1,
            Part::EndOfName(_) => 1,
        };
    });
    walked.is_ok() && length == rdata.len()
}

/// A piece of a record's data, names label by label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    Bytes(&'a [u8]),
    Label(&'a [u8]),
    EndOfName(Field),
}

/// Goes through a record's data piece by piece.
pub(crate) fn visit<'a>(
    message: &'a [u8],
    rtype: TYPE,
    place: Place,
    mut each: impl FnMut(Part<'a>),
) -> Result<(), DnsError> {
    let (mut at, end) = (place.data, place.end());
    if place.length == 0 {
        return Ok(());
    }
    let malformed = DnsError::Data { rtype };
    for field in fields(rtype) {
        let next = match field {
            Fixed(bytes) => at.saturating_add(*bytes),
            Text => text_end(message, at, end).ok_or(malformed)?,
            Texts => texts_end(message, at, end).ok_or(malformed)?,
            Params => params_end(message, at, end).ok_or(malformed)?,
            Name | PlainName => {
                at = message::walk_name(message, at, end, |_, label| each(Part::Label(label)))?;
                each(Part::EndOfName(*field));
                continue;
            }
        };
        if next > end {
            return Err(malformed);
        }
        each(Part::Bytes(message.get(at..next).ok_or(malformed)?));
        at = next;
    }
    each(Part::Bytes(message.get(at..end).ok_or(malformed)?));
    Ok(())
}

fn text_end(message: &[u8], at: usize, end: usize) -> Option<usize> {
    let length = usize::from(*message.get(at)?);
    at.checked_add(length)?.checked_add(1).filter(|next| *next <= end)
}

fn texts_end(message: &[u8], mut at: usize, end: usize) -> Option<usize> {
    while at < end {
        at = text_end(message, at, end)?;
    }
    Some(at)
}

/// Service parameters stand in ascending order of their keys, each once.
fn params_end(message: &[u8], mut at: usize, end: usize) -> Option<usize> {
    let mut previous = None;
    while at < end {
        let key = message::u16_at(message, at)?;
        let length = usize::from(message::u16_at(message, at.checked_add(2)?)?);
        let start = at.checked_add(4)?;
        at = start.checked_add(length).filter(|next| *next <= end)?;
        if previous.is_some_and(|previous| key <= previous)
            || !is_param(key, message.get(start..at)?)
        {
            return None;
        }
        previous = Some(key);
    }
    Some(at)
}

/// Whether a value has the form of its parameter ([RFC 9460 7](https://www.rfc-editor.org/rfc/rfc9460#section-7)).
fn is_param(key: u16, value: &[u8]) -> bool {
    match key {
        0 => value.len().is_multiple_of(2),
        1 => texts_end(value, 0, value.len()).is_some(),
        3 => value.len() >= 2,
        4 => value.len().is_multiple_of(4),
        5 => message::u16_at(value, 0)
            .is_some_and(|length| usize::from(length).checked_add(2) == Some(value.len())),
        6 => value.len().is_multiple_of(16),
        _ => true,
    }
}
