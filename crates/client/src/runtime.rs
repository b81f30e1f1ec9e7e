//! Where background work runs and who tells it the time.
//!
//! Separate because it is the only process-wide state of this crate, and differs between native programs
//! and browsers.

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
pub(crate) use browser::{Background, Moment, sleep, timeout};
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Background, Moment, block_on, sleep, timeout};
