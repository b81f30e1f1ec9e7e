//! Attacks on what the node remembers, sends and stores, each from one party of the threat model.
//! Separate from `hostile`, which is about lies that a lookup is told.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{
    AddressPolicy, Ask, Config, Info, LimitConfig, LookupError, Outcome, StoreConfig,
};
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{
    AnnouncePort, Body, Id, Message, Method, NodeInfo, Put, Query, Response, Want,
};

use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::{get_of, item, keypair};

const CLIENT: &str = "80.80.80.80:4000";

fn client() -> SocketAddr {
    CLIENT.parse().unwrap()
}

fn response(reply: &[u8]) -> Response<'_> {
    match Message::decode(reply).expect("our own bytes").body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The error code of a reply; 0 if it is none.
fn code(reply: &[u8]) -> i64 {
    match Message::decode(reply).expect("our own bytes").body {
        Body::Error(error) => error.code,
        Body::Response(_) | Body::Query(_) => 0,
    }
}

fn without_limits(config: Config) -> Config {
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

#[test]
fn no_reply_of_any_kind_is_larger_than_its_limit_even_for_both_families() {
    let peers = Fake::all(40);
    let ipv6 = Some("[2001:db8::1]:9999".parse().unwrap());
    let mut bench =
        Bench::knowing_with(&peers, without_limits(Config { ipv6, ..Config::default() }));
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
    assert!(bench.node.info().ipv6.unwrap().nodes >= 8);
    let from6: SocketAddr = "[2600:1::1]:5".parse().unwrap();
    let target = Id::from_bytes([3; 20]);
    for from in [client(), from6] {
        for method in [
            Method::FindNode { target },
            Method::GetPeers { info_hash: target, no_seed: false, scrape: true },
            Method::GetPeers { info_hash: target, no_seed: false, scrape: false },
            Method::Get { target, seq: None },
            Method::SampleInfohashes { target },
        ] {
            let mut query = Query::new(Id::from_bytes([0xee; 20]), method);
            query.want = Want::BOTH;
            let mut bytes = Vec::new();
            Message::query(&[b't'; 32], query).encode(&mut bytes);
            bench.sent.clear();
            bench.receive(from, &bytes);
            let replies: Vec<_> = bench.sent.iter().filter(|sent| sent.to == from).collect();
            let reply = replies
                .iter()
                .find(|sent| Message::decode(&sent.payload).unwrap().transaction.len() == 32);
            let reply = reply.expect("an answer");
            assert!(reply.payload.len() <= 1024, "{method:?}: {}", reply.payload.len());
        }
    }
}

#[test]
fn a_forged_sender_cannot_have_more_sent_to_its_victim_than_a_budget() {
    let mut bench = Bench::with(Config::default());
    let big = MutableItem::sign_bytes(&keypair(1), b"", 1, &[b'x'; 996]).unwrap();
    let get = Method::Get { target: big.target(), seq: None };
    let reply = bench.query("60.1.1.1:1".parse().unwrap(), get).unwrap();
    let token = response(&reply).token.unwrap().to_vec();
    bench
        .query("60.1.1.1:1".parse().unwrap(), Method::Put(Put::mutable(&token, &big, None)))
        .unwrap();
    let mut bytes = 0;
    // A minute of a hundred forged requests a second, from all ports of the victim.
    for n in 0..6000_u16 {
        let victim = SocketAddr::from(([80, 80, 80, 80], 1024 + n));
        bytes += bench.query(victim, get).map_or(0, |reply| reply.len());
        bench.wait(Duration::from_millis(10));
    }
    // What was saved up, and four kilobytes a second.
    assert!((200_000..=4096 * 64 + 1400).contains(&bytes), "{bytes} bytes");
    // Strangers elsewhere are served all the same.
    assert!(bench.query("90.1.1.1:1".parse().unwrap(), get).is_some());
}

#[test]
fn no_small_datagram_is_answered_with_a_much_larger_one() {
    let peers = Fake::all(30);
    let mut bench = Bench::knowing_with(&peers, without_limits(Config::default()));
    let id = "2:id20:abcdefghij0123456789";
    let target = "6:target20:mnopqrstuvwxyz123456";
    let info_hash = "9:info_hash20:mnopqrstuvwxyz123456";
    let mut grown = |arguments: &str, method: &str, most: f64| {
        let query = format!("d1:ad{arguments}e1:q{}:{method}1:t1:a1:y1:qe", method.len());
        bench.sent.clear();
        bench.receive(client(), query.as_bytes());
        let replies = bench.sent.iter().filter(|sent| sent.to == client());
        let bytes: usize = replies.map(|sent| sent.payload.len()).sum();
        let factor = bytes as f64 / query.len() as f64;
        assert!(factor <= most, "{method} {arguments}: {bytes} bytes, {factor:.2}");
    };
    for _ in 0..2 {
        // The first time round we also ask whether the stranger exists.
        grown(id, "ping", 2.5);
        grown(&format!("{id}{target}"), "find_node", 3.2);
        grown(&format!("{id}{info_hash}"), "get_peers", 3.4);
        grown(&format!("{id}{target}"), "get", 3.6);
        grown(id, "x", 2.0);
        grown(id, "get", 2.0);
        grown("", "ping", 2.0);
        grown("", "", 2.0);
    }
    bench.sent.clear();
    bench.receive(client(), b"d1:t1:a1:y1:qe");
    assert_eq!(bench.sent, []);
}

#[test]
fn a_hundred_thousand_guessed_tokens_open_nothing() {
    let mut bench = Bench::with(without_limits(Config::default()));
    let item = item(1, 1);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..100_000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let token = state.to_be_bytes();
        let reply = bench.query(client(), Method::Put(Put::mutable(&token, &item, None))).unwrap();
        assert_eq!(code(&reply), 203);
    }
    assert_eq!(bench.node.info().items, 0);
}

#[test]
fn a_put_that_names_a_target_is_stored_under_its_own() {
    let mut bench = Bench::with(without_limits(Config::default()));
    let (mine, victim) = (item(1, 1), item(2, 1));
    let reply = bench.query(client(), Method::Get { target: mine.target(), seq: None }).unwrap();
    let token = response(&reply).token.unwrap().to_vec();
    let mut put = Vec::new();
    let query =
        Query::new(Id::from_bytes([0xee; 20]), Method::Put(Put::mutable(&token, &mine, None)));
    Message::query(b"aa", query).encode(&mut put);
    // As mainline 8 writes it, here with a lie: `target` before `token`.
    let at = put.windows(7).position(|bytes| bytes == b"5:token").unwrap();
    let lie = [b"6:target20:", &victim.target().to_bytes()[..]].concat();
    put.splice(at..at, lie);
    bench.sent.clear();
    bench.receive(client(), &put);
    assert_eq!(bench.node.info().items, 1);
    for (target, there) in [(victim.target(), false), (mine.target(), true)] {
        let reply = bench.query(client(), Method::Get { target, seq: None }).unwrap();
        assert_eq!(response(&reply).value.is_some(), there);
    }
}

#[test]
fn extreme_sequence_numbers_neither_panic_nor_lock_a_key() {
    let mut bench = Bench::with(without_limits(Config::default()));
    let mut put = |key: u8, seq: i64| {
        let item = item(key, seq);
        let reply = bench
            .query(client(), Method::Get { target: item.target(), seq: Some(i64::MIN) })
            .unwrap();
        let token = response(&reply).token.unwrap().to_vec();
        code(
            &bench
                .query(client(), Method::Put(Put::mutable(&token, &item, Some(i64::MIN))))
                .unwrap(),
        )
    };
    assert_eq!(put(1, i64::MAX), 203);
    assert_eq!(put(1, 0), 0);
    // Told the latest of all times, or in a node that never checks, nothing overflows.
    for sequence_ahead in [None, Some(Duration::MAX)] {
        let store = StoreConfig { sequence_ahead, ..StoreConfig::default() };
        let mut bench = Bench::with(Config { store, ..without_limits(Config::default()) });
        bench.node.set_wall_clock(bench.now, Duration::MAX);
        bench.wait(Duration::from_secs(1));
        let item = item(3, i64::MAX);
        let reply =
            bench.query(client(), Method::Get { target: item.target(), seq: None }).unwrap();
        let token = response(&reply).token.unwrap().to_vec();
        let reply = bench.query(client(), Method::Put(Put::mutable(&token, &item, None))).unwrap();
        assert_eq!(code(&reply), 0);
    }
}

#[test]
fn any_duration_may_be_configured() {
    for extreme in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let peers = Fake::all(3);
        let store = StoreConfig {
            item_lifetime: extreme,
            peer_lifetime: extreme,
            sequence_ahead: Some(extreme),
            ..StoreConfig::default()
        };
        let bootstrap = peers.iter().map(|peer| peer.addr).collect();
        let config = Config {
            bootstrap,
            request_timeout: extreme,
            ask_deadline: extreme,
            store,
            limits: LimitConfig {
                replies_per_address: 0,
                replies_per_network: u32::MAX,
                replies_per_proven_address: 0,
                bytes_per_address: 0,
                bytes_per_network: u32::MAX,
                bytes_in_total: 0,
                remembered: 0,
            },
            max_visits: 0,
            concurrency: usize::MAX,
            store_at: usize::MAX,
            ..Config::default()
        };
        let mut bench = Bench::with(config);
        bench.ask(get_of(&item(1, 1)));
        bench.query(client(), Method::Ping);
        for _ in 0..200 {
            bench.tick();
        }
        bench.now += Duration::from_secs(8 * 3600);
        for _ in 0..200 {
            bench.tick();
        }
    }
}

#[test]
fn a_node_of_the_world_cannot_point_us_at_our_own_site() {
    let peers = Fake::all(4);
    let config = Config { addresses: AddressPolicy::Any, ..Config::default() };
    let mut bench = Bench::knowing_with(&peers, config);
    let near =
        ["127.0.0.1:53", "10.0.0.1:80", "192.168.1.1:1900", "100.64.0.1:1", "169.254.169.254:80"];
    let query = bench.ask(Ask::GetPeers { info_hash: Id::from_bytes([3; 20]), no_seeds: false });
    let mut asked = Vec::new();
    while bench.ending(query).is_none() {
        for sent in std::mem::take(&mut bench.sent) {
            asked.push(sent.to);
            let Some(peer) = peers.iter().find(|peer| peer.addr == sent.to) else { continue };
            let message = Message::decode(&sent.payload).unwrap();
            let name = |(n, addr): (usize, &&str)| NodeInfo {
                id: Id::from_bytes([n as u8 + 2; 20]),
                addr: addr.parse().unwrap(),
            };
            let nodes = near.iter().enumerate().map(name).collect();
            let lie = Answer { id: Some(peer.id), nodes, ..Answer::default() };
            let bytes = lie.encode(message.transaction);
            bench.receive(peer.addr, &bytes);
        }
        assert!(bench.ending(query).is_some() || bench.tick());
    }
    bench.wait(Duration::from_secs(3600));
    asked.extend(bench.sent.iter().map(|sent| sent.to));
    assert!(asked.iter().all(|to| peers.iter().any(|peer| peer.addr == *to)), "{asked:?}");
}

#[test]
fn our_site_is_not_named_to_the_world() {
    let near: Vec<Fake> = (1..=6)
        .map(|n| Fake { addr: SocketAddr::from(([192, 168, 1, n], 6881)), ..Fake::new(n) })
        .collect();
    let world: Vec<Fake> = (11..=13).map(Fake::new).collect();
    let all = [near.clone(), world.clone()].concat();
    let mut bench =
        Bench::knowing_with(&all, Config { addresses: AddressPolicy::Any, ..Config::default() });
    let mut named = |from: &str| {
        let target = Id::from_bytes([0x55; 20]);
        let reply = bench.query(from.parse().unwrap(), Method::FindNode { target }).unwrap();
        response(&reply).nodes.iter().map(|node| SocketAddr::V4(node.addr)).collect::<Vec<_>>()
    };
    let to_the_world = named(CLIENT);
    assert!(!to_the_world.is_empty());
    assert!(to_the_world.iter().all(|addr| world.iter().any(|peer| peer.addr == *addr)));
    assert_eq!(named("192.168.1.77:1").len(), 8);
}

#[test]
fn a_flood_of_queries_from_everywhere_leaves_a_node_as_small_as_it_was_told_to_be() {
    let store = StoreConfig { info_hashes: 20, peers: 5, ..StoreConfig::default() };
    let mut bench = Bench::with(Config { store, ..Config::default() });
    let mut state = 7_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let target = Id::from_bytes([3; 20]);
    let mut bytes = Vec::new();
    let mut replies = 0;
    for n in 0..50_000_u64 {
        let word = random();
        let from = SocketAddr::from(((word as u32).to_be_bytes(), (word >> 32) as u16));
        let mut id = [0; 20];
        id[..8].copy_from_slice(&random().to_be_bytes());
        let method = match n % 4 {
            0 => Method::Ping,
            1 => Method::FindNode { target: Id::from_bytes(id) },
            2 => Method::Get { target, seq: None },
            _ => Method::AnnouncePeer {
                info_hash: Id::from_bytes(id),
                port: AnnouncePort::Explicit(80),
                token: &[1; 8],
                seed: false,
                name: None,
            },
        };
        bytes.clear();
        Message::query(b"aa", Query::new(Id::from_bytes(id), method)).encode(&mut bytes);
        bench.receive(from, &bytes);
        replies += bench.sent.len();
        bench.sent.clear();
        if n % 100 == 0 {
            bench.wait(Duration::from_millis(10));
        }
    }
    let Info { asks, items, info_hashes, ipv4, counters, .. } = bench.node.info();
    assert_eq!((asks, items, info_hashes, ipv4.unwrap().nodes), (0, 0, 0, 0));
    assert_eq!(counters.received, 50_000);
    assert!(replies <= 51_000, "{replies}");
    // That it has settled, and that it is reached from outside.
    assert_eq!(bench.events.len(), 2, "{:?}", bench.events);
}

#[test]
fn a_node_that_slept_for_hours_wakes_without_a_storm() {
    let peers = Fake::all(30);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 1)));
    bench.sent.clear();
    bench.now += Duration::from_secs(8 * 3600);
    bench.tick();
    let (outcome, report) = bench.ending(query).expect("its deadline was hours ago");
    assert!(matches!(outcome, Outcome::Mutable(Err(_))) && report.cut_short, "{outcome:?}");
    assert!(bench.sent.len() <= 100, "{} datagrams", bench.sent.len());
    // And what is due next lies ahead.
    assert!(bench.node.poll_timeout().is_some_and(|due| due > bench.now));
    let immutable = ImmutableItem::from_bytes(b"x").unwrap();
    let reply =
        bench.query(client(), Method::Get { target: immutable.target(), seq: None }).unwrap();
    let token = response(&reply).token.unwrap().to_vec();
    let put = Method::Put(Put::immutable(&token, &immutable));
    assert_eq!(code(&bench.query(client(), put).unwrap()), 0);
}

#[test]
fn a_ping_of_an_address_where_nobody_can_be_ends_at_once() {
    let mut bench = Bench::with(Config::default());
    for addr in ["224.0.0.1:1", "60.1.1.1:0", "0.0.0.0:1"] {
        let query = bench.ask(Ask::Ping { addr: addr.parse().unwrap() });
        let (outcome, _) = bench.ending(query).expect("its end");
        assert!(matches!(outcome, Outcome::Nodes(Err(LookupError::NoNodes))), "{outcome:?}");
    }
    assert_eq!(bench.sent, []);
}

#[test]
fn many_lookups_that_are_told_one_lie_do_not_flood_its_victim() {
    let peers = Fake::all(6);
    let mut bench = Bench::knowing(&peers);
    let victim: SocketAddr = "200.1.1.1:53".parse().unwrap();
    let mut at_victim = 0;
    for n in 0..50_u8 {
        let target = Id::from_bytes([n; 20]);
        let query = bench.ask(Ask::FindNode { target });
        while bench.ending(query).is_none() {
            for sent in std::mem::take(&mut bench.sent) {
                at_victim += usize::from(sent.to == victim);
                let Some(peer) = peers.iter().find(|peer| peer.addr == sent.to) else { continue };
                let message = Message::decode(&sent.payload).unwrap();
                let addr = "200.1.1.1:53".parse().unwrap();
                let nodes = vec![NodeInfo { id: target, addr }];
                let lie = Answer { id: Some(peer.id), nodes, ..Answer::default() };
                let bytes = lie.encode(message.transaction);
                bench.receive(peer.addr, &bytes);
            }
            assert!(bench.ending(query).is_some() || bench.tick());
        }
        // As a busy node would, it asks on before the loss is certain; here it waits for that.
        bench.wait(Duration::from_millis(2100));
    }
    let minutes = 50 * 21 / 600 + 3;
    assert!((5..=6 * minutes).contains(&at_victim), "{at_victim} datagrams");
}

#[test]
fn four_thousand_asks_at_once_all_end() {
    let peers = Fake::all(20);
    let mut bench = Bench::knowing(&peers);
    let queries: Vec<_> = (0..4096_u32)
        .map(|n| {
            let mut target = [0; 20];
            target[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
            bench.ask(Ask::FindNode { target: Id::from_bytes(target) })
        })
        .collect();
    assert_eq!(bench.node.info().asks, 4096);
    bench.sent.clear();
    bench.wait(Duration::from_secs(21));
    assert_eq!(bench.node.info().asks, 0);
    let done =
        bench.events.iter().filter(|event| matches!(event, mainstay_dht_proto::Event::Done { .. }));
    assert_eq!(done.count(), queries.len());
}
