//! `[trigger] http`: which requests begin runs of an agent, what proves who calls, and what its responses may say.

use crate::manifest::diagnostic::Problem;
use crate::manifest::reader::Section;
use crate::manifest::{HostPattern, Manifest, Rate, config, names, units};
use std::fmt;
use std::path::PathBuf;

/// Most bytes of a request's body, unless the manifest says otherwise; and the most of a webhook's, which is read whole before it is believed.
const BODY: u64 = 1 << 20;
/// Longest path of a trigger, in bytes.
const LONGEST_PATH: usize = 256;
/// Most names of callers' certificates.
const MOST_NAMES: usize = 256;
/// How many runs of such an agent there are at once, unless the manifest says otherwise.
pub(super) const CONCURRENCY: u32 = 16;

/// Which requests begin runs, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpTrigger {
    /// The paths.
    pub path: CallPath,
    /// What proves who calls.
    pub auth: CallerAuth,
    /// Most bytes of a request's body. Default 1 MiB, which is also the most of a webhook's.
    pub body: u64,
    /// How often callers that have proved who they are begin runs. Default [`Rate::DEFAULT`].
    pub rate: Rate,
    /// Whether responses may set cookies: they hold for all agents behind the listener.
    pub set_cookie: bool,
    /// The origins other than the listener's own that a response may send a caller to.
    pub location: Vec<HostPattern>,
}

/// A path of requests, as it stands in them: nothing in it is percent-encoded, and nothing is decoded before the two are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallPath {
    text: String,
    /// All that lies below it, where it ends with `/**`.
    below: bool,
}

/// What proves who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerAuth {
    /// Nothing: anybody may.
    Public,
    /// `Authorization: Bearer` (RFC 6750) with the secret of this name, which is [`Manifest::caller`].
    Bearer(String),
    /// A signature over the body, as a service makes them.
    Webhook {
        /// The service.
        of: Webhook,
        /// The name of the secret that it signs with, which is [`Manifest::caller`].
        secret: String,
    },
    /// A certificate of the caller's own.
    Mtls {
        /// The file of the authorities that have signed it, PEM, relative to the manifest.
        authorities: PathBuf,
        /// Its names, of which the certificate has one: DNS names or URIs of its subject's alternative names. None is a wildcard.
        names: Vec<String>,
    },
}

/// Services that sign what they send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// `Stripe-Signature: t=…,v1=…`.
    Stripe,
    /// `X-Hub-Signature-256: sha256=…` and `X-GitHub-Delivery`.
    Github,
    /// `X-Slack-Signature: v0=…` and `X-Slack-Request-Timestamp`.
    Slack,
}

impl CallPath {
    /// Parses `/hooks/stripe`, or `/hooks/**` for all that lies below `/hooks/`.
    ///
    /// # Errors
    /// A [`Problem`] where a server could read the path in two ways.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let remedy = "write `/`, or segments of letters, digits and `-._~`, as in `/hooks/stripe`; `/**` at the end is all that lies below";
        let wrong = |found: &str| Problem::new(found, remedy);
        let (path, below) = text.strip_suffix("/**").map_or((text, false), |path| (path, true));
        if text.len() > LONGEST_PATH {
            return Err(wrong("longer than 256 bytes"));
        }
        let rest = match path.strip_prefix('/') {
            Some("") if !below => return Ok(Self { text: "/".to_owned(), below }),
            None if path.is_empty() && below => return Ok(Self { text: String::new(), below }),
            None => return Err(wrong("not a path that begins with `/`")),
            Some(rest) => rest,
        };
        for segment in rest.split('/') {
            match segment {
                "" => return Err(wrong("an empty segment")),
                "." | ".." => return Err(wrong("a dot segment")),
                _ if segment.contains(['?', '#']) => return Err(wrong("a query or a fragment")),
                _ if segment.contains('%') => return Err(wrong("a percent-encoding")),
                _ if !segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) => {
                    return Err(wrong("a character that some servers read in another way"));
                }
                _ => {}
            }
        }
        Ok(Self { text: path.to_owned(), below })
    }

    /// Whether a request's path, as it stands in the request, is covered.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        if !self.below {
            return path == self.text;
        }
        path.strip_prefix(&self.text).is_some_and(|rest| rest.starts_with('/'))
    }

    /// How much of a path it says: of two that cover one, the greater counts. An exact path says more than all that lies below it.
    #[must_use]
    pub fn weight(&self) -> (usize, bool) {
        (self.text.len(), !self.below)
    }
}

impl fmt::Display for CallPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.below { "/**" } else { "" })
    }
}

impl CallerAuth {
    /// The secret that a caller proves to have.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Bearer(name) | Self::Webhook { secret: name, .. } => Some(name),
            Self::Public | Self::Mtls { .. } => None,
        }
    }
}

impl Webhook {
    /// The service's name, as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Github => "github",
            Self::Slack => "slack",
        }
    }
}

impl HttpTrigger {
    /// A trigger of these requests, of which a body has 1 MiB at most, and whose responses set no cookie and stay with the listener.
    #[must_use]
    pub fn new(path: CallPath, auth: CallerAuth) -> Self {
        Self { path, auth, body: BODY, rate: Rate::DEFAULT, set_cookie: false, location: Vec::new() }
    }

    /// The file that it names.
    pub(in crate::manifest) fn file(&mut self) -> Option<&mut PathBuf> {
        match &mut self.auth {
            CallerAuth::Mtls { authorities, .. } => Some(authorities),
            _ => None,
        }
    }
}

/// Reads the keys that go with `http`.
pub(super) fn read(section: &Section<'_>) -> Option<HttpTrigger> {
    let path = section.parse("http", CallPath::parse);
    let auth = match (section.table("auth"), section.bool("public")) {
        (None, Some(true)) => Some(CallerAuth::Public),
        (Some(auth), None) => caller(&auth),
        (Some(auth), Some(_)) => {
            auth.ignore_rest();
            section.report_here(Problem::new("`auth` and `public` in one trigger", "keep one of them: what is public asks for nothing"));
            None
        }
        (None, found) => {
            // A value of another type was reported.
            if found.is_some() || !(section.has("auth") || section.has("public")) {
                let remedy = "add `auth = { bearer = ? }`, `{ webhook = ?, secret = ? }` or `{ mtls = ?, names = [?] }` with its values in the \
                              place of each `?`, or `public = true` where anybody may call";
                section.report_here(Problem::new("`trigger.http` does not say who may call", remedy));
            }
            None
        }
    };
    let is_webhook = matches!(auth, Some(CallerAuth::Webhook { .. }));
    let body = section.parse("body", |text| match units::size(text)? {
        size if is_webhook && size > BODY => Err(Problem::new("more than is read of a webhook", "write at most `1MiB`, or leave it out")),
        size => Ok(size),
    });
    let rate = section.parse("rate", units::rate).unwrap_or(Rate::DEFAULT);
    let set_cookie = section.bool("set_cookie").unwrap_or(false);
    let location = section.list("location", HostPattern::parse).unwrap_or_default();
    Some(HttpTrigger { body: body.unwrap_or(BODY), rate, set_cookie, location, ..HttpTrigger::new(path?, auth?) })
}

fn caller(auth: &Section<'_>) -> Option<CallerAuth> {
    let kinds: Vec<&str> = ["bearer", "webhook", "mtls"].into_iter().filter(|kind| auth.has(kind)).collect();
    let secret = |text: &str| names::secret_name(text).map(|()| text.to_owned());
    match kinds[..] {
        ["bearer"] => auth.parse("bearer", secret).map(CallerAuth::Bearer),
        ["webhook"] => {
            let of = auth.require_one_of("webhook", "not a service whose signatures are known", &["stripe", "github", "slack"]);
            let secret = auth.require("secret", "secret = ?", secret);
            let of = match of? {
                "stripe" => Webhook::Stripe,
                "github" => Webhook::Github,
                _ => Webhook::Slack,
            };
            Some(CallerAuth::Webhook { of, secret: secret? })
        }
        ["mtls"] => {
            let authorities = auth.parse("mtls", config::path);
            let names = auth.require_list("names", "names = [?]", name);
            if names.as_ref().is_some_and(|names| names.len() > MOST_NAMES) {
                auth.report_here(Problem::new("more than 256 names", "have the authority sign certificates with one name for all of them"));
            }
            Some(CallerAuth::Mtls { authorities: authorities?, names: names? })
        }
        _ => {
            auth.ignore_rest();
            auth.report_here(Problem::new(
                "`trigger.auth` is not one way to prove who calls",
                "write one of `bearer`, `webhook` and `mtls`",
            ));
            None
        }
    }
}

/// A name of a caller's certificate.
fn name(text: &str) -> Result<String, Problem> {
    let is_uri = text
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase()) && !rest.is_empty());
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
    match is_plain && (is_uri || crate::manifest::is_host(text)) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new(
            "not a name of one certificate",
            "write a DNS name in lower case or a URI, as its subject's alternative names have it, without `*`",
        )),
    }
}

/// Takes the secret that callers prove to have out of those that the agent may use.
pub(in crate::manifest) fn claim(section: &Section<'_>, auth: &CallerAuth, manifest: &mut Manifest) {
    let Some(name) = auth.secret() else { return };
    let Some(at) = manifest.secrets.iter().position(|secret| secret.name == name) else {
        let found = format!("`{name}`, which `trigger.auth` names, is not a secret of this manifest");
        section.report_here(Problem::new(found, format!("add a `[secrets.{name}]`, or name the secret that it is")));
        return;
    };
    let secret = manifest.secrets.remove(at);
    let is_granted = !secret.allow.is_empty() || secret.expose_env || secret.scheme.is_some();
    if is_granted || secret.default.is_some() || !secret.required {
        let remedy =
            "leave `allow`, `expose`, `default`, `required` and the scheme of this one out: what callers prove to have, no agent gets";
        section.report_here(Problem::new(format!("`secrets.{name}` proves who calls, and is the agent's too"), remedy));
    }
    manifest.caller = Some(secret);
}

#[cfg(test)]
mod tests;
