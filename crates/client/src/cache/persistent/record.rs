//! A packet as both engines store it: when it was last seen, then its bytes.
//!
//! Separate because the layout is shared with other software: it is that of pkarr's cache files.

use bytes::Bytes;
use mainstay_keys::PublicKey;
use mainstay_packets::{KnownPackets, SignedPacket, Timestamp};

use super::super::Cached;

/// How far in the future a record may have been seen; clocks are set.
const TOLERANCE: u64 = 60_000_000;

/// `last_seen` in microseconds, 64 bits, big-endian.
const LAST_SEEN: usize = size_of::<u64>();

/// The most bytes of a record.
const LONGEST: usize = LAST_SEEN + SignedPacket::MAX_BYTES;

/// A record's parts, not verified.
pub(super) struct Record<'a> {
    last_seen: u64,
    pub(super) packet: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (last_seen, packet) = bytes.split_first_chunk::<LAST_SEEN>()?;
        Some(Self { last_seen: u64::from_be_bytes(*last_seen), packet })
    }

    /// When the packet was last seen; never, if that lies in the future.
    pub(super) fn last_seen(&self) -> Timestamp {
        let now = Timestamp::clock().as_u64();
        let is_plausible = self.last_seen <= now.saturating_add(TOLERANCE);
        Timestamp::from(if is_plausible { self.last_seen } else { 0 })
    }

    /// The packet, if this process knows that it is one of this key.
    pub(super) fn recognise(&self, key: &PublicKey, known: &KnownPackets) -> Option<Cached> {
        let packet = known.recognise(key, self.packet)?;
        Some(Cached { packet, last_seen: self.last_seen() })
    }

    /// The packet, if it is one of this key. Costs a signature check, unless this process knows it.
    pub(super) fn verify(key: &PublicKey, bytes: &Bytes, known: &KnownPackets) -> Option<Cached> {
        let record = Record::parse(bytes)?;
        if let Some(cached) = record.recognise(key, known) {
            return Some(cached);
        }
        let payload = record.packet.strip_prefix(key.as_bytes())?;
        let payload = bytes.slice_ref(payload);
        let packet = SignedPacket::from_relay_payload(key, &payload).ok()?;
        known.note(&packet);
        Some(Cached { packet, last_seen: record.last_seen() })
    }

    /// The key that the record says it is of.
    pub(super) fn key(&self) -> Option<PublicKey> {
        let key = self.packet.first_chunk::<{ PublicKey::LENGTH }>()?;
        PublicKey::try_from(key).ok()
    }
}

/// A copy of what is stored, or of its beginning if it is longer than any record: then it is none.
pub(super) fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes.get(..LONGEST.saturating_add(1)).unwrap_or(bytes))
}

/// The bytes of a record.
pub(super) fn encode(cached: &Cached) -> Vec<u8> {
    let packet = cached.packet.as_bytes();
    let mut bytes = Vec::with_capacity(LAST_SEEN.saturating_add(packet.len()));
    bytes.extend_from_slice(&cached.last_seen.as_u64().to_be_bytes());
    bytes.extend_from_slice(packet);
    bytes
}
