//! Which values are moved: what looks like a secret by itself or by its name, all, or those that are named.

use super::item::{Item, Unreadable};
use crate::manifest::looks_like_a_secret;
use crate::secrets::SecretValue;
use serde::Serialize;

/// What is to be moved.
#[derive(Debug, Clone, Copy)]
pub enum Wish<'w> {
    /// What looks like a secret, by itself or by its name.
    Suspects,
    /// Every value.
    All,
    /// The values of these names, as `NAME` or `SERVER.NAME`.
    Only(&'w [String]),
}

/// Why a value is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// It looks like a secret.
    Value,
    /// Its name says that it is one.
    Name,
    /// Somebody asked for it.
    Asked,
}

/// What becomes of a value.
#[derive(Debug)]
pub(super) enum Verdict {
    Move(Because),
    /// It stays. Why, where somebody may have expected something else.
    Leave(Option<String>),
    /// It is a reference already.
    Reference,
}

impl Wish<'_> {
    fn names(&self, item: &Item) -> bool {
        matches!(self, Self::Only(only) if only.iter().any(|name| item.is_called(name)))
    }

    /// What becomes of an item. Where the person named it, what can't be moved is refused.
    pub(super) fn judge(&self, item: &Item, is_hosts_own: bool) -> Result<Verdict, Unreadable> {
        if let Some(adopted) = item.adopted() {
            return adopted.map(|_| Verdict::Reference);
        }
        let because = match self {
            Self::Only(_) if !self.names(item) => return Ok(Verdict::Leave(None)),
            Self::Only(_) | Self::All => Because::Asked,
            Self::Suspects if looks_like_a_secret(&item.text) => Because::Value,
            Self::Suspects if is_telling(&item.name) => Because::Name,
            Self::Suspects => return Ok(Verdict::Leave(None)),
        };
        let is_named = matches!(self, Self::Only(_));
        let why = match item.unfit {
            Some(why) => Some(why.to_owned()),
            None if item.text.is_empty() && !is_named => return Ok(Verdict::Leave(None)),
            None if is_hosts_own && !is_named => {
                Some("it is the host's own, which may need it to reach the backend; `--only` moves it all the same".to_owned())
            }
            None => SecretValue::new(item.text.as_bytes()).check(None).err(),
        };
        match why {
            None => Ok(Verdict::Move(because)),
            Some(why) if is_named => {
                Err(Unreadable::new(item.line, format!("`{}` can't be moved: {why}", item.label()), "leave it out of `--only`"))
            }
            Some(why) => Ok(Verdict::Leave(Some(why))),
        }
    }
}

/// Whether a name says that its value is a secret, by its last word.
fn is_telling(name: &str) -> bool {
    const WORDS: [&str; 9] = ["KEY", "TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"];
    const WHOLE: [&str; 9] = ["PASS", "PWD", "PW", "PAT", "AUTH", "AUTHORIZATION", "COOKIE", "DSN", "JWT"];
    let name = name.to_ascii_uppercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    let is_public = name.contains("PUBLIC") || name.contains("PUBLISHABLE");
    !is_public && (WORDS.iter().any(|word| last.ends_with(word)) || WHOLE.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_end_in_what_is_secret_are_telling() {
        for name in ["OPENAI_API_KEY", "apiKey", "GITHUB_TOKEN", "DB_PASSWORD", "SMTP_PASS", "PGPASSWORD", "X-API-KEY", "KEY", "SENTRY_DSN"]
        {
            assert!(is_telling(name), "{name}");
        }
        for name in ["PORT", "KEY_ID", "TOKEN_URL", "STRIPE_PUBLISHABLE_KEY", "SSH_PUBLIC_KEY", "COMPASS", "LOG_LEVEL", ""] {
            assert!(!is_telling(name), "{name}");
        }
    }
}
