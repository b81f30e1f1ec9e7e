//! Nodes whose owner gives them a store of their own making, good or bad.
//! Apart from the store that a node has by default: here it is the node that is tested.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use mainstay_dht_proto::{Config, Full, Identity, Peer, PeerFamily, Snapshot, Store, StoreCounts};
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{AnnouncePort, Body, Id, Message, Method, Put, Response};

use crate::scripted::Bench;
use crate::serving::unlimited;
use crate::swarm::item;

const CLIENT: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(80, 80, 80, 80), 4000));

/// Has something else under every target than was asked for, far too much of it, and no room for anything.
#[derive(Debug, Default)]
struct Liar {
    /// Where it was told that the node is.
    home: Arc<Mutex<Option<Id>>>,
}

impl Store for Liar {
    fn mutable(&self, _now: Instant, _target: &Id) -> Option<MutableItem> {
        let value = [b"995:".as_slice(), &[b'x'; 995]].concat();
        Some(MutableItem::sign(&crate::swarm::keypair(9), &[1; 64], i64::MAX, &value).unwrap())
    }

    fn immutable(&self, _now: Instant, _target: &Id) -> Option<ImmutableItem> {
        Some(ImmutableItem::from_bytes(b"another").unwrap())
    }

    fn put_mutable(&mut self, _: Instant, _: IpAddr, _: MutableItem) -> Result<(), Full> {
        Err(Full)
    }

    fn put_immutable(&mut self, _: Instant, _: IpAddr, _: ImmutableItem) -> Result<(), Full> {
        Err(Full)
    }

    fn refresh(&mut self, _now: Instant, _target: &Id) {}

    fn announce(&mut self, _: Instant, _: Id, _: IpAddr, _: Peer) -> Result<(), Full> {
        Err(Full)
    }

    fn peers(
        &self,
        _now: Instant,
        _info_hash: &Id,
        _family: Option<PeerFamily>,
        visit: &mut dyn FnMut(Peer),
    ) {
        for n in 0..5000_u16 {
            let v6 = std::net::Ipv6Addr::new(0x2a00, n, 7, 7, 0, 0, 0, 1);
            visit(Peer { addr: (v6, n).into(), seed: n % 2 == 0 });
            visit(Peer { addr: ([0, 0, 0, 0], 0).into(), seed: true });
        }
    }

    fn info_hashes(&self, _: Instant, visit: &mut dyn FnMut(Id)) {
        (0..200).for_each(|n| visit(Id::from_bytes([n; 20])));
    }

    fn counts(&self) -> StoreCounts {
        StoreCounts { items: usize::MAX, info_hashes: usize::MAX }
    }

    fn set_home(&mut self, home: Id) {
        *self.home.lock().unwrap() = Some(home);
    }
}

fn response(reply: &[u8]) -> Response<'_> {
    match Message::decode(reply).expect("our own bytes").body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_a_store_gives_no_reply_grows_beyond_its_bounds() {
    let mut bench = Bench::with(unlimited(Config::default()));
    bench.node.set_store(Box::new(Liar::default()));
    let target = item(1, 1).target();
    let methods = [
        Method::Get { target, seq: None },
        Method::GetPeers { info_hash: target, no_seed: false, scrape: true },
        Method::SampleInfohashes { target },
    ];
    let near = SocketAddr::from(([127, 0, 0, 1], 4000));
    for method in methods {
        for from in [CLIENT, near] {
            let Some(reply) = bench.query(from, method) else { continue };
            assert!(reply.len() <= 1400, "{} bytes for {method:?}", reply.len());
        }
    }
    let reply =
        bench.query(near, Method::GetPeers { info_hash: target, no_seed: false, scrape: false });
    let reply = reply.unwrap();
    assert!(reply.len() <= 1024, "{} bytes", reply.len());
    assert!(response(&reply).values.iter().all(|addr| addr.is_ipv4()));
    assert_eq!(bench.node.info().items, usize::MAX);
}

#[test]
fn a_store_without_room_is_told_to_whoever_puts() {
    let mut bench = Bench::with(unlimited(Config::default()));
    bench.node.set_store(Box::new(Liar::default()));
    let item = ImmutableItem::from_bytes(b"x").unwrap();
    let reply = bench.query(CLIENT, Method::Get { target: item.target(), seq: None }).unwrap();
    let token = response(&reply).token.unwrap().to_vec();
    let put = Method::Put(Put::immutable(&token, &item));
    let announce = Method::AnnouncePeer {
        info_hash: item.target(),
        port: AnnouncePort::Explicit(1),
        token: &token,
        seed: false,
        name: None,
    };
    for method in [put, announce] {
        let reply = bench.query(CLIENT, method).unwrap();
        let Body::Error(error) = Message::decode(&reply).unwrap().body else { panic!() };
        assert_eq!(error.code, 202);
    }
}

#[test]
fn a_store_is_told_the_id_that_a_node_takes_over_from_an_earlier_run() {
    let mut bench = Bench::with(Config::default());
    let store = Liar::default();
    let home = store.home.clone();
    bench.node.set_store(Box::new(store));
    assert_eq!(*home.lock().unwrap(), Some(bench.id()));
    let earlier = Identity { id: Id::from_bytes([9; 20]), address: None };
    let snapshot = Snapshot { ipv4: vec![earlier], ..Snapshot::default() };
    bench.node.restore(bench.now, &snapshot);
    assert_eq!(bench.id(), earlier.id);
    assert_eq!(*home.lock().unwrap(), Some(earlier.id));
}
