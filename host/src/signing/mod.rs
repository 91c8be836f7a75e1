//! The straight line of a signature: *decode → authorize → reserve → sign → record → release*. Decoding is [`crate::ethereum`]'s, deciding is
//! [`crate::policy`]'s; this room has the keys and the ledger.

#[cfg(test)]
mod field;
mod hot;
mod identity;
mod jose;
mod keys;
mod keystore;
#[cfg(feature = "aws")]
mod kms;
mod ledger;
mod local;
mod outliving;
mod pem;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod signer;
#[cfg(test)]
mod tests;

pub(crate) use keys::{Key, Opened};
#[cfg(feature = "aws")]
pub use kms::Kms;
pub(crate) use ledger::{Ledger, Sums};
#[cfg(feature = "cli")]
pub(crate) use local::{address_of_local, fresh};
#[cfg(feature = "pkcs11")]
pub use pkcs11::Pkcs11;
pub use signer::{Signer, SignerBackend, SignerError};

use crate::audit::{Event, Journal};
use crate::clock::{Clock, Wall};
use crate::ethereum::transaction::Transaction;
use crate::manifest::{Asset, JwtSpec, Manifest, Purpose, SignerCap, SignerSpec, SigningConfig};
use crate::policy::{AssetId, Budget, Denial, Limit, MacPermit, Payload, Rule, SignPermit, TokenPermit, WalletPolicy, shown};
use crate::secrets::{Backends, Fingerprint, SecretValue, Variables};
use crate::state::StateDir;
use crate::text::{hex, line};
use alloy_primitives::{Address, B256, U256, keccak256};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use hot::Hot;
use identity::Known;
use keys::Keys;
use ledger::{Ceiling, Claim, Refused, Reservation, Reserved};
use outliving::Outliving;
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use zeroize::Zeroizing;

/// What a transaction would do, and spend at most. See [`Wallet::judge`](crate::Wallet::judge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it does, in lines for people.
    pub what: Vec<String>,
    /// What it spends at most: amount and symbol, and the chain.
    pub spends: Vec<String>,
}

/// What all agents of a host share: keys, the ledger, and the operator's tables.
pub(crate) struct Signing {
    pub(crate) config: Arc<SigningConfig>,
    keys: Keys,
    state: Option<StateDir>,
    clock: Clock,
    wall: Wall,
    ledger: OnceLock<Result<Ledger, String>>,
    hot: Hot,
    /// Limits over all agents, by account.
    caps: Vec<(Address, Limit)>,
}

/// One signer of one agent, checked as the agent was loaded.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) spec: SignerSpec,
    pub(crate) policy: Use,
    rate: Budget,
}

/// What a key is used for, ready to decide.
#[derive(Debug)]
pub(crate) enum Use {
    Wallet(Box<WalletPolicy>),
    Jwt(JwtSpec),
    Hmac(regex::Regex),
    Solana(Vec<regex::Regex>),
    Digest { granted: bool },
}

/// Why nothing was signed.
#[derive(Debug)]
pub(crate) enum Failure {
    Denied(Denial),
    Unreachable,
    Unknown,
    /// The audit log or the ledger can't be written.
    NoRecord,
}

/// One request for a signature.
pub(crate) struct Asked {
    pub(crate) signing: Arc<Signing>,
    pub(crate) signer: Arc<Opened>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) idempotency: Option<String>,
}

impl Signing {
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn new(
        config: SigningConfig,
        own: Vec<(String, Arc<dyn SignerBackend>)>,
        state: Option<StateDir>,
        variables: Arc<Variables>,
        clock: Clock,
        wall: Wall,
    ) -> Result<Self, String> {
        let config = Arc::new(config);
        let cap = |cap: &SignerCap| Limit::of(&cap.limit, &config).map(|limit| (cap.signer, limit));
        let caps = config.caps.iter().map(cap).collect::<Result<_, _>>().map_err(|why| format!("`signing.caps`: {why}"))?;
        let known = Known::new(state.as_ref()).map_err(|error| error.to_string())?;
        Ok(Self {
            keys: Keys::new(own, &config, known, variables),
            hot: Hot::new(&config)?,
            caps,
            config,
            state,
            clock,
            wall,
            ledger: OnceLock::new(),
        })
    }

    /// What a manifest says of its signers, checked against the host's tables.
    ///
    /// # Errors
    /// The signer's name, and what can't be granted.
    pub(crate) fn grant(&self, manifest: &Manifest, backends: &Backends) -> Result<Vec<Arc<Granted>>, (String, String)> {
        self.keys.mark_sent(manifest, backends)?;
        let one = |spec: &SignerSpec| {
            self.keys.check(spec, manifest, backends)?;
            let policy = match &spec.purpose {
                Purpose::Wallet(wallet) => {
                    let policy = WalletPolicy::new(&spec.name, wallet, &self.config)?;
                    if self.keys.is_local(spec) {
                        let (key, user) = (Keys::entry(spec, &manifest.name, backends), format!("{}/{}", manifest.name, spec.name));
                        self.hot.check(&self.config, &key, &user, &wallet.limits)?;
                    }
                    Use::Wallet(Box::new(policy))
                }
                Purpose::Jwt(jwt) => Use::Jwt(jwt.clone()),
                Purpose::Hmac { template } => Use::Hmac(template.clone()),
                Purpose::Solana { messages } => Use::Solana(messages.clone()),
                Purpose::Digest => {
                    let granted = self.config.raw.iter().any(|(agent, signer)| *agent == manifest.name && *signer == spec.name);
                    Use::Digest { granted }
                }
            };
            if self.state.is_none() {
                return Err("a host that keeps no state keeps no ledger, and signs nothing".to_owned());
            }
            Ok(Arc::new(Granted { spec: spec.clone(), policy, rate: Budget::new(spec.rate) }))
        };
        manifest.signers.iter().map(|spec| one(spec).map_err(|why| (spec.name.clone(), why))).collect()
    }

    /// Refuses to let an agent send a value that is a key which signs, whichever way either is named or written. By that the value counts as sent,
    /// and serves no signer.
    ///
    /// # Errors
    /// Why it can't be sent.
    pub(crate) fn check_sent(&self, value: &SecretValue, fingerprint: Fingerprint, by: &str) -> Result<(), String> {
        self.keys.check_sent(value, fingerprint, by)
    }

    /// Opens a signer: has its key, or its way to it.
    ///
    /// # Errors
    /// Why it can't be had, without a part of it.
    pub(crate) async fn open(&self, granted: &Arc<Granted>, agent: &str, backends: &Backends) -> Result<Arc<Opened>, SignerError> {
        let opened = self.keys.open(granted, agent, backends).await?;
        // Once more by the key itself: one may have several names.
        if let (Purpose::Wallet(wallet), Key::Account { signer, .. }) = (&granted.spec.purpose, &opened.key)
            && signer.is_hot()
        {
            let user = format!("{agent}/{}", granted.spec.name);
            self.hot.check(&self.config, &hex(&opened.id), &user, &wallet.limits).map_err(SignerError::Refused)?;
        }
        // What spends needs the operator's word before it is first used here: a ledger that was lost would begin at nothing.
        if !matches!(granted.policy, Use::Wallet(_)) {
            let ledger = self.ledger().map_err(SignerError::Unavailable)?;
            ledger.enroll(&opened.id, opened.purpose()).await.map_err(SignerError::Refused)?;
        }
        Ok(opened)
    }

    /// What a signer's key is known by, without taking it into use.
    ///
    /// # Errors
    /// Why it can't be had, without a part of it.
    #[cfg(feature = "cli")]
    pub(crate) async fn look(&self, granted: &Granted, agent: &str, backends: &Backends) -> Result<String, SignerError> {
        self.keys.look(granted, agent, backends).await
    }

    /// Takes a signer's key into the ledger, and the operator's word that the ledger is the latest.
    pub(crate) async fn confirm(&self, opened: &Opened) -> Result<(), String> {
        let ledger = self.ledger()?;
        ledger.enroll(&opened.id, opened.purpose()).await?;
        ledger.confirm().await
    }

    /// The ledger, opened as it is first needed.
    pub(crate) fn ledger(&self) -> Result<&Ledger, String> {
        let open = || {
            let state = self.state.as_ref().ok_or_else(|| "this host keeps no state".to_owned())?;
            let directory = match &self.config.ledger {
                Some(path) => StateDir::open(path),
                None => state.subdirectory("ledger"),
            };
            let directory = directory.map_err(|error| error.to_string())?;
            let seal = state.key("ledger.key").map_err(|error| error.to_string())?;
            Ledger::open(directory.path(), &seal, self.config.max_downtime, self.wall.clone(), self.clock.clone())
        };
        self.ledger.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.wall.now() / 1_000
    }
}

/// The verdict on a transaction, without signing it.
pub(crate) fn judge(signer: &Opened, payload: &[u8]) -> Result<Verdict, Denial> {
    let deny =
        |rule: Rule, reason: String| Denial { rule, asked: "judge a transaction".to_owned(), reason, remedy: String::new(), stop: false };
    let transaction = Transaction::read(payload).map_err(|wrong| deny(Rule::Undecodable, wrong.to_string()))?;
    let (Use::Wallet(policy), Some(own)) = (&signer.granted.policy, signer.key.address()) else {
        return Err(deny(Rule::Kind, "the signer is no wallet".to_owned()));
    };
    let permit = policy.transaction(own, transaction)?;
    let spends = permit.spends().iter().filter_map(|(id, amount)| {
        let asset = policy.config().asset(id.chain, id.contract)?;
        Some(format!("{} on chain {}", shown(*amount, &asset), id.chain))
    });
    Ok(Verdict { what: permit.lines().to_vec(), spends: spends.collect() })
}

/// A line of a record, at most so long: what was signed in full is what the digest stands for.
fn cut(mut line: String) -> String {
    const LINE: usize = 2_048;
    if line.len() > LINE {
        let bytes = line.len();
        line.truncate((0..=LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0));
        line.push_str(&format!("… ({bytes} bytes)"));
    }
    line
}

/// Signs what was permitted: reserves, asks the key, keeps the record, and only then gives the signature. A guest that ends meanwhile takes
/// nothing back.
pub(crate) fn sign(asked: Asked, permit: SignPermit) -> impl Future<Output = Result<Vec<u8>, Failure>> + use<> {
    match asked.claim(permit) {
        Ok(Claimed::New(leave)) => {
            let at_once = asked.signer.key.is_here();
            let work = leave.sign(asked);
            // Who is asked elsewhere may be waited for by others too: that goes on whether the run is looked after or not.
            let signed = if at_once {
                Either::Left(Outliving::new(work).map(Result::ok))
            } else {
                Either::Right(tokio::spawn(work).map(Result::ok))
            };
            Either::Right(signed.map(|signed| signed.unwrap_or(Err(Failure::Unknown))))
        }
        Ok(Claimed::Before(signed)) => Either::Left(ready(Ok(signed))),
        Err(failure) => Either::Left(ready(Err(failure))),
    }
}

/// What came of a claim on what a permit spends.
enum Claimed {
    New(ToSign),
    /// It was signed before, under the same idempotency key: the signed bytes.
    Before(Vec<u8>),
}

/// What was permitted, with what it spends reserved.
struct ToSign {
    reservation: Box<Reservation>,
    permit: SignPermit,
    lines: Arc<[String]>,
}

impl ToSign {
    async fn sign(self, asked: Asked) -> Result<Vec<u8>, Failure> {
        let Self { reservation, permit, lines } = self;
        let (digest, spends) = (permit.digest(), permit.spends().to_vec());
        let mut signed = match asked.signer.sign(permit).await {
            Ok(signed) => signed,
            Err(error) => {
                let spent = matches!(error, SignerError::Unknown(_));
                if !spent {
                    reservation.release();
                }
                let event = Event::SignerFailed { signer: &asked.signer.granted.spec.name, reason: &error.to_string(), spent };
                asked.journal.record(event).map_err(|_| Failure::NoRecord)?;
                return Err(if spent { Failure::Unknown } else { Failure::Unreachable });
            }
        };
        reservation.commit(&signed).await.map_err(|why| {
            tracing::error!("a signature was not given out: {why}");
            Failure::NoRecord
        })?;
        asked.record(digest, &spends, &lines, false)?;
        Ok(std::mem::take(&mut *signed))
    }
}

/// A token, recorded before it leaves.
pub(crate) async fn token(asked: Asked, permit: TokenPermit) -> Result<String, Failure> {
    let Key::Token(key) = &asked.signer.key else { return Err(Failure::Denied(asked.wrong_use("sign a token"))) };
    asked.within_rate()?;
    let token = key.token(&permit).map_err(|_| Failure::Unreachable)?;
    let input = token.rsplit_once('.').map_or("", |(input, _)| input);
    let text = |part: &serde_json::Map<String, serde_json::Value>| serde_json::to_string(part).unwrap_or_default();
    let line = format!("token {} {}", text(permit.header()), text(permit.claims()));
    asked.account(line, input.as_bytes()).await?;
    Ok(token)
}

/// An HMAC, recorded before it leaves.
pub(crate) async fn authenticate(asked: Asked, permit: MacPermit) -> Result<Vec<u8>, Failure> {
    let Key::Hmac(key) = &asked.signer.key else { return Err(Failure::Denied(asked.wrong_use("authenticate an input"))) };
    asked.within_rate()?;
    let input = permit.input();
    asked.account(format!("HMAC of {} bytes: {input:?}", input.len()), input.as_bytes()).await?;
    Ok(jose::authenticate(key, permit).to_vec())
}

impl Asked {
    /// The agent's limits.
    fn limits(&self) -> &[Limit] {
        match &self.signer.granted.policy {
            Use::Wallet(policy) => policy.limits(),
            _ => &[],
        }
    }

    /// The ceilings of a key that lies in this process.
    fn ceilings(&self) -> &[Ceiling] {
        match &self.signer.key {
            Key::Account { signer, .. } if signer.is_hot() => self.signing.hot.ceilings(),
            _ => &[],
        }
    }

    /// Takes one use of the signer's rate.
    fn within_rate(&self) -> Result<(), Failure> {
        let Granted { spec, rate, .. } = &*self.signer.granted;
        match rate.take(Instant::now()) {
            true => Ok(()),
            false => Err(Failure::Denied(Denial {
                rule: Rule::Rate,
                asked: format!("use the signer {}", spec.name),
                reason: "more signatures than the granted rate".to_owned(),
                remedy: crate::policy::denial::set("rate", "?", &format!("`[signers.{}]`", spec.name)),
                stop: false,
            })),
        }
    }

    /// Claims what a permit spends.
    fn claim(&self, permit: SignPermit) -> Result<Claimed, Failure> {
        let lines: Arc<[String]> = permit.lines().iter().take(LINES).cloned().map(cut).collect();
        self.within_rate()?;
        let ledger = self.signing.ledger().map_err(|why| Failure::Denied(blocked(&why)))?;
        let caps = self.signing.caps(self.signer.key.address());
        let claim = Claim {
            key: &self.signer.id,
            purpose: self.signer.purpose(),
            agent: &self.signer.agent,
            digest: permit.digest(),
            nonce: permit.nonce(),
            spends: permit.spends(),
            limits: self.limits(),
            caps: &caps,
            ceilings: self.ceilings(),
            lines: Arc::clone(&lines),
            idempotency: self.idempotency.as_deref(),
        };
        match ledger.reserve(&claim) {
            Ok(Reserved::New(reservation)) => Ok(Claimed::New(ToSign { reservation, permit, lines })),
            Ok(Reserved::Before(signed)) => {
                self.record(permit.digest(), permit.spends(), &lines, true)?;
                Ok(Claimed::Before(signed))
            }
            Err(refused) => Err(Failure::Denied(self.refused(refused))),
        }
    }

    /// Hands the record of a signature to the audit log.
    fn record(&self, digest: B256, spends: &[(AssetId, U256)], what: &[String], again: bool) -> Result<(), Failure> {
        let asset = |id: &AssetId| self.signing.config.asset(id.chain, id.contract);
        let spent = |(id, amount): &(AssetId, U256)| Some(line(format_args!("{} on chain {}", shown(*amount, &asset(id)?), id.chain)));
        let of_these = self.limits().iter().filter(|limit| spends.iter().any(|(id, _)| *id == limit.asset));
        let left = of_these.filter_map(|limit| {
            let sums = self.signing.ledger().ok()?.spent(&self.signer.id, Some(&self.signer.agent), limit.asset);
            Some(left(limit, &sums, &asset(&limit.asset)?))
        });
        let event = Event::Signed {
            signer: &self.signer.granted.spec.name,
            key: &self.signer.shown,
            what,
            spends: &spends.iter().filter_map(spent).collect::<Vec<_>>(),
            left: &left.collect::<Vec<_>>(),
            digest: &hex(digest.as_slice()),
            again,
        };
        self.journal.record(event).map_err(|_| Failure::NoRecord)
    }

    /// Keeps a record of what spends nothing, and hands it to the audit log.
    async fn account(&self, what: String, input: &[u8]) -> Result<(), Failure> {
        let digest = B256::from_slice(&Sha256::digest(input));
        let what: Arc<[String]> = [cut(what)].into();
        let ledger = self.signing.ledger().map_err(|why| Failure::Denied(blocked(&why)))?;
        ledger.note(&self.signer.id, &self.signer.agent, digest, Arc::clone(&what)).await.map_err(|_| Failure::NoRecord)?;
        self.record(digest, &[], &what, false)
    }

    fn refused(&self, refused: Refused) -> Denial {
        match (refused, &self.signer.granted.policy) {
            (Refused::Limit { asset, window, own }, Use::Wallet(policy)) => policy.over_limit(asset, window, own),
            (Refused::Hot { ceiling }, _) => Denial {
                rule: Rule::Spend,
                asked: "spend from a key in this process".to_owned(),
                reason: "more than may be spent".to_owned(),
                remedy: format!(
                    "`signing.hot_limit` allows all agents together {ceiling} in a day; keep the key in an HSM, a KMS or by MPC"
                ),
                stop: false,
            },
            (Refused::Limit { .. }, _) => blocked("the ledger has a limit for a key that has none"),
            (Refused::Idempotency(why), _) => Denial {
                rule: Rule::Idempotency,
                asked: "sign under an idempotency key".to_owned(),
                reason: why.to_owned(),
                remedy: "the agent takes a new key for each thing it signs".to_owned(),
                stop: false,
            },
            (Refused::Blocked(why), _) => blocked(&why),
        }
    }

    /// The denial of a use that is not the key's.
    pub(crate) fn wrong_use(&self, what: &str) -> Denial {
        Denial {
            rule: Rule::Kind,
            asked: what.to_owned(),
            reason: format!("the signer is there to serve as `{}` alone", self.signer.purpose()),
            remedy: "one key, one purpose: declare another signer with another key".to_owned(),
            stop: false,
        }
    }
}

impl Signing {
    /// The limits of an account over all agents.
    pub(crate) fn caps(&self, account: Option<Address>) -> Vec<Limit> {
        self.caps.iter().filter(|(signer, _)| Some(*signer) == account).map(|(_, limit)| *limit).collect()
    }
}

/// What is left of the limits of an agent's signer, and what the ledger wants confirmed, in lines for people.
///
/// # Errors
/// Why the ledger can't be opened.
pub(crate) fn standing(signing: &Signing, signer: &Opened) -> Result<Vec<String>, String> {
    let Use::Wallet(policy) = &signer.granted.policy else { return Ok(vec!["spends nothing".to_owned()]) };
    let ledger = signing.ledger()?;
    let doubts = ledger.doubts();
    let mut lines: Vec<String> = [doubts.blocked, doubts.stopped].into_iter().flatten().collect();
    if ledger.purpose(&signer.id).is_none() {
        lines.push("the ledger does not know the key; `strongroom limits confirm` takes it in".to_owned());
    }
    let caps = signing.caps(signer.key.address());
    let own = policy.limits().iter().map(|limit| (Some(signer.agent.as_str()), limit));
    for (agent, limit) in own.chain(caps.iter().map(|limit| (None, limit))) {
        let Some(asset) = signing.config.asset(limit.asset.chain, limit.asset.contract) else { continue };
        let text = left(limit, &ledger.spent(&signer.id, agent, limit.asset), &asset);
        lines.push(if agent.is_some() { text } else { format!("over all agents, {text}") });
    }
    Ok(lines)
}

/// Lines of a record, at most.
const LINES: usize = 64;

/// What is left of a limit, for people.
fn left(limit: &Limit, sums: &Sums, asset: &Asset) -> String {
    let windows = [("this hour", limit.hour, sums.hour), ("today", limit.day, sums.day), ("in all", limit.total, sums.total)];
    let parts = windows.into_iter().filter_map(|(window, most, sum)| Some(shown(most?.saturating_sub(sum), asset) + " " + window));
    let parts: Vec<String> = parts.collect();
    let parts = if parts.is_empty() { "no bound".to_owned() } else { parts.join(", ") };
    line(format_args!("{} on chain {}: {parts}", asset.symbol, asset.chain))
}

fn blocked(why: &str) -> Denial {
    Denial {
        rule: Rule::Ledger,
        asked: "sign by the ledger".to_owned(),
        reason: "the ledger needs the operator's word".to_owned(),
        remedy: format!(
            "{why}; when the ledger is the latest there is, and what was spent before does not matter: `strongroom limits confirm AGENT.toml`"
        ),
        stop: false,
    }
}

impl Opened {
    /// Asks the key for what was permitted.
    async fn sign(&self, permit: SignPermit) -> Result<Zeroizing<Vec<u8>>, SignerError> {
        match (&self.key, permit.payload()) {
            (Key::Account { signer, public, .. }, Payload::Transaction(transaction)) => {
                let signature = signer::sign(&**signer, public, &permit).await?;
                Ok(Zeroizing::new(transaction.signed(&signature)))
            }
            (Key::Account { signer, public, .. }, Payload::Digest) => {
                Ok(Zeroizing::new(signer::sign(&**signer, public, &permit).await?.to_bytes().to_vec()))
            }
            (Key::Solana(key), Payload::Message(bytes)) => Ok(Zeroizing::new(key.sign(bytes).as_ref().to_vec())),
            _ => Err(SignerError::Refused("the key signs nothing of this kind".to_owned())),
        }
    }
}

/// The hash by which a chain knows a signed transaction.
pub(crate) fn transaction_hash(raw: &[u8]) -> [u8; 32] {
    keccak256(raw).0
}
