//! The three parties of a threshold wallet, as an operator asks them: keys that they make, how they are, backups of their shares.

use super::{Failed, Kind};
use crate::ethereum::signature::address_of;
use crate::manifest::HostConfig;
use crate::text::{for_people, unhex};
use k256::ecdsa::VerifyingKey;
use serde::Serialize;
use std::time::Duration;
use strongroom_mpc::Parties;
use strongroom_mpc::says::{Answer, KeyInfo, Question, Status};

/// How long a party may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a ceremony may take.
const CEREMONY: Duration = Duration::from_secs(30 * 60);

/// The three parties of a host's configuration.
pub struct Threshold(Parties);

/// A key that the parties have made.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MadeKey {
    /// Its name.
    pub key: String,
    /// The account (EIP-55).
    pub address: String,
    /// The point (SEC 1, compressed), in hexadecimal digits.
    pub public: String,
}

/// How one party is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PartyReport {
    /// Its name.
    pub name: String,
    /// Why it is out of reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away: Option<String>,
    /// What it needs before it can make keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preparing: Option<String>,
    /// Its keys.
    pub keys: Vec<MadeKey>,
    /// Other parties that it can't reach, and why.
    pub unreachable: Vec<(String, String)>,
    /// Presignatures at hand: with whom, of which key, how many.
    pub presignatures: Vec<(String, String, usize)>,
    /// Entries of its ledger, by the party that began them.
    pub ledger: Vec<(String, u64)>,
}

impl Threshold {
    /// The parties that `[signing.mpc]` names. None is asked yet.
    ///
    /// # Errors
    /// [`Failed`] where there is no such table, or a card can't be read.
    pub fn open(config: &HostConfig) -> Result<Self, Failed> {
        let none =
            || Failed::usage("the host configuration has no `[signing.mpc]`; name the cards of the three parties there (docs/mpc.md)");
        crate::signing::parties(config.signing.mpc.as_ref().ok_or_else(none)?).map(Self).map_err(Failed::usage)
    }

    /// How each party is.
    pub async fn status(&self) -> Vec<PartyReport> {
        let mut reports = Vec::new();
        for party in 0..self.0.count() {
            let report = match self.ask(party, &Question::Status, PATIENCE).await {
                Ok(Answer::Status(status)) => PartyReport::of(*status),
                Ok(_) => PartyReport::away(self.0.name(party), "it answers something else".to_owned()),
                Err(why) => PartyReport::away(self.0.name(party), why.message),
            };
            reports.push(report);
        }
        reports
    }

    /// Has the parties make a key, and asks each of them for it: two that name another one have been lied to.
    ///
    /// # Errors
    /// [`Failed`] with what each party saw.
    pub async fn keygen(&self, key: &str) -> Result<MadeKey, Failed> {
        let made = match self.ask(0, &Question::Keygen { key: key.to_owned() }, CEREMONY).await? {
            Answer::Key(made) => made,
            other => return Err(self.refused(0, &other)),
        };
        for party in 1..self.0.count() {
            match self.ask(party, &Question::Key { key: key.to_owned() }, PATIENCE).await? {
                Answer::Key(known) if known == made => {}
                Answer::Key(known) => {
                    let (one, other) = (for_people(&made.public), for_people(&known.public));
                    let why = format!("`{}` names the key {one}, `{}` names {other}; use none of them", self.0.name(0), self.0.name(party));
                    return Err(Failed::new(Kind::Secret, why));
                }
                other => return Err(self.refused(party, &other)),
            }
        }
        MadeKey::of(&made).ok_or_else(|| Failed::new(Kind::Secret, "what the parties name is no key"))
    }

    /// A party's share, encrypted for whom its operator has named.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn backup(&self, party: &str, key: &str) -> Result<String, Failed> {
        let party = self.named(party)?;
        match self.ask(party, &Question::Backup { key: key.to_owned() }, PATIENCE).await? {
            Answer::Sealed(sealed) => Ok(sealed),
            other => Err(self.refused(party, &other)),
        }
    }

    /// Gives a share back to its party.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn restore(&self, party: &str, key: &str, sealed: String) -> Result<(), Failed> {
        let party = self.named(party)?;
        match self.ask(party, &Question::Restore { key: key.to_owned(), sealed }, PATIENCE).await? {
            Answer::Done => Ok(()),
            other => Err(self.refused(party, &other)),
        }
    }

    async fn ask(&self, party: usize, question: &Question, patience: Duration) -> Result<Answer, Failed> {
        self.0.ask(party, question, patience).await.map_err(|error| Failed::new(Kind::Secret, error))
    }

    fn named(&self, name: &str) -> Result<usize, Failed> {
        let names: Vec<&str> = (0..self.0.count()).map(|party| self.0.name(party)).collect();
        let found = names.iter().position(|known| *known == name);
        found.ok_or_else(|| Failed::usage(format!("there is no party `{}`; the parties are {}", for_people(name), names.join(", "))))
    }

    fn refused(&self, party: usize, answer: &Answer) -> Failed {
        let why = match answer {
            Answer::Failed(failure) => for_people(&failure.line()),
            _ => "it answers something else".to_owned(),
        };
        Failed::new(Kind::Secret, format!("asked of `{}`: {why}", self.0.name(party)))
    }
}

impl MadeKey {
    fn of(info: &KeyInfo) -> Option<Self> {
        let point = VerifyingKey::from_sec1_bytes(&unhex(&info.public)?).ok()?;
        Some(Self { key: for_people(&info.key), address: address_of(&point).to_string(), public: info.public.clone() })
    }
}

impl PartyReport {
    fn of(status: Status) -> Self {
        Self {
            name: for_people(&status.name),
            away: None,
            preparing: status.preparing.as_deref().map(for_people),
            keys: status.keys.iter().filter_map(MadeKey::of).collect(),
            unreachable: status.peers.into_iter().filter_map(|(name, away)| Some((for_people(&name), for_people(&away?)))).collect(),
            presignatures: status
                .presignatures
                .into_iter()
                .map(|(with, key, count)| (for_people(&with), for_people(&key), count))
                .collect(),
            ledger: status.ledger.into_iter().map(|(name, count)| (for_people(&name), count)).collect(),
        }
    }

    fn away(name: &str, why: String) -> Self {
        let (keys, unreachable, presignatures, ledger) = Default::default();
        Self { name: name.to_owned(), away: Some(why), preparing: None, keys, unreachable, presignatures, ledger }
    }
}
