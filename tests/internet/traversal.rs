//! What libtorrent's simulations ask of a node, asked of ours: joining, announcing, storing, callbacks.
//! Apart from the properties, because each is a plain story with one right ending.

use mainstay_dht_proto::{Ask, Event, Outcome};
use mainstay_krpc::Id;
use mainstay_krpc::item::ImmutableItem;
use mainstay_tests::internet::World;
use mainstay_tests::seeds;

use crate::asking::{MINUTE, count, depths, get_of, item, prompt};

#[test]
fn a_node_that_joined_knows_fifty_others_and_its_neighbourhood_to_depth_eight() {
    seeds::each(3, |seed| {
        let mut world = World::before(prompt(seed, 3000, 0.1), 0.01);
        let guest = world.join(5 * MINUTE, |config| config);
        let depths = depths(&world, guest);
        assert!(depths.iter().sum::<usize>() >= 50, "{depths:?}");
        assert!(depths[8..].iter().sum::<usize>() >= 4, "{depths:?}");
    });
}

#[test]
fn an_announced_peer_is_found_by_another_node_and_reported_once() {
    seeds::each(3, |seed| {
        let mut world = World::before(prompt(seed, 2000, 0.2), 0.01);
        let [seeder, leecher] = [0, 1].map(|_| world.join(2 * MINUTE, |config| config));
        let info_hash = Id::from_bytes([0x5a; 20]);
        let ask = Ask::AnnouncePeer { info_hash, port: Some(5151), seed: false };
        let (outcome, _, _) = world.ask(seeder, ask, false);
        assert!(matches!(outcome, Outcome::Put(Ok(_))), "{outcome:?}");
        let (outcome, _, events) =
            world.ask(leecher, Ask::GetPeers { info_hash, no_seeds: false }, false);
        let Outcome::Peers(Ok(peers)) = outcome else { panic!("{outcome:?}") };
        let home = mainstay_tests::internet::home_address(seeder);
        assert_eq!(peers, [std::net::SocketAddr::from((*home.ip(), 5151))]);
        assert_eq!(count(&events, |event| matches!(event, Event::Peers { .. })), 1);
    });
}

#[test]
fn an_immutable_item_arrives_exactly_once() {
    seeds::each(3, |seed| {
        let mut world = World::before(prompt(seed, 2000, 0.2), 0.01);
        let [writer, reader] = [0, 1].map(|_| world.join(2 * MINUTE, |config| config));
        let item = ImmutableItem::from_bytes(b"one alert").unwrap();
        let (outcome, _, _) = world.ask(writer, Ask::PutImmutable { item: item.clone() }, false);
        assert!(matches!(outcome, Outcome::Put(Ok(_))), "{outcome:?}");
        let ask = Ask::GetImmutable { target: item.target() };
        let (outcome, _, events) = world.ask(reader, ask, false);
        assert!(matches!(outcome, Outcome::Immutable(Ok(Some(found))) if found == item));
        assert_eq!(count(&events, |event| matches!(event, Event::Immutable { .. })), 1);
        assert_eq!(count(&events, |event| matches!(event, Event::Done { .. })), 1);
    });
}

#[test]
fn a_newer_value_replaces_an_older_one_and_is_told_last() {
    seeds::each(3, |seed| {
        let mut world = World::before(prompt(seed, 2000, 0.2), 0.01);
        let [writer, reader] = [0, 1].map(|_| world.join(2 * MINUTE, |config| config));
        for seq in 1..=3 {
            assert!(crate::asking::put(&mut world, writer, &item(1, seq)) > 0);
        }
        let (outcome, _, events) = world.ask(reader, get_of(&item(1, 0)), false);
        assert!(matches!(outcome, Outcome::Mutable(Ok(Some(found))) if found == item(1, 3)));
        let seqs: Vec<i64> = events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Mutable { item, .. } => Some(item.seq()),
                _ => None,
            })
            .collect();
        assert!(seqs.is_sorted() && seqs.last() == Some(&3), "{seqs:?}");
    });
}

#[test]
fn a_node_that_vanishes_in_the_middle_of_a_put_leaves_nothing_that_moves() {
    seeds::each(2, |seed| {
        let mut world = World::before(prompt(seed, 1000, 0.2), 0.01);
        let guest = world.join(MINUTE, |config| config);
        let query = world.start(guest, Ask::PutMutable { item: item(1, 1), cas: None }, false);
        world.net.run_for(std::time::Duration::from_millis(100));
        world.net.with(world.guests[guest], |guest, now| guest.node.cancel(now, query));
        world.net.run_for(MINUTE);
        assert_eq!(world.node(guest).info().asks, 0);
        let node = world.guests[guest];
        assert!(world.net.machine(node).ending(query).is_none());
        assert_eq!(world.net.stats().stuck, 0);
    });
}
