//! A service that keeps keys and signs by JSON-RPC, as web3signer does: honest, or lying in the way that a test says. What it signs is encoded
//! here once more, apart from the host.

use crate::fixtures::wallet::{ADDRESS, KEY};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use strongroom::alloy_primitives::{U256, hex, keccak256};
use strongroom::k256::ecdsa::SigningKey;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A response of JSON-RPC with this result.
    Result(Value),
    /// This body, with the status 200.
    Body(String),
    /// This status, with a line of the head and a body.
    Status(String, String, String),
    /// The beginning of an answer, then the end of the connection.
    Part,
    /// The end of the connection.
    Closed,
    /// Nothing, until the client goes.
    Silence,
}

/// A request that a service has had: its head, and its body.
pub type Heard = (String, Value);

/// A service at a port of this machine.
pub struct Custody {
    /// Where it is: `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub url: String,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// `r`, `s` and the parity of a signature, changed.
pub type Twist = fn(U256, U256, bool) -> (U256, U256, bool);

impl Custody {
    /// A service that answers as `reply` says.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn start(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, reply)
    }

    /// The same, with TLS.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn start_tls(tls: ServerConfig, reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(Some(Arc::new(tls)), reply)
    }

    fn serve(tls: Option<Arc<ServerConfig>>, reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let url = if tls.is_some() { format!("https://localhost:{}", address.port()) } else { format!("http://{address}") };
        let (stopped, heard): (Arc<AtomicBool>, Arc<Mutex<Vec<Heard>>>) = Default::default();
        let (reply, stop, hear) = (Arc::new(reply), Arc::clone(&stopped), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (reply, hear, tls) = (Arc::clone(&reply), Arc::clone(&hear), tls.clone());
                std::thread::spawn(move || match tls {
                    None => answer(&mut BufReader::new(stream), &hear, &*reply),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("a session");
                        answer(&mut BufReader::new(StreamOwned::new(session, stream)), &hear, &*reply);
                    }
                });
            }
        });
        Self { url, address, stopped, heard }
    }

    /// Listens no more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // It looks at the flag as somebody comes. The port is closed when this connection is.
        if let Ok(mut last) = TcpStream::connect(self.address) {
            let _ = last.read(&mut [0]);
        }
        while TcpStream::connect(self.address).is_ok() {
            std::thread::yield_now();
        }
    }

    /// What it was asked for, except for its accounts.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(_, body)| body["method"] != "eth_accounts").cloned().collect()
    }
}

/// What an honest service with the key [`KEY`] answers: its accounts, a transaction that pays by the market (EIP-1559), a message.
///
/// # Panics
/// Where it is asked for something else.
#[must_use]
pub fn honest(request: &Value) -> Value {
    twisted(request, KEY, |r, s, odd| (r, s, odd))
}

/// The same with another key, and a signature that is changed afterwards.
///
/// # Panics
/// As [`honest`].
#[must_use]
pub fn twisted(request: &Value, key: &str, twist: Twist) -> Value {
    let key = SigningKey::from_slice(&hex::decode(key).expect("digits")).expect("a key");
    let sign = |bytes: &[u8]| {
        let (signature, recovery) = key.sign_prehash_recoverable(keccak256(bytes).as_slice()).expect("a digest");
        let (r, s) = signature.split_bytes();
        twist(U256::from_be_slice(&r), U256::from_be_slice(&s), recovery.is_y_odd())
    };
    let params = &request["params"];
    match request["method"].as_str().unwrap_or_default() {
        "eth_accounts" => json!([ADDRESS.to_lowercase()]),
        "eth_signTransaction" => {
            let field = |name: &str| params[0][name].as_str().unwrap_or_else(|| panic!("no {name} in {params}"));
            assert_eq!((field("type"), &params[0]["accessList"]), ("0x2", &json!([])));
            let number = |name: &str| number(U256::from_str_radix(&field(name)[2..], 16).expect("a number"));
            let bytes = |name: &str| string(&hex::decode(field(name)).expect("bytes"));
            let items = [
                number("chainId"),
                number("nonce"),
                number("maxPriorityFeePerGas"),
                number("maxFeePerGas"),
                number("gas"),
                bytes("to"),
                number("value"),
                bytes("data"),
                list(&[]),
            ];
            let (r, s, odd) = sign(&[&[2][..], &list(&items.concat())].concat());
            let signature = [self::number(U256::from(u8::from(odd))), self::number(r), self::number(s)];
            json!(hex::encode_prefixed([&[2][..], &list(&[items.concat(), signature.concat()].concat())].concat()))
        }
        "eth_sign" => {
            let message = hex::decode(params[1].as_str().expect("a message")).expect("bytes");
            let (r, s, odd) = sign(&[format!("\x19Ethereum Signed Message:\n{}", message.len()).as_bytes(), &message].concat());
            json!(hex::encode_prefixed([&r.to_be_bytes::<32>()[..], &s.to_be_bytes::<32>(), &[27 + u8::from(odd)]].concat()))
        }
        other => panic!("it can't do {other}"),
    }
}

/// Reads one request, and answers it.
fn answer(stream: &mut BufReader<impl Read + Write>, heard: &Mutex<Vec<Heard>>, reply: &dyn Fn(&Value) -> Reply) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|text| text.trim().to_owned()));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).expect("the whole request");
    let request: Value = serde_json::from_slice(&body).expect("a request in JSON");
    heard.lock().unwrap_or_else(PoisonError::into_inner).push((head, request.clone()));
    let (status, line, body) = match reply(&request) {
        Reply::Result(result) => {
            ("200 OK".to_owned(), String::new(), json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string())
        }
        Reply::Body(body) => ("200 OK".to_owned(), String::new(), body),
        Reply::Status(status, line, body) => (status, line, body),
        Reply::Part => {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"jsonrpc\":\"2.0\",");
            let _ = stream.get_mut().flush();
            return;
        }
        Reply::Closed => return,
        Reply::Silence => {
            let _ = stream.read(&mut [0]);
            return;
        }
    };
    let answer = format!("HTTP/1.1 {status}\r\n{line}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // A client that has read enough is gone by now.
    let _ = stream.get_mut().write_all(answer.as_bytes());
    let _ = stream.get_mut().flush();
    let _ = stream.read(&mut [0]);
}

/// An RLP string (Yellow Paper, appendix B).
fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [0..=0x7f] => bytes.to_vec(),
        _ => [header(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

fn number(number: U256) -> Vec<u8> {
    string(&number.to_be_bytes_trimmed_vec())
}

fn list(items: &[u8]) -> Vec<u8> {
    [header(0xc0, items.len()), items.to_vec()].concat()
}

fn header(base: u8, length: usize) -> Vec<u8> {
    if length < 56 {
        return vec![base + u8::try_from(length).expect("at most 55")];
    }
    let bytes = U256::from(length).to_be_bytes_trimmed_vec();
    [vec![base + 55 + u8::try_from(bytes.len()).expect("at most 8")], bytes].concat()
}
