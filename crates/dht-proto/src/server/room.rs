//! How large a reply may be: to anybody, and to who may have been made up by somebody else.
//! Apart from the answers, so that every bound on amplification stands in one place.

use std::net::SocketAddr;

use mainstay_krpc::{ErrorReply, Message, Nodes, Nodes6, Response};

use super::{Arrival, Near};
use crate::wire::Wire;

/// No reply is larger, save one that carries a value.
pub(super) const MAX_REPLY: usize = 1024;
/// No reply that carries a value is larger: it must fit one Ethernet frame with room for tunnels.
const MAX_VALUE_REPLY: usize = 1400;
/// How many times its query a reply to an unproven address may be, by the bytes of both datagrams without IP and UDP
/// headers. With headers the true factor is smaller.
const FACTOR: usize = 3;

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
    /// farthest.
    pub(super) fn fit(&self, wire: &mut Wire, response: Response<'_>, limit: usize) -> Vec<u8> {
        let full = self.fill(response, usize::MAX, usize::MAX);
        let payload = self.visit.encode(wire, full);
        if payload.len() <= limit {
            return payload;
        }
        wire.recycle(payload);
        let fewer = self.fit_nodes(wire, response, limit);
        self.visit.encode(wire, fewer)
    }

    /// As [`fit`](Self::fit), before it is encoded.
    pub(super) fn fit_nodes<'n>(
        &'n self,
        wire: &mut Wire,
        response: Response<'n>,
        limit: usize,
    ) -> Response<'n> {
        const ALL: usize = usize::MAX;
        let full = self.fill(response, ALL, ALL);
        if self.size(wire, full) <= limit {
            return full;
        }
        // The family of the transport is dearer, unless there is nobody of it to name.
        let v4 = self.v4.as_ref().map_or(0, Vec::len);
        let v6 = self.v6.as_ref().map_or(0, Vec::len);
        let v4_first = if self.visit.from.is_ipv4() { v4 > 0 } else { v6 == 0 };
        let most = |count: usize| {
            if v4_first { self.fill(response, count, 0) } else { self.fill(response, 0, count) }
        };
        let excess = self.size(wire, most(ALL)).saturating_sub(limit);
        let (there, each) = if v4_first { (v4, 26) } else { (v6, 38) };
        most(there.saturating_sub(excess.div_ceil(each)))
    }

    /// Adds at most so many nodes of each family; a family that may have none is left out.
    pub(super) fn fill<'n>(
        &'n self,
        mut response: Response<'n>,
        most_v4: usize,
        most_v6: usize,
    ) -> Response<'n> {
        if let Some(nodes) = self.v4.as_ref().filter(|_| most_v4 > 0) {
            response.nodes = Nodes::List(nodes.get(..most_v4).unwrap_or(nodes));
        }
        if let Some(nodes) = self.v6.as_ref().filter(|_| most_v6 > 0) {
            response.nodes6 = Nodes6::List(nodes.get(..most_v6).unwrap_or(nodes));
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
