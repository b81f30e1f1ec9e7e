//! Every packet of a key that the network shows, those that a newer one stands above among them.
//!
//! Separate from flights, which keep only the best: here the question is who else has published.

use futures_util::future::{join, join_all};
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use tokio::sync::mpsc;

use crate::backend::{Finds, Question, Reach};
use crate::engine::Engine;
use crate::freshness::Freshness;
use crate::runtime::timeout;

/// How many different packets are kept; a key has one, or two for as long as its writers differ.
const MOST: usize = 16;

/// How often it is asked for a packet that does not show.
const TIMES: usize = 3;

impl Engine {
    /// The newest packet of the key that was signed after `base`, is none of `ours`, and that any backend shows.
    ///
    /// Asks every backend, some times if need be: a node that answers after the newest packet is known does not show an
    /// older one, so which are shown depends on who answers first.
    pub(crate) async fn passed_over(
        &self,
        key: PublicKey,
        base: Timestamp,
        ours: &[SignedPacket],
    ) -> Option<SignedPacket> {
        let now = Timestamp::clock();
        let is_rival = |packet: &&SignedPacket| {
            packet.timestamp() > base
                && Freshness::is_plausible(packet.timestamp(), now)
                && !ours.iter().any(|own| own.is_same_as(packet))
        };
        for _ in 0..TIMES {
            let shown = self.shown(key).await;
            let rival = shown.iter().filter(is_rival).max_by_key(|packet| packet.timestamp());
            if rival.is_some() {
                return rival.cloned();
            }
        }
        None
    }

    async fn shown(&self, key: PublicKey) -> Vec<SignedPacket> {
        let (queue, mut finds) = mpsc::channel(MOST);
        let question = Question { key, reach: Reach::All, at_hand: None };
        let asked = self.backends.iter().enumerate().map(|(index, backend)| {
            let finds = Finds::new(index, queue.clone());
            timeout(backend.patience(), backend.resolve(question, finds))
        });
        let asked = join_all(asked);
        // The last one who sends is now the last backend.
        drop(queue);
        let mut shown: Vec<SignedPacket> = Vec::new();
        let collect = async {
            while let Some((_, find)) = finds.recv().await {
                let is_new = !shown.iter().any(|other| other.is_same_as(&find.packet));
                if find.packet.public_key() == key && is_new && shown.len() < MOST {
                    shown.push(find.packet);
                }
            }
        };
        join(asked, collect).await;
        shown
    }
}
