//! kill -9 at whatever moment: no presignature is used twice, and nothing is signed beyond the limits.

use crate::fixture::{ETH, Wallet, payment, verify};
use k256::ecdsa::VerifyingKey;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a party is killed; a long run has more, by this variable.
const KILLS: (&str, u64) = ("STRONGROOM_MPC_KILLS", 6);

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_used_twice_whoever_is_killed_when() {
    let kills = std::env::var(KILLS.0).map_or(KILLS.1, |text| text.parse().expect("a number"));
    let mut wallet = Wallet::open("1000").await;
    let payments = Payments { key: wallet.key().await, nonces: AtomicU64::new(0), signed: AtomicU64::new(0) };
    let mut said: Vec<String> = Vec::new();
    // Knuth's MMIX generator: the same moments each time, as far as the machine's own pace lets it.
    let mut state = 1_u64;
    let mut below = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };

    for _ in 0..kills {
        let (party, moment) = (usize::try_from(below(3)).expect("a party"), Duration::from_millis(below(3_000)));
        // Whatever it is in the middle of then: the moment is random, and nothing is waited for by it.
        let _ = tokio::time::timeout(moment, payments.go_on(&wallet)).await;
        let killed = wallet.parties[party].take().expect("it runs");
        let lines = killed.said.clone();
        killed.kill();
        said.extend(lines.lock().expect("its lines").iter().cloned());
        payments.one(&wallet, (party + 1) % 3).await;
        wallet.start(party);
        wallet.reachable().await;
    }
    for party in 0..3 {
        payments.one(&wallet, party).await;
    }
    for party in wallet.parties.iter_mut().map(|party| party.take().expect("it runs")) {
        let lines = party.said.clone();
        party.kill();
        said.extend(lines.lock().expect("its lines").iter().cloned());
    }

    let mut halves = HashMap::<String, usize>::new();
    for line in said.iter().filter(|line| line.contains("a half for")) {
        let r = line.split("r=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("its number");
        *halves.entry(r.to_owned()).or_default() += 1;
    }
    let signed = payments.signed.into_inner();
    assert!(signed > kills && halves.len() as u64 >= signed, "{} halves are told, for {signed} signatures", halves.len());
    assert!(halves.values().all(|times| *times == 1), "a presignature was used twice");
}

/// Payments, and how many of them were signed.
struct Payments {
    key: VerifyingKey,
    nonces: AtomicU64,
    signed: AtomicU64,
}

impl Payments {
    /// One after the other, led by each party in turn, until nobody waits for it any more.
    async fn go_on(&self, wallet: &Wallet) {
        for party in (0..3).cycle() {
            self.one(wallet, party).await;
        }
    }

    async fn one(&self, wallet: &Wallet, party: usize) {
        let (transaction, request) = payment(self.nonces.fetch_add(1, Ordering::Relaxed), ETH / 1_000);
        if let Ok(made) = wallet.sign(party, request).await {
            verify(&self.key, &transaction, &made);
            self.signed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
