//! The numbers of requests with a key that needs a new one for each. Where a host gives them out by itself, it has the key to itself: it
//! leaves its name with the key, in the backend that keeps it, and another host that finds that name there sends nothing.
//!
//! A backend that can't be written to keeps no name: there each host has to have a key of its own, which the documents say.

use crate::lock::Mutex;
use crate::secrets::backends::{Configured, SecretStore, StoreError};
use crate::secrets::{Deposit, Entry};
use crate::shared::{self, Nonces, SharedError};
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

/// How often it is tried to leave the name, where others do so too.
const ATTEMPTS: u32 = 4;

/// The numbers of a host.
pub(crate) struct Numbers {
    nonces: Arc<dyn Nonces>,
    /// This host's name, where the numbers are its own: the same after each start, and no other host's.
    own: Option<String>,
    /// The keys that have this host's name.
    claimed: Mutex<HashSet<String>>,
}

impl Numbers {
    /// Numbers that hosts share.
    pub(crate) fn shared(nonces: Arc<dyn Nonces>) -> Self {
        Self { nonces, own: None, claimed: Mutex::default() }
    }

    /// Numbers that the host of this state gives out by itself.
    pub(crate) fn own(nonces: Arc<dyn Nonces>, host_key: &[u8; 32]) -> Self {
        let name = hex(&Sha256::new().chain_update(b"numbers").chain_update(host_key).finalize()[..12]);
        Self { own: Some(name), ..Self::shared(nonces) }
    }

    pub(crate) fn nonces(&self) -> &dyn Nonces {
        &*self.nonces
    }

    /// The next number for a key that is kept there, at least `least`.
    pub(crate) async fn next(&self, from: &Configured, entry: &Entry, least: u64) -> Result<u64, SharedError> {
        let key = format!("{}:{entry}", from.name);
        if let (Some(own), Some(store)) = (&self.own, from.backend.store())
            && !self.claimed.lock().contains(&key)
        {
            shared::within(claim(store, &key, own)).await?;
            self.claimed.lock().insert(key.clone());
        }
        shared::within(self.nonces.next(key.as_bytes(), least)).await
    }
}

/// Leaves this host's name with a key, or finds it there.
async fn claim(store: &dyn SecretStore, key: &str, own: &str) -> Result<(), SharedError> {
    let at = store.journal_entry(&format!("numbers-{}", hex(&Sha256::digest(key)[..12])));
    let name = format!("{{\"format\":1,\"numbers_of\":\"{own}\"}}");
    let unavailable = |why: StoreError| SharedError::Unavailable(format!("{at}: {why}"));
    for _ in 0..ATTEMPTS {
        match store.get(&at).await.map_err(StoreError::from) {
            Ok(found) => {
                let value = match &at.field {
                    None => found.value,
                    Some(field) => found.value.field(field).map_err(|_| SharedError::Refused(format!("{at}: it names no host")))?,
                };
                return if value.equals(name.as_bytes()) { Ok(()) } else { Err(SharedError::Refused(taken(key, &at))) };
            }
            Err(StoreError::NotFound(_)) => {}
            Err(why) => return Err(unavailable(why)),
        }
        // What was written is read once more: not every server makes an entry only once where two ask for it at the same time.
        let newest = store.newest(&at.path).await.map_err(unavailable)?;
        match store.put(&at, Deposit::new(name.as_bytes().to_vec()), Some(&newest)).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(why) => return Err(unavailable(why)),
        }
    }
    Err(SharedError::Unavailable(format!("{at}: it can't be written")))
}

fn taken(key: &str, at: &Entry) -> String {
    format!(
        "another host gives out the numbers for {key}; give each host a key of its own, or have hosts share their numbers. If that host is gone, \
         remove {at} from the backend"
    )
}

#[cfg(all(test, feature = "file"))]
mod tests {
    use super::*;
    use crate::secrets::backends::{Bounds, FileBackend, FileKey};
    use async_trait::async_trait;
    use std::time::Duration;

    struct Least;

    #[async_trait]
    impl Nonces for Least {
        async fn next(&self, _key: &[u8], least: u64) -> Result<u64, SharedError> {
            Ok(least)
        }
    }

    #[tokio::test]
    async fn a_key_that_another_host_has_numbers_for_gets_none_here() {
        let dir = tempfile::tempdir().expect("a directory");
        let identity = dir.path().join("identity.txt");
        FileKey::create_identity(&identity).expect("a key");
        // Each host opens the file by itself.
        let backend = || {
            let file = FileBackend::new(dir.path().join("secrets.age"), FileKey::identity_file(&identity).expect("a key"));
            Configured {
                name: "file".to_owned(),
                backend: Arc::new(file),
                bounds: Bounds::none(),
                stale: Duration::ZERO,
                settled: Duration::ZERO,
            }
        };
        FileBackend::new(dir.path().join("secrets.age"), FileKey::identity_file(&identity).expect("a key")).create().expect("a file");
        let host = |key: u8| Numbers::own(Arc::new(Least), &[key; 32]);
        let (kraken, other) = (Entry::new("bot/kraken"), Entry::new("bot/other"));

        let first = host(1);
        assert_eq!(first.next(&backend(), &kraken, 7).await, Ok(7));
        assert_eq!(first.next(&backend(), &kraken, 8).await, Ok(8));
        assert_eq!(host(1).next(&backend(), &kraken, 9).await, Ok(9), "after a restart it is the same host");

        let refused = host(2).next(&backend(), &kraken, 9).await.map_err(|why| why.to_string());
        let told = "another host gives out the numbers for file:bot/kraken; give each host a key of its own";
        assert!(refused.as_ref().is_err_and(|why| why.contains(told)), "{refused:?}");
        assert_eq!(host(2).next(&backend(), &other, 1).await, Ok(1), "another key is free");
        assert_eq!(Numbers::shared(Arc::new(Least)).next(&backend(), &kraken, 9).await, Ok(9), "hosts that share numbers share the key");
    }
}
