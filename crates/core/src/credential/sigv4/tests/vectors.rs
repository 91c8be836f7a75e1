//! The vectors of aws-c-auth: each request as it is signed in a header and in a query.

use super::*;
use std::path::{Path, PathBuf};

struct Vector {
    name: String,
    folder: PathBuf,
    context: serde_json::Value,
}

fn vectors() -> Vec<Vector> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigv4");
    let folders = std::fs::read_dir(home).expect("the public vectors");
    let vector = |folder: PathBuf| {
        let context = std::fs::read_to_string(folder.join("context.json")).expect("a context");
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        Vector { name, folder, context: serde_json::from_str(&context).expect("a context") }
    };
    folders.map(|folder| vector(folder.expect("a folder").path())).collect()
}

impl Vector {
    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).expect("a file of the vector")
    }

    fn pair(&self) -> KeyPair<'_> {
        let text = |name: &str| self.context["credentials"][name].as_str();
        let secret = text("secret_access_key").expect("a secret").as_bytes();
        KeyPair { access_key_id: text("access_key_id").expect("an ID"), secret, token: text("token").map(str::as_bytes), prepared: None }
    }

    /// The request as it is written in a file; folded lines are joined, as HTTP/1.1 has them joined (RFC 9112 5.2).
    fn sent(&self, file: &str) -> Sent {
        let text = self.read(file);
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines: Vec<String> = Vec::new();
        for line in head.lines() {
            match lines.last_mut() {
                Some(last) if line.starts_with(' ') => last.push_str(line),
                _ => lines.push(line.to_owned()),
            }
        }
        let (first, headers) = lines.split_first().expect("a request");
        let (method, target) = first.strip_suffix(" HTTP/1.1").and_then(|first| first.split_once(' ')).expect("a request line");
        let headers: Vec<(&str, &str)> = headers.iter().filter_map(|line| line.split_once(':')).collect();
        let (host, others): (Vec<_>, Vec<_>) = headers.into_iter().partition(|(name, _)| name.eq_ignore_ascii_case("host"));
        let mut sent = Sent::new(method, host[0].1, target, &others);
        sent.body = body.as_bytes().to_vec();
        sent
    }
}

#[test]
fn canonical_request_text_and_signature_are_those_of_the_vectors() {
    let mut ran = 0;
    for vector in vectors() {
        for kind in ["header", "query"] {
            let name = format!("{}, {kind}", vector.name);
            let sent = vector.sent(&format!("{kind}-signed-request.txt"));
            let signed = sent.read().unwrap_or_else(|refused| panic!("{name}: {refused}"));
            let omitted = vector.context["omit_session_token"] == true;
            let style = encode::PathStyle { normalised: vector.context["normalize"] == true, encoded: true };
            let unsigned: &[&str] = if omitted { &[presigned::SIGNATURE, presigned::TOKEN] } else { &[presigned::SIGNATURE] };
            let payload = signed.payload.unwrap_or_else(|| Payload::Hash(key::sha256(&sent.body))).text();
            let parts = canonical::Parts { style, query: None, unsigned, signed: &signed.headers, token: None, payload: &payload };

            let canonical = canonical::canonical_request(&sent.request(), &parts).expect("all headers are there");
            let text = canonical::string_to_sign(&signed.time, &signed.scope, &canonical);
            let signature = key::SigningKey::derive(vector.pair().secret, &signed.scope).sign(text.as_bytes()).text();

            assert_eq!(String::from_utf8_lossy(&canonical), vector.read(&format!("{kind}-canonical-request.txt")), "{name}");
            assert_eq!(text, vector.read(&format!("{kind}-string-to-sign.txt")), "{name}");
            assert_eq!(signature, vector.read(&format!("{kind}-signature.txt")), "{name}");
            ran += 1;
        }
    }
    assert!(ran > 70, "{ran}");
}

#[test]
fn each_vector_that_a_usual_service_would_have_is_verified_and_signed_by_another_pair_and_back() {
    let mut ran = 0;
    for vector in vectors().iter().filter(|vector| vector.context["normalize"] == true) {
        for kind in ["header", "query"] {
            let name = format!("{}, {kind}", vector.name);
            let (pair, sent) = (vector.pair(), vector.sent(&format!("{kind}-signed-request.txt")));

            for other in [REAL, REAL_WITH_TOKEN] {
                let (left, _) = sent.resigned(&pair, &other).unwrap_or_else(|refused| panic!("{name}: {refused}"));
                left.verified(&other).unwrap_or_else(|refused| panic!("{name}: {refused}"));
                assert_eq!(left.verified(&pair).err(), Some(Refused::OtherKey), "{name}");

                // A token of the guest's that was left unsigned is not known to have been so, once it is gone.
                if vector.context["omit_session_token"] != true || other.token.is_some() {
                    let (back, _) = left.resigned(&other, &pair).expect("it is verified");
                    assert_eq!(back.read(), sent.read(), "{name}");
                }
            }
            ran += 1;
        }
    }
    assert!(ran > 50, "{ran}");
}
