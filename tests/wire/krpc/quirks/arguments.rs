//! Quirks of what queries ask with.
//! Apart from answers because they stand under other keys.

use mainstay_krpc::{AnnouncePort, Message, Method, Put, Want};

use super::super::{TARGET, query};
use super::{Row, check, is_ping};

#[test]
fn queries_are_understood_as_old_and_careless_clients_send_them() {
    check(QUERIES);
}

const QUERIES: &[Row] = &[
    (
        "every key twice: the first ones win",
        b"d1:ad2:id20:abcdefghij012345678912:implied_porti0e12:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234569:info_hash20:aaaaaaaaaaaaaaaaaaaa1:n1:a1:n1:b4:porti1e4:porti2e4:seedi1e4:seedi0e5:token1:a5:token1:be1:q13:announce_peer1:t2:aa1:y1:qe",
        |message| {
            let first = Method::AnnouncePeer {
                info_hash: TARGET,
                port: AnnouncePort::Explicit(1),
                token: b"a",
                seed: true,
                name: Some(b"a"),
            };
            query(message).method == first
        },
    ),
        (
            "`want` with unknown entries",
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n9i4ele2:n6ee1:q9:find_node1:t2:aa1:y1:qe",
            |message| query(message).want == Want::BOTH,
        ),
        (
            "`want` as a string",
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:want2:n6e1:q9:find_node1:t2:aa1:y1:qe",
            |message| query(message).want == Want::N6,
        ),
        (
            "`want` as an integer",
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wanti6ee1:q9:find_node1:t2:aa1:y1:qe",
            |message| query(message).want == Want::NONE,
        ),
        (
            "libtorrent's mark of a bootstrap query",
            b"d1:ad2:bsi1e2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
            is_ping,
        ),
        (
            "`implied_port` as a digit",
            b"d1:ad2:id20:abcdefghij012345678912:implied_port1:19:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| port(message) == AnnouncePort::Implied { fallback: 6881 },
        ),
        (
            "`implied_port` as a raw byte",
            b"d1:ad2:id20:abcdefghij012345678912:implied_port1:\x019:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| port(message) == AnnouncePort::Implied { fallback: 6881 },
        ),
        (
            "`implied_port` as the digit zero",
            b"d1:ad2:id20:abcdefghij012345678912:implied_port1:09:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| port(message) == AnnouncePort::Explicit(6881),
        ),
        (
            "`implied_port` without a port",
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234565:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| port(message) == AnnouncePort::Implied { fallback: 0 },
        ),
        (
            "`implied_port` with a port that cannot be",
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti-1e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| port(message) == AnnouncePort::Implied { fallback: 0 },
        ),
        (
            "an announcement with the torrent's name and `seed`",
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234561:n6:ubuntu4:porti6881e4:seedi1e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| {
                matches!(
                    query(message).method,
                    Method::AnnouncePeer { name: Some(b"ubuntu"), seed: true, .. }
                )
            },
        ),
        (
            "`seed` said to be zero (libtorrent)",
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e4:seedi0e5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
            |message| matches!(query(message).method, Method::AnnouncePeer { seed: false, .. }),
        ),
        (
            "an unknown method with a target",
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe",
            |message| {
                query(message).method == Method::Unknown { name: b"vote", target: Some(TARGET) }
            },
        ),
        (
            "an unknown method with an info hash",
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe",
            |message| {
                query(message).method == Method::Unknown { name: b"vote", target: Some(TARGET) }
            },
        ),
        (
            "an unknown method with neither",
            b"d1:ad2:id20:abcdefghij0123456789e1:q0:1:t2:aa1:y1:qe",
            |message| query(message).method == Method::Unknown { name: b"", target: None },
        ),
];

#[test]
fn puts_are_understood_as_other_implementations_send_them() {
    check(PUTS);
}

const PUTS: &[Row] = &[
        (
            "a target, which mainline adds and nobody may believe",
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234565:token1:a1:v3:abce1:q3:put1:t2:aa1:y1:qe",
            |message| put(message) == Put { token: b"a", value: b"3:abc", mutable: None },
        ),
        (
            "a sequence number on an immutable value (anacrolix)",
            b"d1:ad2:id20:abcdefghij01234567893:seqi0e5:token1:a1:v3:abce1:q3:put1:t2:aa1:y1:qe",
            |message| put(message) == Put { token: b"a", value: b"3:abc", mutable: None },
        ),
        (
            "a signature without a key",
            b"d1:ad2:id20:abcdefghij01234567893:sig3:abc5:token1:a1:v3:abce1:q3:put1:t2:aa1:y1:qe",
            |message| put(message).mutable.is_none(),
        ),
        (
            "an integer as the value",
            b"d1:ad2:id20:abcdefghij01234567895:token1:a1:vi-5ee1:q3:put1:t2:aa1:y1:qe",
            |message| put(message).value == b"i-5e",
        ),
        (
            "a list as the value",
            b"d1:ad2:id20:abcdefghij01234567895:token1:a1:vl3:abci1eee1:q3:put1:t2:aa1:y1:qe",
            |message| put(message).value == b"l3:abci1ee",
        ),
        (
            "an empty salt, which is none (mainline)",
            b"d1:ad2:id20:abcdefghij01234567891:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk4:salt0:3:seqi1e3:sig64:ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss5:token1:a1:v3:abce1:q3:put1:t2:aa1:y1:qe",
            |message| put(message).mutable.is_some_and(|put| put.salt.is_empty()),
        ),
];

fn port(message: &Message<'_>) -> AnnouncePort {
    match query(message).method {
        Method::AnnouncePeer { port, .. } => port,
        method => panic!("not an announcement: {method:?}"),
    }
}

fn put<'a>(message: &Message<'a>) -> Put<'a> {
    match query(message).method {
        Method::Put(put) => put,
        method => panic!("not a put: {method:?}"),
    }
}
