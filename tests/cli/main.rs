//! The command line as people and scripts use it: words in, text, JSON and exit codes out.
//!
//! Separate from the other behaviour tests, because these run the binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[cfg(target_os = "linux")]
mod crowds;
mod files;
mod forms;
mod network;
#[cfg(target_os = "linux")]
mod packaging;
mod relaying;
mod republish;
#[cfg(target_os = "linux")]
mod rogues;
mod running;
mod secrets;
