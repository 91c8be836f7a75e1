//! Looks for a value in bytes that no value may be in. Written apart from the host's own scrubber, and plainly: it enumerates
//! encodings and searches for each.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// One value, in every encoding that is looked for.
pub struct Needle {
    /// The value's name, for reports.
    pub name: String,
    forms: Vec<(String, Vec<u8>)>,
}

impl Needle {
    /// Prepares the search for a value, and for any 16 characters of it in a row.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let each = |form: &dyn Fn(u8) -> String| value.bytes().map(form).collect::<String>().into_bytes();
        let mut forms = vec![
            ("raw", value.as_bytes().to_vec()),
            ("upper case", value.to_uppercase().into_bytes()),
            ("reversed", value.bytes().rev().collect()),
            ("hex", each(&|b| format!("{b:02x}"))),
            ("hex, upper case", each(&|b| format!("{b:02X}"))),
            ("percent", each(&|b| format!("%{b:02X}"))),
            ("percent, lower case", each(&|b| format!("%{b:02x}"))),
            ("JSON", each(&|b| format!("\\u{b:04x}"))),
            ("HTML", each(&|b| format!("&#{b};"))),
            ("quoted-printable", each(&|b| format!("={b:02X}"))),
            ("UTF-16LE", value.bytes().flat_map(|b| [b, 0]).collect()),
            ("UTF-16BE", value.bytes().flat_map(|b| [0, b]).collect()),
        ];
        for alignment in 0..3 {
            let padded = [&vec![0; alignment], value.as_bytes()].concat();
            for coded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                let whole = (alignment * 8).div_ceil(6)..padded.len() * 8 / 6;
                forms.push(("base64", coded.as_bytes()[whole].to_vec()));
            }
        }
        // A value of random characters is given away by a part of it as well. The first and the last line of a PEM are in every program.
        let random = value.rsplit('_').next().unwrap_or(value);
        let random = random.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n");
        if random.len() > 16 {
            forms.extend(random.as_bytes().windows(16).map(|part| ("a part", part.to_vec())));
        }
        Self { name: name.to_owned(), forms: forms.into_iter().map(|(form, bytes)| (form.to_owned(), bytes)).collect() }
    }

    /// Searches for these bytes too, as they are and in reverse.
    #[must_use]
    pub fn with_bytes(mut self, bytes: Vec<u8>) -> Self {
        self.forms.push(("its bytes, reversed".to_owned(), bytes.iter().rev().copied().collect()));
        self.forms.push(("its bytes".to_owned(), bytes));
        self
    }

    /// The first encoding of the value that stands in `bytes`, and where.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(&str, usize)> {
        self.forms.iter().find_map(|(form, needle)| memchr::memmem::find(bytes, needle).map(|at| (form.as_str(), at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_value_is_found_in_every_form_and_an_innocent_text_is_not() {
        let needle = Needle::new("KEY", "pf_live_0123456789abcdef0123456789abcdef");
        for (form, planted) in &needle.forms {
            let memory = [&[0u8; 1000][..], planted, &[0u8; 1000]].concat();
            assert!(needle.find(&memory).is_some(), "{form}");
        }
        assert_eq!(needle.find(b"pf_live_ffffffffffffffffffffffffffffffff and more"), None);
    }
}
