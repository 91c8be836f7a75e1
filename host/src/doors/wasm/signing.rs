//! The thin implementation of `strongroom:agent/signing`: reads what the guest gives, asks the policy, and has it signed.

use super::bindings::strongroom::agent::signing::{self as wit, Error};
use super::store::{MAX_HANDLES, RunState};
use crate::ethereum::quantity;
use crate::ethereum::rlp::Malformed;
use crate::ethereum::transaction::{Authorization, Kind, Market, SignedAuthorization, Transaction};
use crate::ethereum::typed_data::TypedData;
use crate::meter::Stop;
use crate::policy::{self, Denial, Policy, Rule, SignPermit, WalletPolicy, refused};
use crate::session::Session;
use crate::signing::{self, Asked, Failure, Opened, Signing, Use};
use alloy_primitives::{Address, B256, U256};
use std::sync::Arc;
use wasmtime::component::Resource;

/// Most bytes of anything that is to be signed.
const MAX_LENGTH: usize = 256 * 1024;

/// A handle that a guest holds: the index of its signer.
pub struct OpenSigner(usize);

/// The signers of one run.
pub(crate) struct Signers {
    signing: Arc<Signing>,
    opened: Vec<Arc<Opened>>,
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Signers {
    pub(super) fn new(signing: Arc<Signing>, opened: Vec<Arc<Opened>>) -> Self {
        Self { signing, opened }
    }
}

impl RunState {
    fn asked(&self, handle: &Resource<OpenSigner>, idempotency: Option<String>) -> wasmtime::Result<Asked> {
        if self.session.meter.is_stopped() {
            return Err(wasmtime::Error::msg("the run is stopped"));
        }
        Ok(Asked::new(&self.session, &self.signers.signing, self.opened(handle)?, idempotency))
    }

    fn opened(&self, handle: &Resource<OpenSigner>) -> wasmtime::Result<&Arc<Opened>> {
        let index = self.table.get(handle)?.0;
        self.signers.opened.get(index).ok_or_else(|| wasmtime::Error::msg("a handle without its signer"))
    }

    /// Has a permitted thing signed. The guest's state is not held meanwhile.
    fn sign(&self, asked: Asked, permit: Result<SignPermit, Denial>) -> impl Future<Output = Result<Vec<u8>, Error>> + use<> {
        let clean = |key: &String| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        let permit = if asked.idempotency.as_ref().is_none_or(clean) {
            self.session.still_signs(&asked.signer.granted.spec).and(permit).map_err(|denial| denied(&self.session, denial))
        } else {
            let wrong = Malformed("invalid idempotency key: write 1 to 128 visible ASCII characters");
            Err(malformed(&self.session, "sign under an idempotency key", wrong))
        };
        let session = Arc::clone(&self.session);
        let signed = permit.map(|permit| signing::sign(asked, permit));
        async move { signed?.await.map_err(|failure| failed(&session, failure)) }
    }
}

/// Records a denial; gives what the guest is told.
fn denied(session: &Session, denial: Denial) -> Error {
    let text = denial.for_guest();
    let malformed = denial.rule == Rule::Undecodable;
    session.deny(denial);
    if malformed { Error::Malformed(text) } else { Error::Denied(text) }
}

fn malformed(session: &Session, what: &str, why: impl ToString) -> Error {
    denied(session, refused::undecodable(what, why))
}

fn failed(session: &Session, failure: Failure) -> Error {
    match failure {
        Failure::Denied(denial) => denied(session, denial),
        Failure::Unreachable(_) => Error::Unreachable,
        // The contract has no word for a decision that is waited for; what is reserved counts as spent until then.
        Failure::Unknown | Failure::Pending => Error::Unknown,
        Failure::NoRecord => {
            session.meter.stop(Stop::AuditFailed);
            Error::Unknown
        }
        Failure::NoLedger(why) => {
            session.meter.stop(Stop::LedgerFailed(why));
            Error::Unknown
        }
    }
}

/// The policy of a wallet, and its address.
fn wallet<'a>(asked: &'a Asked, what: &str) -> Result<(&'a WalletPolicy, Address), Denial> {
    match (&asked.signer.granted.policy, asked.signer.key.address()) {
        (Use::Wallet(policy), Some(address)) => Ok((policy, address)),
        _ => Err(asked.wrong_use(what)),
    }
}

impl wit::Host for RunState {}

impl wit::HostSigner for RunState {
    fn open(&mut self, name: String) -> Answer<Resource<OpenSigner>> {
        if self.session.meter.is_stopped() {
            return Err(wasmtime::Error::msg("the run is stopped"));
        }
        let Some(index) = self.signers.opened.iter().position(|signer| signer.granted.spec.name == name) else {
            self.session.deny(Policy::signer_unavailable(&name));
            return Ok(Err(Error::Unavailable));
        };
        if self.handles >= MAX_HANDLES {
            return Ok(Err(Error::TooManyHandles));
        }
        self.handles += 1;
        Ok(Ok(self.table.push(OpenSigner(index))?))
    }

    fn address(&mut self, handle: Resource<OpenSigner>) -> wasmtime::Result<String> {
        let signer = self.opened(&handle)?;
        let has_address = signer.key.address().is_some() || signer.key.is_ed25519();
        Ok(if has_address { signer.shown.clone() } else { String::new() })
    }

    fn public_key(&mut self, handle: Resource<OpenSigner>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.opened(&handle)?.key.public_key())
    }

    async fn sign_transaction(
        &mut self,
        handle: Resource<OpenSigner>,
        unsigned: wit::Unsigned,
        key: Option<String>,
    ) -> Answer<wit::Signed> {
        let asked = self.asked(&handle, key)?;
        let decoded = match unsigned {
            wit::Unsigned::Payload(payload) if payload.len() > MAX_LENGTH => Err(Malformed("the transaction has more than 256 KiB")),
            wit::Unsigned::Payload(payload) => Transaction::read(&payload),
            wit::Unsigned::Fields(fields) => transaction(fields),
        };
        let transaction = match decoded {
            Ok(transaction) => transaction,
            Err(wrong) => return Ok(Err(malformed(&self.session, "sign a transaction", wrong))),
        };
        let permit = wallet(&asked, "sign a transaction").and_then(|(policy, own)| policy.transaction(own, transaction));
        let raw = self.sign(asked, permit);
        Ok(raw.await.map(|raw| wit::Signed { hash: signing::transaction_hash(&raw).to_vec(), raw }))
    }

    async fn sign_message(&mut self, handle: Resource<OpenSigner>, message: Vec<u8>, key: Option<String>) -> Answer<Vec<u8>> {
        let asked = self.asked(&handle, key)?;
        if let Use::Solana(patterns) = &asked.signer.granted.policy {
            let permit = policy::off_chain_message(patterns, &message);
            let signature = self.sign(asked, permit);
            return Ok(signature.await);
        }
        let now = asked.signing.now();
        let permit = wallet(&asked, "sign a message").and_then(|(policy, own)| policy.message(own, &message, now));
        let signature = self.sign(asked, permit);
        Ok(signature.await)
    }

    async fn sign_typed_data(&mut self, handle: Resource<OpenSigner>, document: String, key: Option<String>) -> Answer<Vec<u8>> {
        let asked = self.asked(&handle, key)?;
        let document = match TypedData::read(&document) {
            Ok(document) => document,
            Err(wrong) => return Ok(Err(malformed(&self.session, "sign typed data", wrong))),
        };
        let now = asked.signing.now();
        let permit = wallet(&asked, "sign typed data").and_then(|(policy, own)| policy.document(own, document, now));
        let signature = self.sign(asked, permit);
        Ok(signature.await)
    }

    async fn sign_authorization(
        &mut self,
        handle: Resource<OpenSigner>,
        chain: String,
        address: String,
        nonce: String,
        key: Option<String>,
    ) -> Answer<wit::Authorization> {
        let asked = self.asked(&handle, key)?;
        let authorization = match authorization(&chain, &address, &nonce) {
            Ok(authorization) => authorization,
            Err(wrong) => return Ok(Err(malformed(&self.session, "sign an authorization", wrong))),
        };
        let permit = wallet(&asked, "sign an authorization").and_then(|(policy, _)| policy.authorization(&authorization));
        let signature = self.sign(asked, permit);
        Ok(signature.await.map(|signature| wit::Authorization {
            chain_id: authorization.chain.to_string(),
            address: authorization.delegate.to_string(),
            nonce: authorization.nonce.to_string(),
            y_parity: signature[64] - 27,
            r: signature[..32].to_vec(),
            s: signature[32..64].to_vec(),
        }))
    }

    async fn sign_digest(&mut self, handle: Resource<OpenSigner>, digest: Vec<u8>) -> Answer<Vec<u8>> {
        let asked = self.asked(&handle, None)?;
        let Ok(digest) = B256::try_from(digest.as_slice()) else {
            return Ok(Err(malformed(&self.session, "sign 32 bytes as they are", Malformed("a digest has 32 bytes"))));
        };
        let permit = match &asked.signer.granted.policy {
            Use::Digest { granted } => policy::raw_digest(digest, *granted),
            _ => Err(asked.wrong_use("sign 32 bytes as they are")),
        };
        let signature = self.sign(asked, permit);
        Ok(signature.await)
    }

    async fn hmac(&mut self, handle: Resource<OpenSigner>, input: Vec<u8>) -> Answer<Vec<u8>> {
        let (asked, session) = (self.asked(&handle, None)?, Arc::clone(&self.session));
        let text = match &asked.signer.granted.policy {
            Use::Hmac(template) => policy::hmac_input(template, &input),
            _ => Err(asked.wrong_use("authenticate an input")),
        };
        let text = session.still_signs(&asked.signer.granted.spec).and(text);
        Ok(match text {
            Ok(text) => signing::authenticate(asked, text).await.map_err(|failure| failed(&session, failure)),
            Err(denial) => Err(denied(&session, denial)),
        })
    }

    async fn sign_jwt(&mut self, handle: Resource<OpenSigner>, claims: String) -> Answer<String> {
        let (asked, session) = (self.asked(&handle, None)?, Arc::clone(&self.session));
        let claims = match (&asked.signer.granted.policy, asked.signer.key.algorithm()) {
            (Use::Jwt(spec), Some(algorithm)) => policy::token_claims(spec, algorithm, &claims, asked.signing.now()),
            _ => Err(asked.wrong_use("sign a token")),
        };
        let claims = session.still_signs(&asked.signer.granted.spec).and(claims);
        Ok(match claims {
            Ok(claims) => signing::token(asked, claims).await.map_err(|failure| failed(&session, failure)),
            Err(denial) => Err(denied(&session, denial)),
        })
    }

    fn drop(&mut self, handle: Resource<OpenSigner>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.handles -= 1;
        Ok(())
    }
}

fn number(text: &str) -> Result<U256, Malformed> {
    quantity::uint(text).ok_or(Malformed("invalid number: write decimal digits, or 0x and hexadecimal digits"))
}

fn small(text: &str) -> Result<u64, Malformed> {
    quantity::small(text).ok_or(Malformed("invalid number: not a number, or more than 64 bits"))
}

fn address(text: &str) -> Result<Address, Malformed> {
    quantity::address(text).ok_or(Malformed("invalid address: malformed, or its EIP-55 checksum is wrong"))
}

fn word(bytes: &[u8]) -> Result<B256, Malformed> {
    B256::try_from(bytes).map_err(|_| Malformed("a word does not have 32 bytes"))
}

fn authorization(chain: &str, delegate: &str, nonce: &str) -> Result<Authorization, Malformed> {
    Ok(Authorization { chain: number(chain)?, delegate: address(delegate)?, nonce: small(nonce)? })
}

/// A transaction from typed fields: its kind follows from what is there.
fn transaction(fields: wit::Transaction) -> Result<Transaction, Malformed> {
    const TOO_LONG: Malformed = Malformed("the transaction has more than 256 KiB");
    let slots: usize = fields.access_list.iter().flatten().map(|access| access.slots.len() + 1).sum();
    let hashes = fields.blobs.as_ref().map_or(0, |(_, hashes)| hashes.len());
    let words = slots.saturating_add(hashes).saturating_add(3 * fields.authorizations.len());
    if fields.input.len() > MAX_LENGTH || words > MAX_LENGTH / 32 {
        return Err(TOO_LONG);
    }
    let slots = |slots: &[Vec<u8>]| slots.iter().map(|slot| word(slot)).collect::<Result<Vec<_>, _>>();
    let access =
        fields.access_list.as_ref().map(|list| list.iter().map(|access| Ok((address(&access.address)?, slots(&access.slots)?))).collect());
    let access: Option<Vec<(Address, Vec<B256>)>> = access.transpose()?;
    let signed = |signed: &wit::Authorization| {
        let parsed = authorization(&signed.chain_id, &signed.address, &signed.nonce)?;
        let number = |bytes: &[u8]| word(bytes).map(|word| U256::from_be_bytes(word.0));
        Ok(SignedAuthorization { authorization: parsed, odd: signed.y_parity, r: number(&signed.r)?, s: number(&signed.s)? })
    };
    let authorizations: Vec<SignedAuthorization> = fields.authorizations.iter().map(signed).collect::<Result<_, Malformed>>()?;
    let kind = match (&fields.fee, &fields.blobs) {
        (wit::GasFee::Price(price), None) if authorizations.is_empty() => match access {
            None => Kind::Legacy { price: number(price)? },
            Some(access) => Kind::AccessList { price: number(price)?, access },
        },
        (wit::GasFee::Market((max, priority)), blobs) => {
            let (market, access) = (Market { max: number(max)?, priority: number(priority)? }, access.unwrap_or_default());
            match blobs {
                Some((blob_fee, hashes)) if authorizations.is_empty() => {
                    let hashes = hashes.iter().map(|hash| word(hash)).collect::<Result<_, _>>()?;
                    Kind::Blob { market, access, blob_fee: number(blob_fee)?, hashes }
                }
                Some(_) => return Err(Malformed("a transaction has blobs or authorizations, not both")),
                None if authorizations.is_empty() => Kind::DynamicFee { market, access },
                None => Kind::SetCode { market, access, authorizations },
            }
        }
        _ => return Err(Malformed("blobs and authorizations need a maximum fee and a priority fee")),
    };
    let transaction = Transaction {
        chain: small(&fields.chain_id)?,
        nonce: small(&fields.nonce)?,
        gas: small(&fields.gas)?,
        to: if fields.to.is_empty() { None } else { Some(address(&fields.to)?) },
        value: number(&fields.value)?,
        input: fields.input,
        kind,
    };
    transaction.check()?;
    Ok(transaction)
}
