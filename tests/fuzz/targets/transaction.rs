//! Whatever is read as a transaction, a call or an RLP item is written again as the same bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(written) = strongroom::fuzzing::transaction(bytes) {
        assert_eq!(written, bytes);
    }
    strongroom::fuzzing::call_data(bytes);
});
