//! The server's side: a key pair as what TLS serves.
//!
//! Separate because servers need nothing of the client's side.

use std::sync::Arc;

use mainstay_keys::Keypair;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, ServerConfig, SignatureAlgorithm, SignatureScheme, version};

use super::spki;

/// Key pairs that serve TLS without a certificate.
///
/// ```
/// use mainstay_client::{Keypair, tls::TlsKeypair};
///
/// let mut config = Keypair::random().to_rpk_rustls_server_config();
/// config.alpn_protocols = vec![b"http/1.1".to_vec()];
/// ```
pub trait TlsKeypair {
    /// The public key in place of a certificate, and what signs for it; for certificate resolvers of your own.
    fn to_rpk_certified_key(&self) -> CertifiedKey;

    /// The configuration of a server that proves to hold this key, and asks clients for nothing.
    ///
    /// Clients that do not ask for a raw public key are turned away. TLS 1.3 only.
    fn to_rpk_rustls_server_config(&self) -> ServerConfig;
}

impl TlsKeypair for Keypair {
    fn to_rpk_certified_key(&self) -> CertifiedKey {
        let spki = spki::encode(&self.public_key());
        let signing = KeypairSigner { keypair: self.clone(), spki: spki.clone() };
        CertifiedKey::new(vec![CertificateDer::from(spki)], Arc::new(signing))
    }

    fn to_rpk_rustls_server_config(&self) -> ServerConfig {
        let key = Arc::new(self.to_rpk_certified_key());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .expect("ring has TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)))
    }
}

/// Signs with the pair itself, so that no second copy of the secret is made.
#[derive(Clone, Debug)]
struct KeypairSigner {
    keypair: Keypair,
    spki: Vec<u8>,
}

impl SigningKey for KeypairSigner {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ED25519)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for KeypairSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.keypair.sign(message).to_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Signature;

    use super::*;

    #[test]
    fn a_pair_serves_its_own_key_and_signs_with_ed25519_alone() {
        let keypair = Keypair::from_secret_key(&[7; 32]);
        let served = keypair.to_rpk_certified_key();
        let spki = spki::encode(&keypair.public_key());
        assert_eq!(served.cert, [CertificateDer::from(spki.clone())]);
        assert_eq!(served.key.public_key().as_deref(), Some(&spki[..]));
        assert_eq!(served.key.algorithm(), SignatureAlgorithm::ED25519);
        let others = [SignatureScheme::ED448, SignatureScheme::RSA_PSS_SHA256];
        assert!(served.key.choose_scheme(&others).is_none());
        let offered = [SignatureScheme::ED448, SignatureScheme::ED25519];
        let signer = served.key.choose_scheme(&offered).expect("it is among them");
        assert_eq!(signer.scheme(), SignatureScheme::ED25519);
        let signature = signer.sign(b"handshake").expect("it always can");
        let signature = Signature::from_bytes(&signature.try_into().expect("64 bytes"));
        assert_eq!(keypair.verify(b"handshake", &signature), Ok(()));
    }
}
