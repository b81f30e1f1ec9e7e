//! The queries of a stranger, and what it reads from the answers.
//! Apart from the tests, because both kinds of them ask the same.

use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{Body, Id, Message, Method, Put, Query, Response};

/// What is asked, and may cost nothing beyond its first time.
pub(crate) const KINDS: [&str; 6] =
    ["ping", "find_node", "get_peers", "get_absent", "get_value", "put_identical"];

/// One query of that kind about the item of a key, of which a version is stored.
pub(crate) fn query(kind: &str, turn: u8, token: &[u8], stored: &MutableItem) -> Vec<u8> {
    let target = Id::from_bytes([turn; 20]);
    encode(match kind {
        "ping" => Method::Ping,
        "find_node" => Method::FindNode { target },
        "get_peers" => Method::GetPeers { info_hash: target, no_seed: false, scrape: false },
        "get_absent" => Method::Get { target, seq: None },
        "get_value" => Method::Get { target: stored.target(), seq: None },
        _ => Method::Put(Put::mutable(token, stored, None)),
    })
}

/// A query that tells the token for the target of an item.
pub(crate) fn get(item: &MutableItem) -> Vec<u8> {
    encode(Method::Get { target: item.target(), seq: None })
}

pub(crate) fn put(token: &[u8], item: &MutableItem) -> Vec<u8> {
    encode(Method::Put(Put::mutable(token, item, None)))
}

/// The token of an answer to a `get`.
pub(crate) fn token(answer: &[u8]) -> Vec<u8> {
    let Body::Response(Response { token: Some(token), .. }) = Message::decode(answer).unwrap().body
    else {
        panic!("no token")
    };
    token.to_vec()
}

/// Whether it is an answer, and no error.
pub(crate) fn is_answer(datagram: &[u8]) -> bool {
    Message::decode(datagram).is_ok_and(|message| matches!(message.body, Body::Response(_)))
}

/// The largest item there can be.
pub(crate) fn item(key: u8, seq: i64) -> MutableItem {
    let keypair = Keypair::from_secret_key(&[key; 32]);
    MutableItem::sign_bytes(&keypair, b"", seq, &[b'x'; 996]).unwrap()
}

fn encode(method: Method<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let querier = Id::from_bytes(*b"abcdefghij0123456789");
    let mut message = Message::query(b"aaaa", Query::new(querier, method));
    // Nobody asks back who is no node.
    message.read_only = true;
    message.encode(&mut bytes);
    bytes
}
