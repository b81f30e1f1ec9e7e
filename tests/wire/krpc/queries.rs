//! Every query as we write it, byte for byte. Apart from quirks because these are our own words.

use mainstay_keys::Keypair;
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{AnnouncePort, Message, Method, Put, Query, Want};

use super::{ID, TARGET, decode, encode, query};

/// Writes a query and reads it back, which must give the same.
fn written(method: Method<'_>, want: Want) -> String {
    let message = Message::query(b"aa", Query { id: ID, want, method });
    let datagram = encode(&message);
    assert_eq!(decode(&datagram), message, "{}", datagram.escape_ascii());
    datagram.escape_ascii().to_string()
}

#[test]
fn each_method_has_its_arguments_in_order() {
    let cases = [
        (Method::Ping, Want::NONE, "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        (
            Method::FindNode { target: TARGET },
            Want::NONE,
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            Method::FindNode { target: TARGET },
            Want::BOTH,
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            Method::GetPeers { info_hash: TARGET, no_seed: false, scrape: false },
            Want::NONE,
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            Method::GetPeers { info_hash: TARGET, no_seed: true, scrape: true },
            Want::N6,
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1e4:wantl2:n6ee1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            Method::Get { target: TARGET, seq: None },
            Want::N4,
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n4ee1:q3:get1:t2:aa1:y1:qe",
        ),
        (
            Method::Get { target: TARGET, seq: Some(-1) },
            Want::NONE,
            "d1:ad2:id20:abcdefghij01234567893:seqi-1e6:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:aa1:y1:qe",
        ),
        (
            Method::SampleInfohashes { target: TARGET },
            Want::NONE,
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q17:sample_infohashes1:t2:aa1:y1:qe",
        ),
        (
            Method::Unknown { name: b"vote", target: Some(TARGET) },
            Want::NONE,
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe",
        ),
    ];
    for (method, want, expected) in cases {
        assert_eq!(written(method, want), expected);
    }
}

#[test]
fn announcements_name_the_port_that_older_nodes_shall_take() {
    let announce = |port, seed, name| {
        let method =
            Method::AnnouncePeer { info_hash: TARGET, port, token: b"aoeusnth", seed, name };
        written(method, Want::NONE)
    };
    assert_eq!(
        announce(AnnouncePort::Implied { fallback: 6881 }, false, None),
        "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
    );
    assert_eq!(
        announce(AnnouncePort::Explicit(1), true, Some(b"ubuntu")),
        "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234561:n6:ubuntu4:porti1e4:seedi1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
    );
}

#[test]
fn the_peer_of_an_announcement_listens_where_it_says_or_where_it_came_from() {
    assert_eq!(AnnouncePort::Explicit(6881).resolve(4000), 6881);
    assert_eq!(AnnouncePort::Implied { fallback: 6881 }.resolve(4000), 4000);
}

#[test]
fn puts_carry_the_item_and_no_target() {
    let keypair = Keypair::from_secret_key(&[7; 32]);
    let item = MutableItem::sign(&keypair, b"foo", 5, b"d1:ai1ee").expect("small");
    let put = written(Method::Put(Put::mutable(b"tok", &item, Some(4))), Want::NONE);
    let key = item.key().as_bytes().escape_ascii();
    let signature = item.signature().as_bytes().escape_ascii();
    let expected = format!(
        "d1:ad3:casi4e2:id20:abcdefghij01234567891:k32:{key}4:salt3:foo3:seqi5e3:sig64:{signature}5:token3:tok1:vd1:ai1eee1:q3:put1:t2:aa1:y1:qe"
    );
    assert_eq!(put, expected);

    let unsalted = MutableItem::sign(&keypair, b"", 5, b"d1:ai1ee").expect("small");
    let put = written(Method::Put(Put::mutable(b"tok", &unsalted, None)), Want::NONE);
    assert!(!put.contains("4:salt") && !put.contains("3:cas"), "{put}");

    let item = ImmutableItem::from_bytes(b"Hello World!").expect("small");
    assert_eq!(
        written(Method::Put(Put::immutable(b"tok", &item)), Want::NONE),
        "d1:ad2:id20:abcdefghij01234567895:token3:tok1:v12:Hello World!e1:q3:put1:t2:aa1:y1:qe"
    );
}

#[test]
fn a_read_only_node_says_so_outside_of_the_arguments() {
    let mut message = Message::query(b"aa", Query::new(ID, Method::Ping));
    message.read_only = true;
    message.version = Some(b"MS\x00\x01");
    let datagram = encode(&message);
    assert_eq!(
        datagram.escape_ascii().to_string(),
        r"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:v4:MS\x00\x011:y1:qe"
    );
    assert_eq!(decode(&datagram), message);
}

#[test]
fn what_has_no_place_in_a_query_is_left_out() {
    let mut message =
        Message::query(b"aa", Query { id: ID, want: Want::BOTH, method: Method::Ping });
    message.ip = "127.0.0.1:1".parse().ok();
    let datagram = encode(&message);
    assert_eq!(datagram, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
    assert_eq!(query(&decode(&datagram)), Query::new(ID, Method::Ping));
}

#[test]
fn queries_are_as_long_as_the_field_knows_them() {
    let size = |method, want| {
        let mut message = Message::query(b"aa", Query { id: ID, want, method });
        message.version = Some(b"MS01");
        encode(&message).len()
    };
    assert_eq!(size(Method::Ping, Want::NONE), 65);
    assert_eq!(size(Method::FindNode { target: TARGET }, Want::NONE), 101);
    assert_eq!(size(Method::FindNode { target: TARGET }, Want::BOTH), 117);
    let get_peers = Method::GetPeers { info_hash: TARGET, no_seed: false, scrape: false };
    assert_eq!(size(get_peers, Want::NONE), 104);
    assert_eq!(size(Method::Get { target: TARGET, seq: None }, Want::NONE), 95);
}
