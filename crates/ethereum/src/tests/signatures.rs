//! Signatures in their one form (SEC 1, EIP-2, RFC 6979).

use super::*;

#[test]
fn a_signature_is_the_same_each_time_and_in_the_lower_half() {
    // RFC 6979 leaves nothing to chance, and EIP-2 wants s in the lower half of the order.
    let key = key(&"46".repeat(32));
    let half = U256::from_be_bytes(hex!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"));
    for number in 0u64..32 {
        let hash = keccak256(number.to_be_bytes());

        let signature = sign(&key, hash);

        assert_eq!(sign(&key, hash), signature);
        assert!(U256::from_be_bytes(signature.s) <= half);
        assert_eq!(signature.to_bytes()[64], if signature.odd { 28 } else { 27 });
    }
}

#[test]
fn a_signature_in_the_upper_half_is_brought_into_its_one_form() {
    let key = key(&"46".repeat(32));
    let hash = keccak256("a digest");
    let low = sign(&key, hash);
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let s = order - U256::from_be_bytes(low.s);
    let high = Signature::from_scalars(low.r, s.to_be_bytes::<32>()).expect("two scalars");

    assert_eq!(Recoverable::check(&high, &hash, key.verifying_key()), Some(low));
}

#[test]
fn a_signed_message_is_read_with_its_parity_in_both_forms() {
    let key = key(&"46".repeat(32));
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    for number in 0..8_u8 {
        let hash = keccak256([number]);
        let signature = sign(&key, hash);
        let bytes = signature.to_bytes();
        let with = |v: u8| Recoverable::read(&[&bytes[..64], &[v]].concat());

        assert_eq!(Recoverable::read(&bytes), Some(signature));
        assert_eq!(with(u8::from(signature.odd)), Some(signature));
        assert_eq!(signature.signer(&hash), Some(address_of(key.verifying_key())));
        for v in [u8::from(!signature.odd), 27 + u8::from(!signature.odd)] {
            let other = with(v).expect("a signature of another key");
            assert_ne!(other.signer(&hash), signature.signer(&hash));
        }
        assert!([2, 26, 29, 35, 36, 255].into_iter().all(|v| with(v).is_none()));
        assert!([0, 1, 63, 64].into_iter().all(|length| Recoverable::read(&bytes[..length]).is_none()));
        assert!(Recoverable::read(&[&bytes[..], &bytes[64..]].concat()).is_none());
        let high = (order - U256::from_be_bytes(signature.s)).to_be_bytes::<32>();
        assert!(Recoverable::read(&[&bytes[..32], &high[..], &bytes[64..]].concat()).is_none());
    }
}

#[test]
fn the_point_of_a_signature_is_the_one_that_its_signer_knows() {
    let key = key(&"46".repeat(32));
    let mut odd = 0;
    for number in 0..64_u8 {
        let hash = keccak256([number]);
        let (signature, recovery) = key.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");

        let checked = Recoverable::check(&signature, &hash, key.verifying_key());

        assert_eq!(checked, Recoverable::of(&signature, recovery), "{number}");
        odd += u32::from(recovery.is_y_odd());
    }
    assert!((1..64).contains(&odd), "both kinds of points were seen");
}

#[test]
fn a_signature_by_another_key_or_over_another_digest_is_refused() {
    let (ours, theirs) = (key(&"46".repeat(32)), key(&"47".repeat(32)));
    let (hash, other) = (keccak256("a digest"), keccak256("another"));
    let (signature, _) = ours.sign_prehash_recoverable(hash.as_slice()).expect("a digest of 32 bytes");

    assert!(Recoverable::check(&signature, &hash, ours.verifying_key()).is_some());
    assert!(Recoverable::check(&signature, &hash, theirs.verifying_key()).is_none());
    assert!(Recoverable::check(&signature, &other, ours.verifying_key()).is_none());
}
