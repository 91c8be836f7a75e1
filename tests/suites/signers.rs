//! Signers away from the host, and what can go wrong with them: a KMS that is closed, throttled, denied or silent, an HSM that has lost its
//! sessions. What is not known to have come to nothing is not released.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11 as Module};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{Signature, VerifyingKey};
use serde_json::json;
use std::process::Command;
use strongroom::manifest::{CredentialRef, KmsConfig, Pkcs11Config};
use strongroom::{Answer, Kms, Pkcs11, PublicKey, SignRequest, Signature as Signed, Signer, SignerBackend, SignerError};
use strongroom_tests::block_on;
use strongroom_tests::services::{Fault, Faulty, Moto, SoftHsm};

/// Says that this process was started by one of these tests, for its inner part.
const INNER: &str = "STRONGROOM_TESTS_INNER";

/// Runs a test of another suite once more in a process with the variables that the SDK wants; inside it, gives leave to go on.
pub(crate) fn inside_of(suite: &str, test: &str) -> bool {
    inside_with(&format!("{suite}::{test}"), &Moto::credentials())
}

/// Runs a test once more in a process that was started with these variables; inside it, gives leave to go on.
fn inside(test: &str, environment: &[(&str, &str)]) -> bool {
    inside_with(&format!("signers::{test}"), environment)
}

fn inside_with(test: &str, environment: &[(&str, &str)]) -> bool {
    if std::env::var_os(INNER).is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let ran = again.args([test, "--exact", "--nocapture"]).env(INNER, "1").envs(environment.iter().copied()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
    false
}

fn verified(key: &VerifyingKey, signature: &Signature) {
    key.verify_prehash(&[1; 32], &signature.normalize_s().unwrap_or(*signature)).unwrap();
}

fn kms(url: &str) -> Kms {
    let keys = vec!["alias/{agent}/*".parse().unwrap()];
    Kms::new(&KmsConfig::default().with(|new| {
        new.region = Some("us-east-1".into());
        new.endpoint_url = Some(url.into());
        new.keys = keys;
    }))
}

/// The public half of a signer's key.
fn public(signer: &dyn Signer) -> VerifyingKey {
    match block_on(signer.public_key()) {
        Ok(PublicKey::Secp256k1(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn sign(signer: &dyn Signer) -> Result<Signature, SignerError> {
    block_on(SignRequest::ask(signer, [1; 32])).map(|answer| match answer {
        Answer::Signed(Signed::Secp256k1(signature, _)) => signature,
        other => panic!("{other:?}"),
    })
}

fn kind<T>(outcome: &Result<T, SignerError>) -> &'static str {
    match outcome {
        Ok(_) => "signed",
        Err(SignerError::Refused(_)) => "refused",
        Err(SignerError::Unavailable(_)) => "unavailable",
        Err(SignerError::Unknown(_)) => "unknown",
        Err(_) => "something new",
    }
}

#[test]
fn each_fault_of_a_kms_is_told_by_whether_there_may_be_a_signature() {
    let environment =
        [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")];
    if !inside("each_fault_of_a_kms_is_told_by_whether_there_may_be_a_signature", &environment) {
        return;
    }
    let moto = Moto::start();
    for (alias, spec) in [("trade", "ECC_SECG_P256K1"), ("other-curve", "ECC_NIST_P256")] {
        let made = moto.kms("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" }));
        moto.kms("CreateAlias", &json!({ "AliasName": format!("alias/bot-1/{alias}"), "TargetKeyId": made["KeyMetadata"]["KeyId"] }));
    }
    let relay = Faulty::before(&moto.address);
    let code = |status: &str, code: &str| Fault::answer(status, &format!("x-amzn-errortype: {code}"), "{\"message\":\"never shown\"}");
    let table = [
        ("nothing", vec![Fault::None], "signed"),
        ("throttled, then not", vec![code("400 Bad Request", "ThrottlingException"), Fault::None], "signed"),
        ("throttled", vec![code("400 Bad Request", "ThrottlingException")], "unavailable"),
        ("denied", vec![code("400 Bad Request", "AccessDeniedException")], "refused"),
        ("disabled", vec![code("400 Bad Request", "DisabledException")], "refused"),
        ("closed after the request", vec![Fault::Closed], "unknown"),
        ("closed, then denied", vec![Fault::Closed, code("400 Bad Request", "AccessDeniedException")], "unknown"),
        ("an error within", vec![code("500 Oops", "KMSInternalException")], "unknown"),
        ("an answer that is none", vec![Fault::answer("200 OK", "", "{}")], "unknown"),
    ];

    let signer = block_on(kms(&relay.url()).open("alias/bot-1/trade", "bot-1")).ok().unwrap();
    let key = public(&*signer);
    for (name, faults, expected) in table {
        relay.set(&faults);
        let outcome = sign(&*signer);
        assert_eq!(kind(&outcome), expected, "{name}: {outcome:?}");
        match outcome {
            Ok(signature) => verified(&key, &signature),
            Err(error) => assert!(!error.to_string().contains("never shown"), "{name}: {error}"),
        }
    }

    let backend = kms(&moto.address);
    let elsewhere = block_on(backend.open("alias/bot-2/trade", "bot-1")).err().unwrap();
    assert!(elsewhere.to_string().contains("[signing.kms] keys"), "{elsewhere}");
    let curve = block_on(block_on(backend.open("alias/bot-1/other-curve", "bot-1")).ok().unwrap().public_key()).unwrap_err();
    assert!(curve.to_string().contains("ECC_NIST_P256") && curve.to_string().contains("ECC_SECG_P256K1"), "{curve}");
    let nobody = sign(&*block_on(kms("http://127.0.0.1:9").open("alias/bot-1/trade", "bot-1")).ok().unwrap());
    assert_eq!(kind(&nobody), "unavailable", "{nobody:?}");
}

#[test]
fn an_hsm_that_has_lost_its_sessions_is_logged_in_to_anew() {
    let soft = SoftHsm::start();
    let environment = soft.environment();
    // The outer process makes the token that the inner one finds by its environment.
    let (module, pin) = (soft.module().to_owned(), tempfile::NamedTempFile::new().unwrap());
    if std::env::var_os(INNER).is_none() {
        soft.generate("bot-1/trade");
        soft.generate("bot-1/twice");
        soft.generate("bot-1/twice");
        soft.generate_with("bot-1/other-curve", "EC:prime256v1", &[]);
        soft.generate_with("bot-1/open", "EC:secp256k1", &["--extractable"]);
    }
    if !inside("an_hsm_that_has_lost_its_sessions_is_logged_in_to_anew", &environment) {
        return;
    }
    std::fs::write(pin.path(), soft.pin()).unwrap();
    let keys = vec!["{agent}/*".parse().unwrap()];
    let config = Pkcs11Config::new(module, soft.token().to_owned(), CredentialRef::File(pin.path().to_owned())).with(|new| {
        new.keys = keys;
        new.sessions = 2;
    });
    let backend = Pkcs11::new(&config);
    let signer = block_on(backend.open("bot-1/trade", "bot-1")).ok().unwrap();
    let key = public(&*signer);
    verified(&key, &sign(&*signer).unwrap());

    // Whatever the module knew of this process is gone.
    Module::new(&config.module).unwrap().finalize().unwrap();
    Module::new(&config.module).unwrap().initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    verified(&key, &sign(&*signer).unwrap());

    for (name, why) in [("bot-1/twice", "several"), ("bot-1/other-curve", "secp256k1"), ("bot-1/open", "leave"), ("bot-1/none", "no")] {
        let refused = block_on(block_on(backend.open(name, "bot-1")).ok().unwrap().public_key()).unwrap_err();
        assert!(matches!(refused, SignerError::Refused(_)) && refused.to_string().contains(why), "{name}: {refused}");
    }
    assert!(block_on(backend.open("bot-2/trade", "bot-1")).is_err(), "another agent's");
}

/// Signers of one key, and one that never answers.
struct Half {
    asked: std::sync::Arc<tokio::sync::Notify>,
}

struct One(k256::ecdsa::SigningKey);

#[async_trait::async_trait]
impl SignerBackend for Half {
    async fn open(&self, key: &str, _agent: &str) -> Result<std::sync::Arc<dyn Signer>, SignerError> {
        if key == "silent" {
            self.asked.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(std::sync::Arc::new(One(k256::ecdsa::SigningKey::from_slice(&[1; 32]).unwrap())))
    }
}

#[async_trait::async_trait]
impl Signer for One {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok((*self.0.verifying_key()).into())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        use k256::ecdsa::signature::hazmat::PrehashSigner;
        let signature: Result<Signature, _> = self.0.sign_prehash(&request.digest());
        signature.map(Answer::from).map_err(|error| SignerError::Refused(error.to_string()))
    }
}

#[test]
fn a_key_that_never_answers_delays_only_the_agents_that_need_it() {
    use strongroom::{End, Host, HostConfig, Manifest, RunOptions};

    let dir = tempfile::tempdir().unwrap();
    let config = HostConfig::default().with(|new| new.state_dir = Some(dir.path().join("state")));
    let asked = std::sync::Arc::new(tokio::sync::Notify::new());
    let half = Half { asked: std::sync::Arc::clone(&asked) };
    let host = Host::builder().config(config).without_audit().max_agents(4).signers("half", half).build().unwrap();
    let agent = |name: &str, key: &str| {
        let text = format!(
            "name = \"{name}\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"print done\"]\n[signers.W]\nfrom = \"half:{key}\"\nchains = [1]"
        );
        host.agent(Manifest::parse("agent.toml", &text).unwrap(), &strongroom_components::bytes("probe")).unwrap()
    };
    let (silent, other) = (agent("silent", "silent"), agent("other", "good"));

    block_on(async {
        let waiting = silent.run(RunOptions::default().stdout(std::io::sink()));
        let working = async {
            asked.notified().await;
            other.run(RunOptions::default().stdout(std::io::sink())).await
        };
        tokio::select! {
            ended = waiting => panic!("the other agent waited until this one had ended: {ended:?}"),
            done = working => assert_eq!(done.unwrap().end, End::Exit(0)),
        }
    });
}

/// The first account of the development phrase, as Hardhat and Anvil print it.
const WALLET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

#[test]
fn a_wallets_key_is_not_sent_as_a_secret_whichever_way_it_is_named() {
    use strongroom::{Host, HostConfig, Manifest, RunOptions, StaticBackend};

    let dir = tempfile::tempdir().unwrap();
    let document = format!("{{\"wallet\":\"0x{WALLET}\",\"api\":\"an-api-key-of-this-agent\"}}");
    let host = || {
        let config = HostConfig::default().with(|new| new.state_dir = Some(dir.path().join("state")));
        let store =
            StaticBackend::new().with("kept", document.clone()).with("raw", WALLET).with("upper", format!("0x{}", WALLET.to_uppercase()));
        let other = StaticBackend::new().with("again", document.clone()).with("raw", format!("0x{WALLET}"));
        let builder = Host::builder().config(config).without_audit().max_agents(4).backend("store", store).backend("other", other);
        builder.default_backend("store").build().unwrap()
    };
    let run = |host: &Host, name: &str, lines: &str| {
        let text = format!("name = \"{name}\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"print done\"]\n{lines}");
        let agent = host.agent(Manifest::parse("agent.toml", &text).unwrap(), &strongroom_components::bytes("probe"));
        let agent = agent.map_err(|error| error.to_string())?;
        block_on(agent.run(RunOptions::default().stdout(std::io::sink()))).map(|_| ()).map_err(|error| error.to_string())
    };
    let wallet = |from: &str| format!("[signers.W]\nfrom = \"{from}\"\nchains = [1]");
    let secret = |from: &str| format!("[secrets.K]\nfrom = \"{from}\"");

    // By its name, in each spelling, before anything is opened.
    for (sends, signs) in
        [("store:kept#/wallet", "store:kept#wallet"), ("store:kept#wallet", "store:kept#/wallet"), ("store:kept", "store:kept#wallet")]
    {
        let refusal = run(&host(), "a", &format!("{}\n{}", secret(sends), wallet(signs))).unwrap_err();
        assert!(refusal.contains("the entry kept already serves as `"), "{sends}: {refusal}");
    }
    // By its value: in this process, and in another of this host.
    let first = host();
    run(&first, "payer", &wallet("store:kept#/wallet")).unwrap();
    for host in [&first, &host()] {
        for sends in ["other:again#wallet", "other:again", "other:raw", "store:raw", "store:upper"] {
            let refusal = run(host, "evil", &secret(sends)).unwrap_err();
            assert!(refusal.contains("its value already serves as `wallet`") && !refusal.contains(WALLET), "{sends}: {refusal}");
        }
        run(host, "good", &secret("other:again#api")).unwrap();
    }
}

#[test]
fn what_was_sent_as_a_secret_signs_nothing() {
    use strongroom::{Host, HostConfig, Manifest, RunOptions, StaticBackend};

    let dir = tempfile::tempdir().unwrap();
    let host = || {
        let config = HostConfig::default().with(|new| new.state_dir = Some(dir.path().join("state")));
        let store = StaticBackend::new().with("sent", WALLET).with("signs", format!("0x{}\n", WALLET.to_uppercase()));
        Host::builder().config(config).without_audit().max_agents(4).backend("store", store).build().unwrap()
    };
    let run = |host: &Host, lines: &str| {
        let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"print done\"]\n{lines}");
        let agent = host.agent(Manifest::parse("agent.toml", &text).unwrap(), &strongroom_components::bytes("probe")).unwrap();
        block_on(agent.run(RunOptions::default().stdout(std::io::sink()))).map(|_| ()).map_err(|error| error.to_string())
    };
    let first = host();
    run(&first, "[secrets.K]\nfrom = \"store:sent\"").unwrap();

    for host in [&first, &host()] {
        let refusal = run(host, "[signers.W]\nfrom = \"store:signs\"\nchains = [1]").unwrap_err();
        assert!(refusal.contains("its value already serves as `secret`"), "{refusal}");
    }
}
