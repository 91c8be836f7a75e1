//! Presignatures: what two parties have made together before they know what they will sign. Used twice, one gives the key away, so it lives in
//! memory alone, can't be copied or written down, and is used up by its one use.

use alloy_primitives::B256;
use cggmp21::generic_ec::{Point, Scalar};
use cggmp21::supported_curves::Secp256k1;
use cggmp21::{DataToSign, PartialSignature};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use strongroom_ground::lock::Mutex;

/// This party's half of a presignature. The library's own type is `Clone` and `Serialize`; this one is neither.
pub struct Presignature(cggmp21::Presignature<Secp256k1>);

/// This party's half of a signature. It is no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Half(PartialSignature<Secp256k1>);

/// Presignatures at hand, by the party that has begun them, the one that took part, and the key.
#[derive(Default)]
pub struct Pool(Mutex<HashMap<(usize, usize, String), VecDeque<Kept>>>);

struct Kept {
    name: String,
    made: Presignature,
    /// Whether the partner has its half, as far as the leader knows.
    is_ready: bool,
}

/// Most presignatures that one party may have this one keep for a key.
pub const MOST: usize = 64;

impl Presignature {
    pub(crate) fn new(made: cggmp21::Presignature<Secp256k1>) -> Self {
        Self(made)
    }

    /// This party's half of a signature of 32 bytes. The presignature is gone.
    pub fn sign(self, digest: B256) -> Half {
        Half(self.0.issue_partial_signature(to_sign(digest)))
    }
}

impl Half {
    /// The number that stands for the presignature's point, in hexadecimal digits: no two signatures may have the same.
    pub fn r(&self) -> String {
        strongroom_ground::text::hex(self.0.r.to_be_bytes().as_bytes())
    }

    /// The signature that two halves make, where it is one of that key: `r` and `s`, the lower of the two.
    pub fn with(&self, other: &Self, digest: B256, key: &Point<Secp256k1>) -> Option<[u8; 64]> {
        if self.0.r != other.0.r {
            return None;
        }
        let signature = PartialSignature::combine(&[self.0.clone(), other.0.clone()])?;
        signature.verify(key, &to_sign(digest)).ok()?;
        let mut bytes = [0; 64];
        signature.write_to_slice(&mut bytes);
        Some(bytes)
    }
}

impl Pool {
    /// Adds one, which its leader takes once it is ready. The oldest goes where there are too many.
    pub fn add(&self, leader: usize, partner: usize, key: &str, name: String, made: Presignature) {
        let mut pool = self.0.lock();
        let those = pool.entry((leader, partner, key.to_owned())).or_default();
        those.push_back(Kept { name, made, is_ready: false });
        while those.len() > MOST {
            those.pop_front();
        }
    }

    /// The partner has its half of the one of that name.
    pub fn ready(&self, leader: usize, partner: usize, key: &str, name: &str) {
        let mut pool = self.0.lock();
        let those = pool.get_mut(&(leader, partner, key.to_owned()));
        those.into_iter().flatten().filter(|kept| kept.name == name).for_each(|kept| kept.is_ready = true);
    }

    /// Takes the oldest that is ready.
    pub fn take(&self, leader: usize, partner: usize, key: &str) -> Option<(String, Presignature)> {
        let mut pool = self.0.lock();
        let those = pool.get_mut(&(leader, partner, key.to_owned()))?;
        let at = those.iter().position(|kept| kept.is_ready)?;
        those.remove(at).map(|kept| (kept.name, kept.made))
    }

    /// Takes the one of that name. Nobody gets it again.
    pub fn take_named(&self, leader: usize, partner: usize, key: &str, name: &str) -> Option<Presignature> {
        let mut pool = self.0.lock();
        let those = pool.get_mut(&(leader, partner, key.to_owned()))?;
        let at = those.iter().position(|kept| kept.name == name)?;
        those.remove(at).map(|kept| kept.made)
    }

    /// Lets go of the one of that name.
    pub fn drop_named(&self, leader: usize, partner: usize, key: &str, name: &str) {
        drop(self.take_named(leader, partner, key, name));
    }

    /// How many are ready.
    pub fn count(&self, leader: usize, partner: usize, key: &str) -> usize {
        let pool = self.0.lock();
        pool.get(&(leader, partner, key.to_owned())).map_or(0, |those| those.iter().filter(|kept| kept.is_ready).count())
    }

    /// Lets go of all that was made with a party: it has been started again, and has its halves no more.
    pub fn forget(&self, party: usize) {
        self.0.lock().retain(|(leader, partner, _), _| *leader != party && *partner != party);
    }
}

/// The digest is one that this party has computed of what it has decoded. A presignature is no good for one that somebody else chooses
/// (CVE-2025-66017): nothing here signs such a thing.
fn to_sign(digest: B256) -> DataToSign<Secp256k1> {
    DataToSign::from_scalar(Scalar::from_be_bytes_mod_order(digest.0))
}
