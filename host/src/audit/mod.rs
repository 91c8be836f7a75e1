//! What happened, one record for each grant used, denial, and run: handed to the operating system before the effect.
//!
//! A record says who, what, where, by which rule, with which version of which secret, how much and how long. Never what: no
//! query, no header, no body, no value. The schema is [`Record`]'s; SECURITY.md describes it for readers of the log.

mod file;
mod journal;
mod owned;
mod read;

pub use file::FileAudit;
pub(crate) use journal::Journal;
pub use read::{Newer, Piece, Reader, Recorded, Torn};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Text of a record: borrowed as the host makes it, owned as it is read.
pub type Text<'a> = Cow<'a, str>;

/// Where records go.
pub trait AuditSink: Send + Sync {
    /// Takes records of one run, in order. When this returns `Ok`, they survive a crash of the process.
    ///
    /// # Errors
    /// Whatever keeps a record from being written. The effect that the last of them stands for is then refused.
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()>;
}

/// The only format of records there is so far. A record that has no number as `format` is of it; a later one says so in each record, since
/// hosts of several versions may write to one log.
const FORMAT: u64 = 1;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record<'a> {
    /// RFC 3339, UTC, milliseconds.
    pub time: String,
    /// The run, unique on this host.
    pub run: Text<'a>,
    /// The agent's name.
    pub agent: Text<'a>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event<'a>,
}

/// What happened. The variant's name is the record's `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Event<'a> {
    /// A run begins; no guest instruction has run yet.
    RunStart {
        /// SHA-256 of the component, hexadecimal.
        component: Text<'a>,
        /// What the manifest is called where another is read while the run goes on: 8 hexadecimal digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Text<'a>>,
        /// The secrets it may use.
        secrets: Vec<Used<'a>>,
    },
    /// A caller's request has begun the run.
    Called {
        /// The method.
        method: Text<'a>,
        /// The path, without query.
        path: Text<'a>,
        /// What proved who calls: `public`, `bearer`, `stripe`, `github`, `slack`, `mtls`.
        by: Text<'a>,
        /// Who called: the fingerprint of the secret, or a name of the certificate; nothing where anybody may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<Text<'a>>,
        /// The address that the request came from.
        from: Text<'a>,
    },
    /// A caller's request was turned away; no run began. Its `run` names the host. Of those that say the same, some in a minute have a record
    /// of their own.
    CallerRefused {
        /// The agent's path, as its manifest has it.
        path: Text<'a>,
        /// The status that the caller got.
        status: u16,
        /// Why, which the caller was not told.
        reason: Text<'a>,
        /// The address that the request came from.
        from: Text<'a>,
        /// How many more there were since the last such record.
        #[serde(default, skip_serializing_if = "is_none")]
        more: u64,
    },
    /// An operator asks for something that changes what agents do: it is about to be done, or was refused for want of a role. Its `run` names the
    /// host.
    Administered {
        /// The operation, by its name in the interface for administrators.
        operation: Text<'a>,
        /// What it is about: an agent, a rotation; with the query.
        subject: Text<'a>,
        /// Who asks.
        by: Text<'a>,
        /// The role that they have.
        role: Text<'a>,
        /// Whether it was refused.
        refused: bool,
    },
    /// Somebody who has no role has asked something of the host's interface for administrators, or has not proved to have one. At most one a
    /// second has a record. Its `run` names the host.
    OperatorRefused {
        /// The status of the response.
        status: u16,
        /// The address that the request came from, or `user N` at the socket.
        from: Text<'a>,
        /// How many more there were since the last such record.
        #[serde(default, skip_serializing_if = "is_none")]
        more: u64,
    },
    /// The host's configuration was read anew: it is about to be taken up, or is refused whole. Its `run` names the host.
    ConfigurationRead {
        /// The file.
        file: Text<'a>,
        /// The keys that are otherwise than before, and count from now on.
        changed: Cow<'a, [String]>,
        /// The keys that are otherwise than what the host runs by, and count once it starts anew.
        after_restart: Cow<'a, [String]>,
        /// Why it is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Text<'a>>,
    },
    /// The agent's response to its caller has ended, or there was none.
    Responded {
        /// The status, where there was a response.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Bytes of the request's body that the agent read.
        received: u64,
        /// Bytes of the response's body.
        sent: u64,
        /// Values taken out of request and response.
        redacted: u64,
        /// Headers that the response had, and may not have.
        #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
        withheld: Cow<'a, [String]>,
        /// How it ended, where not in order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Text<'a>>,
    },
    /// A request is about to leave.
    Egress {
        /// Number of the request within the run, from 1.
        request: u64,
        /// The method.
        method: Text<'a>,
        /// `scheme://host:port/path`, without query.
        url: Text<'a>,
        /// The manifest's entry that allowed it.
        rule: Text<'a>,
        /// The secrets put into it.
        secrets: Vec<Used<'a>>,
        /// The request that it repeats, where its answer asked for it once more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<u64>,
        /// The last manifest that it was judged by as well, where one was read since the run began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<Text<'a>>,
    },
    /// The agent kept a request's body back until its secrets had been replaced: it leaves with these.
    VersionsChanged {
        /// Number of the request.
        request: u64,
        /// The secrets put into it.
        secrets: Vec<Used<'a>>,
    },
    /// A step of a rotation is about to be taken, or one has failed. Its `agent` is empty, and its `run` names the host.
    Rotation {
        /// The rotation, by its name in the configuration.
        rotation: Text<'a>,
        /// Which one it is, counted from 1.
        number: u64,
        /// The step: `issue`, `verify`, `switch`, `drain`, `revoke`, `clean`, `done`, `roll-back`, `alert`, …
        step: Text<'a>,
        /// What is to be said of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<Text<'a>>,
    },
    /// The host asks for an access token, or has got one. Its `agent` is empty, and its `run` names the host.
    Token {
        /// Where the secret is kept that the token is for.
        credential: Text<'a>,
        /// The step: `ask`, which is recorded before it is taken, `answer`, `failed`, `alert`; `login`, where a person has got a
        /// new refresh token.
        step: Text<'a>,
        /// What is to be said of it: who is asked, why there is no token, the fingerprint of a new refresh token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Text<'a>>,
        /// The fingerprint of the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<Text<'a>>,
    },
    /// The response to a request has ended, or the request has failed. It is written with the run's next record, at the latest at the run's
    /// end.
    Answer {
        /// Number of the request.
        request: u64,
        /// The status, where there was an answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Bytes of the request's body.
        sent: u64,
        /// Bytes of the answer's body, after decompression.
        received: u64,
        /// Values taken out of it.
        redacted: u64,
        /// From the request to the end of the answer.
        millis: u64,
        /// How it ended, where not in order.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Text<'a>>,
        /// What was found of it, where that says more.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<Text<'a>>,
        /// What schemes have made of secrets for the request: signatures and tokens, by their fingerprints.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        made: Vec<Used<'a>>,
    },
    /// A placeholder left in a body, as the harmless text it is.
    InertPlaceholder {
        /// Number of the request.
        request: u64,
        /// The secret it stands for.
        secret: Text<'a>,
    },
    /// What looks like secrets was taken out of a request's body, before that part of it left.
    LeakRedacted {
        /// Number of the request.
        request: u64,
        /// What was found so far, by the names of the rules.
        kinds: Cow<'a, [String]>,
    },
    /// A field of a response was kept from the agent, which got a placeholder for it.
    Sealed {
        /// Number of the request.
        request: u64,
        /// The secret whose grant says so.
        secret: Text<'a>,
        /// The field, as the manifest writes it.
        field: Text<'a>,
    },
    /// A handle was opened, for the first time in the run.
    SecretOpened {
        /// The secret and its version.
        secret: Used<'a>,
    },
    /// A secret was unavailable: before the run began, or for a request, which was not sent.
    SecretUnavailable {
        /// The secret.
        secret: Text<'a>,
        /// Why.
        reason: Text<'a>,
        /// Whether somebody seems to have tampered with the host's way to its backend.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        incident: bool,
    },
    /// Something was signed, and is about to leave the host.
    Signed {
        /// The signer.
        signer: Text<'a>,
        /// Its address, or what else tells its key from others.
        key: Text<'a>,
        /// What was signed, decoded, in lines for people.
        what: Cow<'a, [String]>,
        /// What it spends, at most.
        spends: Cow<'a, [String]>,
        /// What may still be spent of each of these assets.
        left: Cow<'a, [String]>,
        /// The hash that was signed, hexadecimal; of a token or an HMAC that of its input (SHA-256).
        digest: Text<'a>,
        /// Whether it was signed before, under the same idempotency key, and charged then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A signer gave no signature.
    SignerFailed {
        /// The signer.
        signer: Text<'a>,
        /// Why.
        reason: Text<'a>,
        /// Whether what it would have spent counts as spent.
        spent: bool,
    },
    /// An effect was denied. Further ones that say the same are counted, not repeated.
    Denial {
        /// The rule that decided.
        rule: Text<'a>,
        /// What was asked for, without query.
        asked: Text<'a>,
        /// What was found.
        reason: Text<'a>,
        /// What would allow it.
        remedy: Text<'a>,
    },
    /// How often a denial came again, at the end of the run.
    DenialsRepeated {
        /// The rule that decided.
        rule: Text<'a>,
        /// What was asked for the first time.
        asked: Text<'a>,
        /// What was found; empty where different ones were counted together.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        reason: Text<'a>,
        /// How many more there were.
        count: u64,
    },
    /// How many more requests failed in a way that was recorded often before, and the bytes of their bodies and responses.
    FailuresRepeated {
        /// How they ended.
        error: Text<'a>,
        /// How many more there were.
        count: u64,
        /// Bytes of their bodies.
        sent: u64,
        /// Bytes of their answers' bodies.
        received: u64,
    },
    /// The run has ended.
    RunEnd {
        /// How: `exit 0`, `trap`, `limit: cpu`, `stopped`.
        outcome: Text<'a>,
        /// What it used.
        usage: crate::meter::Usage,
    },
    /// What a later version of the host has written, as it stands.
    #[serde(untagged)]
    Other(Unknown),
}

/// An event that this version does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(serde_json::Map<String, serde_json::Value>);

impl Record<'_> {
    /// The name of what happened: `run-start`, `egress`, `denial`, …
    #[must_use]
    pub fn event_name(&self) -> &str {
        self.event.name()
    }
}

impl Event<'_> {
    fn name(&self) -> &str {
        match self {
            Self::RunStart { .. } => "run-start",
            Self::Called { .. } => "called",
            Self::CallerRefused { .. } => "caller-refused",
            Self::Administered { .. } => "administered",
            Self::OperatorRefused { .. } => "operator-refused",
            Self::ConfigurationRead { .. } => "configuration-read",
            Self::Responded { .. } => "responded",
            Self::Egress { .. } => "egress",
            Self::VersionsChanged { .. } => "versions-changed",
            Self::Rotation { .. } => "rotation",
            Self::Token { .. } => "token",
            Self::Answer { .. } => "answer",
            Self::InertPlaceholder { .. } => "inert-placeholder",
            Self::LeakRedacted { .. } => "leak-redacted",
            Self::Sealed { .. } => "sealed",
            Self::SecretOpened { .. } => "secret-opened",
            Self::SecretUnavailable { .. } => "secret-unavailable",
            Self::Signed { .. } => "signed",
            Self::SignerFailed { .. } => "signer-failed",
            Self::Denial { .. } => "denial",
            Self::DenialsRepeated { .. } => "denials-repeated",
            Self::FailuresRepeated { .. } => "failures-repeated",
            Self::RunEnd { .. } => "run-end",
            Self::Other(Unknown(fields)) => fields.get("event").and_then(serde_json::Value::as_str).unwrap_or_default(),
        }
    }

    /// How many records it counts as: one for each KiB of what an agent chooses the length of.
    pub(crate) fn weight(&self) -> u64 {
        let bytes: usize = match self {
            Self::Signed { what, .. } => what.iter().map(String::len).sum(),
            Self::LeakRedacted { kinds, .. } => kinds.iter().map(String::len).sum(),
            _ => 0,
        };
        1 + bytes as u64 / 1_024
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A secret and the version of it that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Used<'a> {
    /// The name in the manifest.
    pub name: Text<'a>,
    /// The version's fingerprint.
    pub fingerprint: Text<'a>,
    /// What its backend calls the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Text<'a>>,
    /// Whether it was past its time, because its backend did not answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// The place of the request it went into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Text<'a>>,
}

impl<'a> Used<'a> {
    /// What a scheme has made of a secret.
    pub(crate) fn made_of(name: &str, fingerprint: crate::secrets::Fingerprint) -> Self {
        Self { name: name.to_owned().into(), fingerprint: fingerprint.to_string().into(), version: None, stale: false, place: None }
    }

    pub(crate) fn of(name: &'a str, version: &'a crate::secrets::Version) -> Self {
        let (fingerprint, version) = (version.fingerprint.as_str().into(), version.label.as_deref().map(Cow::from));
        Self { name: name.into(), fingerprint, version, stale: false, place: None }
    }
}
