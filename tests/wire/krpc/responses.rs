//! Every answer as we write it, byte for byte. Apart from quirks because these are our own words.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use mainstay_krpc::{
    ErrorReply, Id, Message, NodeInfo, NodeInfo6, Nodes, Nodes6, Response, Samples, Values,
    error_code,
};

use super::{ID, TARGET, decode, encode};

fn written(response: Response<'_>) -> String {
    let message = Message::response(b"aa", response);
    let datagram = encode(&message);
    assert_eq!(decode(&datagram), message, "{}", datagram.escape_ascii());
    datagram.escape_ascii().to_string()
}

fn size(mut message: Message<'_>) -> usize {
    message.version = Some(b"MS01");
    message.ip = "127.0.0.1:6881".parse().ok();
    encode(&message).len()
}

fn nodes(count: u8) -> Vec<NodeInfo> {
    let node = |number| NodeInfo {
        id: Id::from_bytes([number; 20]),
        addr: SocketAddrV4::new([192, 0, 2, number].into(), 6881),
    };
    (0..count).map(node).collect()
}

fn nodes6(count: u8) -> Vec<NodeInfo6> {
    let ip = |number| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number);
    let node = |number: u8| NodeInfo6 {
        id: Id::from_bytes([number; 20]),
        addr: SocketAddrV6::new(ip(number.into()), 6881, 0, 0),
    };
    (0..count).map(node).collect()
}

#[test]
fn lists_given_by_the_caller_are_written_compactly() {
    let nodes =
        [NodeInfo { id: TARGET, addr: SocketAddrV4::new([97, 98, 99, 100].into(), 0x6566) }];
    let ip = Ipv6Addr::from(*b"ABCDEFGHIJKLMNOP");
    let nodes6 = [NodeInfo6 { id: TARGET, addr: SocketAddrV6::new(ip, 0x5152, 0, 0) }];
    let peers = [SocketAddr::from(([97, 98, 99, 100], 0x6566)), SocketAddr::from((ip, 0x5152))];
    let response = Response {
        nodes: Nodes::List(&nodes),
        nodes6: Nodes6::List(&nodes6),
        token: Some(b"aoeusnth"),
        values: Values::List(&peers),
        ..Response::new(ID)
    };
    assert_eq!(
        written(response),
        "d1:rd2:id20:abcdefghij01234567895:nodes26:mnopqrstuvwxyz123456abcdef6:nodes638:mnopqrstuvwxyz123456ABCDEFGHIJKLMNOPQR5:token8:aoeusnth6:valuesl6:abcdef18:ABCDEFGHIJKLMNOPQRee1:t2:aa1:y1:re"
    );
}

#[test]
fn a_stored_item_is_answered_with_its_proof() {
    let (key, signature) = ([b'k'; 32], [b's'; 64]);
    let response = Response {
        token: Some(b"aoeusnth"),
        value: Some(b"3:abc"),
        key: Some(&key),
        signature: Some(&signature),
        seq: Some(7),
        ..Response::new(ID)
    };
    let (key, signature) = (key.escape_ascii(), signature.escape_ascii());
    assert_eq!(
        written(response),
        format!(
            "d1:rd2:id20:abcdefghij01234567891:k32:{key}3:seqi7e3:sig64:{signature}5:token8:aoeusnth1:v3:abce1:t2:aa1:y1:re"
        )
    );
}

#[test]
fn samples_are_there_even_when_there_are_none() {
    let response = |samples| Response {
        samples,
        interval: Some(21_600),
        num: Some(2),
        nodes: Nodes::List(&[]),
        ..Response::new(ID)
    };
    assert_eq!(
        written(response(Samples::List(&[TARGET, ID]))),
        "d1:rd2:id20:abcdefghij01234567898:intervali21600e5:nodes0:3:numi2e7:samples40:mnopqrstuvwxyz123456abcdefghij0123456789e1:t2:aa1:y1:re"
    );
    assert_eq!(
        written(response(Samples::List(&[]))),
        "d1:rd2:id20:abcdefghij01234567898:intervali21600e5:nodes0:3:numi2e7:samples0:e1:t2:aa1:y1:re"
    );
}

#[test]
fn scrapes_carry_both_filters_before_everything_else() {
    let (peers, seeds) = ([b'p'; 256], [b's'; 256]);
    let response = Response {
        bloom_peers: Some(&peers),
        bloom_seeds: Some(&seeds),
        port: Some(6881),
        ..Response::new(ID)
    };
    let (peers, seeds) = (peers.escape_ascii(), seeds.escape_ascii());
    assert_eq!(
        written(response),
        format!(
            "d1:rd4:BFpe256:{peers}4:BFsd256:{seeds}2:id20:abcdefghij01234567891:pi6881ee1:t2:aa1:y1:re"
        )
    );
}

#[test]
fn responses_and_errors_tell_the_asker_its_address() {
    let mut pong = Message::response(b"aa", Response::new(ID));
    pong.ip = "97.98.99.100:25958".parse().ok();
    pong.read_only = true;
    assert_eq!(
        encode(&pong).escape_ascii().to_string(),
        "d2:ip6:abcdef1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"
    );

    let reply = ErrorReply { code: error_code::CAS_MISMATCH, text: b"CAS" };
    let mut refusal = Message::error(b"aa", reply);
    refusal.ip = "[4142:4344:4546:4748:494a:4b4c:4d4e:4f50]:20818".parse().ok();
    assert_eq!(
        encode(&refusal).escape_ascii().to_string(),
        "d1:eli301e3:CASe2:ip18:ABCDEFGHIJKLMNOPQR1:t2:aa1:y1:ee"
    );
    assert_eq!(decode(&encode(&refusal)), refusal);
}

#[test]
fn what_is_handed_on_is_written_canonically_whatever_it_was_read_as() {
    let ragged = Response {
        nodes: Nodes::Strings(b"l26:mnopqrstuvwxyz123456abcdef3:xyzi1ee"),
        nodes6: Nodes6::Raw(b"mnopqrstuvwxyz123456ABCDEFGHIJKLMNOPQRtail"),
        values: Values::Joined(b"abcdefgh"),
        samples: Samples::Raw(b"mnopqrstuvwxyz123456xyz"),
        ..Response::new(ID)
    };
    assert_eq!(
        written(ragged),
        "d1:rd2:id20:abcdefghij01234567895:nodes26:mnopqrstuvwxyz123456abcdef6:nodes638:mnopqrstuvwxyz123456ABCDEFGHIJKLMNOPQR7:samples20:mnopqrstuvwxyz1234566:valuesl6:abcdefee1:t2:aa1:y1:re"
    );
}

#[test]
fn answers_are_as_long_as_the_field_knows_them() {
    let respond = |response| size(Message::response(b"aa", response));
    let base = Response::new(ID);
    let (eight, twenty, eight6) = (nodes(8), nodes(20), nodes6(8));
    let (eight, twenty, eight6) =
        (Nodes::List(&eight), Nodes::List(&twenty), Nodes6::List(&eight6));
    assert_eq!(respond(base), 68);
    assert_eq!(respond(Response { nodes: eight, ..base }), 287);
    assert_eq!(respond(Response { nodes: eight, nodes6: eight6, ..base }), 603);
    assert_eq!(respond(Response { nodes: twenty, ..base }), 599);
    assert_eq!(respond(Response { nodes: eight, token: Some(b"abcd"), ..base }), 300);
    let filter = [0; 256];
    let scrape = Response { bloom_peers: Some(&filter), bloom_seeds: Some(&filter), ..base };
    assert_eq!(respond(Response { nodes: eight, token: Some(b"aoeusnth"), ..scrape }), 836);
}
