//! A directory of a thousand agents of all kinds, and the API that they ask.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Agents that callers call: `/hook/0` and so on.
pub const HANDLERS: usize = 200;
/// Of the small components so many are made that differ; with the two large ones they are twenty.
const VARIANTS: usize = 18;
const STREAMING: usize = 333;
const FAILING: usize = 100;
const BY_THE_MINUTE: usize = 100;
const LARGE: usize = 8;
/// The rest of the thousand.
const EVERY_TEN_SECONDS: usize = 1_000 - HANDLERS - STREAMING - FAILING - BY_THE_MINUTE - LARGE;
/// What lets a run live on.
const LONG: &str =
    "[limits]\nwall = \"24h\"\ncpu = \"24h\"\nreceived = \"4GiB\"\nsent = \"4GiB\"\noutput = \"4GiB\"\nrecords = 1000000000\n";

/// An API: `/v1/…` has a price, `/stream` an event each second without end, `/never` isn't read.
pub fn api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let small = thread::Builder::new().stack_size(128 << 10);
            small.spawn(move || answer(stream)).expect("a thread");
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    while let Some(first) = lines.next() {
        if first.contains("/never") {
            loop {
                thread::park();
            }
        }
        // None has a body.
        lines.by_ref().find(String::is_empty);
        let answered = if first.contains("/stream") {
            events(&mut stream)
        } else {
            let body = r#"{"pair":"ETH-USD","price":"3120.50"}"#;
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        if answered.is_err() {
            return;
        }
    }
}

fn events(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")?;
    loop {
        stream.write_all(b"data: {\"pair\":\"ETH-USD\",\"price\":\"3120.50\"}\n\n")?;
        thread::sleep(Duration::from_secs(1));
    }
}

/// The directory `agents` in `dir`: a thousand agents of twenty components.
pub fn thousand(dir: &Path, port: u16) {
    std::fs::create_dir(dir.join("agents")).expect("a directory");
    let agents = Agents { dir, port };
    for (number, guest) in (0..VARIANTS as u64).zip(["probe", "looper", "webhook"].into_iter().cycle()) {
        agents.component(guest, number);
    }
    let component =
        |guest: usize, number: usize| format!("{}-{}", ["probe", "looper", "webhook"][guest], guest + 3 * (number % (VARIANTS / 3)));
    let (probe, webhook) = (|number| component(0, number), |number| component(2, number));
    for number in 0..STREAMING {
        let table = "restart = \"always\"\nbackoff = { from = \"1s\", to = \"10s\" }\n";
        agents.write(&format!("streams-{number}"), &probe(number), &[&format!("download GET http://127.0.0.1:{port}/stream")], table, "");
    }
    for number in 0..FAILING {
        let table = "restart = \"on failure\"\ngive_up = 1000\nbackoff = { from = \"5s\", to = \"30s\" }\n";
        agents.write(&format!("fails-{number}"), &probe(number), &printing(40, &["exit 1"]), table, "");
    }
    for number in 0..HANDLERS {
        let trigger = format!(
            "[trigger]\nhttp = \"/hook/{number}\"\nauth = {{ bearer = \"HOOK_TOKEN\" }}\n[secrets.HOOK_TOKEN]\nfrom = \"env:HOOK_TOKEN\"\n"
        );
        agents.write(&format!("handles-{number}"), &webhook(number), &[], "", &trigger);
    }
    let asks = format!("send GET http://127.0.0.1:{port}/v1/price h:authorization=Bearer+{{PRICE_API_KEY}}");
    for number in 0..BY_THE_MINUTE {
        agents.write(&format!("minutely-{number}"), &probe(number), &printing(100, &[&asks]), "", "[trigger]\ncron = \"* * * * *\"\n");
    }
    for number in 0..EVERY_TEN_SECONDS {
        agents.write(&format!("asks-{number}"), &probe(number), &printing(20, &[&asks]), "", "[trigger]\nevery = \"10s\"\n");
    }
    for (number, component) in large().into_iter().cycle().take(LARGE).enumerate() {
        std::fs::copy(&component, dir.join(component.file_name().expect("a file"))).expect("a component");
        let name = component.file_stem().expect("a file").to_string_lossy().into_owned();
        let url = format!("http://127.0.0.1:{port}/v1/price");
        agents.write(&format!("large-{number}"), &name, &[&url], "", "[trigger]\nevery = \"60s\"\n");
    }
}

/// So many lines, and then this: the host keeps the last 200 of each agent, and these are there after some runs.
fn printing<'a>(lines: usize, then: &[&'a str]) -> Vec<&'a str> {
    std::iter::repeat_n("print as it does each time, which is a line of some length", lines).chain(then.iter().copied()).collect()
}

/// Those made from JavaScript and Python.
fn large() -> [PathBuf; 2] {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/libraries/examples");
    ["price-js", "price-py"].map(|name| {
        let component = libraries.join(name).join(format!("{name}.wasm"));
        assert!(component.exists(), "{} is missing; `cargo test --workspace --test libraries examples` makes it", component.display());
        component
    })
}

/// Where agents are written.
pub struct Agents<'a> {
    pub dir: &'a Path,
    pub port: u16,
}

impl Agents<'_> {
    /// A guest, which differs from others by a section that nobody reads. Whole or not at all, as compilers write.
    pub fn component(&self, guest: &str, number: u64) {
        let new = self.dir.join("new.wasm");
        std::fs::write(&new, strongroom_tests::variant(guest, number)).expect("a file");
        std::fs::rename(new, self.dir.join(format!("{guest}-{}.wasm", number % 1_000))).expect("a component");
    }

    pub fn write(&self, name: &str, component: &str, arguments: &[&str], run: &str, trigger: &str) {
        let mut text = format!("name = \"{name}\"\ncomponent = \"../{component}.wasm\"\n[run]\nargs = {arguments:?}\n{run}{LONG}");
        if arguments.iter().any(|argument| argument.contains("http")) {
            let host = format!("http://127.0.0.1:{}", self.port);
            let _ = write!(
                text,
                "{trigger}[secrets.PRICE_API_KEY]\nexpose = \"env\"\nfrom = \"env:KEY\"\n[[secrets.PRICE_API_KEY.allow]]\nhost = \"{host}\"\npaths = [\"/v1/**\"]\n\
                 [[egress]]\nhost = \"{host}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/stream\", \"/never\"]\n"
            );
        } else {
            text.push_str(trigger);
        }
        std::fs::write(self.dir.join("agents").join(format!("{name}.toml")), text).expect("a manifest");
    }
}
