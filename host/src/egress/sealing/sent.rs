//! What a run has sent to hosts whose responses are sealed. A value that it sent itself is not the API's: sealed, it would become a
//! credential of the agent's choice.

use crate::scrub::{Known, Replacement, Scrubber, Search};
use crate::url::percent_decoded;
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes that are kept. Where a run has sent more, nothing that comes back is known not to be its own.
const MOST: usize = 4 << 20;

/// Least bytes by which a value is told from ordinary text. What is shorter, as a flag or a language, stands in any text: it counts as sent
/// where it stood beside its name.
const SHORTEST_SENT: usize = 4;

/// Most bytes between a name and its value: `=`, `" : "`.
const MOST_BETWEEN: usize = 5;

/// The texts that a run has sent, by the number of the request: pieces of several bodies may leave in turns.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    texts: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

impl Sent {
    /// Keeps the head of a request.
    pub(crate) fn begin(&mut self, request: u64, target: &str, headers: &HeaderMap) {
        let lines: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 3).sum();
        let Some(text) = self.text(request, target.len() + lines + 2) else { return };
        text.extend_from_slice(target.as_bytes());
        for (name, value) in headers {
            for part in [b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()] {
                text.extend_from_slice(part);
            }
        }
        text.extend_from_slice(b"\n\n");
    }

    /// Keeps a piece of its body.
    pub(crate) fn add(&mut self, request: u64, piece: &[u8]) {
        if let Some(text) = self.text(request, piece.len()) {
            text.extend_from_slice(piece);
        }
    }

    /// The text of a request, with room for so many bytes more.
    fn text(&mut self, request: u64, bytes: usize) -> Option<&mut Vec<u8>> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST {
            self.texts.clear();
            return None;
        }
        let text = self.texts.entry(request).or_default();
        text.reserve(bytes);
        Some(text)
    }

    /// Whether a request logs in somewhere, as far as is known.
    pub(super) fn holds_login(&self, request: u64) -> bool {
        self.bytes > MOST || self.texts.get(&request).is_some_and(|text| super::login::holds_login(text))
    }

    /// Whether the run may have sent something, of this name, that is too short for its encodings to be looked for.
    pub(super) fn may_hold_short(&self, name: &str, value: &str) -> bool {
        let holds = |text: &[u8]| match value.len() < SHORTEST_SENT {
            true => holds_pair(text, name.as_bytes(), value.as_bytes()),
            false => memchr::memmem::find(text, value.as_bytes()).is_some(),
        };
        let decoded = |text: &[u8]| percent_decoded(&String::from_utf8_lossy(text));
        self.bytes > MOST || self.texts.values().any(|text| holds(text) || holds(&decoded(text)))
    }

    /// Whether the run may have sent this value, in whatever encoding.
    pub(crate) fn may_hold(&self, value: &[u8]) -> bool {
        if self.bytes > MOST {
            return true;
        }
        let search = Search::new(vec![Arc::new(Known::new(value, false))], None);
        let scrubber = Scrubber::new(Arc::new(search), vec![Replacement::new(String::new(), String::new())]);
        self.texts.values().any(|text| scrubber.finds(text))
    }
}

/// Whether a name stands somewhere, in any case, and behind it, with punctuation alone between, this value as a whole word.
fn holds_pair(text: &[u8], name: &[u8], value: &[u8]) -> bool {
    let begins = |text: &[u8], with: &[u8]| text.get(..with.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(with));
    let ends_word = |rest: &[u8]| rest.first().is_none_or(|next| !next.is_ascii_alphanumeric());
    let Some(first) = name.first() else { return false };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text).filter(|&at| begins(&text[at..], name)).any(|at| {
        let behind = &text[at + name.len()..];
        (1..=MOST_BETWEEN.min(behind.len())).take_while(|&between| !behind[between - 1].is_ascii_alphanumeric()).any(|between| {
            let rest = &behind[between..];
            rest.starts_with(value) && ends_word(&rest[value.len()..])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_in_pieces_and_encodings_until_it_is_too_much() {
        let mut sent = Sent::default();
        sent.add(1, b"{\"name\":\"THEIRS-");
        sent.add(2, b"other");
        sent.add(1, b"5bQ9zX2k\"}");
        sent.add(2, b"%54HEIRS-7777777");

        assert!(sent.may_hold(b"THEIRS-5bQ9zX2k") && sent.may_hold(b"THEIRS-7777777"));
        assert!(!sent.may_hold(b"sess-5bQ9zX2kLm7Rt4Vw"));

        sent.add(3, &vec![b'x'; MOST]);
        assert!(sent.may_hold(b"sess-5bQ9zX2kLm7Rt4Vw"), "nothing is known any more");
    }

    #[test]
    fn a_short_value_counts_as_sent_beside_its_name_alone() {
        for (text, sent) in [
            ("/set?lang=en&page=2", true),
            ("/set?page=2&LANG=en", true),
            (r#"{"lang": "en"}"#, true),
            ("{%22lang%22%3A%22en%22}", true),
            ("cookie: a=b; lang=en", true),
            ("/set?lang=eng", false),
            ("/set?lang=de&to=en", false),
            ("accept-language: en", false),
            ("/lang/x?en", false),
        ] {
            let mut kept = Sent::default();
            kept.add(1, text.as_bytes());
            assert_eq!(kept.may_hold_short("lang", "en"), sent, "{text}");
        }
    }
}
