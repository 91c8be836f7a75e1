//! The one place where a rotation reads what a store gave: a key that is to be replaced, and its own journal.

use crate::policy::Reveal;
use crate::secrets::SecretValue;
use zeroize::Zeroizing;

/// The text of an entry, or of one of its fields. `None` where there is none.
#[expect(clippy::disallowed_methods, reason = "the issuer is called with the key, and the journal holds its successor")]
pub(super) fn of(whole: SecretValue, field: Option<&str>) -> Option<Zeroizing<String>> {
    let value = match field {
        None => whole,
        Some(field) => whole.field(field).ok()?,
    };
    let text = std::str::from_utf8(value.reveal(Reveal::to_rotate())).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}
