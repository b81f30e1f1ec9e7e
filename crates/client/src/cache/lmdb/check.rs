//! Whether a file is one that LMDB can be trusted with: looked at before it is mapped.
//!
//! Separate because it is safe code about bytes from outside, and reads LMDB's format without LMDB.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What is wrong with the file, if something is.
pub(super) fn look(path: &Path, whole: bool) -> io::Result<Option<Box<dyn Error + Send + Sync>>> {
    let mut head = Vec::new();
    File::open(path)?.take(24).read_to_end(&mut head)?;
    let magic = head.get(16..20);
    let _ = whole;
    let is_lmdb = head.is_empty() || magic == Some(&0xBEEF_C0DE_u32.to_ne_bytes());
    Ok((!is_lmdb).then(|| "not a file of LMDB".into()))
}
