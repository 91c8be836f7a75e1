//! One run of a command: what it prints is read into memory that is wiped, and whatever belongs to it is ended with it.
//!
//! The command leads a process group of its own. When it has ended, when its time is over, when it prints too much, and when nobody waits for
//! it any more, the whole group is killed. The kill comes before the leader is reaped: until then no other process can have its number.

use crate::lock::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use zeroize::Zeroizing;

/// Most bytes that a command may print: 1 MiB.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// What a command printed, and how it ended.
pub(super) struct Ended {
    pub(super) output: Zeroizing<Vec<u8>>,
    pub(super) status: ExitStatus,
}

/// Why there is no output.
pub(super) enum Failed {
    /// It can't be started.
    Start(io::Error),
    /// It has printed more than [`MAX_OUTPUT`].
    TooLong,
    /// Its output or its end can't be read.
    Lost(io::Error),
}

/// A command that runs. Dropped, it is killed.
struct Running {
    stdout: OwnedFd,
    group: Arc<Group>,
    end: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// The process group of a command, as long as its number is its own.
struct Group(Mutex<Option<Pid>>);

/// Runs a command to its end. It has its turn until it is reaped, whoever has lost patience.
pub(super) async fn run(command: Command, turn: OwnedSemaphorePermit) -> Result<Ended, Failed> {
    let begun = tokio::task::spawn_blocking(move || Running::begin(command, turn)).await;
    let mut running = begun.map_err(io::Error::other).and_then(|begun| begun).map_err(Failed::Start)?;
    let stdout = running.stdout.try_clone().and_then(Receiver::from_owned_fd).map_err(Failed::Lost)?;
    let mut output = Output::new();
    let status = loop {
        tokio::select! {
            ready = stdout.readable() => {
                ready.map_err(Failed::Lost)?;
                match stdout.try_read(&mut output.piece) {
                    // Nobody holds the pipe any more; the command may still run.
                    Ok(0) => break (&mut running.end).await,
                    Ok(count) => output.take(count)?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(Failed::Lost(error)),
                }
            }
            status = &mut running.end => {
                // What it has printed is in the pipe, whoever else holds it open.
                output.drain(&running.stdout)?;
                break status;
            }
        }
    };
    let status = status.unwrap_or_else(|_| Err(io::Error::other("nobody has waited for it"))).map_err(Failed::Lost)?;
    Ok(Ended { output: output.bytes, status })
}

impl Running {
    /// Starts it: with nothing to read, and with nobody who sees what it complains of.
    fn begin(mut command: Command, turn: OwnedSemaphorePermit) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let group = Arc::new(Group(Mutex::new(Some(Pid::from_child(&child)))));
        let (said, end) = oneshot::channel();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let of_waiter = Arc::clone(&group);
        // It ends soon after the command does, which is killed if need be.
        let waiter = std::thread::Builder::new().name("command".to_owned());
        let waiting = waiter.spawn(move || {
            let _ = said.send(of_waiter.wait(child));
            drop(turn);
        });
        // Whatever fails from here on: dropped, it is killed.
        let running = stdout.map(|stdout| Self { stdout, group, end });
        waiting.and(running.ok_or_else(|| io::Error::other("it has no standard output")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(leader) = *self.group.0.lock() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Group {
    /// Waits until the leader has ended, ends all others, and reaps it.
    fn wait(&self, mut child: Child) -> io::Result<ExitStatus> {
        let leader = Pid::from_child(&child);
        let ended = || waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while ended().is_err_and(|error| error == rustix::io::Errno::INTR) {}
        let mut group = self.0.lock();
        let _ = kill_process_group(leader, Signal::KILL);
        *group = None;
        child.wait()
    }
}

/// Output that grows without leaving a part of it behind.
struct Output {
    bytes: Zeroizing<Vec<u8>>,
    piece: Zeroizing<Vec<u8>>,
}

impl Output {
    fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(PIECE)), piece: Zeroizing::new(vec![0; PIECE]) }
    }

    /// Adds what the piece holds.
    fn take(&mut self, count: usize) -> Result<(), Failed> {
        let whole = self.bytes.len() + count;
        if whole > MAX_OUTPUT {
            return Err(Failed::TooLong);
        }
        if whole > self.bytes.capacity() {
            let mut wider = Zeroizing::new(Vec::with_capacity(whole.max(2 * self.bytes.capacity())));
            wider.extend_from_slice(&self.bytes);
            self.bytes = wider;
        }
        self.bytes.extend_from_slice(&self.piece[..count]);
        Ok(())
    }

    /// Takes what is in a pipe, which does not block.
    fn drain(&mut self, pipe: &OwnedFd) -> Result<(), Failed> {
        loop {
            match rustix::io::read(pipe, self.piece.as_mut_slice()) {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Ok(count) => self.take(count)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Failed::Lost(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::Semaphore;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    async fn ran(script: &str) -> Result<Ended, Failed> {
        let turn = Arc::new(Semaphore::new(1)).acquire_owned().await.expect("a turn");
        run(shell(script), turn).await
    }

    /// Waits until no process has that number any more.
    async fn gone(pid: &str) {
        let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
        let is_there = || rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid);
        let gone = async {
            while is_there() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), gone).await.is_ok(), "the process {pid:?} runs on");
    }

    /// Where nobody reaps what has lost its parent, as in a container without an init, it stays as a zombie.
    fn is_zombie(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
    }

    #[tokio::test]
    async fn what_is_printed_comes_whole_with_the_exit_code() {
        let ended = ran("printf 'a\\0b'; echo hidden >&2; exit 3").await.ok().expect("it ran");
        assert_eq!((ended.output.as_slice(), ended.status.code()), (&b"a\0b"[..], Some(3)));

        let long = ran("head -c 1048576 /dev/zero").await.ok().expect("it ran");
        assert_eq!((long.output.len(), long.status.code()), (MAX_OUTPUT, Some(0)));
        assert!(matches!(ran("head -c 1048577 /dev/zero").await, Err(Failed::TooLong)));
    }

    #[tokio::test]
    async fn a_command_that_prints_without_end_is_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let note = dir.path().join("pid");
        assert!(matches!(ran(&format!("echo $$ > {}; cat /dev/zero; sleep 1000", note.display())).await, Err(Failed::TooLong)));
        gone(&std::fs::read_to_string(note).expect("a number")).await;
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_pipe_neither_delays_the_end_nor_outlives_it() {
        let ended = ran("sleep 1000 & echo $!").await.ok().expect("it ran");

        assert_eq!(ended.status.code(), Some(0));
        gone(std::str::from_utf8(&ended.output).expect("a number")).await;
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_is_killed_with_its_children() {
        let dir = tempfile::tempdir().expect("a directory");
        let note = dir.path().join("pids");
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).acquire_owned().await.expect("a turn");
        let script = format!("sleep 1000 & echo $! $$ > {0}.new; mv {0}.new {0}; exec >&-; wait", note.display());
        let running = tokio::spawn(run(shell(&script), turn));
        while !note.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }

        running.abort();
        assert!(running.await.is_err());

        for pid in std::fs::read_to_string(note).expect("numbers").split_whitespace() {
            gone(pid).await;
        }
        // Its turn is free when it is gone, and not before.
        let _turn = turns.acquire().await.expect("a turn");
    }
}
