//! This party's shares of keys, and the auxiliary data that all three have: how they are kept, and what they are together.

use crate::sealed::Vault;
use crate::trio::{PARTIES, Trio};
use alloy_primitives::Address;
use anyhow::{Context, Result, bail};
use cggmp21::fast_paillier::utils::generate_safe_prime;
use cggmp21::generic_ec::{NonZero, Point};
use cggmp21::key_share::{AnyKeyShare, AuxInfo, DirtyAuxInfo, DirtyIncompleteKeyShare, Validate};
use cggmp21::keygen::{self};
use cggmp21::rug::Integer;
use cggmp21::security_level::SecurityLevel128;
use cggmp21::supported_curves::Secp256k1;
use cggmp21::{IncompleteKeyShare, KeyShare, PregeneratedPrimes};
use k256::ecdsa::VerifyingKey;
use rand_core::OsRng;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use strongroom_ethereum::signature::address_of;
use strongroom_ground::lock::Mutex;
use strongroom_ground::text::hex;
use strongroom_mpc::says::KeyInfo;

/// Bits of a safe prime: a modulus of 3,072.
const PRIME_BITS: u32 = 1_536;
/// What an identity's signature over a share that was made is for.
const WORD: &str = "share";

/// What a party keeps of keys.
pub struct Shares {
    vault: Vault,
    trio: Arc<Trio>,
    auxiliary: Mutex<Option<Arc<Auxiliary>>>,
    keys: Mutex<HashMap<String, Arc<Share>>>,
    /// Held while what is kept of keys is looked at and changed.
    changing: Mutex<()>,
}

/// The auxiliary data of the three, with the name of the run that has made it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Auxiliary {
    /// The run's name, which is the same at all three.
    pub run: String,
    data: DirtyAuxInfo,
}

/// This party's share of one key.
pub struct Share {
    /// The share, with the auxiliary data.
    pub share: KeyShare<Secp256k1>,
    /// The key's public half.
    pub public: NonZero<Point<Secp256k1>>,
    /// The account.
    pub address: Address,
    /// The same for a host.
    pub info: KeyInfo,
}

/// That a key was made, by all three: nobody uses a share of which the others may have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The key's name.
    pub key: String,
    /// The run that has made it.
    pub run: String,
    /// The point (SEC 1, compressed).
    pub public: String,
    /// The signature of each party (Ed25519), in their order.
    pub words: Vec<String>,
}

/// A share as it is kept, with the auxiliary data that it was made for: a later ceremony changes nothing for it.
#[derive(Serialize, Deserialize)]
struct Kept {
    run: String,
    /// Where all three have theirs, each one's word for it.
    made: Option<Made>,
    share: DirtyIncompleteKeyShare<Secp256k1>,
    auxiliary: Auxiliary,
}

#[derive(Default, Serialize, Deserialize)]
struct Primes {
    p: Option<Integer>,
    q: Option<Integer>,
}

const AUXILIARY: (&str, &str) = ("auxiliary.age", "auxiliary data");
const PRIMES: (&str, &str) = ("primes.age", "primes");

impl Shares {
    /// Opens what is kept. A key that can't be used is told, and left alone.
    ///
    /// # Errors
    /// What can't be read, or is another's.
    pub fn open(vault: Vault, trio: Arc<Trio>, names: &[String]) -> Result<Self> {
        let auxiliary: Option<Auxiliary> = vault.kept(AUXILIARY.0, AUXILIARY.1)?;
        let (keys, changing) = Default::default();
        let shares = Self { vault, trio, auxiliary: Mutex::new(auxiliary.map(Arc::new)), keys, changing };
        for name in names {
            let taken = shares.kept(name).and_then(|kept| kept.map_or(Ok(()), |kept| shares.take(name, &kept)));
            if let Err(error) = taken {
                tracing::error!("the share of `{name}` can't be used: {error:#}");
            }
        }
        Ok(shares)
    }

    /// The auxiliary data, where it was made.
    pub fn auxiliary(&self) -> Option<Arc<Auxiliary>> {
        self.auxiliary.lock().clone()
    }

    /// The share of a key.
    pub fn get(&self, key: &str) -> Option<Arc<Share>> {
        self.keys.lock().get(key).cloned()
    }

    /// All keys.
    pub fn all(&self) -> Vec<Arc<Share>> {
        let mut all: Vec<_> = self.keys.lock().values().cloned().collect();
        all.sort_by(|one, other| one.info.key.cmp(&other.info.key));
        all
    }

    /// This party's two safe primes. Each takes a minute or several to find, and is kept as soon as it is found.
    ///
    /// # Errors
    /// They can't be kept.
    pub fn primes(&self) -> Result<PregeneratedPrimes> {
        if let Some(auxiliary) = self.auxiliary() {
            return PregeneratedPrimes::new(auxiliary.data.p.clone(), auxiliary.data.q.clone()).context("the primes are too small");
        }
        let mut primes: Primes = self.vault.kept(PRIMES.0, PRIMES.1)?.unwrap_or_default();
        if primes.p.is_none() {
            primes.p = Some(generate_safe_prime(&mut OsRng, PRIME_BITS));
            self.vault.keep(PRIMES.0, PRIMES.1, &primes)?;
        }
        if primes.q.is_none() {
            primes.q = Some(generate_safe_prime(&mut OsRng, PRIME_BITS));
            self.vault.keep(PRIMES.0, PRIMES.1, &primes)?;
        }
        let (Some(p), Some(q)) = (primes.p, primes.q) else { bail!("the primes are not there") };
        PregeneratedPrimes::new(p, q).context("the primes are too small")
    }

    /// What the primes still need; `None` where they are there.
    pub fn preparing(&self) -> Option<String> {
        if self.auxiliary().is_some() {
            return None;
        }
        let primes: Primes = self.vault.kept(PRIMES.0, PRIMES.1).ok().flatten().unwrap_or_default();
        match (primes.p.is_some(), primes.q.is_some()) {
            (true, true) => None,
            (true, false) => Some("the second of two safe primes is looked for, which takes minutes".to_owned()),
            _ => Some("the first of two safe primes is looked for, which takes minutes".to_owned()),
        }
    }

    /// Keeps the auxiliary data that a run has made, for the keys that are made from now on.
    ///
    /// # Errors
    /// It can't be kept.
    pub fn take_auxiliary(&self, run: &str, data: AuxInfo) -> Result<()> {
        let auxiliary = Auxiliary { run: run.to_owned(), data: data.into_inner() };
        self.vault.keep(AUXILIARY.0, AUXILIARY.1, &auxiliary)?;
        *self.auxiliary.lock() = Some(Arc::new(auxiliary));
        Ok(())
    }

    /// Keeps a share that a run has made for the auxiliary data of another run, until the others have theirs too.
    ///
    /// # Errors
    /// It can't be kept, or the auxiliary data has changed meanwhile.
    pub fn take_share(&self, key: &str, run: &str, auxiliary: &str, share: IncompleteKeyShare<Secp256k1>) -> Result<()> {
        let _changing = self.changing.lock();
        let data = self.auxiliary().filter(|data| data.run == auxiliary).context("the auxiliary data was made anew meanwhile")?;
        let kept = Kept { run: run.to_owned(), made: None, share: share.into_inner(), auxiliary: Auxiliary::clone(&data) };
        self.vault.keep(&pending(key, run)?, &what(key), &kept)
    }

    /// This party's word that it has its share of a key that a run has made, with the key's public half.
    ///
    /// # Errors
    /// It has none.
    pub fn word(&self, key: &str, run: &str) -> Result<(String, String)> {
        let kept: Option<Kept> = self.vault.kept(&pending(key, run)?, &what(key))?;
        let public = public_of(&kept.with_context(|| format!("there is no share of `{key}` of that run here"))?);
        let word = self.trio.sign(WORD, &said(key, run, &public));
        Ok((public, word))
    }

    /// A key that all three have.
    ///
    /// # Errors
    /// What is kept can't be read.
    pub fn made(&self, key: &str) -> Result<Option<Made>> {
        Ok(self.kept(key)?.and_then(|kept| kept.made))
    }

    /// All three have given their words: the share is used from now on. Nothing takes the place of a share that is used.
    ///
    /// # Errors
    /// A word is none, this party has no such share, or one of another key.
    pub fn adopt(&self, made: Made) -> Result<()> {
        let Made { key, run, public, words } = &made;
        let text = said(key, run, public);
        let given = words.len() == PARTIES && (0..PARTIES).all(|party| self.trio.has_signed(party, WORD, &text, &words[party]));
        if !given {
            bail!("not all three parties have given their word for the key `{key}`");
        }
        let _changing = self.changing.lock();
        if let Some(known) = self.kept(key)? {
            return match public_of(&known) == *public {
                true => Ok(()),
                false => bail!("there is another key `{key}` here; nothing is overwritten"),
            };
        }
        let pending = pending(key, run)?;
        let kept: Option<Kept> = self.vault.kept(&pending, &what(key))?;
        let mut kept = kept.with_context(|| format!("there is no share of `{key}` of that run here"))?;
        if public_of(&kept) != *public {
            bail!("the share of `{key}` here is one of another key");
        }
        let key = key.clone();
        kept.made = Some(made);
        self.vault.keep(&file(&key)?, &what(&key), &kept)?;
        self.vault.remove(&pending);
        self.take(&key, &kept)
    }

    /// A share, for whom backups are made.
    ///
    /// # Errors
    /// There is none, or nobody whom they are for.
    pub fn backup(&self, key: &str) -> Result<String> {
        let kept = self.kept(key)?.with_context(|| format!("there is no share of `{key}` here"))?;
        self.vault.backup(&what(key), &kept)
    }

    /// Takes a share back.
    ///
    /// # Errors
    /// It is another's, or there is one.
    pub fn restore(&self, key: &str, sealed: &str) -> Result<()> {
        let _changing = self.changing.lock();
        if self.kept(key)?.is_some() {
            bail!("there is a share of `{key}` here; nothing is overwritten");
        }
        let kept: Kept = self.vault.restored(sealed, &what(key))?;
        if kept.made.is_none() {
            bail!("it is of a key that was not finished");
        }
        let share = self.whole(key, &kept)?;
        self.vault.keep(&file(key)?, &what(key), &kept)?;
        self.keys.lock().insert(key.to_owned(), share);
        Ok(())
    }

    fn kept(&self, key: &str) -> Result<Option<Kept>> {
        self.vault.kept(&file(key)?, &what(key))
    }

    fn take(&self, key: &str, kept: &Kept) -> Result<()> {
        let share = self.whole(key, kept)?;
        self.keys.lock().insert(key.to_owned(), share);
        Ok(())
    }

    fn whole(&self, key: &str, kept: &Kept) -> Result<Arc<Share>> {
        let mut data = kept.auxiliary.data.clone();
        // This party's own primes make it twice as fast.
        let index = kept.share.i;
        if usize::from(index) != self.trio.index {
            bail!("it is the share of another party");
        }
        let _ = data.precompute_crt(index);
        let whole = |why: String| anyhow::anyhow!("{why}");
        let data = data.validate().map_err(|error| whole(error.to_string()))?;
        let share = kept.share.clone().validate().map_err(|error| whole(error.to_string()))?;
        let share = KeyShare::from_parts((share, data)).map_err(|error| whole(error.to_string()))?;
        let public = share.shared_public_key();
        let point = public.to_bytes(true);
        let verifying = VerifyingKey::from_sec1_bytes(&point)?;
        let info = KeyInfo { key: key.to_owned(), public: hex(&point) };
        Ok(Arc::new(Share { share, public, address: address_of(&verifying), info }))
    }
}

fn public_of(kept: &Kept) -> String {
    hex(&kept.share.shared_public_key.to_bytes(true))
}

/// What each party signs to say that it has its share.
fn said(key: &str, run: &str, public: &str) -> Vec<u8> {
    serde_json::to_vec(&(key, run, public)).expect("text")
}

fn file(key: &str) -> Result<String> {
    check_name(key)?;
    Ok(format!("key-{key}.age"))
}

fn pending(key: &str, run: &str) -> Result<String> {
    check_name(key)?;
    check_name(run)?;
    Ok(format!("made-{key}.{run}.age"))
}

fn what(key: &str) -> String {
    format!("share of `{key}`")
}

/// Whether that names a key, and a file of it.
///
/// # Errors
/// What a name is.
pub fn check_name(key: &str) -> Result<()> {
    let clean = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&key.len()) && key.bytes().all(clean) {
        return Ok(());
    }
    bail!("a key's name has 1 to 64 lower-case letters, digits and `-`")
}

/// The library's run that makes a key of which two of three parties sign.
pub fn keygen(run: cggmp21::ExecutionId<'_>, index: u16) -> keygen::ThresholdKeygenBuilder<'_, Secp256k1, SecurityLevel128> {
    cggmp21::keygen::<Secp256k1>(run, index, 3).set_threshold(2)
}
