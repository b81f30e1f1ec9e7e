//! From a message to a datagram: canonical, straight into the caller's buffer, apart from tolerant reading.

use crate::Id;
use crate::bencode::{push_integer, push_length, push_string};
use crate::compact::{CompactNode, NodeList, Samples, Values, write_peer};
use crate::message::{
    AnnouncePort, Body, ErrorReply, Message, Method, MutablePut, Put, Query, Response, Want,
};

impl Message<'_> {
    /// Appends this message to `out` as one canonical bencoded dictionary.
    ///
    /// Allocates nothing beside what `out` grows by. Left out are fields where no BEP has a place for them:
    /// [`ip`](Self::ip) in queries, [`read_only`](Self::read_only) outside of them, [`want`](Query::want) where no nodes
    /// are listed. What a list cannot hold whole is left out of it; a [`value`](Put::value) is written verbatim.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.body {
            Body::Query(query) => {
                write_query(query, out);
                if self.read_only {
                    out.extend_from_slice(b"2:roi1e");
                }
                self.write_tail(b"1:y1:qe", out);
            }
            Body::Response(response) => {
                match self.ip {
                    Some(_) => self.write_ip(b"d2:ip6:", b"d2:ip18:", out),
                    None => out.push(b'd'),
                }
                write_response(response, out);
                self.write_tail(b"1:y1:re", out);
            }
            Body::Error(error) => {
                write_error(error, out);
                self.write_ip(b"2:ip6:", b"2:ip18:", out);
                self.write_tail(b"1:y1:ee", out);
            }
        }
    }

    fn write_ip(&self, key4: &[u8], key6: &[u8], out: &mut Vec<u8>) {
        if let Some(ip) = self.ip {
            out.extend_from_slice(if ip.is_ipv4() { key4 } else { key6 });
            write_peer(ip, out);
        }
    }

    /// Writes transaction, version and `kind`. The usual lengths of the first two have a path without a call.
    fn write_tail(&self, kind: &[u8; 7], out: &mut Vec<u8>) {
        match *self.transaction {
            [a, b] => out.extend_from_slice(&[b'1', b':', b't', b'2', b':', a, b]),
            _ => write_bytes(b"1:t", Some(self.transaction), out),
        }
        match self.version {
            Some(&[a, b, c, d]) => {
                out.extend_from_slice(&[b'1', b':', b'v', b'4', b':', a, b, c, d]);
            }
            version => write_bytes(b"1:v", version, out),
        }
        out.extend_from_slice(kind);
    }
}

/// Writes the arguments and the method, with the opening of the message before them.
fn write_query(query: &Query<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"d1:ad");
    if let Method::Put(Put { mutable: Some(MutablePut { cas: Some(cas), .. }), .. }) = query.method
    {
        out.extend_from_slice(b"3:cas");
        push_integer(out, cas);
    }
    out.extend_from_slice(b"2:id20:");
    out.extend_from_slice(query.id.as_bytes());
    match query.method {
        Method::Ping => out.extend_from_slice(b"e1:q4:ping"),
        Method::FindNode { target } => {
            write_target(target, query.want, out);
            out.extend_from_slice(b"e1:q9:find_node");
        }
        Method::GetPeers { info_hash, no_seed, scrape } => {
            write_info_hash(info_hash, out);
            write_flag(b"6:noseedi1e", no_seed, out);
            write_flag(b"6:scrapei1e", scrape, out);
            write_want(query.want, out);
            out.extend_from_slice(b"e1:q9:get_peers");
        }
        Method::AnnouncePeer { info_hash, port, token, seed, name } => {
            write_flag(b"12:implied_porti1e", matches!(port, AnnouncePort::Implied { .. }), out);
            write_info_hash(info_hash, out);
            write_bytes(b"1:n", name, out);
            let (AnnouncePort::Explicit(port) | AnnouncePort::Implied { fallback: port }) = port;
            write_integer(b"4:port", Some(i64::from(port)), out);
            write_flag(b"4:seedi1e", seed, out);
            write_bytes(b"5:token", Some(token), out);
            out.extend_from_slice(b"e1:q13:announce_peer");
        }
        Method::Get { target, seq } => {
            write_integer(b"3:seq", seq, out);
            write_target(target, query.want, out);
            out.extend_from_slice(b"e1:q3:get");
        }
        Method::Put(put) => write_put(&put, out),
        Method::SampleInfohashes { target } => {
            write_target(target, query.want, out);
            out.extend_from_slice(b"e1:q17:sample_infohashes");
        }
        Method::Unknown { name, target } => {
            match target {
                Some(target) => write_target(target, query.want, out),
                None => write_want(query.want, out),
            }
            write_bytes(b"e1:q", Some(name), out);
        }
    }
}

fn write_put(put: &Put<'_>, out: &mut Vec<u8>) {
    if let Some(mutable) = &put.mutable {
        out.extend_from_slice(b"1:k32:");
        out.extend_from_slice(mutable.key);
        if !mutable.salt.is_empty() {
            write_bytes(b"4:salt", Some(mutable.salt), out);
        }
        write_integer(b"3:seq", Some(mutable.seq), out);
        out.extend_from_slice(b"3:sig64:");
        out.extend_from_slice(mutable.signature);
    }
    write_bytes(b"5:token", Some(put.token), out);
    out.extend_from_slice(b"1:v");
    out.extend_from_slice(put.value);
    out.extend_from_slice(b"e1:q3:put");
}

fn write_response(response: &Response<'_>, out: &mut Vec<u8>) {
    if response.bloom_peers.is_none() && response.bloom_seeds.is_none() {
        out.extend_from_slice(b"1:rd2:id20:");
    } else {
        out.extend_from_slice(b"1:rd");
        write_array(b"4:BFpe256:", response.bloom_peers, out);
        write_array(b"4:BFsd256:", response.bloom_seeds, out);
        out.extend_from_slice(b"2:id20:");
    }
    out.extend_from_slice(response.id.as_bytes());
    write_integer(b"8:interval", response.interval.map(i64::from), out);
    write_array(b"1:k32:", response.key, out);
    write_nodes(b"5:nodes", &response.nodes, out);
    write_nodes(b"6:nodes6", &response.nodes6, out);
    write_integer(b"3:num", response.num.map(|num| i64::try_from(num).unwrap_or(i64::MAX)), out);
    write_integer(b"1:p", response.port.map(i64::from), out);
    write_samples(&response.samples, out);
    write_integer(b"3:seq", response.seq, out);
    write_array(b"3:sig64:", response.signature, out);
    write_bytes(b"5:token", response.token, out);
    if let Some(value) = response.value {
        out.extend_from_slice(b"1:v");
        out.extend_from_slice(value);
    }
    write_values(&response.values, out);
    out.push(b'e');
}

/// Writes code and text, with the opening of the message before them.
fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"d1:el");
    push_integer(out, error.code);
    push_string(out, error.text);
    out.push(b'e');
}

fn write_target(target: Id, want: Want, out: &mut Vec<u8>) {
    out.extend_from_slice(b"6:target20:");
    out.extend_from_slice(target.as_bytes());
    write_want(want, out);
}

fn write_info_hash(info_hash: Id, out: &mut Vec<u8>) {
    out.extend_from_slice(b"9:info_hash20:");
    out.extend_from_slice(info_hash.as_bytes());
}

fn write_want(want: Want, out: &mut Vec<u8>) {
    out.extend_from_slice(match want {
        Want { n4: false, n6: false } => b"",
        Want { n4: true, n6: false } => b"4:wantl2:n4e",
        Want { n4: false, n6: true } => b"4:wantl2:n6e",
        Want { n4: true, n6: true } => b"4:wantl2:n42:n6e",
    });
}

fn write_flag(entry: &[u8], flag: bool, out: &mut Vec<u8>) {
    if flag {
        out.extend_from_slice(entry);
    }
}

fn write_integer(key: &[u8], integer: Option<i64>, out: &mut Vec<u8>) {
    if let Some(integer) = integer {
        out.extend_from_slice(key);
        push_integer(out, integer);
    }
}

fn write_bytes(key: &[u8], bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(bytes) = bytes {
        out.extend_from_slice(key);
        push_string(out, bytes);
    }
}

/// Writes a string of known length; `key` ends with that length.
fn write_array<const N: usize>(key: &[u8], bytes: Option<&[u8; N]>, out: &mut Vec<u8>) {
    if let Some(bytes) = bytes {
        out.extend_from_slice(key);
        out.extend_from_slice(bytes);
    }
}

fn write_nodes<N: CompactNode>(key: &[u8], nodes: &NodeList<'_, N>, out: &mut Vec<u8>) {
    match *nodes {
        NodeList::Absent => {}
        NodeList::Raw(bytes) => {
            let whole = bytes.len() - bytes.len() % N::LENGTH;
            write_bytes(key, bytes.get(..whole), out);
        }
        NodeList::List(nodes) => {
            out.extend_from_slice(key);
            push_length(out, nodes.len() * N::LENGTH);
            N::write_all(nodes, out);
        }
        NodeList::Strings(_) => {
            out.extend_from_slice(key);
            push_length(out, nodes.iter().count() * N::LENGTH);
            nodes.iter().for_each(|node| N::write_all(&[node], out));
        }
    }
}

fn write_samples(samples: &Samples<'_>, out: &mut Vec<u8>) {
    if !samples.is_absent() {
        out.extend_from_slice(b"7:samples");
        push_length(out, samples.iter().count() * Id::LENGTH);
        samples.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
    }
}

fn write_values(values: &Values<'_>, out: &mut Vec<u8>) {
    if !values.is_absent() {
        out.extend_from_slice(b"6:valuesl");
        for peer in values {
            out.extend_from_slice(if peer.is_ipv4() { b"6:" } else { b"18:" });
            write_peer(peer, out);
        }
        out.push(b'e');
    }
}
