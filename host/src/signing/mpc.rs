//! Keys in three shares, each at a party with a policy and a ledger of its own; two of them sign. This host holds none.
//!
//! A party is asked for what was permitted, never for a digest: it decodes and judges by itself. What it returns is taken as a signature or not, like
//! anybody's. Where one refuses, errs or is out of reach, the next is asked, under the same idempotency key: what is signed twice is spent once.

use crate::keys::{Answer, PublicKey, SignRequest, Signature, Signer, SignerBackend, SignerError};
use crate::manifest::{MpcConfig, NamePattern, Purpose};
use crate::text::{for_people, hex, unhex};
use async_trait::async_trait;
use k256::ecdsa::VerifyingKey;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use std::sync::Arc;
use std::time::Duration;
use strongroom_mpc::says::{self, FailureKind, Question, Request, What};
use strongroom_mpc::{Card, Identity, NoAnswer, Parties};
use tokio::sync::OnceCell;

/// How long a party may take to say which key it has a share of.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys of three parties, named as they were made, as far as `[signing.mpc] keys` goes.
pub struct Mpc(Arc<Three>);

struct Three {
    config: MpcConfig,
    parties: OnceCell<Parties>,
}

/// One key.
struct Key {
    three: Arc<Three>,
    name: String,
    public: OnceCell<VerifyingKey>,
}

impl Mpc {
    /// The parties of that configuration. Its cards are read when the first key is asked for.
    #[must_use]
    pub fn new(config: &MpcConfig) -> Self {
        Self(Arc::new(Three { config: config.clone(), parties: OnceCell::new() }))
    }

    fn find(&self, key: &str, agent: &str) -> Result<(), String> {
        let keys = &self.0.config.keys;
        if keys.iter().any(|pattern| pattern.matches(key, agent)) {
            return Ok(());
        }
        let (shown, keys) = (for_people(key), NamePattern::shown(keys));
        Err(format!(
            "a manifest of `{agent}` can't name the key `{shown}` of the parties; the operator's `[signing.mpc] keys` are `{keys}`"
        ))
    }
}

#[async_trait]
impl SignerBackend for Mpc {
    fn check(&self, key: &str, agent: &str, purpose: &Purpose) -> Result<(), String> {
        self.find(key, agent)?;
        match purpose {
            Purpose::Wallet(_) => Ok(()),
            _ => Err(format!(
                "parties judge transactions, typed data, messages and authorizations of an account, and a signer of the use `{}` signs \
                 what they can't judge; keep its key in a backend of secrets, in a KMS or in an HSM",
                purpose.name()
            )),
        }
    }

    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError> {
        self.find(key, agent).map_err(SignerError::Refused)?;
        Ok(Arc::new(Key { three: Arc::clone(&self.0), name: key.to_owned(), public: OnceCell::new() }))
    }
}

#[async_trait]
impl Signer for Key {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok((*self.public.get_or_try_init(|| self.agreed()).await?).into())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let PublicKey::Secp256k1(public) = self.public_key().await? else { return Err(SignerError::Refused(self.shown())) };
        let parties = self.three.parties().await?;
        let what =
            what(request).ok_or_else(|| SignerError::Refused(format!("{} signs nothing that the parties can't judge", self.shown())))?;
        let question = Question::Sign(Box::new(Request {
            key: self.name.clone(),
            agent: request.agent().to_owned(),
            what,
            idempotency: match request.idempotency() {
                // What an agent chooses is never one of the host's own.
                Some(key) => format!("agent:{key}"),
                None => format!("host:{}", hex(&*crate::random::key().map_err(|error| SignerError::Unavailable(error.to_string()))?)),
            },
        }));
        let mut saw = Vec::new();
        let mut worst = FailureKind::Unavailable;
        for party in 0..parties.count() {
            let name = parties.name(party);
            let failure = match parties.ask(party, &question, self.three.config.timeout).await {
                Ok(says::Answer::Signed(signed)) => {
                    let signature = unhex(&signed.signature).and_then(|bytes| k256::ecdsa::Signature::from_slice(&bytes).ok());
                    if let Some(signature) = signature.filter(|signature| public.verify_prehash(&request.digest(), signature).is_ok()) {
                        if let Some(why) = &signed.unacknowledged {
                            tracing::warn!("{}: signed without the third party's acknowledgement: {}", self.shown(), for_people(why));
                        }
                        return Ok(Answer::Signed(Signature::Secp256k1(signature, None)));
                    }
                    says::Failure::of(FailureKind::Unknown, name, "what it returns is not a signature of the key")
                }
                Ok(says::Answer::Failed(failure)) => failure,
                Ok(_) => says::Failure::of(FailureKind::Disagreed, name, "it answers something else"),
                Err(error @ NoAnswer::Unasked(_)) => says::Failure::of(FailureKind::Unavailable, name, error.to_string()),
                Err(error @ NoAnswer::Unanswered(_)) => says::Failure::of(FailureKind::Unknown, name, error.to_string()),
            };
            worst = worst.max(failure.kind);
            saw.push(format!("asked of `{name}`: {}", for_people(&failure.line())));
        }
        let why = format!("{}: {}", self.shown(), saw.join("; "));
        Err(match worst {
            FailureKind::Unavailable => SignerError::Unavailable(why),
            FailureKind::Refused | FailureKind::Disagreed => SignerError::Refused(why),
            FailureKind::Unknown => SignerError::Unknown(why),
        })
    }
}

impl Key {
    /// The public half that two parties agree on: one of them may lie.
    async fn agreed(&self) -> Result<VerifyingKey, SignerError> {
        let parties = self.three.parties().await?;
        let mut found: Vec<String> = Vec::new();
        let mut saw = Vec::new();
        for party in 0..parties.count() {
            match parties.ask(party, &Question::Key { key: self.name.clone() }, PATIENCE).await {
                Ok(says::Answer::Key(info)) if found.contains(&info.public) => {
                    let point = unhex(&info.public).and_then(|point| VerifyingKey::from_sec1_bytes(&point).ok());
                    return point.ok_or_else(|| SignerError::Refused(format!("{}: the parties name what is no key", self.shown())));
                }
                Ok(says::Answer::Key(info)) => {
                    saw.push(format!("`{}` names {}", parties.name(party), for_people(&info.public)));
                    found.push(info.public);
                }
                Ok(says::Answer::Failed(failure)) => saw.push(for_people(&failure.line())),
                Ok(_) => saw.push(format!("`{}` answers something else", parties.name(party))),
                Err(error) => saw.push(error.to_string()),
            }
        }
        Err(SignerError::Unavailable(format!("{}: no two parties name the same key ({})", self.shown(), saw.join("; "))))
    }

    fn shown(&self) -> String {
        format!("the key `{}` of the three parties", self.name)
    }
}

impl Three {
    async fn parties(&self) -> Result<&Parties, SignerError> {
        self.parties.get_or_try_init(async || parties(&self.config).map_err(SignerError::Unavailable)).await
    }
}

/// The way to the parties of a configuration, by the cards that it names.
///
/// # Errors
/// Which file can't be read, or is none.
pub(crate) fn parties(config: &MpcConfig) -> Result<Parties, String> {
    let MpcConfig { parties, card, key, .. } = config;
    let secret = key.read().map_err(|why| format!("the key of this host's card at {key} {why}"))?;
    let own = Identity::kept(Card::read(card).map_err(|error| error.to_string())?, &secret).map_err(|error| error.to_string())?;
    let cards = parties.iter().map(|path| Card::read(path)).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Parties::new(own, cards).map_err(|error| error.to_string())
}

/// What was permitted, as the parties read it.
fn what(request: &SignRequest<'_>) -> Option<What> {
    if let Some(transaction) = request.transaction() {
        return Some(What::Transaction(hex(&transaction)));
    }
    if let Some(document) = request.typed_data() {
        return Some(What::TypedData(document.to_string()));
    }
    if let Some(message) = request.personal_message() {
        return Some(What::Message(hex(message)));
    }
    let authorization = request.authorization()?;
    let [chain, nonce] = [authorization.chain.to_string(), authorization.nonce.to_string()];
    Some(What::Authorization(chain, authorization.delegate.to_string(), nonce))
}
