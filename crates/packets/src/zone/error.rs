//! What can be wrong with a zone file, and where.
//!
//! Separate because the reader finds such faults in several places and people read them in one form.

use std::fmt;

use thiserror::Error;

use crate::record::MAX_TTL;

/// Why a text is not a zone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ZoneError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in bytes, counted from 1; for faults of a whole record, where the record begins.
    pub column: usize,
    /// What is wrong; the message above says it already, so it is no source.
    pub kind: ZoneErrorKind,
}

/// What is wrong with a zone file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ZoneErrorKind {
    /// The text does not follow the syntax of master files or of the record's type.
    #[error("{0}")]
    Syntax(SyntaxError),
    /// A service binding (SVCB, HTTPS) is wrong.
    #[error("{0}")]
    Service(ServiceFault),
    /// A quoted string that does not end.
    #[error("the quoted string that begins here is not closed")]
    OpenQuote,
    /// A parenthesis that is not closed.
    #[error("the parenthesis that is opened here is not closed")]
    OpenParenthesis,
    /// `$INCLUDE`, which is not followed.
    #[error("$INCLUDE is not supported; paste the file's text in its place")]
    Include,
    /// A name with nothing between two dots, or before its first one.
    #[error("the name has an empty label: a dot too many")]
    EmptyLabel,
    /// An owner name that lies outside the key's zone.
    #[error(
        "the name does not lie under the zone's key; a name that ends in a dot is taken as it is"
    )]
    OutsideZone,
    /// A TTL that means zero to whoever reads it ([RFC 2181 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
    #[error("the TTL {ttl} is too large; {MAX_TTL} is the most")]
    Ttl {
        /// The TTL.
        ttl: u32,
    },
    /// A name that the origin completes is too long, or the origin is.
    #[error("the origin is not a name")]
    Origin,
    /// A class that packets cannot carry.
    #[error("the class {class} is unknown; zones use IN")]
    Class {
        /// The class.
        class: u16,
    },
    /// The data was read but does not have the form of the record's type.
    #[error("the record's data is malformed for its type")]
    Data,
}

/// What is wrong with a service binding ([RFC 9460 2.1](https://www.rfc-editor.org/rfc/rfc9460#section-2.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceFault {
    /// Priority or target are missing.
    #[error("a service binding needs a priority and a target")]
    Incomplete,
    /// The priority is not a number up to 65535.
    #[error("the priority of a service binding is a number up to 65535")]
    Priority,
    /// The target is not a name.
    #[error("the target of the service binding is not a name")]
    Target,
    /// The parameter is not known by that name.
    #[error(
        "the parameter's name is unknown; parameters without a name are written key and their number"
    )]
    Key,
    /// The same parameter again.
    #[error("the parameter is given twice")]
    Repeated,
    /// The value does not have the form of its parameter.
    #[error("the value does not have the form of parameter {key}")]
    Value {
        /// The parameter's number.
        key: u16,
    },
    /// A parameter is declared mandatory that is not there, or `mandatory` itself is.
    #[error("mandatory names a parameter that is missing")]
    Mandatory,
}

/// What the zone-file parser found wrong, in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError(pub(super) Box<str>);

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SyntaxError {}
