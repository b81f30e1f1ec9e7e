//! How a public key is written and read by people: 52 characters of z-base-32, alone or inside something pasted.
//! Apart from the key's bytes because the rules here are about text and the rules there about points.

use std::fmt;

use crate::{PublicKey, PublicKeyError, z32};

/// How many characters the canonical text has.
const CHARACTERS: usize = 52;

impl PublicKey {
    /// Reads the canonical text: 52 lower-case characters whose last is `y` or `o`.
    ///
    /// For what programs exchange and compare, where one key must have one text. For what people type, see
    /// [`parse`](Self::parse).
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] says whether the length, a character or the key itself is wrong.
    pub fn from_z32(text: &str) -> Result<Self, PublicKeyError> {
        Self::from_characters(text, z32::decode)
    }

    /// Finds the key in what people paste.
    ///
    /// Accepted are the key itself, `pk:` or any other scheme before it with or without `//`, user information, a port,
    /// a path, a query or a fragment after it, names below it (`a.b.<key>`), one trailing dot, upper case, white space
    /// around all of it, and any of the sixteen spellings that other implementations give a key. All of them become the
    /// one canonical key; nothing but the host's last label is looked at.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] says what is wrong with the label that stands in the key's place.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        Self::parse_name(text).map(|(key, _below)| key)
    }

    /// As [`parse`](Self::parse), and also gives the name below the key, as it was written: `a.b` for `a.b.<key>`,
    /// nothing for the key alone.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse). Whether the name below is one that DNS allows is not looked at.
    pub fn parse_name(text: &str) -> Result<(Self, &str), PublicKeyError> {
        let host = host(text.trim());
        let host = host.strip_suffix('.').unwrap_or(host);
        let (below, label) = host.rsplit_once('.').unwrap_or(("", host));
        let key = Self::from_characters(&label.to_ascii_lowercase(), z32::decode_any_spelling)?;
        Ok((key, below))
    }

    fn from_characters(
        text: &str,
        decode: impl Fn(&str) -> Result<Vec<u8>, z32::Z32Error>,
    ) -> Result<Self, PublicKeyError> {
        let characters = text.chars().count();
        if characters != CHARACTERS {
            return Err(PublicKeyError::TextLength { characters });
        }
        Self::try_from(decode(text)?.as_slice())
    }

    /// The canonical text: 52 characters, which is also what `Display` writes.
    #[must_use]
    pub fn to_z32(&self) -> String {
        z32::encode(self.as_bytes())
    }

    /// The canonical text behind `pk:`, for places that tell names apart by a scheme.
    #[must_use]
    pub fn to_uri_string(&self) -> String {
        format!("pk:{self}")
    }

    /// The first eight characters, for logs: enough to follow one key, too few to look it up.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_z32().chars().take(8).collect()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_z32())
    }
}

/// The part of a URL, a host with a port, or a bare name that says where to go.
fn host(text: &str) -> &str {
    let (has_scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (true, rest),
        _ => match text.strip_prefix("//") {
            Some(rest) => (true, rest),
            None => (false, text),
        },
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    match place.split_once(':') {
        // Before a port stands the host; before anything else, a scheme without slashes.
        Some((scheme, rest)) if !has_scheme && is_scheme(scheme) && !is_port(rest) => {
            before_port(rest)
        }
        _ => before_port(place),
    }
}

fn before_port(place: &str) -> &str {
    place.split(':').next().unwrap_or_default()
}

/// A scheme as RFC 3986, section 3.1 has it.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Up to five digits, perhaps none: no key is that short, so the two cannot be confused.
fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
