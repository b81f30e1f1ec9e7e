//! A cursor over bencode that borrows, never recurses and is total: apart from KRPC, because values use it as well.

#[cfg(feature = "codec")]
mod cursor;
mod strict;
mod write;

#[cfg(feature = "codec")]
pub(crate) use cursor::{Cursor, Fault};
pub(crate) use strict::{check, string_payload};
#[cfg(feature = "codec")]
pub(crate) use write::push_length;
pub(crate) use write::{push_integer, push_string};

/// The longest datagram that is looked at: the largest payload of UDP over IPv4.
pub const MAX_MESSAGE: usize = 65_507;

/// How deeply lists and dictionaries of a message may be nested, the message itself counted. libtorrent's limit.
pub const MAX_DEPTH: usize = 10;

/// How many tokens (strings, integers, openings and ends of lists and dictionaries) a message may have.
/// libtorrent's limit.
pub const MAX_TOKENS: usize = 500;
