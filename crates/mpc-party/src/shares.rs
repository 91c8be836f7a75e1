//! This party's shares of keys, and the auxiliary data that all three have: how they are kept, and what they are together.

use crate::sealed::Vault;
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

/// What a party keeps of keys.
pub struct Shares {
    vault: Vault,
    auxiliary: Mutex<Option<Arc<Auxiliary>>>,
    keys: Mutex<HashMap<String, Arc<Share>>>,
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

/// A share as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Whether all three have theirs.
    is_whole: bool,
    share: DirtyIncompleteKeyShare<Secp256k1>,
}

#[derive(Default, Serialize, Deserialize)]
struct Primes {
    p: Option<Integer>,
    q: Option<Integer>,
}

const AUXILIARY: (&str, &str) = ("auxiliary.age", "auxiliary data");
const PRIMES: (&str, &str) = ("primes.age", "primes");

impl Shares {
    /// Opens what is kept.
    ///
    /// # Errors
    /// What can't be read, or is another's.
    pub fn open(vault: Vault, names: &[String]) -> Result<Self> {
        let auxiliary: Option<Auxiliary> = vault.kept(AUXILIARY.0, AUXILIARY.1)?;
        let shares = Self { vault, auxiliary: Mutex::new(auxiliary.map(Arc::new)), keys: Mutex::default() };
        for name in names {
            if let Some(kept) = shares.kept(name)?
                && kept.is_whole
            {
                shares.take(name, kept.share)?;
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

    /// Keeps the auxiliary data that a run has made.
    ///
    /// # Errors
    /// It can't be kept.
    pub fn take_auxiliary(&self, run: &str, data: AuxInfo) -> Result<()> {
        let auxiliary = Auxiliary { run: run.to_owned(), data: data.into_inner() };
        self.vault.keep(AUXILIARY.0, AUXILIARY.1, &auxiliary)?;
        *self.auxiliary.lock() = Some(Arc::new(auxiliary));
        let names: Vec<String> = self.keys.lock().keys().cloned().collect();
        for name in names {
            if let Some(kept) = self.kept(&name)? {
                self.take(&name, kept.share)?;
            }
        }
        Ok(())
    }

    /// Keeps a share that a run has made, until the others have theirs too.
    ///
    /// # Errors
    /// It can't be kept.
    pub fn take_share(&self, key: &str, share: IncompleteKeyShare<Secp256k1>) -> Result<()> {
        self.vault.keep(&file(key), &what(key), &Kept { is_whole: false, share: share.into_inner() })
    }

    /// The public half of a key of which this party has a share, whether or not the others have theirs.
    ///
    /// # Errors
    /// It can't be read.
    pub fn made(&self, key: &str) -> Result<Option<String>> {
        Ok(self.kept(key)?.map(|kept| hex(&kept.share.shared_public_key.to_bytes(true))))
    }

    /// All three have their shares of that key: it may be used.
    ///
    /// # Errors
    /// This party has none, or one of another key.
    pub fn adopt(&self, key: &str, public: &str) -> Result<()> {
        let Some(kept) = self.kept(key)? else { bail!("there is no share of `{key}` here") };
        if hex(&kept.share.shared_public_key.to_bytes(true)) != public {
            bail!("the share of `{key}` here is one of another key");
        }
        if !kept.is_whole {
            self.vault.keep(&file(key), &what(key), &Kept { is_whole: true, share: kept.share.clone() })?;
        }
        self.take(key, kept.share)
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
        if self.kept(key)?.is_some() {
            bail!("there is a share of `{key}` here; nothing is overwritten");
        }
        let kept: Kept = self.vault.restored(sealed, &what(key))?;
        if !kept.is_whole {
            bail!("it is of a key that was not finished");
        }
        self.vault.keep(&file(key), &what(key), &kept)?;
        self.take(key, kept.share)
    }

    fn kept(&self, key: &str) -> Result<Option<Kept>> {
        self.vault.kept(&file(key), &what(key))
    }

    fn take(&self, key: &str, share: DirtyIncompleteKeyShare<Secp256k1>) -> Result<()> {
        let auxiliary = self
            .auxiliary()
            .with_context(|| format!("the share of `{key}` is here, and the auxiliary data is not; make it anew (`keygen`)"))?;
        let mut data = auxiliary.data.clone();
        // Twice as fast, and a minute's work of another party's could not do it.
        let index = share.i;
        let _ = data.precompute_crt(index);
        let whole = |why: String| anyhow::anyhow!("the share of `{key}` can't be used: {why}");
        let data = data.validate().map_err(|error| whole(error.to_string()))?;
        let share = share.validate().map_err(|error| whole(error.to_string()))?;
        let share = KeyShare::from_parts((share, data)).map_err(|error| whole(error.to_string()))?;
        let public = share.shared_public_key();
        let point = public.to_bytes(true);
        let verifying = VerifyingKey::from_sec1_bytes(&point)?;
        let info = KeyInfo { key: key.to_owned(), public: hex(&point) };
        self.keys.lock().insert(key.to_owned(), Arc::new(Share { share, public, address: address_of(&verifying), info }));
        Ok(())
    }
}

fn file(key: &str) -> String {
    format!("key-{key}.age")
}

fn what(key: &str) -> String {
    format!("share of `{key}`")
}

/// The library's run that makes a key of which two of three parties sign.
pub fn keygen(run: cggmp21::ExecutionId<'_>, index: u16) -> keygen::ThresholdKeygenBuilder<'_, Secp256k1, SecurityLevel128> {
    cggmp21::keygen::<Secp256k1>(run, index, 3).set_threshold(2)
}
