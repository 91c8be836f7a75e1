//! Remote signers: what a service is asked for, what is made of each of its answers, and who is let near it. Real components ask; the service
//! is anvil with its own account, or one of the tests' own that lies.

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use strongroom_tests::block_on;
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY, Opened, WalletFixture, coded, decoded};
use strongroom_tests::services::custody::{Custody, Reply, honest, twisted};
use strongroom_tests::services::{Anvil, Fault, Faulty};
use toml::Table;

const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// The key of [`FRIEND`]: the second account of the development phrase.
const FRIENDS_KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
/// Words that a service says, and nobody passes on.
const SAID: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";

const TRANSFER: &str = "fields chain:1 nonce:7 to:0x70997970C51812dc3A010C7d01b50e0d17dc79C8 value:1000 max:2000000000 priority:1000000000";

/// A wallet whose key is at the service `custody`, with these lines in the service's table.
fn wallet(url: &str, lines: &str) -> WalletFixture {
    with(
        &format!("remote:custody/{ADDRESS}"),
        &format!("[signing.remote.custody]\nurl = \"{url}\"\naccounts = [\"probe-1/{ADDRESS}\"]\n{lines}"),
    )
}

fn with(from: &str, config: &str) -> WalletFixture {
    WalletFixture::with(&format!(
        "[signers.wallet]\nfrom = \"{from}\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\nmessages = [\"hello [a-z]+\"]\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"5\"\n\
         [[signers.wallet.typed]]\ndomain = {{ name = \"Mail\", version = \"1\", chain = 1, contract = \"{FRIEND}\" }}\n\
         type = \"Mail(Person to,string contents,uint256 number,int8 less,bytes3 tag)Person(string name,address wallet)\"\nspends = \"none\"\n"
    ))
    .config(config)
}

/// A document with what its types name, and more.
fn mail() -> Value {
    json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"}, {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"}
            ],
            "Mail": [
                {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"}, {"name": "number", "type": "uint256"},
                {"name": "less", "type": "int8"}, {"name": "tag", "type": "bytes3"}
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Unused": [{"name": "x", "type": "bool"}]
        },
        "primaryType": "Mail",
        "domain": {"name": "Mail", "version": "1", "chainId": 1, "verifyingContract": FRIEND},
        "message": {
            "to": {"name": "Bob", "wallet": FRIEND}, "contents": "Grüße, \"Bob\"", "number": "0xffffffffffffffffffffffff",
            "less": -5, "tag": "0x0102ff", "unsigned": "nobody agrees to this"
        }
    })
}

fn recovered(digest: &B256, signature: &[u8]) -> Address {
    let parsed = Signature::from_slice(&signature[..64]).unwrap();
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &parsed, RecoveryId::from_byte(signature[64] - 27).unwrap()).unwrap();
    Address::from_slice(&keccak256(&key.to_encoded_point(false).as_bytes()[1..])[12..])
}

fn hello() -> String {
    format!("message {}", coded("hello world"))
}

#[test]
fn a_node_signs_typed_data_and_messages_and_a_record_has_what_was_signed() {
    let anvil = Anvil::start(1);
    let opened = wallet(&anvil.address, "typed_data = \"eth_signTypedData_v4\"").open();

    let shown = opened.sign("address");
    let message = decoded(&opened.sign(&hello()));
    let typed = decoded(&opened.sign(&format!("typed {}", coded(mail().to_string()))));

    assert_eq!(shown, format!("{ADDRESS} "), "its public half is not known");
    let hash = keccak256(b"\x19Ethereum Signed Message:\n11hello world");
    assert_eq!(recovered(&hash, &message).to_string(), ADDRESS);
    let records = opened.records("signed");
    let digest: B256 = records[1]["digest"].as_str().unwrap().parse().unwrap();
    assert_eq!(recovered(&digest, &typed).to_string(), ADDRESS);
    assert_eq!(format!("0x{}", records[0]["digest"].as_str().unwrap()), hash.to_string());
}

#[test]
fn a_method_that_a_service_has_not_is_named() {
    let anvil = Anvil::start(1);
    // It has no more than the name of this one, and says that it failed within.
    let opened = wallet(&anvil.address, "").open();

    let said = opened.sign(&format!("typed {}", coded(mail().to_string())));

    let failed = &opened.records("signer-failed")[0];
    assert_eq!(failed["spent"], true, "{said}: {failed}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("`eth_signTypedData`: the service failed") && reason.contains("whether it has that method"), "{reason}");
}

#[test]
fn a_service_hears_what_was_permitted_and_nothing_else() {
    let custody = Custody::start(|request| match request["method"].as_str() {
        Some("eth_signTypedData") => Reply::Result(json!("0x")),
        _ => Reply::Result(honest(request)),
    });
    let opened = wallet(&custody.url, "").open();

    let typed = format!("typed {}", coded(mail().to_string()));
    let dear = TRANSFER.replace("value:1000", "value:6000000000000000000");
    let said = [TRANSFER, &hello(), &typed, &dear].map(|operation| opened.sign(operation));

    assert!(said[2].contains("not known") && said[3].contains("`spend`"), "{said:?}");
    let heard = custody.heard();
    let asked: Vec<(&str, &Value)> = heard.iter().map(|(_, body)| (body["method"].as_str().unwrap(), &body["params"])).collect();
    let transaction = json!([{
        "from": ADDRESS.to_lowercase(), "to": FRIEND.to_lowercase(), "chainId": "0x1", "nonce": "0x7", "gas": "0x5208", "value": "0x3e8",
        "data": "0x", "type": "0x2", "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00", "accessList": []
    }]);
    assert_eq!(asked.len(), 3, "what is denied is not asked for");
    assert_eq!(asked[0], ("eth_signTransaction", &transaction));
    assert_eq!(asked[1], ("eth_sign", &json!([ADDRESS.to_lowercase(), hex::encode_prefixed("hello world")])));
    let (method, params) = asked[2];
    let document: Value = serde_json::from_str(params[1].as_str().unwrap()).unwrap();
    assert_eq!((method, &params[0], params.as_array().unwrap().len()), ("eth_signTypedData", &json!(ADDRESS.to_lowercase()), 2));
    assert_eq!(document["types"].as_object().unwrap().keys().collect::<Vec<_>>(), ["EIP712Domain", "Mail", "Person"]);
    assert_eq!(document["domain"], json!({"name": "Mail", "version": "1", "chainId": "1", "verifyingContract": FRIEND}));
    let number = "79228162514264337593543950335";
    let message =
        json!({"to": {"name": "Bob", "wallet": FRIEND}, "contents": "Grüße, \"Bob\"", "number": number, "less": "-5", "tag": "0x0102ff"});
    assert_eq!(document["message"], message);
}

/// The order of the curve.
fn order() -> U256 {
    U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
}

/// What a service answers by a row of `tests/hostile/remote.toml`.
fn reply(row: &Table, request: &Value) -> Reply {
    let text = |key: &str| row.get(key).and_then(toml::Value::as_str);
    let twist = text("twist").unwrap_or_default();
    let mut signs = request.clone();
    for (field, value) in row.get("set").into_iter().flat_map(|set| set.as_table().unwrap()) {
        let place = if field == "message" { &mut signs["params"][1] } else { &mut signs["params"][0][field] };
        *place = json!(value.as_str().unwrap());
    }
    let key = if text("key") == Some("other") { FRIENDS_KEY } else { KEY };
    let result = twisted(
        &signs,
        key,
        match twist {
            "high" => |r, s, odd| (r, order() - s, !odd),
            "parity" => |r, s, odd| (r, s, !odd),
            "zero" => |_, s, odd| (U256::ZERO, s, odd),
            _ => |r, s, odd| (r, s, odd),
        },
    );
    let mut result = result.as_str().unwrap().to_owned();
    match twist {
        "digits" => drop(result.drain(..2)),
        "bare" => result = format!("{}{}", &result[..130], if result.ends_with("1b") { "00" } else { "01" }),
        _ => {}
    }
    if let Some(length) = row.get("cut") {
        result.truncate(usize::try_from(length.as_integer().unwrap()).unwrap());
    }
    let result = json!(format!("{}{result}{}", text("front").unwrap_or_default(), text("back").unwrap_or_default())).to_string();
    let result = text("result").unwrap_or("RESULT").replace("RESULT", &result).replace("SAID", SAID);
    let fill =
        text("fill").unwrap_or_default().repeat(row.get("times").map_or(0, |times| usize::try_from(times.as_integer().unwrap()).unwrap()));
    let body = text("body").unwrap_or(r#"{"jsonrpc":"2.0","id":ID,"result":RESULT}"#);
    let body = [("SAID", SAID.to_owned()), ("ID", request["id"].to_string()), ("RESULT", result), ("FILL", fill)]
        .into_iter()
        .fold(body.to_owned(), |body, (name, text)| body.replace(name, &text));
    match (text("end"), row.get("code"), text("status")) {
        (Some("closed"), ..) => Reply::Closed,
        (Some("midway"), ..) => Reply::Part,
        (Some(_), ..) => Reply::Silence,
        (_, Some(code), _) => error(request, code.as_integer().unwrap()),
        (.., Some(line)) => {
            let body = if row.contains_key("body") { body } else { format!("{{\"error\":\"{SAID}\"}}") };
            Reply::Status(line.to_owned(), format!("x-said: {SAID}\r\n"), body)
        }
        _ => Reply::Body(body),
    }
}

/// What must come of an answer.
enum Comes {
    /// A signature.
    Signed,
    /// None, and what it would have spent is free again.
    Free(String),
    /// Nobody knows, and what it would have spent counts as spent.
    Spent(String),
}

impl Comes {
    fn of(row: &Table) -> Self {
        let says = || row["says"].as_str().unwrap().to_owned();
        match row["comes"].as_str().unwrap() {
            "signed" => Self::Signed,
            "free" => Self::Free(says()),
            "spent" => Self::Spent(says()),
            other => panic!("{other}"),
        }
    }
}

fn error(request: &Value, code: i64) -> Reply {
    Reply::Body(json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": SAID, "data": [SAID]}}).to_string())
}

/// A service that gives its accounts, and otherwise answers so.
fn custody(answer: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Custody {
    Custody::start(move |request| if request["method"] == "eth_accounts" { Reply::Result(honest(request)) } else { answer(request) })
}

/// What came of one operation.
fn outcome(opened: &Opened, operation: &str, expected: &Comes) -> Result<(), String> {
    let said = opened.sign(operation);
    let (signed, failed) = (opened.records("signed"), opened.records("signer-failed"));
    let (spent, says) = match expected {
        Comes::Signed => return if signed.len() == 1 && failed.is_empty() { Ok(()) } else { Err(format!("{said}: {failed:?}")) },
        Comes::Free(says) => (false, says),
        Comes::Spent(says) => (true, says),
    };
    let [failed] = failed.as_slice() else { return Err(format!("it is signed: {said}")) };
    let reason = failed["reason"].as_str().unwrap();
    let told = if spent { "whether it was signed is not known" } else { "reached" };
    match signed.is_empty() && failed["spent"] == spent && reason.contains(says) && said.contains(told) {
        true if format!("{failed} {said}").contains(SAID) => Err(format!("the service's words are passed on: {failed} {said}")),
        true => Ok(()),
        false => Err(format!("{said}: {failed}")),
    }
}

#[test]
fn each_answer_of_a_service_comes_to_what_the_table_says() {
    let table: Table = include_str!("../hostile/remote.toml").parse().unwrap();
    let rows = table["row"].as_array().unwrap();
    let mut wrong = Vec::new();
    for row in rows.iter().map(|row| row.as_table().unwrap().clone()) {
        let name = row["name"].as_str().unwrap().to_owned();
        let operation = if row.contains_key("message") { hello() } else { TRANSFER.to_owned() };
        let expected = Comes::of(&row);
        // Nobody waits in the other rows.
        let timeout = if row.contains_key("end") { "timeout = \"2s\"" } else { "" };
        let service = custody(move |request| reply(&row, request));
        let opened = wallet(&service.url, timeout).open();

        if let Err(why) = outcome(&opened, &operation, &expected) {
            wrong.push(format!("{name}: {why}"));
        }
        if service.heard().len() != 1 {
            wrong.push(format!("{name}: it is asked {} times", service.heard().len()));
        }
    }

    assert!(rows.len() >= 60 && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = custody(|request| Reply::Result(honest(request)));
    let url = elsewhere.url.clone();
    let service = custody(move |_| Reply::Status("307 Temporary Redirect".to_owned(), format!("location: {url}/\r\n"), String::new()));
    let opened = wallet(&service.url, "").open();

    outcome(&opened, TRANSFER, &Comes::Spent("the service sends requests elsewhere (307)".to_owned())).unwrap();

    assert!(elsewhere.heard().is_empty());
}

#[test]
fn a_service_that_is_gone_has_signed_nothing() {
    let service = custody(|request| Reply::Result(honest(request)));
    let opened = wallet(&service.url, "").open();
    service.stop();

    outcome(&opened, TRANSFER, &Comes::Free("the service can't be reached; check `url`".to_owned())).unwrap();
}

#[test]
fn what_may_have_been_signed_is_spent_and_what_was_refused_is_not() {
    let turn = AtomicU64::new(0);
    let service = custody(move |request| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => error(request, -32602),
        1 => Reply::Closed,
        _ => Reply::Result(honest(request)),
    });
    let opened = wallet(&service.url, "").open();
    let pay = |nonce: u64, eth: u64| {
        opened.sign(&format!("fields chain:1 nonce:{nonce} to:{FRIEND} value:{eth}000000000000000000 max:0 priority:0"))
    };

    let refused = pay(0, 4);
    let lost = pay(1, 3);
    let over = pay(2, 3);
    let within = pay(3, 2);

    assert!(refused.contains("reached") && lost.contains("not known"), "{refused} {lost}");
    assert!(over.contains("`spend`"), "{over}");
    assert!(!within.contains("denied"), "{within}");
}

#[test]
fn a_service_has_to_list_the_account() {
    let accounts = |result: Value| Custody::start(move |_| Reply::Result(result.clone()));
    for (listed, says) in [
        (json!([FRIEND]), "the service does not list it (`eth_accounts`); load its key there"),
        (json!([]), "the service does not list it"),
        (json!([ADDRESS, "0x1"]), "not a list of addresses; check `url`"),
        (json!(ADDRESS), "not a list of addresses"),
        (json!({ ADDRESS: ADDRESS }), "not a list of addresses"),
    ] {
        let service = accounts(listed.clone());
        let loaded = wallet(&service.url, "").load().unwrap();

        let error = block_on(loaded.agent.confirm_signers()).unwrap_err().to_string();
        let run = loaded.try_sign(&[format!("sign wallet {TRANSFER}")]).unwrap_err();

        for error in [error, run] {
            assert!(error.contains(says) && error.contains(ADDRESS) && error.contains("`custody`"), "{listed}: {error}");
        }
        assert!(service.heard().is_empty());
    }
    let closed = Faulty::before("http://127.0.0.1:9");
    closed.set(&[Fault::Closed]);
    let loaded = wallet(&closed.url(), "").load().unwrap();
    let error = block_on(loaded.agent.confirm_signers()).unwrap_err().to_string();
    assert!(error.contains("the connection was lost before a response") && !error.contains("spent"), "{error}");
}

#[test]
fn what_a_remote_signer_can_not_do_is_refused_as_the_manifest_is_loaded() {
    let table = format!("[signing.remote.custody]\nurl = \"http://127.0.0.1:9\"\naccounts = [\"probe-1/{ADDRESS}\", \"other/{FRIEND}\"]");
    let own = format!("from = \"remote:custody/{ADDRESS}\"");
    for (lines, says) in [
        (format!("{own}\nuse = \"digest\""), "a signer of the use `digest` needs more"),
        (format!("{own}\nuse = \"solana\"\nmessages = [\"hello\"]"), "a signer of the use `solana` needs more"),
        (format!("{own}\nuse = \"jwt\"\naudience = \"https://api.test\""), "a key outside the backends of secrets"),
        (format!("{own}\nchains = [1]\nkinds = [\"1559\", \"4844\"]"), "transactions of the kind 4844"),
        (format!("{own}\nchains = [1]\nkinds = [\"7702\"]"), "transactions of the kind 7702"),
        (format!("{own}\nchains = [1]\n[[signers.wallet.delegate]]\nchain = 1\naddress = \"{FRIEND}\""), "authorizations (EIP-7702)"),
        (format!("from = \"remote:custody/{ADDRESS}?version=2\"\nchains = [1]"), "keys of a signer have no versions"),
        (format!("from = \"remote:{ADDRESS}\"\nchains = [1]"), "write `remote:SERVICE/0xADDRESS`"),
        ("from = \"remote:custody/0x1234\"\nchains = [1]".to_owned(), "write `remote:SERVICE/0xADDRESS`"),
        (format!("from = \"remote:elsewhere/{ADDRESS}\"\nchains = [1]"), "no service of that name"),
        (format!("from = \"remote:custody/{FRIEND}\"\nchains = [1]"), "the operator may add `\"probe-1/0x7099"),
    ] {
        let loaded = WalletFixture::with(&format!("[signers.wallet]\n{lines}")).config(&table).load();
        let error = loaded.err().unwrap_or_else(|| panic!("it is loaded: {lines}"));
        assert!(error.contains(says), "{lines}: {error}");
    }
    let without = with(&format!("remote:custody/{ADDRESS}"), "").load().err().unwrap();
    assert!(without.contains("no `[signing.remote]` is configured"), "{without}");
}

#[test]
fn one_account_has_one_way_to_its_key() {
    let service = custody(|request| Reply::Result(honest(request)));
    let opened = wallet(&service.url, "").open();

    let beside = opened.beside(&format!(
        "name = \"probe-2\"\ncomponent = \"probe.wasm\"\n[signers.wallet]\nfrom = \"static:WALLET\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\n"
    ));
    let error = block_on(beside.unwrap().confirm_signers()).unwrap_err().to_string();

    assert!(error.contains(ADDRESS) && error.contains("counted apart"), "{error}");
}

/// An authority, with what it has signed for a server and for a client: certificates and keys in PEM.
struct Authority {
    pem: String,
    server: (String, String),
    client: (String, String),
}

fn authority() -> Authority {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let issued = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Authority { pem: issuer.pem(), server: issued("localhost"), client: issued("host.test") }
}

/// TLS of a server that lets in whom this authority has signed.
fn lets_in(clients: &Authority, server: &Authority) -> ServerConfig {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(server.server.0.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(server.server.1.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap()
}

#[test]
fn a_service_lets_in_who_shows_a_certificate_and_bears_a_token_and_a_new_token_is_borne_at_once() {
    let (ours, theirs) = (authority(), authority());
    let service = Custody::start_tls(lets_in(&ours, &ours), |request| Reply::Result(honest(request)));
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    write("ca.pem", &ours.pem);
    write("client.pem", &ours.client.0);
    write("client.key", &ours.client.1);
    write("their.pem", &theirs.client.0);
    write("their.key", &theirs.client.1);
    write("their-ca.pem", &theirs.pem);
    write("token", "first-token-of-the-host\n");
    let lines = |ca: &str, certificate: &str| {
        let identity = match certificate {
            "" => String::new(),
            name => format!("certificate = \"{}\"\nkey = \"file:{}\"\n", path(&format!("{name}.pem")), path(&format!("{name}.key"))),
        };
        format!("ca = [\"{}\"]\n{identity}token = \"file:{}\"\n", path(ca), path("token"))
    };

    let opened = wallet(&service.url, &lines("ca.pem", "client")).open();
    let mut said = Vec::new();
    for token in ["first-token-of-the-host", "second-token-of-the-host", ""] {
        write("token", &format!("{token}\n"));
        said.push(opened.sign(&TRANSFER.replace("nonce:7", &format!("nonce:{}", said.len()))));
    }

    assert_eq!(opened.records("signed").len(), 2, "{said:?}");
    let bears = |head: &str, token: &str| head.to_lowercase().contains(&format!("authorization: bearer {token}\r\n"));
    let heard = service.heard();
    assert!(bears(&heard[0].0, "first-token-of-the-host") && bears(&heard[1].0, "second-token-of-the-host"), "{heard:?}");
    let failed = &opened.records("signer-failed")[0];
    assert!(failed["spent"] == false && failed["reason"].as_str().unwrap().ends_with("is empty"), "{failed}");

    write("token", "third-token-of-the-host\n");
    write("mixed.pem", &ours.client.0);
    write("mixed.key", &theirs.client.1);
    write("none.pem", "no certificate");
    write("none.key", &ours.client.1);
    write("torn.pem", &ours.client.0);
    write("torn.key", &format!("-----BEGIN PRIVATE KEY-----\n{SAID}\n-----END PRIVATE KEY-----\n"));
    for (ca, certificate, says) in [
        ("their-ca.pem", "client", "the service can't be reached"),
        ("ca.pem", "", "the connection was lost before a response"),
        ("ca.pem", "their", "the connection was lost before a response"),
        ("ca.pem", "mixed", "it is not that of the certificate"),
        ("ca.pem", "none", "it holds no certificate"),
        ("ca.pem", "torn", "it is not one private key in PEM"),
        ("none.pem", "client", "it holds no certificate"),
        ("missing.pem", "client", "can't be read"),
    ] {
        let loaded = wallet(&service.url, &lines(ca, certificate)).load().unwrap();
        let error = block_on(loaded.agent.confirm_signers()).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains(SAID) && !error.contains("token-of-the-host"), "{ca} {certificate}: {error}");
    }
}
