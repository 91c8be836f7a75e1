//! Runs an agent that uses a secret, and searches the memory of its own process for what is left of the value: after the run, and after
//! the agent and the host are gone. The server, which is sent the value, is another process; the value is made here, and kept masked.
//!
//! Prints a line for each stage: `stage N copies: WHERE…`.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use strongroom::{Host, HostConfig, Manifest, Resolve, RunOptions, StaticBackend};
use strongroom_demo::server::{Server, respond};
use strongroom_tests::block_on;

/// As the binary's.
#[global_allocator]
static MEMORY: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// What the value is kept under, so that the search finds no copy of its own.
const MASK: u8 = 0x5a;

struct To(std::net::SocketAddr);

#[async_trait::async_trait]
impl Resolve for To {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(vec![self.0])
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        serve();
    } else {
        search();
    }
}

/// Echoes what it is sent, until its stdin is closed.
fn serve() {
    block_on(async {
        let echo = |seen: &strongroom_demo::server::Seen| respond(200, "text/plain", format!("you sent {:?}", seen.headers));
        let server = Server::https(&["api.test"], echo).await.expect("a server");
        println!("{}", server.address);
        println!("{}", server.ca.replace('\n', "|"));
        tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await.expect("waited").expect("read");
    });
}

fn search() {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    let mut child = child.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    let (address, ca) = (line().parse().expect("an address"), line().replace('|', "\n"));

    let masked: Vec<u8> = {
        let mut bytes = [0u8; 40];
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
        bytes.iter().map(|byte| b"0123456789abcdefghijklmnopqrstuv"[usize::from(byte & 31)] ^ MASK).collect()
    };
    let dir = tempfile::tempdir().expect("a directory");
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, ca).expect("written");
    let config = HostConfig::default().with(|new| {
        new.network_allow = vec!["127.0.0.1/32".parse().expect("a network")];
        new.network_ca = vec![ca_file];
        new.audit_file = Some(dir.path().join("audit.jsonl"));
        new.state_dir = Some(dir.path().join("state"));
    });
    let backend = StaticBackend::new().with("KEY", masked.iter().map(|byte| byte ^ MASK).collect::<Vec<u8>>());
    let host = Host::builder().config(config).max_agents(2).backend("static", backend).default_backend("static").resolver(To(address));
    let host = host.build().expect("a host");
    let grant = "[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]";
    let manifest = Manifest::parse("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{grant}")).expect("a manifest");
    let agent = host.agent(manifest, &strongroom_components::bytes("probe")).expect("an agent");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = RunOptions::default().args(["repeat 20 GET https://api.test/x h:authorization=Bearer+{KEY}".to_owned()]);
    let outcome = runtime.block_on(agent.run(options.stdout(strongroom::Captured::default()))).expect("a run");
    assert_eq!(outcome.usage.requests, 20, "{:?}", outcome.end);

    report("after the run", &masked);
    drop(agent);
    drop(host);
    drop(runtime);
    report("after the host", &masked);
    drop(child.stdin.take());
    let _ = child.wait();
}

/// Searches all memory of this process that can be written to.
fn report(stage: &str, masked: &[u8]) {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the maps");
    let mut memory = std::fs::File::open("/proc/self/mem").expect("the memory");
    let mut found = Vec::new();
    let mut searched = 0usize;
    for map in maps.lines().filter(|map| map.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (range, name) = (map.split(' ').next().unwrap_or_default(), map.split(' ').next_back().unwrap_or_default());
        let Some((start, end)) = range.split_once('-') else { continue };
        let parse = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let (mut at, end) = (parse(start), parse(end));
        let mut piece = vec![0; 1 << 20];
        while at < end {
            let length = piece.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            if memory.seek(SeekFrom::Start(at)).is_err() || memory.read_exact(&mut piece[..length]).is_err() {
                break;
            }
            searched += length;
            // The pieces themselves are masked at once: they are this process's memory too.
            piece[..length].iter_mut().for_each(|byte| *byte ^= MASK);
            let hits = memchr::memmem::find_iter(&piece[..length], masked).map(|hit| at + hit as u64).collect::<Vec<u64>>();
            // Not the mask's own list, which is the needle unmasked.
            found.extend(hits.iter().map(|_| if name.starts_with('[') { name.to_owned() } else { "mapped".to_owned() }));
            piece[..length].fill(0);
            at += length as u64;
        }
    }
    assert!(searched > 1 << 20, "memory was searched");
    println!("{stage}: {} copies {found:?}", found.len());
    let _ = std::io::stdout().flush();
}
