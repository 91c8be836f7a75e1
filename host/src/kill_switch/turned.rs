//! Who is stopped, as the file has it.

use crate::manifest::Problem;
use crate::manifest::names::agent_name;
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::{fmt, io};

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
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Confirmed {
    /// The processes whose hosts have done it, by their numbers.
    pub by: Vec<u32>,
    /// Whether one of these hosts has loaded an agent that is concerned.
    pub is_known: bool,
    /// Those that run and have not said so in time: they may be hung. Ending them stops their agents.
    pub silent: Vec<u32>,
}

impl Confirmed {
    /// What there is to do about hosts that are silent, where some are.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<String> {
        let silent = self.silent.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        (!silent.is_empty()).then(|| format!("hosts that run have not confirmed it within 2 s: end the processes {silent}"))
    }
}

/// Who is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stopped {
    whom: BTreeSet<Whom>,
    /// What tells this turn of the switch from an earlier one that came to the same.
    turn: String,
}

/// The line that stands for all agents, and what the one begins with that tells turns apart: no agent has such a name.
const ALL: &str = "*";
const TURN: char = '@';

impl Stopped {
    /// All agents, since nobody knows whom.
    pub(super) fn everyone() -> Self {
        Self { whom: BTreeSet::from([Whom::All]), turn: String::new() }
    }

    pub(super) fn read(lines: &[String]) -> Self {
        let mut stopped = Self::default();
        // A remark of a person's may follow the name.
        for name in lines.iter().filter_map(|line| line.split_whitespace().next()) {
            match name.strip_prefix(TURN) {
                Some(turn) => turn.clone_into(&mut stopped.turn),
                None if name == ALL => drop(stopped.whom.insert(Whom::All)),
                None => drop(stopped.whom.insert(Whom::Agent(name.to_owned()))),
            }
        }
        stopped
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let line = |whom: &Whom| match whom {
            Whom::All => ALL.to_owned(),
            Whom::Agent(name) => name.clone(),
        };
        self.whom.iter().map(line).chain([format!("{TURN}{}", self.turn)]).collect()
    }

    pub(super) fn set(&mut self, whom: &Whom, is_stopped: bool) {
        if is_stopped {
            self.whom.insert(whom.clone());
        } else {
            self.whom.remove(whom);
        }
    }

    /// Makes this a turn of its own.
    pub(super) fn turned(&mut self) -> io::Result<()> {
        self.turn = format!("{:016x}", getrandom::u64().map_err(io::Error::other)?);
        Ok(())
    }

    /// Whoever is stopped by one or the other.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self { whom: self.whom.union(&other.whom).cloned().collect(), turn: other.turn.clone() }
    }

    pub(super) fn has(&self, whom: &Whom) -> bool {
        self.whom.contains(whom)
    }

    /// By which of them an agent is stopped.
    pub(super) fn by(&self, agent: &str) -> Option<Whom> {
        let own = Whom::Agent(agent.to_owned());
        [Whom::All, own].into_iter().find(|whom| self.has(whom))
    }

    pub(super) fn whom(&self) -> Vec<Whom> {
        self.whom.iter().cloned().collect()
    }

    /// What tells this state and turn from any other.
    pub(super) fn state(&self) -> String {
        hex(&Sha256::digest(self.lines().join("\n")))
    }
}
