//! The `[signing]` table of the host configuration: chains and assets, and what no agent's manifest may go beyond.

use super::backends::{CredentialRef, credential};
use super::config::path;
use super::diagnostic::Problem;
use super::pattern::NamePattern;
use super::reader::Section;
use super::signers::{address, amount, limit, symbol};
use super::{LimitSpec, RemoteConfig, names, remote, units};
use crate::ethereum::quantity;
use alloy_primitives::{Address, address};
use std::path::PathBuf;
use std::time::Duration;

/// Where Permit2 lies on every chain that has it: <https://github.com/Uniswap/permit2>.
const PERMIT2: Address = address!("000000000022D473030F116dDEE9F6B43aC78BA3");
/// How long a host may be down and its windows still go on, unless the configuration says otherwise.
const DEFAULT_DOWNTIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What keys in a KMS or an HSM manifests may name, unless the configuration says otherwise.
const DEFAULT_KEYS: &[&str] = &["{agent}", "{agent}/**", "alias/{agent}", "alias/{agent}/**"];
/// Keys of the parties that manifests may name, unless the configuration says otherwise.
const DEFAULT_MPC_KEYS: &[&str] = &["{agent}"];
/// How long the parties may take for one signature, unless the configuration says otherwise: the first may wait for a presignature.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);
/// The longest that can be configured.
const MAX_PATIENCE: Duration = Duration::from_secs(100);
/// Sessions that are kept with an HSM, unless the configuration says otherwise.
const DEFAULT_SESSIONS: usize = 4;

/// Chains whose own asset is known without being configured.
const CHAINS: &[(u64, &str)] = &[
    (1, "ETH"),
    (10, "ETH"),
    (56, "BNB"),
    (100, "XDAI"),
    (137, "POL"),
    (8453, "ETH"),
    (42161, "ETH"),
    (43114, "AVAX"),
    (17000, "ETH"),
    (11155111, "ETH"),
    (31337, "ETH"),
];

/// Chains of the OP stack and its kin: each transaction also pays for its data on the layer below, beyond what its gas says. What that is
/// stands in no transaction, so that only the operator's `surcharge` can count it.
const PAYS_BELOW: &[u64] =
    &[10, 130, 204, 252, 288, 480, 690, 1088, 1135, 1868, 5000, 8453, 34443, 42220, 57073, 60808, 81457, 84532, 7777777, 11155420, 1301];

/// What the operator says about signing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningConfig {
    /// Assets that may be spent, in addition to the chains' own.
    pub assets: Vec<Asset>,
    /// What has to be known about chains.
    pub chains: Vec<ChainSpec>,
    /// Limits of a signer over all agents.
    pub caps: Vec<SignerCap>,
    /// Most that all agents together may spend in 24 hours from a key that is held in this process, by symbol.
    pub hot_limit: Vec<(String, String)>,
    /// Where the ledger of what was signed is kept: by default in the state directory. It has to outlive the host, as a database does.
    pub ledger: Option<PathBuf>,
    /// How long the host may have been down for its windows to continue without a confirmation.
    pub max_downtime: Duration,
    /// Signers that may sign any 32 bytes: agent and signer.
    pub raw: Vec<(String, String)>,
    /// The contract to which an unlimited approval costs nothing.
    pub permit2: Address,
    /// Keys in AWS KMS.
    pub kms: Option<KmsConfig>,
    /// Keys in an HSM.
    pub pkcs11: Option<Pkcs11Config>,
    /// Keys in three shares, of which the host has none.
    pub mpc: Option<MpcConfig>,
    /// Services that keep keys and sign by JSON-RPC, each with the name that manifests know it by.
    pub remote: Vec<(String, RemoteConfig)>,
}

/// An asset on one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asset {
    /// How limits name it.
    pub symbol: String,
    /// The chain.
    pub chain: u64,
    /// Its contract; none for the chain's own.
    pub address: Option<Address>,
    /// What its contract does.
    pub standard: Standard,
    /// The digits after the point.
    pub decimals: u8,
}

/// What a contract of an asset does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standard {
    /// Amounts: the chain's own asset, and ERC-20.
    Fungible,
    /// Single tokens: ERC-721. Each counts one.
    Single,
}

/// What has to be known about a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainSpec {
    /// Its id.
    pub id: u64,
    /// The symbol of its own asset, which has 18 decimals.
    pub native: String,
    /// What each transaction costs in addition to its gas, such as the fees of a layer below, in whole units.
    pub surcharge: Option<String>,
}

/// A limit of one signer over all agents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignerCap {
    /// The signer's address.
    pub signer: Address,
    /// The limit.
    pub limit: LimitSpec,
}

/// AWS KMS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsConfig {
    /// The region; by default that of the environment.
    pub region: Option<String>,
    /// An address other than AWS's own.
    pub endpoint_url: Option<String>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Keys that manifests may name: ids, aliases or ARNs. `{agent}` stands for the agent's name, `*` for one segment, `**` at the end for any rest.
    pub keys: Vec<NamePattern>,
}

/// Three parties that hold a share of each key; two of them sign.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MpcConfig {
    /// The cards of the three parties: files.
    pub parties: Vec<PathBuf>,
    /// This host's own card, by which the parties know it.
    pub card: PathBuf,
    /// The private key of that card, PEM (PKCS #8).
    pub key: CredentialRef,
    /// Keys that manifests may name. `{agent}` stands for the agent's name, `*` for one segment, `**` at the end for any rest.
    pub keys: Vec<NamePattern>,
    /// How long the parties may take for one signature. At most 100 s.
    pub timeout: Duration,
}

/// An HSM, by its PKCS#11 module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pkcs11Config {
    /// The module's shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The user's PIN.
    pub pin: CredentialRef,
    /// Keys that manifests may name: labels, or `id=HEX`. `{agent}` stands for the agent's name, `*` for one segment, `**` at the end for any rest.
    pub keys: Vec<NamePattern>,
    /// How many signatures are made at once.
    pub sessions: usize,
}

impl Asset {
    /// An asset with a contract that keeps amounts (ERC-20).
    #[must_use]
    pub fn fungible(symbol: impl Into<String>, chain: u64, address: Address, decimals: u8) -> Self {
        Self { symbol: symbol.into(), chain, address: Some(address), standard: Standard::Fungible, decimals }
    }
}

impl ChainSpec {
    /// A chain by its id and the symbol of its own asset.
    #[must_use]
    pub fn new(id: u64, native: impl Into<String>) -> Self {
        Self { id, native: native.into(), surcharge: None }
    }
}

impl SignerCap {
    /// A limit of one account over all agents.
    #[must_use]
    pub fn new(signer: Address, limit: LimitSpec) -> Self {
        Self { signer, limit }
    }
}

impl MpcConfig {
    /// The parties of these cards, asked by the host of that card. No manifest may name a key of them until `keys` is set.
    #[must_use]
    pub fn new(parties: [PathBuf; 3], card: impl Into<PathBuf>, key: CredentialRef) -> Self {
        Self { parties: parties.into(), card: card.into(), key, keys: Vec::new(), timeout: DEFAULT_PATIENCE }
    }

    fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let key = match &mut self.key {
            CredentialRef::File(key) => Some(key),
            CredentialRef::Env(_) => None,
        };
        self.parties.iter_mut().chain([&mut self.card]).chain(key)
    }
}

impl Pkcs11Config {
    /// The token of that label in the HSM of that module. No manifest may name a key of it until `keys` is set.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>, token: impl Into<String>, pin: CredentialRef) -> Self {
        Self { module: module.into(), token: token.into(), pin, keys: Vec::new(), sessions: DEFAULT_SESSIONS }
    }
}

impl Default for SigningConfig {
    fn default() -> Self {
        Self {
            assets: Vec::new(),
            chains: Vec::new(),
            caps: Vec::new(),
            hot_limit: Vec::new(),
            ledger: None,
            max_downtime: DEFAULT_DOWNTIME,
            raw: Vec::new(),
            permit2: PERMIT2,
            kms: None,
            pkcs11: None,
            mpc: None,
            remote: Vec::new(),
        }
    }
}

impl SigningConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> Vec<&mut PathBuf> {
        let hsm = self.pkcs11.as_mut().map(|hsm| match &mut hsm.pin {
            CredentialRef::File(pin) => vec![&mut hsm.module, pin],
            CredentialRef::Env(_) => vec![&mut hsm.module],
        });
        let remote = self.remote.iter_mut().flat_map(|(_, remote)| remote.files());
        let mpc = self.mpc.iter_mut().flat_map(MpcConfig::files);
        self.ledger.iter_mut().chain(hsm.into_iter().flatten()).chain(mpc).chain(remote).collect()
    }

    /// The asset of that contract, or the chain's own.
    pub fn asset(&self, chain: u64, address: Option<Address>) -> Option<Asset> {
        match address {
            Some(_) => self.assets.iter().find(|asset| asset.chain == chain && asset.address == address).cloned(),
            None => self.native(chain).map(|symbol| Asset { symbol, chain, address: None, standard: Standard::Fungible, decimals: 18 }),
        }
    }

    /// The asset that a limit names.
    pub(crate) fn asset_named(&self, chain: u64, symbol: &str) -> Option<Asset> {
        let native = self.asset(chain, None).filter(|asset| asset.symbol == symbol);
        native.or_else(|| self.assets.iter().find(|asset| asset.chain == chain && asset.symbol == symbol).cloned())
    }

    /// All assets of a symbol, on whichever chain.
    pub fn assets_named(&self, symbol: &str) -> Vec<Asset> {
        let chains = self.chains.iter().map(|chain| chain.id).chain(CHAINS.iter().map(|(id, _)| *id));
        let mut chains: Vec<u64> = chains.collect();
        chains.sort_unstable();
        chains.dedup();
        let native = chains.into_iter().filter_map(|chain| self.asset(chain, None));
        native.chain(self.assets.iter().cloned()).filter(|asset| asset.symbol == symbol).collect()
    }

    /// The symbol of a chain's own asset.
    fn native(&self, chain: u64) -> Option<String> {
        let configured = self.chains.iter().find(|known| known.id == chain).map(|chain| chain.native.clone());
        configured.or_else(|| CHAINS.iter().find(|(id, _)| *id == chain).map(|(_, symbol)| (*symbol).to_owned()))
    }

    /// What each transaction costs on a chain beside its gas, in whole units of the chain's own asset.
    pub(crate) fn surcharge(&self, chain: u64) -> Option<&str> {
        self.chains.iter().find(|known| known.id == chain)?.surcharge.as_deref()
    }

    /// Whether transactions of a chain pay a fee that nothing here counts.
    pub(crate) fn has_uncounted_fee(&self, chain: u64) -> bool {
        PAYS_BELOW.contains(&chain) && self.surcharge(chain).is_none()
    }
}

pub(super) fn read(section: &Section<'_>) -> SigningConfig {
    let default = SigningConfig::default();
    let hot_limit = section.strings("hot_limit", |name, text| symbol(name).and_then(|_| amount(text)).map(|_| ()));
    let max_downtime = section.parse("max_downtime", units::duration).unwrap_or(default.max_downtime);
    let raw = section.list("raw", |text| {
        let parts = text.split_once('/').filter(|(agent, signer)| names::agent_name(agent).is_ok() && names::secret_name(signer).is_ok());
        let parts = parts.map(|(agent, signer)| (agent.to_owned(), signer.to_owned()));
        parts.ok_or_else(|| Problem::new("not an agent's signer", "write `AGENT/SIGNER`, as in `oracle-bot/feed`"))
    });
    SigningConfig {
        assets: section.tables("assets").iter().filter_map(asset).collect(),
        chains: section.named_tables("chains").into_iter().filter_map(|(id, span, section)| chain(&id, span, &section)).collect(),
        caps: section.tables("caps").iter().filter_map(cap).collect(),
        hot_limit,
        ledger: section.parse("ledger", path),
        max_downtime,
        raw: raw.unwrap_or_default(),
        permit2: section.parse("permit2", address).unwrap_or(default.permit2),
        kms: section.table("kms").map(|section| kms(&section)),
        pkcs11: section.table("pkcs11").and_then(|section| pkcs11(&section)),
        mpc: section.table("mpc").and_then(|section| mpc(&section)),
        remote: section
            .named_tables("remote")
            .into_iter()
            .filter_map(|(name, span, section)| remote::read(&name, span, &section))
            .collect(),
    }
}

fn asset(section: &Section<'_>) -> Option<Asset> {
    let symbol = section.require("symbol", "symbol = ?", symbol);
    let chain = section.require_integer("chain", "chain = ?", 1..=u64::MAX >> 1);
    let address = section.require("address", "address = ?", address);
    let standard = match section.require_one_of("standard", "an unknown asset standard", &["erc20", "erc721"]) {
        Some("erc20") => Some(Standard::Fungible),
        Some(_) => Some(Standard::Single),
        None => None,
    };
    let decimals = match standard {
        Some(Standard::Fungible) => section.require_integer("decimals", "decimals = ?", 0..=36),
        Some(_) => {
            section.elsewhere(&[("decimals", "to `standard = \"erc20\"`")]);
            Some(0)
        }
        None => section.integer("decimals", 0..=36),
    };
    let decimals = decimals.and_then(|decimals| u8::try_from(decimals).ok());
    Some(Asset { symbol: symbol?, chain: chain?, address: Some(address?), standard: standard?, decimals: decimals? })
}

fn chain(id: &str, span: std::ops::Range<usize>, section: &Section<'_>) -> Option<ChainSpec> {
    let native = section.require("native", "native = ?", symbol);
    let surcharge = section.parse("surcharge", |text| match quantity::amount(text, 18) {
        Some(_) => Ok(text.to_owned()),
        None => {
            Err(Problem::new("not an amount", "write whole units of the chain's own asset and at most 18 decimals, as in `\"0.0001\"`"))
        }
    });
    let id = quantity::small(id).filter(|id| *id > 0);
    if id.is_none() {
        section.report(span, Problem::new("not a chain's id", "write it in digits, as in `[signing.chains.8453]`"));
    }
    Some(ChainSpec { id: id?, native: native?, surcharge })
}

fn cap(section: &Section<'_>) -> Option<SignerCap> {
    let signer = section.require("signer", "signer = ?", address);
    let limit = limit(section);
    Some(SignerCap { signer: signer?, limit: limit? })
}

fn kms(section: &Section<'_>) -> KmsConfig {
    KmsConfig {
        region: section.string("region"),
        endpoint_url: section.string("endpoint_url"),
        profile: section.string("profile"),
        keys: keys(section),
    }
}

fn pkcs11(section: &Section<'_>) -> Option<Pkcs11Config> {
    let module = section.require("module", "module = ?", path);
    let token = section.require("token", "token = ?", |text| Ok(text.to_owned()));
    let pin = section.require("pin", "pin = \"env:HSM_PIN\"", credential);
    let sessions = section.integer("sessions", 1..=64).and_then(|sessions| usize::try_from(sessions).ok());
    let keys = keys(section);
    Some(Pkcs11Config { module: module?, token: token?, pin: pin?, keys, sessions: sessions.unwrap_or(DEFAULT_SESSIONS) })
}

fn mpc(section: &Section<'_>) -> Option<MpcConfig> {
    let parties = section.require_list("parties", "parties = [\"alpha.toml\", \"beta.toml\", \"gamma.toml\"]", path);
    if parties.as_ref().is_some_and(|parties| parties.len() != 3) {
        section.report_here(Problem::new("not three parties", "name three cards in `parties`: two of three sign"));
    }
    let card = section.require("card", "card = \"host.toml\"", path);
    let key = section.require("key", "key = \"file:host.pem\"", credential);
    let timeout = section.parse("timeout", |text| match units::duration(text)? {
        timeout if timeout <= MAX_PATIENCE => Ok(timeout),
        _ => Err(Problem::new("too long a time", "write at most `100s`: what a signature spends is reserved for two minutes")),
    });
    let keys = section.list("keys", NamePattern::parse).unwrap_or_else(|| NamePattern::list(DEFAULT_MPC_KEYS));
    Some(MpcConfig { parties: parties?, card: card?, key: key?, keys, timeout: timeout.unwrap_or(DEFAULT_PATIENCE) })
}

fn keys(section: &Section<'_>) -> Vec<NamePattern> {
    section.list("keys", NamePattern::parse).unwrap_or_else(|| NamePattern::list(DEFAULT_KEYS))
}
