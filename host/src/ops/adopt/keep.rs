//! Values on their way into a backend: nothing is replaced there, and each is read back before anybody relies on it.

use crate::secrets::{Deposit, Entry, SecretStore, SecretValue, StoreError};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// A value that is moved, from one place of a file or several.
pub(super) struct Move {
    pub(super) name: String,
    pub(super) value: Zeroizing<String>,
    pub(super) entry: Entry,
    /// The items that it stands in, by their index.
    pub(super) items: Vec<usize>,
}

impl Move {
    fn is(&self, found: &SecretValue) -> bool {
        found.equals(self.value.as_bytes())
    }
}

/// What is in use at an entry.
async fn in_use(store: &dyn SecretStore, entry: &Entry) -> Result<Option<SecretValue>, StoreError> {
    let whole = match store.get(entry).await.map_err(StoreError::from) {
        Ok(found) => found.value,
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    match &entry.field {
        None => Ok(Some(whole)),
        Some(field) => match whole.field(field) {
            Ok(value) => Ok(Some(value)),
            Err(crate::secrets::NoField::Missing) => Ok(None),
            Err(_) => Err(StoreError::Refused(format!("{entry}: what is there isn't text; choose another `--namespace`"))),
        },
    }
}

/// Has a store keep all of them, and says of each whether it was there before. One that is there with another value stops it before
/// anything is written.
pub(super) async fn keep(store: &dyn SecretStore, backend: &str, moves: &[Move]) -> Result<Vec<bool>, StoreError> {
    let mut newest: HashMap<String, String> = HashMap::new();
    let mut were_there = Vec::with_capacity(moves.len());
    for moved in moves {
        let path = &moved.entry.path;
        // Before the value is looked at: whoever writes after that is noticed.
        if !newest.contains_key(path) {
            newest.insert(path.clone(), store.newest(path).await?);
        }
        match in_use(store, &moved.entry).await? {
            Some(found) if moved.is(&found) => were_there.push(true),
            None => were_there.push(false),
            Some(_) => {
                let (entry, name) = (&moved.entry, &moved.name);
                return Err(StoreError::Refused(format!(
                    "{backend}:{entry} already has another value, which is never replaced here: choose another `--namespace`, or if the file's is \
                     the right one, add it as a version first (`strongroom secrets set {name}`)"
                )));
            }
        }
    }
    for (moved, _) in moves.iter().zip(&were_there).filter(|(_, was_there)| !**was_there) {
        let path = &moved.entry.path;
        let value = Deposit::new(moved.value.as_bytes().to_vec());
        let version = store.put(&moved.entry, value, newest.get(path).map(String::as_str)).await?;
        newest.insert(path.clone(), version);
    }
    for moved in moves {
        if !in_use(store, &moved.entry).await?.is_some_and(|found| moved.is(&found)) {
            let entry = &moved.entry;
            return Err(StoreError::Unavailable(format!(
                "{backend}:{entry} does not read back as it was written; check it with `strongroom secrets status`"
            )));
        }
    }
    Ok(were_there)
}
