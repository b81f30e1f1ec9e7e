//! The reference: everybody the table knows, in flat lists, and the rules read off them one by one.
//! Separate because it must not share a thought with the table's own code.

use std::collections::BTreeMap;
use std::time::Instant;

use mainstay_kad::{Contact, Failure, Heard, Id, Insert, Refusal, Table, TableConfig};

use crate::fuzz::kad::peer::Peer;

/// An entry, as far as it can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Live {
    peer: Peer,
    failures: u8,
    answered: Instant,
    active: Instant,
    asked: Instant,
}

impl Live {
    /// Of somebody who answers at this moment.
    fn new(now: Instant, peer: Peer) -> Self {
        Self { peer, failures: 0, answered: now, active: now, asked: now }
    }
}

/// A spare, as far as it can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spare {
    Heard,
    Asked(Instant),
    Confirmed(Live),
}

/// What the table should hold.
#[derive(Debug)]
pub(super) struct Reference {
    own: Id<2>,
    config: TableConfig,
    /// How many buckets the table has: told by the table, checked against what is full.
    buckets: usize,
    live: BTreeMap<Id<2>, Live>,
    spares: BTreeMap<Id<2>, (Peer, Spare)>,
}

impl Reference {
    pub(super) fn new(own: Id<2>, config: TableConfig) -> Self {
        Self { own, config, buckets: 1, live: BTreeMap::new(), spares: BTreeMap::new() }
    }

    pub(super) fn bucket_of(&self, id: &Id<2>) -> usize {
        self.own.shared_prefix(id).min(self.buckets - 1)
    }

    pub(super) fn responded(
        &mut self,
        now: Instant,
        peer: Peer,
        outcome: &Insert<Peer>,
        table: &Table<Peer, 2>,
    ) {
        self.judge(peer, outcome, table);
        let entered = matches!(outcome, Insert::Added | Insert::Replaced(_));
        let newcomer = entered.then_some(Live::new(now, peer));
        if *outcome == Insert::Refreshed {
            let asked = self.live[&peer.id].asked.max(now);
            self.live.insert(peer.id, Live { asked, ..Live::new(now, peer) });
        }
        self.follow(table, newcomer, |reference, gone| match outcome {
            Insert::Replaced(victim) if victim.id == gone.peer.id => true,
            Insert::Refreshed => false,
            Insert::Added | Insert::Replaced(_) | Insert::Queued | Insert::Refused(_) => {
                reference.goes_for(gone, peer) || reference.split_out(gone, table)
            }
        });
        if *outcome == Insert::Queued {
            self.spares.insert(peer.id, (peer, Spare::Confirmed(Live::new(now, peer))));
            let failing = |live: &Live| live.failures > 0;
            let bucket = self.bucket_of(&peer.id);
            assert!(!self.members(bucket).any(failing), "a failing entry should have gone for it");
        }
    }

    /// Whether what the table made of an answer is justified by what it held before.
    fn judge(&self, peer: Peer, outcome: &Insert<Peer>, table: &Table<Peer, 2>) {
        match outcome {
            Insert::Refreshed => {
                let known = self.live.get(&peer.id).expect("only an entry can be refreshed");
                assert_eq!(known.peer.address(), peer.address());
            }
            Insert::Added => {
                let bucket = self.bucket_of(&peer.id);
                let room = self.members(bucket).count() < self.capacity(bucket);
                assert!(room || self.made_room(peer, table));
            }
            Insert::Replaced(victim) => {
                let victim = self.live.get(&victim.id).expect("a victim was an entry");
                let home = table.buckets().count() - 1;
                let prefix = |id| self.own.shared_prefix(id).min(home);
                let stayed = table.iter().filter_map(|entry| self.live.get(&entry.contact().id));
                let here = stayed.filter(|live| prefix(&live.peer.id) == prefix(&peer.id));
                let most = here.map(|live| live.failures).max().unwrap_or(0);
                assert!(victim.failures >= most, "the one with most failures goes first");
            }
            Insert::Queued => {
                assert!(!table.contains(&peer.id));
                assert!(table.spares().any(|spare| *spare == peer));
            }
            Insert::Refused(refusal) => self.judge_refusal(peer, *refusal),
        }
    }

    fn judge_refusal(&self, peer: Peer, refusal: Refusal) {
        let healthy = |test: &dyn Fn(&Peer) -> bool| {
            let mut rivals = self.live.values().filter(|live| live.peer.id != peer.id);
            rivals.any(|live| live.failures == 0 && test(&live.peer))
        };
        match refusal {
            Refusal::OwnId => assert_eq!(peer.id, self.own),
            Refusal::IdElsewhere => {
                let known = self.live.get(&peer.id).expect("the id is an entry");
                assert!(known.failures == 0 && known.peer.address() != peer.address());
            }
            Refusal::HostTaken => {
                assert!(self.config.one_per_host);
                assert!(healthy(&|other| other.host == peer.host && other.port != peer.port));
            }
            Refusal::SubnetTaken => {
                assert!(self.config.one_per_subnet);
                let bucket = self.bucket_of(&peer.id);
                assert!(healthy(&|other| {
                    other.subnet() == peer.subnet() && self.bucket_of(&other.id) == bucket
                }));
            }
            Refusal::ProviderFull => {
                let stayed = || self.live.values().filter(|live| !self.goes_for(live, peer));
                let theirs = stayed().filter(|live| live.peer.provider() == peer.provider());
                assert!(theirs.count() >= self.share(stayed().count()));
            }
            Refusal::IdChanged => assert!(healthy(&|other| other.address() == peer.address())),
            Refusal::Full => assert_eq!(self.config.spares, 0),
            _ => panic!("a refusal that the reference does not know"),
        }
    }

    pub(super) fn heard(&mut self, peer: Peer, outcome: Heard, table: &Table<Peer, 2>) {
        let known = self.live.contains_key(&peer.id) || self.spares.contains_key(&peer.id);
        let bucket = self.bucket_of(&peer.id);
        match outcome {
            Heard::Known => assert!(known),
            Heard::Queued => {
                assert!(!known && self.rival(peer).is_none());
                assert!(self.of_provider(peer) < self.share(self.live.len()));
                self.spares.insert(peer.id, (peer, Spare::Heard));
            }
            Heard::Refused(refusal) => {
                assert!(!known || refusal == Refusal::OwnId);
                let waiting = self.spares_of(bucket).count();
                match refusal {
                    Refusal::OwnId => assert_eq!(peer.id, self.own),
                    Refusal::Full => assert_eq!(waiting, self.config.spares),
                    Refusal::SubnetTaken => {
                        let live = self.members(bucket).map(|live| live.peer);
                        let mut all = live.chain(self.spares_of(bucket));
                        assert!(all.any(|other| other.subnet() == peer.subnet()));
                    }
                    Refusal::ProviderFull => {
                        assert!(self.of_provider(peer) >= self.share(self.live.len()));
                    }
                    Refusal::HostTaken => {
                        let mut waiting = self.spares_of(bucket);
                        assert!(
                            self.rival(peer).is_some()
                                || waiting.any(|spare| self.same_place(spare, peer))
                        );
                    }
                    _ => panic!("a name cannot be refused for that"),
                }
            }
        }
        self.follow(table, None, |_, _| false);
    }

    pub(super) fn failed(
        &mut self,
        now: Instant,
        id: Id<2>,
        outcome: &Failure<Peer>,
        table: &Table<Peer, 2>,
    ) {
        let bucket = self.bucket_of(&id);
        match outcome {
            Failure::Unknown => {
                assert!(!self.live.contains_key(&id) && !self.spares.contains_key(&id));
            }
            Failure::Kept { failures } => {
                let fits = self.fitting(bucket, id).count();
                assert_eq!(fits, 0, "a confirmed spare should have taken the place");
                let live = self.live.get_mut(&id).expect("only an entry is kept");
                live.failures += 1;
                live.asked = now;
                assert_eq!(live.failures, *failures);
                assert!(*failures < self.config.max_failures);
            }
            Failure::Dropped { promoted: Some(spare) } => {
                let latest = self.fitting(bucket, id).map(|(_, at)| at).max();
                let chosen = self.fitting(bucket, id).find(|(peer, _)| peer == spare);
                assert_eq!(chosen.map(|(_, at)| at), latest, "the latest to answer is promoted");
            }
            Failure::Dropped { promoted: None } => {
                let spent = |live: &Live| live.failures + 1 >= self.config.max_failures;
                assert!(self.spares.contains_key(&id) || self.live.get(&id).is_some_and(spent));
            }
        }
        self.spares.remove(&id);
        self.follow(table, None, |_, gone| gone.peer.id == id);
    }

    pub(super) fn removed(&mut self, id: Id<2>, removed: Option<Peer>, table: &Table<Peer, 2>) {
        let live = self.live.get(&id).map(|live| live.peer);
        let spare = self.spares.get(&id).map(|(peer, _)| *peer);
        assert_eq!(removed, live.or(spare));
        self.spares.remove(&id);
        self.follow(table, None, |_, gone| gone.peer.id == id);
    }

    pub(super) fn asked(&mut self, now: Instant, id: Id<2>) {
        if let Some(live) = self.live.get_mut(&id) {
            live.asked = live.asked.max(now);
        } else if let Some((_, spare)) = self.spares.get_mut(&id) {
            match spare {
                Spare::Heard | Spare::Asked(_) => *spare = Spare::Asked(now),
                Spare::Confirmed(live) => live.asked = live.asked.max(now),
            }
        }
    }

    pub(super) fn asked_us(&mut self, now: Instant, peer: Peer, known: bool) {
        let live = self.live.get_mut(&peer.id).filter(|live| live.peer.address() == peer.address());
        assert_eq!(known, live.is_some());
        if let Some(live) = live {
            live.active = live.active.max(now);
        }
    }

    pub(super) fn pinged(&mut self, now: Instant, due: Option<Instant>, named: Option<Peer>) {
        let times = self.ping_times(now);
        assert_eq!(due, times.iter().map(|(_, at, _)| *at).min());
        let ready: Vec<_> = times.iter().filter(|(_, at, _)| *at <= now).collect();
        let Some(named) = named else {
            assert!(ready.is_empty(), "somebody was due: {ready:?}");
            return;
        };
        let best = ready.iter().map(|(class, _, _)| *class).min().expect("somebody was due");
        assert!(ready.iter().any(|(class, _, id)| *class == best && *id == named.id));
        if let Some(live) = self.live.get_mut(&named.id) {
            live.asked = now;
        } else if let Some((_, spare)) = self.spares.get_mut(&named.id) {
            *spare = Spare::Asked(now);
        }
    }

    pub(super) fn rehomed(&mut self, own: Id<2>, table: &Table<Peer, 2>) {
        self.own = own;
        self.follow(table, None, |_, _| true);
    }

    /// What must hold between any two steps.
    pub(super) fn check(&self, now: Instant, table: &Table<Peer, 2>) {
        assert_eq!(table.len(), self.live.len());
        assert_eq!(table.is_empty(), self.live.is_empty());
        for entry in table.iter() {
            let live = &self.live[&entry.contact().id];
            assert_eq!((*entry.contact(), entry.failures()), (live.peer, live.failures));
            let status = entry.status(now, self.config.questionable_after);
            let silent = now - live.active > self.config.questionable_after;
            assert_eq!(status as u8, if live.failures > 0 { 2 } else { u8::from(silent) });
        }
        assert!(!self.live.contains_key(&self.own) && !self.spares.contains_key(&self.own));
        let waiting: Vec<Id<2>> = table.spares().map(|peer| peer.id).collect();
        assert_eq!(waiting.len(), self.spares.len());
        assert!(
            waiting.iter().all(|id| self.spares.contains_key(id) && !self.live.contains_key(id))
        );
        for bucket in 0..self.buckets {
            assert!(self.members(bucket).count() <= self.capacity(bucket));
            assert!(self.spares_of(bucket).count() <= self.config.spares);
            assert!(
                !self.config.one_per_subnet
                    || alone(self.members(bucket).map(|live| live.peer.subnet()))
            );
        }
        let summaries: Vec<_> =
            table.buckets().map(|bucket| (bucket.entries, bucket.spares)).collect();
        let counted: Vec<_> = (0..self.buckets)
            .map(|bucket| (self.members(bucket).count(), self.spares_of(bucket).count()))
            .collect();
        assert_eq!(summaries, counted);
        assert!(!self.config.one_per_host || alone(self.live.values().map(|live| live.peer.host)));
        assert!(alone(self.live.values().map(|live| live.peer.address())));
    }

    /// No proven spare waits beside a place that it may take.
    pub(super) fn check_promotion(&self) {
        for (peer, spare) in self.spares.values() {
            let bucket = self.bucket_of(&peer.id);
            let room = self.members(bucket).count() < self.capacity(bucket);
            if room && matches!(spare, Spare::Confirmed(_)) {
                let mut members = self.members(bucket);
                let subnet = |live: &Live| live.peer.subnet() == peer.subnet();
                let blocked = self.config.one_per_subnet && members.any(subnet);
                let full = self.of_provider(*peer) >= self.share(self.live.len());
                assert!(blocked || full || self.rival(*peer).is_some(), "{peer:?} waits in vain");
            }
        }
    }

    /// The closest are those of the whole list, sorted.
    pub(super) fn check_closest(&self, target: &Id<2>, table: &Table<Peer, 2>) {
        for failing in [false, true] {
            let all = self.live.values().filter(|live| failing || live.failures == 0);
            let mut expected: Vec<&Peer> = all.map(|live| &live.peer).collect();
            expected.sort_unstable_by(|left, right| target.closer(&left.id, &right.id));
            expected.truncate(5);
            if failing {
                assert_eq!(table.closest_even_failing(target, 5), expected);
            } else {
                assert_eq!(table.closest(target, 5), expected);
                assert_eq!(table.nearest::<5>(target).collect::<Vec<_>>(), expected);
            }
        }
    }

    /// Takes over what the table holds, after making sure that every change has a reason: entries
    /// are the newcomer, or were entries, or were confirmed spares; those that are gone may go.
    fn follow(
        &mut self,
        table: &Table<Peer, 2>,
        newcomer: Option<Live>,
        may_go: impl Fn(&Self, &Live) -> bool,
    ) {
        let mut live = BTreeMap::new();
        for entry in table.iter() {
            let peer = *entry.contact();
            let known = newcomer
                .filter(|newcomer| newcomer.peer == peer)
                .or_else(|| self.live.get(&peer.id).copied().filter(|live| live.peer == peer));
            let known = known.unwrap_or_else(|| match self.spares.get(&peer.id) {
                Some((_, Spare::Confirmed(live))) => *live,
                other => panic!("{peer:?} never answered and is an entry: {other:?}"),
            });
            live.insert(peer.id, known);
        }
        let gone = self
            .live
            .values()
            .filter(|old| live.get(&old.peer.id).is_none_or(|new| new.peer != old.peer));
        for old in gone {
            assert!(may_go(self, old), "{old:?} should have stayed");
        }
        let count = |all: &BTreeMap<Id<2>, Live>, provider| {
            all.values().filter(|live| live.peer.provider() == provider).count()
        };
        for newcomer in live.values().filter(|new| !self.live.contains_key(&new.peer.id)) {
            let provider = newcomer.peer.provider();
            let (had, has) = (count(&self.live, provider), count(&live, provider));
            let share = self.share(live.len().max(self.live.len()));
            assert!(has <= had || has <= share, "{has} of provider {provider}");
        }
        let mut spares = BTreeMap::new();
        for peer in table.spares() {
            let spare = match (self.live.get(&peer.id), self.spares.get(&peer.id)) {
                (Some(live), _) => (*peer, Spare::Confirmed(*live)),
                (None, Some((_, spare))) => (*peer, *spare),
                (None, None) => (*peer, Spare::Heard),
            };
            spares.insert(peer.id, spare);
        }
        self.buckets = table.buckets().count();
        self.live = live;
        self.spares = spares;
    }

    /// Whether an entry may be lost because this newcomer answered.
    fn goes_for(&self, live: &Live, newcomer: Peer) -> bool {
        let same_address = live.peer.address() == newcomer.address();
        let same_id = live.peer.id == newcomer.id;
        let same_host = self.config.one_per_host && live.peer.host == newcomer.host;
        let same_subnet = self.config.one_per_subnet
            && live.peer.subnet() == newcomer.subnet()
            && self.bucket_of(&live.peer.id) == self.bucket_of(&newcomer.id);
        let same_provider =
            self.config.provider_percent < 100 && live.peer.provider() == newcomer.provider();
        let same = same_id || same_host || same_subnet || same_provider;
        same_address || (live.failures > 0 && same)
    }

    /// Whether an entry may be lost because the home bucket split and left it in a bucket that is
    /// too small.
    fn split_out(&self, live: &Live, table: &Table<Peer, 2>) -> bool {
        let bucket = table.buckets().nth(self.own.shared_prefix(&live.peer.id));
        table.buckets().count() > self.buckets
            && bucket.is_some_and(|bucket| bucket.entries == bucket.capacity)
    }

    /// Whether a full bucket got room for a newcomer: by a split, or because entries went for it.
    fn made_room(&self, newcomer: Peer, table: &Table<Peer, 2>) -> bool {
        let bucket = self.bucket_of(&newcomer.id);
        table.buckets().count() > self.buckets
            || self.members(bucket).any(|live| self.goes_for(live, newcomer))
    }

    /// Confirmed spares of a bucket that could take the place of this entry, with their times.
    fn fitting(&self, bucket: usize, failing: Id<2>) -> impl Iterator<Item = (Peer, Instant)> {
        self.spares.values().filter_map(move |(peer, spare)| {
            let Spare::Confirmed(spare) = spare else {
                return None;
            };
            let others = || self.live.values().filter(|live| live.peer.id != failing);
            let host_free = !others().any(|live| self.same_place(live.peer, *peer));
            let subnet_free = !self.config.one_per_subnet
                || !others().any(|live| {
                    live.peer.subnet() == peer.subnet() && self.bucket_of(&live.peer.id) == bucket
                });
            let here = self.bucket_of(&peer.id) == bucket && self.live.contains_key(&failing);
            let theirs = others().filter(|live| live.peer.provider() == peer.provider());
            let share_free = theirs.count() < self.share(others().count());
            (here && host_free && subnet_free && share_free).then_some((*peer, spare.answered))
        })
    }

    /// For everybody who can be pinged: class (names, failing, silent), when, who.
    fn ping_times(&self, now: Instant) -> Vec<(u8, Instant, Id<2>)> {
        let retry = self.config.retry_after;
        let live = self.live.values().map(|live| {
            if live.failures > 0 {
                (1, live.asked + retry, live.peer.id)
            } else {
                let silent = live.active + self.config.questionable_after;
                (2, silent.max(live.asked + retry), live.peer.id)
            }
        });
        let spares = self.spares.values().filter_map(|(peer, spare)| {
            let bucket = self.bucket_of(&peer.id);
            let wanted = bucket + 1 == self.buckets
                || self.members(bucket).count() < self.capacity(bucket)
                || self.members(bucket).any(|live| live.failures > 0);
            match spare {
                Spare::Heard if wanted => Some((0, now, peer.id)),
                Spare::Asked(at) if wanted => Some((0, *at + retry, peer.id)),
                Spare::Heard | Spare::Asked(_) | Spare::Confirmed(_) => None,
            }
        });
        live.chain(spares).collect()
    }

    fn members(&self, bucket: usize) -> impl Iterator<Item = &Live> {
        self.live.values().filter(move |live| self.bucket_of(&live.peer.id) == bucket)
    }

    fn spares_of(&self, bucket: usize) -> impl Iterator<Item = Peer> {
        let here = move |peer: &Peer| self.bucket_of(&peer.id) == bucket;
        self.spares.values().map(|(peer, _)| *peer).filter(here)
    }

    fn capacity(&self, bucket: usize) -> usize {
        let wide = self.config.wide_levels.get(bucket).copied().unwrap_or(0);
        wide.max(self.config.bucket_size)
    }

    /// How many entries one provider may have in a table of so many.
    fn share(&self, entries: usize) -> usize {
        if self.config.provider_percent >= 100 {
            return usize::MAX;
        }
        let percent = usize::from(self.config.provider_percent);
        (entries * percent / 100).max(self.config.provider_floor).max(1)
    }

    fn of_provider(&self, peer: Peer) -> usize {
        self.live.values().filter(|live| live.peer.provider() == peer.provider()).count()
    }

    fn rival(&self, peer: Peer) -> Option<&Live> {
        self.live.values().find(|live| self.same_place(live.peer, peer))
    }

    fn same_place(&self, left: Peer, right: Peer) -> bool {
        left.host == right.host && (self.config.one_per_host || left.port == right.port)
    }
}

/// Whether no two are the same.
fn alone<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.is_sorted_by(|left, right| left < right)
}
