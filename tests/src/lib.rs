//! What the test binaries share: the fuzz targets and their replay.
//!
//! Separate from the binaries, because the libFuzzer harness in `tests/fuzz` runs the same targets.

#[cfg(doctest)]
mod book;
pub mod fuzz;
