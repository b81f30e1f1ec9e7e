//! Why a datagram is no message, and what to answer: apart from reading, because the node acts on it.

use std::fmt;

use thiserror::Error;

use crate::bencode::Fault;
use crate::error_code;
use crate::message::{ErrorReply, Message};

/// A datagram that is no message, with as much of it as was readable.
///
/// Its sender is to blame. Send [`reply`](Self::reply) if there is one; end the query that
/// [`transaction`](Self::transaction) names, if the datagram came from whom it was sent to; else drop and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError<'a> {
    kind: DecodeErrorKind,
    transaction: Option<&'a [u8]>,
    is_query: bool,
}

impl<'a> DecodeError<'a> {
    pub(super) const fn new(
        kind: DecodeErrorKind,
        transaction: Option<&'a [u8]>,
        is_query: bool,
    ) -> Self {
        Self { kind, transaction, is_query }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// The transaction id, if one of 1 to 32 bytes was read.
    #[must_use]
    pub const fn transaction(&self) -> Option<&'a [u8]> {
        self.transaction
    }

    /// The error reply to send for a broken query; nothing else is ever answered.
    ///
    /// Its code is [`PROTOCOL`](error_code::PROTOCOL), with a text that names the missing or bad key, or
    /// [`METHOD_UNKNOWN`](error_code::METHOD_UNKNOWN).
    #[must_use]
    pub fn reply(&self) -> Option<Message<'a>> {
        let transaction = self.transaction.filter(|_| self.is_query)?;
        let error = match self.kind {
            DecodeErrorKind::BadArgument { key } => {
                ErrorReply { code: error_code::PROTOCOL, text: text_for(key) }
            }
            DecodeErrorKind::UnknownMethod => ErrorReply::METHOD_UNKNOWN,
            DecodeErrorKind::Truncated
            | DecodeErrorKind::Syntax
            | DecodeErrorKind::TooDeep
            | DecodeErrorKind::TooManyTokens => {
                ErrorReply { code: error_code::PROTOCOL, text: b"malformed bencode" }
            }
            DecodeErrorKind::TooLong
            | DecodeErrorKind::NotADictionary
            | DecodeErrorKind::UnknownKind
            | DecodeErrorKind::NoTransaction
            | DecodeErrorKind::TransactionTooLong { .. }
            | DecodeErrorKind::ResponseWithoutId => return None,
        };
        Some(Message::error(transaction, error))
    }
}

impl fmt::Display for DecodeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for DecodeError<'_> {}

/// What is wrong with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Longer than any datagram can be.
    #[error("longer than a datagram can be; drop it")]
    TooLong,
    /// Not bencode at all, or no dictionary: another protocol, or noise.
    #[error("the sender's datagram is no dictionary; drop it")]
    NotADictionary,
    /// The bytes end in the middle: cut on the way, or by its sender.
    #[error("the sender's datagram ends in the middle; drop it")]
    Truncated,
    /// A byte that cannot stand where it does.
    #[error("the sender's datagram is not bencode; drop it")]
    Syntax,
    /// More than [`MAX_DEPTH`](crate::MAX_DEPTH) containers in each other.
    #[error("the sender's message is nested more deeply than any honest one; drop it")]
    TooDeep,
    /// More than [`MAX_TOKENS`](crate::MAX_TOKENS) tokens.
    #[error("the sender's message has more parts than any honest one; drop it")]
    TooManyTokens,
    /// Neither query nor response nor error.
    #[error("the sender's message is neither query nor response nor error; drop it")]
    UnknownKind,
    /// A query or response without transaction id.
    #[error("the sender's message has no transaction id; drop it")]
    NoTransaction,
    /// The transaction id is longer than [`MAX_TRANSACTION`](crate::MAX_TRANSACTION).
    #[error("the sender's transaction id has {length} bytes, more than any honest one; drop it")]
    TransactionTooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// A response that does not say who answers, so that nothing in it can be used.
    #[error("the sender's response has no id of 20 bytes; count the query as failed")]
    ResponseWithoutId,
    /// A query without a key it needs, or with a value that cannot be.
    #[error("the sender's query lacks a proper `{key}`; answer with the error reply")]
    BadArgument {
        /// The key.
        key: &'static str,
    },
    /// A query of an unknown method without an id.
    #[error("the sender's query is of an unknown method; answer with the error reply")]
    UnknownMethod,
}

impl From<Fault> for DecodeErrorKind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => Self::Truncated,
            Fault::Syntax => Self::Syntax,
            Fault::TooDeep => Self::TooDeep,
            Fault::TooManyTokens => Self::TooManyTokens,
        }
    }
}

/// What the sender of a query with a bad `key` is told.
fn text_for(key: &'static str) -> &'static [u8] {
    match key {
        "q" => b"missing or bad key: q",
        "id" => b"missing or bad key: id",
        "target" => b"missing or bad key: target",
        "info_hash" => b"missing or bad key: info_hash",
        "port" => b"missing or bad key: port",
        "token" => b"missing or bad key: token",
        "v" => b"missing or bad key: v",
        "k" => b"missing or bad key: k",
        "sig" => b"missing or bad key: sig",
        "seq" => b"missing or bad key: seq",
        "cas" => b"missing or bad key: cas",
        "salt" => b"missing or bad key: salt",
        _ => b"missing or bad key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_wrongly_is_told_which_key_is_to_blame() {
        for key in [
            "q",
            "id",
            "target",
            "info_hash",
            "port",
            "token",
            "v",
            "k",
            "sig",
            "seq",
            "cas",
            "salt",
        ] {
            let error = DecodeError::new(DecodeErrorKind::BadArgument { key }, Some(b"t"), true);
            assert!(error.to_string().contains(key), "{error}");
            let text = format!("missing or bad key: {key}");
            let reply = ErrorReply { code: error_code::PROTOCOL, text: text.as_bytes() };
            assert_eq!(error.reply(), Some(Message::error(b"t", reply)));
        }
        assert_eq!(text_for("other"), b"missing or bad key");
        let silent = DecodeError::new(DecodeErrorKind::UnknownMethod, Some(b"t"), false);
        assert_eq!(silent.reply(), None, "it might be an answer itself");
    }
}
