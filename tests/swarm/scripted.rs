//! Peers that say what a test tells them to, and one node of ours that has to cope.
//! No network: each datagram is handed over by hand, so that bytes, times and senders are exact.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, Config, Event, LookupReport, Node, Outcome, QueryId, Transmit};
use mainstay_krpc::{
    Body, Id, Message, Method, NodeInfo, NodeInfo6, Nodes, Nodes6, Query, Response,
};

use crate::swarm::{TODAY, ending, start};

/// One node and a clock.
pub(crate) struct Bench {
    pub(crate) node: Node,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    /// What the node sent and nobody looked at yet.
    pub(crate) sent: Vec<Transmit>,
}

impl Bench {
    /// A node that was told the addresses of `peers`.
    pub(crate) fn new(peers: &[Fake]) -> Self {
        Self::with(told(peers, Config::default()))
    }

    pub(crate) fn with(config: Config) -> Self {
        let now = start();
        let mut node = Node::new(config, [5; 32], now);
        node.set_wall_clock(now, TODAY);
        let mut bench = Self { node, now, events: Vec::new(), sent: Vec::new() };
        bench.tick();
        bench
    }

    /// A node that has all `peers` in its table and nothing in flight.
    pub(crate) fn knowing(peers: &[Fake]) -> Self {
        Self::knowing_with(peers, Config::default())
    }

    /// As [`knowing`](Self::knowing), with another configuration.
    pub(crate) fn knowing_with(peers: &[Fake], config: Config) -> Self {
        let mut bench = Self::with(told(peers, config));
        bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, peers), peers);
        for peer in peers {
            bench.ask(Ask::Ping { addr: peer.addr });
        }
        bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, peers), peers);
        bench.events.clear();
        assert_eq!(bench.node.contacts().len(), peers.len());
        bench
    }

    pub(crate) fn id(&self) -> Id {
        self.node.info().ipv4.expect("IPv4 is on").id
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> QueryId {
        let query = self.node.ask(self.now, ask);
        self.drain();
        query
    }

    pub(crate) fn ask_traced(&mut self, ask: Ask) -> QueryId {
        let query = self.node.ask_traced(self.now, ask);
        self.drain();
        query
    }

    pub(crate) fn receive(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.node.handle_datagram(self.now, from, datagram);
        self.drain();
    }

    /// Sends a query to the node and gives the bytes of its reply.
    pub(crate) fn query(&mut self, from: SocketAddr, method: Method<'_>) -> Option<Vec<u8>> {
        self.sent.clear();
        let mut datagram = Vec::new();
        Message::query(b"aa", Query::new(Id::from_bytes([0xee; 20]), method)).encode(&mut datagram);
        self.receive(from, &datagram);
        let is_reply = |sent: &Transmit| {
            let message = Message::decode(&sent.payload).expect("our own bytes");
            sent.to == from && !matches!(message.body, Body::Query(_))
        };
        let at = self.sent.iter().position(is_reply)?;
        Some(self.sent.remove(at).payload)
    }

    /// Lets time pass up to the next deadline and handles it; false if there is none.
    pub(crate) fn tick(&mut self) -> bool {
        let Some(due) = self.node.poll_timeout() else { return false };
        self.now = self.now.max(due);
        self.node.handle_timeout(self.now);
        self.drain();
        true
    }

    /// Lets time pass, handling all that comes due.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.node.poll_timeout().is_some_and(|due| due <= end) {
            self.tick();
        }
        self.now = end;
    }

    /// Answers what the node sends until it sends nothing more. `script` makes the bytes of an answer, or
    /// none for silence; what goes to nobody of `peers` is lost.
    pub(crate) fn serve(
        &mut self,
        script: &mut dyn FnMut(&Fake, &Query<'_>) -> Option<Answer>,
        peers: &[Fake],
    ) {
        while !self.sent.is_empty() {
            for sent in std::mem::take(&mut self.sent) {
                let Some(peer) = peers.iter().find(|peer| peer.addr == sent.to) else { continue };
                let message = Message::decode(&sent.payload).expect("our own bytes");
                let Body::Query(query) = message.body else { continue };
                let Some(answer) = script(peer, &query) else { continue };
                let bytes = answer.encode(message.transaction);
                self.now += Duration::from_millis(1);
                self.receive(peer.addr, &bytes);
            }
        }
    }

    /// Tells the node that nothing it sent gets out, since this host has no way to anywhere, until it sends nothing more.
    pub(crate) fn lose_route(&mut self) {
        while let Some(sent) = self.sent.pop() {
            self.node.handle_no_route(self.now, sent.to);
            self.drain();
        }
    }

    pub(crate) fn ending(&self, query: QueryId) -> Option<(Outcome, LookupReport)> {
        ending(&self.events, query)
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            self.sent.push(transmit);
        }
        while let Some(event) = self.node.poll_event() {
            self.events.push(event);
        }
    }
}

/// A peer that answers from a script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fake {
    pub(crate) id: Id,
    pub(crate) addr: SocketAddr,
}

/// An answer in owned parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) id: Option<Id>,
    pub(crate) nodes: Vec<NodeInfo>,
    pub(crate) nodes6: Vec<NodeInfo6>,
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) item: Option<mainstay_krpc::item::MutableItem>,
    pub(crate) error: Option<i64>,
    /// Replaces the bytes of the signature.
    pub(crate) forged: bool,
}

impl Answer {
    pub(crate) fn encode(&self, transaction: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(code) = self.error {
            let error = mainstay_krpc::ErrorReply { code, text: b"no" };
            Message::error(transaction, error).encode(&mut bytes);
            return bytes;
        }
        let mut response = Response::new(self.id.expect("an answer has an id"));
        response.nodes = Nodes::List(&self.nodes);
        if !self.nodes6.is_empty() {
            response.nodes6 = Nodes6::List(&self.nodes6);
        }
        response.token = self.token.as_deref();
        let forged = [7; 64];
        if let Some(item) = &self.item {
            response.value = Some(item.value());
            response.key = Some(item.key().as_bytes());
            response.seq = Some(item.seq());
            let signature = item.signature().as_bytes();
            response.signature = Some(if self.forged { &forged } else { signature });
        }
        Message::response(transaction, response).encode(&mut bytes);
        bytes
    }
}

impl Fake {
    /// Number `n`: its id begins with `n`, its address is in a /16 of its own.
    pub(crate) fn new(n: u8) -> Self {
        let mut id = [0x55; 20];
        id[0] = n;
        Self { id: Id::from_bytes(id), addr: SocketAddr::from(([60, n, 1, 1], 6881)) }
    }

    pub(crate) fn all(count: u8) -> Vec<Self> {
        (1..=count).map(Self::new).collect()
    }

    /// What an ordinary node with nothing stored says; it names `others`.
    pub(crate) fn polite(&self, query: &Query<'_>, others: &[Self]) -> Option<Answer> {
        let nodes = others.iter().map(Self::info).collect();
        let token = match query.method {
            Method::Get { .. } => Some(self.token(b'g')),
            Method::GetPeers { .. } => Some(self.token(b'p')),
            _ => None,
        };
        Some(Answer { id: Some(self.id), nodes, token, ..Answer::default() })
    }

    /// This peer's token for one kind of store.
    pub(crate) fn token(&self, kind: u8) -> Vec<u8> {
        vec![kind, self.id.as_bytes()[0]]
    }

    pub(crate) fn info(&self) -> NodeInfo {
        let SocketAddr::V4(addr) = self.addr else { panic!("the fakes speak IPv4") };
        NodeInfo { id: self.id, addr }
    }
}

fn told(peers: &[Fake], config: Config) -> Config {
    let bootstrap = peers.iter().map(|peer| peer.addr).collect();
    Config { bootstrap, ipv4: Some(crate::swarm::v4(9999)), ..config }
}
