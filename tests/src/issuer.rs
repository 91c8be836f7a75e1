//! An API that issues, validates and revokes keys over plain HTTP, and keeps a journal of each: what rotation is tested against.
//!
//! `POST /api/keys/rotate` issues a key beside the older ones, `DELETE /api/keys/{key or id}` revokes one, `GET /api/keys` lists those
//! that work, and `/v1/**` wants one that works. An admin calls the first three with `X-Admin` and `?account=NAME`.

mod ledger;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ledger::{Ledger, hex};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

pub use ledger::{Counts, Event, Key, RevokedUse, State};

/// What a call wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// A new key: `POST /api/keys/rotate`.
    Issue,
    /// The end of a key: `DELETE /api/keys/{key or id}`.
    Revoke,
    /// The keys that work: `GET /api/keys`.
    List,
    /// Whether a key works: `/v1/me`.
    Probe,
    /// Anything else below `/v1/`. It has no faults unless they are set for it.
    Use,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// It does nothing, and answers this status with that many seconds of `Retry-After`.
    Status(u16, Option<u64>),
    /// It does it, and closes the connection without an answer.
    LoseAnswer,
    /// It does it, and answers so much later.
    Hang(Duration),
    /// It waits so long and does it then, even if the caller has gone.
    HangBefore(Duration),
    /// It issues no key, but answers the one that was sent; to an admin, the newest that works.
    SameKey,
    /// It does it, and answers 200 with no JSON.
    Garbage,
    /// It does it, and answers 200 with JSON that has nothing in it of what was asked for.
    WrongShape,
    /// It issues a key that never works.
    DeadKey,
    /// It does it, and answers 404.
    NotFound,
}

/// How the API behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a key lives that is issued from now on. Default: for ever.
    pub lifetime: Option<Duration>,
    /// How long an account's older keys work after a new one was issued. Default: as long as before.
    pub overlap: Option<Duration>,
    /// The field with the key in an answer. Default: `new_key`.
    pub field: &'static str,
    /// Whether an `Idempotency-Key` that came before gets the same key again. Default: no.
    pub idempotent: bool,
    /// Whether there is a list of keys; 404 otherwise. Default: yes.
    pub lists: bool,
    /// Whether that list shows whole keys. Default: no.
    pub shows_keys: bool,
    /// Whether a revoked key is unknown to a second revocation, which answers 404; 200 otherwise. Default: no.
    pub forgets: bool,
    /// How long a request below `/v1/` takes. Its key is looked at as it arrives.
    pub latency: Duration,
}

/// The running API. It stops when dropped.
pub struct Issuer {
    /// Where it listens.
    pub address: SocketAddr,
    admin: String,
    ledger: Arc<Mutex<Ledger>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request, taken apart.
struct Call {
    verb: Option<Verb>,
    path: String,
    account: Option<String>,
    bearer: Option<String>,
    admin: Option<String>,
    idempotency: Option<String>,
    /// What a server writes to its log.
    loggable: String,
}

struct Answer {
    status: u16,
    body: String,
    expires_in: Option<u64>,
    retry_after: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: None,
            overlap: None,
            field: "new_key",
            idempotent: false,
            lists: true,
            shows_keys: false,
            forgets: false,
            latency: Duration::ZERO,
        }
    }
}

impl Issuer {
    /// One on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn start() -> Self {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port")
    }

    /// One at this address, on a thread and a runtime of its own.
    ///
    /// # Errors
    /// Where the address is taken.
    pub fn listen(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let admin = format!("pf_admin_{}", hex::<16>());
        let ledger = Arc::new(Mutex::new(Ledger::new(&admin)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&ledger);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, admin, ledger, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://ADDRESS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What an admin sends as `X-Admin`.
    #[must_use]
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// A new account: its name and its first key.
    #[must_use]
    pub fn new_account(&self) -> (String, String) {
        let mut ledger = lock(&self.ledger);
        let account = format!("account-{}", ledger.accounts.len() + 1);
        ledger.accounts.push(account.clone());
        let at = ledger.add(&account, State::Active, SystemTime::now());
        let key = ledger.keys[at].value.clone();
        (account, key)
    }

    /// One more key of an account, as somebody makes it by hand.
    #[must_use]
    pub fn new_key(&self, account: &str) -> String {
        let mut ledger = lock(&self.ledger);
        let at = ledger.add(account, State::Active, SystemTime::now());
        ledger.keys[at].value.clone()
    }

    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.ledger).settings);
    }

    /// The next `times` calls of this verb go wrong, after those that were to go wrong before. `usize::MAX`: until [`Issuer::heal`].
    pub fn fail(&self, verb: Verb, fault: Fault, times: usize) {
        lock(&self.ledger).faults.entry(verb).or_default().push_back((fault, times));
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        lock(&self.ledger).faults.clear();
    }

    /// Revokes a key or an id without a call; whether it was active.
    pub fn revoke(&self, key: &str) -> bool {
        let mut ledger = lock(&self.ledger);
        let at = ledger.find(key);
        at.is_some_and(|at| ledger.end(at, SystemTime::now()))
    }

    /// The keys of an account that work now, oldest first.
    #[must_use]
    pub fn usable_keys(&self, account: &str) -> Vec<String> {
        let now = SystemTime::now();
        self.all_keys(account).into_iter().filter(|key| key.works(now)).map(|key| key.value).collect()
    }

    /// Every key that an account ever had, oldest first.
    #[must_use]
    pub fn all_keys(&self, account: &str) -> Vec<Key> {
        lock(&self.ledger).keys.iter().filter(|key| key.account == account).cloned().collect()
    }

    /// Every key of every account, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Key> {
        lock(&self.ledger).keys.clone()
    }

    /// What is known of a key or an id.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Key> {
        let ledger = lock(&self.ledger);
        ledger.find(key).map(|at| ledger.keys[at].clone())
    }

    /// How often what happened since the start or [`Issuer::reset_counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.ledger).counts
    }

    /// Keys that were issued by calls.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.counts().issued
    }

    /// Requests below `/v1/` with a key that works.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counts().valid
    }

    /// Requests below `/v1/` with a key that was revoked before, in order.
    #[must_use]
    pub fn revoked_uses(&self) -> Vec<RevokedUse> {
        lock(&self.ledger).revoked_uses.clone()
    }

    /// The same without the host's own probes, which are how it proves that a key no longer works.
    #[must_use]
    pub fn uses_after_revocation(&self) -> Vec<RevokedUse> {
        self.revoked_uses().into_iter().filter(|used| used.path != "/v1/me").collect()
    }

    /// Forgets counts and uses of revoked keys. The keys and their histories stay.
    pub fn reset_counts(&self) {
        let mut ledger = lock(&self.ledger);
        ledger.counts = Counts::default();
        ledger.revoked_uses.clear();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Call {
    fn of(head: &http::request::Parts) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let verb = match (head.method.as_str(), path) {
            ("POST", "/api/keys/rotate") => Some(Verb::Issue),
            ("DELETE", path) if path.starts_with("/api/keys/") => Some(Verb::Revoke),
            ("GET", "/api/keys") => Some(Verb::List),
            (_, "/v1/me") => Some(Verb::Probe),
            (_, path) if path.starts_with("/v1/") => Some(Verb::Use),
            _ => None,
        };
        let others = head.headers.iter().filter(|(name, _)| *name != http::header::AUTHORIZATION);
        let lines: Vec<_> = others.map(|(_, value)| String::from_utf8_lossy(value.as_bytes())).collect();
        Self {
            verb,
            path: path.to_owned(),
            account: query.split('&').find_map(|pair| pair.strip_prefix("account=")).map(str::to_owned),
            bearer: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            admin: header("x-admin"),
            idempotency: header("idempotency-key"),
            loggable: format!("{path}?{query}\n{}", lines.join("\n")),
        }
    }
}

impl Answer {
    fn ok(body: &Value) -> Self {
        Self { status: 200, body: body.to_string(), expires_in: None, retry_after: None }
    }

    fn error(status: u16, text: &str) -> Self {
        Self { status, ..Self::ok(&json!({"error": text})) }
    }

    fn response(self) -> http::Response<Full<Bytes>> {
        let kind = if self.body.starts_with('{') { "application/json" } else { "text/html" };
        let mut response = http::Response::builder().status(self.status).header("content-type", kind);
        for (name, seconds) in [("x-key-expires-in", self.expires_in), ("retry-after", self.retry_after)] {
            if let Some(seconds) = seconds {
                response = response.header(name, seconds);
            }
        }
        response.body(Full::from(self.body)).expect("a status between 100 and 999")
    }
}

async fn serve(listener: TcpListener, ledger: Arc<Mutex<Ledger>>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let ledger = Arc::clone(&ledger);
        let service = service_fn(move |request| receive(request, Arc::clone(&ledger)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Answers a request, or closes its connection with an error.
async fn receive(request: http::Request<Incoming>, ledger: Arc<Mutex<Ledger>>) -> std::io::Result<http::Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    body.collect().await.map_err(std::io::Error::other)?;
    // A task of its own: hyper drops this future as the caller hangs up, and what was asked for is done nevertheless.
    let answer = tokio::spawn(perform(Call::of(&head), ledger)).await.map_err(std::io::Error::other)?;
    answer.map(Answer::response).ok_or_else(|| std::io::ErrorKind::ConnectionAborted.into())
}

/// Does what a call wants; no answer where it is to be lost.
async fn perform(call: Call, ledger: Arc<Mutex<Ledger>>) -> Option<Answer> {
    let (fault, latency) = lock(&ledger).arrive(&call);
    if let Some(Fault::HangBefore(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let answer = lock(&ledger).act(&call, fault.as_ref());
    let lost = fault == Some(Fault::LoseAnswer);
    lock(&ledger).counts.failed += u64::from(lost || answer.status >= 400);
    let pause = if let Some(Fault::Hang(time)) = fault { latency + time } else { latency };
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    (!lost).then_some(answer)
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
