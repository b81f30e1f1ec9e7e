//! `/packets`: several keys with one request.
//!
//! Separate because one key's failure is here a line of the answer, not the answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Response;
use hyper::body::Body as HttpBody;
use mainstay_client::Cached;
use mainstay_keys::PublicKey;
use mainstay_relay::protocol::{Policy, seconds_until_retry};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::answer::{self, Refusal};
use crate::base64;
use crate::body::Body;
use crate::limits::Source;
use crate::packets::{self, parse_key, parse_policy, read};
use crate::route::parameters;
use crate::service::{Question, Relay, Settings};

/// How many bytes of a body one key may take, with what stands around it.
const BYTES_A_KEY: usize = 128;

#[derive(Debug, Serialize)]
struct Batch {
    packets: Vec<Found>,
}

/// What became of one key, in the words of a `GET` for it.
#[derive(Debug, Serialize)]
struct Found {
    key: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    /// When it was last seen on the network, in microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<u64>,
    /// For how many seconds it may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    /// The packet without its key, in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// In how many seconds to ask again, where that may help: what `Retry-After` would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// The packets of the keys in the query (`key=…`, again and again) and in the body (between white space).
///
/// Each key costs as much as a request for it alone.
pub(crate) async fn packets<B>(
    question: &Question<'_>,
    source: Source,
    body: B,
) -> Result<Response<Body>, Refusal>
where
    B: HttpBody<Data = Bytes>,
{
    let most = question.settings.config.http.max_batch;
    let policy = parse_policy(question.query)?;
    let limit = most.saturating_mul(BYTES_A_KEY);
    let body = read(question.settings, question.headers, body, limit).await?;
    let body = String::from_utf8_lossy(&body);
    let mut keys: Vec<String> =
        parameters(question.query, "key").map(std::borrow::Cow::into_owned).collect();
    keys.extend(body.split_whitespace().map(str::to_owned));
    if keys.is_empty() || keys.len() > most {
        return Err(Refusal::Keys { given: keys.len(), most });
    }
    // The request itself has paid for the first.
    let others = u32::try_from(keys.len().saturating_sub(1)).unwrap_or(u32::MAX);
    if others > 0 {
        question.charge(&source, others)?;
    }
    let mut running = JoinSet::new();
    for (index, text) in keys.into_iter().enumerate() {
        let (relay, settings) = (question.relay.clone(), question.settings.clone());
        running.spawn(async move { (index, find(relay, settings, source, text, policy).await) });
    }
    let mut found = running.join_all().await;
    found.sort_by_key(|(index, _)| *index);
    Ok(answer::json(&Batch { packets: found.into_iter().map(|(_, found)| found).collect() }))
}

async fn find(
    relay: Arc<Relay>,
    settings: Arc<Settings>,
    source: Source,
    text: String,
    policy: Policy,
) -> Found {
    let key = match parse_key(&text) {
        Ok(key) => key,
        Err(refusal) => return failed(text, &refusal),
    };
    match packets::find(&relay, &settings, &source, &key, policy).await {
        Ok(cached) => present(&relay, key, &cached),
        Err(refusal) => failed(key.to_z32(), &refusal),
    }
}

fn present(relay: &Relay, key: PublicKey, cached: &Cached) -> Found {
    Found {
        key: key.to_z32(),
        status: 200,
        timestamp: Some(cached.packet.timestamp().as_u64()),
        last_seen: Some(cached.last_seen.as_u64()),
        max_age: Some(answer::remaining(cached, relay.client.freshness()).as_secs()),
        packet: Some(base64::encode(&cached.packet.to_relay_payload())),
        error: None,
        retry_after: None,
    }
}

fn failed(key: String, refusal: &Refusal) -> Found {
    Found {
        key,
        status: refusal.status().as_u16(),
        timestamp: None,
        last_seen: None,
        max_age: None,
        packet: None,
        error: Some(refusal.to_string()),
        retry_after: refusal.retry_after().and_then(|wait| seconds_until_retry(wait).parse().ok()),
    }
}
