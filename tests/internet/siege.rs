//! Under siege: one network after another of the same owner moves in next to a node, and answers sooner than all.
//! Apart from the scenarios, because it needs a town of both families, where who lies is known.

mod town;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::rc::Rc;
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Outcome};
use mainstay_krpc::{Message, Method, Query};
use mainstay_sim::{Dice, Host};
use mainstay_tests::internet::World;
use mainstay_tests::seeds;
use town::Town;

use crate::asking::{HOUR, item, target};

/// Between two attackers of one family: five a minute.
const MOVE_IN: Duration = Duration::from_secs(12);

const HOME4: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(208, 9, 1, 1), 6881);
const HOME6: SocketAddrV6 =
    SocketAddrV6::new(Ipv6Addr::new(0x2c0f, 9, 1, 0, 0, 0, 0, 1), 6881, 0, 0);

/// A node of both families before a town of so many honest nodes in each.
fn besieged(seed: u64, honest: usize) -> (World, Rc<RefCell<Town>>) {
    let mut world = World::empty(seed, 0.01);
    let town = Rc::new(RefCell::new(Town::new(seed, honest)));
    world.net.set_backdrop(Rc::clone(&town));
    let config = Config {
        ipv4: Some(HOME4),
        ipv6: Some(HOME6),
        public_ipv4: Some(*HOME4.ip()),
        public_ipv6: Some(*HOME6.ip()),
        bootstrap: town.borrow().some_addresses(4),
        ..Config::default()
    };
    let guest = world.guest(config, seed);
    let node = world.net.add(Host::open(HOME4.into()).and(HOME6.into()), guest);
    world.guests.push(node);
    world.net.run_for(HOUR);
    (world, town)
}

/// Shares of the tables that the attackers hold, in hundredths: of IPv4, of IPv6.
fn taken(world: &World, town: &Town) -> [f64; 2] {
    let contacts = world.node(0).contacts();
    [true, false].map(|is_ipv4| {
        let of_family = contacts.iter().filter(|node| node.addr.is_ipv4() == is_ipv4);
        let all: Vec<_> = of_family.map(|node| town.is_hostile(node.addr)).collect();
        assert!(all.len() >= 50, "{} contacts, IPv4: {is_ipv4}", all.len());
        100.0 * all.iter().filter(|hostile| **hostile).count() as f64 / all.len() as f64
    })
}

/// The networks of which one node at most should hold a copy.
fn network(addr: SocketAddr) -> IpAddr {
    match addr.ip() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & 0xffff_ff00).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 80 << 80).into(),
    }
}

#[test]
fn a_siege_from_one_network_leaves_it_its_share_of_table_and_copies() {
    seeds::each(1, |seed| {
        let (mut world, town) = besieged(seed, 800);
        let mut worst = [0.0_f64; 2];
        let newcomers = hours() * HOUR.as_secs() / MOVE_IN.as_secs();
        for number in 0..newcomers {
            // Half move in next to the node, half where their address says.
            let ids = world.node(0).info();
            let ids = [ids.ipv4, ids.ipv6].map(|family| family.unwrap().id);
            let members = town.borrow_mut().move_in(number, ids);
            for (member, home) in members.into_iter().zip([HOME4.into(), HOME6.into()]) {
                knock(&mut world, &member, home);
            }
            // Those of the last hours do not let themselves be forgotten.
            for member in town.borrow().reminders(number) {
                let home = if member.addr.is_ipv4() { HOME4.into() } else { HOME6.into() };
                knock(&mut world, &member, home);
            }
            world.net.run_for(MOVE_IN);
            if number % 100 == 0 {
                let taken = taken(&world, &town.borrow());
                worst = [0, 1].map(|family| worst[family].max(taken[family]));
            }
        }
        println!(
            "at worst {:.1} % of the table of IPv4, {:.1} % of that of IPv6",
            worst[0], worst[1]
        );
        assert!(worst[0] <= 10.0 && worst[1] <= 5.0, "{worst:?}");
        copies_are_spread(&mut world, seed);
    });
}

/// How long it lasts; `MAINSTAY_HOURS=24` makes it a day.
fn hours() -> u64 {
    std::env::var("MAINSTAY_HOURS").ok().and_then(|hours| hours.parse().ok()).unwrap_or(2)
}

fn knock(world: &mut World, member: &town::Member, home: SocketAddr) {
    let mut datagram = Vec::new();
    let target = member.id;
    Message::query(b"knoc", Query::new(member.id, Method::FindNode { target }))
        .encode(&mut datagram);
    world.net.inject(member.addr, home, datagram);
}

/// No two copies of one item lie in one /24, or in one /48 of IPv6.
fn copies_are_spread(world: &mut World, seed: u64) {
    let mut dice = Dice::of(&[seed, 0x0073_6965_6765]);
    for number in 0..20 {
        let ask = Ask::PutMutable { item: item(dice.next(), 1), cas: None };
        let (outcome, _, _) = world.ask(0, ask, false);
        let Outcome::Put(Ok(report)) = outcome else { panic!("put {number}: {outcome:?}") };
        let networks: BTreeSet<_> = report.nodes.iter().map(|node| network(node.addr)).collect();
        assert_eq!(networks.len(), report.nodes.len(), "put {number}: {:?}", report.nodes);
        let ask = Ask::FindNode { target: target(&mut dice) };
        let (outcome, _, _) = world.ask(0, ask, false);
        let Outcome::Nodes(Ok(found)) = outcome else { panic!("search {number}: {outcome:?}") };
        let networks: BTreeSet<_> = found.iter().map(|node| network(node.addr)).collect();
        assert_eq!(networks.len(), found.len(), "search {number}: {found:?}");
    }
}
