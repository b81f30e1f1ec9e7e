//! Long lives: a day of churn, a week of a table, and what strangers cannot change in it.
//! Apart from the scenarios, because here hours pass and little is asked.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mainstay_dht_proto::{Config, RemoteNode};
use mainstay_krpc::{Id, Message, Method, Query};
use mainstay_sim::{Dice, Host, Lifetime};
use mainstay_tests::internet::{Terrain, World};
use mainstay_tests::seeds;

use crate::asking::{HOUR, MINUTE, depths, get, item, prompt, put};

#[test]
fn values_republished_hourly_are_found_through_a_day_of_churn() {
    let (mut reads, mut missed) = (0_u32, 0_u32);
    seeds::each(1, |seed| {
        // Half of all sessions end within two hours.
        let churn = Some(Lifetime::Exponential(Duration::from_secs(10_000)));
        let mut world = World::before(Terrain { churn, ..prompt(seed, 2000, 0.3) }, 0.01);
        let [writer, reader] = [0, 1].map(|_| world.join(MINUTE, |config| config));
        for hour in 1..=24 {
            for number in 0..VALUES {
                assert!(put(&mut world, writer, &item(number, hour)) > 0);
            }
            for _ in 0..4 {
                world.net.run_for(15 * MINUTE);
                for number in 0..VALUES {
                    reads += 1;
                    missed += u32::from(get(&mut world, reader, &item(number, 0)).0 != Some(hour));
                }
            }
        }
    });
    println!("{missed} of {reads} reads did not find the newest");
    assert!(missed * 1000 <= reads, "{missed} of {reads} reads did not find the newest");
}

/// How many values are kept up at a time.
const VALUES: u64 = 11;

#[test]
fn a_table_keeps_its_far_buckets_for_days_of_churn() {
    // `MAINSTAY_DAYS=7` makes it a week.
    let days = std::env::var("MAINSTAY_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(1);
    seeds::each(1, |seed| {
        let terrain = Terrain { churn: Some(Lifetime::MAINLINE), ..prompt(seed, 20_000, 0.3) };
        let mut world = World::before(terrain, 0.01);
        let guest = world.join(HOUR, |config| config);
        for day in 1..=days {
            world.net.run_for(24 * HOUR);
            let depths = depths(&world, guest);
            let [living, known] = living(&world, guest);
            println!("day {day}: {living} of {known} live; by bits shared {depths:?}");
            assert!(depths[..6].iter().all(|level| *level >= 6), "day {day}: {depths:?}");
            assert!(depths[8..].iter().sum::<usize>() >= 4, "day {day}: {depths:?}");
            assert!(living * 5 >= known * 4, "day {day}: {living} of {known} live");
        }
        let hourly = world.node(guest).info().counters.sent / (24 * days + 1);
        println!("{hourly} packets an hour at rest");
        assert!(hourly < 4000, "{hourly} packets an hour at rest");
    });
}

/// How many contacts of a node live, of how many.
fn living(world: &World, guest: usize) -> [usize; 2] {
    let internet = world.internet.as_ref().unwrap().borrow();
    let census = internet.census();
    let contacts = world.node(guest).contacts();
    let lives = |node: &&RemoteNode| census.at(node.addr).is_some_and(|node| census.lives(node));
    [contacts.iter().filter(lives).count(), contacts.len()]
}

#[test]
fn whoever_asks_but_never_answers_is_not_in_the_table() {
    seeds::each(2, |seed| {
        let mut world = World::before(prompt(seed, 1000, 0.5), 0.0);
        let guest = world.join(HOUR / 3, |config| config);
        let home = world.net.addresses(world.guests[guest])[0];
        let mut gone = Vec::new();
        {
            let internet = world.internet.as_ref().unwrap().borrow();
            let census = internet.census();
            let all = 0..u32::try_from(census.total()).unwrap();
            gone.extend(
                all.filter(|number| !census.lives(*number)).map(|number| census.contact(number)),
            );
        }
        for contact in &gone {
            let mut datagram = Vec::new();
            Message::query(b"aa", Query::new(contact.id, Method::Ping)).encode(&mut datagram);
            world.net.inject(contact.addr.into(), home, datagram);
            world.net.run_for(Duration::from_millis(200));
        }
        world.net.run_for(2 * MINUTE);
        let known = world.node(guest).contacts();
        let polluted = known.iter().filter(|node| gone.iter().any(|gone| gone.id == node.id));
        assert_eq!(polluted.count(), 0);
        assert!(known.len() >= 50);
    });
}

#[test]
fn an_idle_table_fills_every_level_of_which_the_network_has_nodes() {
    seeds::each(2, |seed| {
        let mut world = World::before(prompt(seed, 5000, 0.2), 0.01);
        let guest = world.join(HOUR / 2, |config| config);
        let depths = depths(&world, guest);
        assert!(depths[..6].iter().all(|level| *level >= 8), "{depths:?}");
    });
}

#[test]
fn a_flood_of_newcomers_from_one_network_gets_no_more_than_its_share_of_the_table() {
    let mut world = World::before(prompt(3, 3000, 0.2), 0.0);
    let victim = world.join(10 * MINUTE, |config| config);
    let home = world.net.addresses(world.guests[victim])[0];
    let mut dice = Dice::of(&[3, 3]);
    // Real nodes of one /16, each in a /24 of its own, with ids close to the victim's and far.
    let own = world.node(victim).info().ipv4.unwrap().id;
    for number in 0..60_u8 {
        let address = SocketAddrV4::new(Ipv4Addr::new(120, 7, number, 9), 6881);
        let mut id = own.to_bytes();
        id[usize::from(number % 4)] ^= 1 << dice.below(8);
        id[19] = number;
        let config = Config {
            ipv4: Some(address),
            public_ipv4: Some(*address.ip()),
            id: Some(Id::from_bytes(id)),
            bootstrap: vec![home],
            ..Config::default()
        };
        let attacker = world.guest(config, 1000 + u64::from(number));
        world.net.add(Host::open(SocketAddr::V4(address)), attacker);
        world.net.run_for(12 * Duration::from_secs(1));
    }
    world.net.run_for(HOUR);
    let known = world.node(victim).contacts();
    let theirs =
        |addr: SocketAddr| matches!(addr, SocketAddr::V4(addr) if addr.ip().octets()[0] == 120);
    let taken = known.iter().filter(|node| theirs(node.addr)).count();
    assert!(taken * 10 <= known.len(), "{taken} of {}", known.len());
}
