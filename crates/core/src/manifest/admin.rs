//! `[admin]` of the host configuration: who may ask a host that serves how it stands, and tell it what to do.

use super::backends::{CredentialRef, credential};
use super::config::path;
use super::diagnostic::Problem;
use super::listen::{self, ListenConfig};
use super::reader::Section;
use std::path::PathBuf;

/// Where a host that serves takes what operators ask, and who they are. By default a socket in its state directory, for the user that runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminConfig {
    /// The Unix socket. Default `admin-ID.sock` in the state directory.
    pub socket: Option<PathBuf>,
    /// Who may use the socket beside the user that runs the host, and root, who are administrators.
    pub peers: Vec<AdminPeer>,
    /// An address, which has TLS. Default none.
    pub listen: Option<ListenConfig>,
    /// Who may use the address.
    pub clients: Vec<AdminClient>,
}

/// What somebody may ask of a host. Each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Run, stop, pause and resume agents, have manifests read anew, and turn the kill switch on.
    Operator,
    /// Lift the kill switch, and replace keys.
    Admin,
}

/// Somebody at the socket, by what the kernel says of the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminPeer {
    /// The user or the group, by number.
    pub who: Account,
    /// What they may.
    pub role: Role,
}

/// An account of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// A user's number.
    User(u32),
    /// The number of a process's first group.
    Group(u32),
}

/// Somebody who comes by the address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminClient {
    /// Its name, in the audit log.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// How it proves who it is.
    pub proof: AdminProof,
}

/// How somebody who comes by the address proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminProof {
    /// A bearer token of at least 16 characters (RFC 6750). It is read anew for each request.
    Token(CredentialRef),
    /// A certificate for one of these names, from an authority of this file.
    Certificate {
        /// The authorities, PEM.
        authorities: PathBuf,
        /// DNS names and URIs (SPIFFE IDs are such).
        names: Vec<String>,
    },
}

impl Role {
    /// The role's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    fn read(text: &str) -> Result<Self, Problem> {
        let all = [Self::Viewer, Self::Operator, Self::Admin];
        let known = all.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| Problem::new("not a role", "write `viewer`, `operator` or `admin`"))
    }
}

impl AdminConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let clients = self.clients.iter_mut().filter_map(|client| match &mut client.proof {
            AdminProof::Token(CredentialRef::File(file)) | AdminProof::Certificate { authorities: file, .. } => Some(file),
            AdminProof::Token(CredentialRef::Env(_)) => None,
        });
        self.socket.iter_mut().chain(self.listen.iter_mut().flat_map(ListenConfig::files)).chain(clients)
    }
}

pub(super) fn read(section: &Section<'_>) -> AdminConfig {
    let socket = section.parse("socket", path);
    let peers = section.tables("peers").iter().filter_map(peer).collect();
    let listen = if section.has("listen") { listen::with_tls(section) } else { None };
    let clients: Vec<AdminClient> = section.tables("clients").iter().filter_map(client).collect();
    if !section.has("listen") && !clients.is_empty() {
        section.report_here(Problem::new("clients, and no address for them", "add `listen` and `tls`, or remove `admin.clients`"));
    }
    AdminConfig { socket, peers, listen, clients }
}

fn peer(section: &Section<'_>) -> Option<AdminPeer> {
    let range = 0..=u64::from(u32::MAX - 1);
    let user = section.integer("user", range.clone());
    let group = section.integer("group", range);
    let role = section.require("role", "role = \"viewer\"", Role::read);
    let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let who = match (user, group) {
        (Some(user), None) => Account::User(number(user)),
        (None, Some(group)) => Account::Group(number(group)),
        _ => {
            section.report_here(Problem::new("not one account", "write either `user` or `group`, its number"));
            return None;
        }
    };
    Some(AdminPeer { who, role: role? })
}

fn client(section: &Section<'_>) -> Option<AdminClient> {
    let name = section.require("name", "name = ?", |text| super::names::backend_name(text).map(|()| text.to_owned()));
    let role = section.require("role", "role = \"viewer\"", Role::read);
    let token = section.parse("token", credential);
    let certificate = section.table("certificate").and_then(|section| {
        let authorities = section.require("ca", "ca = ?", path);
        let name = |text: &str| if text.is_empty() { Err(Problem::new("empty", "write a DNS name or a URI")) } else { Ok(text.to_owned()) };
        let names = section.require_list("names", "names = [?]", name);
        Some(AdminProof::Certificate { authorities: authorities?, names: names? })
    });
    let proof = match (token.map(AdminProof::Token), certificate) {
        (Some(proof), None) | (None, Some(proof)) => proof,
        _ => {
            section.report_here(Problem::new("not one proof", "write either `token` or `certificate`"));
            return None;
        }
    };
    Some(AdminClient { name: name?, role: role?, proof })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::HostConfig;

    fn admin(lines: &str) -> Result<AdminConfig, String> {
        let read = HostConfig::parse("strongroom.toml", &format!("[admin]\n{lines}"));
        read.map(|config| config.admin).map_err(|error| error.to_string())
    }

    const TLS: &str = "listen = \"7443\"\ntls = { certificate = \"cert.pem\", key = \"file:key.pem\" }\n";

    #[test]
    fn who_may_what_is_read() {
        let read = admin(&format!(
            "socket = \"admin.sock\"\n{TLS}[[admin.peers]]\ngroup = 1002\nrole = \"operator\"\n\
             [[admin.clients]]\nname = \"grafana\"\nrole = \"viewer\"\ntoken = \"env:TOKEN\"\n\
             [[admin.clients]]\nname = \"ops\"\nrole = \"admin\"\ncertificate = {{ ca = \"ca.pem\", names = [\"ops.example\"] }}\n"
        ))
        .expect("read");

        assert_eq!(read.peers, [AdminPeer { who: Account::Group(1002), role: Role::Operator }]);
        let clients: Vec<_> = read.clients.iter().map(|client| (client.name.as_str(), client.role)).collect();
        assert_eq!(clients, [("grafana", Role::Viewer), ("ops", Role::Admin)]);
        assert!(read.listen.is_some_and(|listen| listen.tls().is_some() && listen.address.ip().is_loopback()));
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (lines, finding) in [
            ("listen = \"7443\"\n", "strongroom.toml:1:1: an address without TLS; set `tls = { certificate = ?, key = ? }`"),
            ("[[admin.peers]]\nuser = 1\ngroup = 2\nrole = \"viewer\"", "strongroom.toml:2:1: not one account; write either"),
            ("[[admin.peers]]\nuser = 1\nrole = \"root\"", "strongroom.toml:4:8: `admin.peers.role`: not a role; write `viewer`"),
            (&format!("{TLS}[[admin.clients]]\nname = \"a\"\nrole = \"viewer\""), "strongroom.toml:4:1: not one proof; write either"),
            (
                "[[admin.clients]]\nname = \"a\"\nrole = \"viewer\"\ntoken = \"env:T\"",
                "strongroom.toml:1:1: clients, and no address for them",
            ),
        ] {
            let found = admin(lines).expect_err(lines);
            assert!(found.starts_with(finding) && found.lines().count() == 1, "{lines}\n{found}");
        }
    }
}
