//! Why something that an embedder or an operator sets up can't be used.

use std::path::{Path, PathBuf};

/// Why a backend, an issuer or the file of a key can't be used. Says what to correct, and quotes no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A file can't be read or written, or is not what it should be.
    #[error("{reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong; it names the file.
        reason: String,
    },
    /// The HTTP client can't be set up, as where a file of certificate authorities can't be read.
    #[error("{0}")]
    Client(String),
}

impl SetupError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(String) -> Self + '_ {
        |reason| Self::File { path: path.to_owned(), reason }
    }
}
