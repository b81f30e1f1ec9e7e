//! `GET` and `PUT` of packets: read the request, ask the client, answer.
//!
//! Separate from the other answers, because this is what a relay is for.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use hyper::body::Body as HttpBody;
use hyper::{HeaderMap, Response};
use mainstay_client::{Cached, Client, Freshness, Policy};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay::protocol::{self, MAX_PAYLOAD};

use crate::answer::{self, Refusal};
use crate::body::Body;
use crate::conditional::{expected_timestamp, not_modified};
use crate::limits::{Kind, Source};
use crate::names;
use crate::route::parameter;
use crate::service::{Relay, Settings};

/// `GET`: the packet that the policy allows, or why there is none.
pub(crate) async fn get(
    relay: &Relay,
    settings: &Settings,
    source: &Source,
    key: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let (text, known) = (key, names::recall(key));
    let key = known.map_or_else(|| parse_key(text), Ok)?;
    let policy = parse_policy(query)?;
    let cached = match at_hand(&relay.client, &key, policy) {
        Some(cached) => {
            if known.is_none() {
                names::note(text, key);
            }
            cached
        }
        // Boxed so that a hit in memory does not pay for the space that a search needs.
        None => Box::pin(find(relay, settings, source, &key, policy)).await?,
    };
    let unchanged = not_modified(&cached.packet, headers);
    Ok(answer::packet(&cached, relay.client.freshness(), policy, unchanged))
}

/// The packet in memory, if it is answer enough.
fn at_hand(client: &Client, key: &PublicKey, policy: protocol::Policy) -> Option<Cached> {
    client.peek(key).filter(|cached| suffices(client, policy, cached))
}

fn suffices(client: &Client, policy: protocol::Policy, cached: &Cached) -> bool {
    match policy {
        protocol::Policy::CacheOnly => true,
        protocol::Policy::CacheFirst => client.freshness().is_fresh(cached, Timestamp::clock()),
        protocol::Policy::NetworkOnly => false,
    }
}

/// The packet that the policy allows, from wherever it must be fetched.
///
/// What the network is asked for is counted against the client; what memory or the store knows is not, the absence of
/// a packet included. Where the network may not be asked, a packet that has expired is better than none.
pub(crate) async fn find(
    relay: &Relay,
    settings: &Settings,
    source: &Source,
    key: &PublicKey,
    policy: protocol::Policy,
) -> Result<Cached, Refusal> {
    let client = &relay.client;
    let known = client.resolve_with(key, Policy::CacheOnly).await;
    let known = match known {
        Ok(found) => Some(Cached { packet: found.packet, last_seen: found.last_seen }),
        Err(error) if policy == protocol::Policy::CacheOnly => return Err(error.into()),
        Err(_) => None,
    };
    if let Some(cached) = known.as_ref().filter(|known| suffices(client, policy, known)) {
        return Ok(cached.clone());
    }
    let stale = known.filter(|_| policy == protocol::Policy::CacheFirst);
    let asked = ask(relay, settings, source, key, client_policy(policy)).await;
    asked.or_else(|refusal| match (&refusal, stale) {
        (Refusal::TooMany { .. } | Refusal::Busy, Some(stale)) => Ok(stale),
        (_, _) => Err(refusal),
    })
}

/// Asks the network, as far as the client may have that asked.
pub(crate) async fn ask(
    relay: &Relay,
    settings: &Settings,
    source: &Source,
    key: &PublicKey,
    policy: Policy,
) -> Result<Cached, Refusal> {
    relay
        .limits
        .check(&settings.allowances, Kind::Dht, source)
        .map_err(|wait| refused(relay, wait))?;
    let room = relay.lookups.enter(*key, settings.config.http.max_lookups);
    let _room = room.ok_or(Refusal::Busy)?;
    let mut search = pin!(relay.client.resolve_with(key, policy));
    // What is answered without waiting came from memory, and costs nothing.
    let found = match poll_fn(|context| Poll::Ready(search.as_mut().poll(context))).await {
        Poll::Ready(known) => known,
        Poll::Pending => {
            // It was checked above; whoever sends two at once owes the second.
            let _ = relay.limits.charge(&settings.allowances, Kind::Dht, source, 1);
            relay.metrics.searched();
            search.await
        }
    }?;
    // The client hands it out where there is nothing better; whoever asks a relay would take it for current.
    if !Freshness::is_plausible(found.packet.timestamp(), Timestamp::clock()) {
        return Err(Refusal::FromTheFuture { timestamp: found.packet.timestamp() });
    }
    relay.watches.offer(&found.packet);
    Ok(Cached { packet: found.packet, last_seen: found.last_seen })
}

/// `PUT`: verify, publish, answer with the number of nodes that stored it.
pub(crate) async fn put<B>(
    relay: &Relay,
    settings: &Settings,
    source: &Source,
    key: &str,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<Body>, Refusal>
where
    B: HttpBody<Data = Bytes>,
{
    let key = parse_key(key)?;
    let payload = read(settings, headers, body, MAX_PAYLOAD).await?;
    let packet = verify(&key, &payload)?;
    relay
        .limits
        .charge(&settings.allowances, Kind::Dht, source, 1)
        .map_err(|wait| refused(relay, wait))?;
    let cas = expected_timestamp(&relay.client, &key, headers).await?;
    let begun = Timestamp::clock();
    let report = relay.client.publish_report(&packet, cas).await?;
    if relay.client.dht().is_some() && report.stored_nodes() == 0 {
        return Err(Refusal::NowhereStored);
    }
    if relay.durable && !is_kept(&relay.client, &packet, begun).await {
        return Err(Refusal::NotKept);
    }
    relay.watches.offer(&packet);
    Ok(answer::stored(report.stored_nodes()))
}

/// Whether the store holds the packet, or one that has replaced it meanwhile: the client goes on when a store does not
/// take a packet, but whoever is told 204 may rely on it.
///
/// It is put once more, as seen before the publish began. Where it is stored, that changes and costs nothing; where the
/// first attempt failed, this is the second.
async fn is_kept(client: &Client, packet: &SignedPacket, begun: Timestamp) -> bool {
    let Some(cache) = client.cache() else { return false };
    let put = cache.put(Cached { packet: packet.clone(), last_seen: begun }).await;
    put.inspect_err(|error| tracing::warn!(%error, "the store does not take packets")).is_ok()
}

fn refused(relay: &Relay, wait: std::time::Duration) -> Refusal {
    relay.metrics.limited(Kind::Dht);
    Refusal::TooMany { wait }
}

pub(crate) fn parse_key(text: &str) -> Result<PublicKey, Refusal> {
    PublicKey::parse(text).map_err(Refusal::Key)
}

pub(crate) fn parse_policy(query: Option<&str>) -> Result<protocol::Policy, Refusal> {
    let named = parameter(query, protocol::Policy::PARAMETER);
    let policy = named.map_or(Ok(protocol::Policy::default()), |value| value.parse());
    policy.map_err(Refusal::Policy)
}

fn client_policy(policy: protocol::Policy) -> Policy {
    match policy {
        protocol::Policy::CacheOnly => Policy::CacheOnly,
        // A packet that has expired is better than none when the network does not answer; it is sent as expired.
        protocol::Policy::CacheFirst => Policy::StaleIfError,
        protocol::Policy::NetworkOnly => Policy::NetworkOnly,
    }
}

/// The body, if it has no more than so many bytes and arrives in time.
pub(crate) async fn read<B: HttpBody<Data = Bytes>>(
    settings: &Settings,
    headers: &HeaderMap,
    body: B,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let announced = headers.get(hyper::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge { limit });
    }
    let body = pin!(body);
    let whole = collect(body, limit);
    tokio::time::timeout(settings.body_timeout, whole).await.map_err(|_late| Refusal::TooSlow)?
}

async fn collect<B: HttpBody<Data = Bytes>>(
    mut body: Pin<&mut B>,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(Refusal::TooLarge { limit });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
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
