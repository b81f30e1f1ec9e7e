//! A node without its sockets: every allocation is its own.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use mainstay_dht_proto::{AddressPolicy, Config, Node, RemoteNode, SavedNode, Snapshot};
use mainstay_krpc::{Id, Message, Response};

use crate::queries::{self, KINDS, is_answer, item};

const NEAR: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);

#[test]
fn an_answer_takes_nothing_of_the_allocator() {
    let mut server = Server::new(200);
    let stored = item(1, 1);
    let token = server.token(&stored);
    server.answer(&queries::put(&token, &stored));
    for kind in KINDS {
        let asked: Vec<_> =
            (0..64).map(|turn| queries::query(kind, turn, &token, &stored)).collect();
        let warm = asked.first().map(|query| server.answer(query));
        assert!(warm.is_some_and(|answer| is_answer(&answer)), "{kind}");
        let taken = measure(|| asked.iter().for_each(|query| server.handle(query)));
        assert_eq!(taken.count_total, 0, "{kind}: {taken:?}");
    }
}

#[test]
fn a_new_item_takes_its_own_room_and_little_besides() {
    let mut server = Server::new(200);
    let first = item(1, 1);
    let token = server.token(&first);
    server.answer(&queries::put(&token, &first));
    let newer: Vec<_> = (2..10).map(|seq| queries::put(&token, &item(1, seq))).collect();
    let taken = measure(|| newer.iter().for_each(|query| server.handle(query)));
    assert!(taken.count_total <= 4 * newer.len() as u64, "{taken:?}");
    assert!(taken.bytes_current.abs() < 512, "each took the place of the one before: {taken:?}");
    assert!(taken.bytes_max < 4_096, "{taken:?}");
}

#[test]
fn a_node_that_knows_two_hundred_others_lives_in_few_kilobytes() {
    let mut kept = None;
    let taken = measure(|| kept = Some(Server::new(200)));
    let nodes = kept.unwrap().node.info().ipv4.unwrap().nodes;
    assert!(nodes > 100, "{nodes}");
    assert!(taken.bytes_current < 40_000, "{nodes} in the table: {taken:?}");
}

struct Server {
    node: Node,
    now: Instant,
}

impl Server {
    /// With so many nodes of an earlier run, all of which answer.
    fn new(known: u32) -> Self {
        let now = Instant::now();
        let config = Config {
            ipv4: Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 6881)),
            addresses: AddressPolicy::Any,
            read_only: false,
            ..Config::default()
        };
        let node = Node::new(config, [7; 32], now);
        let mut server = Self { node, now };
        server.meet(known);
        server
    }

    fn meet(&mut self, known: u32) {
        let nodes = (0..known).map(other).collect();
        self.node.restore(self.now, &Snapshot { nodes, ..Snapshot::default() });
        for _ in 0..100 {
            self.now += Duration::from_millis(20);
            self.node.handle_timeout(self.now);
            while let Some(transmit) = self.node.poll_transmit() {
                let Some(asked) =
                    (0..known).map(other).find(|other| other.node.addr == transmit.to)
                else {
                    continue;
                };
                let message = Message::decode(&transmit.payload).unwrap();
                let mut reply = Vec::new();
                let response = Response::new(asked.node.id);
                Message::response(message.transaction, response).encode(&mut reply);
                self.node.handle_datagram(self.now, transmit.to, &reply);
            }
        }
        while self.node.poll_event().is_some() {}
    }

    fn token(&mut self, item: &mainstay_krpc::item::MutableItem) -> Vec<u8> {
        queries::token(&self.answer(&queries::get(item)))
    }

    fn answer(&mut self, query: &[u8]) -> Vec<u8> {
        self.node.handle_datagram(self.now, SocketAddr::from(NEAR), query);
        let payload = self.node.poll_transmit().unwrap().payload;
        let answer = payload.clone();
        self.node.recycle(payload);
        assert!(self.node.poll_transmit().is_none());
        answer
    }

    /// As a driver does it, which gives back what it has sent.
    fn handle(&mut self, query: &[u8]) {
        self.node.handle_datagram(self.now, SocketAddr::from(NEAR), query);
        while let Some(transmit) = self.node.poll_transmit() {
            self.node.recycle(transmit.payload);
        }
        assert!(self.node.poll_event().is_none());
    }
}

/// Somebody in a network of its own.
fn other(number: u32) -> SavedNode {
    let mut id = [0x5a; 20];
    let mixed = u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    id[..8].copy_from_slice(&mixed.to_be_bytes());
    let addr = SocketAddr::from(((0x3c00_0000 + number * 70_001).to_be_bytes(), 6881));
    let node = RemoteNode { id: Id::from_bytes(id), addr };
    SavedNode { node, rtt: Duration::from_millis(40), age: Duration::ZERO }
}
