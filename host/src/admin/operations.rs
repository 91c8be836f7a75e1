//! All that operators can ask, as one table.

use super::answer::{Answered, Problem, json};
use super::asked::{Asked, BackendSecrets, ConfirmedSigner, Done, HostStatus, Line, RotationReport, SignerLimits, Stopped, Switch, Turned};
use super::versions::{Change, VersionDone};
use crate::kill_switch::Whom;
use crate::manifest::Role;
use crate::rotation::RotationStatus;
use crate::serve::{AgentStatus, Reloaded, RunStatus};
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode};
use schemars::{Schema, SchemaGenerator};

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
    pub(super) required: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryKind {
    /// An agent's name, or a run's.
    Name,
    /// `true` or `false`.
    Bool,
    /// The path of a secret in its backend.
    Path,
}

const AGENT: Query = Query { name: "agent", summary: "Of this agent alone", kind: QueryKind::Name, required: false };
const PATH: Query = Query { name: "path", summary: "The secret, by its path in the backend", kind: QueryKind::Path, required: true };
const VERSION: Query = Query { name: "version", summary: "The version, as `listSecrets` names it", kind: QueryKind::Name, required: true };
const NO_VERSION: (u16, &str) = (404, "There is no such backend that can be listed, no such secret, or no such version.");
const NOT_SO: (u16, &str) = (409, "The backend can't do that.");
const SILENT_BACKEND: (u16, &str) = (502, "The backend can't be read or written.");
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
        query: &[AGENT, Query { name: "follow", summary: "Go on with lines as they come", kind: QueryKind::Bool, required: false }],
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
        query: &[Query { name: "run", summary: "This run alone", kind: QueryKind::Name, required: false }],
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
        summary: "Reads the host's configuration and the directory anew. What can't be used leaves all as it was",
        query: &[],
        answers: |g| g.subschema_for::<Reloaded>(),
        is_lines: false,
        problems: &[
            (409, "The host drains."),
            (500, "The directory can't be read: no agent has changed. The host's configuration was read all the same."),
        ],
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
        id: "removeVersion",
        method: Method::POST,
        path: "/v1/secrets/{backend}/rm-version",
        role: Role::Admin,
        summary: "Takes a version of a secret out of use",
        query: &[PATH, VERSION, Query { name: "destroy", summary: "Remove it for good", kind: QueryKind::Bool, required: false }],
        answers: |g| g.subschema_for::<VersionDone>(),
        is_lines: false,
        problems: &[NO_VERSION, NOT_SO, SILENT_BACKEND],
        perform: |asked| Box::pin(asked.change_version(Change::Remove)),
    },
    Operation {
        id: "restoreVersion",
        method: Method::POST,
        path: "/v1/secrets/{backend}/restore",
        role: Role::Admin,
        summary: "Takes a version into use again that was taken out of it",
        query: &[PATH, VERSION],
        answers: |g| g.subschema_for::<VersionDone>(),
        is_lines: false,
        problems: &[NO_VERSION, NOT_SO, SILENT_BACKEND],
        perform: |asked| Box::pin(asked.change_version(Change::Restore)),
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
        id: "confirmLimits",
        method: Method::POST,
        path: "/v1/limits/{agent}/confirm",
        role: Role::Admin,
        summary: "Takes the keys of an agent's signers into the ledger, and confirms that the ledger is the latest there is",
        query: &[],
        answers: |g| g.subschema_for::<Vec<ConfirmedSigner>>(),
        is_lines: false,
        problems: &[NO_AGENT, (409, "The ledger can't be opened, or refuses a key."), (502, "A key can't be had.")],
        perform: |asked| Box::pin(asked.confirm()),
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
