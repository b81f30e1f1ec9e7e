//! QUIC to names under keys, by quinn.
//!
//! Separate because it is the only place that knows quinn (feature `quinn-connector`).

use std::sync::Arc;

use mainstay_keys::Keypair;
use mainstay_packets::dns::TYPE;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, ServerConfig};

use super::error::{BoxError, ConnectError};
use crate::client::Client;
use crate::endpoints::{CouldNotResolveEndpoint, Endpoint, Place};
use crate::tls::{ServerVerifier, TlsKeypair};

/// QUIC (feature `quinn-connector`).
impl Client {
    /// Connects to a name under a key by QUIC, offering these protocols (ALPN).
    ///
    /// The name's HTTPS records are followed, or its SVCB records if it begins with the prefix of another service, as
    /// `_foo.<key>` does. A record that lists protocols (`alpn`) and none of these is passed over; where a record names
    /// no port, 443 is tried. The server must hold a key that the name leads to. One endpoint after the other is tried,
    /// to the end of the handshake, the next beside those that have not answered for a quarter of a second.
    ///
    /// # Errors
    /// [`ConnectError`] says what was tried and how each address failed.
    pub async fn connect_quic(
        &self,
        endpoint: &quinn::Endpoint,
        name: &str,
        protocols: &[&[u8]],
    ) -> Result<Connection, ConnectError> {
        let place = Place::parse(name).map_err(CouldNotResolveEndpoint::from)?;
        let (server, rtype) = (place.host(), kind(&place));
        let mut tls = ServerVerifier::new(self).into_client_config();
        tls.alpn_protocols = owned(protocols);
        let spoken = tls.alpn_protocols.clone();
        let quic = QuicClientConfig::try_from(tls);
        let quic = quic.map_err(|unfit| ConnectError::Configuration(unfit.into()))?;
        let config = ClientConfig::new(Arc::new(quic));
        let is_spoken = move |found: &Endpoint| {
            found.alpn().next().is_none()
                || found.alpn().any(|id| spoken.iter().any(|ours| ours == id))
        };
        super::to_place(self, place, rtype, is_spoken, None, |address| {
            let connecting = endpoint.connect_with(config.clone(), address, &server);
            async move { connecting.map_err(BoxError::from)?.await.map_err(BoxError::from) }
        })
        .await
    }
}

/// Which records lead to a service: those of HTTPS, unless the name begins with the prefix of another.
fn kind(place: &Place) -> TYPE {
    if place.host().starts_with('_') { TYPE::SVCB } else { TYPE::HTTPS }
}

/// The configuration of a server that proves to hold this key, and speaks these protocols (ALPN).
///
/// ```
/// use mainstay_client::{Keypair, connect::quic_server_config};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = quic_server_config(&Keypair::random(), &[b"h3"])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// None that is known: [`ConnectError::Configuration`] if TLS had no cipher that QUIC can begin with.
pub fn quic_server_config(
    keypair: &Keypair,
    protocols: &[&[u8]],
) -> Result<ServerConfig, ConnectError> {
    let mut tls = keypair.to_rpk_rustls_server_config();
    tls.alpn_protocols = owned(protocols);
    let quic = QuicServerConfig::try_from(tls);
    let quic = quic.map_err(|unfit| ConnectError::Configuration(unfit.into()))?;
    Ok(ServerConfig::with_crypto(Arc::new(quic)))
}

fn owned(protocols: &[&[u8]]) -> Vec<Vec<u8>> {
    protocols.iter().map(|id| id.to_vec()).collect()
}
