//! One HTTP client for names under keys and for the web.
//!
//! Separate because it joins what else stands alone: the resolver, the verifier, and reqwest's connections (feature
//! `reqwest-builder`).

use std::cell::Cell;
use std::task::{Context, Poll};

use reqwest::ClientBuilder;
use rustls::RootCertStore;
use tokio::task::futures::TaskLocalFuture;
use tokio::task_local;
use tower::{Layer, Service};

use crate::client::Client;
use crate::tls::ServerVerifier;

/// HTTP (feature `reqwest-builder`).
impl Client {
    /// Starts to configure a [`reqwest::Client`] that reaches `https://<key>/` as well as `https://example.com/`.
    ///
    /// Names that end in a key are resolved by this client, and their servers must hold a key that the name leads to;
    /// see `reqwest::dns::Resolve` and [`ServerVerifier`]. All others are resolved by the system, and their servers need
    /// a certificate from one of Mozilla's authorities. HTTP/1.1 is spoken to both. Do not replace what is set here: the
    /// resolver and the TLS backend.
    ///
    /// Through a proxy names under keys are not reached, since it is the proxy that would have to resolve them.
    ///
    /// ```
    /// # async fn example(client: mainstay_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let http = client.reqwest_builder().build()?;
    /// let key = "o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy";
    /// let page = http.get(format!("https://{key}/")).send().await?.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reqwest_builder(&self) -> ClientBuilder {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        self.reqwest_builder_with_roots(roots)
    }

    /// As [`Self::reqwest_builder`], with other authorities for names that do not end in a key; with none, no such
    /// server is trusted.
    pub fn reqwest_builder_with_roots(&self, roots: RootCertStore) -> ClientBuilder {
        let verifier = ServerVerifier::new(self).with_web_roots(roots).asking(wants_raw_key);
        ClientBuilder::new()
            .dns_resolver(self.clone())
            .tls_backend_preconfigured(verifier.into_client_config())
            .connector_layer(PerConnection)
    }
}

/// As [`Client::reqwest_builder`].
impl From<&Client> for ClientBuilder {
    fn from(client: &Client) -> Self {
        client.reqwest_builder()
    }
}

/// As [`Client::reqwest_builder`].
impl From<Client> for ClientBuilder {
    fn from(client: Client) -> Self {
        client.reqwest_builder()
    }
}

task_local! {
    /// Whether the connection that is being made is to a name under a key.
    ///
    /// In its first flight a TLS client says whether it wants a raw key or a certificate, and rustls asks the verifier
    /// which without telling it for whom. But each connection of reqwest is made by one future, from the look-up to the
    /// end of the handshake: what the look-up learns is left here, and only that future ever sees it.
    static WANTS_RAW_KEY: Cell<bool>;
}

/// Says that the present connection is to a name under a key.
pub(crate) fn want_raw_key() {
    // Outside of a connection there is no handshake to follow either.
    let _ = WANTS_RAW_KEY.try_with(|wants| wants.set(true));
}

fn wants_raw_key() -> bool {
    WANTS_RAW_KEY.try_with(Cell::get).unwrap_or(false)
}

/// Gives each connection its own [`WANTS_RAW_KEY`].
#[derive(Clone, Copy, Debug)]
struct PerConnection;

impl<S> Layer<S> for PerConnection {
    type Service = Connector<S>;

    fn layer(&self, connector: S) -> Connector<S> {
        Connector(connector)
    }
}

#[derive(Clone, Debug)]
struct Connector<S>(S);

impl<S, Request> Service<Request> for Connector<S>
where
    S: Service<Request>,
    S::Future: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TaskLocalFuture<Cell<bool>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        WANTS_RAW_KEY.scope(Cell::new(false), self.0.call(request))
    }
}
