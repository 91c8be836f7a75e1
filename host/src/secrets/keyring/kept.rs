//! Refresh tokens that outlive a run: each is written to where a secret of the manifest is kept, before the agent has the response that
//! brought it. The next run has it as that secret.

use super::{Keyring, MAX_SEALED, Missing};
use crate::manifest::{Manifest, Seal, SecretSpec, Which};
use crate::secrets::backends::{BackendError, Backends, Configured, Entry, StoreError};
use crate::secrets::{Deposit, SecretValue};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How often it is tried to write one, where others write to the same entry.
const ATTEMPTS: u32 = 4;

/// A token that is being written down, by a task of its own.
pub(crate) type Written = JoinHandle<Result<(), StoreError>>;

/// A secret that refresh tokens are kept as.
pub(crate) struct KeptAs {
    name: String,
    from: Configured,
    entry: Entry,
    format: Option<regex::Regex>,
}

/// Where the refresh tokens of a manifest are kept; or what is wrong with the secrets that it names for them.
pub(crate) fn kept_as(manifest: &Manifest, backends: &Backends) -> Result<Vec<KeptAs>, Vec<Missing>> {
    let seals = manifest.secrets.iter().flat_map(|secret| &secret.allow).flat_map(|grant| &grant.seal);
    let mut names: Vec<&str> =
        seals.filter_map(|seal| if let Seal::OAuth2(tokens) = seal { tokens.keep.as_deref() } else { None }).collect();
    names.sort_unstable();
    names.dedup();
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    for spec in names.into_iter().filter_map(|name| manifest.secret(name)) {
        match place(manifest, spec, backends) {
            Ok((from, entry)) => kept.push(KeptAs { name: spec.name.clone(), from, entry, format: spec.format.clone() }),
            Err(why) => missing.push(Missing { name: spec.name.clone(), why }),
        }
    }
    if missing.is_empty() { Ok(kept) } else { Err(missing) }
}

/// The first entry that the secret is looked for at, if it can be written.
fn place(manifest: &Manifest, spec: &SecretSpec, backends: &Backends) -> Result<(Configured, Entry), BackendError> {
    let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
    let (from, entries) = backends.entries(&spec.from, &manifest.name, namespace)?;
    let refused = |why: String| Err(BackendError::Refused(format!("the manifest keeps refresh tokens there, and {why}")));
    let Some(entry) = entries.into_iter().next() else { return refused("it has no entry for them".to_owned()) };
    if from.backend.store().is_none() {
        return refused(format!("the backend `{}` can't be written to; name another in `from`, or leave `keep` out", from.name));
    }
    if entry.which != Which::Current {
        return refused("`from` names one version of the entry; leave `?…` out".to_owned());
    }
    if from.backend.leases().is_some_and(|leases| leases.is_leased(&Entry { field: None, ..entry.clone() })) {
        return refused("what is there is made anew for each run; name an entry that is kept".to_owned());
    }
    Ok((from.clone(), entry))
}

impl Keyring {
    /// Has something done to its end, though its run ends meanwhile.
    pub(crate) fn outliving(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.run.spawn(work));
    }

    /// Writes a refresh token down as that secret. What was begun is ended, though nobody waits for it any more: the token that it replaces may
    /// be worth nothing by now.
    pub(crate) fn keep(self: &Arc<Self>, name: String, token: Deposit) -> Written {
        let keyring = Arc::clone(self);
        self.run.spawn(async move {
            let Some(kept) = keyring.kept.iter().find(|kept| kept.name == name) else {
                return Err(StoreError::Refused("nothing is known of where it is kept".to_owned()));
            };
            token.value().check(kept.format.as_ref()).map_err(|why| StoreError::Refused(format!("it can't be a secret: {why}")))?;
            // One after the other: the newest is the last.
            let _turn = keyring.keeping.lock().await;
            let KeptAs { from, entry, .. } = kept;
            let silent = StoreError::Unavailable(format!("the backend `{}` did not answer in time", from.name));
            tokio::time::timeout(from.backend.patience(), write(from, entry, &token)).await.unwrap_or(Err(silent))?;
            keyring.is_kept(&name, token.value());
            // What the run began with is worth nothing now.
            if let Some((_, key)) = keyring.by_name(&name) {
                key.renew(&keyring.run).await;
            }
            Ok(())
        })
    }

    /// Remembers the placeholders of a token that is a secret from now on.
    fn is_kept(&self, name: &str, token: &SecretValue) {
        let sealed = self.sealed.read();
        let placeholders = sealed.kept.iter().filter(|sealed| sealed.version.value.is(token)).map(|sealed| sealed.placeholder.clone());
        let mut kept = self.placeholders_kept.lock();
        for placeholder in placeholders {
            if !kept.iter().any(|(known, _)| *known == placeholder) {
                kept.push((placeholder, name.to_owned()));
            }
        }
        let excess = kept.len().saturating_sub(MAX_SEALED);
        kept.drain(..excess);
    }

    /// Placeholders of refresh tokens that are kept, each with the secret that the token is in later runs.
    pub(crate) fn kept_placeholders(&self) -> Vec<(String, String)> {
        self.placeholders_kept.lock().clone()
    }
}

async fn write(from: &Configured, entry: &Entry, token: &Deposit) -> Result<(), StoreError> {
    let store = from.backend.store().ok_or_else(|| StoreError::Refused(format!("the backend `{}` can't be written to", from.name)))?;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let newest = store.newest(&entry.path).await?;
        match store.put(entry, Deposit::new(token.bytes()), Some(&newest)).await {
            Ok(_) => return Ok(()),
            // Somebody else has written another field of it, or an older token.
            Err(conflict @ StoreError::Conflict { .. }) => last = Some(conflict),
            Err(why) => return Err(why),
        }
    }
    Err(last.unwrap_or_else(|| StoreError::Unavailable("it was not tried".to_owned())))
}
