//! Both bounded maps keep the same promises.
//!
//! Separate because each test runs on both.

use mainstay_keys::{Keypair, PublicKey};

use super::{Leaving, browser, native};

fn keys<const N: usize>() -> [PublicKey; N] {
    std::array::from_fn(|_| Keypair::random().public_key())
}

/// Runs a test on a map of at most ten, native and of browsers.
macro_rules! on_both {
    ($map:ident, $test:block) => {{
        let $map = native::Bounded::<u64>::new(10, Leaving::LeastRecent, |_| 1);
        $test
        let $map = browser::Bounded::<u64>::new(10, Leaving::LeastRecent, |_| 1);
        $test
    }};
}

#[test]
fn what_is_put_is_there_until_it_is_removed() {
    on_both!(map, {
        let [key, other] = keys();
        map.put_with(key, |_| Some(5));
        assert_eq!((map.get(&key), map.get(&other), map.len()), (Some(5), None, 1));
        map.remove(&key);
        assert_eq!((map.get(&key), map.len()), (None, 0));
    });
}

#[test]
fn who_puts_decides_by_what_stands() {
    on_both!(map, {
        let [key] = keys();
        map.put_with(key, |standing| Some(standing.map_or(5, |_| 0)));
        map.put_with(key, |standing| standing.map(|standing| standing + 1));
        map.put_with(key, |_| None);
        assert_eq!((map.get(&key), map.len()), (Some(6), 1));
    });
}

#[test]
fn when_full_who_was_not_asked_for_longest_leaves() {
    on_both!(map, {
        let keys: [_; 11] = keys();
        for key in &keys[..10] {
            map.put_with(*key, |_| Some(0));
        }
        // Moka files reads and writes away when it is asked for its length.
        assert_eq!(map.len(), 10);
        assert_eq!((map.get(&keys[0]), map.len()), (Some(0), 10));
        map.put_with(keys[10], |_| Some(0));
        assert_eq!(map.len(), 10);
        let gone: Vec<_> = keys.iter().filter(|key| map.get(key).is_none()).collect();
        assert_eq!(gone, [&keys[1]]);
    });
}

#[test]
fn weights_count_and_follow_what_is_replaced() {
    let map = browser::Bounded::<u32>::new(10, Leaving::LeastUseful, |weight| *weight);
    let [one, two] = keys();
    map.put_with(one, |_| Some(9));
    map.put_with(one, |_| Some(4));
    map.put_with(two, |_| Some(6));
    assert_eq!(map.len(), 2);
    map.put_with(two, |_| Some(7));
    assert_eq!((map.get(&one), map.get(&two)), (None, Some(7)));
}
