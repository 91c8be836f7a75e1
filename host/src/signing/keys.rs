//! Finds the key that a manifest names: in a backend of signers by `kms:`, `pkcs11:`, `remote:` or an embedder's own name, or else in a backend of
//! secrets, from where it comes into this process.

use super::known::Known;
use super::{Granted, Use};
use crate::keys::{self, FIRST_ACCOUNT, Identity, Key, SignerBackend, SignerError};
use crate::manifest::{Manifest, Purpose, SecretRef, SignerSpec, SigningConfig, Which};
use crate::secrets::{BackendError, Backends, Entry, Fingerprint, NoField, SecretValue, Variables};
use alloy_primitives::Address;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Names that `from` may begin with, whose backends may not be configured.
const KNOWN: &[&str] = &["kms", "pkcs11", "remote", "mpc"];

/// How long the way to a key may take, with the wait for others who are opening the same one.
const PATIENCE: Duration = Duration::from_secs(60);

/// What each entry of a backend is used for: backend, path, and the way to the field, which is empty for the whole.
type Uses = HashMap<(String, String, Vec<String>), &'static str>;

/// One signer of one agent. Who waits for a key that does not answer holds up nobody who needs another.
type Slot = Arc<Mutex<Option<Arc<Opened>>>>;

/// The keys of a host.
pub(super) struct Keys {
    uses: crate::lock::Mutex<Uses>,
    backends: Vec<(String, Arc<dyn SignerBackend>)>,
    /// Those that were had, by the signer's entry and agent: a keystore takes a second to open.
    opened: crate::lock::Mutex<HashMap<(String, String), Slot>>,
    /// What each account is known by: there is one way to its key, since what it spends would be counted apart.
    accounts: crate::lock::Mutex<HashMap<Address, Vec<u8>>>,
    /// Keys in this process that the operator was told of.
    warned: crate::lock::Mutex<HashSet<Vec<u8>>>,
    /// What was opened, whichever way it was named.
    known: Known,
    /// Which agent reads which variable.
    variables: Arc<Variables>,
}

/// A signer whose key, or the way to it, is at hand.
pub(crate) struct Opened {
    pub(crate) granted: Arc<Granted>,
    pub(crate) key: Key,
    /// What the ledger knows it by.
    pub(crate) id: Vec<u8>,
    /// What tells it from others, for people.
    pub(crate) shown: String,
    /// The agent whose signer it is.
    pub(crate) agent: String,
}

impl Keys {
    pub(super) fn new(own: Vec<(String, Arc<dyn SignerBackend>)>, config: &SigningConfig, known: Known, variables: Arc<Variables>) -> Self {
        type Configured = fn(&SigningConfig) -> Option<(String, Arc<dyn SignerBackend>)>;
        let configured: &[Configured] = &[
            #[cfg(feature = "aws")]
            |config| Some(("kms".to_owned(), Arc::new(super::Kms::new(config.kms.as_ref()?)))),
            #[cfg(feature = "pkcs11")]
            |config| Some(("pkcs11".to_owned(), Arc::new(super::Pkcs11::new(config.pkcs11.as_ref()?)))),
            #[cfg(feature = "mpc")]
            |config| Some(("mpc".to_owned(), Arc::new(super::Mpc::new(config.mpc.as_ref()?)))),
            |config| (!config.remote.is_empty()).then(|| ("remote".to_owned(), Arc::new(super::Remote::new(&config.remote)) as _)),
        ];
        // An embedder's own come first, and take the place of one by that name.
        let configured = configured.iter().filter_map(|make| make(config));
        let backends: Vec<(String, Arc<dyn SignerBackend>)> = own.into_iter().chain(configured).collect();
        let (uses, opened, accounts, warned) = Default::default();
        Self { uses, backends, opened, accounts, warned, known, variables }
    }

    fn backend(&self, spec: &SignerSpec) -> Option<(&Arc<dyn SignerBackend>, String)> {
        let SecretRef::Exact { backend, path, field, .. } = &spec.from else { return None };
        let found = self.backends.iter().find(|(name, _)| name == backend)?;
        let key = field.as_ref().map_or_else(|| path.clone(), |field| format!("{path}#{field}"));
        Some((&found.1, key))
    }

    /// Whether the key comes into this process.
    pub(super) fn is_local(&self, spec: &SignerSpec) -> bool {
        self.backend(spec).is_none()
    }

    /// Whether a manifest may name that key at all, without asking where it is kept.
    pub(super) fn check(&self, spec: &SignerSpec, manifest: &Manifest, backends: &Backends) -> Result<(), String> {
        if let Some((backend, key)) = self.backend(spec) {
            if let SecretRef::Exact { which, .. } = &spec.from
                && *which != Which::Current
            {
                return Err("keys of a signer have no versions".to_owned());
            }
            return match spec.purpose {
                Purpose::Wallet(_) | Purpose::Digest | Purpose::Solana { .. } => backend.check(&key, &manifest.name, &spec.purpose),
                _ => Err("a key outside the backends of secrets is a wallet's, signs digests, or signs for Solana".to_owned()),
            };
        }
        if let SecretRef::Exact { backend, .. } = &spec.from
            && KNOWN.contains(&backend.as_str())
        {
            return Err(format!("no `[signing.{backend}]` is configured on this host, or this build has no such signer"));
        }
        let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
        let mut uses = self.uses.lock();
        for (from, purpose) in [(Some(&spec.from), spec.purpose.name()), (spec.passphrase.as_ref(), "passphrase")] {
            let Some(from) = from else { continue };
            backends.check_file(from).map_err(|error| error.to_string())?;
            claim(&mut uses, backends, from, &manifest.name, namespace, purpose)?;
        }
        Ok(())
    }

    /// Marks what an agent may send as such: it signs nothing.
    ///
    /// # Errors
    /// The secret's name, where its entry holds a key that signs.
    pub(super) fn mark_sent(&self, manifest: &Manifest, backends: &Backends) -> Result<(), (String, String)> {
        let mut uses = self.uses.lock();
        for secret in manifest.secrets.iter().chain(&manifest.caller) {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            claim(&mut uses, backends, &secret.from, &manifest.name, namespace, "secret").map_err(|why| (secret.name.clone(), why))?;
        }
        Ok(())
    }

    /// What an entry is known by, whoever names it in whatever way.
    pub(super) fn entry(spec: &SignerSpec, agent: &str, backends: &Backends) -> String {
        let namespace = spec.namespace.as_deref().unwrap_or(agent);
        let entries = backends.entries(&spec.from, agent, namespace);
        entries.map_or_else(
            |_| spec.from.to_string(),
            |(of, entries)| format!("{}:{}", of.name, entries.first().map_or("", |entry| entry.path.as_str())),
        )
    }

    pub(super) async fn open(&self, granted: &Arc<Granted>, agent: &str, backends: &Backends) -> Result<Arc<Opened>, SignerError> {
        let name = (granted.spec.from.to_string(), format!("{agent}/{}", granted.spec.name));
        let slot = Arc::clone(self.opened.lock().entry(name).or_default());
        let open = async {
            let mut opened = slot.lock().await;
            if let Some(known) = opened.as_ref().filter(|known| Arc::ptr_eq(&known.granted, granted)) {
                return Ok(Arc::clone(known));
            }
            let found = self.open_anew(granted, agent, backends).await?;
            *opened = Some(Arc::clone(&found));
            Ok(found)
        };
        let silent = || format!("the key at {} could not be reached within {} s", granted.spec.from, PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, open).await.unwrap_or_else(|_| Err(SignerError::Unavailable(silent())))
    }

    /// What a signer's key is known by. Nothing is kept of it: neither the key nor that it is used.
    #[cfg(feature = "ops")]
    pub(super) async fn look(&self, granted: &Granted, agent: &str, backends: &Backends) -> Result<String, SignerError> {
        let found = self.find(&granted.spec, &granted.policy, agent, backends, false);
        let silent = || format!("the key at {} could not be reached within {} s", granted.spec.from, PATIENCE.as_secs());
        let found = tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| Err(SignerError::Unavailable(silent())));
        found.map(|(key, _)| key.shown())
    }

    async fn open_anew(&self, granted: &Arc<Granted>, agent: &str, backends: &Backends) -> Result<Arc<Opened>, SignerError> {
        let (key, written) = self.find(&granted.spec, &granted.policy, agent, backends, true).await?;
        let (id, by) = (key.id(), format!("signer `{}` of `{agent}`", granted.spec.name));
        let identities = key.identities(&written);
        self.known.signs(&identities, granted.spec.purpose.name(), &by).map_err(SignerError::Refused)?;
        self.known_one_way(&key).map_err(SignerError::Refused)?;
        if let Some(address) = key.address()
            && key.is_hot()
            && self.warned.lock().insert(id.clone())
        {
            tracing::warn!(
                "the key of {address} is held in this process, for development and small amounts; an HSM, a KMS or MPC keeps it out of reach"
            );
        }
        let shown = key.shown();
        Ok(Arc::new(Opened { granted: Arc::clone(granted), key, id, shown, agent: agent.to_owned() }))
    }

    /// Refuses a key whose account is known by another id: once by the key's public half, and once by its address alone.
    fn known_one_way(&self, key: &Key) -> Result<(), String> {
        let Some(address) = key.address() else { return Ok(()) };
        let id = key.id();
        if *self.accounts.lock().entry(address).or_insert_with(|| id.clone()) == id {
            return Ok(());
        }
        Err(format!(
            "the account {address} is in use by its key and by its address alone (`remote:`), and what it spends would be counted apart; \
             name it in the same way in all manifests of this host"
        ))
    }

    /// Refuses a value that an agent may send where it is a key that signs, whichever way either is named or written.
    ///
    /// # Errors
    /// Why it can't be sent.
    pub(super) fn check_sent(&self, value: &SecretValue, fingerprint: Fingerprint, by: &str) -> Result<(), String> {
        self.known.sends(value, fingerprint, by)
    }

    /// The key, and what it is written as where it comes into this process.
    async fn find(
        &self,
        spec: &SignerSpec,
        policy: &Use,
        agent: &str,
        backends: &Backends,
        is_used: bool,
    ) -> Result<(Key, Vec<Identity>), SignerError> {
        if let Some((backend, key)) = self.backend(spec) {
            let kept = Key::kept(&**backend, &key, agent).await?;
            if matches!(policy, Use::Solana(_)) != kept.is_ed25519() {
                let [found, needed] = if kept.is_ed25519() { ["Ed25519", "secp256k1"] } else { ["secp256k1", "Ed25519"] };
                let purpose = spec.purpose.name();
                let why = format!("the key at {} is one of {found}, and a signer of the use `{purpose}` needs one of {needed}", spec.from);
                return Err(SignerError::Refused(why));
            }
            return Ok((kept, Vec::new()));
        }
        let namespace = spec.namespace.as_deref().unwrap_or(agent);
        let value = self.secret(&spec.from, agent, namespace, backends, is_used).await?;
        let passphrase = match &spec.passphrase {
            Some(from) => Some(self.secret(from, agent, namespace, backends, is_used).await?),
            None => None,
        };
        let wrong = |why: String| SignerError::Refused(format!("the key at {} can't be used: {why}", spec.from));
        let written = [Some(&value), passphrase.as_ref()].into_iter().flatten();
        let written = written.flat_map(keys::written).collect();
        let key = match policy {
            Use::Wallet(_) | Use::Digest { .. } => {
                let path = spec.path.clone().unwrap_or_else(|| FIRST_ACCOUNT.to_owned());
                // A keystore takes a second of work: not on a thread that serves others.
                let local = tokio::task::spawn_blocking(move || Key::wallet(&value, passphrase.as_ref(), &path));
                local.await.unwrap_or_else(|_| Err("it can't be read".to_owned()))
            }
            Use::Jwt(_) => Key::token(&value),
            Use::Hmac(_) => Key::mac(&value),
            Use::Solana(_) => Key::solana(&value),
        };
        key.map(|key| (key, written)).map_err(wrong)
    }

    /// The value of an entry, as it is now, where the agent may use it.
    async fn secret(
        &self,
        from: &SecretRef,
        agent: &str,
        namespace: &str,
        backends: &Backends,
        is_used: bool,
    ) -> Result<SecretValue, SignerError> {
        let (value, backend, entry) = secret(from, agent, namespace, backends).await?;
        if let Some((variable, own)) = backends.variable(from, agent, &backend, &entry).filter(|_| is_used) {
            self.variables.take(agent, variable, own).map_err(failed)?;
        }
        Ok(value)
    }
}

/// One entry, one purpose, on the whole host: what is signed with is not sent anywhere. Fields of one entry that are named apart are apart.
fn claim(
    uses: &mut Uses,
    backends: &Backends,
    from: &SecretRef,
    agent: &str,
    namespace: &str,
    purpose: &'static str,
) -> Result<(), String> {
    let (of, entries) = backends.entries(from, agent, namespace).map_err(|error| error.to_string())?;
    for entry in entries {
        let way = way(entry.field.as_deref());
        let taken = uses.iter().find(|((backend, path, other), known)| {
            // An entry as a whole holds all of its fields.
            let overlap = other.starts_with(&way) || way.starts_with(other);
            *backend == of.name && *path == entry.path && overlap && **known != purpose
        });
        if let Some((_, known)) = taken {
            return Err(format!("the entry {} already serves as `{known}`; one key, one purpose", entry.path));
        }
        uses.insert((of.name.clone(), entry.path, way), purpose);
    }
    Ok(())
}

/// The way to a field within its entry: `wallet` and `/wallet` are one (RFC 6901).
fn way(field: Option<&str>) -> Vec<String> {
    let part = |part: &str| part.replace("~1", "/").replace("~0", "~");
    match field {
        None => Vec::new(),
        Some(field) => match field.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(part).collect(),
            None => vec![field.to_owned()],
        },
    }
}

fn failed(error: BackendError) -> SignerError {
    match error {
        BackendError::Unavailable(_) => SignerError::Unavailable(error.to_string()),
        _ => SignerError::Refused(error.to_string()),
    }
}

/// The value that a reference stands for, and the backend and the entry where it was found.
async fn secret(from: &SecretRef, agent: &str, namespace: &str, backends: &Backends) -> Result<(SecretValue, String, Entry), SignerError> {
    let (of, entries) = backends.entries(from, agent, namespace).map_err(failed)?;
    let mut missing = None;
    for entry in entries {
        match of.backend.get(&entry).await.map_err(|error| error.of_field(entry.field.as_deref())) {
            Ok(found) => {
                let value = match &entry.field {
                    None => found.value,
                    Some(field) => found.value.field(field).map_err(|no| {
                        let found = match no {
                            NoField::NotJson => "not a JSON document, so it has no fields; leave `#…` out",
                            NoField::Missing => "a document without that field",
                            NoField::NotText(found) => found,
                        };
                        SignerError::Refused(format!("what is at {} is {found}", crate::text::for_people(&entry.to_string())))
                    })?,
                };
                return Ok((value, of.name.clone(), entry));
            }
            Err(error @ BackendError::NotFound { .. }) => {
                missing.get_or_insert(error);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err(missing.map_or_else(|| SignerError::Refused(format!("there is no entry for {from}")), failed))
}

impl Opened {
    /// What the key is there for, as the ledger keeps it.
    pub(crate) fn purpose(&self) -> &'static str {
        self.granted.spec.purpose.name()
    }
}
