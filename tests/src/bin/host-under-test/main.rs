//! Hosts that the suites end at some point: what each does, its first argument says, and with what, JSON in the second.

mod keeper;
mod refresher;
mod rotor;

use serde_json::Value;
use strongroom::HostConfig;
use strongroom_tests::cuts::{Cuts, End};
use strongroom_tests::state_dir;

/// What a host is ended by, and its configuration, as its job has them.
fn ended_host(job: &Value) -> (Cuts, HostConfig) {
    let cuts = Cuts::new(job["at"].as_u64().map(|at| (usize::try_from(at).expect("small"), End::Kill)));
    let mut config = HostConfig::default();
    config.network_allow = vec!["127.0.0.1/32".parse().expect("a network")];
    config.network_ca = vec![job["ca"].as_str().unwrap_or_default().into()];
    config.state_dir = Some(state_dir());
    (cuts, config)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (does, job) = (arguments.next().expect("what it does"), arguments.next().expect("a job"));
    let job = serde_json::from_str(&job).expect("JSON");
    match does.as_str() {
        "keeper" => keeper::main(&job),
        "refresher" => refresher::main(&job),
        "rotor" => rotor::main(&job),
        other => panic!("there is no {other}"),
    }
}
