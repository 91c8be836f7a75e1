//! One entry: what a signature would spend, as the party that began it has signed it. The entries of one party are a chain.

use crate::judge::Judged;
use crate::trio::{PARTIES, Trio};
use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strongroom_core::policy::{AssetId, Slot};
use strongroom_ground::text::hex;
use strongroom_mpc::says::Request;

/// What an identity's signature over an entry is for.
const WHAT: &str = "entry";

/// What is reserved for one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The party that began it.
    pub origin: usize,
    /// Its number among that party's entries, from 1.
    pub number: u64,
    /// The hash of that party's entry before; empty for the first.
    pub before: String,
    /// Milliseconds since 1970, by that party's clock.
    pub time: u64,
    /// The key's name.
    pub key: String,
    /// The agent's name.
    pub agent: String,
    /// What makes two requests one.
    pub idempotency: String,
    /// What is signed.
    pub digest: B256,
    /// The chain and nonce, of a transaction.
    pub nonce: Option<(u64, u64)>,
    /// What it spends: assets as `1:native` or `1:0x…`, amounts in digits.
    pub spends: Vec<(String, U256)>,
}

/// An entry with the signature of the party that began it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedEntry {
    /// The entry.
    pub entry: Entry,
    /// Ed25519, by the identity of its origin.
    pub signature: String,
}

impl Entry {
    /// What names it: the hash of all of it.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.text()))
    }

    /// What is paid only once with it.
    pub fn slot(&self) -> Slot {
        self.nonce.map_or(Slot::Own(self.id()), |(chain, nonce)| Slot::Nonce(chain, nonce))
    }

    /// Its number among all.
    pub fn id(&self) -> u64 {
        self.number * PARTIES as u64 + self.origin as u64
    }

    /// What it spends; `None` where an asset is none.
    pub fn assets(&self) -> Option<Vec<(AssetId, U256)>> {
        self.spends.iter().map(|(asset, amount)| Some((AssetId::parse(asset)?, *amount))).collect()
    }

    /// Whether it is for that request, as this party has judged it.
    pub fn is_for(&self, request: &Request, judged: &Judged) -> bool {
        (&self.key, &self.agent, &self.idempotency) == (&request.key, &request.agent, &request.idempotency)
            && (self.digest, self.nonce) == (judged.digest, judged.nonce)
            && self.spends == written(judged)
    }

    /// Whether it is as small as an entry is.
    pub fn is_small(&self) -> bool {
        let texts = [&self.before, &self.key, &self.agent, &self.idempotency];
        texts.into_iter().all(|text| text.len() <= 256) && self.spends.len() <= 64 && self.text().len() <= super::MOST
    }

    fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text, numbers and lists of them")
    }
}

impl SignedEntry {
    /// This party's next entry.
    pub fn begin(trio: &Trio, number: u64, before: String, time: u64, request: &Request, judged: &Judged) -> Self {
        let entry = Entry {
            origin: trio.index,
            number,
            before,
            time,
            key: request.key.clone(),
            agent: request.agent.clone(),
            idempotency: request.idempotency.clone(),
            digest: judged.digest,
            nonce: judged.nonce,
            spends: written(judged),
        };
        Self { signature: trio.sign(WHAT, &entry.text()), entry }
    }

    /// Whether its origin has signed it.
    pub fn is_signed(&self, trio: &Trio) -> bool {
        trio.has_signed(self.entry.origin, WHAT, &self.entry.text(), &self.signature)
    }
}

fn written(judged: &Judged) -> Vec<(String, U256)> {
    judged.spends.iter().map(|(asset, amount)| (asset.to_string(), *amount)).collect()
}
