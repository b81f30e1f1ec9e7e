//! Ed25519 keys as names: key pairs, public keys in z-base-32, signatures and secret-key files.
//!
//! Everything that Mainstay signs, stores or looks up is named by a [`PublicKey`]. This crate is the one place that
//! knows how such a name is written, read, checked and kept; it does no I/O apart from [`mod@file`], knows no clock and
//! nothing of DNS.
//!
//! ```
//! use mainstay_keys::{Keypair, PublicKey};
//!
//! let keypair = Keypair::from_secret_key(&[7; 32]);
//! let signature = keypair.sign(b"hello");
//!
//! // What people paste finds the same key as its canonical text.
//! let pasted = format!("https://www.{}:8443/about?x=1", keypair.to_z32().to_uppercase());
//! let key = PublicKey::parse(&pasted)?;
//! assert_eq!(key, keypair.public_key());
//! assert!(key.verify(b"hello", &signature).is_ok());
//! # Ok::<(), mainstay_keys::PublicKeyError>(())
//! ```
//!
//! # What is refused
//!
//! A [`PublicKey`] in memory is a point of the curve in its only canonical encoding, and not one of the eight points of
//! small order: for those anybody can make a signature, so they name nobody. Signatures are judged by
//! [RFC 8032](https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7) in its strictest reading (see [`PublicKey::verify`]).
//!
//! # Features
//!
//! - `serde`: [`PublicKey`] as its text in human-readable formats and as 32 bytes in binary ones.
//! - `encrypted`: secret-key files encrypted with a passphrase, in the [age](https://age-encryption.org/v1) format.

#![forbid(unsafe_code)]

mod hex;
mod keypair;
mod public_key;
mod secret_key;
#[cfg(feature = "serde")]
mod serde;
mod signature;
mod text;

#[cfg(not(target_family = "wasm"))]
pub mod file;
pub mod z32;

pub use keypair::Keypair;
pub use public_key::{PublicKey, PublicKeyError, SignerError};
pub use secret_key::{SecretKey, SecretKeyError};
pub use signature::{Signature, SignatureError};
