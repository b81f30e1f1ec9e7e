//! What makes a network like the internet: losses in bursts, narrow lines, doors, crowds, churn.
//! Apart from the plain faults, which need a flood each; these need time, or hosts that are no nodes.

use super::*;
use crate::{Bursts, Churn, Fragments, Lifetime, Limit, Uplink};

/// Sends `count` packets, one each `gap`; gives which arrived.
fn stream(link: Link, count: u32, gap: Duration) -> Vec<bool> {
    let (mut network, nodes) = network(link, 2);
    let to = address_of(&network, nodes[1]);
    for number in 0..count {
        send(&mut network, nodes[0], to, &number.to_be_bytes());
        network.run_for(gap);
    }
    let got = payloads(&network, nodes[1]);
    (0..count).map(|number| got.contains(&&number.to_be_bytes()[..])).collect()
}

/// The mean length of the runs of losses.
fn mean_burst(arrived: &[bool]) -> f64 {
    let lost = arrived.iter().filter(|arrived| !**arrived).count();
    let ends = arrived.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    f64::from(u32::try_from(lost).unwrap()) / f64::from(u32::try_from(ends).unwrap())
}

#[test]
fn losses_in_bursts_come_in_their_share_and_together() {
    let bursts = Bursts { good: ms(900), bad: ms(100), loss: 1.0 };
    let arrived = stream(Link { bursts: Some(bursts), ..Link::default() }, 4000, ms(10));
    let lost = arrived.iter().filter(|arrived| !**arrived).count();
    assert!((280..520).contains(&lost), "a tenth, not {lost}");
    assert!((7.0..14.0).contains(&mean_burst(&arrived)), "{}", mean_burst(&arrived));
    let alone = stream(Link { loss: 0.1, ..Link::default() }, 4000, ms(10));
    assert!(mean_burst(&alone) < 1.5);
}

#[test]
fn a_channel_forgets_what_it_was_when_nothing_is_sent_for_long() {
    let bursts = Bursts { good: ms(500), bad: ms(500), loss: 1.0 };
    let arrived = stream(Link { bursts: Some(bursts), ..Link::default() }, 500, ms(60_000));
    assert!(
        (1.5..2.6).contains(&mean_burst(&arrived)),
        "as tossed coins: {}",
        mean_burst(&arrived)
    );
}

#[test]
fn fragments_are_lost_in_their_share_and_whole_packets_are_not() {
    let fragments = Some(Fragments { above: 1400, loss: 0.3 });
    let (mut network, nodes) = network(Link { fragments, ..Link::default() }, 2);
    let to = address_of(&network, nodes[1]);
    for number in 0..1000_u16 {
        for size in [1400, 1401] {
            let mut payload = vec![0; size];
            payload[..2].copy_from_slice(&number.to_be_bytes());
            send(&mut network, nodes[0], to, &payload);
        }
    }
    network.run_for(ms(1));
    let got = payloads(&network, nodes[1]);
    assert_eq!(got.iter().filter(|payload| payload.len() == 1400).count(), 1000);
    let large = got.iter().filter(|payload| payload.len() == 1401).count();
    assert!((650..750).contains(&large), "{large}");
}

#[test]
fn a_narrow_uplink_sends_one_packet_after_the_other_and_drops_what_does_not_fit_its_queue() {
    let (mut network, nodes) = network(Link::default(), 2);
    let uplink = Some(Uplink { bytes_per_second: 10_000.0, queue: ms(250) });
    network.set_line(nodes[0], Link { uplink, ..Link::default() });
    let (to, start) = (address_of(&network, nodes[1]), network.now());
    for number in 0..10_u8 {
        send(&mut network, nodes[0], to, &[number; 1000]);
    }
    network.run_for(Duration::from_secs(5));
    let times: Vec<Duration> =
        network.machine(nodes[1]).got.iter().map(|(at, _, _)| *at - start).collect();
    assert_eq!(times, [ms(100), ms(200), ms(300)]);
    assert_eq!(network.stats().lost, 7);
}

#[test]
fn a_door_lets_in_its_rate_from_each_address_and_bans_who_does_not_stop() {
    let (mut network, nodes) = network(Link::default(), 1);
    let limit = Limit { per_second: 5.0, burst: 10.0, ban: Duration::from_secs(300) };
    let guarded = Host::open(address("10.0.9.9:1")).limit(limit);
    let guarded = network.add(guarded, Probe::default());
    let to = address_of(&network, guarded);
    let stranger = network.add(Host::open(address("10.0.8.8:1")), Probe::default());
    for number in 0..50_u8 {
        send(&mut network, nodes[0], to, &[number]);
    }
    send(&mut network, stranger, to, b"another address");
    network.run_for(Duration::from_secs(299));
    send(&mut network, nodes[0], to, b"too early: begins anew");
    network.run_for(Duration::from_secs(299));
    assert_eq!(network.machine(guarded).got.len(), 11);
    assert_eq!(network.stats().limited, 41);
    network.run_for(Duration::from_secs(2));
    send(&mut network, nodes[0], to, b"after the ban");
    network.run_for(ms(1));
    assert_eq!(network.machine(guarded).got.len(), 12);
}

#[test]
fn an_address_restricted_nat_lets_in_any_port_of_a_host_that_was_sent_to() {
    for (kind, other_port) in [(NatKind::AddressRestricted, 1), (NatKind::PortRestricted, 0)] {
        let (mut network, hidden, [friend, stranger]) = behind(kind);
        let to = address_of(&network, friend);
        send(&mut network, hidden, to, b"hello");
        network.run_for(ms(1));
        let outside = network.machine(friend).got[0].1;
        let mut twin = to;
        twin.set_port(9);
        network.inject(twin, outside, b"from another port".to_vec());
        send(&mut network, stranger, outside, b"from another host");
        network.run_for(ms(1));
        assert_eq!(network.machine(hidden).got.len(), other_port, "{kind:?}");
    }
}

#[test]
fn a_forged_source_is_what_the_receiver_sees_and_answers() {
    let (mut network, nodes) = network(Link::default(), 2);
    network.with(nodes[1], |probe, _| probe.echoes = true);
    let (victim, mirror) = (address_of(&network, nodes[0]), address_of(&network, nodes[1]));
    network.inject(victim, mirror, b"reflect".to_vec());
    network.run_for(ms(1));
    assert_eq!(payloads(&network, nodes[0]), [b"reflect"]);
    assert_eq!(network.machine(nodes[0]).got[0].1, mirror);
}

/// Everybody in 50.0.0.0/8: says the packet back, twice, the second time from next door.
struct Crowd {
    asked: usize,
}

impl Backdrop for Crowd {
    fn owns(&self, address: SocketAddr) -> bool {
        matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[0] == 50)
    }

    fn handle_datagram(
        &mut self,
        _now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        self.asked += 1;
        let reply = Reply { from: to, to: from, payload: datagram.to_vec(), after: ms(7) };
        replies.push(Reply { from: address("50.9.9.9:9"), after: ms(9), ..reply.clone() });
        replies.push(reply);
    }
}

#[test]
fn a_backdrop_answers_for_everybody_it_owns_after_thinking() {
    let (mut network, nodes) = network(Link::with_latency(Latency::Fixed(ms(20))), 1);
    let crowd = Rc::new(RefCell::new(Crowd { asked: 0 }));
    network.set_backdrop(Rc::clone(&crowd));
    let (start, asked) = (network.now(), address("50.1.2.3:4"));
    send(&mut network, nodes[0], asked, b"x");
    send(&mut network, nodes[0], address("51.1.2.3:4"), b"nobody");
    network.run_for(ms(100));
    let got: Vec<(Duration, SocketAddr)> =
        network.machine(nodes[0]).got.iter().map(|(at, from, _)| (*at - start, *from)).collect();
    assert_eq!(got, [(ms(47), asked), (ms(49), address("50.9.9.9:9"))]);
    assert_eq!(
        (crowd.borrow().asked, network.stats().backdrop, network.stats().unreachable),
        (1, 1, 1)
    );
}

#[test]
fn nodes_come_and_go_in_the_rhythm_of_their_churn_and_start_anew() {
    let (mut network, nodes) = network(Link::default(), 200);
    let mean = Duration::from_secs(600);
    let churn =
        Churn { session: Lifetime::Exponential(mean * 3), absence: Lifetime::Exponential(mean) };
    network.set_rebirth(|_, _, probe| *probe = Probe { echoes: true, ..Probe::default() });
    network.set_churn(churn, nodes.iter().copied());
    let mut up = 0;
    for _ in 0..100 {
        network.run_for(mean);
        up += nodes.iter().filter(|node| network.is_up(**node)).count();
    }
    assert!((14_000..16_000).contains(&up), "three quarters of the time, not {up} of 20000");
    network.stop_churn();
    network.run_for(mean * 10);
    let fixed: Vec<bool> = nodes.iter().map(|node| network.is_up(*node)).collect();
    network.run_for(mean * 10);
    assert_eq!(fixed, nodes.iter().map(|node| network.is_up(*node)).collect::<Vec<_>>());
    let reborn = nodes.iter().filter(|node| network.machine(**node).echoes).count();
    assert!(reborn > 190, "{reborn}");
}

#[test]
fn lifetimes_are_spread_as_they_say() {
    let mut dice = Dice::of(&[3]);
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let mut sessions: Vec<Duration> =
        (0..20_000).map(|_| Lifetime::MAINLINE.draw(&mut dice)).collect();
    sessions.sort_unstable();
    assert!((minutes(180)..minutes(220)).contains(&sessions[10_000]), "{:?}", sessions[10_000]);
    assert!((minutes(8000)..minutes(10_000)).contains(&sessions[19_400]), "{:?}", sessions[19_400]);
    let weibull = Lifetime::Weibull { scale: minutes(100), shape: 0.5 };
    let short = (0..10_000).filter(|_| weibull.draw(&mut dice) < minutes(100)).count();
    assert!((6_200..6_450).contains(&short), "{short}");
}

/// What the first two of three probes hear of each other, the third talking to both or to nobody.
fn between_two(third_talks: bool) -> Vec<(Duration, Vec<u8>)> {
    let link =
        Link { jitter: ms(50), loss: 0.3, duplication: 0.2, corruption: 0.2, ..Link::default() };
    let (mut network, nodes) = network(link, 2);
    if third_talks {
        let third = network.add(Host::open(address("10.0.7.7:7")), Probe::default());
        for number in 0..100_u8 {
            let to = address_of(&network, nodes[usize::from(number % 2)]);
            send(&mut network, third, to, &[number, 7]);
        }
    }
    let (to, start, own) =
        (address_of(&network, nodes[1]), network.now(), address_of(&network, nodes[0]));
    for number in 0..100_u8 {
        send(&mut network, nodes[0], to, &[number, 1]);
        network.run_for(ms(10));
    }
    let got = &network.machine(nodes[1]).got;
    got.iter().filter(|got| got.1 == own).map(|got| (got.0 - start, got.2.clone())).collect()
}

#[test]
fn a_host_more_does_not_change_the_luck_of_the_others() {
    assert_eq!(between_two(false), between_two(true));
}
