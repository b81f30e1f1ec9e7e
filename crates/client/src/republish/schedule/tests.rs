//! The schedule under a clock that the test moves: each rule by itself, then all of them against a model.
//!
//! Separate because there are more rules than code.

use std::collections::BTreeMap;

use mainstay_keys::Keypair;
use proptest::prelude::*;

use super::*;
use crate::scripted::packet;

const HOUR: Duration = Duration::from_secs(3600);

fn start() -> Timestamp {
    Timestamp::from(1_800_000_000_000_000)
}

fn at(seconds: u64) -> Timestamp {
    start().checked_add(Duration::from_secs(seconds)).unwrap()
}

/// Plain figures: no jitter, no checks.
fn plain() -> RepublishConfig {
    RepublishConfig { jitter: 0.0, checks: false, ..RepublishConfig::default() }
}

fn schedule_of(config: RepublishConfig) -> (Schedule, SignedPacket) {
    let mut schedule = Schedule::new(config, 1);
    let packet = packet(&Keypair::random(), at(0), 300);
    schedule.add(at(0), packet.clone()).unwrap();
    (schedule, packet)
}

fn next(schedule: &Schedule, now: Timestamp, packet: &SignedPacket) -> Duration {
    let kept = schedule.kept(now, &packet.public_key()).unwrap();
    kept.next.saturating_duration_since(now)
}

fn end(schedule: &mut Schedule, now: Timestamp, end: End) -> Verdict {
    let task = schedule.poll(now).expect("a task is due");
    schedule.handle_end(now, &task, end)
}

fn failed() -> End {
    End::Failed { retry_after: None }
}

#[test]
fn a_packet_is_put_at_once_and_then_every_hour() {
    let (mut schedule, packet) = schedule_of(plain());
    for round in 0..3 {
        let now = at(round * 3600);
        let task = schedule.poll(now).unwrap();
        assert_eq!((task.key, task.work), (packet.public_key(), Work::Put));
        assert!(task.packet.as_ref().is_some_and(|put| put.is_same_as(&packet)));
        assert!(schedule.poll(now).is_none(), "one task of a key at a time");
        let end = End::Stored { copies: Some(16) };
        assert_eq!(schedule.handle_end(now, &task, end), Verdict::Kept);
        assert_eq!(schedule.poll_timeout(now), Some(HOUR));
        assert!(schedule.poll(at(round * 3600 + 3599)).is_none());
    }
}

#[test]
fn jitter_only_ever_shortens_the_interval() {
    let config = RepublishConfig { jitter: 0.1, ..plain() };
    let mut waits = Vec::new();
    for seed in 0..50 {
        let mut schedule = Schedule::new(config.clone(), seed);
        let packet = packet(&Keypair::random(), at(0), 300);
        schedule.add(at(0), packet.clone()).unwrap();
        end(&mut schedule, at(0), End::Stored { copies: Some(16) });
        waits.push(next(&schedule, at(0), &packet));
    }
    assert!(waits.iter().all(|wait| *wait <= HOUR && *wait >= HOUR.mul_f64(0.9)), "{waits:?}");
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*most - *least > Duration::from_secs(180), "they spread: {waits:?}");
}

#[test]
fn a_put_that_reached_too_few_nodes_is_repeated_early_and_then_less_so() {
    let (mut schedule, packet) = schedule_of(plain());
    let mut now = at(0);
    for minutes in [15, 30, 60, 60] {
        assert_eq!(end(&mut schedule, now, End::Stored { copies: Some(7) }), Verdict::Thin);
        let wait = next(&schedule, now, &packet);
        assert_eq!(wait, Duration::from_secs(minutes * 60));
        now = now.checked_add(wait).unwrap();
    }
    assert_eq!(end(&mut schedule, now, End::Stored { copies: Some(8) }), Verdict::Kept);
    assert_eq!(next(&schedule, now, &packet), HOUR);
}

#[test]
fn a_backend_that_counts_nothing_is_believed() {
    let (mut schedule, packet) = schedule_of(plain());
    assert_eq!(end(&mut schedule, at(0), End::Stored { copies: None }), Verdict::Kept);
    assert_eq!(next(&schedule, at(0), &packet), HOUR);
}

#[test]
fn failures_double_the_wait_up_to_a_quarter_of_the_interval() {
    let (mut schedule, packet) = schedule_of(plain());
    let mut now = at(0);
    for (times, seconds) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (7, 900)] {
        assert_eq!(end(&mut schedule, now, failed()), Verdict::Failed { times });
        let wait = next(&schedule, now, &packet);
        assert_eq!(wait, Duration::from_secs(seconds));
        now = now.checked_add(wait).unwrap();
    }
    end(&mut schedule, now, End::Stored { copies: Some(16) });
    now = now.checked_add(HOUR).unwrap();
    assert_eq!(end(&mut schedule, now, failed()), Verdict::Failed { times: 1 });
}

#[test]
fn a_relay_that_says_when_to_come_back_holds_all_keys_off() {
    let (mut schedule, _) = schedule_of(plain());
    schedule.add(at(0), packet(&Keypair::random(), at(0), 300)).unwrap();
    let limited = End::Failed { retry_after: Some(Duration::from_secs(90)) };
    end(&mut schedule, at(0), limited);
    assert!(schedule.poll(at(89)).is_none());
    assert_eq!(schedule.poll_timeout(at(30)), Some(Duration::from_secs(60)));
    assert!(schedule.poll(at(90)).is_some());
}

#[test]
fn a_relay_cannot_hold_off_longer_than_the_interval() {
    let (mut schedule, _) = schedule_of(plain());
    end(&mut schedule, at(0), End::Failed { retry_after: Some(HOUR * 24) });
    assert!(schedule.poll(at(3600)).is_some());
}

#[test]
fn a_newer_packet_of_somebody_else_is_adopted_and_put() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, at(0), 300), packet(&keypair, at(5), 300));
    let mut schedule = Schedule::new(plain(), 1);
    schedule.add(at(10), old.clone()).unwrap();
    assert_eq!(end(&mut schedule, at(10), End::Refused), Verdict::Searching);
    let read = schedule.poll(at(11)).unwrap();
    assert_eq!(read.work, Work::Read);
    let found = End::Found { packet: new.clone(), copies: Some(8) };
    let adopted = Verdict::Adopted { instead_of: Some(old.timestamp()) };
    assert_eq!(schedule.handle_end(at(11), &read, found), adopted);
    let put = schedule.poll(at(12)).unwrap();
    assert_eq!((put.work, put.packet.map(|p| p.timestamp())), (Work::Put, Some(new.timestamp())));
    assert_eq!(schedule.add(at(12), old), Err(AddError::Older { kept: new.timestamp() }));
}

#[test]
fn an_older_packet_that_is_found_means_that_ours_was_lost() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, at(0), 300), packet(&keypair, at(5), 300));
    let mut schedule = Schedule::new(RepublishConfig { checks: true, ..plain() }, 1);
    schedule.add(at(10), new.clone()).unwrap();
    end(&mut schedule, at(10), End::Stored { copies: Some(16) });
    let read = schedule.poll(at(10 + 1800)).unwrap();
    assert_eq!(read.work, Work::Read);
    let found = End::Found { packet: old, copies: Some(8) };
    assert_eq!(schedule.handle_end(at(1810), &read, found), Verdict::Thin);
    let put = schedule.poll(at(1811)).unwrap();
    assert_eq!((put.work, put.packet.map(|p| p.timestamp())), (Work::Put, Some(new.timestamp())));
}

#[test]
fn a_check_that_finds_enough_changes_nothing_and_one_that_does_not_puts_at_once() {
    for (copies, wait) in [(Some(4), 1800), (None, 1800), (Some(3), 0), (Some(0), 0)] {
        let (mut schedule, packet) = schedule_of(RepublishConfig { checks: true, ..plain() });
        end(&mut schedule, at(0), End::Stored { copies: Some(16) });
        let read = schedule.poll(at(1800)).unwrap();
        assert_eq!(read.work, Work::Read);
        let found = End::Found { packet: packet.clone(), copies };
        schedule.handle_end(at(1800), &read, found);
        assert_eq!(next(&schedule, at(1800), &packet), Duration::from_secs(wait), "{copies:?}");
        let now = at(1800 + wait + 1);
        assert_eq!(schedule.poll(now).unwrap().work, Work::Put);
    }
}

#[test]
fn an_absent_packet_is_put_and_an_absent_key_is_looked_for_again() {
    let (mut schedule, _) = schedule_of(RepublishConfig { checks: true, ..plain() });
    end(&mut schedule, at(0), End::Stored { copies: Some(16) });
    assert_eq!(end(&mut schedule, at(1800), End::Absent), Verdict::Thin);
    assert_eq!(schedule.poll(at(1801)).unwrap().work, Work::Put);

    let mut schedule = Schedule::new(plain(), 1);
    schedule.add_key(at(0), Keypair::random().public_key()).unwrap();
    assert_eq!(end(&mut schedule, at(0), End::Absent), Verdict::Absent);
    assert!(schedule.poll(at(3599)).is_none());
    assert_eq!(schedule.poll(at(3600)).unwrap().work, Work::Read);
}

#[test]
fn checks_that_keep_failing_do_not_keep_the_packet_from_being_put() {
    let (mut schedule, _) = schedule_of(RepublishConfig { checks: true, ..plain() });
    end(&mut schedule, at(0), End::Stored { copies: Some(16) });
    end(&mut schedule, at(1800), failed());
    end(&mut schedule, at(1830), failed());
    assert_eq!(schedule.poll(at(1890)).unwrap().work, Work::Put);
}

#[test]
fn a_put_that_is_refused_again_and_again_waits_longer_each_time() {
    let (mut schedule, packet) = schedule_of(plain());
    let (mut now, mut waits) = (at(0), Vec::new());
    for _ in 0..9 {
        assert_eq!(end(&mut schedule, now, End::Refused), Verdict::Searching);
        end(&mut schedule, now, End::Absent);
        let wait = next(&schedule, now, &packet);
        waits.push(wait.as_secs());
        now = now.checked_add(wait.max(Duration::from_secs(1))).unwrap();
    }
    assert_eq!(waits, [0, 30, 60, 120, 240, 480, 900, 900, 900]);
    assert_eq!(end(&mut schedule, now, End::Stored { copies: Some(16) }), Verdict::Kept);
    now = now.checked_add(HOUR).unwrap();
    end(&mut schedule, now, End::Refused);
    end(&mut schedule, now, End::Absent);
    assert_eq!(next(&schedule, now, &packet), Duration::ZERO, "what was stored begins afresh");
}

#[test]
fn a_packet_from_the_future_is_neither_taken_nor_adopted() {
    let keypair = Keypair::random();
    let mut schedule = Schedule::new(plain(), 1);
    let future = packet(&keypair, at(3 * 3600), 300);
    assert_eq!(schedule.add(at(0), future.clone()), Err(AddError::FromTheFuture));
    schedule.add(at(0), packet(&keypair, at(0), 300)).unwrap();
    end(&mut schedule, at(0), End::Refused);
    let found = End::Found { packet: future, copies: Some(8) };
    assert_eq!(end(&mut schedule, at(1), found), Verdict::Failed { times: 1 });
    let kept = schedule.kept(at(1), &keypair.public_key()).unwrap();
    assert_eq!(kept.packet.unwrap().timestamp(), at(0));
}

#[test]
fn a_packet_added_while_an_older_one_is_under_way_is_put_next() {
    let keypair = Keypair::random();
    let mut schedule = Schedule::new(plain(), 1);
    schedule.add(at(0), packet(&keypair, at(0), 300)).unwrap();
    let old = schedule.poll(at(1)).unwrap();
    schedule.add(at(1), packet(&keypair, at(1), 300)).unwrap();
    assert!(schedule.poll(at(2)).is_none());
    schedule.handle_end(at(2), &old, End::Stored { copies: Some(16) });
    let new = schedule.poll(at(2)).unwrap();
    assert_eq!(new.packet.unwrap().timestamp(), at(1));
}

#[test]
fn the_end_of_a_removed_key_does_not_count_for_its_successor() {
    let (mut schedule, packet) = schedule_of(plain());
    let first = schedule.poll(at(0)).unwrap();
    assert!(schedule.remove(at(0), &first.key).is_some());
    schedule.add(at(0), packet).unwrap();
    let second = schedule.poll(at(1)).unwrap();
    let stored = End::Stored { copies: Some(16) };
    assert_eq!(schedule.handle_end(at(1), &first, stored.clone()), Verdict::Forgotten);
    assert_eq!(schedule.running(), 1);
    assert_eq!(schedule.handle_end(at(1), &second, stored), Verdict::Kept);
}

#[test]
fn a_full_schedule_refuses_new_keys_and_takes_newer_packets_of_its_own() {
    let keypair = Keypair::random();
    let mut schedule = Schedule::new(RepublishConfig { capacity: 1, ..plain() }, 1);
    schedule.add(at(0), packet(&keypair, at(0), 300)).unwrap();
    let other = packet(&Keypair::random(), at(0), 300);
    assert_eq!(schedule.add(at(0), other.clone()), Err(AddError::Full { capacity: 1 }));
    let key = other.public_key();
    assert_eq!(schedule.add_key(at(0), key), Err(AddError::Full { capacity: 1 }));
    assert!(schedule.add(at(0), packet(&keypair, at(1), 300)).is_ok());
    assert_eq!(schedule.len(), 1);
}

#[test]
fn ten_thousand_overdue_keys_after_a_restart_begin_no_faster_than_the_rate() {
    let keypair = Keypair::random();
    let template = packet(&keypair, at(0), 300);
    let config = RepublishConfig { concurrency: 10_000, rate: 100, ..plain() };
    let mut schedule = Schedule::new(config, 1);
    for _ in 0..10_000 {
        schedule.add_key(at(0), Keypair::random().public_key()).unwrap();
    }
    schedule.restore(at(0), template, Timestamp::from(5)).unwrap();
    let first = schedule.poll(at(0)).unwrap();
    assert_eq!(first.key, keypair.public_key(), "what is overdue longest comes first");
    let mut begun = 1;
    let mut now = at(0);
    for _ in 0..1000 {
        now = now.checked_add(Duration::from_millis(10)).unwrap();
        while schedule.poll(now).is_some() {
            begun += 1;
        }
    }
    assert!((990..=1006).contains(&begun), "{begun} in ten seconds");
}

#[test]
fn a_clock_that_jumps_ahead_brings_everything_forward_and_one_set_back_delays_nothing_beyond_the_interval()
 {
    for back in [3600, 30 * 86_400, 10 * 365 * 86_400] {
        let (mut schedule, packet) = schedule_of(plain());
        end(&mut schedule, at(0), End::Stored { copies: Some(16) });
        let early = start().checked_sub(Duration::from_secs(back)).unwrap();
        assert!(schedule.poll(early).is_none());
        assert!(next(&schedule, early, &packet) <= HOUR, "set back by {back} s");
        let late = at(back * 2);
        assert!(schedule.poll(late).is_some(), "ahead by {back} s");
    }
}

/// What a model of the schedule knows of a key.
#[derive(Debug, Default, Clone)]
struct Known {
    newest: u64,
    running: bool,
}

#[derive(Debug, Clone)]
enum Op {
    Add { key: usize, timestamp: u64 },
    Remove { key: usize },
    Wait { seconds: u64 },
    Poll,
    End { which: usize, how: u8, timestamp: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..4_usize, 0..50_u64).prop_map(|(key, timestamp)| Op::Add { key, timestamp }),
        1 => (0..4_usize).prop_map(|key| Op::Remove { key }),
        3 => (0..2000_u64).prop_map(|seconds| Op::Wait { seconds }),
        5 => Just(Op::Poll),
        5 => (0..4_usize, 0..7_u8, 0..50_u64)
            .prop_map(|(which, how, timestamp)| Op::End { which, how, timestamp }),
    ]
}

fn keypairs() -> Vec<Keypair> {
    (1..5_u8)
        .map(|n| Keypair::from_secret(&mainstay_keys::SecretKey::from_bytes(&[n; 32])))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_older_wins_and_nobody_waits_too_long(
        ops in proptest::collection::vec(op(), 1..120),
        seed in any::<u64>(),
    ) {
        let keypairs = keypairs();
        let config = RepublishConfig { concurrency: 3, ..RepublishConfig::default() };
        let mut schedule = Schedule::new(config.clone(), seed);
        let mut model: BTreeMap<PublicKey, Known> = BTreeMap::new();
        let mut tasks: Vec<Task> = Vec::new();
        let mut now = at(100);
        let of = |key: usize, timestamp: u64| packet(&keypairs[key], at(timestamp), 300);
        for op in ops {
            match op {
                Op::Add { key, timestamp } => {
                    let packet = of(key, timestamp);
                    let known = model.get(&packet.public_key()).map(|known| known.newest);
                    let added = schedule.add(now, packet.clone());
                    prop_assert_eq!(added.is_ok(), known.is_none_or(|newest| newest <= timestamp));
                    let known = model.entry(packet.public_key()).or_default();
                    known.newest = known.newest.max(timestamp);
                }
                Op::Remove { key } => {
                    let key = keypairs[key].public_key();
                    prop_assert_eq!(schedule.remove(now, &key).is_some(), model.remove(&key).is_some());
                }
                Op::Wait { seconds } => now = now.checked_add(Duration::from_secs(seconds)).unwrap(),
                Op::Poll => if let Some(task) = schedule.poll(now) {
                    let known = model.get_mut(&task.key).expect("a task of a key that is kept");
                    prop_assert!(!known.running, "two tasks of one key");
                    known.running = true;
                    let put = task.packet.as_ref().map(SignedPacket::timestamp);
                    prop_assert_eq!(put, Some(at(known.newest)), "the newest is put");
                    tasks.push(task);
                },
                Op::End { which, how, timestamp } => {
                    if tasks.is_empty() { continue; }
                    let task = tasks.swap_remove(which % tasks.len());
                    let key = keypairs.iter().position(|pair| pair.public_key() == task.key).unwrap();
                    let end = match how {
                        0 => End::Stored { copies: Some(16) },
                        1 => End::Stored { copies: Some(1) },
                        2 => End::Found { packet: of(key, timestamp), copies: Some(8) },
                        3 => End::Absent,
                        4 => End::Refused,
                        5 => End::Failed { retry_after: Some(Duration::from_secs(timestamp)) },
                        _ => End::Busy,
                    };
                    let verdict = schedule.handle_end(now, &task, end);
                    if verdict == Verdict::Forgotten { continue; }
                    let known = model.get_mut(&task.key).unwrap();
                    known.running = false;
                    if let Verdict::Adopted { .. } = verdict {
                        prop_assert!(timestamp > known.newest);
                        known.newest = timestamp;
                    }
                }
            }
            prop_assert_eq!(schedule.len(), model.len());
            prop_assert!(schedule.running() <= 3);
            prop_assert_eq!(schedule.running(), tasks.len());
            for (key, known) in &model {
                let kept = schedule.kept(now, key).expect("what is added is kept");
                prop_assert_eq!(kept.packet.map(|p| p.timestamp()), Some(at(known.newest)));
                let wait = kept.next.saturating_duration_since(now);
                prop_assert!(wait <= config.interval, "{:?}", wait);
            }
            let idle = schedule.running() == 0 && !schedule.is_empty();
            prop_assert!(!idle || schedule.poll_timeout(now).is_some(), "nothing would wake it");
        }
    }
}
