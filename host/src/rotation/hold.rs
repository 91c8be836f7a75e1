//! The right to take the next step of a rotation: taken by a compare-and-set of the journal, kept by heartbeats, and lost when another host
//! has seen none for long enough on its own clock. Whoever has lost it finds out at the next write.

use super::document::{Document, Holder};
use super::journal::{ATTEMPTS, Journal, Unwritten, may_pass, millis, pause};
use crate::secrets::StoreError;
use std::time::Duration;

/// What is known of whoever holds a rotation, and since when it has sent no heartbeat.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    seen: Option<(Holder, Duration)>,
}

/// The right to take the next step. Whoever has lost it finds out at the next write.
pub(crate) struct Hold {
    journal: Journal,
    document: Document,
    version: String,
    me: Holder,
    written: Duration,
}

impl Journal {
    /// Takes the right to the next step, where nobody has it, or whoever had it has sent no heartbeat for `lease`, by this host's clock.
    /// `None` where somebody has it.
    pub(super) async fn hold(&self, host: &str, lease: Duration, watched: &mut Watched) -> Result<Option<Hold>, StoreError> {
        let mut attempt = 0;
        loop {
            let (mut document, version) = self.made().await?;
            if !watched.is_over(document.holder.as_ref(), lease, self.clock.now()) {
                return Ok(None);
            }
            document.fence += 1;
            let nonce = getrandom::u64().unwrap_or_default();
            let me = Holder { host: host.to_owned(), fence: document.fence, beat: 0, nonce, lease: millis(lease) };
            document.holder = Some(me.clone());
            let now = self.clock.now();
            match self.write(&document, &version).await {
                Ok(version) => return Ok(Some(Hold { journal: self.clone(), document, version, me, written: now })),
                Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
                Err(_) => {}
            }
            // What was not answered may have been done; and what was done and asked for once more is a conflict with itself.
            let (document, version) = self.read().await?;
            if document.holder.as_ref() == Some(&me) {
                return Ok(Some(Hold { journal: self.clone(), document, version, me, written: now }));
            }
            pause(&mut attempt).await;
        }
    }
}

impl Watched {
    /// Whether the right to the next step may be taken.
    fn is_over(&mut self, holder: Option<&Holder>, lease: Duration, now: Duration) -> bool {
        let Some(holder) = holder else { return true };
        let lease = lease.max(Duration::from_millis(holder.lease));
        match &self.seen {
            Some((seen, since)) if seen == holder => now.saturating_sub(*since) >= lease,
            _ => {
                self.seen = Some((holder.clone(), now));
                false
            }
        }
    }

    /// How long until the right may be taken, if nobody sends a heartbeat.
    pub(super) fn left(&self, lease: Duration, now: Duration) -> Option<Duration> {
        self.seen.as_ref().map(|(seen, since)| {
            let lease = lease.max(Duration::from_millis(seen.lease));
            lease.saturating_sub(now.saturating_sub(*since))
        })
    }
}

impl Hold {
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Makes a change, if this host still has the right to. The change is made anew where others have changed the document meanwhile.
    pub(super) async fn write(&mut self, change: impl FnMut(&mut Document)) -> Result<(), Unwritten> {
        self.put(change, false).await
    }

    /// Gives the right back, with a last change.
    pub(super) async fn release(mut self, change: impl FnMut(&mut Document)) -> Result<(), Unwritten> {
        self.put(change, true).await
    }

    async fn put(&mut self, mut change: impl FnMut(&mut Document), release: bool) -> Result<(), Unwritten> {
        let mut attempt = 0;
        loop {
            if self.version.is_empty() {
                (self.document, self.version) = self.reread(&mut attempt).await?;
            }
            let holder = self.document.holder.as_ref();
            if !holder.is_some_and(|holder| holder.fence == self.me.fence && holder.nonce == self.me.nonce) {
                return Err(Unwritten::Fenced);
            }
            self.me.beat += 1;
            change(&mut self.document);
            self.document.trim();
            self.document.holder = (!release).then(|| self.me.clone());
            let now = self.journal.clock.now();
            match self.journal.write(&self.document, &self.version).await {
                Ok(version) => {
                    (self.version, self.written) = (version, now);
                    return Ok(());
                }
                Err(error) if attempt == ATTEMPTS || !may_pass(&error) => {
                    // What is here now is not what is there: the next change begins with a look.
                    self.version.clear();
                    return Err(Unwritten::Store(error.to_string()));
                }
                Err(_) => {}
            }
            // Others may have changed it; and what was not answered may have been done.
            self.version.clear();
            (self.document, self.version) = self.reread(&mut attempt).await?;
            let landed = match &self.document.holder {
                Some(holder) => !release && *holder == self.me,
                // Nobody but the holder gives the right back.
                None => release && self.document.fence == self.me.fence,
            };
            if landed {
                self.written = now;
                return Ok(());
            }
            pause(&mut attempt).await;
        }
    }

    async fn reread(&self, attempt: &mut u32) -> Result<(Document, String), Unwritten> {
        loop {
            match self.journal.read().await {
                Ok(read) => return Ok(read),
                Err(error) if *attempt == ATTEMPTS || !may_pass(&error) => return Err(Unwritten::Store(error.to_string())),
                Err(_) => pause(attempt).await,
            }
        }
    }

    /// From now on so long may pass without a heartbeat: for what takes its time, and loses nothing by a late change of hands.
    pub(super) fn slow_down(&mut self, lease: Duration) {
        self.me.lease = self.me.lease.max(millis(lease));
    }

    /// Sends a heartbeat, if it is time for one, with what has been waited for so far.
    pub(super) async fn beat(&mut self, waited: Duration) -> Result<(), Unwritten> {
        let silent = self.journal.clock.now().saturating_sub(self.written);
        match silent < Duration::from_millis(self.me.lease / 3) {
            true => Ok(()),
            false => self.note_waited(waited).await,
        }
    }

    pub(super) async fn note_waited(&mut self, waited: Duration) -> Result<(), Unwritten> {
        self.write(|document| document.under_way.iter_mut().for_each(|under_way| under_way.note_waited(waited))).await
    }

    /// Makes sure, before a call, that nobody else has the right to it, nor can have it before the call has ended.
    pub(super) async fn sure(&mut self, timeout: Duration) -> Result<(), Unwritten> {
        match self.journal.clock.now().saturating_sub(self.written) < timeout {
            true => Ok(()),
            false => self.write(|_| ()).await,
        }
    }
}
