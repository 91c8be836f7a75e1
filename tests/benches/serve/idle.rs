//! Ten thousand agents that wait for their time.

use super::directory::Agents;
use super::served::Served;
use strongroom_tests::figures::{Figure, Figures};

const IDLE: usize = 10_000;

pub fn measure(figures: &mut Figures) {
    let few = resident(1);
    let many = resident(IDLE);
    let each = many.saturating_sub(few) as f64 / (IDLE - 1) as f64;
    let name = "an agent of 10,000 that waits for its time, resident";
    figures.add(Figure::at_most(name, each, "B", "a host with one, B", few as f64, 16.0 * 1024.0));
}

/// What a host with so many agents takes, whose times are once a year.
fn resident(count: usize) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("agents")).expect("a directory");
    let agents = Agents { dir: dir.path(), port: 1 };
    agents.component("probe", 1);
    for number in 0..count {
        let args = ["send GET http://127.0.0.1:1/v1/price"];
        agents.write(&format!("waits-{number}"), "probe-1", &args, "", "[trigger]\ncron = \"0 0 29 2 *\"\n");
    }
    Served::start(dir.path()).resident()
}
