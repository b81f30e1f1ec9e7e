//! What each outcome looks like on the wire: status, headers, body.
//!
//! Separate from the handlers, so that the table of statuses is one file.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use mainstay_client::{Cached, ConcurrencyError, Freshness, PublishError, ResolveError};
use mainstay_keys::PublicKeyError;
use mainstay_packets::{SignedPacket, Timestamp, VerifyError};
use mainstay_relay::protocol::{
    self, Conflict, EntityTag, NO_STORE, Policy, REVALIDATE, UnknownPolicy, cache_control, header,
    seconds_until_retry,
};
use thiserror::Error;

use crate::body::Body;

/// When to ask again after the network did not answer.
const RETRY: Duration = Duration::from_secs(5);

/// Why a request is not done.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("the path holds no public key: {0}")]
    Key(#[source] PublicKeyError),
    #[error("{0}")]
    Policy(#[source] UnknownPolicy),
    #[error("the body is no signed packet of this key: {0}")]
    Packet(#[source] VerifyError),
    #[error(
        "the packet's timestamp lies more than two hours ahead; check the clock that signed it"
    )]
    Future,
    #[error(
        "the only packet of this key was signed at {}, more than two hours ahead; it is not served before that",
        timestamp.to_rfc3339()
    )]
    FromTheFuture { timestamp: Timestamp },
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error(
        "the records take {length} bytes, and nodes of the DHT store at most {}: shorten the zone",
        SignedPacket::MAX_STORED_DNS_BYTES
    )]
    NotStorable { length: usize },
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body broke off")]
    Broken,
    #[error("If-Match is neither a timestamp in microseconds nor one entity tag")]
    Condition,
    #[error("what If-Match or If-None-Match says of the present packet does not hold")]
    Unmatched,
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("no node of the DHT has stored the packet")]
    NowhereStored,
    #[error("the packet is in the DHT, but this relay's own store did not take it")]
    NotKept,
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("too many requests from this address; come back in {} seconds", seconds_until_retry(*wait))]
    TooMany { wait: Duration },
    #[error("this relay searches for as many keys as it can")]
    Busy,
    #[error("{given} keys are given; at least 1 and at most {most} may be")]
    Keys { given: usize, most: usize },
    #[error("there are as many watches as this relay allows")]
    Watches,
    #[error("there is nothing at this path; packets are at /<public key>")]
    Nothing,
    #[error("the path is too long")]
    TooLong,
    #[error("a request of HTTP/1.1 has one Host header, with a host")]
    Host,
    #[error("this path allows {allowed}")]
    Method { allowed: &'static str },
    #[error("the relay is ending")]
    Ending,
}

impl Refusal {
    /// The answer that tells why.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = text(self.status(), &format!("{self}\n"));
        self.mark(&mut response);
        tracing::debug!(status = self.status().as_u16(), reason = %self, "refused");
        response
    }

    /// Gives an answer that tells why, whatever its words, the status and the headers that programs go by.
    pub(crate) fn mark(&self, response: &mut Response<Body>) {
        let status = self.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match self {
            Self::Resolve(ResolveError::NotAPacket { seq, .. }) => {
                headers.insert(header::INVALID_SEQ, HeaderValue::from(*seq));
            }
            Self::Method { allowed } => insert(headers, "allow", allowed),
            _ => {}
        }
        if let Some(wait) = self.retry_after() {
            insert(headers, header::RETRY_AFTER, &seconds_until_retry(wait));
        }
    }

    /// In how long the same request may do better.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { wait } => Some(*wait),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Key(_)
            | Self::Policy(_)
            | Self::Packet(_)
            | Self::Future
            | Self::Broken
            | Self::Keys { .. }
            | Self::Host
            | Self::Condition => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } | Self::NotStorable { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unmatched => StatusCode::PRECONDITION_FAILED,
            Self::Publish(error) => publish_status(error),
            Self::Resolve(error) => resolve_status(error),
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Watches | Self::NowhereStored | Self::NotKept | Self::Ending => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Nothing | Self::FromTheFuture { .. } => StatusCode::NOT_FOUND,
            Self::TooLong => StatusCode::URI_TOO_LONG,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

fn publish_status(error: &PublishError) -> StatusCode {
    let Some(conflict) = error.concurrency() else { return StatusCode::SERVICE_UNAVAILABLE };
    let conflict = match conflict {
        ConcurrencyError::ConflictRisk => Conflict::ConflictRisk,
        ConcurrencyError::CasFailed { .. } => Conflict::CasFailed,
        _ => Conflict::NotMostRecent,
    };
    StatusCode::from_u16(conflict.status()).unwrap_or(StatusCode::CONFLICT)
}

fn resolve_status(error: &ResolveError) -> StatusCode {
    match error {
        ResolveError::NoAnswer(_) | ResolveError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::NOT_FOUND,
    }
}

/// 204, and on how many nodes the packet is stored.
pub(crate) fn stored(nodes: usize) -> Response<Body> {
    let mut response = bare(StatusCode::NO_CONTENT, Body::default());
    let headers = response.headers_mut();
    headers.insert(header::STORED_NODES, HeaderValue::from(nodes));
    insert(headers, header::CACHE_CONTROL, NO_STORE);
    response
}

/// 200 with the packet, or 304 when it is `unchanged`; the headers are the same.
///
/// An answer to [`Policy::NetworkOnly`] may be kept, but is to be asked about again each time: whoever wants what the network
/// has now must not be given what a cache on the way kept for somebody else.
pub(crate) fn packet(
    cached: &Cached,
    freshness: Freshness,
    policy: Policy,
    unchanged: bool,
) -> Response<Body> {
    let Cached { packet, last_seen } = cached;
    let (status, body) = if unchanged {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, packet.to_relay_payload())
    };
    let mut response = bare(status, Body::from(body));
    let headers = response.headers_mut();
    headers.reserve(10);
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(protocol::CONTENT_TYPE));
    match policy {
        Policy::NetworkOnly => insert(headers, header::CACHE_CONTROL, REVALIDATE),
        Policy::CacheOnly | Policy::CacheFirst => {
            insert(headers, header::CACHE_CONTROL, &cache_control(remaining(cached, freshness)));
        }
    }
    insert(headers, header::ETAG, &EntityTag::of(packet).to_string());
    insert(headers, header::LAST_MODIFIED, &packet.timestamp().format_http_date());
    insert(headers, header::MEMENTO_DATETIME, &last_seen.format_http_date());
    response
}

/// For how long others may keep what is known of the packet.
pub(crate) fn remaining(cached: &Cached, freshness: Freshness) -> Duration {
    Duration::from_secs(freshness.expires_in(cached, Timestamp::clock()).into())
}

/// A document of this kind that nobody is to keep.
pub(crate) fn document(kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = bare(StatusCode::OK, body.into());
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    response
}

/// A JSON document that nobody is to keep.
pub(crate) fn json(value: &impl serde::Serialize) -> Response<Body> {
    // Strings and numbers always make JSON; an empty answer would be a fault of ours, and seen in tests.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    document("application/json", text)
}

/// A line of text that nobody is to keep.
pub(crate) fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = document("text/plain; charset=utf-8", text.as_bytes().to_vec());
    *response.status_mut() = status;
    response
}

pub(crate) fn bare(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

pub(crate) fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Every value here is made of printable ASCII; one that were not is better left away than fatal.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
