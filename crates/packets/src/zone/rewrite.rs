//! Puts an entry into words that the parser behind us understands.
//!
//! Separate because these are that parser's gaps and not the format's: it takes `@` inside of record data for a label,
//! overlooks empty labels, reads no text beyond ASCII, and not all of a service binding.

use std::borrow::Cow;

use bytes::Bytes;
use domain::base::Name;

use super::{
    ZoneErrorKind, service,
    tokens::{self, Token},
};
use crate::{dns::TYPE, rtype::parse_type};

/// What is wrong, and where in the entry.
pub(super) type Fault = (usize, ZoneErrorKind);

/// The entry, rewritten if need be.
pub(super) fn rewrite<'a>(entry: &'a str, origin: &Name<Bytes>) -> Result<Cow<'a, str>, Fault> {
    let tokens = tokens::tokens(entry);
    let Some((rtype, head, data)) = split(&tokens) else { return Ok(entry.into()) };
    if data.first().is_some_and(|token| token.text == "\\#") {
        return Ok(entry.into());
    }
    let names = names(rtype);
    let targets = names.iter().filter_map(|position| data.get(*position));
    if let Some(name) = tokens.first().into_iter().chain(targets).find(|token| gapes(token.text)) {
        return Err((name.start, ZoneErrorKind::EmptyLabel));
    }
    if matches!(rtype, TYPE::SVCB | TYPE::HTTPS) {
        return service::rewrite(head, data, origin).map(Cow::Owned);
    }
    if names.is_empty() {
        return Ok(data.first().map_or(entry.into(), |first| ascii(entry, first.start)));
    }
    let at_signs: Vec<&Token<'_>> = names
        .iter()
        .filter_map(|position| data.get(*position))
        .filter(|token| token.text == "@")
        .collect();
    if at_signs.is_empty() {
        return Ok(entry.into());
    }
    let mut rewritten = entry.to_owned();
    for token in at_signs.iter().rev() {
        let name = origin.fmt_with_dot().to_string();
        rewritten.replace_range(token.start..token.start + token.text.len(), &name);
    }
    Ok(rewritten.into())
}

/// Whether a name has an empty label: a dot at its beginning, or two in a row. The root has none.
fn gapes(name: &str) -> bool {
    let (mut after_dot, mut escaped) = (true, false);
    for byte in name.bytes() {
        let dot = byte == b'.' && !escaped;
        if dot && after_dot {
            return name != ".";
        }
        after_dot = dot;
        escaped = byte == b'\\' && !escaped;
    }
    false
}

/// The entry with every byte beyond ASCII behind `start` escaped; in comments that does no harm.
fn ascii(entry: &str, start: usize) -> Cow<'_, str> {
    let Some((head, data)) = entry.split_at_checked(start) else { return entry.into() };
    if data.is_ascii() {
        return entry.into();
    }
    let mut rewritten = head.to_owned();
    let mut escaped = false;
    for byte in data.bytes() {
        match byte {
            0x80.. if escaped => rewritten.push_str(&format!("{byte:03}")),
            0x80.. => rewritten.push_str(&format!("\\{byte:03}")),
            _ => rewritten.push(byte.into()),
        }
        escaped = byte == b'\\' && !escaped;
    }
    rewritten.into()
}

type Parts<'a, 'b> = (TYPE, &'b [Token<'a>], &'b [Token<'a>]);

/// The type of a record, the tokens up to it, and those of the data.
fn split<'a, 'b>(tokens: &'b [Token<'a>]) -> Option<Parts<'a, 'b>> {
    let (owner, rest) = tokens.split_first()?;
    if owner.text.starts_with('$') {
        return None;
    }
    let is_type = |token: &Token<'_>| !is_ttl(token.text) && !is_class(token.text);
    let at = rest.iter().take(3).position(is_type)?;
    let rtype = parse_type(rest.get(at)?.text)?;
    let (head, data) = tokens.split_at_checked(at + 2)?;
    Some((rtype, head, data))
}

fn is_ttl(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_class(text: &str) -> bool {
    text.parse::<domain::base::iana::Class>().is_ok()
}

/// Which tokens of a type's data are names.
fn names(rtype: TYPE) -> &'static [usize] {
    match u16::from(rtype) {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME, NSEC
        2..=5 | 7..=9 | 12 | 23 | 39 | 47 => &[0],
        // SOA, MINFO, RP
        6 | 14 | 17 => &[0, 1],
        // MX, AFSDB, RT, KX
        15 | 18 | 21 | 36 => &[1],
        // SRV
        33 => &[3],
        // NAPTR
        35 => &[5],
        // RRSIG
        46 => &[7],
        _ => &[],
    }
}
