//! `strongroom run`

use super::terminal::Escaped;
use super::{Done, Failure, HostArgs, code};
use crate::runtime::{End, LogRecord, Outcome, RunError, RunOptions};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Runs one agent, once.
///
/// The agent's stdout is this command's stdout, scrubbed; its stderr and its log go to stderr, with what the host has to say.
/// Every denial is printed with the lines of the manifest that would allow it.
#[derive(Args)]
pub(super) struct Run {
    /// The agent's manifest
    manifest: PathBuf,
    #[command(flatten)]
    host: HostArgs,
    /// Print how the run ended and what it used as one line of JSON, last on stderr
    #[arg(long)]
    json: bool,
    /// Arguments for the agent, after those of its manifest
    #[arg(last = true)]
    args: Vec<String>,
}

impl Run {
    pub(super) fn perform(self) -> Done {
        let host = self.host.host()?;
        let agent = host.load(&self.manifest)?;
        let runtime = super::runtime()?;
        let mut options = RunOptions::default().args(self.args).on_log(print_log);
        if std::io::stdout().is_terminal() {
            options = options.stdout(Escaped::new(std::io::stdout()));
        }
        if std::io::stderr().is_terminal() {
            options = options.stderr(Escaped::new(std::io::stderr()));
        }
        let outcome = runtime.block_on(async {
            let outcome = tokio::select! {
                outcome = agent.run(options) => Some(outcome),
                signal = stopped() => {
                    eprintln!("stopped by {signal}");
                    None
                }
            };
            // What was lent for the run is given back, however it ended; who asks once more does not want to wait for it.
            tokio::select! {
                () = host.close() => {}
                _ = stopped() => {}
            }
            outcome
        });
        // What is left of the agent's requests is given up, not waited for.
        runtime.shutdown_background();
        let Some(outcome) = outcome else { return Ok(code::SIGNAL) };
        let outcome = outcome.map_err(|error| {
            let code = match &error {
                RunError::Secrets(_) | RunError::Signers(_) => code::SECRET,
                RunError::Audit => code::STATE,
                RunError::Start(_) => code::COMPONENT,
            };
            Failure::new(code, error)
        })?;
        if self.json {
            let line = serde_json::json!({"run": outcome.run, "end": outcome.end.to_string(), "usage": outcome.usage});
            eprintln!("{line}");
        }
        conclude(&outcome)
    }
}

/// Waits until the process is asked to stop, and says by what.
async fn stopped() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => "an interrupt",
            Err(_) => std::future::pending().await,
        },
        _ = terminate.recv() => "a request to terminate",
    }
}

fn conclude(outcome: &Outcome) -> Done {
    match &outcome.end {
        End::Exit(code) => Ok(u8::try_from(*code).unwrap_or(1)),
        End::Limit(limit) => Err(Failure::new(code::LIMIT, format!("limits.{} was reached; the agent was ended", limit.as_str()))),
        End::Stopped(denial) => Err(Failure::new(code::DENIED, format!("the agent was stopped: {denial}"))),
        End::Trap(reason) => Err(Failure::new(code::TRAP, format!("the agent trapped: {reason}"))),
    }
}

fn print_log(record: &LogRecord) {
    let mut line = format!("[{}] {}", record.level.as_str(), record.message);
    for (key, value) in &record.fields {
        line.extend([" ", key, "=", value]);
    }
    let _ = writeln!(std::io::stderr(), "{}", crate::text::for_people(&line));
}
