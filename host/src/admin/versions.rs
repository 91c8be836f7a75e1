//! Versions of secrets, taken out of use and into it again. No value is among what is asked, or answered.

use super::answer::{Answered, Problem, json};
use super::asked::{Asked, decoded};
use crate::Host;
use crate::manifest::HOSTS_OWN;
use crate::ops;
use crate::secrets::StoreError;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// A version of a secret, as it is after what was asked.
#[derive(Serialize, JsonSchema)]
pub(super) struct VersionDone {
    /// The backend.
    backend: String,
    /// The path there.
    path: String,
    /// The version.
    version: String,
    /// What was done.
    done: &'static str,
}

/// What is done to a version.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Remove,
    Restore,
}

impl Asked<'_> {
    pub(super) async fn change_version(&self, change: Change) -> Answered {
        let (path, version) = (decoded(self.query("path").unwrap_or_default()), self.query("version").unwrap_or_default());
        let path = path.as_str();
        // Where rotations keep their journals, nobody else writes.
        if path.starts_with(HOSTS_OWN) {
            return Err(Problem::bad(format!("paths below `{HOSTS_OWN}` are the host's own")));
        }
        let _turn = self.shared.asking.lock().await;
        let (host, subject) = (self.shared.supervisor.host().clone(), self.subject.clone());
        let (at, which, for_good) = (path.to_owned(), version.to_owned(), self.query("destroy") == Some("true"));
        // Whoever asked may leave: a version is not left half in use.
        let done = tokio::spawn(async move { changed(&host, &subject, (&at, &which), change, for_good).await }).await;
        let done = done.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the host has failed"))??;
        let [backend, path, version] = [self.subject.as_str(), path, version].map(str::to_owned);
        json(&VersionDone { backend, path, version, done })
    }
}

/// Does it, and has the host ask for what is in use now.
async fn changed(
    host: &Host,
    backend: &str,
    (path, version): (&str, &str),
    change: Change,
    for_good: bool,
) -> Result<&'static str, Problem> {
    let not_found = |why: String| Problem::new(StatusCode::NOT_FOUND, why);
    let named = ops::Backend::named(host, Some(backend)).map_err(|error| not_found(error.to_string()))?;
    let cannot = || not_found(format!("the backend `{backend}` can't be written to or listed"));
    let store = named.store().ok_or_else(cannot)?;
    let (changed, done) = match change {
        Change::Remove if for_good => (store.destroy(path, version).await, "removed for good"),
        Change::Remove => (store.delete(path, version).await, "out of use"),
        Change::Restore => (store.undelete(path, version).await, "in use again"),
    };
    changed.map_err(|error| {
        let status = match error {
            StoreError::NotFound(_) => StatusCode::NOT_FOUND,
            StoreError::Conflict { .. } | StoreError::Refused(_) => StatusCode::CONFLICT,
            StoreError::Unavailable(_) => StatusCode::BAD_GATEWAY,
        };
        Problem::new(status, error)
    })?;
    named.ask_again(path).await;
    Ok(done)
}
