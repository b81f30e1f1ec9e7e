//! The table of policies, cell by cell, and the edges of the TTL bounds.
//!
//! Separate because the table is long.

use std::time::Duration;

use mainstay_keys::Keypair;

use super::{Freshness, Known, Policy, Verdict};
use crate::Timestamp;
use crate::cache::Cached;
use crate::scripted::{ago, packet};

fn cached(ttl: u32, seconds_ago: u64) -> Cached {
    let packet = packet(&Keypair::random(), Timestamp::now(), ttl);
    Cached { packet, last_seen: ago(seconds_ago) }
}

#[test]
fn every_policy_judges_fresh_expired_and_missing_packets_as_its_table_says() {
    let freshness = Freshness::default();
    let (fresh, expired) = (cached(3600, 60), cached(3600, 7200));
    let first = Verdict::AskFirst { or_stale: false };
    let stale = Verdict::AskFirst { or_stale: true };
    let newest = Verdict::AskAll { or_cached: true };
    let network = Verdict::AskAll { or_cached: false };
    let table = [
        (Policy::CacheOnly, Verdict::Serve, Verdict::Serve, Verdict::DenyFromMemory),
        (Policy::CacheFirst, Verdict::Serve, first, first),
        (Policy::StaleIfError, Verdict::Serve, stale, stale),
        (Policy::StaleWhileRevalidate, Verdict::Serve, Verdict::ServeAndRefresh, first),
        (Policy::MostRecent, newest, newest, newest),
        (Policy::NetworkOnly, network, network, network),
    ];
    let now = Timestamp::now();
    for (policy, when_fresh, when_expired, when_missing) in table {
        let judge = |known| freshness.judge(known, now, policy);
        assert_eq!(judge(Known::Packet(&fresh)), when_fresh, "{policy:?}, fresh");
        assert_eq!(judge(Known::Packet(&expired)), when_expired, "{policy:?}, expired");
        assert_eq!(judge(Known::Nothing), when_missing, "{policy:?}, missing");
    }
}

#[test]
fn a_packet_lives_as_long_as_its_ttl_within_the_bounds() {
    let freshness = Freshness::default().with_minimum_ttl(60).with_maximum_ttl(600);
    let now = Timestamp::now();
    let left = |ttl, age| freshness.expires_in(&cached(ttl, age), now);
    assert!((198..=200).contains(&left(300, 100)), "its own TTL");
    assert!((49..=50).contains(&left(1, 10)), "the minimum");
    assert!((499..=500).contains(&left(86_400, 100)), "the maximum");
    assert_eq!(left(300, 301), 0);
    assert!(!freshness.is_fresh(&cached(300, 301), now));
    assert!(freshness.is_fresh(&cached(300, 298), now));
}

#[test]
fn setting_one_bound_drags_the_other_along() {
    let raised = Freshness::default().with_minimum_ttl(100_000);
    assert_eq!((raised.minimum_ttl(), raised.maximum_ttl()), (100_000, 100_000));
    let lowered = Freshness::default().with_maximum_ttl(5);
    assert_eq!((lowered.minimum_ttl(), lowered.maximum_ttl()), (5, 5));
}

#[test]
fn with_a_maximum_of_zero_every_cached_packet_has_expired() {
    let freshness = Freshness::default().with_maximum_ttl(0);
    assert!(!freshness.is_fresh(&cached(3600, 0), Timestamp::now()));
}

#[test]
fn an_absence_is_believed_for_its_own_time_only() {
    let now = Timestamp::now();
    let judge = |freshness: Freshness, since| {
        freshness.judge(Known::Absent(since), now, Policy::StaleWhileRevalidate)
    };
    let patient = Freshness::default().with_negative_ttl(10);
    assert_eq!(judge(patient, ago(5)), Verdict::DenyFromMemory);
    assert_eq!(judge(patient, ago(15)), Verdict::AskFirst { or_stale: false });
    assert_eq!(judge(Freshness::default(), ago(0)), Verdict::AskFirst { or_stale: false });
    let most_recent = patient.judge(Known::Absent(ago(5)), now, Policy::MostRecent);
    assert_eq!(most_recent, Verdict::AskAll { or_cached: true });
}

#[test]
fn only_packets_signed_far_ahead_of_the_clock_are_implausible() {
    let now = Timestamp::now();
    let hour = Duration::from_secs(3600);
    assert!(Freshness::is_plausible(now.checked_add(hour).unwrap(), now));
    assert!(!Freshness::is_plausible(now.checked_add(3 * hour).unwrap(), now));
    assert!(!Freshness::is_plausible(Timestamp::MAX, now));
}

#[test]
fn a_clock_that_jumps_never_makes_a_packet_or_an_absence_live_longer() {
    let freshness = Freshness::default().with_negative_ttl(60);
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    let right = Timestamp::now();
    for jump in [hour, day * 30, day * 3_650] {
        let ahead = right.checked_add(jump).unwrap();
        // Seen while the clock stood ahead, judged once it was set right, and the other way round.
        for (seen, now) in [(ahead, right), (right, ahead)] {
            let packet = packet(&Keypair::random(), right, 300);
            let cached = Cached { packet, last_seen: seen };
            assert!(!freshness.is_fresh(&cached, now), "{jump:?}");
            assert_eq!(freshness.expires_in(&cached, now), 0, "{jump:?}");
            let absent = freshness.judge(Known::Absent(seen), now, Policy::CacheFirst);
            assert_eq!(absent, Verdict::AskFirst { or_stale: false }, "{jump:?}");
        }
    }
    // Two machines that share a cache may differ by seconds.
    let soon = right.checked_add(Duration::from_secs(30)).unwrap();
    let cached = Cached { packet: packet(&Keypair::random(), right, 300), last_seen: soon };
    assert_eq!(freshness.expires_in(&cached, right), 300);
}

#[test]
fn every_bound_is_kept_to_the_microsecond() {
    let freshness = Freshness::default().with_minimum_ttl(10).with_negative_ttl(30);
    let (second, micro) = (Duration::from_secs(1), Duration::from_micros(1));
    let now = Timestamp::now();
    let before = |age| now.checked_sub(age).unwrap();
    let seen = |age| Cached { last_seen: before(age), ..cached(300, 0) };

    assert!(freshness.is_fresh(&seen(300 * second - micro), now));
    assert!(!freshness.is_fresh(&seen(300 * second), now));
    assert_eq!(freshness.expires_in(&seen(300 * second - micro), now), 0);
    assert_eq!(freshness.expires_in(&seen(299 * second), now), 1);

    let policy = Policy::CacheFirst;
    let absent = |age| freshness.judge(Known::Absent(before(age)), now, policy);
    assert_eq!(absent(30 * second - micro), Verdict::DenyFromMemory);
    assert_eq!(absent(30 * second), Verdict::AskFirst { or_stale: false });

    let after = |ahead| now.checked_add(ahead).unwrap();
    assert!(Freshness::is_plausible(after(7200 * second), now));
    assert!(!Freshness::is_plausible(after(7200 * second + micro), now));
}

#[test]
fn what_a_backend_saw_within_its_ttl_or_two_seconds_is_from_just_now() {
    let (second, micro) = (Duration::from_secs(1), Duration::from_micros(1));
    let now = Timestamp::now();
    let packet = packet(&Keypair::random(), now, 300);
    for (maximum, oldest) in [(86_400, 300 * second), (100, 100 * second), (0, 2 * second)] {
        let freshness = Freshness::default().with_minimum_ttl(0).with_maximum_ttl(maximum);
        let judge = |age| freshness.is_just_seen(&packet, now.checked_sub(age).unwrap(), now);
        assert!(judge(Duration::ZERO) && judge(oldest), "{maximum}");
        assert!(!judge(oldest + micro), "{maximum}");
    }
}
