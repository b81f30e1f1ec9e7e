//! How near to its budget a node stays that is asked for more: not over it in any second, and not much under it.
//! Apart from what a forged sender gains, because here the question is what honest askers still get.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Config, LimitConfig, LimitError};
use mainstay_krpc::{AnnouncePort, Id, Method};

use crate::scripted::Bench;
use crate::serving::{code, prove, token};

/// What a node sent to those that asked it.
struct Load {
    replies: Vec<(Instant, usize)>,
    asked: u64,
    refused: u64,
    seconds: u64,
}

impl Load {
    /// Two thousand pings, ten milliseconds apart, from `senders` in turn.
    fn of(limits: LimitConfig, senders: &[SocketAddr]) -> Self {
        let mut bench = Bench::with(Config { limits, ..Config::default() });
        let mut replies = Vec::new();
        for n in 0..2000 {
            if let Some(reply) = bench.query(senders[n % senders.len()], Method::Ping) {
                replies.push((bench.now, reply.len()));
            }
            bench.wait(Duration::from_millis(10));
        }
        let counters = bench.node.info().counters;
        let refused = counters.limited + counters.withheld;
        Self { replies, asked: counters.received, refused, seconds: 20 }
    }

    /// The most bytes in any one second.
    fn worst_second(&self) -> usize {
        let within = |begin: Instant| {
            let end = begin + Duration::from_secs(1);
            let second = self.replies.iter().filter(|(at, _)| (begin..end).contains(at));
            second.map(|(_, bytes)| bytes).sum()
        };
        self.replies.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }

    fn bytes(&self) -> usize {
        self.replies.iter().map(|(_, bytes)| bytes).sum()
    }
}

#[test]
fn under_load_the_bytes_sent_stay_within_a_twentieth_of_each_budget() {
    let one = [SocketAddr::from(([80, 1, 1, 1], 4000))];
    let network: Vec<_> = (1..=200).map(|n| SocketAddr::from(([80, 1, 1, n], 4000))).collect();
    let world: Vec<_> = (1..=200).map(|n| SocketAddr::from(([80, n, 1, 1], 4000))).collect();
    let budget = 4000;
    for (limits, senders) in [
        (LimitConfig { bytes_per_address: budget, ..LimitConfig::unlimited() }, &one[..]),
        (LimitConfig { bytes_per_network: budget, ..LimitConfig::unlimited() }, &network),
        // Nobody of them has proven its address, and half is for those who have.
        (LimitConfig { bytes_in_total: 2 * budget, ..LimitConfig::unlimited() }, &world),
    ] {
        let load = Load::of(limits, senders);
        let most = f64::from(budget);
        assert!(load.worst_second() as f64 <= most, "{}", load.worst_second());
        // Two fifths of what a second may see at once, and then three fifths every second.
        let due = most * (0.4 + 0.6 * load.seconds as f64);
        let sent = load.bytes() as f64;
        assert!((0.95 * due..=due).contains(&sent), "{sent} instead of {due}");
        assert_eq!(load.asked, 2000);
        assert_eq!(load.replies.len() as u64 + load.refused, load.asked, "each is told or counted");
    }
}

#[test]
fn a_budget_of_all_there_is_refuses_nobody_and_one_of_nothing_everybody() {
    let one = [SocketAddr::from(([80, 1, 1, 1], 4000))];
    assert_eq!(Load::of(LimitConfig::unlimited(), &one).replies.len(), 2000);
    for nothing in [
        LimitConfig { bytes_per_address: 0, ..LimitConfig::unlimited() },
        LimitConfig { bytes_per_network: 0, ..LimitConfig::unlimited() },
        LimitConfig { bytes_in_total: 0, ..LimitConfig::unlimited() },
        LimitConfig { replies_per_address: 0, ..LimitConfig::unlimited() },
        LimitConfig { replies_per_network: 0, ..LimitConfig::unlimited() },
    ] {
        let load = Load::of(nothing.clone(), &one);
        assert_eq!((load.replies.len(), load.refused), (0, 2000), "{nothing:?}");
    }
}

#[test]
fn who_was_away_for_a_year_has_saved_no_more_than_one_burst() {
    let one = SocketAddr::from(([80, 1, 1, 1], 4000));
    let burst =
        |bench: &mut Bench| (0..1000).filter(|_| bench.query(one, Method::Ping).is_some()).count();
    let mut bench = Bench::with(Config::default());
    let first = burst(&mut bench);
    assert!(first > 0);
    bench.now += Duration::from_secs(365 * 86_400);
    assert_eq!(burst(&mut bench), first);
}

#[test]
fn limits_change_while_a_node_runs_and_nothing_that_it_knows_of_others_is_lost() {
    let mut bench = Bench::with(Config::default());
    let host = |n: u8| SocketAddr::from(([80, n, 1, 1], 4000));
    let answered = |bench: &mut Bench, from, times: usize| {
        (0..times).filter(|_| bench.query(from, Method::Ping).is_some()).count()
    };
    prove(&mut bench, host(1));
    let target = Id::from_bytes([7; 20]);
    let kept = token(&mut bench, host(2), target);
    bench.wait(Duration::from_secs(2));

    // From the next datagram on, and for those who are over budget too.
    let four = answered(&mut bench, host(3), 100);
    assert_eq!(four, 4);
    let limits = bench.node.limits().clone();
    let wide = LimitConfig {
        replies_per_address: 100,
        replies_per_network: 100,
        bytes_per_address: 60_000,
        bytes_per_network: 60_000,
        ..limits.clone()
    };
    bench.node.set_limits(wide).unwrap();
    assert_eq!(answered(&mut bench, host(3), 100), 6, "what it lacks, it lacks still");
    assert_eq!(answered(&mut bench, host(4), 100), 40);
    bench.wait(Duration::from_secs(1));
    assert_eq!(answered(&mut bench, host(3), 100), 40);

    // Narrower again: only who has proven its address is still answered.
    let narrow = LimitConfig { replies_per_address: 0, ..limits.clone() };
    bench.node.set_limits(narrow).unwrap();
    bench.wait(Duration::from_secs(1));
    assert_eq!(answered(&mut bench, host(5), 10), 0);
    assert_eq!(answered(&mut bench, host(1), 10), 10);

    // The token of before opens what it opened.
    bench.node.set_limits(limits).unwrap();
    let port = AnnouncePort::Explicit(80);
    let announce =
        Method::AnnouncePeer { info_hash: target, port, token: &kept, seed: false, name: None };
    assert_eq!(code(&bench.query(host(2), announce).unwrap()), 0);
    let silly = LimitConfig { remembered: 0, ..LimitConfig::default() };
    assert!(matches!(bench.node.set_limits(silly), Err(LimitError::Remembered { .. })));
    assert_eq!(bench.node.limits().remembered, 2048);
}
