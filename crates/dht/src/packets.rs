//! The last datagrams of a node, for those who look for a fault: off unless asked for.
//! Apart from the driver, which only hands them over.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use mainstay_krpc::{Body, Message, Method};

/// More than this is not kept, whatever was asked for: some 100 MB at worst.
const MOST: usize = 65_536;

/// A datagram that a node received or sent.
///
/// Shown as one line: the time as seconds since 1970, the direction, the peer, the length, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// When.
    pub at: SystemTime,
    /// True if the node sent it; whether the system took it is another matter.
    pub sent: bool,
    /// Whom it came from or went to.
    pub peer: SocketAddr,
    /// Its bytes: of a received one as many as the node read, at most 2,048.
    pub bytes: Box<[u8]>,
}

impl Packet {
    /// What kind of message it is: `ping`, `find_node` …, `answer`, `error 203`, or `not a message`.
    #[must_use]
    pub fn kind(&self) -> String {
        let Ok(message) = Message::decode(&self.bytes) else { return "not a message".to_owned() };
        match message.body {
            Body::Query(query) => name(&query.method).to_owned(),
            Body::Response(_) => "answer".to_owned(),
            Body::Error(error) => format!("error {}", error.code),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let way = if self.sent { "to" } else { "from" };
        write!(f, "{at:.6} {way} {} {} B {}", self.peer, self.bytes.len(), self.kind())
    }
}

fn name(method: &Method<'_>) -> &'static str {
    match method {
        Method::Ping => "ping",
        Method::FindNode { .. } => "find_node",
        Method::GetPeers { .. } => "get_peers",
        Method::AnnouncePeer { .. } => "announce_peer",
        Method::Get { .. } => "get",
        Method::Put(_) => "put",
        Method::SampleInfohashes { .. } => "sample_infohashes",
        _ => "another method",
    }
}

/// The last ones, the earliest first; none if the capacity is 0.
#[derive(Debug, Default)]
pub(crate) struct PacketLog {
    capacity: usize,
    packets: VecDeque<Packet>,
}

impl PacketLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.min(MOST), packets: VecDeque::new() }
    }

    pub(crate) fn note(&mut self, sent: bool, peer: SocketAddr, bytes: &[u8]) {
        if self.capacity == 0 {
            return;
        }
        if self.packets.len() >= self.capacity {
            self.packets.pop_front();
        }
        self.packets.push_back(Packet { at: SystemTime::now(), sent, peer, bytes: bytes.into() });
    }

    pub(crate) fn copy(&self) -> Vec<Packet> {
        self.packets.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_are_kept_and_the_earliest_go() {
        let mut log = PacketLog::new(2);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        for bytes in [&b"one"[..], b"two", b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t2:aa1:y1:re"] {
            log.note(true, peer, bytes);
        }
        let kinds: Vec<_> = log.copy().iter().map(Packet::kind).collect();
        assert_eq!(kinds, ["not a message", "answer"]);
        assert!(log.copy()[1].to_string().ends_with(" to 127.0.0.1:1 47 B answer"));
        let mut off = PacketLog::new(0);
        off.note(false, peer, b"one");
        assert_eq!(off.copy(), []);
        assert_eq!(PacketLog::new(usize::MAX).capacity, MOST);
    }
}
