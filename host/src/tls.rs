//! TLS as every client of the host speaks it.

use crate::files;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{path}: {reason}; authorities are certificates in PEM", path = path.display())]
    Authorities { path: PathBuf, reason: String },
    #[error("TLS can't be set up: {0}")]
    Protocols(rustls::Error),
}

/// TLS 1.2 and 1.3 with the Mozilla roots, further authorities, and ALPN for HTTP/2 and HTTP/1.1.
pub(crate) fn client(authorities: &[PathBuf]) -> Result<rustls::ClientConfig, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in authorities {
        add(&mut roots, path).map_err(|reason| TlsError::Authorities { path: path.clone(), reason })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.map_err(TlsError::Protocols)?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Adds the certificates of one file.
fn add(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), String> {
    let pem = files::read(path, files::MAX_TEXT).map_err(|error| format!("can't be read ({error})"))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("it holds no certificate".to_owned()) } else { Ok(()) }
}
