//! The client's side: whether a server is the one that a name leads to.
//!
//! Separate because this judgement is all that stands between a name and an impostor.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use mainstay_keys::{PublicKey, Signature};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, PeerMisbehaved,
    RootCertStore, SignatureScheme, version,
};
use thiserror::Error;

use super::expected::ExpectedKeys;
use super::spki;
use crate::client::Client;
use crate::endpoints::Place;

/// Tells whether a server is the one that a name leads to; awaits nothing.
///
/// A name that ends in a key is served by whoever holds that key, or one that the client has lately resolved for the
/// name: ask for its endpoints before you connect. No certificate of any authority counts for it. For all other names
/// the certificates of the web count, if [`Self::with_web_roots`] has named authorities, and no raw key does.
///
/// In TLS a client says which of the two it wants before the server speaks, and rustls lets a configuration want only
/// one: [`Self::new`] wants raw public keys. The one client for both is
/// [`reqwest::ClientBuilder::from(client)`](Client::reqwest_builder) (feature `reqwest-builder`).
#[derive(Clone, Debug)]
pub struct ServerVerifier {
    expected: ExpectedKeys,
    provider: Arc<CryptoProvider>,
    web: Option<Arc<WebPkiServerVerifier>>,
    wants_raw_key: fn() -> bool,
}

impl ServerVerifier {
    /// Accepts the servers that this client resolves names under keys to.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self {
            expected: client.expected_keys().clone(),
            provider: Arc::new(ring::default_provider()),
            web: None,
            wants_raw_key: || true,
        }
    }

    /// Accepts, for names that do not end in a key, certificates that these authorities vouch for; with none, no such
    /// name is accepted.
    #[must_use]
    pub fn with_web_roots(self, roots: RootCertStore) -> Self {
        let provider = self.provider.clone();
        // Without roots there is nobody to ask, which is what the builder's error says.
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Self { web: web.build().ok(), ..self }
    }

    /// Leaves it to `wants_raw_key` what a connection asks for: raw public keys or certificates. It must say the same
    /// throughout a handshake.
    #[cfg(any(feature = "hyper-connector", feature = "reqwest-builder"))]
    pub(crate) fn asking(self, wants_raw_key: fn() -> bool) -> Self {
        Self { wants_raw_key, ..self }
    }

    /// The configuration of clients that trust this verifier and have nothing to prove themselves.
    ///
    /// Sessions are not resumed, since a resumed session is not verified: whom a name leads to is asked anew for each
    /// connection.
    #[must_use]
    pub fn into_client_config(self) -> ClientConfig {
        let versions = [&version::TLS13, &version::TLS12];
        let versions = if self.web.is_some() { &versions[..] } else { &versions[..1] };
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(versions)
            .expect("ring has these versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config
    }

    fn verify_raw_key(
        &self,
        place: &Place,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<ServerCertVerified, Error> {
        let presented = spki::decode(presented).filter(|_| intermediates.is_empty());
        let presented = presented.ok_or(CertificateError::BadEncoding)?;
        let name = place.to_string();
        if presented == place.key() || self.expected.is_expected(&name, &presented, Instant::now())
        {
            return Ok(ServerCertVerified::assertion());
        }
        let wrong = WrongServerKey { name, presented };
        Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
    }
}

/// A server holds a key that its name does not lead to: it is an impostor, or the name was not resolved before.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("the server holds {presented}, which {name} does not lead to as far as is resolved")]
#[non_exhaustive]
pub struct WrongServerKey {
    /// The name that was to be reached.
    pub name: String,
    /// The key that the server has.
    pub presented: PublicKey,
}

/// As `Display`: it is this that rustls prints of the reasons of others.
impl fmt::Debug for WrongServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let ServerName::DnsName(name) = server_name
            && let Some(place) = Place::of_host(name.as_ref())
        {
            return self.verify_raw_key(&place, end_entity, intermediates);
        }
        let web = self.web.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        web.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // A raw key is no certificate to this function, and refused.
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = spki::decode(cert) else {
            let algorithms = &self.provider.signature_verification_algorithms;
            return verify_tls13_signature(message, cert, dss, algorithms);
        };
        if dss.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let signature = dss.signature().try_into().map_err(|_| CertificateError::BadSignature)?;
        let verified = key.verify(message, &Signature::from_bytes(signature));
        verified.map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        (self.wants_raw_key)()
    }
}

/// For names under keys, whose endpoints this client resolves; see [`ServerVerifier`].
impl From<&Client> for ClientConfig {
    fn from(client: &Client) -> Self {
        ServerVerifier::new(client).into_client_config()
    }
}

/// For names under keys, whose endpoints this client resolves; see [`ServerVerifier`].
impl From<Client> for ClientConfig {
    fn from(client: Client) -> Self {
        Self::from(&client)
    }
}

#[cfg(test)]
mod tests;
