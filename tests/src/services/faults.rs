//! What can go wrong on the way to a server: a relay that passes connections on, or does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a relay does to connections.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// It closes them.
    Closed,
    /// It waits so long before it passes anything on.
    Slow(Duration),
    /// It answers each request with this, as it is.
    Answer(String),
}

/// A relay in front of a server.
pub struct Faulty {
    /// Where it listens.
    pub address: SocketAddr,
    faults: Arc<Mutex<Vec<Fault>>>,
    open: Arc<Mutex<JoinSet<()>>>,
    seen: Arc<Mutex<usize>>,
    _runtime: tokio::runtime::Runtime,
}

impl Faulty {
    /// A relay to the server at `http://ADDRESS`.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn before(server: &str) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().expect("an address");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let faults = Arc::new(Mutex::new(vec![Fault::None]));
        let (open, seen): (Arc<Mutex<JoinSet<()>>>, Arc<Mutex<usize>>) = (Arc::default(), Arc::default());
        let (next, connections, count) = (Arc::clone(&faults), Arc::clone(&open), Arc::clone(&seen));
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                let fault = {
                    let mut faults = next.lock().unwrap_or_else(PoisonError::into_inner);
                    if faults.len() > 1 { faults.remove(0) } else { faults[0].clone() }
                };
                connections.lock().unwrap_or_else(PoisonError::into_inner).spawn(relay(stream, server, fault));
            }
        });
        Self { address, faults, open, seen, _runtime: runtime }
    }

    /// `http://ADDRESS` of the relay.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens to the connections from now on: each takes one of these, and the last one stays. Open ones are closed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn set(&self, faults: &[Fault]) {
        assert!(!faults.is_empty(), "one fault at least");
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults.to_vec();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    /// Connections since the faults were set.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer of this status, with this header line and body.
impl Fault {
    /// An answer in JSON.
    #[must_use]
    pub fn answer(status: &str, header: &str, body: &str) -> Self {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        Self::Answer(format!(
            "HTTP/1.1 {status}\r\n{header}content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr, fault: Fault) {
    match fault {
        Fault::None => {}
        Fault::Closed => return,
        Fault::Slow(time) => tokio::time::sleep(time).await,
        Fault::Answer(answer) => {
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match client.read_buf(&mut head).await {
                    Ok(read) if read > 0 => {}
                    _ => return,
                }
            }
            let _ = client.write_all(answer.as_bytes()).await;
            let _ = client.shutdown().await;
            // What is left of the request is read, so that the answer is not lost to a reset.
            let _ = tokio::time::timeout(Duration::from_secs(5), tokio::io::copy(&mut client, &mut tokio::io::sink())).await;
            return;
        }
    }
    if let Ok(mut upstream) = TcpStream::connect(server).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    }
}
