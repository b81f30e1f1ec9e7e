//! How large a reply may be: to anybody, and to who may have been made up by somebody else.
//! Apart from the answers, so that every bound on amplification stands in one place.

use std::net::SocketAddr;

use mainstay_krpc::{ErrorReply, Message, Nodes, Nodes6, Response};

use super::{Arrival, Near};
use crate::network::NODES;
use crate::wire::Wire;

/// No reply is larger, save one that carries a value.
pub(super) const MAX_REPLY: usize = 1024;
/// No reply that carries a value is larger: it must fit one Ethernet frame with room for tunnels.
const MAX_VALUE_REPLY: usize = 1400;
/// How many times its query a reply to an unproven address may be, by the bytes of both datagrams without IP and UDP
/// headers. With headers the true factor is smaller.
const FACTOR: usize = 3;
/// What an IPv4 node takes in a reply.
const V4_BYTES: usize = 26;
/// What an IPv6 node takes in a reply.
const V6_BYTES: usize = 38;
/// No bound on nodes beside how many there are.
const ALL: usize = usize::MAX;

/// The room for the answer to one query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For whatever is not a value.
    pub(super) plain: usize,
    /// With a value, for the nodes to go with it.
    pub(super) with_value: usize,
    /// For an error: a fifth more than the query.
    error: usize,
    pub(super) proven: bool,
}

impl Room {
    /// An unproven sender may be the victim of who sent the query, so nothing may be gained by asking in its name. A
    /// value is the exception: it costs its author a token to have it stored here, the first reader of BEP 44 has
    /// nothing to show yet, and even the largest is below 16 times the shortest query.
    pub(super) fn of(arrival: &Arrival) -> Self {
        let scaled = arrival.length.saturating_mul(FACTOR);
        let error = arrival.length.saturating_mul(6) / 5;
        if arrival.proven {
            return Self { plain: MAX_REPLY, with_value: MAX_VALUE_REPLY, error, proven: true };
        }
        let plain = scaled.min(MAX_REPLY);
        Self { plain, with_value: plain, error, proven: false }
    }

    /// Encodes an error, leaving out what there is no room for: our name, the text, the receiver's address.
    pub(super) fn fit_error(
        self,
        wire: &mut Wire,
        to: SocketAddr,
        message: Message<'_>,
    ) -> Option<Vec<u8>> {
        let full = wire.encode_reply(to, message);
        if full.len() <= self.error {
            return Some(full);
        }
        let mut short = message;
        let mainstay_krpc::Body::Error(error) = message.body else { return None };
        (short.version, short.ip) = (None, None);
        for text in [error.text, b""] {
            short.body = mainstay_krpc::Body::Error(ErrorReply { code: error.code, text });
            let mut payload = Vec::with_capacity(64);
            short.encode(&mut payload);
            if payload.len() <= self.error {
                return Some(payload);
            }
        }
        None
    }
}

impl Near<'_> {
    /// Encodes `response` with as many nodes as leave it within `limit`: those of the other family go first, then the
    /// farthest. Twice at most: what leaving out nodes saves is known without encoding.
    pub(super) fn fit(&self, wire: &mut Wire, response: Response<'_>, limit: usize) -> Vec<u8> {
        let payload = self.visit.encode(wire, self.fill(response, ALL, ALL));
        if payload.len() <= limit {
            return payload;
        }
        let (v4, v6) = self.most(payload.len(), limit);
        wire.recycle(payload);
        self.visit.encode(wire, self.fill(response, v4, v6))
    }

    /// As [`fit`](Self::fit), before it is encoded, and how many bytes it will have.
    pub(super) fn fit_nodes<'n>(
        &'n self,
        wire: &mut Wire,
        response: Response<'n>,
        limit: usize,
    ) -> (Response<'n>, usize) {
        let full = self.size(wire, self.fill(response, ALL, ALL));
        let (v4, v6) = self.most(full, limit);
        let left_out = self.nodes_size(ALL, ALL).saturating_sub(self.nodes_size(v4, v6));
        (self.fill(response, v4, v6), full.saturating_sub(left_out))
    }

    /// How many nodes of each family may stay in a reply that has `full` bytes with all of them.
    fn most(&self, full: usize, limit: usize) -> (usize, usize) {
        if full <= limit {
            return (ALL, ALL);
        }
        // The family of the transport is dearer, unless there is nobody of it to name.
        let v4 = self.v4.as_ref().map_or(0, Listed::len);
        let v6 = self.v6.as_ref().map_or(0, Listed::len);
        let v4_first = if self.visit.from.is_ipv4() { v4 > 0 } else { v6 == 0 };
        let alone = if v4_first { self.nodes_size(ALL, 0) } else { self.nodes_size(0, ALL) };
        let others = self.nodes_size(ALL, ALL).saturating_sub(alone);
        let excess = full.saturating_sub(others).saturating_sub(limit);
        if v4_first {
            (v4.saturating_sub(excess.div_ceil(V4_BYTES)), 0)
        } else {
            (0, v6.saturating_sub(excess.div_ceil(V6_BYTES)))
        }
    }

    /// How many bytes so many nodes of each family take.
    fn nodes_size(&self, most_v4: usize, most_v6: usize) -> usize {
        let list = |key: &[u8], most: usize, there: Option<usize>, each: usize| {
            let Some(there) = there.filter(|_| most > 0) else { return 0 };
            let bytes = there.min(most) * each;
            key.len() + decimal_digits(bytes) + 1 + bytes
        };
        let v4 = list(b"5:nodes", most_v4, self.v4.as_ref().map(Listed::len), V4_BYTES);
        let v6 = list(b"6:nodes6", most_v6, self.v6.as_ref().map(Listed::len), V6_BYTES);
        v4 + v6
    }

    /// Adds at most so many nodes of each family; a family that may have none is left out.
    pub(super) fn fill<'n>(
        &'n self,
        mut response: Response<'n>,
        most_v4: usize,
        most_v6: usize,
    ) -> Response<'n> {
        if let Some(nodes) = self.v4.as_ref().filter(|_| most_v4 > 0) {
            response.nodes = Nodes::List(nodes.first(most_v4));
        }
        if let Some(nodes) = self.v6.as_ref().filter(|_| most_v6 > 0) {
            response.nodes6 = Nodes6::List(nodes.first(most_v6));
        }
        response
    }

    pub(super) fn size(&self, wire: &mut Wire, response: Response<'_>) -> usize {
        let payload = self.visit.encode(wire, response);
        let size = payload.len();
        wire.recycle(payload);
        size
    }
}

/// The nodes of one family to name, on the stack: the answer to a query takes no allocation for them.
#[derive(Debug)]
pub(super) struct Listed<T> {
    nodes: [T; NODES],
    count: usize,
}

impl<T: Copy> Listed<T> {
    /// The first of `nodes`; `blank` stands where there is none.
    pub(super) fn new(blank: T, nodes: impl Iterator<Item = T>) -> Self {
        let mut listed = Self { nodes: [blank; NODES], count: 0 };
        for (place, node) in listed.nodes.iter_mut().zip(nodes) {
            *place = node;
            listed.count += 1;
        }
        listed
    }

    fn first(&self, most: usize) -> &[T] {
        self.nodes.get(..most.min(self.count)).unwrap_or_default()
    }
}

impl<T> Listed<T> {
    fn len(&self) -> usize {
        self.count
    }
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

    use mainstay_krpc::{Body, Id, NodeInfo, NodeInfo6, Want};
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::super::Visit;
    use super::*;
    use crate::Config;
    use crate::network::Networks;

    #[test]
    fn what_leaving_out_nodes_saves_is_known_without_encoding() {
        each_list(|near, wire| {
            let response = Response::new(near.visit.own);
            let bare = near.size(wire, response);
            for most_v4 in 0..=NODES + 1 {
                for most_v6 in 0..=NODES + 1 {
                    let with = near.size(wire, near.fill(response, most_v4, most_v6));
                    assert_eq!(near.nodes_size(most_v4, most_v6), with - bare);
                }
            }
        });
    }

    #[test]
    fn a_reply_names_as_many_nodes_as_there_is_room_for() {
        each_list(|near, wire| {
            let response = Response::new(near.visit.own);
            let (bare, full) = (near.size(wire, response), near.nodes_size(ALL, ALL));
            for limit in (bare..=bare + full).step_by(7) {
                let (fewer, size) = near.fit_nodes(wire, response, limit);
                let reply = near.fit(wire, response, limit);
                assert_eq!(reply.len(), size);
                assert!(reply.len() <= limit, "{} of {limit}", reply.len());
                let Body::Response(read) = Message::decode(&reply).unwrap().body else {
                    panic!("no response")
                };
                assert_eq!((read.nodes, read.nodes6), (fewer.nodes, fewer.nodes6));
                // One more of the family that is named would not fit; the list's length may save two digits.
                let (v4, v6) = (read.nodes.iter().count(), read.nodes6.iter().count());
                let count = |listed: Option<usize>| listed.unwrap_or(0);
                let there = count(near.v4.as_ref().map(Listed::len));
                let (all, more) = if there > 0 {
                    (v4 == there, near.nodes_size(v4 + 1, 0))
                } else {
                    let there = count(near.v6.as_ref().map(Listed::len));
                    (v6 == there, near.nodes_size(0, v6 + 1))
                };
                assert!(all || bare + more + 2 > limit, "{v4} {v6} in {limit}");
                wire.recycle(reply);
            }
        });
    }

    /// Runs `check` with every number of nodes of either family.
    fn each_list(check: impl Fn(&Near<'_>, &mut Wire)) {
        let now = crate::testing::start();
        let config = Config::default();
        let networks = Networks::new(&config, &mut StdRng::from_seed([1; 32]), now);
        let mut wire = Wire::new(&config, [1; 32], now);
        let own = Id::from_bytes([7; 20]);
        let visit = Visit {
            now,
            from: SocketAddr::from(([60, 1, 1, 1], 6881)),
            transaction: b"aaaa",
            own,
            want: Want::BOTH,
            room: Room { plain: 0, with_value: 0, error: 0, proven: false },
            networks: &networks,
        };
        let v4 = NodeInfo { id: own, addr: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1) };
        let v6 = NodeInfo6 { id: own, addr: SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0, 0) };
        let counts = || (0..=NODES).map(Some).chain([None]);
        for (of_v4, of_v6) in counts().flat_map(|of_v4| counts().map(move |of_v6| (of_v4, of_v6))) {
            let v4 = of_v4.map(|count| Listed::new(v4, std::iter::repeat_n(v4, count)));
            let v6 = of_v6.map(|count| Listed::new(v6, std::iter::repeat_n(v6, count)));
            check(&Near { visit: &visit, v4, v6 }, &mut wire);
        }
    }
}
