//! The strings that stand for values within one run, and where they are found.

use super::url::{CanonicalUrl, percent_decoded};
use crate::manifest::Shape;
use http::{HeaderMap, header};
use std::sync::{PoisonError, RwLock};

/// The placeholders of one run, by the index of their secret; and those of what its answers brought.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    entries: Vec<Entry>,
    sealed: RwLock<Vec<(Entry, Sealed)>>,
}

#[derive(Debug)]
struct Entry {
    secret: usize,
    text: String,
    /// The same in lower case.
    folded: Vec<u8>,
}

/// Which value a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A secret of the manifest, by its index.
    Secret(usize),
    /// A value that an answer brought, by its number in the run.
    Sealed(usize),
}

/// What a sealed value is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The origin that it came from, and the only one that it goes to.
    pub(crate) origin: String,
    /// The cookie that it is the value of. Others stand where the secret of their grant may.
    pub(crate) cookie: Option<String>,
}

impl Entry {
    fn new(secret: usize, text: String) -> Self {
        Self { secret, folded: text.to_ascii_lowercase().into_bytes(), text }
    }
}

impl Placeholders {
    pub(crate) fn insert(&mut self, secret: usize, placeholder: String) {
        self.entries.push(Entry::new(secret, placeholder));
    }

    /// Adds the placeholder of a value that an answer brought, the next by number.
    pub(crate) fn seal(&self, secret: usize, placeholder: String, bound: Sealed) {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        sealed.push((Entry::new(secret, placeholder), bound));
    }

    /// The placeholder of a sealed value, by its number.
    pub(crate) fn sealed_text(&self, number: usize) -> Option<String> {
        self.sealed.read().unwrap_or_else(PoisonError::into_inner).get(number).map(|(entry, _)| entry.text.clone())
    }

    /// The same, if it is bound so.
    pub(crate) fn sealed_as(&self, number: usize, bound: &Sealed) -> Option<String> {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        sealed.get(number).filter(|(_, known)| known == bound).map(|(entry, _)| entry.text.clone())
    }

    /// Which value this text stands for in a place of `secret`, at this URL.
    pub(super) fn source(&self, text: &str, secret: usize, url: &CanonicalUrl) -> Option<Source> {
        if self.entries.iter().any(|entry| entry.secret == secret && entry.text == text) {
            return Some(Source::Secret(secret));
        }
        let origin = url.origin_pattern();
        let is = |(entry, sealed): &(Entry, Sealed)| {
            entry.secret == secret && entry.text == text && sealed.cookie.is_none() && sealed.origin == origin
        };
        self.sealed.read().unwrap_or_else(PoisonError::into_inner).iter().position(is).map(Source::Sealed)
    }

    /// The cookies of a request, each with its value's source, if all of them are sealed ones of this origin, each once.
    pub(super) fn sealed_cookies(&self, headers: &HeaderMap, url: &CanonicalUrl) -> Vec<(usize, Source, String)> {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        let mut lines = headers.get_all(header::COOKIE).iter();
        let (Some(line), None, false) = (lines.next(), lines.next(), sealed.is_empty()) else { return Vec::new() };
        let origin = url.origin_pattern();
        let cookie = |pair: &str| {
            let (name, value) = pair.trim().split_once('=')?;
            let is = |(entry, sealed): &(Entry, Sealed)| {
                entry.text == value && sealed.origin == origin && sealed.cookie.as_deref() == Some(name)
            };
            let number = sealed.iter().position(is)?;
            Some((sealed[number].0.secret, Source::Sealed(number), name.to_owned()))
        };
        let cookies = line.to_str().ok().and_then(|line| line.split(';').map(cookie).collect::<Option<Vec<_>>>()).unwrap_or_default();
        let once = (1..cookies.len()).all(|at| !cookies[..at].iter().any(|(_, _, name)| *name == cookies[at].2));
        if once { cookies } else { Vec::new() }
    }

    /// A secret whose placeholder stands somewhere in `text`, as it is.
    pub(crate) fn within(&self, text: &[u8]) -> Option<usize> {
        self.find(|entry| memchr::memmem::find(text, entry.text.as_bytes()).is_some())
    }

    /// As [`Placeholders::within`], and in whatever letter case or percent-encoding.
    pub(crate) fn disguised(&self, text: &str) -> Option<usize> {
        let mut plain = None;
        self.find(|entry| {
            text.len() >= entry.folded.len() && {
                let plain = plain.get_or_insert_with(|| percent_decoded(text).to_ascii_lowercase());
                memchr::memmem::find(plain, &entry.folded).is_some()
            }
        })
    }

    fn find(&self, mut is: impl FnMut(&Entry) -> bool) -> Option<usize> {
        let found = self.entries.iter().find(|entry| is(entry)).map(|entry| entry.secret);
        found.or_else(|| {
            let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
            sealed.iter().find(|(entry, _)| is(entry)).map(|(entry, _)| entry.secret)
        })
    }

    /// How many bytes of a stream have to be kept so that no placeholder is missed at a border.
    pub(crate) fn overlap(&self) -> usize {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        let lengths = self.entries.iter().map(|entry| entry.text.len()).chain(sealed.iter().map(|(entry, _)| entry.text.len()));
        lengths.max().unwrap_or(0).saturating_sub(1)
    }
}

/// A fresh placeholder from the operating system's random source.
pub(crate) fn mint(shape: &Shape) -> Result<String, getrandom::Error> {
    let mut pool = [0u8; 256];
    let mut left = 0;
    let mut failure = None;
    let placeholder = shape.mint(|below| {
        loop {
            if left == 0 {
                if let Err(error) = getrandom::fill(&mut pool) {
                    failure = Some(error);
                    return 0;
                }
                left = pool.len();
            }
            left -= 1;
            let byte = usize::from(pool[left]);
            // Rejection keeps the choice uniform.
            if byte < 256 - 256 % below {
                return byte % below;
            }
        }
    });
    match failure {
        None => Ok(placeholder),
        Some(error) => Err(error),
    }
}
