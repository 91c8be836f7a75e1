//! TLS as the host speaks it: each of its clients, and its listener.

use crate::files;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{path}: {reason}; authorities are certificates in PEM", path = path.display())]
    Authorities { path: PathBuf, reason: String },
    #[error("{path}: {reason}; a certificate is in PEM, with those between it and its authority", path = path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("the key of the certificate can't be used: {0}")]
    Key(String),
    #[error("TLS can't be set up: {0}")]
    Protocols(rustls::Error),
}

/// A certificate of the host's own with those between it and its authority, and its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificates of a file, and a key, both in PEM.
    pub(crate) fn read(certificate: &Path, key: &str) -> Result<Self, TlsError> {
        let wrong = |reason: String| TlsError::Certificate { path: certificate.to_owned(), reason };
        let pem = files::read(certificate, files::MAX_TEXT).map_err(|error| wrong(format!("can't be read ({error})")))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|error| wrong(error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        // The text of an error could quote the key.
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::Key("it is not one private key in PEM".to_owned()))?;
        Ok(Self { chain, key })
    }
}

/// TLS 1.2 and 1.3 with the Mozilla roots, further authorities, and ALPN for HTTP/2 and HTTP/1.1. The authorities are in PEM as it was read of
/// these files.
pub(crate) fn client<'a>(authorities: impl IntoIterator<Item = (&'a Path, &'a [u8])>) -> Result<rustls::ClientConfig, TlsError> {
    let mut roots = mozilla();
    for (path, pem) in authorities {
        add_pem(&mut roots, pem).map_err(|reason| TlsError::Authorities { path: path.to_owned(), reason })?;
    }
    client_by(roots, None)
}

/// The same by files, for a client with that certificate.
pub(crate) fn client_of(authorities: &[PathBuf], identity: Option<Identity>) -> Result<rustls::ClientConfig, TlsError> {
    let mut roots = mozilla();
    for path in authorities {
        add(&mut roots, path).map_err(|reason| TlsError::Authorities { path: path.clone(), reason })?;
    }
    client_by(roots, identity)
}

fn mozilla() -> rustls::RootCertStore {
    rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

fn client_by(roots: rustls::RootCertStore, identity: Option<Identity>) -> Result<rustls::ClientConfig, TlsError> {
    let config = rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(TlsError::Protocols)?.with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            config.with_client_auth_cert(chain, key).map_err(|_| TlsError::Key("it is not that of the certificate".to_owned()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same for a listener with that certificate. Clients may show one of these authorities'; with none, no client is asked for any.
pub(crate) fn server(identity: Identity, authorities: &[PathBuf]) -> Result<rustls::ServerConfig, TlsError> {
    let config = rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(TlsError::Protocols)?;
    let config = match authorities {
        [] => config.with_no_client_auth(),
        _ => config.with_client_cert_verifier(verifier(authorities, true)?),
    };
    let Identity { chain, key } = identity;
    let config = config.with_single_cert(chain, key);
    let mut config = config.map_err(|_| TlsError::Key("it is not that of the certificate".to_owned()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same certificate and protocols, for clients of these authorities as well; with none, no client is asked for a certificate.
pub(crate) fn server_for(
    same: &rustls::ServerConfig,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<rustls::ServerConfig, TlsError> {
    let config = rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(TlsError::Protocols)?;
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(clients) => config.with_client_cert_verifier(clients),
    };
    let mut config = config.with_cert_resolver(Arc::clone(&same.cert_resolver));
    config.alpn_protocols.clone_from(&same.alpn_protocols);
    Ok(config)
}

/// Who knows whether one of these authorities has signed a client's certificate, and lets clients in that have none.
pub(crate) fn any_clients(authorities: &[PathBuf]) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    verifier(authorities, true)
}

/// Who knows whether these authorities have signed a client's certificate.
pub(crate) fn clients(authorities: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    verifier(&[authorities.to_owned()], false)
}

fn verifier(authorities: &[PathBuf], also_without: bool) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    for path in authorities {
        add(&mut roots, path).map_err(|reason| TlsError::Authorities { path: path.clone(), reason })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = if also_without { builder.allow_unauthenticated() } else { builder };
    // It refuses an empty set of authorities and broken lists of revoked certificates, and there is neither.
    builder.build().map_err(|error| TlsError::Protocols(rustls::Error::General(error.to_string())))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Adds the certificates of one file.
fn add(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), String> {
    add_pem(roots, &files::read(path, files::MAX_TEXT).map_err(|error| format!("can't be read ({error})"))?)
}

fn add_pem(roots: &mut rustls::RootCertStore, pem: &[u8]) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("it holds no certificate".to_owned()) } else { Ok(()) }
}
