//! A `.env` file on its way into a backend, each line a secret.

use super::{Failed, named};
use crate::host::Host;
use crate::manifest::ADOPTED;
use crate::secrets::backends::read_lines;
use crate::secrets::dotenv::Variable;
use crate::secrets::{Deposit, Entry, Fingerprint, MIN_LENGTH, SecretStore, SecretValue, StoreError};
use serde::Serialize;
use std::path::Path;

/// A file that was read, of which every line can be kept.
pub struct Import {
    file: String,
    namespace: Option<String>,
    variables: Vec<Variable>,
}

/// What is known of one line. Never its value.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// The variable.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    /// How long its value is.
    pub bytes: usize,
    /// Its value's fingerprint on this host.
    pub fingerprint: Fingerprint,
    /// Whether a store takes a value of this length.
    pub is_kept: bool,
}

impl Import {
    /// Reads a file of `NAME=value` lines.
    ///
    /// # Errors
    /// [`Failed`] with the line, where one can't be read, has a name that no secret may have, or holds a reference instead of a value.
    pub fn read(path: &Path, namespace: Option<&str>) -> Result<Self, Failed> {
        let file = path.display().to_string();
        let wrong = |what: String| Failed::usage(format!("{file}: {what}; nothing was written"));
        let variables = read_lines(path).map_err(|why| Failed::usage(format!("{why}; nothing was written")))?;
        for Variable { name, line, value, .. } in &variables {
            if value.starts_with(ADOPTED) {
                return Err(wrong(format!(
                    "line {line}, `{name}`: this is a reference that `strongroom adopt` wrote, not a value; take the line out, or write the \
                     values back first: `strongroom adopt --undo {file}`"
                )));
            }
            named::secret(name, namespace).map_err(|Failed { message, .. }| wrong(format!("line {line}: {message}")))?;
        }
        Ok(Self { file, namespace: namespace.map(str::to_owned), variables })
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// What would be written: enough to see that each value was read as it was meant, and nothing of it.
    pub fn lines(&self, host: &Host) -> impl Iterator<Item = Imported> {
        self.variables.iter().map(|Variable { name, line, value, .. }| Imported {
            name: name.clone(),
            line: *line,
            bytes: value.len(),
            fingerprint: host.fingerprint(&SecretValue::new(value.as_bytes().to_vec())),
            is_kept: value.len() >= MIN_LENGTH,
        })
    }

    /// Adds each as a version of its entry, and reads it back. `told` gets each entry with its new version, or why the store refuses its
    /// value. Returns how many it has refused.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails, or a value does not read back as it was written.
    pub async fn keep(&self, store: &dyn SecretStore, mut told: impl FnMut(&Entry, Result<&str, &str>)) -> Result<usize, StoreError> {
        let mut left_out = 0;
        for variable in &self.variables {
            let (entry, value) = (store.entry_of(self.namespace.as_deref(), &variable.name)?, variable.value.as_bytes());
            let version = match store.put(&entry, Deposit::new(value.to_vec()), None).await {
                Ok(version) => version,
                Err(StoreError::Refused(why)) => {
                    told(&entry, Err(&why));
                    left_out += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            // The file may be taken away after this: what it said has to be there.
            if !store.get(&entry).await.is_ok_and(|found| found.value.is(&SecretValue::new(value.to_vec()))) {
                return Err(StoreError::Refused(format!("{entry} does not read back as {} has it; keep the file", self.file)));
            }
            told(&entry, Ok(&version));
        }
        Ok(left_out)
    }
}
