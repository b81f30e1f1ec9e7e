//! libFuzzer's door to the target `signed_packet`.
//!
//! Separate, because libFuzzer wants a program a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_tests::fuzz::run("signed_packet", data));
