//! The bytes of every format against vectors, one module a format.
//! A binary of its own because nothing here opens a socket or waits.

mod keys;
mod krpc;
mod packets;
