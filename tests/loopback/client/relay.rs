//! An HTTP relay of a few lines that behaves as a test tells it, well or badly.
//! Apart from the tests because it is the only place that writes HTTP by hand.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use mainstay::{SignedPacket, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a relay behaves.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As it should: gives what it has, stores what is newer, honours `If-Match`.
    Honest,
    /// Takes the connection and never says a word.
    Hangs,
    /// Begins an answer and stops among its headers.
    HangsInHeaders,
    /// Begins an answer and stops in its body.
    HangsInBody,
    /// Closes the connection at once.
    Resets,
    /// Sends what is no HTTP.
    Babbles,
    /// Answers 200 with bytes that are no packet.
    Garbage,
    /// Answers 200 with a body that never ends.
    Endless,
    /// Answers 200 with no body.
    Empty,
    /// Gives this packet whatever is asked for, and stores nothing.
    Insists(SignedPacket),
    /// Answers everything with this status.
    Status(u16),
    /// Sends whoever comes in a circle.
    Redirects,
}

/// A running relay; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    packets: HashMap<String, SignedPacket>,
    requests: Vec<String>,
}

impl Relay {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let state = State { manner, packets: HashMap::new(), requests: Vec::new() };
        let relay = Self { url, state: Arc::new(Mutex::new(state)) };
        let serving = relay.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let relay = serving.clone();
                // A client that goes away in between is no matter.
                tokio::spawn(async move { drop(relay.serve(stream).await) });
            }
        });
        relay
    }

    pub(crate) fn holding(self, packet: &SignedPacket) -> Self {
        let key = packet.public_key().to_z32();
        self.state().packets.insert(key, packet.clone());
        self
    }

    pub(crate) fn packet(&self, key: mainstay::PublicKey) -> Option<SignedPacket> {
        self.state().packets.get(&key.to_z32()).cloned()
    }

    pub(crate) fn change(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// Whether the head of each request that it has had contains this text; not if there was none.
    pub(crate) fn was_always_told(&self, text: &str) -> bool {
        let state = self.state();
        !state.requests.is_empty() && state.requests.iter().all(|request| request.contains(text))
    }

    /// How many requests of this method it has had.
    pub(crate) fn count(&self, method: &str) -> usize {
        let state = self.state();
        state.requests.iter().filter(|request| request.starts_with(method)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let manner = self.state().manner.clone();
        if matches!(manner, Manner::Resets) {
            return Ok(());
        }
        let (head, body) = read_request(&mut stream).await?;
        self.state().requests.push(head.clone());
        let payload = |packet: &SignedPacket| reply(200, "", &packet.to_relay_payload());
        let answer = match manner {
            Manner::Honest => self.behave(&head, &body),
            Manner::Hangs => return std::future::pending().await,
            Manner::HangsInHeaders | Manner::HangsInBody => {
                let end = if matches!(manner, Manner::HangsInBody) { "\r\nhalf" } else { "" };
                let begun = format!("HTTP/1.1 200 OK\r\ncontent-length: 300\r\n{end}");
                stream.write_all(begun.as_bytes()).await?;
                return std::future::pending().await;
            }
            Manner::Resets => Vec::new(),
            Manner::Babbles => b"\0\xffnothing that HTTP knows\r\n\r\n".to_vec(),
            Manner::Garbage => reply(200, "", &[7; 300]),
            Manner::Empty => reply(200, "", &[]),
            Manner::Insists(packet) => payload(&packet),
            Manner::Status(status) => reply(status, "retry-after: 3\r\n", b"no"),
            Manner::Redirects => reply(307, &format!("location: {}again\r\n", self.url), &[]),
            Manner::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[7; 4096]).await?;
                }
            }
        };
        stream.write_all(&answer).await?;
        stream.shutdown().await
    }

    fn behave(&self, head: &str, body: &[u8]) -> Vec<u8> {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let key = path.trim_start_matches('/').split('?').next().unwrap_or_default().to_owned();
        let mut state = self.state();
        let standing = state.packets.get(&key).cloned();
        if head.starts_with("GET") {
            return match standing {
                Some(packet) => reply(200, "", &packet.to_relay_payload()),
                None => reply(404, "", &[]),
            };
        }
        let public_key = key.as_str().try_into().expect("clients ask for keys");
        let incoming = SignedPacket::from_relay_payload(&public_key, &body.to_vec().into());
        let incoming = incoming.expect("clients send packets");
        if standing.as_ref().is_some_and(|standing| standing.more_recent_than(&incoming)) {
            return reply(409, "", b"not most recent");
        }
        let is = standing.as_ref().map(SignedPacket::timestamp);
        let same = standing.is_some_and(|standing| standing.is_same_as(&incoming));
        let is = is.unwrap_or(Timestamp::from(0));
        if !same && if_match(head).is_some_and(|expected| is != expected) {
            return reply(412, "", b"cas failed");
        }
        state.packets.insert(key, incoming);
        reply(204, "pkarr-dht-stored-nodes: 7\r\n", &[])
    }
}

fn if_match(head: &str) -> Option<Timestamp> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("if-match:"))?;
    let value = line.split(':').nth(1)?.trim().trim_matches('"');
    value.parse().ok().map(|micros: u64| Timestamp::from(micros))
}

/// The head of a request, and its body.
async fn read_request(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap_or(0));
            let mut body = bytes.split_off(end + 4);
            let have = body.len();
            body.resize(length.max(have), 0);
            stream.read_exact(&mut body[have..]).await?;
            return Ok((head, body));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn reply(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let length =
        if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{length}{headers}\r\n");
    [head.as_bytes(), body].concat()
}
