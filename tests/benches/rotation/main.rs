//! Agents that send requests while their key is replaced, one rotation after the other, against the same agents while it is not: `cargo
//! bench --bench rotation`. Windows with and without alternate; what is compared is the 99th percentile of a run with one request, from the
//! start of the run to its end, over all windows of a kind. A backend can be named: `cargo bench --bench rotation -- file`.

#![expect(clippy::unwrap_used, reason = "a benchmark that can't be set up has no figures")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use strongroom_tests::bed::Kind;
use strongroom_tests::block_on;
use strongroom_tests::figures::{Figure, Figures};
use strongroom_tests::house::{House, get, ran};
use strongroom_tests::issuer::Issuer;
use strongroom_tests::services::Moto;
use tokio::sync::Mutex;

const AGENTS: usize = 20;
/// Between two runs of one agent: two hundred requests a second from all of them.
const PACE: Duration = Duration::from_millis(100);
const WINDOW: Duration = Duration::from_secs(3);
const PAIRS: usize = 12;
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
    let house = House::new(kind, &issuer, |rotation, _| rotation.drain = Duration::from_millis(100));
    let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let window = Arc::new(AtomicUsize::new(0));
    let samples: Arc<Mutex<Vec<Window>>> = Arc::new(Mutex::new(vec![Vec::new(); 2 * PAIRS + 1]));
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
        for pair in 0..PAIRS {
            window.store(2 * pair + 1, Ordering::Relaxed);
            tokio::time::sleep(WINDOW).await;
            window.store(2 * pair + 2, Ordering::Relaxed);
            let begun = Instant::now();
            while begun.elapsed() < WINDOW {
                house.host.rotate(house.bed.name(), |_, _| ()).await.unwrap();
                rotated += 1;
            }
        }
        while rotated < ROTATIONS {
            house.host.rotate(house.bed.name(), |_, _| ()).await.unwrap();
            rotated += 1;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(agent) = agents.join_next().await {
            agent.unwrap();
        }
        house.host.close().await;
    });

    let samples = block_on(async { samples.lock().await.clone() });
    let (without, with): (Vec<Window>, Vec<Window>) =
        (0..PAIRS).map(|pair| (samples[2 * pair + 1].clone(), samples[2 * pair + 2].clone())).unzip();
    let all: Vec<usize> = (0..PAIRS).collect();
    let (ratio, baseline) = (ratio(&without, &with, &all), p99(&without, &all));
    let (low, high) = interval(&without, &with);
    let count = |windows: &[Window]| windows.iter().map(Vec::len).sum::<usize>();
    eprintln!(
        "{name}: {rotated} rotations; p99 of a run {:.0} us during them ({} runs) and {baseline:.0} us without ({}): {ratio:.2} x, 95 % of resamples in {low:.2} to {high:.2}",
        baseline * ratio,
        count(&with),
        count(&without)
    );
    let leftover = issuer.usable_keys(&house.bed.account).len() - 1;
    let revoked = issuer.uses_after_revocation().len();
    assert_eq!(issuer.usable_keys(&house.bed.account).last(), Some(&house.bed.stored()));
    figures.add(Figure::at_most(&format!("p99 during rotations, {name}"), ratio, "x", "p99 of the same agents without, us", baseline, 1.2));
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

/// Between what 95 % of the ratios lie that come of pairs of windows drawn again, with replacement.
fn interval(without: &[Window], with: &[Window]) -> (f64, f64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from((state >> 33) % PAIRS as u64).unwrap()
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let chosen: Vec<usize> = (0..PAIRS).map(|_| draw()).collect();
            ratio(without, with, &chosen)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    (ratios[RESAMPLES * 25 / 1_000], ratios[RESAMPLES * 975 / 1_000])
}
