//! A host configuration that is read anew while the host serves: which of its keys are otherwise than before, and which of those the host can
//! take up without starting anew.
//!
//! Each type is taken apart whole, without `..`: a new key does not compile before it is decided here when it counts.

use super::{AdminConfig, AdminProof, CredentialRef, HostConfig, ListenConfig, SigningConfig};
use std::path::PathBuf;

/// The keys that are otherwise in a configuration that was read anew, as [`HostConfig::changes`] finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Those that a host takes up while it serves.
    pub now: Vec<String>,
    /// Those that count once the host starts anew.
    pub after_restart: Vec<String>,
}

impl Changes {
    fn at_once(&mut self, key: &str, differs: bool) {
        self.now.extend(differs.then(|| key.to_owned()));
    }

    fn later(&mut self, key: &str, differs: bool) {
        self.after_restart.extend(differs.then(|| key.to_owned()));
    }

    /// Tables by name, each of which is one thing.
    fn tables<T: PartialEq>(&mut self, key: &str, old: &[(String, T)], new: &[(String, T)]) {
        let of = |all: &[(String, T)], name: &str| all.iter().position(|(known, _)| known == name);
        for (name, value) in old {
            let differs = of(new, name).is_none_or(|at| new[at].1 != *value);
            self.later(&format!("{key}.{name}"), differs);
        }
        for (name, _) in new {
            self.later(&format!("{key}.{name}"), of(old, name).is_none());
        }
    }
}

impl HostConfig {
    /// What is otherwise in `newer` than in this one, by which the host runs.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Changes {
        let Self {
            default_backend,
            backends,
            network_allow,
            network_ca,
            network_proxy,
            audit_file,
            state_dir,
            compiled,
            scrub_rules,
            signing,
            issuers,
            rotations,
            listen,
            admin,
        } = self;
        let mut changes = Changes::default();
        changes.at_once("network.allow", *network_allow != newer.network_allow);
        changes.at_once("network.ca", *network_ca != newer.network_ca);
        changes.at_once("network.proxy", *network_proxy != newer.network_proxy);
        changes.at_once("scrub.rules", *scrub_rules != newer.scrub_rules);
        // Leases, logins and journals of rotations hang on who a backend is.
        changes.later("default_backend", *default_backend != newer.default_backend);
        changes.tables("backends", backends, &newer.backends);
        changes.tables("issuers", issuers, &newer.issuers);
        changes.tables("rotations", rotations, &newer.rotations);
        changes.later("audit.file", *audit_file != newer.audit_file);
        changes.later("state.dir", *state_dir != newer.state_dir);
        changes.later("state.compiled", *compiled != newer.compiled);
        changes.signing(signing, &newer.signing);
        changes.listener(listen.as_ref(), newer.listen.as_ref());
        changes.admin(admin, &newer.admin);
        changes
    }

    /// This one, with what a host takes up while it serves as it is in `newer`.
    #[must_use]
    pub fn taking(&self, newer: &Self) -> Self {
        let mut taken = self.clone();
        taken.network_allow.clone_from(&newer.network_allow);
        taken.network_ca.clone_from(&newer.network_ca);
        taken.network_proxy.clone_from(&newer.network_proxy);
        taken.scrub_rules.clone_from(&newer.scrub_rules);
        if self.signing.has_assets_of(&newer.signing) {
            taken.signing.caps.clone_from(&newer.signing.caps);
            taken.signing.hot_limit.clone_from(&newer.signing.hot_limit);
        }
        taken.listen = self.listen.clone().map(|listen| listen.taking(newer.listen.as_ref()));
        taken.admin.peers.clone_from(&newer.admin.peers);
        taken.admin.clients.clone_from(&newer.admin.clients);
        taken.admin.listen = self.admin.listen.clone().map(|listen| listen.taking(newer.admin.listen.as_ref()));
        taken
    }

    /// The files beside this one that are read with it each time it is read anew.
    #[must_use]
    pub fn read_with(&self) -> Vec<PathBuf> {
        let listeners = self.listen.iter().chain(&self.admin.listen);
        let tls = listeners.filter_map(ListenConfig::tls).flat_map(|(certificate, key)| {
            let key = match key {
                CredentialRef::File(file) => Some(file),
                CredentialRef::Env(_) => None,
            };
            [Some(certificate), key]
        });
        let authorities = self.admin.clients.iter().map(|client| match &client.proof {
            AdminProof::Certificate { authorities, .. } => Some(authorities),
            // Tokens are read at each request.
            AdminProof::Token(_) => None,
        });
        let named = self.scrub_rules.iter().chain(&self.network_ca).chain(tls.chain(authorities).flatten());
        named.cloned().collect()
    }
}

impl Changes {
    fn signing(&mut self, old: &SigningConfig, new: &SigningConfig) {
        let SigningConfig { assets, chains, caps, hot_limit, ledger, max_downtime, raw, permit2, kms, pkcs11, mpc, remote } = old;
        // A bound is counted in the assets that the host knows.
        let same_assets = old.has_assets_of(new);
        for (key, differs) in [("signing.caps", *caps != new.caps), ("signing.hot_limit", *hot_limit != new.hot_limit)] {
            if same_assets { self.at_once(key, differs) } else { self.later(key, differs) }
        }
        self.later("signing.assets", *assets != new.assets);
        self.later("signing.chains", *chains != new.chains);
        self.later("signing.ledger", *ledger != new.ledger);
        self.later("signing.max_downtime", *max_downtime != new.max_downtime);
        self.later("signing.raw", *raw != new.raw);
        self.later("signing.permit2", *permit2 != new.permit2);
        self.later("signing.kms", *kms != new.kms);
        self.later("signing.pkcs11", *pkcs11 != new.pkcs11);
        self.later("signing.mpc", *mpc != new.mpc);
        self.tables("signing.remote", remote, &new.remote);
    }

    fn listener(&mut self, old: Option<&ListenConfig>, new: Option<&ListenConfig>) {
        let (Some(old), Some(new)) = (old, new) else {
            return self.later("serve.listen", old.is_some() != new.is_some());
        };
        let ListenConfig { address: _, certificate: _, key: _, hosts } = old;
        self.at_once("serve.hosts", *hosts != new.hosts);
        self.socket(["serve.listen", "serve.tls"], old, new);
    }

    fn admin(&mut self, old: &AdminConfig, new: &AdminConfig) {
        let AdminConfig { socket, peers, listen, clients } = old;
        self.at_once("admin.peers", *peers != new.peers);
        self.at_once("admin.clients", *clients != new.clients);
        self.later("admin.socket", *socket != new.socket);
        match (listen, &new.listen) {
            (Some(old), Some(new)) => self.socket(["admin.listen", "admin.tls"], old, new),
            (old, new) => self.later("admin.listen", old.is_some() != new.is_some()),
        }
    }

    /// Where something listens, and by which certificate: whether it has one at all is not changed under its connections.
    fn socket(&mut self, [listen, tls]: [&str; 2], old: &ListenConfig, new: &ListenConfig) {
        self.later(listen, old.address != new.address);
        match old.tls().is_some() == new.tls().is_some() {
            true => self.at_once(tls, old.tls() != new.tls()),
            false => self.later(tls, true),
        }
    }
}

impl SigningConfig {
    fn has_assets_of(&self, other: &Self) -> bool {
        self.assets == other.assets && self.chains == other.chains
    }
}

impl ListenConfig {
    fn taking(self, newer: Option<&Self>) -> Self {
        let Some(newer) = newer else { return self };
        let hosts = newer.hosts.clone();
        match self.tls().is_some() == newer.tls().is_some() {
            true => Self { address: self.address, certificate: newer.certificate.clone(), key: newer.key.clone(), hosts },
            false => Self { hosts, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> HostConfig {
        HostConfig::parse("strongroom.toml", text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    const TLS: &str = "tls = { certificate = \"cert.pem\", key = \"file:key.pem\" }\n";

    /// A line for each key: what there was, what there is, which key that is, and whether it counts at once.
    fn table() -> Vec<(String, String, &'static str, bool)> {
        let backend = |path: &str| format!("[backends.store]\ntype = \"dir\"\npath = \"{path}\"\n");
        let asset = |symbol: &str| {
            format!(
                "[[signing.assets]]\nsymbol = \"{symbol}\"\nchain = 1\naddress = \"0x{}\"\nstandard = \"erc20\"\ndecimals = 6\n",
                "1".repeat(40)
            )
        };
        let issuer = |url: &str| format!("[issuers.flea]\ntype = \"purpleflea\"\nurl = \"{url}\"\n");
        let rotation = |every: &str| format!("[rotations.bot]\nsecrets = [\"store:a\"]\nissuer = \"flea\"\nevery = \"{every}\"\n");
        let admin = |address: &str, certificate: &str| {
            format!("[admin]\nlisten = \"{address}\"\ntls = {{ certificate = \"{certificate}\", key = \"file:key.pem\" }}\n")
        };
        let serve = |address: &str, certificate: &str| admin(address, certificate).replace("[admin]", "[serve]");
        let client =
            |role: &str| format!("[admin]\nlisten = \"1\"\n{TLS}[[admin.clients]]\nname = \"a\"\nrole = \"{role}\"\ntoken = \"env:T\"\n");
        let text = str::to_owned;
        vec![
            (text(""), text("[network]\nallow = [\"10.0.0.0/8\"]"), "network.allow", true),
            (text("[network]\nca = [\"a.pem\"]"), text(""), "network.ca", true),
            (text(""), text("[network]\nproxy = \"http://proxy:1\""), "network.proxy", true),
            (text(""), text("[scrub]\nrules = [\"a.toml\"]"), "scrub.rules", true),
            (text(""), text("default_backend = \"file\""), "default_backend", false),
            (backend("a"), backend("b"), "backends.store", false),
            (backend("a"), text(""), "backends.store", false),
            (text(""), backend("a"), "backends.store", false),
            (issuer("https://a.test"), issuer("https://b.test"), "issuers.flea", false),
            (rotation("30d"), rotation("31d"), "rotations.bot", false),
            (text(""), text("[audit]\nfile = \"a\""), "audit.file", false),
            (text(""), text("[state]\ndir = \"a\""), "state.dir", false),
            (text(""), text("[state]\ncompiled = \"1MiB\""), "state.compiled", false),
            (text(""), text("[signing]\nhot_limit = { ETH = \"1\" }"), "signing.hot_limit", true),
            (text(""), asset("A"), "signing.assets", false),
            (text(""), text("[signing.chains.5]\nnative = \"X\""), "signing.chains", false),
            (text(""), text("[signing]\nledger = \"a\""), "signing.ledger", false),
            (text(""), text("[signing]\nmax_downtime = \"1d\""), "signing.max_downtime", false),
            (text(""), text("[signing]\nraw = [\"a/b\"]"), "signing.raw", false),
            (text(""), text(&format!("[signing]\npermit2 = \"0x{}\"", "1".repeat(40))), "signing.permit2", false),
            (text(""), text("[signing.kms]\n"), "signing.kms", false),
            (text(""), text("[signing.pkcs11]\nmodule = \"a\"\ntoken = \"a\"\npin = \"env:P\""), "signing.pkcs11", false),
            (text(""), serve("1", "a.pem"), "serve.listen", false),
            (serve("1", "a.pem"), serve("2", "a.pem"), "serve.listen", false),
            (serve("1", "a.pem"), serve("1", "b.pem"), "serve.tls", true),
            (serve("1", "a.pem"), text("[serve]\nlisten = \"1\""), "serve.tls", false),
            (text("[serve]\nlisten = \"1\""), text("[serve]\nlisten = \"1\"\nhosts = [\"a.test\"]"), "serve.hosts", true),
            (text(""), text("[admin]\nsocket = \"a\""), "admin.socket", false),
            (text(""), text("[[admin.peers]]\nuser = 1\nrole = \"viewer\""), "admin.peers", true),
            (client("viewer"), client("admin"), "admin.clients", true),
            (text(""), admin("1", "a.pem"), "admin.listen", false),
            (admin("1", "a.pem"), admin("2", "a.pem"), "admin.listen", false),
            (admin("1", "a.pem"), admin("1", "b.pem"), "admin.tls", true),
        ]
    }

    #[test]
    fn each_key_that_is_otherwise_is_told_by_name_and_counts_when_it_can() {
        for (old, new, key, now) in table() {
            let (old, new) = (config(&old), config(&new));

            let changes = old.changes(&new);
            let (told, none) = if now { (&changes.now, &changes.after_restart) } else { (&changes.after_restart, &changes.now) };
            assert!(*told == [key] && none.is_empty(), "{key}: {changes:?}");
            // What was taken is otherwise no more; what counts after a restart still is.
            let taken = old.taking(&new);
            let left = taken.changes(&new);
            assert!(left.now.is_empty() && left.after_restart == changes.after_restart, "{key}: {left:?}");
            assert_eq!(taken == old, !now, "{key}");
            assert_eq!(old.changes(&old), Changes::default(), "{key}");
        }
    }

    #[test]
    fn bounds_on_assets_that_change_too_count_with_them() {
        let both = config("[signing]\nhot_limit = { ETH = \"1\" }\n[signing.chains.5]\nnative = \"X\"");
        let changes = config("").changes(&both);

        assert!(changes.now.is_empty());
        assert_eq!(changes.after_restart, ["signing.hot_limit", "signing.chains"]);
        assert!(config("").taking(&both).signing.hot_limit.is_empty());
    }

    #[test]
    fn what_is_read_with_it_are_rules_authorities_and_certificates() {
        let read = config(&format!(
            "[scrub]\nrules = [\"rules.toml\"]\n[network]\nca = [\"ca.pem\"]\n[serve]\nlisten = \"1\"\n{TLS}\
             [admin]\nlisten = \"2\"\ntls = {{ certificate = \"admin.pem\", key = \"env:K\" }}\n\
             [[admin.clients]]\nname = \"a\"\nrole = \"viewer\"\ncertificate = {{ ca = \"clients.pem\", names = [\"a\"] }}\n\
             [[admin.clients]]\nname = \"b\"\nrole = \"viewer\"\ntoken = \"file:token\"\n"
        ));

        let files: Vec<String> = read.read_with().iter().map(|path| path.display().to_string()).collect();
        assert_eq!(files, ["rules.toml", "ca.pem", "cert.pem", "key.pem", "admin.pem", "clients.pem"]);
    }
}
