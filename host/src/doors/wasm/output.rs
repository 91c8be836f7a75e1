//! What a guest prints: counted, scrubbed, handed on.

use crate::lock::{Mutex, MutexGuard};
use crate::meter::Meter;
use crate::scrub::{Live, Stream};
use bytes::Bytes;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// After this long without a write, what is held back for scrubbing is let go: people watch this stream, guests can't.
const IDLE: Duration = Duration::from_millis(100);
/// Most bytes of one write.
const CHUNK: usize = 64 * 1024;

/// One of a guest's output streams.
#[derive(Clone)]
pub(super) struct GuestOutput {
    shared: Arc<Mutex<Shared>>,
    scrubber: Live,
    meter: Arc<Meter>,
}

struct Shared {
    sink: Box<dyn Write + Send>,
    scrub: Stream,
    writes: u64,
    flusher: bool,
}

impl GuestOutput {
    pub(super) fn new(sink: Box<dyn Write + Send>, scrubber: &Live, meter: &Arc<Meter>) -> Self {
        let shared = Shared { sink, scrub: Stream::new(scrubber.now()), writes: 0, flusher: false };
        Self { shared: Arc::new(Mutex::new(shared)), scrubber: scrubber.clone(), meter: Arc::clone(meter) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    fn put(&self, bytes: &[u8]) -> Result<(), StreamError> {
        if !self.meter.write(bytes.len()) {
            return Err(StreamError::Trap(wasmtime::Error::msg("the run is stopped")));
        }
        let mut shared = self.lock();
        let mut out = Vec::with_capacity(bytes.len());
        shared.scrub.renew(&self.scrubber.now());
        shared.scrub.push(bytes, &mut out);
        shared.writes += 1;
        // The sink is the operator's own; one that is gone (a closed pipe) is no concern of the guest.
        let _ = shared.sink.write_all(&out).and_then(|()| shared.sink.flush());
        if !shared.flusher && tokio::runtime::Handle::try_current().is_ok() {
            shared.flusher = true;
            tokio::spawn(self.clone().let_go_when_idle());
        }
        Ok(())
    }

    async fn let_go_when_idle(self) {
        let mut seen = self.lock().writes;
        loop {
            tokio::time::sleep(IDLE).await;
            let mut shared = self.lock();
            if shared.writes == seen {
                shared.let_go(Stream::flush);
                shared.flusher = false;
                return;
            }
            seen = shared.writes;
        }
    }

    /// Lets everything go, at the end of a run. Returns how many values were taken out.
    pub(super) fn finish(&self) -> u64 {
        let mut shared = self.lock();
        shared.finish();
        let redacted = shared.scrub.redacted();
        self.meter.redacted.fetch_add(redacted, Ordering::Relaxed);
        redacted
    }
}

impl Shared {
    fn finish(&mut self) {
        self.let_go(Stream::finish);
        // Whoever waits to let go of more has nothing left: the operator's sink ends with the run.
        self.sink = Box::new(std::io::sink());
    }

    fn let_go(&mut self, how: fn(&mut Stream, &mut Vec<u8>)) {
        let mut out = Vec::new();
        how(&mut self.scrub, &mut out);
        let _ = self.sink.write_all(&out).and_then(|()| self.sink.flush());
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()).map_err(|_| std::io::ErrorKind::WriteZero.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
