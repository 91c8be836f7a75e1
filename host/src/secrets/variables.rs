//! Which agent reads which variable. A variable's name is an agent's and a secret's, joined by `_`: `TRADING_BOT_1_KEY` is the `KEY` of
//! `trading-bot-1` and the `BOT_1_KEY` of `trading`. Whoever reads one by such a name first has it for good; a second agent is refused. A
//! variable that manifests name in full may be read by several.

use super::backends::BackendError;
use crate::lock::Mutex;
use crate::register::Register;
use crate::state::StateDir;
use std::collections::HashMap;
use std::io;

/// What stands above the lines of the file.
const HEAD: &str = "Which agent reads which variable: VARIABLE AGENT, with `own` where its name begins with the agent's.\nRemove the line of an agent that is retired or renamed; another agent may have the variable then.";
/// Stands for several agents, which all name the variable in full.
const SEVERAL: &str = "*";

/// The variables that agents of a host read.
pub(crate) struct Variables {
    here: Mutex<HashMap<String, Claim>>,
    file: Option<Register>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    agent: String,
    /// It was found by a name that is joined of the agent's and another.
    own: bool,
}

/// What comes of a further claim on a variable.
enum Merged {
    /// It stands there already.
    Same,
    Changed(Claim),
    Refused(Claim),
}

impl Variables {
    pub(crate) fn new(state: Option<&StateDir>) -> Self {
        Self { here: Mutex::default(), file: state.map(|state| Register::new(state, "variables", HEAD)) }
    }

    /// Takes a variable for an agent. `own`: by a name joined of the agent's and another. Writes to the disk the first time.
    ///
    /// # Errors
    /// [`BackendError::Refused`] where another agent has it, [`BackendError::Unavailable`] where that can't be found out or kept.
    pub(crate) fn take(&self, agent: &str, variable: &str, own: bool) -> Result<(), BackendError> {
        let claim = Claim { agent: agent.to_owned(), own };
        let mut here = self.here.lock();
        match merged(here.get(variable), &claim) {
            Merged::Same => return Ok(()),
            Merged::Refused(other) => return Err(self.refusal(agent, variable, &other)),
            Merged::Changed(_) => {}
        }
        let mut settled = claim.clone();
        if let Some(file) = &self.file {
            // A directory that can't be written to is no hindrance where the line stands there.
            let stands = file.with(|lines| matches!(merged(found(lines, variable).as_ref(), &claim), Merged::Same));
            let kept = match stands {
                Ok(true) => Ok(None),
                _ => file.change(|lines| {
                    let before = found(lines, variable);
                    match merged(before.as_ref(), &claim) {
                        Merged::Same => None,
                        Merged::Refused(other) => Some(other),
                        Merged::Changed(after) => {
                            lines.retain(|line| !line.starts_with(&format!("{variable} ")));
                            lines.push(after.line(variable));
                            settled = after;
                            None
                        }
                    }
                }),
            };
            if let Some(other) = kept.map_err(|error| self.unwritten(variable, &error))? {
                return Err(self.refusal(agent, variable, &other));
            }
        } else if let Merged::Changed(after) = merged(here.get(variable), &claim) {
            settled = after;
        }
        here.insert(variable.to_owned(), settled);
        Ok(())
    }

    fn refusal(&self, agent: &str, variable: &str, other: &Claim) -> BackendError {
        let variable = crate::text::for_people(variable);
        let who = if other.agent == SEVERAL { "several agents".to_owned() } else { format!("the agent `{}`", other.agent) };
        let release = self
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!("; if {who} no longer reads it, remove its line from {}", file.path().display()));
        BackendError::Refused(format!(
            "the variable `{variable}` is read by {who}, and `{agent}` would read it by a name that both could have: give the secret of one of \
             them another name{release}"
        ))
    }

    fn unwritten(&self, variable: &str, error: &io::Error) -> BackendError {
        let path = self.file.as_ref().map(|file| file.path().display().to_string()).unwrap_or_default();
        let variable = crate::text::for_people(variable);
        BackendError::Unavailable(format!(
            "which agent reads the variable `{variable}` can't be kept in {path} ({error}); let the host's user write to its state directory"
        ))
    }
}

impl Claim {
    fn line(&self, variable: &str) -> String {
        format!("{variable} {}{}", self.agent, if self.own { " own" } else { "" })
    }
}

fn merged(before: Option<&Claim>, claim: &Claim) -> Merged {
    match before {
        None => Merged::Changed(claim.clone()),
        Some(known) if known.agent == claim.agent && (known.own || !claim.own) => Merged::Same,
        // The same agent, by a name of its own from now on.
        Some(known) if known.agent == claim.agent => Merged::Changed(claim.clone()),
        Some(known) if known.own || claim.own => Merged::Refused(known.clone()),
        Some(known) if known.agent == SEVERAL => Merged::Same,
        Some(_) => Merged::Changed(Claim { agent: SEVERAL.to_owned(), own: false }),
    }
}

/// The claim that the lines hold; a line that can't be read claims the variable for whoever it names.
fn found(lines: &[String], variable: &str) -> Option<Claim> {
    lines.iter().find_map(|line| {
        let mut words = line.split_whitespace();
        let agent = words.next().filter(|known| *known == variable).and_then(|_| words.next())?;
        Some(Claim { agent: agent.to_owned(), own: words.next().is_some() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn state(dir: &tempfile::TempDir) -> StateDir {
        StateDir::open(&dir.path().join("state")).expect("a state directory")
    }

    #[test]
    fn a_name_that_two_agents_could_have_is_the_firsts_in_every_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = state(&dir);
        let (one, other) = (Variables::new(Some(&state)), Variables::new(Some(&state)));

        one.take("trading-bot-1", "TRADING_BOT_1_KEY", true).expect("nobody has it");
        one.take("trading-bot-1", "TRADING_BOT_1_KEY", true).expect("it is its own");
        for (own, variables) in [(true, &one), (true, &other), (false, &other), (false, &Variables::new(Some(&state)))] {
            let refusal = variables.take("trading", "TRADING_BOT_1_KEY", own).expect_err("it is another's").to_string();
            assert!(refusal.contains("is read by the agent `trading-bot-1`") && refusal.contains("state/variables"), "{refusal}");
        }

        // The remedy, applied.
        let file = dir.path().join("state/variables");
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, text.replace("TRADING_BOT_1_KEY trading-bot-1 own\n", "")).expect("edited");
        Variables::new(Some(&state)).take("trading", "TRADING_BOT_1_KEY", true).expect("it is free again");
    }

    #[test]
    fn a_name_in_full_is_anybodys_until_one_has_it_by_a_joined_name() {
        for state in [None, Some(state(&tempfile::tempdir().expect("a directory")))] {
            let variables = Variables::new(state.as_ref());
            for agent in ["one", "two", "three", "one"] {
                variables.take(agent, "API_KEY", false).expect("it is shared");
            }

            let refusal = variables.take("api", "API_KEY", true).expect_err("others read it").to_string();
            assert!(refusal.contains("is read by several agents"), "{refusal}");
        }
    }

    #[test]
    fn one_line_for_each_variable_however_many_agents_there_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let variables = Variables::new(Some(&state(&dir)));

        for number in 0..50 {
            variables.take(&format!("agent-{number}"), "API_KEY", false).expect("it is shared");
        }

        let text = std::fs::read_to_string(dir.path().join("state/variables")).expect("a file");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), ["API_KEY *"]);
    }

    #[test]
    fn of_two_that_come_at_once_one_has_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = state(&dir);

        let taken = std::thread::scope(|scope| {
            let run = |agent: &'static str| {
                let variables = Variables::new(Some(&state));
                scope.spawn(move || variables.take(agent, "A_B_KEY", true).is_ok())
            };
            ["a", "a-b"].map(run).map(|thread| thread.join().expect("no panic"))
        });

        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    }

    #[test]
    fn what_cant_be_kept_is_refused_and_what_stands_there_is_enough() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = state(&dir);
        Variables::new(Some(&state)).take("a", "A_KEY", true).expect("written");
        // Nobody can open a lock that is a directory, not even root.
        std::fs::remove_file(dir.path().join("state/variables.lock")).expect("removed");
        std::fs::create_dir(dir.path().join("state/variables.lock")).expect("made");
        std::fs::set_permissions(dir.path().join("state/variables.lock"), std::fs::Permissions::from_mode(0o700)).expect("closed");
        let variables = Variables::new(Some(&state));

        variables.take("a", "A_KEY", true).expect("its line stands there");
        let refusal = variables.take("b", "B_KEY", true).expect_err("no line can be written").to_string();
        assert!(refusal.contains("let the host's user write to its state directory"), "{refusal}");
    }
}
