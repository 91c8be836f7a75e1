//! Signatures of secp256k1 (RFC 6979, EIP-2).

use super::*;

#[test]
fn a_signature_is_the_same_each_time_and_the_one_that_rfc_6979_gives() {
    // RFC 6979 with SHA-256 over secp256k1, as published with k at https://bitcointalk.org/index.php?topic=285142.msg3150733, with s low.
    let one = format!("{}1", "0".repeat(63));
    let last = format!("{}40", &ORDER[..62]);
    let cases = [
        (
            one.as_str(),
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
            "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            one.as_str(),
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
            "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            last.as_str(),
            "Satoshi Nakamoto",
            "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0",
            "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
    ];

    for (digits, message, r, s) in cases {
        let local = read(digits, "", FIRST_ACCOUNT).expect("a key");
        let digest: [u8; 32] = Sha256::digest(message).into();

        let signature = sign(&local, &digest);
        let again = sign(&local, &digest);
        let checked = Recoverable::check(&signature, &digest, &public(&local)).expect("a signature by that key");

        assert_eq!(signature, again);
        assert_eq!((hex::encode(checked.r), hex::encode(checked.s)), (r.to_owned(), s.to_owned()), "{message}");
    }
}

#[test]
fn a_signature_that_was_checked_has_its_s_in_the_lower_half() {
    let local = read(DIGITS, "", FIRST_ACCOUNT).expect("a key");
    let key = public(&local);

    for number in 0..32_u8 {
        let digest: [u8; 32] = Sha256::digest([number]).into();
        let low = sign(&local, &digest);
        let high = Signature::from_scalars(low.r(), -*low.s()).expect("its mirror image");

        let checked = Recoverable::check(&low, &digest, &key).expect("a signature by that key");
        let mirrored = Recoverable::check(&high, &digest, &key).expect("a signature by that key");

        assert!(checked == mirrored);
        let written = Signature::from_scalars(checked.r, checked.s).expect("a signature");
        assert_eq!(written.normalize_s(), None, "it was low already");
        assert!(Recoverable::check(&low, &[0; 32], &key).is_none());
    }
}
