//! Fuzz targets of the keys crate: what people paste, and what lies in a secret-key file.
//!
//! Separate, because each crate's promises are written down in one file.

use mainstay_keys::{PublicKey, SecretKey};

pub(super) fn text_seeds() -> Vec<Vec<u8>> {
    let key = "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo";
    ["", "pk:", "https://a.b.", "foo.", "https://user@"]
        .into_iter()
        .flat_map(|before| {
            ["", ":8443/p?q#h", "/a@b", "."]
                .map(|after| format!("{before}{key}{after}").into_bytes())
        })
        .collect()
}

/// Any text is refused or is one key, and that key's own text reads back as itself in both parsers.
pub(super) fn public_key_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lenient = PublicKey::parse(text);
    if let Ok(key) = PublicKey::from_z32(text) {
        assert_eq!(lenient, Ok(key), "the lenient parser refuses what the strict one takes");
        assert_eq!(key.to_z32(), text, "the strict parser took a second spelling");
    }
    if let Ok(key) = lenient {
        assert_eq!(PublicKey::from_z32(&key.to_z32()), Ok(key));
        assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
    }
}

pub(super) fn file_seeds() -> Vec<Vec<u8>> {
    vec![
        b"00".repeat(32),
        [b"0A".repeat(32), b"\n".to_vec()].concat(),
        b"+1".repeat(32),
        "é".repeat(32).into_bytes(),
    ]
}

/// Any text is refused or is one secret of 32 bytes.
pub(super) fn secret_key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(secret) = text.parse::<SecretKey>() {
        assert_eq!(secret.as_bytes().len(), SecretKey::LENGTH);
        assert_eq!(text.trim().len(), 64, "a secret of another length was read: {text:?}");
    }
}
