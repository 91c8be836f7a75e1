//! A host that replaces one key, once, through a store and an issuer with points at which it can be ended or stopped. It is told what to do
//! by JSON:
//!
//! `{"store": {"file": PATH, "key": PATH} | {"vault": URL, "token": FILE} | {"aws": URL}, "secrets": [REF], "issuer": URL, "rotation": NAME,
//! "timeout": MILLIS, "end": "kill" | "stop", "at": POINT, "hurry": BOOL, "abandon": BOOL}`
//!
//! It prints each point and each step, and in the end `ended …`.

use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use strongroom::manifest::{AfterDrain, HttpIssuerConfig, RotationConfig, SecretRef};
use strongroom::{Host, HostConfig, HttpIssuer};
use strongroom_tests::cuts::{Cuts, End};

pub fn main(job: &Value) {
    let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();

    let end = if text("end") == "stop" { End::Stop } else { End::Kill };
    let cuts = Cuts::new(job["at"].as_u64().map(|at| (usize::try_from(at).expect("small"), end)));
    let secrets = job["secrets"].as_array().expect("references");
    let secrets = secrets.iter().map(|reference| SecretRef::parse(reference.as_str().expect("text")).expect("a reference"));
    let rotation = RotationConfig::new(secrets.collect(), "issuer").with(|new| {
        new.timeout = Duration::from_millis(job["timeout"].as_u64().expect("a timeout"));
        new.after_drain = AfterDrain::Wait;
        new.drain = Duration::from_millis(50);
    });
    let config = HostConfig::default().with(|new| new.rotations = vec![(text("rotation"), rotation)]);
    let issuer = HttpIssuer::new(&HttpIssuerConfig::purpleflea(text("issuer"))).expect("an issuer");
    let slept = Arc::new(AtomicU64::new(0));
    let builder = Host::builder().config(config).without_audit().without_state().max_agents(1);
    let builder = builder.issuer("issuer", cuts.issuer(issuer)).slept(Arc::clone(&slept));
    let host = cuts.stored(builder, &job["store"]).build().expect("a host");
    if job["hurry"] == true {
        // Its clock runs, so that whoever came before it counts as gone as soon as it has been looked at twice.
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(20));
                slept.fetch_add(20_000, Ordering::Relaxed);
            }
        });
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let step = |progress: strongroom::Progress<'_>| println!("step {} {}", progress.step, progress.detail);
    let ended = runtime.block_on(async {
        let ended = match job["abandon"] == true {
            true => host.abandon_rotation(&text("rotation")).await.map(drop),
            false => host.rotate(&text("rotation"), step).await,
        };
        host.shutdown().await;
        ended
    });
    match ended {
        Ok(()) => println!("ended well"),
        Err(error) => println!("ended {error:?}"),
    }
}
