//! What libtorrent's simulations ask of two families at once: announcing, storing, each event once.
//! Apart from `families`, because here every ask is counted, not only answered.

use std::net::SocketAddr;

use mainstay_dht_proto::{Ask, Event, Outcome};
use mainstay_krpc::Id;
use mainstay_krpc::item::ImmutableItem;

use crate::families::{mixed, v6};
use crate::swarm::{Swarm, address, get_of, item};

/// A third speaks both, a third IPv4, a third IPv6.
fn thirds(seed: u64) -> Swarm {
    mixed(45, seed, |index| match index % 3 {
        0 => (true, true),
        1 => (true, false),
        _ => (false, true),
    })
}

fn count(swarm: &Swarm, index: usize, which: impl Fn(&Event) -> bool) -> usize {
    swarm.events(index).iter().filter(|event| which(event)).count()
}

#[test]
fn a_peer_of_both_families_is_found_under_both_addresses_or_the_one_that_is_spoken() {
    let mut swarm = thirds(65);
    let info_hash = Id::from_bytes([0x5a; 20]);
    let announce = Ask::AnnouncePeer { info_hash, port: Some(5151), seed: false };
    assert!(matches!(swarm.ask(3, announce).0, Outcome::Put(Ok(_))));
    let [four, six] = [address(3), SocketAddr::V6(v6(3))].map(|mut addr| {
        addr.set_port(5151);
        addr
    });
    for (reader, expected) in [(6, vec![four, six]), (7, vec![four]), (8, vec![six])] {
        let Outcome::Peers(Ok(mut found)) =
            swarm.ask(reader, Ask::GetPeers { info_hash, no_seeds: false }).0
        else {
            panic!("node {reader} finds nothing")
        };
        found.sort_unstable();
        assert_eq!(found, expected, "node {reader}");
    }
}

#[test]
fn an_immutable_item_over_both_families_is_told_once_and_ends_once() {
    let mut swarm = thirds(66);
    let item = ImmutableItem::from_bytes(b"one alert").unwrap();
    assert!(matches!(
        swarm.ask(3, Ask::PutImmutable { item: item.clone() }).0,
        Outcome::Put(Ok(_))
    ));
    let (outcome, _) = swarm.ask(6, Ask::GetImmutable { target: item.target() });
    assert!(matches!(outcome, Outcome::Immutable(Ok(Some(found))) if found == item));
    assert_eq!(count(&swarm, 6, |event| matches!(event, Event::Immutable { .. })), 1);
    assert_eq!(count(&swarm, 6, |event| matches!(event, Event::Done { .. })), 1);
}

#[test]
fn a_mutable_item_over_both_families_ends_its_put_once_and_is_read_back_as_the_newest() {
    let mut swarm = thirds(67);
    for seq in 1..=3 {
        let put = Ask::PutMutable { item: item(1, seq), cas: None };
        assert!(matches!(swarm.ask(3, put).0, Outcome::Put(Ok(_))));
        let endings = count(&swarm, 3, |event| matches!(event, Event::Done { .. }));
        assert_eq!(endings, seq as usize);
    }
    for reader in [6, 7, 8] {
        let (outcome, _) = swarm.ask(reader, get_of(&item(1, 3)));
        assert!(matches!(outcome, Outcome::Mutable(Ok(Some(found))) if found == item(1, 3)));
    }
}
