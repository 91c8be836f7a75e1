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
use k256::ecdsa::VerifyingKey;
use rand_core::OsRng;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use strongroom_mpc::link::Link;
use strongroom_mpc::says::{Answer, Question};

/// Presignatures that are made ahead with the first partner; with the second it is a quarter.
const POOL: usize = 24;
/// Agents that ask at once, and for how long.
const AGENTS: usize = 32;
const SUSTAINED: Duration = Duration::from_secs(30);
/// How often the parties are asked how many they have.
const LOOK: Duration = Duration::from_millis(50);
/// Of a second, what /proc counts processor time in.
const TICKS: f64 = 100.0;

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
    let mut wallet = Wallet::open("1000").await;
    let ceremony = fixture::ceremony().expect("the ceremony was today");
    for party in 0..3 {
        wallet.amend(party, "party.toml", |text| text.replace("presignatures = 2", &format!("presignatures = {POOL}")));
    }
    wallet.reachable().await;
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

    // With the first request the key is in use, and the pools of whoever was asked are filled.
    let mut host = wallet.link(0).await.expect("a connection");
    one(&mut host, &nonces, &key).await;
    let (filling, before, used) = (Instant::now(), pool(&mut host).await, used(&wallet));
    filled(&mut host).await;
    let made = (POOL + POOL.div_ceil(4) - before) as f64;
    let (took, spent) = (filling.elapsed().as_secs_f64(), self::used(&wallet) - used);
    figures.push(Figure {
        figure: "presignatures a second and core, where a core makes both halves",
        value: made / spent,
        unit: "/s",
        baseline: "presignatures a second, all three parties on this machine",
        baseline_value: made / took,
        target: None,
    });

    // Each with a full pool, and then some with the pool being filled again.
    let (mut full, mut filling) = (Vec::new(), Vec::new());
    for _ in 0..POOL / 2 {
        filled(&mut host).await;
        full.push(one(&mut host, &nonces, &key).await);
    }
    filled(&mut host).await;
    for _ in 0..POOL / 2 {
        filling.push(one(&mut host, &nonces, &key).await);
    }
    let synced = fsync(&wallet);
    // The leader's entry is on its disk before the others are asked for theirs, which write at the same time.
    figures.push(Figure {
        figure: "a signature with a full pool, p50, beyond the writes that both sides wait for",
        value: median(&full) - 2.0 * synced,
        unit: "ms",
        baseline: "one write to the disk, p50, ms",
        baseline_value: synced,
        target: Some(10.0),
    });
    figures.push(Figure {
        figure: "a signature with a full pool, p50",
        value: median(&full),
        unit: "ms",
        baseline: "the library's own signing without presignatures, in one process, ms",
        baseline_value: bare(&wallet),
        target: None,
    });
    figures.push(Figure {
        figure: "the same one after the other, while the pool is filled again",
        value: median(&filling),
        unit: "ms",
        baseline: "signatures",
        baseline_value: filling.len() as f64,
        target: None,
    });

    figures.push(Figure { figure: "32 agents at once, sustained", ..sustained(&wallet, &nonces).await });
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        wallet.between(one, other, Weather::Slow(Duration::from_millis(20)));
    }
    filled(&mut host).await;
    let mut slow = Vec::new();
    for _ in 0..POOL / 2 {
        slow.push(one(&mut host, &nonces, &key).await);
    }
    figures.push(Figure {
        figure: "a signature with 20 ms between the parties, p50",
        value: median(&slow),
        unit: "ms",
        baseline: "signatures",
        baseline_value: slow.len() as f64,
        target: None,
    });
    figures.push(Figure { figure: "32 agents at once with 20 ms between the parties", ..sustained(&wallet, &nonces).await });
    told(&figures);
}

/// One signature over a connection that is kept, as a host's are; how many milliseconds it has taken.
async fn one(host: &mut Link, nonces: &AtomicU64, key: &VerifyingKey) -> f64 {
    let (transaction, request) = payment(nonces.fetch_add(1, Ordering::Relaxed), 1);
    let start = Instant::now();
    let signed = match host.ask(&Question::Sign(Box::new(request))).await {
        Ok(Answer::Signed(signed)) => signed,
        other => panic!("it is not signed: {other:?}"),
    };
    let took = start.elapsed().as_secs_f64() * 1e3;
    verify(key, &transaction, &signed);
    took
}

/// How many presignatures the first party has at hand.
async fn pool(host: &mut Link) -> usize {
    let Ok(Answer::Status(status)) = host.ask(&Question::Status).await else { panic!("it does not say how it is") };
    status.presignatures.iter().map(|(_, _, count)| *count).sum()
}

/// Waits until it has all that it is to have.
async fn filled(host: &mut Link) {
    while pool(host).await < POOL + POOL.div_ceil(4) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Processor time that the parties have used, in seconds.
fn used(wallet: &Wallet) -> f64 {
    let of = |party: &fixture::Process| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", party.id())).expect("it runs");
        let fields: Vec<_> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        // utime and stime: the 14th and 15th of proc(5).
        [11, 12].iter().map(|at| fields[*at].parse::<f64>().expect("ticks")).sum::<f64>() / TICKS
    };
    wallet.parties.iter().flatten().map(of).sum()
}

async fn sustained(wallet: &Wallet, nonces: &AtomicU64) -> Figure {
    let until = Instant::now() + SUSTAINED;
    let signed = Arc::new(AtomicU64::new(0));
    let agent = async || {
        let mut host = wallet.link(0).await.expect("a connection");
        while Instant::now() < until {
            let (_, request) = payment(nonces.fetch_add(1, Ordering::Relaxed), 1);
            if let Ok(Answer::Signed(_)) = host.ask(&Question::Sign(Box::new(request))).await {
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
