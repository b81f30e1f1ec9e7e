//! The dictionary `r` of a response: apart from the envelope, which holds it.

use super::keep;
use crate::Id;
use crate::bencode::{Cursor, Fault};
use crate::compact::{NodeList, Samples, Values};
use crate::message::Response;

/// A response, as far as it has been read.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    id: Option<Id>,
    /// `nodes2`: the IPv6 nodes of old clients, which may list IPv4 nodes as well.
    nodes2: Nodes2<'a>,
    response: Response<'a>,
}

/// What stands under a key that lists nodes.
#[derive(Clone, Copy, Debug)]
enum Nodes2<'a> {
    Absent,
    Raw(&'a [u8]),
    Strings(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// Reads the value of `r` into `slot`, which stays empty if it is no dictionary.
    pub(super) fn read(slot: &mut Option<Self>, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        if !cursor.open(b'd')? {
            return cursor.skip(1);
        }
        let response = Response::new(Id::default());
        let reply = slot.insert(Self { id: None, nodes2: Nodes2::Absent, response });
        while !cursor.at_end()? {
            reply.read_entry(cursor)?;
        }
        Ok(())
    }

    #[inline]
    fn read_entry(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let response = &mut self.response;
        match cursor.string()? {
            b"id" => {
                let id = cursor.string_or_skip(2)?;
                keep(&mut self.id, id.and_then(|id| Id::try_from(id).ok()));
            }
            b"nodes" => read_nodes(&mut response.nodes, cursor)?,
            b"nodes6" => read_nodes(&mut response.nodes6, cursor)?,
            b"nodes2" => read_nodes2(&mut self.nodes2, cursor)?,
            b"token" => keep(&mut response.token, cursor.string_or_skip(2)?),
            b"values" => read_values(&mut response.values, cursor)?,
            b"v" => keep(&mut response.value, Some(cursor.span(2)?)),
            b"k" => keep(&mut response.key, read_array(cursor)?),
            b"sig" => keep(&mut response.signature, read_array(cursor)?),
            b"seq" => keep(&mut response.seq, read_integer(cursor)?),
            b"samples" => {
                if let (Samples::Absent, Some(samples)) =
                    (response.samples, cursor.string_or_skip(2)?)
                {
                    response.samples = Samples::Raw(samples);
                }
            }
            b"interval" => {
                let seconds = read_integer(cursor)?.map(|seconds| {
                    let seconds = seconds.clamp(0, i64::from(Response::MAX_INTERVAL));
                    u32::try_from(seconds).unwrap_or(Response::MAX_INTERVAL)
                });
                keep(&mut response.interval, seconds);
            }
            b"num" => {
                let num = read_integer(cursor)?.map(|num| u64::try_from(num).unwrap_or(0));
                keep(&mut response.num, num);
            }
            b"BFsd" => keep(&mut response.bloom_seeds, read_array(cursor)?),
            b"BFpe" => keep(&mut response.bloom_peers, read_array(cursor)?),
            b"p" => {
                let port = read_integer(cursor)?.and_then(|port| u16::try_from(port).ok());
                keep(&mut response.port, port.filter(|port| *port != 0));
            }
            _ => cursor.skip(2)?,
        }
        Ok(())
    }

    /// The response, if it says who answers.
    #[inline]
    pub(super) fn response(&self) -> Option<Response<'a>> {
        let mut response = Response { id: self.id?, ..self.response };
        match self.nodes2 {
            Nodes2::Absent => {}
            Nodes2::Raw(bytes) if response.nodes6.is_absent() => {
                response.nodes6 = NodeList::Raw(bytes);
            }
            Nodes2::Raw(_) => {}
            Nodes2::Strings(span) => {
                if response.nodes.is_absent() {
                    response.nodes = NodeList::Strings(span);
                }
                if response.nodes6.is_absent() {
                    response.nodes6 = NodeList::Strings(span);
                }
            }
        }
        Some(response)
    }
}

fn read_nodes<'a, N>(list: &mut NodeList<'a, N>, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
    let mut nodes = Nodes2::Absent;
    read_nodes2(&mut nodes, cursor)?;
    if matches!(list, NodeList::Absent) {
        *list = match nodes {
            Nodes2::Absent => NodeList::Absent,
            Nodes2::Raw(bytes) => NodeList::Raw(bytes),
            Nodes2::Strings(span) => NodeList::Strings(span),
        };
    }
    Ok(())
}

fn read_nodes2<'a>(nodes: &mut Nodes2<'a>, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
    let read = match cursor.peek()? {
        b'0'..=b'9' => Nodes2::Raw(cursor.string()?),
        b'l' => Nodes2::Strings(cursor.span(2)?),
        _ => {
            cursor.skip(2)?;
            return Ok(());
        }
    };
    if matches!(nodes, Nodes2::Absent) {
        *nodes = read;
    }
    Ok(())
}

fn read_values<'a>(values: &mut Values<'a>, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
    let read = match cursor.peek()? {
        b'0'..=b'9' => Values::Joined(cursor.string()?),
        b'l' => Values::Raw(cursor.span(2)?),
        _ => {
            cursor.skip(2)?;
            return Ok(());
        }
    };
    if values.is_absent() {
        *values = read;
    }
    Ok(())
}

fn read_array<'a, const N: usize>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8; N]>, Fault> {
    Ok(cursor.string_or_skip(2)?.and_then(|bytes| bytes.try_into().ok()))
}

fn read_integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Fault> {
    if cursor.peek()? == b'i' {
        cursor.integer()
    } else {
        cursor.skip(2)?;
        Ok(None)
    }
}
