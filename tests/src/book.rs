//! The book and the README as doctests: every Rust block in them compiles, and runs unless it says otherwise.
//!
//! Separate, and only there when doctests are collected, because it is nothing but prose.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/quickstart.md")]
struct Quickstart;

#[doc = include_str!("../../docs/integration.md")]
struct Integration;

#[doc = include_str!("../../docs/operations.md")]
struct Operations;
