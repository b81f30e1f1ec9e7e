//! Zones as text: RFC 1035 master files in and out.
//!
//! Separate because it is behind the feature `zone-text`, which brings a zone-file parser along.
//!
//! What is read: `$ORIGIN` and `$TTL`, names relative to the origin (at first the key), `@`, blank owners, comments,
//! parentheses, quoted strings, `\DDD`, and for every type without a presentation of its own, or any type, the form of
//! [RFC 3597 5](https://www.rfc-editor.org/rfc/rfc3597#section-5) (`TYPE65280 \# 2 abcd`). Names inside of record data
//! are relative to the origin too, unlike in [`SignedPacketBuilder`], where they are taken as they are: to point outside
//! the zone, end them in a dot. `$INCLUDE` is refused: a text does not get to open files.
//!
//! What is written is one line a record that reads back as the same record; bytes that are not printable are escaped.
//!
//! ```
//! use mainstay_keys::Keypair;
//! use mainstay_packets::{SignedPacketBuilder, zone};
//!
//! let keypair = Keypair::random();
//! let zone = zone::parse("@ 300 A 192.0.2.7\nwww CNAME @ ; same host\n", &keypair.public_key())?;
//! let packet = SignedPacketBuilder::from(&zone).sign(&keypair)?;
//! assert_eq!(packet.resource_records("www").count(), 1);
//! println!("{}", packet.to_zone());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod entries;
mod error;
mod reader;
mod rewrite;
mod service;
mod text;
mod tokens;
mod units;

use std::fmt;

use mainstay_keys::PublicKey;

pub use self::{
    error::{ServiceFault, SyntaxError, ZoneError, ZoneErrorKind},
    reader::Reader,
};
use crate::{Record, SignedPacket, SignedPacketBuilder, builder::Draft};

/// Reads a zone whose origin is `key`; records without a TTL get [`Reader::DEFAULT_TTL`].
///
/// # Errors
/// [`ZoneError`] says where the text is wrong, and how.
pub fn parse(text: &str, key: &PublicKey) -> Result<Zone, ZoneError> {
    Reader::new(key).read(text)
}

/// The records of a zone. `Display` writes it as a master file.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    key: PublicKey,
    drafts: Vec<Draft>,
}

impl Zone {
    /// The key that the names of the zone lie under.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// How many records the zone has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Whether the zone has no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }
}

impl SignedPacket {
    /// The records of this packet that lie under its key, to be written as a master file.
    #[must_use]
    pub fn to_zone(&self) -> Zone {
        let records = self.all_resource_records().filter(Record::in_zone);
        Zone { key: self.public_key(), drafts: records.map(|r| Draft::of_packet(&r)).collect() }
    }
}

impl Record<'_> {
    /// The data as zone files write it; for types that have no such form, as RFC 3597 has it (`\# 2 abcd`). Contains
    /// printable ASCII only.
    #[must_use]
    pub fn data_text(&self) -> String {
        text::rdata(self.rtype(), &self.uncompressed_rdata())
    }
}

impl From<&Zone> for SignedPacketBuilder {
    fn from(zone: &Zone) -> Self {
        Self::of_drafts(zone.drafts.clone())
    }
}

impl From<Zone> for SignedPacketBuilder {
    fn from(zone: Zone) -> Self {
        Self::of_drafts(zone.drafts)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ORIGIN {}.", self.key)?;
        self.drafts.iter().try_for_each(|draft| text::record(draft, f))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({}, {} records)", self.key, self.drafts.len())
    }
}

#[cfg(test)]
mod tests;
