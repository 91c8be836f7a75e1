//! Signatures in the one form that Ethereum takes, and the addresses of their keys.

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use k256::elliptic_curve::ops::{Invert, LinearCombination, Reduce};
use k256::elliptic_curve::point::AffineCoordinates;
use k256::{ProjectivePoint, Scalar, U256};
use std::fmt;

/// The address of a key: the last 20 bytes of the hash of its point.
pub fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

/// A signature as Ethereum writes it: `s` in the lower half of the order (EIP-2), and which of the two points `r` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Recoverable {
    /// The x coordinate of its point, modulo the order of the curve, big-endian.
    pub r: [u8; 32],
    /// Its other half, in the lower half of the order (EIP-2), big-endian.
    pub s: [u8; 32],
    /// Whether the y coordinate of its point is odd.
    pub odd: bool,
}

impl Recoverable {
    /// The signature in its one form, if it is one of that key over that digest.
    ///
    /// Verification (SEC 1, 4.1.4) has the very point that `r` stands for, and with it the recovery id: nothing has to be tried.
    pub fn check(signature: &Signature, digest: &[u8; 32], key: &VerifyingKey) -> Option<Self> {
        let low = signature.normalize_s().unwrap_or(*signature);
        let (r, s) = low.split_scalars();
        let inverse = *s.invert_vartime();
        let of_digest = <Scalar as Reduce<U256>>::reduce_bytes(digest.into()) * inverse;
        let of_key = *r * inverse;
        let point = ProjectivePoint::lincomb(&ProjectivePoint::GENERATOR, &of_digest, &key.as_affine().into(), &of_key).to_affine();
        // Where the point's x is beyond the order, `r` is x without it, and Ethereum has no way to write the signature.
        let own = point.x() == r.to_bytes();
        own.then(|| Self { r: r.to_bytes().into(), s: s.to_bytes().into(), odd: point.y_is_odd().into() })
    }

    /// A signature with low `s`, by the point that it stands for.
    pub fn of(signature: &Signature, recovery: RecoveryId) -> Option<Self> {
        // The other two recovery ids belong to an `r` beyond the order, which Ethereum has no way to write.
        if recovery.is_x_reduced() || signature.normalize_s().is_some() {
            return None;
        }
        let (r, s) = signature.split_bytes();
        Some(Self { r: r.into(), s: s.into(), odd: recovery.is_y_odd() })
    }

    /// Reads `r`, `s` and `v` of a signed message: `v` is 27 or 28, or the bare parity 0 or 1, as some signers have it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (r_and_s, odd) = match bytes {
            [r_and_s @ .., 0 | 27] => (r_and_s, false),
            [r_and_s @ .., 1 | 28] => (r_and_s, true),
            _ => return None,
        };
        Self::of(&Signature::from_slice(r_and_s).ok()?, RecoveryId::new(odd, false))
    }

    /// The same as two: the signature, and which of the two points `r` stands for.
    pub fn parts(&self) -> (Signature, RecoveryId) {
        let signature = Signature::from_scalars(self.r, self.s).expect("it was made of a signature");
        (signature, RecoveryId::new(self.odd, false))
    }

    /// The account whose key has signed that digest.
    pub fn signer(&self, digest: &[u8; 32]) -> Option<Address> {
        let (signature, recovery) = self.parts();
        VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok().map(|key| address_of(&key))
    }

    /// `r`, `s`, and `v` as 27 or 28: how signatures of messages are written.
    pub fn to_bytes(self) -> [u8; 65] {
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
