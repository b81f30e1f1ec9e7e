//! What lookups and puts cost on a large network, against the targets that the project has set itself.
//! Apart from the tests of behaviour, because these are distributions and not cases.

use std::ops::Range;
use std::time::Duration;

use mainstay_dht_proto::{Ask, AskOptions, Config, Event, Outcome, StepKind};
use mainstay_krpc::item::MutableItem;
use mainstay_tests::internet::Spending;

use crate::crowd::Crowd;
use crate::swarm::{get_of, keypair};

/// A fresh item by number.
pub(crate) fn nth(number: usize) -> MutableItem {
    let salt = number.to_be_bytes();
    MutableItem::sign_bytes(&keypair(1), &salt, 1, b"value").unwrap()
}

/// What a number of asks took.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    first: Vec<Duration>,
    pub(crate) all: Vec<Duration>,
    /// From the ask to the quorum of a put.
    pub(crate) quorum: Vec<Duration>,
    messages: Vec<usize>,
    /// Where the messages of puts went.
    spent: Vec<Spending>,
    /// How many copies the crowd holds of each.
    copies: Vec<usize>,
    /// At how many of the eight closest there is one.
    closest: Vec<usize>,
    pub(crate) succeeded: usize,
}

impl Costs {
    /// Gets of items that the eight closest nodes hold.
    pub(crate) fn of_gets(crowd: &mut Crowd, client: usize, numbers: Range<usize>) -> Self {
        for number in numbers.clone() {
            crowd.plant(&nth(number), 8);
        }
        Self::of_finds(crowd, client, numbers)
    }

    /// Gets of items that somebody put before.
    pub(crate) fn of_finds(crowd: &mut Crowd, client: usize, numbers: Range<usize>) -> Self {
        let mut costs = Self::default();
        for number in numbers {
            let item = nth(number);
            let (outcome, report, sent) = crowd.ask(client, get_of(&item));
            let found = matches!(outcome, Outcome::Mutable(Ok(Some(found))) if found == item);
            costs.succeeded += usize::from(found);
            costs.first.extend(report.first_value);
            costs.all.push(report.elapsed);
            costs.messages.push(sent);
        }
        costs.tell("get");
        costs
    }

    /// Puts of new items.
    pub(crate) fn of_puts(crowd: &mut Crowd, client: usize, numbers: Range<usize>) -> Self {
        let mut costs = Self::default();
        for number in numbers {
            let ask = Ask::PutMutable { item: nth(number), cas: None };
            let traced = AskOptions { traced: true, ..AskOptions::default() };
            let (outcome, report, sent) = crowd.ask_with(client, ask, traced);
            let Outcome::Put(Ok(put)) = outcome else { continue };
            costs.succeeded += 1;
            costs.first.push(put.first_stored);
            costs.quorum.extend(put.quorum);
            costs.all.push(report.elapsed);
            costs.messages.push(sent);
            costs.spent.push(Spending::of(crowd.events(client)));
            costs.copies.push(crowd.copies(&nth(number)));
            costs.closest.push(crowd.copies_at(&nth(number), 8));
        }
        costs.tell("put");
        costs.tell_spent();
        costs
    }

    /// Shown with `--nocapture`.
    fn tell_spent(&self) {
        let mean = |part: fn(&Spending) -> usize| {
            self.spent.iter().map(part).sum::<usize>() as f64 / self.spent.len().max(1) as f64
        };
        println!(
            "     queries for a token {:.1}, that led on {:.1}, in vain {:.1}; stores on the way {:.1}, at the end {:.1}",
            mean(|spent| spent.tokens),
            mean(|spent| spent.leading),
            mean(|spent| spent.vain),
            mean(|spent| spent.early),
            mean(|spent| spent.late),
        );
        println!("     copies {:?}", self.copies);
        println!("     of the eight closest {:?}", self.closest);
    }

    /// Shown with `--nocapture`.
    fn tell(&mut self, what: &str) {
        println!(
            "{what}: {} succeeded, first {:?} {:?}, quorum {:?} {:?}, complete {:?} {:?}, {} {} messages (p50 p99)",
            self.succeeded,
            quantile(&mut self.first, 0.5),
            quantile(&mut self.first, 0.99),
            quantile(&mut self.quorum, 0.5),
            quantile(&mut self.quorum, 0.99),
            quantile(&mut self.all, 0.5),
            quantile(&mut self.all, 0.99),
            quantile(&mut self.messages, 0.5),
            quantile(&mut self.messages, 0.99),
        );
    }
}

pub(crate) fn quantile<T: Ord + Copy + Default>(values: &mut [T], share: f64) -> T {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share) as usize).copied().unwrap_or_default()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_node_that_remembers_thousands_finds_in_two_round_trips() {
    let mut crowd = Crowd::new(10_000, 1);
    crowd.rtt = (ms(40), ms(40));
    let client = crowd.spawn(|config| config);
    let forgetful = crowd.spawn(|config| Config { contacts: 0, ..config });
    crowd.warm(client, 200);
    let mut costs = Costs::of_gets(&mut crowd, client, 0..40);
    assert_eq!(costs.succeeded, 40);
    assert!(quantile(&mut costs.first, 0.5) <= ms(40));
    assert!(quantile(&mut costs.all, 0.5) <= ms(80));
    assert!(quantile(&mut costs.all, 0.99) <= ms(120));
    assert!(quantile(&mut costs.messages, 0.99) <= 35);
    // It is the memory that does it.
    crowd.warm(forgetful, 20);
    let mut costs = Costs::of_gets(&mut crowd, forgetful, 100..120);
    assert!(quantile(&mut costs.all, 0.5) >= ms(120));
}

#[test]
fn the_first_value_comes_from_the_quickest_holder() {
    let mut crowd = Crowd::new(10_000, 2);
    let client = crowd.spawn(|config| config);
    crowd.warm(client, 200);
    let mut costs = Costs::of_gets(&mut crowd, client, 0..60);
    assert!(quantile(&mut costs.first, 0.5) <= ms(30));
    // Two of the slowest round trips of sixty milliseconds would be 120.
    assert!(quantile(&mut costs.all, 0.5) <= ms(90));
}

#[test]
fn a_put_takes_two_messages_a_copy_and_a_dozen_more() {
    let mut crowd = Crowd::new(10_000, 2);
    let client = crowd.spawn(|config| config);
    crowd.warm(client, 200);
    let mut costs = Costs::of_puts(&mut crowd, client, 100..120);
    assert!(quantile(&mut costs.messages, 0.5) <= 45);
    assert!(quantile(&mut costs.messages, 0.99) <= 55);
    assert!(quantile(&mut costs.quorum, 0.5) <= ms(110));
    assert!(quantile(&mut costs.quorum, 0.99) <= ms(160));
    assert!(quantile(&mut costs.all, 0.5) <= ms(150));
    assert_eq!(costs.closest, [8; 20], "at each of the closest");
    assert!(costs.copies.iter().all(|copies| *copies >= 16));
}

#[test]
fn who_is_silent_holds_up_the_copies_until_it_is_late_and_not_until_it_stalls() {
    let mut crowd = Crowd::new(2000, 3);
    crowd.rtt = (ms(40), ms(40));
    let client = crowd.spawn(|config| config);
    crowd.warm(client, 100);
    Costs::of_puts(&mut crowd, client, 0..5);
    // Late after 50 ms, stalled after 100: who is asked then has stored 80 ms later.
    let mut took: Vec<Duration> = Vec::new();
    for number in 10..15 {
        let closest = crowd.closest(&nth(number).target(), 16);
        crowd.silence(closest.iter().skip(3).step_by(4));
        let mut costs = Costs::of_puts(&mut crowd, client, number..number + 1);
        assert!(quantile(&mut costs.messages, 1.0) <= 55);
        assert!(costs.copies[0] >= 16);
        took.push(last_copy(crowd.events(client)));
    }
    println!("last copy {took:?}");
    assert!(quantile(&mut took, 0.5) <= ms(140));
}

/// When the last copy was acknowledged.
fn last_copy(events: &[Event]) -> Duration {
    let stored = events.iter().filter_map(|event| match event {
        Event::Step { step, .. } if matches!(step.what, StepKind::Stored { .. }) => Some(step.at),
        _ => None,
    });
    stored.max().unwrap_or(Duration::MAX)
}
