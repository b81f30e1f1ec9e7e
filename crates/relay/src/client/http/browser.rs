//! HTTP of browsers: `fetch` does the connecting, the redirects and the TLS.
//! Apart from native programs, where all of that is ours to decide.

use std::error::Error;

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, Response};
use url::Url;

pub(super) fn client(_relay: &Url) -> Result<Client, Box<dyn Error + Send + Sync>> {
    Ok(Client::builder().build()?)
}

/// By the mode of `fetch`, not by a header: a header would need the relay's permission first.
pub(super) fn bypass_caches(request: RequestBuilder) -> RequestBuilder {
    request.fetch_cache_no_store()
}

/// Reads the body, unless its length is announced to be more than `limit`; and tells whether it was cut.
///
/// A browser hands out the whole body at once, so one without an announced length is cut only afterwards.
pub(super) async fn body(
    response: Response,
    limit: usize,
) -> Result<(Bytes, bool), reqwest::Error> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Ok((Bytes::new(), true));
    }
    let mut body = response.bytes().await?;
    let cut = body.len() > limit;
    body.truncate(limit);
    Ok((body, cut))
}

/// A browser tells scripts nothing about why a request failed.
pub(super) fn is_connect(error: &reqwest::Error) -> bool {
    error.is_request()
}
