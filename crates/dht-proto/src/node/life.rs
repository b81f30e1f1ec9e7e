//! How a node survives what happens to its host: restarts, sleep, a lost uplink, a clock that is set.
//! Apart from the routing of datagrams, which happens a thousand times as often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Node;
use crate::contact::Contact;
use crate::network::FEW;
use crate::scope::{Family, Scope};
use crate::search::Scene;
use crate::snapshot::IDENTITIES;
use crate::{Event, Identity, RemoteNode, SavedNode, Snapshot};

/// Who is driven this late did not run, rather than run slowly.
const ASLEEP: Duration = Duration::from_secs(30);
/// How long nothing may come in, with requests lost all the while, before we say that we are offline.
const CUT_OFF: Duration = Duration::from_secs(5);
/// A wall clock that runs ahead by this much may have been running while the host slept.
const SLEPT: Duration = Duration::from_secs(30);

/// What the life of the node so far has left behind.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// When the node was driven last.
    driven: Option<Instant>,
    offline_since: Option<Instant>,
    /// Nodes of an earlier run, for each family until it is known who of them lives; and when they were restored.
    restored: BTreeMap<Family, Vec<SavedNode>>,
    restored_at: Option<Instant>,
    /// The ids of an earlier run in a family that is off in this one.
    other_ids: BTreeMap<Family, Vec<Identity>>,
}

impl Node {
    /// Starts from what an earlier run left: its ids, its nodes, its published items. Call it before anything else.
    ///
    /// The nodes are asked first, twenty at a time, and bootstrap addresses only after 300 ms. Asks wait until
    /// three of them have answered, or one after that time, so that a restarted node has its first result within
    /// the round trips of one lookup. A given [`Config::id`](crate::Config::id) stays; so do the rules on addresses:
    /// nodes that [`Config::addresses`](crate::Config::addresses) does not allow are left out.
    pub fn restore(&mut self, now: Instant, snapshot: &Snapshot) {
        self.networks.restore(&snapshot.ipv4, &snapshot.ipv6);
        self.server.store.set_home(self.networks.home());
        for (family, ids) in [(Family::V4, &snapshot.ipv4), (Family::V6, &snapshot.ipv6)] {
            if self.networks.of(family).is_none() {
                self.life.other_ids.insert(family, ids.iter().copied().take(IDENTITIES).collect());
            }
        }
        for item in &snapshot.published {
            self.published.insert(item.clone());
        }
        let filter = self.networks.filter;
        let mut known = BTreeSet::new();
        let usable = |saved: &&SavedNode| {
            let addr = saved.node.addr;
            filter.allows(addr) && known.insert(addr)
        };
        let saved: Vec<SavedNode> =
            snapshot.nodes.iter().take(Snapshot::MOST_NODES).filter(usable).copied().collect();
        for family in Family::BOTH {
            let near = saved.iter().filter(|saved| {
                Family::of(saved.node.addr) == family && Scope::of(saved.node.addr) == Scope::Global
            });
            self.wire.transactions.recall(family, near.map(|saved| saved.rtt));
        }
        let contacts = saved
            .iter()
            .map(|saved| Contact::new(saved.node.id, saved.node.addr))
            .filter(|contact| self.networks.of(contact.family()).is_some());
        self.upkeep.wake(now, contacts.collect(), &mut self.asks);
        let slept = match (snapshot.taken, self.clock.at(now)) {
            (Some(taken), Some(today)) => today.saturating_sub(taken),
            _ => Duration::ZERO,
        };
        let aged = |saved: SavedNode| SavedNode { age: saved.age.saturating_add(slept), ..saved };
        for saved in saved.into_iter().map(aged) {
            self.life.restored.entry(Family::of(saved.node.addr)).or_default().push(saved);
        }
        self.life.restored_at = Some(now);
    }

    /// What to keep for the next run, with the `most` best nodes; where there are so many, half of them of each family.
    ///
    /// A node that has not yet learnt whom of its last run it can reach passes those on: a short run, one without an
    /// uplink, or one in which a family is off, does not spoil what an earlier one knew. Costs a sort of the tables.
    #[must_use]
    pub fn snapshot(&self, now: Instant, most: usize) -> Snapshot {
        let most = most.min(Snapshot::MOST_NODES);
        let identities = |family| match self.networks.of(family) {
            Some(network) => network.identities(),
            None => self.life.other_ids.get(&family).cloned().unwrap_or_default(),
        };
        let mut nodes: Vec<SavedNode> = self.saved_entries(now).collect();
        let passed =
            self.life.restored_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let known: BTreeSet<_> = nodes.iter().map(|saved| saved.node.addr).collect();
        let earlier = self.life.restored.values().flatten();
        let earlier = earlier.filter(|saved| !known.contains(&saved.node.addr));
        let aged =
            |saved: &SavedNode| SavedNode { age: saved.age.saturating_add(passed), ..*saved };
        nodes.extend(earlier.map(aged));
        keep_both(&mut nodes, most);
        Snapshot {
            taken: self.clock.at(now).map(|unix| Duration::from_millis(millis(unix))),
            ipv4: identities(Family::V4),
            ipv6: identities(Family::V6),
            nodes,
            published: self.published.iter().cloned().collect(),
        }
    }

    fn saved_entries(&self, now: Instant) -> impl Iterator<Item = SavedNode> {
        self.living().into_iter().map(move |entry| SavedNode {
            node: RemoteNode::from(entry.contact()),
            rtt: entry.rtt(),
            age: now.saturating_duration_since(entry.last_answer()),
        })
    }

    /// Before each input: whether the node slept since the last one.
    pub(super) fn enter(&mut self, now: Instant) {
        if self.life.driven.is_none_or(|at| now.saturating_duration_since(at) < ASLEEP) {
            return;
        }
        // Nothing has changed since then, so this is what it asked for.
        let due = self.poll_timeout();
        let late = due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        if late >= ASLEEP {
            self.resume(now, late);
        }
    }

    /// After each input: whether we are cut off, and when the next input is expected.
    pub(super) fn leave(&mut self, now: Instant) {
        let silent = self.wire.transactions.silent_since();
        match self.life.offline_since {
            None if silent.is_some_and(|since| now >= since + CUT_OFF) => {
                self.life.offline_since = Some(now);
                tracing::info!("nobody answers any more: we seem to be offline");
                self.wire.events.push_back(Event::Offline);
                self.upkeep.went_offline(now);
            }
            Some(since) if silent.is_none() => {
                self.life.offline_since = None;
                let after = now.saturating_duration_since(since);
                tracing::info!(?after, "somebody answers again");
                self.wire.events.push_back(Event::Online { after });
                self.upkeep.look_around(now);
            }
            None | Some(_) => {}
        }
        if !self.life.restored.is_empty() && !self.upkeep.is_waking() {
            let networks = &self.networks;
            let knows_few = |family: Family| {
                networks.of(family).is_none_or(|network| network.table.len() < FEW)
            };
            self.life.restored.retain(|family, _| knows_few(*family));
        }
        self.life.driven = Some(now);
    }

    /// When to say that we are offline, unless somebody is heard until then.
    pub(super) fn offline_due(&self) -> Option<Instant> {
        let since = self.wire.transactions.silent_since()?;
        self.life.offline_since.is_none().then_some(since + CUT_OFF)
    }

    /// Whether nobody has answered for so long that we must be cut off.
    pub(super) fn is_offline(&self) -> bool {
        self.life.offline_since.is_some()
    }

    /// Takes the time of day and tells when it jumped.
    pub(super) fn look_at_clock(&mut self, now: Instant, unix: Duration) {
        let Some(jump) = self.clock.look(now, unix) else { return };
        tracing::info!(forward = jump.forward, by = ?jump.by, "the wall clock jumped");
        self.wire.events.push_back(Event::ClockJumped { forward: jump.forward, by: jump.by });
        if jump.forward && jump.by >= SLEPT {
            self.upkeep.look_around(now);
        }
    }

    /// What was in flight when the host fell asleep is over, and says nothing about who was asked.
    fn resume(&mut self, now: Instant, late: Duration) {
        tracing::info!(?late, "driven late: the host or the process slept");
        self.wire.events.push_back(Event::Resumed { late });
        let mut scene = Scene { now, wire: &mut self.wire, networks: &mut self.networks };
        self.asks.handle_timeout(&mut scene);
        while let Some(pending) = self.wire.transactions.take_any() {
            self.give_up(now, &pending);
        }
        self.upkeep.look_around(now);
    }
}

/// Keeps the first `most`, and of neither family fewer than half of them where there are so many.
fn keep_both(nodes: &mut Vec<SavedNode>, most: usize) {
    let of = |saved: &SavedNode| Family::of(saved.node.addr);
    let count = |family| nodes.iter().filter(|saved| of(saved) == family).count();
    let (v4, v6) = (count(Family::V4), count(Family::V6));
    let mut room_v6 = v6.min((most / 2).max(most.saturating_sub(v4)));
    let mut room_v4 = most.saturating_sub(room_v6);
    nodes.retain(|saved| {
        let room = match of(saved) {
            Family::V4 => &mut room_v4,
            Family::V6 => &mut room_v6,
        };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    });
}

fn millis(unix: Duration) -> u64 {
    u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
}
