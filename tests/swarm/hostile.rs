//! Strangers who mean harm: liars, floods, reflectors, forged replies.
//! Each test says what the attack would gain, and fails if it does.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Outcome};
use mainstay_krpc::{Body, Id, Message, Method, NodeInfo, Nodes, Query, Response};
use mainstay_sim::{Host, Nat, NatKind};
use proptest::prelude::*;

use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::{Swarm, get_of, item, settled};

/// Answers with a chosen `ip`, which the scripted answers do not have.
fn answer_with_ip(bench: &mut Bench, peer: &Fake, ip: SocketAddr) {
    for sent in std::mem::take(&mut bench.sent) {
        let message = Message::decode(&sent.payload).expect("our own bytes");
        if sent.to != peer.addr || !matches!(message.body, Body::Query(_)) {
            continue;
        }
        let mut reply = Message::response(message.transaction, Response::new(peer.id));
        reply.ip = Some(ip);
        let mut bytes = Vec::new();
        reply.encode(&mut bytes);
        bench.receive(peer.addr, &bytes);
    }
}

#[test]
fn a_minority_of_liars_cannot_talk_us_into_another_id() {
    let mut bench = Bench::new(&[]);
    let before = bench.id();
    let truth = SocketAddr::from(([99, 1, 1, 1], 6881));
    let lie = SocketAddr::from(([66, 6, 6, 6], 6881));
    for round in 0..200_u8 {
        let peer = Fake::new(round);
        bench.ask(Ask::Ping { addr: peer.addr });
        answer_with_ip(&mut bench, &peer, if round % 10 < 3 { lie } else { truth });
        assert_ne!(bench.node.info().ipv4.unwrap().public, Some(lie));
    }
    assert_eq!(bench.node.info().ipv4.unwrap().public, Some(truth));
    assert_ne!(bench.id(), before);
}

#[test]
fn one_provider_has_one_voice_about_our_address() {
    let mut bench = Bench::new(&[]);
    let before = bench.id();
    for host in 0..200_u8 {
        let peer = Fake { id: Fake::new(host).id, addr: SocketAddr::from(([66, 6, host, 1], 1)) };
        bench.ask(Ask::Ping { addr: peer.addr });
        answer_with_ip(&mut bench, &peer, SocketAddr::from(([99, 1, 1, 1], 1)));
    }
    assert_eq!(bench.id(), before);
}

#[test]
fn queries_from_invented_addresses_make_us_send_next_to_nothing_to_them() {
    let mut bench = Bench::with(Config::default());
    let mut query = Vec::new();
    for n in 0..2000_u32 {
        let mut id = [7; 20];
        id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
        query.clear();
        Message::query(b"aa", Query::new(Id::from_bytes(id), Method::Ping)).encode(&mut query);
        let [_, b, c, d] = n.to_be_bytes();
        bench.receive(SocketAddr::from(([90 + b, c, d, 1], 6881)), &query);
    }
    let pings = bench.sent.iter().filter(|sent| {
        matches!(Message::decode(&sent.payload).map(|m| m.body), Ok(Body::Query(_)))
    });
    assert!(pings.count() <= 16);
    assert_eq!(bench.node.contacts(), []);
    // Afterwards nobody who never answered is asked more than twice.
    bench.sent.clear();
    bench.wait(Duration::from_secs(3600));
    assert!(bench.sent.len() <= 64, "{}", bench.sent.len());
}

#[test]
fn no_address_that_never_answers_is_sent_more_than_two_datagrams_by_a_lookup() {
    let peers = Fake::all(6);
    let mut bench = Bench::knowing(&peers);
    let victim: SocketAddr = "200.1.1.1:53".parse().unwrap();
    let query = bench.ask(get_of(&item(1, 1)));
    let mut sent_to_victim = 0;
    // Every peer names the victim under eight ids next to the target, and on eight ports.
    let target = item(1, 1).target();
    let crowd = |n: u8| -> Vec<NodeInfo> {
        let node = |k: u8| {
            let mut id = target.to_bytes();
            (id[18], id[19]) = (n, k);
            let port = 53 + u16::from(k) * u16::from(n % 2);
            NodeInfo { id: Id::from_bytes(id), addr: format!("200.1.1.1:{port}").parse().unwrap() }
        };
        (0..8).map(node).collect()
    };
    while bench.ending(query).is_none() {
        for sent in std::mem::take(&mut bench.sent) {
            if sent.to.ip() == victim.ip() {
                sent_to_victim += 1;
                continue;
            }
            let Some(peer) = peers.iter().find(|peer| peer.addr == sent.to) else { continue };
            let tid = Message::decode(&sent.payload).unwrap().transaction.to_vec();
            let nodes = crowd(peer.id.as_bytes()[0]);
            let answer = Answer { id: Some(peer.id), nodes, ..Answer::default() };
            bench.receive(peer.addr, &answer.encode(&tid));
        }
        assert!(bench.ending(query).is_some() || bench.tick());
    }
    assert!((1..=2).contains(&sent_to_victim), "{sent_to_victim} datagrams");
}

#[test]
fn forged_replies_are_not_taken_for_answers() {
    let peers = Fake::all(1);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 1)));
    let evil = NodeInfo { id: item(1, 1).target(), addr: "203.1.1.1:1".parse().unwrap() };
    let mut datagram = Vec::new();
    for n in 0..100_000_u32 {
        datagram.clear();
        let tid = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let mut response = Response::new(peers[0].id);
        let nodes = [evil];
        response.nodes = Nodes::List(&nodes);
        Message::response(&tid, response).encode(&mut datagram);
        bench.receive(peers[0].addr, &datagram);
    }
    assert!(bench.ending(query).is_none());
    assert_eq!(bench.node.info().counters.unexpected, 100_000);
}

#[test]
fn nodes_behind_a_nat_find_what_others_store() {
    let mut swarm = Swarm::joined(40, 80);
    let item = item(1, 5);
    swarm.put(2, &item);
    let outside = "130.5.5.5".parse().unwrap();
    let site = swarm.net.add_site(Nat::new(outside, NatKind::PortRestricted));
    for read_only in [true, false] {
        let index = swarm.nodes.len();
        let inside: std::net::SocketAddrV4 = format!("192.168.0.{index}:6881").parse().unwrap();
        let bootstrap = vec![crate::swarm::address(0)];
        let config = Config { ipv4: Some(inside), bootstrap, read_only, ..Config::default() };
        let peer = swarm.peer(config, index);
        let node = swarm.net.add(Host::inside(site, SocketAddr::V4(inside)), peer);
        swarm.nodes.push(node);
        swarm.net.run_for(Duration::from_secs(30));
        assert_eq!(swarm.get(index, &item).as_ref(), Some(&item), "read-only: {read_only}");
        let info = swarm.node(index).info().ipv4.unwrap();
        assert_eq!(info.public.map(|addr| addr.ip()), Some(outside));
    }
}

#[test]
fn a_read_only_node_is_in_nobodys_table() {
    let mut swarm = Swarm::joined(20, 81);
    let index = swarm.spawn(|config| Config { read_only: true, ..settled(config) });
    swarm.net.run_for(Duration::from_secs(1800));
    assert!(swarm.node(index).info().ipv4.unwrap().nodes >= 8);
    for other in 0..20 {
        let contacts = swarm.node(other).contacts();
        assert!(contacts.iter().all(|node| node.addr != crate::swarm::address(index)));
    }
    let (outcome, _) = swarm.ask(3, Ask::Ping { addr: crate::swarm::address(index) });
    assert!(matches!(outcome, Outcome::Nodes(Err(_))));
}

/// Bytes that look a little like messages, and some that do not.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "d",
            "e",
            "l",
            "1:a",
            "1:r",
            "1:q",
            "1:y",
            "1:t",
            "1:e",
            "2:id",
            "2:ip",
            "1:v",
            "1:k",
            "3:sig",
            "3:seq",
            "3:cas",
            "4:salt",
            "5:token",
            "6:target",
            "9:info_hash",
            "5:nodes",
            "6:values",
            "4:ping",
            "3:put",
            "3:get",
            "9:get_peers",
            "9:find_node",
            "13:announce_peer",
            "4:port",
            "20:abcdefghij0123456789",
            "2:aa",
            "4:aaaa",
            "i1e",
            "i-1e",
            "i99999999999999999999e",
            "0:",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(token, 0..40).prop_map(|parts| parts.concat())
}

/// A sound query with some bytes changed.
fn mutant() -> impl Strategy<Value = Vec<u8>> {
    let query = prop::sample::select(vec![
        &b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"[..],
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        b"d1:rd2:id20:mnopqrstuvwxyz1234565:nodes26:abcdefghij0123456789axje.u5:token8:aoeusnthe1:t4:aaaa1:y1:re",
        b"d1:ad2:id20:abcdefghij01234567895:token8:aoeusnth1:v12:Hello World!e1:q3:put1:t2:aa1:y1:qe",
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    ]);
    (query, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)).prop_map(
        |(query, changes)| {
            let mut bytes = query.to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_datagram_harms_a_node_or_gets_more_than_one_bounded_reply(
        datagrams in prop::collection::vec((any::<[u8; 4]>(), any::<u16>(), prop_oneof![datagram(), mutant()]), 1..60)
    ) {
        let mut bench = Bench::with(Config::default());
        bench.ask(get_of(&item(1, 1)));
        for (ip, port, bytes) in datagrams {
            let from = SocketAddr::from((ip, port));
            bench.sent.clear();
            bench.receive(from, &bytes);
            let is_query = |payload: &[u8]| matches!(Message::decode(payload).unwrap().body, Body::Query(_));
            let replies: Vec<_> = bench.sent.iter().filter(|sent| !is_query(&sent.payload)).collect();
            prop_assert!(replies.len() <= 1);
            for reply in replies {
                prop_assert_eq!(reply.to, from);
                prop_assert!(reply.payload.len() <= 1024);
                let answered = Message::decode(&bytes);
                let was_query = match &answered {
                    Ok(message) => matches!(message.body, Body::Query(_)),
                    Err(error) => error.reply().is_some(),
                };
                prop_assert!(was_query, "answered {:?}", answered);
            }
        }
        bench.wait(Duration::from_secs(60));
    }
}
