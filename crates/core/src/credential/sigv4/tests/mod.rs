//! What signs here beside this code: the vendor's vectors and printed examples, and the signer of its own SDK.

mod bodies;
mod chunks;
mod hostile;
mod kept;
mod sdk;
mod vectors;

use super::*;
use http::{HeaderName, HeaderValue};
use std::time::{Duration, SystemTime};

/// The pair that AWS's documents print, as the guest's placeholders here; the vectors have another secret.
const PRINTED: KeyPair<'static> =
    KeyPair { access_key_id: "AKIAIOSFODNN7EXAMPLE", secret: b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token: None, prepared: None };
const REAL: KeyPair<'static> = KeyPair { access_key_id: "AKIDREAL", secret: b"the/real+one", token: None, prepared: None };
const REAL_WITH_TOKEN: KeyPair<'static> = KeyPair { token: Some(b"Real//token+of=a/session=="), ..REAL };

/// A request as a guest sends it.
#[derive(Clone)]
struct Sent {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: &str, host: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let mut sent = Self { method: method.into(), host: host.into(), path, query, headers: HeaderMap::new(), body: Vec::new() };
        for (name, value) in headers {
            sent.add(name, value);
        }
        sent
    }

    fn add(&mut self, name: &str, value: &str) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }

    fn request(&self) -> Request<'_> {
        let Self { method, host, path, query, headers, .. } = self;
        Request { method, host, path, query: query.as_deref(), headers }
    }

    fn read(&self) -> Result<Signed, Refused> {
        Signed::read(&self.request()).expect("it is signed")
    }

    fn verified(&self, placeholders: &KeyPair<'_>) -> Result<Verified, Refused> {
        self.read()?.verify(&self.request(), placeholders, Some(key::sha256(&self.body)))
    }

    /// The request as it leaves, with what its body is held to.
    fn resigned(&self, placeholders: &KeyPair<'_>, real: &KeyPair<'_>) -> Result<(Self, Body), Refused> {
        let verified = self.verified(placeholders)?;
        let now = time_of(verified.signed().time());
        let resigned = verified.resign(&self.request(), real, now)?;
        let mut left = self.clone();
        for name in &resigned.remove {
            left.headers.remove(name);
        }
        for (name, value) in resigned.set {
            assert!(value.is_sensitive());
            left.headers.insert(name, value);
        }
        if let Some(query) = &resigned.query {
            left.query = Some(query.to_string());
        }
        let shown = format!("{:?} {:?}", left.headers.get("authorization").map(|line| line.to_str().expect("text").to_owned()), left.query);
        assert!(shown.contains(&resigned.signature));
        Ok((left, resigned.body))
    }

    /// Signed in its header, by this code: for what no other signer makes.
    fn signed(mut self, pair: &KeyPair<'_>, scope: &str, names: &str) -> Self {
        let line = |signature: &str| {
            format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", pair.access_key_id)
        };
        self.set("authorization", &line(&"0".repeat(64)));
        let signed = self.read().expect("it is well formed");
        let payload = signed.payload.unwrap_or_else(|| Payload::Hash(key::sha256(&self.body)));
        let parts = canonical::Parts {
            style: signed.scope.path_style(),
            query: None,
            unsigned: &[],
            signed: &signed.headers,
            token: None,
            payload: &payload.text(),
        };
        let canonical = canonical::canonical_request(&self.request(), &parts).expect("all headers are there");
        let text = canonical::string_to_sign(&signed.time, &signed.scope, &canonical);
        let signature = key::SigningKey::derive(pair.secret, &signed.scope).sign(text.as_bytes()).text();
        self.set("authorization", &line(&signature));
        self
    }
}

fn time_of(stamp: &Stamp) -> SystemTime {
    let age = stamp.age(SystemTime::UNIX_EPOCH);
    SystemTime::UNIX_EPOCH + Duration::from_secs((-age).try_into().expect("a time after 1970"))
}

/// Numbers that are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below `end`")
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Up to `most` of these, joined.
    fn text(&mut self, from: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(from)).collect()
    }
}
