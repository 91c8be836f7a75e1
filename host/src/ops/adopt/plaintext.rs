//! The one place where the command reads what a backend gave, to write it back where it was taken from.

use crate::policy::Reveal;
use crate::secrets::SecretValue;
use zeroize::Zeroizing;

/// The text of a value. `None` where it is no text.
#[expect(clippy::disallowed_methods, reason = "the value goes back into the file that it was taken from, at the operator's request")]
pub(super) fn of(value: &SecretValue) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(value.reveal(Reveal::to_restore())).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}
