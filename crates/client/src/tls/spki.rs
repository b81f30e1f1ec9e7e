//! A public key as TLS carries it: SubjectPublicKeyInfo
//! ([RFC 8410, section 4](https://www.rfc-editor.org/rfc/rfc8410#section-4)).
//!
//! Separate because servers write it and clients read it.

use mainstay_keys::PublicKey;

/// Sequence, algorithm 1.3.101.112, and a bit string of 32 whole bytes.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The 44 bytes of a key.
pub(super) fn encode(key: &PublicKey) -> Vec<u8> {
    [&PREFIX[..], key.as_bytes()].concat()
}

/// The key in 44 bytes, if they are of that form and it is one that can name somebody.
pub(super) fn decode(der: &[u8]) -> Option<PublicKey> {
    der.strip_prefix(&PREFIX)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.1.
    #[test]
    fn the_public_key_of_the_rfc_is_written_and_read() {
        let der = [
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x19, 0xbf,
            0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96,
            0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31,
            0x66, 0xe1,
        ];
        let key = decode(&der).expect("it is the RFC's");
        assert_eq!(encode(&key), der);
    }

    #[test]
    fn only_the_very_form_is_read() {
        let der = encode(&mainstay_keys::Keypair::from_secret_key(&[7; 32]).public_key());
        assert!(decode(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(decode(&der[..length]), None);
        }
        assert_eq!(decode(&[&der[..], &[0]].concat()), None);
        // X25519 has the next number but one.
        let mut x25519 = der.clone();
        x25519[8] = 0x6e;
        assert_eq!(decode(&x25519), None);
        assert_eq!(decode(&[&PREFIX[..], &[0; 32]].concat()), None, "a key of small order");
    }
}
