//! The names of all headers of the relay protocol, in lower case.
//! Apart so that a name is spelled once.

/// How many DHT nodes stored the packet; a decimal number. Older relays leave it away.
pub const STORED_NODES: &str = "pkarr-dht-stored-nodes";
/// With 404: the sequence number of a newer item that is no signed packet; a decimal number.
pub const INVALID_SEQ: &str = "pkarr-invalid-signed-packet-seq";
/// When the packet was last seen on the network, as an HTTP date
/// ([RFC 7089](https://www.rfc-editor.org/rfc/rfc7089#section-2.1.1)). Older relays leave it away.
pub const MEMENTO_DATETIME: &str = "memento-datetime";
/// The packet's timestamp, cut to whole seconds.
pub const LAST_MODIFIED: &str = "last-modified";
/// Asks for a packet only if it is newer than a whole second.
pub const IF_MODIFIED_SINCE: &str = "if-modified-since";
/// Publishes only over the packet that it names, by its timestamp in microseconds or its [`ETAG`].
pub const IF_MATCH: &str = "if-match";
/// Asks for a packet only if it is not the one whose [`ETAG`] it names.
pub const IF_NONE_MATCH: &str = "if-none-match";
/// Names one packet exactly.
pub const ETAG: &str = "etag";
/// How long an answer may be kept.
pub const CACHE_CONTROL: &str = "cache-control";
/// How long an answer has been in a cache on its way, in seconds.
pub const AGE: &str = "age";
/// With 429 and 503: when to ask again, in seconds or as an HTTP date.
pub const RETRY_AFTER: &str = "retry-after";
/// The kind of body.
pub const CONTENT_TYPE: &str = "content-type";

/// What a browser must be allowed to read of an answer from another origin.
pub const EXPOSED: [&str; 5] = [STORED_NODES, INVALID_SEQ, MEMENTO_DATETIME, ETAG, RETRY_AFTER];
