//! One stream of events: what it has sent, and when it ends.
//!
//! Separate from the lists of who watches what.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_packets::{SignedPacket, Timestamp};
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

/// What a client has already, by the id of the last event that it saw: the timestamps of its keys, in their order.
///
/// What is no such id, or one of other keys, means that it has nothing.
pub(super) fn sent_before(id: &str, keys: usize) -> Vec<Option<Timestamp>> {
    let sent: Vec<_> =
        id.split(',').map(|time| time.parse::<u64>().ok().map(Timestamp::from)).collect();
    if sent.len() == keys { sent } else { vec![None; keys] }
}

fn id(sent: &[Option<Timestamp>]) -> String {
    let mut text = String::new();
    for (index, timestamp) in sent.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", timestamp.map_or(0, Timestamp::as_u64));
    }
    text
}

/// Sends what is new until the client is gone, the connection's time is over or the relay ends.
pub(super) async fn run(
    place: Place,
    mut sent: Vec<Option<Timestamp>>,
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
fn news(place: &Place, sent: &mut [Option<Timestamp>]) -> Option<Bytes> {
    for (index, key) in place.keys.iter().enumerate() {
        let Some(packet) = place.relay.watches.latest(key) else { continue };
        let Some(before) = sent.get_mut(index) else { continue };
        if before.is_none_or(|before| packet.timestamp() > before) {
            *before = Some(packet.timestamp());
            return Some(event(&packet, sent));
        }
    }
    None
}

fn event(packet: &SignedPacket, sent: &[Option<Timestamp>]) -> Bytes {
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
        for sent in [vec![Some(Timestamp::from(7))], vec![Some(Timestamp::from(7)), Some(0.into())]]
        {
            assert_eq!(sent_before(&id(&sent), sent.len()), sent);
        }
    }

    #[test]
    fn an_id_of_something_else_means_that_nothing_was_sent() {
        for text in ["", "x", "1,2", "-1", "99999999999999999999999"] {
            assert_eq!(sent_before(text, 1), [None], "{text}");
        }
    }
}
