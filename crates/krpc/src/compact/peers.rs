//! Lists of peers in all the forms that the field has: apart from nodes, because both families share one list.

use std::net::SocketAddr;
use std::slice;

use super::{read_peer, read_v4};
use crate::bencode::Cursor;

/// `values`: the peers of a torrent. Two lists are equal if they hold the same peers in the same order.
#[derive(Clone, Copy, Debug, Default)]
pub enum Values<'a> {
    /// No list at all: the node knows no peer.
    #[default]
    Absent,
    /// A bencoded list of strings.
    ///
    /// One of 6 bytes is an IPv4 peer, one of 18 an IPv6 peer; one of any other multiple of 6 is several IPv4 peers, as
    /// old clients send. Anything else in it is ignored.
    Raw(&'a [u8]),
    /// IPv4 peers one after the other, outside of any list, as some clients send; a broken tail is ignored.
    Joined(&'a [u8]),
    /// The caller's peers.
    List(&'a [SocketAddr]),
}

impl<'a> Values<'a> {
    /// Whether there is no list at all.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The peers, as they are said to be: repeated ones, port 0 and unreachable addresses included.
    #[must_use]
    pub fn iter(&self) -> PeerIter<'a> {
        let mut cursor = Cursor::new(&[]);
        let (mut joined, mut list) = (&[][..], [].iter());
        match *self {
            Self::Absent => {}
            Self::Raw(span) => {
                cursor = Cursor::new(span);
                // What is not a list has no end either, so that the iterator stops at once.
                let _ = cursor.open(b'l');
            }
            Self::Joined(peers) => joined = peers,
            Self::List(peers) => list = peers.iter(),
        }
        PeerIter { joined, cursor, list }
    }
}

impl PartialEq for Values<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && self.iter().eq(other.iter())
    }
}

impl<'a> IntoIterator for Values<'a> {
    type Item = SocketAddr;
    type IntoIter = PeerIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Values<'a> {
    type Item = SocketAddr;
    type IntoIter = PeerIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The peers of a [`Values`].
#[derive(Clone, Debug)]
pub struct PeerIter<'a> {
    /// IPv4 peers of the string that is being read.
    joined: &'a [u8],
    /// The strings that are still to be read.
    cursor: Cursor<'a>,
    list: slice::Iter<'a, SocketAddr>,
}

impl Iterator for PeerIter<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        loop {
            if let Some((peer, rest)) = self.joined.split_first_chunk::<6>() {
                self.joined = rest;
                return Some(SocketAddr::V4(read_v4(peer)));
            }
            if let Some(peer) = self.list.next() {
                return Some(*peer);
            }
            let string = self.cursor.next_string()?;
            if let Some(peer) = read_peer(string) {
                return Some(peer);
            }
            self.joined = if string.len() % 6 == 0 { string } else { &[] };
        }
    }
}
