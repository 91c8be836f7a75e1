//! `[serve]` of the host configuration: where a host that serves listens for the callers of its agents.

use super::backends::{CredentialRef, credential};
use super::config::path;
use super::diagnostic::Problem;
use super::reader::Section;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where a host that serves listens for the callers of its agents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenConfig {
    /// The address. Beyond this machine's own there is TLS.
    pub address: SocketAddr,
    /// The file of the listener's certificate, with those between it and its authority, PEM.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate`, PEM.
    pub key: Option<CredentialRef>,
    /// Names by which callers call, beside those of this machine (`localhost` and its addresses), where an agent is public and the listener
    /// has no TLS: otherwise a page in a browser of this machine could call under its own name.
    pub hosts: Vec<String>,
}

impl ListenConfig {
    /// Listens there, without TLS.
    ///
    /// # Errors
    /// A [`Problem`] where the address can be reached from other machines: see [`ListenConfig::with_tls`].
    pub fn new(address: SocketAddr) -> Result<Self, Problem> {
        Self { address, certificate: None, key: None, hosts: Vec::new() }.checked()
    }

    /// Listens there, with TLS.
    #[must_use]
    pub fn with_tls(address: SocketAddr, certificate: PathBuf, key: CredentialRef) -> Self {
        Self { address, certificate: Some(certificate), key: Some(key), hosts: Vec::new() }
    }

    /// Parses `PORT`, which is one of 127.0.0.1, or `ADDRESS:PORT`.
    ///
    /// # Errors
    /// A [`Problem`] that says what to write instead.
    pub fn address(text: &str) -> Result<SocketAddr, Problem> {
        let here = || text.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let problem = || Problem::new("not an address to listen on", "write `ADDRESS:PORT`, or a port of 127.0.0.1 alone");
        text.parse().ok().or_else(here).ok_or_else(problem)
    }

    /// The certificate's file and its key, where there is TLS.
    #[must_use]
    pub fn tls(&self) -> Option<(&PathBuf, &CredentialRef)> {
        self.certificate.as_ref().zip(self.key.as_ref())
    }

    fn checked(self) -> Result<Self, Problem> {
        if self.tls().is_none() && !self.address.ip().is_loopback() {
            let remedy = "set its certificate and key, or listen on 127.0.0.1 behind what ends TLS";
            return Err(Problem::new(format!("{} is reached from other machines, and has no TLS", self.address), remedy));
        }
        Ok(self)
    }

    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let key = self.key.as_mut().and_then(|key| match key {
            CredentialRef::File(file) => Some(file),
            CredentialRef::Env(_) => None,
        });
        self.certificate.iter_mut().chain(key)
    }
}

pub(super) fn read(section: &Section<'_>) -> Option<ListenConfig> {
    let read = listener(section);
    let name = |text: &str| match super::is_host(text) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not a host's name", "write it in lower case, without a port")),
    };
    let hosts = section.list("hosts", name).unwrap_or_default();
    let read = read?.with(|read| read.hosts = hosts);
    if section.has("tls") {
        return Some(read);
    }
    read.checked().map_err(|problem| section.report_here(problem)).ok()
}

/// A listener that has TLS, wherever it is.
pub(super) fn with_tls(section: &Section<'_>) -> Option<ListenConfig> {
    if !section.has("tls") {
        section.parse("listen", ListenConfig::address);
        section.report_here(Problem::new("an address without TLS", "set `tls = { certificate = ?, key = ? }`"));
        return None;
    }
    listener(section)
}

fn listener(section: &Section<'_>) -> Option<ListenConfig> {
    let address = section.require("listen", "listen = ?", ListenConfig::address);
    let tls = section.table("tls");
    let certificate = tls.as_ref().and_then(|tls| tls.require("certificate", "certificate = ?", path));
    let key = tls.as_ref().and_then(|tls| tls.require("key", "key = ?", credential));
    Some(ListenConfig { address: address?, certificate, key, hosts: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::HostConfig;

    fn listen(lines: &str) -> Result<Option<ListenConfig>, String> {
        let read = HostConfig::parse("strongroom.toml", &format!("[serve]\n{lines}"));
        read.map(|config| config.listen).map_err(|error| error.to_string())
    }

    #[test]
    fn a_listener_is_this_machines_unless_it_has_tls() {
        let at = |lines: &str| listen(lines).expect(lines).expect("a listener").address.to_string();

        assert_eq!((at("listen = \"8080\""), at("listen = \"[::1]:8080\"")), ("127.0.0.1:8080".into(), "[::1]:8080".into()));
        let tls = "listen = \"0.0.0.0:443\"\ntls = { certificate = \"cert.pem\", key = \"file:key.pem\" }";
        assert!(listen(tls).expect("a listener").is_some_and(|listen| listen.tls().is_some()));
        for (lines, finding) in [
            (
                "listen = \"0.0.0.0:80\"",
                "strongroom.toml:1:1: 0.0.0.0:80 is reached from other machines, and has no TLS; set its certificate",
            ),
            ("listen = \"[::]:80\"", "strongroom.toml:1:1: [::]:80 is reached from other machines, and has no TLS; set its certificate"),
            ("listen = \"localhost\"", "strongroom.toml:2:10: `serve.listen`: not an address to listen on; write `ADDRESS:PORT`"),
            ("", "strongroom.toml:1:1: `serve.listen` is missing; add `listen = ?`"),
            (
                "listen = \"0.0.0.0:443\"\ntls = { certificate = \"cert.pem\" }",
                "strongroom.toml:3:7: `serve.tls.key` is missing; add `key = ?`",
            ),
        ] {
            let found = listen(lines).expect_err(lines);
            assert!(found.starts_with(finding) && found.lines().count() == 1, "{lines}\n{found}");
        }
    }
}
