//! Callers that prove by a certificate who they are. TLS has made sure that the caller has its key, and that some agent's authorities have
//! signed it; here it is one of this agent's, by one of the names that its manifest lists, at the time of the request.

use crate::tls;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The certificates of a connection's other end: its own, and those between it and its authority.
pub(crate) type Peer = Vec<CertificateDer<'static>>;

/// The certificates that one agent takes.
pub(crate) struct Certificates {
    pub(crate) authorities: PathBuf,
    verifier: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl Certificates {
    /// Those that these authorities have signed, for these names.
    pub(crate) fn of(authorities: &Path, names: &[String]) -> Result<Self, String> {
        let verifier = tls::clients(authorities).map_err(|error| error.to_string())?;
        Ok(Self { authorities: authorities.to_owned(), verifier, names: names.to_vec() })
    }

    /// The name by which a caller is let in.
    pub(crate) fn name(&self, peer: &Peer) -> Result<String, &'static str> {
        let Some((own, between)) = peer.split_first() else { return Err("there is no certificate") };
        let verified = self.verifier.verify_client_cert(own, between, UnixTime::now());
        verified.map_err(|_| "the certificate is not valid, or of another authority")?;
        let read = webpki::EndEntityCert::try_from(own).map_err(|_| "the certificate can't be read")?;
        let mut presented = read.valid_dns_names().chain(read.valid_uri_names());
        presented.find(|name| self.names.iter().any(|known| known == name)).map(str::to_owned).ok_or("the certificate has another name")
    }
}
