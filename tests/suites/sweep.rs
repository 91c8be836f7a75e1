//! `strongroom mpc sweep`: what a wallet holds goes to another account, within its limits and to nobody else, whatever the node says. The parties
//! are stand-ins with one key; the node is anvil, or one of the tests' own that lies.

use crate::cli::{CliFixture, Transcript};
use serde_json::{Value, json};
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY};
use strongroom_tests::services::Anvil;
use strongroom_tests::services::custody::{Custody, Reply};
use strongroom_tests::services::parties::{Behaviour, Parties, answered};

/// The new wallet.
const NEW: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// A token of ours on the test's chain.
const TOKEN: &str = "0x00000000000000000000000000000000000E2C20";
const ETH: u128 = 1_000_000_000_000_000_000;

/// A contract that knows `balanceOf` and `transfer` of ERC-20, and nothing else; an account's balance lies in the slot of its address.
const TOKEN_CODE: &str = "0x60003560e01c806370a0823114601f578063a9059cbb14602c5760006000fd5b6004355460005260206000f35b33546024358181116050\
    578091033355600435540160043555600160005260206000f35b60006000fd";

fn honest(question: &strongroom_mpc::says::Question) -> Option<strongroom_mpc::says::Answer> {
    Some(answered(question, &KEY[2..]))
}

fn lines(most: &str, day: &str) -> String {
    format!(
        "[signers.wallet]\nfrom = \"mpc:probe-1\"\nchains = [1]\nrecipients = [\"{NEW}\"]\nmax_fee = \"0.01\"\nmax_value = \"{most}\"\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"{day}\"\n"
    )
}

const TOKEN_LINES: &str = "[[signers.wallet.call]]\nto = [\"0x00000000000000000000000000000000000E2C20\"]\nfunction = \"transfer(address to, uint256 amount)\"\n\
     [[signers.wallet.limit]]\nasset = \"GOLD\"\nchain = 1\nday = \"70\"\n";

/// A desk whose agent has a wallet of three parties.
fn desk(parties: &Parties, manifest: &str) -> CliFixture {
    let desk = CliFixture::new(manifest);
    let assets = format!("[[signing.assets]]\nsymbol = \"GOLD\"\nchain = 1\naddress = \"{TOKEN}\"\nstandard = \"erc20\"\ndecimals = 2\n");
    let config = format!("[signing]\nledger = \"ledger\"\n{}{assets}[audit]\nfile = \"audit.jsonl\"\n", parties.table());
    desk.write("strongroom.toml", &config);
    let confirmed = desk.run("limits confirm agent.toml --config strongroom.toml");
    assert_eq!(confirmed.code, 0, "{}", confirmed.stderr);
    desk
}

fn sweep(desk: &CliFixture, node: &str, options: &str) -> Transcript {
    desk.run(format!("mpc sweep agent.toml --config strongroom.toml --to {NEW} --rpc {node} {options}").trim_end())
}

/// A chain on which the wallet has that much, with nothing at the new one.
fn chain(wei: u128) -> Anvil {
    let anvil = Anvil::start(1);
    anvil.fund(ADDRESS, &format!("{wei:#x}"));
    anvil.fund(NEW, "0x0");
    anvil
}

fn balance(anvil: &Anvil, address: &str) -> u128 {
    number(&anvil.rpc("eth_getBalance", json!([address, "latest"])).unwrap())
}

fn number(hex: &Value) -> u128 {
    u128::from_str_radix(hex.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// An address as a word of 32 bytes.
fn word(address: &str) -> String {
    format!("0x{:0>64}", &address[2..])
}

#[test]
fn what_a_wallet_holds_goes_to_the_new_one() {
    let parties = Parties::start([honest; 3]);
    let desk = desk(&parties, &(lines("20", "20") + TOKEN_LINES));
    let anvil = chain(10 * ETH);
    anvil.rpc("anvil_setCode", json!([TOKEN, TOKEN_CODE])).unwrap();
    anvil.rpc("anvil_setStorageAt", json!([TOKEN, word(ADDRESS), format!("{:#066x}", 5_000)])).unwrap();

    let looked = sweep(&desk, &anvil.address, "--dry-run");
    assert_eq!((looked.code, parties.requests().len()), (0, 0), "{}", looked.stderr);
    assert!(looked.stdout.starts_with("GOLD: has 50 GOLD, sends 50 GOLD for at most 0.00"), "{}", looked.stdout);
    assert!(looked.stdout.contains("\nETH: has 10 ETH, sends 9.99"), "{}", looked.stdout);
    assert!(looked.stdout.ends_with(" ETH; the rest is kept for the gas\n"), "{}", looked.stdout);

    let asked = sweep(&desk, &anvil.address, "");
    assert!(asked.code == 120 && asked.stderr.contains("give `--yes`"), "{}", asked.stderr);

    let swept = sweep(&desk, &anvil.address, "--yes");

    assert_eq!(swept.code, 0, "{}", swept.stderr);
    let sent: Vec<_> = swept.stdout.lines().filter(|line| line.starts_with("sent ")).collect();
    assert!(sent.len() == 2 && sent[0].starts_with("sent 50 GOLD in 0x") && sent[1].starts_with("sent 9.99"), "{}", swept.stdout);
    let tokens = anvil.rpc("eth_call", json!([{"to": TOKEN, "data": format!("0x70a08231{}", &word(NEW)[2..])}, "latest"])).unwrap();
    assert_eq!(number(&tokens), 5_000);
    let (new, old) = (balance(&anvil, NEW), balance(&anvil, ADDRESS));
    assert!(new > 999 * ETH / 100 && old < ETH / 100, "{new} {old}");
    let audit = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let signed: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let signed: Vec<_> = signed.iter().filter(|record| record["event"] == "signed").collect();
    assert_eq!(signed.len(), 2, "{audit}");
    assert!(signed.iter().all(|record| record["agent"] == "probe-1" && record["signer"] == "wallet"), "{audit}");

    let again = sweep(&desk, &anvil.address, "--dry-run --json");
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    let held: Value = serde_json::from_str(again.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(held, json!({"asset": "GOLD", "balance": "0 GOLD", "sends": "0 GOLD", "transactions": 0, "fee": "0 ETH"}));
}

#[test]
fn limits_bound_a_sweep_and_one_party_may_be_lost() {
    let lost: Behaviour = |_| None;
    let parties = Parties::start([lost, honest, honest]);
    let desk = desk(&parties, &lines("1", "2.5"));
    let anvil = chain(10 * ETH);

    let swept = sweep(&desk, &anvil.address, "--yes");

    assert_eq!(swept.code, 0, "{}", swept.stderr);
    let sent: Vec<_> = swept.stdout.lines().filter(|line| line.starts_with("sent ")).collect();
    assert!(sent.len() == 3 && sent[..2].iter().all(|line| line.starts_with("sent 1 ETH in ")), "{}", swept.stdout);
    assert!(swept.stdout.contains("in 3 transactions, for at most 0.000"), "{}", swept.stdout);
    let new = balance(&anvil, NEW);
    assert!(new < 5 * ETH / 2 && new > 249 * ETH / 100, "{new}");

    let again = sweep(&desk, &anvil.address, "--yes");
    assert_eq!((again.code, balance(&anvil, NEW)), (121, new), "{}", again.stdout);
}

#[test]
fn nobody_gets_anything_whom_the_manifest_does_not_grant() {
    let parties = Parties::start([honest; 3]);
    let desk = desk(&parties, &lines("20", "20").replace(NEW, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"));
    let anvil = chain(10 * ETH);

    let refused = sweep(&desk, &anvil.address, "--yes");

    assert_eq!(refused.code, 121, "{}", refused.stdout);
    assert!(
        refused.stdout.contains("`recipient`") && refused.stdout.contains(&format!("add \"{NEW}\" to `recipients`")),
        "{}",
        refused.stdout
    );
    assert!(parties.requests().is_empty());
}

/// A node that has plenty of everything, with these answers first.
fn node(answers: fn(&str) -> Option<Value>) -> Custody {
    Custody::start(move |request| {
        let method = request["method"].as_str().unwrap();
        Reply::Result(answers(method).unwrap_or_else(|| match method {
            "eth_chainId" => json!("0x1"),
            "eth_getBlockByNumber" => json!({"baseFeePerGas": "0x3b9aca00"}),
            "eth_estimateGas" => json!("0x5208"),
            "eth_getTransactionCount" => json!("0x0"),
            "eth_maxPriorityFeePerGas" => json!("0x1"),
            _ => json!("0xffffffffffffffffffffffff"),
        }))
    })
}

#[test]
fn a_node_can_have_no_more_spent_on_gas_than_the_manifest_says() {
    let parties = Parties::start([honest; 3]);
    let bounded = desk(&parties, &lines("1", "20"));
    let unbounded = desk(&parties, &lines("1", "20").replace("max_fee = \"0.01\"\n", ""));
    let dear: [fn(&str) -> Option<Value>; 2] = [
        |method| (method == "eth_getBlockByNumber").then(|| json!({"baseFeePerGas": "0xffffffffffff"})),
        |method| (method == "eth_maxPriorityFeePerGas").then(|| json!("0xffffffffffff")),
    ];

    for answers in dear {
        let node = node(answers);
        let refused = sweep(&bounded, &node.url, "--yes");
        assert!(refused.code == 121 && refused.stdout.contains("`fee`"), "{}{}", refused.stdout, refused.stderr);
        let refused = sweep(&unbounded, &node.url, "--yes");
        assert!(refused.code == 120 && refused.stderr.contains("set `max_fee` in `[signers.wallet]`"), "{}", refused.stderr);
    }
    assert!(parties.requests().is_empty());
}

#[test]
fn a_transaction_that_is_in_no_block_is_named_and_nothing_else_is_signed() {
    let parties = Parties::start([honest; 3]);
    let desk = desk(&parties, &lines("0.25", "1"));
    let silent = node(|method| match method {
        "eth_getTransactionReceipt" => Some(Value::Null),
        _ => None,
    });

    let lost = sweep(&desk, &silent.url, "--yes --wait 0");

    assert!(lost.code == 121 && lost.stderr.contains("0.25 ETH: signed as 0x"), "{}", lost.stderr);
    assert!(lost.stderr.contains("look for it before you sweep again"), "{}", lost.stderr);
    assert_eq!(parties.requests().len(), 1);

    let waiting = Custody::start(|request| {
        Reply::Result(match (request["method"].as_str().unwrap(), request["params"][1].as_str()) {
            ("eth_chainId", _) => json!("0x1"),
            ("eth_getTransactionCount", Some("pending")) => json!("0x1"),
            ("eth_getTransactionCount", _) => json!("0x0"),
            _ => json!("0xffffffffffffffffffffffff"),
        })
    });
    let later = sweep(&desk, &waiting.url, "--yes");
    assert!(later.code == 121 && later.stderr.contains("wait to be in a block"), "{}", later.stderr);
    assert_eq!(parties.requests().len(), 1);
}

#[test]
fn what_a_node_says_wrongly_is_told() {
    const SECRET: &str = "k3y-of-the-provider";
    let parties = Parties::start([honest; 3]);
    let desk = desk(&parties, &lines("1", "1"));
    let says = |result: fn(&Value) -> Reply| Custody::start(result);
    let other = says(|_| Reply::Result(json!("0x5")));
    let echoes = says(|_| {
        Reply::Body(json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": format!("no such key: {SECRET}")}}).to_string())
    });
    let silly = says(|_| Reply::Body("<html>".into()));
    let nothing = says(|_| Reply::Result(Value::Null));

    for (node, says) in [
        (other.url.clone(), "is of another chain than 1"),
        (format!("{}/v2/{SECRET}", echoes.url), "the node refuses: no such key: [redacted]"),
        (silly.url.clone(), "answers 200, and no JSON-RPC"),
        (nothing.url.clone(), "`eth_chainId`: the node answers no number"),
        ("http://node.test".to_owned(), "`--rpc` takes the address of a node"),
        ("ftp://127.0.0.1".to_owned(), "`--rpc` takes the address of a node"),
        ("env:NO_SUCH".to_owned(), "env:NO_SUCH is not set"),
        ("http://127.0.0.1:1/".to_owned(), "the node can't be reached"),
    ] {
        let told = sweep(&desk, &node, "--yes");
        assert!(told.code != 0 && told.stderr.contains(says), "{node}: {}", told.stderr);
        assert!(!told.stderr.contains(SECRET) && !told.stdout.contains(SECRET), "{}", told.stderr);
    }
    let wrong = desk.run("mpc sweep agent.toml --config strongroom.toml --to 0x7099 --rpc http://127.0.0.1:1");
    assert!(wrong.code == 120 && wrong.stderr.contains("`--to` takes an address"), "{}", wrong.stderr);
    assert!(parties.requests().is_empty());
}
