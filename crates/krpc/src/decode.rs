//! From a datagram to a message: tolerant, in one pass and without memory of its own, apart from writing.
//!
//! What wins where a dictionary has a key twice: the first one whose value is of the right kind, as in libtorrent.

mod arguments;
mod error;
mod reply;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::bencode::{Cursor, Fault, MAX_MESSAGE};
use crate::compact::read_peer;
use crate::message::{Body, ErrorReply, MAX_TRANSACTION, Message};
use arguments::Arguments;
use reply::Reply;

pub use error::{DecodeError, DecodeErrorKind};

impl<'a> Message<'a> {
    /// Reads a datagram.
    ///
    /// Never panics, never recurses, allocates nothing, and looks at each byte of `datagram` a bounded number of times.
    /// Accepted although no BEP allows it: unsorted and repeated keys (the first that can be read wins), unknown keys,
    /// bytes behind the dictionary, leading zeros, `-0`, a missing `y`, errors in any shape, optional values of the
    /// wrong kind (they count as absent).
    ///
    /// # Errors
    /// [`DecodeError`]; it keeps the transaction id, if there is one, and for a broken query the answer to send.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError<'a>> {
        let mut envelope = Envelope::default();
        match envelope.read(datagram).and_then(|()| envelope.judge()) {
            Ok(body) => {
                let is_query = matches!(body, Body::Query(_));
                Ok(Message {
                    transaction: envelope.transaction.unwrap_or_default(),
                    version: envelope.version,
                    ip: envelope.ip.filter(|_| !is_query),
                    read_only: envelope.read_only == Some(true) && is_query,
                    body,
                })
            }
            Err(kind) => Err(envelope.blame(kind)),
        }
    }
}

/// The outermost dictionary, as far as it has been read.
#[derive(Debug, Default)]
struct Envelope<'a> {
    transaction: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    ip: Option<SocketAddr>,
    read_only: Option<bool>,
    arguments: Option<Arguments<'a>>,
    reply: Option<Reply<'a>>,
    error: Option<ErrorReply<'a>>,
}

impl<'a> Envelope<'a> {
    fn read(&mut self, datagram: &'a [u8]) -> Result<(), DecodeErrorKind> {
        if datagram.len() > MAX_MESSAGE {
            return Err(DecodeErrorKind::TooLong);
        }
        let mut cursor = Cursor::new(datagram);
        if !cursor.open(b'd')? {
            return Err(DecodeErrorKind::NotADictionary);
        }
        while !cursor.at_end()? {
            self.read_entry(&mut cursor)?;
        }
        Ok(())
    }

    #[inline]
    fn read_entry(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        match cursor.string()? {
            b"a" if self.arguments.is_none() => Arguments::read(&mut self.arguments, cursor)?,
            b"r" if self.reply.is_none() => Reply::read(&mut self.reply, cursor)?,
            b"e" if self.error.is_none() => self.error = Some(read_error(cursor)?),
            b"t" => keep(&mut self.transaction, cursor.string_or_skip(1)?),
            b"y" => keep(&mut self.kind, cursor.string_or_skip(1)?),
            b"q" => keep(&mut self.method, cursor.string_or_skip(1)?),
            b"v" => keep(&mut self.version, cursor.string_or_skip(1)?),
            b"ip" => keep(&mut self.ip, cursor.string_or_skip(1)?.and_then(read_peer)),
            b"ro" => keep(&mut self.read_only, read_flag(cursor, 1)?),
            _ => cursor.skip(1)?,
        }
        Ok(())
    }

    /// What the message is; without `y`, which old nodes leave out, its contents tell.
    fn kind(&self) -> Option<u8> {
        match self.kind {
            Some([kind @ (b'q' | b'r' | b'e')]) => Some(*kind),
            Some(_) => None,
            None if self.reply.is_some() => Some(b'r'),
            None if self.error.is_some() => Some(b'e'),
            None => self.method.map(|_| b'q'),
        }
    }

    #[inline]
    fn judge(&self) -> Result<Body<'a>, DecodeErrorKind> {
        let kind = self.kind().ok_or(DecodeErrorKind::UnknownKind)?;
        match self.transaction {
            Some(transaction) if transaction.len() > MAX_TRANSACTION => {
                return Err(DecodeErrorKind::TransactionTooLong { length: transaction.len() });
            }
            None | Some([]) if kind != b'e' => return Err(DecodeErrorKind::NoTransaction),
            Some(_) | None => {}
        }
        match kind {
            b'q' => {
                let method = self.method.ok_or(DecodeErrorKind::BadArgument { key: "q" })?;
                let arguments = self.arguments.as_ref().unwrap_or(&Arguments::NONE);
                arguments.query(method).map(Body::Query)
            }
            b'r' => self
                .reply
                .as_ref()
                .and_then(Reply::response)
                .map(Body::Response)
                .ok_or(DecodeErrorKind::ResponseWithoutId),
            _ => Ok(Body::Error(self.error.unwrap_or(ERROR_WITHOUT_CONTENT))),
        }
    }

    /// The error for `kind`, with all that was read before it.
    #[cold]
    fn blame(&self, kind: DecodeErrorKind) -> DecodeError<'a> {
        let transaction =
            self.transaction.filter(|id| !id.is_empty() && id.len() <= MAX_TRANSACTION);
        // Who does not say that it asks is not answered: it might be an answer itself.
        DecodeError::new(kind, transaction, self.kind == Some(b"q"))
    }
}

const ERROR_WITHOUT_CONTENT: ErrorReply<'static> =
    ErrorReply { code: crate::error_code::GENERIC, text: b"" };

/// Reads the value of `e`, which should be a list of code and text but comes in any shape.
fn read_error<'a>(cursor: &mut Cursor<'a>) -> Result<ErrorReply<'a>, Fault> {
    let (mut code, mut text) = (None, None);
    if cursor.open(b'l')? {
        while !cursor.at_end()? {
            match cursor.peek()? {
                b'i' => keep(&mut code, cursor.integer()?),
                b'0'..=b'9' => keep(&mut text, Some(cursor.string()?)),
                _ => cursor.skip(2)?,
            }
        }
    } else {
        text = cursor.string_or_skip(1)?;
    }
    Ok(ErrorReply {
        code: code.unwrap_or(ERROR_WITHOUT_CONTENT.code),
        text: text.unwrap_or(ERROR_WITHOUT_CONTENT.text),
    })
}

/// Reads a yes or no: an integer, or what some clients write instead, a string of digits or a single raw byte.
fn read_flag(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<bool>, Fault> {
    Ok(match cursor.peek()? {
        b'i' => Some(cursor.integer()? != Some(0)),
        b'0'..=b'9' => Some(cursor.string()?.iter().any(|byte| !matches!(byte, 0 | b'0'))),
        _ => {
            cursor.skip(depth)?;
            None
        }
    })
}

/// Fills `slot` unless it is filled: the first readable value of a key wins.
#[inline]
fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}
