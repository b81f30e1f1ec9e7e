//! The routing table against a reference that keeps one flat list and looks at all of it.
//! Separate because the steps, and what each may answer, are the specification of the table.

mod reference;

use std::time::{Duration, Instant};

use mainstay_kad::{Id, Table, TableConfig};
use proptest::prelude::*;
use reference::Reference;

use crate::peer::{Peer, any_id, any_peer};

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

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (any_peer(), 1_u64..1000).prop_map(|(peer, rtt)| Step::Responded(peer, rtt)),
        5 => any_peer().prop_map(Step::Heard),
        4 => (0_usize..40).prop_map(Step::Failed),
        1 => (0_usize..40).prop_map(Step::Remove),
        1 => (0_usize..40).prop_map(Step::Asked),
        1 => (0_usize..40).prop_map(Step::AskedUs),
        3 => Just(Step::NextToPing),
        1 => any_id().prop_map(Step::LookedUp),
        1 => any_id().prop_map(Step::Rehome),
        3 => (1_u64..400).prop_map(Step::Pass),
    ]
}

fn any_config() -> impl Strategy<Value = TableConfig> {
    let sizes = (1_usize..5, prop::collection::vec(1_usize..9, 0..3), 0_usize..4, 1_u8..5);
    let providers = (prop_oneof![Just(100), 1_u8..100], 0_usize..4);
    (sizes, any::<bool>(), any::<bool>(), providers).prop_map(
        |(sizes, one_per_host, one_per_subnet, (provider_percent, provider_floor))| {
            let (bucket_size, wide_levels, spares, max_failures) = sizes;
            TableConfig {
                bucket_size,
                wide_levels,
                spares,
                max_failures,
                one_per_host,
                one_per_subnet,
                provider_percent,
                provider_floor,
                ..TableConfig::default()
            }
        },
    )
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(250) })]

    #[test]
    fn a_table_is_what_a_flat_list_says_it_should_be(
        own in any_id(),
        config in any_config(),
        steps in prop::collection::vec(any_step(), 1..120),
        targets in prop::collection::vec(any_id(), 1..4),
    ) {
        let mut now = Instant::now();
        let mut table = Table::new(own, config.clone());
        let mut reference = Reference::new(own, config);
        for step in steps {
            take(step, &mut now, &mut table, &mut reference);
            reference.check(now, &table);
            reference.check_promotion();
            for target in &targets {
                reference.check_closest(target, &table);
            }
        }
    }
}
