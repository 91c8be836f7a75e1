//! Signing: what a signature costs from the guest's call to the signed bytes, with decision, ledger, record and all, against the bare
//! arithmetic and one write to the platter.

#![expect(clippy::unwrap_used, reason = "a benchmark's unwrap is an assertion")]

use async_trait::async_trait;
use k256::ecdsa::SigningKey;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use strongroom::manifest::{CredentialRef, KmsConfig, Pkcs11Config};
use strongroom::{Answer, Kms, Pkcs11, PublicKey, SignRequest, Signature as Signed, Signer, SignerBackend, SignerError};
use strongroom_tests::figures::{Figure, Figures, Part, measure, median, paired};
use strongroom_tests::fixtures::wallet::{Opened, WalletFixture};
use strongroom_tests::services::{Moto, SoftHsm};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const REPETITIONS: usize = 11;
const SIGNATURES: u64 = 400;
const AGENTS: u64 = 32;
const DECISIONS: usize = 100_000;
const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// What a disk writes as a whole, into which a record of the ledger goes.
const BLOCK: usize = 4_096;
/// What the bare program writes over and over.
const FILE: usize = 1 << 20;

/// The parts, by the names that select them: `cargo bench --bench signing -- one`.
const PARTS: [(&str, Part); 5] = [("one", one), ("many", many), ("decision", decision), ("hsm", hsm), ("kms", kms)];

fn main() {
    // The AWS SDK takes its credentials from the environment that a process was started with.
    if std::env::var_os("AWS_REGION").is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let status = again.args(std::env::args_os().skip(1)).envs(Moto::credentials()).status().unwrap();
        std::process::exit(status.code().unwrap_or(1));
    }
    measure("signing", &PARTS);
}

/// A directory on the file system of the build, which is a disk's: that for temporary files may be memory.
fn directory() -> TempDir {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    TempDir::new_in(target).unwrap()
}

fn lines() -> String {
    format!(
        "rate = \"1000000/s\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"1000000\"\n"
    )
}

fn current() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Has so many transactions signed, from a nonce on; gives the microseconds that each took.
async fn signed(opened: &Opened, first: u64, count: u64) -> f64 {
    let operation = format!("sign-quietly {first} {count} wallet chain:1 to:{FRIEND} value:1 max:2000000000 priority:1");
    let begun = Instant::now();
    let outcome = opened.signing(&[operation]).await.unwrap();
    let took = begun.elapsed().as_secs_f64() * 1e6 / count as f64;
    assert_eq!(outcome, [count.to_string()], "all were signed");
    took
}

/// The bare arithmetic, and one write to the platter after each.
struct Bare {
    key: SigningKey,
    file: File,
    at: u64,
}

impl Bare {
    /// With a file that is as long as it will be: to write over what is there is what a sync has least to do for.
    fn new(directory: &TempDir) -> Self {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(directory.path().join("bare")).unwrap();
        file.write_all_at(&vec![0; FILE], 0).unwrap();
        file.sync_all().unwrap();
        Self { key: SigningKey::from_slice(&[7; 32]).unwrap(), file, at: 0 }
    }

    fn sign(&self, number: u64) {
        let mut digest = [3; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        black_box(self.key.sign_prehash_recoverable(black_box(&digest)).unwrap());
    }

    fn write(&mut self) {
        self.file.write_all_at(&[b'x'; BLOCK], self.at).unwrap();
        self.file.sync_data().unwrap();
        self.at = (self.at + BLOCK as u64) % FILE as u64;
    }

    fn micros(&mut self, count: u64, mut work: impl FnMut(&mut Self, u64)) -> f64 {
        let begun = Instant::now();
        (0..count).for_each(|number| work(self, number));
        begun.elapsed().as_secs_f64() * 1e6 / count as f64
    }
}

/// One agent, one signature after the other.
fn one(figures: &mut Figures) {
    let (runtime, directory) = (current(), directory());
    let opened = WalletFixture::new(&lines()).ledger(&directory.path().join("ledger")).open();
    let mut bare = Bare::new(&directory);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for repetition in 0..REPETITIONS as u64 {
        ours.push(runtime.block_on(signed(&opened, repetition * SIGNATURES, SIGNATURES)));
        theirs.push(bare.micros(SIGNATURES, |bare, number| {
            bare.sign(number);
            bare.write();
        }));
    }
    eprintln!("ours {:.0} us, bare {:.0} us", median(&ours), median(&theirs));
    let ratio = paired(&ours, &theirs);
    figures.add(Figure::at_most("one agent, a signed transaction", ratio, "x", "k256 and one fdatasync, us", median(&theirs), 1.2));
}

/// Many agents at once, whose records share their way to the platter.
fn many(figures: &mut Figures) {
    let (runtime, directory) = (threads(), directory());
    let opened = Arc::new(WalletFixture::new(&lines()).ledger(&directory.path().join("ledger")).open());
    let mut bare = Bare::new(&directory);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for repetition in 0..REPETITIONS as u64 {
        let each = SIGNATURES;
        let begun = Instant::now();
        runtime.block_on(async {
            let run = |agent| {
                let opened = Arc::clone(&opened);
                tokio::spawn(async move { signed(&opened, (repetition * AGENTS + agent) * each, each).await })
            };
            // All of them run before the first is waited for.
            let runs: Vec<_> = (0..AGENTS).map(run).collect();
            futures_util::future::join_all(runs).await;
        });
        ours.push((AGENTS * each) as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..2_000).for_each(|number| bare.sign(number)));
            }
        });
        let by_core = 4_000.0 / begun.elapsed().as_secs_f64();
        let sync = bare.micros(200, |bare, _| bare.write());
        theirs.push(by_core.min(AGENTS as f64 * 1e6 / sync));
    }
    eprintln!("ours {:.0} a second, bare {:.0}", median(&ours), median(&theirs));
    let ratio = paired(&ours, &theirs);
    let baseline = "k256 on two threads, or 32 for each fdatasync, a second";
    figures.add(Figure::at_least("32 agents at once", ratio, "x", baseline, median(&theirs), 0.7));
}

/// The decision alone, from the unsigned payload of an EIP-1559 transfer.
fn decision(figures: &mut Figures) {
    let directory = directory();
    let opened = WalletFixture::new(&lines()).ledger(&directory.path().join("ledger")).open();
    let wallet = current().block_on(opened.agent.wallet("wallet")).unwrap();
    let payload = transfer(7);
    wallet.judge(&payload).unwrap();
    let mut took = Vec::new();
    for _ in 0..REPETITIONS {
        let begun = Instant::now();
        for _ in 0..DECISIONS {
            let _ = black_box(wallet.judge(black_box(&payload)));
        }
        took.push(begun.elapsed().as_secs_f64() * 1e6 / DECISIONS as f64);
    }
    figures.add(Figure::at_most("decoding and deciding on a 1559 transaction", median(&took), "us", "none", 0.0, 10.0));
}

/// The unsigned payload of a transfer of one unit: priority fee 1, at most 2,000,000,000, 21,000 gas.
fn transfer(nonce: u8) -> Vec<u8> {
    let to = alloy_primitives::hex::decode(&FRIEND[2..]).unwrap();
    let body = [&[1, nonce, 1, 0x84, 0x77, 0x35, 0x94, 0x00, 0x82, 0x52, 0x08, 0x94][..], &to, &[1, 0x80, 0xc0]].concat();
    [&[2, 0xc0 + u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// How long the HSM or KMS itself took, in all.
static INSIDE: AtomicU64 = AtomicU64::new(0);

struct Timed<T>(T);

#[async_trait]
impl<B: SignerBackend> SignerBackend for Timed<B> {
    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::new(Timed(self.0.open(key, agent).await?)))
    }
}

#[async_trait]
impl Signer for Timed<Arc<dyn Signer>> {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        self.0.public_key().await
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let begun = Instant::now();
        let signature = self.0.sign(request).await;
        INSIDE.fetch_add(u64::try_from(begun.elapsed().as_nanos()).unwrap(), Ordering::Relaxed);
        signature
    }
}

fn hsm(figures: &mut Figures) {
    static PIN: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let soft = SoftHsm::shared();
    let id = soft.generate("bench");
    let pin = PIN.get_or_init(|| tempfile::NamedTempFile::new().unwrap());
    std::fs::write(pin.path(), soft.pin()).unwrap();
    let config =
        Pkcs11Config::new(soft.module().to_owned(), soft.token().to_owned(), CredentialRef::File(pin.path().to_owned())).with(|new| {
            new.keys = vec!["*".parse().expect("a pattern")];
            new.sessions = 4;
        });
    outside(figures, "an HSM", &format!("id={id}"), Pkcs11::new(&config));
}

fn kms(figures: &mut Figures) {
    let moto = Moto::shared();
    let made = moto.kms("CreateKey", &json!({ "KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY" }));
    moto.kms("CreateAlias", &json!({ "AliasName": "alias/bench", "TargetKeyId": made["KeyMetadata"]["KeyId"] }));
    let endpoint_url = Some(moto.address.clone());
    let config = KmsConfig::default().with(|new| {
        new.region = Some("us-east-1".into());
        new.endpoint_url = endpoint_url;
        new.keys = vec!["alias/*".parse().expect("a pattern")];
    });
    outside(figures, "a KMS", "alias/bench", Kms::new(&config));
}

/// Everything but the signer's own call, the check of its signature, and the write to the platter. The bare program asks the same signer
/// before each of its checks: what the call leaves cold, the processor's caches and the disk, is cold for both. A check is one verification:
/// the point that it comes to is the one that recovery looks for.
fn outside(figures: &mut Figures, what: &str, key: &str, backend: impl SignerBackend + 'static) {
    let (runtime, directory) = (current(), directory());
    let signer = runtime.block_on(backend.open(key, "bare")).unwrap();
    let Ok(PublicKey::Secp256k1(public)) = runtime.block_on(signer.public_key()) else { panic!("no key of secp256k1") };
    let treasury =
        WalletFixture::with(&format!("[signers.wallet]\nfrom = \"timed:{key}\"\n{}", lines())).ledger(&directory.path().join("ledger"));
    let opened = treasury.host(move |builder| builder.signers("timed", Timed(backend))).open();
    let mut bare = Bare::new(&directory);
    let (mut ours, mut checks, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for repetition in 0..REPETITIONS as u64 {
        let count = SIGNATURES / 4;
        INSIDE.store(0, Ordering::Relaxed);
        let took = runtime.block_on(signed(&opened, repetition * count, count));
        let inside = Duration::from_nanos(INSIDE.load(Ordering::Relaxed)).as_secs_f64() * 1e6 / count as f64;
        let (mut check, mut sync) = (Duration::ZERO, Duration::ZERO);
        for number in 0..count {
            let digest = [u8::try_from(number).unwrap(); 32];
            let Ok(Answer::Signed(Signed::Secp256k1(signature, _))) = runtime.block_on(SignRequest::ask(&*signer, digest)) else {
                panic!("no signature")
            };
            let begun = Instant::now();
            let low = signature.normalize_s().unwrap_or(signature);
            public.verify_prehash(&digest, black_box(&low)).unwrap();
            let checked = Instant::now();
            bare.write();
            check += checked - begun;
            sync += checked.elapsed();
        }
        let each = |all: Duration| all.as_secs_f64() * 1e6 / count as f64;
        let (check, sync) = (each(check), each(sync));
        ours.push(took - inside - check - sync);
        checks.push(check);
        syncs.push(sync);
    }
    eprintln!("{what}: checking {:.0} us, fdatasync {:.0} us", median(&checks), median(&syncs));
    figures.add(Figure::at_most(
        &format!("over {what}, beside its call, the check and the fdatasync"),
        median(&ours),
        "us",
        "checking and fdatasync, us",
        median(&checks) + median(&syncs),
        50.0,
    ));
}
