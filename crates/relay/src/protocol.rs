//! The relay protocol: paths, headers, statuses and limits, as text and numbers.
//! Apart from the client because servers speak it too, each with an HTTP library of its own.
//!
//! `PUT /{key}` stores a packet, `GET /{key}` fetches it; the body of either is the packet without its key, at most
//! [`MAX_PAYLOAD`] bytes. The design document of pkarr's relays is at
//! <https://github.com/pubky/pkarr/blob/main/design/relays.md>.
//!
//! | answer to PUT | means |
//! |---|---|
//! | 204 | stored; [`header::STORED_NODES`] says on how many nodes of the DHT |
//! | 400 | the key or the packet is not valid |
//! | 409, 412, 428 | a [`Conflict`] with another publisher |
//! | 413 | more than [`MAX_PAYLOAD`] bytes |
//! | 429, 503 | later; [`header::RETRY_AFTER`] says when |
//! | 500 | the relay's own network did not answer |
//!
//! | answer to GET | means |
//! |---|---|
//! | 200 | the packet; [`header::MEMENTO_DATETIME`] says when it was last seen on the network |
//! | 304 | nothing newer than the condition names |
//! | 400 | the key or the policy is not valid |
//! | 404 | no packet; [`header::INVALID_SEQ`] is there if the network has something newer that is none |
//! | 429, 503 | later |

mod cache;
mod condition;
mod conflict;
mod path;
mod policy;
mod value;

pub mod header;

pub use cache::{BYPASS, NO_STORE, REVALIDATE, cache_control, max_age};
pub use condition::{EntityTag, Expected, IfNoneMatch, MalformedTag, changed_since, if_match};
pub use conflict::Conflict;
pub use path::{HEALTH_PATH, PACKET_PATHS, RelayUrlError, packet_url, parse_relay_url};
pub use policy::{Policy, UnknownPolicy};
#[cfg(feature = "client")]
pub(crate) use value::decimal;
pub use value::{last_seen, retry_after, seconds_until_retry};

/// The most bytes that a packet has without its key.
pub const MAX_PAYLOAD: usize = mainstay_packets::SignedPacket::MAX_RELAY_PAYLOAD_BYTES;

/// Where reading a relay's answer stops: as many bytes as a packet with its key has.
///
/// Between [`MAX_PAYLOAD`] and this, the packet's own check refuses; beyond, nothing more is read.
pub const MAX_BODY: usize = mainstay_packets::SignedPacket::MAX_BYTES;

/// The content type of a payload, as all relays of this family send it. (It is no valid media type; it is what is sent.)
pub const CONTENT_TYPE: &str = "application/pkarr.org/relays#payload";
