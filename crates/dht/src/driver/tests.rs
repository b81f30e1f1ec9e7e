//! What a driver does that no socket on loopback shows: there, nobody is limited and the clock is right.
//! Apart from the driver, because it is driven by hand here, turn by turn.

use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use mainstay_dht_proto::{Config, LimitConfig, LimitError, Node};

use super::{Driver, Life, WRITTEN, time_of_day};
use crate::command::{Command, QUEUE};
use crate::error::{BuildError, LimitsError};
use crate::handle::Dht;
use crate::listen::Listen;

const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

fn driver() -> (Box<Driver>, Dht) {
    let mut listen = Listen::default();
    listen.bind("127.0.0.1:0".parse().expect("an address"));
    listen.ipv6 = false;
    let ports = listen.open(false).expect("a free port");
    let node = Node::new(Config::default(), [1; 32], Instant::now());
    Driver::new(node, ports, Vec::new(), Life::default(), Vec::new())
}

/// Whether a stranger whom nobody heard of before is answered.
fn answers(driver: &mut Driver, stranger: u8) -> bool {
    let from = SocketAddr::from(([80, stranger, 1, 1], 4000));
    driver.node.handle_datagram(Instant::now(), from, PING);
    let replies = std::iter::from_fn(|| driver.node.poll_transmit());
    replies.filter(|sent| sent.payload.ends_with(b"1:y1:re")).count() == 1
}

#[tokio::test]
async fn limits_change_at_the_next_turn_and_wake_a_driver_that_sleeps() {
    let (mut driver, dht) = driver();
    assert!(answers(&mut driver, 1));
    let nothing = LimitConfig { bytes_in_total: 0, ..dht.limits() };
    dht.set_limits(nothing).expect("they make sense");
    assert!(matches!(driver.commands.try_recv(), Ok(Command::Look)), "or it would sleep on");
    assert!(driver.turn(None).is_ok());
    assert!(!answers(&mut driver, 2));
    assert_eq!((dht.limits().bytes_in_total, driver.node.limits().bytes_in_total), (0, 0));
    // Where there is no room for a word, the driver is about to look without one.
    for _ in 0..QUEUE {
        assert!(dht.switch_limits(LimitConfig::default()));
    }
    dht.set_limits(LimitConfig::default()).expect("there is no need for room");
    assert!(driver.turn(None).is_ok());
    assert!(answers(&mut driver, 3));
}

#[tokio::test]
async fn limits_without_sense_or_node_are_refused_and_change_nothing() {
    let (mut driver, dht) = driver();
    let silly = LimitConfig { bytes_per_address: 100, ..LimitConfig::default() };
    let error = LimitError::TooFewBytes { field: "bytes_per_address", bytes: 100, least: 3500 };
    assert_eq!(dht.set_limits(silly.clone()), Err(LimitsError::Nonsense(error)));
    assert_eq!(dht.limits().bytes_per_address, LimitConfig::default().bytes_per_address);
    assert!(driver.turn(None).is_ok() && answers(&mut driver, 1));
    drop(driver);
    assert_eq!(dht.set_limits(LimitConfig::default()), Err(LimitsError::Shutdown));
    let built = Dht::builder().no_bootstrap().limits(silly).build();
    assert!(matches!(built, Err(BuildError::Limits(refused)) if refused == error));
}

#[test]
fn a_clock_that_was_never_set_tells_nothing() {
    let at = |secs| time_of_day(UNIX_EPOCH + Duration::from_secs(secs));
    for unset in [0, 3600, 946_684_800, WRITTEN.as_secs() - 1] {
        assert_eq!(at(unset), None, "{unset}");
    }
    assert_eq!(at(WRITTEN.as_secs()), Some(WRITTEN));
    assert_eq!(time_of_day(UNIX_EPOCH - Duration::from_secs(1)), None);
}
