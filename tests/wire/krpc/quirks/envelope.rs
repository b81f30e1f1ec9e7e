//! Quirks of the outermost dictionary, of bencode and of errors.
//! Apart from the rest because every message may have them.

use mainstay_krpc::{Body, Message, Method, Query, Response, error_code};

use super::super::{ID, TARGET, decode, encode, query, response};
use super::{Row, check, is_ping, is_pong};

#[test]
fn transaction_ids_of_one_to_32_bytes_are_echoed() {
    for length in [1, 2, 3, 4, 7, 8, 15, 16, 20, 31, 32] {
        let transaction = vec![0xfe; length];
        let ping = encode(&Message::query(&transaction, Query::new(ID, Method::Ping)));
        let asked = decode(&ping);
        assert_eq!(asked.transaction, transaction);
        let pong = encode(&Message::response(asked.transaction, Response::new(TARGET)));
        assert_eq!(decode(&pong).transaction, transaction);
    }
}

#[test]
fn the_envelope_is_read_however_it_comes() {
    check(ENVELOPE);
}

const ENVELOPE: &[Row] = &[
        (
            "a transaction id of two letters and a number (jech)",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t4:pn\0\x011:y1:qe",
            |message| message.transaction == b"pn\0\x01",
        ),
        ("no version", b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", is_ping),
        (
            "a version of another length",
            b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:v7:MY-CODE1:y1:re",
            |message| is_pong(message) && message.version == Some(b"MY-CODE"),
        ),
        (
            "an empty version",
            b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:v0:1:y1:re",
            |message| is_pong(message) && message.version == Some(b""),
        ),
        (
            "a version that is no string",
            b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:vi4e1:y1:re",
            |message| is_pong(message) && message.version.is_none(),
        ),
        (
            "the address of the asker in IPv6",
            b"d2:ip18:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe11:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            |message| is_pong(message) && message.ip == "[2001:db8::1]:6881".parse().ok(),
        ),
        (
            "garbage as the address of the asker",
            b"d2:ip5:abcde1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            |message| is_pong(message) && message.ip.is_none(),
        ),
        (
            "a list as the address of the asker",
            b"d2:ipli1ee1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            |message| is_pong(message) && message.ip.is_none(),
        ),
        (
            "`ro` in a response, where it means nothing",
            b"d1:rd2:id20:abcdefghij0123456789e2:roi1e1:t2:aa1:y1:re",
            |message| is_pong(message) && !message.read_only,
        ),
        (
            "`ro` as a string",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:ro1:11:t2:aa1:y1:qe",
            |message| is_ping(message) && message.read_only,
        ),
        (
            "`ro` said to be zero",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi0e1:t2:aa1:y1:qe",
            |message| is_ping(message) && !message.read_only,
        ),
        (
            "a response that names a method",
            b"d1:q4:ping1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            is_pong,
        ),
        (
            "a response that echoes the arguments",
            b"d1:ad2:id20:mnopqrstuvwxyz123456e1:q4:ping1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
            is_pong,
        ),
        (
            "a query with an empty response in it",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:rde1:t2:aa1:y1:qe",
            is_ping,
        ),
        ("a response without `y`", b"d1:rd2:id20:abcdefghij0123456789e1:t2:aae", is_pong),
        ("a query without `y`", b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae", is_ping),
        ("an error without `y`", b"d1:eli202e3:bade1:t2:aae",
            |message| error(message) == (202, b"bad"),
        ),
];

#[test]
fn sloppy_bencode_is_read() {
    check(BENCODE);
}

const BENCODE: &[Row] = &[
        (
            "unsorted keys",
            b"d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:abcdefghij0123456789ee",
            is_ping,
        ),
        (
            "unsorted keys inside",
            b"d1:ad6:target20:mnopqrstuvwxyz1234562:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe",
            |message| query(message).method == Method::FindNode { target: TARGET },
        ),
        (
            "a key twice: the first one wins",
            b"d1:ad2:id20:abcdefghij01234567892:id20:mnopqrstuvwxyz123456e1:q4:ping1:q3:get1:t2:aa1:t2:bb1:y1:q1:y1:re",
            is_ping,
        ),
        (
            "a key twice, first with a value of the wrong kind: the readable one wins",
            b"d1:ad2:idi1e2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
            is_ping,
        ),
        (
            "the arguments twice: the first ones win",
            b"d1:ad2:id20:abcdefghij0123456789e1:ade1:q4:ping1:t2:aa1:y1:qe",
            is_ping,
        ),
        (
            "zeros behind the dictionary",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe\0\0\0\0",
            is_ping,
        ),
        (
            "junk behind the dictionary",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe\r\nd1:",
            is_ping,
        ),
        (
            "leading zeros in lengths",
            b"d01:ad2:id020:abcdefghij0123456789e1:q0004:ping1:t2:aa1:y1:qe",
            is_ping,
        ),
        (
            "minus zero",
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi-0e1:t2:aa1:y1:qe",
            |message| is_ping(message) && !message.read_only,
        ),
        (
            "leading zeros in integers",
            b"d1:rd2:id20:abcdefghij01234567893:seqi007ee1:t2:aa1:y1:re",
            |message| response(message).seq == Some(7),
        ),
        (
            "unknown keys of every kind",
            b"d1:ad1:!i1e2:id20:abcdefghij01234567891:xld1:yleee1:z3:abce1:q4:ping1:t2:aa1:xd1:a1:be1:y1:qe",
            is_ping,
        ),
        (
            "an empty key",
            b"d0:0:1:ad0:0:2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
            is_ping,
        ),
];

#[test]
fn ids_of_another_length_are_refused_but_the_sender_is_told() {
    for length in [0, 19, 21, 40] {
        let id = "x".repeat(length);
        let ping = format!("d1:ad2:id{length}:{id}e1:q4:ping1:t2:aa1:y1:qe");
        let error = Message::decode(ping.as_bytes()).expect_err("no id");
        let reply = encode(&error.reply().expect("an answer"));
        assert_eq!(reply, b"d1:eli203e22:missing or bad key: ide1:t2:aa1:y1:ee");

        let pong = format!("d1:rd2:id{length}:{id}e1:t2:aa1:y1:re");
        let error = Message::decode(pong.as_bytes()).expect_err("no id");
        assert_eq!((error.transaction(), error.reply()), (Some(&b"aa"[..]), None));
    }
}

#[test]
fn errors_are_understood_in_any_shape() {
    check(ERRORS);
}

const ERRORS: &[Row] = &[
    ("as it should be", b"d1:eli203e3:bade1:t2:aa1:y1:ee", |message| {
        error(message) == (203, b"bad")
    }),
    ("no text", b"d1:eli203ee1:t2:aa1:y1:ee", |message| error(message) == (203, b"")),
    ("no code", b"d1:el3:bade1:t2:aa1:y1:ee", |message| {
        error(message) == (error_code::GENERIC, b"bad")
    }),
    ("an unknown code", b"d1:eli-7e3:bade1:t2:aa1:y1:ee", |message| error(message) == (-7, b"bad")),
    ("a code beyond 64 bits", b"d1:eli9223372036854775808e3:bade1:t2:aa1:y1:ee", |message| {
        error(message) == (error_code::GENERIC, b"bad")
    }),
    ("more items than two", b"d1:eli203e3:badlei5e4:moree1:t2:aa1:y1:ee", |message| {
        error(message) == (203, b"bad")
    }),
    ("text before code", b"d1:el3:badi203ee1:t2:aa1:y1:ee", |message| {
        error(message) == (203, b"bad")
    }),
    ("a string", b"d1:e3:bad1:t2:aa1:y1:ee", |message| {
        error(message) == (error_code::GENERIC, b"bad")
    }),
    ("a dictionary", b"d1:ed4:codei203ee1:t2:aa1:y1:ee", |message| {
        error(message) == (error_code::GENERIC, b"")
    }),
    ("an integer", b"d1:ei203e1:t2:aa1:y1:ee", |message| {
        error(message) == (error_code::GENERIC, b"")
    }),
    ("nothing at all", b"d1:t2:aa1:y1:ee", |message| error(message) == (error_code::GENERIC, b"")),
    ("no transaction id", b"d1:eli203e3:bade1:y1:ee", |message| {
        message.transaction.is_empty() && error(message) == (203, b"bad")
    }),
    ("an empty transaction id", b"d1:eli203e3:bade1:t0:1:y1:ee", |message| {
        message.transaction.is_empty() && error(message) == (203, b"bad")
    }),
    (
        "the asker's address and id along with it",
        b"d1:eli203e3:bade2:ip6:\x7f\0\0\x01\x1a\xe11:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:ee",
        |message| error(message) == (203, b"bad") && message.ip == "127.0.0.1:6881".parse().ok(),
    ),
];

fn error<'a>(message: &Message<'a>) -> (i64, &'a [u8]) {
    match message.body {
        Body::Error(error) => (error.code, error.text),
        Body::Query(_) | Body::Response(_) => panic!("not an error: {message:?}"),
    }
}
