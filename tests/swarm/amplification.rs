//! What a forged sender can make us send to its victim: factors of each method, and rates to a network.
//! Apart from other attacks because these are figures that the pages promise.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, Config, Verdict};
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{AnnouncePort, Body, Id, Message, Method, MutablePut, Put, Query, Want};

use crate::scripted::{Answer, Bench, Fake};
use crate::serving::{store, unlimited};
use crate::swarm::{item, keypair};

const TARGET: Id = Id::from_bytes([3; 20]);

fn victim(family: u8) -> SocketAddr {
    match family {
        4 => "99.1.2.3:6881".parse().unwrap(),
        _ => "[2600:1:2:3::1]:6881".parse().unwrap(),
    }
}

/// Shown by `cargo test -p mainstay-tests --test swarm amplification -- --nocapture`.
fn figure(line: &str) {
    println!("{line}");
}

/// The shortest query of a method: one byte of transaction id, no version.
fn shortest(method: Method<'_>, want: Want) -> Vec<u8> {
    let mut query = Query::new(Id::from_bytes([0xee; 20]), method);
    query.want = want;
    let mut datagram = Vec::new();
    Message::query(b"t", query).encode(&mut datagram);
    datagram
}

/// What `datagram` brings its seeming sender in replies.
fn answer(bench: &mut Bench, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    bench.sent.clear();
    bench.receive(from, datagram);
    // A ping, with which we look whether the sender exists, is no reply.
    let is_reply =
        |payload: &[u8]| !matches!(Message::decode(payload).expect("our own").body, Body::Query(_));
    let mut replies =
        bench.sent.drain(..).filter(|sent| sent.to == from && is_reply(&sent.payload));
    let reply = replies.next();
    assert!(replies.next().is_none());
    reply.map(|reply| reply.payload)
}

/// A node with full buckets and swarms in both families, and the largest item there can be.
fn stuffed() -> (Bench, MutableItem) {
    let peers = Fake::all(40);
    let ipv6 = Some("[2001:db8::1]:9999".parse().unwrap());
    let mut bench = Bench::knowing_with(&peers, unlimited(Config { ipv6, ..Config::default() }));
    for n in 0..40_u16 {
        let addr = SocketAddr::from(([0x2400 + n, 1, 1, 1, 0, 0, 0, 1], 6881));
        let id = Id::from_bytes([n as u8 + 1; 20]);
        bench.ask(Ask::Ping { addr });
        for sent in std::mem::take(&mut bench.sent) {
            let tid = Message::decode(&sent.payload).unwrap().transaction.to_vec();
            if sent.to == addr {
                bench.receive(addr, &Answer { id: Some(id), ..Answer::default() }.encode(&tid));
            }
        }
    }
    let large =
        MutableItem::sign_bytes(&keypair(1), &[b's'; 64], 1 << 40, &[b'x'; 996]).expect("legal");
    assert_eq!(store(&mut bench, &large), 0);
    for n in 0..200_u16 {
        let [_, low] = n.to_be_bytes();
        for from in [
            SocketAddr::from(([60 + low % 40, low, 1, 1], 5000)),
            SocketAddr::from(([0x2600, n, 1, 1, 0, 0, 0, 1], 5000)),
        ] {
            for info_hash in [TARGET, Id::from_bytes([low; 20])] {
                let get = Method::GetPeers { info_hash, no_seed: false, scrape: false };
                let reply = answer(&mut bench, from, &shortest(get, Want::NONE)).unwrap();
                let Body::Response(response) = Message::decode(&reply).unwrap().body else {
                    panic!()
                };
                let token = response.token.unwrap();
                let port = AnnouncePort::Explicit(80);
                let announce =
                    Method::AnnouncePeer { info_hash, port, token, seed: n % 2 == 0, name: None };
                assert!(answer(&mut bench, from, &shortest(announce, Want::NONE)).is_some());
            }
        }
    }
    (bench, large)
}

#[test]
fn no_method_amplifies_more_than_is_promised_even_by_its_shortest_query() {
    let (mut bench, large) = stuffed();
    let peers = |scrape| Method::GetPeers { info_hash: TARGET, no_seed: false, scrape };
    let plain = [
        ("ping", Method::Ping),
        ("find_node", Method::FindNode { target: TARGET }),
        ("get_peers", peers(false)),
        ("get_peers, scraping", peers(true)),
        (
            "get_peers, nothing stored",
            Method::GetPeers {
                info_hash: Id::from_bytes([0xdd; 20]),
                no_seed: false,
                scrape: false,
            },
        ),
        ("get, nothing stored", Method::Get { target: TARGET, seq: None }),
        ("get, nothing newer", Method::Get { target: large.target(), seq: Some(1 << 40) }),
        ("sample_infohashes", Method::SampleInfohashes { target: TARGET }),
        ("a method yet to come", Method::Unknown { name: b"x", target: Some(TARGET) }),
    ];
    let wants = [Want::NONE, Want::N4, Want::N6, Want::BOTH];
    for family in [4, 6] {
        for want in wants {
            for (name, method) in plain {
                let query = shortest(method, want);
                let reply = answer(&mut bench, victim(family), &query).expect(name);
                let factor = reply.len() as f64 / query.len() as f64;
                assert!(factor <= 3.0, "{name} over IPv{family} with {want:?}: {factor:.2}");
                figure(&format!("IPv{family} {want:?} {name}: {factor:.2}"));
            }
            let query = shortest(Method::Get { target: large.target(), seq: None }, want);
            let reply = answer(&mut bench, victim(family), &query).expect("the value");
            let factor = reply.len() as f64 / query.len() as f64;
            assert!(factor <= 16.0, "get of a value: {factor:.2}");
            figure(&format!("IPv{family} {want:?} get of 1000 bytes: {factor:.2}"));
        }
    }
}

#[test]
fn no_error_is_more_than_a_fifth_longer_than_what_it_answers() {
    let (mut bench, _) = stuffed();
    let good = item(2, 5);
    let mutable = MutablePut {
        key: good.key().as_bytes(),
        salt: b"",
        seq: 5,
        signature: good.signature().as_bytes(),
        cas: None,
    };
    let put = Method::Put(Put { token: b"", value: b"0:", mutable: Some(mutable) });
    let port = AnnouncePort::Explicit(1);
    let announce =
        Method::AnnouncePeer { info_hash: TARGET, port, token: b"", seed: false, name: None };
    let unknown = Method::Unknown { name: b"x", target: None };
    let mut queries: Vec<Vec<u8>> =
        [put, announce, unknown].map(|method| shortest(method, Want::NONE)).to_vec();
    for broken in [
        &b"d1:ade1:q4:ping1:t1:t1:y1:qe"[..],
        b"d1:q1:x1:t1:t1:y1:qe",
        b"d1:t1:t1:y1:qe",
        b"d1:y1:q1:t1:t",
        b"d1:y1:q1:t1:txxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t1:t1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:abcdefghij0123456789e1:q13:announce_peer1:t1:t1:y1:qe",
    ] {
        queries.push(broken.to_vec());
    }
    let mut answered = 0;
    for family in [4, 6] {
        for query in &queries {
            let Some(reply) = answer(&mut bench, victim(family), query) else { continue };
            let factor = reply.len() as f64 / query.len() as f64;
            assert!(factor <= 1.2, "{}: {factor:.2}", query.escape_ascii());
            assert!(matches!(Message::decode(&reply).unwrap().body, Body::Error(_)));
            figure(&format!("IPv{family} error to {} bytes: {factor:.2}", query.len()));
            answered += 1;
        }
    }
    assert!(answered >= 10, "{answered}");
}

/// Lets forged senders of one network ask for `seconds`, a thousand times in each; the most replies and the most
/// bytes of replies in any one second.
fn flooded(senders: &[SocketAddr], method: Method<'_>, seconds: u64) -> (usize, usize) {
    let peers = Fake::all(40);
    let mut bench = Bench::knowing_with(&peers, Config::default());
    let query = shortest(method, Want::NONE);
    let mut replies: Vec<(Instant, usize)> = Vec::new();
    for n in 0..seconds * 1000 {
        let from = senders[n as usize % senders.len()];
        if let Some(reply) = answer(&mut bench, from, &query) {
            replies.push((bench.now, reply.len()));
        }
        bench.wait(Duration::from_millis(1));
    }
    let mut worst = (0, 0);
    for (begin, _) in &replies {
        let end = *begin + Duration::from_secs(1);
        let second = replies.iter().filter(|(at, _)| (*begin..end).contains(at));
        let (count, bytes) = second.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes));
        worst = (worst.0.max(count), worst.1.max(bytes));
    }
    worst
}

#[test]
fn one_network_is_sent_at_most_twenty_replies_and_ten_kilobytes_in_any_second() {
    let of_24: Vec<_> = (1..=250).map(|n| SocketAddr::from(([99, 1, 2, n], 6881))).collect();
    let one = &of_24[..1];
    for senders in [one, &of_24] {
        for method in [Method::Ping, Method::FindNode { target: TARGET }] {
            let (replies, bytes) = flooded(senders, method, 4);
            assert!((7..=20).contains(&replies), "{replies} replies");
            assert!(bytes <= 10_000, "{bytes} bytes");
        }
    }
}

#[test]
fn a_hook_sees_method_target_and_source_and_may_refuse() {
    let mut bench = Bench::with(unlimited(Config::default()));
    let forbidden = item(1, 5).target();
    let from = victim(4);
    bench.node.set_hook(Box::new(move |request| match request.method {
        Method::Ping if request.from == from => Verdict::Ignore,
        Method::Put(_) if request.target == Some(forbidden) => {
            Verdict::Refuse(mainstay_krpc::ErrorReply { code: 202, text: b"not here" })
        }
        _ => Verdict::Answer,
    }));
    assert!(answer(&mut bench, from, &shortest(Method::Ping, Want::NONE)).is_none());
    let other: SocketAddr = "98.1.1.1:1".parse().unwrap();
    assert!(answer(&mut bench, other, &shortest(Method::Ping, Want::NONE)).is_some());
    assert_eq!(store(&mut bench, &item(1, 5)), 202);
    assert_eq!(store(&mut bench, &item(2, 5)), 0);
    assert_eq!(bench.node.info().items, 1);
}
