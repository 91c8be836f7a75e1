//! `strongroom mpc`: the three parties of a threshold wallet, as a host's operator asks them.

use super::output::{Answer, say};
use super::prompt::confirmed;
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strongroom::HostConfig;
use strongroom::ops::{Holding, PartyReport, Sent, Sweep, Threshold, Wish};
use strongroom::text::lines_for_people;
use strongroom_mpc::Identity;

/// Most bytes of a share that is restored.
const MAX_SHARE: u64 = 1024 * 1024;

/// Wallets of which no machine has the key: three parties hold a share each, and two of them sign.
#[derive(Subcommand)]
pub(super) enum Mpc {
    /// Makes this host's identity: a private key that stays here, and a card for the parties
    Identity {
        /// What the host is called: lower-case letters, digits and `-`
        #[arg(long, default_value = "host")]
        name: String,
        /// The directory for both files; it is made
        directory: PathBuf,
    },
    /// Has the parties make a key, and prints its address
    Keygen {
        /// The name of the new key
        key: String,
        #[command(flatten)]
        at: At,
    },
    /// Says how each party is
    Status {
        #[command(flatten)]
        at: At,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints a party's share, encrypted for whom that party's operator has named
    Backup(Share),
    /// Gives a party its share back, read from stdin
    Restore(Share),
    /// Sends what a wallet holds to another account, as far as its limits leave
    Sweep(Sweeping),
}

#[derive(Args)]
pub(super) struct At {
    /// The host configuration; by default the file that STRONGROOM_CONFIG names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Share {
    /// The key's name
    key: String,
    /// The party's name
    #[arg(long)]
    party: String,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(super) struct Sweeping {
    /// The manifest of an agent that may send what the wallet holds
    manifest: PathBuf,
    /// The address that gets it
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// A node of the chain: `https://HOST/PATH`, or `env:NAME` or `file:PATH` where that is kept
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The wallet, where the manifest has several signers
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// The chain, where the wallet has several
    #[arg(long)]
    chain: Option<u64>,
    /// Seconds to wait until a transaction is in a block
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait: u64,
    /// Say what would be sent, and sign nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before something is signed
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    host: HostArgs,
}

impl Mpc {
    pub(super) fn perform(self) -> Done {
        let mut out = Answer::new();
        match self {
            Self::Identity { name, directory } => identity(&name, &directory, &mut out),
            Self::Keygen { key, at } => {
                let parties = at.parties()?;
                say(format_args!("the parties make a key, which takes seconds, or minutes where it is their first"));
                let made = super::runtime()?.block_on(parties.keygen(&key))?;
                say(format_args!("`mpc:{}` is made; each party's manifests have to grant it, as this host's do", made.key));
                out.line(format_args!("{}", made.address)).map(|()| 0)
            }
            Self::Status { at, json } => {
                let parties = super::runtime()?.block_on(at.parties()?.status());
                for party in &parties {
                    if json {
                        out.line(format_args!("{}", json!(party)))?;
                    } else {
                        lines(party).iter().try_for_each(|line| out.line(format_args!("{line}")))?;
                    }
                }
                // Two can sign; one alone can't.
                let away = parties.iter().filter(|party| party.away.is_some()).count();
                Ok(if away > 1 { code::SECRET } else { 0 })
            }
            Self::Backup(share) => {
                let sealed = super::runtime()?.block_on(share.at.parties()?.backup(&share.party, &share.key))?;
                out.text(sealed.as_bytes()).map(|()| 0)
            }
            Self::Restore(share) => {
                let parties = share.at.parties()?;
                let mut sealed = String::new();
                let read = std::io::stdin().take(MAX_SHARE).read_to_string(&mut sealed);
                read.map_err(|error| Failure::new(code::USAGE, format!("stdin holds no share: {error}")))?;
                super::runtime()?.block_on(parties.restore(&share.party, &share.key, sealed))?;
                say(format_args!("`{}` has its share of `{}` again", share.party, share.key));
                Ok(0)
            }
            Self::Sweep(sweeping) => sweeping.perform(&mut out),
        }
    }
}

impl Sweeping {
    fn perform(self, out: &mut Answer) -> Done {
        let host = self.host.host()?;
        let agent = host.load(&self.manifest)?;
        let wish = Wish { signer: self.signer, chain: self.chain, to: self.to, node: self.rpc, patience: Duration::from_secs(self.wait) };
        let runtime = super::runtime()?;
        let sweep = runtime.block_on(Sweep::plan(&host, &agent, &wish))?;
        for holding in sweep.holdings() {
            if self.json {
                out.line(format_args!("{}", json!(holding)))?;
            } else {
                out.line(format_args!("{}", lines_for_people(&line_of(holding))))?;
            }
        }
        let count: usize = sweep.holdings().iter().map(|holding| holding.transactions).sum();
        if count == 0 {
            say(format_args!("nothing can be sent from {}", sweep.from()));
            return Ok(code::SECRET);
        }
        let noun = if count == 1 { "transaction" } else { "transactions" };
        let question = format!("Send it from {} to {} on chain {}, in {count} {noun}?", sweep.from(), sweep.to(), sweep.chain());
        if self.dry_run || !(self.yes || confirmed(&question, "nothing was signed")?) {
            say(format_args!("nothing was signed"));
            return Ok(0);
        }
        let mut printed = Ok(());
        let told = |sent: &Sent| {
            let line = if self.json { json!(sent).to_string() } else { format!("sent {} in {}", sent.sent, sent.hash) };
            printed = std::mem::replace(&mut printed, Ok(())).and_then(|()| out.line(format_args!("{line}")));
        };
        runtime.block_on(sweep.send(told))?;
        printed.map(|()| 0)
    }
}

/// What becomes of an asset, in words.
fn line_of(holding: &Holding) -> String {
    let Holding { asset, balance, sends, transactions, fee, stays, .. } = holding;
    let sends = match transactions {
        0 => "sends nothing".to_owned(),
        1 => format!("sends {sends} for at most {fee}"),
        count => format!("sends {sends} in {count} transactions, for at most {fee}"),
    };
    let stays = stays.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!("{asset}: has {balance}, {sends}{stays}")
}

impl At {
    fn parties(&self) -> Result<Threshold, Failure> {
        let path = self.config.clone().or_else(|| std::env::var_os("STRONGROOM_CONFIG").map(PathBuf::from));
        let missing = || Failure::new(code::USAGE, "no host configuration; name the one with `[signing.mpc]` by `--config`");
        let config = HostConfig::read(&path.ok_or_else(missing)?).map_err(|error| Failure::new(code::USAGE, error))?;
        Ok(Threshold::open(&config)?)
    }
}

fn lines(party: &PartyReport) -> Vec<String> {
    if let Some(why) = &party.away {
        return vec![format!("{}: {why}", party.name)];
    }
    let mut lines = vec![format!("{}: runs", party.name)];
    lines.extend(party.preparing.iter().map(|what| format!("  {what}")));
    lines.extend(party.unreachable.iter().map(|(other, why)| format!("  can't reach {other}: {why}")));
    lines.extend(party.keys.iter().map(|key| format!("  key {}: {}", key.key, key.address)));
    lines.extend(party.presignatures.iter().map(|(with, key, count)| format!("  presignatures for {key} with {with}: {count}")));
    let ledger: Vec<_> = party.ledger.iter().map(|(of, count)| format!("{count} of {of}")).collect();
    lines.push(format!("  ledger: {}", ledger.join(", ")));
    lines
}

fn identity(name: &str, directory: &Path, out: &mut Answer) -> Done {
    let failed = |why: String| Failure::new(code::USAGE, why);
    let identity = Identity::fresh(name, None).map_err(|error| failed(error.to_string()))?;
    let [card, key] = ["toml", "pem"].map(|suffix| directory.join(format!("{name}.{suffix}")));
    identity.write(&card, &key).map_err(|error| failed(error.to_string()))?;
    say(format_args!("give {name}.toml to the parties, and compare its words with each of their operators:"));
    let words = identity.card.words().map_err(|error| failed(error.to_string()))?;
    out.line(format_args!("{words}")).map(|()| 0)
}
