//! What each outcome looks like on the wire: status, headers, body.
//!
//! Separate from the handlers, so that the table of statuses is one file.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response as HttpResponse, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use mainstay_client::{
    Cached, ConcurrencyError, Freshness, PublishError, PublishReport, Resolution, ResolveError,
};
use mainstay_keys::PublicKeyError;
use mainstay_packets::{SignedPacket, Timestamp, VerifyError};
use mainstay_relay::protocol::{
    self, Conflict, EntityTag, MAX_PAYLOAD, NO_STORE, UnknownPolicy, cache_control, header,
    seconds_until_retry,
};
use thiserror::Error;

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
    #[error("the body has more than {MAX_PAYLOAD} bytes")]
    TooLarge,
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
    #[error("the packet that If-Match names is not the present one")]
    Unmatched,
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl Refusal {
    /// The answer that tells why.
    pub(crate) fn into_response(self) -> Response {
        let mut response = text(self.status(), &format!("{self}\n"));
        let headers = response.headers_mut();
        if let Self::Resolve(ResolveError::NotAPacket { seq, .. }) = &self {
            headers.insert(header::INVALID_SEQ, HeaderValue::from(*seq));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            insert(headers, header::RETRY_AFTER, &seconds_until_retry(RETRY));
        }
        if !matches!(self, Self::Key(_) | Self::Policy(_)) {
            tracing::debug!(status = self.status().as_u16(), reason = %self, "refused");
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Key(_)
            | Self::Policy(_)
            | Self::Packet(_)
            | Self::Future
            | Self::Broken
            | Self::Condition => StatusCode::BAD_REQUEST,
            Self::TooLarge | Self::NotStorable { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unmatched => StatusCode::PRECONDITION_FAILED,
            Self::Publish(error) => publish_status(error),
            Self::Resolve(error) => resolve_status(error),
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
pub(crate) fn stored(report: &PublishReport) -> Response {
    let mut response = bare(StatusCode::NO_CONTENT, Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::STORED_NODES, HeaderValue::from(report.stored_nodes()));
    insert(headers, header::CACHE_CONTROL, NO_STORE);
    response
}

/// 200 with the packet, or 304 when it is `unchanged`; the headers are the same.
pub(crate) fn packet(resolution: &Resolution, freshness: Freshness, unchanged: bool) -> Response {
    let packet = &resolution.packet;
    let now = Timestamp::clock();
    let cached = Cached { packet: packet.clone(), last_seen: resolution.last_seen };
    let remaining = Duration::from_secs(freshness.expires_in(&cached, now).into());
    let (status, body) = if unchanged {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, packet.to_relay_payload())
    };
    let mut response = bare(status, Body::from(body));
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, protocol::CONTENT_TYPE);
    insert(headers, header::CACHE_CONTROL, &cache_control(remaining));
    insert(headers, header::ETAG, &EntityTag::of(packet).to_string());
    insert(headers, header::LAST_MODIFIED, &packet.timestamp().format_http_date());
    insert(headers, header::MEMENTO_DATETIME, &resolution.last_seen.format_http_date());
    response
}

/// How the relay is, as JSON.
pub(crate) fn health(joined: bool, nodes: usize, cached: usize) -> Response {
    let status = if joined { "ok" } else { "joining" };
    let version = env!("CARGO_PKG_VERSION");
    let body = format!(
        "{{\"status\":\"{status}\",\"version\":\"{version}\",\"nodes\":{nodes},\"cached_packets\":{cached}}}\n"
    );
    let mut response = bare(StatusCode::OK, Body::from(body));
    insert(response.headers_mut(), header::CONTENT_TYPE, "application/json");
    insert(response.headers_mut(), header::CACHE_CONTROL, NO_STORE);
    response
}

/// An answer for people, which nobody may keep.
pub(crate) fn text(status: StatusCode, text: &str) -> Response {
    let mut response = bare(status, Body::from(text.to_owned()));
    insert(response.headers_mut(), header::CONTENT_TYPE, "text/plain; charset=utf-8");
    insert(response.headers_mut(), header::CACHE_CONTROL, NO_STORE);
    response
}

fn bare(status: StatusCode, body: Body) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response
}

fn insert(headers: &mut axum::http::HeaderMap, name: &'static str, value: &str) {
    // Every value here is made of printable ASCII; one that were not is better left away than fatal.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
