//! Fuzz target of a node's saved state: any bytes at all, and any body behind a head that fits it.
//!
//! Separate, because a checksum keeps random bytes from ever reaching what reads the body.

use std::hash::Hasher as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Config, Identity, Node, RemoteNode, SavedNode, Snapshot};
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;
use siphasher::sip::SipHasher24;

/// The mark, then the version, the length and the checksum.
const HEAD: [usize; 2] = [8, 22];

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let saved = |addr: &str| SavedNode {
        node: RemoteNode { id: Id::from_bytes([7; 20]), addr: addr.parse().expect("an address") },
        rtt: Duration::from_millis(40),
        age: Duration::from_secs(9),
    };
    let item = MutableItem::sign_bytes(&Keypair::from_secret_key(&[1; 32]), b"s", 1, b"v");
    let identity = Identity { id: Id::from_bytes([1; 20]), address: Some([80, 1, 1, 1].into()) };
    let full = Snapshot {
        taken: Some(Duration::from_secs(1_795_219_200)),
        ipv4: vec![identity; 2],
        ipv6: vec![Identity { address: None, ..identity }],
        nodes: vec![saved("60.1.1.1:6881"), saved("[2001:db8::1]:1"), saved("127.0.0.1:0")],
        published: vec![item.expect("a small item")],
    };
    vec![full.encode(), Snapshot::default().encode()]
}

/// Whatever stands in the file, reading it ends, what is read is written the same, and a node starts from it.
pub(super) fn node_snapshot(bytes: &[u8]) {
    read(bytes);
    let [mark, head] = HEAD;
    if let (Some(mark), Some(body)) = (bytes.get(..mark), bytes.get(head..)) {
        let length = u32::try_from(body.len()).expect("an input is short").to_be_bytes();
        let mut hasher = SipHasher24::new();
        hasher.write(&1_u16.to_be_bytes());
        hasher.write(&length);
        hasher.write(body);
        let sum = hasher.finish().to_be_bytes();
        read(&[mark, &1_u16.to_be_bytes(), &length, &sum, body].concat());
    }
}

fn read(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else { return };
    assert_eq!(snapshot.encode(), bytes, "there is one form for each snapshot");
    assert!(bytes.len() <= Snapshot::MOST_BYTES);
    let now = Instant::now();
    let bootstrap = vec![SocketAddr::from(([60, 9, 9, 9], 1))];
    let config = Config { bootstrap, remember_published: 4, ..Config::default() };
    let mut node = Node::new(config, [1; 32], now);
    node.restore(now, &snapshot);
    node.handle_timeout(now);
    let mut sent = 0;
    while let Some(transmit) = node.poll_transmit() {
        assert!(transmit.to.port() != 0 && !transmit.to.ip().is_loopback(), "{}", transmit.to);
        sent += 1;
    }
    assert!(sent <= 32, "{sent} datagrams at once");
    assert!(node.snapshot(now, 200).nodes.len() <= snapshot.nodes.len());
}
