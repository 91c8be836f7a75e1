//! An Ethereum node: anvil, with the rules of one hard fork. A transaction that it takes is in a block at once.

use super::{Service, call, home, must};
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What is installed from npm. The package itself is a launcher; the binary comes with the one for this machine.
const PACKAGE: &str = "@foundry-rs/anvil";
const VERSION: &str = "1.7.1";
/// Blobs (EIP-4844) came with `cancun`, delegations (EIP-7702) with this one. The default is whatever is newest.
const HARD_FORK: &str = "prague";
/// How long a receipt may take.
const RECEIPT: Duration = Duration::from_secs(5);

/// A node with a chain of its own, in memory.
pub struct Anvil {
    service: Service,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    /// The chain's id (EIP-155).
    pub chain: u64,
}

/// The binary, installed where it is not there yet.
fn binary() -> PathBuf {
    let (home, prefix) = (home(), home().join("anvil"));
    let done = home.join(format!("anvil-{VERSION}.done"));
    std::fs::create_dir_all(&home).expect("a directory for services");
    // Test processes may run side by side: one of them installs.
    let lock = File::create(home.join("anvil.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !done.exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&prefix);
        must(npm.arg(format!("{PACKAGE}@{VERSION}")), "npm (Debian's `npm`) installs anvil");
        File::create(done).expect("a mark that it is done");
    }
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let binary = prefix.join(format!("node_modules/{PACKAGE}-{}-{machine}/bin/anvil", std::env::consts::OS));
    assert!(binary.exists(), "npm has put no anvil at {}; is there one for this machine?", binary.display());
    binary
}

impl Anvil {
    /// One that all tests of this process share, with chain id 1: each has accounts of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Anvil> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1))
    }

    /// One of the test's own.
    #[must_use]
    pub fn start(chain: u64) -> Self {
        let (service, port) = Service::start("anvil", "Listening on", |port| {
            let mut command = Command::new(binary());
            command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--chain-id", &chain.to_string()]);
            command.args(["--hardfork", HARD_FORK, "--accounts", "1"]);
            command
        });
        Self { service, address: format!("http://127.0.0.1:{port}"), chain }
    }

    /// A call by JSON-RPC: its result, or the error's code and message.
    ///
    /// # Errors
    /// What the node says is wrong.
    pub fn rpc(&self, method: &str, params: Value) -> Result<Value, String> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, mut answer) = call("POST", &self.address, &[("content-type", "application/json")], Some(&body));
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {} {}", error["code"], error["message"].as_str().unwrap_or_default())),
            None if status == 200 && answer.get("result").is_some() => Ok(answer["result"].take()),
            None => Err(format!("{method}: {status} {answer}")),
        }
    }

    /// Sets what an account has, in wei.
    ///
    /// # Panics
    /// Where one of the two is not written in `0x` hexadecimal.
    pub fn fund(&self, address: &str, wei_hex: &str) {
        self.rpc("anvil_setBalance", json!([address, wei_hex])).expect("the balance is set");
    }

    /// Sends a signed transaction; gives its hash.
    ///
    /// # Errors
    /// Why the node does not take it.
    pub fn send_raw(&self, raw_hex: &str) -> Result<String, String> {
        let hash = self.rpc("eth_sendRawTransaction", json!([raw_hex]))?;
        hash.as_str().map(str::to_owned).ok_or_else(|| format!("eth_sendRawTransaction: no hash but {hash}"))
    }

    /// The receipt of a transaction.
    ///
    /// # Panics
    /// Where there is none.
    pub fn receipt(&self, hash: &str) -> Value {
        let end = Instant::now() + RECEIPT;
        loop {
            let receipt = self.rpc("eth_getTransactionReceipt", json!([hash])).expect("the node looks for it");
            if !receipt.is_null() {
                return receipt;
            }
            assert!(Instant::now() < end, "{hash} is in no block");
            // The answer to the sending may come before the block is made.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it.
    pub fn stop(&self) {
        self.service.stop();
    }
}
