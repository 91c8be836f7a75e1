//! kill -9 at whatever moment: no presignature is used twice, and nothing is signed beyond the limits. A party with a planted defect is found out.

use crate::fixture::{ETH, NAMES, Wallet, payment, verify};
use k256::ecdsa::VerifyingKey;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many processes are killed; a long run has more, by this variable.
const KILLS: (&str, u64) = ("STRONGROOM_MPC_KILLS", 6);
/// The party that the defect is in: an example, so that no release has it.
const DEFECTIVE: &str = "examples/strongroom-mpc-party-with-a-defect";

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_used_twice_whoever_is_killed_when() {
    let kills = std::env::var(KILLS.0).map_or(KILLS.1, |text| text.parse().expect("a number"));

    let told = killed(env!("CARGO_BIN_EXE_strongroom-mpc-party"), kills, |told| told.repeated() > 0).await;

    let halves: usize = told.halves.values().sum();
    println!("{} were killed; {} signatures, {halves} halves, {} numbers", told.killed, told.signed, told.halves.len());
    assert!(
        told.killed >= kills && 2 * told.signed >= kills && halves as u64 >= told.signed,
        "{halves} halves are told, for {}",
        told.signed
    );
    assert_eq!(told.repeated(), 0, "a presignature was used twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_used_twice_is_found() {
    let program = Path::new(env!("CARGO_BIN_EXE_strongroom-mpc-party")).with_file_name(DEFECTIVE);
    assert!(program.exists(), "{} is not built; `cargo test` builds it, and `cargo build --examples`", program.display());

    let told = killed(program.to_str().expect("a path"), 300, |told| told.repeated() > 0).await;

    println!("{} were killed until a number came again; {} signatures", told.killed, told.signed);
    assert!(told.repeated() > 0, "{} were killed, and no number came again: the test finds nothing", told.killed);
}

/// What came of it.
struct Told {
    killed: u64,
    signed: u64,
    /// How often each number was used for a half.
    halves: HashMap<String, usize>,
}

impl Told {
    fn repeated(&self) -> usize {
        self.halves.values().filter(|times| **times > 1).count()
    }

    fn hear(&mut self, lines: &[String]) {
        for (_, rest) in lines.iter().filter(|line| line.contains("a half for")).filter_map(|line| line.split_once("r=")) {
            let r = rest.split_whitespace().next().expect("its number");
            *self.halves.entry(r.to_owned()).or_default() += 1;
        }
    }
}

/// Has payments signed while parties that run that program are killed, until so many were, or it is enough.
async fn killed(program: &str, kills: u64, enough: impl Fn(&Told) -> bool) -> Told {
    let mut wallet = Wallet::open("1000").await;
    for party in 0..3 {
        wallet.kill(party);
        // Each that is lost costs seconds to make again.
        wallet.write(party, "party.toml", |text| text.replace("presignatures = 2", "presignatures = 1"));
        wallet.start_as(party, program);
    }
    let payments = Payments { key: wallet.key().await, nonces: AtomicU64::new(0), signed: AtomicU64::new(0) };
    let mut told = Told { killed: 0, signed: 0, halves: HashMap::new() };
    // Knuth's MMIX generator: the same moments each time, as far as the machine's own pace lets it.
    let mut state = 1_u64;
    let mut below = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };

    while told.killed < kills && !enough(&told) {
        // At any moment while presignatures are made and requests are under way; or just when a half was made, sent or taken.
        let leader = usize::try_from(below(3)).expect("a party");
        let victims = match below(4) {
            0 => {
                let moment = Duration::from_millis(below(1_500));
                let _ = tokio::time::timeout(moment, payments.go_on(&wallet, leader)).await;
                vec![usize::try_from(below(3)).expect("a party")]
            }
            which => {
                let partner = tokio::select! {
                    partner = wallet.half() => partner,
                    () = payments.go_on(&wallet, leader) => unreachable!("it goes on"),
                };
                tokio::time::sleep(Duration::from_micros(below(2_000))).await;
                match which {
                    1 => vec![leader],
                    // A half may be for a request that nobody waits for any more: of another leader's, which this one is the partner of.
                    3 if partner != leader => vec![leader, partner],
                    _ => vec![partner],
                }
            }
        };
        victims.iter().for_each(|party| wallet.parties[*party].as_mut().expect("it runs").strike());
        victims.iter().for_each(|party| told.hear(&wallet.kill(*party)));
        told.killed += victims.len() as u64;
        if let [victim] = victims[..] {
            payments.one(&wallet, (victim + 1) % 3).await;
        }
        if told.killed % 25 < victims.len() as u64 {
            println!("{} were killed so far; {} numbers, {} of them twice", told.killed, told.halves.len(), told.repeated());
        }
        victims.iter().for_each(|party| wallet.start_as(*party, program));
        wallet.reachable().await;
    }
    for party in 0..3 {
        payments.one(&wallet, party).await;
    }
    (0..3).for_each(|party| told.hear(&wallet.kill(party)));
    told.signed = payments.signed.into_inner();
    told
}

/// Payments, and how many of them were signed.
struct Payments {
    key: VerifyingKey,
    nonces: AtomicU64,
    signed: AtomicU64,
}

impl Payments {
    /// One after the other, led by that party, until nobody waits for it any more.
    async fn go_on(&self, wallet: &Wallet, leader: usize) {
        loop {
            self.one(wallet, leader).await;
        }
    }

    async fn one(&self, wallet: &Wallet, party: usize) {
        let (transaction, request) = payment(self.nonces.fetch_add(1, Ordering::Relaxed), ETH / 1_000);
        if let Ok(made) = wallet.sign(party, request).await {
            assert_eq!(made.by[0], NAMES[party]);
            verify(&self.key, &transaction, &made);
            self.signed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
