//! What the network promises: delivery, faults in the configured share, and replay.
//! Apart from the code because each fault needs a run of its own.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::{Datagram, Fate, Latency, NatKind};

/// Notes what it gets and when; answers once if told to; wakes at the times it is given.
#[derive(Debug, Default)]
struct Probe {
    got: Vec<(Instant, SocketAddr, Vec<u8>)>,
    woke: Vec<Instant>,
    closed: Vec<SocketAddr>,
    outbox: Vec<Datagram>,
    alarms: Vec<Instant>,
    echoes: bool,
    ignores_alarms: bool,
}

impl Machine for Probe {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.got.push((now, from, datagram.to_vec()));
        if self.echoes {
            self.outbox.push(Datagram { to: from, payload: datagram.to_vec() });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.woke.push(now);
        if !self.ignores_alarms {
            self.alarms.retain(|alarm| *alarm > now);
        }
    }

    fn poll_transmit(&mut self) -> Option<Datagram> {
        self.outbox.pop()
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.alarms.iter().min().copied()
    }

    fn handle_unreachable(&mut self, _now: Instant, to: SocketAddr) {
        self.closed.push(to);
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A network with probes at 10.0.0.1:1, 10.0.0.2:1 … and this link.
fn network(link: Link, probes: u8) -> (Network<Probe>, Vec<Node>) {
    let mut network = Network::new(42, Instant::now());
    network.set_link(link);
    let nodes = (1..=probes)
        .map(|last| {
            network.add(Host::open(SocketAddr::from(([10, 0, 0, last], 1))), Probe::default())
        })
        .collect();
    (network, nodes)
}

fn send(network: &mut Network<Probe>, from: Node, to: SocketAddr, payload: &[u8]) {
    let datagram = Datagram { to, payload: payload.to_vec() };
    network.with(from, |probe, _| probe.outbox.push(datagram));
}

fn address_of(network: &Network<Probe>, node: Node) -> SocketAddr {
    network.addresses(node)[0]
}

fn payloads(network: &Network<Probe>, node: Node) -> Vec<&[u8]> {
    network.machine(node).got.iter().map(|(_, _, payload)| &payload[..]).collect()
}

/// Sends `count` numbered packets from the first probe to the second and runs until all is quiet.
fn flood(link: Link, count: u32) -> (Network<Probe>, Node) {
    let (mut network, nodes) = network(link, 2);
    let to = address_of(&network, nodes[1]);
    for number in 0..count {
        send(&mut network, nodes[0], to, &number.to_be_bytes());
    }
    network.run_for(Duration::from_secs(10));
    (network, nodes[1])
}

#[test]
fn a_packet_takes_the_latency_and_shows_its_source() {
    let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(30))), 2);
    let start = network.now();
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, b"hello");
    network.run_for(ms(29));
    assert!(network.machine(nodes[1]).got.is_empty());
    network.run_for(ms(1));
    let from = address_of(&network, nodes[0]);
    assert_eq!(network.machine(nodes[1]).got, [(start + ms(30), from, b"hello".to_vec())]);
    assert_eq!(network.elapsed(), ms(30));
}

#[test]
fn access_lines_add_to_the_path_at_both_ends() {
    let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(30))), 2);
    network.set_line(nodes[0], Link::with_latency(Latency::Fixed(ms(5))));
    network.set_line(nodes[1], Link::with_latency(Latency::Fixed(ms(7))));
    let start = network.now();
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, b"x");
    network.run_for(ms(100));
    assert_eq!(network.machine(nodes[1]).got[0].0, start + ms(42));
}

#[test]
fn a_pair_has_one_latency_both_ways_and_pairs_differ() {
    let link = Link::with_latency(Latency::Uniform(ms(10), ms(100)));
    let (mut network, nodes) = network(link, 12);
    let start = network.now();
    let hub = address_of(&network, nodes[0]);
    for node in &nodes[1..] {
        network.with(*node, |probe, _| probe.echoes = false);
        send(&mut network, *node, hub, b"there");
        let to = address_of(&network, *node);
        send(&mut network, nodes[0], to, b"back");
    }
    network.run_for(ms(200));
    let mut there: Vec<(SocketAddr, Duration)> =
        network.machine(nodes[0]).got.iter().map(|(at, from, _)| (*from, *at - start)).collect();
    there.sort_unstable();
    let mut back: Vec<(SocketAddr, Duration)> = nodes[1..]
        .iter()
        .map(|node| (address_of(&network, *node), network.machine(*node).got[0].0 - start))
        .collect();
    back.sort_unstable();
    assert_eq!(there, back);
    let mut times: Vec<Duration> = there.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 11);
    assert!(times[0] >= ms(10) && times[10] <= ms(100));
}

#[test]
fn log_normal_latencies_have_the_median_they_are_given() {
    let latency = Latency::LogNormal { median: ms(60), sigma: 0.6, least: ms(5) };
    let (mut network, nodes) = network(Link::with_latency(latency), 1);
    let start = network.now();
    let hub = address_of(&network, nodes[0]);
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let host = Host::open(SocketAddr::from(([10, 1, high, low], 1)));
        let node = network.add(host, Probe::default());
        send(&mut network, node, hub, b"x");
    }
    network.run_for(Duration::from_secs(10));
    let mut times: Vec<Duration> =
        network.machine(nodes[0]).got.iter().map(|(at, _, _)| *at - start).collect();
    times.sort_unstable();
    assert!((ms(55)..ms(65)).contains(&times[500]), "median {:?}", times[500]);
    assert!((ms(115)..ms(145)).contains(&times[900]), "ninth decile {:?}", times[900]);
}

#[test]
fn jitter_reorders_and_loses_nothing() {
    let (network, node) = flood(Link { jitter: ms(50), ..Link::default() }, 200);
    let got = payloads(&network, node);
    assert_eq!(got.len(), 200);
    assert!(!got.is_sorted());
    let (network, node) = flood(Link::default(), 200);
    assert!(payloads(&network, node).is_sorted(), "without jitter the order is kept");
}

#[test]
fn loss_duplication_and_corruption_happen_in_their_share() {
    let link = Link { loss: 0.2, duplication: 0.1, corruption: 0.05, ..Link::default() };
    let (network, node) = flood(link, 10_000);
    let stats = *network.stats();
    assert_eq!(stats.sent, 10_000);
    assert_eq!(stats.delivered + stats.lost, stats.sent + stats.duplicated);
    assert_eq!(stats.delivered, network.machine(node).got.len() as u64);
    for (count, expected) in [(stats.lost, 2200), (stats.duplicated, 1000), (stats.corrupted, 440)]
    {
        assert!((expected * 85 / 100..expected * 115 / 100).contains(&count), "{stats:?}");
    }
}

#[test]
fn corruption_flips_one_bit() {
    let (network, node) = flood(Link { corruption: 1.0, ..Link::default() }, 100);
    for (number, payload) in (0_u32..).zip(payloads(&network, node)) {
        let flipped: u32 = payload
            .iter()
            .zip(number.to_be_bytes())
            .map(|(left, right)| (left ^ right).count_ones())
            .sum();
        assert_eq!(flipped, 1);
    }
}

#[test]
fn payloads_above_the_mtu_vanish() {
    let (mut network, nodes) = network(Link { mtu: Some(1000), ..Link::default() }, 2);
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, &[0; 1000]);
    send(&mut network, nodes[0], to, &[0; 1001]);
    network.run_for(ms(1));
    assert_eq!(network.stats().delivered, 1);
    assert_eq!(network.stats().lost, 1);
}

#[test]
fn deadlines_come_on_time_and_in_order() {
    let (mut network, nodes) = network(Link::default(), 2);
    let start = network.now();
    network.with(nodes[0], |probe, now| probe.alarms = vec![now + ms(50), now + ms(10)]);
    network.with(nodes[1], |probe, now| probe.alarms = vec![now + ms(30)]);
    network.run_for(ms(29));
    assert_eq!(network.machine(nodes[0]).woke, [start + ms(10)]);
    network.run_for(ms(100));
    assert_eq!(network.machine(nodes[0]).woke, [start + ms(10), start + ms(50)]);
    assert_eq!(network.machine(nodes[1]).woke, [start + ms(30)]);
    assert_eq!(network.stats().timeouts, 3);
}

#[test]
fn a_deadline_taken_back_does_not_come() {
    let (mut network, nodes) = network(Link::default(), 1);
    network.with(nodes[0], |probe, now| probe.alarms = vec![now + ms(10)]);
    network.with(nodes[0], |probe, now| probe.alarms = vec![now + ms(40)]);
    network.run_for(ms(39));
    assert!(network.machine(nodes[0]).woke.is_empty());
    network.run_for(ms(1));
    assert_eq!(network.machine(nodes[0]).woke.len(), 1);
}

#[test]
fn a_machine_that_does_not_move_its_deadline_is_counted_and_time_goes_on() {
    let (mut network, nodes) = network(Link::default(), 1);
    network.with(nodes[0], |probe, now| {
        probe.ignores_alarms = true;
        probe.alarms = vec![now + ms(10)];
    });
    network.run_for(ms(19));
    assert_eq!(network.stats().stuck, 10);
    assert_eq!(network.elapsed(), ms(19));
}

#[test]
fn a_node_that_is_down_gets_nothing_and_catches_up_with_its_deadline() {
    let (mut network, nodes) = network(Link::default(), 2);
    let to = address_of(&network, nodes[1]);
    network.with(nodes[1], |probe, now| probe.alarms = vec![now + ms(10)]);
    network.set_up(nodes[1], false);
    send(&mut network, nodes[0], to, b"lost");
    let away = address_of(&network, nodes[0]);
    send(&mut network, nodes[1], away, b"not sent");
    network.run_for(ms(50));
    assert!(network.machine(nodes[1]).got.is_empty() && network.machine(nodes[1]).woke.is_empty());
    assert_eq!((network.stats().unreachable, network.stats().sent), (1, 1));
    network.set_up(nodes[1], true);
    network.run_for(ms(1));
    assert_eq!(network.machine(nodes[1]).woke.len(), 1);
    send(&mut network, nodes[0], to, b"found");
    network.run_for(ms(1));
    assert_eq!(payloads(&network, nodes[1]), [b"found"]);
}

#[test]
fn a_replaced_machine_takes_over_the_address() {
    let (mut network, nodes) = network(Link::default(), 2);
    let old = network.replace(nodes[1], Probe { echoes: true, ..Probe::default() });
    assert!(!old.echoes);
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, b"ping");
    network.run_for(ms(1));
    assert_eq!(payloads(&network, nodes[0]), [b"ping"]);
}

#[test]
fn a_relocated_node_is_found_at_its_new_address_only() {
    let (mut network, nodes) = network(Link::default(), 2);
    let (old, new) = (address_of(&network, nodes[1]), address("10.7.7.7:7"));
    network.relocate(nodes[1], Host::open(new));
    send(&mut network, nodes[0], old, b"old");
    send(&mut network, nodes[0], new, b"new");
    network.run_for(ms(1));
    assert_eq!(payloads(&network, nodes[1]), [b"new"]);
    let home = address_of(&network, nodes[0]);
    send(&mut network, nodes[1], home, b"hello");
    network.run_for(ms(1));
    assert_eq!(network.machine(nodes[0]).got[0].1, new);
}

#[test]
fn a_partition_stops_packets_even_under_way_and_healing_lets_them_pass() {
    let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(20))), 3);
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, b"under way");
    network.run_for(ms(10));
    network.partition([nodes[1], nodes[2]], 1);
    network.run_for(ms(20));
    assert_eq!(network.stats().partitioned, 1);
    send(&mut network, nodes[2], to, b"same side");
    network.run_for(ms(20));
    network.heal();
    send(&mut network, nodes[0], to, b"healed");
    network.run_for(ms(20));
    assert_eq!(payloads(&network, nodes[1]), [&b"same side"[..], b"healed"]);
}

#[test]
fn closed_ports_are_reported_only_when_asked_for() {
    for reports in [false, true] {
        let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(20))), 1);
        network.set_unreachable_reports(reports);
        let nobody = address("10.9.9.9:9");
        send(&mut network, nodes[0], nobody, b"anybody there?");
        network.run_for(ms(39));
        assert!(network.machine(nodes[0]).closed.is_empty());
        network.run_for(ms(1));
        assert_eq!(network.machine(nodes[0]).closed.len(), usize::from(reports));
    }
}

#[test]
fn each_family_leaves_from_its_own_address_and_none_without() {
    let (mut network, nodes) = network(Link::default(), 1);
    let six = address("[2001:db8::1]:1");
    let both = Host::open(address("10.0.0.9:1")).and(six);
    let both = network.add(both, Probe { echoes: true, ..Probe::default() });
    let other_six = network.add(Host::open(address("[2001:db8::2]:1")), Probe::default());
    send(&mut network, other_six, six, b"six");
    send(&mut network, nodes[0], address("10.0.0.9:1"), b"four");
    send(&mut network, nodes[0], six, b"no such family");
    network.run_for(ms(1));
    assert_eq!(payloads(&network, both), [&b"six"[..], b"four"]);
    assert_eq!(network.machine(other_six).got[0].1, six);
    assert_eq!(network.machine(nodes[0]).got[0].1, address("10.0.0.9:1"));
    assert_eq!(network.stats().unreachable, 1);
}

/// A probe behind a NAT of this kind, one in the open, one more in the open.
fn behind(kind: NatKind) -> (Network<Probe>, Node, [Node; 2]) {
    let (mut network, nodes) = network(Link::default(), 2);
    let site = network.add_site(Nat::new(address("1.1.1.1:0").ip(), kind));
    let host = Host::inside(site, address("192.168.0.2:6881"));
    let hidden = network.add(host, Probe::default());
    (network, hidden, [nodes[0], nodes[1]])
}

#[test]
fn behind_a_nat_answers_come_back_and_strangers_only_through_a_cone() {
    for (kind, strangers) in [
        (NatKind::FullCone, 1),
        (NatKind::PortRestricted, 0),
        (NatKind::Symmetric, 0),
        (NatKind::Firewall, 0),
    ] {
        let (mut network, hidden, [friend, stranger]) = behind(kind);
        network.with(friend, |probe, _| probe.echoes = true);
        let to = address_of(&network, friend);
        send(&mut network, hidden, to, b"hello");
        network.run_for(ms(1));
        let outside = network.machine(friend).got[0].1;
        assert_eq!(outside.ip(), address("1.1.1.1:0").ip());
        assert_eq!(payloads(&network, hidden), [b"hello"]);
        send(&mut network, stranger, outside, b"let me in");
        network.run_for(ms(1));
        assert_eq!(network.machine(hidden).got.len(), 1 + strangers, "{kind:?}");
        assert_eq!(network.stats().filtered, 1 - strangers as u64);
    }
}

#[test]
fn a_nat_that_restarts_cuts_its_hosts_off_until_they_send_again() {
    let (mut network, hidden, [friend, _]) = behind(NatKind::PortRestricted);
    let to = address_of(&network, friend);
    send(&mut network, hidden, to, b"one");
    network.run_for(ms(1));
    let outside = network.machine(friend).got[0].1;
    network.restart_nat(Site(0));
    send(&mut network, friend, outside, b"reply");
    network.run_for(ms(1));
    assert_eq!(network.stats().filtered, 1);
}

#[test]
fn a_hairpin_works_only_where_the_box_has_one() {
    for hairpin in [false, true] {
        let mut network = Network::new(1, Instant::now());
        let nat = Nat::new(address("1.1.1.1:0").ip(), NatKind::FullCone);
        let site = network.add_site(Nat { hairpin, ..nat });
        let first = network.add(Host::inside(site, address("192.168.0.2:1")), Probe::default());
        let second = network.add(Host::inside(site, address("192.168.0.3:1")), Probe::default());
        let open = network.add(Host::open(address("10.0.0.1:1")), Probe::default());
        send(&mut network, first, address("10.0.0.1:1"), b"who am I?");
        network.run_for(ms(1));
        let outside = network.machine(open).got[0].1;
        send(&mut network, second, outside, b"neighbour");
        network.run_for(ms(1));
        assert_eq!(network.machine(first).got.len(), usize::from(hairpin));
    }
}

#[test]
fn a_capture_sees_each_packet_with_its_fate() {
    let (mut network, nodes) = network(Link::default(), 2);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    network
        .set_capture(move |packet| log.borrow_mut().push((packet.sender, packet.to, packet.fate)));
    let to = address_of(&network, nodes[1]);
    let nobody = address("10.9.9.9:9");
    send(&mut network, nodes[0], to, b"x");
    send(&mut network, nodes[0], nobody, b"x");
    network.run_for(ms(1));
    let expected = [
        (Some(nodes[0]), to, Fate::Delivered(nodes[1])),
        (Some(nodes[0]), nobody, Fate::Unreachable),
    ];
    assert_eq!(*seen.borrow(), expected);
}

/// A few hundred packets between twenty echoing probes over a bad network: its trace.
fn busy_run(seed: u64, payload: &[u8]) -> u64 {
    let mut network = Network::new(seed, Instant::now());
    network.set_link(Link {
        latency: Latency::LogNormal { median: ms(40), sigma: 0.5, least: ms(1) },
        jitter: ms(20),
        loss: 0.1,
        duplication: 0.1,
        corruption: 0.1,
        ..Link::default()
    });
    let nodes: Vec<Node> = (1..=20)
        .map(|last| {
            let probe = Probe { echoes: true, ..Probe::default() };
            network.add(Host::open(SocketAddr::from(([10, 0, 0, last], 1))), probe)
        })
        .collect();
    for (node, peer) in nodes.iter().zip(nodes.iter().skip(1)) {
        let to = address_of(&network, *peer);
        send(&mut network, *node, to, payload);
    }
    network.run_for(Duration::from_secs(2));
    network.trace()
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    assert_eq!(busy_run(7, b"ping"), busy_run(7, b"ping"));
    assert_ne!(busy_run(7, b"ping"), busy_run(8, b"ping"));
    assert_ne!(busy_run(7, b"ping"), busy_run(7, b"pong"));
}

#[test]
fn running_until_something_happens_stops_there_or_at_the_limit() {
    let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(30))), 2);
    let to = address_of(&network, nodes[1]);
    send(&mut network, nodes[0], to, b"x");
    let arrived = |network: &mut Network<Probe>| !network.machine(nodes[1]).got.is_empty();
    assert!(!network.run_while_not(ms(10), arrived));
    assert_eq!(network.elapsed(), ms(10));
    assert!(network.run_while_not(ms(100), arrived));
    assert_eq!(network.elapsed(), ms(30));
}

#[test]
fn an_empty_queue_still_lets_time_pass() {
    let (mut network, _) = network(Link::default(), 0);
    assert_eq!(network.step(), None);
    network.run_for(Duration::from_secs(3600));
    assert_eq!(network.elapsed(), Duration::from_secs(3600));
}

mod internet;
