//! The contact book against a reference that remembers everything it was told.
//! Separate because a book forgets as it likes: what it hands out is judged, not what it keeps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_kad::{Book, BookConfig, Contact, Id, Noted};
use proptest::prelude::*;

use crate::peer::{Peer, any_id, any_peer};

const FRESH: u64 = 100;

#[derive(Debug, Clone)]
enum Step {
    Responded(Peer, u16),
    Heard(Peer),
    Failed(Peer),
    Removed(Peer),
    Wait(u8),
    Closest(Id<2>, usize),
}

/// What the book was told of one id.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: (u8, u8),
    seen: u64,
    proven: bool,
    failures: u8,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any_peer(), any::<u16>()).prop_map(|(peer, rtt)| Step::Responded(peer, rtt)),
        3 => any_peer().prop_map(Step::Heard),
        2 => any_peer().prop_map(Step::Failed),
        1 => any_peer().prop_map(Step::Removed),
        1 => (0_u8..60).prop_map(Step::Wait),
        4 => (any_id(), 0_usize..30).prop_map(|(target, count)| Step::Closest(target, count)),
    ]
}

fn any_config() -> impl Strategy<Value = BookConfig> {
    (0_usize..200, any::<bool>(), 0_usize..4).prop_map(
        |(capacity, one_per_subnet, per_provider)| BookConfig {
            capacity,
            one_per_subnet,
            per_provider,
            fresh_for: Duration::from_secs(FRESH),
        },
    )
}

struct Model {
    book: Book<Peer, 2>,
    told: BTreeMap<Id<2>, Told>,
    now: Instant,
    seconds: u64,
}

impl Model {
    fn learn(&mut self, peer: &Peer, noted: Noted, proven: bool) {
        let (at, seen) = (peer.address(), self.seconds);
        match noted {
            Noted::Added | Noted::Replaced => {
                self.told.insert(peer.id, Told { at, seen, proven, failures: 0 });
            }
            Noted::Refreshed => {
                let told = self.told.get_mut(&peer.id).expect("it was told before");
                assert_eq!(told.at, at, "refreshed from elsewhere");
                if proven {
                    *told = Told { at, seen, proven, failures: 0 };
                } else if !told.proven {
                    told.seen = seen;
                }
            }
            Noted::Refused => {}
        }
    }

    fn lose(&mut self, peer: &Peer, failures: u8) {
        if let Some(told) = self.told.get_mut(&peer.id).filter(|told| told.at == peer.address()) {
            told.failures = told.failures.saturating_add(failures);
        }
    }

    fn is_usable(&self, id: &Id<2>) -> bool {
        let told = self.told.get(id).expect("nobody is in the book who was never told");
        told.failures == 0 && told.seen + FRESH >= self.seconds
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Responded(peer, rtt) => {
                let rtt = Duration::from_millis(u64::from(rtt));
                let noted = self.book.responded(self.now, peer, rtt);
                self.learn(&peer, noted, true);
            }
            Step::Heard(peer) => {
                let before = self.book.len();
                let noted = self.book.heard(self.now, peer);
                assert_ne!(noted, Noted::Replaced, "hearsay displaces nobody");
                assert_eq!(self.book.len(), before + usize::from(noted == Noted::Added));
                self.learn(&peer, noted, false);
            }
            Step::Failed(peer) => {
                self.book.failed(&peer.id, &peer.address());
                self.lose(&peer, 1);
            }
            Step::Removed(peer) => {
                self.book.remove(&peer.id, &peer.address());
                self.lose(&peer, 9);
            }
            Step::Wait(seconds) => {
                self.now += Duration::from_secs(u64::from(seconds));
                self.seconds += u64::from(seconds);
            }
            Step::Closest(target, count) => self.compare(&target, count),
        }
    }

    fn compare(&self, target: &Id<2>, count: usize) {
        let mut expected: Vec<Id<2>> = self.book.iter().map(|known| known.contact.id).collect();
        expected.retain(|id| self.is_usable(id));
        expected.sort_by(|left, right| target.closer(left, right));
        expected.truncate(count);
        let found = self.book.closest(self.now, target, count);
        let found: Vec<Id<2>> = found.iter().map(|known| known.contact.id).collect();
        assert_eq!(found, expected);
    }

    fn check(&self) {
        assert!(self.book.len() <= self.book.config().capacity);
        for known in self.book.iter() {
            let told = self.told.get(&known.contact.id).expect("told");
            assert_eq!(known.contact.address(), told.at);
            assert_eq!(known.rtt.is_some(), told.proven);
            assert!(told.failures < if told.proven { 2 } else { 1 }, "it should be forgotten");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(250) })]

    #[test]
    fn a_book_hands_out_the_closest_of_those_it_can_rely_on(
        config in any_config(),
        steps in prop::collection::vec(any_step(), 1..300),
    ) {
        let now = Instant::now();
        let book = Book::new(now, config);
        let mut model = Model { book, told: BTreeMap::new(), now, seconds: 0 };
        for step in steps {
            model.step(step);
            model.check();
        }
    }
}
