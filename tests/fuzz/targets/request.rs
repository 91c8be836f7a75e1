//! What the policy judges is what any reader of URLs reads: the WHATWG parser changes nothing in a URL that it admits.
#![no_main]

use url::Url;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Some(sent) = strongroom::fuzzing::canonical(text) else { return };
    let read = Url::parse(&sent).expect("a URL that the policy admits is one");
    assert_eq!(read.as_str(), sent, "another reader would read it otherwise");
    assert_eq!(strongroom::fuzzing::canonical(&sent), Some(sent), "reading it again changes it");
});
