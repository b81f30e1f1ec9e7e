//! Public keys through serde: their text where people read along, 32 bytes elsewhere.
//! Apart from the key because it exists only with the feature `serde`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::PublicKey;

/// The 52 characters in human-readable formats; in binary ones 32 bytes without a length before them.
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.as_bytes().serialize(serializer)
        }
    }
}

/// Reads what is written and no other spelling, so that equal keys have equal texts in stored data.
impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            Self::from_z32(&text).map_err(D::Error::custom)
        } else {
            let bytes = <[u8; Self::LENGTH]>::deserialize(deserializer)?;
            Self::from_bytes(&bytes).map_err(D::Error::custom)
        }
    }
}
