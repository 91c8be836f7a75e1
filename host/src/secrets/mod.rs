//! Turns the references of a manifest into live values.

pub(crate) mod backends;
mod keyring;
mod value;

pub(crate) use backends::Backends;
pub use backends::{
    BackendError, Entry, EnvBackend, FileBackend, FileKey, Found, SecretBackend, SecretStore, StaticBackend, StoreError, Stored,
    VersionInfo,
};
pub(crate) use keyring::{Key, Keyring, Version};
pub use keyring::{Missing, SecretsUnavailable};
pub use value::{Fingerprint, MAX_LENGTH, MIN_LENGTH, SecretValue};
