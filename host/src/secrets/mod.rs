//! Turns the references of a manifest into live values.

pub(crate) mod backends;
mod cache;
pub(crate) mod dotenv;
mod held;
mod keyring;
mod setup;
#[cfg(test)]
mod tests;
mod variables;

#[cfg(feature = "aws")]
pub use backends::AwsBackend;
pub(crate) use backends::Backends;
#[cfg(feature = "vault")]
pub use backends::VaultBackend;
pub use backends::{
    BackendError, CommandBackend, DirBackend, Entry, EnvBackend, Found, Freshness, Lease, Leases, Rotator, SecretBackend, SecretStore,
    StaticBackend, StoreError, Stored, VersionInfo,
};
#[cfg(feature = "file")]
pub use backends::{FileBackend, FileKey, Identities, Rekeyed};
pub(crate) use cache::Cache;
pub use cache::SecretCounts;
pub(crate) use held::{InUse, Uses, Version};
pub(crate) use keyring::Written;
#[cfg(feature = "ops")]
pub(crate) use keyring::kept_as;
pub(crate) use keyring::{Key, Keyring, Listener};
pub use keyring::{Missing, SecretsUnavailable};
pub use setup::SetupError;
pub(crate) use strongroom_core::value::NoField;
pub use strongroom_core::value::{Deposit, Fingerprint, MAX_LENGTH, MIN_LENGTH, SecretValue};
pub(crate) use variables::Variables;
