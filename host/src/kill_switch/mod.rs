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
/// How long whoever turns it waits for the hosts to confirm it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The file of who is stopped, and what stands above its lines.
const FILE: &str = "kill-switch";
const HEAD: &str = "Agents that the kill switch has stopped: a name a line, or `*` for all.\nChanged by `strongroom kill-switch`.";

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
    stopped: Stopped,
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

    /// Stops agents. Blocks until all hosts of the state directory have confirmed it, for at most two seconds.
    ///
    /// # Errors
    /// The file can't be written; nothing has changed then. End the hosts.
    pub fn on(&self, whom: &Whom) -> io::Result<Confirmed> {
        self.turn(|stopped| stopped.add(whom))
    }

    /// Lets agents go on. What is stopped by name stays so when it is lifted from all, and the other way round.
    ///
    /// # Errors
    /// The file can't be written; nothing has changed then.
    pub fn off(&self, whom: &Whom) -> io::Result<Confirmed> {
        self.turn(|stopped| stopped.remove(whom))
    }

    /// Who is stopped.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn stopped(&self) -> io::Result<Vec<Whom>> {
        match &self.0.kept {
            Some(kept) => kept.register.with(Stopped::read).map(|stopped| stopped.whom()),
            None => Ok(self.0.live.lock().stopped.whom()),
        }
    }

    /// The line that the effects of an agent hang on: one for all of its runs.
    pub(crate) fn line(&self, agent: &str) -> Arc<Line> {
        let mut live = self.0.live.lock();
        if let Some(line) = live.lines.get(agent).and_then(Weak::upgrade) {
            return line;
        }
        live.lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::new(agent));
        line.set(live.stopped.by(agent));
        live.lines.insert(agent.to_owned(), Arc::downgrade(&line));
        line
    }

    fn turn(&self, change: impl Fn(&mut Stopped)) -> io::Result<Confirmed> {
        let Some(kept) = &self.0.kept else {
            let mut live = self.0.live.lock();
            let mut stopped = live.stopped.clone();
            change(&mut stopped);
            live.apply(stopped);
            return Ok(Confirmed::default());
        };
        kept.register.change(|lines| {
            let mut stopped = Stopped::read(lines);
            change(&mut stopped);
            *lines = stopped.lines();
        })?;
        self.0.look()?;
        let until = Instant::now() + PATIENCE;
        loop {
            let state = kept.register.with(|lines| Stopped::read(lines).state())?;
            let confirmed = kept.hosts.confirmed(&state)?;
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
}

impl Inner {
    /// Does what the file says, and confirms it.
    fn look(&self) -> io::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        // Locked before it is read: what was read first is done first.
        let mut live = self.live.lock();
        live.apply(kept.register.with(Stopped::read)?);
        let state = live.stopped.state();
        live.own.as_mut().map_or(Ok(()), |own| own.confirm(&state))
    }
}

impl Live {
    fn apply(&mut self, stopped: Stopped) {
        for (agent, line) in &self.lines {
            if let Some(line) = line.upgrade() {
                line.set(stopped.by(agent));
            }
        }
        self.stopped = stopped;
    }
}

/// Looks at the file for as long as the host is there.
fn watch(inner: &Weak<Inner>) {
    let mut is_broken = false;
    loop {
        std::thread::sleep(LOOK);
        let Some(inner) = inner.upgrade() else { return };
        if inner.kept.as_ref().is_some_and(|kept| kept.register.is_read()) {
            continue;
        }
        let looked = inner.look();
        // What was stopped stays stopped. Whoever turns the switch is told that this host has not confirmed it.
        if let Err(error) = &looked
            && !is_broken
        {
            tracing::error!(%error, "the kill switch's file can't be read or confirmed; what is stopped stays so");
        }
        is_broken = looked.is_err();
    }
}

#[cfg(test)]
mod tests;
