//! Why a rule holds, as data: what an operator who tries rules is told of a finding.

use super::measure::Make;
use super::validators::{Validator, entropy};
use super::{Match, Rules, detectors, layouts};
use serde::Serialize;
use std::fmt;

/// What speaks for a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// It begins with this text; or this one stands near, which a rule of another scanner asks for.
    Keyword {
        /// The keyword, as the text has it.
        keyword: String,
    },
    /// It is the value of a field.
    Field {
        /// What the field is called.
        name: String,
    },
    /// A checksum in it holds.
    Checksum {
        /// By which algorithm, or standard.
        sum: &'static str,
    },
    /// How evenly its characters are spread.
    Entropy {
        /// Bits for a character.
        bits: f64,
    },
    /// How much more it looks like a random text than an ordinary name.
    Surplus {
        /// Bits in all.
        bits: i32,
    },
    /// What it is made of.
    Shape {
        /// In words.
        shape: &'static str,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword { keyword } => write!(f, "the keyword `{keyword}`"),
            Self::Field { name } => write!(f, "the field `{name}`"),
            Self::Checksum { sum } => write!(f, "a checksum that holds ({sum})"),
            Self::Entropy { bits } => write!(f, "an entropy of {bits:.1} bits a character"),
            Self::Surplus { bits } => write!(f, "{bits} bits of surplus"),
            Self::Shape { shape } => f.write_str(shape),
        }
    }
}

impl Rules {
    /// Why there is a finding of this rule.
    pub(in super::super) fn why(&self, text: &[u8], rule: usize, at: &std::ops::Range<usize>) -> Vec<Reason> {
        if let Some(reasons) = self.why_others(text, rule, at) {
            return reasons;
        }
        let is_it = |found: &Match| found.rule == rule && found.at == *at;
        let secret = self.own(text, at.start..at.start + 1).into_iter().find(is_it).map_or(at.clone(), |found| found.secret);
        let secret = &text[secret];
        let mut reasons = Vec::new();
        let keyword = self.keyword_at(text, rule, at.start);
        if keyword.is_none() && self.names.has(rule) {
            let name = layouts::before(text, at.start).map(|field| String::from_utf8_lossy(field.name).into_owned());
            reasons.extend(name.map(|name| Reason::Field { name }));
        }
        reasons.extend(keyword.map(|keyword| Reason::Keyword { keyword }));
        if let Some(detector) = self.detectors.iter().position(|slot| *slot == Some(rule)) {
            reasons.extend(by_detector(detector, secret));
        }
        reasons.extend(self.rules[rule].validator.map(|validator| by_validator(validator, secret)));
        reasons
    }

    /// Why a rule of another scanner finds something, if one does.
    fn why_others(&self, text: &[u8], rule: usize, at: &std::ops::Range<usize>) -> Option<Vec<Reason>> {
        let mut reasons = None;
        self.patterns.as_ref()?.find(text, &(at.start..at.start + 1), |hit| {
            if hit.found.rule == rule && hit.found.at == *at && !self.is_known(text, at) {
                let keyword = String::from_utf8_lossy(&text[hit.keyword.clone()]).into_owned();
                reasons.get_or_insert_with(|| vec![Reason::Keyword { keyword }, Reason::Entropy { bits: entropy(&text[at.clone()]) }]);
            }
        });
        reasons
    }

    /// The keyword of a rule that stands at `at`.
    fn keyword_at(&self, text: &[u8], rule: usize, at: usize) -> Option<String> {
        let whole = self.keywords.values().flatten().map(|(keyword, number)| (&keyword.text, *number));
        let mut keywords = whole.chain(self.behind.iter().map(|(keyword, number)| (keyword, *number)));
        keywords.find(|(keyword, number)| *number == rule && text[at..].starts_with(keyword.as_bytes())).map(|(keyword, _)| keyword.clone())
    }
}

fn by_detector(detector: usize, secret: &[u8]) -> Option<Reason> {
    Some(match detector {
        detectors::MNEMONIC => Reason::Checksum { sum: "BIP-39" },
        detectors::WIF => Reason::Checksum { sum: "Base58Check" },
        detectors::PEM => Reason::Shape { shape: "the head of a private key" },
        detectors::BYTES => Reason::Shape { shape: "64 numbers of one byte each" },
        detectors::LOGIN => Reason::Shape { shape: "a name and a password behind an option" },
        detectors::MANIFEST => Reason::Shape { shape: "data of a Secret of Kubernetes" },
        detectors::KEY => Reason::Shape { shape: "a part of a JSON Web Key that is kept" },
        detectors::FIELD | detectors::AZURE | detectors::FACEBOOK | detectors::MAXMIND | detectors::SIGNED | detectors::HEX => {
            Reason::Surplus { bits: Make::of(secret).surplus }
        }
        // Its validator says it.
        _ => return None,
    })
}

fn by_validator(validator: Validator, secret: &[u8]) -> Reason {
    match validator {
        Validator::Entropy => Reason::Entropy { bits: entropy(secret) },
        Validator::Random => Reason::Surplus { bits: Make::of(secret).surplus },
        Validator::Github if memchr::memmem::find(secret, b"_eyJ").is_none() => Reason::Checksum { sum: "CRC-32" },
        Validator::Github | Validator::Jwt => Reason::Shape { shape: "a header that names an algorithm" },
        Validator::Base58Check => Reason::Checksum { sum: "Base58Check" },
        Validator::Password => Reason::Shape { shape: "a password where one stands, and no word that is put for one" },
        Validator::Secp256k1 => Reason::Shape { shape: "a number that is a key of secp256k1" },
        Validator::Keypair => Reason::Shape { shape: "64 bytes in base58" },
        Validator::Basic => Reason::Shape { shape: "a name and a password in base64" },
        Validator::Varied => Reason::Shape { shape: "nine different characters or more" },
    }
}
