//! A second reader of messages, slow and strict, over bendy: what it understands, ours must understand alike.

use std::collections::BTreeMap;

use bendy::decoding::{Decoder, Object};

use super::bendy_accepts;
use crate::compact::read_peer;
use crate::message::MAX_TRANSACTION;
use crate::{
    AnnouncePort, Body, ErrorReply, Id, Message, Method, MutablePut, Nodes, Nodes6, Put, Query,
    Response, Samples, Values, Want,
};

/// A value of a dictionary.
#[derive(Clone, Copy)]
enum Item<'a> {
    Bytes(&'a [u8]),
    Integer(i64),
    List(&'a [u8]),
    Dictionary(&'a [u8]),
    /// An integer beyond 64 bits.
    Huge,
}

/// A dictionary, and the bytes of each value.
struct Entries<'a>(BTreeMap<&'a [u8], (Item<'a>, &'a [u8])>);

/// The message, if bendy takes `datagram` for one and every entry of it is of the kind that the BEPs say.
pub(super) fn read(datagram: &[u8]) -> Option<Message<'_>> {
    if !bendy_accepts(datagram) {
        return None;
    }
    let entries = Entries::read(datagram)?;
    let transaction = entries.bytes(b"t")??;
    if transaction.is_empty() || transaction.len() > MAX_TRANSACTION {
        return None;
    }
    let body = match entries.bytes(b"y")?? {
        b"q" => Body::Query(read_query(&entries)?),
        b"r" => Body::Response(read_response(&Entries::read(entries.dictionary(b"r")?)?)?),
        b"e" => Body::Error(read_error(entries.list(b"e")??)?),
        _ => return None,
    };
    let is_query = matches!(body, Body::Query(_));
    let ip = match entries.bytes(b"ip")? {
        Some(ip) => Some(read_peer(ip)?),
        None => None,
    };
    Some(Message {
        transaction,
        version: entries.bytes(b"v")?,
        ip: ip.filter(|_| !is_query),
        read_only: entries.flag(b"ro")? && is_query,
        body,
    })
}

fn read_query<'a>(entries: &Entries<'a>) -> Option<Query<'a>> {
    let arguments = Entries::read(entries.dictionary(b"a")?)?;
    let (mut want, mut may_want) = (Want::NONE, true);
    if let Some(list) = arguments.list(b"want")? {
        for family in strings(list)? {
            match family {
                b"n4" => want.n4 = true,
                b"n6" => want.n6 = true,
                _ => {}
            }
        }
    }
    let target = || arguments.id(b"target").or_else(|| arguments.id(b"info_hash"));
    let method = match entries.bytes(b"q")?? {
        b"ping" => {
            may_want = false;
            Method::Ping
        }
        b"find_node" => Method::FindNode { target: arguments.id(b"target")? },
        b"get_peers" => Method::GetPeers {
            info_hash: arguments.id(b"info_hash")?,
            no_seed: arguments.flag(b"noseed")?,
            scrape: arguments.flag(b"scrape")?,
        },
        b"announce_peer" => {
            may_want = false;
            read_announce(&arguments)?
        }
        b"get" => Method::Get { target: arguments.id(b"target")?, seq: arguments.integer(b"seq")? },
        b"put" => {
            may_want = false;
            Method::Put(read_put(&arguments)?)
        }
        b"sample_infohashes" => Method::SampleInfohashes { target: arguments.id(b"target")? },
        name => Method::Unknown { name, target: target() },
    };
    let want = if may_want { want } else { Want::NONE };
    Some(Query { id: arguments.id(b"id")?, want, method })
}

fn read_announce<'a>(arguments: &Entries<'a>) -> Option<Method<'a>> {
    let port = arguments.integer(b"port")?;
    let port = match port {
        Some(port) => u16::try_from(port).ok()?,
        None => 0,
    };
    let port = if arguments.flag(b"implied_port")? {
        AnnouncePort::Implied { fallback: port }
    } else if port == 0 {
        return None;
    } else {
        AnnouncePort::Explicit(port)
    };
    Some(Method::AnnouncePeer {
        info_hash: arguments.id(b"info_hash")?,
        port,
        token: arguments.bytes(b"token")??,
        seed: arguments.flag(b"seed")?,
        name: arguments.bytes(b"n")?,
    })
}

fn read_put<'a>(arguments: &Entries<'a>) -> Option<Put<'a>> {
    let mutable = match arguments.bytes(b"k")? {
        Some(key) => Some(MutablePut {
            key: key.try_into().ok()?,
            salt: arguments.bytes(b"salt")?.unwrap_or_default(),
            seq: arguments.integer(b"seq")??,
            signature: arguments.bytes(b"sig")??.try_into().ok()?,
            cas: arguments.integer(b"cas")?,
        }),
        None => None,
    };
    let value = arguments.0.get(&b"v"[..])?.1;
    Some(Put { token: arguments.bytes(b"token")??, value, mutable })
}

fn read_response<'a>(entries: &Entries<'a>) -> Option<Response<'a>> {
    let array256 = |key| match entries.bytes(key)? {
        Some(filter) => filter.try_into().ok().map(Some),
        None => Some(None),
    };
    let interval = match entries.integer(b"interval")? {
        Some(seconds) => {
            Some(u32::try_from(seconds).ok().filter(|it| *it <= Response::MAX_INTERVAL)?)
        }
        None => None,
    };
    let port = match entries.integer(b"p")? {
        Some(port) => Some(u16::try_from(port).ok().filter(|port| *port != 0)?),
        None => None,
    };
    if entries.0.contains_key(&b"nodes2"[..]) {
        return None;
    }
    Some(Response {
        id: entries.id(b"id")?,
        nodes: entries.bytes(b"nodes")?.map_or(Nodes::Absent, Nodes::Raw),
        nodes6: entries.bytes(b"nodes6")?.map_or(Nodes6::Absent, Nodes6::Raw),
        token: entries.bytes(b"token")?,
        values: entries.list(b"values")?.map_or(Values::Absent, Values::Raw),
        value: entries.0.get(&b"v"[..]).map(|(_, span)| *span),
        key: match entries.bytes(b"k")? {
            Some(key) => Some(key.try_into().ok()?),
            None => None,
        },
        signature: match entries.bytes(b"sig")? {
            Some(signature) => Some(signature.try_into().ok()?),
            None => None,
        },
        seq: entries.integer(b"seq")?,
        samples: entries.bytes(b"samples")?.map_or(Samples::Absent, Samples::Raw),
        interval,
        num: match entries.integer(b"num")? {
            Some(num) => Some(u64::try_from(num).ok()?),
            None => None,
        },
        bloom_seeds: array256(b"BFsd")?,
        bloom_peers: array256(b"BFpe")?,
        port,
    })
}

fn read_error(list: &[u8]) -> Option<ErrorReply<'_>> {
    let mut decoder = Decoder::new(list);
    let mut items = decoder.next_object().ok()??.try_into_list().ok()?;
    let Object::Integer(code) = items.next_object().ok()?? else { return None };
    let code = code.parse().ok()?;
    let Object::Bytes(text) = items.next_object().ok()?? else { return None };
    items.next_object().ok()?.is_none().then_some(ErrorReply { code, text })
}

/// The strings of a list that holds nothing else.
fn strings(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut decoder = Decoder::new(list);
    let mut items = decoder.next_object().ok()??.try_into_list().ok()?;
    let mut strings = Vec::new();
    while let Some(item) = items.next_object().ok()? {
        let Object::Bytes(string) = item else { return None };
        strings.push(string);
    }
    Some(strings)
}

impl<'a> Entries<'a> {
    fn read(dictionary: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(dictionary);
        let mut pairs = decoder.next_object().ok()??.try_into_dictionary().ok()?;
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = pairs.next_pair().ok()? {
            let entry = match value {
                Object::Bytes(bytes) => {
                    let prefix = bytes.len().to_string().len() + 1;
                    (Item::Bytes(bytes), around(dictionary, bytes, prefix, 0))
                }
                Object::Integer(text) => {
                    let item = text.parse().map_or(Item::Huge, Item::Integer);
                    (item, around(dictionary, text.as_bytes(), 1, 1))
                }
                Object::List(list) => {
                    let span = list.into_raw().ok()?;
                    (Item::List(span), span)
                }
                Object::Dict(inner) => {
                    let span = inner.into_raw().ok()?;
                    (Item::Dictionary(span), span)
                }
            };
            entries.insert(key, entry);
        }
        Some(Self(entries))
    }

    /// `Some(None)` for no such entry, `None` for one of another kind.
    fn bytes(&self, key: &[u8]) -> Option<Option<&'a [u8]>> {
        match self.0.get(key) {
            Some((Item::Bytes(bytes), _)) => Some(Some(bytes)),
            Some(_) => None,
            None => Some(None),
        }
    }

    fn integer(&self, key: &[u8]) -> Option<Option<i64>> {
        match self.0.get(key) {
            Some((Item::Integer(integer), _)) => Some(Some(*integer)),
            Some(_) => None,
            None => Some(None),
        }
    }

    fn list(&self, key: &[u8]) -> Option<Option<&'a [u8]>> {
        match self.0.get(key) {
            Some((Item::List(list), _)) => Some(Some(list)),
            Some(_) => None,
            None => Some(None),
        }
    }

    fn dictionary(&self, key: &[u8]) -> Option<&'a [u8]> {
        match self.0.get(key)? {
            (Item::Dictionary(dictionary), _) => Some(dictionary),
            _ => None,
        }
    }

    fn flag(&self, key: &[u8]) -> Option<bool> {
        self.integer(key).map(|flag| flag.is_some_and(|flag| flag != 0))
    }

    fn id(&self, key: &[u8]) -> Option<Id> {
        Id::try_from(self.bytes(key)??).ok()
    }
}

/// `part` of `whole` with so many bytes more before and after it.
fn around<'a>(whole: &'a [u8], part: &'a [u8], before: usize, after: usize) -> &'a [u8] {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    &whole[start - before..start + part.len() + after]
}
