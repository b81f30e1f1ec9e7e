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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keypair;

    fn key() -> PublicKey {
        Keypair::from_secret_key(&[7; 32]).public_key()
    }

    #[test]
    fn people_read_the_text_and_programs_32_bytes() {
        let json = serde_json::to_string(&key()).unwrap();
        assert_eq!(json, "\"7jfgaa9nutjyixzikb7tgmsf9gkwq7iqz498zr1nd5ig1fng4esy\"");
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key());
        assert_eq!(serde_json::from_reader::<_, PublicKey>(json.as_bytes()).unwrap(), key());
        let bytes = postcard::to_allocvec(&key()).unwrap();
        assert_eq!(bytes, key().as_bytes());
        assert_eq!(postcard::from_bytes::<PublicKey>(&bytes).unwrap(), key());
    }

    #[test]
    fn stored_data_has_one_text_for_one_key_and_only_keys() {
        let text = key().to_z32();
        for refused in [
            text.to_uppercase(),
            format!("pk:{text}"),
            format!("{}b", &text[..51]),
            format!("yr{}", "y".repeat(50)),
            String::new(),
        ] {
            let error = serde_json::from_value::<PublicKey>(refused.into()).unwrap_err();
            assert!(error.to_string().contains("public key"), "{error}");
        }
        assert!(postcard::from_bytes::<PublicKey>(&[0; 32]).is_err());
        assert!(postcard::from_bytes::<PublicKey>(&key().as_bytes()[..31]).is_err());
    }
}
