//! Caches on disk, in processes of their own: killed at any point, starved of disk, given broken files.
//!
//! Separate from the caches' unit tests because what is proved here is that a process survives, or that its
//! death does no harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(clippy::print_stderr, reason = "figures that were asked for")]

mod broken;
mod killed;
mod readonly;
mod shared;
mod starved;

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// The program with a cache: for many rounds `MAINSTAY_CACHE_CHILD` may name an optimised one.
fn program() -> OsString {
    std::env::var_os("MAINSTAY_CACHE_CHILD")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_cache-child").into())
}

/// The process with a cache.
fn child(engine: &str, verb: &str) -> Command {
    let mut command = Command::new(program());
    command.args([engine, verb]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A number that the environment sets.
fn scale(variable: &str, otherwise: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Chance that can be repeated: a linear congruence, its upper bits.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    /// An index below this length.
    fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(length as u64);
        usize::try_from(drawn).unwrap()
    }
}
