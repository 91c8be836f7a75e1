//! The tables `[signing.remote.NAME]` of the host configuration: services that keep keys of Ethereum and sign by JSON-RPC.

use super::backends::{self, CredentialRef, credential};
use super::config::path;
use super::diagnostic::Problem;
use super::reader::Section;
use super::{names, units};
use crate::ethereum::quantity;
use alloy_primitives::Address;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// How long a service may take for one call, unless the configuration says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that can be configured: what a signature spends is reserved for two minutes.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// A service that keeps keys of Ethereum and signs by JSON-RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteConfig {
    /// `https://HOST:PORT`, or `http://` to this machine.
    pub url: String,
    /// Files of certificate authorities in addition to the public ones, PEM.
    pub ca: Vec<PathBuf>,
    /// The file of this host's own certificate, with those between it and its authority, PEM; its key is `key`.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate`, PEM.
    pub key: Option<CredentialRef>,
    /// A token that each call bears (RFC 6750).
    pub token: Option<CredentialRef>,
    /// The method that signs typed data.
    pub typed_data: TypedDataMethod,
    /// Accounts that manifests may name: the agent, and the address of its key.
    pub accounts: Vec<(String, Address)>,
    /// How long a call may take, with its connection. At most 60 s.
    pub timeout: Duration,
}

/// What the service calls the method that signs typed data (EIP-712).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypedDataMethod {
    /// As EIP-712 has it, and web3signer.
    #[default]
    Unversioned,
    /// As wallets and nodes have it.
    V4,
}

impl TypedDataMethod {
    /// The method's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unversioned => "eth_signTypedData",
            Self::V4 => "eth_signTypedData_v4",
        }
    }
}

impl RemoteConfig {
    /// The service at that address. No manifest may name a key of it until `accounts` is set.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca: Vec::new(),
            certificate: None,
            key: None,
            token: None,
            typed_data: TypedDataMethod::default(),
            accounts: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let credentials = [&mut self.key, &mut self.token].into_iter().flatten();
        let credentials = credentials.filter_map(|credential| match credential {
            CredentialRef::File(file) => Some(file),
            CredentialRef::Env(_) => None,
        });
        self.ca.iter_mut().chain(&mut self.certificate).chain(credentials)
    }
}

pub(super) fn read(name: &str, span: Range<usize>, section: &Section<'_>) -> Option<(String, RemoteConfig)> {
    if let Err(problem) = names::backend_name(name) {
        section.report(span, problem);
    }
    let url = section.require("url", "url = \"https://HOST:PORT\"", url);
    let key = section.parse("key", credential);
    let certificate = section.parse("certificate", path);
    if section.has("key") != section.has("certificate") {
        section.report_here(Problem::new("one of `certificate` and `key` without the other", "write both, or leave both out"));
    }
    let typed_data = section.parse("typed_data", |text| {
        let known = [TypedDataMethod::Unversioned, TypedDataMethod::V4].into_iter().find(|method| method.name() == text);
        known.ok_or_else(|| Problem::new("an unknown method for typed data", "write `eth_signTypedData` or `eth_signTypedData_v4`"))
    });
    let accounts = section.require_list("accounts", "accounts = [\"AGENT/0x…\"]", account);
    let timeout = section.parse("timeout", |text| match units::duration(text)? {
        timeout if timeout <= MAX_TIMEOUT => Ok(timeout),
        _ => Err(Problem::new("too long a time", "write at most `60s`: what a signature spends is reserved for two minutes")),
    });
    let read = RemoteConfig {
        ca: section.list("ca", path).unwrap_or_default(),
        certificate,
        key,
        token: section.parse("token", credential),
        typed_data: typed_data.unwrap_or_default(),
        accounts: accounts?,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        url: url?,
    };
    Some((name.to_owned(), read))
}

/// An address of a service: what is signed, and who may have it signed, is nobody else's to read or change.
fn url(text: &str) -> Result<String, Problem> {
    let url = backends::address(text)?;
    let Some(rest) = url.strip_prefix("http://") else { return Ok(url) };
    let host = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => rest.split(':').next().unwrap_or_default(),
    };
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match is_here {
        true => Ok(url),
        false => Err(Problem::new(
            "an address of another machine without TLS",
            "write `https://HOST:PORT`, and `ca` for an authority of your own; `http://` leads to this machine alone",
        )),
    }
}

fn account(text: &str) -> Result<(String, Address), Problem> {
    let (agent, address) = text.split_once('/').unwrap_or_default();
    let known = names::agent_name(agent).is_ok().then(|| quantity::address(address)).flatten();
    let account = known.map(|address| (agent.to_owned(), address));
    account.ok_or_else(|| {
        Problem::new("not an agent's account", "write `AGENT/0x…`, as in `payer/0x70997970C51812dc3A010C7d01b50e0d17dc79C8`")
    })
}

#[cfg(test)]
mod tests {
    use crate::manifest::{HostConfig, RemoteConfig, TypedDataMethod};

    const ACCOUNTS: &str = "accounts = [\"bot/0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]";

    fn read(lines: &str) -> Result<RemoteConfig, String> {
        let text = format!("[signing.remote.custody]\n{lines}\n");
        let config = HostConfig::parse("strongroom.toml", &text).map_err(|error| error.to_string())?;
        let (name, remote) = config.signing.remote.into_iter().next().expect("one service");
        assert_eq!(name, "custody");
        Ok(remote)
    }

    #[test]
    fn a_service_is_reached_by_tls_or_on_this_machine() {
        for url in [
            "https://signer.test",
            "https://signer.test:9000/",
            "http://127.0.0.1:8545",
            "http://localhost:8545",
            "http://[::1]:8545",
            "http://127.9.9.9",
        ] {
            let remote = read(&format!("url = \"{url}\"\n{ACCOUNTS}")).expect(url);
            assert_eq!(remote.url, url.trim_end_matches('/'));
            assert_eq!((remote.typed_data, remote.timeout.as_secs()), (TypedDataMethod::Unversioned, 10));
        }
        for url in [
            "http://signer.test",
            "http://10.0.0.1:8545",
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "http://[::2]:8545",
            "http://0.0.0.0:8545",
            "http://127.0.0.1@evil.test",
            "https://user@signer.test",
            "https://signer.test/v1",
            "ftp://signer.test",
            "signer.test",
        ] {
            let error = read(&format!("url = \"{url}\"\n{ACCOUNTS}")).expect_err(url);
            assert!(error.contains("without TLS") || error.contains("not the address of a server"), "{url}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_service_is_said() {
        for (lines, says) in [
            ("", "`signing.remote.custody.accounts` is missing"),
            ("accounts = []", "`signing.remote.custody.accounts` is empty"),
            ("accounts = [\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]", "not an agent's account"),
            ("accounts = [\"bot/0x70997970C51812dc3A010C7d01b50e0d17dc79c8\"]", "not an agent's account"),
            ("accounts = [\"Bot/0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]", "not an agent's account"),
            ("ACCOUNTS\ncertificate = \"client.pem\"", "one of `certificate` and `key`"),
            ("ACCOUNTS\nkey = \"file:client.key\"", "one of `certificate` and `key`"),
            ("ACCOUNTS\ntoken = \"s3cret\"", "not a place for a credential"),
            ("ACCOUNTS\ntyped_data = \"eth_sign\"", "an unknown method for typed data"),
            ("ACCOUNTS\ntimeout = \"61s\"", "too long a time"),
            ("ACCOUNTS\nkeys = [\"*\"]", "keys"),
        ] {
            let error = read(&format!("url = \"https://signer.test\"\n{}", lines.replace("ACCOUNTS", ACCOUNTS))).expect_err(lines);
            assert!(error.contains(says), "{lines}: {error}");
        }
    }
}
