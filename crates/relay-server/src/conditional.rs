//! Conditional requests: `If-Match` and `If-None-Match` on PUT, `If-None-Match` and `If-Modified-Since` on GET.
//!
//! Separate, because each compares a header with a packet and nothing else.

use hyper::HeaderMap;
use mainstay_client::{Client, Policy};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay::protocol::{Expected, IfNoneMatch, changed_since, header};

use crate::answer::Refusal;

/// The timestamp that stands for no packet, where the packet to be replaced is named.
const NOTHING: u64 = 0;

/// The timestamp of the packet that is to be replaced, as the request has it, to publish over that one only; `None` without
/// a condition.
///
/// `If-Match` names that packet, and `If-None-Match: *` says that there is to be none
/// ([RFC 9110, section 13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)). Where both are, `If-Match` counts.
pub(crate) async fn expected_timestamp(
    client: &Client,
    key: &PublicKey,
    headers: &HeaderMap,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return unless_present(client, key, headers).await;
    };
    let expected = value.to_str().ok().and_then(|text| text.parse::<Expected>().ok());
    match expected.ok_or(Refusal::Condition)? {
        Expected::At(timestamp) => Ok(Some(timestamp)),
        // Tags and `*` speak of a packet that is there, so it must be looked at.
        by_packet => match present(client, key).await {
            Some(packet) if by_packet.is(Some(&packet)) => Ok(Some(packet.timestamp())),
            _ => Err(Refusal::Unmatched),
        },
    }
}

/// What `If-None-Match` asks for: with `*` that there is no packet, which the network is to judge, else that the present
/// one is none of those named.
async fn unless_present(
    client: &Client,
    key: &PublicKey,
    headers: &HeaderMap,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = headers.get(header::IF_NONE_MATCH) else { return Ok(None) };
    let named = value.to_str().map_err(|_| Refusal::Condition)?;
    if named.trim() == "*" {
        return Ok(Some(NOTHING.into()));
    }
    let present = present(client, key).await;
    if present.is_some_and(|packet| IfNoneMatch::new(named).has(&packet)) {
        return Err(Refusal::Unmatched);
    }
    Ok(None)
}

async fn present(client: &Client, key: &PublicKey) -> Option<SignedPacket> {
    let resolved = client.resolve_with(key, Policy::MostRecent).await;
    resolved.ok().map(|resolution| resolution.packet)
}

/// Whether whoever asks has this packet already. `If-None-Match` goes first, as
/// [RFC 9110, section 13.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2) has it.
pub(crate) fn not_modified(packet: &SignedPacket, headers: &HeaderMap) -> bool {
    if let Some(value) = headers.get(header::IF_NONE_MATCH) {
        return value.to_str().is_ok_and(|text| IfNoneMatch::new(text).has(packet));
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    since.is_some_and(|since| !changed_since(packet.timestamp(), since))
}
