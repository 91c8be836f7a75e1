//! The least server that answers: a thread for each connection, HTTP/1.1 by hand, so that what is measured is the client.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The answer to a small GET.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 36\r\n\r\n{\"pair\":\"ETH-USD\",\"price\":\"3120.50\"}";

pub struct Server {
    pub port: u16,
    pem: String,
    der: Vec<u8>,
    wrong: Arc<AtomicU64>,
}

impl Server {
    pub fn start(tls: bool) -> Self {
        let key = KeyPair::generate().expect("a key pair");
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name").self_signed(&key).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).expect("the key fits");
        let config = tls.then(|| Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let wrong: Arc<AtomicU64> = Arc::default();
        let counter = Arc::clone(&wrong);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_nodelay(true).expect("a socket");
                let (config, wrong) = (config.clone(), Arc::clone(&counter));
                std::thread::spawn(move || match config {
                    None => serve(&stream, &stream, &wrong),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config).expect("a session");
                        serve_tls(rustls::StreamOwned::new(session, stream), &wrong);
                    }
                });
            }
        });
        Self { port, pem: certificate.pem(), der: certificate.der().to_vec(), wrong }
    }

    /// Requests for the small answer that did not carry the key, or that carried something else.
    pub fn wrong_keys(&self) -> u64 {
        self.wrong.load(Ordering::SeqCst)
    }

    pub fn write_ca(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        std::fs::write(&path, &self.pem).expect("a file");
        path
    }

    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone().into()).expect("a certificate");
        roots
    }
}

fn serve(input: impl Read, mut output: impl Write, wrong: &AtomicU64) {
    let mut input = BufReader::with_capacity(256 * 1024, input);
    while answer(&mut input, &mut output, wrong).is_some() {}
}

fn serve_tls<S: Read + Write>(stream: S, wrong: &AtomicU64) {
    // One buffer for both directions: requests and answers take turns.
    let mut both = BufReader::with_capacity(256 * 1024, stream);
    loop {
        let mut out = Vec::new();
        if answer(&mut both, &mut out, wrong).is_none() || both.get_mut().write_all(&out).is_err() || both.get_mut().flush().is_err() {
            return;
        }
    }
}

/// Answers one request; nothing where the connection has ended.
fn answer(input: &mut impl BufRead, output: &mut impl Write, wrong: &AtomicU64) -> Option<()> {
    let mut request = String::new();
    input.read_line(&mut request).ok().filter(|read| *read > 0)?;
    let (mut chunked, mut keyed, mut length) = (false, false, 0u64);
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        chunked |= line.eq_ignore_ascii_case("transfer-encoding: chunked");
        if let Some((_, said)) = line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = said.parse().ok()?;
        }
        keyed |= line
            .split_once(": ")
            .is_some_and(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == format!("Bearer {}", super::KEY));
    }
    if chunked {
        skip_chunks(input)?;
    }
    skip(input, length)?;
    let path = request.split(' ').nth(1)?;
    if let Some(bytes) = path.strip_prefix("/download/") {
        let mut left: u64 = bytes.parse().ok()?;
        write!(output, "HTTP/1.1 200 OK\r\ncontent-length: {left}\r\n\r\n").ok()?;
        let piece = vec![b'x'; 256 * 1024];
        while left > 0 {
            let now = left.min(piece.len() as u64);
            output.write_all(&piece[..usize::try_from(now).ok()?]).ok()?;
            left -= now;
        }
        return Some(());
    }
    if path.starts_with("/v1/") && !keyed {
        wrong.fetch_add(1, Ordering::SeqCst);
    }
    output.write_all(ANSWER).ok()
}

fn skip(input: &mut impl BufRead, mut left: u64) -> Option<()> {
    while left > 0 {
        let now = (input.fill_buf().ok()?.len() as u64).min(left);
        if now == 0 {
            return None;
        }
        input.consume(usize::try_from(now).ok()?);
        left -= now;
    }
    Some(())
}

fn skip_chunks(input: &mut impl BufRead) -> Option<()> {
    loop {
        let mut size = String::new();
        input.read_line(&mut size).ok()?;
        let left = u64::from_str_radix(size.trim_end(), 16).ok()? + 2;
        let last = left == 2;
        skip(input, left)?;
        if last {
            return Some(());
        }
    }
}
