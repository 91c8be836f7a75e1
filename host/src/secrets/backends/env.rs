//! The host's environment, then a `.env` file that the operator names.
//!
//! Only variables that a manifest names are ever read, and never the host's own credentials.

use super::names::upper;
use super::{BackendError, Entry, Found, SecretBackend, SecretValue};
use crate::manifest::{ADOPTED, Adopted, HostsOwn, Which};
use crate::secrets::SetupError;
use crate::secrets::dotenv::{self, Variable};
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reads environment variables. A bare name is looked up as `NAMESPACE_NAME`, then `NAME`, in upper case with `-` as `_`.
#[derive(Default)]
pub struct EnvBackend {
    path: PathBuf,
    /// The variables of the file, by their names.
    file: HashMap<String, Variable>,
}

impl EnvBackend {
    /// The process environment alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The process environment, then the `NAME=value` lines of a file.
    ///
    /// # Errors
    /// [`SetupError::File`], with the line where it can't be parsed.
    pub fn with_file(path: &Path) -> Result<Self, SetupError> {
        let read = read_lines(path).map_err(SetupError::file(path))?;
        Ok(Self { path: path.to_owned(), file: read.into_iter().map(|variable| (variable.name.clone(), variable)).collect() })
    }
}

/// The variables of a file, in order, each with its line: by the dialect of [`dotenv`].
pub(crate) fn read_lines(path: &Path) -> Result<Vec<Variable>, String> {
    let wrong = |what: String| format!("{}: {what}", path.display());
    let bytes = crate::files::read(path, crate::files::MAX_TEXT).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| wrong(format!("can't be read ({error}); name a file of `NAME=value` lines")))?;
    dotenv::read(&bytes).map_err(|error| wrong(error.to_string()))
}

/// What is said of a variable that holds a reference in the place of its value.
fn reference(name: &str, text: &[u8]) -> String {
    let finding = format!("the variable `{name}` holds a reference that `strongroom adopt` wrote, not a value");
    match std::str::from_utf8(text).ok().and_then(Adopted::read) {
        Some(Ok(Adopted { from, .. })) => format!("{finding}; write `from = \"{from}\"` in the manifest"),
        _ => format!("{finding}; name the entry of the backend in `from` of the manifest, as in `from = \"file:bot/KEY\"`"),
    }
}

/// The variables a bare name stands for, the more specific first.
pub(crate) fn variables(namespace: &str, name: &str) -> [String; 2] {
    [format!("{}_{}", upper(namespace), upper(name)), upper(name)]
}

#[async_trait]
impl SecretBackend for EnvBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        variables(namespace, name).map(Entry::new).into()
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        // What the host configuration refers to is closed too, where the entry is looked up.
        if HostsOwn::default().has_variable(&entry.path) {
            return Err(super::hosts_own(&entry.path));
        }
        if entry.field.is_some() || entry.which != Which::Current || entry.path.contains(['=', '\0']) {
            let name = crate::text::for_people(&entry.path);
            return Err(BackendError::Refused(format!(
                "`env:{name}` does not name a variable; write `env:NAME`, without a version or a field"
            )));
        }
        Ok(())
    }

    fn is_environment(&self) -> bool {
        true
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        use std::os::unix::ffi::OsStringExt;

        let from_file = || self.file.get(&entry.path).map(|variable| (variable.value.as_bytes().to_vec(), Some(variable.line)));
        let found = std::env::var_os(&entry.path).map(|value| (value.into_vec(), None)).or_else(from_file);
        match found {
            Some((value, line)) if value.starts_with(ADOPTED.as_bytes()) => {
                let at = line.map_or_else(String::new, |line| format!("{}: line {line}: ", self.path.display()));
                Err(BackendError::Refused(format!("{at}{}", reference(&entry.path, &value))))
            }
            Some((value, _)) => Ok(Found::value(SecretValue::new(value))),
            None => Err(BackendError::NotFound { looked_for: format!("the variable `{}`", entry.path) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_variables_are_closed() {
        let backend = EnvBackend::new();
        let admits = |path: &str| backend.admits(&Entry::new(path)).is_ok();

        assert!(admits("PURPLEFLEA_API_KEY"));
        for own in ["VAULT_SECRET_ID", "AWS_SECRET_ACCESS_KEY", "aws_session_token", "STRONGROOM_KEY", "SECRETS_BACKEND"] {
            assert!(!admits(own), "{own}");
        }
        // An agent called `aws` must not reach them through its namespace either.
        assert_eq!(variables("aws", "secret-access-key")[0], "AWS_SECRET_ACCESS_KEY");
    }
}
