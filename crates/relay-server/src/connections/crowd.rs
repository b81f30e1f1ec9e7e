//! Who is inside, by source: how many of each there may be, and who makes way for others.
//!
//! Separate because this is the rule that keeps a few sources from holding every place: whoever is at the door of a full
//! relay takes the place of a connection that waits for nothing but its client.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::Notify;

use super::pace::Pace;

/// A connection that is inside.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) pace: Pace,
    is_leaving: AtomicBool,
    leave: Notify,
}

impl Presence {
    pub(super) fn begin() -> Arc<Self> {
        let (is_leaving, leave) = (AtomicBool::new(false), Notify::new());
        Arc::new(Self { pace: Pace::begin(), is_leaving, leave })
    }

    /// Ends when the connection is to make way.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

/// The connections of all sources that are counted.
#[derive(Debug, Default)]
pub(super) struct Crowd(HashMap<u128, Group>);

/// The connections of one source.
#[derive(Debug, Default)]
struct Group {
    /// Those at the door included.
    size: usize,
    inside: Vec<Arc<Presence>>,
}

impl Crowd {
    /// Counts a connection that is at the door, unless its source has `most` of them.
    pub(super) fn arrive(&mut self, source: u128, most: usize) -> bool {
        let group = self.0.entry(source).or_default();
        if group.size >= most {
            return false;
        }
        group.size = group.size.saturating_add(1);
        true
    }

    /// A connection that has arrived is inside.
    pub(super) fn enter(&mut self, source: u128, presence: Arc<Presence>) {
        self.0.entry(source).or_default().inside.push(presence);
    }

    /// A connection that had entered is inside no longer.
    pub(super) fn leave(&mut self, source: u128, presence: &Arc<Presence>) {
        let Some(group) = self.0.get_mut(&source) else { return };
        let place = group.inside.iter().position(|inside| Arc::ptr_eq(inside, presence));
        if let Some(place) = place {
            group.inside.swap_remove(place);
        }
    }

    /// A connection that had arrived is gone.
    pub(super) fn depart(&mut self, source: u128) {
        if let Some(group) = self.0.get_mut(&source) {
            group.size = group.size.saturating_sub(1);
            if group.size == 0 {
                self.0.remove(&source);
            }
        }
    }

    /// Asks one connection to leave, if any can: of the source with the most that wait for a request, the one that has
    /// waited longest. Nobody is asked who is being answered.
    ///
    /// Costs a look at each connection.
    pub(super) fn make_room(&self) -> bool {
        let mut found = None;
        for group in self.0.values() {
            let waiting = group.inside.iter().filter(|presence| !presence.is_leaving.load(Relaxed));
            let waiting =
                waiting.filter_map(|presence| Some((presence.pace.waiting_since()?, presence)));
            let (mut count, mut longest) = (0_usize, None);
            for (since, presence) in waiting {
                count = count.saturating_add(1);
                if longest.is_none_or(|(other, _)| since < other) {
                    longest = Some((since, presence));
                }
            }
            let Some((since, presence)) = longest else { continue };
            let rank = (count, Reverse(since));
            if found.as_ref().is_none_or(|(best, _)| rank > *best) {
                found = Some((rank, presence));
            }
        }
        let Some((_, presence)) = found else { return false };
        presence.is_leaving.store(true, Relaxed);
        presence.leave.notify_one();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// So many connections of one source, each a second later than the one before.
    async fn enter(crowd: &mut Crowd, source: u128, count: usize) -> Vec<Arc<Presence>> {
        let mut entered = Vec::new();
        for _ in 0..count {
            assert!(crowd.arrive(source, 64));
            let presence = Presence::begin();
            crowd.enter(source, presence.clone());
            entered.push(presence);
            advance(Duration::from_secs(1)).await;
        }
        entered
    }

    fn left(presence: &Presence) -> bool {
        presence.is_leaving.load(Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn the_source_with_most_that_wait_loses_the_one_that_waits_longest() {
        let mut crowd = Crowd::default();
        let few = enter(&mut crowd, 1, 2).await;
        let many = enter(&mut crowd, 2, 3).await;
        // The first of them has just been answered.
        many[0].pace.request();
        many[0].pace.answered();
        assert!(crowd.make_room());
        assert_eq!([&many[0], &many[1], &many[2]].map(|one| left(one)), [false, true, false]);
        many[1].asked_to_leave().await;
        // Both have two now: who has waited longest of all goes.
        assert!(crowd.make_room());
        assert!(left(&few[0]) && !left(&few[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_leaves_who_is_being_answered_and_nobody_twice() {
        let mut crowd = Crowd::default();
        let all = enter(&mut crowd, 1, 3).await;
        all[0].pace.request();
        assert!(crowd.make_room() && crowd.make_room());
        assert!(!crowd.make_room() && !left(&all[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_has_as_many_as_it_may_and_gets_back_what_it_leaves() {
        let mut crowd = Crowd::default();
        assert!(crowd.arrive(1, 2) && crowd.arrive(1, 2) && !crowd.arrive(1, 2));
        let presence = Presence::begin();
        crowd.enter(1, presence.clone());
        crowd.leave(1, &presence);
        crowd.depart(1);
        assert!(crowd.arrive(1, 2) && !crowd.arrive(1, 2));
        crowd.depart(1);
        crowd.depart(1);
        assert!(crowd.0.is_empty());
    }
}
