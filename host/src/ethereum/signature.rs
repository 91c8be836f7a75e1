//! Signatures in the one form that Ethereum takes, and the addresses of their keys.

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use std::fmt;

/// The address of a key: the last 20 bytes of the hash of its point.
pub(crate) fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

/// A signature as Ethereum writes it: `s` in the lower half of the order (EIP-2), and which of the two points `r` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recoverable {
    pub(crate) r: [u8; 32],
    pub(crate) s: [u8; 32],
    pub(crate) odd: bool,
}

impl Recoverable {
    /// The signature in its one form, if it is one of that key over that digest.
    pub(crate) fn check(signature: &Signature, digest: &[u8; 32], key: &VerifyingKey) -> Option<Self> {
        let low = signature.normalize_s().unwrap_or(*signature);
        key.verify_prehash(digest, &low).ok()?;
        let recovery = RecoveryId::trial_recovery_from_prehash(key, digest, &low).ok()?;
        Self::of(&low, recovery)
    }

    /// A signature with low `s`, by the point that it stands for.
    pub(crate) fn of(signature: &Signature, recovery: RecoveryId) -> Option<Self> {
        // The other two recovery ids belong to an `r` beyond the order, which Ethereum has no way to write.
        if recovery.is_x_reduced() || signature.normalize_s().is_some() {
            return None;
        }
        let (r, s) = signature.split_bytes();
        Some(Self { r: r.into(), s: s.into(), odd: recovery.is_y_odd() })
    }

    /// `r`, `s`, and `v` as 27 or 28: how signatures of messages are written.
    pub(crate) fn to_bytes(self) -> [u8; 65] {
        let mut bytes = [0; 65];
        bytes[..32].copy_from_slice(&self.r);
        bytes[32..64].copy_from_slice(&self.s);
        bytes[64] = 27 + u8::from(self.odd);
        bytes
    }
}

impl fmt::Debug for Recoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recoverable(..)")
    }
}
