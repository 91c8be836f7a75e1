//! `strongroom wallet` and `strongroom limits`. Nothing here ever prints a key.

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, code, named};
use crate::host::{Agent, Host};
use crate::secrets::{Deposit, SecretStore, StoreError};
use crate::signing::Opened;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Makes keys of wallets, and says what they are.
#[derive(Subcommand)]
pub(super) enum Wallet {
    /// Makes a key of its own in a backend of secrets, and prints its address
    New(Keep),
    /// Keeps a key that there is already, read from stdin or asked for on a terminal: hexadecimal digits, a V3 keystore, or a phrase of BIP-39
    Import(Keep),
    /// Prints the addresses of an agent's signers
    Address(Of),
    /// Says of each signer of an agent its key, its purpose, and where it is kept
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
                let key = crate::keys::fresh().map_err(|error| Failure::new(code::STATE, error))?;
                keep.perform(key)
            }
            Self::Import(keep) => {
                named::secret(&keep.name, keep.namespace.as_deref())?;
                let value = super::secrets::read_value(&keep.name)?;
                keep.perform(value)
            }
            Self::Address(of) => of.each(|signer, _| {
                let name = &signer.granted.spec.name;
                (serde_json::json!({"signer": name, "address": signer.shown}), format!("{name} {}", signer.shown))
            }),
            Self::Show(of) => of.each(|signer, _| {
                let (name, from) = (&signer.granted.spec.name, signer.granted.spec.from.to_string());
                let line = format!("{name}: {}, a {} with its key at {from}", signer.shown, signer.purpose());
                (serde_json::json!({"signer": name, "key": signer.shown, "purpose": signer.purpose(), "from": from}), line)
            }),
        }
    }
}

impl Limits {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::Show(of) => {
                let runtime = super::runtime()?;
                of.each(|signer, host| {
                    let name = &signer.granted.spec.name;
                    let lines = runtime.block_on(crate::signing::standing(host.signing(), signer)).unwrap_or_else(|why| vec![why]);
                    let text = format!("{name}: {}\n  {}", signer.shown, lines.join("\n  "));
                    (serde_json::json!({"signer": name, "key": signer.shown, "left": lines}), text)
                })
            }
            Self::Confirm(of) => {
                let host = of.host.host()?;
                let agent = host.load(&of.manifest)?;
                let confirmed = super::runtime()?.block_on(async {
                    // A key that is missing is told as `run` tells it.
                    agent.signers().await.map_err(|error| Failure::new(code::SECRET, error))?;
                    agent.confirm_signers().await.map_err(|error| Failure::new(code::STATE, error))
                });
                for (name, key) in confirmed? {
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
        let address = crate::keys::address_of_local(value.value())
            .map_err(|why| Failure::new(code::USAGE, format!("no key: {why}; nothing was written")))?;
        let put = async |store: &dyn SecretStore| -> Result<String, StoreError> {
            let entry = store.entry_of(self.namespace.as_deref(), &self.name)?;
            // A key that is there already is never replaced: what it holds would be lost.
            store.put(&entry, value, Some("0")).await?;
            Ok(entry.to_string())
        };
        let entry = self.at.with(put)?;
        say(format_args!("{entry}: kept; before it signs: `strongroom limits confirm AGENT.toml`"));
        Answer::new().line(format_args!("{address}")).map(|()| 0)
    }
}

impl Of {
    /// Prints something of each signer.
    fn each(&self, say: impl Fn(&Opened, &Host) -> (serde_json::Value, String)) -> Done {
        let host = self.host.host()?;
        let agent = host.load(&self.manifest)?;
        let signers = open(&agent)?;
        let mut out = Answer::new();
        for signer in &signers {
            let (json, text) = say(signer, &host);
            if self.json {
                out.line(format_args!("{json}"))?;
            } else {
                out.line(format_args!("{}", crate::text::lines_for_people(&text)))?;
            }
        }
        Ok(0)
    }
}

/// The signers of an agent.
pub(super) fn open(agent: &Agent) -> Result<Vec<std::sync::Arc<Opened>>, Failure> {
    super::runtime()?.block_on(agent.signers()).map_err(|error| Failure::new(code::SECRET, error))
}
