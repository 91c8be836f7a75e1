//! A host that runs the probe once, through a store and an audit log with points at which it can be ended: the records of a request lie before
//! its call and behind its answer. It is told what to do by JSON:
//!
//! `{"store": as for the rotor, "manifest": TEXT, "values": {NAME: VALUE}, "address": ADDRESS, "ca": FILE, "operation": TEXT,
//! "at": POINT}`
//!
//! Every name is at the address. It prints each point, `step …` for each line that the agent prints, as it does, and in the end `ended …`.

use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use strongroom::{Host, Manifest, Resolve, RunOptions, StaticBackend};

struct To(SocketAddr);

#[async_trait::async_trait]
impl Resolve for To {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

/// The agent's output, told at once.
struct Told;

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| println!("step {line}"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn main(job: &Value) {
    let text = |name: &str| job[name].as_str().unwrap_or_default();

    let (cuts, config) = super::ended_host(job);
    let mut values = StaticBackend::new();
    for (name, value) in job["values"].as_object().expect("values") {
        values = values.with(name.clone(), value.as_str().expect("text"));
    }
    let builder = Host::builder().config(config).audit(cuts.audit()).max_agents(1).backend("static", values).default_backend("static");
    let builder = builder.resolver(To(text("address").parse().expect("an address")));
    let host = cuts.stored(builder, &job["store"]).build().expect("a host");
    let manifest = Manifest::parse("agent.toml", text("manifest")).expect("a manifest");
    let agent = host.agent(manifest, &strongroom_components::bytes("probe")).expect("an agent");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async {
        let ended = agent.run(RunOptions::default().args([text("operation").to_owned()]).stdout(Told)).await;
        host.shutdown().await;
        ended
    });
    match ended {
        Ok(_) => println!("ended well"),
        Err(error) => println!("ended {error}"),
    }
}
