//! `strongroom state`

use super::output::{Answer, say};
use super::table::Table;
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use strongroom::ops::{AgentState, KeptValue};
use strongroom::text::{for_people, lines_for_people};

/// What is done with an agent's state.
#[derive(Subcommand)]
pub(super) enum State {
    /// Lists the keys that an agent keeps, or prints one value
    Show {
        #[command(flatten)]
        of: Of,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes one key out, or all
    Clear {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
pub(super) struct Of {
    /// The agent, by the name in its manifest
    agent: String,
    /// One key
    key: Option<String>,
    #[command(flatten)]
    host: HostArgs,
}

impl State {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::Show { of, json } => of.show(json),
            Self::Clear { of } => of.clear(),
        }
    }
}

impl Of {
    fn show(&self, json: bool) -> Done {
        let state = AgentState::of(&self.host.config()?, &self.agent)?;
        let mut out = Answer::new();
        if let Some(key) = &self.key {
            let value = state.value(key)?.ok_or_else(|| self.missing(key))?;
            match (&value, json) {
                (_, true) => out.line(format_args!("{}", serde_json::json!(value)))?,
                (KeptValue::Value(text), false) => out.line(format_args!("{}", lines_for_people(text)))?,
                (KeptValue::Base64(text), false) => out.line(format_args!("{text}"))?,
                _ => {}
            }
            return Ok(0);
        }
        let keys = state.keys()?;
        if json {
            out.line(format_args!("{}", serde_json::json!(keys)))?;
            return Ok(0);
        }
        let mut table = Table::default();
        for key in &keys {
            table.row([key.written.clone(), format!("{} B", key.size), for_people(&key.key)]);
        }
        if keys.is_empty() {
            say(format_args!("{}: it keeps nothing", self.agent));
        }
        table.print(&mut out)?;
        Ok(0)
    }

    fn clear(&self) -> Done {
        let state = AgentState::of(&self.host.config()?, &self.agent)?;
        let what = match &self.key {
            Some(key) if !state.clear_key(key)? => return Err(self.missing(key)),
            Some(key) => for_people(key),
            None => {
                state.clear()?;
                "all keys".to_owned()
            }
        };
        Answer::new().line(format_args!("{}: {what} cleared", self.agent))?;
        Ok(0)
    }

    fn missing(&self, key: &str) -> Failure {
        let agent = &self.agent;
        Failure::new(code::USAGE, format!("`{agent}` keeps no key `{key}`; `strongroom state show {agent}` lists those that it keeps"))
    }
}
