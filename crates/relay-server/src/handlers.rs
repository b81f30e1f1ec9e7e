//! What each request does: read it, ask the client, answer.
//!
//! Separate from the server, so that a request's path can be followed on one page.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use mainstay_client::{Client, Freshness, Policy};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay::protocol::{self, MAX_PAYLOAD};

use crate::answer::{self, Refusal};
use crate::conditional::{expected_timestamp, not_modified};

/// What every handler needs.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) body_timeout: Duration,
}

/// The query of `GET`: all its parameters, of which one has a meaning.
type Parameters = Query<Vec<(String, String)>>;

/// `PUT /{key}`: verify, publish, answer with the number of nodes that stored it.
pub(crate) async fn put(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let stored = async {
        let key = parse_key(&key)?;
        let packet = read_packet(&shared, &key, &headers, body).await?;
        let cas = expected_timestamp(&shared.client, &key, &headers).await?;
        Ok(shared.client.publish_report(&packet, cas).await?)
    };
    stored
        .await
        .map_or_else(|refusal: Refusal| refusal.into_response(), |report| answer::stored(&report))
}

/// `GET /{key}`: the packet that the policy allows, or why there is none.
pub(crate) async fn get(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let key = parse_key(&key)?;
        let policy = parse_policy(&parameters)?;
        Ok(shared.client.resolve_with(&key, policy).await?)
    };
    match found.await {
        Ok(resolution) => {
            let unchanged = not_modified(&resolution.packet, &headers);
            answer::packet(&resolution, shared.client.freshness(), unchanged)
        }
        Err(refusal) => Refusal::into_response(refusal),
    }
}

/// `GET /health`: that the process serves, and what it is connected to.
pub(crate) async fn health(State(shared): State<Shared>) -> Response {
    let dht = shared.client.dht();
    let nodes = dht.as_ref().map_or(0, |dht| dht.info().nodes());
    let joined = dht.as_ref().is_some_and(mainstay_client::dht::Dht::bootstrapped);
    let cached = shared.client.cache().map_or(0, mainstay_client::Cache::len);
    answer::health(joined, nodes, cached)
}

/// `GET /`: what this is.
pub(crate) async fn index() -> Response {
    answer::text(
        StatusCode::OK,
        concat!(
            "mainstay relay ",
            env!("CARGO_PKG_VERSION"),
            "\n\nGET /<public key> fetches the signed packet of a key, PUT stores one, /health tells how this relay is.\n"
        ),
    )
}

/// Any other path.
pub(crate) async fn no_such_path() -> Response {
    answer::text(
        StatusCode::NOT_FOUND,
        "there is nothing at this path; packets are at /<public key>\n",
    )
}

fn parse_key(text: &str) -> Result<PublicKey, Refusal> {
    PublicKey::parse(text).map_err(Refusal::Key)
}

fn parse_policy(parameters: &Parameters) -> Result<Policy, Refusal> {
    let named = parameters.iter().find(|(name, _)| name == protocol::Policy::PARAMETER);
    let policy = named.map_or(Ok(protocol::Policy::default()), |(_, value)| value.parse());
    Ok(match policy.map_err(Refusal::Policy)? {
        protocol::Policy::CacheOnly => Policy::CacheOnly,
        // A packet that has expired is better than none when the network does not answer; it is sent as expired.
        protocol::Policy::CacheFirst => Policy::StaleIfError,
        protocol::Policy::NetworkOnly => Policy::NetworkOnly,
    })
}

async fn read_packet(
    shared: &Shared,
    key: &PublicKey,
    headers: &HeaderMap,
    body: Body,
) -> Result<SignedPacket, Refusal> {
    let announced =
        headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_PAYLOAD as u64) {
        return Err(Refusal::TooLarge);
    }
    let payload = tokio::time::timeout(shared.body_timeout, to_bytes(body, MAX_PAYLOAD + 1))
        .await
        .map_err(|_elapsed| Refusal::TooSlow)?
        .map_err(body_refusal)?;
    if payload.len() > MAX_PAYLOAD {
        return Err(Refusal::TooLarge);
    }
    verify(key, &payload)
}

/// More bytes than the limit and a connection that broke are both errors of reading the body.
fn body_refusal(error: axum::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit") {
            return Refusal::TooLarge;
        }
        cause = error.source();
    }
    Refusal::Broken
}

fn verify(key: &PublicKey, payload: &Bytes) -> Result<SignedPacket, Refusal> {
    let packet = SignedPacket::from_relay_payload(key, payload).map_err(Refusal::Packet)?;
    let length = packet.encoded_packet().len();
    if length > SignedPacket::MAX_STORED_DNS_BYTES {
        return Err(Refusal::NotStorable { length });
    }
    if Freshness::is_plausible(packet.timestamp(), Timestamp::clock()) {
        Ok(packet)
    } else {
        Err(Refusal::Future)
    }
}
