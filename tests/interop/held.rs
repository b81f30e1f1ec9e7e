//! A DHT of one node that lets everybody join and then keeps who asks for a value waiting.
//!
//! Separate from the tests that need it: what takes no time on loopback has no middle, and here a store has one.

use std::net::UdpSocket;

use mainstay_keys::PublicKey;
use mainstay_krpc::compact::Nodes;
use mainstay_krpc::item::mutable_target;
use mainstay_krpc::{Body, Id, Message, Method, Response};
use tokio::sync::watch;

/// The node; it ends when it is dropped and somebody speaks to it.
pub(crate) struct HeldDht {
    /// Its address, to join by.
    pub(crate) bootstrap: Vec<String>,
    asked: watch::Receiver<Vec<Id>>,
}

impl HeldDht {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let bootstrap = vec![socket.local_addr().expect("it is bound").to_string()];
        let (sender, asked) = watch::channel(Vec::new());
        std::thread::spawn(move || serve(&socket, &sender));
        Self { bootstrap, asked }
    }

    /// Waits until somebody has looked for the key's item, and is left without an answer.
    ///
    /// # Panics
    /// When nobody does for a minute.
    pub(crate) async fn keeps_waiting_for(&mut self, key: &PublicKey) {
        let target = mutable_target(key.as_bytes(), b"");
        let asked = self.asked.wait_for(|asked| asked.contains(&target));
        let asked = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await;
        drop(asked.expect("somebody looks for it").expect("the node serves"));
    }
}

fn serve(socket: &UdpSocket, asked: &watch::Sender<Vec<Id>>) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if asked.is_closed() {
            return;
        }
        let Ok(Message { transaction, body: Body::Query(query), .. }) =
            Message::decode(&buffer[..length])
        else {
            continue;
        };
        if let Method::Get { target, .. } = query.method {
            asked.send_modify(|asked| asked.push(target));
            continue;
        }
        let nodes = Nodes::List(&[]);
        let answer = Response { nodes, ..Response::new(Id::from_bytes([0x5a; 20])) };
        let mut datagram = Vec::new();
        Message::response(transaction, answer).encode(&mut datagram);
        socket.send_to(&datagram, from).expect("loopback sends");
    }
}
