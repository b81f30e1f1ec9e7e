//! Signed packets: DNS records under a public key, signed by it.
//!
//! A [`SignedPacket`] is what Mainstay publishes and resolves: at most 1000 bytes of DNS records, a timestamp and an
//! Ed25519 signature, in the bytes that pkarr defined. This crate makes packets ([`SignedPacket::builder`]), verifies
//! them, looks names up in them and, with the feature `zone-text`, reads and writes them as RFC 1035 master files. It
//! knows no network, and its only clock is [`Timestamp::now`].
//!
//! What is refused although other implementations accept it: keys of small order, under which anybody can sign (the
//! signature of sixty-four bytes `01 00 … 00` fits every message under the key `01 00 … 00`); signatures that are not
//! strictly valid; timestamps beyond the year 9999, after which nothing newer could be published and which have no HTTP
//! date.
//!
//! Types of [`dns`] are those of the crate `simple-dns`, which is part of this crate's public face: a new major version
//! of it is a new major version here.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod builder;
mod index;
mod known;
mod labels;
mod layout;
mod message;
mod owner;
mod packet;
mod record;
mod rtype;
#[cfg(test)]
mod samples;
#[cfg(feature = "serde")]
mod serde;
mod timestamp;
#[cfg(feature = "zone-text")]
pub mod zone;

/// DNS names, records and record data.
pub use simple_dns as dns;

pub use builder::{BuildError, Costliest, SignedPacketBuilder};
pub use known::KnownPackets;
pub use labels::NameError;
pub use message::DnsError;
pub use owner::Owner;
pub use packet::{AllRecords, Records, SignedPacket, StoredError, VerifyError};
pub use record::{Record, RecordName};
pub use rtype::{parse_type, type_name};
pub use timestamp::{Timestamp, TimestampError};
