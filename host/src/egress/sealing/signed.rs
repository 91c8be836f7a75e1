//! Signed URLs that an API hands out, and fields that rules may find something in: both as the manifest says.

use super::{Allowed, Sealing, json};
use crate::manifest::Seal;
use crate::policy::Sealed;
use crate::policy::session::Back;
use crate::url::CanonicalUrl;
use http::{HeaderMap, HeaderValue, Uri};
use std::ops::Range;

impl Sealing {
    /// The texts of fields that may break a rule, as they stand in the body.
    pub(super) fn allowed(&self, text: &str) -> Vec<Allowed> {
        let found = |tokens: &[String]| json::find(text, tokens).unwrap_or_default();
        let each = self.permit.answers_allowed().iter().map(|allowed| (&allowed.rule, found(&allowed.at)));
        each.flat_map(|(rule, fields)| fields.into_iter().map(move |field| (Some(rule.clone()), inside(text, &field.at)))).collect()
    }

    /// What stands in the place of signed URLs. Where the agent may use them as they are, no rule finds them.
    pub(super) fn signed(&self, text: &str, allowed: &mut Vec<Allowed>) -> Vec<(Range<usize>, String)> {
        let mut replaced = Vec::new();
        for (secret, seal) in self.permit.signed_urls() {
            let Seal::Json(tokens) = seal else { continue };
            for field in json::find(text, tokens).unwrap_or_default() {
                match self.signed_url(*secret, &field.text) {
                    Some(Shown::Sealed(url)) => replaced.push((field.at, serde_json::Value::from(url).to_string())),
                    Some(Shown::Plain) => allowed.push((None, inside(text, &field.at))),
                    None => {}
                }
            }
        }
        replaced
    }

    /// The same of `Location`.
    pub(super) fn location(&self, headers: &mut HeaderMap) {
        for (secret, seal) in self.permit.signed_urls() {
            let Seal::Header(name) = seal else { continue };
            let url = headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            if let Some(Shown::Sealed(url)) = url.and_then(|url| self.signed_url(*secret, &url))
                && let Ok(url) = HeaderValue::from_str(&url)
            {
                headers.insert(name, url);
            }
        }
    }

    /// How a signed URL is shown: origin and path as they are, the query as one placeholder. None where it is none, leads to where the
    /// manifest opens nothing, or may be what the run has sent.
    fn signed_url(&self, secret: usize, text: &str) -> Option<Shown> {
        let uri: Uri = text.parse().ok()?;
        let url = CanonicalUrl::read(&uri).ok()?;
        let query = url.query.as_deref()?;
        if self.outbound.session.opens(&url)? {
            return Some(Shown::Plain);
        }
        let bound = Sealed { origin: url.origin_pattern(), back: Back::Query(url.path.clone()), with: None };
        let placeholder = self.bind(secret, query.as_bytes(), bound, "signed-url")?;
        Some(Shown::Sealed(format!("{url}?{placeholder}")))
    }
}

enum Shown {
    Sealed(String),
    Plain,
}

/// A string of a document without its quotation marks.
fn inside(text: &str, at: &Range<usize>) -> String {
    text[at.start + 1..at.end - 1].to_owned()
}
