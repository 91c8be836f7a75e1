//! All that operators can ask, as one table.

use super::Shared;
use super::answer::{Answered, Problem, json, lines, text};
use super::openapi;
use super::who::Who;
use crate::audit::Event;
use crate::kill_switch::{Confirmed, Whom};
use crate::manifest::{Purpose, Role};
use crate::ops::{self, SecretStatus};
use crate::rotation::{RotationError, RotationStatus};
use crate::serve::{AgentStatus, LogLine, OrderError, Reloaded, RunStatus, ServeError};
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One of them.
pub(super) struct Operation {
    /// Its name.
    pub(super) id: &'static str,
    pub(super) method: Method,
    /// Its path; `{…}` is one segment, what it is about.
    pub(super) path: &'static str,
    /// Who may ask for it.
    pub(super) role: Role,
    /// What it does.
    pub(super) summary: &'static str,
    pub(super) query: &'static [Query],
    /// What it is answered with.
    pub(super) answers: fn(&mut SchemaGenerator) -> Schema,
    /// The answer is a line for each.
    pub(super) is_lines: bool,
    /// Statuses of its own, and when there is one.
    pub(super) problems: &'static [(u16, &'static str)],
    perform: for<'a> fn(&'a Asked<'a>) -> BoxFuture<'a, Answered>,
}

/// A part of the query.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) kind: QueryKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// An agent's name, or a run's.
    Name,
    /// `true` or `false`.
    Bool,
}

/// What was asked.
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) who: &'a Who,
    /// What the path has in place of `{…}`.
    pub(super) subject: String,
    pub(super) request: &'a Request<hyper::body::Incoming>,
}

/// The host.
#[derive(Serialize, JsonSchema)]
struct HostStatus {
    /// Its version.
    version: &'static str,
    /// The directory that it serves.
    directory: String,
    /// How many agents there are.
    agents: usize,
    /// Where callers reach agents.
    url: Option<String>,
    /// What the asker may: `viewer`, `operator` or `admin`.
    role: &'static str,
}

/// The names of runs that were told to end.
#[derive(Serialize, JsonSchema)]
struct Stopped {
    /// The runs.
    stopped: Vec<String>,
}

/// An agent, as it is after what was asked.
#[derive(Serialize, JsonSchema)]
struct Done {
    /// The agent.
    agent: String,
    /// What was done.
    done: &'static str,
}

/// The secrets of one backend.
#[derive(Serialize, JsonSchema)]
struct BackendSecrets {
    /// The backend.
    backend: String,
    /// Its secrets; no value is among them.
    secrets: Vec<SecretStatus>,
    /// Why they can't be listed.
    problem: Option<String>,
}

/// A signer of an agent.
#[derive(Serialize, JsonSchema)]
struct SignerLimits {
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

/// How a rotation stands, or why that can't be told.
#[derive(Serialize, JsonSchema)]
struct RotationReport {
    /// The rotation, by its name in the configuration.
    rotation: String,
    /// How it stands.
    status: Option<RotationStatus>,
    /// Why that can't be told.
    problem: Option<String>,
}

/// Who is stopped by the kill switch.
#[derive(Serialize, JsonSchema)]
struct Switch {
    /// All agents are.
    all: bool,
    /// These are.
    agents: Vec<String>,
}

/// The kill switch was turned.
#[derive(Serialize, JsonSchema)]
struct Turned {
    /// All agents, or one.
    whom: String,
    /// What the hosts say.
    confirmed: Confirmed,
}

/// A line that an agent has printed or logged; or how many there were that are not here.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Line {
    /// A line.
    Line(Arc<LogLine>),
    /// Lines came faster than they were read.
    Missed {
        /// So many.
        missed: u64,
    },
}

const AGENT: Query = Query { name: "agent", summary: "Of this agent alone", kind: QueryKind::Name };
const NO_AGENT: (u16, &str) = (404, "There is no such agent.");
const CONFLICT: (u16, &str) = (409, "The agent is in no state for it.");

/// The table.
pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        id: "getHost",
        method: Method::GET,
        path: "/v1/host",
        role: Role::Viewer,
        summary: "Which host this is",
        query: &[],
        answers: |g| g.subschema_for::<HostStatus>(),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(async { json(&asked.host()) }),
    },
    Operation {
        id: "getDocument",
        method: Method::GET,
        path: "/v1/openapi.json",
        role: Role::Viewer,
        summary: "This document",
        query: &[],
        answers: |_| schemars::json_schema!({"type": "object"}),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(async { Ok(asked.document()) }),
    },
    Operation {
        id: "listAgents",
        method: Method::GET,
        path: "/v1/agents",
        role: Role::Viewer,
        summary: "All agents, in the order of their names",
        query: &[],
        answers: |g| g.subschema_for::<Vec<AgentStatus>>(),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(async { json(&asked.shared.supervisor.status()) }),
    },
    Operation {
        id: "getAgent",
        method: Method::GET,
        path: "/v1/agents/{agent}",
        role: Role::Viewer,
        summary: "One agent",
        query: &[],
        answers: |g| g.subschema_for::<AgentStatus>(),
        is_lines: false,
        problems: &[NO_AGENT],
        perform: |asked| Box::pin(async { json(&asked.agent()?) }),
    },
    Operation {
        id: "listRuns",
        method: Method::GET,
        path: "/v1/agents/{agent}/runs",
        role: Role::Viewer,
        summary: "An agent's runs that are under way, and its last 20 that have ended, the latest first",
        query: &[],
        answers: |g| g.subschema_for::<Vec<RunStatus>>(),
        is_lines: false,
        problems: &[NO_AGENT],
        perform: |asked| Box::pin(async { json(&asked.shared.supervisor.runs(&asked.subject)?) }),
    },
    Operation {
        id: "readLogs",
        method: Method::GET,
        path: "/v1/logs",
        role: Role::Viewer,
        summary: "The last lines of agents, the oldest first: 200 of each, and no more than 32 KiB. They are scrubbed",
        query: &[AGENT, Query { name: "follow", summary: "Go on with lines as they come", kind: QueryKind::Bool }],
        answers: |g| g.subschema_for::<Line>(),
        is_lines: true,
        problems: &[NO_AGENT],
        perform: |asked| Box::pin(asked.logs()),
    },
    Operation {
        id: "triggerAgent",
        method: Method::POST,
        path: "/v1/agents/{agent}/trigger",
        role: Role::Operator,
        summary: "Has an agent run now, as if its time had come",
        query: &[],
        answers: |g| g.subschema_for::<Done>(),
        is_lines: false,
        problems: &[NO_AGENT, CONFLICT],
        perform: |asked| Box::pin(asked.trigger()),
    },
    Operation {
        id: "stopRuns",
        method: Method::POST,
        path: "/v1/agents/{agent}/stop",
        role: Role::Operator,
        summary: "Ends an agent's runs that are under way. Its trigger goes on; one that restarts does not begin again by itself",
        query: &[Query { name: "run", summary: "This run alone", kind: QueryKind::Name }],
        answers: |g| g.subschema_for::<Stopped>(),
        is_lines: false,
        problems: &[(404, "There is no such agent, or no such run under way.")],
        perform: |asked| Box::pin(asked.stop()),
    },
    Operation {
        id: "pauseAgent",
        method: Method::POST,
        path: "/v1/agents/{agent}/pause",
        role: Role::Operator,
        summary: "Begins nothing of an agent until it is resumed, over a restart too. What runs goes on",
        query: &[],
        answers: |g| g.subschema_for::<Done>(),
        is_lines: false,
        problems: &[NO_AGENT, CONFLICT],
        perform: |asked| Box::pin(asked.pause(true)),
    },
    Operation {
        id: "resumeAgent",
        method: Method::POST,
        path: "/v1/agents/{agent}/resume",
        role: Role::Operator,
        summary: "Lifts a pause",
        query: &[],
        answers: |g| g.subschema_for::<Done>(),
        is_lines: false,
        problems: &[NO_AGENT, CONFLICT],
        perform: |asked| Box::pin(asked.pause(false)),
    },
    Operation {
        id: "reload",
        method: Method::POST,
        path: "/v1/reload",
        role: Role::Operator,
        summary: "Reads the directory anew. A manifest that can't be used leaves its agent as it was",
        query: &[],
        answers: |g| g.subschema_for::<Reloaded>(),
        is_lines: false,
        problems: &[(409, "The host drains."), (500, "The directory can't be read; nothing has changed.")],
        perform: |asked| Box::pin(asked.reload()),
    },
    Operation {
        id: "listSecrets",
        method: Method::GET,
        path: "/v1/secrets",
        role: Role::Operator,
        summary: "The secrets of the backends that can be listed, with the agents that may use them. No value is among them",
        query: &[],
        answers: |g| g.subschema_for::<Vec<BackendSecrets>>(),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(asked.secrets()),
    },
    Operation {
        id: "listRotations",
        method: Method::GET,
        path: "/v1/rotations",
        role: Role::Viewer,
        summary: "How the rotations stand",
        query: &[],
        answers: |g| g.subschema_for::<Vec<RotationReport>>(),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(asked.rotations()),
    },
    Operation {
        id: "rotate",
        method: Method::POST,
        path: "/v1/rotations/{rotation}/rotate",
        role: Role::Admin,
        summary: "Replaces a key now, or finishes a rotation that was left midway. It is answered once the old key is revoked",
        query: &[],
        answers: |g| g.subschema_for::<RotationStatus>(),
        is_lines: false,
        problems: &[(404, "There is no such rotation."), (502, "The key was not replaced, or the old one is not revoked.")],
        perform: |asked| Box::pin(asked.rotate()),
    },
    Operation {
        id: "listLimits",
        method: Method::GET,
        path: "/v1/limits",
        role: Role::Operator,
        summary: "What the agents' wallets may still spend, where the host has opened its ledger: as it signs first",
        query: &[],
        answers: |g| g.subschema_for::<Vec<SignerLimits>>(),
        is_lines: false,
        problems: &[],
        perform: |asked| Box::pin(asked.limits()),
    },
    Operation {
        id: "getKillSwitch",
        method: Method::GET,
        path: "/v1/kill-switch",
        role: Role::Viewer,
        summary: "Who is stopped by the kill switch",
        query: &[],
        answers: |g| g.subschema_for::<Switch>(),
        is_lines: false,
        problems: &[SWITCH_STATE],
        perform: |asked| Box::pin(asked.switch()),
    },
    Operation {
        id: "stopAll",
        method: Method::PUT,
        path: "/v1/kill-switch/all",
        role: Role::Operator,
        summary: "Stops all agents by the kill switch, over a restart too",
        query: &[],
        answers: |g| g.subschema_for::<Turned>(),
        is_lines: false,
        problems: &[SWITCH_STATE, SILENT],
        perform: |asked| Box::pin(asked.turn(Ok(Whom::All), true)),
    },
    Operation {
        id: "liftAll",
        method: Method::DELETE,
        path: "/v1/kill-switch/all",
        role: Role::Admin,
        summary: "Lifts that again. What was stopped by name stays so",
        query: &[],
        answers: |g| g.subschema_for::<Turned>(),
        is_lines: false,
        problems: &[SWITCH_STATE, SILENT],
        perform: |asked| Box::pin(asked.turn(Ok(Whom::All), false)),
    },
    Operation {
        id: "stopAgent",
        method: Method::PUT,
        path: "/v1/kill-switch/agents/{agent}",
        role: Role::Operator,
        summary: "Stops one agent by the kill switch, over a restart too; it need not be there yet",
        query: &[],
        answers: |g| g.subschema_for::<Turned>(),
        is_lines: false,
        problems: &[SWITCH_STATE, SILENT],
        perform: |asked| Box::pin(asked.turn(asked.whom(), true)),
    },
    Operation {
        id: "liftAgent",
        method: Method::DELETE,
        path: "/v1/kill-switch/agents/{agent}",
        role: Role::Admin,
        summary: "Lifts that again. What was stopped for all stays so",
        query: &[],
        answers: |g| g.subschema_for::<Turned>(),
        is_lines: false,
        problems: &[SWITCH_STATE, SILENT],
        perform: |asked| Box::pin(asked.turn(asked.whom(), false)),
    },
];

/// What is done though no record of it can be written.
const EMERGENCIES: [&str; 2] = ["stopAll", "stopAgent"];
/// Refusals of one asker that are recorded, in one [`WINDOW`].
const TOLD: u32 = 8;
const WINDOW: Duration = Duration::from_secs(60);

const SWITCH_STATE: (u16, &str) = (500, "The kill switch can't be read or turned.");
const SILENT: (u16, &str) = (504, "Hosts that run have not confirmed it within 2 s.");

/// The operation that a request names, and what it is about.
pub(super) fn find(request: &Request<hyper::body::Incoming>) -> Result<(&'static Operation, String), Problem> {
    use hyper::body::Body;

    let path = request.uri().path();
    let there: Vec<_> = OPERATIONS.iter().filter_map(|operation| Some((operation, operation.subject(path)?))).collect();
    if there.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path; see `/v1/openapi.json`"));
    }
    let allowed: Vec<_> = there.iter().map(|(operation, _)| operation.method.clone()).collect();
    let named = there.into_iter().find(|(operation, _)| operation.method == *request.method());
    let (operation, subject) = named.ok_or_else(|| Problem::method(&allowed))?;
    if !request.body().is_end_stream() {
        return Err(Problem::bad("no operation takes a body"));
    }
    Ok((operation, subject.to_owned()))
}

impl Operation {
    /// What a path that is this one's has in place of `{…}`.
    fn subject<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, rest)) = self.path.split_once('{') else { return (self.path == path).then_some("") };
        let (_, after) = rest.split_once('}')?;
        let subject = path.strip_prefix(before)?.strip_suffix(after)?;
        (!subject.is_empty() && !subject.contains('/')).then_some(subject)
    }

    /// What stands in its path for what it is about.
    pub(super) fn parameter(&self) -> Option<&'static str> {
        Some(self.path.split_once('{')?.1.split_once('}')?.0)
    }

    /// Does it, for somebody who may. What changes something is in the audit log before.
    pub(super) async fn perform<'a>(&self, asked: &'a Asked<'a>) -> Answered {
        let may = asked.who.role >= self.role;
        // Before anything is recorded: what is not a name is no text for the log.
        asked.check_query(self.query)?;
        if self.method != Method::GET && (may || asked.is_told()) {
            let recorded = asked.record(self.id, !may);
            // What ends all effects does not wait for a disk.
            if let Err(problem) = recorded
                && !EMERGENCIES.contains(&self.id)
            {
                return Err(problem);
            }
        }
        if !may {
            let (has, needs) = (asked.who.role.as_str(), self.role.as_str());
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!("this is for the role {needs}, and {} has the role {has}", asked.who.name),
            ));
        }
        (self.perform)(asked).await
    }
}

impl Asked<'_> {
    /// Whether a refusal is recorded: whoever asks often can't fill the log that others need.
    fn is_told(&self) -> bool {
        let (now, mut refused) = (Instant::now(), self.shared.refused.lock());
        refused.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        let (_, count) = refused.entry(self.who.name.clone()).or_insert((now, 0));
        *count += 1;
        *count <= TOLD
    }

    fn record(&self, operation: &'static str, refused: bool) -> Result<(), Problem> {
        let (by, role) = (self.who.name.as_str().into(), self.who.role.as_str().into());
        let query = self.request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let subject = format!("{}{query}", self.subject);
        let event = Event::Administered { operation: operation.into(), subject: subject.into(), by, role, refused };
        let recorded = self.shared.supervisor.host().journal("").record(event);
        recorded.map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("nothing was done: the audit log can't be written ({error})"))
        })
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.request.uri().query().unwrap_or_default();
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Whether the query is made of these alone, each once. Names need no escapes.
    fn check_query(&self, known: &[Query]) -> Result<(), Problem> {
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
                QueryKind::Name if !is_name(value) => return Err(Problem::bad(format!("`{name}` is not a name"))),
                _ => {}
            }
        }
        if self.subject.is_empty() || is_name(&self.subject) { Ok(()) } else { Err(Problem::bad("what the path names is not a name")) }
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn host(&self) -> HostStatus {
        let supervisor = &self.shared.supervisor;
        HostStatus {
            version: env!("CARGO_PKG_VERSION"),
            directory: supervisor.directory().display().to_string(),
            agents: supervisor.status().len(),
            url: supervisor.url(),
            role: self.who.role.as_str(),
        }
    }

    fn document(&self) -> super::answer::Answer {
        let mut document = self.shared.document.lock();
        text(document.get_or_insert_with(|| openapi::document().into()))
    }

    fn agent(&self) -> Result<AgentStatus, Problem> {
        let found = self.shared.supervisor.status().into_iter().find(|status| status.agent == self.subject);
        found.ok_or_else(|| OrderError::NoAgent(self.subject.clone()).into())
    }

    async fn logs(&self) -> Answered {
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
        let ending = self.shared.ending.clone();
        let news = futures_util::stream::unfold((following, ending), move |(mut following, ending)| async move {
            let next = tokio::select! {
                next = following.next() => next?,
                () = ending.cancelled() => return None,
            };
            let line = next.map_or_else(|missed| Line::Missed { missed }, Line::Line);
            Some((value(line), (following, ending)))
        });
        Ok(lines(futures_util::StreamExt::chain(all(before), news)))
    }

    async fn trigger(&self) -> Answered {
        self.shared.supervisor.trigger(&self.subject).await?;
        self.done("triggered")
    }

    async fn stop(&self) -> Answered {
        json(&Stopped { stopped: self.shared.supervisor.stop(&self.subject, self.query("run"))? })
    }

    async fn pause(&self, paused: bool) -> Answered {
        self.shared.supervisor.pause(&self.subject, paused).await?;
        self.done(if paused { "paused" } else { "resumed" })
    }

    fn done(&self, done: &'static str) -> Answered {
        json(&Done { agent: self.subject.clone(), done })
    }

    async fn reload(&self) -> Answered {
        let supervisor = self.shared.supervisor.clone();
        // Whoever asked may leave: what was begun is brought to its end.
        let reloaded = tokio::spawn(async move { supervisor.reload().await }).await;
        let reloaded = reloaded.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the host has failed"))?.map_err(|error| {
            let status = if matches!(error, ServeError::Draining) { StatusCode::CONFLICT } else { StatusCode::INTERNAL_SERVER_ERROR };
            Problem::new(status, format!("{error}; all agents stay as they are"))
        })?;
        for refused in &reloaded.refused {
            tracing::warn!("a manifest can't be used: {}", refused.why);
        }
        let Reloaded { added, changed, removed, refused } = &reloaded;
        let [added, changed, removed, refused] = [added.len(), changed.len(), removed.len(), refused.len()];
        tracing::info!(
            target: "strongroom::notice",
            "read anew for {}: {added} new, {changed} changed, {removed} gone, {refused} that can't be used",
            self.who.name
        );
        json(&reloaded)
    }

    async fn secrets(&self) -> Answered {
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

    async fn rotations(&self) -> Answered {
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

    async fn rotate(&self) -> Answered {
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

    async fn limits(&self) -> Answered {
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

    async fn switch(&self) -> Answered {
        let stopped = self.shared.supervisor.host().kill_switch().stopped().map_err(unturned)?;
        let all = stopped.contains(&Whom::All);
        let agents = stopped.into_iter().filter_map(|whom| match whom {
            Whom::Agent(name) => Some(name),
            Whom::All => None,
        });
        json(&Switch { all, agents: agents.collect() })
    }

    fn whom(&self) -> Result<Whom, Problem> {
        Whom::agent(&self.subject).map_err(|problem| Problem::bad(format!("the agent's name is {problem}")))
    }

    async fn turn(&self, whom: Result<Whom, Problem>, on: bool) -> Answered {
        let whom = whom?;
        let (switch, turned) = (self.shared.supervisor.host().kill_switch().clone(), whom.clone());
        let confirmed = tokio::task::spawn_blocking(move || if on { switch.on(&turned) } else { switch.off(&turned) }).await;
        let confirmed = confirmed.unwrap_or_else(|_| Err(std::io::Error::other("the host has failed"))).map_err(unturned)?;
        if !confirmed.silent.is_empty() {
            let silent = confirmed.silent.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let detail = format!("hosts that run have not confirmed it within 2 s: end the processes {silent}");
            return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail));
        }
        json(&Turned { whom: whom.to_string(), confirmed })
    }
}

/// Whether a text can be the name of an agent, a run or a rotation.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
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
