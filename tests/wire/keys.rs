//! Keys, their texts and their signatures against vectors that others made.
//! Apart from the crate's own tests because these are facts of the wire, not of our code.

use mainstay_keys::{
    Keypair, PublicKey, PublicKeyError, SecretKey, Signature, SignatureError, SignerError,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    pairs: Vec<Pair>,
    public_keys: Vec<Public>,
    not_points: Vec<String>,
    small_order: Vec<String>,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Pair {
    seed: String,
    public_key: String,
    text: String,
}

#[derive(Deserialize)]
struct Public {
    public_key: String,
    text: String,
}

#[derive(Deserialize)]
struct Signed {
    what: String,
    seed: String,
    message: String,
    signature: String,
}

#[derive(Deserialize)]
struct Edge {
    small_order: SmallOrder,
    non_canonical: Vec<String>,
    signatures: Vec<Judged>,
}

#[derive(Deserialize)]
struct SmallOrder {
    canonical: Vec<String>,
    all: Vec<String>,
}

#[derive(Deserialize)]
struct Judged {
    case: String,
    key: String,
    message: String,
    signature: String,
    accept: bool,
    /// Which door refuses: the key's or the signature's.
    refused: Option<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/keys.json")).unwrap()
}

fn edge() -> Edge {
    serde_json::from_str(include_str!("vectors/keys-edge.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

#[test]
fn seeds_grow_into_the_keys_that_others_get() {
    for pair in vectors().pairs {
        let keypair = Keypair::from_secret(&SecretKey::from_hex(&pair.seed).unwrap());
        assert_eq!(keypair.public_key().to_bytes(), array(&pair.public_key));
        assert_eq!(keypair.to_z32(), pair.text);
        assert_eq!(PublicKey::from_z32(&pair.text), Ok(keypair.public_key()));
    }
}

#[test]
fn texts_are_the_keys_that_others_read() {
    for public in vectors().public_keys {
        let key = PublicKey::from_z32(&public.text).unwrap();
        assert_eq!(key.to_bytes(), array(&public.public_key));
        assert_eq!(key.to_string(), public.text);
    }
}

#[test]
fn texts_that_name_nobody_are_refused_by_both_parsers() {
    for (texts, error) in [
        (vectors().not_points, PublicKeyError::NotAPoint),
        (vectors().small_order, PublicKeyError::SmallOrder),
    ] {
        for text in texts {
            // One of these vectors is not even canonical text, which the strict parser sees first.
            assert!(PublicKey::from_z32(&text).is_err(), "{text}");
            assert_eq!(PublicKey::parse(&format!("pk:{text}")), Err(error), "{text}");
        }
    }
}

#[test]
fn signatures_are_byte_for_byte_those_of_others() {
    for signed in vectors().signatures {
        let keypair = Keypair::from_secret_key(&array(&signed.seed));
        let message = bytes(&signed.message);
        let signature = Signature::from_bytes(&array(&signed.signature));
        assert_eq!(keypair.sign(&message), signature, "{}", signed.what);
        assert_eq!(keypair.public_key().verify(&message, &signature), Ok(()), "{}", signed.what);
    }
}

#[test]
fn every_encoding_of_the_eight_points_of_small_order_is_refused() {
    let SmallOrder { canonical, all } = edge().small_order;
    assert_eq!((canonical.len(), all.len()), (8, 14));
    for encoding in canonical.iter().chain(&all) {
        let refused = PublicKey::from_bytes(&array(encoding));
        assert_eq!(refused, Err(PublicKeyError::SmallOrder), "{encoding}");
    }
}

#[test]
fn a_second_encoding_of_a_point_is_refused() {
    let encodings = edge().non_canonical;
    assert_eq!(encodings.len(), 20);
    for encoding in encodings {
        let refused = PublicKey::from_bytes(&array(&encoding));
        assert_eq!(refused, Err(PublicKeyError::NonCanonicalPoint), "{encoding}");
    }
}

#[test]
fn edge_cases_of_signatures_are_judged_by_the_strictest_reading() {
    let cases = edge().signatures;
    assert_eq!(cases.len(), 14);
    for judged in cases {
        let signature = Signature::from_bytes(&array(&judged.signature));
        let key = match PublicKey::from_bytes(&array(&judged.key)) {
            Ok(key) => key,
            Err(error) => {
                assert_eq!(error, PublicKeyError::SmallOrder, "{}", judged.case);
                assert_eq!(judged.refused.as_deref(), Some("key"), "{}", judged.case);
                continue;
            }
        };
        assert_ne!(judged.refused.as_deref(), Some("key"), "{}", judged.case);
        let verdict = key.verify(&bytes(&judged.message), &signature);
        let at_once =
            PublicKey::of_signer(&array(&judged.key), &bytes(&judged.message), &signature);
        assert_eq!(at_once, verdict.map(|()| key).map_err(SignerError::from), "{}", judged.case);
        assert_eq!(
            verdict,
            if judged.accept { Ok(()) } else { Err(SignatureError) },
            "{}",
            judged.case
        );
    }
}
