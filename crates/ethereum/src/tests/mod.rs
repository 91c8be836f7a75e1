//! The room from outside: the examples that stand in the standards, typed in with their reference; what must be refused, each a small edit of
//! something good that stands beside it; and every case of the public vectors in `tests/vectors`.

mod examples;
mod hostile_documents;
mod hostile_transactions;
mod messages;
mod sign_ins;
mod signatures;
mod transactions;
mod typed_data;
mod vectors;

use super::message;
use super::rlp::{Item, Malformed, Writer};
use super::sign_in::SignIn;
use super::signature::{Recoverable, address_of};
use super::transaction::{Authorization, Kind, Market, SignedAuthorization, Transaction};
use super::typed_data::TypedData;
use super::value::Value;
use alloy_primitives::{Address, B256, U256, address, b256, hex, keccak256};
use examples::*;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What was signed, and the signature's numbers as they stand.
struct Signed {
    payload: Vec<u8>,
    /// Before EIP-155: no chain id was signed.
    anywhere: bool,
    odd: bool,
    r: U256,
    s: U256,
}

impl Signed {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes {
            [first @ 1..=0x7f, list @ ..] => Self::typed(*first, Item::read(list)?.list()?),
            _ => Self::legacy(Item::read(bytes)?.list()?),
        }
    }

    fn typed(first: u8, items: &[Item<'_>]) -> Result<Self, Malformed> {
        let [unsigned @ .., odd, r, s] = items else { return Err(Malformed("no place for a signature")) };
        let odd = match odd.small()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("the parity is neither 0 nor 1")),
        };
        Ok(Self { payload: list_of(unsigned, &[], Some(first)), anywhere: false, odd, r: r.number()?, s: s.number()? })
    }

    fn legacy(items: &[Item<'_>]) -> Result<Self, Malformed> {
        let [unsigned @ .., v, r, s] = items else { return Err(Malformed("no place for a signature")) };
        if unsigned.len() != 6 {
            return Err(Malformed("not nine fields"));
        }
        let (v, r, s) = (v.number()?, r.number()?, s.number()?);
        if v == U256::from(27) || v == U256::from(28) {
            return Ok(Self { payload: list_of(unsigned, &[], None), anywhere: true, odd: v.byte(0) == 28, r, s });
        }
        let above = v.checked_sub(U256::from(35)).ok_or(Malformed("v is none of EIP-155"))?;
        let payload = list_of(unsigned, &[above >> 1, U256::ZERO, U256::ZERO], None);
        Ok(Self { payload, anywhere: false, odd: above.bit(0), r, s })
    }

    /// The signature and the address of its key, where the signature is in its one form.
    fn signer(&self) -> Option<(Recoverable, Address)> {
        let hash = keccak256(&self.payload);
        let signature = Signature::from_scalars(self.r.to_be_bytes::<32>(), self.s.to_be_bytes::<32>()).ok()?;
        let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, RecoveryId::new(self.odd, false)).ok()?;
        let checked = Recoverable::check(&signature, &hash, &key)?;
        let same = checked.r == self.r.to_be_bytes::<32>() && checked.s == self.s.to_be_bytes::<32>() && checked.odd == self.odd;
        same.then(|| (checked, address_of(&key)))
    }
}

fn list_of(items: &[Item<'_>], numbers: &[U256], first: Option<u8>) -> Vec<u8> {
    let mut out = Writer::new(first, 0);
    out.list(|out| {
        items.iter().for_each(|item| write(item, out));
        numbers.iter().for_each(|number| out.number(*number));
    });
    out.finish()
}

fn write(item: &Item<'_>, out: &mut Writer) {
    match item {
        Item::Bytes(bytes) => out.bytes(bytes),
        Item::List(items) => out.list(|out| items.iter().for_each(|item| write(item, out))),
    }
}

fn key(hex: &str) -> SigningKey {
    SigningKey::from_slice(&hex::decode(hex).expect("hexadecimal digits")).expect("a key")
}

/// What that key signs, by RFC 6979: the same bytes each time.
fn sign(key: &SigningKey, hash: B256) -> Recoverable {
    let (signature, _) = key.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");
    Recoverable::check(&signature, &hash, key.verifying_key()).expect("a signature by that key")
}
