//! What a pairing cannot do because of the peer's own rules, shown by the bytes alone.
//!
//! Separate from the pairings, so that a pairing that is left out there has its proof here. When a newer peer breaks one
//! of these tests, the pairing it stands for can be added.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use mainstay_keys::Keypair;
use mainstay_krpc::item::{MutableItem, mutable_target};
use serde_json::json;

use crate::peer::{Peer, Program};

/// Far above the round trip on loopback, below the patience of a reader of test output.
const SILENCE: Duration = Duration::from_millis(700);

#[test]
fn mainline_answers_transaction_ids_of_four_bytes_only() {
    let Some((_peer, mainline)) = mainline_server() else { return };
    let ping = |transaction: &str| {
        let length = transaction.len();
        format!("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t{length}:{transaction}1:y1:qe")
    };
    assert!(mainline.ask(ping("abcd").as_bytes()).is_some(), "not even four bytes are answered");
    for transaction in ["a", "ab", "abc", "abcde", "abcdefgh"] {
        let answer = mainline.ask(ping(transaction).as_bytes());
        assert_eq!(answer, None, "answers {} bytes: pair it", transaction.len());
    }
}

#[test]
fn mainline_takes_a_put_only_with_a_target_that_bep_44_does_not_have() {
    let Some((_peer, mainline)) = mainline_server() else { return };
    let keypair = Keypair::from_secret_key(&[9; 32]);
    let item = MutableItem::sign_bytes(&keypair, b"", 1, b"hello").expect("a small value");
    let target = mutable_target(keypair.public_key().as_bytes(), b"");

    let mut get = b"d1:ad2:id20:abcdefghij01234567896:target20:".to_vec();
    get.extend(target.as_bytes());
    get.extend(b"e1:q3:get1:t4:abcd1:y1:qe");
    let answer = mainline.ask(&get).expect("a get is answered");
    let token = token(&answer);

    let put = |target: Option<&[u8]>| {
        let mut put = b"d1:ad2:id20:abcdefghij01234567891:k32:".to_vec();
        put.extend(keypair.public_key().as_bytes());
        put.extend(b"3:seqi1e3:sig64:");
        put.extend(item.signature().as_bytes());
        if let Some(target) = target {
            put.extend(b"6:target20:");
            put.extend(target);
        }
        put.extend(format!("5:token{}:", token.len()).into_bytes());
        put.extend(&token);
        put.extend(b"1:v5:helloe1:q3:put1:t4:abcd1:y1:qe");
        put
    };
    assert_eq!(mainline.ask(&put(None)), None, "takes a put as BEP 44 has it: pair it");
    let answer = mainline.ask(&put(Some(target.as_bytes()))).expect("with a target it answers");
    assert!(answer.ends_with(b"1:y1:re"), "{}", answer.escape_ascii());
}

/// A socket of ours and the address of a mainline server.
struct Server {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Server {
    /// The answer to a datagram, or `None` when there is none.
    fn ask(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.socket.send_to(datagram, self.address).expect("loopback sends");
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
            let datagram = &buffer[..length];
            // Its own queries are not the answer.
            if from == self.address && !datagram.ends_with(b"1:y1:qe") {
                return Some(datagram.to_vec());
            }
        }
    }
}

fn mainline_server() -> Option<(Peer, Server)> {
    let mut peer = Peer::spawn(Program::Modern)?;
    let started = peer.must(&json!({ "op": "dht", "bootstrap": [], "server": true }));
    let address = started["address"].as_str().expect("an address");
    let port = address.rsplit(':').next().expect("a port").parse().expect("a number");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.set_read_timeout(Some(SILENCE)).expect("sockets have timeouts");
    Some((peer, Server { socket, address: SocketAddr::from(([127, 0, 0, 1], port)) }))
}

fn token(answer: &[u8]) -> Vec<u8> {
    let key = b"5:token";
    let at = answer.windows(key.len()).position(|window| window == key).expect("a token");
    let rest = &answer[at + key.len()..];
    let colon = rest.iter().position(|byte| *byte == b':').expect("a length");
    let length: usize =
        std::str::from_utf8(&rest[..colon]).expect("digits").parse().expect("a number");
    rest[colon + 1..=colon + length].to_vec()
}
