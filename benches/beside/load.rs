//! Queries at a server as fast as it answers them: so many on their way at a time, over one UDP socket.
//!
//! Separate from the rows, because the load is the same for every contender.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{Body, Id, Message, Method, Put, Query};

/// How many queries are on their way at a time.
const WINDOW: usize = 32;
/// The transaction id of a query that has no number; no run sends so many queries that it comes to this one.
const TRANSACTION: &[u8] = b"\xffBBN";
/// How long an answer may take before its query counts as lost.
const PATIENCE: Duration = Duration::from_millis(300);

/// One kind of query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ping,
    FindNode,
    GetPeers,
    GetAbsent,
    GetPresent,
    PutNew,
    PutAgain,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Ping,
        Self::FindNode,
        Self::GetPeers,
        Self::GetAbsent,
        Self::GetPresent,
        Self::PutNew,
        Self::PutAgain,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::FindNode => "find_node",
            Self::GetPeers => "get_peers",
            Self::GetAbsent => "get, nothing stored",
            Self::GetPresent => "get, 1,000-byte value",
            Self::PutNew => "put, new sequence",
            Self::PutAgain => "put, identical again",
        }
    }
}

/// A querier with an id and a key of its own.
#[derive(Debug)]
pub(crate) struct Load {
    socket: UdpSocket,
    id: Id,
    keypair: Keypair,
    seq: i64,
}

/// How a load ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) good: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
}

impl Load {
    pub(crate) fn new(server: SocketAddr, seed: u8) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let keypair = Keypair::from_secret_key(&[seed; 32]);
        Ok(Self { socket, id: Id::from_bytes([seed; 20]), keypair, seq: 1 })
    }

    /// Sends this many queries and waits for their answers.
    pub(crate) fn run(&mut self, kind: Kind, count: usize) -> Result<Answered, String> {
        let token = self.token()?;
        if kind == Kind::GetPresent || kind == Kind::PutAgain {
            let put = self.item();
            self.drive(&[self.put(&put, &token)], 1)?;
        }
        let queries: Vec<Vec<u8>> = match kind {
            Kind::PutNew => (0..count)
                .map(|_| {
                    self.seq += 1;
                    self.put(&self.item(), &token)
                })
                .collect(),
            Kind::PutAgain => vec![self.put(&self.item(), &token)],
            _ => (0..256_u32).map(|number| self.query(kind, number)).collect(),
        };
        self.drive(&queries, count)
    }

    fn drive(&mut self, queries: &[Vec<u8>], count: usize) -> Result<Answered, String> {
        let mut answered = Answered { good: 0, refused: 0, lost: 0 };
        let (mut sent, mut pending, mut last) = (0, 0, Instant::now());
        let mut buffer = [0; 2048];
        let mut query = Vec::new();
        while sent < count || pending > 0 {
            while sent < count && pending < WINDOW {
                query.clear();
                query.extend_from_slice(&queries[sent % queries.len()]);
                number(&mut query, sent as u32);
                self.socket.send(&query).map_err(|error| error.to_string())?;
                (sent, pending) = (sent + 1, pending + 1);
            }
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    (pending, last) = (pending.saturating_sub(1), Instant::now());
                    // `1:y1:e` closes an error, `1:y1:r` an answer: both are at the end of what everybody writes.
                    let error = buffer[..length].windows(6).any(|bytes| bytes == b"1:y1:e");
                    if error { answered.refused += 1 } else { answered.good += 1 }
                }
                Err(_) if last.elapsed() > PATIENCE => {
                    (answered.lost, pending, last) =
                        (answered.lost + pending as u64, 0, Instant::now());
                    if answered.good == 0 && answered.lost as usize > 10 * WINDOW {
                        return Err("the server answers nothing".to_owned());
                    }
                }
                Err(_) => {}
            }
        }
        Ok(answered)
    }

    fn item(&self) -> MutableItem {
        MutableItem::sign_bytes(&self.keypair, b"", self.seq, &[b'v'; 996])
            .expect("1,000 bytes bencoded")
    }

    fn put(&self, item: &MutableItem, token: &[u8]) -> Vec<u8> {
        let mut query = self.encode(Method::Put(Put::mutable(token, item, None)));
        // mainline takes a put only with the target, which BEP 44 leaves to the storing node; the others do not mind.
        let place = query.windows(7).position(|bytes| bytes == b"5:token").unwrap_or_default();
        let target = [&b"6:target20:"[..], item.target().as_bytes()].concat();
        query.splice(place..place, target);
        query
    }

    fn query(&self, kind: Kind, number: u32) -> Vec<u8> {
        let mut other = [0x5a; 20];
        other[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        let other = Id::from_bytes(other);
        self.encode(match kind {
            Kind::Ping => Method::Ping,
            Kind::FindNode => Method::FindNode { target: other },
            Kind::GetPeers => Method::GetPeers { info_hash: other, no_seed: false, scrape: false },
            Kind::GetPresent => Method::Get { target: self.item().target(), seq: None },
            Kind::GetAbsent | Kind::PutNew | Kind::PutAgain => {
                Method::Get { target: other, seq: None }
            }
        })
    }

    fn encode(&self, method: Method<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        Message::query(TRANSACTION, Query::new(self.id, method)).encode(&mut bytes);
        bytes
    }

    /// The token that the server gives with an answer about our own item.
    fn token(&mut self) -> Result<Vec<u8>, String> {
        let query = self.query(Kind::GetPresent, 0);
        let mut buffer = [0; 2048];
        for _ in 0..50 {
            self.socket.send(&query).map_err(|error| error.to_string())?;
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let Ok(message) = Message::decode(&buffer[..length]) else { continue };
            // What was counted as lost may come late, and its token is for something else.
            if message.transaction == TRANSACTION
                && let Body::Response(response) = message.body
                && let Some(token) = response.token
            {
                return Ok(token.to_vec());
            }
        }
        // librqbit has no items, so it has no tokens for them.
        Ok(Vec::new())
    }
}

/// Replaces the transaction id, which stands as `4:` and four bytes behind the key `t`.
fn number(query: &mut [u8], number: u32) {
    let place = query.windows(9).rposition(|bytes| bytes.starts_with(b"1:t4:") && bytes[5] == 0xff);
    let Some(place) = place else { return };
    query[place + 6..place + 9].copy_from_slice(&number.to_be_bytes()[1..]);
}
