//! Signing end to end: a real component asks, a real node takes what comes of it, and the key is in a file, a KMS, an HSM, or at another node.

use crate::cli::CliFixture;
use alloy_primitives::{Address, B256, keccak256};
use async_trait::async_trait;
use futures_util::future::Either;
use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use strongroom::audit::{AuditSink, Event, Record};
use strongroom::{Answer, PublicKey, SignRequest, Signer, SignerBackend, SignerError};
use strongroom_tests::block_on;
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY, Opened, WalletFixture, coded, decoded};
use strongroom_tests::services::parties::{Parties, answered};
use strongroom_tests::services::{Anvil, Moto, SoftHsm};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// Who receives what honest agents send.
const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// A contract that does nothing, on every chain: the identity precompile.
const NOTHING: &str = "0x0000000000000000000000000000000000000004";

/// What the agents of these tests may do: everything that a node's test needs.
pub(crate) fn lines() -> String {
    format!(
        "chains = [1]\nkinds = [\"legacy\", \"2930\", \"1559\", \"4844\", \"7702\"]\nrecipients = [\"{FRIEND}\"]\nmax_fee = \"0.1\"\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"5\"\n[[signers.wallet.delegate]]\nchain = 1\naddress = \"{NOTHING}\"\n"
    )
}

fn local() -> Opened {
    WalletFixture::new(&lines()).open()
}

/// A desk with an agent whose key lies in the KMS that moto plays.
fn kms() -> CliFixture {
    let moto = Moto::shared();
    let made = moto.kms("CreateKey", &json!({ "KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY" }));
    let id = made["KeyMetadata"]["KeyId"].as_str().unwrap();
    let desk = CliFixture::new(&format!("[signers.wallet]\nfrom = \"kms:{id}\"\n{}", lines()));
    desk.write("strongroom.toml", "[signing]\nledger = \"ledger\"\n[signing.kms]\nkeys = [\"*\"]\n[audit]\nfile = \"audit.jsonl\"\n");
    let confirmed = desk.run_with("limits confirm agent.toml --config strongroom.toml", &moto.environment());
    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    desk
}

/// A key in the HSM that SoftHSM plays.
fn hsm() -> Opened {
    let hsm = SoftHsm::shared();
    let id = hsm.generate("probe-1");
    let pin = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(pin.path(), hsm.pin()).unwrap();
    let config = format!(
        "[signing.pkcs11]\nmodule = \"{}\"\ntoken = \"{}\"\npin = \"file:{}\"\nkeys = [\"*\"]\n",
        hsm.module().display(),
        hsm.token(),
        pin.path().display()
    );
    WalletFixture::with(&format!("[signers.wallet]\nfrom = \"pkcs11:id={id}\"\n{}", lines())).config(&config).open()
}

/// A key of three parties, which stand-ins play: what they read is decoded again.
fn mpc(parties: &Parties) -> Opened {
    WalletFixture::with(&format!("[signers.wallet]\nfrom = \"mpc:probe-1\"\n{}", lines())).config(&parties.table()).open()
}

/// A key that a node keeps.
fn remote(anvil: &Anvil) -> Opened {
    let lines = lines().replace(", \"4844\", \"7702\"", "");
    let lines = lines.split("[[signers.wallet.delegate]]").next().unwrap();
    let config = format!("[signing.remote.node]\nurl = \"{}\"\naccounts = [\"probe-1/{ADDRESS}\"]\n", anvil.address);
    WalletFixture::with(&format!("[signers.wallet]\nfrom = \"remote:node/{ADDRESS}\"\n{lines}")).config(&config).open()
}

/// The raw bytes and the hash of what was signed.
fn signed(outcome: &str) -> (Vec<u8>, Vec<u8>) {
    let (raw, hash) = outcome.split_once(' ').unwrap_or_else(|| panic!("not signed: {outcome}"));
    (decoded(raw), decoded(hash))
}

fn address_of(opened: &Opened) -> String {
    opened.sign("address").split(' ').next().unwrap().to_owned()
}

/// Broadcasts a signed transaction, and checks that the node has mined it, from that sender.
fn mined(anvil: &Anvil, raw: &[u8], hash: &[u8], sender: &str) {
    let sent = anvil.send_raw(&format!("0x{}", alloy_primitives::hex::encode(raw))).unwrap();
    let hash = format!("0x{}", alloy_primitives::hex::encode(hash));
    // A blob transaction travels with its sidecar, and is known by the hash of the form without.
    assert_eq!(sent, hash);
    let receipt = anvil.receipt(&hash);
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert!(receipt["from"].as_str().unwrap().eq_ignore_ascii_case(sender), "{receipt}");
}

/// What is paid by the market.
const FEE: &str = "max:2000000000 priority:1000000000";

/// A transaction of each kind that carries nothing but itself.
fn plain_kinds() -> [String; 4] {
    let slot = coded([0; 32]);
    [
        format!("fields chain:1 nonce:0 to:{FRIEND} value:1000 price:2000000000"),
        format!("fields chain:1 nonce:1 to:{FRIEND} value:0x3e8 gas:40000 price:2000000000 access:{FRIEND},{slot}"),
        format!("fields chain:1 nonce:2 to:{FRIEND} value:1000 {FEE}"),
        format!("fields chain:1 nonce:3 to:{FRIEND} value:1000 gas:30000 {FEE} access:{NOTHING}"),
    ]
}

/// Has each kind signed by `sign`, and mined.
pub(crate) fn every_kind_is_mined(sign: impl Fn(&str) -> String) -> usize {
    let anvil = Anvil::start(1);
    let sender = sign("address").split(' ').next().unwrap().to_owned();
    anvil.fund(&sender, "0x8ac7230489e80000");
    let fee = FEE;
    let authorized = sign(&format!("authorization 1 {NOTHING} 5"));
    let parts: Vec<&str> = authorized.split(' ').collect();
    let authorize = format!("authorize:1,{NOTHING},5,{},{},{}", parts[0], parts[1], parts[2]);

    let mut kinds = plain_kinds().to_vec();
    kinds.push(format!("fields chain:1 nonce:4 to:{FRIEND} value:1000 gas:100000 {fee} {authorize}"));
    for kind in &kinds {
        let (raw, hash) = signed(&sign(kind));
        mined(&anvil, &raw, &hash, &sender);
    }

    // The authorization has taken a nonce too. Of a blob of zeros, commitment and proof are the point at infinity: no KZG is needed to make its sidecar.
    let infinity = [&[0xc0][..], &[0; 47]].concat();
    let mut versioned = Sha256::digest(&infinity).to_vec();
    versioned[0] = 1;
    let blob = format!("fields chain:1 nonce:6 to:{FRIEND} value:1000 {fee} blobs:1000000000,{}", coded(&versioned));
    let (raw, hash) = signed(&sign(&blob));
    let sidecar = [vec![0; 131_072], infinity.clone(), infinity].map(|item| list(&string(&item)));
    let whole = [&[3][..], &list(&[&raw[1..], &sidecar.concat()].concat())].concat();
    mined(&anvil, &whole, &hash, &sender);

    let code = anvil.rpc("eth_getCode", json!([sender, "latest"])).unwrap();
    assert_eq!(code, json!(format!("0xef0100{}", &NOTHING[2..])), "the authorization is the account's own");
    kinds.len() + 2
}

/// An RLP string of more than one byte, written apart from the host's.
fn string(bytes: &[u8]) -> Vec<u8> {
    [header(0x80, bytes.len()), bytes.to_vec()].concat()
}

/// An RLP list of items that are written already.
fn list(items: &[u8]) -> Vec<u8> {
    [header(0xc0, items.len()), items.to_vec()].concat()
}

fn header(base: u8, length: usize) -> Vec<u8> {
    if length < 56 {
        return vec![base + u8::try_from(length).unwrap()];
    }
    let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [vec![base + 55 + u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn a_node_mines_every_kind_that_a_local_key_signs() {
    let opened = local();

    assert_eq!(address_of(&opened), ADDRESS);
    let signed = every_kind_is_mined(|operation| opened.sign(operation));

    let records = opened.records("signed");
    assert_eq!(records.len(), signed);
    assert!(records[0]["what"][0].as_str().unwrap().contains("lets the account run the code"), "{}", records[0]);
    assert!(records[1]["what"][1].as_str().unwrap().contains(&format!("send 0.000000000000001 ETH to {FRIEND}")), "{}", records[1]);
    assert!(records[1]["left"][0].as_str().unwrap().contains("left within 24 hours"), "{}", records[1]);
}

#[test]
fn a_node_mines_every_kind_that_a_kms_signs() {
    let desk = kms();

    every_kind_is_mined(|operation| {
        let words = format!("sign wallet {operation}").replace(' ', "+");
        let ran = desk.run_with(&format!("run agent.toml --config strongroom.toml -- {words}"), &Moto::shared().environment());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.strip_prefix("sign ").unwrap().trim().to_owned()
    });
}

#[test]
fn a_node_mines_every_kind_that_an_hsm_signs() {
    let opened = hsm();

    every_kind_is_mined(|operation| opened.sign(operation));
}

#[test]
fn a_node_mines_every_kind_that_three_parties_sign() {
    let parties = Parties::start([|question| Some(answered(question, &KEY[2..])); 3]);
    let opened = mpc(&parties);

    assert_eq!(address_of(&opened), ADDRESS);
    every_kind_is_mined(|operation| opened.sign(operation));
}

#[test]
fn a_node_mines_every_plain_kind_that_a_remote_signer_signs() {
    let (keeps, mines) = (Anvil::start(1), Anvil::start(1));
    let opened = remote(&keeps);

    assert_eq!(address_of(&opened), ADDRESS);
    for kind in plain_kinds() {
        let (raw, hash) = signed(&opened.sign(&kind));
        mined(&mines, &raw, &hash, ADDRESS);
    }

    assert_eq!(opened.records("signed").len(), plain_kinds().len());
}

#[test]
fn a_signature_of_a_message_is_the_address_own() {
    let opened = WalletFixture::new(&format!("chains = [1]\nmessages = [\"hello [a-z]+\"]\n{}", "")).open();

    let signature = decoded(&opened.sign(&format!("message {}", coded("hello world"))));

    let hash = keccak256(b"\x19Ethereum Signed Message:\n11hello world");
    assert_eq!(recovered(&hash, &signature).to_string(), ADDRESS);
    let twice = decoded(&opened.sign(&format!("message {}", coded("hello world"))));
    assert_eq!(signature, twice, "a local key signs deterministically (RFC 6979)");
}

fn recovered(hash: &B256, signature: &[u8]) -> Address {
    let parsed = Signature::from_slice(&signature[..64]).unwrap();
    let recovery = RecoveryId::from_byte(signature[64] - 27).unwrap();
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &parsed, recovery).unwrap();
    Address::from_slice(&keccak256(&key.to_encoded_point(false).as_bytes()[1..])[12..])
}

#[test]
fn a_wallet_signs_nothing_before_the_operator_has_confirmed_it() {
    let opened = WalletFixture::new(&lines()).load().unwrap();
    let operation = format!("fields chain:1 nonce:0 to:{FRIEND} value:1 max:1 priority:1");

    let refused = opened.sign(&operation);
    block_on(opened.agent.confirm_signers()).unwrap();
    let after = opened.sign(&operation);

    assert!(refused.contains("`ledger`"), "{refused}");
    signed(&after);
}

#[test]
fn a_limit_holds_for_a_hundred_calls_at_once() {
    let lines = format!(
        "chains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"0.00000000000000001\"\n"
    );
    let opened = WalletFixture::new(&lines).open();

    let signatures = block_on(async {
        let run = |nonce: usize| {
            let operations = vec![format!("sign wallet fields chain:1 nonce:{nonce} to:{FRIEND} value:1 max:0 priority:0")];
            let opened = &opened;
            async move { opened.signing(&operations).await.unwrap().remove(0) }
        };
        futures_util::future::join_all((0..100).map(run)).await
    });

    let granted = signatures.iter().filter(|outcome| !outcome.contains("denied")).count();
    assert_eq!(granted, 10, "{signatures:?}");
    assert_eq!(opened.records("signed").len(), 10);
}

#[test]
fn an_idempotency_key_gives_the_same_bytes_once_more_and_is_charged_once() {
    let lines = format!(
        "chains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"0.000000000000000001\"\n"
    );
    let opened = WalletFixture::new(&lines).open();
    let pay = |nonce: u64, key: &str| opened.sign(&format!("fields chain:1 nonce:{nonce} to:{FRIEND} value:1 max:0 priority:0 key:{key}"));

    let first = pay(0, "order-17");
    let again = pay(0, "order-17");
    let other = pay(1, "order-17");
    let spent = pay(1, "order-18");

    signed(&first);
    assert_eq!(first, again);
    assert!(other.contains("`idempotency`"), "{other}");
    assert!(spent.contains("`spend`"), "{spent}");
    assert_eq!(opened.records("signed").iter().filter(|record| record["again"] == true).count(), 1);
}

/// A signer that is asked, and answers once it is let; in this process, or as if it were elsewhere.
struct Slow {
    key: SigningKey,
    hot: bool,
    asked: Arc<Notify>,
    go: Arc<Notify>,
}

#[async_trait]
impl Signer for Slow {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok((*self.key.verifying_key()).into())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        self.asked.notify_one();
        self.go.notified().await;
        let signature: Signature = self.key.sign_prehash(&request.digest()).expect("a signature");
        Ok(signature.into())
    }

    fn is_hot(&self) -> bool {
        self.hot
    }
}

/// Opens one signer, whatever it is asked for.
struct Only(Arc<Slow>);

#[async_trait]
impl SignerBackend for Only {
    async fn open(&self, _: &str, _: &str) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Signer>)
    }
}

/// Tells of each signature that is recorded.
struct Tell(UnboundedSender<String>);

impl AuditSink for Tell {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        for record in records {
            if let Event::Signed { digest, .. } = &record.event {
                self.0.send(digest.to_string()).expect("the test listens");
            }
        }
        Ok(())
    }
}

#[test]
fn a_signature_whose_agent_has_ended_is_kept_and_recorded() {
    [true, false].into_iter().for_each(agent_ends_while_a_key_is_asked);
}

fn agent_ends_while_a_key_is_asked(hot: bool) {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let signer = Slow { key: SigningKey::from_slice(&[7; 32]).unwrap(), hot, asked: Arc::clone(&asked), go: Arc::clone(&go) };
    let treasury = WalletFixture::with(&format!("[signers.wallet]\nfrom = \"slow:KEY\"\n{}", lines()));
    let opened = treasury.host(|builder| builder.audit(Tell(tell)).signers("slow", Only(Arc::new(signer)))).open();
    let operation = [format!("sign wallet fields chain:1 nonce:0 to:{FRIEND} value:1 max:0 priority:0 key:order-17")];

    let (recorded, again) = block_on(async {
        {
            let run = std::pin::pin!(opened.signing(&operation));
            let asked = std::pin::pin!(asked.notified());
            let first = futures_util::future::select(run, asked).await;
            assert!(matches!(first, Either::Right(_)), "the key is asked before the agent ends");
            // Here the run is dropped: the agent is no more.
        }
        go.notify_one();
        let recorded = tokio::time::timeout(Duration::from_secs(20), told.recv()).await.expect("a record, in time").expect("a record");
        // The signer is not let a second time: what comes is what was kept.
        (recorded, opened.signing(&operation).await.unwrap().remove(0))
    });

    let (raw, _) = signed(&again);
    assert!(!raw.is_empty());
    assert_eq!(told.try_recv(), Ok(recorded), "what is given again is the same, and is recorded again");
}

#[test]
fn a_signature_whose_signer_was_withdrawn_while_its_key_was_asked_is_recorded_and_nobody_gets_it() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let signer = Slow { key: SigningKey::from_slice(&[7; 32]).unwrap(), hot: false, asked: Arc::clone(&asked), go: Arc::clone(&go) };
    let treasury = WalletFixture::with(&format!("[signers.wallet]\nfrom = \"slow:KEY\"\n{}", lines()));
    let opened = treasury.host(|builder| builder.audit(Tell(tell)).signers("slow", Only(Arc::new(signer)))).open();
    let later = strongroom::Manifest::parse("agent.toml", "name = \"treasury\"\ncomponent = \"probe.wasm\"\n").unwrap();
    let later = opened.host.agent(later, &strongroom_components::bytes("probe")).unwrap();
    let operation = [format!("sign wallet fields chain:1 nonce:0 to:{FRIEND} value:1 max:0 priority:0")];

    let (ended, recorded) = block_on(async {
        let withdrawn = async {
            asked.notified().await;
            opened.agent.superseded_by(&later);
            go.notify_one();
            tokio::time::timeout(Duration::from_secs(20), told.recv()).await.expect("a record, in time")
        };
        futures_util::future::join(opened.signing(&operation), withdrawn).await
    });

    assert!(recorded.is_some());
    let said = ended.unwrap().remove(0);
    assert!(said.contains("the manifest that was read since the run began"), "{said}");
}

#[test]
fn a_signature_that_comes_after_its_agent_was_stopped_is_recorded_and_nobody_gets_it() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let signer = Slow { key: SigningKey::from_slice(&[7; 32]).unwrap(), hot: false, asked: Arc::clone(&asked), go: Arc::clone(&go) };
    let treasury = WalletFixture::with(&format!("[signers.wallet]\nfrom = \"slow:KEY\"\n{}", lines()));
    // The switch is that of all hosts with this state.
    let state = tempfile::tempdir().unwrap();
    let treasury = treasury.config(&format!("[state]\ndir = \"{}\"", state.path().join("state").display()));
    let opened = treasury.host(|builder| builder.audit(Tell(tell)).signers("slow", Only(Arc::new(signer)))).open();
    let operation = [format!("sign wallet fields chain:1 nonce:0 to:{FRIEND} value:1 max:0 priority:0")];

    let (ended, recorded) = block_on(async {
        let stopped = async {
            asked.notified().await;
            opened.host.kill_switch().on(&strongroom::Whom::All).unwrap();
            go.notify_one();
            tokio::time::timeout(Duration::from_secs(20), told.recv()).await.expect("a record, in time")
        };
        futures_util::future::join(opened.signing(&operation), stopped).await
    });

    assert!(recorded.is_some());
    assert_eq!(ended, Err("stopped by a denial of rule kill-switch".to_owned()));
}

#[test]
fn a_signature_that_comes_after_its_reservation_is_not_given_out_and_the_run_goes_on() {
    let (asked, go, slept) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let signer = Slow { key: SigningKey::from_slice(&[7; 32]).unwrap(), hot: false, asked: Arc::clone(&asked), go: Arc::clone(&go) };
    let treasury = WalletFixture::with(&format!("[signers.wallet]\nfrom = \"slow:KEY\"\n{}", lines()));
    let ours = Arc::clone(&slept);
    let opened = treasury.host(|builder| builder.slept(ours).signers("slow", Only(Arc::new(signer)))).open();
    let operations = [format!("sign wallet fields chain:1 nonce:0 to:{FRIEND} value:1 max:0 priority:0")];

    let said = block_on(async {
        let late = async {
            asked.notified().await;
            slept.fetch_add(121_000, Ordering::SeqCst);
            go.notify_one();
        };
        futures_util::future::join(opened.signing(&operations), late).await.0.unwrap()
    });

    assert!(said[0].contains("whether it was signed is not known"), "{said:?}");
    assert_eq!(opened.records("run-end")[0]["outcome"], "exit 0", "the run goes on");
    let failed = &opened.records("signer-failed")[0];
    assert!(failed["spent"] == true && failed["reason"].as_str().unwrap().contains("it came more than 120 s after"), "{failed}");
}

#[test]
fn a_key_of_another_kind_is_named_with_what_its_use_needs() {
    let signer = Slow { key: SigningKey::from_slice(&[7; 32]).unwrap(), hot: false, asked: Arc::default(), go: Arc::default() };
    let lines = "[signers.wallet]\nfrom = \"slow:KEY\"\nuse = \"solana\"\nmessages = [\"hello\"]";
    let loaded = WalletFixture::with(lines).host(|builder| builder.signers("slow", Only(Arc::new(signer)))).load().unwrap();

    let error = block_on(loaded.agent.confirm_signers()).expect_err("it is of another kind").to_string();

    assert!(error.contains("the key at slow:KEY is one of secp256k1, and a signer of the use `solana` needs one of Ed25519"), "{error}");
}

#[test]
fn a_replacement_is_charged_as_the_larger_of_the_two() {
    let lines = format!(
        "chains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"0.00000000000000001\"\n"
    );
    let opened = WalletFixture::new(&lines).open();
    let pay = |nonce: u64, value: u64| opened.sign(&format!("fields chain:1 nonce:{nonce} to:{FRIEND} value:{value} max:0 priority:0"));

    signed(&pay(0, 6));
    signed(&pay(0, 8));
    let over = pay(1, 3);
    signed(&pay(1, 2));

    assert!(over.contains("`spend`"), "{over}");
}

#[test]
fn the_example_pays_an_invoice_once() {
    let anvil = Anvil::start(1);
    the_example_pays(&anvil, "env:WALLET", "");
}

/// Has the example pay, from a key, with more lines of the host configuration.
pub(crate) fn the_example_pays(anvil: &Anvil, from: &str, more: &str) {
    let wei = 1_000_000_000_000_000u64;
    let desk = CliFixture::new("");
    std::fs::copy(strongroom_components::path("payer"), desk.path("payer.wasm")).unwrap();
    let example = include_str!("../../examples/agents/payer/agent.toml");
    let manifest = example
        .replace("../../../target/wasm32-wasip2/release/", "")
        .replace("https://rpc.example.com", &anvil.address)
        .replace("host = \"rpc.example.com\"", &format!("host = \"{}\"", anvil.address))
        .replace("file:payer/treasury", from);
    desk.write("payer.toml", &manifest);
    desk.write(
        "strongroom.toml",
        &format!("[signing]\nledger = \"ledger\"\n{more}[audit]\nfile = \"audit.jsonl\"\n[network]\nallow = [\"127.0.0.1/32\"]\n"),
    );
    let wallet = [("WALLET", strongroom_tests::fixtures::wallet::KEY)];
    let friend = || anvil.rpc("eth_getBalance", json!([FRIEND, "latest"])).unwrap();
    let balance = |hex: serde_json::Value| u128::from_str_radix(hex.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let before = balance(friend());

    let confirmed = desk.run_with("limits confirm payer.toml --config strongroom.toml", &wallet);
    let paid = desk.run_with("run payer.toml --config strongroom.toml", &wallet);

    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    assert!(paid.code == 0 && paid.stdout.starts_with("paid by 0x"), "{}{}", paid.stdout, paid.stderr);
    assert_eq!(balance(friend()) - before, u128::from(wei));
    let again = desk.run_with("run payer.toml --config strongroom.toml", &wallet);
    assert!(again.code == 1 && again.stderr.contains("idempotency"), "the nonce has moved on: {}{}", again.stdout, again.stderr);
    assert_eq!(balance(friend()) - before, u128::from(wei), "no second payment");
}

#[test]
fn a_ledger_that_another_host_has_open_is_waited_for_and_not_confirmed() {
    let home = tempfile::tempdir().unwrap();
    let ledger = home.path().join("ledger");
    let first = WalletFixture::new(&lines()).ledger(&ledger).open();
    let second = WalletFixture::new(&lines()).ledger(&ledger).load().unwrap();

    let outcome = second.sign(&format!("fields chain:1 nonce:0 to:{FRIEND} value:1 max:0 priority:0"));

    assert!(outcome.contains("`ledger`"), "{outcome}");
    let denial = second.records("denial").remove(0);
    let remedy = denial["remedy"].as_str().unwrap();
    assert!(remedy.contains("another host has the ledger open") && remedy.contains("wait until that host has stopped"), "{remedy}");
    assert!(!remedy.contains("limits confirm"), "{remedy}");
    drop(first);
}
