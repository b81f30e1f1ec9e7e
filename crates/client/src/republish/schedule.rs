//! Which packet to put or to look for next, as a state machine that is told the time.
//!
//! Separate from the driver so that days pass in a test within milliseconds, and so that programs with a
//! network of their own can use it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};

use super::chance::Chance;
use super::config::RepublishConfig;
use crate::freshness::Freshness;

/// How late a task may begin without slowing down those after it.
const LATENESS: Duration = Duration::from_millis(50);

/// How long to wait when there was no room to begin a task.
const ROOM: Duration = Duration::from_secs(1);

/// Decides when which packet is put again.
///
/// Ask [`Self::poll`] for tasks until it has none, carry each out, and hand its end to
/// [`Self::handle_end`]; then, or when [`Self::poll_timeout`] says so, ask again. It never asks for two tasks
/// of one key at once, and whatever the clock does, no key waits longer than the interval.
///
/// `now` is the wall clock, because the schedule outlives the process. Each key is in one of three states:
/// due at a time, under way, or, once a read was asked for and had an end, due again. An older packet never
/// takes the place of a newer one.
#[derive(Debug)]
pub struct Schedule {
    config: RepublishConfig,
    chance: Chance,
    entries: BTreeMap<PublicKey, Entry>,
    due: BTreeSet<(Timestamp, PublicKey)>,
    /// The tasks under way, those of keys that were removed meanwhile included.
    running: BTreeSet<u64>,
    tasks: u64,
    /// No task begins before; a relay asked for it.
    paused_until: Timestamp,
    /// When the next task may begin, given the rate.
    next_start: Timestamp,
    last_poll: Timestamp,
}

#[derive(Debug)]
struct Entry {
    packet: Option<SignedPacket>,
    state: State,
    failures: u32,
    /// Puts in a row that too few nodes acknowledged.
    thin: u32,
    /// Puts in a row that were refused.
    refusals: u32,
    /// When the last put went well.
    stored: Option<Timestamp>,
    copies: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        at: Timestamp,
        work: Work,
    },
    Running {
        task: u64,
        /// A newer packet was added meanwhile: the end does not count.
        outdated: bool,
    },
}

/// What is to be done for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Put the packet.
    Put,
    /// Look for the newest packet and count who has it.
    Read,
}

/// Something to be done now.
#[derive(Clone, Debug)]
pub struct Task {
    id: u64,
    /// For whom.
    pub key: PublicKey,
    /// The packet at hand; a [`Work::Put`] always has one.
    pub packet: Option<SignedPacket>,
    /// What.
    pub work: Work,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum End {
    /// Somebody stored the packet.
    Stored {
        /// At how many nodes, if anybody said.
        copies: Option<usize>,
    },
    /// A packet was found, perhaps the one at hand.
    Found {
        /// The newest one.
        packet: SignedPacket,
        /// How many nodes gave it, if anybody said.
        copies: Option<usize>,
    },
    /// The network was asked and has no packet.
    Absent,
    /// Somebody holds something that forbids the put: the newest packet has to be looked for.
    Refused,
    /// It did not work.
    Failed {
        /// How long we were asked to stay away.
        retry_after: Option<Duration>,
    },
    /// This program is too busy; nobody was asked.
    Busy,
}

/// What an end, or a packet that was added, amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Enough nodes have the packet.
    Kept,
    /// Too few nodes have it; it is put again early.
    Thin,
    /// A packet that is newer than the one at hand is kept from now on.
    Adopted {
        /// The timestamp of the one that was kept until now.
        instead_of: Option<Timestamp>,
    },
    /// The packet was refused, so the newest is looked for.
    Searching,
    /// It did not work, so often in a row.
    Failed {
        /// How often, this time included.
        times: u32,
    },
    /// There is no packet of the key, neither at hand nor in the network.
    Absent,
    /// The task was begun again later because of too much else.
    Postponed,
    /// The key is not kept any more.
    Forgotten,
}

/// A packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// A newer packet of the key is kept already.
    #[error("a newer packet of the key is kept, of timestamp {kept}")]
    Older {
        /// Its timestamp.
        kept: Timestamp,
    },
    /// It was signed by a clock that is hours ahead of ours: to keep it would lock the key.
    #[error(
        "the packet was signed hours in the future; check the clock of this machine and the signer's"
    )]
    FromTheFuture,
    /// So many keys are kept already as may be.
    #[error("{capacity} keys are kept already, which is the most")]
    Full {
        /// How many may be.
        capacity: usize,
    },
    /// The republisher has been shut down.
    #[error("the republisher has been shut down")]
    Shutdown,
}

/// What is known of a key that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// The packet, unless none was found yet.
    pub packet: Option<SignedPacket>,
    /// When it is put or looked for next; the present while that is under way.
    pub next: Timestamp,
    /// When a put last went well.
    pub stored: Option<Timestamp>,
    /// How many nodes were last known to have it, if anybody said.
    pub copies: Option<usize>,
    /// How many tasks in a row have failed.
    pub failures: u32,
}

impl Schedule {
    /// An empty schedule; the seed decides all its chances.
    #[must_use]
    pub fn new(config: RepublishConfig, seed: u64) -> Self {
        let start = Timestamp::from(0);
        Self {
            config,
            chance: Chance::new(seed),
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            running: BTreeSet::new(),
            tasks: 0,
            paused_until: start,
            next_start: start,
            last_poll: start,
        }
    }

    /// Keeps this packet, in place of an older one of its key, beginning now.
    ///
    /// The same packet again changes nothing.
    ///
    /// # Errors
    /// [`AddError`]: there is a newer one, it is from the future, or there is no room.
    pub fn add(&mut self, now: Timestamp, packet: SignedPacket) -> Result<Verdict, AddError> {
        self.restore(now, packet, now)
    }

    /// As [`Self::add`], for a packet whose next put was planned before: overdue ones first.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn restore(
        &mut self,
        now: Timestamp,
        packet: SignedPacket,
        next: Timestamp,
    ) -> Result<Verdict, AddError> {
        if !Freshness::is_plausible(packet.timestamp(), now) {
            return Err(AddError::FromTheFuture);
        }
        let key = packet.public_key();
        let kept = self.entries.get(&key).and_then(|entry| entry.packet.clone());
        match &kept {
            Some(kept) if kept.is_same_as(&packet) => return Ok(Verdict::Kept),
            Some(kept) if !packet.more_recent_than(kept) => {
                return Err(AddError::Older { kept: kept.timestamp() });
            }
            Some(_) | None => {}
        }
        self.room_for(key)?;
        // A plan that a wrong clock made is no plan.
        let at = next.min(after(now, self.config.interval));
        self.plan(key, at, Work::Put, |entry| {
            entry.packet = Some(packet);
            entry.failures = 0;
            entry.thin = 0;
            entry.refusals = 0;
        });
        Ok(Verdict::Adopted { instead_of: kept.map(|kept| kept.timestamp()) })
    }

    /// Keeps whatever packet the network has of this key, beginning with a search for it.
    ///
    /// A key that is kept already stays as it is.
    ///
    /// # Errors
    /// [`AddError::Full`].
    pub fn add_key(&mut self, now: Timestamp, key: PublicKey) -> Result<(), AddError> {
        if !self.entries.contains_key(&key) {
            self.room_for(key)?;
            self.plan(key, now, Work::Read, |_| {});
        }
        Ok(())
    }

    /// Stops keeping a key; gives what was known of it. A task that is under way ends for nobody.
    pub fn remove(&mut self, now: Timestamp, key: &PublicKey) -> Option<Kept> {
        let entry = self.entries.remove(key)?;
        if let State::Waiting { at, .. } = entry.state {
            self.due.remove(&(at, *key));
        }
        Some(entry.kept(now))
    }

    /// What is known of a key, if it is kept.
    #[must_use]
    pub fn kept(&self, now: Timestamp, key: &PublicKey) -> Option<Kept> {
        self.entries.get(key).map(|entry| entry.kept(now))
    }

    /// The keys that are kept, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.entries.keys()
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many tasks are under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many keys are due, and have not begun.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> usize {
        self.due.iter().take_while(|(at, _)| *at <= now).count()
    }

    /// The next thing to do, if anything is due and may begin.
    pub fn poll(&mut self, now: Timestamp) -> Option<Task> {
        self.mend_plans(now);
        if self.running.len() >= self.config.concurrency.max(1)
            || now < self.paused_until.max(self.next_start)
        {
            return None;
        }
        let (at, key) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, key));
        let entry = self.entries.get_mut(&key).expect("whoever is due is kept");
        let work = match (entry.state, &entry.packet) {
            (State::Waiting { work: Work::Put, .. }, Some(_)) => Work::Put,
            (State::Waiting { .. } | State::Running { .. }, _) => Work::Read,
        };
        let id = self.tasks;
        self.tasks = self.tasks.wrapping_add(1);
        entry.state = State::Running { task: id, outdated: false };
        self.running.insert(id);
        let pace = Duration::from_secs(1) / self.config.rate.max(1);
        // A late timer is made up for, a pause is not.
        let lately = now.checked_sub(LATENESS).unwrap_or(now);
        self.next_start = after(self.next_start.max(lately), pace);
        Some(Task { id, key, packet: entry.packet.clone(), work })
    }

    /// How long until [`Self::poll`] may have something, unless a task ends before; `None` if that is what
    /// it waits for.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Duration> {
        if self.running.len() >= self.config.concurrency.max(1) {
            return None;
        }
        let (at, _) = self.due.first()?;
        let at = (*at).max(self.paused_until).max(self.next_start);
        Some(at.saturating_duration_since(now))
    }

    /// Takes in how a task ended, plans the next of that key, and says what it amounts to.
    pub fn handle_end(&mut self, now: Timestamp, task: &Task, end: End) -> Verdict {
        let Task { id, key, work, .. } = *task;
        self.running.remove(&id);
        let Some(entry) = self.entries.get_mut(&key) else { return Verdict::Forgotten };
        let outdated = match entry.state {
            State::Running { task, outdated } if task == id => outdated,
            State::Running { .. } | State::Waiting { .. } => return Verdict::Forgotten,
        };
        entry.state = State::Waiting { at: now, work };
        if outdated {
            self.plan(key, now, Work::Put, |_| {});
            return Verdict::Postponed;
        }
        match end {
            End::Stored { copies } => self.handle_stored(now, key, copies),
            End::Found { packet, copies } => self.handle_found(now, key, work, packet, copies),
            End::Absent => self.handle_absent(now, key),
            End::Refused => {
                self.plan(key, now, Work::Read, |entry| {
                    entry.refusals = entry.refusals.saturating_add(1);
                });
                Verdict::Searching
            }
            End::Failed { retry_after } => self.handle_failed(now, key, work, retry_after),
            End::Busy => {
                self.plan(key, after(now, ROOM), work, |_| {});
                Verdict::Postponed
            }
        }
    }

    fn handle_stored(&mut self, now: Timestamp, key: PublicKey, copies: Option<usize>) -> Verdict {
        let is_thin = copies.is_some_and(|copies| copies < self.config.enough);
        let thin = self.entries.get(&key).map_or(0, |entry| entry.thin);
        let (wait, work) = if is_thin {
            (RepublishConfig::doubled(self.config.soon(), thin, self.config.interval), Work::Put)
        } else if self.config.checks {
            (self.config.interval / 2, Work::Read)
        } else {
            (self.config.interval, Work::Put)
        };
        let at = after(now, self.jittered(wait));
        self.plan(key, at, work, |entry| {
            entry.failures = 0;
            entry.thin = if is_thin { thin.saturating_add(1) } else { 0 };
            entry.refusals = 0;
            entry.stored = Some(now);
            entry.copies = copies;
        });
        if is_thin { Verdict::Thin } else { Verdict::Kept }
    }

    fn handle_found(
        &mut self,
        now: Timestamp,
        key: PublicKey,
        work: Work,
        packet: SignedPacket,
        copies: Option<usize>,
    ) -> Verdict {
        let kept = self.entries.get(&key).and_then(|entry| entry.packet.clone());
        if packet.public_key() != key || !Freshness::is_plausible(packet.timestamp(), now) {
            return self.handle_failed(now, key, work, None);
        }
        match kept {
            Some(kept) if kept.is_same_as(&packet) => self.handle_read(now, key, copies),
            // What the network has is older: it lost ours, or some of it never had it.
            Some(kept) if !packet.more_recent_than(&kept) => self.handle_read(now, key, Some(0)),
            kept => {
                self.plan(key, now, Work::Put, |entry| {
                    entry.packet = Some(packet);
                    entry.failures = 0;
                    entry.refusals = 0;
                    entry.copies = copies;
                });
                Verdict::Adopted { instead_of: kept.map(|kept| kept.timestamp()) }
            }
        }
    }

    /// So many of those asked still have the packet.
    fn handle_read(&mut self, now: Timestamp, key: PublicKey, copies: Option<usize>) -> Verdict {
        let is_thin = copies.is_some_and(|copies| copies < self.config.enough_read());
        let entry = self.entries.get(&key);
        let stored = entry.and_then(|entry| entry.stored);
        let refusals = entry.map_or(0, |entry| entry.refusals);
        let at = match stored {
            // Somebody refuses what the network would have: to insist at once would go round in a circle.
            _ if refusals > 1 => {
                let soon = self.config.soon();
                let wait = RepublishConfig::doubled(self.config.retry, refusals - 2, soon);
                after(now, self.jittered(wait))
            }
            Some(stored) if !is_thin => {
                let planned = after(stored, self.jittered(self.config.interval));
                planned.clamp(now, after(now, self.config.interval))
            }
            Some(_) | None => now,
        };
        self.plan(key, at, Work::Put, |entry| {
            entry.failures = 0;
            entry.copies = copies;
        });
        if is_thin { Verdict::Thin } else { Verdict::Kept }
    }

    fn handle_absent(&mut self, now: Timestamp, key: PublicKey) -> Verdict {
        if self.entries.get(&key).is_some_and(|entry| entry.packet.is_some()) {
            return self.handle_read(now, key, Some(0));
        }
        let at = after(now, self.jittered(self.config.interval));
        self.plan(key, at, Work::Read, |entry| entry.failures = 0);
        Verdict::Absent
    }

    fn handle_failed(
        &mut self,
        now: Timestamp,
        key: PublicKey,
        work: Work,
        retry_after: Option<Duration>,
    ) -> Verdict {
        let failures = self.entries.get(&key).map_or(0, |entry| entry.failures);
        let wait = RepublishConfig::doubled(self.config.retry, failures, self.config.soon());
        let asked = retry_after.unwrap_or_default().min(self.config.interval);
        // Who limits us counts all our requests, whatever the key.
        self.paused_until = self.paused_until.max(after(now, asked));
        let at = after(now, self.jittered(wait).max(asked));
        let times = failures.saturating_add(1);
        // A read that fails says nothing of the packet: what there is is put.
        let has_packet = self.entries.get(&key).is_some_and(|entry| entry.packet.is_some());
        let next = if work == Work::Read && has_packet && times > 1 { Work::Put } else { work };
        self.plan(key, at, next, |entry| entry.failures = times);
        Verdict::Failed { times }
    }

    /// Changes an entry and plans its next task; one that is under way is begun anew when it ends.
    fn plan(&mut self, key: PublicKey, at: Timestamp, work: Work, change: impl FnOnce(&mut Entry)) {
        let entry = self.entries.entry(key).or_insert_with(|| Entry::new(at, work));
        change(entry);
        match &mut entry.state {
            State::Running { outdated, .. } => *outdated = true,
            State::Waiting { at: planned, work: next } => {
                self.due.remove(&(*planned, key));
                (*planned, *next) = (at, work);
                self.due.insert((at, key));
            }
        }
    }

    fn room_for(&self, key: PublicKey) -> Result<(), AddError> {
        let capacity = self.config.capacity;
        let has_room = self.entries.contains_key(&key) || self.entries.len() < capacity;
        if has_room { Ok(()) } else { Err(AddError::Full { capacity }) }
    }

    /// When the clock was set back, what it planned lies too far ahead.
    fn mend_plans(&mut self, now: Timestamp) {
        let went_back = now < self.last_poll;
        self.last_poll = now;
        if !went_back {
            return;
        }
        let latest = after(now, self.config.interval);
        self.paused_until = self.paused_until.min(latest);
        self.next_start = self.next_start.min(after(now, Duration::from_secs(1)));
        let too_late: Vec<_> = self.due.iter().filter(|(at, _)| *at > latest).copied().collect();
        for (at, key) in too_late {
            self.due.remove(&(at, key));
            let at = after(now, self.chance.up_to(self.config.interval));
            if let Some(Entry { state: State::Waiting { at: planned, .. }, .. }) =
                self.entries.get_mut(&key)
            {
                *planned = at;
                self.due.insert((at, key));
            }
        }
    }

    fn jittered(&mut self, wait: Duration) -> Duration {
        let share = self.config.jitter.clamp(0.0, 1.0);
        wait.saturating_sub(self.chance.up_to(wait.mul_f64(share)))
    }
}

impl Entry {
    fn new(at: Timestamp, work: Work) -> Self {
        let state = State::Waiting { at, work };
        Self { packet: None, state, failures: 0, thin: 0, refusals: 0, stored: None, copies: None }
    }

    fn kept(&self, now: Timestamp) -> Kept {
        let next = match self.state {
            State::Waiting { at, .. } => at,
            State::Running { .. } => now,
        };
        let packet = self.packet.clone();
        Kept { packet, next, stored: self.stored, copies: self.copies, failures: self.failures }
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
