//! Floods against the budgets, and budgets to the unit.
//! Apart from the code because there are more than a hundred and fifty lines of them.

use std::time::Duration;

use super::*;

fn limits(remembered: usize) -> (Limits, Instant) {
    let config = LimitConfig { remembered, ..LimitConfig::default() };
    let now = crate::testing::start();
    (Limits::new(&config, [3; 16], now), now)
}

fn from(last: u8) -> SocketAddr {
    SocketAddr::from(([9, 9, 9, last], 6881))
}

/// Asks for `bytes` a time, as often as it goes, every other millisecond for ten seconds; when answers of what
/// size were given.
fn flood(
    limits: &mut Limits,
    start: Instant,
    senders: &[SocketAddr],
    bytes: usize,
    proven: bool,
) -> Vec<(u64, usize)> {
    let mut answers = Vec::new();
    for millis in (0..10_000).step_by(2) {
        let now = start + Duration::from_millis(millis);
        for sender in senders {
            if limits.has_some(now, *sender, proven)
                && limits.charge(now, sender.ip(), bytes, proven)
            {
                answers.push((millis, bytes));
            }
        }
    }
    answers
}

/// The most answers, and the most bytes, in any one second.
fn worst_second(answers: &[(u64, usize)]) -> (usize, usize) {
    let (mut first, mut sum, mut worst) = (0, 0, (0, 0));
    for (index, (at, bytes)) in answers.iter().enumerate() {
        sum += bytes;
        while answers[first].0 + 1000 <= *at {
            sum -= answers[first].1;
            first += 1;
        }
        worst = (worst.0.max(index + 1 - first), worst.1.max(sum));
    }
    worst
}

#[test]
fn no_second_sees_more_than_is_allowed_for_a_network() {
    let network: Vec<_> = (1..=10).map(from).collect();
    for bytes in [60, 290, 700, 1000, 1400] {
        for proven in [false, true] {
            let (mut limits, now) = limits(2048);
            let answers = flood(&mut limits, now, &network, bytes, proven);
            let (count, sum) = worst_second(&answers);
            assert!(sum <= 10_000, "{sum} bytes of {bytes}");
            assert!(proven || count <= 20, "{count} answers of {bytes}");
            // Nor is it much less: six tenths of it for longer.
            let total: usize = answers.iter().map(|(_, bytes)| bytes).sum();
            assert!(proven || answers.len() >= 110 || total >= 55_000, "{}", answers.len());
        }
    }
}

#[test]
fn one_address_gets_its_share_of_its_network() {
    for (bytes, proven, most) in [(60, false, 12), (60, true, 100), (300, true, 20)] {
        let (mut limits, now) = limits(2048);
        let (count, sum) = worst_second(&flood(&mut limits, now, &[from(1)], bytes, proven));
        assert!(count <= most && sum <= 6000, "{count} {sum}");
        assert!(count >= most * 9 / 10, "{count}");
    }
}

#[test]
fn few_answers_a_second_are_given_and_none_where_none_is_allowed() {
    for (allowed, least) in [(0, 0), (1, 6), (2, 12), (3, 18)] {
        let config = LimitConfig { replies_per_address: allowed, ..LimitConfig::default() };
        let now = crate::testing::start();
        let mut limits = Limits::new(&config, [3; 16], now);
        let answers = flood(&mut limits, now, &[from(1)], 60, false);
        let (count, _) = worst_second(&answers);
        assert!(count <= allowed as usize, "{count} in one second, {allowed} are allowed");
        assert!(answers.len() >= least, "{} in ten seconds of {allowed}", answers.len());
    }
}

#[test]
fn everybody_together_is_bounded_and_the_unproven_get_half() {
    let world: Vec<_> = (0..2000_u32)
        .map(|n| SocketAddr::from(((0x0b00_0000 + n * 65_537).to_be_bytes(), 6881)))
        .collect();
    for (proven, most) in [(false, 500_000), (true, 1_000_000)] {
        let (mut limits, start) = limits(65_536);
        let mut sum = 0;
        for millis in (0..1000).step_by(50) {
            for sender in &world {
                let now = start + Duration::from_millis(millis);
                sum += 1400 * usize::from(limits.charge(now, sender.ip(), 1400, proven));
            }
        }
        assert!((most * 9 / 10..=most).contains(&sum), "{sum}");
    }
}

#[test]
fn a_flood_of_addresses_neither_grows_the_table_nor_makes_it_forget() {
    let (mut limits, now) = limits(64);
    assert!(!(0..1000).all(|_| limits.charge(now, from(1).ip(), 100, false)));
    for n in 0..10_000_u32 {
        let sender = SocketAddr::from(((0x0b00_0000 + n * 7919).to_be_bytes(), 6881));
        limits.charge(now, sender.ip(), 1, false);
    }
    assert_eq!(limits.budgets.len(), 64);
    assert!(!limits.charge(now, from(1).ip(), 100, false));
}

#[test]
fn whoever_used_a_budget_up_is_known_before_any_work_is_done() {
    let now = crate::testing::start();
    let world = |n: u8| SocketAddr::from(([n, 9, 9, 9], 6881));
    let limits = |config| Limits::new(&config, [3; 16], now);
    let default = LimitConfig::default;

    // Two fifths of what a second allows may be had at once, and not one answer more.
    let mut host = limits(LimitConfig { replies_per_address: 5, ..default() });
    assert!((0..2).all(|_| host.charge(now, from(1).ip(), 1, false)));
    assert!(!host.has_some(now, from(1), false));
    assert!(!host.charge(now, from(1).ip(), 1, false));
    assert!(host.has_some(now, from(2), false), "a neighbour has a budget of its own");
    assert!(host.has_some(now + Duration::from_millis(200), from(1), false), "it is earned again");

    let mut network = limits(LimitConfig { replies_per_network: 5, ..default() });
    assert!((1..=2).all(|n| network.charge(now, from(n).ip(), 1, false)));
    assert!(!network.has_some(now, from(3), false));
    assert!(!network.charge(now, from(3).ip(), 1, false));
    assert!(network.has_some(now, world(3), false));

    // The shortest answers count as 64 bytes.
    let mut unproven = limits(LimitConfig { bytes_in_total: 30 * 64, ..default() });
    assert!((1..=6).all(|n| unproven.charge(now, world(n).ip(), 1, false)));
    assert!(!unproven.has_some(now, world(7), false));
    assert!(!unproven.charge(now, world(7).ip(), 1, false));
    assert!(
        unproven.has_some(now, world(7), true),
        "half is left to those who proved their address"
    );
    assert!(unproven.charge(now, world(7).ip(), 1, true));

    let mut total = limits(LimitConfig { bytes_in_total: 15 * 64, ..default() });
    assert!((1..=6).all(|n| total.charge(now, world(n).ip(), 1, true)));
    assert!(!total.has_some(now, world(7), true));
    assert!(!total.charge(now, world(7).ip(), 1, true));
}

#[test]
fn who_shares_a_set_with_a_flood_is_answered_all_the_same() {
    let victims: Vec<_> =
        (0..64_u32).map(|n| IpAddr::from((0x5000_0000 + (n << 16)).to_be_bytes())).collect();
    // Nearly what the budget of the unproven pays for; and, for one that is proven, as much as anybody sends.
    for (proven, a_milli) in [(false, 4), (true, 50)] {
        let (mut limits, start) = limits(2048);
        let (mut asked, mut answered) = (0, 0);
        let mut sender = 0x0b00_0000_u32;
        for millis in 0..4000 {
            let now = start + Duration::from_millis(millis);
            for _ in 0..a_milli {
                sender = sender.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                limits.charge(now, IpAddr::from(sender.to_be_bytes()), 30, false);
            }
            for victim in victims.iter().skip(usize::try_from(millis).unwrap() % 200).step_by(200) {
                asked += 1;
                answered += usize::from(limits.charge(now, *victim, 60, proven));
            }
        }
        assert_eq!((asked, answered), (1280, 1280), "proven: {proven}");
    }
}

#[test]
fn who_is_pushed_out_of_its_place_gains_nothing() {
    let (mut limits, now) = limits(8);
    let mut given = std::collections::BTreeMap::<u8, usize>::new();
    // Eight places, forty hosts and their forty networks, all at once and again and again.
    for round in 0..200_u64 {
        let now = now + Duration::from_millis(round * 5);
        for last in 0..40 {
            let ip = IpAddr::from([9, 9, last, 1]);
            *given.entry(last).or_default() += usize::from(limits.charge(now, ip, 100, false));
        }
    }
    assert!(given.values().all(|count| *count <= 12), "{given:?}");
}

#[test]
fn other_limits_hold_at_once_and_forgive_nothing_unless_the_table_is_another() {
    let (mut limits, now) = limits(64);
    let allowing = |replies, remembered| LimitConfig {
        replies_per_address: replies,
        replies_per_network: 1000,
        remembered,
        ..LimitConfig::default()
    };
    let at_once = |limits: &mut Limits, now| {
        (0..1000).take_while(|_| limits.charge(now, from(1).ip(), 1, false)).count()
    };
    assert_eq!(at_once(&mut limits, now), 4, "two fifths of twelve");
    // Of the 667 ms that may be owed 556 are, and an answer costs 17 instead of 139.
    limits.set(&allowing(100, 64));
    assert_eq!(at_once(&mut limits, now), 6);
    limits.set(&allowing(100, 128));
    assert_eq!((at_once(&mut limits, now), limits.budgets.len()), (40, 128));
    limits.set(&allowing(0, 128));
    assert_eq!(at_once(&mut limits, now + Duration::from_secs(10)), 0);
}

#[test]
fn a_host_of_ipv6_is_its_64_and_its_network_the_48() {
    let default = LimitConfig::default();
    let config = LimitConfig { replies_per_address: 5, replies_per_network: 10, ..default };
    let now = crate::testing::start();
    let mut limits = Limits::new(&config, [3; 16], now);
    // At once two fifths: two of each host, four of each network.
    for (address, room) in [
        ("2001:db8::1", true),
        ("2001:db8::2", true),
        ("2001:db8::3", false),
        ("2001:db8:0:1::1", true),
        ("2001:db8:0:1::1", true),
        ("2001:db8:0:2::1", false),
        ("2001:db8:1::1", true),
    ] {
        let ip: IpAddr = address.parse().unwrap();
        assert_eq!(limits.has_some(now, SocketAddr::new(ip, 6881), false), room, "{address}");
        assert_eq!(limits.charge(now, ip, 1, false), room, "{address}");
    }
}

#[test]
fn nothing_is_kept_before_the_first_stranger() {
    let (limits, now) = limits(2048);
    assert!(limits.has_some(now, from(1), false));
    assert_eq!(limits.budgets.len(), 0);
}

#[test]
fn a_budget_opens_to_the_nanosecond() {
    let start = crate::testing::start();
    let after = |nanos| start + Duration::from_nanos(nanos);
    let default = LimitConfig::default;

    // An answer of a host costs a third of a second and two thirds may be owed; what is owed is written down in
    // microseconds, and all that this may have rounded up is forgiven.
    for config in [
        LimitConfig { replies_per_address: 5, ..default() },
        LimitConfig { replies_per_network: 5, ..default() },
    ] {
        let mut limits = Limits::new(&config, [3; 16], start);
        assert!((0..2).all(|_| limits.charge(start, from(1).ip(), 1, false)));
        assert!(!limits.has_some(after(1_334), from(1), false));
        assert!(limits.has_some(after(1_335), from(1), false));
        assert!(!limits.charge(after(333_302_666), from(1).ip(), 1, false));
        assert!(limits.charge(after(333_302_667), from(1).ip(), 1, false));
    }

    // Where one answer costs more than may be owed, it is given once nothing is.
    let one = LimitConfig { replies_per_address: 1, ..default() };
    let mut limits = Limits::new(&one, [3; 16], start);
    assert!(limits.charge(start, from(1).ip(), 1, false));
    assert!(!limits.charge(after(1_666_666_999), from(1).ip(), 1, false));
    assert!(limits.charge(after(1_666_667_000), from(1).ip(), 1, false));

    // Everybody's budgets are known to the nanosecond: six answers of 64 bytes, and the seventh once it is earned.
    for (bytes_in_total, proven) in [(15 * 64, true), (30 * 64, false)] {
        let config = LimitConfig { bytes_in_total, ..default() };
        let mut limits = Limits::new(&config, [3; 16], start);
        let stranger = |n: u8| SocketAddr::from(([n, 9, 9, 9], 6881));
        assert!((1..=6).all(|n| limits.charge(start, stranger(n).ip(), 1, proven)));
        for (nanos, open) in [(111_111_061, false), (111_111_062, true)] {
            assert_eq!(limits.has_some(after(nanos), stranger(7), proven), open, "{nanos}");
            assert_eq!(limits.charge(after(nanos), stranger(7).ip(), 1, proven), open, "{nanos}");
        }
    }
}
