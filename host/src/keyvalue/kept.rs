//! What one run reads and writes of its agent's bucket: searched for secrets, counted, and written only while the agent is not stopped.
//!
//! A placeholder means nothing in another run. Where one of a secret of the manifest stands in a value, the value's next reader has its own
//! in its place: also of a refresh token that is kept as a secret.

use super::{Bucket, Change, Refused, Value};
use crate::manifest::StateSpec;
use crate::policy::Policy;
use crate::session::Session;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

/// Keys in one answer to who lists them.
const PAGE: usize = 1_000;
/// Bytes of values in one answer to who asks for many.
const MANY: usize = 16 << 20;
/// What a key that is written counts beside itself and its value, in bytes of output.
const WRITE: usize = 128;

/// An agent's state, as one of its runs has it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Kept {
    session: Arc<Session>,
    /// None where the manifest has no `[state]`.
    granted: Option<Arc<Granted>>,
    /// Gone with the run: what waits for the disk then is written no more.
    run: Arc<()>,
}

/// What the manifest grants.
pub(crate) struct Granted {
    pub(crate) bucket: Bucket,
    pub(crate) spec: StateSpec,
}

/// What was asked for, or what the agent is told.
pub(crate) type Answer<T> = Result<T, String>;

impl Kept {
    pub(crate) fn new(session: Arc<Session>, granted: Option<Arc<Granted>>) -> Self {
        Self { session, granted, run: Arc::default() }
    }

    /// Whether the agent has a state at all; where not, that is a denial.
    pub(crate) fn is_granted(&self) -> bool {
        if self.granted.is_none() {
            self.session.deny(Policy::state_unavailable());
        }
        self.granted.is_some()
    }

    pub(crate) async fn get(self, key: String) -> Answer<Option<Vec<u8>>> {
        self.session.meter.state_reads.fetch_add(1, Ordering::Relaxed);
        let value = self.on_disk(move |granted| granted.bucket.get(&key)).await?;
        Ok(value.map(|value| self.told(value)))
    }

    /// The values of many keys, as far as there are values.
    pub(crate) async fn get_many(self, keys: Vec<String>) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        let (mut all, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in keys {
            let value = self.clone().get(key.clone()).await?;
            bytes += value.as_ref().map_or(0, Vec::len);
            if bytes > MANY {
                return Err("strongroom: the values have more than 16 MiB together; ask for fewer at once".to_owned());
            }
            all.push(value.map(|value| (key, value)));
        }
        Ok(all)
    }

    pub(crate) async fn exists(self, key: String) -> Answer<bool> {
        self.session.meter.state_reads.fetch_add(1, Ordering::Relaxed);
        self.on_disk(move |granted| granted.bucket.exists(&key)).await
    }

    /// A page of keys, behind so many of them, and where the next page begins.
    pub(crate) async fn keys(self, from: u64) -> Answer<(Vec<String>, Option<u64>)> {
        self.session.meter.state_reads.fetch_add(1, Ordering::Relaxed);
        let all = self.on_disk(|granted| granted.bucket.list()).await?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
        let until = (from + PAGE).min(all.len());
        let next = (until < all.len()).then_some(until as u64);
        Ok((all[from..until].iter().map(|listed| listed.key.clone()).collect(), next))
    }

    /// Has keys keep values, all of them or none.
    pub(crate) async fn set(self, pairs: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let texts = pairs.iter().flat_map(|(key, value)| [("key", key.as_bytes()), ("value", value.as_slice())]);
        self.count(pairs.len(), pairs.iter().map(|(key, value)| key.len() + value.len()).sum())?;
        self.search(texts)?;
        let written = now();
        let changes = pairs.into_iter().map(|(key, value)| {
            let stands = self.stands(&value);
            Change::Set { key: key.into(), value: value.into(), written, stands }
        });
        self.clone().change(changes.collect()).await
    }

    pub(crate) async fn delete(self, keys: Vec<String>) -> Answer<()> {
        self.count(keys.len(), keys.iter().map(String::len).sum())?;
        let changes = keys.into_iter().map(|key| Change::Delete { key: key.into() });
        self.clone().change(changes.collect()).await
    }

    pub(crate) async fn increment(self, key: String, delta: u64) -> Answer<u64> {
        self.count(1, key.len())?;
        self.search([("key", key.as_bytes())].into_iter())?;
        let (pass, scrubber) = (self.pass(), self.session.scrubber());
        let is_secret = move |digits: &[u8]| !scrubber.find(digits).is_empty();
        self.on_disk(move |granted| granted.bucket.increment(&granted.spec, &key, delta, now(), is_secret, pass)).await
    }

    /// Counts what is written, with what the host has to do for each key, as it counts what an agent prints: past the limit the run ends.
    fn count(&self, keys: usize, bytes: usize) -> Answer<()> {
        self.session.meter.state_writes.fetch_add(keys as u64, Ordering::Relaxed);
        let within = self.session.meter.write(bytes + keys * WRITE);
        if within { Ok(()) } else { Err("strongroom: the run is stopped".to_owned()) }
    }

    async fn change(self, changes: Vec<Change<'static>>) -> Answer<()> {
        let pass = self.pass();
        self.on_disk(move |granted| granted.bucket.change(&granted.spec, &changes, pass)).await
    }

    /// Lets a write through as long as the run goes on and its agent is not stopped: it may have waited for its turn.
    fn pass(&self) -> impl FnOnce(&mut dyn FnMut()) -> bool + Send + use<> {
        let (line, meter, run) = (Arc::clone(&self.session.line), Arc::clone(&self.session.meter), Arc::downgrade(&self.run));
        move |work| {
            line.pass(|| {
                run.strong_count() > 0 && !meter.is_stopped() && {
                    work();
                    true
                }
            }) == Some(true)
        }
    }

    /// Does what waits for the disk where no other task does. What was refused is a denial.
    async fn on_disk<T: Send + 'static, E: Into<Refused> + Send + 'static>(
        &self,
        work: impl FnOnce(&Granted) -> Result<T, E> + Send + 'static,
    ) -> Answer<T> {
        let granted = self.granted.clone().ok_or("strongroom: the agent has no state")?;
        self.session.still_keeps(&granted.spec).map_err(|denial| self.session.deny(denial).text)?;
        let worked = tokio::task::spawn_blocking(move || work(&granted).map_err(Into::into)).await;
        worked.unwrap_or_else(|error| Err(Refused::Io(io::Error::other(error)))).map_err(|refused| self.refused(refused))
    }

    fn refused(&self, refused: Refused) -> String {
        let denial = match refused {
            Refused::Malformed(why) => return format!("strongroom: {why}"),
            Refused::Stopped => return "strongroom: the agent is stopped".to_owned(),
            Refused::Secret => Policy::state_leak("a number", "value"),
            Refused::Size => Policy::state_full("bytes of keys and values", "max_size"),
            Refused::Keys => Policy::state_full("keys", "max_keys"),
            Refused::Io(error) => Policy::state_failed(&error.to_string()),
        };
        self.session.deny(denial).text
    }

    /// Refuses texts that hold what looks like a secret: what is kept is there for every later run, and for whoever reads the disk.
    fn search<'t>(&self, texts: impl Iterator<Item = (&'static str, &'t [u8])>) -> Answer<()> {
        let allowed = self.granted.as_ref().map_or(&[][..], |granted| &granted.spec.leaks_allowed);
        self.session.learn();
        let mut scrubber = self.session.scrubber();
        if !allowed.is_empty() {
            scrubber = Arc::new(scrubber.passing(allowed));
        }
        for (place, text) in texts {
            if let Some((kind, _)) = scrubber.find(text).into_iter().next() {
                return Err(self.session.deny(Policy::state_leak(&kind, place)).text);
            }
        }
        Ok(())
    }

    /// The placeholders in a value that stand for secrets of the manifest.
    fn stands(&self, value: &[u8]) -> Vec<(String, String)> {
        let keyring = &self.session.keyring;
        let own = keyring.iter().filter(|(_, key)| !key.is_default()).map(|(_, key)| (key.placeholder.clone(), key.name.clone()));
        let mut seen = HashSet::new();
        own.chain(keyring.kept_placeholders())
            .filter(|(placeholder, _)| !placeholder.is_empty() && seen.insert(placeholder.clone()))
            .filter(|(placeholder, _)| memchr::memmem::find(value, placeholder.as_bytes()).is_some())
            .collect()
    }

    /// A value with the placeholders of this run.
    fn told(&self, value: Value) -> Vec<u8> {
        let Value { mut bytes, stands } = value;
        let mut seen = HashSet::new();
        for (placeholder, name) in stands.iter().filter(|(placeholder, _)| seen.insert(placeholder)) {
            let key = self.session.keyring.by_name(name).map(|(_, key)| key).filter(|key| !key.is_default());
            if let Some(key) = key.filter(|key| key.placeholder != *placeholder) {
                bytes = replaced(&bytes, placeholder.as_bytes(), key.placeholder.as_bytes());
            }
        }
        bytes
    }
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut out, mut from) = (Vec::with_capacity(text.len()), 0);
    for at in memchr::memmem::find_iter(text, old) {
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(new);
        from = at + old.len();
    }
    out.extend_from_slice(&text[from..]);
    out
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
