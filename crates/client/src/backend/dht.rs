//! The Mainline DHT as a backend: packets are its mutable items
//! ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)), the timestamp their sequence number.
//!
//! Separate because it is the one place of this crate that talks to `mainstay_dht`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_dht::{Dht, GetError, MutableItem, PutError};
use mainstay_packets::{SignedPacket, Timestamp};

use crate::backend::{Backend, End, Find, Finds, Published, Question};
use crate::error::ConcurrencyError;
use crate::report::{BackendName, Failure, PublishResult, Source};

/// With these codes a node refuses what is not the successor of what it holds
/// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
const CONFLICTS: [i64; 2] = [301, 302];

/// A DHT node that packets are published through.
#[derive(Debug)]
pub(crate) struct DhtBackend {
    dht: Dht,
    patience: Duration,
}

impl DhtBackend {
    pub(crate) fn new(dht: Dht, patience: Duration) -> Self {
        Self { dht, patience }
    }

    /// One lookup; says what it came to, or why it could not be made.
    async fn look_up(&self, question: Question, finds: &Finds) -> Result<End, GetError> {
        // The packet at hand is asked for as well: to see it again is what keeps it fresh.
        let newer_than =
            question.at_hand.and_then(Timestamp::to_seq).map(|seq| seq.saturating_sub(1));
        let mut items = self.dht.get_mutable(&question.key, None, newer_than);
        let mut not_a_packet: Option<i64> = None;
        let mut packets = Vec::new();
        while let Some(item) = items.next().await {
            match SignedPacket::try_from(&item) {
                Ok(packet) => {
                    finds.send(find(packet.clone(), 1)).await;
                    packets.push(packet);
                }
                Err(_) => not_a_packet = not_a_packet.max(Some(item.seq())),
            }
        }
        let report = items.report().unwrap_or(Err(GetError::Shutdown))?;
        let newest = packets.iter().filter_map(|packet| packet.timestamp().to_seq()).max();
        if let Some(seq) = not_a_packet.filter(|seq| newest.is_none_or(|newest| newest < *seq)) {
            return Ok(End::NotAPacket { seq });
        }
        // With a single packet about, every node that gave a value gave this one.
        if let [packet] = packets.as_slice()
            && not_a_packet.is_none()
            && report.values > 1
        {
            finds.send(find(packet.clone(), report.values.saturating_sub(1))).await;
        }
        Ok(End::Exhausted)
    }
}

#[async_trait]
impl Backend for DhtBackend {
    fn name(&self) -> BackendName {
        BackendName::Dht
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published {
        let Some(cas) = cas.map(Timestamp::to_seq).map_or(Some(None), |seq| seq.map(Some)) else {
            return PublishResult::Failed(Failure::Unrepresentable).into();
        };
        let item = match packet.to_mutable_item() {
            Ok(item) => item,
            Err(error) => return failed(error.into()).into(),
        };
        let mut put = self.dht.put_mutable(item.clone(), cas).await;
        if matches!(put, Err(PutError::NoNodes)) && self.dht.ready().await {
            put = self.dht.put_mutable(item, cas).await;
        }
        let conflict = match put {
            Ok(report) => {
                let rivals = report.refused.iter().filter(|(_, code)| CONFLICTS.contains(code));
                let result = PublishResult::Stored { nodes: Some(report.stored) };
                return Published { result, refused: rivals.count() };
            }
            Err(PutError::Conflict { newest, .. }) => {
                ConcurrencyError::CasFailed { seen: newest.and_then(timestamp) }
            }
            Err(PutError::NotMostRecent { newest, .. }) => {
                ConcurrencyError::NotMostRecent { seen: newest.and_then(timestamp) }
            }
            Err(error) => return failed(error).into(),
        };
        PublishResult::Conflict { conflict }.into()
    }

    async fn resolve(&self, question: Question, finds: Finds) -> End {
        let mut end = self.look_up(question, &finds).await;
        // A node that was built a moment ago may know nobody yet.
        if matches!(end, Err(GetError::NoNodes)) && self.dht.ready().await {
            end = self.look_up(question, &finds).await;
        }
        end.unwrap_or_else(|error| End::Failed(Failure::DhtGet(Arc::new(error))))
    }
}

fn find(packet: SignedPacket, nodes: usize) -> Find {
    Find { packet, source: Source::Dht { nodes }, last_seen: Timestamp::clock() }
}

fn failed(error: PutError) -> PublishResult {
    PublishResult::Failed(Failure::DhtPut(Arc::new(error)))
}

#[expect(clippy::boxed_local, reason = "as the error holds it")]
fn timestamp(item: Box<MutableItem>) -> Option<Timestamp> {
    u64::try_from(item.seq()).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use mainstay_keys::Keypair;

    use crate::{Client, Policy};

    #[tokio::test]
    async fn a_search_ends_at_its_deadline_with_what_is_known_by_then() {
        // A network of one host that never says a word, and a client that would wait for it for a day.
        let deaf = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let host = deaf.local_addr().expect("an address");
        let client = Client::builder()
            .no_default_network()
            .bootstrap(&[host.to_string()])
            .dht(|node| node.deadline(Duration::from_secs(86_400)))
            .dht_request_timeout(Duration::from_secs(86_400))
            .dht_deadline(Duration::from_millis(100))
            .build()
            .expect("a client");
        let key = Keypair::random().public_key();
        let error = client.resolve_with(&key, Policy::MostRecent).await.expect_err("nobody spoke");
        // The word of the node, and not that it was given up on.
        assert!(format!("{error:?}").contains("NoAnswer { asked: 1 }"), "{error:?}");
    }
}
