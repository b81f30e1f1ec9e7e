//! Why a packet cannot be made, in words for the author of its records.
//!
//! Separate because the writer and the builder both report it.

use mainstay_keys::PublicKey;
use thiserror::Error;

use crate::{
    DnsError, NameError, Owner, TimestampError, dns::TYPE, record::MAX_TTL, rtype::type_name,
};

/// Why records cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The zone does not fit a packet. Shorten it, or drop the record that cost most.
    #[error(
        "the zone has {size} bytes, {excess} more than fit a packet; its costliest record is {} {} with {} bytes",
        costliest.owner, type_name(costliest.rtype), costliest.bytes
    )]
    TooLarge {
        /// How many bytes the DNS message would have.
        size: usize,
        /// By how many bytes that is too many.
        excess: usize,
        /// The record that takes the most bytes.
        costliest: Box<Costliest>,
    },
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A name that is too long once the key stands behind it.
    #[error("the name {owner} is too long under a key")]
    NameTooLong {
        /// The name.
        owner: Owner,
    },
    /// A name under another key: nobody would believe this key about it.
    #[error("the name {owner} lies under the key {key}, which is not the one that signs")]
    OtherKey {
        /// The name.
        owner: Owner,
        /// The key that the name ends in.
        key: PublicKey,
    },
    /// A TTL that means zero to whoever reads it ([RFC 2181 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
    #[error("the TTL {ttl} of {owner} is too large; {MAX_TTL} is the most")]
    Ttl {
        /// The name.
        owner: Owner,
        /// The TTL.
        ttl: u32,
    },
    /// A record's data is not what its type requires: a name in it is too long, or a value has a wrong length.
    #[error("the data of the {} record of {owner} is malformed", type_name(*rtype))]
    Data {
        /// The name.
        owner: Owner,
        /// The record's type.
        rtype: TYPE,
    },
    /// The timestamp is not one that a packet may carry.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// The message that was written cannot be read back; this is a defect of this library.
    #[error("the DNS message that was written is malformed; please report this")]
    Unreadable(#[from] DnsError),
}

/// The record that takes the most bytes of a zone that is too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costliest {
    /// Its name.
    pub owner: Owner,
    /// Its type.
    pub rtype: TYPE,
    /// How many bytes it takes, its name included.
    pub bytes: usize,
}
