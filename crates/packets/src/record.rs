//! One record of a signed packet, read in place.
//!
//! Separate from the packet because it is what lookups give out: a reference and a position, nothing copied until
//! somebody asks for the data in full.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    SignedPacket,
    dns::{CLASS, Name, Packet, ResourceRecord, SimpleDnsError, TYPE, rdata::RData},
    index::Indexed,
    labels::{self, Labels},
    layout, message,
};

/// The largest TTL that means what it says ([RFC 2181 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
pub(crate) const MAX_TTL: u32 = 0x7fff_ffff;

/// A record of a [`SignedPacket`].
#[derive(Clone, Copy)]
pub struct Record<'a> {
    packet: &'a SignedPacket,
    indexed: &'a Indexed,
}

impl<'a> Record<'a> {
    pub(crate) const fn new(packet: &'a SignedPacket, indexed: &'a Indexed) -> Self {
        Self { packet, indexed }
    }

    /// The name, as it was written. For an answer that came from a wildcard it is the wildcard's (`*.foo`).
    #[must_use]
    pub fn name(&self) -> RecordName {
        let mut labels = Labels::new();
        // The walk at verification has bounded every name.
        let _ = message::walk_name(
            self.message(),
            self.indexed.place().name,
            self.message().len(),
            |_, label| {
                let _ = labels.push(label);
            },
        );
        RecordName { labels, in_zone: self.in_zone() }
    }

    /// The type, as a number where nobody has named it.
    #[must_use]
    pub fn rtype(&self) -> TYPE {
        TYPE::from(message::u16_at(self.message(), self.indexed.place().body()).unwrap_or_default())
    }

    /// The class, which is [`CLASS::IN`] for almost everything.
    #[must_use]
    pub fn class(&self) -> CLASS {
        let at = self.indexed.place().body().saturating_add(2);
        let class = message::u16_at(self.message(), at).unwrap_or_default();
        CLASS::try_from(class & 0x7fff).unwrap_or(CLASS::IN)
    }

    /// How many seconds the record may be kept. A TTL above 2^31 - 1 counts as 0, as
    /// [RFC 2181 8](https://www.rfc-editor.org/rfc/rfc2181#section-8) has it.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.indexed.ttl(self.message())
    }

    /// Whether the name lies under the key that signed the packet. Lookups only ever give such records; others are
    /// claims about names that the key does not own, and prove nothing.
    #[must_use]
    pub fn in_zone(&self) -> bool {
        self.indexed.in_zone
    }

    /// The data as it stands in the packet. Names in it may be compressed, with pointers into
    /// [`SignedPacket::encoded_packet`]; see [`Self::uncompressed_rdata`].
    #[must_use]
    pub fn raw_rdata(&self) -> &'a [u8] {
        let place = self.indexed.place();
        self.packet.encoded_packet().get(place.data..place.end()).unwrap_or_default()
    }

    /// The data with its names written out in full.
    #[must_use]
    pub fn uncompressed_rdata(&self) -> Vec<u8> {
        layout::expand(self.message(), self.rtype(), self.indexed.place())
    }

    /// The data as the typed value of its record type. Allocates; for addresses and texts see [`Self::address`] and
    /// [`Self::text`].
    ///
    /// # Errors
    /// If the data is malformed for its type in a way that verification does not look for; only uncommon types can be.
    pub fn rdata(&self) -> Result<RData<'static>, SimpleDnsError> {
        parse_rdata(self.rtype(), &self.uncompressed_rdata())
    }

    /// The record as a value of its own.
    ///
    /// # Errors
    /// As [`Self::rdata`].
    pub fn to_resource_record(&self) -> Result<ResourceRecord<'static>, SimpleDnsError> {
        let name = self.name().to_name();
        Ok(ResourceRecord::new(name, self.class(), self.ttl(), self.rdata()?))
    }

    /// The address of an A or AAAA record.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let data = self.raw_rdata();
        match self.rtype() {
            TYPE::A => data.first_chunk().map(|bytes: &[u8; 4]| Ipv4Addr::from(*bytes).into()),
            TYPE::AAAA => data.first_chunk().map(|bytes: &[u8; 16]| Ipv6Addr::from(*bytes).into()),
            _ => None,
        }
    }

    /// The strings of a TXT record, joined as they were before they were cut into strings.
    #[must_use]
    pub fn text(&self) -> Option<Vec<u8>> {
        (self.rtype() == TYPE::TXT)
            .then(|| labels::iter(self.raw_rdata()).flatten().copied().collect())
    }

    fn message(&self) -> &'a [u8] {
        self.packet.encoded_packet()
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("name", &self.name())
            .field("type", &self.rtype())
            .field("ttl", &self.ttl())
            .field("rdata", &self.raw_rdata())
            .finish()
    }
}

/// The name of a [`Record`].
///
/// `Display` writes it in full, without the dot at its end; [`RecordName::relative`] without the key.
#[derive(Clone)]
pub struct RecordName {
    labels: Labels,
    in_zone: bool,
}

impl RecordName {
    /// The labels from the left, as bytes, the key's included.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels::iter(self.labels.as_wire())
    }

    /// The name as text relative to the key: `@` for the key itself, and the whole name with a dot at its end for names
    /// outside the zone.
    #[must_use]
    pub fn relative(&self) -> String {
        let shown = labels::Shown(self.relative_labels());
        match (self.in_zone, shown.0.is_empty()) {
            (true, true) => "@".to_owned(),
            (true, false) => shown.to_string(),
            (false, _) => format!("{shown}."),
        }
    }

    /// Whether the first label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.labels().next() == Some(b"*")
    }

    /// The labels in wire form without the root, and without the key if the name lies below it.
    pub(crate) fn relative_labels(&self) -> &[u8] {
        let wire = self.labels.as_wire();
        let key = self.labels.last().filter(|_| self.in_zone).map_or(0, |last| last.len() + 1);
        wire.get(..wire.len().saturating_sub(key)).unwrap_or_default()
    }

    fn to_name(&self) -> Name<'static> {
        let labels: Vec<_> = self.labels().map(crate::dns::Label::new_unchecked).collect();
        Name::new_with_labels(&labels).into_owned()
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels.as_wire().is_empty() {
            return f.write_str(".");
        }
        labels::Shown(self.labels.as_wire()).fmt(f)
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordName({self})")
    }
}

/// Reads data without compressed names as the typed value of its type, by way of a message that holds nothing else.
pub(crate) fn parse_rdata(rtype: TYPE, rdata: &[u8]) -> Result<RData<'static>, SimpleDnsError> {
    let length = u16::try_from(rdata.len()).map_err(|_| SimpleDnsError::InsufficientData)?;
    let mut message = vec![0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.push(0);
    message.extend_from_slice(&u16::from(rtype).to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(rdata);
    let mut packet = Packet::parse(&message)?;
    let record = packet.answers.pop().ok_or(SimpleDnsError::InsufficientData)?;
    Ok(record.rdata.into_owned())
}
