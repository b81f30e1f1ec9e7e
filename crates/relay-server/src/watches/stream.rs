//! One stream of events: what it has sent, and when it ends.
//!
//! Separate from the lists of who watches what.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_packets::SignedPacket;
use mainstay_relay::protocol::EntityTag;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::Place;
use crate::base64;
use crate::service::Settings;

/// What an event says.
#[derive(Debug, Serialize)]
struct Event {
    key: String,
    /// Microseconds since 1970, as signed.
    timestamp: u64,
    /// The packet without its key, in Base64.
    packet: String,
}

/// What a client has already, by the id of the last event that it saw: the tags of its keys' packets, in their order.
///
/// What is no such id, or one of other keys, means that it has nothing.
pub(super) fn sent_before(id: &str, keys: usize) -> Vec<Option<EntityTag>> {
    let sent: Vec<_> = id.split(',').map(|tag| format!("\"{tag}\"").parse().ok()).collect();
    if sent.len() == keys { sent } else { vec![None; keys] }
}

fn id(sent: &[Option<EntityTag>]) -> String {
    let mut text = String::new();
    for (index, tag) in sent.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let tag = tag.map_or_else(|| "0".to_owned(), |tag| tag.to_string());
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", tag.trim_matches('"'));
    }
    text
}

/// Sends what is new until the client is gone, the connection's time is over or the relay ends.
pub(super) async fn run(
    place: Place,
    mut sent: Vec<Option<EntityTag>>,
    settings: Arc<Settings>,
    events: mpsc::Sender<Bytes>,
) {
    let heartbeat = Duration::from_secs(settings.config.watch.heartbeat_seconds.max(1));
    let mut heartbeats = interval_at(Instant::now() + heartbeat, heartbeat);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = place.relay.stopped.clone();
    let mut over = std::pin::pin!(sleep(settings.config.http.max_connection_age()));
    let mut next = Some(Bytes::from_static(b"retry: 3000\n\n"));
    loop {
        if let Some(chunk) = next.take()
            && events.send(chunk).await.is_err()
        {
            return;
        }
        next = news(&place, &mut sent);
        if next.is_some() {
            continue;
        }
        tokio::select! {
            () = place.woken.notified() => {}
            _ = heartbeats.tick() => next = Some(Bytes::from_static(b": here\n\n")),
            () = events.closed() => return,
            () = &mut over => return,
            // An error means that the server was dropped, which ends it too.
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// The event for the first key of which there is something new.
fn news(place: &Place, sent: &mut [Option<EntityTag>]) -> Option<Bytes> {
    for (index, key) in place.keys.iter().enumerate() {
        let Some(packet) = place.relay.watches.latest(key) else { continue };
        let Some(before) = sent.get_mut(index) else { continue };
        let tag = EntityTag::of(&packet);
        if is_news(*before, tag) {
            *before = Some(tag);
            return Some(event(&packet, sent));
        }
    }
    None
}

/// Whether the packet of this tag is newer than what was sent.
///
/// Of two packets of one time the larger is the newer; as what is known here only ever becomes newer, it is the other one.
fn is_news(before: Option<EntityTag>, tag: EntityTag) -> bool {
    before.is_none_or(|before| before != tag && before.timestamp() <= tag.timestamp())
}

fn event(packet: &SignedPacket, sent: &[Option<EntityTag>]) -> Bytes {
    let event = Event {
        key: packet.public_key().to_z32(),
        timestamp: packet.timestamp().as_u64(),
        packet: base64::encode(&packet.to_relay_payload()),
    };
    // Strings and numbers always make JSON.
    let data = serde_json::to_string(&event).unwrap_or_default();
    format!("id: {}\nevent: packet\ndata: {data}\n\n", id(sent)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_what_was_sent() {
        let tag = |text: &str| Some(text.parse::<EntityTag>().unwrap());
        let (one, two) = (tag("\"7-0123456789abcdef\""), tag("\"8-fedcba9876543210\""));
        for sent in [vec![one], vec![one, two], vec![None, two]] {
            assert_eq!(sent_before(&id(&sent), sent.len()), sent);
        }
    }

    #[test]
    fn of_two_packets_of_one_time_the_other_one_is_news_and_an_older_one_is_not() {
        let tag = |time: u64, mark: u64| format!("\"{time}-{mark:016x}\"").parse().unwrap();
        let sent = tag(7, 5);
        for (other, expected) in [
            (sent, false),
            (tag(7, 4), true),
            (tag(7, 6), true),
            (tag(8, 4), true),
            (tag(6, 9), false),
        ] {
            assert_eq!(is_news(Some(sent), other), expected, "{other}");
        }
        assert!(is_news(None, sent));
    }

    #[test]
    fn an_id_of_something_else_means_that_nothing_was_sent() {
        for text in ["", "x", "7", "1,2", "-1", "7-0123456789abcdef,0", "99999999999999999999999"] {
            assert_eq!(sent_before(text, 1), [None], "{text}");
        }
    }
}
