//! What becomes of the tokens that a token endpoint hands out (RFC 6749 5.1): `seal = ["oauth2"]` of a grant, and the keys that belong to it.

use super::diagnostic::Problem;
use super::reader::Section;
use super::{EgressRule, HostPattern, Leaks, Manifest, Misplaced, Passes, Place, Seal};

/// What the tokens of a token response are good for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tokens {
    /// The origins that an access token goes to. Where there are none, to the one that it came from.
    pub hosts: Vec<HostPattern>,
    /// Whether the agent gets an ID token whole; by default its signature is another one, which verifies nowhere.
    pub passes_id_token: bool,
    /// The secret of the manifest as which a refresh token is kept. Default none: it ends with the run.
    pub keep: Option<String>,
}

/// The keys that say something of tokens.
const KEYS: &[&str] = &["tokens_for", "id_token", "keep"];

impl Tokens {
    /// Reads the keys of a grant that belong to `oauth2` in its `seal`, and completes its places: an access token goes into a header or a
    /// parameter, a refresh token into a field of the body.
    pub(super) fn read(section: &Section<'_>, seal: &mut [Seal], sealed_place: &mut Vec<Place>) {
        let hosts = section.filled("tokens_for", "name a host, or leave it out: then it is the token endpoint's own", HostPattern::parse);
        let id_token = section.parse("id_token", |text| match text {
            "pass" => Ok(true),
            _ => Err(Problem::new("not a treatment of ID tokens", "write `\"pass\"`, or leave it out")),
        });
        let keep = section.string("keep");
        let seals_fields = seal.iter().any(|seal| matches!(seal, Seal::Json(_) | Seal::Header(_)));
        let Some(Seal::OAuth2(tokens)) = seal.iter_mut().find(|seal| matches!(seal, Seal::OAuth2(_))) else {
            if let Some(key) = KEYS.iter().find(|key| section.has(key)) {
                let found = format!("`{key}` without `oauth2` in `seal`");
                section.report_here(Problem::new(found, "add `seal = [\"oauth2\"]`, or leave it out"));
            }
            return;
        };
        if seals_fields {
            let remedy = "leave the others out: of a token response every field that holds a token is sealed";
            section.report_here(Problem::new("`oauth2` in `seal` beside other fields", remedy));
        }
        *tokens = Self { hosts: hosts.unwrap_or_default(), passes_id_token: id_token.unwrap_or(false), keep };
        if !sealed_place.iter().any(|place| !place.is_field()) {
            sealed_place.push(Place::bearer());
        }
        if !sealed_place.iter().any(Place::is_field) {
            sealed_place.push(Place::Form("refresh_token".to_owned()));
        }
    }

    /// What is wrong with all of them once the whole manifest is read, each with its line.
    pub(super) fn check(manifest: &Manifest, report: impl Fn(usize, Problem)) {
        let opens = |host: &HostPattern| {
            let grants = manifest.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| &grant.host);
            grants.chain(manifest.egress.iter().map(|rule| &rule.host)).any(|open| open.overlaps(host))
        };
        for secret in &manifest.secrets {
            let grants = secret.allow.iter().flat_map(|grant| grant.seal.iter().map(move |seal| (grant.line, seal)));
            for (line, seal) in grants {
                let Seal::OAuth2(tokens) = seal else { continue };
                if let Some(host) = tokens.hosts.iter().find(|host| !opens(host)) {
                    let found = format!("`tokens_for` names {host}, to which the manifest lets nothing go");
                    report(line, Problem::new(found, format!("add an `[[egress]]` with `host = \"{host}\"`: tokens open no destination")));
                }
                let Some(keep) = &tokens.keep else { continue };
                if manifest.secret(keep).is_some_and(|secret| secret.scheme.is_some()) {
                    let found = format!("`keep` names `{keep}`, of which the host makes credentials itself");
                    report(line, Problem::new(found, "name a secret without a scheme, which the agent's library presents"));
                }
                if manifest.secret(keep).is_none() {
                    let found = format!("`keep` names `{keep}`, which is not a secret of this manifest");
                    report(line, Problem::new(found, format!("add a `[secrets.{keep}]` with `required = false`")));
                }
            }
        }
    }
}

impl EgressRule {
    /// A destination without a method: it opens nothing, and says where tokens may stand.
    pub(crate) fn of_tokens(host: &HostPattern, line: usize) -> Self {
        Self {
            host: host.clone(),
            methods: Vec::new(),
            paths: Vec::new(),
            rate: None,
            own_credentials: false,
            passes: Passes::default(),
            misplaced: Misplaced::default(),
            leaks: Leaks::default(),
            line,
        }
    }
}
