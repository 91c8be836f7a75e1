//! The socket of a connection. What an agent sends passes by the line that its effects hang on, to the last byte that the system is given.

#![expect(clippy::disallowed_types, reason = "what `connect` and `proxy` connect with")]

use crate::kill_switch::Line;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, ToSocketAddrs};

/// An open socket.
pub(super) struct Tcp {
    stream: TcpStream,
    /// An agent's, and a handle by which the connection is reset when it is cut. What the host says of itself hangs on none.
    line: Option<(Arc<Line>, Arc<OwnedFd>)>,
}

impl Tcp {
    pub(super) async fn connect(to: impl ToSocketAddrs, line: Option<&Arc<Line>>) -> io::Result<Self> {
        if line.is_some_and(|line| line.is_cut()) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let stream = TcpStream::connect(to).await?;
        let _ = stream.set_nodelay(true);
        let line = match line {
            None => None,
            Some(line) => {
                let socket = Arc::new(stream.as_fd().try_clone_to_owned()?);
                line.hang_socket(&socket)?;
                Some((Arc::clone(line), socket))
            }
        };
        Ok(Self { stream, line })
    }

    fn pass(&mut self, write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        match &self.line {
            None => write(stream),
            Some((line, _)) => line.pass(|| write(stream)).unwrap_or_else(|| Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pass(|stream| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.pass(|stream| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
