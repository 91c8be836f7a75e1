//! `strongroom kill-switch`

use super::output::Answer;
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use strongroom::ops;
use strongroom::{Confirmed, KillSwitch, Whom};

/// How the switch is turned.
#[derive(Subcommand)]
pub(super) enum Turn {
    /// Stops an agent, or all
    On(Turned),
    /// Lifts that again
    ///
    /// What was stopped by name stays so where it is lifted for all, and the other way round.
    Off(Turned),
    /// Says who is stopped
    Status {
        #[command(flatten)]
        host: HostArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
#[group(id = "whom", required = true, multiple = false, args = ["agent", "all"])]
pub(super) struct Turned {
    /// The agent, by the name in its manifest
    agent: Option<String>,
    /// All agents
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Turn {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::On(turned) => turned.perform("stopped", KillSwitch::on),
            Self::Off(turned) => turned.perform("no longer stopped", KillSwitch::off),
            Self::Status { host, json } => status(&host, json),
        }
    }
}

impl Turned {
    fn perform(self, done: &str, turn: impl Fn(&KillSwitch, &Whom) -> std::io::Result<Confirmed>) -> Done {
        let whom = match &self.agent {
            None => Whom::All,
            Some(name) => Whom::agent(name).map_err(|problem| Failure::new(code::USAGE, format!("`{name}` is {problem}")))?,
        };
        let switch = ops::kill_switch(&self.host.config()?)?;
        let confirmed = turn(&switch, &whom).map_err(unkept)?;
        let mut out = Answer::new();
        if self.json {
            out.line(format_args!("{}", serde_json::json!({"whom": whom, "confirmed": confirmed})))?;
        } else {
            let unknown = if confirmed.is_known { "" } else { "; none has loaded an agent of that name" };
            let by = match confirmed.by.len() {
                0 => "no host runs; it holds for those that begin".to_owned(),
                1 => format!("confirmed by 1 host{unknown}"),
                many => format!("confirmed by {many} hosts{unknown}"),
            };
            out.line(format_args!("{whom}: {done} ({by})"))?;
        }
        confirmed.unconfirmed().map_or(Ok(0), |silent| Err(Failure::new(code::STATE, silent)))
    }
}

fn status(host: &HostArgs, json: bool) -> Done {
    let stopped = ops::kill_switch(&host.config()?)?.stopped().map_err(unkept)?;
    let mut out = Answer::new();
    if json {
        out.line(format_args!("{}", serde_json::json!(stopped)))?;
        return Ok(0);
    }
    for whom in &stopped {
        out.line(format_args!("{whom}: stopped"))?;
    }
    if stopped.is_empty() {
        out.line(format_args!("nobody is stopped"))?;
    }
    Ok(0)
}

fn unkept(error: std::io::Error) -> Failure {
    Failure::new(
        code::STATE,
        format!("the kill switch can't be turned or read: {error}; see `strongroom kill-switch status`, or end the hosts"),
    )
}
