//! Hosts that were asked of late and never answered: however often they are named, they are left in peace.
//! Apart from the table, because most of them were never in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_kad::Contact as _;

use crate::contact::{Contact, Party};

/// How many requests a host may leave unanswered within [`WINDOW`] before it is asked no more.
const PATIENCE: u32 = 5;
/// For how long a loss counts.
const WINDOW: Duration = Duration::from_secs(60);
/// How many hosts are remembered; the one that was lost first goes.
const REMEMBERED: usize = 1024;

/// Losses by host.
///
/// One lookup asks nobody twice, but many lookups that are told the same lie would: without this memory, a
/// few liars could turn a busy node on a victim of theirs.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    hosts: BTreeMap<Party, Losses>,
}

#[derive(Debug)]
struct Losses {
    since: Instant,
    count: u32,
}

impl Silence {
    pub(crate) fn lost(&mut self, now: Instant, contact: &Contact) {
        let losses = self.hosts.entry(contact.host()).or_insert(Losses { since: now, count: 0 });
        if now.saturating_duration_since(losses.since) >= WINDOW {
            *losses = Losses { since: now, count: 0 };
        }
        losses.count = losses.count.saturating_add(1);
        if self.hosts.len() > REMEMBERED {
            let oldest = self.hosts.iter().min_by_key(|(_, losses)| losses.since);
            if let Some(host) = oldest.map(|(host, _)| *host) {
                self.hosts.remove(&host);
            }
        }
    }

    pub(crate) fn answered(&mut self, contact: &Contact) {
        self.hosts.remove(&contact.host());
    }

    /// Whether this host had its chances for now.
    pub(crate) fn shuns(&self, now: Instant, contact: &Contact) -> bool {
        self.hosts.get(&contact.host()).is_some_and(|losses| {
            losses.count >= PATIENCE && now.saturating_duration_since(losses.since) < WINDOW
        })
    }
}

#[cfg(test)]
mod tests {
    use mainstay_krpc::Id;

    use super::*;

    fn contact(host: u32) -> Contact {
        let ip = (0x3c00_0000 + host).to_be_bytes();
        Contact::new(Id::from_bytes([1; 20]), (ip, 6881).into())
    }

    #[test]
    fn a_host_is_left_in_peace_after_five_losses_for_a_minute_or_until_it_answers() {
        let now = crate::testing::start();
        let mut silence = Silence::default();
        for _ in 0..4 {
            silence.lost(now, &contact(1));
        }
        assert!(!silence.shuns(now, &contact(1)));
        silence.lost(now, &contact(1));
        assert!(silence.shuns(now, &contact(1)) && !silence.shuns(now, &contact(2)));
        assert!(!silence.shuns(now + WINDOW, &contact(1)));
        silence.answered(&contact(1));
        assert!(!silence.shuns(now, &contact(1)));
    }

    #[test]
    fn the_number_of_hosts_remembered_is_capped() {
        let now = crate::testing::start();
        let mut silence = Silence::default();
        for host in 0..3000 {
            silence.lost(now + Duration::from_millis(host.into()), &contact(host));
        }
        assert_eq!(silence.hosts.len(), REMEMBERED);
    }

    #[test]
    fn losses_of_a_minute_ago_are_forgotten_and_of_too_many_hosts_the_first() {
        let now = crate::testing::start();
        let mut silence = Silence::default();
        (0..4).for_each(|_| silence.lost(now, &contact(1)));
        (0..4).for_each(|_| silence.lost(now + WINDOW, &contact(1)));
        assert!(!silence.shuns(now + WINDOW, &contact(1)));
        silence.lost(now + WINDOW, &contact(1));
        assert!(silence.shuns(now + WINDOW, &contact(1)));
        for host in 2..=u32::try_from(REMEMBERED).unwrap() {
            (0..5).for_each(|_| silence.lost(now + WINDOW / 2, &contact(host)));
        }
        silence.lost(now + WINDOW, &contact(5000));
        assert!(silence.shuns(now + WINDOW, &contact(1)), "it was lost later than the others");
        assert!(!silence.shuns(now + WINDOW, &contact(2)), "the first of the others had to go");
        assert!(silence.shuns(now + WINDOW, &contact(3)));
    }
}
