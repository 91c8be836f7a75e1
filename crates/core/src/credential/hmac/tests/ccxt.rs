//! Requests as ccxt signs them (`tests/vectors/ccxt`): each is verified with ccxt's key, is signed to the same bytes, and does not verify when
//! a byte of it is another one.

use super::*;
use crate::credential::hmac::Part;
use crate::credential::jwt::JwtKey;
use crate::manifest::jwt;
use serde_json::Value;

/// The requests of one preset, with its key and the time.
fn requests(of: &str) -> (String, u64, Vec<Held>) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/ccxt/requests.jsonl");
    let text = std::fs::read_to_string(file).expect("the requests");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).skip_while(|line| line["preset"] != of);
    let first = lines.next().expect("the preset's own line");
    let requests: Vec<Held> = lines.take_while(|line| line.get("preset").is_none()).map(|line| held(&line)).collect();
    assert_eq!(requests.len(), 200, "{of}");
    (first["secret"].as_str().expect("a secret").to_owned(), first["now"].as_u64().expect("a time"), requests)
}

fn held(line: &Value) -> Held {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut held = Held {
        method: text("method"),
        host: text("host"),
        path: text("path"),
        query: line["query"].as_str().map(str::to_owned),
        headers: HeaderMap::new(),
        body: text("body").into_bytes(),
    };
    for (name, value) in line["headers"].as_object().expect("headers") {
        held.add_header(name, value.as_str().expect("a value"));
    }
    held
}

fn is_byte_equal(name: &str) {
    let spec = preset(name);
    let (secret, now, requests) = requests(name);
    let key = HmacKey::read(&spec, secret.as_bytes()).expect("a key");
    let stamp = spec.stamp(at_millis(now), Some(now)).expect("a stamp");
    let (mut with_query, mut with_body, mut beyond_ascii) = (0, 0, 0);
    for request in &requests {
        let verified =
            spec.verify(&key, &request.view(), at_millis(now)).unwrap_or_else(|refused| panic!("{name}: {refused}: {request:?}"));
        let given = verified.stands().signature.clone().expect("a signature");

        // The same, with the signature still there or taken out, and by the whole way of a request.
        let mut bare = request.clone();
        bare.without(&given.place);
        for request in [request, &bare] {
            let signature = spec.signature(&key, &request.view(), &stamp).expect("a signature");
            assert_eq!(*signature, given.text, "{name}: {request:?}");
        }
        if !given.place.to_string().starts_with("json") && !request.body.starts_with(b"{") {
            assert_eq!(request.signed(&spec, &key, &stamp).as_ref(), Ok(request), "{name}");
        }

        for changed in changed(&spec, request) {
            let verified = spec.verify(&key, &changed.view(), at_millis(now));
            assert!(verified.is_err(), "{name}: {changed:?}");
        }
        with_query += usize::from(request.query.is_some());
        with_body += usize::from(!request.body.is_empty());
        beyond_ascii += usize::from(!request.body.is_ascii() || request.query.as_ref().is_some_and(|query| query.contains("%E6")));
    }
    assert!(with_query + with_body >= 100 && with_body >= 20 && beyond_ascii >= 10, "{name}: {with_query}, {with_body}, {beyond_ascii}");
}

/// The request with a byte of the query changed, of the body, and of each header that is signed.
fn changed(spec: &HmacSpec, request: &Held) -> Vec<Held> {
    let other = |byte: u8| if byte == b'a' { b'b' } else { b'a' };
    let mut all = Vec::new();
    if let Some(query) = request.query.as_ref().filter(|query| !query.is_empty()) {
        let mut bytes = query.clone().into_bytes();
        bytes[0] = other(bytes[0]);
        all.push(Held { query: String::from_utf8(bytes).ok(), ..request.clone() });
        all.push(Held { query: Some(format!("{query}&more=1")), ..request.clone() });
    }
    if !request.body.is_empty() {
        let mut bytes = request.body.clone();
        let middle = bytes.len() / 2;
        bytes[middle] = other(bytes[middle]);
        all.push(Held { body: bytes, ..request.clone() });
        all.push(Held { body: [request.body.as_slice(), b" "].concat(), ..request.clone() });
    }
    let input = spec.input.to_string();
    if input.contains("{path}") || input.contains("{target}") {
        all.push(Held { path: format!("{}x", request.path), ..request.clone() });
    }
    if input.contains("{method}") {
        all.push(Held { method: "PATCH".to_owned(), ..request.clone() });
    }
    if input.contains("{header:x-bapi-recv-window}") {
        let mut longer = request.clone();
        longer.headers.insert("x-bapi-recv-window", HeaderValue::from_static("60000"));
        all.push(longer);
    }
    all
}

#[test]
fn binance() {
    is_byte_equal("binance");
}

#[test]
fn binance_with_ed25519() {
    is_byte_equal("binance-ed25519");
}

#[test]
fn bybit() {
    is_byte_equal("bybit");
}

#[test]
fn okx() {
    is_byte_equal("okx");
}

#[test]
fn kraken() {
    is_byte_equal("kraken");
}

#[test]
fn coinbase_exchange() {
    is_byte_equal("coinbase-exchange");
}

/// What ccxt's token says of the request, ours says too; the rest of its claims is of its own time and chance.
#[test]
fn coinbase_cdp() {
    let (secret, now, requests) = requests("coinbase-cdp");
    let key = JwtKey::read(secret.as_bytes()).expect("a key");
    let spec = jwt::Preset::named("coinbase-cdp").expect("a preset").spec("an-api-key");
    for request in &requests {
        let bearer = request.headers["authorization"].to_str().expect("text");
        let theirs = bearer.strip_prefix("Bearer ").expect("a token");
        let ours =
            spec.token(&key, &request.view(), at_millis(now), std::array::from_fn(|at| u8::try_from(at).expect("small"))).expect("a token");

        assert!(key.has_signed(theirs) && key.has_signed(&ours), "{theirs}");
        assert!(!JwtKey::of_placeholder(&"a".repeat(88)).expect("a key").has_signed(theirs));
        let (claims, theirs) = (part(&ours, 1), part(theirs, 1));
        assert_eq!(claims["uri"], theirs["uris"][0]);
        for name in ["iss", "sub", "nbf", "exp"] {
            assert_eq!(claims[name], theirs[name], "{name}");
        }
        assert_eq!(part(&ours, 0)["kid"], "an-api-key");
        assert_eq!(part(&ours, 0)["nonce"], "000102030405060708090a0b0c0d0e0f");
    }
}

fn part(token: &str, at: usize) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(at).expect("a part");
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&decoded).expect("JSON")
}

/// An agent signs with the placeholder of the preset's own shape; the host verifies that, and signs anew with its own time and number.
#[test]
fn what_was_signed_with_a_placeholder_is_signed_anew() {
    for preset in crate::manifest::hmac::Preset::all() {
        let spec = preset.spec();
        let (secret, now, requests) = requests(preset.name);
        let real = HmacKey::read(&spec, secret.as_bytes()).expect("a key");
        let shape = crate::manifest::Shape::parse(preset.placeholder).expect("a shape");
        let text = shape.mint(|below| 7 % below);
        let placeholder = HmacKey::of_placeholder(&spec, &text).unwrap_or_else(|why| panic!("{}: {why}", preset.name));
        let (theirs, later) = (spec.stamp(at_millis(now), Some(now)).expect("a stamp"), now + 60_000);
        let ours = spec.stamp(at_millis(later), Some(later)).expect("a stamp");
        for request in requests.iter().take(50) {
            let from_agent = request.signed(&spec, &placeholder, &theirs).expect("signed by the agent");
            let of_placeholder = spec.verify(&placeholder, &from_agent.view(), at_millis(later));
            assert!(of_placeholder.is_ok(), "{}: {from_agent:?}", preset.name);
            assert_eq!(spec.verify(&real, &from_agent.view(), at_millis(later)), Err(Refused::Wrong), "{}", preset.name);

            let leaves = from_agent.signed(&spec, &real, &ours).expect("signed by the host");

            let stands = spec.verify(&real, &leaves.view(), at_millis(later)).expect("the exchange takes it").stands().clone();
            assert_eq!(stands.timestamp.map(|found| found.text), ours.timestamp, "{}", preset.name);
            assert_eq!(stands.nonce.map(|found| found.text), ours.nonce, "{}", preset.name);
            assert_eq!(
                spec.signature(&real, &from_agent.view(), &ours),
                Err(Refused::NotStamped(if spec.nonce.is_some() { Part::Nonce } else { Part::Timestamp }))
            );
        }
    }
}
