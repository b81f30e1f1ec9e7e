//! What the verbs write on standard output: a line of JSON, a text, or bytes.
//!
//! Separate, because a closed pipe must end every verb in the same quiet way.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes a text and ends its last line.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    bytes(format!("{text}{end}").as_bytes())
}

/// Writes one object on one line.
pub(crate) fn json(object: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(object).map_err(|error| Failure::Output(error.into()))?;
    text(&line)
}
