//! libFuzzer's door to the target `relay_config`.
//!
//! Separate, because libFuzzer wants a program a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_tests::fuzz::run("relay_config", data));
