//! What Mainline nodes say to each other: typed KRPC messages, a tolerant decoder, a canonical encoder, BEP 44 items.
//!
//! A datagram of the BitTorrent DHT is one bencoded dictionary ([BEP 5]). [`Message::decode`] reads it by borrowing:
//! it allocates nothing, never recurses, and accepts what real nodes send (unsorted keys, junk behind the dictionary,
//! lists of odd shapes). [`Message::encode`] writes into the caller's buffer and emits only what the BEPs allow.
//! [`item`] holds what [BEP 44] stores: values that are verified before they exist.
//!
//! This crate opens no socket, reads no clock and draws no randomness.
//!
//! # What is tolerated and what is not
//!
//! The envelope is read as real nodes write it, which the tests list with their bytes: unsorted and repeated keys (the
//! first that can be read wins), unknown keys, bytes behind the dictionary, leading zeros, `-0`, transaction ids of 1 to
//! [`MAX_TRANSACTION`] bytes, a missing `y`, errors and lists in odd shapes, optional values of the wrong kind. The value
//! of an item is judged strictly instead, by [bendy](https://docs.rs/bendy), before anything is stored, signed or
//! believed: [`item`] says how. Refused without recursion are messages deeper than [`MAX_DEPTH`] or with more than
//! [`MAX_TOKENS`] tokens.
//!
//! ```
//! # #[cfg(feature = "codec")] {
//! use mainstay_krpc::{Body, Id, Message, Method, Query};
//!
//! let id = Id::from_bytes(*b"abcdefghij0123456789");
//! let mut datagram = Vec::new();
//! Message::query(b"aa", Query::new(id, Method::Ping)).encode(&mut datagram);
//! assert_eq!(datagram, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
//!
//! let message = Message::decode(&datagram).expect("what we wrote");
//! assert!(matches!(message.body, Body::Query(Query { method: Method::Ping, .. })));
//! # }
//! ```
//!
//! # Features
//!
//! - `codec` (default): messages and everything about them. Without it there is only [`Id`], [`item`] and
//!   [`error_code`], for who signs values but speaks to no node.
//!
//! [BEP 5]: https://www.bittorrent.org/beps/bep_0005.html
//! [BEP 44]: https://www.bittorrent.org/beps/bep_0044.html

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod bencode;
mod id;

pub mod error_code;
pub mod item;

#[cfg(feature = "codec")]
pub mod bep42;
#[cfg(feature = "codec")]
pub mod bloom;
#[cfg(feature = "codec")]
pub mod canonical;
#[cfg(feature = "codec")]
pub mod compact;
#[cfg(feature = "codec")]
mod decode;
#[cfg(feature = "codec")]
mod encode;
#[cfg(feature = "codec")]
mod message;
#[cfg(feature = "codec")]
pub mod value;

pub use bencode::{MAX_DEPTH, MAX_MESSAGE, MAX_TOKENS};
pub use id::{Id, IdError};

#[cfg(feature = "codec")]
pub use compact::{NodeInfo, NodeInfo6, NodeList, Nodes, Nodes6, Samples, Values};
#[cfg(feature = "codec")]
pub use decode::{DecodeError, DecodeErrorKind};
#[cfg(feature = "codec")]
pub use message::{
    AnnouncePort, Body, ErrorReply, MAX_TRANSACTION, Message, Method, MutablePut, Put, Query,
    Response, Want,
};
