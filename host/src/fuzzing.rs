//! Doors for fuzzing, which exist only where cargo-fuzz, or a test, builds the library. `tests/fuzz` holds the targets.

use crate::ethereum::abi::Function;
use crate::ethereum::sign_in::SignIn;
use crate::ethereum::transaction::Transaction;
use crate::ethereum::typed_data::TypedData;
use crate::scrub::{Known, Replacement, Rules, Scrubber, Search, compare, made_text};
use crate::url::CanonicalUrl;
use http::Uri;
use std::sync::{Arc, LazyLock};

/// Holds the search for secrets against the naive one, and every cutting of a stream against the whole.
///
/// # Panics
/// Where they differ.
pub fn scrub(bytes: &[u8]) {
    const VALUES: [&str; 5] = [
        "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "s3cr3t-8",
        "ab%41cd&amp;ef\\gh=3D",
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH\nBG0wawIBAQQgevZzL1gdAFr88hb2OF2NxApJ\n-----END PRIVATE KEY-----",
        "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
    ];
    static SCRUBBERS: LazyLock<Vec<Arc<Scrubber>>> = LazyLock::new(|| {
        let scrubber = |values: &[&str], rules: bool| {
            let known = values.iter().map(|value| Arc::new(Known::new(value.as_bytes(), false))).collect();
            let replacement = Replacement::new("PLACEHOLDER", "[redacted:KEY]");
            Arc::new(Scrubber::new(Arc::new(Search::new(known, rules.then(Rules::standard))), vec![replacement; values.len()]))
        };
        vec![scrubber(&VALUES[..1], false), scrubber(&VALUES[1..3], false), scrubber(&VALUES[3..], true), scrubber(&[], true)]
    });
    let Some(([how, cuts @ ..], text)) = bytes.split_first_chunk::<6>() else { return };
    let scrubber = &SCRUBBERS[usize::from(*how) % SCRUBBERS.len()];
    // Half of the inputs are texts, half are recipes for texts.
    let text = if *how < 128 { text.to_vec() } else { made_text(scrubber, text) };
    compare(scrubber, &text[..text.len().min(1500)], cuts);
}

/// Reads a URI as the policy does; gives what it would send.
pub fn canonical(uri: &str) -> Option<String> {
    let url = CanonicalUrl::read(&uri.parse::<Uri>().ok()?).ok()?;
    let query = url.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{url}{query}"))
}

/// Reads a transaction's payload; gives what it would be written as.
pub fn transaction(bytes: &[u8]) -> Option<Vec<u8>> {
    let transaction = Transaction::read(bytes).ok()?;
    let _ = (transaction.most_fee(), transaction.signing_hash());
    Some(transaction.payload())
}

/// Reads call data by some functions, as far as it is canonical.
pub fn call_data(bytes: &[u8]) {
    static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
        let signatures = [
            "f(address,uint256)",
            "f(bytes[])",
            "f((address,bool,uint256,bytes)[])",
            "f(string,bytes32[2],int8)",
            "f(uint256[][],(bytes,bool))",
        ];
        signatures.iter().filter_map(|signature| Function::parse(signature)).collect()
    });
    for function in &*FUNCTIONS {
        let _ = function.read(bytes).map(|value| value.to_string());
    }
}

/// Reads typed data; gives the hash that would be signed.
pub fn typed_data(text: &str) -> Option<[u8; 32]> {
    let document = TypedData::read(text).ok()?;
    let _ = document.message.to_string();
    Some(document.signing_hash.0)
}

/// Reads a sign-in.
pub fn sign_in(text: &str) {
    let _ = SignIn::read(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_found_stays_mended() {
        let corpus = |name: &str| {
            let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(name);
            let files = std::fs::read_dir(dir).expect("the corpus").map(|file| std::fs::read(file.expect("a file").path()).expect("read"));
            files.collect::<Vec<Vec<u8>>>()
        };
        let (transactions, documents) = (corpus("transaction"), corpus("typed_data"));
        assert!(transactions.len() >= 6 && documents.len() >= 3);
        let read = transactions.iter().filter(|bytes| transaction(bytes).is_some_and(|written| written == **bytes)).count();
        assert!(read >= 6, "the transactions that fuzzing begins with are ones");
        for input in documents.iter().filter_map(|bytes| std::str::from_utf8(bytes).ok()) {
            let _ = (typed_data(input), sign_in(input));
        }
        let (scrubbed, requests) = (corpus("scrub"), corpus("request"));
        assert!(scrubbed.len() >= 5 && requests.len() >= 3);
        for input in scrubbed {
            scrub(&input);
        }
        for input in requests {
            let Some(sent) = std::str::from_utf8(&input).ok().and_then(canonical) else { continue };
            assert_eq!(canonical(&sent), Some(sent));
        }
    }
}
