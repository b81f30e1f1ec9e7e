//! The dictionary `a` of a query and what each method makes of it: apart from the envelope, which holds it.

use super::{DecodeErrorKind, keep, read_flag};
use crate::Id;
use crate::bencode::{Cursor, Fault};
use crate::message::{AnnouncePort, Method, MutablePut, Put, Query, Want};

/// Every argument of every method, as it was written.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    id: Option<&'a [u8]>,
    target: Option<&'a [u8]>,
    info_hash: Option<&'a [u8]>,
    token: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    signature: Option<&'a [u8]>,
    salt: Option<Result<&'a [u8], ()>>,
    seq: Number,
    cas: Number,
    port: Number,
    want: Option<Want>,
    implied_port: Option<bool>,
    seed: Option<bool>,
    no_seed: Option<bool>,
    scrape: Option<bool>,
}

/// An integer argument: where it must not be ignored, one that cannot be read is something else than none.
#[derive(Clone, Copy, Debug)]
enum Number {
    Absent,
    Unreadable,
    Is(i64),
}

impl<'a> Arguments<'a> {
    /// The arguments of a query that has none.
    pub(super) const NONE: Self = Self {
        id: None,
        target: None,
        info_hash: None,
        token: None,
        name: None,
        value: None,
        key: None,
        signature: None,
        salt: None,
        seq: Number::Absent,
        cas: Number::Absent,
        port: Number::Absent,
        want: None,
        implied_port: None,
        seed: None,
        no_seed: None,
        scrape: None,
    };

    /// Reads the value of `a` into `slot`, which stays empty if it is no dictionary.
    pub(super) fn read(slot: &mut Option<Self>, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        if !cursor.open(b'd')? {
            return cursor.skip(1);
        }
        let arguments = slot.insert(Self::NONE);
        while !cursor.at_end()? {
            arguments.read_entry(cursor)?;
        }
        Ok(())
    }

    #[inline]
    fn read_entry(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        match cursor.string()? {
            b"id" => keep(&mut self.id, cursor.string_or_skip(2)?),
            b"target" => keep(&mut self.target, cursor.string_or_skip(2)?),
            b"info_hash" => keep(&mut self.info_hash, cursor.string_or_skip(2)?),
            b"token" => keep(&mut self.token, cursor.string_or_skip(2)?),
            b"n" => keep(&mut self.name, cursor.string_or_skip(2)?),
            b"v" => keep(&mut self.value, Some(cursor.span(2)?)),
            b"k" => keep(&mut self.key, cursor.string_or_skip(2)?),
            b"sig" => keep(&mut self.signature, cursor.string_or_skip(2)?),
            b"salt" => keep(&mut self.salt, Some(cursor.string_or_skip(2)?.ok_or(()))),
            b"seq" => self.seq.read(cursor)?,
            b"cas" => self.cas.read(cursor)?,
            b"port" => self.port.read(cursor)?,
            b"want" => keep(&mut self.want, read_want(cursor)?),
            b"implied_port" => keep(&mut self.implied_port, read_flag(cursor, 2)?),
            b"seed" => keep(&mut self.seed, read_flag(cursor, 2)?),
            b"noseed" => keep(&mut self.no_seed, read_flag(cursor, 2)?),
            b"scrape" => keep(&mut self.scrape, read_flag(cursor, 2)?),
            _ => cursor.skip(2)?,
        }
        Ok(())
    }

    /// The query of the method called `name`.
    #[inline]
    pub(super) fn query(&self, name: &'a [u8]) -> Result<Query<'a>, DecodeErrorKind> {
        let method = match name {
            b"ping" => Method::Ping,
            b"find_node" => Method::FindNode { target: self.target()? },
            b"get_peers" => Method::GetPeers {
                info_hash: self.info_hash()?,
                no_seed: self.no_seed == Some(true),
                scrape: self.scrape == Some(true),
            },
            b"announce_peer" => self.announce_peer()?,
            b"get" => Method::Get { target: self.target()?, seq: self.seq.value() },
            b"put" => Method::Put(self.put()?),
            b"sample_infohashes" => Method::SampleInfohashes { target: self.target()? },
            name => {
                if read_id(self.id, "id").is_err() {
                    return Err(DecodeErrorKind::UnknownMethod);
                }
                Method::Unknown { name, target: self.target().or_else(|_| self.info_hash()).ok() }
            }
        };
        let want = match method {
            Method::Ping | Method::AnnouncePeer { .. } | Method::Put(_) => Want::NONE,
            Method::FindNode { .. }
            | Method::GetPeers { .. }
            | Method::Get { .. }
            | Method::SampleInfohashes { .. }
            | Method::Unknown { .. } => self.want.unwrap_or_default(),
        };
        Ok(Query { id: read_id(self.id, "id")?, want, method })
    }

    fn target(&self) -> Result<Id, DecodeErrorKind> {
        read_id(self.target, "target")
    }

    fn info_hash(&self) -> Result<Id, DecodeErrorKind> {
        read_id(self.info_hash, "info_hash")
    }

    fn announce_peer(&self) -> Result<Method<'a>, DecodeErrorKind> {
        let port = self.port.value().and_then(|port| u16::try_from(port).ok());
        let port = match port {
            fallback if self.implied_port == Some(true) => {
                AnnouncePort::Implied { fallback: fallback.unwrap_or(0) }
            }
            // Nobody listens there.
            None | Some(0) => return Err(DecodeErrorKind::BadArgument { key: "port" }),
            Some(port) => AnnouncePort::Explicit(port),
        };
        Ok(Method::AnnouncePeer {
            info_hash: self.info_hash()?,
            port,
            token: required(self.token, "token")?,
            seed: self.seed == Some(true),
            name: self.name,
        })
    }

    /// What is to be stored. It is mutable if it names a key; some clients send `seq` with immutable values as well.
    fn put(&self) -> Result<Put<'a>, DecodeErrorKind> {
        let token = required(self.token, "token")?;
        let value = required(self.value, "v")?;
        let Some(key) = self.key else { return Ok(Put { token, value, mutable: None }) };
        let mutable = MutablePut {
            key: key.try_into().map_err(|_| DecodeErrorKind::BadArgument { key: "k" })?,
            salt: self.salt.unwrap_or(Ok(&[])).map_err(|()| bad("salt"))?,
            seq: self.seq.value().ok_or(bad("seq"))?,
            signature: required(self.signature, "sig")?.try_into().map_err(|_| bad("sig"))?,
            cas: self.cas.optional("cas")?,
        };
        Ok(Put { token, value, mutable: Some(mutable) })
    }
}

impl Number {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let number = if cursor.peek()? == b'i' {
            cursor.integer()?
        } else {
            cursor.skip(2)?;
            None
        };
        if !matches!(self, Self::Is(_)) {
            *self = number.map_or(Self::Unreadable, Self::Is);
        }
        Ok(())
    }

    const fn value(self) -> Option<i64> {
        match self {
            Self::Is(number) => Some(number),
            Self::Absent | Self::Unreadable => None,
        }
    }

    const fn optional(self, key: &'static str) -> Result<Option<i64>, DecodeErrorKind> {
        match self {
            Self::Is(number) => Ok(Some(number)),
            Self::Absent => Ok(None),
            Self::Unreadable => Err(bad(key)),
        }
    }
}

/// Reads the value of `want`: a list of families, or as old clients write it, one family without the list.
fn read_want(cursor: &mut Cursor<'_>) -> Result<Option<Want>, Fault> {
    let mut want = Want::NONE;
    if cursor.open(b'l')? {
        while !cursor.at_end()? {
            if let Some(family) = cursor.string_or_skip(3)? {
                add_family(&mut want, family);
            }
        }
    } else if let Some(family) = cursor.string_or_skip(2)? {
        add_family(&mut want, family);
    }
    Ok(Some(want))
}

fn add_family(want: &mut Want, family: &[u8]) {
    match family {
        b"n4" => want.n4 = true,
        b"n6" => want.n6 = true,
        _ => {}
    }
}

fn read_id(bytes: Option<&[u8]>, key: &'static str) -> Result<Id, DecodeErrorKind> {
    bytes.and_then(|bytes| Id::try_from(bytes).ok()).ok_or(bad(key))
}

fn required<'a>(bytes: Option<&'a [u8]>, key: &'static str) -> Result<&'a [u8], DecodeErrorKind> {
    bytes.ok_or(bad(key))
}

const fn bad(key: &'static str) -> DecodeErrorKind {
    DecodeErrorKind::BadArgument { key }
}
