//! What strangers get: answers, refusals, and nothing they did not ask for.
//! Byte by byte against one node, as a stranger would see it.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Config, LimitConfig, StoreConfig};
use mainstay_krpc::bloom::Bloom;
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{AnnouncePort, Body, Id, Message, Method, MutablePut, Put};

use crate::scripted::{Bench, Fake};
use crate::swarm::{TODAY, item, keypair};

pub(crate) const CLIENT: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(80, 80, 80, 80), 4000));

pub(crate) fn bench() -> Bench {
    bench_with(Config::default())
}

fn bench_with(config: Config) -> Bench {
    Bench::with(unlimited(config))
}

pub(crate) fn unlimited(config: Config) -> Config {
    // What is stored is judged here, not how fast it may be asked for.
    let limits = LimitConfig {
        replies_per_address: 1_000_000,
        replies_per_network: 1_000_000,
        replies_per_proven_address: 1_000_000,
        bytes_per_address: 1_000_000_000,
        bytes_per_network: 1_000_000_000,
        bytes_in_total: 1_000_000_000,
        ..LimitConfig::default()
    };
    Config { limits, ..config }
}

/// The token of a `get` (or `get_peers`) for `target`.
pub(crate) fn token(bench: &mut Bench, from: SocketAddr, target: Id) -> Vec<u8> {
    let reply = bench.query(from, Method::Get { target, seq: None }).expect("an answer");
    response(&reply).token.expect("a token").to_vec()
}

/// Shows a token, and so that `from` gets what is sent to it.
pub(crate) fn prove(bench: &mut Bench, from: SocketAddr) {
    let item = ImmutableItem::new(b"i1e").unwrap();
    let token = token(bench, from, item.target());
    let reply = bench.query(from, Method::Put(Put::immutable(&token, &item))).expect("an answer");
    assert_eq!(code(&reply), 0);
}

pub(crate) fn response(reply: &[u8]) -> mainstay_krpc::Response<'_> {
    match Message::decode(reply).expect("our own bytes").body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The error code of a reply; 0 if it is none.
pub(crate) fn code(reply: &[u8]) -> i64 {
    match Message::decode(reply).expect("our own bytes").body {
        Body::Error(error) => error.code,
        Body::Response(_) | Body::Query(_) => 0,
    }
}

/// Puts `item` as a stranger would; gives the error code, 0 for success.
pub(crate) fn store(bench: &mut Bench, item: &MutableItem) -> i64 {
    store_if(bench, item, None)
}

fn store_if(bench: &mut Bench, item: &MutableItem, cas: Option<i64>) -> i64 {
    let token = token(bench, CLIENT, item.target());
    code(&bench.query(CLIENT, Method::Put(Put::mutable(&token, item, cas))).expect("an answer"))
}

fn stored(bench: &mut Bench, target: Id, seq: Option<i64>) -> (Option<Vec<u8>>, Option<i64>) {
    let reply = bench.query(CLIENT, Method::Get { target, seq }).expect("an answer");
    let response = response(&reply);
    (response.value.map(<[u8]>::to_vec), response.seq)
}

#[test]
fn every_query_is_answered_with_our_id_and_the_askers_address() {
    let mut bench = bench();
    let target = Id::from_bytes([3; 20]);
    let methods = [
        Method::Ping,
        Method::FindNode { target },
        Method::GetPeers { info_hash: target, no_seed: false, scrape: false },
        Method::Get { target, seq: None },
        Method::SampleInfohashes { target },
        Method::Unknown { name: b"vote", target: Some(target) },
    ];
    for method in methods {
        let reply = bench.query(CLIENT, method).expect("an answer");
        let message = Message::decode(&reply).unwrap();
        assert_eq!((message.transaction, message.ip), (&b"aa"[..], Some(CLIENT)), "{method:?}");
        assert_eq!(response(&reply).id, bench.id());
    }
    let reply = bench.query(CLIENT, Method::Unknown { name: b"vote", target: None }).unwrap();
    assert_eq!(code(&reply), 204);
}

#[test]
fn nodes_are_named_for_every_method_that_has_a_target() {
    let peers = Fake::all(12);
    let mut bench = Bench::knowing_with(&peers, unlimited(Config::default()));
    prove(&mut bench, CLIENT);
    let target = Id::from_bytes([3; 20]);
    for method in [
        Method::FindNode { target },
        Method::GetPeers { info_hash: target, no_seed: false, scrape: false },
        Method::Get { target, seq: None },
        Method::SampleInfohashes { target },
        Method::Unknown { name: b"vote", target: Some(target) },
    ] {
        let reply = bench.query(CLIENT, method).unwrap();
        let ids: Vec<u8> = response(&reply).nodes.iter().map(|n| n.id.as_bytes()[0]).collect();
        let mut closest: Vec<u8> = (1..=12).collect();
        closest.sort_by_key(|n| n ^ 3);
        assert_eq!(ids, closest[..8], "{method:?}");
        assert!(response(&reply).nodes6.is_absent());
    }
}

#[test]
fn transaction_ids_of_any_length_come_back() {
    let mut bench = bench();
    for length in [1, 2, 3, 4, 8, 20, 32] {
        let tid = vec![b't'; length];
        let query = [
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t".as_slice(),
            format!("{length}:").as_bytes(),
            &tid,
            b"1:y1:qe",
        ]
        .concat();
        bench.sent.clear();
        bench.receive(CLIENT, &query);
        let reply = &bench.sent[0].payload;
        assert_eq!(Message::decode(reply).unwrap().transaction, tid);
    }
}

#[test]
fn broken_queries_are_told_what_is_wrong_with_them() {
    let mut bench = bench();
    let mut tell = |query: &[u8]| {
        bench.sent.clear();
        bench.receive(CLIENT, query);
        code(&bench.sent[0].payload)
    };
    assert_eq!(tell(b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe"), 203);
    assert_eq!(tell(b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"), 203);
    assert_eq!(tell(b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe"), 204);
}

#[test]
fn neither_replies_nor_errors_nor_noise_are_answered() {
    let mut bench = bench();
    for datagram in [
        &b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"[..],
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
        b"d1:e1:x1:t2:aa1:y1:ee",
        b"d1:rd2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:re",
        b"d1:rde1:t2:aa1:y1:re",
        b"hello",
        b"",
        b"d1:y1:qe",
    ] {
        bench.sent.clear();
        bench.receive(CLIENT, datagram);
        assert!(bench.sent.is_empty(), "{}", datagram.escape_ascii());
    }
}

#[test]
fn our_own_voice_reflected_is_ignored() {
    let mut bench = bench();
    let mut echo = Vec::new();
    let query = mainstay_krpc::Query::new(bench.id(), Method::Ping);
    Message::query(b"aa", query).encode(&mut echo);
    bench.sent.clear();
    bench.receive(CLIENT, &echo);
    assert!(bench.sent.is_empty());
}

#[test]
fn a_stranger_that_asks_is_pinged_before_it_is_believed() {
    let mut bench = Bench::with(Config::default());
    bench.query(CLIENT, Method::Ping).unwrap();
    assert_eq!(bench.node.contacts(), []);
    let ping = bench.sent.iter().find(|sent| sent.to == CLIENT).expect("a ping");
    let Body::Query(query) = Message::decode(&ping.payload).unwrap().body else { panic!() };
    assert_eq!(query.method, Method::Ping);
    bench.sent.clear();
    bench.query(CLIENT, Method::Ping).unwrap();
    assert!(bench.sent.len() <= 1);
}

#[test]
fn a_read_only_asker_is_answered_and_forgotten() {
    let mut bench = bench();
    let mut datagram = Vec::new();
    let query = mainstay_krpc::Query::new(Id::from_bytes([9; 20]), Method::Ping);
    let mut message = Message::query(b"aa", query);
    message.read_only = true;
    message.encode(&mut datagram);
    bench.sent.clear();
    bench.receive(CLIENT, &datagram);
    assert_eq!(bench.sent.len(), 1, "one answer and no ping");
}

#[test]
fn a_read_only_node_answers_nobody_and_says_so_in_its_queries() {
    let mut bench = Bench::with(Config {
        read_only: true,
        bootstrap: vec![Fake::new(1).addr],
        ..Config::default()
    });
    let sent = &bench.sent[0].payload;
    assert!(Message::decode(sent).unwrap().read_only);
    assert_eq!(bench.query(CLIENT, Method::Ping), None);
}

/// mainline 8 takes an acknowledgement that names nodes for the answer to something else, and the put for unanswered.
#[test]
fn an_acknowledgement_of_a_put_or_announce_names_no_nodes_and_gives_no_token() {
    let mut bench = Bench::knowing_with(&Fake::all(12), unlimited(Config::default()));
    prove(&mut bench, CLIENT);
    let (mutable, immutable) = (item(1, 5), ImmutableItem::new(b"i2e").unwrap());
    let info_hash = Id::from_bytes([3; 20]);
    let tokens = [mutable.target(), immutable.target(), info_hash]
        .map(|target| token(&mut bench, CLIENT, target));
    let port = AnnouncePort::Explicit(80);
    for method in [
        Method::Put(Put::mutable(&tokens[0], &mutable, None)),
        Method::Put(Put::immutable(&tokens[1], &immutable)),
        Method::AnnouncePeer { info_hash, port, token: &tokens[2], seed: false, name: None },
    ] {
        let reply = bench.query(CLIENT, method).unwrap();
        assert_eq!(response(&reply), mainstay_krpc::Response::new(bench.id()), "{method:?}");
        for member in [&b"5:nodes"[..], b"6:nodes6", b"5:token"] {
            let named = reply.windows(member.len()).any(|window| window == member);
            assert!(!named, "{}", reply.escape_ascii());
        }
    }
}

#[test]
fn a_put_needs_the_token_of_its_own_target_and_address() {
    let mut bench = bench();
    let item = item(1, 5);
    let good = token(&mut bench, CLIENT, item.target());
    let foreign = token(&mut bench, SocketAddr::from(([80, 80, 80, 81], 4000)), item.target());
    let other = token(&mut bench, CLIENT, Id::from_bytes([1; 20]));
    assert_eq!(good.len(), 8);
    for bad in [&foreign[..], &other, b"", &good[..7], &[0; 8]] {
        assert_eq!(
            code(&bench.query(CLIENT, Method::Put(Put::mutable(bad, &item, None))).unwrap()),
            203
        );
    }
    assert_eq!(stored(&mut bench, item.target(), None), (None, None));
    assert_eq!(
        code(&bench.query(CLIENT, Method::Put(Put::mutable(&good, &item, None))).unwrap()),
        0
    );
    assert_eq!(stored(&mut bench, item.target(), None), (Some(item.value().to_vec()), Some(5)));
}

#[test]
fn a_token_is_good_for_five_to_ten_minutes() {
    let mut bench = bench();
    let item = item(1, 5);
    let old = token(&mut bench, CLIENT, item.target());
    bench.wait(Duration::from_secs(601));
    assert_eq!(
        code(&bench.query(CLIENT, Method::Put(Put::mutable(&old, &item, None))).unwrap()),
        203
    );
    let fresh = token(&mut bench, CLIENT, item.target());
    bench.wait(Duration::from_secs(299));
    assert_eq!(
        code(&bench.query(CLIENT, Method::Put(Put::mutable(&fresh, &item, None))).unwrap()),
        0
    );
}

#[test]
fn sequence_numbers_only_rise_and_the_first_value_of_one_stays() {
    let mut bench = bench();
    assert_eq!(store(&mut bench, &item(1, 5)), 0);
    assert_eq!(store(&mut bench, &item(1, 4)), 302);
    let rival = MutableItem::sign_bytes(&keypair(1), b"", 5, b"another").unwrap();
    assert_eq!(store(&mut bench, &rival), 302);
    assert_eq!(store(&mut bench, &item(1, 5)), 0, "the same again only renews it");
    assert_eq!(stored(&mut bench, rival.target(), None).0, Some(item(1, 5).value().to_vec()));
    assert_eq!(store(&mut bench, &item(1, 6)), 0);
    assert_eq!(stored(&mut bench, rival.target(), None).1, Some(6));
}

#[test]
fn compare_and_swap_compares_with_what_is_stored() {
    let mut bench = bench();
    assert_eq!(
        store_if(&mut bench, &item(1, 5), Some(99)),
        0,
        "nothing stored, nothing to compare"
    );
    assert_eq!(store_if(&mut bench, &item(1, 6), Some(4)), 301);
    assert_eq!(store_if(&mut bench, &item(1, 6), Some(5)), 0);
    assert_eq!(store_if(&mut bench, &item(1, 7), Some(5)), 301);
}

#[test]
fn a_get_with_a_sequence_number_leaves_out_what_is_not_newer() {
    let mut bench = bench();
    store(&mut bench, &item(1, 5));
    let target = item(1, 5).target();
    assert!(stored(&mut bench, target, Some(4)).0.is_some());
    assert_eq!(stored(&mut bench, target, Some(5)), (None, Some(5)));
    assert_eq!(stored(&mut bench, target, Some(9)), (None, Some(5)));
}

#[test]
fn salts_make_separate_items() {
    let mut bench = bench();
    let salted = MutableItem::sign_bytes(&keypair(1), b"foobar", 1, b"salted").unwrap();
    assert_eq!(store(&mut bench, &salted), 0);
    assert_eq!(store(&mut bench, &item(1, 1)), 0);
    assert_eq!(stored(&mut bench, salted.target(), None).0.as_deref(), Some(salted.value()));
}

#[test]
fn every_fault_of_an_item_has_its_own_code() {
    let mut bench = bench();
    let good = item(1, 5);
    let long_salt = [b's'; 65];
    let large = [b"1001:".as_slice(), &[b'x'; 1001]].concat();
    let mutable = MutablePut {
        key: good.key().as_bytes(),
        salt: b"",
        seq: 5,
        signature: good.signature().as_bytes(),
        cas: None,
    };
    let mut put = |value: &[u8], mutable: MutablePut<'_>| {
        let target = mainstay_krpc::item::mutable_target(mutable.key, mutable.salt);
        let token = token(&mut bench, CLIENT, target);
        let put = Put { token: &token, value, mutable: Some(mutable) };
        code(&bench.query(CLIENT, Method::Put(put)).unwrap())
    };
    assert_eq!(put(b"7:another", mutable), 206);
    assert_eq!(put(good.value(), MutablePut { seq: 6, ..mutable }), 206);
    assert_eq!(put(good.value(), MutablePut { signature: &[0; 64], ..mutable }), 206);
    assert_eq!(put(good.value(), MutablePut { seq: -1, ..mutable }), 203);
    assert_eq!(put(b"d1:bi1e1:ai2ee", mutable), 203);
    assert_eq!(put(&large, mutable), 205);
    assert_eq!(put(good.value(), MutablePut { salt: &long_salt, ..mutable }), 207);
    assert_eq!(put(good.value(), MutablePut { key: &[0; 32], ..mutable }), 206);
    assert_eq!(put(good.value(), mutable), 0);
    let _ = stored(&mut bench, good.target(), None).0.expect("only the good one is stored");
}

#[test]
fn one_key_cannot_write_under_anothers_target() {
    let mut bench = bench();
    let victim = item(1, 5);
    assert_eq!(store(&mut bench, &victim), 0);
    let thief = item(2, 99);
    let stolen = token(&mut bench, CLIENT, victim.target());
    assert_eq!(
        code(&bench.query(CLIENT, Method::Put(Put::mutable(&stolen, &thief, None))).unwrap()),
        203
    );
    assert_eq!(stored(&mut bench, victim.target(), None).1, Some(5));
}

#[test]
fn an_item_dated_beyond_tomorrow_is_refused() {
    let mut bench = bench();
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap();
    let day = Duration::from_secs(86_400);
    assert_eq!(store(&mut bench, &item(1, i64::MAX)), 203);
    assert_eq!(store(&mut bench, &item(1, micros(TODAY + day + Duration::from_secs(60)))), 203);
    assert_eq!(store(&mut bench, &item(1, micros(TODAY + day - Duration::from_secs(60)))), 0);
    bench.wait(Duration::from_secs(120));
    assert_eq!(store(&mut bench, &item(1, micros(TODAY + day + Duration::from_secs(60)))), 0);
}

#[test]
fn an_item_lives_two_hours_unless_it_is_put_again() {
    let mut bench = bench();
    store(&mut bench, &item(1, 5));
    store(&mut bench, &item(2, 5));
    bench.wait(Duration::from_secs(3600));
    assert_eq!(store(&mut bench, &item(2, 5)), 0);
    bench.wait(Duration::from_secs(3700));
    assert_eq!(stored(&mut bench, item(1, 5).target(), None), (None, None));
    assert!(stored(&mut bench, item(2, 5).target(), None).0.is_some());
    bench.wait(Duration::from_secs(3600));
    assert_eq!(bench.node.info().items, 0);
}

#[test]
fn immutable_items_are_stored_under_their_hash() {
    let mut bench = bench();
    let item = ImmutableItem::new(b"d2:hii5ee").unwrap();
    let token = token(&mut bench, CLIENT, item.target());
    assert_eq!(code(&bench.query(CLIENT, Method::Put(Put::immutable(&token, &item))).unwrap()), 0);
    assert_eq!(stored(&mut bench, item.target(), None), (Some(b"d2:hii5ee".to_vec()), None));
}

fn announce(bench: &mut Bench, from: SocketAddr, port: AnnouncePort, seed: bool) -> i64 {
    let info_hash = Id::from_bytes([3; 20]);
    let token = token(bench, from, info_hash);
    let method = Method::AnnouncePeer { info_hash, port, token: &token, seed, name: None };
    code(&bench.query(from, method).unwrap())
}

fn peers(bench: &mut Bench, no_seed: bool) -> Vec<SocketAddr> {
    let info_hash = Id::from_bytes([3; 20]);
    let reply =
        bench.query(CLIENT, Method::GetPeers { info_hash, no_seed, scrape: false }).unwrap();
    response(&reply).values.iter().collect()
}

#[test]
fn peers_are_kept_by_address_and_listed() {
    let mut bench = bench();
    assert_eq!(announce(&mut bench, CLIENT, AnnouncePort::Explicit(80), false), 0);
    assert_eq!(announce(&mut bench, CLIENT, AnnouncePort::Explicit(80), true), 0);
    let other = SocketAddr::from(([90, 1, 1, 1], 5000));
    assert_eq!(announce(&mut bench, other, AnnouncePort::Implied { fallback: 0 }, false), 0);
    assert_eq!(peers(&mut bench, false), [SocketAddr::new(CLIENT.ip(), 80), other]);
    assert_eq!(peers(&mut bench, true), [other]);
    bench.wait(Duration::from_secs(46 * 60));
    assert_eq!(peers(&mut bench, false), []);
}

#[test]
fn an_announce_needs_a_port_that_can_be_connected_to() {
    let mut bench = bench();
    for port in [AnnouncePort::Explicit(0), AnnouncePort::Implied { fallback: 0 }] {
        let from = match port {
            AnnouncePort::Explicit(_) => CLIENT,
            // A source port of 0 is dropped at the door, so this one is good.
            AnnouncePort::Implied { .. } => SocketAddr::new(CLIENT.ip(), 1),
        };
        let expected = if from == CLIENT { 203 } else { 0 };
        assert_eq!(announce(&mut bench, from, port, false), expected, "{port:?}");
    }
    let token = token(&mut bench, CLIENT, Id::from_bytes([b'h'; 20]));
    for (port, expected) in [("65535", 0), ("65536", 203), ("-1", 203)] {
        let query = [
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:hhhhhhhhhhhhhhhhhhhh4:porti".as_slice(),
            port.as_bytes(),
            b"e5:token8:",
            &token,
            b"e1:q13:announce_peer1:t2:aa1:y1:qe",
        ]
        .concat();
        bench.sent.clear();
        bench.receive(CLIENT, &query);
        assert_eq!(code(&bench.sent[0].payload), expected, "{port}");
    }
    assert_eq!(peers(&mut bench, false), [SocketAddr::new(CLIENT.ip(), 1)]);
}

#[test]
fn a_scrape_counts_seeds_and_others() {
    let mut bench = bench();
    prove(&mut bench, CLIENT);
    for n in 0..100_u8 {
        let from = SocketAddr::from(([90, n, 1, 1], 5000));
        announce(&mut bench, from, AnnouncePort::Explicit(80), n % 2 == 0);
    }
    let info_hash = Id::from_bytes([3; 20]);
    let reply =
        bench.query(CLIENT, Method::GetPeers { info_hash, no_seed: false, scrape: true }).unwrap();
    let response = response(&reply);
    for bloom in [response.bloom_seeds, response.bloom_peers] {
        let count = Bloom::from_bytes(*bloom.unwrap()).estimate();
        assert!((count - 50.0).abs() < 3.0, "{count}");
    }
}

#[test]
fn no_reply_is_larger_than_its_limit() {
    let nodes = Fake::all(30);
    let mut bench = Bench::knowing_with(&nodes, unlimited(Config::default()));
    for n in 0..200_u8 {
        let from = SocketAddr::from(([90, n, 1, 1], 5000));
        announce(&mut bench, from, AnnouncePort::Explicit(80), false);
    }
    prove(&mut bench, CLIENT);
    let info_hash = Id::from_bytes([3; 20]);
    let reply =
        bench.query(CLIENT, Method::GetPeers { info_hash, no_seed: false, scrape: false }).unwrap();
    assert!((1000..=1024).contains(&reply.len()), "{}", reply.len());
    let reply =
        bench.query(CLIENT, Method::GetPeers { info_hash, no_seed: false, scrape: true }).unwrap();
    assert!((1000..=1024).contains(&reply.len()), "{}", reply.len());

    let big = MutableItem::sign_bytes(&keypair(1), b"", 1, &[b'x'; 996]).unwrap();
    assert_eq!(store(&mut bench, &big), 0);
    let reply = bench.query(CLIENT, Method::Get { target: big.target(), seq: None }).unwrap();
    assert!(reply.len() <= 1400, "{}", reply.len());
    assert_eq!(response(&reply).value, Some(big.value()), "nodes go before the value does");
}

#[test]
fn samples_are_all_there_is_or_a_fixed_pick() {
    let mut bench = bench();
    prove(&mut bench, CLIENT);
    let put = |bench: &mut Bench, n: u8| {
        let info_hash = Id::from_bytes([n; 20]);
        let from = SocketAddr::from(([90, n, 1, 1], 5000));
        let token = token(bench, from, info_hash);
        let port = AnnouncePort::Explicit(80);
        let method =
            Method::AnnouncePeer { info_hash, port, token: &token, seed: false, name: None };
        assert_eq!(code(&bench.query(from, method).unwrap()), 0);
    };
    let sample = |bench: &mut Bench| {
        let target = Id::from_bytes([0; 20]);
        let reply = bench.query(CLIENT, Method::SampleInfohashes { target }).unwrap();
        let response = response(&reply);
        let hashes: Vec<Id> = response.samples.iter().collect();
        (hashes, response.num.unwrap(), response.interval.unwrap())
    };
    assert_eq!(sample(&mut bench), (vec![], 0, 0));
    (1..=5).for_each(|n| put(&mut bench, n));
    let (hashes, total, interval) = sample(&mut bench);
    assert_eq!((hashes.len(), total, interval), (5, 5, 0));
    (6..=100).for_each(|n| put(&mut bench, n));
    let (first, total, interval) = sample(&mut bench);
    assert_eq!((first.len(), total), (20, 100));
    assert!(interval > 0);
    assert_eq!(sample(&mut bench).0, first, "asking again tells nothing new");
    bench.wait(Duration::from_secs(u64::from(interval)));
    assert_ne!(sample(&mut bench).0, first);
}

#[test]
fn one_address_cannot_fill_the_store() {
    let store_config = StoreConfig {
        mutable_items: 100,
        share_per_address: 10,
        share_per_network: 10,
        ..StoreConfig::default()
    };
    let mut bench = bench_with(Config { store: store_config, ..Config::default() });
    let codes: Vec<i64> = (1..=20).map(|n| store(&mut bench, &item(n, 1))).collect();
    assert_eq!(codes[..10], [0; 10]);
    assert_eq!(codes[10..], [202; 10]);
}

#[test]
fn who_asks_too_often_is_not_answered_for_a_while() {
    let mut bench = Bench::with(Config::default());
    let answered = (0..200).filter(|_| bench.query(CLIENT, Method::Ping).is_some()).count();
    assert!((3..=12).contains(&answered), "{answered}");
    let counters = bench.node.info().counters;
    assert_eq!(counters.limited + counters.withheld, 200 - answered as u64);
    let elsewhere = SocketAddr::from(([81, 80, 80, 80], 4000));
    assert!(bench.query(elsewhere, Method::Ping).is_some());
    bench.wait(Duration::from_secs(1));
    assert!(bench.query(CLIENT, Method::Ping).is_some());
}
