//! Quirks of what responses carry: peers, nodes, values.
//! Apart from arguments because they stand under other keys.

use std::net::SocketAddr;

use mainstay_krpc::{Id, Message, Nodes, Nodes6, Response, Samples};

use super::super::{ID, TARGET, decode, response};
use super::{Row, check, is_pong};

#[test]
fn nodes_without_an_id_of_who_says_so_fail_the_query_they_answer() {
    let nodes = "n".repeat(26);
    let answer = format!("d1:rd5:nodes26:{nodes}e1:t2:aa1:y1:re");
    let error = Message::decode(answer.as_bytes()).expect_err("no id");
    assert_eq!((error.transaction(), error.reply()), (Some(&b"aa"[..]), None));
}

#[test]
fn peers_are_understood_in_any_shape() {
    check(PEERS);
}

const PEERS: &[Row] = &[
        (
            "no list",
            b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            |message| response(message).values.is_absent(),
        ),
        (
            "an empty list",
            b"d1:rd2:id20:abcdefghij01234567896:valueslee1:t2:aa1:y1:re",
            |message| !response(message).values.is_absent() && peers(message).is_empty(),
        ),
        (
            "all in one string in a list of one",
            b"d1:rd2:id20:abcdefghij01234567896:valuesl12:\x01\x02\x03\x04\0\x05\x06\x07\x08\x09\0\x0aee1:t2:aa1:y1:re",
            |message| peers(message) == ["1.2.3.4:5", "6.7.8.9:10"],
        ),
        (
            "all in one string outside of any list",
            b"d1:rd2:id20:abcdefghij01234567896:values18:\x01\x02\x03\x04\0\x05\x06\x07\x08\x09\0\x0a\x0b\x0c\x0d\x0e\0\x0fe1:t2:aa1:y1:re",
            |message| peers(message) == ["1.2.3.4:5", "6.7.8.9:10", "11.12.13.14:15"],
        ),
        (
            "both families in one list",
            b"d1:rd2:id20:abcdefghij01234567896:valuesl6:\x01\x02\x03\x04\0\x0518:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x06ee1:t2:aa1:y1:re",
            |message| peers(message) == ["1.2.3.4:5", "[2001:db8::1]:6"],
        ),
        (
            "odd lengths and other kinds between peers",
            b"d1:rd2:id20:abcdefghij01234567896:valuesl5:abcde7:abcdefg8:abcdefgh20:abcdefghijklmnopqrst0:i5ele6:\x01\x02\x03\x04\0\x05d1:ai1eeee1:t2:aa1:y1:re",
            |message| peers(message) == ["1.2.3.4:5"],
        ),
        (
            "a string with a tail that is no peer, outside of any list",
            b"d1:rd2:id20:abcdefghij01234567896:values8:\x01\x02\x03\x04\0\x05\x06\x07e1:t2:aa1:y1:re",
            |message| peers(message) == ["1.2.3.4:5"],
        ),
        (
            "repeated peers, port 0 and unreachable addresses are for the node to judge",
            b"d1:rd2:id20:abcdefghij01234567896:valuesl6:\x7f\0\0\x01\0\x016:\x7f\0\0\x01\0\x016:\0\0\0\0\0\x006:\xe0\0\0\x01\0\x01ee1:t2:aa1:y1:re",
            |message| peers(message) == ["127.0.0.1:1", "127.0.0.1:1", "0.0.0.0:0", "224.0.0.1:1"],
        ),
        (
            "an integer",
            b"d1:rd2:id20:abcdefghij01234567896:valuesi5ee1:t2:aa1:y1:re",
            |message| response(message).values.is_absent(),
        ),
];

#[test]
fn nodes_are_understood_in_any_shape() {
    check(NODES);
}

const NODES: &[Row] = &[
        (
            "a tail that is no whole node",
            b"d1:rd2:id20:abcdefghij01234567895:nodes28:aaaaaaaaaaaaaaaaaaaa\x01\x02\x03\x04\0\x05zze1:t2:aa1:y1:re",
            |message| nodes(message) == [node(b'a', "1.2.3.4:5")],
        ),
        (
            "too short for one node",
            b"d1:rd2:id20:abcdefghij01234567895:nodes3:zzze1:t2:aa1:y1:re",
            |message| nodes(message).is_empty() && !response(message).nodes.is_absent(),
        ),
        (
            "one address with several ids, our own id, port 0",
            b"d1:rd2:id20:abcdefghij01234567895:nodes52:aaaaaaaaaaaaaaaaaaaa\x01\x02\x03\x04\0\0bbbbbbbbbbbbbbbbbbbb\x01\x02\x03\x04\0\0e1:t2:aa1:y1:re",
            |message| nodes(message) == [node(b'a', "1.2.3.4:0"), node(b'b', "1.2.3.4:0")],
        ),
        (
            "a list of nodes, with other things in it",
            b"d1:rd2:id20:abcdefghij01234567895:nodesl26:aaaaaaaaaaaaaaaaaaaa\x01\x02\x03\x04\0\x053:abci5e26:bbbbbbbbbbbbbbbbbbbb\x06\x07\x08\x09\0\x0aee1:t2:aa1:y1:re",
            |message| nodes(message) == [node(b'a', "1.2.3.4:5"), node(b'b', "6.7.8.9:10")],
        ),
        (
            "`nodes2` as a list of both families",
            b"d1:rd2:id20:abcdefghij01234567896:nodes2l38:aaaaaaaaaaaaaaaaaaaa\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x0526:bbbbbbbbbbbbbbbbbbbb\x06\x07\x08\x09\0\x0aee1:t2:aa1:y1:re",
            |message| {
                nodes(message) == [node(b'b', "6.7.8.9:10"), node(b'a', "[2001:db8::1]:5")]
            },
        ),
        (
            "`nodes2` as one string",
            b"d1:rd2:id20:abcdefghij01234567896:nodes238:aaaaaaaaaaaaaaaaaaaa\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x05e1:t2:aa1:y1:re",
            |message| nodes(message) == [node(b'a', "[2001:db8::1]:5")],
        ),
        (
            "`nodes2` beside `nodes6`, which wins",
            b"d1:rd2:id20:abcdefghij01234567896:nodes2l38:aaaaaaaaaaaaaaaaaaaa\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x05e5:nodes0:6:nodes60:e1:t2:aa1:y1:re",
            |message| {
                let response = response(message);
                response.nodes == Nodes::Raw(b"") && response.nodes6 == Nodes6::Raw(b"")
            },
        ),
        (
            "an integer",
            b"d1:rd2:id20:abcdefghij01234567895:nodesi5e6:nodes6de6:nodes2i1ee1:t2:aa1:y1:re",
            |message| response(message).nodes.is_absent() && response(message).nodes6.is_absent(),
        ),
];

#[test]
fn other_parts_of_responses_are_kept_or_left_out() {
    check(OTHERS);
}

const OTHERS: &[Row] = &[
    (
        "every key twice: the first ones win",
        b"d1:rd2:id20:abcdefghij01234567893:seqi1e3:seqi2e3:numi1e3:numi2e1:pi1e1:pi2e8:intervali1e8:intervali2e5:token1:a5:token1:b1:vi1e1:vi2e7:samples0:7:samples20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
        |message| {
            let first = Response {
                seq: Some(1),
                num: Some(1),
                port: Some(1),
                interval: Some(1),
                token: Some(b"a"),
                value: Some(b"i1e"),
                samples: Samples::List(&[]),
                ..Response::new(ID)
            };
            response(message) == first
        },
    ),
    (
        "every list twice: the first ones win",
        b"d1:rd2:id20:abcdefghij01234567895:nodes0:5:nodes26:mnopqrstuvwxyz123456abcdef6:nodes60:6:nodes638:mnopqrstuvwxyz123456ABCDEFGHIJKLMNOPQR6:valuesle6:valuesl6:abcdefee1:t2:aa1:y1:re",
        |message| peers(message).is_empty() && nodes(message).is_empty(),
    ),
    (
        "`nodes2` as one string beside `nodes6`, which wins",
        b"d1:rd2:id20:abcdefghij01234567896:nodes238:mnopqrstuvwxyz123456ABCDEFGHIJKLMNOPQR6:nodes60:e1:t2:aa1:y1:re",
        |message| nodes(message).is_empty(),
    ),
    (
        "the port that libtorrent saw",
        b"d1:rd2:id20:abcdefghij01234567891:pi6881ee1:t2:aa1:y1:re",
        |message| response(message).port == Some(6881),
    ),
    (
        "a token of any length",
        b"d1:rd2:id20:abcdefghij01234567895:token0:e1:t2:aa1:y1:re",
        |message| response(message).token == Some(b""),
    ),
    (
        "key, signature and filters of the wrong length",
        b"d1:rd4:BFpe3:abc4:BFsdi1e2:id20:abcdefghij01234567891:k3:abc3:sig3:abce1:t2:aa1:y1:re",
        is_pong,
    ),
    (
        "a value that is a dictionary (BEP 46)",
        b"d1:rd2:id20:abcdefghij01234567891:vd2:ih20:mnopqrstuvwxyz123456ee1:t2:aa1:y1:re",
        |message| response(message).value == Some(b"d2:ih20:mnopqrstuvwxyz123456e"),
    ),
    (
        "samples with a broken tail",
        b"d1:rd2:id20:abcdefghij01234567897:samples23:mnopqrstuvwxyz123456xyze1:t2:aa1:y1:re",
        |message| response(message).samples.iter().eq([TARGET]),
    ),
];

#[test]
fn a_value_that_is_not_canonical_is_kept_as_it_is_written() {
    let datagram = b"d1:rd2:id20:abcdefghij01234567891:vd01:bi-0e1:a0:ee1:t2:aa1:y1:re";
    assert_eq!(response(&decode(datagram)).value, Some(&b"d01:bi-0e1:a0:e"[..]));
}

fn peers(message: &Message<'_>) -> Vec<String> {
    response(message).values.iter().map(|peer| peer.to_string()).collect()
}

fn nodes(message: &Message<'_>) -> Vec<(Id, SocketAddr)> {
    let response = response(message);
    let ipv4 = response.nodes.iter().map(|node| (node.id, node.addr.into()));
    ipv4.chain(response.nodes6.iter().map(|node| (node.id, node.addr.into()))).collect()
}

fn node(id: u8, addr: &str) -> (Id, SocketAddr) {
    (Id::from_bytes([id; 20]), addr.parse().expect("an address"))
}
