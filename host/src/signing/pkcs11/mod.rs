//! Hardware security modules by PKCS#11 (OASIS, versions 2.40 to 3.1): keys that a token uses and never shows.
//!
//! A key that could leave its token does not sign here. A wrong PIN is presented once: tokens lock themselves after a few. Where a session or
//! the login is lost, all sessions are opened anew and the call is made once more.
//!
//! Tried with SoftHSM 2. According to their documentation these work too, but they were not tried here:
//!
//! - YubiHSM 2: `module` is `yubihsm_pkcs11.so`, which finds the connector through `YUBIHSM_PKCS11_CONF`. The PIN is the authentication
//!   key's id in four hexadecimal digits, then its password, as in `0001password`. The key is one without `exportable-under-wrap`.
//! - AWS CloudHSM: `module` is `/opt/cloudhsm/lib/libcloudhsm_pkcs11.so`. The PIN is `USER:PASSWORD` of a crypto user.

mod key;

use crate::keys::{Answer, PublicKey, SignRequest, Signer, SignerBackend, SignerError};
use crate::lock::{Mutex, MutexGuard};
use crate::manifest::{NamePattern, Pkcs11Config};
use async_trait::async_trait;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11 as Module};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use k256::ecdsa::VerifyingKey;
use key::{Use, identifier, public_key};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};
use zeroize::Zeroizing;

/// How long a call waits for a session that others use.
const WAIT: Duration = Duration::from_secs(10);
/// How long a token may take for what it is asked.
const ANSWER: Duration = Duration::from_secs(30);
/// The name of the curve secp256k1, 1.3.132.0.10 (SEC 2), in DER.
const SECP256K1: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// The modules of this process, each loaded and initialised once; they stay until it ends, since other backends may use them.
static MODULES: Mutex<Vec<(PathBuf, Module)>> = Mutex::new(Vec::new());

/// The keys of one token, named by label or `id=HEX` (CKA_ID), as far as `[signing.pkcs11] keys` goes.
pub struct Pkcs11(Arc<Token>);

/// A token, and this backend's sessions with it.
struct Token {
    config: Pkcs11Config,
    /// One for each session that may be open.
    permits: Arc<Semaphore>,
    size: u32,
    pool: Mutex<Pool>,
    /// The PIN that the token has refused.
    refused: Mutex<Option<Zeroizing<String>>>,
}

/// Sessions that nobody uses now, all of one slot.
#[derive(Default)]
struct Pool {
    /// Grows where sessions are thrown away, and with them all handles of objects.
    generation: u64,
    slot: Option<(Module, Slot)>,
    idle: Vec<Session>,
}

/// One key.
struct Key {
    token: Arc<Token>,
    name: Name,
    public: OnceCell<VerifyingKey>,
    /// The generation that the handle belongs to, and the handle.
    found: Arc<Mutex<Option<(u64, ObjectHandle)>>>,
}

/// How a manifest names a key.
#[derive(Clone)]
enum Name {
    Label(String),
    Id(Vec<u8>),
}

/// Why a call gave nothing.
enum Trouble {
    /// Sessions, the login or handles are no longer good; `signing` where it was lost while a signature may have been made.
    Stale { why: String, signing: bool },
    /// It would fail again.
    Final(SignerError),
}

/// A session in use. Calls block: it is used on a thread for that.
struct Lent {
    generation: u64,
    session: Session,
}

impl Pkcs11 {
    /// The keys of a token. Its module is loaded when the first key is asked for.
    #[must_use]
    pub fn new(config: &Pkcs11Config) -> Self {
        let size = u32::try_from(config.sessions.clamp(1, 1024)).expect("it was clamped");
        Self(Arc::new(Token {
            config: config.clone(),
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
            pool: Mutex::default(),
            refused: Mutex::default(),
        }))
    }
}

#[async_trait]
impl SignerBackend for Pkcs11 {
    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError> {
        let shown = crate::text::for_people(key);
        let keys = &self.0.config.keys;
        if key.is_empty() || !keys.iter().any(|pattern| pattern.matches(key, agent)) {
            let keys = NamePattern::shown(keys);
            return Err(SignerError::Refused(format!(
                "a manifest of `{agent}` can't name the key `{shown}` of {}; the operator's `[signing.pkcs11] keys` are `{keys}`",
                self.0
            )));
        }
        let wrong =
            || SignerError::Refused(format!("`{shown}` is not the identifier of a key; write `id=` and pairs of hexadecimal digits"));
        let name = match key.strip_prefix("id=") {
            Some(digits) => Name::Id(identifier(digits).ok_or_else(wrong)?),
            None => Name::Label(key.to_owned()),
        };
        Ok(Arc::new(Key { token: Arc::clone(&self.0), name, public: OnceCell::new(), found: Arc::default() }))
    }
}

#[async_trait]
impl Signer for Key {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok(self.public().await?.into())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let expected = self.public().await?;
        let (token, name, found, digest) = (Arc::clone(&self.token), self.name.clone(), Arc::clone(&self.found), request.digest());
        let sign = move |lent: &Lent| {
            let known = locked(&found).filter(|(generation, _)| *generation == lent.generation);
            let handle = match known {
                Some((_, handle)) => handle,
                None => {
                    let (handle, key) = token.find(&lent.session, &name)?;
                    if key != expected {
                        let why = format!("{name} of {token} is a different key than when the agent was loaded; load it again");
                        return Err(Trouble::Final(SignerError::Refused(why)));
                    }
                    *locked(&found) = Some((lent.generation, handle));
                    handle
                }
            };
            lent.session.sign(&Mechanism::Ecdsa, handle, &digest).map_err(|error| token.trouble(&error))
        };
        let bytes = self.token.call(true, sign).await?;
        let signature = k256::ecdsa::Signature::from_slice(&bytes).map(Answer::from);
        signature.map_err(|_| SignerError::Unknown(format!("{} returned something that is not a signature", self.token)))
    }
}

impl Key {
    async fn public(&self) -> Result<VerifyingKey, SignerError> {
        let ask = async || {
            let (token, name) = (Arc::clone(&self.token), self.name.clone());
            self.token.call(false, move |lent| token.find(&lent.session, &name).map(|(_, key)| key)).await
        };
        self.public.get_or_try_init(ask).await.copied()
    }
}

impl Token {
    /// Makes a call with a session; where that is no longer good, once more with a new one.
    async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        signing: bool,
        work: impl Fn(&Lent) -> Result<T, Trouble> + Send + Sync + 'static,
    ) -> Result<T, SignerError> {
        let work = Arc::new(work);
        let (generation, done) = self.once(signing, &work).await;
        let lost = match done {
            Ok(value) => return Ok(value),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Stale { why, signing }) => {
                tracing::warn!("{why}; its sessions are reopened");
                signing
            }
        };
        let done = match self.renew(generation).await {
            Ok(()) => self.once(signing, &work).await.1,
            Err(error) => Err(Trouble::Final(error)),
        };
        match done {
            Ok(value) => Ok(value),
            Err(Trouble::Final(SignerError::Refused(why) | SignerError::Unavailable(why)) | Trouble::Stale { why, .. }) if lost => {
                Err(SignerError::Unknown(why))
            }
            Err(Trouble::Final(error)) => Err(error),
            Err(Trouble::Stale { why, signing: true }) => Err(SignerError::Unknown(why)),
            Err(Trouble::Stale { why, signing: false }) => Err(SignerError::Unavailable(why)),
        }
    }

    /// One attempt, and the generation of the session that it was made with.
    async fn once<T: Send + 'static, W: Fn(&Lent) -> Result<T, Trouble> + Send + Sync + 'static>(
        self: &Arc<Self>,
        signing: bool,
        work: &Arc<W>,
    ) -> (u64, Result<T, Trouble>) {
        let Ok(permit) = tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_owned()).await else {
            return (0, Err(Trouble::Final(self.busy())));
        };
        let permit = permit.expect("it is never closed");
        // It stays what it is as long as the permit is held.
        let generation = locked(&self.pool).generation;
        let (token, work) = (Arc::clone(self), Arc::clone(work));
        let blocking = tokio::task::spawn_blocking(move || {
            let done = token.lend().and_then(|lent| {
                let done = work(&lent);
                // After a failure in the middle of a signature, nobody knows what state the session is in.
                if !matches!(done, Err(Trouble::Final(SignerError::Unknown(_)))) {
                    token.take_back(lent);
                }
                done
            });
            // Kept until here, whoever still waits: a session that a call hangs in can't be lent again.
            drop(permit);
            done
        });
        let why = match tokio::time::timeout(ANSWER, blocking).await {
            Ok(Ok(done)) => return (generation, done),
            Ok(Err(_)) => format!("{self}: the call failed"),
            Err(_) => format!("{self} does not answer in time"),
        };
        let error = if signing { SignerError::Unknown(why) } else { SignerError::Unavailable(why) };
        (generation, Err(Trouble::Final(error)))
    }

    /// Throws away all sessions of a generation. None is in use meanwhile: a module may give the number of a closed session to a new one.
    async fn renew(self: &Arc<Self>, stale: u64) -> Result<(), SignerError> {
        let all = tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_many_owned(self.size)).await;
        let all = all.map_err(|_| self.busy())?.expect("it is never closed");
        let token = Arc::clone(self);
        let emptied = tokio::task::spawn_blocking(move || {
            let mut pool = locked(&token.pool);
            if pool.generation == stale {
                *pool = Pool { generation: stale + 1, ..Pool::default() };
            }
            drop(all);
        });
        emptied.await.map_err(|_| SignerError::Unavailable(format!("{self}: its sessions can't be closed")))
    }

    /// A session of the pool, or a new one, logged in.
    fn lend(&self) -> Result<Lent, Trouble> {
        let (generation, module, slot) = {
            let mut pool = locked(&self.pool);
            if let Some(session) = pool.idle.pop() {
                return Ok(Lent { generation: pool.generation, session });
            }
            let (module, slot) = match &pool.slot {
                Some((module, slot)) => (module.clone(), *slot),
                None => {
                    let module = load(&self.config.module)?;
                    let slot = self.slot(&module)?;
                    pool.slot = Some((module.clone(), slot));
                    (module, slot)
                }
            };
            (pool.generation, module, slot)
        };
        let session = module.open_ro_session(slot).map_err(|error| self.trouble(&error))?;
        self.log_in(&session)?;
        Ok(Lent { generation, session })
    }

    fn take_back(&self, lent: Lent) {
        let mut pool = locked(&self.pool);
        if pool.generation == lent.generation {
            pool.idle.push(lent.session);
        }
    }

    /// The slot that the token is in.
    fn slot(&self, module: &Module) -> Result<Slot, Trouble> {
        let slots = module.get_slots_with_token().map_err(|error| self.trouble(&error))?;
        // A slot that can't be read holds some other token.
        let has_label = |slot: &Slot| module.get_token_info(*slot).is_ok_and(|token| token.label() == self.config.token);
        match slots.into_iter().filter(has_label).collect::<Vec<_>>()[..] {
            [slot] => Ok(slot),
            [] => {
                let why = format!("{self} is in no slot; check `token`, `module` and that module's own configuration");
                Err(Trouble::Final(SignerError::Unavailable(why)))
            }
            _ => Err(Trouble::Final(SignerError::Refused(format!("{self}: several tokens have this label; give each one of its own")))),
        }
    }

    /// Logs this process in to the token, if it is not.
    fn log_in(&self, session: &Session) -> Result<(), Trouble> {
        // The login is one for all sessions: whoever comes second finds it done.
        let mut refused = locked(&self.refused);
        if self.is_logged_in(session)? {
            return Ok(());
        }
        let from = &self.config.pin;
        let pin = from.read().map_err(|why| Trouble::Final(SignerError::Unavailable(format!("{self}: the PIN at {from} {why}"))))?;
        if refused.as_ref() == Some(&pin) {
            let why = format!(
                "{self} has refused the PIN at {from}, and it is not presented again, which could lock the token; put the right one there"
            );
            return Err(Trouble::Final(SignerError::Refused(why)));
        }
        let error = match session.login(UserType::User, Some(&AuthPin::from(pin.as_str()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                *refused = None;
                return Ok(());
            }
            Err(error) => error,
        };
        let why = match &error {
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                *refused = Some(pin);
                format!("{self} refuses the PIN at {from}; put the right one there")
            }
            Error::Pkcs11(RvError::PinLocked, _) => {
                format!("{self} has locked its PIN after too many wrong ones; its security officer can set a new one")
            }
            Error::Pkcs11(RvError::PinExpired, _) => format!("the PIN of {self} has expired; set a new one"),
            Error::Pkcs11(RvError::UserPinNotInitialized, _) => format!("{self} has no PIN yet; set one"),
            _ => return Err(self.trouble(&error)),
        };
        Err(Trouble::Final(SignerError::Refused(why)))
    }

    fn is_logged_in(&self, session: &Session) -> Result<bool, Trouble> {
        let session = session.get_session_info().map_err(|error| self.trouble(&error))?;
        Ok(matches!(session.session_state(), SessionState::RoUser | SessionState::RwUser))
    }

    /// The one private key of that name, if it may sign here, and its public half.
    fn find(&self, session: &Session, name: &Name) -> Result<(ObjectHandle, VerifyingKey), Trouble> {
        let refused = |why: &str| Trouble::Final(SignerError::Refused(format!("{name} of {self} {why}")));
        let private = match self.objects(session, ObjectClass::PRIVATE_KEY, name)?[..] {
            [key] => key,
            // A token shows private objects to nobody who is not logged in, and does not say so.
            [] if !self.is_logged_in(session)? => {
                return Err(Trouble::Stale { why: format!("{self}: the login is lost"), signing: false });
            }
            [] => return Err(refused("is not there; check the name, or generate a key")),
            _ => return Err(refused("stands for several private keys; give each a label of its own, or name one by `id=HEX`")),
        };
        let mut may = Use::default();
        for attribute in self.attributes(session, private, Use::ASKED)? {
            may.note(attribute);
        }
        may.check().map_err(refused)?;

        // The pair has one CKA_ID (PKCS#11, section on key objects); where it has none, the label has to do.
        let pair = match may.id {
            Some(id) if !id.is_empty() => Name::Id(id),
            _ => name.clone(),
        };
        let public = match self.objects(session, ObjectClass::PUBLIC_KEY, &pair)?[..] {
            [key] => key,
            [] => return Err(refused("has no public key beside it with the same CKA_ID; keep both halves of the pair on the token")),
            _ => return Err(refused("has several public keys beside it; give the pair a CKA_ID of its own")),
        };
        let (mut curve, mut point) = (None, None);
        for attribute in self.attributes(session, public, &[AttributeType::EcParams, AttributeType::EcPoint])? {
            match attribute {
                Attribute::EcParams(der) => curve = Some(der),
                Attribute::EcPoint(bytes) => point = Some(bytes),
                _ => {}
            }
        }
        if curve.as_deref() != Some(&SECP256K1) {
            return Err(refused("is on another curve; generate one on secp256k1"));
        }
        let key = point.as_deref().and_then(public_key).ok_or_else(|| refused("has a public key that is not a point of secp256k1"))?;
        Ok((private, key))
    }

    fn objects(&self, session: &Session, class: ObjectClass, name: &Name) -> Result<Vec<ObjectHandle>, Trouble> {
        let name = match name {
            Name::Label(label) => Attribute::Label(label.clone().into_bytes()),
            Name::Id(id) => Attribute::Id(id.clone()),
        };
        session.find_objects(&[Attribute::Class(class), name]).map_err(|error| self.trouble(&error))
    }

    /// What the token says of these attributes; it leaves out what it does not know.
    fn attributes(&self, session: &Session, object: ObjectHandle, which: &[AttributeType]) -> Result<Vec<Attribute>, Trouble> {
        session.get_attributes(object, which).map_err(|error| self.trouble(&error))
    }

    /// What a module's error means.
    fn trouble(&self, error: &Error) -> Trouble {
        let Error::Pkcs11(code, function) = error else {
            // Whatever it was, it came after the call had been made.
            return Trouble::Final(SignerError::Unknown(format!("{self}: the module returned something that can't be read")));
        };
        let signing = matches!(function, Function::Sign);
        let why = format!("{self}: {code:?} from C_{function:?}");
        let error = match code {
            // Said before anything was done.
            RvError::SessionHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::SlotIdInvalid
            | RvError::TokenNotPresent
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid => return Trouble::Stale { why, signing: false },
            RvError::SessionClosed | RvError::DeviceRemoved => return Trouble::Stale { why, signing },
            RvError::KeyFunctionNotPermitted | RvError::KeyTypeInconsistent => {
                SignerError::Refused(format!("{why}; the key may not be used for signatures: generate one with CKA_SIGN"))
            }
            RvError::MechanismInvalid => SignerError::Refused(format!("{why}; the token can't sign by CKM_ECDSA")),
            RvError::FunctionRejected => SignerError::Refused(format!("{why}; somebody at the token declined")),
            RvError::SessionCount => SignerError::Unavailable(format!("{why}; it has no more sessions: lower `sessions`")),
            _ if signing => SignerError::Unknown(why),
            _ => SignerError::Unavailable(why),
        };
        Trouble::Final(error)
    }

    fn busy(&self) -> SignerError {
        SignerError::Unavailable(format!(
            "{self}: all {} sessions are in use; raise `sessions`, or find out why the token is slow",
            self.size
        ))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the token `{}`", crate::text::for_people(&self.config.token))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "the key `{}`", crate::text::for_people(label)),
            Self::Id(id) => {
                f.write_str("the key `id=")?;
                id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("`")
            }
        }
    }
}

/// The module at a path, loaded and initialised.
fn load(path: &Path) -> Result<Module, Trouble> {
    let unavailable = |why: String| Trouble::Final(SignerError::Unavailable(format!("the PKCS#11 module `{}` {why}", path.display())));
    let path = path.canonicalize().map_err(|error| unavailable(format!("can't be found ({error}); check `module`")))?;
    let mut modules = locked(&MODULES);
    if let Some((_, module)) = modules.iter().find(|(known, _)| *known == path) {
        return Ok(module.clone());
    }
    let module = Module::new(&path).map_err(|_| unavailable("can't be loaded; is it a PKCS#11 library for this machine?".to_owned()))?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(Error::Pkcs11(code, _)) => {
            return Err(unavailable(format!("can't be initialised ({code:?}); check its own configuration and its log")));
        }
        Err(_) => return Err(unavailable("can't be initialised".to_owned())),
    }
    modules.push((path, module.clone()));
    Ok(module)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
