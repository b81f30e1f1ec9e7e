//! Who gets in, who waits, who goes.
//! Apart from the other table tests because each rule here answers an attack or a fault.

use super::*;

#[test]
fn our_own_id_is_refused_at_every_door() {
    let mut table = table();
    let ourselves = Peer::new(Id::ZERO, 1);
    assert_eq!(table.responded(start(), ourselves, ms(1)), Insert::Refused(Refusal::OwnId));
    assert_eq!(table.heard(ourselves), Heard::Refused(Refusal::OwnId));
}

#[test]
fn a_second_id_on_a_host_is_refused_while_the_first_answers() {
    let (mut table, now) = (table(), start());
    let first = Peer::new(id("1"), 1);
    let second = Peer { id: id("01"), port: 2, ..first };
    table.responded(now, first, ms(10));
    assert_eq!(table.heard(second), Heard::Refused(Refusal::SubnetTaken));
    assert_eq!(table.responded(now, second, ms(1)), Insert::Refused(Refusal::HostTaken));
    table.failed(now, &first.id);
    assert_eq!(table.responded(now, second, ms(1)), Insert::Added);
    assert_eq!(ids(table.iter().map(Entry::contact)), [second.id]);
}

#[test]
fn a_subnet_has_one_entry_in_a_bucket_but_may_have_more_in_others() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    table.remove(&id("11"));
    let taken = Peer { id: id("111"), host: (3 << 8) + 1, port: 1, preferred: true };
    assert_eq!(table.heard(taken), Heard::Refused(Refusal::SubnetTaken));
    assert_eq!(table.responded(now, taken, ms(1)), Insert::Refused(Refusal::SubnetTaken));
    let elsewhere = Peer { id: id("0001"), ..taken };
    table.remove(&id("01"));
    assert_eq!(table.responded(now, elsewhere, ms(1)), Insert::Added);
}

#[test]
fn a_failing_member_of_the_subnet_makes_way() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    table.failed(now, &id("10"));
    let newcomer = Peer { id: id("101"), host: (3 << 8) + 1, port: 1, preferred: true };
    assert_eq!(table.responded(now, newcomer, ms(1)), Insert::Added);
    assert!(!table.contains(&id("10")));
}

#[test]
fn on_loopback_one_host_may_be_many_nodes() {
    let (mut table, now) = (Table::new(Id::ZERO, TableConfig::loopback()), start());
    for (port, bit) in (1..=50).zip(3..) {
        let peer = Peer { id: id("1").with_bit(bit, true), host: 7, port, preferred: true };
        assert_eq!(table.responded(now, peer, ms(1)), Insert::Added);
    }
    let moved = Peer { id: id("0001"), host: 7, port: 50, preferred: true };
    assert_eq!(table.responded(now, moved, ms(1)), Insert::Refused(Refusal::IdChanged));
}

#[test]
fn an_address_that_changes_its_id_loses_its_place_and_must_answer_again() {
    let (mut table, now) = (table(), start());
    let before = Peer::new(id("1"), 1);
    let after = Peer { id: id("01"), ..before };
    table.responded(now, before, ms(10));
    assert_eq!(table.responded(now, after, ms(10)), Insert::Refused(Refusal::IdChanged));
    assert!(table.is_empty());
    assert_eq!(table.responded(now, after, ms(10)), Insert::Added);
}

#[test]
fn an_id_that_answers_elsewhere_is_refused_unless_the_old_place_fails() {
    let (mut table, now) = (table(), start());
    let here = Peer::new(id("1"), 1);
    let there = Peer::new(id("1"), 2);
    table.responded(now, here, ms(10));
    assert_eq!(table.responded(now, there, ms(10)), Insert::Refused(Refusal::IdElsewhere));
    table.failed(now, &here.id);
    assert_eq!(table.responded(now, there, ms(10)), Insert::Added);
    assert_eq!(table.entry(&here.id).unwrap().contact(), &there);
}

#[test]
fn a_full_bucket_keeps_its_equals_and_queues_the_newcomer() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let newcomer = Peer::new(id("101"), 9);
    assert_eq!(table.responded(now, newcomer, ms(100)), Insert::Queued);
    assert!(!table.contains(&newcomer.id));
    assert_eq!(ids(table.spares()), [newcomer.id]);
}

#[test]
fn a_confirmed_spare_takes_the_place_of_the_first_that_fails() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let spare = Peer::new(id("101"), 9);
    table.responded(now, spare, ms(100));
    assert_eq!(table.failed(now, &id("10")), Failure::Dropped { promoted: Some(spare) });
    assert!(table.contains(&spare.id));
    assert_eq!(table.spares().count(), 0);
    assert_eq!(table.failed(now, &id("10")), Failure::Unknown);
}

#[test]
fn a_spare_only_heard_of_does_not_take_a_place() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    table.heard(Peer::new(id("101"), 9));
    assert_eq!(table.failed(now, &id("10")), Failure::Kept { failures: 1 });
    assert!(table.contains(&id("10")));
}

#[test]
fn without_a_spare_an_entry_goes_after_twenty_failures_in_a_row() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.responded(now, peer, ms(10));
    for failures in 1..20 {
        assert_eq!(table.failed(now, &peer.id), Failure::Kept { failures });
    }
    table.responded(now, peer, ms(10));
    for failures in 1..20 {
        assert_eq!(table.failed(now, &peer.id), Failure::Kept { failures });
    }
    assert_eq!(table.failed(now, &peer.id), Failure::Dropped { promoted: None });
    assert!(table.is_empty());
}

#[test]
fn a_spare_that_fails_is_gone() {
    let mut table = table();
    table.heard(Peer::new(id("1"), 1));
    assert_eq!(table.failed(start(), &id("1")), Failure::Dropped { promoted: None });
    assert_eq!(table.spares().count(), 0);
}

#[test]
fn of_several_victims_the_one_with_most_failures_goes() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    table.failed(now, &id("10"));
    table.failed(now, &id("11"));
    table.failed(now, &id("11"));
    let newcomer = Peer { preferred: false, ..Peer::new(id("101"), 9) };
    let replaced = Peer::new(id("11"), 4);
    assert_eq!(table.responded(now, newcomer, ms(900)), Insert::Replaced(replaced));
    assert_eq!(table.spares().count(), 0, "a node that failed does not wait for a place");
}

#[test]
fn a_newcomer_from_an_empty_branch_replaces_one_of_a_crowd() {
    let now = start();
    let mut table = full_far_bucket(now, ["100", "101"]);
    let crowded = Peer::new(id("100"), 3);
    table.responded(now, crowded, ms(400));
    let newcomer = Peer::new(id("11"), 9);
    assert_eq!(table.responded(now, newcomer, ms(900)), Insert::Replaced(crowded));
    assert_eq!(ids(table.spares()), [crowded.id], "the loser answers, so it waits for a place");
}

#[test]
fn a_preferred_newcomer_replaces_one_of_its_branch_that_is_not_and_never_the_other_way() {
    let now = start();
    let mut table = narrow_table();
    let plain = Peer { preferred: false, ..Peer::new(id("10"), 3) };
    for peer in [Peer::new(id("001"), 1), Peer::new(id("01"), 2), plain, Peer::new(id("11"), 4)] {
        table.responded(now, peer, ms(10));
    }
    let preferred = Peer::new(id("101"), 9);
    assert_eq!(table.responded(now, preferred, ms(900)), Insert::Replaced(plain));
    assert_eq!(table.responded(now, plain, ms(1)), Insert::Queued);
}

#[test]
fn a_newcomer_must_be_twice_as_fast_to_replace_its_equal() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let newcomer = Peer::new(id("101"), 9);
    assert_eq!(table.responded(now, newcomer, ms(50)), Insert::Queued);
    let replaced = Peer::new(id("10"), 3);
    assert_eq!(table.responded(now, newcomer, ms(49)), Insert::Replaced(replaced));
    assert_eq!(ids(table.spares()), [replaced.id]);
}

#[test]
fn among_full_spares_the_unproven_goes_first_and_names_never_displace() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let [named, other, late, proven, newest] = [10, 11, 12, 13, 14]
        .map(|number| Peer::new(id("10").with_bit(number as usize, true), number));
    table.heard(named);
    table.heard(other);
    assert_eq!(table.heard(late), Heard::Refused(Refusal::Full));
    assert_eq!(table.responded(now, proven, ms(100)), Insert::Queued);
    assert_eq!(ids(table.spares()), [other.id, proven.id]);
    table.responded(now, late, ms(100));
    table.responded(now, newest, ms(100));
    assert_eq!(ids(table.spares()), [late.id, newest.id], "then the one waiting longest");
}

#[test]
fn a_name_heard_twice_waits_once_and_is_not_pinged_the_sooner() {
    let (mut table, now, peer) = (table(), start(), Peer::new(id("1"), 1));
    table.heard(peer);
    assert_eq!(table.next_to_ping(now), Some(peer));
    assert_eq!(table.heard(peer), Heard::Known);
    assert_eq!(table.next_to_ping(now), None);
}

#[test]
fn names_of_one_host_or_subnet_wait_once() {
    let mut table = table();
    let first = Peer::new(id("1"), 1);
    table.heard(first);
    let same_host = Peer { id: id("11"), port: 9, ..first };
    let neighbour = Peer { id: id("11"), host: first.host + 1, ..first };
    assert_eq!(table.heard(same_host), Heard::Refused(Refusal::SubnetTaken));
    assert_eq!(table.heard(neighbour), Heard::Refused(Refusal::SubnetTaken));
}

#[test]
fn a_spare_that_may_not_enter_does_not_wait_forever() {
    let (mut table, now) = (table(), start());
    let spare = Peer::new(id("1"), 1);
    table.heard(spare);
    table.responded(now, Peer { id: id("01"), port: 2, ..spare }, ms(10));
    assert_eq!(table.responded(now, spare, ms(10)), Insert::Refused(Refusal::HostTaken));
    assert_eq!(table.spares().count(), 0);
}

#[test]
fn removal_promotes_a_confirmed_spare() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let spare = Peer::new(id("101"), 9);
    table.responded(now, spare, ms(100));
    assert_eq!(table.remove(&id("11")), Some(Peer::new(id("11"), 4)));
    assert!(table.contains(&spare.id));
    assert_eq!(table.remove(&id("11")), None);
}

#[test]
fn no_spares_configured_means_none_kept() {
    let now = start();
    let config = TableConfig { bucket_size: 1, wide_levels: Vec::new(), spares: 0, ..config() };
    let mut table = Table::new(Id::ZERO, config);
    table.responded(now, Peer::new(id("10"), 1), ms(10));
    table.responded(now, Peer::new(id("01"), 2), ms(10));
    assert_eq!(
        table.responded(now, Peer::new(id("11"), 3), ms(10)),
        Insert::Refused(Refusal::Full)
    );
    assert_eq!(table.heard(Peer::new(id("11"), 3)), Heard::Refused(Refusal::Full));
    assert_eq!(table.spares().count(), 0);
}

#[test]
fn below_a_wide_level_no_bucket_overflows_and_the_eldest_stay() {
    let now = start();
    let config = TableConfig { bucket_size: 1, wide_levels: vec![5], ..config() };
    let mut table = Table::new(Id::ZERO, config);
    let near = ["00001", "00010", "000011", "000101", "0000111"];
    for (bits, number) in near.iter().zip(1..) {
        assert_eq!(table.responded(now, Peer::new(id(bits), number), ms(10)), Insert::Added);
    }
    table.failed(now, &id("00001"));
    table.responded(now, Peer::new(id("1"), 9), ms(10));
    assert!(table.buckets().all(|bucket| bucket.entries <= bucket.capacity));
    assert!(table.contains(&id("1")));
    assert!(!table.contains(&id("00001")), "it fails, so it goes first");
    assert!(table.contains(&id("000011")), "then the latest");
    assert_eq!(ids(table.spares()), [id("000101"), id("0000111")]);
}

#[test]
fn a_spare_does_not_get_a_place_that_its_own_new_self_is_about_to_take() {
    let now = start();
    let mut table = full_far_bucket(now, ["10", "11"]);
    let before = Peer::new(id("101"), 9);
    assert_eq!(table.responded(now, before, ms(100)), Insert::Queued);
    table.failed(now, &id("0"));
    // The same id answers from the host of a member that fails: the member goes, and the spare
    // must not slip in beside the newcomer.
    table.buckets[0].live_mut()[0].failures = 1;
    let after = Peer { port: 2, host: 3 << 8, ..before };
    table.responded(now, after, ms(100));
    let held: Vec<Id<20>> = ids(table.iter().map(Entry::contact));
    assert_eq!(held.iter().filter(|held| **held == before.id).count(), 1);
    assert_eq!(table.entry(&before.id).unwrap().contact(), &after);
}

#[test]
fn a_move_to_another_id_keeps_one_of_a_subnet_in_each_bucket() {
    let (mut table, now) = (narrow_table(), start());
    for (bits, number) in ["01", "011", "0001", "00001"].iter().zip(1..) {
        table.responded(now, Peer::new(id(bits), number), ms(10 * u64::from(number)));
    }
    let sibling = Peer { id: id("001"), host: (1 << 8) + 1, port: 1, preferred: true };
    assert_eq!(table.responded(now, sibling, ms(10)), Insert::Added, "another bucket");
    table.rehome(id("1"));
    let near = |peer: &&Peer| peer.subnet() == 1;
    assert_eq!(table.iter().map(Entry::contact).filter(near).count(), 1);
}
