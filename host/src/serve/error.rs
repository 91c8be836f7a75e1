//! Why a host does not serve.

use std::path::PathBuf;

/// Why a directory is not served, or not read anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The directory can't be read.
    #[error("{path}: the directory can't be read ({source}); name one with manifests, as in `agents/`", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another host with this state directory serves the same agents: each of their runs would begin twice.
    #[error("{path}: another host serves this directory; end it first, or give one of the two a directory of its own", path = path.display())]
    Served {
        /// The directory.
        path: PathBuf,
    },
    /// When agents ran last can't be read, or who serves can't be noted.
    #[error("the state directory can't be used: {0}; set `[state] dir` in the host configuration")]
    State(std::io::Error),
    /// The threads that components are compiled on can't be started.
    #[error("the threads that components are compiled on can't be started: {0}; raise the limit on threads")]
    Threads(String),
    /// The address can't be listened on.
    #[error("{address} can't be listened on ({source}); name another address, or end what has it")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The listener's TLS can't be set up.
    #[error("TLS of the listener can't be set up: {0}")]
    Tls(String),
    /// The supervisor drains: nothing begins any more.
    #[error("the host is ending; nothing is read anew")]
    Draining,
}
