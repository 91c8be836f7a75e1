//! The search for secrets against a naive one, and every cutting of a stream against the whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| strongroom::fuzzing::scrub(bytes));
