//! Runs for callers, against `wasmtime serve` with the same component and an instance for each request. `cargo bench --bench serve`.
//!
//! Both are processes, asked by turns by the same callers. The host verifies a bearer's token, writes its records, and searches request and
//! response. `WASMTIME` names the other program, of the same major version as the host's wasmtime. Prints a table and writes
//! `target/figures/serve.json`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use strongroom_tests::figures::{Figure, Figures, median, paired};

/// Callers at once, and requests of each in one round.
const CALLERS: usize = 8;
const REQUESTS: usize = 250;
/// Rounds of each, by turns.
const ROUNDS: usize = 15;
/// Least speed, by that of `wasmtime serve`.
const LEAST: f64 = 0.9;
const TOKEN: &str = "caller-token-0123456789abcdefghij";

/// A program that serves.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn strongroom(dir: &std::path::Path) -> Served {
    std::fs::create_dir(dir.join("agents")).expect("a directory");
    let component = strongroom_components::path("webhook");
    let manifest = format!(
        "name = \"webhook\"\ncomponent = \"{}\"\n[trigger]\nhttp = \"/hook\"\nauth = {{ bearer = \"HOOK_TOKEN\" }}\n[run]\nconcurrency = 64\n\
         [secrets.HOOK_TOKEN]\nfrom = \"env:HOOK_TOKEN\"\n",
        component.display()
    );
    std::fs::write(dir.join("agents/webhook.toml"), manifest).expect("a file");
    std::fs::write(dir.join("strongroom.toml"), "[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
    command.args(["serve", "agents", "--config", "strongroom.toml", "--listen", "0"]).current_dir(dir);
    let mut child = command.env("HOOK_TOKEN", TOKEN).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("reach the agents at http://")?.1.to_owned())).expect("it listens");
    std::thread::spawn(move || lines.for_each(drop));
    Served { child, address }
}

fn wasmtime(program: &str) -> Served {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let mut command = Command::new(program);
    command.args(["serve", "-Scli", "--max-instance-reuse-count", "1", "--addr", &address]).arg(strongroom_components::path("webhook"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("`WASMTIME` names a program");
    while TcpStream::connect(&address).is_err() {
        std::thread::yield_now();
    }
    Served { child, address }
}

/// Sends requests over one connection, each after the answer to the one before.
fn call(address: &str, count: usize) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let request = format!(
        "POST /hook HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 14\r\n\r\n{{\"id\":\"evt_1\"}}"
    );
    let mut buffer = [0; 4096];
    for _ in 0..count {
        stream.write_all(request.as_bytes()).expect("it is written");
        let mut answer = Vec::new();
        // The last chunk, or all of a body whose length was said.
        while !(answer.ends_with(b"0\r\n\r\n") || answer.ends_with(b"\r\n\r\nan event of 14 bytes\n")) {
            match stream.read(&mut buffer).expect("an answer") {
                0 => panic!("it was cut short: {}", String::from_utf8_lossy(&answer)),
                read => answer.extend_from_slice(&buffer[..read]),
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
}

/// Requests in a second.
fn round(served: &Served) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| call(&served.address, REQUESTS));
        }
    });
    (CALLERS * REQUESTS) as f64 / began.elapsed().as_secs_f64()
}

fn main() {
    let Ok(program) = std::env::var("WASMTIME") else {
        println!("nothing to compare with: `WASMTIME` names the program `wasmtime`, of the major version that the host is built on");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let (ours, theirs) = (strongroom(dir.path()), wasmtime(&program));
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
    let mut figures = Figures::new("serve");
    let name = "requests in a second, verified, recorded and searched";
    figures.add(Figure::at_least(name, paired(&host, &bare), "x", "wasmtime serve, an instance each", median(&bare), LEAST));
    figures.finish(true);
}
