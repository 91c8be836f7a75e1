//! Whatever is read as typed data has the hash that alloy computes, where alloy reads it too; and whatever is read as a sign-in is text to its
//! last byte.

#![no_main]

use alloy_dyn_abi::TypedData;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    strongroom::fuzzing::sign_in(text);
    let Some(hash) = strongroom::fuzzing::typed_data(text) else { return };
    if let Some(theirs) = serde_json::from_str::<TypedData>(text).ok().and_then(|data| data.eip712_signing_hash().ok()) {
        assert_eq!(hash, theirs.0);
    }
});
