//! Ten thousand damaged datagrams: apart from the fuzz run, because this must hold on every test run.

use mainstay_tests::fuzz::{Mutator, TARGETS};

/// Feeds a target the damaged copies of its seeds; it panics when a promise is broken.
fn feed(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("in the table");
    let seeds = (target.seeds)();
    seeds.iter().for_each(|seed| (target.run)(seed));
    let mut mutator = Mutator::new(44);
    for _ in 0..10_000 {
        (target.run)(&mutator.input(&seeds, 2048));
    }
}

#[test]
fn ten_thousand_damaged_messages_kill_nothing() {
    feed("krpc_message");
}

#[test]
fn ten_thousand_damaged_values_kill_nothing() {
    feed("bencoded_value");
}
