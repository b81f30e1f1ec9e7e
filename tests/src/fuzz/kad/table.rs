//! The routing table against a reference that keeps one flat list and looks at all of it.
//! Separate because the steps, and what each may answer, are the specification of the table.

mod reference;

use std::time::{Duration, Instant};

use mainstay_kad::{Id, Table, TableConfig};
use reference::Reference;

use super::Script;
use super::peer::Peer;

/// One thing that an owner does with a table.
#[derive(Debug, Clone)]
enum Step {
    Responded(Peer, u64),
    Heard(Peer),
    /// The n-th of all entries and spares fails (an unknown id, if there are fewer).
    Failed(usize),
    Remove(usize),
    Asked(usize),
    AskedUs(usize),
    NextToPing,
    LookedUp(Id<2>),
    Rehome(Id<2>),
    Pass(u64),
}

impl Step {
    fn read(script: &mut Script<'_>) -> Self {
        match script.below(30) {
            0..10 => Self::Responded(script.peer(), 1 + u64::from(script.word() % 999)),
            10..15 => Self::Heard(script.peer()),
            15..19 => Self::Failed(script.count(40)),
            19 => Self::Remove(script.count(40)),
            20 => Self::Asked(script.count(40)),
            21 => Self::AskedUs(script.count(40)),
            22..25 => Self::NextToPing,
            25 => Self::LookedUp(script.id()),
            26 => Self::Rehome(script.id()),
            _ => Self::Pass(1 + u64::from(script.word() % 399)),
        }
    }
}

fn any_config(script: &mut Script<'_>) -> TableConfig {
    TableConfig {
        bucket_size: 1 + script.count(4),
        wide_levels: (0..script.below(3)).map(|_| 1 + script.count(8)).collect(),
        spares: script.count(4),
        max_failures: 1 + script.below(4),
        one_per_host: script.coin(),
        one_per_subnet: script.coin(),
        provider_percent: if script.coin() { 100 } else { 1 + script.below(99) },
        provider_floor: script.count(4),
        ..TableConfig::default()
    }
}

/// The id of the n-th contact that the table knows, entries first.
fn nth(table: &Table<Peer, 2>, n: usize) -> Peer {
    let entries = table.iter().map(|entry| *entry.contact());
    let nobody = Peer { id: Id::from([0xff, 0xff]), host: 255, port: 0, preferred: true };
    entries.chain(table.spares().copied()).nth(n).unwrap_or(nobody)
}

/// Takes one step with the table and lets the reference judge what came of it.
fn take(step: Step, now: &mut Instant, table: &mut Table<Peer, 2>, reference: &mut Reference) {
    match step {
        Step::Responded(peer, rtt) => {
            let outcome = table.responded(*now, peer, Duration::from_millis(rtt));
            reference.responded(*now, peer, &outcome, table);
        }
        Step::Heard(peer) => {
            let outcome = table.heard(peer);
            reference.heard(peer, outcome, table);
        }
        Step::Failed(n) => {
            let peer = nth(table, n);
            let outcome = table.failed(*now, &peer.id);
            reference.failed(*now, peer.id, &outcome, table);
        }
        Step::Remove(n) => {
            let peer = nth(table, n);
            let removed = table.remove(&peer.id);
            reference.removed(peer.id, removed, table);
        }
        Step::Asked(n) => {
            let peer = nth(table, n);
            table.asked(*now, &peer.id);
            reference.asked(*now, peer.id);
        }
        Step::AskedUs(n) => {
            let peer = nth(table, n);
            let known = table.asked_us(*now, &peer);
            reference.asked_us(*now, peer, known);
        }
        Step::NextToPing => {
            let due = table.ping_due(*now);
            let named = table.next_to_ping(*now);
            reference.pinged(*now, due, named);
        }
        Step::LookedUp(target) => {
            table.looked_up(*now, &target);
            assert_ne!(table.stale_bucket(*now), Some(reference.bucket_of(&target)));
        }
        Step::Rehome(own) => {
            table.rehome(own);
            reference.rehomed(own, table);
        }
        Step::Pass(seconds) => *now += Duration::from_secs(seconds),
    }
}

/// A table is what a flat list says it should be, after each step of any script.
pub(in crate::fuzz) fn routing_table(script: &[u8]) {
    let mut script = Script(script);
    let (own, config) = (script.id(), any_config(&mut script));
    let targets = [script.id(), script.id()];
    let mut now = Instant::now();
    let mut table = Table::new(own, config.clone());
    let mut reference = Reference::new(own, config);
    for _ in 0..STEPS {
        if script.is_over() {
            break;
        }
        take(Step::read(&mut script), &mut now, &mut table, &mut reference);
        reference.check(now, &table);
        reference.check_promotion();
        for target in &targets {
            reference.check_closest(target, &table);
        }
    }
}

/// More than these teach nothing new, and each is compared with all of the list.
const STEPS: usize = 400;
