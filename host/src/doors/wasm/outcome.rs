//! The outcome of a run, or why there was none.

use crate::keys::SignerError;
use crate::meter::{Limit, Usage};
use crate::policy::Denial;
use crate::secrets::SecretsUnavailable;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The guest exited by itself, with this code. Rust's standard library reports 0 or 1 only.
    Exit(i32),
    /// The guest trapped: a panic, an out-of-bounds access, unreachable code. The text is wasmtime's reason.
    Trap(String),
    /// A limit of the manifest was reached.
    Limit(Limit),
    /// A denial whose rule says that the run ends with it.
    Stopped(Denial),
    /// The embedder ended it before its time, for this reason. See [`RunOptions::interrupted_by`](super::RunOptions::interrupted_by).
    Interrupted(String),
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The run's name in the audit log.
    pub run: String,
    /// How it ended.
    pub end: End,
    /// What it used.
    pub usage: Usage,
    /// Whether it asked for more memory than `limits.memory` and was refused. What the agent does then is up to the agent: it may fail,
    /// with any exit code.
    pub memory_refused: bool,
}

/// Why there was no run, or none that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Secrets were unavailable; nothing has run.
    #[error(transparent)]
    Secrets(#[from] SecretsUnavailable),
    /// Signers were unavailable; nothing has run.
    #[error(transparent)]
    Signers(#[from] SignersUnavailable),
    /// The audit log could not be written; the run was not begun, or was stopped.
    #[error("the audit log can't be written; no record, no effect: check its file and the disk")]
    Audit,
    /// The ledger of signatures could not be written: its place, and why. The run was stopped as something was to be signed.
    #[error("{0}")]
    Ledger(String),
    /// The component could not be instantiated.
    #[error("the component can't be started: {0}")]
    Start(String),
    /// The embedder ended it for this reason before anything had run. See [`RunOptions::interrupted_by`](super::RunOptions::interrupted_by).
    #[error("nothing has run: {0}")]
    Interrupted(String),
    /// The agent is stopped by the kill switch; nothing has run.
    #[error("nothing has run: {0}")]
    Stopped(Denial),
}

/// Every signer of a manifest that was unavailable: its name, and why. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignersUnavailable(pub Vec<(String, SignerError)>);

impl std::fmt::Display for SignersUnavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, why)) in self.0.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}signer `{name}` is unavailable: {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SignersUnavailable {}

impl RunError {
    /// What a run came to by it, in the words of an [`End`].
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Secrets(_) => "a secret is unavailable",
            Self::Signers(_) => "a signer is unavailable",
            Self::Audit => "the audit log failed",
            Self::Ledger(_) => "the ledger failed",
            Self::Stopped(_) => "the agent is stopped by the kill switch",
            Self::Start(_) | Self::Interrupted(_) => "the component can't be started",
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Trap(reason) => write!(f, "trap: {reason}"),
            Self::Limit(limit) => write!(f, "limit: {}", limit.as_str()),
            Self::Stopped(denial) => write!(f, "stopped by a denial of rule {}", denial.rule),
            Self::Interrupted(why) => write!(f, "interrupted: {why}"),
        }
    }
}
