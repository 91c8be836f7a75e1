//! A way out through the operator's proxy: a tunnel (RFC 9110 9.3.6) to the very address that was checked. No name goes to the proxy, so
//! that nothing is resolved a second time, and TLS runs inside the tunnel, end to end.

use super::connect::{ConnectError, lacking};
use super::tcp::Tcp;
use crate::kill_switch::Line;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Most bytes of a proxy's answer before the tunnel begins.
const MAX_HEAD: usize = 8 * 1024;

/// Opens a tunnel to `address` through the proxy at `host:port`.
pub(super) async fn tunnel(proxy: &(String, u16), address: SocketAddr, line: Option<&Arc<Line>>) -> Result<Tcp, ConnectError> {
    let mut stream =
        Tcp::connect((proxy.0.as_str(), proxy.1), line).await.map_err(|error| lacking(&error).unwrap_or(ConnectError::Proxy))?;
    let ask = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.map_err(|_| ConnectError::Proxy)?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head is the tunnel's.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(ConnectError::Proxy);
        }
        head.push(stream.read_u8().await.map_err(|_| ConnectError::Proxy)?);
    }
    let is_open = head.starts_with(b"HTTP/1.1 2") || head.starts_with(b"HTTP/1.0 2");
    if is_open { Ok(stream) } else { Err(ConnectError::Proxy) }
}
