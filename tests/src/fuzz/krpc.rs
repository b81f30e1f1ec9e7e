//! Fuzz targets of the krpc crate: datagrams from strangers, and the values that they ask to store.
//!
//! Separate, because each crate's promises are written down in one file.

use mainstay_krpc::item::{self, ImmutableItem, MAX_VALUE};
use mainstay_krpc::value::Value;
use mainstay_krpc::{Body, Message, canonical};

/// More peers than these make a message of more tokens than anybody reads.
const MOST_PEERS: usize = 400;

pub(super) fn message_seeds() -> Vec<Vec<u8>> {
    let (key, signature, filter) = ("k".repeat(32), "s".repeat(64), "f".repeat(256));
    let id = "2:id20:abcdefghij0123456789";
    let target = "6:target20:mnopqrstuvwxyz123456";
    let info_hash = "9:info_hash20:mnopqrstuvwxyz123456";
    let queries = [
        ("ping", String::new()),
        ("find_node", format!("{target}4:wantl2:n42:n6e")),
        ("get", format!("3:seqi5e{target}")),
        ("get_peers", format!("{info_hash}6:noseedi1e6:scrapei1e")),
        ("announce_peer", format!("12:implied_porti1e{info_hash}1:n1:x4:porti6881e5:token2:ab")),
        ("put", format!("1:k32:{key}4:salt1:x3:seqi1e3:sig64:{signature}5:token2:ab1:vd1:ai1ee")),
        ("put", "5:token2:ab1:v3:abc".to_owned()),
        ("sample_infohashes", target.to_owned()),
        ("vote", target.to_owned()),
    ];
    let queries = queries.map(|(method, arguments)| {
        format!("d1:ad{id}{arguments}e1:q{}:{method}2:roi1e1:t2:aa1:v4:MS011:y1:qe", method.len())
    });
    let replies = [
        format!("5:nodes26:mnopqrstuvwxyz123456abcdef6:nodes638:{}", "n".repeat(38)),
        "5:nodesl26:mnopqrstuvwxyz123456abcdefe6:nodes2l38:mnope".to_owned(),
        "5:token2:ab6:valuesl6:abcdef18:abcdefghijklmnopqre".to_owned(),
        "6:values12:abcdefghijkl".to_owned(),
        format!("1:k32:{key}3:seqi1e3:sig64:{signature}1:vd1:ali1e2:bcee"),
        format!("4:BFpe256:{filter}4:BFsd256:{filter}1:pi6881e"),
        "8:intervali60e3:numi1e7:samples20:mnopqrstuvwxyz123456".to_owned(),
    ];
    let replies = replies.map(|entries| format!("d2:ip6:abcdef1:rd{id}{entries}e1:t2:aa1:y1:re"));
    let errors = ["d1:eli203e3:bade1:t2:aa1:y1:ee", "d1:e3:bad1:t2:aa1:y1:ee"].map(str::to_owned);
    let all = queries.into_iter().chain(replies).chain(errors);
    all.map(String::into_bytes).collect()
}

/// Any datagram is refused or is one message, and what we write of that message is read as the same one.
pub(super) fn message(data: &[u8]) {
    match Message::decode(data) {
        Ok(message) => {
            if peers(&message) <= MOST_PEERS {
                let written = encode(&message);
                assert_eq!(Message::decode(&written), Ok(message));
            }
        }
        Err(error) => {
            let Some(reply) = error.reply() else { return };
            assert_eq!(Some(reply.transaction), error.transaction());
            assert_eq!(Message::decode(&encode(&reply)), Ok(reply));
        }
    }
}

fn peers(message: &Message<'_>) -> usize {
    match message.body {
        Body::Response(response) => response.values.iter().count(),
        Body::Query(_) | Body::Error(_) => 0,
    }
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

pub(super) fn value_seeds() -> Vec<Vec<u8>> {
    ["", "12:Hello World!", "i-5e", "i0e", "le", "de", "d1:ali1e2:bce1:bd1:c0:ee", "lllleeee"]
        .map(|value| value.as_bytes().to_vec())
        .into()
}

/// Any value is refused or is canonical: then it is stored if it is small enough, and its tree is written as it was.
pub(super) fn value(data: &[u8]) {
    let canonical = canonical::check(data).is_ok();
    let stored = ImmutableItem::new(data);
    assert_eq!(stored.is_ok(), canonical && data.len() <= MAX_VALUE);
    if let Ok(tree) = Value::decode(data) {
        assert!(canonical);
        assert_eq!(tree.encode().as_deref(), Ok(data));
    }
    if let Some(payload) = item::byte_string(data) {
        assert!(canonical && data.ends_with(payload));
    }
}
