//! What a scheme writes into a request beside a value: signatures, times and numbers, each in a place of its own.

use super::{Draft, form, json, template};
use crate::manifest::hmac::Spot;
use http::HeaderValue;
use zeroize::Zeroizing;

impl Draft {
    /// Writes a text into its place: over what stands there, or behind all else. None where it can't stand there.
    pub(super) fn set(&mut self, place: &Spot, text: &str, is_number: bool) -> Option<()> {
        match place {
            Spot::Header(name) => {
                let mut value = HeaderValue::from_str(text).ok()?;
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Spot::Query(name) => {
                let pairs = self.query.as_ref().map_or("", |query| query.as_str());
                self.query = Some(with_pair(pairs, name, text));
            }
            Spot::Form(name) => {
                let pairs = std::str::from_utf8(self.body()?).ok()?;
                self.written = Some(Zeroizing::new(with_pair(pairs, name, text).as_bytes().to_vec()));
            }
            Spot::Json(pointer) => {
                let raw = if is_number { text.to_owned() } else { serde_json::to_string(text).ok()? };
                let document = std::str::from_utf8(self.body()?).ok()?;
                self.written = Some(json::with_raw(document, pointer, &raw)?);
            }
        }
        Some(())
    }

    /// Takes a parameter out, so that what is set there next is the last one.
    pub(super) fn take(&mut self, place: &Spot) {
        match place {
            Spot::Query(name) => {
                let left = self.query.as_ref().map(|query| form::without(query, name)).filter(|left| !left.is_empty());
                self.query = left;
            }
            Spot::Form(name) => {
                let left = self.body().and_then(|body| std::str::from_utf8(body).ok()).map(|pairs| form::without(pairs, name));
                self.written = left.map(|left| Zeroizing::new(left.as_bytes().to_vec())).or(self.written.take());
            }
            Spot::Header(_) | Spot::Json(_) => {}
        }
    }
}

/// The pairs with this one in the place of that of its name, or at the end.
fn with_pair(pairs: &str, name: &str, text: &str) -> Zeroizing<String> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len() * 3));
    template::percent_encode(text.as_bytes(), &mut value);
    let value = std::str::from_utf8(&value).expect("percent-encoded text is ASCII");
    template::with_parameter(Some(pairs).filter(|pairs| !pairs.is_empty()), name, value)
}
