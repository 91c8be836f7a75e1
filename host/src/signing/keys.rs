//! Finds the key that a manifest names: in a backend of signers by `kms:`, `pkcs11:` or an embedder's own name, or else in a backend of
//! secrets, from where it comes into this process.

use super::jose::{TokenKey, ed25519_id, symmetric_id};
use super::local::{FIRST_ACCOUNT, Local, is_wallet_key};
use super::signer::{Signer, SignerBackend, SignerError};
use super::{Granted, Use};
use crate::ethereum::signature::address_of;
use crate::manifest::{Manifest, Purpose, SecretRef, SignerSpec, SigningConfig, Which};
use crate::policy::Reveal;
use crate::secrets::{BackendError, Backends, SecretValue};
use alloy_primitives::Address;
use k256::ecdsa::VerifyingKey;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// Names that `from` may begin with, whose backends may not be configured.
const KNOWN: &[&str] = &["kms", "pkcs11", "mpc"];
/// Least bytes of an HMAC's key: 128 bits.
const MIN_HMAC: usize = 16;

/// What each entry of a backend is used for: backend, path and field.
type Uses = HashMap<(String, String, Option<String>), &'static str>;

/// The keys of a host.
pub(super) struct Keys {
    uses: std::sync::Mutex<Uses>,
    backends: Vec<(String, Arc<dyn SignerBackend>)>,
    /// Those that were had, by the signer's entry and agent: a keystore takes a second to open.
    opened: Mutex<HashMap<(String, String), Arc<Opened>>>,
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

/// A key, by what it does.
pub(crate) enum Key {
    Account { signer: Arc<dyn Signer>, public: VerifyingKey, address: Address },
    Token(TokenKey),
    Hmac(Zeroizing<Vec<u8>>),
    Solana(Ed25519KeyPair),
}

impl Keys {
    pub(super) fn new(own: Vec<(String, Arc<dyn SignerBackend>)>, config: &SigningConfig) -> Self {
        type Configured = fn(&SigningConfig) -> Option<(String, Arc<dyn SignerBackend>)>;
        let configured: &[Configured] = &[
            #[cfg(feature = "aws")]
            |config| Some(("kms".to_owned(), Arc::new(super::Kms::new(config.kms.as_ref()?)))),
            #[cfg(feature = "pkcs11")]
            |config| Some(("pkcs11".to_owned(), Arc::new(super::Pkcs11::new(config.pkcs11.as_ref()?)))),
        ];
        // An embedder's own come first, and take the place of one by that name.
        let configured = configured.iter().filter_map(|make| make(config));
        let backends: Vec<(String, Arc<dyn SignerBackend>)> = own.into_iter().chain(configured).collect();
        Self { uses: std::sync::Mutex::default(), backends, opened: Mutex::default() }
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
        if self.backend(spec).is_some() {
            if let SecretRef::Exact { which, .. } = &spec.from
                && *which != Which::Current
            {
                return Err("keys of a signer have no versions".to_owned());
            }
            return match spec.purpose {
                Purpose::Wallet(_) | Purpose::Digest => Ok(()),
                _ => Err("keys that are not in a backend of secrets are wallets, or sign digests".to_owned()),
            };
        }
        if let SecretRef::Exact { backend, .. } = &spec.from
            && KNOWN.contains(&backend.as_str())
        {
            return Err(format!("no `[signing.{backend}]` is configured on this host, or this build has no such signer"));
        }
        let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        for (from, purpose) in [(Some(&spec.from), purpose(&spec.purpose)), (spec.passphrase.as_ref(), "passphrase")] {
            let Some(from) = from else { continue };
            claim(&mut uses, backends, from, &manifest.name, namespace, purpose)?;
        }
        Ok(())
    }

    /// Marks what an agent may send as such: it signs nothing.
    ///
    /// # Errors
    /// The secret's name, where its entry holds a key that signs.
    pub(super) fn mark_sent(&self, manifest: &Manifest, backends: &Backends) -> Result<(), (String, String)> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in &manifest.secrets {
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
        let mut opened = self.opened.lock().await;
        if let Some(known) = opened.get(&name).filter(|known| Arc::ptr_eq(&known.granted, granted)) {
            return Ok(Arc::clone(known));
        }
        let key = self.find(&granted.spec, &granted.policy, agent, backends).await?;
        let id = key.id();
        if let Key::Account { signer, address, .. } = &key
            && signer.is_hot()
            && !opened.values().any(|known| known.id == id)
        {
            tracing::warn!(
                "the key of {address} lies in this process, for development and small amounts; an HSM, a KMS or MPC keeps it out of reach"
            );
        }
        let shown = key.shown(&id);
        let found = Arc::new(Opened { granted: Arc::clone(granted), key, id, shown, agent: agent.to_owned() });
        opened.insert(name, Arc::clone(&found));
        Ok(found)
    }

    async fn find(&self, spec: &SignerSpec, policy: &Use, agent: &str, backends: &Backends) -> Result<Key, SignerError> {
        if let Some((backend, key)) = self.backend(spec) {
            let signer = backend.open(&key, agent).await?;
            return account(signer).await;
        }
        let namespace = spec.namespace.as_deref().unwrap_or(agent);
        let value = secret(&spec.from, agent, namespace, backends).await?;
        let passphrase = match &spec.passphrase {
            Some(from) => Some(secret(from, agent, namespace, backends).await?),
            None => None,
        };
        let wrong = |why: String| SignerError::Refused(format!("the key at {} can't be used: {why}", spec.from));
        match policy {
            Use::Wallet(_) | Use::Digest { .. } => {
                let path = spec.path.clone().unwrap_or_else(|| FIRST_ACCOUNT.to_owned());
                // A keystore takes a second of work: not on a thread that serves others.
                let local = tokio::task::spawn_blocking(move || Local::read(&value, passphrase.as_ref(), &path, Reveal::to_sign()));
                let local = local.await.unwrap_or_else(|_| Err("it can't be read".to_owned())).map_err(wrong)?;
                account(Arc::new(local)).await
            }
            Use::Jwt(_) => TokenKey::read(&value, Reveal::to_sign()).map(Key::Token).map_err(wrong),
            Use::Hmac(_) => {
                let bytes = value.reveal(Reveal::to_sign());
                if is_wallet_key(bytes) {
                    return Err(wrong("it is the key of a wallet, which serves nothing else".to_owned()));
                }
                if bytes.starts_with(b"AWS4") || bytes.len() < MIN_HMAC {
                    return Err(wrong(format!("it is the beginning of a derivation, or has fewer than {MIN_HMAC} bytes")));
                }
                Ok(Key::Hmac(bytes.to_vec().into()))
            }
            Use::Solana(_) => solana(value.reveal(Reveal::to_sign())).map(Key::Solana).map_err(wrong),
        }
    }
}

/// What a key is for, as the ledger keeps it.
fn purpose(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Wallet(_) => "wallet",
        Purpose::Jwt(_) => "jwt",
        Purpose::Hmac { .. } => "hmac",
        Purpose::Solana { .. } => "solana",
        Purpose::Digest => "digest",
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
        let taken = uses.iter().find(|((backend, path, field), known)| {
            // An entry as a whole holds all of its fields.
            let overlap = field.is_none() || entry.field.is_none() || *field == entry.field;
            *backend == of.name && *path == entry.path && overlap && **known != purpose
        });
        if let Some((_, known)) = taken {
            return Err(format!("the entry {} serves as `{known}` already; one key, one purpose", entry.path));
        }
        uses.insert((of.name.clone(), entry.path, entry.field), purpose);
    }
    Ok(())
}

async fn account(signer: Arc<dyn Signer>) -> Result<Key, SignerError> {
    let public = signer.public_key().await?;
    Ok(Key::Account { address: address_of(&public), public, signer })
}

/// The value of an entry, as it is now.
async fn secret(from: &SecretRef, agent: &str, namespace: &str, backends: &Backends) -> Result<SecretValue, SignerError> {
    let failed = |error: BackendError| match error {
        BackendError::Unavailable(_) => SignerError::Unavailable(error.to_string()),
        _ => SignerError::Refused(error.to_string()),
    };
    let (of, entries) = backends.entries(from, agent, namespace).map_err(failed)?;
    let mut missing = None;
    for entry in entries {
        match of.backend.get(&entry).await {
            Ok(found) => {
                let Some(field) = &entry.field else { return Ok(found.value) };
                let field = found.value.field(field);
                return field.map_err(|_| SignerError::Refused(format!("the entry {entry} has no such field, as text")));
            }
            Err(error @ BackendError::NotFound { .. }) => {
                missing.get_or_insert(error);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err(missing.map_or_else(|| SignerError::Refused(format!("there is no entry for {from}")), failed))
}

/// A key of Solana's: the command line's list of 64 numbers, or the seed in hexadecimal digits.
fn solana(value: &[u8]) -> Result<Ed25519KeyPair, String> {
    let wrong = || "it is neither the list of 64 numbers of a Solana key file, nor a seed of 64 hexadecimal digits".to_owned();
    let text = std::str::from_utf8(value).map_err(|_| wrong())?.trim();
    if text.starts_with('[') {
        let bytes: Zeroizing<Vec<u8>> = serde_json::from_str(text).map(Zeroizing::new).map_err(|_| wrong())?;
        let (seed, public) = bytes.split_at_checked(32).ok_or_else(wrong)?;
        return Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| wrong());
    }
    let seed = Zeroizing::new(crate::text::unhex(text.strip_prefix("0x").unwrap_or(text)).ok_or_else(wrong)?);
    Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| wrong())
}

impl Key {
    pub(crate) fn address(&self) -> Option<Address> {
        if let Self::Account { address, .. } = self { Some(*address) } else { None }
    }

    /// Whether it signs in this process, at once.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Account { signer, .. } => signer.is_hot(),
            Self::Token(_) | Self::Hmac(_) | Self::Solana(_) => true,
        }
    }

    /// What the ledger knows it by.
    fn id(&self) -> Vec<u8> {
        match self {
            Self::Account { public, .. } => public.to_encoded_point(true).as_bytes().to_vec(),
            Self::Token(key) => key.id(),
            Self::Hmac(key) => symmetric_id(key),
            Self::Solana(key) => ed25519_id(key),
        }
    }

    /// What tells it from others, for people.
    fn shown(&self, id: &[u8]) -> String {
        match self {
            Self::Account { address, .. } => address.to_string(),
            Self::Solana(key) => bs58::encode(key.public_key()).into_string(),
            Self::Token(key) => format!("{} {}", key.algorithm(), crate::text::hex(&id[id.len().saturating_sub(4)..])),
            Self::Hmac(_) => String::from_utf8_lossy(&id[..13.min(id.len())]).into_owned(),
        }
    }
}

impl Opened {
    /// What the key is there for, as the ledger keeps it.
    pub(crate) fn purpose(&self) -> &'static str {
        purpose(&self.granted.spec.purpose)
    }

    /// The public half: SEC 1 uncompressed, or the 32 bytes of ed25519.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match &self.key {
            Key::Account { public, .. } => public.to_encoded_point(false).as_bytes().to_vec(),
            Key::Solana(key) => key.public_key().as_ref().to_vec(),
            Key::Token(_) | Key::Hmac(_) => Vec::new(),
        }
    }
}
