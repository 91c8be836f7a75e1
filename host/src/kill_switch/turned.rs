//! Who is stopped, as the file has it.

use crate::manifest::Problem;
use crate::manifest::names::agent_name;
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// Who is to stop, or is stopped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Whom {
    /// Every agent of the hosts that share a state directory.
    All,
    /// The agent of that name.
    Agent(String),
}

impl Whom {
    /// One agent.
    ///
    /// # Errors
    /// No agent can have that name.
    pub fn agent(name: &str) -> Result<Self, Problem> {
        agent_name(name).map(|()| Self::Agent(name.to_owned()))
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all agents",
            Self::Agent(name) => name,
        })
    }
}

/// What the hosts of a state directory say to a turned switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Confirmed {
    /// The processes whose hosts have done it, by their numbers.
    pub by: Vec<u32>,
    /// Those that run and have not said so in time: they may be hung. Ending them stops their agents.
    pub silent: Vec<u32>,
}

/// Who is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stopped(BTreeSet<Whom>);

/// The line that stands for all agents: no agent has such a name.
const ALL: &str = "*";

impl Stopped {
    pub(super) fn read(lines: &[String]) -> Self {
        // A remark of a person's may follow the name.
        let names = lines.iter().filter_map(|line| line.split_whitespace().next());
        Self(names.map(|name| if name == ALL { Whom::All } else { Whom::Agent(name.to_owned()) }).collect())
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let line = |whom: &Whom| match whom {
            Whom::All => ALL.to_owned(),
            Whom::Agent(name) => name.clone(),
        };
        self.0.iter().map(line).collect()
    }

    pub(super) fn add(&mut self, whom: &Whom) {
        self.0.insert(whom.clone());
    }

    pub(super) fn remove(&mut self, whom: &Whom) {
        self.0.remove(whom);
    }

    /// By which of them an agent is stopped.
    pub(super) fn by(&self, agent: &str) -> Option<Whom> {
        let own = Whom::Agent(agent.to_owned());
        [Whom::All, own].into_iter().find(|whom| self.0.contains(whom))
    }

    pub(super) fn whom(&self) -> Vec<Whom> {
        self.0.iter().cloned().collect()
    }

    /// What tells this from any other.
    pub(super) fn state(&self) -> String {
        hex(&Sha256::digest(self.lines().join("\n")))
    }
}
