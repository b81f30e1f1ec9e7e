//! Reads the binary form of a snapshot, which anything may have happened to.
//! Beside the writing, whose table says what is where.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mainstay_keys::{PublicKey, Signature};
use mainstay_krpc::Id;
use mainstay_krpc::item::{ItemError, MutableItem};

use super::write::{HEADER, LONGEST_RTT, MARK, VERSION, checksum};
use super::{IDENTITIES, Identity, SavedNode, Snapshot};
use crate::RemoteNode;

/// Why bytes are not a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The first bytes are not those of a snapshot: another program's file, or one that was emptied.
    #[error("this is not the state of a node")]
    Foreign,
    /// A later version of this program wrote it, in a form that this one does not know.
    #[error("a newer version wrote this state, in form {version}; this one reads form 1")]
    Newer {
        /// The form's number.
        version: u16,
    },
    /// It is shorter or longer than it says: writing it was cut off, or it was appended to.
    #[error("the state has {found} bytes behind its head and says {expected}")]
    Length {
        /// How many bytes it says follow the head.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Its content is not what was written: the disk or a program changed it.
    #[error("the state does not match its checksum")]
    Checksum,
    /// The checksum is right and the content is none: another program wrote it.
    #[error("the state holds what no node writes")]
    Malformed,
    /// An item in it is not signed by its key.
    #[error("an item in the state is not what its key signed")]
    Item(#[source] ItemError),
}

pub(super) fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let (head, body) = bytes.split_at_checked(HEADER).ok_or_else(|| too_short(bytes))?;
    let mut head = Reader(head);
    if head.array::<8>()? != *MARK {
        return Err(SnapshotError::Foreign);
    }
    let version = u16::from_be_bytes(head.array()?);
    if version > VERSION {
        return Err(SnapshotError::Newer { version });
    }
    let expected = usize::try_from(u32::from_be_bytes(head.array()?)).unwrap_or(usize::MAX);
    if expected != body.len() {
        return Err(SnapshotError::Length { expected, found: body.len() });
    }
    if u64::from_be_bytes(head.array()?) != checksum(version, body) {
        return Err(SnapshotError::Checksum);
    }
    if version != VERSION {
        return Err(SnapshotError::Malformed);
    }
    let mut body = Reader(body);
    let snapshot = Snapshot {
        taken: body.time()?,
        ipv4: body.identities()?,
        ipv6: body.identities()?,
        nodes: body.nodes()?,
        published: body.items()?,
    };
    if body.0.is_empty() { Ok(snapshot) } else { Err(SnapshotError::Malformed) }
}

/// What a file without room for a head is.
fn too_short(bytes: &[u8]) -> SnapshotError {
    let ours = !bytes.is_empty() && (MARK.starts_with(bytes) || bytes.starts_with(MARK));
    if ours {
        SnapshotError::Length { expected: HEADER, found: bytes.len() }
    } else {
        SnapshotError::Foreign
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SnapshotError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SnapshotError::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, SnapshotError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn count(&mut self, most: usize) -> Result<usize, SnapshotError> {
        let count = usize::from(u16::from_be_bytes(self.array()?));
        if count <= most { Ok(count) } else { Err(SnapshotError::Malformed) }
    }

    fn time(&mut self) -> Result<Option<Duration>, SnapshotError> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(Duration::from_millis(u64::from_be_bytes(self.array()?)))),
            _ => Err(SnapshotError::Malformed),
        }
    }

    fn ip(&mut self, kind: u8) -> Result<IpAddr, SnapshotError> {
        match kind {
            4 => Ok(Ipv4Addr::from(self.array::<4>()?).into()),
            6 => Ok(Ipv6Addr::from(self.array::<16>()?).into()),
            _ => Err(SnapshotError::Malformed),
        }
    }

    fn identities(&mut self) -> Result<Vec<Identity>, SnapshotError> {
        let count = usize::from(self.byte()?);
        if count > IDENTITIES {
            return Err(SnapshotError::Malformed);
        }
        let identity = |_| {
            let id = Id::from_bytes(self.array()?);
            let address = match self.byte()? {
                0 => None,
                kind => Some(self.ip(kind)?),
            };
            Ok(Identity { id, address })
        };
        (0..count).map(identity).collect()
    }

    fn nodes(&mut self) -> Result<Vec<SavedNode>, SnapshotError> {
        let count = self.count(Snapshot::MOST_NODES)?;
        (0..count).map(|_| self.node()).collect()
    }

    fn node(&mut self) -> Result<SavedNode, SnapshotError> {
        let kind = self.byte()?;
        let id = Id::from_bytes(self.array()?);
        let ip = self.ip(kind)?;
        let addr = SocketAddr::new(ip, u16::from_be_bytes(self.array()?));
        let rtt = Duration::from_micros(u32::from_be_bytes(self.array()?).into());
        if rtt > LONGEST_RTT {
            return Err(SnapshotError::Malformed);
        }
        let age = Duration::from_secs(u32::from_be_bytes(self.array()?).into());
        Ok(SavedNode { node: RemoteNode { id, addr }, rtt, age })
    }

    fn items(&mut self) -> Result<Vec<MutableItem>, SnapshotError> {
        let count = self.count(Snapshot::MOST_PUBLISHED)?;
        (0..count).map(|_| self.item()).collect()
    }

    fn item(&mut self) -> Result<MutableItem, SnapshotError> {
        let key = PublicKey::from_bytes(&self.array()?).map_err(|_| SnapshotError::Malformed)?;
        let signature = Signature::from_bytes(&self.array()?);
        let seq = i64::from_be_bytes(self.array()?);
        let salt_length = usize::from(self.byte()?);
        let salt = self.take(salt_length)?;
        let value_length = usize::from(u16::from_be_bytes(self.array()?));
        let value = self.take(value_length)?;
        MutableItem::verify(key, salt, seq, value, signature).map_err(SnapshotError::Item)
    }
}
