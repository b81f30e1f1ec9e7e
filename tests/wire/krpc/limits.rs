//! Numbers, lengths and shapes at their very ends, and what a broken query is told.
//! Apart from quirks because no honest node sends any of this.

use mainstay_krpc::{
    Body, DecodeErrorKind, ErrorReply, MAX_MESSAGE, MAX_TRANSACTION, Message, Method, error_code,
};

use super::{ID, TARGET, decode, encode, query, response};

/// A query with the arguments `arguments`, which follow the id.
fn query_with(method: &str, arguments: &str) -> Vec<u8> {
    let length = method.len();
    format!("d1:ad2:id20:{ID_TEXT}{arguments}e1:q{length}:{method}1:t2:aa1:y1:qe").into_bytes()
}

const ID_TEXT: &str = "abcdefghij0123456789";
const TARGET_TEXT: &str = "mnopqrstuvwxyz123456";

/// What the sender of `datagram` is told, as code and text.
fn refusal(datagram: &[u8]) -> (i64, String) {
    let error = Message::decode(datagram).expect_err("a broken query");
    let reply = error.reply().expect("an answer");
    assert_eq!(reply.transaction, b"aa");
    let reply = encode(&reply);
    match decode(&reply).body {
        Body::Error(ErrorReply { code, text }) => (code, text.escape_ascii().to_string()),
        Body::Query(_) | Body::Response(_) => panic!("not an error: {}", reply.escape_ascii()),
    }
}

#[test]
fn a_broken_query_is_told_which_key_it_lacks() {
    let put = |rest: &str| query_with("put", rest);
    let key = "k".repeat(32);
    let signature = "s".repeat(64);
    let cases = [
        (query_with("find_node", ""), "target"),
        (query_with("find_node", "6:target19:mnopqrstuvwxyz12345"), "target"),
        (query_with("find_node", "6:targeti1e"), "target"),
        (query_with("get", ""), "target"),
        (query_with("get_peers", "9:info_hash21:mnopqrstuvwxyz1234567"), "info_hash"),
        (query_with("sample_infohashes", ""), "target"),
        (query_with("announce_peer", "4:porti1e5:token1:a"), "info_hash"),
        (query_with("announce_peer", &format!("9:info_hash20:{TARGET_TEXT}4:porti1e")), "token"),
        (query_with("announce_peer", &format!("9:info_hash20:{TARGET_TEXT}5:token1:a")), "port"),
        (put("1:v1:x"), "token"),
        (put("5:token1:a"), "v"),
        (put("1:k31:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk3:seqi1e5:token1:a1:v1:x"), "k"),
        (put(&format!("1:k32:{key}3:sig64:{signature}5:token1:a1:v1:x")), "seq"),
        (put(&format!("1:k32:{key}3:seqi1e5:token1:a1:v1:x")), "sig"),
        (put(&format!("1:k32:{key}3:seqi1e3:sig2:ss5:token1:a1:v1:x")), "sig"),
        (b"d1:ade1:q4:ping1:t2:aa1:y1:qe".to_vec(), "id"),
        (b"d1:q4:ping1:t2:aa1:y1:qe".to_vec(), "id"),
        (b"d1:a0:1:q4:ping1:t2:aa1:y1:qe".to_vec(), "id"),
        (b"d1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe".to_vec(), "q"),
        (b"d1:ad2:id20:abcdefghij0123456789e1:qi1e1:t2:aa1:y1:qe".to_vec(), "q"),
    ];
    for (datagram, key) in cases {
        let expected = (error_code::PROTOCOL, format!("missing or bad key: {key}"));
        assert_eq!(refusal(&datagram), expected, "{}", datagram.escape_ascii());
    }
}

#[test]
fn an_unknown_method_without_an_id_is_told_that_it_is_unknown() {
    let refused = refusal(b"d1:q4:vote1:t2:aa1:y1:qe");
    assert_eq!(refused, (error_code::METHOD_UNKNOWN, "Method Unknown".to_owned()));
}

#[test]
fn what_breaks_after_the_query_is_known_is_told_so() {
    let refused = refusal(b"d1:q4:ping1:t2:aa1:y1:q1:ad2:idXe");
    assert_eq!(refused, (error_code::PROTOCOL, "malformed bencode".to_owned()));
}

#[test]
fn nobody_is_answered_but_who_sent_a_query_with_a_transaction_id() {
    let silent: [&[u8]; 11] = [
        b"d1:q4:ping1:t2:aae",
        b"d1:q4:ping1:t2:aa1:Xe",
        b"d1:ade1:q4:ping1:y1:qe",
        b"d1:ade1:q4:ping1:t0:1:y1:qe",
        b"d1:ade1:q4:ping1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe",
        b"d1:rde1:t2:aa1:y1:re",
        b"d1:t2:aa1:y1:re",
        b"d1:t2:aa1:y1:xe",
        b"d1:t2:aae",
        b"d1:t2:aa1:y1:r1:Xe",
        b"d1:el",
    ];
    for datagram in silent {
        let error = Message::decode(datagram).expect_err("broken");
        assert_eq!(error.reply(), None, "{}", datagram.escape_ascii());
    }
}

#[test]
fn a_response_that_cannot_be_used_still_ends_its_query() {
    for datagram in [&b"d1:rde1:t2:aa1:y1:re"[..], b"d1:t2:aa1:y1:re"] {
        let error = Message::decode(datagram).expect_err("no id");
        assert_eq!(error.kind(), DecodeErrorKind::ResponseWithoutId);
        assert_eq!(error.transaction(), Some(&b"aa"[..]));
    }
}

#[test]
fn noise_is_refused_for_what_it_is() {
    use DecodeErrorKind::{
        NoTransaction, NotADictionary, Syntax, TooDeep, TooLong, TooManyTokens, TransactionTooLong,
        Truncated, UnknownKind,
    };
    let deep = [&b"d1:x"[..], &[b'l'; 10], &[b'e'; 10], b"e"].concat();
    let many = [&b"d1:xl"[..], &b"0:".repeat(500), b"ee"].concat();
    let long = vec![b'd'; MAX_MESSAGE + 1];
    let cases: [(&[u8], DecodeErrorKind); 19] = [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t0:1:y1:qe", NoTransaction),
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe", NoTransaction),
        (b"", Truncated),
        (b"\0", NotADictionary),
        (b"le", NotADictionary),
        (b"i1e", NotADictionary),
        (b"GET / HTTP/1.1\r\n\r\n", NotADictionary),
        (b"d", Truncated),
        (b"de", UnknownKind),
        (b"di1ei1ee", Syntax),
        (b"d1:t2:aa1:y1:qi1ee", Syntax),
        (b"d1:t2:aa1:y1:q", Truncated),
        (b"d1:t2147483648:aa", Truncated),
        (b"d1:t9223372036854775808:aa", Truncated),
        (b"d1:rd2:id20:abcdefghij0123456789e1:y1:re", NoTransaction),
        (
            b"d1:rde1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:re",
            TransactionTooLong { length: MAX_TRANSACTION + 1 },
        ),
        (&deep, TooDeep),
        (&many, TooManyTokens),
        (&long, TooLong),
    ];
    for (datagram, kind) in cases {
        let start = &datagram[..datagram.len().min(60)];
        let refused = Message::decode(datagram).map_err(|error| error.kind());
        assert_eq!(refused, Err(kind), "{}", start.escape_ascii());
    }
}

#[test]
fn a_datagram_cut_anywhere_is_refused() {
    let whole = encode(&decode(&query_with("get", &format!("6:target20:{TARGET_TEXT}"))));
    for length in 0..whole.len() {
        let refused = Message::decode(&whole[..length]).map_err(|error| error.kind());
        assert_eq!(refused, Err(DecodeErrorKind::Truncated), "{length}");
    }
}

#[test]
fn nesting_and_tokens_are_allowed_up_to_libtorrents_limits() {
    let message =
        |extra: &[u8]| [b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:x", extra, b"1:y1:re"].concat();
    let deepest = [[b'l'; 9], [b'e'; 9]].concat();
    assert_eq!(response(&decode(&message(&deepest))).id, ID);
    // Fourteen tokens stand around the items: d r d id X e t aa x l e y r e.
    let most = [&b"l"[..], &b"0:".repeat(500 - 14), b"e"].concat();
    assert_eq!(response(&decode(&message(&most))).id, ID);
    let more = [&b"l"[..], &b"0:".repeat(500 - 13), b"e"].concat();
    let refused = message(&more);
    let refused = Message::decode(&refused).map_err(|error| error.kind());
    assert_eq!(refused, Err(DecodeErrorKind::TooManyTokens));
}

#[test]
fn ports_are_kept_only_where_something_can_listen() {
    let announce = |port: &str| {
        let arguments = format!("9:info_hash20:{TARGET_TEXT}4:port{port}5:token1:a");
        query_with("announce_peer", &arguments)
    };
    for port in ["i1e", "i65535e", "i007e"] {
        assert!(Message::decode(&announce(port)).is_ok(), "{port}");
    }
    for port in ["i0e", "i-0e", "i-1e", "i65536e", "i9223372036854775808e", "4:6881", "le"] {
        assert_eq!(refusal(&announce(port)).1, "missing or bad key: port", "{port}");
    }
}

#[test]
fn sequence_numbers_are_read_to_the_ends_of_64_bits_and_never_guessed() {
    let (key, signature) = ("k".repeat(32), "s".repeat(64));
    let put = |seq: &str, cas: &str| {
        let arguments =
            format!("1:k32:{key}3:seq{seq}3:sig64:{signature}5:token1:a1:v1:x3:cas{cas}");
        query_with("put", &arguments)
    };
    for seq in [0, -1, i64::MAX, i64::MIN] {
        let datagram = put(&format!("i{seq}e"), &format!("i{seq}e"));
        let Method::Put(read) = query(&decode(&datagram)).method else { panic!("not a put") };
        let mutable = read.mutable.expect("mutable");
        assert_eq!((mutable.seq, mutable.cas), (seq, Some(seq)));
    }
    for beyond in ["i9223372036854775808e", "i18446744073709551615e", "i-9223372036854775809e"] {
        assert_eq!(refusal(&put(beyond, "i1e")).1, "missing or bad key: seq", "{beyond}");
        assert_eq!(refusal(&put("i1e", beyond)).1, "missing or bad key: cas", "{beyond}");
    }
    assert_eq!(refusal(&put("1:1", "i1e")).1, "missing or bad key: seq");

    // Who asks for what is newer than an unreadable number is given whatever there is.
    let get = format!("3:seqi9223372036854775808e6:target20:{TARGET_TEXT}");
    let get = query_with("get", &get);
    assert_eq!(query(&decode(&get)).method, Method::Get { target: TARGET, seq: None });
}

#[test]
fn numbers_of_responses_are_clamped_to_what_they_can_mean() {
    let read = |entries: &str| {
        let datagram = format!("d1:rd2:id20:{ID_TEXT}{entries}e1:t2:aa1:y1:re");
        let message = decode(datagram.as_bytes());
        let response = response(&message);
        (response.interval, response.num, response.port, response.seq)
    };
    assert_eq!(read("8:intervali-5e3:numi-5e1:pi-5e3:seqi-5e"), (Some(0), Some(0), None, Some(-5)));
    assert_eq!(read("8:intervali99999e3:numi0e1:pi65536e"), (Some(21_600), Some(0), None, None));
    assert_eq!(read("1:pi0e"), (None, None, None, None));
    let beyond = "i9223372036854775808e";
    let all_beyond = format!("8:interval{beyond}3:num{beyond}1:p{beyond}3:seq{beyond}");
    assert_eq!(read(&all_beyond), (None, None, None, None));
    assert_eq!(read("8:interval2:113:num1:11:p1:13:seq1:1"), (None, None, None, None));
}
