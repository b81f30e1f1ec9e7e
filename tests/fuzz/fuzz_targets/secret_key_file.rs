//! libFuzzer's door to the target `secret_key_file`.
//!
//! Separate, because libFuzzer wants a program a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mainstay_tests::fuzz::run("secret_key_file", data));
