//! A thousand agents with a bad neighbour, by turns with and without: how long the others' slowest calls take then.

use super::directory::{Agents, HANDLERS, api, thousand};
use super::served::{Caller, Served};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use strongroom_tests::figures::{Figure, Figures, median, paired};

/// How long one turn lasts, and how many there are of each.
const TURN: Duration = Duration::from_secs(10);
const TURNS: usize = 5;
/// What the neighbour does may begin before the calls do.
const SETTLES: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);
/// How often a component is another.
const COMPILED: Duration = Duration::from_secs(1);
/// How many components there were so far.
static ANEW: AtomicU64 = AtomicU64::new(1);

const NEIGHBOURS: [(&str, &str, &[&str]); 5] = [
    ("spins", "one that spins", &["spin"]),
    ("floods", "one that floods the log", &["flood-log"]),
    ("leaks", "one that leaks handles", &["hoard-fields 100000 64", "handles KEY", "sleep 60000"]),
    ("reads-not", "one whose body is never read", &["upload 100000000 POST http://127.0.0.1:PORT/never"]),
    ("anew", "one that is compiled again and again", &["print once"]),
];

pub fn measure(figures: &mut Figures) {
    let dir = tempfile::tempdir().expect("a directory");
    let port = api();
    thousand(dir.path(), port);
    let agents = Agents { dir: dir.path(), port };
    agents.component("probe", 900);
    for (name, _, arguments) in NEIGHBOURS {
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = "restart = \"always\"\ngive_up = 1000000\nbackoff = { from = \"100ms\", to = \"100ms\" }\n";
        let secret = if name == "leaks" { "[secrets.KEY]\nfrom = \"env:KEY\"\n" } else { "" };
        agents.write(name, "probe-900", &arguments, run, secret);
    }
    let served = Served::start(dir.path());
    let all: Vec<&str> = NEIGHBOURS.iter().map(|(name, ..)| *name).collect();
    for name in &all {
        served.ask(&["pause", name]);
        served.ask(&["stop", name]);
    }
    // What begins with the host has begun, and is compiled.
    thread::sleep(Duration::from_secs(60));
    let mut calls = Caller::new(&served.address);
    let mut compared = |what: &str, names: &[&str]| {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            without.push(turn(&mut calls));
            names.iter().for_each(|name| served.ask(&["resume", name]));
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                if names.contains(&"anew") {
                    scope.spawn(|| compile(&served, &agents, &is_over));
                }
                thread::sleep(SETTLES);
                with.push(turn(&mut calls));
                is_over.store(true, Ordering::Relaxed);
            });
            for name in names {
                served.ask(&["pause", name]);
                served.ask(&["stop", name]);
            }
            thread::sleep(SETTLES);
        }
        let name = format!("p99 of others' calls beside {what}");
        figures.add(Figure::at_most(&name, paired(&with, &without), "x", "without, ms", median(&without), 1.5));
    };
    for (name, what, _) in NEIGHBOURS {
        compared(what, &[name]);
    }
    compared("all five", &all);
}

/// Calls handlers in turn, one after the other: milliseconds at p99.
fn turn(caller: &mut Caller) -> f64 {
    let began = Instant::now();
    let mut took = Vec::new();
    for number in 0.. {
        if began.elapsed() > TURN {
            break;
        }
        took.push(caller.call(&format!("/hook/{}", number % HANDLERS)).as_secs_f64() * 1e3);
        thread::sleep(PAUSE);
    }
    took.sort_by(f64::total_cmp);
    took[took.len() * 99 / 100]
}

/// Makes a component another, and has the host read its directory, until it is over.
fn compile(served: &Served, agents: &Agents<'_>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        // Each is a component that no cache knows.
        let number = 900 + 1_000 * ANEW.fetch_add(1, Ordering::Relaxed);
        agents.component("probe", number);
        let sent = Command::new("kill").args(["-s", "HUP", &served.child.id().to_string()]).status().expect("it runs");
        assert!(sent.success());
        thread::sleep(COMPILED);
    }
}
