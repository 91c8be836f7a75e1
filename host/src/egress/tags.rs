//! Entity tags and conditions (RFC 9110 8.8.3, 13.1). The real tag of a response that was edited would confirm or refute a guess of what
//! was taken out. So the guest gets a tag made up for each response, and only such a one goes back, as the real one, to the URL that it
//! came from.

use crate::policy::{Denial, Permit, Policy};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::collections::VecDeque;

/// Tags and dates of one run that are kept; the oldest go first.
const MOST: usize = 512;
/// Longest tag that is kept, in bytes.
const LONGEST: usize = 1_024;

/// The conditions that name a tag, and those that name a date.
const BY_TAG: [HeaderName; 2] = [header::IF_MATCH, header::IF_NONE_MATCH];
const BY_DATE: [HeaderName; 2] = [header::IF_UNMODIFIED_SINCE, header::IF_MODIFIED_SINCE];

/// What a run has got of servers' validators.
#[derive(Debug, Default)]
pub(crate) struct Tags(VecDeque<Validator>);

#[derive(Debug)]
struct Validator {
    url: String,
    /// As the guest has it.
    shown: String,
    /// As the server knows it.
    real: HeaderValue,
    is_date: bool,
}

impl Tags {
    /// Puts real tags in the place of those that the guest has, or denies a condition that it can't have from this run.
    pub(super) fn put_back(&self, permit: &Permit, headers: &mut HeaderMap) -> Result<(), Denial> {
        if !BY_TAG.iter().chain(&BY_DATE).any(|name| headers.contains_key(name)) {
            return Ok(());
        }
        let url = key(permit);
        let unknown = |name: &HeaderName| Policy::condition_denied(permit, name);
        for name in BY_TAG.iter().filter(|_| !permit.plain_etags()) {
            let Some(value) = joined(headers, name) else { continue };
            let each = value.split(',').map(str::trim).map(|shown| match shown {
                "*" => Some("*"),
                shown => self.real(&url, shown, false)?.to_str().ok(),
            });
            let real: Vec<&str> = each.collect::<Option<_>>().ok_or_else(|| unknown(name))?;
            headers.insert(name, HeaderValue::from_str(&real.join(", ")).map_err(|_| unknown(name))?);
        }
        for name in &BY_DATE {
            let Some(value) = joined(headers, name) else { continue };
            self.real(&url, &value, true).ok_or_else(|| unknown(name))?;
        }
        Ok(())
    }

    /// The conditions of a request as they leave, for its repetition: once it has left as a write, its tags are forgotten.
    pub(super) fn put_in(headers: &HeaderMap) -> HeaderMap {
        BY_TAG.iter().flat_map(|name| headers.get_all(name).iter().map(|value| (name.clone(), value.clone()))).collect()
    }

    fn real(&self, url: &str, shown: &str, is_date: bool) -> Option<&HeaderValue> {
        // Some clients leave the quotes out.
        let is = |known: &&Validator| {
            known.url == url && known.is_date == is_date && (known.shown == shown || known.shown.trim_matches('"') == shown)
        };
        self.0.iter().rev().find(is).map(|known| &known.real)
    }

    /// What a write changes, the run's tags of it no longer describe.
    pub(super) fn sent(&mut self, permit: &Permit) {
        if !matches!(*permit.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            let url = key(permit);
            self.0.retain(|known| known.url != url);
        }
    }

    /// Takes the validators of an answer, and leaves the guest a tag of its own. A tag that is the digest of what the request wrote says
    /// nothing that the guest does not know, and is what clients compare.
    pub(super) fn take(&mut self, permit: &Permit, headers: &mut HeaderMap, written: Option<&str>) -> Result<(), getrandom::Error> {
        if !headers.contains_key(header::ETAG) && !headers.contains_key(header::LAST_MODIFIED) {
            return Ok(());
        }
        let url = key(permit);
        let date = headers.get(header::LAST_MODIFIED).cloned().filter(|date| date.len() <= LONGEST);
        if let Some((real, shown)) = date.and_then(|date| Some((date.clone(), date.to_str().ok()?.to_owned()))) {
            self.keep(Validator { url: url.clone(), shown, real, is_date: true });
        }
        let Some(real) = headers.remove(header::ETAG).filter(|tag| tag.len() <= LONGEST) else { return Ok(()) };
        let is_own_digest = written.is_some_and(|digest| real.as_bytes().eq_ignore_ascii_case(format!("\"{digest}\"").as_bytes()));
        let shown = if permit.plain_etags() || is_own_digest { real.clone() } else { made_up(real.as_bytes().starts_with(b"W/"))? };
        if let Ok(text) = shown.to_str() {
            self.keep(Validator { url, shown: text.to_owned(), real, is_date: false });
        }
        headers.insert(header::ETAG, shown);
        Ok(())
    }

    fn keep(&mut self, validator: Validator) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(validator);
    }
}

/// The URL that validators are of, as the guest wrote it.
fn key(permit: &Permit) -> String {
    let url = permit.url();
    format!("{url}?{}", url.query.as_deref().unwrap_or_default())
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn made_up(is_weak: bool) -> Result<HeaderValue, getrandom::Error> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("{}\"{digits}\"", if is_weak { "W/" } else { "" });
    Ok(HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\"")))
}
