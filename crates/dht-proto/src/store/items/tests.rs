//! Who gets a place in a pool of items, who loses it, and for how long.
//! Apart from the pool because there are more than a hundred and fifty lines of them.

use super::*;

const LIFETIME: Duration = Duration::from_secs(7200);

fn pool(capacity: usize) -> Items<u32> {
    Items::new(&StoreConfig::default(), capacity, Id::from_bytes([0; 20]))
}

fn near() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

fn id(first: u8, last: u8) -> Id {
    let mut bytes = [0; 20];
    (bytes[0], bytes[19]) = (first, last);
    Id::from_bytes(bytes)
}

#[test]
fn an_item_lives_two_hours_after_its_last_put() {
    let now = crate::testing::start();
    let mut pool = pool(10);
    pool.put(now, near(), id(1, 1), 5).unwrap();
    let later = now + LIFETIME - Duration::from_secs(1);
    assert_eq!(pool.find(later, &id(1, 1)), Some(&5));
    pool.refresh(later, &id(1, 1));
    assert_eq!(pool.find(now + LIFETIME, &id(1, 1)), Some(&5));
    assert_eq!(pool.find(later + LIFETIME, &id(1, 1)), None);
    pool.sweep(later + LIFETIME);
    assert_eq!(pool.len(), 0);
}

#[test]
fn the_oldest_of_the_farthest_makes_room() {
    let now = crate::testing::start();
    let at = |secs| now + Duration::from_secs(secs);
    let mut pool = pool(4);
    for (second, target) in [(1, id(1, 0)), (2, id(0xc0, 0)), (3, id(0xf0, 0)), (0, id(0x02, 0))] {
        pool.put(at(second), near(), target, 0).unwrap();
    }
    pool.put(at(9), near(), id(3, 0), 1).unwrap();
    assert!(pool.find(at(9), &id(0xc0, 0)).is_none());
    for kept in [id(1, 0), id(0xf0, 0), id(2, 0), id(3, 0)] {
        assert!(pool.find(at(9), &kept).is_some(), "{kept:?}");
    }
}

#[test]
fn a_full_pool_refuses_what_is_farther_than_all_it_has() {
    let now = crate::testing::start();
    let mut pool = pool(2);
    pool.put(now, near(), id(1, 0), 0).unwrap();
    pool.put(now, near(), id(2, 0), 0).unwrap();
    assert_eq!(pool.put(now, near(), id(0xff, 0), 0), Err(Full));
    assert_eq!(pool.len(), 2);
}

#[test]
fn one_address_fills_a_hundredth_and_one_network_a_twentieth() {
    let now = crate::testing::start();
    let mut pool = pool(1000);
    let mut stored = 0;
    for host in 0..20_u8 {
        let from = IpAddr::from([9, 9, 9, host]);
        let mine = (0..50).filter(|n| pool.put(now, from, id(host, *n), 0).is_ok()).count();
        assert!(mine <= 10);
        stored += mine;
    }
    assert_eq!(stored, 50);
    assert!(pool.put(now, IpAddr::from([9, 9, 8, 1]), id(99, 9), 0).is_ok());
}

#[test]
fn a_flood_from_one_provider_leaves_most_of_the_pool_to_others() {
    let now = crate::testing::start();
    let mut pool = pool(100);
    let honest = |n: u8| IpAddr::from([60, n, 1, 1]);
    let victims: Vec<_> = (0..70).map(|n| id(0xf0, n)).collect();
    for (n, victim) in (0..).zip(&victims) {
        pool.put(now, honest(n), *victim, 0).unwrap();
    }
    let later = now + Duration::from_secs(60);
    for n in 0..100_000_u32 {
        let [_, net, first, last] = (n * 167).to_be_bytes();
        let from = IpAddr::from([66, 6, last, net]);
        let _ = pool.put(later, from, id(last, first), 0);
    }
    assert_eq!(pool.len(), 90);
    assert!(victims.iter().all(|victim| pool.find(later, victim).is_some()));
}

#[test]
fn even_a_full_pool_loses_a_four_hundredth_at_most_to_one_provider() {
    let now = crate::testing::start();
    let mut pool = pool(1000);
    let victim = |n: u32| {
        let [_, _, high, low] = n.to_be_bytes();
        let mut bytes = [0; 20];
        (bytes[0], bytes[18], bytes[19]) = (0xf0, high, low);
        (Id::from_bytes(bytes), IpAddr::from([60 + high, low, 1, 1]))
    };
    for n in 0..1000 {
        let (target, by) = victim(n);
        pool.put(now, by, target, 0).unwrap();
    }
    let later = now + Duration::from_secs(60);
    for n in 0..20_000_u32 {
        let [_, net, first, last] = (n * 167).to_be_bytes();
        // Next to our id, where nobody else's are.
        let _ = pool.put(later, IpAddr::from([66, 6, last, net]), id(0, first ^ last), 0);
    }
    let left = (0..1000).filter(|n| pool.find(later, &victim(*n).0).is_some()).count();
    assert!((997..1000).contains(&left), "{left}");
    assert_eq!(pool.len(), 1000);
}

#[test]
fn what_is_said_to_have_room_has_room_and_nothing_else() {
    // An address has two places, a provider five; so there are crowds, full shares, expiry and all distances.
    let config = StoreConfig { share_per_address: 5, ..StoreConfig::default() };
    let mut draw = 1_u64;
    let mut next = |bound: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % bound
    };
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..50 {
        let mut pool = Items::new(&config, 25, Id::from_bytes([0; 20]));
        let mut now = crate::testing::start();
        for _ in 0..200 {
            now += Duration::from_secs(next(240));
            let drawn = [next(9), next(3), next(256), next(4)];
            let [net, host, first, last] = drawn.map(|n| u8::try_from(n).unwrap());
            let (by, target) = (IpAddr::from([60 + net / 3, net, 1, host]), id(first, last));
            if next(5) == 0 {
                pool.refresh(now, &target);
            }
            let said = pool.has_room(now, by, &target);
            let stored = pool.put(now, by, target, 0).is_ok();
            assert_eq!(said, stored, "{by} puts {target:?}");
            if stored { accepted += 1 } else { refused += 1 }
        }
    }
    assert!(refused > 100 && accepted > 100, "{refused} refused, {accepted} accepted");
}

#[test]
fn a_share_is_given_back_when_the_item_goes() {
    let now = crate::testing::start();
    let mut pool = pool(100);
    let from = IpAddr::from([9, 9, 9, 9]);
    pool.put(now, from, id(1, 1), 0).unwrap();
    assert_eq!(pool.put(now, from, id(1, 2), 0), Err(Full));
    assert!(pool.put(now, from, id(1, 1), 1).is_ok());
    pool.sweep(now + LIFETIME);
    assert!(pool.put(now + LIFETIME, from, id(1, 2), 0).is_ok());
}

#[test]
fn items_are_found_after_our_id_changed() {
    let now = crate::testing::start();
    let mut pool = pool(10);
    for n in 0..10 {
        pool.put(now, near(), id(n, n), u32::from(n)).unwrap();
    }
    pool.move_home(id(0xaa, 0x55));
    for n in 0..10 {
        assert_eq!(pool.find(now, &id(n, n)), Some(&u32::from(n)));
    }
}
