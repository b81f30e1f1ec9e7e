//! A node without its sockets: what answering each kind of query costs, in time, allocations and instructions.
//!
//! Separate from `beside`, which measures the same with the kernel's part, because here every instruction is ours. The
//! node has a table of hundreds of nodes and a store of a thousand items.
//!
//! `cargo bench -p mainstay-benches --bench node`; instructions, which are stable on a busy machine, by
//! `valgrind --tool=callgrind --toggle-collect='*Node::handle_datagram*'` over the binary that it builds, with
//! `--bench --sample-count 1 --sample-size 5000 'answer_near.*KIND'`: a few queries more than 5,000 run.
#![allow(missing_docs, reason = "a bench has no readers but its table")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use divan::{AllocProfiler, Bencher, black_box};
use mainstay_dht_proto::{
    AddressPolicy, Config, LimitConfig, Node, RemoteNode, SavedNode, Snapshot, StoreConfig,
};
use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{Body, Id, Message, Method, Put, Query, Response};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const KINDS: [&str; 6] =
    ["ping", "find_node", "get_peers", "get_absent", "get_value", "put_identical"];
/// How many nodes the table is offered.
const NODES: u32 = 1_000;
/// How many other items the store holds.
const ITEMS: u8 = 250;
/// How many different queries take turns.
const QUERIES: u32 = 256;

fn main() {
    divan::main();
}

/// The querier is on this host, so that nothing is held back from it.
#[divan::bench(args = KINDS)]
fn answer_near(bencher: Bencher<'_, '_>, kind: &str) {
    answer(bencher, kind, SocketAddr::from(([127, 0, 0, 1], 40_000)));
}

/// Each put is newer than the one before it, so there are as many as there are.
#[divan::bench(sample_count = 10, sample_size = 50)]
fn answer_put_new(bencher: Bencher<'_, '_>) {
    answer(bencher, "put_new", SocketAddr::from(([127, 0, 0, 1], 40_000)));
}

/// The querier is anybody, and its address is not proven.
#[divan::bench(args = ["ping", "find_node", "get_peers", "get_absent", "get_value"])]
fn answer_stranger(bencher: Bencher<'_, '_>, kind: &str) {
    answer(bencher, kind, SocketAddr::from(([60, 1, 2, 3], 6881)));
}

fn answer(bencher: Bencher<'_, '_>, kind: &str, from: SocketAddr) {
    let mut server = Server::new();
    let queries = server.queries(kind);
    let mut turn = queries.iter().cycle();
    bencher.bench_local(|| {
        let query = turn.next().expect("a cycle has no end");
        server.node.handle_datagram(server.now, from, black_box(query));
        while let Some(transmit) = server.node.poll_transmit() {
            black_box(&transmit.payload);
            server.node.recycle(transmit.payload);
        }
        black_box(server.node.poll_timeout());
    });
}

struct Server {
    node: Node,
    now: Instant,
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        let config = Config {
            ipv4: Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 6881)),
            addresses: AddressPolicy::Any,
            read_only: false,
            limits: LimitConfig::unlimited(),
            store: StoreConfig::default(),
            ..Config::default()
        };
        let mut server = Self { node: Node::new(config, [7; 32], now), now };
        server.fill_table();
        for other in 1..=ITEMS {
            server.store(other);
        }
        assert!(server.node.info().ipv4.is_some_and(|family| family.nodes > 150), "a thin table");
        assert_eq!(server.node.info().items, usize::from(ITEMS));
        server
    }

    /// Nodes of an earlier run, all of which answer.
    fn fill_table(&mut self) {
        let node = |number: u32| SavedNode {
            node: RemoteNode {
                id: id(number),
                addr: SocketAddr::from(((0x3c00_0000 + number * 70_001).to_be_bytes(), 6881)),
            },
            rtt: Duration::from_millis(40),
            age: Duration::ZERO,
        };
        let nodes: Vec<SavedNode> = (0..NODES).map(node).collect();
        let snapshot = Snapshot { nodes: nodes.clone(), ..Snapshot::default() };
        self.node.restore(self.now, &snapshot);
        for _ in 0..100 {
            self.now += Duration::from_millis(20);
            self.node.handle_timeout(self.now);
            while let Some(transmit) = self.node.poll_transmit() {
                let asked = nodes.iter().find(|saved| saved.node.addr == transmit.to);
                let message = Message::decode(&transmit.payload).expect("what the node wrote");
                let Some(asked) = asked else { continue };
                let mut reply = Vec::new();
                Message::response(message.transaction, Response::new(asked.node.id))
                    .encode(&mut reply);
                self.node.handle_datagram(self.now, transmit.to, &reply);
            }
        }
        while self.node.poll_event().is_some() {}
    }

    fn store(&mut self, key: u8) {
        let item = item(key, 1);
        let token = self.token(&item);
        let put = encode(Method::Put(Put::mutable(&token, &item, None)));
        self.answer_to(&put);
    }

    fn token(&mut self, item: &MutableItem) -> Vec<u8> {
        let reply = self.answer_to(&encode(Method::Get { target: item.target(), seq: None }));
        let message = Message::decode(&reply).expect("what the node wrote");
        let Body::Response(Response { token: Some(token), .. }) = message.body else {
            panic!("no token")
        };
        token.to_vec()
    }

    fn answer_to(&mut self, query: &[u8]) -> Vec<u8> {
        self.node.handle_datagram(self.now, SocketAddr::from(([127, 0, 0, 1], 40_000)), query);
        let mut answer = Vec::new();
        while let Some(transmit) = self.node.poll_transmit() {
            answer = transmit.payload;
        }
        answer
    }

    fn queries(&mut self, kind: &str) -> Vec<Vec<u8>> {
        let stored = item(1, 1);
        let token = self.token(&stored);
        let turns = 0..if kind == "put_new" { 1_000 } else { QUERIES };
        let query = |turn: u32| {
            let target = id(turn.wrapping_add(NODES));
            encode(match kind {
                "ping" => Method::Ping,
                "find_node" => Method::FindNode { target },
                "get_peers" => {
                    Method::GetPeers { info_hash: target, no_seed: false, scrape: false }
                }
                "get_absent" => Method::Get { target, seq: None },
                "get_value" => Method::Get { target: stored.target(), seq: None },
                "put_identical" => Method::Put(Put::mutable(&token, &stored, None)),
                _ => {
                    let newer = item(1, i64::from(turn) + 2);
                    return encode(Method::Put(Put::mutable(&token, &newer, None)));
                }
            })
        };
        turns.map(query).collect()
    }
}

/// The item of a key, at the size limit.
fn item(key: u8, seq: i64) -> MutableItem {
    let keypair = Keypair::from_secret_key(&[key; 32]);
    MutableItem::sign_bytes(&keypair, b"", seq, &[b'x'; 996]).expect("exactly 1,000 bytes")
}

fn encode(method: Method<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let querier = Id::from_bytes(*b"abcdefghij0123456789");
    Message::query(b"aaaa", Query::new(querier, method)).encode(&mut bytes);
    bytes
}

/// An id like any other, and always the same for a number.
fn id(number: u32) -> Id {
    let mut bytes = [0x5a; 20];
    let mixed = u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    Id::from_bytes(bytes)
}
