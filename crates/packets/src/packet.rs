//! A signed packet: the records that a key's owner published, verified before the value exists.
//!
//! Separate from the builder because most programs only read packets; what makes one valid is decided here alone.

mod stored;

use std::{fmt, slice, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstay_keys::{PublicKey, PublicKeyError, Signature, SignatureError};
use mainstay_krpc::item;
use thiserror::Error;

use crate::{
    Record, SignedPacketBuilder, Timestamp, TimestampError,
    dns::TYPE,
    index::{Index, Indexed, SortKey, Sorted},
    labels::Labels,
    message::DnsError,
    owner::Origin,
};

pub use self::stored::StoredError;

/// DNS records under a public key, signed by it.
///
/// The bytes are the key, the signature, the timestamp in microseconds (64 bits, big-endian) and a DNS message, and they
/// are never changed: [`SignedPacket::builder`] makes new packets. A value has been verified, whoever made it. Cloning
/// counts a reference; reading key, signature and timestamp, and looking up names, decodes nothing and allocates
/// nothing.
///
/// ```
/// use mainstay_keys::Keypair;
/// use mainstay_packets::SignedPacket;
///
/// let keypair = Keypair::random();
/// let packet = SignedPacket::builder()
///     .address("www".try_into()?, "192.0.2.7".parse()?, 300)
///     .txt("_proto".try_into()?, "v=1".try_into()?, 300)
///     .sign(&keypair)?;
///
/// let received = SignedPacket::from_relay_payload(&keypair.public_key(), &packet.to_relay_payload())?;
/// let www = received.resource_records("WWW").next().and_then(|record| record.address());
/// assert_eq!(www, Some("192.0.2.7".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignedPacket(Arc<Sealed>);

/// What all clones of a packet share.
struct Sealed {
    bytes: Bytes,
    origin: Origin,
    signature: Signature,
    timestamp: Timestamp,
    index: Index,
    /// The least TTL of all records.
    ttl: Option<u32>,
}

const KEY: usize = PublicKey::LENGTH;
const TIMESTAMP: usize = KEY + Signature::LENGTH;
const DNS: usize = TIMESTAMP + size_of::<u64>();

impl SignedPacket {
    /// The most bytes that a packet has: key, signature, timestamp, and 1000 bytes of DNS.
    pub const MAX_BYTES: usize = DNS + Self::MAX_DNS_BYTES;

    /// The most bytes of the DNS message. Relays carry all of them; for the DHT see [`Self::MAX_STORED_DNS_BYTES`].
    pub const MAX_DNS_BYTES: usize = 1000;

    /// The most bytes of a DNS message that all DHT nodes store: with the length before it, the value has the 1000 bytes
    /// that [BEP 44](https://www.bittorrent.org/beps/bep_0044.html) allows.
    pub const MAX_STORED_DNS_BYTES: usize = 996;

    /// The most bytes of a relay payload: a packet without its key.
    pub const MAX_RELAY_PAYLOAD_BYTES: usize = Self::MAX_BYTES - KEY;

    /// Starts a packet.
    #[must_use]
    pub fn builder() -> SignedPacketBuilder {
        SignedPacketBuilder::default()
    }

    /// A builder with the records of this packet that lie under its key, to publish a changed zone.
    #[must_use]
    pub fn to_builder(&self) -> SignedPacketBuilder {
        self.into()
    }

    /// Verifies a whole packet, which is kept without copying: if the bytes are part of a larger buffer, so is that.
    ///
    /// # Errors
    /// [`VerifyError`] says what is wrong, the first of length, key, timestamp, signature and DNS message.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, VerifyError> {
        let key = PublicKey::try_from(Parts::of(bytes)?.key)?;
        Self::verify(key, bytes.clone())
    }

    /// Verifies what a relay sends for a key: a packet without the key.
    ///
    /// # Errors
    /// [`VerifyError`] says what is wrong; lengths in it count the key.
    pub fn from_relay_payload(
        public_key: &PublicKey,
        payload: &Bytes,
    ) -> Result<Self, VerifyError> {
        let length = payload.len().saturating_add(KEY);
        check_length(length)?;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(public_key.as_bytes());
        bytes.extend_from_slice(payload);
        Self::verify(*public_key, bytes.into())
    }

    fn verify(key: PublicKey, bytes: Bytes) -> Result<Self, VerifyError> {
        let parts = Parts::of(&bytes)?;
        let (signature, timestamp) = (parts.signature, parts.timestamp);
        let seq = parts
            .timestamp
            .to_seq()
            .ok_or(TimestampError::TooFar { micros: timestamp.as_u64() })?;
        let mut signable = Vec::with_capacity(parts.dns.len().saturating_add(48));
        item::signable_bytes(seq, parts.dns, &mut signable);
        key.verify(&signable, &signature)?;
        Ok(Self::seal(Origin::new(key), bytes, signature, timestamp)?)
    }

    /// Makes a packet of the bytes of one of this key's that was verified before.
    pub(crate) fn of_known(key: PublicKey, bytes: &[u8]) -> Option<Self> {
        let parts = Parts::of(bytes).ok().filter(|parts| parts.key == key.as_bytes())?;
        let (signature, timestamp) = (parts.signature, parts.timestamp);
        Self::seal(Origin::new(key), Bytes::copy_from_slice(bytes), signature, timestamp).ok()
    }

    /// Makes a packet of bytes whose signature is known to be right.
    fn seal(
        origin: Origin,
        bytes: Bytes,
        signature: Signature,
        timestamp: Timestamp,
    ) -> Result<Self, DnsError> {
        let index = Index::new(bytes.get(DNS..).unwrap_or_default(), &origin)?;
        let mut sealed = Sealed { bytes, origin, signature, timestamp, index, ttl: None };
        sealed.ttl = sealed.ttls().min();
        Ok(Self(Arc::new(sealed)))
    }

    /// As [`Self::seal`], from the parts of a packet.
    pub(crate) fn seal_parts(
        origin: Origin,
        signature: Signature,
        timestamp: Timestamp,
        dns: &[u8],
    ) -> Result<Self, DnsError> {
        let mut bytes = Vec::with_capacity(DNS.saturating_add(dns.len()));
        bytes.extend_from_slice(origin.key().as_bytes());
        bytes.extend_from_slice(signature.as_bytes());
        bytes.extend_from_slice(&timestamp.as_u64().to_be_bytes());
        bytes.extend_from_slice(dns);
        Self::seal(origin, bytes.into(), signature, timestamp)
    }

    /// The whole packet: key, signature, timestamp, DNS message.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The packet without its key, as relays take and give it. Shares the packet's memory.
    #[must_use]
    pub fn to_relay_payload(&self) -> Bytes {
        self.0.bytes.slice(KEY..)
    }

    /// The key that signed the packet.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.origin.key()
    }

    /// The signature over timestamp and DNS message, in the form of
    /// [BEP 44](https://www.bittorrent.org/beps/bep_0044.html).
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.0.signature
    }

    /// When the key's owner says the packet was made: it orders the packets of one key.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    /// The DNS message.
    #[must_use]
    pub fn encoded_packet(&self) -> &[u8] {
        self.0.bytes.get(DNS..).unwrap_or_default()
    }

    /// Whether this packet replaces `other`: it has a later timestamp or, with the same, the larger DNS message byte by
    /// byte. Both are taken to be of one key.
    #[must_use]
    pub fn more_recent_than(&self, other: &Self) -> bool {
        (self.timestamp(), self.encoded_packet()) > (other.timestamp(), other.encoded_packet())
    }

    /// Whether the two are the same, byte for byte.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
    }

    /// The records of a name, in the packet's order.
    ///
    /// The name is relative to the key unless it ends in it; `@`, `.` and the empty name are the key itself; case does
    /// not matter. A name that has no records and none below it is answered by the zone's wildcard for it, if there is
    /// one ([RFC 4592](https://www.rfc-editor.org/rfc/rfc4592)). A name whose own first label is `*` asks for all names
    /// with one label in its place. What is no name, or one under another key, has no records.
    ///
    /// Allocates nothing.
    #[must_use]
    pub fn resource_records(&self, name: &str) -> Records<'_> {
        let nothing = Records { packet: self, sorted: [].iter(), parent: None };
        let mut labels = Labels::new();
        let Ok(at_apex) = labels.read(name) else { return nothing };
        let Ok(wire) = self.0.origin.relative(labels.as_wire(), at_apex) else { return nothing };
        if let Some(parent) = wire.strip_prefix(b"\x01*") {
            let parent = SortKey::new(parent);
            let sorted = self.0.index.below(&parent).iter();
            return Records { packet: self, sorted, parent: Some(parent.as_bytes().len()) };
        }
        let sorted = self.0.index.find(&SortKey::new(wire));
        Records { packet: self, sorted: sorted.iter(), parent: None }
    }

    /// As [`Self::resource_records`], only those of one type.
    pub fn resource_records_of(
        &self,
        name: &str,
        rtype: TYPE,
    ) -> impl Iterator<Item = Record<'_>> + use<'_> {
        self.resource_records(name).filter(move |record| record.rtype() == rtype)
    }

    /// As [`Self::resource_records`], without those whose TTL is over when the packet was last seen this long ago.
    pub fn fresh_resource_records(
        &self,
        name: &str,
        age: Duration,
    ) -> impl Iterator<Item = Record<'_>> + use<'_> {
        let is_fresh = move |ttl: u32| Duration::from_secs(ttl.into()) > age;
        self.resource_records(name).filter(move |record| is_fresh(record.ttl()))
    }

    /// All records of the answer section in the packet's order, those outside the key's zone included
    /// (see [`Record::in_zone`]).
    #[must_use]
    pub fn all_resource_records(&self) -> AllRecords<'_> {
        AllRecords { packet: self, records: self.0.index.records().iter() }
    }

    /// How long the packet may be kept, in seconds: the least TTL of its records, but at least `minimum` and at most
    /// `maximum`. Without records it is `minimum`; bounds in the wrong order count as `minimum`.
    #[must_use]
    pub fn ttl(&self, minimum: u32, maximum: u32) -> u32 {
        self.0.ttl.unwrap_or(minimum).min(maximum).max(minimum)
    }
}

impl Sealed {
    fn ttls(&self) -> impl Iterator<Item = u32> {
        let message = self.bytes.get(DNS..).unwrap_or_default();
        self.index.records().iter().map(move |record| record.ttl(message))
    }
}

fn check_length(length: usize) -> Result<(), VerifyError> {
    if length < DNS {
        Err(VerifyError::TooShort { length })
    } else if length > SignedPacket::MAX_BYTES {
        Err(VerifyError::TooLong { length })
    } else {
        Ok(())
    }
}

/// A packet's bytes, cut up.
struct Parts<'a> {
    key: &'a [u8; KEY],
    signature: Signature,
    timestamp: Timestamp,
    dns: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, VerifyError> {
        let length = bytes.len();
        check_length(length)?;
        let short = VerifyError::TooShort { length };
        let Some((key, rest)) = bytes.split_first_chunk() else { return Err(short) };
        let Some((signature, rest)) = rest.split_first_chunk() else { return Err(short) };
        let Some((timestamp, dns)) = rest.split_first_chunk() else { return Err(short) };
        let signature = Signature::from_bytes(signature);
        let timestamp = Timestamp::from(u64::from_be_bytes(*timestamp));
        Ok(Self { key, signature, timestamp, dns })
    }
}

impl TryFrom<Bytes> for SignedPacket {
    type Error = VerifyError;

    fn try_from(bytes: Bytes) -> Result<Self, VerifyError> {
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<&[u8]> for SignedPacket {
    type Error = VerifyError;

    fn try_from(bytes: &[u8]) -> Result<Self, VerifyError> {
        check_length(bytes.len())?;
        Self::from_bytes(&Bytes::copy_from_slice(bytes))
    }
}

impl AsRef<[u8]> for SignedPacket {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl PartialEq for SignedPacket {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_as(other)
    }
}

impl Eq for SignedPacket {}

impl fmt::Debug for SignedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedPacket")
            .field("public_key", &self.public_key())
            .field("timestamp", &self.timestamp())
            .field("records", &self.all_resource_records())
            .finish_non_exhaustive()
    }
}

/// The records that answer a lookup; see [`SignedPacket::resource_records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    packet: &'a SignedPacket,
    sorted: slice::Iter<'a, Sorted>,
    /// For a query with `*`: the length of the sort key of the name above it.
    parent: Option<usize>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let index = &self.packet.0.index;
        let sorted = self
            .sorted
            .find(|sorted| self.parent.is_none_or(|parent| index.is_child(sorted, parent)))?;
        index.record(sorted).map(|indexed| Record::new(self.packet, indexed))
    }
}

/// All records of a packet; see [`SignedPacket::all_resource_records`].
#[derive(Clone)]
pub struct AllRecords<'a> {
    packet: &'a SignedPacket,
    records: slice::Iter<'a, Indexed>,
}

impl<'a> Iterator for AllRecords<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.records.next().map(|indexed| Record::new(self.packet, indexed))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for AllRecords<'_> {}

impl fmt::Debug for AllRecords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Why bytes are not a packet of the key they claim to come from. Whoever sent them is wrong, or lies; for
/// [`VerifyError::Timestamp`] and [`VerifyError::Dns`] of a whole packet it is the key's owner.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Fewer bytes than key, signature and timestamp have.
    #[error(
        "{length} bytes are too few for a signed packet; key, signature and timestamp have 104"
    )]
    TooShort {
        /// How many bytes there are, the key counted.
        length: usize,
    },
    /// More bytes than a packet may have.
    #[error("{length} bytes are too many for a signed packet; 1104 is the most")]
    TooLong {
        /// How many bytes there are, the key counted.
        length: usize,
    },
    /// The first 32 bytes are not a key.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// The timestamp is not one that a packet may carry.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// The signature does not fit key, timestamp and DNS message.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// What was signed is not a DNS message.
    #[error("the signed value is not a DNS message that can be read")]
    Dns(#[from] DnsError),
}

#[cfg(test)]
mod tests;
