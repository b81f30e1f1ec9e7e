//! Fuzz target that reads every datagram twice, with our codec and with bendy, and compares.
//!
//! Separate from the other targets of the codec: here somebody else says what the bytes mean.

use std::borrow::Cow;

use bendy::decoding::{Decoder, FromBencode as _};
use bendy::value::Value;
use mainstay_krpc::{Body, Message, Method};

/// How deep bendy reads; a message has no need for more.
const DEPTH: usize = 64;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    super::krpc::message_seeds()
}

/// What both take for a message has the same transaction, kind, id, target and token for both; what we write of it is
/// bencode for bendy, too.
pub(super) fn bendy_agrees(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    if let Some(tree) = read(data) {
        compare(&message, &tree);
    }
    let mut written = Vec::new();
    message.encode(&mut written);
    // What somebody stored is handed on as it was written, canonical or not.
    if !holds_a_value(&message) {
        let tree = read(&written).expect("we write what bendy reads");
        compare(&message, &tree);
    }
}

/// What bendy makes of the bytes, if they are one canonical value and nothing else.
fn read(data: &[u8]) -> Option<Value<'static>> {
    let mut decoder = Decoder::new(data).with_max_depth(DEPTH);
    let tree = Value::decode_bencode_object(decoder.next_object().ok()??).ok()?;
    let is_whole = decoder.next_object().ok()?.is_none();
    is_whole.then(|| tree.into_owned())
}

fn holds_a_value(message: &Message<'_>) -> bool {
    match message.body {
        Body::Query(query) => matches!(query.method, Method::Put(_)),
        Body::Response(response) => response.value.is_some(),
        Body::Error(_) => false,
    }
}

fn compare(message: &Message<'_>, tree: &Value<'_>) {
    let bytes = |tree: Option<&Value<'_>>| match tree {
        Some(Value::Bytes(bytes)) => Some(bytes.to_vec()),
        _ => None,
    };
    // None is as good as an empty one: neither can be answered by anybody.
    assert_eq!(bytes(entry(tree, b"t")).unwrap_or_default(), message.transaction);
    let (kind, inside) = match message.body {
        Body::Query(_) => (b"q", entry(tree, b"a")),
        Body::Response(_) => (b"r", entry(tree, b"r")),
        Body::Error(_) => (b"e", None),
    };
    // Some nodes leave it out, and what they mean shows.
    if let Some(named) = bytes(entry(tree, b"y")) {
        assert_eq!(named, kind);
    }
    let inside = |key: &[u8]| inside.and_then(|inside| bytes(entry(inside, key)));
    match message.body {
        Body::Query(query) => {
            assert_eq!(inside(b"id").as_deref(), Some(query.id.as_bytes().as_slice()));
            let target = match query.method {
                Method::FindNode { target } | Method::Get { target, .. } => {
                    Some((target, b"target".as_slice()))
                }
                Method::SampleInfohashes { target } => Some((target, b"target".as_slice())),
                Method::GetPeers { info_hash, .. } => Some((info_hash, b"info_hash".as_slice())),
                Method::AnnouncePeer { info_hash, token, .. } => {
                    assert_eq!(inside(b"token").as_deref(), Some(token));
                    Some((info_hash, b"info_hash".as_slice()))
                }
                Method::Put(put) => {
                    assert_eq!(inside(b"token").as_deref(), Some(put.token));
                    None
                }
                Method::Ping | Method::Unknown { .. } => None,
            };
            // Some clients put the target under another name.
            if let Some((target, key)) = target
                && let Some(named) = inside(key)
            {
                assert_eq!(named, target.as_bytes());
            }
        }
        Body::Response(response) => {
            assert_eq!(inside(b"id").as_deref(), Some(response.id.as_bytes().as_slice()));
            if let Some(token) = response.token {
                assert_eq!(inside(b"token").as_deref(), Some(token));
            }
        }
        Body::Error(_) => {}
    }
}

fn entry<'t>(tree: &'t Value<'_>, key: &[u8]) -> Option<&'t Value<'t>> {
    let Value::Dict(entries) = tree else { return None };
    entries
        .iter()
        .find(|(name, _)| <Cow<'_, [u8]> as AsRef<[u8]>>::as_ref(name) == key)
        .map(|(_, value)| value)
}
