//! What a table promises, rule by rule.
//! Apart from the code because the rules are many; admission has a file of its own.

use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::testing::{Peer, id, ms, random_id, rng, secs, start};

mod admission;
mod providers;

/// The defaults without the rule on providers: 256 numbers in a row are one.
fn config() -> TableConfig {
    TableConfig { provider_percent: 100, ..TableConfig::default() }
}

fn table() -> Table<Peer, 20> {
    Table::new(Id::ZERO, config())
}

/// A table whose buckets hold two entries and two spares each.
fn narrow_table() -> Table<Peer, 20> {
    let config = TableConfig { bucket_size: 2, wide_levels: Vec::new(), spares: 2, ..config() };
    Table::new(Id::ZERO, config)
}

/// A narrow table with `bits` in its far bucket (all begin with 1), and a near node, so that the
/// far bucket is not the home bucket.
fn full_far_bucket(now: Instant, bits: [&str; 2]) -> Table<Peer, 20> {
    let mut table = narrow_table();
    for (bits, number) in ["001", "01", bits[0], bits[1]].iter().zip(1..) {
        assert_eq!(table.responded(now, Peer::new(id(bits), number), ms(100)), Insert::Added);
    }
    assert_eq!(table.buckets.len(), 2);
    table
}

fn ids<'t>(contacts: impl IntoIterator<Item = &'t Peer>) -> Vec<Id<20>> {
    contacts.into_iter().map(|peer| peer.id).collect()
}

#[test]
fn a_node_that_others_name_is_not_in_the_table() {
    let mut table = table();
    assert_eq!(table.heard(Peer::new(id("1"), 1)), Heard::Queued);
    assert!(table.is_empty());
    assert_eq!(table.closest(&id("1"), 8), Vec::<&Peer>::new());
    assert_eq!(ids(table.spares()), [id("1")]);
}

#[test]
fn a_failing_node_is_not_handed_out_until_it_answers() {
    let (mut table, now) = (table(), start());
    let (good, bad) = (Peer::new(id("1"), 1), Peer::new(id("01"), 2));
    table.responded(now, good, ms(10));
    table.responded(now, bad, ms(10));
    table.failed(now, &bad.id);
    assert_eq!(ids(table.closest(&bad.id, 8)), [good.id]);
    assert_eq!(ids(table.nearest::<8>(&bad.id)), [good.id]);
    assert_eq!(ids(table.closest_even_failing(&bad.id, 8)), [bad.id, good.id]);
    table.responded(now, bad, ms(10));
    assert_eq!(ids(table.closest(&bad.id, 8)), [bad.id, good.id]);
}

#[test]
fn ten_thousand_nodes_fill_the_far_buckets_and_a_dozen_in_all() {
    let (mut table, now, mut rng) = (table(), start(), rng(1));
    for number in 1..=10_000 {
        table.responded(now, Peer::new(random_id(&mut rng), number), ms(10));
    }
    let filled: Vec<usize> = table.buckets().map(|bucket| bucket.entries).collect();
    assert_eq!(filled[..8], [128, 64, 32, 16, 8, 8, 8, 8]);
    let active = filled.iter().filter(|entries| **entries > 0).count();
    assert!((10..=14).contains(&active), "{filled:?}");
    assert!(table.buckets().all(|bucket| bucket.entries <= bucket.capacity && bucket.spares <= 8));
}

#[test]
fn ids_alike_in_all_but_the_last_bits_split_to_the_end() {
    let (mut table, now) = (narrow_table(), start());
    for (bit, number) in (150..160).rev().zip(1..) {
        let near = Id::ZERO.with_bit(bit, true);
        assert_eq!(table.responded(now, Peer::new(near, number), ms(10)), Insert::Added);
    }
    assert_eq!(table.len(), 10);
    assert!(table.buckets.len() <= 160);
}

#[test]
fn round_trip_times_are_averaged_two_to_one() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(90));
    table.responded(now, peer, ms(30));
    assert_eq!(table.entry(&peer.id).unwrap().rtt(), ms(70));
}

#[test]
fn a_quantile_is_a_time_that_so_many_stay_within() {
    let (mut table, now) = (table(), start());
    assert_eq!(table.rtt_quantile(0.5), None);
    for number in 1..=11_u32 {
        let id = id("1").with_bit(10 + number as usize, true);
        table.responded(now, Peer::new(id, number), ms(u64::from(number) * 10));
    }
    assert_eq!(table.rtt_quantile(0.0), Some(ms(10)));
    assert_eq!(table.rtt_quantile(0.5), Some(ms(60)));
    assert_eq!(table.rtt_quantile(0.9), Some(ms(100)));
    assert_eq!(table.rtt_quantile(7.0), Some(ms(110)));
}

#[test]
fn silence_makes_an_entry_questionable_and_its_query_makes_it_good_again() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(10));
    let later = now + secs(15 * 60 + 1);
    assert_eq!(table.status(now + secs(15 * 60), &peer.id), Some(Status::Good));
    assert_eq!(table.status(later, &peer.id), Some(Status::Questionable));
    let elsewhere = Peer { port: 2, ..peer };
    assert!(!table.asked_us(later, &elsewhere));
    assert_eq!(table.status(later, &peer.id), Some(Status::Questionable));
    assert!(table.asked_us(later, &peer));
    assert_eq!(table.status(later, &peer.id), Some(Status::Good));
}

#[test]
fn a_query_from_a_failing_node_does_not_clear_its_failures() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(10));
    table.failed(now, &peer.id);
    assert!(table.asked_us(now, &peer));
    assert_eq!(table.status(now, &peer.id), Some(Status::Failing));
}

#[test]
fn a_query_lets_nobody_in() {
    let mut table = table();
    assert!(!table.asked_us(start(), &Peer::new(id("1"), 1)));
    assert!(table.is_empty());
}

#[test]
fn names_are_pinged_first_then_failing_nodes_then_the_longest_silent() {
    let (mut table, now) = (table(), start());
    let [old, older, bad, named] =
        [1, 2, 3, 4].map(|number| Peer::new(id("1").with_bit(number as usize, true), number));
    table.responded(now, older, ms(10));
    table.responded(now + secs(1), old, ms(10));
    table.responded(now + secs(1), bad, ms(10));
    table.failed(now + secs(1), &bad.id);
    table.heard(named);
    let later = now + secs(16 * 60);
    let mut order = Vec::new();
    while let Some(peer) = table.next_to_ping(later) {
        order.push(peer.id);
    }
    assert_eq!(order, [named.id, bad.id, older.id, old.id]);
}

#[test]
fn nobody_is_pinged_again_within_a_minute() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.heard(peer);
    assert_eq!(table.ping_due(now), Some(now));
    assert_eq!(table.next_to_ping(now), Some(peer));
    assert_eq!(table.ping_due(now), Some(now + secs(60)));
    assert_eq!(table.next_to_ping(now + secs(59)), None);
    assert_eq!(table.next_to_ping(now + secs(60)), Some(peer));
    table.failed(now + secs(61), &peer.id);
    assert_eq!(table.ping_due(now + secs(61)), None);
}

#[test]
fn a_healthy_entry_is_due_when_it_turns_questionable_and_other_queries_postpone_it() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(10));
    let due = now + secs(15 * 60);
    assert_eq!(table.ping_due(now), Some(due));
    assert_eq!(table.next_to_ping(due - ms(1)), None);
    table.asked(due - secs(10), &peer.id);
    assert_eq!(table.ping_due(now), Some(due + secs(50)));
    assert_eq!(table.next_to_ping(due + secs(50)), Some(peer));
}

#[test]
fn names_beside_a_full_healthy_bucket_are_left_alone_until_somebody_fails() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let named = Peer::new(id("101"), 9);
    assert_eq!(table.heard(named), Heard::Queued);
    assert_eq!(table.next_to_ping(now), None);
    table.failed(now, &id("10"));
    assert_eq!(table.next_to_ping(now), Some(named));
}

#[test]
fn the_bucket_untouched_longest_is_stale_first_and_a_lookup_refreshes_it() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    table.responded(now + secs(5), Peer::new(id("10"), 3), ms(10));
    let later = now + secs(15 * 60);
    assert_eq!(table.stale_due(now), later);
    assert_eq!(table.stale_bucket(later - ms(1)), None);
    assert_eq!(table.stale_bucket(later), Some(1));
    table.looked_up(later, &id("01"));
    assert_eq!(table.stale_bucket(later), None);
    assert_eq!(table.stale_bucket(later + secs(5)), Some(0));
}

#[test]
fn an_empty_table_is_stale_at_once() {
    let now = start();
    assert_eq!(table().stale_bucket(now), Some(0));
    assert_eq!(table().stale_due(now), now);
}

#[test]
fn a_refresh_target_falls_into_its_bucket() {
    let mut table = full_far_bucket(start(), ["10", "11"]);
    table.rehome(id("0110"));
    for index in 0..table.buckets.len() {
        for byte in [0x00, 0xff, 0x5a] {
            let target = table.refresh_target(index, |buffer| buffer.fill(byte));
            assert_eq!(table.bucket_of(&target), index);
        }
    }
}

#[test]
fn moving_to_another_id_keeps_the_nodes_and_their_history() {
    let (mut table, now, mut rng) = (table(), start(), rng(2));
    for number in 1..=300 {
        table.responded(now, Peer::new(random_id(&mut rng), number), ms(u64::from(number)));
    }
    let before = table.len();
    let own = random_id(&mut rng);
    table.rehome(own);
    assert_eq!(*table.own_id(), own);
    assert!(table.len() > before / 2);
    for entry in table.iter() {
        assert_eq!(entry.rtt(), ms(u64::from(entry.contact.host >> 8)));
    }
    let near = table.closest(&own, 8);
    assert_eq!(near.len(), 8);
}

#[test]
fn a_node_with_our_new_id_does_not_survive_the_move() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(10));
    table.rehome(peer.id);
    assert!(table.is_empty());
    assert_eq!(table.spares().count(), 0);
}

#[test]
fn the_same_calls_give_the_same_table() {
    let run = |now: Instant| {
        let (mut table, mut rng) = (table(), rng(3));
        for number in 1..=2000 {
            let peer = Peer::new(random_id(&mut rng), number % 700 + 1);
            table.responded(now, peer, ms(u64::from(number % 50)));
            table.heard(Peer::new(random_id(&mut rng), number % 900 + 1));
            table.failed(now, &random_id(&mut rng));
        }
        let entries: Vec<Peer> = table.iter().map(|entry| entry.contact).collect();
        (entries, table.spares().copied().collect::<Vec<_>>())
    };
    let now = start();
    assert_eq!(run(now), run(now));
}

/// Ids that crowd together as much as they scatter: a few bits set, the rest equal.
fn clustered_id() -> impl Strategy<Value = Id<20>> {
    prop_oneof![
        any::<[u8; 20]>().prop_map(Id::from),
        (0_usize..160, 0_usize..160, 0_usize..160).prop_map(|(a, b, c)| {
            Id::ZERO.with_bit(a, true).with_bit(b, true).with_bit(c, true)
        }),
        any::<[u8; 2]>().prop_map(|tail| {
            let mut bytes = [0; 20];
            bytes[18..].copy_from_slice(&tail);
            Id::from(bytes)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn the_closest_are_those_that_brute_force_finds(
        own in clustered_id(),
        nodes in prop::collection::vec((clustered_id(), any::<bool>()), 0..300),
        targets in prop::collection::vec(clustered_id(), 1..20),
        count in 0_usize..40,
        bucket_size in 1_usize..20,
    ) {
        let now = start();
        let config = TableConfig { bucket_size, ..config() };
        let mut table = Table::new(own, config);
        for ((id, fails), number) in nodes.into_iter().zip(1..) {
            table.responded(now, Peer::new(id, number), ms(10));
            if fails {
                table.failed(now, &id);
            }
        }
        for target in targets {
            for failing in [false, true] {
                let mut expected: Vec<Id<20>> = table
                    .iter()
                    .filter(|entry| failing || entry.failures() == 0)
                    .map(|entry| entry.contact.id)
                    .collect();
                expected.sort_unstable_by(|left, right| target.closer(left, right));
                let (found, of_eight) = if failing {
                    (ids(table.closest_even_failing(&target, count)), None)
                } else {
                    (ids(table.closest(&target, count)), Some(ids(table.nearest::<8>(&target))))
                };
                prop_assert_eq!(&found[..], &expected[..count.min(expected.len())]);
                if let Some(found) = of_eight {
                    prop_assert_eq!(&found[..], &expected[..8.min(expected.len())]);
                }
            }
        }
    }
}
