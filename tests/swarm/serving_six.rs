//! The server over IPv6: the same answers, refusals and filters as over IPv4.
//! Apart, because a fault of one family alone shows only where both are asked the same.

use std::net::SocketAddr;

use mainstay_dht_proto::Config;
use mainstay_krpc::bloom::Bloom;
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{AnnouncePort, Id, Message, Method, MutablePut, Put};

use crate::scripted::Bench;
use crate::serving::{code, prove, response, token, unlimited};
use crate::swarm::keypair;

const HASH: Id = Id::from_bytes([3; 20]);

fn bench() -> Bench {
    let ipv6 = Some("[2001:db8::1]:9999".parse().unwrap());
    Bench::with(unlimited(Config { ipv6, ..Config::default() }))
}

/// A client of the `n`-th /32.
fn client(n: u16) -> SocketAddr {
    SocketAddr::from(([0x2400 + n, 1, 1, 1, 0, 0, 0, 1], 4000))
}

fn put(bench: &mut Bench, from: SocketAddr, put: Put<'_>) -> i64 {
    code(&bench.query(from, Method::Put(put)).expect("an answer"))
}

#[test]
fn a_scrape_over_ipv6_counts_seeds_and_others() {
    let mut bench = bench();
    prove(&mut bench, client(999));
    for n in 0..100 {
        // Those of the other family, all of them seeds, are not counted.
        for (from, seed) in
            [(client(n), n % 2 == 0), (SocketAddr::from(([90, n as u8, 1, 1], 5000)), true)]
        {
            let token = token(&mut bench, from, HASH);
            let port = AnnouncePort::Explicit(80);
            let announce =
                Method::AnnouncePeer { info_hash: HASH, port, token: &token, seed, name: None };
            assert_eq!(code(&bench.query(from, announce).unwrap()), 0);
        }
    }
    let mut scrape = |no_seed| {
        let method = Method::GetPeers { info_hash: HASH, no_seed, scrape: true };
        bench.query(client(999), method).expect("an answer")
    };
    for no_seed in [false, true] {
        let reply = scrape(no_seed);
        assert!(reply.len() <= 1024, "{}", reply.len());
        let answer = response(&reply);
        for bloom in [answer.bloom_seeds, answer.bloom_peers] {
            let count = Bloom::from_bytes(*bloom.expect("a filter")).estimate();
            assert!((count - 50.0).abs() < 3.0, "{count}");
        }
        let mut peers = answer.values.iter().peekable();
        assert!(peers.peek().is_some());
        for peer in peers {
            let SocketAddr::V6(peer) = peer else { panic!("{peer}") };
            let seed = peer.ip().segments()[0] % 2 == 0;
            assert!(!(seed && no_seed), "{peer}");
        }
    }
}

#[test]
fn items_are_put_got_and_refused_over_ipv6_as_over_ipv4() {
    for salt in [&b""[..], b"salt"] {
        let mut bench = bench();
        let (from, thief) = (client(1), client(2));
        let item =
            |seq| MutableItem::sign_bytes(&keypair(1), salt, seq, b"12:Hello world!").unwrap();
        let target = item(1).target();
        let good = token(&mut bench, from, target);
        let mut put = |from, made: Put<'_>| put(&mut bench, from, made);
        assert_eq!(put(thief, Put::mutable(&good, &item(5), None)), 203, "the token of another");
        assert_eq!(put(from, Put::mutable(&good, &item(5), None)), 0);
        assert_eq!(put(from, Put::mutable(&good, &item(4), None)), 302);
        assert_eq!(put(from, Put::mutable(&good, &item(6), Some(5))), 0);
        assert_eq!(put(from, Put::mutable(&good, &item(7), Some(5))), 301);
        let faulty = item(8);
        let mutable = MutablePut {
            key: faulty.key().as_bytes(),
            salt,
            seq: 8,
            signature: &[1; 64],
            cas: None,
        };
        assert_eq!(put(from, Put { token: &good, value: b"i1e", mutable: Some(mutable) }), 206);
        let large = [b"1001:".as_slice(), &[b'x'; 1001]].concat();
        assert_eq!(put(from, Put { token: &good, value: &large, mutable: Some(mutable) }), 205);

        let mut get = |seq| {
            let reply = bench.query(thief, Method::Get { target, seq }).expect("an answer");
            assert_eq!(Message::decode(&reply).unwrap().ip, Some(thief));
            let response = response(&reply);
            (response.value.map(<[u8]>::to_vec), response.seq)
        };
        let newest = (Some(item(6).value().to_vec()), Some(6));
        assert_eq!(get(None), newest);
        assert_eq!(get(Some(5)), newest);
        assert_eq!(get(Some(6)), (None, Some(6)));
    }
}
