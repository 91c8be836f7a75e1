//! `strongroom wallet` and `strongroom limits`. Nothing here ever prints a key.

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use strongroom::ops::{Failed, SignerReport, address_of_key, fresh_key, named, signers};
use strongroom::text::lines_for_people;
use strongroom::{Deposit, Host, SecretStore, StoreError};

/// Makes keys of wallets, and says what they are.
#[derive(Subcommand)]
pub(super) enum Wallet {
    /// Makes a new key in a backend of secrets, and prints its address
    New(Keep),
    /// Keeps an existing key, read from stdin or asked for on a terminal: hexadecimal digits, a V3 keystore, or a BIP-39 phrase
    Import(Keep),
    /// Prints the addresses of an agent's signers
    Address(Of),
    /// Shows the key of each signer of an agent, its purpose, and where it is kept
    Show(Of),
}

/// Reads the ledger of what was signed.
#[derive(Subcommand)]
pub(super) enum Limits {
    /// Says what an agent's signers have spent, and what is left
    Show(Of),
    /// Takes the keys of an agent into the ledger, and confirms that the ledger is the latest there is
    Confirm(Of),
}

#[derive(Args)]
pub(super) struct Keep {
    /// The name of the secret
    name: String,
    /// The agent that it is for; without one it is shared
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: super::secrets::Where,
}

#[derive(Args)]
pub(super) struct Of {
    /// The agent's manifest
    manifest: PathBuf,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Wallet {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::New(keep) => {
                named::secret(&keep.name, keep.namespace.as_deref())?;
                keep.perform(fresh_key()?)
            }
            Self::Import(keep) => {
                named::secret(&keep.name, keep.namespace.as_deref())?;
                let value = super::secrets::read_value(&keep.name)?;
                keep.perform(value)
            }
            Self::Address(of) => {
                of.each(|SignerReport { signer, key, .. }, _| Ok((json!({"signer": signer, "address": key}), format!("{signer} {key}"))))
            }
            Self::Show(of) => of.each(|found, _| {
                let SignerReport { signer, key, purpose, from, .. } = found;
                Ok((json!(found), format!("{signer}: {key}, for the use `{purpose}`, with its key at {from}")))
            }),
        }
    }
}

impl Limits {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::Show(of) => {
                let runtime = super::runtime()?;
                of.each(|found, host| {
                    let SignerReport { signer, key, .. } = found;
                    let left = runtime.block_on(found.left(host))?;
                    let text = [format!("{signer}: {key}")].iter().chain(&left).cloned().collect::<Vec<_>>().join("\n  ");
                    Ok((json!({"signer": signer, "key": key, "left": left}), text))
                })
            }
            Self::Confirm(of) => {
                let host = of.host.host()?;
                let agent = host.load(&of.manifest)?;
                let confirmed = super::runtime()?.block_on(async {
                    // A key that is missing is told as `run` tells it.
                    signers(&agent).await.map_err(|error| Failure::new(code::SECRET, error))?;
                    agent.confirm_signers().await.map_err(|error| Failure::new(code::STATE, error))
                });
                let confirmed = confirmed?;
                if confirmed.is_empty() {
                    say(format_args!("{}: the manifest has no signer; nothing was confirmed", of.manifest.display()));
                }
                for (name, key) in confirmed {
                    say(format_args!("{name}: {key} is in the ledger, and the ledger is confirmed"));
                }
                Ok(0)
            }
        }
    }
}

impl Keep {
    /// Keeps a key that is one.
    fn perform(self, value: Deposit) -> Done {
        let address = address_of_key(&value)?;
        let put = async |store: &dyn SecretStore| -> Result<String, StoreError> {
            let entry = store.entry_of(self.namespace.as_deref(), &self.name)?;
            // A key that is there already is never replaced: what it holds would be lost.
            store.put(&entry, value, Some("0")).await.map_err(|error| match error {
                StoreError::Conflict { found, .. } => StoreError::Refused(format!(
                    "{entry} exists already (version {found}), and a key is never replaced, as what it holds would be lost: choose another \
                     name, or use the key that is there; nothing was written"
                )),
                error => error,
            })?;
            Ok(entry.to_string())
        };
        let entry = self.at.with(put)?;
        say(format_args!("{entry}: kept; before it signs: `strongroom limits confirm AGENT.toml`"));
        Answer::new().line(format_args!("{address}")).map(|()| 0)
    }
}

impl Of {
    /// Prints something of each signer. Why it can't be had is the ledger's.
    fn each(&self, told: impl Fn(&SignerReport, &Host) -> Result<(Value, String), Failed>) -> Done {
        let host = self.host.host()?;
        let agent = host.load(&self.manifest)?;
        let signers = super::runtime()?.block_on(signers(&agent)).map_err(|error| Failure::new(code::SECRET, error))?;
        let (mut out, mut code) = (Answer::new(), 0);
        if signers.is_empty() {
            say(format_args!("{}: the manifest has no signer", self.manifest.display()));
        }
        for signer in &signers {
            let (json, text) = match told(signer, &host) {
                Ok(told) => told,
                Err(why) => {
                    say(format_args!("error: signer `{}`: {}", signer.signer, lines_for_people(&why.message)));
                    code = code::STATE;
                    continue;
                }
            };
            if self.json {
                out.line(format_args!("{json}"))?;
            } else {
                out.line(format_args!("{}", lines_for_people(&text)))?;
            }
        }
        Ok(code)
    }
}
