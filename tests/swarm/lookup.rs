//! Finding what is there.
