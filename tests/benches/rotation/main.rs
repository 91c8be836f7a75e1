//! Agents that send requests while their key is replaced, against the same agents while it is not: `cargo bench --bench rotation`. Windows
//! without a rotation, with one every second, and with one after the other without a pause take turns; what is compared is the 99th
//! percentile of a run with one request, from the start of the run to its end, over all windows of a kind. A backend can be named: `cargo
//! bench --bench rotation -- file`.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has no figures")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use strongroom_tests::block_on;
use strongroom_tests::figures::{Figure, Figures};
use strongroom_tests::fixtures::rotation::{RotationFixture, get, ran};
use strongroom_tests::fixtures::store::Kind;
use strongroom_tests::issuer::Issuer;
use strongroom_tests::services::Moto;
use tokio::sync::Mutex;

const AGENTS: usize = 20;
/// Between two runs of one agent: two hundred requests a second from all of them.
const PACE: Duration = Duration::from_millis(100);
const WINDOW: Duration = Duration::from_secs(2);
/// Windows of each kind: without, one a second, without a pause.
const TURNS: usize = 13;
const KINDS_OF_WINDOWS: usize = 3;
/// Between the beginnings of two rotations, where there is one every second.
const BETWEEN: Duration = Duration::from_secs(1);
const ROTATIONS: u64 = 50;
const RESAMPLES: usize = 2_000;

const KINDS: [(&str, Kind); 3] = [("file", Kind::File), ("vault", Kind::Vault), ("aws", Kind::Aws)];

fn main() {
    // The AWS SDK takes its credentials from the environment that a process was started with.
    if std::env::var_os("AWS_REGION").is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status = again.args(std::env::args_os().skip(1)).envs(Moto::credentials()).status().unwrap();
        std::process::exit(status.code().unwrap_or(1));
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut figures = Figures::new("rotation");
    for (name, kind) in KINDS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure(name, kind, &mut figures);
        }
    }
    figures.finish(wanted.is_empty());
}

/// The microseconds that each run of a window took.
type Window = Vec<f64>;

fn measure(name: &str, kind: Kind, figures: &mut Figures) {
    let issuer = Issuer::start();
    let house = RotationFixture::new(kind, &issuer, |rotation, _| rotation.drain = Duration::from_millis(100));
    let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let window = Arc::new(AtomicUsize::new(0));
    let samples: Arc<Mutex<Vec<Window>>> = Arc::new(Mutex::new(vec![Vec::new(); KINDS_OF_WINDOWS * TURNS + 1]));
    let mut rotated = 0;
    block_on(async {
        let mut agents = tokio::task::JoinSet::new();
        for at in 0..AGENTS {
            let (agent, operation) = (house.agent(&issuer, ""), [get(&issuer, "/v1/orders")]);
            let (stop, failed) = (Arc::clone(&stop), Arc::clone(&failed));
            let (window, samples) = (Arc::clone(&window), Arc::clone(&samples));
            agents.spawn(async move {
                tokio::time::sleep(PACE * u32::try_from(at).unwrap() / u32::try_from(AGENTS).unwrap()).await;
                let mut pace = tokio::time::interval(PACE);
                while !stop.load(Ordering::Relaxed) {
                    pace.tick().await;
                    let (begun, number) = (Instant::now(), window.load(Ordering::Relaxed));
                    let said = ran(&agent, &operation).await;
                    let took = begun.elapsed().as_secs_f64() * 1e6;
                    failed.fetch_add(u64::from(!said.contains("send 200")), Ordering::Relaxed);
                    // Neither window has a run that began in the one before.
                    if number == window.load(Ordering::Relaxed) {
                        samples.lock().await[number].push(took);
                    }
                }
            });
        }
        // The first window is for warming up.
        tokio::time::sleep(WINDOW).await;
        for turn in 0..TURNS {
            let first = KINDS_OF_WINDOWS * turn + 1;
            window.store(first, Ordering::Relaxed);
            tokio::time::sleep(WINDOW).await;
            for (kind, between) in [(1, BETWEEN), (2, Duration::ZERO)] {
                window.store(first + kind, Ordering::Relaxed);
                let begun = Instant::now();
                while begun.elapsed() < WINDOW {
                    let next = tokio::time::Instant::now() + between;
                    house.host.rotate(house.bed.name(), |_| ()).await.unwrap();
                    rotated += 1;
                    tokio::time::sleep_until(next).await;
                }
            }
        }
        while rotated < ROTATIONS {
            house.host.rotate(house.bed.name(), |_| ()).await.unwrap();
            rotated += 1;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(agent) = agents.join_next().await {
            agent.unwrap();
        }
        house.host.clone().shutdown().await;
    });

    let samples = block_on(async { samples.lock().await.clone() });
    let of = |kind: usize| -> Vec<Window> { (0..TURNS).map(|turn| samples[KINDS_OF_WINDOWS * turn + 1 + kind].clone()).collect() };
    let (without, all) = (of(0), (0..TURNS).collect::<Vec<usize>>());
    let baseline = p99(&without, &all);
    for (kind, what) in [(1, "with a rotation every second"), (2, "with rotations without a pause")] {
        let with = of(kind);
        let ratio = ratio(&without, &with, &all);
        let (low, high) = interval(&without, &with);
        let runs = with.iter().map(Vec::len).sum::<usize>();
        eprintln!(
            "{name}, {what}: p99 of {runs} runs {:.0} us, {baseline:.0} us without: {ratio:.2} x, 95 % of resamples in {low:.2} to {high:.2}",
            baseline * ratio
        );
        figures.add(Figure::at_most(&format!("p99 {what}, {name}"), ratio, "x", "p99 of the same agents without, us", baseline, 1.2));
    }
    eprintln!("{name}: {rotated} rotations");
    let leftover = issuer.usable_keys(&house.bed.account).len() - 1;
    let revoked = issuer.uses_after_revocation().len();
    assert_eq!(issuer.usable_keys(&house.bed.account).last(), Some(&house.bed.stored()));
    let counted = "requests, over all windows";
    let requests = issuer.requests() as f64;
    figures.add(Figure::at_most(&format!("failed requests, {name}"), failed.load(Ordering::Relaxed) as f64, "", counted, requests, 0.0));
    figures.add(Figure::at_most(&format!("uses of a revoked key, {name}"), revoked as f64, "", counted, requests, 0.0));
    figures.add(Figure::at_most(&format!("keys left over, {name}"), leftover as f64, "", "keys issued", issuer.issued() as f64, 0.0));
}

/// The 99th percentile over the windows of these numbers.
fn p99(windows: &[Window], chosen: &[usize]) -> f64 {
    let mut all: Vec<f64> = chosen.iter().flat_map(|at| windows[*at].iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() * 99 / 100]
}

fn ratio(without: &[Window], with: &[Window], chosen: &[usize]) -> f64 {
    p99(with, chosen) / p99(without, chosen)
}

/// Between what 95 % of the ratios lie that come of turns drawn again, with replacement.
fn interval(without: &[Window], with: &[Window]) -> (f64, f64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from((state >> 33) % TURNS as u64).unwrap()
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let chosen: Vec<usize> = (0..TURNS).map(|_| draw()).collect();
            ratio(without, with, &chosen)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    (ratios[RESAMPLES * 25 / 1_000], ratios[RESAMPLES * 975 / 1_000])
}
