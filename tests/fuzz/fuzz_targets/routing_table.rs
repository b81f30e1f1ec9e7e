//! libFuzzer's door to the target `routing_table`.
//!
//! Separate, because libFuzzer wants a program a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_tests::fuzz::run("routing_table", data));
