//! Lists of nodes, read from a datagram or given by the caller: apart from peers, which have no id.

use std::marker::PhantomData;
use std::slice;

use super::{CompactNode, NodeInfo, NodeInfo6};
use crate::bencode::Cursor;

/// `nodes`: IPv4 nodes.
pub type Nodes<'a> = NodeList<'a, NodeInfo>;

/// `nodes6`: IPv6 nodes.
pub type Nodes6<'a> = NodeList<'a, NodeInfo6>;

/// Nodes of one family. Two lists are equal if they hold the same nodes in the same order, however written.
#[derive(Clone, Copy, Debug, Default)]
pub enum NodeList<'a, N> {
    /// No list at all, which says something else than an empty one.
    #[default]
    Absent,
    /// Nodes one after the other; a tail that is no whole node is ignored.
    Raw(&'a [u8]),
    /// A bencoded list of strings of one node each, as old clients send; anything else in it is ignored.
    Strings(&'a [u8]),
    /// The caller's nodes.
    List(&'a [N]),
}

impl<'a, N: CompactNode> NodeList<'a, N> {
    /// Whether there is no list at all.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The nodes, as they are said to be: repeated ones, port 0 and unreachable addresses included.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> NodeIter<'a, N> {
        NodeIter(match *self {
            Self::Absent => Source::Raw(&[], PhantomData),
            Self::Raw(bytes) => Source::Raw(bytes, PhantomData),
            Self::Strings(span) => {
                let mut cursor = Cursor::new(span);
                // What is not a list has no end either, so that the iterator stops at once.
                let _ = cursor.open(b'l');
                Source::Strings(cursor)
            }
            Self::List(nodes) => Source::List(nodes.iter()),
        })
    }
}

impl<N: CompactNode> PartialEq for NodeList<'_, N> {
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && self.iter().eq(other.iter())
    }
}

impl<'a, N: CompactNode> IntoIterator for NodeList<'a, N> {
    type Item = N;
    type IntoIter = NodeIter<'a, N>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, N: CompactNode> IntoIterator for &NodeList<'a, N> {
    type Item = N;
    type IntoIter = NodeIter<'a, N>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The nodes of a [`NodeList`].
#[derive(Clone, Debug)]
pub struct NodeIter<'a, N>(Source<'a, N>);

#[derive(Clone, Debug)]
enum Source<'a, N> {
    Raw(&'a [u8], PhantomData<N>),
    Strings(Cursor<'a>),
    List(slice::Iter<'a, N>),
}

impl<N: CompactNode> Iterator for NodeIter<'_, N> {
    type Item = N;

    #[inline]
    fn next(&mut self) -> Option<N> {
        match &mut self.0 {
            Source::Raw(bytes, _) => {
                let (node, rest) = bytes.split_at_checked(N::LENGTH)?;
                *bytes = rest;
                N::read(node)
            }
            Source::Strings(cursor) => loop {
                if let Some(node) = N::read(cursor.next_string()?) {
                    return Some(node);
                }
            },
            Source::List(nodes) => nodes.next().copied(),
        }
    }
}
