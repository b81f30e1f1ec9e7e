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

#[cfg(test)]
mod tests {
    use serde::de::value::{BytesDeserializer, Error as ValueError};

    use super::*;
    use crate::samples::keypair;

    #[test]
    fn a_packet_survives_a_format_of_text() {
        let address = [192, 0, 2, 1].into();
        let builder = SignedPacket::builder().a("www".try_into().unwrap(), address, 60);
        let packet = builder.sign(&keypair()).unwrap();
        let json = serde_json::to_string(&packet).unwrap();
        assert_eq!(serde_json::from_str::<SignedPacket>(&json).unwrap(), packet);
    }

    #[test]
    fn a_packet_that_does_not_verify_is_not_read() {
        let packet = SignedPacket::builder().sign(&keypair()).unwrap();
        let mut bytes = packet.as_bytes().to_vec();
        bytes[100] ^= 1;
        let read = |bytes: &[u8]| {
            serde_json::from_str::<SignedPacket>(&serde_json::to_string(bytes).unwrap())
        };
        assert!(read(&bytes).unwrap_err().to_string().contains("signature"));
        assert!(read(&[0; 1105]).unwrap_err().to_string().contains("1104"));
        assert!(read(&[]).is_err());
    }

    #[test]
    fn formats_of_bytes_are_read_and_verified_too() {
        type Read = Result<SignedPacket, ValueError>;
        let packet = SignedPacket::builder().sign(&keypair()).unwrap();
        let lent =
            |bytes: &[u8]| -> Read { SignedPacket::deserialize(BytesDeserializer::new(bytes)) };
        let owned = |bytes: &[u8]| -> Read { PacketBytes.visit_byte_buf(bytes.to_vec()) };
        for read in [&lent as &dyn Fn(&[u8]) -> Read, &owned] {
            assert_eq!(read(packet.as_bytes()).unwrap(), packet);
            let mut bytes = packet.as_bytes().to_vec();
            bytes[100] ^= 1;
            assert!(read(&bytes).unwrap_err().to_string().contains("signature"));
        }
    }

    #[test]
    fn a_timestamp_is_its_number() {
        assert_eq!(serde_json::to_string(&Timestamp::from(42)).unwrap(), "42");
        assert_eq!(serde_json::from_str::<Timestamp>("42").unwrap(), Timestamp::from(42));
    }
}
