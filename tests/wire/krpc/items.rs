//! What may be stored and what may not: BEP 44 to the byte. Apart from messages, which only carry it.

use mainstay_keys::{Keypair, Signature};
use mainstay_krpc::item::{
    ImmutableItem, ItemError, MAX_SALT, MAX_VALUE, MutableItem, NotCanonical,
};
use mainstay_krpc::value::Value;
use mainstay_krpc::{Id, error_code};

fn keypair() -> Keypair {
    Keypair::from_secret_key(&[7; 32])
}

/// Signs without any of our checks, as somebody else might.
fn verify_foreign(salt: &[u8], seq: i64, value: &[u8]) -> Result<MutableItem, ItemError> {
    let mut signed = Vec::new();
    mainstay_krpc::item::signable(seq, salt, value, &mut signed);
    MutableItem::verify(keypair().public_key(), salt, seq, value, keypair().sign(&signed))
}

#[test]
fn a_signed_item_verifies_and_keeps_what_it_was_given() {
    let item = MutableItem::sign_bytes(&keypair(), b"salt", 9, b"value").expect("small");
    let again = MutableItem::verify(*item.key(), item.salt(), 9, item.value(), *item.signature());
    assert_eq!(again, Ok(item.clone()));
    assert_eq!(*item.key(), keypair().public_key());
    assert_eq!((item.salt(), item.seq()), (&b"salt"[..], 9));
    assert_eq!((item.value(), item.bytes()), (&b"5:value"[..], Some(&b"value"[..])));
}

#[test]
fn values_of_any_kind_are_signed() {
    let pointer = Value::info_hash(Id::from_bytes([1; 20])).encode().expect("small");
    for value in [&b"i-5e"[..], b"le", b"d1:a1:be", &pointer] {
        let item = MutableItem::sign(&keypair(), b"", 0, value).expect("canonical");
        assert_eq!(item.value(), value);
        assert_eq!(item.bytes(), None);
        assert!(verify_foreign(b"", 0, value).is_ok());
    }
}

#[test]
fn exactly_a_thousand_bytes_are_stored() {
    let payload = [b'x'; MAX_VALUE - 4];
    let item = MutableItem::sign_bytes(&keypair(), b"", 0, &payload).expect("fits");
    assert_eq!(item.value().len(), MAX_VALUE);
    let refused = MutableItem::sign_bytes(&keypair(), b"", 0, &[b'x'; MAX_VALUE - 3]);
    let too_large = ItemError::ValueTooLarge { size: MAX_VALUE + 1 };
    assert_eq!(too_large.code(), error_code::VALUE_TOO_LARGE);
    assert_eq!(refused, Err(too_large));
}

#[test]
fn exactly_64_bytes_of_salt_are_allowed() {
    assert!(verify_foreign(&[0; MAX_SALT], 0, b"0:").is_ok());
    let refused = verify_foreign(&[0; MAX_SALT + 1], 0, b"0:").expect_err("too long");
    assert_eq!(refused, ItemError::SaltTooLong { length: MAX_SALT + 1 });
    assert_eq!(refused.code(), error_code::SALT_TOO_LONG);
    assert!(MutableItem::sign(&keypair(), &[0; MAX_SALT + 1], 0, b"0:").is_err());
}

#[test]
fn a_negative_sequence_number_is_refused_even_if_signed() {
    for seq in [-1, i64::MIN] {
        let refused = verify_foreign(b"", seq, b"0:").expect_err("negative");
        assert_eq!(refused, ItemError::NegativeSequence { seq });
        assert_eq!(refused.code(), error_code::PROTOCOL);
        assert!(MutableItem::sign(&keypair(), b"", seq, b"0:").is_err());
    }
    for seq in [0, 1, i64::MAX] {
        assert!(verify_foreign(b"", seq, b"0:").is_ok());
    }
}

#[test]
fn a_value_that_is_not_canonical_is_refused_even_if_signed() {
    let cases: [(&[u8], NotCanonical); 8] = [
        (b"", NotCanonical::Malformed),
        (b"i-0e", NotCanonical::Malformed),
        (b"i05e", NotCanonical::Malformed),
        (b"03:abc", NotCanonical::Malformed),
        (b"4:abc", NotCanonical::Malformed),
        (b"3:abc\0", NotCanonical::Trailing),
        (b"d1:b0:1:a0:e", NotCanonical::UnsortedKeys),
        (b"d1:a0:1:a0:e", NotCanonical::UnsortedKeys),
    ];
    for (value, reason) in cases {
        let refused = verify_foreign(b"", 0, value).expect_err("not canonical");
        assert_eq!(refused, ItemError::NotCanonical(reason), "{}", value.escape_ascii());
        assert_eq!(refused.code(), error_code::PROTOCOL);
        assert_eq!(ImmutableItem::new(value), Err(refused));
    }
}

#[test]
fn a_thousand_keys_accept_nothing_that_another_key_signed() {
    let item = MutableItem::sign_bytes(&keypair(), b"salt", 9, b"value").expect("small");
    for number in 0..1000_u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let other = Keypair::from_secret_key(&seed).public_key();
        let refused = MutableItem::verify(other, item.salt(), 9, item.value(), *item.signature());
        let refused = refused.expect_err("another key");
        assert!(matches!(refused, ItemError::BadSignature(_)));
        assert_eq!(refused.code(), error_code::BAD_SIGNATURE);
    }
}

#[test]
fn a_signature_with_any_bit_wrong_is_refused() {
    let item = MutableItem::sign_bytes(&keypair(), b"salt", 9, b"value").expect("small");
    for bit in 0..512 {
        let mut bytes = item.signature().to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let signature = Signature::from_bytes(&bytes);
        assert!(MutableItem::verify(*item.key(), b"salt", 9, item.value(), signature).is_err());
    }
}

#[test]
fn an_empty_salt_and_none_are_one_item() {
    let item = MutableItem::sign(&keypair(), b"", 3, b"0:").expect("small");
    // As mainline signs a salt that is there but empty: another message, so another signature.
    let signature = keypair().sign(b"4:salt0:3:seqi3e1:v0:");
    assert!(MutableItem::verify(*item.key(), b"", 3, b"0:", signature).is_err());
}

#[test]
fn items_are_shared_not_copied() {
    let item = MutableItem::sign_bytes(&keypair(), b"salt", 9, b"value").expect("small");
    assert_eq!(item.clone().value().as_ptr(), item.value().as_ptr());
    let item = ImmutableItem::from_bytes(b"value").expect("small");
    assert_eq!(item.clone().value().as_ptr(), item.value().as_ptr());
}

#[test]
fn what_is_logged_names_the_item_without_its_content() {
    let item = MutableItem::sign_bytes(&keypair(), b"salt", 9, b"payload").expect("small");
    let shown = format!("{item:?}");
    assert!(shown.contains(&keypair().to_z32()), "{shown}");
    assert!(shown.contains(&item.target().to_string()), "{shown}");
    assert!(!shown.contains("payload"), "{shown}");
}
