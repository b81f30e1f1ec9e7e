//! What the test binaries share: the fuzz targets and their replay, a whole internet in a
//! box, seeds, and the command line as a process.
//!
//! Separate from the binaries, because the libFuzzer harness in `tests/fuzz` runs the same targets.

#[cfg(doctest)]
mod book;
pub mod caches;
pub mod claims;
pub mod command;
pub mod fuzz;
pub mod internet;
pub mod seeds;
