use super::{HmacSpec, Input, Preset, Spot};
use crate::manifest::{Place, Shape};

const WHOLE: &str = r#"
algorithm = "hmac-sha256"
key = "text"
input = "{timestamp}{method}{target}{body}"
encoding = "base64"
signature = ["header:ok-access-sign"]
timestamp = { place = "header:ok-access-timestamp", format = "rfc3339" }
nonce = { place = ["form:nonce", "json:/nonce"], unit = "ms" }
"#;

#[test]
fn a_template_prints_as_it_is_written() {
    for text in [
        "{timestamp}{method}{target}{body}",
        "{path}{sha256-raw {nonce}{body}}",
        r"{method}\n{host}\n{path}\n{sorted_query}",
        "{sha512 a={sha256 {header:x-key} b}}{query}",
        "v0:{timestamp}:{body}",
        "{sha512-raw {body}}",
    ] {
        assert_eq!(Input::parse(text).expect("a template").to_string(), text);
    }
    assert_eq!(Input::parse("{body}\n"), Input::parse(r"{body}\n"), "a line feed, however it is written");
}

#[test]
fn a_scheme_prints_as_a_table_that_reads_as_the_same() {
    let written = HmacSpec::parse("m", WHOLE).expect("a scheme");
    for spec in Preset::all().iter().map(|preset| preset.spec().written_out()).chain([written]) {
        let text = spec.to_string();
        let lines = text.trim_start_matches("{ ").trim_end_matches(" }").to_owned();
        // An inline table's keys, each in a line of its own.
        let document = format!("x = {text}");
        let table: toml::Table = document.parse().unwrap_or_else(|error| panic!("{document}: {error}"));
        let again = toml::to_string(&table["x"]).expect("a table");
        assert_eq!(HmacSpec::parse("m", &again).unwrap_or_else(|found| panic!("{lines}: {found}")), spec);
    }
    let preset = HmacSpec::parse("m", r#"preset = "kraken""#).expect("a preset");
    assert_eq!(preset.to_string(), r#"{ preset = "kraken" }"#);
}

#[test]
fn each_preset_is_sound() {
    for preset in Preset::all() {
        let spec = preset.spec();
        assert_eq!(spec.preset, Some(preset.name));
        assert!(Shape::parse(preset.placeholder).is_ok(), "{}", preset.name);
        assert!(preset.source.starts_with("https://") && !preset.title.is_empty() && preset.host.contains('.'), "{}", preset.name);
        for companion in preset.companions {
            let place = Place::parse(companion.place).expect("a place");
            assert!(spec.places().all(|spot| spot.to_string() != place.to_string()), "{}: {}", preset.name, companion.what);
        }
    }
}

/// A manifest's line changed, and what of the findings must be said.
#[test]
fn whatever_is_wrong_with_a_scheme_is_told_with_its_remedy() {
    let cases: &[(&str, &str, &str)] = &[
        ("{method}", "{verb}", "an unknown piece"),
        ("{method}", "{Method}", "an unknown piece"),
        ("{method}", "{header:}", "an unknown piece"),
        ("{method}", "{md5 {body}}", "an unknown digest"),
        ("{method}", "{method", "braces that do not match"),
        ("{method}", "method}", "braces that do not match"),
        ("{method}", "{{method}}", "braces that do not match"),
        ("{method}", "{sha256 {body}", "braces that do not match"),
        ("{method}", "{sha256 }", "a digest of nothing"),
        ("{method}", "{sha256 {sha256 {sha256 {sha256 {sha256 {body}}}}}}", "digests nested more than 4 deep"),
        ("{method}", "\\\\t", "a backslash or a control character"),
        ("{timestamp}{method}{target}{body}", "fixed", "without anything of the request"),
        ("{method}", "{header:ok-access-sign}", "the signature's own header"),
        ("timestamp = {", "#", "`input` uses `{timestamp}`, and the table for it is missing"),
        ("{target}{body}\"", "{target}{sha256 {nonce}}\"\n[gone]\n", "unknown key `gone`"),
        ("hmac-sha256", "hmac-md5", "an unknown algorithm"),
        ("hmac-sha256", "ed25519", "a key form that Ed25519 does not have"),
        ("\"text\"", "\"pem\"", "a key form that HMAC does not have"),
        ("\"text\"", "\"utf-8\"", "an unknown form of a key"),
        ("\"base64\"", "\"base32\"", "an unknown encoding"),
        ("rfc3339", "iso8601", "an unknown format of a time"),
        ("\"ms\"", "\"min\"", "an unknown unit"),
        ("[\"header:ok-access-sign\"]", "[]", "`signature` is empty"),
        ("header:ok-access-sign", "basic", "not a place that the host can write"),
        ("header:ok-access-sign", "header:host", "a header that only the host sets"),
        ("header:ok-access-sign", "header:x=v {}", "a header with a template"),
        ("header:ok-access-sign", "json:/sign", "a signature in a JSON document"),
        ("header:ok-access-sign", "query:a b", "not the name of a parameter"),
        ("header:ok-access-sign", "query:_", "not the name of a parameter"),
        ("json:/nonce", "json:nonce", "not a JSON Pointer"),
        ("json:/nonce", "json:/a~2", "not a JSON Pointer"),
        ("header:ok-access-timestamp", "header:ok-access-sign", "the place `header:ok-access-sign` is used twice"),
        ("header:ok-access-timestamp", "header:ok_access_sign", "the place `header:ok_access_sign` is used twice"),
        ("algorithm", "preset = \"okx\"\nalgorithm", "keys that the preset sets itself"),
        ("algorithm = \"hmac-sha256\"", "", "`algorithm` is missing"),
        ("encoding = \"base64\"", "", "`encoding` is missing"),
    ];
    for (of, to, told) in cases {
        assert!(WHOLE.contains(of), "{of}");
        let text = WHOLE.replacen(of, to, 1);
        let found = HmacSpec::parse("m", &text).expect_err(&text).to_string();
        assert!(found.contains(told), "{of} -> {to}: {found}");
    }
    let nonce = WHOLE.replace("{body}", "{nonce}").lines().filter(|line| !line.starts_with("nonce")).collect::<Vec<_>>().join("\n");
    let found = HmacSpec::parse("m", &nonce).expect_err("refused").to_string();
    assert!(found.contains("`input` uses `{nonce}`, and the table for it is missing"), "{found}");
    let unknown = HmacSpec::parse("m", r#"preset = "binanze""#).expect_err("refused").to_string();
    assert!(unknown.contains("an unknown preset") && unknown.contains("`\"binance-ed25519\"`"), "{unknown}");
}

#[test]
fn places_print_as_they_are_written() {
    for text in ["header:api-sign", "query:signature", "form:nonce", "json:/a~1b/nonce"] {
        assert_eq!(Spot::parse(text).expect("a place").to_string(), text);
    }
}
