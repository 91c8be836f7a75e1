//! One run of one protocol of the library's among parties: its messages out and in, whatever the network does with them. A message that comes twice
//! counts once, one that comes early waits.

use anyhow::{Result, bail};
use cggmp21::round_based::state_machine::{ProceedResult, StateMachine};
use cggmp21::round_based::{Incoming, MessageDestination, MessageType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use strongroom_ground::lock::Mutex;

/// Most runs that one party may have open here at a time, and most ends of runs that are known.
const MOST: usize = 16;

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
}

impl Runs {
    /// Opens a run; gives its inbox.
    ///
    /// # Errors
    /// It is open, or too many are.
    pub fn open(&self, name: &str, by: usize, parties: Vec<usize>) -> Result<Receiver<Heard>, String> {
        let mut runs = self.open.lock();
        if runs.values().filter(|run| run.by == by).count() >= MOST || runs.contains_key(name) {
            return Err("the run is open already, or too many are".to_owned());
        }
        let (inbox, heard) = channel();
        runs.insert(name.to_owned(), Run { parties, by, inbox });
        Ok(heard)
    }

    /// Takes a message to its run. `false` where there is none of that name in which the sender takes part.
    pub fn hear(&self, name: &str, sender: usize, message: Result<Message, String>) -> bool {
        let runs = self.open.lock();
        let Some(run) = runs.get(name) else { return false };
        let index = run.parties.iter().position(|party| *party == sender).and_then(|index| u16::try_from(index).ok());
        index.is_some_and(|index| run.inbox.send((index, message)).is_ok())
    }

    /// Closes a run, and notes how it ended.
    pub fn close(&self, name: &str, how: Result<(), String>) {
        if self.open.lock().remove(name).is_some() {
            let mut ended = self.ended.lock();
            ended.truncate(4 * MOST);
            ended.push_front((name.to_owned(), how));
        }
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
pub fn drive<S>(
    mut machine: S,
    heard: &Receiver<Heard>,
    patience: Duration,
    mut send: impl FnMut(Option<u16>, Message),
) -> Result<S::Output>
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

fn next<M: DeserializeOwned>(heard: &Receiver<Heard>, known: &mut HashSet<(u16, u64)>, until: Instant) -> Result<Incoming<M>> {
    loop {
        let (sender, message) = match heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => bail!("the others have fallen silent"),
            Err(RecvTimeoutError::Disconnected) => bail!("the run was closed"),
        };
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
