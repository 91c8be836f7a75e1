//! What this party's operator has written down: `party.toml`, beside the same `[signing]` tables and manifests that a host has.

use crate::ledger::Share;
use crate::trio::Trio;
use crate::unlock::Unlock;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use strongroom_core::manifest::{HostConfig, Manifest, SigningConfig};
use strongroom_ground::files::{MAX_TEXT, read_secret, read_text};
use strongroom_mpc::{Card, Identity};
use zeroize::Zeroizing;

/// A party's configuration. Paths are as seen from its file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The directory that `init` has made, with identity, ledger and shares.
    state: PathBuf,
    /// The cards of the other two parties.
    parties: [PathBuf; 2],
    /// The cards of the hosts that may ask.
    hosts: Vec<PathBuf>,
    /// Manifests of the agents that may sign, as this party's operator has read them.
    agents: Vec<PathBuf>,
    /// A host configuration of which `[signing]` counts: assets, chains, caps.
    policy: Option<PathBuf>,
    /// What opens the shares: identities of age, the first of which encrypts.
    unlock: Unlock,
    /// For whom backups are encrypted: a recipient of age.
    backup: Option<String>,
    /// Where to listen, if not where the card says.
    listen: Option<SocketAddr>,
    /// How much of its limits it may use where the third party has not acknowledged: `2/3`, or `1/2`.
    #[serde(default)]
    unacknowledged: Alone,
    /// Presignatures that are kept at hand for each key, if not as many as its agents' rates let come at once.
    presignatures: Option<usize>,
    /// Where the other parties are, if not where their cards say: by name.
    #[serde(default)]
    addresses: std::collections::BTreeMap<String, SocketAddr>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
enum Alone {
    #[default]
    #[serde(rename = "2/3")]
    TwoThirds,
    #[serde(rename = "1/2")]
    Half,
}

/// What a party runs by.
pub struct Config {
    /// The three parties.
    pub trio: Trio,
    /// The hosts that may ask.
    pub hosts: Vec<Card>,
    /// The agents' manifests.
    pub agents: Vec<Manifest>,
    /// Assets, chains, caps.
    pub signing: SigningConfig,
    /// The directory of all that is kept.
    pub state: PathBuf,
    /// The identities of age that open it.
    pub unlock: Zeroizing<String>,
    /// For whom backups are.
    pub backup: Option<String>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How much of its limits may be used without the third.
    pub alone: Share,
    /// Presignatures that are kept at hand for each key, where that does not follow from the agents' rates.
    pub presignatures: Option<usize>,
    /// Where the others are.
    pub addresses: Vec<(usize, SocketAddr)>,
}

impl Config {
    /// Reads a configuration with all that it names.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(path: &Path) -> Result<Self> {
        let written: Written = toml::from_str(&text(path)?).with_context(|| path.display().to_string())?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let here = |path: &PathBuf| directory.join(path);
        let card = |path: &PathBuf| anyhow::Ok(Card::read(&here(path))?);
        let state = here(&written.state);
        let own = read_identity(&state)?;
        let [one, two] = &written.parties;
        let trio = Trio::new(own, [card(one)?, card(two)?])?;
        let hosts = written.hosts.iter().map(card).collect::<Result<Vec<_>>>()?;
        if let Some(host) = hosts.iter().find(|host| trio.named(&host.name).is_some()) {
            bail!("the host `{}` has the name of a party; the host must be none of them", host.name);
        }
        let agents = written.agents.iter().map(|path| Manifest::read(&here(path)).map_err(|error| anyhow::anyhow!("{error}")));
        let signing = match &written.policy {
            None => SigningConfig::default(),
            Some(policy) => {
                let (file, text) = (here(policy).display().to_string(), text(&here(policy))?);
                HostConfig::parse(&file, &text).map_err(|error| anyhow::anyhow!("{error}"))?.signing
            }
        };
        let listen = written.listen.or(trio.own.card.address).context("the card of this party has no address; say `listen`")?;
        let of_name = |(name, address): (&String, &SocketAddr)| {
            let party = trio.named(name).with_context(|| format!("`addresses`: there is no party `{name}`"))?;
            Ok((party, *address))
        };
        let addresses = written.addresses.iter().map(of_name).collect::<Result<_>>()?;
        Ok(Self {
            hosts,
            agents: agents.collect::<Result<_>>()?,
            signing,
            state,
            unlock: written.unlock.read(directory)?,
            backup: written.backup,
            listen,
            alone: match written.unacknowledged {
                Alone::TwoThirds => Share::Part(2, 3),
                Alone::Half => Share::Part(1, 2),
            },
            presignatures: written.presignatures.map(|many| many.clamp(1, crate::presignature::MOST)),
            addresses,
            trio,
        })
    }
}

fn read_identity(state: &Path) -> Result<Identity> {
    let card = Card::read(&state.join("card.toml")).context("this party has no identity yet; make one with `strongroom-mpc-party init`")?;
    let key = state.join("identity.pem");
    let key = read_secret(&key, MAX_TEXT).with_context(|| key.display().to_string())?;
    Ok(Identity::kept(card, &key)?)
}

fn text(path: &Path) -> Result<String> {
    read_text(path, MAX_TEXT).with_context(|| path.display().to_string())
}
