//! The command line as people and scripts use it: words in, text, JSON and exit codes out.
//!
//! Separate from the other behaviour tests, because these run the binary.

mod files;
mod forms;
mod network;
mod running;
