//! The straight line of a signature: *decode → authorize → reserve → sign → record → release*. Decoding is [`crate::ethereum`]'s, deciding is
//! [`crate::policy`]'s; this room has the keys and the ledger.

mod any_ledger;
mod bounds;
mod claim;
mod grant;
mod hot;
mod keys;
#[cfg(feature = "aws")]
mod kms;
mod known;
mod ledger;
mod mac;
#[cfg(feature = "mpc")]
mod mpc;
mod outliving;
mod pending;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod remote;
mod report;
mod shared_ledger;
mod sign;
mod token;
mod unkept;

pub(crate) use bounds::Bounds;
pub(crate) use grant::{Granted, Use};
pub(crate) use keys::Opened;
#[cfg(feature = "aws")]
pub use kms::Kms;
pub(crate) use mac::authenticate;
#[cfg(feature = "mpc")]
pub use mpc::Mpc;
#[cfg(all(feature = "mpc", feature = "ops"))]
pub(crate) use mpc::parties;
#[cfg(feature = "pkcs11")]
pub use pkcs11::Pkcs11;
pub use remote::Remote;
pub use report::Verdict;
#[cfg(feature = "ops")]
pub(crate) use report::left_of;
pub(crate) use report::{judge, standing};
pub(crate) use sign::sign;
pub(crate) use token::token;

use crate::audit::Journal;
use crate::clock::{Clock, Wall};
use crate::keys::{SignerBackend, SignerError};
use crate::kill_switch::Line;
use crate::lock::{Mutex, RwLock};
use crate::manifest::{Purpose, SigningConfig};
use crate::policy::{Denial, Limit, refused};
use crate::secrets::{Backends, Fingerprint, SecretValue, Variables};
use crate::session::{Later, Session};
use crate::shared::{self, SharedError, SharedRates, Taken, Tickets, Use as OneUse};
use crate::state::StateDir;
use crate::text::hex;
use alloy_primitives::{Address, keccak256};
use any_ledger::AnyLedger;
use hot::Hot;
use keys::Keys;
use known::Known;
use ledger::Ledger;
use shared_ledger::SharedLedger;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What all agents of a host share: keys, the ledger, and the operator's tables.
pub(crate) struct Signing {
    pub(crate) config: Arc<SigningConfig>,
    keys: Keys,
    state: Option<StateDir>,
    clock: Clock,
    wall: Wall,
    /// The host's own ledger, opened as it is first needed.
    own_ledger: OnceLock<Ledger>,
    /// Whose turn it is to open it.
    opening: Mutex<()>,
    /// The ledger that it shares with others instead.
    shared_ledger: Option<SharedLedger>,
    rates: Option<SharedRates>,
    tickets: Arc<dyn Tickets>,
    hot: Hot,
    /// Bounds over all agents.
    bounds: RwLock<Arc<Bounds>>,
}

/// What a host shares of signing with others.
pub(crate) struct Sharing {
    pub(crate) ledger: Option<Arc<dyn shared::Ledger>>,
    pub(crate) rates: Option<SharedRates>,
    pub(crate) tickets: Arc<dyn Tickets>,
}

/// One request for a signature.
pub(crate) struct Asked {
    pub(crate) signing: Arc<Signing>,
    pub(crate) signer: Arc<Opened>,
    /// The session's journal alone: a signature outlives its run, and the rest of the session must not.
    journal: Arc<Journal>,
    /// What the agent's effects hang on. The operator's own hang on none.
    line: Option<Arc<Line>>,
    /// What was read of the agent's manifest since its run began.
    later: Option<Arc<Later>>,
    pub(crate) idempotency: Option<String>,
}

/// Why nothing was signed.
#[derive(Debug)]
pub(crate) enum Failure {
    Denied(Denial),
    /// There is no signature, for that reason, which an operator is told.
    Unreachable(#[cfg_attr(not(feature = "ops"), expect(dead_code, reason = "an agent is told none"))] String),
    Unknown,
    /// Somebody has to decide first. What it would spend stays reserved.
    Pending,
    /// The audit log can't be written.
    NoRecord,
    /// The host's own ledger can't be written: its place, and why.
    NoLedger(String),
}

impl Signing {
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn new(
        config: SigningConfig,
        own: Vec<(String, Arc<dyn SignerBackend>)>,
        state: Option<StateDir>,
        variables: Arc<Variables>,
        sharing: Sharing,
        clock: Clock,
        wall: Wall,
    ) -> Result<Self, String> {
        let config = Arc::new(config);
        let known = Known::new(state.as_ref()).map_err(|error| error.to_string())?;
        Ok(Self {
            keys: Keys::new(own, &config, known, variables),
            hot: Hot::default(),
            bounds: RwLock::new(Arc::new(Bounds::of(&config)?)),
            config,
            state,
            own_ledger: OnceLock::new(),
            opening: Mutex::default(),
            shared_ledger: sharing.ledger.map(|ledger| SharedLedger::new(ledger, clock.clone())),
            rates: sharing.rates,
            tickets: sharing.tickets,
            clock,
            wall,
        })
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
    /// Why it is unavailable, without a part of it.
    pub(crate) async fn open(&self, granted: &Arc<Granted>, agent: &str, backends: &Backends) -> Result<Arc<Opened>, SignerError> {
        let opened = self.keys.open(granted, agent, backends).await?;
        // Once more by the key itself: one may have several names.
        if let Purpose::Wallet(wallet) = &granted.spec.purpose
            && opened.key.is_hot()
        {
            let user = format!("{agent}/{}", granted.spec.name);
            self.hot.check(&self.bounds().hot, &hex(&opened.id), &user, &wallet.limits).map_err(SignerError::Refused)?;
        }
        // What spends needs the operator's confirmation before it is first used here: a ledger that was lost would begin at nothing.
        if !matches!(granted.policy, Use::Wallet(_)) {
            let ledger = self.ledger().map_err(SignerError::Unavailable)?;
            let enrolled = ledger.enroll(&opened.id, opened.purpose()).await;
            enrolled.map_err(|error| match error {
                SharedError::Refused(why) => SignerError::Refused(why),
                SharedError::Unavailable(why) => SignerError::Unavailable(why),
            })?;
        }
        Ok(opened)
    }

    /// What a signer's key is known by, without taking it into use.
    ///
    /// # Errors
    /// Why it is unavailable, without a part of it.
    #[cfg(feature = "ops")]
    pub(crate) async fn look(&self, granted: &Granted, agent: &str, backends: &Backends) -> Result<String, SignerError> {
        self.keys.look(granted, agent, backends).await
    }

    /// Takes the keys of signers into the ledger, and the operator's confirmation that the ledger is the latest.
    pub(crate) async fn confirm(&self, opened: &[Arc<Opened>]) -> Result<(), String> {
        if opened.is_empty() {
            return Ok(());
        }
        let ledger = self.ledger()?;
        // Together, so that one write takes all of them along.
        let enrolled = futures_util::future::join_all(opened.iter().map(|signer| ledger.enroll(&signer.id, signer.purpose()))).await;
        for (signer, enrolled) in opened.iter().zip(enrolled) {
            enrolled.map_err(|error| format!("signer `{}` ({}): {error}", signer.granted.spec.name, signer.shown))?;
        }
        ledger.confirm().await.map_err(|error| error.to_string())
    }

    /// Whether other hosts have a say in what is signed here.
    fn is_shared(&self) -> bool {
        self.shared_ledger.is_some() || self.rates.is_some()
    }

    /// Whether a ledger is in use, so that asking it opens none.
    #[cfg(feature = "ops")]
    pub(crate) fn has_open_ledger(&self) -> bool {
        self.shared_ledger.is_some() || self.own_ledger.get().is_some()
    }

    /// Whether there is a ledger to sign by.
    fn has_ledger(&self) -> bool {
        self.shared_ledger.is_some() || self.state.is_some()
    }

    /// The ledger to sign by.
    fn ledger(&self) -> Result<AnyLedger<'_>, String> {
        match &self.shared_ledger {
            Some(shared) => Ok(AnyLedger::Shared(shared)),
            None => self.own_ledger().map(AnyLedger::Embedded),
        }
    }

    /// The host's own ledger, opened as it is first needed. Where that fails, as while a command has it open, the next one tries again.
    fn own_ledger(&self) -> Result<&Ledger, String> {
        if let Some(ledger) = self.own_ledger.get() {
            return Ok(ledger);
        }
        let _turn = self.opening.lock();
        if let Some(ledger) = self.own_ledger.get() {
            return Ok(ledger);
        }
        let open = || {
            let state = self.state.as_ref().ok_or_else(|| "this host keeps no state; name a directory for it".to_owned())?;
            let directory = match &self.config.ledger {
                Some(path) => StateDir::open(path),
                None => state.subdirectory("ledger"),
            };
            let directory = directory.map_err(|error| error.to_string())?;
            let seal = state.key("ledger.key").map_err(|error| error.to_string())?;
            Ledger::open(directory.path(), &seal, self.config.max_downtime, self.wall.clone(), self.clock.clone())
        };
        let ledger = open()?;
        Ok(self.own_ledger.get_or_init(|| ledger))
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.wall.now() / 1_000
    }

    /// The limits of an account over all agents.
    pub(crate) fn caps(&self, account: Option<Address>) -> Vec<Limit> {
        self.bounds().caps(account)
    }

    /// The bounds over all agents, as they are now.
    fn bounds(&self) -> Arc<Bounds> {
        Arc::clone(&self.bounds.read())
    }

    /// Has these bounds hold from the next signature on.
    pub(crate) fn take(&self, bounds: Bounds) {
        *self.bounds.write() = Arc::new(bounds);
    }
}

impl Asked {
    /// A request of a session's agent.
    pub(crate) fn new(session: &Session, signing: &Arc<Signing>, signer: &Arc<Opened>, idempotency: Option<String>) -> Self {
        let (journal, line, later) = (Arc::clone(&session.journal), Some(Arc::clone(&session.line)), Some(Arc::clone(&session.later)));
        Self { signing: Arc::clone(signing), signer: Arc::clone(signer), journal, line, later, idempotency }
    }

    /// A request of the operator's, under the same rules.
    #[cfg(feature = "ops")]
    pub(crate) fn of_operator(signing: &Arc<Signing>, signer: &Arc<Opened>, journal: &Arc<Journal>) -> Self {
        Self {
            signing: Arc::clone(signing),
            signer: Arc::clone(signer),
            journal: Arc::clone(journal),
            line: None,
            later: None,
            idempotency: None,
        }
    }

    /// Gives out what was made, unless the agent was stopped meanwhile, or its signer withdrawn: a key may be asked for long.
    fn give<T>(&self, made: T) -> Result<T, Failure> {
        if let Some(denial) = self.line.as_ref().and_then(|line| line.denial()) {
            return Err(Failure::Denied(denial));
        }
        self.later.iter().try_for_each(|later| later.still_signs(&self.signer.granted.spec)).map(|()| made).map_err(Failure::Denied)
    }

    /// Takes one use of the signer's rate on this host.
    fn within_own_rate(&self, now: Instant) -> Result<(), Failure> {
        let Granted { spec, rate, .. } = &*self.signer.granted;
        if rate.take(now) { Ok(()) } else { Err(Failure::Denied(refused::over_rate(&spec.name))) }
    }

    /// Takes one use of the signer's rate: on this host, and on all that share it; or on none.
    async fn within_rate(&self) -> Result<(), Failure> {
        let now = Instant::now();
        self.within_own_rate(now)?;
        let Some(rates) = &self.signing.rates else { return Ok(()) };
        let Granted { spec, rate, .. } = &*self.signer.granted;
        let name = format!("{}/signers.{}", self.signer.agent, spec.name);
        let denial = match rates.take(&[OneUse::new(&name, rate.rate())]).await {
            Ok(Taken::All) => return Ok(()),
            Ok(Taken::Nothing { .. }) => refused::over_rate(&spec.name),
            Err(why) => refused::rates_silent(&spec.name, &why.to_string()),
        };
        rate.give_back(now);
        Err(Failure::Denied(denial))
    }

    /// The denial of a use that is not the key's.
    pub(crate) fn wrong_use(&self, what: &str) -> Denial {
        refused::wrong_use(self.signer.purpose(), what)
    }
}

/// The hash by which a chain knows a signed transaction.
pub(crate) fn transaction_hash(raw: &[u8]) -> [u8; 32] {
    keccak256(raw).0
}
