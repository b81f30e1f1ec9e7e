//! The contact book against a reference that remembers everything it was told.
//! Separate because a book forgets as it likes: what it hands out is judged, not what it keeps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_kad::{Book, BookConfig, Contact, Id, Noted};

use super::Script;
use super::peer::Peer;

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

impl Step {
    fn read(script: &mut Script<'_>) -> Self {
        match script.below(19) {
            0..8 => Self::Responded(script.peer(), script.word()),
            8..11 => Self::Heard(script.peer()),
            11 | 12 => Self::Failed(script.peer()),
            13 => Self::Removed(script.peer()),
            14 => Self::Wait(script.below(60)),
            _ => Self::Closest(script.id(), script.count(30)),
        }
    }
}

fn any_config(script: &mut Script<'_>) -> BookConfig {
    BookConfig {
        capacity: script.count(200),
        one_per_subnet: script.coin(),
        per_provider: script.count(4),
        fresh_for: Duration::from_secs(FRESH),
    }
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

/// A book hands out the closest of those it can rely on, and no one it was not told of.
pub(in crate::fuzz) fn contact_book(script: &[u8]) {
    let mut script = Script(script);
    let now = Instant::now();
    let book = Book::new(now, any_config(&mut script));
    let mut model = Model { book, told: BTreeMap::new(), now, seconds: 0 };
    while !script.is_over() {
        model.step(Step::read(&mut script));
        model.check();
    }
}
