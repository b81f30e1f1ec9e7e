//! TLS between names under keys: servers prove that they hold a key, by raw public keys
//! ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)) and without any certificate.
//!
//! Separate because it is the only place that knows rustls (feature `tls`).
//!
//! A server takes its configuration from [`TlsKeypair::to_rpk_rustls_server_config`]. On the client's side,
//! [`ServerVerifier`] says whether a server is the one that a name leads to. It awaits nothing: the keys to expect have
//! been resolved before the handshake begins, by the [endpoints](crate::Endpoint) of the name, and are kept for a few
//! minutes. A server that holds the very key its name ends in needs no look-up at all.
//!
//! Everything here is TLS 1.3 with Ed25519, by ring; no default of the process is asked for, or set.

pub(crate) mod expected;
mod serving;
mod spki;
mod verifier;

pub use rustls;
pub use serving::TlsKeypair;
pub use verifier::{ServerVerifier, WrongServerKey};
