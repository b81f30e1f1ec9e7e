//! What BEP 44 stores: immutable and mutable items, apart from messages, because who signs speaks to no node.
//!
//! The owner of three facts of [BEP 44]: which bytes a signature covers ([`signable()`]), under which target a value is
//! found ([`mutable_target`], [`immutable_target`]), and when an item is valid ([`MutableItem::verify`]).
//!
//! # What is stored and what is not
//!
//! - A value is one canonical bencoded value of at most [`MAX_VALUE`] bytes, counted as it is encoded; exactly 1000 is
//!   allowed, as everywhere in the field. It has at most [`MAX_VALUE_DEPTH`] levels and [`MAX_VALUE_TOKENS`] tokens, so
//!   that every message that carries it can be read by us and by libtorrent.
//! - A salt has at most [`MAX_SALT`] bytes. An empty salt is no salt: it is not signed.
//! - A sequence number is at least 0. BEP 44 leaves negative ones open; libtorrent refuses them, so an item with one
//!   would live on some nodes only. We neither sign nor accept nor store them: [`ItemError::NegativeSequence`], 203 on
//!   the wire.
//! - A signature is judged strictly, as [`PublicKey::verify`](mainstay_keys::PublicKey::verify) says.
//!
//! [BEP 44]: https://www.bittorrent.org/beps/bep_0044.html

mod error;
mod immutable;
mod mutable;
mod signable;
mod torrent;

pub use error::{ItemError, NotCanonical};
pub use immutable::ImmutableItem;
pub use mutable::MutableItem;
pub use signable::{byte_string, immutable_target, mutable_target, signable, signable_bytes};
pub use torrent::{TorrentLink, TorrentLinkError};

/// The largest value, in bytes as encoded: a byte string therefore carries at most 996.
pub const MAX_VALUE: usize = 1000;

/// The longest salt, in bytes.
pub const MAX_SALT: usize = 64;

/// How deeply a value may be nested: what [`MAX_DEPTH`](crate::MAX_DEPTH) leaves inside of a message.
pub const MAX_VALUE_DEPTH: usize = crate::MAX_DEPTH - 2;

/// How many tokens a value may have: what [`MAX_TOKENS`](crate::MAX_TOKENS) leaves inside of a message.
pub const MAX_VALUE_TOKENS: usize = crate::MAX_TOKENS - 50;

/// Whether `value` may be stored at all, whoever signed it.
fn check_value(value: &[u8]) -> Result<(), ItemError> {
    if value.len() > MAX_VALUE {
        return Err(ItemError::ValueTooLarge { size: value.len() });
    }
    // Two readers cannot disagree about one whole byte string, and that is what names are published as.
    if crate::bencode::string_payload(value).is_some() {
        return Ok(());
    }
    #[cfg(feature = "codec")]
    crate::canonical::check(value)?;
    #[cfg(not(feature = "codec"))]
    crate::bencode::check(value)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_with_its_message_into_what_libtorrent_reads() {
        let nested = |levels: usize| [vec![b'l'; levels], vec![b'e'; levels]].concat();
        assert_eq!(check_value(&nested(8)), Ok(()));
        assert_eq!(check_value(&nested(9)), Err(NotCanonical::TooDeep.into()));
        let list = |strings: usize| [&b"l"[..], &b"0:".repeat(strings), b"e"].concat();
        assert_eq!(check_value(&list(448)), Ok(()));
        assert_eq!(check_value(&list(449)), Err(NotCanonical::TooManyTokens.into()));
    }

    #[test]
    fn a_value_has_a_thousand_bytes_as_encoded_whatever_it_is() {
        let list = |bytes: usize| [b"l", &b"0:".repeat(bytes / 2 - 1)[..], b"e"].concat();
        assert_eq!(check_value(&list(1002)), Err(ItemError::ValueTooLarge { size: 1002 }));
        assert_eq!(check_value(&list(1000)), Err(NotCanonical::TooManyTokens.into()));
        let string = |bytes: usize| [b"996:".to_vec(), vec![0; bytes - 4]].concat();
        assert_eq!(check_value(&string(1000)), Ok(()));
        assert_eq!(check_value(&string(1001)), Err(ItemError::ValueTooLarge { size: 1001 }));
        assert_eq!(check_value(&string(999)), Err(NotCanonical::Malformed.into()));
    }
}
