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

/// Every encoding of row 7, by name.
fn encodings(value: &str) -> Vec<(String, Vec<u8>)> {
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
        ("base32".to_owned(), b"OBTF63DJOZSV6OLGHBSTOZBWMM2WENDBGM4TEOBRG4YDMZRVMU2GIM3DGJRDCYJQ".to_vec()),
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
fn a_trailing_fragment_of_64_bits_is_taken_out_and_a_shorter_one_is_not() {
    let text = |length: usize| format!("cut short: {}", &VALUE[..length]);

    assert_eq!(scrubber(&[VALUE]).scrub_text(&text(30)), "cut short: [redacted:KEY]");
    assert_eq!(scrubber(&[VALUE]).scrub(text(8).as_bytes()), None);
}

/// The oracle: an answer that ends with a guess must fare alike whether the next character is right or wrong, until the guess
/// holds 64 bits that nobody can know.
#[test]
fn a_guess_at_the_end_of_an_answer_tells_nothing() {
    let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwWw1gFWFOEjXkQ";
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n-----END PRIVATE KEY-----";
    // Each value with how much of its beginning anyone can know.
    for (value, known) in [
        (VALUE, 8),
        ("sk-ant-api03-Xy7Kq2mZp9Lw4Rt8Vb3Nc6Hd1Fg5Js0A", 13),
        ("github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdef", 11),
        ("AKIAIOSFODNN7EXAMPLE", 4),
        (jwt, 57),
        (pem, 77),
    ] {
        let scrubber = scrubber(&[value]);
        // Ten characters of base62 are just below 64 bits.
        for length in 1..=known + 10 {
            let right = format!("echo: {}", &value[..length]);
            let wrong = format!("echo: {}~", &value[..length - 1]);
            let fate = |text: &str| scrubber.scrub(text.as_bytes()).is_some();
            assert_eq!(fate(&right), fate(&wrong), "{length} characters of {value}");
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
fn several_values_and_values_of_several_lines_are_found() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH\nBG0wawIBAQQgevZzL1gdAFr88hb2OF2NxApJ\n-----END PRIVATE KEY-----";
    let both = scrubber(&[VALUE, pem]);

    assert_eq!(both.scrub_text(&format!("{VALUE}{VALUE}")), "PLACEHOLDERPLACEHOLDER");
    let indented = pem.replace('\n', "\n      ");
    let out = both.scrub_text(&indented);
    assert!(!out.contains("MIGHAgEAMBMGByqG") && !out.contains("BG0wawIBAQQgevZz"), "{out}");
}

/// A row of numbers that is the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
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
fn a_part_of_a_value_is_told_by_its_beginning_too() {
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
        let out = scrubber(&[value]).scrub_text(&text).into_owned();
        assert!(out.ends_with("[redacted:KEY]"), "{value}: {out}");
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
