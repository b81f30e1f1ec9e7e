//! Cuts one entry of a master file into tokens, each with its place.
//!
//! Separate because records of service bindings are read here and not by the parser behind us, and must be told from
//! others first.

use crate::labels;

/// A run of characters between white space, quoted parts and escapes as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the entry, in bytes.
    pub(super) start: usize,
}

/// The tokens of an entry. White space in quotes, comments and parentheses are understood; an entry that begins with
/// white space has an empty first token, its owner.
pub(super) fn tokens(entry: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = if entry.starts_with([' ', '\t']) { None } else { Some(0) };
    if start.is_none() {
        tokens.push(Token { text: "", start: 0 });
    }
    let (mut quoted, mut escaped, mut comment) = (false, false, false);
    for (at, byte) in entry.bytes().enumerate() {
        let separates = match byte {
            b'\n' => !quoted,
            b' ' | b'\t' | b'\r' | b'(' | b')' | b';' => !quoted && !escaped,
            _ => false,
        };
        if separates || comment {
            if let Some(start) = start.take() {
                tokens.extend(token(entry, start, at));
            }
        } else {
            start.get_or_insert(at);
        }
        comment = byte != b'\n' && (comment || (separates && byte == b';'));
        if !comment {
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
        }
    }
    if let Some(start) = start {
        tokens.extend(token(entry, start, entry.len()));
    }
    tokens
}

fn token(entry: &str, start: usize, end: usize) -> Option<Token<'_>> {
    entry.get(start..end).filter(|text| !text.is_empty()).map(|text| Token { text, start })
}

/// The line and the column of a place in an entry, counted from 0.
pub(super) fn position(entry: &str, at: usize) -> (usize, usize) {
    let before = entry.get(..at).unwrap_or(entry);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count(), at - line_start)
}

/// The bytes that a token stands for: quotes taken off, escapes resolved.
pub(super) fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {}
            b'\\' => value.push(labels::escaped(&mut rest)?),
            _ => value.push(*byte),
        }
    }
    Some(value)
}
