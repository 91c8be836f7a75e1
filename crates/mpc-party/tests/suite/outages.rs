//! Parties that are down, cut off, slow or start again: two that can talk go on, and say within what.

use crate::fixture::{ETH, Wallet, payment, verify};
use crate::links::Weather;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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
async fn a_party_whose_disk_is_full_is_told_so_and_the_others_go_on() {
    let mut wallet = Wallet::open("1").await;
    wallet.kill(0);
    // No file of its grows beyond 1 KiB or 2: what a full disk says too.
    let script = wallet.directories[0].join("small-disk");
    let program = env!("CARGO_BIN_EXE_strongroom-mpc-party");
    fs::write(&script, format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 2\nexec {program} \"$@\"\n")).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("it can be run");
    wallet.start_as(0, script.to_str().expect("a path"));
    wallet.reachable().await;

    let mut failed = None;
    for nonce in 0..5 {
        failed = wallet.sign(0, payment(nonce, ETH / 100).1).await.err();
        if failed.is_some() {
            break;
        }
    }
    let failure = failed.expect("its disk is full at last");
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
    assert!(failure.line().contains("alpha: its ledger can't be written; look at its disk"), "{failure:?}");

    let (transaction, request) = payment(10, ETH / 100);
    let signed = wallet.sign(1, request).await.expect("the other two go on");
    verify(&wallet.key().await, &transaction, &signed);
    assert!(signed.unacknowledged.as_ref().is_some_and(|why| why.contains("look at its disk")), "{signed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_counts_over_a_restart() {
    let mut wallet = Wallet::open("1").await;
    for party in 0..3 {
        wallet.amend(party, "agent.toml", |text| text.replace("6000/min", "3/h"));
    }
    for nonce in 0..3 {
        wallet.sign(0, payment(nonce, ETH / 100).1).await.expect("within the rate");
    }

    for party in 0..3 {
        wallet.kill(party);
        wallet.start(party);
    }
    let failure = wallet.sign(0, payment(3, ETH / 100).1).await.expect_err("more than the rate");

    assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
    assert!(failure.line().contains("`rate`"), "{failure:?}");
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
