//! The bytes of every format against vectors, one module a format.
//! A binary of its own because nothing here opens a socket or waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod keys;
mod krpc;
mod packets;
