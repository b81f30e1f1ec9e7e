//! Packets in serde formats: the whole packet as bytes, verified when it is read.
//!
//! Separate because it is behind a feature and must not let an unverified packet in.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::{SignedPacket, Timestamp};

impl Serialize for SignedPacket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de> Deserialize<'de> for SignedPacket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(PacketBytes)
    }
}

struct PacketBytes;

impl<'de> Visitor<'de> for PacketBytes {
    type Value = SignedPacket;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bytes of a signed packet, at most {}", SignedPacket::MAX_BYTES)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<SignedPacket, E> {
        SignedPacket::try_from(bytes).map_err(E::custom)
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<SignedPacket, E> {
        SignedPacket::from_bytes(&bytes.into()).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SignedPacket, A::Error> {
        let mut bytes = Vec::with_capacity(SignedPacket::MAX_BYTES);
        while let Some(byte) = seq.next_element()? {
            if bytes.len() == SignedPacket::MAX_BYTES {
                return Err(A::Error::invalid_length(bytes.len() + 1, &self));
            }
            bytes.push(byte);
        }
        SignedPacket::from_bytes(&Bytes::from(bytes)).map_err(A::Error::custom)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.as_u64())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::from)
    }
}
