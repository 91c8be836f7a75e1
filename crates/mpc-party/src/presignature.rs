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

    /// The partner has its half of the one that this run has made.
    pub fn ready(&self, name: &str) {
        let mut pool = self.0.lock();
        pool.values_mut().flatten().filter(|kept| kept.name == name).for_each(|kept| kept.is_ready = true);
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

    /// Lets go of what this run has made.
    pub fn let_go(&self, name: &str) {
        self.0.lock().values_mut().for_each(|those| those.retain(|kept| kept.name != name));
    }

    /// The same, of a run of that leader's.
    pub fn let_go_of(&self, leader: usize, name: &str) {
        let mut pool = self.0.lock();
        let those = pool.iter_mut().filter(|((of, ..), _)| *of == leader);
        those.for_each(|(_, those)| those.retain(|kept| kept.name != name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use cggmp21::generic_ec::{NonZero, SecretScalar};
    use rand_core::OsRng;

    fn made() -> Presignature {
        let [k, chi] = [(); 2].map(|()| SecretScalar::random(&mut OsRng));
        let point = Point::generator() * NonZero::<SecretScalar<Secp256k1>>::random(&mut OsRng);
        Presignature::new(cggmp21::Presignature { R: point, k, chi })
    }

    #[test]
    fn each_is_taken_once_and_by_its_leader_when_it_is_ready() {
        let pool = Pool::default();
        pool.add(0, 1, "key", "one".to_owned(), made());
        pool.add(0, 1, "key", "two".to_owned(), made());

        assert!(pool.take(0, 1, "key").is_none(), "the partner may not have its half");
        pool.ready("two");
        assert_eq!(pool.count(0, 1, "key"), 1);
        for (leader, partner, key) in [(1, 0, "key"), (0, 2, "key"), (0, 1, "other")] {
            assert!(pool.take(leader, partner, key).is_none() && pool.take_named(leader, partner, key, "two").is_none());
        }
        assert!(pool.take(0, 1, "key").is_some_and(|(name, _)| name == "two"));
        assert!(pool.take(0, 1, "key").is_none() && pool.take_named(0, 1, "key", "two").is_none());
        assert!(pool.take_named(0, 1, "key", "one").is_some(), "a partner takes what its leader names");
    }

    #[test]
    fn what_a_run_was_given_up_for_is_gone() {
        let pool = Pool::default();
        for (leader, partner, name) in [(0, 1, "one"), (0, 1, "two"), (1, 0, "three"), (1, 2, "four")] {
            pool.add(leader, partner, "key", name.to_owned(), made());
        }

        pool.let_go("one");
        assert!(pool.take_named(0, 1, "key", "one").is_none());
        pool.let_go_of(0, "three");
        assert!(pool.take_named(1, 0, "key", "three").is_some(), "nobody lets go of what another leads");
        pool.let_go_of(0, "two");
        assert!(pool.take_named(0, 1, "key", "two").is_none());
        pool.forget(2);
        assert!(pool.take_named(1, 2, "key", "four").is_none(), "a party that was started again has none");
    }
}
