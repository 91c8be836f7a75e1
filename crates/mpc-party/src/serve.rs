//! The door of a party: who may speak, and what is answered to whom.

use crate::party::Party;
use crate::peers::{Ask, NoAnswer, Reply};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strongroom_ground::text::for_people;
use strongroom_mpc::link::{Doorkeeper, Link};
use strongroom_mpc::says::{Answer, Failure, FailureKind, Question};
use tokio::net::TcpListener;

impl Party {
    /// Listens, until the process ends.
    ///
    /// # Errors
    /// The address can't be had.
    pub async fn serve(self: Arc<Self>, listen: SocketAddr) -> Result<()> {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} can't be listened on"))?;
        let mut known = self.hosts.clone();
        known.extend(self.trio.others().map(|party| self.trio.card(party).clone()));
        let door = Arc::new(Doorkeeper::new(&self.trio.own, &known)?);
        self.keep_supplied();
        let looking = Arc::clone(&self);
        tokio::spawn(async move { looking.peers.look().await });
        tracing::info!("`{}` listens on {}", self.trio.name(self.trio.index), listener.local_addr()?);
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                // There are no descriptors left, perhaps: some are given back meanwhile.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (party, door) = (Arc::clone(&self), Arc::clone(&door));
            tokio::spawn(async move {
                match door.admit(tcp, party.peers.greeting()).await {
                    Ok(link) => party.hear(link).await,
                    Err(error) => tracing::warn!("{error}"),
                }
            });
        }
    }

    async fn hear(self: Arc<Self>, mut link: Link) {
        let ended = match self.trio.named(&link.peer) {
            Some(party) => {
                self.peers.greeted(party, &link.greeting.boot);
                self.hear_party(party, &mut link).await
            }
            None => self.hear_host(&mut link).await,
        };
        if let Err(error) = ended {
            tracing::debug!("{error}");
        }
    }

    async fn hear_party(self: &Arc<Self>, party: usize, link: &mut Link) -> Result<()> {
        while let Some(ask) = link.heard::<Ask>().await? {
            let reply = self.reply(party, ask).await.unwrap_or_else(NoAnswer::reply);
            link.answer(&reply).await?;
        }
        Ok(())
    }

    async fn reply(self: &Arc<Self>, party: usize, ask: Ask) -> Result<Reply, NoAnswer> {
        let refused = |error: anyhow::Error| NoAnswer::Refused(format!("{error:#}"));
        match ask {
            Ask::Begin(purpose) => Ok(Reply::Number(self.number(&purpose)?)),
            Ask::Start { purpose, numbers } => {
                drop(self.take_part(party, purpose, numbers)?);
                Ok(Reply::Done)
            }
            Ask::Ended(run) => Ok(self.ended(&run).await?),
            Ask::Say { run, message } => Ok(self.told(party, &run, message)?),
            Ask::Word(key, run) => self.shares.word(&key, &run).map(|(public, word)| Reply::Word(public, word)).map_err(refused),
            Ask::Adopt(made) => self.shares.adopt(made).map(|()| Reply::Done).map_err(refused),
            Ask::Made(key) => self.shares.made(&key).map(Reply::Made).map_err(refused),
            Ask::Propose(request) => Ok(self.proposed(&request)?),
            Ask::Reserve { entry, request } => self.reserved(party, *entry, *request).await,
            Ask::Take(entries) => self.taken(entries).await,
            Ask::Give(origin, from) => Ok(Reply::Entries(self.ledger.entries(origin, from))),
            Ask::Sign { entry, presignature, third } => self.half(party, &entry, &presignature, third.map(|word| *word)).await,
            Ask::Standing => Ok(Reply::Standing(Box::new(self.ledger.standing()))),
        }
    }

    async fn hear_host(self: &Arc<Self>, link: &mut Link) -> Result<()> {
        while let Some(question) = link.heard::<Question>().await? {
            let answer = self.answer(question).await;
            link.answer(&answer).await?;
        }
        Ok(())
    }

    async fn answer(self: &Arc<Self>, question: Question) -> Answer {
        let own = self.trio.name(self.trio.index);
        let failed = |kind: FailureKind, why: String| Answer::Failed(Failure::of(kind, own, why));
        match question {
            Question::Status => Answer::Status(Box::new(self.status())),
            Question::Key { key } => match self.share(&key) {
                Ok(share) => Answer::Key(share.info.clone()),
                Err(why) => failed(FailureKind::Refused, why),
            },
            Question::Keygen { key } => match self.keygen(&key).await {
                Ok(made) => Answer::Key(made),
                Err(error) => failed(FailureKind::Unavailable, format!("{error:#}")),
            },
            Question::Sign(request) => match self.signed(&request).await {
                Ok(signed) => Answer::Signed(signed),
                Err(failure) => {
                    tracing::warn!(agent = request.agent, key = request.key, "not signed: {}", for_people(&failure.line()));
                    Answer::Failed(failure)
                }
            },
            Question::Backup { key } => match self.shares.backup(&key) {
                Ok(sealed) => Answer::Sealed(sealed),
                Err(error) => failed(FailureKind::Refused, format!("{error:#}")),
            },
            Question::Restore { key, sealed } => match self.shares.restore(&key, &sealed) {
                Ok(()) => Answer::Done,
                Err(error) => failed(FailureKind::Refused, format!("{error:#}")),
            },
        }
    }
}
