//! What agents have printed and logged of late, for whoever looks: the last lines of each, and each new line as it comes. All of it was scrubbed on
//! its way here.

use crate::clock::Wall;
use crate::doors::wasm::{LogRecord, RunOptions};
use crate::lock::Mutex;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use tokio::sync::broadcast;

/// Lines that are kept of each agent, and the bytes of their text.
const LINES: usize = 200;
const BYTES: usize = 32 * 1024;
/// The longest line; what is longer goes on in the next.
const LINE: usize = 8 * 1024;
/// What a line and a field of it take beside their text, about.
const EACH: usize = 96;
/// Fields of a record that are kept.
const FIELDS: usize = 64;
/// Lines of all agents that a reader may be behind before it has to look at what is kept.
const BEHIND: usize = 1_024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogStream {
    /// The agent's stdout.
    Stdout,
    /// Its stderr.
    Stderr,
    /// Its log.
    Log,
}

/// A line of an agent's, scrubbed. Escape it before people read it on a terminal ([`crate::text::for_people`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LogLine {
    /// Lines of a supervisor are counted, from 1.
    pub number: u64,
    /// The same of its agent's.
    #[serde(skip)]
    of_agent: u64,
    /// When it came, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: u64,
    /// The agent.
    pub agent: String,
    /// The run.
    pub run: String,
    /// Where it came from.
    pub stream: LogStream,
    /// How much a record of the log matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    /// The line, without its end; of a record, its message.
    pub text: String,
    /// What a record names beside it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "ops", schemars(default))]
    pub fields: BTreeMap<String, String>,
}

/// The lines of a supervisor's agents: the last 200 of each, and no more than 32 KiB of it.
pub struct Logs {
    kept: Mutex<Kept>,
    news: broadcast::Sender<Arc<LogLine>>,
    wall: Wall,
}

#[derive(Debug, Default)]
struct Kept {
    number: u64,
    lines: BTreeMap<String, Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    /// How many there were.
    count: u64,
}

/// Lines of an agent, or of all, as they come.
pub struct Following {
    logs: Weak<Logs>,
    agent: Option<String>,
    news: broadcast::Receiver<Arc<LogLine>>,
    /// The number of the last line that was given.
    last: u64,
    /// Lines that are to be given before new ones.
    waiting: VecDeque<Arc<LogLine>>,
}

/// A copy of a stream of a run, by lines.
struct Copied {
    to: Box<dyn Write + Send>,
    logs: Arc<Logs>,
    of: Arc<Of>,
    stream: LogStream,
    /// What has no end yet.
    begun: Vec<u8>,
}

/// Whose lines they are.
struct Of {
    agent: String,
    run: String,
}

impl Logs {
    pub(super) fn new(wall: Wall) -> Self {
        Self { kept: Mutex::default(), news: broadcast::Sender::new(BEHIND), wall }
    }

    /// The last lines of an agent, or of all, the oldest first.
    #[must_use]
    pub fn lines(&self, agent: Option<&str>) -> Vec<Arc<LogLine>> {
        let kept = self.kept.lock();
        let wanted = kept.lines.iter().filter(|(name, _)| agent.is_none_or(|agent| agent == *name));
        let mut lines: Vec<_> = wanted.flat_map(|(_, lines)| lines.lines.iter().cloned()).collect();
        drop(kept);
        lines.sort_by_key(|line| line.number);
        lines
    }

    /// The same, and those that come after them.
    #[must_use]
    pub fn follow(self: &Arc<Self>, agent: Option<&str>) -> (Vec<Arc<LogLine>>, Following) {
        let news = self.news.subscribe();
        let lines = self.lines(agent);
        let (logs, agent) = (Arc::downgrade(self), agent.map(str::to_owned));
        let mut following = Following { logs, agent, news, last: 0, waiting: VecDeque::new() };
        following.last = match (lines.last(), &following.agent) {
            (Some(last), _) => following.number(last),
            (None, Some(_)) => 0,
            (None, None) => self.kept.lock().number,
        };
        (lines, following)
    }

    /// An agent is gone, and its lines with it. Their count goes on, should it come back while somebody follows it.
    pub(super) fn forget(&self, agent: &str) {
        if let Some(lines) = self.kept.lock().lines.get_mut(agent) {
            (lines.lines, lines.bytes) = Default::default();
        }
    }

    fn add(&self, of: &Of, stream: LogStream, level: Option<&'static str>, text: String, fields: BTreeMap<String, String>) {
        let mut kept = self.kept.lock();
        kept.number += 1;
        let (number, at, agent, run) = (kept.number, self.wall.now(), of.agent.clone(), of.run.clone());
        let lines = kept.lines.entry(of.agent.clone()).or_default();
        lines.count += 1;
        let line = Arc::new(LogLine { number, of_agent: lines.count, at, agent, run, stream, level, text, fields });
        lines.add(Arc::clone(&line));
        // Under the lock, so that lines come in the order of their numbers. Nobody may be there to read it.
        let _ = self.news.send(line);
    }

    /// Has a run's output come here too.
    pub(super) fn copied(self: &Arc<Self>, options: RunOptions, agent: &str, run: &str) -> RunOptions {
        let of = Arc::new(Of { agent: agent.to_owned(), run: run.to_owned() });
        let stream = |stream| {
            let (logs, of) = (Arc::clone(self), Arc::clone(&of));
            move |to| Box::new(Copied { to, logs, of, stream, begun: Vec::new() }) as Box<dyn Write + Send>
        };
        let (logs, whose) = (Arc::clone(self), Arc::clone(&of));
        let record = move |record: &LogRecord| {
            let mut text = record.message.clone();
            text.truncate(text.floor_char_boundary(LINE));
            let mut left = LINE;
            // Fields for which there is no room any more are left out: the sink of the run has them.
            let fields = record.fields.iter().take(FIELDS).take_while(|(name, value)| {
                let length = name.len() + value.len() + EACH;
                let fits = length <= left;
                left = left.saturating_sub(length);
                fits
            });
            logs.add(&whose, LogStream::Log, Some(record.level.as_str()), text, fields.cloned().collect());
        };
        options.copied(stream(LogStream::Stdout), stream(LogStream::Stderr), record)
    }
}

impl Lines {
    fn add(&mut self, line: Arc<LogLine>) {
        self.bytes += line.length();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.length();
        }
    }
}

impl LogLine {
    fn length(&self) -> usize {
        EACH + self.text.len() + self.fields.iter().map(|(name, value)| EACH + name.len() + value.len()).sum::<usize>()
    }
}

impl Following {
    /// The next line, or how many there were before it that are not kept any more; none once the supervisor is gone.
    pub async fn next(&mut self) -> Option<Result<Arc<LogLine>, u64>> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                let number = self.number(&line);
                let missed = number.saturating_sub(self.last + 1);
                if missed > 0 {
                    self.last += missed;
                    self.waiting.push_front(line);
                    return Some(Err(missed));
                }
                self.last = number;
                return Some(Ok(line));
            }
            match self.news.recv().await {
                Ok(line) if self.is_wanted(&line) => self.waiting.push_back(line),
                Ok(_) => {}
                // Others' lines may have come so fast: what is kept is not lost.
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let kept = self.logs.upgrade()?.lines(self.agent.as_deref());
                    let waiting: Vec<_> = kept.into_iter().filter(|line| self.number(line) > self.last).collect();
                    self.waiting.extend(waiting);
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn number(&self, line: &LogLine) -> u64 {
        if self.agent.is_some() { line.of_agent } else { line.number }
    }

    fn is_wanted(&self, line: &LogLine) -> bool {
        self.agent.as_ref().is_none_or(|agent| *agent == line.agent) && self.number(line) > self.last
    }
}

impl Copied {
    fn told(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(rest.len()).min(LINE - self.begun.len());
            self.begun.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if let Some(after) = rest.strip_prefix(b"\n") {
                rest = after;
                self.line();
            } else if self.begun.len() == LINE {
                self.line();
            }
        }
    }

    fn line(&mut self) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
        self.logs.add(&self.of, self.stream, None, text, BTreeMap::new());
    }
}

impl Write for Copied {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.told(&bytes[..written]);
        Ok(written)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.told(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::wasm::Captured;

    fn copied(logs: &Arc<Logs>, agent: &str) -> Copied {
        let of = Arc::new(Of { agent: agent.to_owned(), run: "run-1".to_owned() });
        let to = Box::new(Captured::default());
        Copied { to, logs: Arc::clone(logs), of, stream: LogStream::Stdout, begun: Vec::new() }
    }

    fn texts(lines: &[Arc<LogLine>]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_whole_and_bounded_for_each_agent() {
        let logs = Arc::new(Logs::new(Wall::default()));
        let mut quiet = copied(&logs, "quiet");
        quiet.write_all(b"one\ntw").expect("written");
        quiet.write_all(b"o\n\nrest").expect("written");
        drop(quiet);
        assert_eq!(texts(&logs.lines(Some("quiet"))), ["one", "two", "", "rest"]);

        let mut loud = copied(&logs, "loud");
        loud.write_all(&vec![b'x'; 10 * LINE]).expect("written");
        loud.write_all(&b"y\n".repeat(1_000)).expect("written");

        let lines = logs.lines(Some("loud"));
        assert!(lines.len() == LINES && lines.iter().all(|line| line.text == "y"), "{}", lines.len());
        // The other's are still there.
        assert_eq!(logs.lines(None).len(), LINES + 4);
        loud.write_all(&vec![b'x'; 10 * LINE]).expect("written");
        assert_eq!(logs.lines(Some("loud")).len(), BYTES / (LINE + EACH));
    }

    #[tokio::test]
    async fn whoever_follows_gets_each_line_once_and_is_told_what_it_missed() {
        let logs = Arc::new(Logs::new(Wall::default()));
        let mut agent = copied(&logs, "agent");
        agent.write_all(b"before\n").expect("written");
        let (before, mut following) = logs.follow(Some("agent"));
        assert_eq!(texts(&before), ["before"]);

        copied(&logs, "other").write_all(b"not asked for\n").expect("written");
        agent.write_all(b"after\n").expect("written");
        let next = following.next().await.expect("a line").expect("none was missed");
        assert_eq!(next.text, "after");

        // What others say so fast costs nothing, as long as its own lines are kept.
        agent.write_all(b"kept\n").expect("written");
        copied(&logs, "other").write_all(&b"loud\n".repeat(2 * BEHIND)).expect("written");
        assert_eq!(following.next().await.expect("a line").expect("none was missed").text, "kept");
        agent.write_all(&b"more\n".repeat(BEHIND + 5)).expect("written");
        assert_eq!(following.next().await, Some(Err((BEHIND + 5 - LINES) as u64)));
        for _ in 0..LINES {
            assert!(matches!(following.next().await, Some(Ok(_))));
        }
        agent.write_all(b"last\n").expect("written");
        assert_eq!(following.next().await.expect("a line").expect("none was missed").text, "last");

        logs.forget("agent");
        assert!(logs.lines(Some("agent")).is_empty() && !logs.lines(None).is_empty());
        drop((agent, logs));
        assert_eq!(following.next().await, None);
    }
}
