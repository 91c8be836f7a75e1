//! Who asks, and what they may: by the kernel's word at the socket, by a token or a certificate at the address.

use crate::manifest::{Account, AdminClient, AdminConfig, AdminPeer, AdminProof, Role};
use crate::serve::{Certificates, Peer, bearer};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// The shortest token that counts.
const SHORTEST: usize = 16;

/// Somebody who is known, with what they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// In the audit log: `user 1000`, or a client's name.
    pub(super) name: String,
    pub(super) role: Role,
}

/// How somebody came.
pub(super) enum Came {
    /// By the socket: the user and the group of the process at the other end.
    Locally(u32, u32),
    /// By the address, from this one, with these certificates.
    Remotely(IpAddr, Peer),
}

/// All that are known.
pub(super) struct Known {
    peers: Vec<AdminPeer>,
    clients: Vec<(AdminClient, Option<Certificates>)>,
}

impl Known {
    pub(super) fn of(config: &AdminConfig) -> Result<Self, String> {
        let client = |client: &AdminClient| {
            let certificates = match &client.proof {
                AdminProof::Certificate { authorities, names } => Some(Certificates::of(authorities, names)?),
                _ => None,
            };
            Ok((client.clone(), certificates))
        };
        let clients = config.clients.iter().map(client).collect::<Result<_, String>>()?;
        Ok(Self { peers: config.peers.clone(), clients })
    }

    /// Who somebody is.
    pub(super) fn who(&self, came: &Came, headers: &HeaderMap) -> Option<Who> {
        match came {
            Came::Locally(user, group) => self.local(*user, *group),
            Came::Remotely(_, peer) => self.remote(peer, headers),
        }
    }

    fn local(&self, user: u32, group: u32) -> Option<Who> {
        // Who owns the host can do all this without it.
        let own = is_own(user).then_some(Role::Admin);
        let named = self.peers.iter().filter(|peer| match peer.who {
            Account::User(known) => known == user,
            Account::Group(known) => known == group,
        });
        let role = own.into_iter().chain(named.map(|peer| peer.role)).max()?;
        Some(Who { name: format!("user {user}"), role })
    }

    /// The client with the most rights that it proves to be.
    fn remote(&self, peer: &Peer, headers: &HeaderMap) -> Option<Who> {
        let shown = bearer(headers).ok();
        let is = |(client, certificates): &&(AdminClient, Option<Certificates>)| match (&client.proof, certificates) {
            (AdminProof::Token(token), _) => shown.is_some_and(|shown| token.read().is_ok_and(|token| is_same(&token, shown))),
            (_, Some(certificates)) => certificates.name(peer).is_ok(),
            _ => false,
        };
        let client = self.clients.iter().filter(is).map(|(client, _)| client).max_by_key(|client| client.role)?;
        Some(Who { name: client.name.clone(), role: client.role })
    }
}

/// Whether a user owns the host: it is the host's, or root.
pub(super) fn is_own(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// Whether a token is the one that counts. What is compared are hashes, so that the time it takes says nothing of it.
fn is_same(token: &str, shown: &[u8]) -> bool {
    let is_long_enough = token.len() >= SHORTEST;
    (Sha256::digest(token) == Sha256::digest(shown)) & is_long_enough
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::HostConfig;
    use http::header;

    fn known(lines: &str) -> Known {
        let config = HostConfig::parse("strongroom.toml", &format!("[admin]\n{lines}")).unwrap_or_else(|error| panic!("{error}"));
        Known::of(&config.admin).expect("known")
    }

    #[test]
    fn a_user_has_the_most_of_its_roles_and_the_hosts_own_has_all() {
        let me = rustix::process::geteuid().as_raw();
        let known = known(
            "[[admin.peers]]\nuser = 70001\nrole = \"viewer\"\n[[admin.peers]]\ngroup = 70002\nrole = \"operator\"\n\
             [[admin.peers]]\nuser = 70003\nrole = \"admin\"\n",
        );
        let role = |user, group| known.who(&Came::Locally(user, group), &HeaderMap::new()).map(|who| who.role);

        assert_eq!(role(me, 70_009), Some(Role::Admin));
        assert_eq!(role(0, 0), Some(Role::Admin));
        assert_eq!(role(70_001, 70_009), Some(Role::Viewer));
        assert_eq!(role(70_001, 70_002), Some(Role::Operator));
        assert_eq!(role(70_003, 70_009), Some(Role::Admin));
        assert_eq!(role(70_004, 70_009), None);
    }

    #[test]
    fn a_token_is_one_whole_token_and_is_read_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("token");
        let write = |token: &str| std::fs::write(&file, token).expect("written");
        let shown = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a value"))]);
        let known = known(&format!(
            "listen = \"0\"\ntls = {{ certificate = \"cert.pem\", key = \"file:key.pem\" }}\n\
             [[admin.clients]]\nname = \"grafana\"\nrole = \"viewer\"\ntoken = \"file:{}\"\n",
            file.display()
        ));
        let name = |headers: &HeaderMap| known.who(&Came::Remotely(IpAddr::from([127, 0, 0, 1]), Vec::new()), headers).map(|who| who.name);

        write("a-token-of-the-tests\n");
        assert_eq!(name(&shown("Bearer a-token-of-the-tests")).as_deref(), Some("grafana"));
        assert_eq!(name(&shown("bearer a-token-of-the-tests")).as_deref(), Some("grafana"));
        for wrong in
            ["Bearer a-token-of-the-test", "Bearer a-token-of-the-testss", "Bearer ", "Basic a-token-of-the-tests", "a-token-of-the-tests"]
        {
            assert_eq!(name(&shown(wrong)), None, "{wrong}");
        }
        let mut twice = shown("Bearer a-token-of-the-tests");
        twice.append(header::AUTHORIZATION, "Bearer other".parse().expect("a value"));
        assert_eq!(name(&twice), None);
        // The kernel's word counts at the socket alone.
        assert_eq!(name(&HeaderMap::new()), None);

        write("another-token-of-the-tests");
        assert_eq!(name(&shown("Bearer a-token-of-the-tests")), None);
        write("short");
        assert_eq!(name(&shown("Bearer short")), None);
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(name(&shown("Bearer another-token-of-the-tests")), None);
    }
}
