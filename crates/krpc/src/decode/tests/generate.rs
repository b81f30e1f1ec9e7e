//! Random messages, values and damage: apart from the properties, which say what must hold of them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use proptest::array::{uniform4, uniform16, uniform20};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::value::Value;
use crate::{
    AnnouncePort, Body, ErrorReply, Id, Message, Method, MutablePut, NodeInfo, NodeInfo6, Nodes,
    Nodes6, Put, Query, Response, Samples, Values, Want,
};

/// Everything that some message could be made of.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    envelope: (Vec<u8>, Option<Vec<u8>>, Option<SocketAddr>, bool),
    kind: u8,
    ids: (Id, Id),
    flags: (bool, bool, bool, bool),
    bytes: (Vec<u8>, Vec<u8>, Option<Vec<u8>>, Vec<u8>),
    value: Vec<u8>,
    proof: ([u8; 32], [u8; 64]),
    numbers: (i64, Option<i64>, u16, Option<u32>, Option<u64>),
    lists: (Vec<NodeInfo>, Vec<NodeInfo6>, Vec<SocketAddr>, Vec<Id>),
    filter: [u8; 256],
    present: [bool; 12],
}

pub(super) fn parts() -> impl Strategy<Value = Parts> {
    let short = || vec(any::<u8>(), 0..40);
    let envelope =
        (vec(any::<u8>(), 1..=32), option::of(short()), option::of(peer()), any::<bool>());
    let bytes = (short(), vec(any::<u8>(), 0..=64), option::of(short()), short());
    let numbers = (
        any::<i64>(),
        any::<Option<i64>>(),
        1..=u16::MAX,
        option::of(0..=21_600_u32),
        option::of(num()),
    );
    let lists = (vec(node(), 0..9), vec(node6(), 0..9), vec(peer(), 0..20), vec(id(), 0..9));
    let fixed = any::<(u8, u8)>().prop_map(|(key, signature)| ([key; 32], [signature; 64]));
    let filter = any::<u8>().prop_map(|byte| [byte; 256]);
    let ids = (id(), id());
    (
        envelope,
        0..12_u8,
        ids,
        any::<(bool, bool, bool, bool)>(),
        bytes,
        bencoded(),
        fixed,
        numbers,
        lists,
        filter,
        any::<[bool; 12]>(),
    )
        .prop_map(
            |(envelope, kind, ids, flags, bytes, value, proof, numbers, lists, filter, present)| {
                Parts {
                    envelope,
                    kind,
                    ids,
                    flags,
                    bytes,
                    value,
                    proof,
                    numbers,
                    lists,
                    filter,
                    present,
                }
            },
        )
}

fn num() -> impl Strategy<Value = u64> {
    0..=i64::MAX.unsigned_abs()
}

fn id() -> impl Strategy<Value = Id> {
    uniform20(any::<u8>()).prop_map(Id::from_bytes)
}

fn v4() -> impl Strategy<Value = SocketAddrV4> {
    (uniform4(any::<u8>()), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn v6() -> impl Strategy<Value = SocketAddrV6> {
    (uniform16(any::<u8>()), any::<u16>())
        .prop_map(|(ip, port)| SocketAddrV6::new(ip.into(), port, 0, 0))
}

fn peer() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![v4().prop_map(SocketAddr::V4), v6().prop_map(SocketAddr::V6)]
}

fn node() -> impl Strategy<Value = NodeInfo> {
    (id(), v4()).prop_map(|(id, addr)| NodeInfo { id, addr })
}

fn node6() -> impl Strategy<Value = NodeInfo6> {
    (id(), v6()).prop_map(|(id, addr)| NodeInfo6 { id, addr })
}

impl Parts {
    /// The message of these parts.
    pub(super) fn message(&self) -> Message<'_> {
        let (transaction, version, ip, read_only) = &self.envelope;
        let body = match self.kind {
            0..8 => Body::Query(self.query()),
            8..11 => Body::Response(self.response()),
            _ => Body::Error(ErrorReply { code: self.numbers.0, text: &self.bytes.0 }),
        };
        let is_query = matches!(body, Body::Query(_));
        Message {
            transaction,
            version: version.as_deref(),
            ip: ip.filter(|_| !is_query),
            read_only: *read_only && is_query,
            body,
        }
    }

    fn query(&self) -> Query<'_> {
        let (id, target) = self.ids;
        let (n4, n6, first, second) = self.flags;
        let (token, salt, name, unknown) = &self.bytes;
        let (seq, cas, port, ..) = self.numbers;
        let mut want = Want { n4, n6 };
        let method = match self.kind {
            0 => Method::Ping,
            1 => Method::FindNode { target },
            2 => Method::GetPeers { info_hash: target, no_seed: first, scrape: second },
            3 => {
                let port = if first {
                    AnnouncePort::Explicit(port)
                } else {
                    AnnouncePort::Implied { fallback: port }
                };
                let name = name.as_deref();
                Method::AnnouncePeer { info_hash: target, port, token, seed: second, name }
            }
            4 => Method::Get { target, seq: cas },
            5 => {
                let (key, signature) = &self.proof;
                let mutable = MutablePut { key, salt, seq, signature, cas };
                Method::Put(Put { token, value: &self.value, mutable: first.then_some(mutable) })
            }
            6 => Method::SampleInfohashes { target },
            _ => Method::Unknown { name: unknown, target: first.then_some(target) },
        };
        if matches!(self.kind, 0 | 3 | 5) {
            want = Want::NONE;
        }
        Query { id, want, method }
    }

    fn response(&self) -> Response<'_> {
        let (nodes, nodes6, peers, ids) = &self.lists;
        let (key, signature) = &self.proof;
        let (seq, _, port, interval, num) = self.numbers;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.present;
        Response {
            id: self.ids.0,
            nodes: if a { Nodes::List(nodes) } else { Nodes::Absent },
            nodes6: if b { Nodes6::List(nodes6) } else { Nodes6::Absent },
            token: c.then_some(&self.bytes.0),
            values: if d { Values::List(peers) } else { Values::Absent },
            value: e.then_some(&self.value),
            key: f.then_some(key),
            signature: g.then_some(signature),
            seq: h.then_some(seq),
            samples: if i { Samples::List(ids) } else { Samples::Absent },
            interval,
            num,
            bloom_seeds: j.then_some(&self.filter),
            bloom_peers: k.then_some(&self.filter),
            port: l.then_some(port),
        }
    }
}

/// A canonical value, by bendy.
pub(super) fn bencoded() -> impl Strategy<Value = Vec<u8>> {
    tree().prop_filter_map("small enough to be stored", |tree| tree.encode().ok())
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        vec(any::<u8>(), 0..24).prop_map(Value::Bytes),
        any::<i64>().prop_map(Value::Integer),
        (-3..12_i64).prop_map(Value::Integer),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::List),
            btree_map(vec(any::<u8>(), 0..4), inner, 0..6).prop_map(Value::Dictionary),
        ]
    })
}

/// What is made of the bytes that bencode is made of.
pub(super) fn bencodish() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        select(vec!["l", "d", "e", "i", "0:", "1:a", "1:b", "2:ab", "01:a", "-", "i0e", "i-0e"]),
        select(vec!["i1e", "i-1e", "i01e", "ie", "0", "1", ":", "d1:a", "i18446744073709551616e"]),
    ];
    vec(token, 0..16).prop_map(|tokens| tokens.concat().into_bytes())
}

/// A canonical dictionary with the keys of messages, and values that fit them or do not.
pub(super) fn krpcish() -> impl Strategy<Value = Vec<u8>> {
    let keys = vec![
        "id",
        "target",
        "info_hash",
        "token",
        "v",
        "k",
        "sig",
        "seq",
        "cas",
        "salt",
        "port",
        "want",
        "n",
        "seed",
        "noseed",
        "scrape",
        "implied_port",
        "nodes",
        "nodes6",
        "nodes2",
        "values",
        "samples",
        "interval",
        "num",
        "BFsd",
        "BFpe",
        "p",
        "zz",
    ];
    let key = select(keys).prop_map(|key| key.as_bytes().to_vec());
    let inner = || {
        (btree_map(key.clone(), scalar(), 0..8), uniform20(any::<u8>())).prop_map(
            |(mut map, id)| {
                map.insert(b"id".to_vec(), Value::Bytes(id.to_vec()));
                map.entry(b"target".to_vec()).or_insert(Value::Bytes(id.to_vec()));
                Value::Dictionary(map)
            },
        )
    };
    let methods = vec!["ping", "find_node", "get", "put", "get_peers", "announce_peer", "x"];
    let string = |text: &str| Value::Bytes(text.as_bytes().to_vec());
    (inner(), inner(), select(methods), select(vec!["q", "r", "e"]), any::<[bool; 6]>(), scalar())
        .prop_map(move |(arguments, reply, method, kind, present, odd)| {
            let error = Value::List(vec![Value::Integer(203), string("bad")]);
            let mut entries = BTreeMap::from([
                (b"t".to_vec(), string("aa")),
                (b"y".to_vec(), string(kind)),
                (b"a".to_vec(), arguments),
                (b"r".to_vec(), reply),
                (b"q".to_vec(), string(method)),
                (b"e".to_vec(), error),
            ]);
            let keys = [&b"v"[..], b"ip", b"ro", b"zz", b"", b"tt"];
            for (key, _) in keys.iter().zip(present).filter(|(_, present)| *present) {
                entries.insert(key.to_vec(), odd.clone());
            }
            Value::Dictionary(entries).encode().expect("flat")
        })
}

fn scalar() -> impl Strategy<Value = Value> {
    let lengths = select(vec![0, 1, 4, 6, 12, 18, 20, 26, 32, 38, 52, 64, 256]);
    prop_oneof![
        lengths.prop_flat_map(|length| vec(any::<u8>(), length)).prop_map(Value::Bytes),
        (-1..70_000_i64).prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Integer),
        vec(vec(any::<u8>(), 6), 0..4)
            .prop_map(|peers| Value::List(peers.into_iter().map(Value::Bytes).collect())),
        Just(Value::List(vec![Value::Bytes(b"n4".to_vec()), Value::Integer(1)])),
        Just(Value::Dictionary(BTreeMap::new())),
    ]
}

/// One piece of damage.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, Index),
}

pub(super) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let telling = select(b"0123456789:ilde-".to_vec());
    let byte = prop_oneof![any::<u8>(), telling];
    let index = any::<Index>;
    let mutation = prop_oneof![
        4 => (index(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        2 => (index(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        2 => index().prop_map(Mutation::Remove),
        1 => index().prop_map(Mutation::Truncate),
        2 => (index(), index()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ];
    vec(mutation, 1..4)
}

pub(super) fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        if bytes.is_empty() {
            return;
        }
        match mutation {
            Mutation::Replace(at, byte) => *at.get_mut(bytes) = *byte,
            Mutation::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Mutation::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
            Mutation::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Mutation::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..=from.max(to)].to_vec();
                bytes.splice(from.min(to)..from.min(to), part);
            }
        }
    }
}
