//! A packet as what the DHT stores: a mutable item of BEP 44 without salt, whose sequence number is the timestamp.
//!
//! Separate because an item has been verified already, so other things can be wrong with it than with bytes.

use mainstay_krpc::item::{ItemError, MutableItem};
use thiserror::Error;

use super::SignedPacket;
use crate::{DnsError, Timestamp, TimestampError, owner::Origin};

impl SignedPacket {
    /// The packet as a mutable item ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)). Verifies the signature
    /// again.
    ///
    /// # Errors
    /// [`ItemError::ValueTooLarge`] if the DNS message has more than [`SignedPacket::MAX_STORED_DNS_BYTES`].
    pub fn to_mutable_item(&self) -> Result<MutableItem, ItemError> {
        let dns = self.encoded_packet();
        let mut value = format!("{}:", dns.len()).into_bytes();
        value.extend_from_slice(dns);
        // A packet's timestamp is one that a sequence number can be.
        let seq = self.timestamp().to_seq().unwrap_or(i64::MAX);
        MutableItem::verify(self.public_key(), &[], seq, &value, self.signature())
    }
}

impl TryFrom<&MutableItem> for SignedPacket {
    type Error = StoredError;

    /// Reads a packet from what the DHT stores. The signature is not verified again: an item has been.
    fn try_from(item: &MutableItem) -> Result<Self, StoredError> {
        if !item.salt().is_empty() {
            return Err(StoredError::Salted);
        }
        let seq = item.seq();
        let timestamp = Timestamp::try_from(seq)?;
        // An item that exists has fewer bytes than a packet may have.
        let dns = item.bytes().ok_or(StoredError::NotBytes { seq })?;
        Self::seal_parts(Origin::new(*item.key()), *item.signature(), timestamp, dns)
            .map_err(|source| StoredError::NotDns { seq, source })
    }
}

/// Why an item that a key's owner signed and stored is not a packet. The owner published something else under the key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoredError {
    /// The item has a salt; packets are stored without.
    #[error("the item is stored with a salt, so it is not a signed packet")]
    Salted,
    /// The sequence number is not a timestamp.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// The value is a number, a list or a dictionary.
    #[error("the item at sequence number {seq} is not a byte string, so it is not a signed packet")]
    NotBytes {
        /// The item's sequence number.
        seq: i64,
    },
    /// The value is not a DNS message.
    #[error("the item at sequence number {seq} is not a DNS message")]
    NotDns {
        /// The item's sequence number.
        seq: i64,
        /// What is wrong with it.
        source: DnsError,
    },
}
