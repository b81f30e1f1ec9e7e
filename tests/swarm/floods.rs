//! What a node withstands, in numbers: forged replies and tokens, broken packets, puts that crowd out others.
//! Apart from the other attacks because these scale: each seed is one more portion (`cargo xtask test --sim N`).

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::Config;
use mainstay_krpc::item::ImmutableItem;
use mainstay_krpc::{
    AnnouncePort, Body, Id, Message, Method, NodeInfo, Nodes, Put, Query, Response,
};
use mainstay_tests::seeds;

use crate::scripted::{Bench, Fake};
use crate::serving::unlimited;
use crate::swarm::{get_of, item};

/// How many packets, tokens or puts one seed is.
const PORTION: u32 = 10_000;

/// Numbers that look random and follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

fn client() -> SocketAddr {
    "80.80.80.80:4000".parse().unwrap()
}

fn token(bench: &mut Bench, from: SocketAddr, target: Id) -> Vec<u8> {
    let reply = bench.query(from, Method::Get { target, seq: None }).expect("an answer");
    let Body::Response(response) = Message::decode(&reply).unwrap().body else { panic!() };
    response.token.expect("a token").to_vec()
}

fn is_error(reply: &[u8]) -> bool {
    matches!(Message::decode(reply).unwrap().body, Body::Error(_))
}

#[test]
fn no_reply_forged_with_a_guessed_transaction_id_is_believed() {
    seeds::each(2, |seed| {
        let peers = Fake::all(1);
        let mut bench = Bench::knowing(&peers);
        let before = bench.node.info().counters.unexpected;
        let query = bench.ask(get_of(&item(1, 1)));
        let nodes = [NodeInfo { id: item(1, 1).target(), addr: "203.1.1.1:1".parse().unwrap() }];
        let mut dice = Dice(seed);
        let mut datagram = Vec::new();
        for _ in 0..PORTION {
            datagram.clear();
            let tid = (dice.roll() as u32).to_be_bytes();
            let response = Response { nodes: Nodes::List(&nodes), ..Response::new(peers[0].id) };
            Message::response(&tid, response).encode(&mut datagram);
            bench.receive(peers[0].addr, &datagram);
        }
        assert!(bench.ending(query).is_none());
        assert_eq!(bench.node.info().counters.unexpected - before, u64::from(PORTION));
    });
}

#[test]
fn no_token_that_is_guessed_derived_or_replayed_opens_anything() {
    seeds::each(2, |seed| {
        let mut bench = Bench::with(unlimited(Config::default()));
        let mut dice = Dice(seed);
        let item = ImmutableItem::new(b"i1e").unwrap();
        let own = token(&mut bench, client(), item.target());
        let own_word = u64::from_be_bytes(own.clone().try_into().unwrap());
        let neighbour: SocketAddr = "80.80.80.81:4000".parse().unwrap();
        let foreign = token(&mut bench, neighbour, item.target());
        let foreign_word = u64::from_be_bytes(foreign.try_into().unwrap());
        let refused = |bench: &mut Bench, from, word: u64| {
            let bytes = word.to_be_bytes();
            let reply = bench.query(from, Method::Put(Put::immutable(&bytes, &item))).unwrap();
            assert!(is_error(&reply), "{word:x}");
        };
        for n in 0..PORTION {
            let guess = match n % 4 {
                0 => own_word ^ foreign_word,
                1 => own_word ^ (1 << (n % 64)),
                2 => own_word.wrapping_add(dice.roll() >> 40),
                _ => dice.roll(),
            };
            if guess != own_word {
                refused(&mut bench, client(), guess);
            }
        }
        refused(&mut bench, neighbour, own_word);
        bench.wait(Duration::from_secs(601));
        refused(&mut bench, client(), own_word);
        assert_eq!(bench.node.info().items, 0);
    });
}

#[test]
fn broken_packets_leave_a_node_that_answers_and_has_not_grown() {
    let peers = Fake::all(20);
    let mut bench = Bench::knowing(&peers);
    // What a node holds shows in what it prints of itself, counters and times apart.
    let mut sizes = Vec::new();
    seeds::each(4, |seed| {
        let mut dice = Dice(seed);
        for _ in 0..PORTION {
            let datagram = broken(&mut dice);
            let [a, b, c, d, ..] = dice.roll().to_be_bytes();
            bench.sent.clear();
            bench.receive(SocketAddr::from(([a, b, c, d], dice.roll() as u16)), &datagram);
            if dice.roll().is_multiple_of(64) {
                bench.wait(Duration::from_millis(10));
            }
        }
        sizes.push(format!("{:?}", bench.node).len());
        bench.events.clear();
    });
    // The spare places of the table fill with who asked; then it is flat.
    let (first, middle, last) = (sizes[0], sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(last <= 2 * first && last <= middle + middle / 10, "{sizes:?}");
    println!("a node prints {first} bytes of itself at first, {middle} half way, {last} at last");
    bench.wait(Duration::from_secs(10));
    assert!(bench.query(peers[0].addr, Method::Ping).is_some());
}

/// A message with some bytes changed, cut, doubled or put in from elsewhere.
fn broken(dice: &mut Dice) -> Vec<u8> {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&dice.roll().to_be_bytes());
    let id = Id::from_bytes(id);
    let token = dice.roll().to_be_bytes();
    let item = ImmutableItem::new(b"d1:ai1e1:bl1:xee").unwrap();
    let method = match dice.roll() % 8 {
        0 => Method::Ping,
        1 => Method::FindNode { target: id },
        2 => Method::GetPeers { info_hash: id, no_seed: false, scrape: true },
        3 => Method::Get { target: id, seq: Some(dice.roll() as i64) },
        4 => Method::Put(Put::immutable(&token, &item)),
        5 => Method::SampleInfohashes { target: id },
        6 => Method::Unknown { name: b"vote", target: Some(id) },
        _ => {
            let port = AnnouncePort::Explicit(80);
            Method::AnnouncePeer { info_hash: id, port, token: &token, seed: true, name: None }
        }
    };
    let mut bytes = Vec::new();
    let tid = (dice.roll() as u32).to_be_bytes();
    if dice.roll().is_multiple_of(4) {
        Message::response(&tid, Response::new(id)).encode(&mut bytes);
    } else {
        Message::query(&tid, Query::new(id, method)).encode(&mut bytes);
    }
    for _ in 0..dice.roll() % 4 {
        let at = dice.roll() as usize % bytes.len().max(1);
        match dice.roll() % 4 {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 => bytes.insert(at.min(bytes.len()), b"0123456789idel:-"[dice.roll() as usize % 16]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = dice.roll() as u8;
                }
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
