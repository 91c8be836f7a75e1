//! `strongroom run`

use super::output::{AgentLines, Broken, Relay, Said, one_terminal, say};
use super::terminal::Escaped;
use super::{Done, Failure, HostArgs, code, ended};
use clap::Args;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use strongroom::text::{for_people, lines_for_people};
use strongroom::{End, LogRecord, Outcome, RunError, RunOptions, Usage};
use tokio::sync::watch;

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
    /// Print how the run ended and what it used as one line of JSON, last on stderr, however it ended
    #[arg(long)]
    json: bool,
    /// Arguments for the agent, after those of its manifest
    #[arg(last = true)]
    args: Vec<String>,
}

/// How a run came to its end, for the line of JSON.
struct Report {
    done: Done,
    outcome: Option<Outcome>,
    /// In the words of an outcome, where there is none.
    end: String,
}

/// Why a run is to end before its time.
#[derive(Debug, Clone)]
enum Cut {
    /// A signal, and the code that shells report for it.
    Signal(&'static str, u8),
    /// The agent's stdout can't be handed on.
    Output,
}

impl Run {
    pub(super) fn perform(self) -> Done {
        let json = self.json;
        let Report { done, outcome, end } = contained(|| self.report());
        let (code, error) = match done {
            Ok(code) => (code, None),
            Err(Failure { code, message }) => (code, Some(message).filter(|message| !message.is_empty())),
        };
        if let Some(message) = &error {
            say(format_args!("error: {}", lines_for_people(message)));
        }
        if json {
            say(format_args!("{}", line(code, error.as_deref(), outcome.as_ref(), &end)));
        }
        Ok(code)
    }

    fn report(self) -> Report {
        let mut end = "not begun".to_owned();
        let mut outcome = None;
        let done = self.outcome(&mut end).and_then(|(ran, done)| {
            end = ran.end.to_string();
            outcome = Some(ran);
            done
        });
        Report { done, outcome, end }
    }

    /// Runs the agent. The host, and all that it may still have to say, is gone when this returns.
    fn outcome(self, end: &mut String) -> Result<(Outcome, Done), Failure> {
        let host = self.host.host()?;
        let runtime = super::runtime()?;
        let broken = Broken::default();
        let config = self.host.config.clone();
        let done = runtime.block_on(async {
            let cut = Cuts::watch(&broken);
            // A signal ends the command while a component is compiled, too.
            let loading = tokio::task::spawn_blocking({
                let (host, manifest) = (host.clone(), self.manifest);
                move || host.load(&manifest)
            });
            let agent = tokio::select! {
                loaded = loading => match loaded {
                    Ok(loaded) => loaded?,
                    // The hook has told of it.
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                why = cut.clone().wait() => return Err(why.failure(&broken, end)),
            };
            let options = options(self.args, &broken).interrupted_by({
                let cut = cut.clone();
                async move { cut.wait().await.to_string() }
            });
            // What was lent for the run is given back, however it ended; who asks once more does not want to wait for it.
            let outcome = tokio::select! {
                outcome = agent.run(options) => Some(outcome),
                () = cut.clone().again() => None,
            };
            tokio::select! {
                () = host.shutdown() => {}
                () = cut.clone().again() => {}
            }
            Ok((outcome, cut.now(), ended::Asked { limits: agent.manifest().limits.clone(), config }))
        });
        // What is left of the agent's requests is given up, not waited for.
        runtime.shutdown_background();
        let (outcome, cut, asked) = done?;
        match (outcome, cut) {
            (Some(Ok(outcome)), cut) => {
                let done = conclude(&outcome, cut.as_ref(), &broken, &asked);
                Ok((outcome, done))
            }
            (None | Some(Err(RunError::Interrupted(_))), Some(cut)) => Err(cut.failure(&broken, end)),
            (None, None) => Err(Failure::quiet(code::INTERRUPTED)),
            (Some(Err(error)), _) => Err(failure(&error, end)),
        }
    }
}

/// What a panic comes to: it has been told by the hook, and is one more way to end.
fn contained(work: impl FnOnce() -> Report) -> Report {
    let defect = |_| Report { done: Err(Failure::quiet(code::DEFECT)), outcome: None, end: "a defect of the host".to_owned() };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(defect)
}

/// The line of JSON.
fn line(code: u8, error: Option<&str>, outcome: Option<&Outcome>, end: &str) -> serde_json::Value {
    let run = outcome.map(|outcome| outcome.run.as_str());
    let usage: Option<Usage> = outcome.map(|outcome| outcome.usage.clone());
    serde_json::json!({"run": run, "end": end, "code": code, "error": error, "usage": usage})
}

fn options(args: Vec<String>, broken: &Broken) -> RunOptions {
    let (stdout, stderr) = (std::io::stdout(), Said(AgentLines(std::io::stderr())));
    let options = RunOptions::default().args(args).on_log(print_log);
    let options = match stdout.is_terminal() {
        true if one_terminal() => options.stdout(Relay::new(Escaped::new(AgentLines(stdout)), broken)),
        true => options.stdout(Relay::new(Escaped::new(stdout), broken)),
        false => options.stdout(Relay::new(stdout, broken)),
    };
    match std::io::stderr().is_terminal() {
        true => options.stderr(Escaped::new(stderr)),
        false => options.stderr(stderr),
    }
}

/// What may end a run before its time. The first one counts.
#[derive(Clone)]
struct Cuts {
    first: Arc<OnceLock<Cut>>,
    /// How many there have been.
    count: watch::Receiver<usize>,
}

impl Cuts {
    /// Watches for signals, from now on, and for a stdout that can't be written.
    fn watch(broken: &Broken) -> Self {
        let (sender, count) = watch::channel(0);
        let first = Arc::new(OnceLock::new());
        let (noted, broken) = (Arc::clone(&first), broken.clone());
        let [mut interrupt, mut terminate] = signals();
        tokio::spawn(async move {
            let mut whole = true;
            loop {
                let cut = tokio::select! {
                    () = received(&mut interrupt) => Cut::Signal("SIGINT", code::INTERRUPTED),
                    () = received(&mut terminate) => Cut::Signal("SIGTERM", code::TERMINATED),
                    // Each further write fails as well.
                    () = broken.wait(), if whole => Cut::Output,
                };
                whole &= !matches!(cut, Cut::Output);
                let _ = noted.set(cut);
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { first, count }
    }

    /// Waits for the first one.
    async fn wait(mut self) -> Cut {
        if self.count.wait_for(|count| *count > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.now().unwrap_or(Cut::Output)
    }

    /// Waits for a second one.
    async fn again(mut self) {
        if self.count.wait_for(|count| *count > 1).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn now(&self) -> Option<Cut> {
        self.first.get().cloned()
    }
}

type Signal = Option<tokio::signal::unix::Signal>;

/// SIGINT and SIGTERM; none where the system gives no notice of them.
fn signals() -> [Signal; 2] {
    use tokio::signal::unix::{SignalKind, signal};

    [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok())
}

async fn received(signal: &mut Signal) {
    let Some(signal) = signal else { return std::future::pending().await };
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

impl Cut {
    /// What a command ends with that it has cut off.
    fn failure(&self, broken: &Broken, end: &mut String) -> Failure {
        *end = format!("interrupted: {self}");
        match self {
            Self::Signal(name, code) => Failure::new(*code, format!("stopped by {name}")),
            Self::Output => broken.failure().unwrap_or_else(|| Failure::quiet(code::CLOSED)),
        }
    }
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signal(name, _) => name,
            Self::Output => "stdout can't be written",
        })
    }
}

fn failure(error: &RunError, end: &mut String) -> Failure {
    let code = match error {
        RunError::Secrets(_) | RunError::Signers(_) => code::SECRET,
        RunError::Audit | RunError::Ledger(_) => code::STATE,
        RunError::Stopped(_) => code::DENIED,
        _ => code::COMPONENT,
    };
    error.outcome().clone_into(end);
    Failure::new(code, error)
}

fn conclude(outcome: &Outcome, cut: Option<&Cut>, broken: &Broken, asked: &ended::Asked) -> Done {
    match &outcome.end {
        End::Interrupted(_) => match cut {
            Some(cut) => Err(cut.failure(broken, &mut String::new())),
            None => Ok(code::INTERRUPTED),
        },
        End::Limit(limit) => Err(Failure::new(code::LIMIT, asked.limit(*limit, outcome))),
        End::Stopped(denial) => Err(Failure::new(code::DENIED, format!("the agent was stopped: {denial}"))),
        End::Trap(reason) => Err(Failure::new(code::TRAP, format!("the agent trapped: {reason}"))),
        // The last of its output may have failed as the run ended by itself.
        End::Exit(code) => {
            let code = u8::try_from(*code).unwrap_or(1);
            if let Some(failed) = asked.failed(code, outcome) {
                say(format_args!("error: {}", lines_for_people(&failed)));
            }
            broken.failure().map_or(Ok(code), Err)
        }
        end => Err(Failure::new(code::TRAP, end)),
    }
}

fn print_log(record: &LogRecord) {
    let mut line = format!("[{}] {}", record.level.as_str(), record.message);
    for (key, value) in &record.fields {
        line.extend([" ", key, "=", value]);
    }
    say(format_args!("{}", for_people(&line)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_of_the_host_is_an_end_like_others() {
        let report = contained(|| panic!("as a defect would"));

        let failure = report.done.expect_err("an end with a code");
        let line = line(failure.code, None, report.outcome.as_ref(), &report.end);
        assert_eq!((line["end"].as_str(), line["code"].as_u64()), (Some("a defect of the host"), Some(101)));
    }
}
