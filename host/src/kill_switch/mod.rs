//! The kill switch: all that an agent does outside stops at once, of one agent or of all, and stays stopped until somebody lifts it.
//!
//! Who is stopped stands in a file of the state directory, so that it outlives the host. Each host looks at that file every [`LOOK`], cuts the lines
//! of whom it names ([`Line`]), and says in a file of its own how far it has come ([`Hosts`]). Whoever turns the switch waits for that. Once it is
//! confirmed, no byte of a stopped agent is handed to the system any more, what the system still had of it is dropped with its connections, and no
//! signature is given out.

mod hosts;
mod line;
mod turned;

pub(crate) use line::Line;
pub use turned::{Confirmed, Whom};

use crate::lock::Mutex;
use crate::register::Register;
use crate::state::StateDir;
use hosts::{Hosts, Own};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use turned::Stopped;

/// How often a host looks whether somebody has turned the switch.
const LOOK: Duration = Duration::from_millis(20);
/// How often in a row that may fail.
const MOST_FAILURES: u32 = 3;
/// How long whoever turns it waits for the hosts to confirm it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The file of who is stopped, and what stands above its lines.
const FILE: &str = "kill-switch";
const HEAD: &str =
    "Agents that the kill switch has stopped: a name a line, or `*` for all. `@` tells turns apart.\nChanged by `strongroom kill-switch`.";

/// Stops agents, and lifts that again. Cheap to clone; the clones are one switch.
#[derive(Clone)]
pub struct KillSwitch(Arc<Inner>);

struct Inner {
    /// The file, and the hosts that read it; none where a host keeps no state.
    kept: Option<Kept>,
    live: Mutex<Live>,
}

struct Kept {
    register: Register,
    hosts: Hosts,
}

#[derive(Default)]
struct Live {
    /// As the file has it.
    kept: Stopped,
    /// Beside it: what was turned on here, and could not be written down.
    held: Stopped,
    /// Of each agent that the host has loaded, by name.
    lines: HashMap<String, Weak<Line>>,
    /// Where this host confirms what it has done; none where nobody runs agents here.
    own: Option<Own>,
}

impl KillSwitch {
    /// The switch of a state directory, for whoever turns it and runs no agents.
    #[cfg(feature = "ops")]
    pub(crate) fn at(state: &StateDir) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner { kept: Some(Kept::at(state)?), live: Mutex::default() })))
    }

    /// The switch of a host. It holds from here on: what was stopped before is.
    ///
    /// # Errors
    /// The file can't be read: nobody knows who is stopped.
    pub(crate) fn of_host(state: Option<&StateDir>) -> io::Result<Self> {
        let kept = state.map(Kept::at).transpose()?;
        let own = kept.as_ref().map(|kept| kept.hosts.begin()).transpose()?;
        let switch = Self(Arc::new(Inner { kept, live: Mutex::new(Live { own, ..Live::default() }) }));
        if switch.0.kept.is_some() {
            switch.0.look()?;
            let inner = Arc::downgrade(&switch.0);
            std::thread::Builder::new().name("kill-switch".to_owned()).spawn(move || watch(&inner))?;
        }
        Ok(switch)
    }

    /// Stops agents. Blocks until all hosts of the state directory have confirmed it, for at most two seconds; longer only as the disk takes to keep it.
    ///
    /// # Errors
    /// The file can't be written, or somebody has lifted it again meanwhile. In the first case agents of this host are stopped all the same, until
    /// that is lifted or the host ends.
    pub fn on(&self, whom: &Whom) -> io::Result<Confirmed> {
        // Here at once, whatever the disk does.
        self.0.hold(whom, true);
        let confirmed = self.turn(whom, true)?;
        self.0.release(whom);
        Ok(confirmed)
    }

    /// Lets agents go on. What is stopped by name stays so when it is lifted from all, and the other way round. Blocks as [`KillSwitch::on`] does.
    ///
    /// # Errors
    /// The file can't be written, or somebody has stopped them again meanwhile.
    pub fn off(&self, whom: &Whom) -> io::Result<Confirmed> {
        let confirmed = self.turn(whom, false)?;
        self.0.hold(whom, false);
        Ok(confirmed)
    }

    /// Who is stopped.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn stopped(&self) -> io::Result<Vec<Whom>> {
        let kept = self.0.kept.as_ref().map(Kept::read).transpose()?.unwrap_or_default();
        Ok(self.0.live.lock().held.and(&kept).whom())
    }

    /// The line that the effects of an agent hang on: one for all of its runs.
    pub(crate) fn line(&self, agent: &str) -> Arc<Line> {
        let mut live = self.0.live.lock();
        if let Some(line) = live.lines.get(agent).and_then(Weak::upgrade) {
            return line;
        }
        live.lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::new(agent, Arc::clone(&self.0)));
        line.set(live.held.and(&live.kept).by(agent));
        live.lines.insert(agent.to_owned(), Arc::downgrade(&line));
        line
    }

    fn turn(&self, whom: &Whom, is_stopped: bool) -> io::Result<Confirmed> {
        let Some(kept) = &self.0.kept else {
            return Ok(Confirmed { by: vec![std::process::id()], is_known: true, ..Confirmed::default() });
        };
        let until = Instant::now() + PATIENCE;
        kept.register.change_until(until, |lines| {
            let mut stopped = Stopped::read(lines);
            stopped.set(whom, is_stopped);
            stopped.turned()?;
            *lines = stopped.lines();
            io::Result::Ok(())
        })??;
        // Where this fails, this host is among the silent ones.
        let _ = self.0.look();
        let concerns = |agent: &str| matches!(whom, Whom::All) || *whom == Whom::Agent(agent.to_owned());
        loop {
            let stopped = kept.read()?;
            if stopped.has(whom) != is_stopped {
                return Err(io::Error::other("somebody has turned the switch the other way meanwhile"));
            }
            let confirmed = kept.hosts.confirmed(&stopped.state(), concerns)?;
            if confirmed.silent.is_empty() || Instant::now() >= until {
                return Ok(confirmed);
            }
            std::thread::sleep(LOOK / 4);
        }
    }
}

impl Kept {
    fn at(state: &StateDir) -> io::Result<Self> {
        Ok(Self { register: Register::new(state, FILE, HEAD), hosts: Hosts::at(state)? })
    }

    /// Who is stopped. A file that is empty was cut off as it was written by somebody else: what stood there is not known.
    fn read(&self) -> io::Result<Stopped> {
        let stopped = self.register.with(Stopped::read)?;
        let is_cut_off = stopped == Stopped::default() && std::fs::metadata(self.register.path()).is_ok_and(|file| file.len() == 0);
        if is_cut_off {
            return Err(io::Error::other(format!(
                "{} is empty, so nobody knows who was stopped; `strongroom kill-switch on` or `off` writes it anew",
                self.register.path().display()
            )));
        }
        Ok(stopped)
    }
}

impl Inner {
    /// Does what the file says, and confirms it. One that is gone has lifted nothing.
    fn look(&self) -> io::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        // Locked before it is read: what was read first is done first.
        let mut live = self.live.lock();
        let stopped = kept.read()?;
        if stopped != live.kept {
            if !kept.register.path().exists() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("{} is gone; what it stopped stays so", kept.register.path().display()),
                ));
            }
            live.kept = stopped;
            live.apply();
        }
        let Live { kept, own, lines, .. } = &mut *live;
        let loaded = lines.iter().filter(|(_, line)| line.strong_count() > 0).map(|(agent, _)| agent.as_str());
        own.as_mut().map_or(Ok(()), |own| own.confirm(kept, loaded))
    }

    /// Has agents of this host stopped beside what the file says, or no longer.
    fn hold(&self, whom: &Whom, is_stopped: bool) {
        let mut live = self.live.lock();
        live.held.set(whom, is_stopped);
        live.apply();
    }

    /// What the file says by now is no longer held beside it.
    fn release(&self, whom: &Whom) {
        let mut live = self.live.lock();
        if live.kept.has(whom) {
            live.held.set(whom, false);
        }
    }

    /// Nobody knows who is stopped: all are, until somebody does.
    fn lose(&self) {
        let mut live = self.live.lock();
        live.kept = Stopped::everyone();
        live.apply();
    }
}

impl Live {
    fn apply(&self) {
        let stopped = self.held.and(&self.kept);
        for (agent, line) in &self.lines {
            if let Some(line) = line.upgrade() {
                line.set(stopped.by(agent));
            }
        }
    }
}

/// Looks at the file for as long as the host is there, or anything that hangs on a line of its.
fn watch(inner: &Weak<Inner>) {
    let mut failures = 0;
    loop {
        std::thread::sleep(LOOK);
        let Some(inner) = inner.upgrade() else { return };
        let Err(error) = inner.look() else {
            failures = 0;
            continue;
        };
        failures += 1;
        // Said once. Whoever turns the switch is told that this host has not confirmed it.
        if failures == MOST_FAILURES {
            if error.kind() == io::ErrorKind::NotFound {
                tracing::error!("the kill switch: {error}");
            } else {
                tracing::error!(%error, "the kill switch's file can't be read or confirmed: all agents are stopped until it can");
                inner.lose();
            }
        }
    }
}

#[cfg(test)]
mod tests;
