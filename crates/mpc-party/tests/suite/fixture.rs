//! A wallet of three parties: their directories, their processes, the network between them, and a host that asks.

use crate::links::{Relay, Weather};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use strongroom_ethereum::transaction::{Kind, Market, Transaction};
use strongroom_ground::text::{hex, unhex};
use strongroom_mpc::link::{Greeting, Link, LinkError};
use strongroom_mpc::says::{Answer, Failure, FailureKind, Question, Request, Signed, What};
use strongroom_mpc::{Card, Identity};
use strongroom_mpc_party::sealed::Vault;
use strongroom_mpc_party::trio::Trio;
use tempfile::TempDir;
use tokio::sync::watch;

/// The parties' names; which of them is which index, their fingerprints say.
pub const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// The key that each fixture has.
pub const KEY: &str = "treasury";
/// The one whom the agent may pay.
pub const RECIPIENT: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// How long something that has to happen may take, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// 1 ETH in wei.
pub const ETH: u128 = 1_000_000_000_000_000_000;

/// Three parties and a host.
pub struct Wallet {
    /// Their processes, by the order of [`NAMES`]; none where one is down.
    pub parties: [Option<Process>; 3],
    /// Where each keeps what it has.
    pub directories: [PathBuf; 3],
    /// The way from one to another, `[from][to]`.
    pub relays: [[Option<Relay>; 3]; 3],
    /// The host.
    pub host: Identity,
    /// The parties' cards.
    pub cards: [Card; 3],
    _home: TempDir,
}

/// A party that runs.
pub struct Process {
    child: Child,
    listener: Option<std::thread::JoinHandle<()>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it has said.
    said: Arc<Mutex<Vec<String>>>,
    /// How many halves of signatures it has made.
    halves: watch::Receiver<u64>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Kills it (SIGKILL), and waits until it is gone. Gives all that it has said.
    pub fn kill(mut self) -> Vec<String> {
        self.strike();
        self.child.wait().expect("it is gone");
        self.listener.take().expect("a thread").join().expect("it has listened");
        std::mem::take(&mut self.said.lock().expect("the lines"))
    }

    /// Kills it, and waits for nothing.
    pub fn strike(&mut self) {
        self.child.kill().expect("it is killed");
    }

    /// Its number, for whoever looks into its memory.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Directories in which the ceremony has been, with a key: made once, copied for each wallet.
struct Made {
    home: TempDir,
    /// The key's public half.
    public: String,
    #[allow(dead_code, reason = "the suites measure nothing")]
    took: Duration,
}

/// How long the ceremony has taken, where it has been: for the benchmark.
#[allow(dead_code, reason = "the suites measure nothing")]
pub fn ceremony() -> Option<Duration> {
    MADE.get().map(|made| made.took)
}

static MADE: OnceLock<Made> = OnceLock::new();

/// Puts the three parties' directories, where a key has been made, into another one, with the host's identity and the key's address.
#[allow(dead_code, reason = "for the tests of hosts")]
pub async fn put(home: &Path) {
    let made = Made::new().await;
    copy(made.home.path(), home);
    let key = VerifyingKey::from_sec1_bytes(&unhex(&made.public).expect("digits")).expect("a point");
    fs::write(home.join("address"), strongroom_ethereum::signature::address_of(&key).to_string()).expect("the address");
}

/// What the parties' operators let the agent do.
pub fn manifest(day: &str) -> String {
    format!(
        "name = \"payer\"\ncomponent = \"payer.wasm\"\n\n[signers.pay]\nfrom = \"mpc:{KEY}\"\nchains = [31337]\nrecipients = [\"{RECIPIENT}\"]\nmax_value = \"1\"\nmax_fee = \"0.01\"\nrate = \"6000/min\"\n\n[[signers.pay.limit]]\nasset = \"ETH\"\nchain = 31337\nday = \"{day}\"\n"
    )
}

impl Wallet {
    /// A wallet whose agent may spend so much a day, in ETH.
    pub async fn open(day: &str) -> Self {
        let made = match MADE.get() {
            Some(made) => made,
            None => {
                static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
                let _one = ONE.lock().await;
                if MADE.get().is_none() {
                    let _ = MADE.set(Made::new().await);
                }
                MADE.get().expect("it has just been made")
            }
        };
        let mut wallet = Self::of(Some(made.home.path()), day).await;
        for party in 0..3 {
            wallet.start(party);
        }
        wallet.reachable().await;
        wallet
    }

    /// Starts a party again with one of its files changed.
    pub fn amend(&mut self, party: usize, file: &str, change: impl FnOnce(String) -> String) {
        self.kill(party);
        self.write(party, file, change);
        self.start(party);
    }

    /// Changes one of a party's files.
    pub fn write(&self, party: usize, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.directories[party].join(file);
        let text = fs::read_to_string(&path).expect("a text");
        fs::write(path, change(text)).expect("it is written");
    }

    /// Directories, as `init` makes them or as they are somewhere.
    async fn of(made: Option<&Path>, day: &str) -> Self {
        let home = TempDir::new().expect("a directory");
        let mut relays: [[Option<Relay>; 3]; 3] = Default::default();
        for (from, relays) in relays.iter_mut().enumerate() {
            for (_, relay) in relays.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                *relay = Some(Relay::open().await);
            }
        }
        let directories = NAMES.map(|name| home.path().join(name));
        match made {
            Some(made) => copy(made, home.path()),
            None => begin(home.path(), &directories),
        }
        for (party, directory) in directories.iter().enumerate() {
            let others: Vec<_> = (0..3).filter(|other| *other != party).collect();
            let address = |to: usize| relays[party][to].as_ref().expect("another").address;
            let text = format!(
                "state = \"state\"\nparties = [\"{a}.toml\", \"{b}.toml\"]\nhosts = [\"host.toml\"]\nagents = [\"agent.toml\"]\nunlock = \"unlock.txt\"\nlisten = \"127.0.0.1:0\"\npresignatures = 2\n\n[addresses]\n{a} = \"{at_a}\"\n{b} = \"{at_b}\"\n",
                a = NAMES[others[0]],
                b = NAMES[others[1]],
                at_a = address(others[0]),
                at_b = address(others[1]),
            );
            fs::write(directory.join("party.toml"), text).expect("a configuration");
            fs::write(directory.join("agent.toml"), manifest(day)).expect("a manifest");
        }
        let card = |path: PathBuf| toml::from_str::<Card>(&fs::read_to_string(path).expect("a card")).expect("a card");
        let host = Identity::kept(card(home.path().join("host.toml")), &fs::read_to_string(home.path().join("host.pem")).expect("a key"));
        let cards = [0, 1, 2].map(|party| card(directories[party].join("state/card.toml")));
        Self { parties: Default::default(), directories, relays, host: host.expect("an identity"), cards, _home: home }
    }

    /// Starts a party, and leads its relays to it.
    pub fn start(&mut self, party: usize) {
        self.start_as(party, env!("CARGO_BIN_EXE_strongroom-mpc-party"));
    }

    /// The same with another program.
    pub fn start_as(&mut self, party: usize, program: &str) {
        let mut child = Command::new(program)
            .args(["run", "--config"])
            .arg(self.directories[party].join("party.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the party starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (listens, listening) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("its output"));
        let kept = Arc::clone(&said);
        let (made, halves) = watch::channel(0);
        let listener = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listens on ") {
                    let _ = listens.send(address.trim().parse::<SocketAddr>());
                }
                let is_half = line.contains("a half for");
                kept.lock().expect("the lines").push(line);
                if is_half {
                    made.send_modify(|made| *made += 1);
                }
            }
        });
        let address = listening.recv_timeout(PATIENCE);
        let Ok(Ok(address)) = address else { panic!("the party does not listen: {:?}", said.lock().expect("the lines")) };
        self.lead_to(party, address);
        self.parties[party] = Some(Process { child, listener: Some(listener), address, said, halves });
    }

    /// Leads all relays to a party there.
    pub fn lead_to(&self, party: usize, address: SocketAddr) {
        for from in (0..3).filter(|from| *from != party) {
            self.relays[from][party].as_ref().expect("another").lead_to(address);
        }
    }

    /// Kills a party. Gives all that it has said.
    pub fn kill(&mut self, party: usize) -> Vec<String> {
        self.parties[party].take().expect("it runs").kill()
    }

    /// Which party makes the next half of a signature, once one does.
    pub async fn half(&self) -> usize {
        let waits = self.parties.iter().enumerate().filter_map(|(party, process)| {
            let mut halves = process.as_ref()?.halves.clone();
            halves.mark_unchanged();
            Some(Box::pin(async move { halves.changed().await.map(|()| party) }))
        });
        let (made, ..) = futures_util::future::select_ok(waits).await.expect("a party runs");
        made
    }

    /// What is done to all between two parties, in both directions.
    pub fn between(&self, one: usize, other: usize, weather: Weather) {
        for (from, to) in [(one, other), (other, one)] {
            self.relays[from][to].as_ref().expect("another").becomes(weather);
        }
    }

    /// A connection of the host's with a party.
    pub async fn link(&self, party: usize) -> Result<Link, LinkError> {
        let address = self.parties[party].as_ref().expect("it runs").address;
        Link::open(&self.host, &self.cards[party], Some(address), Greeting::now("host", "")).await
    }

    /// Asks a party as the host does.
    pub async fn ask(&self, party: usize, question: &Question) -> Result<Answer, LinkError> {
        self.link(party).await?.ask(question).await
    }

    /// Has a request signed, led by a party.
    pub async fn sign(&self, party: usize, request: Request) -> Result<Signed, Failure> {
        match self.ask(party, &Question::Sign(Box::new(request))).await {
            Ok(Answer::Signed(signed)) => Ok(signed),
            Ok(Answer::Failed(failure)) => Err(failure),
            Ok(other) => panic!("it answers {other:?}"),
            Err(error) => Err(Failure::of(FailureKind::Unavailable, NAMES[party], error.to_string())),
        }
    }

    /// Waits until no party takes another for out of reach.
    pub async fn reachable(&self) {
        for (one, other) in [(0, 1), (1, 2), (2, 0)] {
            self.reach_each_other(one, other).await;
        }
    }

    /// Waits until neither of two parties takes the other for out of reach.
    pub async fn reach_each_other(&self, one: usize, other: usize) {
        let until = tokio::time::Instant::now() + PATIENCE;
        for (from, to) in [(one, other), (other, one)] {
            loop {
                let Ok(Answer::Status(status)) = self.ask(from, &Question::Status).await else { panic!("it does not say how it is") };
                if status.peers.iter().all(|(name, away)| name != NAMES[to] || away.is_none()) {
                    break;
                }
                assert!(tokio::time::Instant::now() < until, "{status:?}");
            }
        }
    }

    /// Waits until a party keeps so many presignatures with the two others, and never finds more.
    #[allow(dead_code, reason = "the benchmark waits in its own way")]
    pub async fn has_presignatures(&self, party: usize, wanted: [usize; 2]) {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let Ok(Answer::Status(status)) = self.ask(party, &Question::Status).await else { panic!("it does not say how it is") };
            let kept: Vec<_> = status.presignatures.iter().map(|(.., count)| *count).collect();
            if kept == wanted {
                return;
            }
            assert!(kept.iter().zip(&wanted).all(|(kept, wanted)| kept <= wanted), "{kept:?} are more than {wanted:?}");
            assert!(tokio::time::Instant::now() < until, "{status:?}");
        }
    }

    /// The key's public half.
    pub async fn key(&self) -> VerifyingKey {
        let answer = self.ask(0, &Question::Key { key: KEY.to_owned() }).await.expect("an answer");
        let Answer::Key(info) = answer else { panic!("there is no key: {answer:?}") };
        VerifyingKey::from_sec1_bytes(&unhex(&info.public).expect("digits")).expect("a point")
    }

    /// The three, as a party knows them.
    #[allow(dead_code, reason = "the benchmark attacks nobody")]
    pub fn trio(&self, party: usize) -> Arc<Trio> {
        trio(&self.directories[party], &self.cards, party)
    }

    /// What a party keeps, opened with its key.
    pub fn vault(&self, party: usize) -> Vault {
        let directory = &self.directories[party];
        vault(directory, &self.cards, party)
    }
}

fn vault(directory: &Path, cards: &[Card; 3], party: usize) -> Vault {
    let trio = trio(directory, cards, party);
    let unlock = fs::read_to_string(directory.join("unlock.txt")).expect("an identity of age");
    Vault::new(&directory.join("state"), &unlock, None, &trio).expect("a vault")
}

fn trio(directory: &Path, cards: &[Card; 3], party: usize) -> Arc<Trio> {
    let key = fs::read_to_string(directory.join("state/identity.pem")).expect("a key");
    let own = Identity::kept(cards[party].clone(), &key).expect("an identity");
    let mut others = (0..3).filter(|other| *other != party).map(|other| cards[other].clone());
    Arc::new(Trio::new(own, [others.next().expect("one"), others.next().expect("another")]).expect("three parties"))
}

impl Made {
    async fn new() -> Self {
        let mut wallet = Wallet::of(None, "1").await;
        for party in 0..3 {
            let keep = vault(&wallet.directories[party], &wallet.cards, party);
            let primes: serde_json::Value = serde_json::from_str(include_str!("primes.json")).expect("primes");
            keep.keep("primes.age", "primes", &primes[party]).expect("primes are kept");
        }
        for party in 0..3 {
            wallet.start(party);
        }
        wallet.reachable().await;
        let began = std::time::Instant::now();
        let made = wallet.ask(1, &Question::Keygen { key: KEY.to_owned() }).await;
        let Ok(Answer::Key(made)) = made else { panic!("no key is made: {made:?}") };
        let took = began.elapsed();
        for party in 0..3 {
            wallet.kill(party);
        }
        let home = TempDir::new().expect("a directory");
        copy(wallet._home.path(), home.path());
        Self { home, public: made.public, took }
    }
}

fn begin(home: &Path, directories: &[PathBuf; 3]) {
    let host = Identity::fresh("host", None).expect("an identity");
    let card = toml::to_string(&host.card).expect("text");
    fs::write(home.join("host.toml"), &card).expect("a card");
    fs::write(home.join("host.pem"), host.key_in_pem().as_bytes()).expect("a key");
    for (name, directory) in NAMES.iter().zip(directories) {
        let made = Command::new(env!("CARGO_BIN_EXE_strongroom-mpc-party"))
            .args(["init", "--name", name, "--address", "127.0.0.1:7600", "--state"])
            .arg(directory.join("state"))
            .output()
            .expect("init runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(directory.join("host.toml"), &card).expect("a card");
        use age::secrecy::ExposeSecret;
        let unlock = age::x25519::Identity::generate().to_string();
        fs::write(directory.join("unlock.txt"), unlock.expose_secret()).expect("an identity of age");
    }
    for from in 0..3 {
        for to in (0..3).filter(|to| *to != from) {
            let card = directories[from].join("state/card.toml");
            fs::copy(card, directories[to].join(format!("{}.toml", NAMES[from]))).expect("a card");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a directory");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// A payment to the one whom the agent may pay.
pub fn payment(nonce: u64, wei: u128) -> (Transaction, Request) {
    payment_to(RECIPIENT, nonce, wei)
}

/// A payment to anybody.
pub fn payment_to(to: &str, nonce: u64, wei: u128) -> (Transaction, Request) {
    use alloy_primitives::U256;
    let market = Market { max: U256::from(2_000_000_000_u64), priority: U256::from(1_000_000_000_u64) };
    let transaction = Transaction {
        chain: 31_337,
        nonce,
        gas: 21_000,
        to: Some(to.parse().expect("an address")),
        value: U256::from(wei),
        input: Vec::new(),
        kind: Kind::DynamicFee { market, access: Vec::new() },
    };
    let what = What::Transaction(hex(&transaction.payload()));
    let request = Request { key: KEY.to_owned(), agent: "payer".to_owned(), what, idempotency: format!("payment-{nonce}-{wei}-{to}") };
    (transaction, request)
}

/// Looks at a signature as a chain does.
pub fn verify(key: &VerifyingKey, transaction: &Transaction, signed: &Signed) {
    let digest = transaction.signing_hash();
    let signature = Signature::from_slice(&unhex(&signed.signature).expect("digits")).expect("a signature");
    assert!(signature.normalize_s().is_none(), "s is the lower one");
    let found =
        [0, 1].into_iter().filter_map(|id| VerifyingKey::recover_from_prehash(&digest.0, &signature, RecoveryId::from_byte(id)?).ok());
    assert!(found.into_iter().any(|found| found == *key), "the signature is one of the key");
}
