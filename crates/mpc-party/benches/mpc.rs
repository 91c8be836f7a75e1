//! What a signature of three parties costs: three processes on this machine, over real connections. `cargo bench --bench mpc`.
//!
//! Prints a table and writes `target/figures/mpc.json`. What has no target is stated.

#[path = "../tests/suite/fixture.rs"]
#[expect(dead_code, reason = "the suites need more of it")]
mod fixture;
#[path = "../tests/suite/links.rs"]
#[expect(dead_code, reason = "the suites need more of it")]
mod links;

use crate::fixture::{KEY, Wallet, payment, verify};
use crate::links::Weather;
use cggmp21::ExecutionId;
use cggmp21::key_share::{DirtyAuxInfo, DirtyIncompleteKeyShare, Validate};
use cggmp21::round_based::sim;
use cggmp21::supported_curves::Secp256k1;
use rand_core::OsRng;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use strongroom_mpc::says::{Answer, Question};

/// Presignatures that are made ahead.
const POOL: usize = 48;
/// Agents that ask at once, and for how long.
const AGENTS: usize = 32;
const SUSTAINED: Duration = Duration::from_secs(30);

struct Figure {
    figure: &'static str,
    value: f64,
    unit: &'static str,
    baseline: &'static str,
    baseline_value: f64,
    target: Option<f64>,
}

#[tokio::main]
async fn main() {
    let began = Instant::now();
    let wallet = Wallet::with_pool(POOL).await;
    let ceremony = fixture::ceremony().unwrap_or_else(|| began.elapsed());
    let key = wallet.key().await;
    let nonces = AtomicU64::new(0);
    let mut figures = vec![Figure {
        figure: "a key is made, with the three parties' auxiliary data",
        value: ceremony.as_secs_f64(),
        unit: "s",
        baseline: "none; primes are found before",
        baseline_value: 0.0,
        target: None,
    }];

    // The pool fills: each of the two works on it.
    let (filling, before) = (Instant::now(), pool(&wallet).await);
    while pool(&wallet).await < POOL {}
    let made = (POOL - before) as f64 / filling.elapsed().as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    figures.push(Figure {
        figure: "presignatures a second and core, all three parties on this machine",
        value: made / cores,
        unit: "/s",
        baseline: "cores",
        baseline_value: cores,
        target: None,
    });

    let one = async || {
        let (transaction, request) = payment(nonces.fetch_add(1, Ordering::Relaxed), 1);
        let start = Instant::now();
        let signed = wallet.sign(0, request).await.expect("it is signed");
        let took = start.elapsed().as_secs_f64() * 1e3;
        verify(&key, &transaction, &signed);
        took
    };
    let mut times = Vec::new();
    for _ in 0..POOL / 2 {
        times.push(one().await);
    }
    let synced = fsync(&wallet);
    // The leader's entry is on its disk before the others are asked for theirs, which write at the same time.
    figures.push(Figure {
        figure: "a signature with a full pool, p50, beyond the writes that both sides wait for",
        value: median(&times) - 2.0 * synced,
        unit: "ms",
        baseline: "one write to the disk, p50, ms",
        baseline_value: synced,
        target: Some(10.0),
    });
    figures.push(Figure {
        figure: "a signature with a full pool, p50",
        value: median(&times),
        unit: "ms",
        baseline: "the library's own signing without presignatures, in one process, ms",
        baseline_value: bare(&wallet),
        target: None,
    });

    figures.push(Figure { figure: "32 agents at once, sustained", ..sustained(&wallet, &nonces).await });
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        wallet.between(one, other, Weather::Slow(Duration::from_millis(20)));
    }
    figures.push(Figure { figure: "the same with 20 ms between the parties", ..sustained(&wallet, &nonces).await });
    told(&figures);
}

async fn pool(wallet: &Wallet) -> usize {
    let Ok(Answer::Status(status)) = wallet.ask(0, &Question::Status).await else { panic!("it does not say how it is") };
    tokio::task::yield_now().await;
    status.presignatures.iter().map(|(_, _, count)| *count).max().unwrap_or_default()
}

async fn sustained(wallet: &Wallet, nonces: &AtomicU64) -> Figure {
    let until = Instant::now() + SUSTAINED;
    let signed = Arc::new(AtomicU64::new(0));
    let agent = async || {
        while Instant::now() < until {
            let (_, request) = payment(nonces.fetch_add(1, Ordering::Relaxed), 1);
            if wallet.sign(0, request).await.is_ok() {
                signed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let start = Instant::now();
    futures_util::future::join_all((0..AGENTS).map(|_| agent())).await;
    Figure {
        figure: "",
        value: signed.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64(),
        unit: "/s",
        baseline: "agents",
        baseline_value: AGENTS as f64,
        target: None,
    }
}

/// One write to the disk on which the parties' ledgers are, in milliseconds.
fn fsync(wallet: &Wallet) -> f64 {
    let mut file = File::create(wallet.directories[0].join("state/probe")).expect("a file");
    let times = (0..50).map(|_| {
        let start = Instant::now();
        file.write_all(&[b'x'; 700]).and_then(|()| file.sync_data()).expect("it is written");
        start.elapsed().as_secs_f64() * 1e3
    });
    median(&times.collect::<Vec<_>>())
}

/// The library's own signing by two parties in this process, in milliseconds.
fn bare(wallet: &Wallet) -> f64 {
    let shares = [0, 1].map(|party| {
        let vault = wallet.vault(party);
        let kept: serde_json::Value =
            vault.kept(&format!("key-{KEY}.age"), &format!("share of `{KEY}`")).expect("it opens").expect("a share");
        let data: serde_json::Value = vault.kept("auxiliary.age", "auxiliary data").expect("it opens").expect("auxiliary data");
        let share: DirtyIncompleteKeyShare<Secp256k1> = serde_json::from_value(kept["share"].clone()).expect("a share");
        let mut data: DirtyAuxInfo = serde_json::from_value(data["data"].clone()).expect("auxiliary data");
        data.precompute_crt(share.i).expect("its own primes");
        cggmp21::KeyShare::from_parts((share.validate().expect("a share"), data.validate().expect("auxiliary data")))
            .expect("a whole share")
    });
    let mut indices = [shares[0].i, shares[1].i];
    indices.sort_unstable();
    let times = (0..5_u8).map(|n| {
        let run = [n; 32];
        let start = Instant::now();
        let parties = indices.iter().zip(0..).map(|(index, own)| {
            let share = shares.iter().find(|share| share.i == *index).expect("a share");
            let digest = cggmp21::DataToSign::from_scalar(cggmp21::generic_ec::Scalar::from(u64::from(n) + 1));
            (share, own, digest)
        });
        let mut rngs = [OsRng, OsRng];
        let mut simulation = sim::Simulation::with_capacity(2);
        for ((share, own, digest), rng) in parties.zip(&mut rngs) {
            simulation.add_party(cggmp21::signing(ExecutionId::new(&run), own, &indices, share).sign_sync(rng, digest));
        }
        for signature in simulation.run().expect("it runs").into_vec() {
            signature.expect("a signature");
        }
        start.elapsed().as_secs_f64() * 1e3
    });
    median(&times.collect::<Vec<_>>())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn told(figures: &[Figure]) {
    println!("\n{:82} {:>12} {:>8}  {:<6} {:>10}  against", "figure", "value", "target", "holds", "baseline");
    let mut list = Vec::new();
    for Figure { figure, value, unit, baseline, baseline_value, target } in figures {
        let holds = target.is_none_or(|target| *value <= target);
        let (shown, text) = (target.map_or("stated".to_owned(), |target| format!("{target:.2}")), format!("{value:.2} {unit}"));
        println!("{figure:82} {text:>12} {shown:>8}  {:<6} {baseline_value:>10.2}  {baseline}", if holds { "yes" } else { "NO" });
        list.push(serde_json::json!({"figure": figure, "value": value, "unit": unit, "baseline": baseline,
            "baseline_value": baseline_value, "target": target, "holds": holds}));
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/figures");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("mpc.json"), serde_json::to_string_pretty(&list).expect("text")).expect("the figures are written");
}
