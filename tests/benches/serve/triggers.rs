//! Runs for callers, against `wasmtime serve` with the same component and an instance for each request.
//!
//! Both are processes, asked by turns by the same callers. The host verifies a bearer's token, writes its records, and searches request and
//! response. The other program is of the same major version as the host's wasmtime.

use super::served::{Caller, Served};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use strongroom_tests::figures::{Figure, Figures, median, paired};
use strongroom_tests::services::wasmtime;

/// Callers at once, and requests of each in one round.
const CALLERS: usize = 8;
const REQUESTS: usize = 250;
/// Rounds of each, by turns.
const ROUNDS: usize = 15;
/// Least speed, by that of `wasmtime serve`.
const LEAST: f64 = 0.9;

fn strongroom(dir: &Path) -> Served {
    std::fs::create_dir(dir.join("agents")).expect("a directory");
    let component = strongroom_components::path("webhook");
    let manifest = format!(
        "name = \"webhook\"\ncomponent = \"{}\"\n[trigger]\nhttp = \"/hook\"\nauth = {{ bearer = \"HOOK_TOKEN\" }}\nrate = \"1000000/s\"\n[run]\nconcurrency = 64\n\
         [secrets.HOOK_TOKEN]\nfrom = \"env:HOOK_TOKEN\"\n",
        component.display()
    );
    std::fs::write(dir.join("agents/webhook.toml"), manifest).expect("a file");
    Served::start(dir)
}

fn bare(dir: &Path) -> Served {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut command = Command::new(wasmtime());
    command.args(["serve", "-Scli", "--max-instance-reuse-count", "1", "--addr", &address]).arg(strongroom_components::path("webhook"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while TcpStream::connect(&address).is_err() {
        std::thread::yield_now();
    }
    Served { child, address, dir: dir.to_owned() }
}

/// Requests in a second.
fn round(served: &Served) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut caller = Caller::new(&served.address);
                for _ in 0..REQUESTS {
                    caller.call("/hook");
                }
            });
        }
    });
    (CALLERS * REQUESTS) as f64 / began.elapsed().as_secs_f64()
}

pub fn measure(figures: &mut Figures) {
    let dir = tempfile::tempdir().expect("a directory");
    let (ours, theirs) = (strongroom(dir.path()), bare(dir.path()));
    let (mut host, mut bare) = (Vec::new(), Vec::new());
    for at in 0..=ROUNDS {
        let (one, other) = (round(&ours), round(&theirs));
        // The first warms up.
        if at > 0 {
            host.push(one);
            bare.push(other);
        }
    }
    eprintln!("requests in a second: {:.0}, and {:.0} by `wasmtime serve`", median(&host), median(&bare));
    let name = "requests in a second, verified, recorded and searched";
    figures.add(Figure::at_least(name, paired(&host, &bare), "x", "wasmtime serve, an instance each", median(&bare), LEAST));
}
