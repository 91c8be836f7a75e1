//! A thousand agents on one host, for half an hour: whether its memory or its descriptors grow, and how long a run takes to begin.

use super::directory::{HANDLERS, api, thousand};
use super::served::{Caller, Served};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use strongroom_tests::figures::{Figure, Figures};

/// Samples are taken this often; those of the first minutes, of a tenth of the time at least, are the warm-up's.
const EACH: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(5 * 60);
/// Callers, and what each waits between two calls.
const CALLERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(20);

struct Sample {
    seconds: f64,
    resident: f64,
    descriptors: f64,
}

pub fn measure(figures: &mut Figures) {
    let minutes = std::env::var("STRONGROOM_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(30);
    let lasts = Duration::from_secs(minutes * 60);
    let dir = tempfile::tempdir().expect("a directory");
    thousand(dir.path(), api());
    let served = Served::start(dir.path());
    let began = Instant::now();
    let is_over = AtomicBool::new(false);
    let (mut samples, mut calls) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn({
                    let (served, is_over) = (&served, &is_over);
                    move || called(served, caller, began, is_over)
                })
            })
            .collect();
        while began.elapsed() < lasts {
            thread::sleep(EACH);
            let sample = Sample {
                seconds: began.elapsed().as_secs_f64(),
                resident: served.resident() as f64 / f64::from(1 << 20),
                descriptors: served.descriptors() as f64,
            };
            eprintln!("{:6.0} s: {:.1} MiB, {} descriptors", sample.seconds, sample.resident, sample.descriptors);
            samples.push(sample);
        }
        is_over.store(true, Ordering::Relaxed);
        calls = callers.into_iter().flat_map(|caller| caller.join().expect("no panic")).collect();
    });

    let warm = WARM_UP.min(lasts / 3).as_secs_f64();
    samples.retain(|sample| sample.seconds > warm);
    let mut waits: Vec<f64> = calls.iter().filter(|(at, _)| *at > warm).map(|(_, took)| *took).collect();
    waits.sort_by(f64::total_cmp);
    let records = std::fs::read_to_string(dir.path().join("audit.jsonl")).expect("the audit log");
    let runs = records.lines().filter(|line| line.contains("\"event\":\"run-start\"")).count();
    eprintln!("{runs} runs, {} of them for callers", calls.len());

    let resident = median(&samples, |sample| sample.resident);
    let (more, files) = (slope(&samples, |sample| sample.resident), slope(&samples, |sample| sample.descriptors));
    let name = "1,000 agents: resident memory";
    figures.add(Figure::at_most(name, resident, "MiB", "absolute", 1024.0, 1024.0));
    let name = "1,000 agents: what it grows by in an hour, by the slope after the warm-up";
    figures.add(Figure::at_most(name, more, "MiB", "resident, MiB", resident, 0.02 * resident));
    let name = "1,000 agents: descriptors more in an hour, by the slope after the warm-up";
    let open = median(&samples, |sample| sample.descriptors);
    figures.add(Figure::at_most(name, files, "", "descriptors", open, 0.02 * open));
    let name = "1,000 agents: a call from its first byte to the end of its run, p99";
    let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    figures.add(Figure::at_most(name, p99, "ms", "its p50, ms", p50, 50.0));
}

/// Calls handlers in turn until it is over: when each call ended, in seconds, and how many milliseconds it took.
fn called(served: &Served, caller: usize, began: Instant, is_over: &AtomicBool) -> Vec<(f64, f64)> {
    let mut connection = Caller::new(&served.address);
    let mut calls = Vec::new();
    for number in (caller..).step_by(CALLERS) {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let took = connection.call(&format!("/hook/{}", number % HANDLERS));
        calls.push((began.elapsed().as_secs_f64(), took.as_secs_f64() * 1e3));
        thread::sleep(PAUSE);
    }
    calls
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    strongroom_tests::figures::median(&samples.iter().map(of).collect::<Vec<_>>())
}

/// By the least squares, in an hour.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let (x, y) = (samples.iter().map(|s| s.seconds).sum::<f64>() / count, samples.iter().map(&of).sum::<f64>() / count);
    let above = samples.iter().map(|s| (s.seconds - x) * (of(s) - y)).sum::<f64>();
    above / samples.iter().map(|s| (s.seconds - x).powi(2)).sum::<f64>() * 3_600.0
}
