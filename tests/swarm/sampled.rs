//! What a node tells of more peers or info hashes than fit into a reply: each with the same chance, and none that is over.
//! Apart from other answers, because these are judged by what many of them say together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_krpc::{AnnouncePort, Id, Method};

use crate::scripted::Bench;
use crate::serving::{CLIENT, bench, code, prove, response, token};

const HASH: Id = Id::from_bytes([3; 20]);

/// Announces a peer of its own /16 for `info_hash`.
fn announce(bench: &mut Bench, info_hash: Id, peer: u8) {
    let from = SocketAddr::from(([90, peer, 1, 1], 5000));
    let token = token(bench, from, info_hash);
    let port = AnnouncePort::Explicit(80);
    let method = Method::AnnouncePeer { info_hash, port, token: &token, seed: false, name: None };
    assert_eq!(code(&bench.query(from, method).unwrap()), 0);
}

fn peers(bench: &mut Bench, from: SocketAddr) -> Vec<SocketAddr> {
    let method = Method::GetPeers { info_hash: HASH, no_seed: false, scrape: false };
    response(&bench.query(from, method).unwrap()).values.iter().collect()
}

/// The sample of info hashes, of how many it is said to be one, and for how many seconds.
fn sample(bench: &mut Bench) -> (Vec<u8>, u64, u32) {
    let target = Id::from_bytes([0; 20]);
    let reply = bench.query(CLIENT, Method::SampleInfohashes { target }).unwrap();
    let response = response(&reply);
    let hashes = response.samples.iter().map(|hash| hash.as_bytes()[0]).collect();
    (hashes, response.num.unwrap(), response.interval.unwrap())
}

/// Checks that `rounds` draws of `each` from `of` things, counted by thing, look as if all had the same chance: the sum of
/// the squared deviations, in units of what is expected, lies within five standard deviations of its mean.
fn assert_uniform<T>(counts: &BTreeMap<T, usize>, rounds: usize, each: usize, of: usize) {
    assert_eq!(counts.len(), of, "some were never drawn");
    let chance = each as f64 / of as f64;
    let expected = rounds as f64 * chance;
    let deviation = |count: usize| (count as f64 - expected).powi(2) / (expected * (1.0 - chance));
    let sum: f64 = counts.values().map(|count| deviation(*count)).sum();
    let (mean, sigma) = (of as f64, (2.0 * of as f64).sqrt());
    assert!((sum - mean).abs() < 5.0 * sigma, "{sum:.0} instead of {mean:.0} by {sigma:.0}");
}

#[test]
fn every_peer_of_a_large_swarm_is_named_as_often_as_any_other() {
    let mut bench = bench();
    (0..200).for_each(|peer| announce(&mut bench, HASH, peer));
    prove(&mut bench, CLIENT);
    // One who is where it says is told many; who may not be, few.
    for from in [CLIENT, SocketAddr::from(([81, 1, 1, 1], 4000))] {
        let each = peers(&mut bench, from).len();
        assert!((5..150).contains(&each), "{each}");
        let mut counts = BTreeMap::new();
        for _ in 0..1000 {
            let named = peers(&mut bench, from);
            assert_eq!(named.len(), each);
            for peer in named {
                *counts.entry(peer).or_default() += 1;
            }
        }
        assert_uniform(&counts, 1000, each, 200);
    }
}

#[test]
fn every_info_hash_is_sampled_as_often_as_any_other() {
    let mut bench = bench();
    let mut counts = BTreeMap::new();
    for _ in 0..100 {
        // Announced anew before it is over, so that only chance decides who is in the next sample.
        (0..60).for_each(|n| announce(&mut bench, Id::from_bytes([n; 20]), n));
        prove(&mut bench, CLIENT);
        let (hashes, total, interval) = sample(&mut bench);
        assert_eq!((hashes.len(), total), (20, 60));
        for hash in hashes {
            *counts.entry(hash).or_default() += 1;
        }
        bench.wait(Duration::from_secs(u64::from(interval)));
    }
    assert_uniform(&counts, 100, 20, 60);
}

#[test]
fn samples_expire_with_the_peers_at_their_times() {
    let mut bench = bench();
    let minutes = |n: u64| Duration::from_secs(60 * n);
    (0..40).for_each(|n| announce(&mut bench, Id::from_bytes([n; 20]), n));
    bench.wait(minutes(30));
    (20..30).for_each(|n| announce(&mut bench, Id::from_bytes([n; 20]), n));
    prove(&mut bench, CLIENT);
    let (first, total, interval) = sample(&mut bench);
    assert_eq!((first.len(), total, interval), (20, 40, 1800));

    // Ten of forty were announced again; of the sample, which stands, the others leave it a minute later at most.
    bench.wait(minutes(16));
    prove(&mut bench, CLIENT);
    let (mut left, total, interval) = sample(&mut bench);
    let mut living: Vec<u8> = first.into_iter().filter(|n| (20..30).contains(n)).collect();
    left.sort_unstable();
    living.sort_unstable();
    assert_eq!((left, interval), (living, 14 * 60));
    assert!((10..40).contains(&total), "the store sweeps every five minutes: {total}");

    // And a sample that is made anew has none of what is over, swept out or not.
    bench.wait(minutes(14));
    prove(&mut bench, CLIENT);
    let (mut all, total, interval) = sample(&mut bench);
    all.sort_unstable();
    assert_eq!((all, total, interval), ((20..30).collect(), 10, 0));
    bench.wait(minutes(15));
    prove(&mut bench, CLIENT);
    assert_eq!(sample(&mut bench), (vec![], 0, 0));
    bench.wait(minutes(5));
    assert_eq!(bench.node.info().info_hashes, 0);
}

#[test]
fn a_few_info_hashes_are_not_told_once_their_peers_have_expired() {
    let mut bench = bench();
    announce(&mut bench, HASH, 1);
    // Not when the store happens to sweep.
    bench.wait(Duration::from_secs(45 * 60 - 1));
    prove(&mut bench, CLIENT);
    assert_eq!(sample(&mut bench), (vec![3], 1, 0));
    bench.wait(Duration::from_secs(1));
    assert_eq!(sample(&mut bench), (vec![], 0, 0));
    assert_eq!(peers(&mut bench, CLIENT), []);
}
