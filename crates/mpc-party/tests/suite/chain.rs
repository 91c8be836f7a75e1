//! A chain that mines what is signed: anvil, where the environment says that there is one.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use strongroom_ground::text::hex;

/// Where the program is.
const ANVIL: &str = "STRONGROOM_MPC_ANVIL";

/// A chain of the test's own, with the id 31337. It goes with this.
pub struct Chain {
    node: Child,
    address: String,
}

impl Chain {
    /// A chain on which an account is rich; `None` where there is no anvil.
    pub fn start(account: &str) -> Option<Self> {
        let program = std::env::var_os(ANVIL)?;
        let mut node = Command::new(program).args(["--port", "0", "--accounts", "1"]).stdout(Stdio::piped()).spawn().expect("anvil starts");
        let mut lines = BufReader::new(node.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("Listening on ")?.1.trim().to_owned())).expect("it listens");
        // It tells of each block, and waits where nobody reads that.
        std::thread::spawn(move || lines.for_each(drop));
        let chain = Self { node, address };
        chain.ask("anvil_setBalance", &json!([account, "0x56bc75e2d63100000"]));
        Some(chain)
    }

    /// Sends a transaction, and looks whether its block has it with success.
    pub fn mine(&self, raw: &[u8]) {
        let hash = self.ask("eth_sendRawTransaction", &json!([format!("0x{}", hex(raw))]));
        let receipt = loop {
            match self.ask("eth_getTransactionReceipt", &json!([hash])) {
                Value::Null => std::thread::yield_now(),
                receipt => break receipt,
            }
        };
        assert_eq!(receipt["status"], "0x1", "{receipt}");
    }

    /// How many transactions of an account were mined.
    pub fn count(&self, account: &str) -> u64 {
        let count = self.ask("eth_getTransactionCount", &json!([account, "latest"]));
        u64::from_str_radix(&count.as_str().expect("a number")[2..], 16).expect("a number")
    }

    fn ask(&self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let mut to = TcpStream::connect(&self.address).expect("a connection");
        let head = "POST / HTTP/1.1\r\nhost: chain\r\nconnection: close\r\ncontent-type: application/json";
        write!(to, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("it is asked");
        let mut answer = String::new();
        to.read_to_string(&mut answer).expect("an answer");
        let answer: Value =
            serde_json::from_str(&answer[answer.find('{').expect("JSON")..=answer.rfind('}').expect("JSON")]).expect("JSON");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}
