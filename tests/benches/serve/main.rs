//! Many agents on one host. `cargo bench --bench serve`.
//!
//! Needs nothing else on the machine; the large components of the part `agents` are those that `cargo test --workspace --test libraries
//! examples` makes. Prints a table and writes `target/figures/serve.json`. All parts take about an hour, half of it the part `agents`, whose
//! minutes are `STRONGROOM_MINUTES` (30).

#[path = "../run/bare.rs"]
#[expect(dead_code, reason = "the benchmark `run` uses the rest")]
mod bare;
#[path = "../run/server.rs"]
#[expect(dead_code, reason = "the benchmark `run` uses the rest")]
mod server;

mod agents;
mod directory;
mod idle;
mod kill;
mod lanes;
mod neighbours;
mod served;
mod triggers;

use strongroom_tests::figures::{Part, measure};

/// What the agents' API takes; any value does.
const KEY: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";

/// The parts, by the names that select them: `cargo bench --bench serve -- lanes`.
const PARTS: [(&str, Part); 6] = [
    ("triggers", triggers::measure),
    ("lanes", lanes::measure),
    ("kill", kill::measure),
    ("idle", idle::measure),
    ("neighbours", neighbours::measure),
    ("agents", agents::measure),
];

fn main() {
    measure("serve", &PARTS);
}
