//! How the three make a key: their auxiliary data, the shares, and each one's word that it has its own.

use crate::party::Party;
use crate::peers::{Ask, Purpose, Reply};
use crate::runs::words;
use crate::shares::{Made, check_name};
use crate::trio::PARTIES;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use strongroom_mpc::says::KeyInfo;

impl Party {
    /// Makes a key with the other two, and the auxiliary data before it where that is missing.
    ///
    /// # Errors
    /// Why there is no key, in words.
    pub async fn keygen(self: &Arc<Self>, key: &str) -> Result<KeyInfo> {
        check_name(key)?;
        let made = match self.made_before(key).await? {
            Some(made) => made,
            None => self.made_anew(key).await?,
        };
        self.shares.adopt(made.clone())?;
        for party in self.trio.others() {
            match self.peers.ask(party, &Ask::Adopt(made.clone())).await {
                Ok(Reply::Done) => {}
                other => bail!("{}: {}; ask again once it is there", self.trio.name(party), words(other)),
            }
        }
        self.taken.notify_waiters();
        Ok(self.share(key).map_err(anyhow::Error::msg)?.info.clone())
    }

    /// A key of a ceremony that was interrupted when all had given their words: it is taken to its end.
    async fn made_before(&self, key: &str) -> Result<Option<Made>> {
        if let Some(made) = self.shares.made(key)? {
            return Ok(Some(made));
        }
        for party in self.trio.others() {
            match self.peers.ask(party, &Ask::Made(key.to_owned())).await {
                Ok(Reply::Made(Some(made))) => return Ok(Some(made)),
                Ok(Reply::Made(None)) => {}
                other => bail!("{}: {}", self.trio.name(party), words(other)),
            }
        }
        Ok(None)
    }

    async fn made_anew(self: &Arc<Self>, key: &str) -> Result<Made> {
        let purpose = Purpose::Key(key.to_owned());
        // The same auxiliary data serves all keys of these three.
        let led = match self.shares.auxiliary() {
            Some(_) => self.lead(purpose.clone()).await.ok(),
            None => None,
        };
        let run = match led {
            Some(run) => run,
            None => {
                self.lead(Purpose::Auxiliary).await.context("auxiliary data")?;
                self.lead(purpose).await.context("key")?
            }
        };
        let (public, own) = self.shares.word(key, &run)?;
        let mut words_given = vec![String::new(); PARTIES];
        words_given[self.trio.index] = own;
        for party in self.trio.others() {
            match self.peers.ask(party, &Ask::Word(key.to_owned(), run.clone())).await {
                Ok(Reply::Word(other, word)) if other == public => words_given[party] = word,
                Ok(Reply::Word(other, _)) => bail!("{} has made the key {other}, and this party {public}", self.trio.name(party)),
                other => bail!("{}: {}", self.trio.name(party), words(other)),
            }
        }
        Ok(Made { key: key.to_owned(), run, public, words: words_given })
    }
}
