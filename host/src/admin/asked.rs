//! What is done for whoever asks, and what they are answered with.

use super::Shared;
use super::answer::{Answered, Problem, json, lines, text};
use super::openapi;
use super::operations::{Query, QueryKind};
use super::who::{Came, Known, Who};
use crate::WalletError;
use crate::audit::Event;
use crate::kill_switch::{Confirmed, Whom};
use crate::manifest::Purpose;
use crate::ops::{self, SecretStatus};
use crate::rotation::{RotationError, RotationStatus};
use crate::serve::{AgentStatus, ConfigurationRead, LogLine, OrderError, Reloaded, ServeError};
use http::{HeaderMap, Request, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Refusals of one asker that are recorded, in one [`WINDOW`].
const TOLD: u32 = 8;
const WINDOW: Duration = Duration::from_secs(60);

/// What was asked.
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) who: &'a Who,
    /// How they came.
    pub(super) came: &'a Arc<Came>,
    /// What the path has in place of `{…}`.
    pub(super) subject: String,
    pub(super) request: &'a Request<hyper::body::Incoming>,
}

/// The host.
#[derive(Serialize, JsonSchema)]
pub(super) struct HostStatus {
    /// Its version.
    version: &'static str,
    /// The directory that it serves.
    directory: String,
    /// How many agents there are.
    agents: usize,
    /// Where callers reach agents.
    url: Option<String>,
    /// What the host's configuration came to when it was read last, where there is one.
    configuration: Option<ConfigurationRead>,
    /// What the asker may: `viewer`, `operator` or `admin`.
    role: &'static str,
}

/// The names of runs that were told to end.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stopped {
    /// The runs.
    stopped: Vec<String>,
}

/// An agent, as it is after what was asked.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    /// The agent.
    agent: String,
    /// What was done.
    done: &'static str,
}

/// The secrets of one backend.
#[derive(Serialize, JsonSchema)]
pub(super) struct BackendSecrets {
    /// The backend.
    backend: String,
    /// Its secrets; no value is among them.
    secrets: Vec<SecretStatus>,
    /// Why they can't be listed.
    problem: Option<String>,
}

/// A signer of an agent.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignerLimits {
    /// The agent.
    agent: String,
    /// The signer, by its name in the manifest.
    signer: Option<String>,
    /// What its key is known by: an address, or a public key.
    key: Option<String>,
    /// What is left of its limits, in words.
    left: Vec<String>,
    /// Why that can't be told.
    problem: Option<String>,
}

/// A signer whose key the ledger has.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConfirmedSigner {
    /// The signer, by its name in the manifest.
    signer: String,
    /// What its key is known by.
    key: String,
}

/// How a rotation stands, or why that can't be told.
#[derive(Serialize, JsonSchema)]
pub(super) struct RotationReport {
    /// The rotation, by its name in the configuration.
    rotation: String,
    /// How it stands.
    status: Option<RotationStatus>,
    /// Why that can't be told.
    problem: Option<String>,
}

/// Who is stopped by the kill switch.
#[derive(Serialize, JsonSchema)]
pub(super) struct Switch {
    /// All agents are.
    all: bool,
    /// These are.
    agents: Vec<String>,
}

/// The kill switch was turned.
#[derive(Serialize, JsonSchema)]
pub(super) struct Turned {
    /// All agents, or one.
    whom: String,
    /// What the hosts say.
    confirmed: Confirmed,
}

/// A line that an agent has printed or logged; or how many there were that are not here.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Line {
    /// A line.
    Line(Arc<LogLine>),
    /// Lines came faster than they were read.
    Missed {
        /// So many.
        missed: u64,
    },
}

impl Asked<'_> {
    /// Whether a refusal is recorded: whoever asks often can't fill the log that others need.
    pub(super) fn is_told(&self) -> bool {
        let (now, mut refused) = (Instant::now(), self.shared.refused.lock());
        refused.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        let (_, count) = refused.entry(self.who.name.clone()).or_insert((now, 0));
        *count += 1;
        *count <= TOLD
    }

    pub(super) fn record(&self, operation: &'static str, refused: bool) -> Result<(), Problem> {
        let (by, role) = (self.who.name.as_str().into(), self.who.role.as_str().into());
        let query = self.request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let subject = format!("{}{query}", self.subject);
        let event = Event::Administered { operation: operation.into(), subject: subject.into(), by, role, refused };
        let recorded = self.shared.supervisor.host().journal("").record(event);
        recorded.map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("nothing was done: the audit log can't be written ({error})"))
        })
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.request.uri().query().unwrap_or_default();
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Whether the query is made of these alone, each once. Names need no escapes.
    pub(super) fn check_query(&self, known: &[Query]) -> Result<(), Problem> {
        let mut seen = Vec::new();
        for (name, value) in self.pairs() {
            let query = known.iter().find(|query| query.name == name);
            let query = query.ok_or_else(|| Problem::bad(format!("there is no query parameter of that name here; {}", these(known))))?;
            if seen.contains(&name) {
                return Err(Problem::bad(format!("`{name}` is there twice")));
            }
            seen.push(name);
            match query.kind {
                QueryKind::Bool if !matches!(value, "true" | "false") => {
                    return Err(Problem::bad(format!("write `{name}=true` or `{name}=false`")));
                }
                QueryKind::Path if !is_path(value) => return Err(Problem::bad(format!("`{name}` is not a path"))),
                QueryKind::Name if !is_name(value) => return Err(Problem::bad(format!("`{name}` is not a name"))),
                _ => {}
            }
        }
        if let Some(missing) = known.iter().find(|query| query.required && !seen.contains(&query.name)) {
            return Err(Problem::bad(format!("`{}` is missing", missing.name)));
        }
        if self.subject.is_empty() || is_name(&self.subject) { Ok(()) } else { Err(Problem::bad("what the path names is not a name")) }
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn host(&self) -> HostStatus {
        let supervisor = &self.shared.supervisor;
        HostStatus {
            version: env!("CARGO_PKG_VERSION"),
            directory: supervisor.directory().display().to_string(),
            agents: supervisor.status().len(),
            url: supervisor.url(),
            configuration: supervisor.configuration(),
            role: self.who.role.as_str(),
        }
    }

    pub(super) fn document(&self) -> super::answer::Answer {
        let mut document = self.shared.document.lock();
        text(document.get_or_insert_with(|| openapi::document().into()))
    }

    pub(super) fn agent(&self) -> Result<AgentStatus, Problem> {
        let found = self.shared.supervisor.status().into_iter().find(|status| status.agent == self.subject);
        found.ok_or_else(|| OrderError::NoAgent(self.subject.clone()).into())
    }

    pub(super) async fn logs(&self) -> Answered {
        let agent = self.query("agent").map(str::to_owned);
        if let Some(agent) = &agent {
            self.shared.supervisor.runs(agent)?;
        }
        let follows = self.query("follow") == Some("true");
        let value = |line: Line| serde_json::to_value(line).unwrap_or_default();
        let logs = self.shared.supervisor.logs();
        let all = move |kept: Vec<Arc<LogLine>>| futures_util::stream::iter(kept.into_iter().map(move |line| value(Line::Line(line))));
        if !follows {
            return Ok(lines(all(logs.lines(agent.as_deref()))));
        }
        let (before, following) = logs.follow(agent.as_deref());
        let (ending, still) = (self.shared.ending.clone(), self.still());
        let news = futures_util::stream::unfold((following, ending, still), move |(mut following, ending, mut still)| async move {
            let next = tokio::select! {
                next = following.next() => next?,
                () = ending.cancelled() => return None,
                () = still.unknown() => return None,
            };
            let line = next.map_or_else(|missed| Line::Missed { missed }, Line::Line);
            Some((value(line), (following, ending, still)))
        });
        Ok(lines(futures_util::StreamExt::chain(all(before), news)))
    }

    /// Whoever asks, as the configuration may be another while they are answered.
    fn still(&self) -> Still {
        let mut known = self.shared.known.subscribe();
        // It may be another since they were let in.
        known.mark_changed();
        Still { known, came: Arc::clone(self.came), headers: self.request.headers().clone() }
    }

    pub(super) async fn trigger(&self) -> Answered {
        self.shared.supervisor.trigger(&self.subject).await?;
        self.done("triggered")
    }

    pub(super) async fn stop(&self) -> Answered {
        json(&Stopped { stopped: self.shared.supervisor.stop(&self.subject, self.query("run"))? })
    }

    pub(super) async fn pause(&self, paused: bool) -> Answered {
        self.shared.supervisor.pause(&self.subject, paused).await?;
        self.done(if paused { "paused" } else { "resumed" })
    }

    pub(super) fn done(&self, done: &'static str) -> Answered {
        json(&Done { agent: self.subject.clone(), done })
    }

    pub(super) async fn reload(&self) -> Answered {
        let supervisor = self.shared.supervisor.clone();
        let has_configuration = supervisor.configuration().is_some();
        // Whoever asked may leave: what was begun is brought to its end.
        let reloaded = tokio::spawn(async move { supervisor.reload().await }).await;
        let reloaded = reloaded.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the host has failed"))?.map_err(|error| {
            let (status, read) = match error {
                ServeError::Draining => (StatusCode::CONFLICT, ""),
                // It is read before the directory, and `ps` says what that came to.
                _ if has_configuration => (StatusCode::INTERNAL_SERVER_ERROR, "; the host configuration was read all the same, see `ps`"),
                _ => (StatusCode::INTERNAL_SERVER_ERROR, ""),
            };
            Problem::new(status, format!("{error}; all agents stay as they are{read}"))
        })?;
        for refused in &reloaded.refused {
            tracing::warn!("a manifest can't be used: {}", refused.why);
        }
        let refused_configuration = reloaded.configuration.as_ref().and_then(|read| read.refused.as_ref());
        if let Some(why) = refused_configuration {
            tracing::warn!("the host configuration can't be used: {why}; the host goes on by the one that it had");
        }
        let Reloaded { added, changed, removed, refused, .. } = &reloaded;
        let [added, changed, removed, refused] = [added.len(), changed.len(), removed.len(), refused.len()];
        tracing::info!(
            target: "strongroom::notice",
            "read anew for {}: {added} new, {changed} changed, {removed} gone, {refused} that can't be used",
            self.who.name
        );
        json(&reloaded)
    }

    pub(super) async fn secrets(&self) -> Answered {
        let _turn = self.shared.asking.lock().await;
        let supervisor = &self.shared.supervisor;
        let host = supervisor.host();
        let manifests: Vec<_> = supervisor.agents().iter().map(|agent| agent.manifest().clone()).collect();
        let mut all = Vec::new();
        for configured in host.backends().all() {
            let Ok(backend) = ops::Backend::named(host, Some(&configured.name)) else { continue };
            let Some(store) = backend.store() else { continue };
            let (secrets, problem) = match backend.statuses(store, &manifests).await {
                Ok(secrets) => (secrets, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            all.push(BackendSecrets { backend: configured.name.clone(), secrets, problem });
        }
        json(&all)
    }

    pub(super) async fn rotations(&self) -> Answered {
        let host = self.shared.supervisor.host();
        let mut all = Vec::new();
        for rotation in host.rotations() {
            let (status, problem) = match host.rotation_status(rotation).await {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.to_string())),
            };
            all.push(RotationReport { rotation: rotation.to_owned(), status, problem });
        }
        json(&all)
    }

    pub(super) async fn rotate(&self) -> Answered {
        let host = self.shared.supervisor.host().clone();
        let failed = |error: RotationError| {
            let status = if matches!(error, RotationError::Unknown(_)) { StatusCode::NOT_FOUND } else { StatusCode::BAD_GATEWAY };
            Problem::new(status, format!("{}: {error}", self.subject))
        };
        // Whoever asked may leave: what was begun goes on.
        let (rotation, rotating) = (self.subject.clone(), host.clone());
        let rotated = tokio::spawn(async move { rotating.rotate(&rotation, |_| {}).await }).await;
        rotated.map_err(|_| Problem::new(StatusCode::BAD_GATEWAY, "the host has failed"))?.map_err(failed)?;
        json(&host.rotation_status(&self.subject).await.map_err(failed)?)
    }

    pub(super) async fn limits(&self) -> Answered {
        let _turn = self.shared.asking.lock().await;
        let supervisor = &self.shared.supervisor;
        let mut all = Vec::new();
        // To look must not take anything into use: a ledger that another host may need, or a key for what a manifest says of it first.
        let is_open = supervisor.host().signing().has_open_ledger();
        for agent in supervisor.agents().iter().filter(|agent| !agent.manifest().signers.is_empty()) {
            let manifest = agent.manifest();
            let none = SignerLimits { agent: manifest.name.clone(), signer: None, key: None, left: Vec::new(), problem: None };
            let are_wallets = manifest.signers.iter().all(|signer| matches!(signer.purpose, Purpose::Wallet(_)));
            let closed = match (is_open, are_wallets) {
                (false, _) => Some("the host has not opened its ledger: it has signed nothing since it began"),
                (_, false) => Some("not all of its signers are wallets; see `strongroom limits show`"),
                _ if supervisor.host().kill_switch().line(&manifest.name).is_cut() => Some("the agent is stopped by the kill switch"),
                _ => None,
            };
            if let Some(why) = closed {
                all.push(SignerLimits { problem: Some(why.to_owned()), ..none });
                continue;
            }
            match ops::signers(agent).await {
                Err(error) => all.push(SignerLimits { problem: Some(error.to_string()), ..none }),
                Ok(signers) => {
                    for report in signers {
                        let (left, problem) = match report.left(supervisor.host()).await {
                            Ok(left) => (left, None),
                            Err(error) => (Vec::new(), Some(error.to_string())),
                        };
                        let (agent, signer, key) = (none.agent.clone(), Some(report.signer), Some(report.key));
                        all.push(SignerLimits { agent, signer, key, left, problem });
                    }
                }
            }
        }
        json(&all)
    }

    pub(super) async fn confirm(&self) -> Answered {
        let _turn = self.shared.asking.lock().await;
        let agent = self.shared.supervisor.agents().into_iter().find(|agent| agent.manifest().name == self.subject);
        let agent = agent.ok_or_else(|| Problem::from(OrderError::NoAgent(self.subject.clone())))?;
        // Whoever asked may leave: the ledger has all of the agent's keys, or is told why not.
        let confirmed = tokio::spawn(async move { agent.confirm_signers().await }).await;
        let confirmed = confirmed.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the host has failed"))?;
        let confirmed = confirmed.map_err(|error| match error {
            WalletError::Signers(why) => Problem::new(StatusCode::BAD_GATEWAY, why),
            error => Problem::new(StatusCode::CONFLICT, format!("{}: {error}", self.subject)),
        })?;
        json(&confirmed.into_iter().map(|(signer, key)| ConfirmedSigner { signer, key }).collect::<Vec<_>>())
    }

    pub(super) async fn switch(&self) -> Answered {
        let stopped = self.shared.supervisor.host().kill_switch().stopped().map_err(unturned)?;
        let all = stopped.contains(&Whom::All);
        let agents = stopped.into_iter().filter_map(|whom| match whom {
            Whom::Agent(name) => Some(name),
            Whom::All => None,
        });
        json(&Switch { all, agents: agents.collect() })
    }

    pub(super) fn whom(&self) -> Result<Whom, Problem> {
        Whom::agent(&self.subject).map_err(|problem| Problem::bad(format!("the agent's name is {problem}")))
    }

    pub(super) async fn turn(&self, whom: Result<Whom, Problem>, on: bool) -> Answered {
        let whom = whom?;
        let (switch, turned) = (self.shared.supervisor.host().kill_switch().clone(), whom.clone());
        let confirmed = tokio::task::spawn_blocking(move || if on { switch.on(&turned) } else { switch.off(&turned) }).await;
        let confirmed = confirmed.unwrap_or_else(|_| Err(std::io::Error::other("the host has failed"))).map_err(unturned)?;
        if let Some(detail) = confirmed.unconfirmed() {
            return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail));
        }
        json(&Turned { whom: whom.to_string(), confirmed })
    }
}

/// Somebody who is answered for a while.
struct Still {
    known: watch::Receiver<Arc<Known>>,
    came: Arc<Came>,
    headers: HeaderMap,
}

impl Still {
    /// Waits until they have no role any more.
    async fn unknown(&mut self) {
        while self.known.changed().await.is_ok() {
            let known = Arc::clone(&self.known.borrow());
            if known.who(&self.came, &self.headers).is_none() {
                return;
            }
        }
        // The interface has ended, and so does the answer.
        std::future::pending().await
    }
}

/// Whether a text can be the name of an agent, a run or a rotation.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether a text can be the path of a secret: names with slashes between them, none of which leads elsewhere.
fn is_path(text: &str) -> bool {
    let path = decoded(text);
    path.len() <= 512 && path.split('/').all(|segment| is_name(segment) && !matches!(segment, "." | ".."))
}

/// A path as it is meant: clients may write its slashes so in a query. Nothing else of it needs escapes.
pub(super) fn decoded(path: &str) -> String {
    path.replace("%2F", "/").replace("%2f", "/")
}

/// What there is, for whoever has named something else.
fn these(known: &[Query]) -> String {
    match known {
        [] => "there is none".to_owned(),
        known => format!("there are {}", known.iter().map(|query| query.name).collect::<Vec<_>>().join(", ")),
    }
}

fn unturned(error: std::io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the kill switch can't be turned or read: {error}"))
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let status = match error {
            OrderError::NoAgent(_) | OrderError::NoRun { .. } => StatusCode::NOT_FOUND,
            OrderError::State { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error)
    }
}
