use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::sync::Arc;

const VALUE: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";

fn scrubber(values: &[&str]) -> Scrubber {
    let known = values.iter().map(|value| Arc::new(Known::new(value.as_bytes(), true))).collect();
    let replacement = Replacement { plain: "PLACEHOLDER".into(), encoded: "[redacted:KEY]".into() };
    Scrubber::new(Arc::new(Search::new(known, None)), vec![replacement; values.len()])
}

/// Base32 (RFC 4648 6) without padding.
fn base32(bytes: &[u8]) -> Vec<u8> {
    let groups = bytes.chunks(5).flat_map(|group| {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - group.len()));
        let digits = (group.len() * 8).div_ceil(5);
        (0..digits).map(move |at| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> (35 - 5 * at) & 31) as usize])
    });
    groups.collect()
}

/// Every encoding of row 7, by name.
pub(super) fn encodings(value: &str) -> Vec<(String, Vec<u8>)> {
    let each = |f: &dyn Fn(u8) -> String| value.bytes().map(f).collect::<String>().into_bytes();
    let mut all = vec![
        ("raw".to_owned(), value.as_bytes().to_vec()),
        ("upper".to_owned(), value.to_uppercase().into_bytes()),
        ("reversed".to_owned(), value.bytes().rev().collect()),
        ("json".to_owned(), each(&|b| format!("\\u{:04x}", b))),
        ("json in part".to_owned(), each(&|b| if b % 3 == 0 { format!("\\u{b:04X}") } else { char::from(b).to_string() })),
        ("percent".to_owned(), each(&|b| format!("%{b:02X}"))),
        ("percent, lower".to_owned(), each(&|b| format!("%{b:02x}"))),
        ("html decimal".to_owned(), each(&|b| format!("&#{b};"))),
        ("html hex".to_owned(), each(&|b| format!("&#x{b:x};"))),
        ("quoted-printable".to_owned(), each(&|b| format!("={b:02X}"))),
        ("c".to_owned(), each(&|b| format!("\\x{b:02x}"))),
        ("octal".to_owned(), each(&|b| format!("\\{b:03o}"))),
        ("hex".to_owned(), each(&|b| format!("{b:02x}"))),
        ("hex, upper".to_owned(), each(&|b| format!("{b:02X}"))),
        ("hex, colons".to_owned(), each(&|b| format!("{b:02x}:"))),
        ("hex, spaces".to_owned(), each(&|b| format!("{b:02x} "))),
        ("hex, 0x".to_owned(), each(&|b| format!("0x{b:02x}, "))),
        ("utf-16le".to_owned(), value.bytes().flat_map(|b| [b, 0]).collect()),
        ("utf-16be".to_owned(), value.bytes().flat_map(|b| [0, b]).collect()),
        ("utf-32le".to_owned(), value.bytes().flat_map(|b| [b, 0, 0, 0]).collect()),
        ("utf-32be".to_owned(), value.bytes().flat_map(|b| [0, 0, 0, b]).collect()),
        ("base32".to_owned(), base32(value.as_bytes())),
    ];
    for shift in 0..3 {
        let text = format!("{}{value}tail", "u:x"[..shift].to_owned());
        for (name, coded) in [("base64", STANDARD.encode(&text)), ("base64url", URL_SAFE.encode(&text))] {
            all.push((format!("{name} +{shift}"), coded.clone().into_bytes()));
            for columns in [5, 20, 64] {
                let lines: Vec<&str> = coded.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
                all.push((format!("{name} +{shift} at {columns}"), lines.join("\r\n").into_bytes()));
                all.push((format!("{name} +{shift} at {columns}, in JSON"), lines.join("\\n").into_bytes()));
            }
        }
    }
    all
}

/// What is left of an answer.
fn answered(values: &[&str], text: &str) -> String {
    answered_by(&Arc::new(scrubber(values)), text)
}

fn answered_by(scrubber: &Arc<Scrubber>, text: &str) -> String {
    let mut stream = Stream::of_answer(Arc::clone(scrubber));
    let mut out = Vec::new();
    stream.push(text.as_bytes(), &mut out);
    stream.finish(&mut out);
    String::from_utf8(out).expect("text")
}

fn streamed(scrubber: Scrubber, text: &[u8], chunk: usize) -> Vec<u8> {
    let mut stream = Stream::new(Arc::new(scrubber));
    let mut out = Vec::new();
    for chunk in text.chunks(chunk) {
        stream.push(chunk, &mut out);
    }
    stream.finish(&mut out);
    out
}

#[test]
fn no_encoding_of_a_value_gets_through_in_any_chunking() {
    for (name, coded) in encodings(VALUE) {
        let text = [b"before \"".as_slice(), &coded, b"\" after"].concat();
        let whole = scrubber(&[VALUE]).scrub(&text).unwrap_or_else(|| panic!("{name} got through"));
        assert!(whole.starts_with(b"before \""), "{name}: {}", String::from_utf8_lossy(&whole));
        assert!(whole.ends_with(b"after"), "{name}: {}", String::from_utf8_lossy(&whole));
        for chunk in [1, 2, 3, 7, 64, 1000] {
            let out = streamed(scrubber(&[VALUE]), &text, chunk);
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole), "{name} in chunks of {chunk}");
        }
    }
}

#[test]
fn a_raw_echo_becomes_the_placeholder_and_the_rest_stays() {
    let text = format!("{{\"auth\":\"Bearer {VALUE}\",\"ok\":true}}");

    let out = scrubber(&[VALUE]).scrub_text(&text);

    assert_eq!(out, "{\"auth\":\"Bearer PLACEHOLDER\",\"ok\":true}");
}

#[test]
fn text_without_a_value_is_left_as_it_is_in_any_chunking() {
    let text = "a=1&b=%20 \\u0041 &amp; =3D\r\n pf_live_ 9f8e7d6c — and so on\0\n\n".repeat(50);

    assert_eq!(scrubber(&[VALUE]).scrub(text.as_bytes()), None);
    for chunk in [1, 13, 4096] {
        assert_eq!(streamed(scrubber(&[VALUE]), text.as_bytes(), chunk), text.as_bytes());
    }
}

#[test]
fn the_last_word_of_an_answer_goes_where_it_may_carry_64_bits_and_nowhere_else() {
    let text = |length: usize| format!("cut short: {}", &VALUE[..length]);

    assert_eq!(answered(&[VALUE], &text(30)), "cut short: [redacted:last-word]");
    assert_eq!(answered(&[VALUE], &text(8)), text(8));
    // Whoever has no value has none to cut short; what an agent says itself is none of an answer.
    assert_eq!(answered(&[], &text(30)), text(30));
    assert_eq!(scrubber(&[VALUE]).scrub(text(30).as_bytes()), None);
    assert_eq!(streamed(scrubber(&[VALUE]), text(30).as_bytes(), 7), text(30).as_bytes());
}

#[test]
fn what_is_whole_at_the_end_of_an_answer_is_no_piece() {
    for (text, left) in [
        (format!("key={VALUE}"), "key=PLACEHOLDER"),
        (format!("key={VALUE}/abc"), "key=PLACEHOLDER/abc"),
        (format!("9f8e7d6c5b4a {VALUE}\n"), "9f8e7d6c5b4a PLACEHOLDER\n"),
        ("you said 9f8e7d6c5b4a-PLACEHOLDER".to_owned(), "you said 9f8e7d6c5b4a-PLACEHOLDER"),
        (format!("{VALUE} PLACEHOLDER9f8e7d6c5b4a39281"), "PLACEHOLDER PLACEHOLDER[redacted:last-word]"),
    ] {
        assert_eq!(answered(&[VALUE], &text), left, "{text}");
    }
}

/// Keys of every make, with parts that are public: account and key ids, a bot's number, claims.
const MAKES: &[&str] = &[
    VALUE,
    "sk-ant-api03-Xy7Kq2mZp9Lw4Rt8Vb3Nc6Hd1Fg5Js0A",
    "sk_live_51NcQ2mLw8Rt4VbXkY7Zp3HdJs0Fg5Ka9Xy6Kq2mZp9Lw4Rt8Vb3Nc6Hd1Fg5Js0AbCdEfGhIjKlMnOpQr",
    "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",
    "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
    "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefGhIjKlMnOpQrStUvWxYz012345",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "patAb3dEf6hIj9kLm.4f9aQ2b7c1d8e3f0a5b6c7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2",
    "key-id-0001.5bQ9zX2kLm7Rt4Vw8Yc3Hd6Jf1Gs",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwWw1gFWFOEjXkQ",
    "postgres://reporting:correcthorse9batterystaple@db.internal:5432/reports",
    "AccountKey=Zt8kLw2mQ9vXr4sNp7BqZt8kLw2mQ9vXr4sNp7BqZt8kLw2mQ9vXr4sNp7BqAA==;EndpointSuffix=core.windows.net",
    "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
    "AKIAIOSFODNN7EXAMPLE",
    "550e8400-e29b-41d4-a716-446655440000",
    "correct horse battery staple",
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOaMaFzSZPMSp5bVfJCo5Jvq5PHWhRANCAAQ\n-----END PRIVATE KEY-----",
];

/// The oracle: an answer that ends with a guess fares alike whether the last character is right or wrong, however long the guess, in whatever
/// encoding; and so does what holds it anywhere else. Only the whole value shows.
#[test]
fn a_guess_tells_nothing_at_any_border() {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for value in MAKES.iter().copied() {
        let scrubber = Arc::new(scrubber(&[value]));
        // A line of a key is whole by itself.
        let whole = value.match_indices('\n').nth(1).map_or(value.len(), |(at, _)| at);
        for length in 1..whole {
            let last = value.as_bytes()[length - 1];
            let (other, right) = (
                match last {
                    b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => last + 1,
                    b'9' => b'8',
                    b'z' => b'y',
                    b'Z' => b'Y',
                    other => other,
                },
                &value[..length],
            );
            let wrong = format!("{}{}", &right[..length - 1], char::from(other));
            for (how, coded) in [("raw", str::to_owned as fn(&str) -> String), ("hex", hex), ("percent", percent)] {
                let (right, wrong) = (coded(right), coded(&wrong));
                let same = |text: &dyn Fn(&str) -> String| {
                    let [right, wrong] = [&right, &wrong].map(|guess| {
                        let (said, left) = (text(guess), answered_by(&scrubber, &text(guess)));
                        if left == said { "all of it".to_owned() } else { left.replace(guess.as_str(), "GUESS") }
                    });
                    assert_eq!(right, wrong, "{length} characters of {value}, {how}");
                };
                same(&|guess| format!("echo: {guess}"));
                same(&|guess| format!("{guess} in front"));
                same(&|guess| format!("\"zz{guess}zz\""));
                same(&|guess| format!("two: {guess}, {guess}"));
            }
        }
    }
}

#[test]
fn an_encoded_echo_of_basic_authentication_is_found() {
    let sent = STANDARD.encode(format!("user:{VALUE}"));
    let hex: String = sent.bytes().map(|b| format!("{b:02x}")).collect();
    for echo in [hex, STANDARD.encode(format!("Basic {sent}")), sent.chars().rev().collect()] {
        assert!(scrubber(&[VALUE]).scrub_text(&echo).contains("[redacted:KEY]"), "{echo}");
    }
}

#[test]
fn what_is_held_back_does_not_depend_on_what_it_is() {
    let held = |text: &str| {
        let mut stream = Stream::new(Arc::new(scrubber(&[VALUE])));
        let mut out = Vec::new();
        stream.push(text.as_bytes(), &mut out);
        out.len()
    };
    let right = format!("{}{}", "x".repeat(2000), &VALUE[..20]);
    let wrong = format!("{}{}", "x".repeat(2000), "y".repeat(20));

    assert_eq!(held(&right), held(&wrong));
}

#[test]
fn an_event_of_a_stream_is_not_held_back() {
    let mut stream = Stream::new(Arc::new(scrubber(&[VALUE])));
    let mut out = Vec::new();

    stream.push(b"data: {\"delta\":\"hi\"}\n\n", &mut out);

    assert_eq!(out, b"data: {\"delta\":\"hi\"}\n\n");
}

#[test]
fn base64_leaves_no_character_that_shares_bits_with_the_value() {
    for shift in 0..3 {
        let text = format!("{}{VALUE}~~~~~~", &"abc"[..shift]);
        let coded = STANDARD.encode(&text);
        let out = scrubber(&[VALUE]).scrub_text(&coded);
        let (before, after) = out.split_once("[redacted:KEY]").expect("found");
        assert!(before.len() * 6 <= shift * 8, "alignment {shift}: {before:?} holds bits of the value");
        let clean_tail = STANDARD.encode("~~~~~~~~~");
        assert!(clean_tail.contains(after.trim_end_matches('=').get(..4).unwrap_or("")), "alignment {shift}: {after:?}");
    }
}

#[test]
fn what_the_alphabets_of_base64_write_differently_is_found_in_both_and_encoded_again() {
    let value = "?>~?>~Zt8kLw2mQ9?>~?>~vXr4sNp7";
    // Not as it is sent in basic authentication, which would be looked for in base64 of any kind.
    let known = vec![Arc::new(Known::new(value.as_bytes(), false))];
    let at_once = Scrubber::new(Arc::new(Search::new(known, None)), vec![Replacement::new("PLACEHOLDER", "[redacted:KEY]")]);
    for shift in 0..3 {
        let text = format!("{}{value}tail", &"u:x"[..shift]);
        assert_ne!(STANDARD.encode(&text), URL_SAFE.encode(&text), "alignment {shift}");
        for once in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            for coded in [STANDARD.encode(&once), STANDARD.encode(format!("a{once}")), STANDARD.encode(format!("ab{once}")), once] {
                let out = at_once.scrub_text(&coded).into_owned();
                assert!(out.contains("[redacted:KEY]"), "alignment {shift}: {coded}: {out}");
            }
        }
    }
}

#[test]
fn several_values_and_values_of_several_lines_are_found() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH\nBG0wawIBAQQgevZzL1gdAFr88hb2OF2NxApJ\n-----END PRIVATE KEY-----";
    let both = scrubber(&[VALUE, pem]);

    assert_eq!(both.scrub_text(&format!("{VALUE}{VALUE}")), "PLACEHOLDERPLACEHOLDER");
    let indented = pem.replace('\n', "\n      ");
    let out = both.scrub_text(&indented);
    assert!(!out.contains("MIGHAgEAMBMGByqG") && !out.contains("BG0wawIBAQQgevZz"), "{out}");
}

/// A row of numbers that is the same in each run.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[test]
fn the_search_finds_what_a_naive_one_finds_however_a_stream_is_cut() {
    let short = "s3cr3t-8";
    let percent = "ab%41cd&amp;ef\\gh=3D";
    let key = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    let lines = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH\nBG0wawIBAQQgevZzL1gdAFr88hb2OF2NxApJ\n-----END PRIVATE KEY-----";
    let json = "{\"user\":\"app\",\"password\":\"Zt8#kLw2\\\"mQ9vXr4s\"}";
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for values in [vec![VALUE], vec![short, VALUE], vec![percent, lines], vec![key, json, "AKIAIOSFODNN7EXAMPLEx"]] {
        for rules in [None, Some(Rules::standard())] {
            let known = values.iter().map(|value| Arc::new(Known::new(value.as_bytes(), false))).collect();
            let replacement = Replacement { plain: "PLACEHOLDER".into(), encoded: "[redacted:KEY]".into() };
            let scrubber = Arc::new(Scrubber::new(Arc::new(Search::new(known, rules)), vec![replacement; values.len()]));
            for _ in 0..15 {
                let length = numbers.next() as usize % 60;
                let text = naive::text(&scrubber, &numbers.bytes(length));
                naive::compare(&scrubber, &text, &numbers.bytes(5));
            }
        }
    }
}

#[test]
fn a_key_that_is_let_go_in_the_middle_stays_taken_out() {
    let search = Arc::new(Search::new(Vec::new(), Some(Rules::standard())));
    let mut stream = Stream::new(Arc::new(Scrubber::new(search, Vec::new())));
    let mut out = Vec::new();

    stream.push(b"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49", &mut out);
    stream.finish(&mut out);
    stream.push(b"AgEGCCqGSM49AwEH\n-----END PRIVATE KEY-----\nafter\n", &mut out);
    stream.finish(&mut out);

    assert_eq!(String::from_utf8_lossy(&out), "[redacted:pem-private-key]\nafter\n");
}

#[test]
fn a_value_that_is_cut_short_goes_whatever_it_is_made_of() {
    let key = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    let json = "{\"user\":\"application-user\",\"password\":\"Zt8kLw2mQ9vXr4sNp7Bq\"}";
    let uuid = "3f2b8c1e-9d47-4a60-b5e8-71c6d0fa2934";
    let aws = "wJalrXUtnF/MI+K7MDE/GbPxRfiCYzKtQw9Ln2Hd";
    for (value, text) in [
        (key, format!("bad key: {}", &key[2..65])),
        (json, json[..json.len() - 4].to_owned()),
        (uuid, format!("cut: {}", &uuid[..29])),
        (aws, format!("cut: {}", &aws[..30])),
    ] {
        let out = answered(&[value], &text);
        assert!(out.ends_with("[redacted:last-word]"), "{value}: {out}");
    }
}

#[test]
fn short_strings_and_lines_of_a_document_are_found_in_every_encoding() {
    let json = "{\"auth_uri\":\"https://accounts.example.com\",\"password\":\"Zt8kLw2mQ9vX\"}";
    let lines = "KEY=4f9aQ2\nSEC=Zt8kLw2mQ\n";
    for value in [json, lines] {
        let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
        for text in [STANDARD.encode(value), hex, value.chars().rev().collect(), value.trim().to_owned()] {
            let out = scrubber(&[value]).scrub_text(&text).into_owned();
            assert!(!out.contains("Zt8kLw2mQ") && out.len() < text.len() / 2 + 30, "{text}: {out}");
        }
    }
    let out = scrubber(&[json]).scrub_text("{\"aud\":\"https://accounts.example.com\"}").into_owned();
    assert!(out.contains("accounts.example.com"), "an address is no secret: {out}");
}

fn with_rules(values: &[&str]) -> Scrubber {
    let known = values.iter().map(|value| Arc::new(Known::new(value.as_bytes(), false))).collect();
    let replacement = Replacement { plain: "pf_live_00000000000000000000000000000000".into(), encoded: "[redacted:KEY]".into() };
    Scrubber::new(Arc::new(Search::new(known, Some(Rules::standard()))), vec![replacement; values.len()])
}

#[test]
fn a_secret_that_holds_a_known_value_or_a_placeholder_goes_whole() {
    let scrubber = with_rules(&[VALUE]);
    let placeholder = "pf_live_00000000000000000000000000000000";
    for (text, secret) in [
        (format!("postgres://{VALUE}:Sup3rS3cretPw@host/db"), "Sup3rS3cretPw"),
        (format!("postgres://user:Sup3rS3cretPw{placeholder}@host/db"), "Sup3rS3cretPw"),
        (format!("https://user:Hq8zKw3mPp7@{VALUE}.example.com/"), "Hq8zKw3mPp7"),
    ] {
        let out = scrubber.scrub_text(&text).into_owned();
        assert!(!out.contains(secret) && !out.contains(VALUE), "{text}: {out}");
    }
    assert_eq!(scrubber.scrub_text(&format!("postgres://user:{VALUE}@host/db")), format!("postgres://user:{placeholder}@host/db"));
    assert_eq!(scrubber.scrub(format!("key={placeholder}").as_bytes()), None);
    let lax = with_rules(&[]).exempting(["".to_owned(), "A".to_owned()].into_iter());
    assert!(lax.scrub(b"id AKIAQ3EGRT6NTZ4LM2PK").is_some(), "a short default exempts nothing");
}

#[test]
fn a_key_goes_on_behind_a_value_that_stands_in_it() {
    let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n".repeat(60);
    let text = format!("-----BEGIN RSA PRIVATE KEY-----\n{}{VALUE}\n{}-----END RSA PRIVATE KEY-----\nafter", &body[..2080], &body[2080..]);
    let whole = with_rules(&[VALUE]).scrub_text(&text).into_owned();

    assert!(whole.ends_with("\nafter") && !whole.contains("MIGHAgEA"), "{whole}");
    for chunk in (1..2500).step_by(97) {
        assert_eq!(String::from_utf8_lossy(&streamed(with_rules(&[VALUE]), text.as_bytes(), chunk)), whole, "in chunks of {chunk}");
    }
}

#[test]
fn no_cut_goes_through_a_value() {
    // The bytes of the key hold `}` and a line break.
    let key = "4c0883a69102937d0a31471b5dbb6204fe5129617082792ae468d01a3f362318";
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("digits")).collect();
    let broken = format!("{}\n\r\n{}", &VALUE[..20], &VALUE[20..]).into_bytes();
    for (value, text) in [(key, bytes), (VALUE, broken)] {
        let whole = scrubber(&[value]).scrub(&text).unwrap_or_else(|| text.clone());
        for chunk in [1, 7, 40] {
            assert_eq!(streamed(scrubber(&[value]), &text, chunk), whole, "in chunks of {chunk}");
        }
    }
    let end = format!("-----BEGIN PRIVATE KEY-----\nabc\n-----END x\n\n{}", "y".repeat(300));
    for chunk in [1, 7, 64, 100] {
        assert_eq!(
            streamed(with_rules(&[]), end.as_bytes(), chunk),
            with_rules(&[]).scrub(end.as_bytes()).expect("a key"),
            "in chunks of {chunk}"
        );
    }
}

#[test]
fn a_value_that_is_not_ascii_is_found_where_its_characters_are_escaped() {
    let value = "pässwörd-größe-Zt8kLw2";
    let json: String = value.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    let html: String = value.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("&#{};", u32::from(c)) }).collect();
    let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for text in [json.into_bytes(), html.into_bytes(), wide, value.as_bytes().to_vec()] {
        assert!(scrubber(&[value]).scrub(&text).is_some(), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn rules_begin_behind_escapes_and_formats_that_are_too_short_are_not_sealed() {
    let (rules, loose) = Rules::standard().sealing(&[("KEY", "^pf_live_[a-f0-9]{32}$"), ("SHORT", "^ab_[A-Za-z0-9]{11}$")]);
    assert_eq!(loose, ["SHORT"]);
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules))), Vec::new());
    for before in ["{\"text\":\"key:\\n", "key\\u003d", "?u=a%3D", "x ", ""] {
        for pad in [0, 40, 62, 63] {
            let text = format!("{}{before}{VALUE}", " ".repeat(pad));
            assert!(scrubber.scrub_text(&text).ends_with("[sealed:KEY]"), "{text}");
        }
    }
}

#[test]
fn what_is_examined_ends_where_no_more_of_it_would_be_taken_out() {
    let scrubber = with_rules(&[]);
    let head = "-----BEGIN PRIVATE KEY-----\n";
    let open = format!("{head}{}", "MIIEvQIBADANBgkqhkiG9w0BAQEF\n".repeat(2_000));

    let found = scrubber.examine(open.as_bytes());
    assert_eq!((found.len(), found[0].at.start), (1, 0));
    assert_eq!(
        scrubber.scrub(open.as_bytes()).expect("a key").len(),
        open.len() - found[0].at.len() + format!("[redacted:{}]", found[0].rule).len()
    );
    let closed = format!("{head}{}-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEF\n".repeat(4));
    assert_eq!(scrubber.examine(format!("{closed}\nand more").as_bytes())[0].at, 0..closed.len());
}

#[test]
fn breaks_and_references_among_the_first_characters_of_a_value_are_undone() {
    let value = "p4&&Zt8kLw2Qx7-mN0";
    let scrubber = Arc::new(scrubber(&[value]));
    let characters: Vec<String> = value.chars().map(String::from).collect();
    let wrapped = |every: usize, blanks: usize| {
        let lines: Vec<String> = characters.chunks(every).map(|line| line.concat()).collect();
        lines.join(&format!("\n{}", " ".repeat(blanks)))
    };
    let lines = [(1, 0), (1, 3), (1, 10), (2, 0), (2, 3), (2, 10), (2, 11), (2, 12), (3, 4), (3, 16), (5, 16)]
        .map(|(every, blanks)| wrapped(every, blanks));
    let spelt = ["&amp;&amp;", "&&amp;", "&amp;&", "&&", "%26&", "&%26", "\\u0026&", "&\\x26", "&&#38;", "&#38;&"]
        .map(|and| value.replace("&&", and));
    let behind =
        ["p4&&&#90;t8kLw2Qx7-mN0", "p4&&\\x5at8kLw2Qx7-mN0", "p4&&%5At8kLw2Qx7-mN0", "p4&&Z\nt8kLw2Qx7-mN0", "p4\n&&Z\n  t8kLw2Qx7-mN0"];
    for text in lines.iter().chain(&spelt).map(String::as_str).chain(behind) {
        let text = format!("if (a&&b) {{\n    key: {text} }}\n}}\n");
        assert!(scrubber.scrub(text.as_bytes()).is_some(), "{text}");
        crate::naive::compare(&scrubber, text.as_bytes(), &[1, 9]);
    }
}
