//! Conditional requests: `If-Match` on PUT, `If-None-Match` and `If-Modified-Since` on GET.
//!
//! Separate, because each compares a header with a packet and nothing else.

use hyper::HeaderMap;
use mainstay_client::{Client, Policy};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay::protocol::{Expected, IfNoneMatch, changed_since, header};

use crate::answer::Refusal;

/// The timestamp of the packet that `If-Match` names, to publish over that one only; `None` without the header.
pub(crate) async fn expected_timestamp(
    client: &Client,
    key: &PublicKey,
    headers: &HeaderMap,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let expected = value.to_str().ok().and_then(|text| text.parse::<Expected>().ok());
    match expected.ok_or(Refusal::Condition)? {
        Expected::At(timestamp) => Ok(Some(timestamp)),
        // Tags and `*` speak of a packet that is there, so it must be looked at.
        by_packet => {
            let present = client.resolve_with(key, Policy::MostRecent).await.ok();
            let present = present.map(|resolution| resolution.packet);
            match &present {
                Some(packet) if by_packet.is(Some(packet)) => Ok(Some(packet.timestamp())),
                _ => Err(Refusal::Unmatched),
            }
        }
    }
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
