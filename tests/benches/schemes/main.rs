//! What a scheme adds to a request, against the plain bearer path, in this process. `cargo bench --bench schemes`.
//!
//! The same guest sends the same requests to the same server, once with a bearer token and once with the scheme, by turns. What is told is what
//! a request takes longer. Prints a table and writes `target/figures/schemes.json`.

#[path = "../run/server.rs"]
#[expect(dead_code, reason = "this one speaks no TLS, and asks for no key")]
mod server;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Instant;
use strongroom::audit::{AuditSink, Event, Record};
use strongroom::{Agent, End, FileAudit, Host, HostConfig, Manifest, Resolve, RunOptions, StaticBackend};
use strongroom_tests::figures::{Figure, Figures, median};
use strongroom_tests::token_endpoint::{Answer, TokenEndpoint};
use tokio::runtime::Runtime;

/// Requests in one loop, and repetitions of it, by turns with the bearer path.
const REQUESTS: usize = 2_000;
const LONG_REQUESTS: usize = 60;
const REPETITIONS: usize = 15;
/// Bytes of a long body: the longest that is signed whole.
const LONG: usize = 1 << 20;
const KEY: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";
const AWS_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// The scheme whose tokens are made for each request, and characters of such a token.
const JWT: &str = "from = \"PEM\"\njwt = { preset = \"coinbase-cdp\", key_id = \"organizations/o/apiKeys/k\" }";
const TOKEN: usize = 382;
/// Characters of the header that a signature of AWS stands in, and a bearer token that makes it as long.
const SIGNED: usize = 211;
const AS_LONG: &str = "from = \"AS_LONG\"\nplaceholder = \"{base62:204}\"";
/// The agents' name, and that of the one for whose requests a bare signature is made.
const LOOPER: &str = "looper";
const SIGNER: &str = "signer";
/// Most microseconds that a signature of a request may add, and those that a token may which the host has already.
const MOST: f64 = 25.0;
const MOST_OF_A_TOKEN: f64 = 2.0;
/// Least speed of a long body's hash in a request, by that of the bare hash.
const LEAST_OF_BARE: f64 = 0.8;

struct Loopback;

#[async_trait::async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(vec![([127, 0, 0, 1], port).into()])
    }
}

/// The audit log; and for each request of one agent, a bare signature of ES256. So it is made where the host makes one, with the caches as a
/// request leaves them: there it takes longer than in a loop.
struct Signing {
    audit: FileAudit,
    bare: Bare,
}

impl AuditSink for Signing {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        let signs = |record: &&Record<'_>| record.agent == SIGNER && matches!(record.event, Event::Egress { .. });
        records.iter().filter(signs).for_each(|_| self.bare.sign());
        self.audit.record(records)
    }
}

/// A key of ES256, and nothing around it.
struct Bare {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Bare {
    fn new() -> Self {
        use base64::Engine;
        let body: String = pem().lines().filter(|line| !line.starts_with("-----")).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).expect("base64");
        let random = SystemRandom::new();
        Self { key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).expect("a key"), random }
    }

    fn sign(&self) {
        let text = [b'x'; TOKEN];
        black_box(self.key.sign(&self.random, black_box(&text)).expect("a signature"));
    }
}

/// What one agent's request takes longer than another's, in microseconds.
struct Added {
    /// The median over the pairs.
    more: f64,
    /// How far half of the pairs are off it.
    noise: f64,
    /// What the other one takes.
    of: f64,
}

/// One server, one host, and the agents that are compared.
struct Bench {
    server: server::Server,
    endpoint: TokenEndpoint,
    host: Host,
    runtime: Runtime,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let endpoint = TokenEndpoint::start([Answer::token(KEY, 24 * 60 * 60, None)]);
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, &endpoint.ca).expect("a file");
        let config = HostConfig::default().with(|new| {
            new.network_allow = vec!["127.0.0.1/32".parse().expect("a network")];
            new.network_ca = vec![ca];
        });
        let backend = StaticBackend::new().with("KEY", KEY).with("PEM", pem()).with("AWS_ID", AWS_ID);
        let backend = backend.with("LONG", long(TOKEN)).with("AS_LONG", long(SIGNED - "Bearer ".len()));
        let audit = FileAudit::open(&dir.path().join("audit.jsonl")).expect("a file");
        let host = Host::builder().config(config).backend("static", backend).default_backend("static").resolver(Loopback);
        let host = host.without_state().max_agents(16).audit(Signing { audit, bare: Bare::new() }).build().expect("a host");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { server: server::Server::start(false), endpoint, host, runtime, _dir: dir }
    }

    fn url(&self) -> String {
        format!("http://localhost:{}/price", self.server.port)
    }

    /// An agent with these lines of its secret, and of the secret's grant.
    fn agent(&self, secret: &str, grant: &str) -> Agent {
        self.agent_at(self.server.port, LOOPER, secret, grant)
    }

    fn agent_at(&self, port: u16, name: &str, secret: &str, grant: &str) -> Agent {
        let manifest = format!(
            "name = \"{name}\"\ncomponent = \"looper.wasm\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\n\
             [secrets.AWS_ID]\nexpose = \"env\"\n[secrets.KEY]\nexpose = \"env\"\n{secret}\n[[secrets.KEY.allow]]\nhost = \"http://localhost:{}\"\n\
             methods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\nrate = \"100000000/min\"\n{grant}\n",
            port
        );
        let manifest = Manifest::parse("agent.toml", &manifest).expect("a valid manifest");
        self.host.agent(manifest, &strongroom_components::bytes("looper")).expect("a component that loads")
    }

    /// Characters of the credential's header in a request that such an agent sends.
    fn length(&self, secret: &str, grant: &str, before: &[&str], after: &[&str]) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let asked = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(&stream).lines().map(|line| line.expect("a line")).take_while(|line| !line.is_empty());
            let length = lines.filter_map(|line| Some(line.strip_prefix("authorization: ")?.len())).sum();
            (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("an answer");
            length
        });
        let url = format!("http://localhost:{port}/price");
        let args = [before, &[url.as_str(), "1"], after].concat().into_iter().map(str::to_owned);
        let ran = self.runtime.block_on(self.agent_at(port, LOOPER, secret, grant).run(RunOptions::default().args(args)));
        assert_eq!(ran.expect("a run").end, End::Exit(0));
        asked.join().expect("a request")
    }

    /// Microseconds a request of each of two agents, by turns.
    fn by_turns(&self, requests: usize, agents: [(&Agent, &[&str]); 2]) -> [Vec<f64>; 2] {
        let mut taken = [Vec::new(), Vec::new()];
        for round in 0..=REPETITIONS {
            for (times, (agent, args)) in taken.iter_mut().zip(agents) {
                let start = Instant::now();
                let ran = self.runtime.block_on(agent.run(
                    RunOptions::default().stdout(std::io::sink()).stderr(std::io::sink()).args(args.iter().map(|arg| (*arg).to_owned())),
                ));
                let took = start.elapsed().as_secs_f64() * 1e6 / requests as f64;
                assert_eq!(ran.expect("a run").end, End::Exit(0), "{args:?}");
                // The first round warms up.
                if round > 0 {
                    times.push(took);
                }
            }
        }
        taken
    }

    /// What the second takes longer than the first.
    fn added(&self, requests: usize, agents: [(&Agent, &[&str]); 2]) -> Added {
        let [plain, scheme] = self.by_turns(requests, agents);
        let apart: Vec<f64> = plain.iter().zip(&scheme).map(|(plain, scheme)| scheme - plain).collect();
        let more = median(&apart);
        let off: Vec<f64> = apart.iter().map(|apart| (apart - more).abs()).collect();
        Added { more, noise: median(&off), of: median(&plain) }
    }
}

fn main() {
    let mut figures = Figures::new("schemes");
    let bench = Bench::new();
    let (url, count) = (bench.url(), REQUESTS.to_string());
    let attached = bench.agent("", "attach = true");
    let plain: [&str; 5] = ["attached", "POST", &url, &count, "64"];

    let hmac = bench.agent("hmac = { preset = \"okx\" }", "attach = true");
    let short = bench.added(REQUESTS, [(&attached, &plain), (&hmac, &plain)]);
    figures.add(Figure::at_most("hmac, a request with 64 bytes", short.more, "µs more", "bearer path, µs a request", short.of, MOST));

    let table = format!("oauth2 = {{ grant = \"client_credentials\", token_url = \"{}\", client_id = \"bot\" }}", bench.endpoint.url);
    let oauth2 = bench.agent(&table, "attach = true");
    let Added { more, of, .. } = bench.added(REQUESTS, [(&attached, &plain), (&oauth2, &plain)]);
    figures.add(Figure::at_most("oauth2, a token at hand", more, "µs more", "bearer path, µs a request", of, MOST_OF_A_TOKEN));

    // Both against a bearer token of the same length: what is told is what making one takes, not what a long header does.
    let value = "from = \"LONG\"";
    let length = |secret| bench.length(secret, "attach = true", &["attached", "POST"], &["0"]) - "Bearer ".len();
    assert_eq!([length(JWT), length(value)], [TOKEN; 2], "a token is as long as the value it is compared with");
    let (long, jwt) = (bench.agent(value, "attach = true"), bench.agent(JWT, "attach = true"));
    let signer = bench.agent_at(bench.server.port, SIGNER, value, "attach = true");
    let Added { more: bare, .. } = bench.added(REQUESTS, [(&long, &plain), (&signer, &plain)]);
    let Added { more, .. } = bench.added(REQUESTS, [(&long, &plain), (&jwt, &plain)]);
    let against = "a bare ES256 signature in a request, µs";
    figures.add(Figure::at_most("jwt, the making of a token for each request", more / bare, "×", against, bare, 1.2));
    let alone = Bare::new();
    let looped = timed(|| alone.sign());
    let against = "a bare ES256 signature in a loop, µs";
    figures.add(Figure::at_most("jwt, the same against a signature with its caches to itself", more / looped, "×", against, looped, 1.2));

    // The same headers, with a bearer token in the place of the signature: one that is as long, so that what is told is what the scheme does; and
    // a short one, which has the guest's own longer header told with it.
    let scheme = "sigv4 = { access_key_id = \"AWS_ID\" }";
    let length = |secret, how| bench.length(secret, "", &["aws"], &[how]);
    assert_eq!([length(scheme, "signed"), length(AS_LONG, "bearer")], [SIGNED; 2], "a bearer token is as long as a signature");
    let (bearer, as_long, aws) = (bench.agent("", ""), bench.agent(AS_LONG, ""), bench.agent(scheme, ""));
    let (with_bearer, signed) = (["aws", &url, &count, "bearer"], ["aws", &url, &count, "signed"]);
    let Added { more, of, .. } = bench.added(REQUESTS, [(&as_long, &with_bearer), (&aws, &signed)]);
    figures.add(Figure::at_most("sigv4, a request", more, "µs more", "bearer path, a token as long, µs a request", of, MOST));
    let Added { more, of, .. } = bench.added(REQUESTS, [(&bearer, &with_bearer), (&aws, &signed)]);
    figures.add(Figure::at_most("sigv4, the same against a short token", more, "µs more", "bearer path, µs a request", of, MOST));

    let (long, count) = (LONG.to_string(), LONG_REQUESTS.to_string());
    let plain: [&str; 5] = ["attached", "POST", &url, &count, &long];
    let long = bench.added(LONG_REQUESTS, [(&attached, &plain), (&hmac, &plain)]);
    let bare = hash();
    let most = MOST + bare / LEAST_OF_BARE;
    figures.add(Figure::at_most("hmac, a request with 1 MiB", long.more, "µs more", "bearer path, µs a request", long.of, most));
    // The signature needs the body whole before the head leaves, so its hash is in what is added, and so is all that the body's length adds
    // otherwise. The bearer path does other things with a body as it flows, so that may be less than the hash, or nothing: what is told then
    // is at most what the noise would hide.
    let by_length = (long.more - short.more).max(long.noise);
    let name = "hmac, hashing of 1 MiB (against what its length adds)";
    figures.add(Figure::at_least(name, bare / by_length, "ratio", "bare SHA-256, µs", bare, LEAST_OF_BARE));
    figures.finish(true);
}

/// A value that is as long as a token.
fn long(characters: usize) -> String {
    KEY.chars().cycle().take(characters).collect()
}

fn pem() -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("field/jwt/apple-p8-control.pem");
    std::fs::read_to_string(file).expect("a key")
}

/// Microseconds of SHA-256 over a long body.
fn hash() -> f64 {
    let body = vec![b'x'; LONG];
    timed(|| {
        black_box(Sha256::digest(black_box(&body)));
    })
}

fn timed(work: impl Fn()) -> f64 {
    let times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            (0..100).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e6 / 100.0
        })
        .collect();
    median(&times)
}
