//! A mock of the host to test an agent's logic with, on your own machine: it plays the host with what the test gives it.
//!
//! ```
//! use strongroom_guest::{Secret, http, testing::MockHost};
//!
//! let mock = MockHost::new().secret("KEY").answer("GET", "https://api.example.com/v1/me", 200, "hello");
//! let text = mock.enter(|| http::get("https://api.example.com/v1/me").bearer(&Secret::open("KEY").unwrap()).send().unwrap().text());
//!
//! assert_eq!(text.unwrap(), "hello");
//! assert!(mock.requests()[0].header("authorization").unwrap().starts_with("Bearer placeholder-of-KEY"));
//! ```

use crate::Error;
use crate::http::Request;
use crate::log::Level;
use crate::signer::{Authorization, Signed, Transaction};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

thread_local! {
    static ENTERED: RefCell<Option<Rc<RefCell<Inner>>>> = const { RefCell::new(None) };
}

/// A stand-in for the host.
#[derive(Debug, Clone, Default)]
pub struct MockHost(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    secrets: Vec<String>,
    /// Signers by name, each with its address.
    signers: Vec<(String, String)>,
    signatures: Vec<String>,
    answers: VecDeque<Prepared>,
    requests: Vec<Sent>,
    logs: Vec<(Level, String)>,
    /// None where nothing is kept.
    state: Option<BTreeMap<String, Vec<u8>>>,
}

/// What the mock answers to a request.
#[derive(Debug)]
struct Prepared {
    method: String,
    url: String,
    answer: Result<(u16, Vec<u8>), Error>,
}

/// A request that the agent sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The body.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Sent {
    /// The first line of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl MockHost {
    /// A mock that grants nothing and answers nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants a secret.
    #[must_use]
    pub fn secret(self, name: &str) -> Self {
        self.0.borrow_mut().secrets.push(name.to_owned());
        self
    }

    /// Grants a signer with this address. Its signatures are zeros; what it was asked to sign is in [`MockHost::signatures`].
    #[must_use]
    pub fn signer(self, name: &str, address: &str) -> Self {
        self.0.borrow_mut().signers.push((name.to_owned(), address.to_owned()));
        self
    }

    /// Has the agent keep a state, which is empty at first and stays over calls of [`MockHost::enter`].
    #[must_use]
    pub fn state(self) -> Self {
        self.0.borrow_mut().state.get_or_insert_default();
        self
    }

    /// Answers the next request of this method and URL; answers are given once each, in order.
    #[must_use]
    pub fn answer(self, method: &str, url: &str, status: u16, body: impl Into<Vec<u8>>) -> Self {
        self.prepare(method, url, Ok((status, body.into())))
    }

    /// Fails the next request of this method and URL.
    #[must_use]
    pub fn fail(self, method: &str, url: &str, error: Error) -> Self {
        self.prepare(method, url, Err(error))
    }

    fn prepare(self, method: &str, url: &str, answer: Result<(u16, Vec<u8>), Error>) -> Self {
        self.0.borrow_mut().answers.push_back(Prepared { method: method.to_owned(), url: url.to_owned(), answer });
        self
    }

    /// Runs an agent's logic in the mock, on this thread.
    ///
    /// # Panics
    /// If this thread is already in a mock.
    pub fn enter<T>(&self, agent: impl FnOnce() -> T) -> T {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                ENTERED.with(|entered| *entered.borrow_mut() = None);
            }
        }

        ENTERED.with(|entered| {
            let before = entered.borrow_mut().replace(Rc::clone(&self.0));
            assert!(before.is_none(), "this thread is in a mock already");
        });
        let _leave = Leave;
        agent()
    }

    /// The requests sent so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Sent> {
        self.0.borrow().requests.clone()
    }

    /// What was signed so far, one line each.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        self.0.borrow().signatures.clone()
    }

    /// The messages logged so far.
    #[must_use]
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.0.borrow().logs.clone()
    }
}

fn mock() -> Rc<RefCell<Inner>> {
    ENTERED.with(|entered| entered.borrow().clone()).expect("off WebAssembly, an agent runs inside `testing::MockHost::enter`")
}

#[derive(Debug)]
pub(crate) struct Handle(String);

/// A prepared answer, being read.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    body: std::io::Cursor<Vec<u8>>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    #[expect(clippy::unused_self, reason = "the host's answer has it too")]
    pub(crate) fn header(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    #[expect(clippy::unused_self, reason = "the host's answer has it too")]
    pub(crate) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

impl Answer {
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Error> {
        Ok(self.body.into_inner())
    }
}

impl std::io::Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.body.read(buffer)
    }
}

impl Handle {
    pub(crate) fn name(&self) -> String {
        self.0.clone()
    }

    pub(crate) fn placeholder(&self) -> String {
        format!("placeholder-of-{}", self.0)
    }

    #[expect(clippy::unused_self, reason = "the host's handle has it too")]
    pub(crate) fn fingerprint(&self) -> String {
        "00000000".to_owned()
    }

    #[expect(clippy::unused_self, reason = "the host's handle has it too")]
    pub(crate) fn expires_at(&self) -> Option<u64> {
        None
    }
}

pub(crate) fn open(name: &str) -> Result<Handle, Error> {
    let granted = mock().borrow().secrets.iter().any(|known| known == name);
    if granted { Ok(Handle(name.to_owned())) } else { Err(Error::Unavailable(name.to_owned())) }
}

#[derive(Debug)]
pub(crate) struct SignerHandle {
    name: String,
    address: String,
}

impl SignerHandle {
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    #[expect(clippy::unused_self, reason = "the host's handle has it too")]
    pub(crate) fn public_key(&self) -> Vec<u8> {
        vec![0; 65]
    }

    fn sign(&self, what: &str) {
        mock().borrow_mut().signatures.push(format!("{}: {what}", self.name));
    }
}

pub(crate) fn open_signer(name: &str) -> Result<SignerHandle, Error> {
    let known = mock().borrow().signers.iter().find(|(known, _)| known == name).cloned();
    let (name, address) = known.ok_or_else(|| Error::Unavailable(name.to_owned()))?;
    Ok(SignerHandle { name, address })
}

pub(crate) fn sign_transaction(signer: &SignerHandle, transaction: &Transaction, _key: Option<&str>) -> Result<Signed, Error> {
    signer.sign(&format!("transaction of {} to {} on chain {}", transaction.value, transaction.to, transaction.chain_id));
    Ok(Signed { raw: vec![0; 110], hash: vec![0; 32] })
}

pub(crate) fn sign_payload(signer: &SignerHandle, payload: &[u8], _key: Option<&str>) -> Result<Signed, Error> {
    signer.sign(&format!("payload of {} bytes", payload.len()));
    Ok(Signed { raw: vec![0; 110], hash: vec![0; 32] })
}

pub(crate) fn sign_message(signer: &SignerHandle, message: &[u8], _key: Option<&str>) -> Result<Vec<u8>, Error> {
    signer.sign(&format!("message {}", String::from_utf8_lossy(message)));
    Ok(vec![0; 65])
}

pub(crate) fn sign_typed_data(signer: &SignerHandle, document: &str, _key: Option<&str>) -> Result<Vec<u8>, Error> {
    signer.sign(&format!("document {document}"));
    Ok(vec![0; 65])
}

pub(crate) fn sign_authorization(
    signer: &SignerHandle,
    chain: &str,
    address: &str,
    nonce: &str,
    _key: Option<&str>,
) -> Result<Authorization, Error> {
    signer.sign(&format!("authorization of {address} on chain {chain}"));
    let (chain_id, address, nonce) = (chain.to_owned(), address.to_owned(), nonce.to_owned());
    Ok(Authorization { chain_id, address, nonce, y_parity: 0, r: [0; 32], s: [0; 32] })
}

pub(crate) fn sign_digest(signer: &SignerHandle, _digest: &[u8]) -> Result<Vec<u8>, Error> {
    signer.sign("digest");
    Ok(vec![0; 65])
}

pub(crate) fn hmac(signer: &SignerHandle, input: &[u8]) -> Result<Vec<u8>, Error> {
    signer.sign(&format!("HMAC of {} bytes", input.len()));
    Ok(vec![0; 32])
}

pub(crate) fn sign_jwt(signer: &SignerHandle, claims: &str) -> Result<String, Error> {
    signer.sign(&format!("token {claims}"));
    Ok("e30.e30.AA".to_owned())
}

/// Looks at the state, or changes it.
fn state<T>(look: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> Result<T, Error> {
    mock().borrow_mut().state.as_mut().map(look).ok_or_else(|| Error::Unavailable("the state".to_owned()))
}

pub(crate) fn state_get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    state(|all| all.get(key).cloned())
}

pub(crate) fn state_set(pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
    state(|all| all.extend(pairs))
}

pub(crate) fn state_delete(key: &str) -> Result<(), Error> {
    state(|all| _ = all.remove(key))
}

pub(crate) fn state_keys() -> Result<Vec<String>, Error> {
    state(|all| all.keys().cloned().collect())
}

pub(crate) fn state_increment(key: &str, by: u64) -> Result<u64, Error> {
    state(|all| {
        let digits = all.get(key).map_or("0".into(), |value| String::from_utf8_lossy(value).into_owned());
        let number: u64 = digits.parse().map_err(|_| Error::State("the value is not a whole number of decimal digits".to_owned()))?;
        let sum = number.checked_add(by).ok_or_else(|| Error::State("the sum has more than 64 bits".to_owned()))?;
        all.insert(key.to_owned(), sum.to_string().into_bytes());
        Ok(sum)
    })?
}

pub(crate) fn log(level: Level, message: &str, _fields: &[(&str, &str)]) {
    mock().borrow_mut().logs.push((level, message.to_owned()));
}

pub(crate) fn send(request: Request, content: &mut dyn std::io::Read) -> Result<Answer, Error> {
    let mut body = Vec::new();
    content.read_to_end(&mut body).map_err(|error| Error::Request(error.to_string()))?;
    let mock = mock();
    let mut mock = mock.borrow_mut();
    let at = mock.answers.iter().position(|prepared| prepared.method == request.method && prepared.url == request.url);
    let Request { method, url, headers, .. } = request;
    mock.requests.push(Sent { method, url, body, headers });
    match at.and_then(|at| mock.answers.remove(at)) {
        Some(Prepared { answer, .. }) => answer.map(|(status, body)| Answer { status, body: std::io::Cursor::new(body) }),
        None => Err(Error::Denied { rule: "destination".into(), reason: "the mock has no answer to this request".into() }),
    }
}
