//! HTTP of native programs: TLS by rustls with ring, and nothing that would follow a relay's whims.
//! Apart from browsers, which do all of this by themselves.

use std::{error::Error, sync::Arc};

use bytes::{Bytes, BytesMut};
use reqwest::{Client, RequestBuilder, Response, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

use crate::protocol::{BYPASS, header};

/// How often a relay may point elsewhere.
const MOST_REDIRECTS: usize = 2;

/// How many idle connections to the relay are kept.
const MOST_IDLE: usize = 8;

pub(super) fn client(relay: &Url) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(redirect::Policy::custom(judge))
        .pool_max_idle_per_host(MOST_IDLE)
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        // Other users of the library in the same program may have switched these on for everybody.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd();
    let builder = if is_this_machine(relay) { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // Named here, so that neither a default of the process nor another crate's features choose.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Follows twice at most, and never from a safe connection to one that everybody can read.
fn judge(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let safe = attempt.previous().last().is_some_and(|from| is_safe(from, attempt.url()));
    if attempt.previous().len() > MOST_REDIRECTS {
        attempt.error("more redirects than a relay needs")
    } else if !safe {
        attempt.error("redirect to a scheme that is less safe")
    } else {
        attempt.follow()
    }
}

fn is_safe(from: &Url, to: &Url) -> bool {
    to.scheme() == "https" || to.scheme() == from.scheme()
}

fn is_this_machine(relay: &Url) -> bool {
    match relay.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) fn bypass_caches(request: RequestBuilder) -> RequestBuilder {
    request.header(header::CACHE_CONTROL, BYPASS)
}

/// Reads up to `limit` bytes, and tells whether there are more.
pub(super) async fn body(
    mut response: Response,
    limit: usize,
) -> Result<(Bytes, bool), reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit.saturating_sub(body.len());
        if chunk.len() > room {
            body.extend(chunk.iter().take(room));
            return Ok((body.freeze(), true));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), false))
}

pub(super) fn is_connect(error: &reqwest::Error) -> bool {
    error.is_connect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_redirect_may_keep_or_gain_safety_and_never_lose_it() {
        let (http, https) = (url("http://a.example"), url("https://b.example"));
        assert!(is_safe(&http, &http) && is_safe(&https, &https) && is_safe(&http, &https));
        assert!(!is_safe(&https, &http));
        assert!(!is_safe(&https, &url("ftp://a.example")));
    }

    #[test]
    fn relays_on_this_machine_are_asked_without_a_proxy() {
        for own in
            ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]", "http://localhost:6881"]
        {
            assert!(is_this_machine(&url(own)), "{own}");
        }
        for other in ["http://192.0.2.1", "http://[2001:db8::1]", "http://localhost.example"] {
            assert!(!is_this_machine(&url(other)), "{other}");
        }
    }
}
