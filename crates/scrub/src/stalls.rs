//! Servers that stall: behind each byte of a value, at each byte of an event. What an agent holds by then, and that it would hold the same of
//! a wrong guess.

use super::tests::{Numbers, encodings};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const VALUE: &str = concat!("pf_live_9f8e7d6c5b4a3928", "1706f5e4d3c2b1a0");
const PEM: &str = concat!(
    "--",
    "---BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n"
);
const ENCRYPTED: &str = concat!(
    "--",
    "---BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,8A3B5C7D9E0F1A2B3C4D5E6F7A8B9C0D\r\n\r\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\r\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\r\n-----END RSA PRIVATE KEY-----\r\n"
);
/// The key of `PEM` is in it, as JSON escapes it.
fn account(indent: &str) -> String {
    let line = if indent.is_empty() { "" } else { "\n" };
    let key = PEM.replace('\n', "\\n");
    format!(
        "{{{line}{indent}\"type\":\"service_account\",{line}{indent}\"keys\":{{\"a\":\"b\"}},{line}{indent}\"private_key_id\":\"4b1d6f0a9c2e8375d0c4a7f19e3b5c682f7d1a0b\",{line}{indent}\"private_key\":\"{key}\"{line}}}{line}"
    )
}

fn scrubber(values: &[String], rules: bool) -> Arc<Scrubber> {
    let known = values.iter().map(|value| Arc::new(Known::new(value.as_bytes(), false))).collect();
    let replacement = Replacement { plain: "(OUT)".into(), encoded: "(OUT)".into() };
    let search = Search::new(known, rules.then(Rules::standard));
    Arc::new(Scrubber::new(Arc::new(search), vec![replacement; values.len()]))
}

/// What is out of a text when it has stalled behind each of these pieces, and in the end: how long each piece was, and all of it.
fn stalled<'t>(scrubber: &Arc<Scrubber>, pieces: impl Iterator<Item = &'t [u8]>) -> (Vec<usize>, Vec<u8>) {
    let mut stream = Stream::of_answer(Arc::clone(scrubber));
    let (mut out, mut sizes) = (Vec::new(), Vec::new());
    for piece in pieces {
        stream.push(piece, &mut out);
        sizes.push(out.len());
        stream.pause(&mut out);
        sizes.push(out.len());
    }
    stream.finish(&mut out);
    (sizes, out)
}

fn by_byte(scrubber: &Arc<Scrubber>, text: &[u8]) -> (Vec<usize>, Vec<u8>) {
    stalled(scrubber, text.chunks(1))
}

/// Without breaks, as whoever puts a value together again reads it.
fn joined(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).replace("\\n", "").bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

/// Whether 8 characters of a secret text stand in what is out.
fn holds_part(out: &[u8], secret: &[u8]) -> bool {
    let (out, secret) = (joined(out), joined(secret));
    secret.windows(8).any(|part| memchr::memmem::find(&out, part).is_some())
}

fn made(length: usize, seed: u64) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut numbers = Numbers(seed);
    (0..length).map(|_| char::from(DIGITS[numbers.next() as usize % DIGITS.len()])).collect()
}

#[test]
fn a_server_that_stalls_behind_each_byte_shows_nothing_of_a_value_in_any_form() {
    for (length, seed) in [(8, 3), (40, 5)] {
        stalls_behind_each_byte(&made(length, seed), |_| true);
    }
    // Long ones in a few forms: the walk is the same.
    stalls_behind_each_byte(&made(300, 7), |form| ["raw", "percent", "hex, colons", "base64 +1 at 64"].contains(&form));
    stalls_behind_each_byte(&made(3_000, 11), |form| form == "raw");
}

#[test]
#[ignore = "long form"]
fn a_server_that_stalls_behind_each_byte_shows_nothing_of_a_long_value_in_any_form() {
    for (length, seed) in [(300, 7), (3_000, 11)] {
        stalls_behind_each_byte(&made(length, seed), |_| true);
    }
}

fn stalls_behind_each_byte(value: &str, is_wanted: impl Fn(&str) -> bool) {
    let length = value.len();
    let scrubber = scrubber(&[value.to_owned()], true);
    for (name, form) in encodings(value).into_iter().filter(|(name, _)| is_wanted(name)) {
        for (before, after) in [("you said \"", "\" and more"), ("key: ", "\n\nmore"), ("{\"a\":1}\r\n", "\r\n{\"b\":2}\r\n")] {
            let text = [before.as_bytes(), &form, after.as_bytes()].concat();
            let out = by_byte(&scrubber, &text).1;
            assert!(memchr::memmem::find(&out, b"(OUT)").is_some(), "{length} bytes, {name}: {}", out.escape_ascii());
            // Beside the value, an encoding holds what stands around it.
            let whole = joined(&scrubber.scrub(&text).expect("a value"));
            let (form, shown) = (joined(&form), joined(&out));
            let mut parts = form.windows(8).filter(|part| memchr::memmem::find(&whole, part).is_none());
            let part = parts.find(|part| memchr::memmem::find(&shown, part).is_some());
            assert!(part.is_none(), "{length} bytes, {name}: {}", out.escape_ascii());
        }
    }
}

/// The same guess with another last character of the same kind.
fn wrong(right: &[u8]) -> Vec<u8> {
    let mut wrong = right.to_vec();
    let last = wrong.last_mut().expect("a guess");
    *last = match *last {
        b'9' | b'f' | b'F' | b'z' | b'Z' => *last - 1,
        byte if byte.is_ascii_alphanumeric() => byte + 1,
        other => other,
    };
    wrong
}

#[test]
fn what_arrives_when_is_the_same_for_a_right_guess_and_a_wrong_one() {
    for value in [VALUE.to_owned(), made(16, 3), "p}w#9!mQ2vX4sNp7Bq".to_owned(), "correct horse battery staple".to_owned()] {
        let scrubber = scrubber(&[value.clone(), PEM.to_owned(), account("  ")], true);
        for (name, form) in encodings(&value) {
            // A value is found by less than its whole encoding: what its last characters say is not all of them.
            let last = form.iter().rposition(u8::is_ascii_alphanumeric).expect("a form has letters or digits");
            let steps = (form.len() / 5).max(1);
            for length in (1..last * 3 / 4).step_by(steps) {
                let (right, wrong) = (&form[..length], wrong(&form[..length]));
                for after in ["\" and more", "\n", "\r\n\r\nmore", " }\n"] {
                    let of = |guess: &[u8]| by_byte(&scrubber, &[b"you said \"", guess, after.as_bytes()].concat()).0;
                    assert_eq!(of(right), of(&wrong), "{length} characters of {value}, {name}, before {after:?}");
                }
            }
        }
    }
}

#[test]
fn no_cut_shows_a_line_of_a_key() {
    no_cut_of(7);
}

#[test]
#[ignore = "long form"]
fn no_cut_at_any_byte_shows_a_line_of_a_key() {
    no_cut_of(1);
}

/// Every so many bytes.
fn no_cut_of(step: usize) {
    let values = [VALUE.to_owned(), PEM.to_owned(), ENCRYPTED.to_owned(), account("  "), account("")];
    let secrets: Vec<&str> = PEM.lines().chain(ENCRYPTED.lines()).filter(|line| !line.starts_with("-----") && line.len() > 40).collect();
    let echoes = values.iter().flat_map(|value| {
        let lines: String = value.lines().map(|line| format!("data: {line}\n")).collect();
        let json = serde_json::json!({"echo": value}).to_string();
        [format!("event: echo\n{lines}\n"), format!("event: echo\r\ndata: {json}\r\n\r\n"), format!("data: {}\r\r", STANDARD.encode(value))]
    });
    for rules in [false, true] {
        for echo in echoes.clone() {
            let one = scrubber(&values, rules);
            let (_, out) = by_byte(&one, echo.as_bytes());
            assert!(!secrets.iter().any(|line| holds_part(&out, line.as_bytes())), "{}", out.escape_ascii());
            for at in (0..echo.len()).step_by(step) {
                let (before, after) = echo.as_bytes().split_at(at);
                let (_, out) = stalled(&one, [before, after].into_iter());
                assert!(!secrets.iter().any(|line| holds_part(&out, line.as_bytes())), "cut at {at}: {}", out.escape_ascii());
            }
        }
    }
}

/// What is out at once, and on silence, of a text behind which nothing follows.
fn flows(values: &[&str], text: &str) -> (String, String) {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let mut stream = Stream::of_answer(scrubber(&values, true));
    let mut out = Vec::new();
    stream.push(text.as_bytes(), &mut out);
    let at_once = String::from_utf8_lossy(&out).into_owned();
    stream.pause(&mut out);
    (at_once, String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn events_and_lines_flow_whichever_values_an_agent_has() {
    let (pretty, compact) = (account("  "), account(""));
    let crlf = PEM.replace('\n', "\r\n");
    let agents: [&[&str]; 6] = [
        &[VALUE],
        &[VALUE, PEM],
        &[VALUE, &crlf, ENCRYPTED],
        &[VALUE, &pretty],
        &[VALUE, &compact],
        &[VALUE, "p}w#9!mQ2vX4sNp7Bq", "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"],
    ];
    for values in agents {
        for text in [
            "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":true}}\r\n\r\n",
            "event: message\rdata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":true}}\r\r",
            "data: Hello\n\n",
            ": ping\r\n\r\n",
            "{\"id\":1}\n{\"id\":2}\n",
            "{\"id\":1}\r",
            "data: Hello\r\rdata: World\n\n",
        ] {
            assert_eq!(flows(values, text).0, text, "{values:?}");
        }
        for text in ["0:\"tok0\"\n0:\"tok1\"\n", "data: Hello\r\r", "hello world\r\n", "[1,2]\n", "line 1\nline 2\n", "(50 %)\n"] {
            assert_eq!(flows(values, text).1, text, "{values:?}");
        }
    }
    assert_eq!(flows(&[VALUE], "Hello wor").1, "Hello ");
    assert_eq!(flows(&[VALUE], "the build has finished\n").1, "the build has finished\n");
}

#[test]
fn what_may_be_a_part_of_a_value_waits() {
    for (text, out) in [
        ("key: 9f8e7d6c5b4a\n", "key: "),
        ("say \"pf_live", "say \""),
        ("a: %70%66", "a: "),
        ("a: \\u00", "a: "),
        ("bytes 70 66 5f", "bytes "),
        ("bytes 0x70, 0x6", "bytes "),
        ("key:\ncGZfbGl2ZV85ZjhlN2Q2YzVi\nNGE\n", "key:\n"),
        (concat!("--", "---BEGIN PRIVATE KEY-----\nab\n"), ""),
    ] {
        assert_eq!(flows(&[VALUE], text).1, out, "{text:?}");
    }
    assert_eq!(flows(&["correct horse battery staple"], "say correct horse").1, "");
}
