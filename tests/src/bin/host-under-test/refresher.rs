//! A host that has an access token for one refresh token, once, through a store and an audit log with points at which it can be ended: the
//! records of an exchange lie right before and right after its call. It is told what to do by JSON:
//!
//! `{"store": as for the rotor, "from": ENTRY, "oauth2": TABLE, "ca": FILE, "at": POINT, "late": BOOL}`
//!
//! It prints each point, and in the end `ended …`.

use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use strongroom::{Host, Manifest};

pub fn main(job: &Value) {
    let text = |name: &str| job[name].as_str().unwrap_or_default();

    let (cuts, config) = super::ended_host(job);
    let wall = Arc::new(AtomicI64::new(0));
    if job["late"] == true {
        // Whoever came before it counts as gone.
        wall.store(200_000, Ordering::Relaxed);
    }
    let builder = Host::builder().config(config).audit(cuts.audit()).max_agents(1).wall_clock(wall);
    let host = cuts.stored(builder, &job["store"]).build().expect("a host");
    let manifest = format!(
        "name = \"bot\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"store:{}\"\noauth2 = {}\n",
        text("from"),
        text("oauth2")
    );
    let manifest = Manifest::parse("agent.toml", &manifest).expect("a manifest");
    let agent = host.agent(manifest, &strongroom_components::bytes("probe")).expect("an agent");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async {
        let ended = agent.resolve().await;
        host.shutdown().await;
        ended
    });
    match ended {
        Ok(_) => println!("ended well"),
        Err(error) => println!("ended {error}"),
    }
}
