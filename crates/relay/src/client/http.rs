//! One HTTP request to a relay, and what is read of the answer.
//! The only file that names the HTTP library, and that differs between native programs and browsers.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use reqwest::{RequestBuilder, header::HeaderMap};
use url::Url;

use super::BuildError;
use crate::protocol::{self, header};

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
use browser as platform;
#[cfg(not(target_family = "wasm"))]
use native as platform;

/// An HTTP client of one's own, of the version of reqwest that this crate uses.
pub use reqwest::Client as HttpClient;

/// Connections to one relay.
pub(super) struct Http(HttpClient);

impl From<HttpClient> for Http {
    fn from(client: HttpClient) -> Self {
        Self(client)
    }
}

/// What is asked of a relay.
pub(super) enum Request {
    Get { url: Url, bypass_caches: bool, timeout: Duration },
    Put { url: Url, payload: Bytes, if_match: Option<String>, timeout: Duration },
}

/// What came back, cut to a bearable size.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    /// At most [`protocol::MAX_BODY`] bytes.
    pub(super) body: Bytes,
    /// Whether there was more.
    pub(super) cut: bool,
    /// Whether another place answered than was asked.
    pub(super) redirected: bool,
}

/// Why nothing came back.
pub(super) enum Failure {
    Timeout,
    Connect(Box<dyn Error + Send + Sync>),
    Redirect(Box<dyn Error + Send + Sync>),
    Broken(Box<dyn Error + Send + Sync>),
}

impl Request {
    pub(super) const fn timeout(&self) -> Duration {
        match self {
            Self::Get { timeout, .. } | Self::Put { timeout, .. } => *timeout,
        }
    }

    fn url(&self) -> &Url {
        match self {
            Self::Get { url, .. } | Self::Put { url, .. } => url,
        }
    }
}

impl Answer {
    /// A header's value, if it is there and text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Http {
    pub(super) fn new(relay: &Url) -> Result<Self, BuildError> {
        platform::client(relay).map(Self).map_err(|source| BuildError::Http { source })
    }

    pub(super) async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let (timeout, asked) = (request.timeout(), request.url().clone());
        let response = self.prepare(request).timeout(timeout).send().await.map_err(failure)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let redirected = response.url() != &asked;
        let (body, cut) = match platform::body(response, protocol::MAX_BODY).await {
            Ok(body) => body,
            // A status that refuses says all; the words that explain it may be lost.
            Err(_) if status != 200 => (Bytes::new(), false),
            Err(error) => return Err(failure(error)),
        };
        Ok(Answer { status, headers, body, cut, redirected })
    }

    fn prepare(&self, request: Request) -> RequestBuilder {
        match request {
            Request::Get { url, bypass_caches: false, .. } => self.0.get(url),
            Request::Get { url, bypass_caches: true, .. } => {
                platform::bypass_caches(self.0.get(url))
            }
            Request::Put { url, payload, if_match, .. } => {
                let put = self.0.put(url).body(payload);
                match if_match {
                    Some(value) => put.header(header::IF_MATCH, value),
                    None => put,
                }
            }
        }
    }
}

fn failure(error: reqwest::Error) -> Failure {
    // The address may hold a password, and the error that this goes into names the relay.
    let error = error.without_url();
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_redirect() {
        Failure::Redirect(error.into())
    } else if platform::is_connect(&error) {
        Failure::Connect(error.into())
    } else {
        Failure::Broken(error.into())
    }
}
