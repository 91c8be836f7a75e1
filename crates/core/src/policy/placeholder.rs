//! The strings that stand for values within one run, and where they are found.

use super::session::{Back, Issued};
use crate::credential::Prepared;
use crate::lock::RwLock;
use crate::manifest::{Place, Shape};
use crate::url::{CanonicalUrl, percent_decoded};
use memchr::memmem::Finder;

/// The placeholders of one run, by the index of their secret; and those of what its answers brought.
#[derive(Debug, Default)]
pub struct Placeholders {
    entries: Vec<Entry>,
    pub(super) sealed: RwLock<Vec<SealedEntry>>,
    pub(super) issued: RwLock<Vec<Issued>>,
}

#[derive(Debug)]
pub(super) struct SealedEntry {
    pub(super) number: u64,
    pub(super) entry: Entry,
    pub(super) bound: Sealed,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) secret: usize,
    pub(super) text: String,
    /// Finds it in a text. To make such a search takes longer than to search a head with it.
    finder: Finder<'static>,
    /// The same in lower case.
    folded: Finder<'static>,
    /// What schemes have read of it, as they read a value.
    prepared: Prepared,
}

/// Which value a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A secret of the manifest, by its index.
    Secret(usize),
    /// A value that an answer brought, by its number in the run.
    Sealed(u64),
}

/// What a sealed value is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The origin that it came from. All but an access token goes to no other.
    pub origin: String,
    /// Where it stands on its way back.
    pub back: Back,
    /// The secret that has to stand in the same request, where no line of the manifest sealed it.
    pub with: Option<usize>,
}

impl Entry {
    fn new(secret: usize, text: String) -> Self {
        let finder = |text: &str| Finder::new(text).into_owned();
        Self { secret, finder: finder(&text), folded: finder(&text.to_ascii_lowercase()), text, prepared: Prepared::default() }
    }

    /// Whether it stands in `text` as it is.
    fn is_in(&self, text: &[u8]) -> bool {
        self.finder.find(text).is_some()
    }
}

impl Placeholders {
    pub fn insert(&mut self, secret: usize, placeholder: String) {
        self.entries.push(Entry::new(secret, placeholder));
    }

    /// Adds the placeholder of a value that an answer brought.
    pub fn seal(&self, number: u64, secret: usize, placeholder: String, bound: Sealed) {
        let mut sealed = self.sealed.write();
        sealed.push(SealedEntry { number, entry: Entry::new(secret, placeholder), bound });
    }

    /// The numbers of what was sealed for the same place of the same origin: something newer stands in it now.
    pub fn older_than(&self, bound: &Sealed) -> Vec<u64> {
        let sealed = self.sealed.read();
        sealed.iter().filter(|known| bound.back.is_single() && known.bound == *bound).map(|known| known.number).collect()
    }

    /// Lets a placeholder of a sealed value mean nothing any more.
    pub fn forget(&self, number: u64) {
        self.sealed.write().retain(|sealed| sealed.number != number);
    }

    /// The placeholder of a secret of the manifest.
    pub(super) fn text_of(&self, secret: usize) -> Option<&str> {
        self.entries.iter().find(|entry| entry.secret == secret).map(|entry| entry.text.as_str())
    }

    /// What schemes have read of the placeholder of a secret of the manifest.
    pub(super) fn prepared(&self, secret: usize) -> Option<&Prepared> {
        self.entries.iter().find(|entry| entry.secret == secret).map(|entry| &entry.prepared)
    }

    /// Whether this text stands for the secret itself.
    pub(super) fn stands_for(&self, text: &str, secret: usize) -> Option<Source> {
        let is = |entry: &Entry| entry.secret == secret && entry.text == text;
        self.entries.iter().any(is).then_some(Source::Secret(secret))
    }

    /// Which value that a grant of `secret` sealed this text stands for, in this place of a request to this URL.
    pub(super) fn sealed_by(&self, text: &str, secret: usize, place: &Place, url: &CanonicalUrl) -> Option<Source> {
        let sealed = self.sealed.read();
        let is = |SealedEntry { entry, bound, .. }: &&SealedEntry| {
            entry.secret == secret && entry.text == text && bound.back.goes(&bound.origin, place, url)
        };
        sealed.iter().find(is).map(|sealed| Source::Sealed(sealed.number))
    }

    /// Whether none was minted, as where no agent runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A placeholder of the manifest's secrets that stands in `text`: its secret, and what is before and behind it.
    pub(super) fn standing<'t>(&self, text: &'t str) -> Option<(usize, &'t str, &'t str)> {
        self.entries.iter().find_map(|entry| text.split_once(entry.text.as_str()).map(|(before, after)| (entry.secret, before, after)))
    }

    /// A secret whose placeholder stands somewhere in `text`, as it is.
    pub fn within(&self, text: &[u8]) -> Option<usize> {
        self.find(|entry| entry.is_in(text))
    }

    /// Where something that an answer brought goes back to, if its placeholder stands somewhere in `text`.
    pub(super) fn back_of(&self, text: &[u8]) -> Option<Back> {
        let sealed = self.sealed.read();
        let found = sealed.iter().find(|sealed| sealed.entry.is_in(text));
        found.map(|sealed| sealed.bound.back.clone())
    }

    /// As [`Placeholders::within`], and in whatever letter case or percent-encoding.
    pub(crate) fn disguised(&self, text: &str) -> Option<usize> {
        let mut plain = None;
        self.find(|entry| {
            text.len() >= entry.text.len() && {
                let plain = plain.get_or_insert_with(|| percent_decoded(text).to_ascii_lowercase());
                entry.folded.find(plain).is_some()
            }
        })
    }

    fn find(&self, mut is: impl FnMut(&Entry) -> bool) -> Option<usize> {
        let found = self.entries.iter().find(|entry| is(entry)).map(|entry| entry.secret);
        found.or_else(|| {
            let sealed = self.sealed.read();
            sealed.iter().find(|sealed| is(&sealed.entry)).map(|sealed| sealed.entry.secret)
        })
    }

    /// How many bytes of a stream have to be kept so that no placeholder is missed at a border.
    pub fn overlap(&self) -> usize {
        let sealed = self.sealed.read();
        let lengths = self.entries.iter().map(|entry| entry.text.len()).chain(sealed.iter().map(|sealed| sealed.entry.text.len()));
        lengths.max().unwrap_or(0).saturating_sub(1)
    }
}

/// A fresh placeholder from the operating system's random source.
pub fn mint(shape: &Shape) -> Result<String, getrandom::Error> {
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
