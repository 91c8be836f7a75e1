//! Parties that are down, cut off, slow or start again: two that can talk go on, and say within what.

use crate::fixture::{ETH, Wallet, payment, verify};
use crate::links::Weather;
use std::time::Duration;
use strongroom_mpc::says::FailureKind;

/// Signs payments of a tenth of an ETH until one is refused; how many were signed.
async fn payments(wallet: &Wallet, party: usize, from: u64) -> (u64, Vec<Option<String>>) {
    let mut notes = Vec::new();
    for nonce in from..from + 20 {
        let (_, request) = payment(nonce, ETH / 10);
        match wallet.sign(party, request).await {
            Ok(signed) => notes.push(signed.unacknowledged),
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
                return (nonce - from, notes);
            }
        }
    }
    panic!("nothing is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_down_two_sign_within_two_thirds_and_say_so() {
    let mut wallet = Wallet::open("1").await;
    let key = wallet.key().await;
    wallet.kill(2);

    let (transaction, request) = payment(0, ETH / 10);
    let signed = wallet.sign(0, request).await.expect("two are enough");
    verify(&key, &transaction, &signed);
    assert!(signed.unacknowledged.as_ref().is_some_and(|why| why.contains("gamma")), "{signed:?}");
    let (more, notes) = payments(&wallet, 1, 1).await;
    assert_eq!(1 + more, 6, "0.6 and the fees, of two thirds of 1");
    assert!(notes.iter().all(Option::is_some));

    // It comes back, has what it lacks, and all of the limit is there again.
    wallet.start(2);
    let (more, notes) = payments(&wallet, 2, 10).await;
    assert_eq!(more, 3, "0.9 and the fees of 1");
    assert!(notes.iter().all(Option::is_none), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_alone_signs_nothing() {
    let mut wallet = Wallet::open("1").await;
    wallet.kill(1);
    wallet.kill(2);

    let (_, request) = payment(0, ETH / 10);
    let failure = wallet.sign(0, request).await.expect_err("one is not enough");

    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
    assert_eq!(failure.saw.len(), 2, "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_one_way_leaves_the_other_two() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;
    wallet.between(0, 1, Weather::Garbled);

    let mut by = Vec::new();
    // On a machine that is busy the other way may be given up once, too.
    for nonce in 0..5 {
        let (transaction, request) = payment(nonce, ETH / 100);
        if let Ok(signed) = wallet.sign(0, request).await {
            verify(&key, &transaction, &signed);
            by.push(signed.by);
        }
    }

    let gamma = crate::fixture::NAMES[2].to_owned();
    assert!(!by.is_empty() && by.iter().all(|by| by.contains(&gamma)), "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_ways_are_ways() {
    let wallet = Wallet::open("1").await;
    let key = wallet.key().await;
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        wallet.between(one, other, Weather::Slow(Duration::from_millis(200)));
    }

    // Where the machine is so busy that a way is given up once, the next request has it again.
    let mut acknowledged = false;
    for nonce in 0..5 {
        let (transaction, request) = payment(nonce, ETH / 100);
        if let Ok(signed) = wallet.sign(1, request).await {
            verify(&key, &transaction, &signed);
            acknowledged |= signed.unacknowledged.is_none();
        }
    }

    assert!(acknowledged);
}
