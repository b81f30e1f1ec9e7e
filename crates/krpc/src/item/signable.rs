//! The bytes that are signed and hashed: apart from the items, because packets sign without building one.

use sha1::{Digest, Sha1};

use crate::Id;
use crate::bencode::{push_integer, push_string, string_payload};

/// Appends the bytes that a signature of a mutable item covers; `value` is the bencoded value.
///
/// An empty salt is no salt and leaves no trace ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)). Nothing is
/// checked here: [`MutableItem`](super::MutableItem) does that.
pub fn signable(seq: i64, salt: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(salt.len() + value.len() + 48);
    push_prefix(seq, salt, out);
    out.extend_from_slice(value);
}

/// As [`signable`] without salt, for the value that is the one byte string `bytes`, which is not yet encoded.
pub fn signable_bytes(seq: i64, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 48);
    push_prefix(seq, &[], out);
    push_string(out, bytes);
}

fn push_prefix(seq: i64, salt: &[u8], out: &mut Vec<u8>) {
    if !salt.is_empty() {
        out.extend_from_slice(b"4:salt");
        push_string(out, salt);
    }
    out.extend_from_slice(b"3:seq");
    push_integer(out, seq);
    out.extend_from_slice(b"1:v");
}

/// Where the item of `key` with `salt` is stored: the SHA-1 of both.
#[must_use]
pub fn mutable_target(key: &[u8; 32], salt: &[u8]) -> Id {
    Id::from_bytes(Sha1::new().chain_update(key).chain_update(salt).finalize().into())
}

/// Where an immutable `value`, which is bencoded, is stored: its SHA-1.
#[must_use]
pub fn immutable_target(value: &[u8]) -> Id {
    Id::from_bytes(Sha1::digest(value).into())
}

/// The payload of a bencoded `value` that is one byte string and nothing else, canonically written.
#[must_use]
pub fn byte_string(value: &[u8]) -> Option<&[u8]> {
    string_payload(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_salt_is_not_signed() {
        let mut out = Vec::new();
        signable(1, b"", b"12:Hello World!", &mut out);
        assert_eq!(out, b"3:seqi1e1:v12:Hello World!");
        out.clear();
        signable(1, b"foobar", b"12:Hello World!", &mut out);
        assert_eq!(out, b"4:salt6:foobar3:seqi1e1:v12:Hello World!");
    }

    #[test]
    fn bytes_are_signed_as_the_string_that_carries_them() {
        let (mut of_bytes, mut of_value) = (b"kept".to_vec(), b"kept".to_vec());
        signable_bytes(i64::MAX, b"Hello World!", &mut of_bytes);
        signable(i64::MAX, b"", b"12:Hello World!", &mut of_value);
        assert_eq!(of_bytes, of_value);
    }
}
