//! The one typed message: what stands on the outside of every datagram, apart from what each kind carries.

mod query;
mod response;

use std::net::SocketAddr;

pub use query::{AnnouncePort, Method, MutablePut, Put, Query, Want};
pub use response::{ErrorReply, Response};

/// The longest transaction id that is read and echoed, in bytes; the shortest has one.
pub const MAX_TRANSACTION: usize = 32;

/// One datagram of the Mainline DHT ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html#krpc-protocol)), borrowed.
///
/// [`decode`](Self::decode) makes it from a datagram, [`encode`](Self::encode) a datagram from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// `t`: what the asker chose to know the answer by, and the answerer echoes. Empty only in an error reply whose
    /// sender left it out.
    pub transaction: &'a [u8],
    /// `v`: which program the sender is, by custom two letters and two bytes; may be anything, and is no condition of
    /// anything.
    pub version: Option<&'a [u8]>,
    /// `ip`: the address that the asker has in the eyes of the answerer
    /// ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)). Read and written in responses and errors only;
    /// `None` as well if it could not be read.
    pub ip: Option<SocketAddr>,
    /// `ro`: the asker answers no queries ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)), so keep it out of
    /// tables. Read and written in queries only: the field has responses with it, where it means nothing.
    pub read_only: bool,
    /// What is asked or answered.
    pub body: Body<'a>,
}

impl<'a> Message<'a> {
    /// A query with nothing optional.
    #[must_use]
    pub const fn query(transaction: &'a [u8], query: Query<'a>) -> Self {
        Self::new(transaction, Body::Query(query))
    }

    /// A response with nothing optional.
    #[must_use]
    pub const fn response(transaction: &'a [u8], response: Response<'a>) -> Self {
        Self::new(transaction, Body::Response(response))
    }

    /// An error reply with nothing optional.
    #[must_use]
    pub const fn error(transaction: &'a [u8], error: ErrorReply<'a>) -> Self {
        Self::new(transaction, Body::Error(error))
    }

    const fn new(transaction: &'a [u8], body: Body<'a>) -> Self {
        Self { transaction, version: None, ip: None, read_only: false, body }
    }
}

/// What a [`Message`] is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body<'a> {
    /// `q`: a question.
    Query(Query<'a>),
    /// `r`: its answer.
    Response(Response<'a>),
    /// `e`: the refusal to answer it.
    Error(ErrorReply<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, Id, Method, NodeInfo, Nodes, Values};

    /// What is `Copy` owns no memory, so that reading cannot have allocated any of it.
    const fn owns_nothing<T: Copy>() {}
    const _: () = owns_nothing::<Message<'_>>();
    const _: () = owns_nothing::<DecodeError<'_>>();

    #[test]
    fn writing_grows_nothing_where_there_is_room() {
        let id = Id::from_bytes([7; 20]);
        let nodes = [NodeInfo { id, addr: "192.0.2.1:6881".parse().expect("an address") }; 8];
        let peers = ["192.0.2.1:6881".parse().expect("an address"); 50];
        let response = Response {
            nodes: Nodes::List(&nodes),
            values: Values::List(&peers),
            value: Some(b"5:value"),
            ..Response::new(id)
        };
        let query = Query::new(id, Method::FindNode { target: id });
        for message in [Message::query(b"aa", query), Message::response(b"aa", response)] {
            let mut exact = Vec::new();
            message.encode(&mut exact);
            let mut out = Vec::with_capacity(exact.len());
            let (room, start) = (out.capacity(), out.as_ptr());
            message.encode(&mut out);
            assert_eq!((out.capacity(), out.as_ptr()), (room, start));
        }
    }

    #[test]
    fn what_is_in_the_buffer_stays_there() {
        let mut out = b"kept".to_vec();
        Message::response(b"aa", Response::new(Id::from_bytes([b'i'; 20]))).encode(&mut out);
        assert_eq!(out, b"keptd1:rd2:id20:iiiiiiiiiiiiiiiiiiiie1:t2:aa1:y1:re");
    }
}
