//! Keys that are derived once for a scope, and kept with the value that they are derived of.

use super::*;

/// A request to a region, signed as a guest's SDK does.
fn sent(region: usize) -> Sent {
    let headers = [("x-amz-date", "20130524T000000Z"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
    let scope = format!("20130524/region-{region}/s3/aws4_request");
    Sent::new("GET", "bucket.example", "/key", &headers).signed(&PRINTED, &scope, "host;x-amz-content-sha256;x-amz-date")
}

fn left(region: usize, placeholders: &KeyPair<'_>, real: &KeyPair<'_>) -> HeaderMap {
    sent(region).resigned(placeholders, real).expect("it is signed").0.headers
}

#[test]
fn a_kept_key_signs_and_verifies_as_one_that_was_just_derived() {
    let [of_placeholder, of_value] = [Prepared::default(), Prepared::default()];
    let placeholders = KeyPair { prepared: Some(&of_placeholder), ..PRINTED };
    let real = KeyPair { prepared: Some(&of_value), ..REAL };

    for region in [0, 1, 0, 1, 0] {
        assert_eq!(left(region, &placeholders, &real), left(region, &PRINTED, &REAL));
    }
    assert!(matches!(
        sent(0).signed(&REAL, "20130524/region-0/s3/aws4_request", "host;x-amz-content-sha256;x-amz-date").verified(&placeholders),
        Err(Refused::OtherKey)
    ));
}

#[test]
fn the_keys_of_a_few_scopes_are_kept_and_no_more() {
    let prepared = Prepared::default();
    // What is kept belongs to a value, and is not derived again: another secret in its place is not looked at.
    let kept = |secret| KeyPair { prepared: Some(&prepared), secret, ..REAL };
    let is_kept = |region| left(region, &PRINTED, &kept(b"another")) == left(region, &PRINTED, &REAL);

    for region in 0..8 {
        left(region, &PRINTED, &kept(REAL.secret));
    }
    assert!((0..8).all(is_kept));
    left(8, &PRINTED, &kept(REAL.secret));
    assert!((1..9).all(is_kept) && !is_kept(0));
}
