//! One run of one protocol of the library's among parties: its messages out and in, whatever the network does with them. A message that comes twice
//! counts once, one that comes early waits.

use anyhow::{Result, bail};
use cggmp21::round_based::state_machine::{ProceedResult, StateMachine};
use cggmp21::round_based::{Incoming, MessageDestination, MessageType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use strongroom_ground::lock::Mutex;

/// Most runs that one party may have open here at a time, and most ends of runs that are known.
const MOST: usize = 16;
/// Most bytes that wait to be read in one run, and what each message counts beside its own: a party that was taken over fills nobody's memory.
const MOST_WAITING: usize = 4 << 20;
const COUNTED: usize = 4 << 10;

/// A message of a protocol, as parties send it to each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Its number among those of its sender in this run.
    pub number: u64,
    /// Whether all others get the same.
    pub to_all: bool,
    /// What the library says.
    pub body: Box<serde_json::value::RawValue>,
}

/// What comes from the others: the sender's index in this run, and what it sends, or why it sends nothing more.
pub type Heard = (u16, Result<Message, String>);

/// The runs that are open.
#[derive(Default)]
pub struct Runs {
    open: Mutex<HashMap<String, Run>>,
    /// How the last of them ended.
    ended: Mutex<VecDeque<(String, Result<(), String>)>>,
}

struct Run {
    /// Who takes part, in the order of their indices in the protocol.
    parties: Vec<usize>,
    /// Who has begun it.
    by: usize,
    inbox: Sender<Heard>,
    waiting: Arc<AtomicUsize>,
}

/// What a run has heard, and not read.
pub struct Inbox {
    heard: Receiver<Heard>,
    waiting: Arc<AtomicUsize>,
}

impl Runs {
    /// Opens a run; gives its inbox.
    ///
    /// # Errors
    /// It is open, or too many are.
    pub fn open(&self, name: &str, by: usize, parties: Vec<usize>) -> Result<Inbox, String> {
        let mut runs = self.open.lock();
        if runs.values().filter(|run| run.by == by).count() >= MOST || runs.contains_key(name) {
            return Err("the run is open already, or too many are".to_owned());
        }
        let (inbox, heard) = channel();
        let waiting = Arc::<AtomicUsize>::default();
        runs.insert(name.to_owned(), Run { parties, by, inbox, waiting: Arc::clone(&waiting) });
        Ok(Inbox { heard, waiting })
    }

    /// Takes a message to its run. `false` where there is none of that name in which the sender takes part, or too much waits to be read there.
    pub fn hear(&self, name: &str, sender: usize, message: Result<Message, String>) -> bool {
        let runs = self.open.lock();
        let Some(run) = runs.get(name) else { return false };
        let index = run.parties.iter().position(|party| *party == sender).and_then(|index| u16::try_from(index).ok());
        let Some(index) = index else { return false };
        let size = size(&message);
        if run.waiting.fetch_add(size, Ordering::Relaxed).saturating_add(size) > MOST_WAITING {
            run.waiting.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        run.inbox.send((index, message)).is_ok()
    }

    /// Closes a run, and notes how it ended. `false` where it was not open.
    pub fn close(&self, name: &str, how: Result<(), String>) -> bool {
        let was_open = self.open.lock().remove(name).is_some();
        if was_open {
            let mut ended = self.ended.lock();
            ended.truncate(4 * MOST);
            ended.push_front((name.to_owned(), how));
        }
        was_open
    }

    /// How a run ended; `None` while it is open.
    pub fn ended(&self, name: &str) -> Option<Result<(), String>> {
        if self.open.lock().contains_key(name) {
            return None;
        }
        let known = self.ended.lock().iter().find(|(known, _)| known == name).map(|(_, how)| how.clone());
        Some(known.unwrap_or_else(|| Err("there is no such run here".to_owned())))
    }
}

/// Drives a protocol to its end. `send` takes a message for one of the others, by its index, or for all. Blocks; to be called on a thread of its own.
///
/// # Errors
/// The protocol has failed, a message is none, or nothing came for `patience`.
pub fn drive<S>(mut machine: S, heard: &Inbox, patience: Duration, mut send: impl FnMut(Option<u16>, Message)) -> Result<S::Output>
where
    S: StateMachine,
    S::Msg: Serialize + DeserializeOwned,
{
    let mut known = HashSet::new();
    let mut number = 0;
    loop {
        match machine.proceed() {
            ProceedResult::SendMsg(message) => {
                let (to, to_all) = match message.recipient {
                    MessageDestination::AllParties => (None, true),
                    MessageDestination::OneParty(party) => (Some(party), false),
                };
                number += 1;
                send(to, Message { number, to_all, body: serde_json::value::to_raw_value(&message.msg)? });
            }
            ProceedResult::NeedsOneMoreMessage => {
                let incoming = next(heard, &mut known, Instant::now() + patience)?;
                if machine.received_msg(incoming).is_err() {
                    bail!("the protocol takes no message now");
                }
            }
            ProceedResult::Yielded => {}
            ProceedResult::Output(output) => return Ok(output),
            ProceedResult::Error(error) => bail!("{error}"),
        }
    }
}

fn size(message: &Result<Message, String>) -> usize {
    COUNTED + message.as_ref().map_or_else(String::len, |message| message.body.get().len())
}

fn next<M: DeserializeOwned>(inbox: &Inbox, known: &mut HashSet<(u16, u64)>, until: Instant) -> Result<Incoming<M>> {
    loop {
        let (sender, message) = match inbox.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => bail!("the others have fallen silent"),
            Err(RecvTimeoutError::Disconnected) => bail!("the run was closed"),
        };
        inbox.waiting.fetch_sub(size(&message), Ordering::Relaxed);
        let message = match message {
            Ok(message) => message,
            Err(why) => bail!("{why}"),
        };
        if !known.insert((sender, message.number)) {
            continue;
        }
        let Ok(msg) = serde_json::from_str(message.body.get()) else { bail!("a message of the protocol can't be read") };
        let msg_type = if message.to_all { MessageType::Broadcast } else { MessageType::P2P };
        return Ok(Incoming { id: message.number, sender, msg_type, msg });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64, length: usize) -> Result<Message, String> {
        let body = serde_json::value::to_raw_value(&"x".repeat(length)).expect("text");
        Ok(Message { number, to_all: false, body })
    }

    #[test]
    fn what_waits_in_a_run_has_an_end() {
        for length in [1, 1_000_000] {
            let runs = Runs::default();
            let inbox = runs.open("run", 0, vec![0, 1]).expect("it is open");
            let taken = (0..10_000).take_while(|number| runs.hear("run", 1, message(*number, length))).count();

            assert!(taken > 0 && taken * length <= MOST_WAITING && taken <= MOST_WAITING / COUNTED, "{taken} of {length} bytes");
            assert!(!runs.hear("run", 1, Err("y".repeat(MOST_WAITING))), "nor has the reason for which it ended");
            // What is read makes room.
            let read: Incoming<String> = next(&inbox, &mut HashSet::new(), Instant::now()).expect("a message");
            assert_eq!((read.id, read.msg.len()), (0, length));
            assert!(runs.hear("run", 1, message(10_000, length)));
            assert!(!runs.hear("run", 1, message(10_001, length)));
        }
    }

    #[test]
    fn a_message_that_comes_twice_counts_once() {
        let runs = Runs::default();
        let inbox = runs.open("run", 0, vec![0, 1]).expect("it is open");
        for number in [1, 1, 2] {
            assert!(runs.hear("run", 1, message(number, 1)));
        }

        let mut known = HashSet::new();
        let mut read = || next::<String>(&inbox, &mut known, Instant::now()).map(|read| read.id).ok();
        assert_eq!([read(), read(), read()], [Some(1), Some(2), None]);
        assert!(!runs.hear("run", 2, message(3, 1)), "a party that takes no part");
        assert!(runs.close("run", Ok(())) && !runs.close("run", Ok(())));
        assert!(!runs.hear("run", 1, message(3, 1)));
    }
}
