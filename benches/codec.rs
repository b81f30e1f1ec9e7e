//! KRPC messages: what reading and writing one costs, in time and allocations.
//!
//! Separate from the packets, because here nothing is signed and a copy of the datagram is the floor.
//!
//! `cargo bench -p mainstay-benches --bench codec`; instructions, which are stable on a busy machine, by
//! `valgrind --tool=callgrind` over the binary that it builds.
#![allow(missing_docs, reason = "a bench has no readers but its table")]

use std::net::{Ipv4Addr, SocketAddrV4};

use divan::{AllocProfiler, Bencher, black_box};
use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{Id, Message, Method, NodeInfo, Nodes, Put, Query, Response};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const MESSAGES: [&str; 4] = ["ping", "find_node reply", "get reply", "put"];

fn main() {
    divan::main();
}

#[divan::bench(args = MESSAGES)]
fn copy(bencher: Bencher<'_, '_>, name: &str) {
    let datagram = datagram(name);
    let mut buffer = Vec::with_capacity(2048);
    bencher.bench_local(|| {
        buffer.clear();
        buffer.extend_from_slice(black_box(&datagram));
    });
}

#[divan::bench(args = MESSAGES)]
fn decode(bencher: Bencher<'_, '_>, name: &str) {
    let datagram = datagram(name);
    bencher.bench_local(|| {
        let message = Message::decode(black_box(&datagram)).expect("what we wrote");
        black_box(&message);
    });
}

#[divan::bench(args = MESSAGES)]
fn encode(bencher: Bencher<'_, '_>, name: &str) {
    let mut buffer = Vec::with_capacity(2048);
    with_message(name, |message| {
        bencher.bench_local(|| {
            buffer.clear();
            black_box(message).encode(&mut buffer);
        });
    });
}

fn datagram(name: &str) -> Vec<u8> {
    let mut buffer = Vec::new();
    with_message(name, |message| message.encode(&mut buffer));
    buffer
}

/// The message of that name: eight nodes in a reply, a value of 1,000 bytes in an item.
fn with_message(name: &str, run: impl FnOnce(&Message<'_>)) {
    let id = Id::from_bytes(*b"abcdefghij0123456789");
    let node = NodeInfo { id, addr: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 6881) };
    let nodes = [node; 8];
    let keypair = Keypair::from_secret_key(&[7; 32]);
    let item =
        MutableItem::sign_bytes(&keypair, b"", 1, &[b'x'; 996]).expect("exactly 1,000 bytes");
    let found = || Response { nodes: Nodes::List(&nodes), ..Response::new(id) };
    match name {
        "ping" => run(&Message::query(b"aaaa", Query::new(id, Method::Ping))),
        "find_node reply" => run(&Message::response(b"aaaa", found())),
        "get reply" => run(&Message::response(
            b"aaaa",
            Response {
                token: Some(b"12345678"),
                value: Some(item.value()),
                key: Some(item.key().as_bytes()),
                signature: Some(item.signature().as_bytes()),
                seq: Some(item.seq()),
                ..found()
            },
        )),
        _ => {
            let put = Put::mutable(b"12345678", &item, None);
            run(&Message::query(b"aaaa", Query::new(id, Method::Put(put))));
        }
    }
}
