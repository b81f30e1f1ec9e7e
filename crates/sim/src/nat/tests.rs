//! Who gets through each kind of NAT, and for how long.
//! Apart from the code because the kinds are told apart by tables of cases.

use super::*;

fn start() -> Instant {
    Instant::now()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn inside() -> SocketAddr {
    address("192.168.0.2:6881")
}

fn gate(kind: NatKind) -> Gate {
    Gate::new(Nat::new(address("1.1.1.1:1").ip(), kind))
}

/// After sending to `a`: who can send to the port that `a` saw? (`a`, another port of `a`, `b`)
fn let_in(kind: NatKind) -> [bool; 3] {
    let (mut gate, now) = (gate(kind), start());
    let outside = gate.outbound(now, inside(), address("2.2.2.2:2")).unwrap();
    assert_eq!(outside.ip(), gate.nat.outside);
    ["2.2.2.2:2", "2.2.2.2:9", "3.3.3.3:3"].map(|from| {
        let found = gate.inbound(now, outside.port(), address(from));
        assert!(found.is_none_or(|to| to == inside()));
        found.is_some()
    })
}

#[test]
fn each_kind_lets_in_whom_it_should() {
    assert_eq!(let_in(NatKind::FullCone), [true, true, true]);
    assert_eq!(let_in(NatKind::PortRestricted), [true, false, false]);
    assert_eq!(let_in(NatKind::Symmetric), [true, false, false]);
    assert_eq!(let_in(NatKind::Firewall), [true, false, false]);
}

#[test]
fn all_but_the_symmetric_show_one_port_to_everybody() {
    let ports = |kind| {
        let (mut gate, now) = (gate(kind), start());
        let mut port = |to| gate.outbound(now, inside(), address(to)).unwrap().port();
        (port("2.2.2.2:2"), port("3.3.3.3:3"))
    };
    for kind in [NatKind::FullCone, NatKind::PortRestricted, NatKind::Firewall] {
        let (first, second) = ports(kind);
        assert_eq!(first, second, "{kind:?}");
    }
    let (first, second) = ports(NatKind::Symmetric);
    assert_ne!(first, second);
}

#[test]
fn two_hosts_inside_get_two_ports_outside() {
    let (mut gate, now) = (gate(NatKind::PortRestricted), start());
    let to = address("2.2.2.2:2");
    let other = address("192.168.0.3:6881");
    let first = gate.outbound(now, inside(), to).unwrap();
    let second = gate.outbound(now, other, to).unwrap();
    assert_eq!(gate.inbound(now, first.port(), to), Some(inside()));
    assert_eq!(gate.inbound(now, second.port(), to), Some(other));
}

#[test]
fn a_firewall_keeps_the_port() {
    let (mut gate, now) = (gate(NatKind::Firewall), start());
    let outside = gate.outbound(now, inside(), address("2.2.2.2:2")).unwrap();
    assert_eq!(outside.port(), inside().port());
}

#[test]
fn a_mapping_lives_from_the_last_packet_out_not_in() {
    let (mut gate, now) = (gate(NatKind::FullCone), start());
    let to = address("2.2.2.2:2");
    let port = gate.outbound(now, inside(), to).unwrap().port();
    assert!(gate.inbound(now + secs(60), port, to).is_some());
    assert!(gate.inbound(now + secs(61), port, to).is_none());
    assert_eq!(gate.outbound(now + secs(50), inside(), to).unwrap().port(), port);
    assert!(gate.inbound(now + secs(110), port, to).is_some());
    assert_ne!(gate.outbound(now + secs(200), inside(), to).unwrap().port(), port);
    assert!(gate.inbound(now + secs(200), port, to).is_none(), "the old port is gone");
}

#[test]
fn a_pass_runs_out_for_each_destination_by_itself() {
    let (mut gate, now) = (gate(NatKind::PortRestricted), start());
    let (first, second) = (address("2.2.2.2:2"), address("3.3.3.3:3"));
    let port = gate.outbound(now, inside(), first).unwrap().port();
    gate.outbound(now + secs(40), inside(), second);
    assert!(gate.inbound(now + secs(70), port, first).is_none());
    assert!(gate.inbound(now + secs(70), port, second).is_some());
}

#[test]
fn what_has_expired_is_swept_away() {
    let (mut gate, now) = (gate(NatKind::Symmetric), start());
    for step in 0..10_000_u64 {
        let to = SocketAddr::new(gate.nat.outside, u16::try_from(step).unwrap());
        gate.outbound(now + secs(step), inside(), to).unwrap();
    }
    assert!(gate.passes.len() <= 256, "{} passes", gate.passes.len());
    assert!(gate.ports.len() <= 256 && gate.flows.len() <= 256);
}

#[test]
fn a_restart_forgets_every_mapping() {
    let (mut gate, now) = (gate(NatKind::FullCone), start());
    let to = address("2.2.2.2:2");
    let port = gate.outbound(now, inside(), to).unwrap().port();
    gate.forget();
    assert_eq!(gate.inbound(now, port, to), None);
}
