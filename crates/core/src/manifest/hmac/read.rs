//! Reads a secret's table `hmac`.

use super::{Algorithm, HmacSpec, Input, KeyForm, NonceSpec, Piece, Preset, Spot, TimestampSpec, Words};
use crate::manifest::Problem;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::reader::{Document, Section};

/// What a preset says already.
const OF_PRESETS: &[&str] = &["algorithm", "key", "input", "encoding", "signature", "timestamp", "nonce"];

impl HmacSpec {
    /// Parses the table's own lines. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, read)
    }
}

/// Reads the table.
pub fn read(section: &Section<'_>) -> Option<HmacSpec> {
    if section.has("preset") {
        return preset(section);
    }
    section.set_aside(&["preset"]);
    let algorithm = words(section, "algorithm", "an unknown algorithm");
    let key = match section.has("key") || matches!(algorithm, Some(Algorithm::Ed25519)) {
        true => words(section, "key", "an unknown form of a key"),
        false => {
            section.set_aside(&["key"]);
            Some(KeyForm::Text)
        }
    };
    let input = section.require("input", "input = ?", Input::parse);
    let encoding = words(section, "encoding", "an unknown encoding");
    let signature = places(section, "signature", true);
    let timestamp = section.table("timestamp").map(|section| {
        let (places, format) = (places(&section, "place", false), words(&section, "format", "an unknown format of a time"));
        Some(TimestampSpec { places: places?, format: format? })
    });
    let nonce = section.table("nonce").map(|section| {
        let (places, unit) = (places(&section, "place", false), words(&section, "unit", "an unknown unit"));
        Some(NonceSpec { places: places?, unit: unit? })
    });
    // A table that was there and is wrong was told already: what hangs on it is not told again.
    let (timestamp, nonce) = (all(timestamp)?, all(nonce)?);
    let spec = HmacSpec {
        preset: None,
        algorithm: algorithm?,
        key: key?,
        input: input?,
        encoding: encoding?,
        signature: signature?,
        timestamp,
        nonce,
    };
    let problems = [key_of(&spec), pieces_of(&spec), places_of(&spec)];
    problems.into_iter().flatten().for_each(|problem| section.report_here(problem));
    Some(spec)
}

fn preset(section: &Section<'_>) -> Option<HmacSpec> {
    let known = || Preset::all().iter().map(|preset| format!("`\"{}\"`", preset.name)).collect::<Vec<_>>().join(", ");
    let preset = section.parse("preset", |text| {
        let remedy = || format!("write one of {}, or leave `preset` out and write the scheme itself", known());
        Preset::named(text).ok_or_else(|| Problem::new("an unknown preset", remedy()))
    });
    if OF_PRESETS.iter().any(|key| section.has(key)) {
        section.set_aside(OF_PRESETS);
        let remedy = "leave the other keys out, or leave `preset` out and write the scheme itself";
        section.report_here(Problem::new("keys that the preset sets itself", remedy));
    }
    preset.map(Preset::spec)
}

/// None where it was there and is wrong; otherwise what there is.
fn all<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(Some(read)) => Some(Some(read)),
        None => Some(None),
    }
}

/// One of a few words, which must be there.
fn words<T: Words>(section: &Section<'_>, key: &'static str, wrong: &str) -> Option<T> {
    let known: Vec<&'static str> = T::ALL.iter().map(|(word, _)| *word).collect();
    let word = section.require_one_of(key, wrong, &known)?;
    T::ALL.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning)
}

/// A place, or a list of them, which must be there. A signature stands in no JSON: what is signed would have to be told from it there.
fn places(section: &Section<'_>, key: &'static str, of_signature: bool) -> Option<Vec<Spot>> {
    let place = |text: &str| match Spot::parse(text)? {
        Spot::Json(_) if of_signature => {
            Err(Problem::new("a signature in a JSON document", "write `header:NAME`, `query:NAME` or `form:NAME`"))
        }
        place => Ok(place),
    };
    match section.is_string(key) {
        true => section.parse(key, place).map(|place| vec![place]),
        false => section.require_list(key, &format!("{key} = ?"), place).filter(|places| !places.is_empty()),
    }
}

fn key_of(spec: &HmacSpec) -> Option<Problem> {
    match (spec.algorithm, spec.key) {
        (Algorithm::Ed25519, KeyForm::Text | KeyForm::Hex) => {
            let remedy = "write `key = \"pem\"` for PKCS#8 in PEM, or `key = \"base64\"` for its seed";
            Some(Problem::new("a key form that Ed25519 does not have", remedy))
        }
        (Algorithm::HmacSha256 | Algorithm::HmacSha384 | Algorithm::HmacSha512, KeyForm::Pem) => {
            let remedy = "write `\"text\"`, `\"base64\"` or `\"hex\"`, or take `algorithm = \"ed25519\"`";
            Some(Problem::new("a key form that HMAC does not have", remedy))
        }
        _ => None,
    }
}

fn pieces_of(spec: &HmacSpec) -> Option<Problem> {
    let lacking = |piece: &Piece, is_there: bool, example: &str| {
        let found = format!("`input` uses `{piece}`, and the table for it is missing");
        (!is_there && spec.input.has(&|found| found == piece)).then(|| Problem::new(found, format!("add `{example}` with its own place")))
    };
    let timestamp = lacking(&Piece::Timestamp, spec.timestamp.is_some(), "timestamp = { place = ?, format = ? }");
    let nonce = || lacking(&Piece::Nonce, spec.nonce.is_some(), "nonce = { place = ?, unit = ? }");
    let itself = || {
        let is_signature = |piece: &Piece| matches!(piece, Piece::Header(name) if spec.signature.contains(&Spot::Header(name.clone())));
        spec.input
            .has(&is_signature)
            .then(|| Problem::new("`input` uses the signature's own header", "leave it out: a signature can't cover itself"))
    };
    timestamp.or_else(nonce).or_else(itself)
}

/// No place is used for two things, and none stands twice, as servers read the names.
fn places_of(spec: &HmacSpec) -> Option<Problem> {
    let places: Vec<&Spot> = spec.places().collect();
    let twice = places.iter().enumerate().find(|(at, place)| places[..*at].iter().any(|before| before.is_like(place)));
    twice.map(|(_, place)| {
        Problem::new(format!("the place `{place}` is used twice"), "give the signature, the time and the nonce different places")
    })
}
