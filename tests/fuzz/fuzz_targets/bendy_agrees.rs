//! libFuzzer's door to the target `bendy_agrees`.
//!
//! Separate, because libFuzzer wants a program a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_tests::fuzz::run("bendy_agrees", data));
