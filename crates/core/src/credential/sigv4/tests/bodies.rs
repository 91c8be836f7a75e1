//! Bodies whose SHA-256 was signed.

use super::*;

/// What has left once the body has ended, and whether it ended well.
fn pass(expected: [u8; 32], pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Refused>) {
    let (mut body, mut out) = (BodyHash::new(expected), Vec::new());
    for piece in pieces {
        out.extend(body.push(*piece).unwrap_or_default());
    }
    let end = body.finish().map(|last| out.extend(last.unwrap_or_default()));
    (out, end)
}

#[test]
fn a_body_leaves_whole_if_it_is_the_one_that_was_signed_and_without_its_end_otherwise() {
    let signed = key::sha256(b"one two three");

    for pieces in [&[&b"one two three"[..]][..], &[b"one ", b"two", b" three"], &[b"", b"one two", b"", b" three", b""]] {
        assert_eq!(pass(signed, pieces), (b"one two three".to_vec(), Ok(())), "{pieces:?}");
    }
    assert_eq!(pass(key::sha256(b""), &[]), (Vec::new(), Ok(())));

    for (pieces, left) in [
        (&[&b"one two threE"[..]][..], &b""[..]),
        (&[b"one ", b"two", b" threE"], b"one two"),
        (&[b"one two", b" three", b"!"], b"one two three"),
        (&[b"one two"], b""),
        // An empty piece at the end lets nothing go.
        (&[b"one two threE", b""], b""),
        (&[], b""),
    ] {
        assert_eq!(pass(signed, pieces), (left.to_vec(), Err(Refused::OtherBody)), "{pieces:?}");
    }
}
