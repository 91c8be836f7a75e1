//! A value on its way into a store.

use super::SecretValue;

/// A value that a store is to keep: somebody typed it, an issuer made it, or it is the host's own. Unlike a [`SecretValue`], which came out of a
/// backend, it is plaintext that whoever writes it down may read. It is wiped when dropped.
pub struct Deposit(SecretValue);

impl Deposit {
    /// Takes the bytes over. The caller's buffer is wiped at once.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(SecretValue::new(bytes))
    }

    /// The bytes, to be written down.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The same as a value.
    #[must_use]
    pub fn value(&self) -> &SecretValue {
        &self.0
    }
}

impl std::fmt::Debug for Deposit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deposit([redacted])")
    }
}

impl SecretValue {
    /// The same document with one of its fields replaced, or added. The others stay as they are written.
    ///
    /// # Errors
    /// That it has no fields, or that the new one is not text.
    pub fn with_field(&self, field: &str, new: &Deposit) -> Result<Deposit, String> {
        let no_document = || "what is there is not a JSON document, so it has no fields".to_owned();
        let document = serde_json::from_slice(self.bytes()).map_err(|_| no_document())?;
        let text = std::str::from_utf8(new.bytes()).map_err(|_| "a field holds text; write bytes in base64".to_owned())?;
        crate::json::with_member(document, field, text).map(|document| Deposit::new(document.into_bytes())).ok_or_else(no_document)
    }
}
