//! What is wrong with a configuration, and on which line.
//!
//! Separate because an operator meets nothing of this module but its errors.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration cannot be used; whoever wrote it is to mend it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder of the store does not exist and cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The DHT node cannot be what `[mainline]` says.
    #[error("[mainline] cannot be used")]
    Node(#[source] mainstay_client::dht::BuildError),
    /// The text is not TOML, or a value is not of its key's kind.
    #[error("line {line}: {reason}")]
    Value {
        /// The line, counted from 1.
        line: usize,
        /// What the reader of TOML says.
        reason: String,
    },
    /// There is no table of this name.
    #[error("line {line}: there is no table [{table}]{}", hint(suggestion))]
    UnknownTable {
        /// The line, counted from 1.
        line: usize,
        /// What the file says.
        table: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// The table has no key of this name.
    #[error("line {line}: [{table}] has no key {key:?}{}", hint(suggestion))]
    UnknownKey {
        /// The line, counted from 1.
        line: usize,
        /// The table.
        table: &'static str,
        /// What the file says.
        key: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// The store of packets cannot be opened.
    #[cfg(any(feature = "disk-cache", feature = "lmdb-cache"))]
    #[error("cannot open the store {}", path.display())]
    Store {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong with the place, or who has it open.
        source: mainstay_client::OpenCacheError,
    },
    /// Two settings do not fit together.
    #[error("{rule}")]
    Rule {
        /// What must hold.
        rule: &'static str,
    },
}

impl ConfigError {
    pub(super) fn value(text: &str, error: &toml::de::Error) -> Self {
        Self::Value { line: line(text, error.span()), reason: error.message().trim().to_owned() }
    }
}

/// The line on which a place in the text lies, counted from 1.
pub(super) fn line(text: &str, place: Option<Range<usize>>) -> usize {
    let before = place.and_then(|place| text.get(..place.start)).unwrap_or_default();
    before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1)
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}
