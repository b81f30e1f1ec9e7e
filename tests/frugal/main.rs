//! What a node takes of the allocator: nothing for an answer, and little to live.
//! A binary of its own, because it counts with an allocator of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod node;
mod queries;
mod socket;
