//! The strings that stand for values within one run, and where they are found.

use super::url::percent_decoded;
use crate::manifest::Shape;

/// The placeholders of one run, by the index of their secret.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    entries: Vec<(usize, String)>,
    /// The same in lower case.
    folded: Vec<Vec<u8>>,
    longest: usize,
}

impl Placeholders {
    pub(crate) fn insert(&mut self, secret: usize, placeholder: String) {
        self.longest = self.longest.max(placeholder.len());
        self.folded.push(placeholder.to_ascii_lowercase().into_bytes());
        self.entries.push((secret, placeholder));
    }

    /// Which secret exactly this text stands for.
    pub(crate) fn exact(&self, text: &str) -> Option<usize> {
        self.entries.iter().find(|(_, placeholder)| placeholder == text).map(|(secret, _)| *secret)
    }

    /// A secret whose placeholder stands somewhere in `text`, as it is.
    pub(crate) fn within(&self, text: &[u8]) -> Option<usize> {
        self.entries.iter().find(|(_, placeholder)| memchr::memmem::find(text, placeholder.as_bytes()).is_some()).map(|(secret, _)| *secret)
    }

    /// As [`Placeholders::within`], and in whatever letter case or percent-encoding.
    pub(crate) fn disguised(&self, text: &str) -> Option<usize> {
        if self.folded.iter().all(|placeholder| text.len() < placeholder.len()) {
            return None;
        }
        let mut plain = percent_decoded(text);
        plain.make_ascii_lowercase();
        let found = self.folded.iter().position(|placeholder| memchr::memmem::find(&plain, placeholder).is_some());
        found.map(|at| self.entries[at].0)
    }

    /// How many bytes of a stream have to be kept so that no placeholder is missed at a border.
    pub(crate) fn overlap(&self) -> usize {
        self.longest.saturating_sub(1)
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
