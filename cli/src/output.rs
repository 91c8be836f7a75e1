//! The one way in which a command writes: its answer on stdout, where a failure ends it, and what the host has to say on stderr, where a
//! failure could no longer be reported to anybody.
//!
//! A reader that has seen enough (`head`) closes the pipe: the command ends without a word, and with the code by which shells report
//! SIGPIPE. Any other failure is an error with its reason.

use super::{Failure, code};
use std::fmt::Arguments;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use strongroom_ground::lock::Mutex;

/// Whether something could not be said, though somebody was there to read it.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// The answer of a command, on stdout.
pub(super) struct Answer<W: Write = io::Stdout>(W);

impl Answer {
    pub(super) fn new() -> Self {
        Self(io::stdout())
    }
}

impl<W: Write> Answer<W> {
    /// One line, or several.
    pub(super) fn line(&mut self, text: Arguments<'_>) -> Result<(), Failure> {
        self.text(format!("{text}\n").as_bytes())
    }

    /// Bytes as they are.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).map_err(|error| unwritten(&error))
    }
}

/// How a command ends whose answer can't be written.
pub(super) fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(code::CLOSED),
        _ => Failure::new(code::STATE, format!("stdout can't be written ({error}); the output is incomplete")),
    }
}

/// Says something on stderr.
pub(super) fn say(text: Arguments<'_>) {
    noted(HostLines { is_named: false }.write_all(format!("{text}\n").as_bytes()));
}

/// Says something on stderr that is answered on the same line.
pub(super) fn ask(text: Arguments<'_>) {
    noted(HostLines { is_named: false }.write_all(format!("{text}").as_bytes()));
    // Whoever types ends the line.
    *BEGUN.lock() = false;
}

/// Whether a line is begun where the host's own are written: by an agent, which ends its lines when it likes.
static BEGUN: Mutex<bool> = Mutex::new(false);

/// What the host writes to stderr, a whole line at a time: it begins at the beginning of one.
pub(super) struct HostLines {
    /// Whether a line says that it is the host's.
    is_named: bool,
}

impl HostLines {
    /// Lines that a person would take for the agent's: on a terminal they have the host's name before them.
    pub(super) fn named() -> Self {
        Self { is_named: io::stderr().is_terminal() }
    }
}

impl Write for HostLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut begun = BEGUN.lock();
        io::stderr().write_all(&host_line(bytes, *begun, self.is_named))?;
        *begun = !bytes.ends_with(b"\n");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line of the host's as it is written behind what an agent has.
fn host_line(bytes: &[u8], is_begun: bool, is_named: bool) -> Vec<u8> {
    let before: &[u8] = if is_begun { b"\n" } else { b"" };
    match is_named {
        true => [before, b"strongroom: ", bytes.trim_ascii_start()].concat(),
        false => [before, bytes].concat(),
    }
}

/// What an agent writes where the host's lines stand too.
pub(super) struct AgentLines<W: Write>(pub(super) W);

impl<W: Write> Write for AgentLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut begun = BEGUN.lock();
        let written = self.0.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            *begun = *last != b'\n';
        }
        // What waits in a buffer would come behind the host's line.
        self.0.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether stdout and stderr are one terminal.
pub(super) fn one_terminal() -> bool {
    let device = |fd: std::os::fd::BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|file| file.st_rdev);
    let (stdout, stderr) = (io::stdout(), io::stderr());
    stdout.is_terminal() && stderr.is_terminal() && device(stdout.as_fd()) == device(stderr.as_fd())
}

/// The code of a command, once all has been said: what nobody could read is an error where there was no other.
pub(super) fn concluded(code: u8) -> u8 {
    if code == 0 && UNSAID.load(Ordering::Relaxed) { code::STATE } else { code }
}

fn noted(written: io::Result<()>) {
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        UNSAID.store(true, Ordering::Relaxed);
    }
}

/// What is said on stderr by others: it takes everything, whether it can be written or not.
pub(super) struct Said<W: Write>(pub(super) W);

impl<W: Write> Write for Said<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(self.0.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(self.0.flush());
        Ok(())
    }
}

/// An agent's stdout on its way to the command's. The first failure ends the run: see [`Relay::broken`].
pub(super) struct Relay<W: Write> {
    inner: W,
    broken: Broken,
}

/// Whether a relay has failed, and why.
#[derive(Clone, Default)]
pub(super) struct Broken(Arc<(Mutex<Option<io::Error>>, tokio::sync::Notify)>);

impl<W: Write> Relay<W> {
    pub(super) fn new(inner: W, broken: &Broken) -> Self {
        Self { inner, broken: broken.clone() }
    }

    fn tried<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            self.broken.set(error);
            kind.into()
        })
    }
}

impl<W: Write> Write for Relay<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.tried(written)
    }

    /// All of it at once: what others write must not come between.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.inner.write_all(bytes);
        self.tried(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.tried(flushed)
    }
}

impl Broken {
    fn set(&self, error: io::Error) {
        self.0.0.lock().get_or_insert(error);
        self.0.1.notify_one();
    }

    /// Waits until the relay has failed.
    pub(super) async fn wait(&self) {
        self.0.1.notified().await;
    }

    /// What the command then ends with.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.0.0.lock().as_ref().map(unwritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_hosts_begins_behind_a_line_of_the_agents() {
        assert_eq!(host_line(b" WARN a request is not sent\n", false, false), b" WARN a request is not sent\n");
        assert_eq!(host_line(b" WARN a request is not sent\n", true, true), b"\nstrongroom: WARN a request is not sent\n");

        let begun = || *BEGUN.lock();
        let mut out = Vec::new();
        let mut agent = AgentLines(&mut out);
        agent.write_all(b"fetching ...").expect("written");
        assert!(begun());
        agent.write_all(b" done\n").expect("written");
        assert!(!begun());
        agent.write_all(b"").expect("written");
        assert!(!begun());
        assert_eq!(out, b"fetching ... done\n");
    }
}
