//! Runs of the library's protocols among parties: how one is agreed upon, taken part in, and known to have ended at all of them.

use crate::party::Party;
use crate::peers::{Ask, NoAnswer, Purpose, Reply};
use crate::presignature::Presignature;
use crate::rounds::{Inbox, Message, drive};
use crate::shares::{check_name, keygen};
use crate::trio::PARTIES;
use anyhow::{Context, Result, bail};
use cggmp21::ExecutionId;
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strongroom_ground::text::hex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

/// How long another party's next message may take, within a run.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a number for a run is good.
const NUMBERS: Duration = Duration::from_secs(60);
/// How long the answer to how a run has ended may wait for its end.
const WAIT: Duration = Duration::from_secs(3);
/// Most numbers that are good at a time, and most keys.
const MOST_NUMBERS: usize = 256;
const KEYS: usize = 64;
/// How long a run may take in all.
const RUN: Duration = Duration::from_secs(20 * 60);
/// The same of a presignature.
const RUN_OF_PRESIGNATURE: Duration = Duration::from_secs(90);
/// How much less than all else the making of presignatures counts with the scheduler, on Linux.
const NICE: i32 = 10;
/// How often a message is sent to a party that has not opened its run yet.
const ATTEMPTS: u32 = 200;

impl Party {
    /// Has a run done with the others, and waits for its end at all of them. Gives its name.
    ///
    /// # Errors
    /// Why it is not done, in words.
    pub async fn lead(self: &Arc<Self>, purpose: Purpose) -> Result<String> {
        let others = self.parties(&purpose).map_err(anyhow::Error::msg)?;
        let others: Vec<_> = others.into_iter().filter(|party| *party != self.trio.index).collect();
        let mut numbers = vec![(self.trio.index, self.number(&purpose).map_err(anyhow::Error::msg)?)];
        for party in &others {
            match self.peers.ask(*party, &Ask::Begin(purpose.clone())).await {
                Ok(Reply::Number(number)) => numbers.push((*party, number)),
                other => bail!("{}: {}", self.trio.name(*party), words(other)),
            }
        }
        numbers.sort_unstable();
        let run = name(&purpose, &numbers);
        let ended = self.take_part(self.trio.index, purpose.clone(), numbers.clone()).map_err(anyhow::Error::msg)?;
        let patience = if let Purpose::Presignature(..) = purpose { RUN_OF_PRESIGNATURE } else { RUN };
        let late = |_| Err(anyhow::anyhow!("the run has not ended within {} s", patience.as_secs()));
        let led = self.ended_everywhere(&purpose, &run, &numbers, &others, ended);
        let led = tokio::time::timeout(patience, led).await.unwrap_or_else(late);
        match &led {
            Ok(()) => self.pool.ready(&run),
            Err(why) => self.give_up(&run, &others, &format!("{why:#}")),
        }
        self.made.notify_waiters();
        led.map(|()| run)
    }

    /// Ends a run that this party leads, here and at the others, and lets go of what it has made.
    fn give_up(self: &Arc<Self>, run: &str, others: &[usize], why: &str) {
        self.runs.close(run, Err(why.to_owned()));
        self.pool.let_go(run);
        for party in others.iter().copied() {
            let (this, ask) = (Arc::clone(self), Ask::Say { run: run.to_owned(), message: Err(why.to_owned()) });
            tokio::spawn(async move { this.peers.ask(party, &ask).await });
        }
    }

    /// Takes a message of a run from another party.
    ///
    /// # Errors
    /// There is no such run here, or it has more to read than it should.
    pub(crate) fn told(&self, party: usize, run: &str, message: Result<Message, String>) -> Result<Reply, String> {
        let has_failed = message.is_err();
        if self.runs.hear(run, party, message) {
            return Ok(Reply::Done);
        }
        if has_failed {
            self.pool.let_go_of(party, run);
        }
        Err("there is no such run here".to_owned())
    }

    /// Starts a run at the others, and waits for its end at all of them.
    async fn ended_everywhere(
        &self,
        purpose: &Purpose,
        run: &str,
        numbers: &[(usize, String)],
        others: &[usize],
        ended: oneshot::Receiver<Result<()>>,
    ) -> Result<()> {
        for party in others {
            match self.peers.ask(*party, &Ask::Start { purpose: purpose.clone(), numbers: numbers.to_vec() }).await {
                Ok(Reply::Done) => {}
                other => {
                    let why = format!("{}: {}", self.trio.name(*party), words(other));
                    self.runs.close(run, Err(why.clone()));
                    bail!("{why}");
                }
            }
        }
        ended.await.context("the run was dropped")??;
        // It is done when all have what it has made.
        for party in others.iter().copied() {
            loop {
                match self.peers.ask(party, &Ask::Ended(run.to_owned())).await {
                    Ok(Reply::Done) => break,
                    Ok(Reply::NotYet) => {}
                    other => bail!("{}: {}", self.trio.name(party), words(other)),
                }
            }
        }
        Ok(())
    }

    /// Answers how a run has ended here.
    ///
    /// # Errors
    /// It has failed, in words.
    pub async fn ended(&self, run: &str) -> Result<Reply, String> {
        let until = tokio::time::Instant::now() + WAIT;
        loop {
            let made = self.made.notified();
            match self.runs.ended(run) {
                Some(how) => return how.map(|()| Reply::Done),
                None if tokio::time::timeout_at(until, made).await.is_err() => return Ok(Reply::NotYet),
                None => {}
            }
        }
    }

    /// Takes part in a run, on a thread of its own.
    ///
    /// # Errors
    /// It is not one that this party has given a number for, or the parties' auxiliary data differ.
    pub fn take_part(
        self: &Arc<Self>,
        by: usize,
        purpose: Purpose,
        numbers: Vec<(usize, String)>,
    ) -> Result<oneshot::Receiver<Result<()>>, String> {
        let parties = self.parties(&purpose)?;
        if let Purpose::Presignature(leader, ..) = purpose
            && leader != by
        {
            return Err("presignatures are begun by the party that is to lead with them".to_owned());
        }
        if parties.len() != numbers.len() || !parties.iter().zip(&numbers).all(|(party, (of, _))| party == of) {
            return Err("the numbers are not those of the parties that take part".to_owned());
        }
        let own = numbers.iter().find(|(party, _)| *party == self.trio.index).map(|(_, number)| number);
        let is_own = own.and_then(|number| self.numbers.lock().remove(number)).is_some_and(|since| since.elapsed() < NUMBERS);
        if !is_own {
            return Err("this party has not given that number, or long ago".to_owned());
        }
        let auxiliary = |number: &str| number.split_once('.').map(|(_, run)| run.to_owned());
        if numbers.windows(2).any(|pair| auxiliary(&pair[0].1) != auxiliary(&pair[1].1)) {
            return Err("the parties have auxiliary data of different ceremonies; run `strongroom mpc keygen` again".to_owned());
        }
        let run = name(&purpose, &numbers);
        let heard = self.runs.open(&run, by, parties.clone())?;
        let auxiliary = auxiliary(&numbers[0].1).unwrap_or_default();
        let (to_others, messages) = unbounded_channel();
        tokio::spawn(Arc::clone(self).deliver(run.clone(), parties.clone(), messages));
        let (party, named) = (Arc::clone(self), run.clone());
        let (tell, ended) = oneshot::channel();
        let work = move || {
            if let Purpose::Presignature(..) = purpose {
                // What is made ahead of time waits for what is asked now.
                let _ = rustix::process::nice(NICE);
            }
            let send = |to: Option<u16>, message: Message| drop(to_others.send((to, Ok(message))));
            // What the library does not expect of another party must not leave the run open.
            let driven = std::panic::AssertUnwindSafe(|| party.driven(&purpose, &run, &auxiliary, &parties, &heard, send));
            let done = std::panic::catch_unwind(driven).unwrap_or_else(|_| Err(anyhow::anyhow!("another party has sent what can't be")));
            let how = done.as_ref().err().map(|why| format!("{why:#}"));
            // Where it was closed meanwhile, it was given up: nobody asks for what it has made.
            if !party.runs.close(&run, how.clone().map_or(Ok(()), Err)) {
                party.pool.let_go(&run);
            }
            if let Some(why) = how {
                tracing::warn!("a run for {purpose:?} has failed: {why}");
                let _ = to_others.send((None, Err(why)));
            }
            party.made.notify_waiters();
            let _ = tell.send(done);
        };
        if let Err(error) = std::thread::Builder::new().name("run".to_owned()).spawn(work) {
            self.runs.close(&named, Err(error.to_string()));
            return Err(format!("this party has no thread for it: {error}"));
        }
        Ok(ended)
    }

    fn driven(
        &self,
        purpose: &Purpose,
        run: &str,
        auxiliary: &str,
        parties: &[usize],
        heard: &Inbox,
        send: impl FnMut(Option<u16>, Message),
    ) -> Result<()> {
        let own = parties.iter().position(|party| *party == self.trio.index).context("this party takes no part")?;
        let own = u16::try_from(own)?;
        let execution = ExecutionId::new(run.as_bytes());
        let rng = &mut OsRng;
        match purpose {
            Purpose::Auxiliary => {
                let primes = self.shares.primes()?;
                let machine = cggmp21::aux_info_gen(execution, own, PARTIES as u16, primes).into_state_machine(rng);
                let data = drive(machine, heard, SILENCE, send)?.map_err(|error| anyhow::anyhow!("{}", causes(&error)))?;
                self.shares.take_auxiliary(run, data)
            }
            Purpose::Key(key) => {
                let machine = keygen(execution, own).into_state_machine(rng);
                let share = drive(machine, heard, SILENCE, send)?.map_err(|error| anyhow::anyhow!("{}", causes(&error)))?;
                self.shares.take_share(key, run, auxiliary, share)
            }
            Purpose::Presignature(leader, partner, key) => {
                let share = self.share(key).map_err(anyhow::Error::msg)?;
                let indices: Vec<u16> = parties.iter().map(|party| u16::try_from(*party)).collect::<Result<_, _>>()?;
                let machine = cggmp21::signing(execution, own, &indices, &share.share).generate_presignature_sync(rng);
                let made = drive(machine, heard, SILENCE, send)?.map_err(|error| anyhow::anyhow!("{}", causes(&error)))?;
                self.pool.add(*leader, *partner, key, run.to_owned(), Presignature::new(made));
                Ok(())
            }
        }
    }

    /// Takes a run's messages to the others, in their order.
    async fn deliver(
        self: Arc<Self>,
        run: String,
        parties: Vec<usize>,
        mut messages: UnboundedReceiver<(Option<u16>, Result<Message, String>)>,
    ) {
        while let Some((to, message)) = messages.recv().await {
            let is_to = |index: usize| to.is_none_or(|to| usize::from(to) == index);
            let whom = parties.iter().enumerate().filter(|(index, party)| **party != self.trio.index && is_to(*index));
            for (_, party) in whom {
                let ask = Ask::Say { run: run.clone(), message: message.clone() };
                let mut attempts = 0..ATTEMPTS;
                let lost = loop {
                    match self.peers.ask(*party, &ask).await {
                        Ok(_) => break None,
                        // It has not opened the run yet, or its connection has just been lost.
                        Err(NoAnswer::Refused(_) | NoAnswer::Away(_)) if message.is_ok() && attempts.next().is_some() => {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        Err(why) => break Some(why.words()),
                    }
                };
                if let Some(why) = lost.filter(|_| message.is_ok()) {
                    let why = format!("{}: {why}", self.trio.name(*party));
                    self.runs.hear(&run, *party, Err(why));
                }
            }
        }
    }

    /// Who takes part in a run, in the order of the protocol's indices.
    fn parties(&self, purpose: &Purpose) -> Result<Vec<usize>, String> {
        match purpose {
            Purpose::Auxiliary | Purpose::Key(_) => Ok((0..PARTIES).collect()),
            Purpose::Presignature(leader, partner, _) => {
                let mut pair = vec![*leader, *partner];
                pair.sort_unstable();
                let fits = leader != partner && pair[1] < PARTIES && pair.contains(&self.trio.index);
                if fits { Ok(pair) } else { Err("this is no pair of parties, or this party is not in it".to_owned()) }
            }
        }
    }

    /// A number of this party's for the name of a run: no run of one name is done twice.
    ///
    /// # Errors
    /// It would not take part in such a run.
    pub fn number(&self, purpose: &Purpose) -> Result<String, String> {
        match purpose {
            Purpose::Auxiliary => {}
            Purpose::Key(key) => {
                check_name(key).map_err(|error| error.to_string())?;
                if self.shares.get(key).is_some() {
                    return Err(format!("there is a key `{key}` already"));
                }
                if self.shares.all().len() >= KEYS {
                    return Err(format!("this party has {KEYS} keys, and makes no more"));
                }
            }
            Purpose::Presignature(_, _, key) => drop(self.share(key)?),
        }
        if let Some(why) = self.shares.preparing() {
            return Err(why);
        }
        let mut bytes = [0; 16];
        OsRng.fill_bytes(&mut bytes);
        // The auxiliary data must be that of one run at all who take part.
        let auxiliary = match purpose {
            Purpose::Auxiliary => None,
            _ => self.shares.auxiliary(),
        };
        let number = format!("{}.{}", hex(&bytes), auxiliary.map(|known| known.run.clone()).unwrap_or_default());
        let mut numbers = self.numbers.lock();
        numbers.retain(|_, since| since.elapsed() < NUMBERS);
        if numbers.len() >= MOST_NUMBERS {
            return Err("too many runs are begun".to_owned());
        }
        numbers.insert(number.clone(), Instant::now());
        Ok(number)
    }
}

/// The name of a run, with a number of each that takes part in it: none of them has done one of that name before.
fn name(purpose: &Purpose, numbers: &[(usize, String)]) -> String {
    let text = serde_json::to_vec(&("strongroom-mpc/1 run", purpose, numbers)).expect("text and numbers");
    hex(&Sha256::digest(text))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Why a party has not answered what it should.
pub(crate) fn words(answer: Result<Reply, NoAnswer>) -> String {
    match answer {
        Ok(_) => "it answers something else".to_owned(),
        Err(why) => why.words(),
    }
}
