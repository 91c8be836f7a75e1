//! Components that come while callers call. Five hundred: `STRONGROOM_COMPONENTS=500 cargo test --workspace --test suites chaos::newcomers`.

use super::super::process::Agents;
use super::{SECRET, called, hook, number};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Says that it is over, when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn callers_are_answered_while_components_are_compiled() {
    let count = number("STRONGROOM_COMPONENTS", 10);
    let agents = Agents::new().apart();
    hook(&agents, "bearer = \"SECRET\"");
    let mut served = agents.serve_in(&["--listen", "0"], &[("SECRET", SECRET)]);
    let address = served.address();
    let call = || {
        let began = Instant::now();
        assert_eq!(called(&address), 200);
        began.elapsed()
    };
    let alone = (0..50).map(|_| call()).max().unwrap();

    for number in 0..count {
        let name = format!("component-{number:05}");
        std::fs::write(agents.path(&format!("{name}.wasm")), strongroom_tests::variant("looper", number)).unwrap();
        agents.file(&format!("{name}.toml"), &format!("name = \"{name}\"\ncomponent = \"../{name}.wasm\"\n"));
    }
    let (is_over, mut calls, mut slowest) = (AtomicBool::new(false), 0, Duration::ZERO);
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut calls = vec![call()];
            while !is_over.load(Ordering::Relaxed) {
                calls.push(call());
            }
            calls
        });
        // The caller ends with this, however it ends.
        let over = Over(&is_over);
        served.signal("HUP");
        // Each runs once, as it is new.
        while (0..count).any(|number| agents.ends(&format!("component-{number:05}")).is_empty()) {
            thread::sleep(Duration::from_millis(200));
        }
        drop(over);
        let took = caller.join().unwrap();
        (calls, slowest) = (took.len(), took.into_iter().max().unwrap());
    });
    eprintln!("{count} components while {calls} calls were answered; the slowest took {slowest:?}, of fifty before {alone:?}");

    assert!(calls as u64 >= count, "{calls} calls");
    assert_eq!(served.terminate().0, Some(0));
}
