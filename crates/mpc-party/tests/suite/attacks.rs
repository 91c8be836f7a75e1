//! A host that was taken over, and a party that was: nothing is signed beyond the limits.

use crate::fixture::{ETH, RECIPIENT, Wallet, manifest, payment, verify};
use crate::links::Weather;
use std::collections::BTreeMap;
use std::fs;

/// What a payment of a tenth of an ETH counts: with its fee.
const COUNTED: u128 = ETH / 10 + 21_000 * 2_000_000_000;

/// Payments that were signed, by nonce.
type Signed = BTreeMap<u64, u128>;

/// Has payments signed with a party in the lead until `misses` in a row are not.
async fn drain(wallet: &Wallet, party: usize, nonces: &mut u64, signed: &mut Signed) {
    let key = wallet.key().await;
    let mut misses = 0;
    while misses < 2 {
        *nonces += 1;
        let (transaction, request) = payment(*nonces, ETH / 10);
        match wallet.sign(party, request).await {
            Ok(made) => {
                verify(&key, &transaction, &made);
                signed.insert(*nonces, COUNTED);
            }
            Err(_) => misses += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_and_rotates_pairs_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let (mut nonces, mut signed) = (0, Signed::new());

    // Each pair in turn believes that the third is down.
    for pair in [(0, 1), (1, 2), (2, 0)] {
        let third = 3 - pair.0 - pair.1;
        wallet.between(pair.0, third, Weather::Cut);
        wallet.between(pair.1, third, Weather::Cut);
        drain(&wallet, pair.0, &mut nonces, &mut signed).await;
        wallet.between(pair.0, third, Weather::Fair);
        wallet.between(pair.1, third, Weather::Fair);
    }
    let apart: u128 = signed.values().sum();
    // All is restored; it rotates again.
    for party in [0, 1, 2, 0] {
        wallet.reachable().await;
        drain(&wallet, party, &mut nonces, &mut signed).await;
    }
    let total: u128 = signed.values().sum();

    assert!(apart > ETH / 2, "the attack does something: {apart}");
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cuts_restores_and_cuts_another_stays_within_the_limit() {
    let wallet = Wallet::open("1").await;
    let (mut nonces, mut signed) = (0, Signed::new());

    for _ in 0..2 {
        for cut in 0..3 {
            let others: Vec<_> = (0..3).filter(|other| *other != cut).collect();
            others.iter().for_each(|other| wallet.between(cut, *other, Weather::Cut));
            drain(&wallet, others[0], &mut nonces, &mut signed).await;
            others.iter().for_each(|other| wallet.between(cut, *other, Weather::Fair));
            wallet.reachable().await;
            let (_, request) = payment(nonces + 1, 1);
            nonces += 1;
            let _ = wallet.sign(cut, request).await;
        }
    }

    let total: u128 = signed.values().sum();
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_with_a_policy_of_its_own_gets_nothing_beyond_the_others() {
    let mut wallet = Wallet::open("1").await;
    wallet.kill(0);
    let lax = manifest("1000").replace(RECIPIENT, &format!("{RECIPIENT}\", \"0x00000000000000000000000000000000deadbeef"));
    fs::write(wallet.directories[0].join("agent.toml"), lax).expect("a manifest");
    wallet.start(0);
    let (mut nonces, mut signed) = (0, Signed::new());

    let (_, to_another) = crate::fixture::payment_to("0x00000000000000000000000000000000deadbeef", 0, ETH / 10);
    wallet.sign(0, to_another).await.expect_err("the other two refuse");
    for party in [0, 1, 2, 0] {
        drain(&wallet, party, &mut nonces, &mut signed).await;
    }

    let total: u128 = signed.values().sum();
    assert!(total <= ETH, "{total} wei were signed for a limit of {ETH}");
    assert!(total > ETH / 2, "it signs what all grant: {total}");
}
