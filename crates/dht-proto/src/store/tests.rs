//! Who stays and who goes where a pool is full, what a share is and when it is given back, and when there is a sweep.
//! Apart from the pools, because the rules are the same for all of them.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

use super::items::{Items, leading_zeros};
use super::peers::Peers;
use super::quota::Quota;
use super::{Full, ItemKind, MemoryStore, Peer, PeerFamily, Store, StoreCounts};
use crate::StoreConfig;

const LIFETIME: Duration = Duration::from_secs(7200);
const HOUR: Duration = Duration::from_secs(3600);
/// An address of this host's own site, which no quota counts.
const NEAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(9, 9, 9, 9));

fn start() -> Instant {
    crate::testing::start()
}

/// An id that begins so; our own is all zeros, so this is its distance, too.
fn id(first: u8) -> Id {
    let mut bytes = [0; 20];
    bytes[0] = first;
    Id::from_bytes(bytes)
}

fn items(now: Instant, capacity: usize, targets: &[u8]) -> Items<u8> {
    let mut items = Items::new(&StoreConfig::default(), capacity, id(0));
    for target in targets {
        items.put(now, NEAR, id(*target), *target).unwrap();
    }
    items
}

fn kept(items: &Items<u8>, now: Instant) -> Vec<u8> {
    (0..=255).filter(|target| items.find(now, &id(*target)).is_some()).collect()
}

fn swarms(info_hashes: usize, peers: usize) -> Peers {
    let config = StoreConfig { info_hashes, peers, ..StoreConfig::default() };
    Peers::new(&config, id(0))
}

fn announce(swarms: &mut Peers, now: Instant, hash: u8, ip: IpAddr) -> Result<(), Full> {
    swarms.announce(now, id(hash), ip, Peer { addr: SocketAddr::new(ip, 80), seed: false })
}

fn hashes(swarms: &Peers, now: Instant) -> Vec<u8> {
    let mut hashes: Vec<u8> = swarms.hashes(now).map(|hash| hash.as_bytes()[0]).collect();
    hashes.sort_unstable();
    hashes
}

#[test]
fn the_bits_that_two_ids_share_are_counted_across_bytes() {
    assert_eq!(leading_zeros(&[0; 20]), 160);
    for (at, byte, bits) in [(0, 0x80, 0), (0, 0x01, 7), (1, 0xff, 8), (2, 0x10, 19), (19, 1, 159)]
    {
        let mut distance = [0xff; 20];
        distance[..at].fill(0);
        distance[at] = byte;
        assert_eq!(leading_zeros(&distance), bits);
    }
}

#[test]
fn a_newer_item_takes_the_place_of_the_older_and_lives_two_hours_from_then() {
    let now = start();
    let mut items = items(now, 10, &[1]);
    items.put(now + HOUR, NEAR, id(1), 2).unwrap();
    assert_eq!(items.find(now + HOUR, &id(1)), Some(&2));
    assert_eq!(items.find(now + LIFETIME, &id(1)), Some(&2));
    assert_eq!(items.find(now + HOUR + LIFETIME, &id(1)), None);
    assert_eq!(items.len(), 1);
}

#[test]
fn what_has_expired_makes_room_before_anything_alive_and_for_whatever_is_put() {
    let now = start();
    let mut items = items(now, 2, &[0xf0]);
    items.put(now + HOUR, NEAR, id(1), 1).unwrap();
    assert!(!items.has_room(now + HOUR, NEAR, &id(0xff)));
    assert_eq!(items.put(now + HOUR, NEAR, id(0xff), 0), Err(Full));
    assert!(items.has_room(now + LIFETIME, NEAR, &id(0xff)));
    items.put(now + LIFETIME, NEAR, id(0xff), 0).unwrap();
    assert_eq!(kept(&items, now + LIFETIME), [1, 0xff]);
}

#[test]
fn what_was_put_again_in_time_makes_no_room() {
    let now = start();
    let mut items = items(now, 2, &[0xc0, 0xd0]);
    for target in [0xc0, 0xd0] {
        items.put(now + HOUR, NEAR, id(target), target).unwrap();
    }
    assert!(!items.has_room(now + LIFETIME, NEAR, &id(0xff)));
    assert_eq!(items.put(now + LIFETIME, NEAR, id(0xff), 0), Err(Full));
    assert_eq!(kept(&items, now + LIFETIME), [0xc0, 0xd0]);
}

#[test]
fn a_full_pool_takes_what_is_nearer_than_its_farthest_and_nothing_else() {
    let now = start();
    let mut items = items(now, 2, &[0xc0, 0xd0]);
    for farther in [0xd1, 0xe0, 0xff] {
        assert!(!items.has_room(now, NEAR, &id(farther)));
        assert_eq!(items.put(now, NEAR, id(farther), 0), Err(Full));
    }
    assert!(items.has_room(now, NEAR, &id(0xd0)), "what is there may be put again");
    assert!(items.has_room(now, NEAR, &id(0xcf)));
    items.put(now + HOUR, NEAR, id(0xcf), 0).unwrap();
    assert_eq!(items.len(), 2);
    assert!(kept(&items, now + HOUR).contains(&0xcf));
    items.put(now + HOUR, NEAR, id(0x01), 0).unwrap();
    assert_eq!(kept(&items, now + HOUR), [0x01, 0xcf]);
}

#[test]
fn after_our_id_changed_what_is_near_the_new_one_stays() {
    let now = start();
    let mut items = items(now, 2, &[0xf0, 0x10]);
    items.move_home(id(0xf8));
    items.put(now, NEAR, id(0xf1), 0).unwrap();
    assert_eq!(kept(&items, now), [0xf0, 0xf1]);
    let mut swarms = swarms(2, 10);
    for hash in [0xf0, 0x10] {
        announce(&mut swarms, now, hash, NEAR).unwrap();
    }
    swarms.move_home(id(0xf8));
    announce(&mut swarms, now, 0xf1, NEAR).unwrap();
    assert_eq!(hashes(&swarms, now), [0xf0, 0xf1]);
}

#[test]
fn a_share_is_given_back_when_the_entry_is_pushed_out() {
    let now = start();
    let targets: Vec<u8> = (1..100).collect();
    let mut items = items(now, 100, &targets);
    items.put(now, STRANGER, id(0xff), 0).unwrap();
    assert!(!items.has_room(now, STRANGER, &id(0x80)));
    assert_eq!(items.put(now, STRANGER, id(0x80), 0), Err(Full), "one is its share");
    items.put(now, NEAR, id(0x81), 0).unwrap();
    assert!(items.find(now, &id(0xff)).is_none());
    assert!(items.put(now, STRANGER, id(0x80), 0).is_ok());

    // A peer that has fallen silent, one of a swarm that is full, and one of a swarm that goes.
    let mut swarms = swarms(2, 1);
    announce(&mut swarms, now.checked_sub(HOUR).unwrap(), 0xf2, STRANGER).unwrap();
    announce(&mut swarms, now, 0xf3, NEAR).unwrap();
    assert_eq!(announce(&mut swarms, now, 0xf0, STRANGER), Err(Full), "one is its share");
    swarms.sweep(now);
    assert_eq!(hashes(&swarms, now), [0xf3]);
    swarms.sweep(now + HOUR);
    assert_eq!(swarms.info_hashes(), 0);
    announce(&mut swarms, now, 0xf0, STRANGER).unwrap();
    assert_eq!(announce(&mut swarms, now, 0xf1, STRANGER), Err(Full), "one is its share");
    announce(&mut swarms, now + HOUR / 4, 0xf0, NEAR).unwrap();
    announce(&mut swarms, now, 0xf1, STRANGER).unwrap();
    announce(&mut swarms, now, 0xf0, NEAR).unwrap();
    announce(&mut swarms, now, 1, NEAR).unwrap();
    assert_eq!(swarms.info_hashes(), 2);
    let gone = !hashes(&swarms, now).contains(&0xf1);
    assert_eq!(announce(&mut swarms, now, 2, STRANGER).is_ok(), gone);
}

#[test]
fn of_the_farthest_swarms_the_one_with_the_fewest_peers_goes() {
    let now = start();
    let mut swarms = swarms(3, 10);
    for (hash, host) in [(0xc0, 1), (0xc0, 2), (0xd0, 1), (0xe0, 1), (0xe0, 2), (0xe0, 3)] {
        announce(&mut swarms, now, hash, IpAddr::from([127, 0, 0, host])).unwrap();
    }
    // A swarm that is known takes another peer, and none has to go for it.
    announce(&mut swarms, now, 0xd0, IpAddr::from([127, 0, 0, 1])).unwrap();
    assert_eq!(hashes(&swarms, now), [0xc0, 0xd0, 0xe0]);
    announce(&mut swarms, now, 0xc0, IpAddr::from([127, 0, 0, 9])).unwrap();
    assert_eq!(hashes(&swarms, now), [0xc0, 0xd0, 0xe0]);
    assert_eq!(announce(&mut swarms, now, 0xe1, NEAR), Err(Full), "farther than all there are");
    announce(&mut swarms, now, 0x90, NEAR).unwrap();
    assert_eq!(hashes(&swarms, now), [0x90, 0xc0, 0xe0]);
    // The swarms of an hour ago are over, so anything has room.
    announce(&mut swarms, now + HOUR, 0xff, NEAR).unwrap();
    assert_eq!(hashes(&swarms, now + HOUR), [0xff]);
}

#[test]
fn one_address_announces_itself_under_a_hundredth_of_all_info_hashes() {
    let now = start();
    let mut swarms = swarms(200, 10);
    let taken = (0..100).filter(|n| announce(&mut swarms, now, *n, STRANGER).is_ok()).count();
    assert_eq!(taken, 2);
    assert!(announce(&mut swarms, now, 0, STRANGER).is_ok(), "renewing takes no more room");
    assert!(announce(&mut swarms, now, 0, IpAddr::from([60, 1, 1, 1])).is_ok());
}

#[test]
fn a_quota_counts_hosts_networks_and_providers_and_nobody_of_our_own_site() {
    let config = StoreConfig {
        share_per_address: 500,
        share_per_network: 250,
        share_per_provider: 100,
        ..StoreConfig::default()
    };
    let (host, neighbour, same_provider, elsewhere) =
        ([9, 9, 9, 9], [9, 9, 9, 8], [9, 9, 1, 1], [60, 1, 1, 1]);
    let mut quota = Quota::new(&config, 1000);
    let room = |quota: &Quota, ip: [u8; 4]| quota.has_room(IpAddr::from(ip));
    for (added, open, crowd) in [
        ([9, 9, 9, 9], [true, true, true, true], false),
        ([9, 9, 9, 9], [false, true, true, true], true),
        ([9, 9, 9, 7], [false, true, true, true], true),
        ([9, 9, 9, 6], [false, false, true, true], true),
    ] {
        quota.add(IpAddr::from(added));
        let rooms = [host, neighbour, same_provider, elsewhere].map(|ip| room(&quota, ip));
        assert_eq!(rooms, open, "after {added:?}");
        assert_eq!(quota.is_crowd(IpAddr::from(host)), crowd, "after {added:?}");
    }
    (1..=6).for_each(|n| quota.add(IpAddr::from([9, 9, n, 1])));
    assert!(quota.is_crowd(IpAddr::from(host)) && !quota.is_crowd(IpAddr::from(elsewhere)));
    assert!(!room(&quota, [9, 9, 200, 1]) && room(&quota, elsewhere));
    assert!(quota.of_any_provider().has_room(IpAddr::from([9, 9, 200, 1])));

    let mut quota = Quota::new(&config, 1000);
    (0..50).for_each(|_| quota.add(NEAR));
    assert!(quota.has_room(NEAR) && !quota.is_crowd(NEAR));
    for _ in 0..2 {
        quota.add(STRANGER);
    }
    quota.remove(STRANGER);
    assert!(quota.has_room(STRANGER));
    quota.add(STRANGER);
    assert!(!quota.has_room(STRANGER), "one was given back, not both");
    // What was never counted cannot be given back.
    (0..5).for_each(|_| quota.remove(STRANGER));
    (0..2).for_each(|_| quota.add(STRANGER));
    assert!(!quota.has_room(STRANGER));
}

fn signed(seq: i64) -> MutableItem {
    MutableItem::sign_bytes(&Keypair::from_secret_key(&[1; 32]), b"", seq, b"v").unwrap()
}

#[test]
fn a_store_sweeps_every_five_minutes_while_it_holds_anything() {
    let now = start();
    let minutes = |n: u64| now + Duration::from_secs(60 * n);
    let mut store = MemoryStore::new(&StoreConfig::default());
    assert_eq!(store.poll_timeout(), None);
    store.handle_timeout(now);
    assert_eq!(store.poll_timeout(), None);
    store.announce(now, id(1), NEAR, Peer { addr: (NEAR, 80).into(), seed: true }).unwrap();
    assert_eq!(store.poll_timeout(), Some(minutes(5)));
    store.put_mutable(minutes(1), NEAR, signed(1)).unwrap();
    store.put_immutable(minutes(2), NEAR, ImmutableItem::from_bytes(b"x").unwrap()).unwrap();
    assert_eq!(store.poll_timeout(), Some(minutes(5)), "the first put decides");
    assert_eq!((store.counts().items, store.counts().info_hashes), (2, 1));
    store.handle_timeout(minutes(4));
    assert_eq!(store.poll_timeout(), Some(minutes(5)), "too early");
    store.handle_timeout(minutes(46));
    assert_eq!((store.counts().items, store.counts().info_hashes), (2, 0));
    assert_eq!(store.poll_timeout(), Some(minutes(51)));
    store.refresh(minutes(60), &signed(1).target());
    store.handle_timeout(minutes(122));
    assert_eq!((store.counts().items, store.counts().info_hashes), (1, 0));
    assert_eq!(store.mutable(minutes(122), &signed(1).target()), Some(signed(1)));
    store.handle_timeout(minutes(180));
    assert_eq!(store.counts().items, 0);
    assert_eq!(store.poll_timeout(), None, "an empty store wakes nobody");
}

#[test]
fn each_kind_of_item_has_a_pool_of_its_own_and_all_follow_our_id() {
    let now = start();
    let config = StoreConfig { mutable_items: 1, immutable_items: 2, ..StoreConfig::default() };
    let mut store = MemoryStore::new(&config);
    let value = |byte: u8| ImmutableItem::from_bytes(&[byte]).unwrap();
    store.put_mutable(now, NEAR, signed(1)).unwrap();
    store.put_immutable(now, NEAR, value(1)).unwrap();
    let far = id(0xff);
    assert!(!store.has_room(now, NEAR, &far, ItemKind::Mutable));
    assert!(store.has_room(now, NEAR, &far, ItemKind::Immutable));
    assert_eq!(store.immutable(now, &value(1).target()), Some(value(1)));
    // Next to what it holds, a node has room only for what is nearer still.
    store.set_home(signed(1).target());
    assert!(!store.has_room(now, NEAR, &id(0), ItemKind::Mutable));
    assert_eq!(store.mutable(now, &signed(1).target()), Some(signed(1)));
    store.announce(now, id(1), NEAR, Peer { addr: (NEAR, 80).into(), seed: true }).unwrap();
    let mut hashes = Vec::new();
    store.info_hashes(now, &mut |hash| hashes.push(hash));
    assert_eq!(hashes, [id(1)]);
    store.set_home(value(1).target());
    let mut peers = Vec::new();
    store.peers(now, &id(1), None, &mut |peer| peers.push(peer.addr));
    assert_eq!(peers, [SocketAddr::from((NEAR, 80))]);
}

/// A shelf with room for one item, which leaves to the trait all that it can.
#[derive(Debug, Default)]
struct Shelf(Option<MutableItem>);

impl Store for Shelf {
    fn mutable(&self, _now: Instant, target: &Id) -> Option<MutableItem> {
        self.0.clone().filter(|item| item.target() == *target)
    }

    fn immutable(&self, _now: Instant, _target: &Id) -> Option<ImmutableItem> {
        None
    }

    fn put_mutable(&mut self, _now: Instant, _from: IpAddr, item: MutableItem) -> Result<(), Full> {
        self.0 = Some(item);
        Ok(())
    }

    fn put_immutable(&mut self, _: Instant, _: IpAddr, _: ImmutableItem) -> Result<(), Full> {
        Err(Full)
    }

    fn refresh(&mut self, _now: Instant, _target: &Id) {}

    fn announce(&mut self, _: Instant, _: Id, _: IpAddr, _: Peer) -> Result<(), Full> {
        Err(Full)
    }

    fn peers(&self, _: Instant, _: &Id, _: Option<PeerFamily>, _: &mut dyn FnMut(Peer)) {}

    fn info_hashes(&self, _now: Instant, _visit: &mut dyn FnMut(Id)) {}

    fn counts(&self) -> StoreCounts {
        StoreCounts { items: usize::from(self.0.is_some()), info_hashes: 0 }
    }
}

#[test]
fn a_store_need_know_neither_its_room_nor_our_id_nor_the_time() {
    let now = start();
    let mut shelf = Shelf::default();
    shelf.put_mutable(now, NEAR, signed(1)).unwrap();
    for kind in [ItemKind::Mutable, ItemKind::Immutable] {
        assert!(shelf.has_room(now, STRANGER, &id(0xff), kind), "who cannot tell says yes");
    }
    shelf.set_home(id(0xaa));
    assert_eq!(shelf.poll_timeout(), None, "it never asks to be woken");
    shelf.handle_timeout(now + LIFETIME);
    assert_eq!(shelf.mutable(now, &signed(1).target()), Some(signed(1)));
    assert_eq!(shelf.counts().items, 1);
}
