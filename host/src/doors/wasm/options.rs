//! What an embedder says about one run: further arguments, and where the guest's output and log go.

use super::handler::Call;
use crate::lock::Mutex;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;

/// How much a log record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// What a developer wants to see.
    Debug,
    /// What happened, in the normal course.
    Info,
    /// Something unexpected that the agent recovered from.
    Warn,
    /// Something failed.
    Error,
}

/// A record that a guest logged, scrubbed. Escape it before people read it on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// How much it matters.
    pub level: LogLevel,
    /// The message.
    pub message: String,
    /// Named values.
    pub fields: Vec<(String, String)>,
}

pub(crate) type LogSink = Arc<dyn Fn(&LogRecord) + Send + Sync>;

/// Where a guest's stdout, stderr and log go, and what it gets in addition to the manifest's arguments.
pub struct RunOptions {
    pub(super) args: Vec<String>,
    pub(super) stdout: Box<dyn Write + Send>,
    pub(super) stderr: Box<dyn Write + Send>,
    pub(super) on_log: LogSink,
    pub(super) interrupt: Interrupt,
    /// What the run is called, where that is known before it begins.
    pub(super) name: Option<String>,
    /// The caller's request that it answers.
    pub(super) call: Option<Call>,
}

/// Comes to an end when a run is to end before its time, with the reason.
pub(super) type Interrupt = Pin<Box<dyn Future<Output = String> + Send>>;

/// A buffer that a guest's output is written to and that can be read after the run.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl LogLevel {
    /// The level's name, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Default for RunOptions {
    /// No further arguments; the guest's streams are the host's own; the log becomes `tracing` events of target `strongroom::agent`.
    fn default() -> Self {
        Self {
            args: Vec::new(),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            on_log: Arc::new(trace),
            interrupt: Box::pin(std::future::pending()),
            name: None,
            call: None,
        }
    }
}

impl RunOptions {
    /// Arguments after those of the manifest.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Where stdout goes, scrubbed.
    #[must_use]
    pub fn stdout(mut self, sink: impl Write + Send + 'static) -> Self {
        self.stdout = Box::new(sink);
        self
    }

    /// Where stderr goes, scrubbed.
    #[must_use]
    pub fn stderr(mut self, sink: impl Write + Send + 'static) -> Self {
        self.stderr = Box::new(sink);
        self
    }

    /// Where log records go, scrubbed. Called on the run's own task: return soon.
    #[must_use]
    pub fn on_log(mut self, sink: impl Fn(&LogRecord) + Send + Sync + 'static) -> Self {
        self.on_log = Arc::new(sink);
        self
    }
}

impl RunOptions {
    /// Ends the run when `why` does, which gives the reason in words for people: it ends as [`End::Interrupted`](super::End), with its
    /// account and its record, where dropping the run's future gives none back.
    #[must_use]
    pub fn interrupted_by(mut self, why: impl Future<Output = String> + Send + 'static) -> Self {
        self.interrupt = Box::pin(why);
        self
    }
}

impl RunOptions {
    /// Gives the run its name, which [`Host::next_run`](crate::Host) has made.
    pub(crate) fn named(mut self, run: String) -> Self {
        self.name = Some(run);
        self
    }

    /// Has others see what the guest prints, before or after its own sinks take it, and what it logs.
    pub(crate) fn copied<S: FnOnce(Box<dyn Write + Send>) -> Box<dyn Write + Send>>(
        mut self,
        stdout: S,
        stderr: S,
        on_log: impl Fn(&LogRecord) + Send + Sync + 'static,
    ) -> Self {
        (self.stdout, self.stderr) = (stdout(self.stdout), stderr(self.stderr));
        let first = self.on_log;
        self.on_log = Arc::new(move |record| {
            on_log(record);
            first(record);
        });
        self
    }

    /// Has the run answer a caller.
    pub(crate) fn answering(mut self, call: Call) -> Self {
        self.call = Some(call);
        self
    }
}

impl Captured {
    /// What has been written so far, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn trace(record: &LogRecord) {
    let fields: Vec<String> = record.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let (message, fields) = (&record.message, fields.join(" "));
    match record.level {
        LogLevel::Trace => tracing::trace!(target: "strongroom::agent", %fields, "{message}"),
        LogLevel::Debug => tracing::debug!(target: "strongroom::agent", %fields, "{message}"),
        LogLevel::Info => tracing::info!(target: "strongroom::agent", %fields, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "strongroom::agent", %fields, "{message}"),
        LogLevel::Error => tracing::error!(target: "strongroom::agent", %fields, "{message}"),
    }
}
