//! The numbers of KRPC errors: one list, because the codec, the store and the client all speak of them.

/// Something went wrong that has no code of its own ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html#errors)).
pub const GENERIC: i64 = 201;
/// The node that was asked failed.
pub const SERVER: i64 = 202;
/// The query was malformed, an argument was bad, or the token was.
pub const PROTOCOL: i64 = 203;
/// The node does not know the method.
pub const METHOD_UNKNOWN: i64 = 204;
/// The value is larger than [`MAX_VALUE`](crate::item::MAX_VALUE) bytes
/// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
pub const VALUE_TOO_LARGE: i64 = 205;
/// The signature of a mutable item does not fit.
pub const BAD_SIGNATURE: i64 = 206;
/// The salt is longer than [`MAX_SALT`](crate::item::MAX_SALT) bytes.
pub const SALT_TOO_LONG: i64 = 207;
/// The stored sequence number is not the one that the writer expected: read again, then retry.
pub const CAS_MISMATCH: i64 = 301;
/// The node stores a newer item already.
pub const SEQUENCE_TOO_LOW: i64 = 302;
