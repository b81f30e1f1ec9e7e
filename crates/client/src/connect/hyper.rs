//! A connector for the client of hyper-util, for names under keys and for the web.
//!
//! Separate because it is the only place that knows hyper (feature `hyper-connector`).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use mainstay_packets::dns::TYPE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::error::{BoxError, ConnectError};
use crate::client::Client;
use crate::endpoints::{Endpoint, Place};
use crate::tls::ServerVerifier;

/// Connects hyper-util's client to `https://<key>/` as well as to `https://example.com/`.
///
/// Names that end in a key are resolved by the client, and their servers must hold a key that the name leads to; all
/// others are resolved by the system, and need a certificate. A port in the URL beats the records'. Connecting fails over
/// from one endpoint to the next, to the end of the handshake. `http` without TLS is refused.
///
/// ```
/// use hyper_util::client::legacy::Client as Http;
/// use hyper_util::rt::TokioExecutor;
/// use mainstay_client::connect::HttpsConnector;
///
/// # fn example(client: mainstay_client::Client) {
/// let connector = HttpsConnector::new(&client);
/// let http: Http<_, String> = Http::builder(TokioExecutor::new()).build(connector);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpsConnector {
    client: Client,
    by_key: Arc<ClientConfig>,
    by_certificate: Arc<ClientConfig>,
}

impl HttpsConnector {
    /// Trusts Mozilla's authorities for names that do not end in a key.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::with_roots(client, roots)
    }

    /// Trusts these authorities for names that do not end in a key; with none, no such server.
    #[must_use]
    pub fn with_roots(client: &Client, roots: RootCertStore) -> Self {
        let web = ServerVerifier::new(client).with_web_roots(roots).asking(|| false);
        let by_key = ServerVerifier::new(client).into_client_config();
        let this = Self {
            client: client.clone(),
            by_key: Arc::new(by_key),
            by_certificate: Arc::new(web.into_client_config()),
        };
        this.offering(&[b"http/1.1"])
    }

    /// Offers HTTP/2 beside HTTP/1.1, for clients that were built with it.
    #[must_use]
    pub fn with_http2(self) -> Self {
        self.offering(&[b"h2", b"http/1.1"])
    }

    fn offering(mut self, protocols: &[&[u8]]) -> Self {
        for config in [&mut self.by_key, &mut self.by_certificate] {
            Arc::make_mut(config).alpn_protocols = protocols.iter().map(|id| id.to_vec()).collect();
        }
        self
    }

    async fn connect(self, uri: Uri) -> Result<HttpsStream, ConnectError> {
        let wrong = || ConnectError::NotHttps(uri.to_string());
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
        let place = Place::of_host(&host);
        let config = if place.is_some() { &self.by_key } else { &self.by_certificate };
        let handshake = |address| {
            let (tls, server) = (TlsConnector::from(config.clone()), server.clone());
            async move { shake_hands(tls, server, address).await.map_err(BoxError::from) }
        };
        let stream = match place {
            None => super::to_host(&host, uri.port_u16().unwrap_or(443), handshake).await?,
            Some(place) => {
                let spoken = config.alpn_protocols.clone();
                let is_spoken = move |endpoint: &Endpoint| speaks_one(endpoint, &spoken);
                let (client, port) = (&self.client, uri.port_u16());
                super::to_place(client, place, TYPE::HTTPS, is_spoken, port, handshake).await?
            }
        };
        Ok(HttpsStream(TokioIo::new(stream)))
    }
}

/// Whether one of these protocols is spoken there; HTTP/1.1 is unless the record says otherwise.
fn speaks_one(endpoint: &Endpoint, protocols: &[Vec<u8>]) -> bool {
    !endpoint.no_default_alpn() || endpoint.alpn().any(|id| protocols.iter().any(|ours| ours == id))
}

async fn shake_hands(
    tls: TlsConnector,
    server: ServerName<'static>,
    address: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    tls.connect(server, stream).await
}

impl Service<Uri> for HttpsConnector {
    type Response = HttpsStream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpsStream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection by TLS, as hyper reads and writes it.
#[derive(Debug)]
pub struct HttpsStream(TokioIo<TlsStream<TcpStream>>);

impl Connection for HttpsStream {
    fn connected(&self) -> Connected {
        let (_, session) = self.0.inner().get_ref();
        let connected = Connected::new();
        if session.alpn_protocol() == Some(b"h2") { connected.negotiated_h2() } else { connected }
    }
}

impl Read for HttpsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for HttpsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
