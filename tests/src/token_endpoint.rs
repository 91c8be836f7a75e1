//! A token endpoint that answers what a test has written down, one answer for each request in their order, and keeps what it was asked. It
//! speaks HTTP/1.1 byte by byte, so that an answer can be cut anywhere, and waits for nothing but the gates that a test opens.

use crate::echo::coded;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use strongroom_demo::server::certificates;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

/// Most bytes of a request.
const MAX_REQUEST: usize = 1 << 20;

/// What one request is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    gate: Option<Gate>,
    ending: Ending,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Whole,
    /// After so many bytes of the body, of which the head announces more.
    Cut(usize),
    /// The connection is closed before the first byte.
    Closed,
}

/// Holds an answer back until it is opened. Each opening lets one answer through; the first may come before the request.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Notify>);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The fields of the form, decoded, in their order.
    pub fields: Vec<(String, String)>,
}

/// The running endpoint. It stops when dropped.
pub struct TokenEndpoint {
    /// `https://127.0.0.1:PORT/token`.
    pub url: String,
    /// Its certificate authority, in PEM.
    pub ca: String,
    script: Arc<Script>,
    arrived: watch::Receiver<usize>,
    _runtime: tokio::runtime::Runtime,
}

struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

impl Gate {
    /// Lets one answer through.
    pub fn open(&self) {
        self.0.notify_one();
    }
}

impl Answer {
    /// An answer with this body.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), gate: None, ending: Ending::Whole }
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An access token that lives for so many seconds, and a refresh token where there is one.
    #[must_use]
    pub fn token(access: &str, seconds: u64, refresh: Option<&str>) -> Self {
        let mut body = serde_json::json!({"access_token": access, "token_type": "Bearer", "expires_in": seconds});
        if let Some(refresh) = refresh {
            body["refresh_token"] = refresh.into();
        }
        Self::json(200, &body)
    }

    /// An error of the protocol's (RFC 6749, 5.2).
    #[must_use]
    pub fn error(code: &str) -> Self {
        Self::json(400, &serde_json::json!({"error": code}))
    }

    /// None: the connection is closed as soon as the request has been read.
    #[must_use]
    pub fn closed() -> Self {
        Self { ending: Ending::Closed, ..Self::new(200, "application/json", "") }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same once the gate is open.
    #[must_use]
    pub fn after(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// The same compressed.
    #[must_use]
    pub fn gzip(self) -> Self {
        Self { body: coded(&self.body, "gzip"), ..self }.header("content-encoding", "gzip")
    }

    /// The same, broken off after so many bytes of its body.
    #[must_use]
    pub fn cut(self, after: usize) -> Self {
        Self { ending: Ending::Cut(after), ..self }
    }

    fn head(&self) -> String {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {} told\r\n{lines}content-length: {}\r\nconnection: close\r\n\r\n", self.status, self.body.len())
    }
}

impl Asked {
    /// The first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
        let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        let headers: Vec<(String, String)> = lines.filter_map(pair).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Some(0), |(_, length)| length.parse().ok())?;
        let body = std::str::from_utf8(body.get(..length)?).ok()?;
        let form = reqwest::Url::parse(&format!("http://form?{body}")).ok()?;
        Some(Self { method, target, headers, fields: form.query_pairs().into_owned().collect() })
    }
}

impl TokenEndpoint {
    /// One with these answers, over TLS on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (ca, mut tls) = certificates(&["127.0.0.1"], None);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(tls));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a free port");
        let url = format!("https://{}/token", listener.local_addr().expect("an address"));
        let (count, arrived) = watch::channel(0);
        let script = Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default(), count });
        let played = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, played) = (tls.clone(), Arc::clone(&played));
                tokio::spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        let _ = played.play(stream).await;
                    }
                });
            }
        });
        Self { url, ca, script, arrived, _runtime: runtime }
    }

    /// Adds an answer at the end.
    pub fn then(&self, answer: Answer) {
        lock(&self.script.answers).push_back(answer);
    }

    /// Every request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.script.asked).clone()
    }

    /// Ends when so many requests have arrived, whether they are answered or not.
    pub fn arrival(&self, count: usize) -> impl Future<Output = ()> + Send + use<> {
        let mut arrived = self.arrived.clone();
        async move {
            arrived.wait_for(|arrived| *arrived >= count).await.expect("the endpoint runs");
        }
    }
}

impl Script {
    async fn play(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let asked = loop {
            if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > MAX_REQUEST {
                return Ok(());
            }
            if let Some(asked) = Asked::read(&bytes) {
                break asked;
            }
        };
        // In the order of the requests, whatever gates come after.
        let answer = {
            let mut all = lock(&self.asked);
            all.push(asked);
            let answer = lock(&self.answers).pop_front();
            self.count.send_replace(all.len());
            answer.unwrap_or_else(|| Answer::new(599, "text/plain", "the script has no more answers"))
        };
        if let Some(Gate(gate)) = &answer.gate {
            gate.notified().await;
        }
        match answer.ending {
            Ending::Closed => return Ok(()),
            Ending::Cut(after) => {
                stream.write_all(answer.head().as_bytes()).await?;
                stream.write_all(&answer.body[..after.min(answer.body.len())]).await?;
                // Without TLS's farewell: what was sent is on its way, and then the connection is gone.
                return stream.flush().await;
            }
            Ending::Whole => {
                stream.write_all(answer.head().as_bytes()).await?;
                stream.write_all(&answer.body).await?;
            }
        }
        stream.shutdown().await
    }
}

/// The challenge of a verifier (RFC 7636, 4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
