//! The files people write: the agent's manifest and the operator's host configuration.
//!
//! Both are parsed once into types in which invalid configuration does not exist; nothing is validated again later. Every
//! finding has a file, a line and a column, says what was found and what to write instead, and never quotes a value.

mod admin;
mod backends;
mod config;
mod cron;
mod diagnostic;
pub mod hmac;
mod host_pattern;
pub mod jwt;
mod listen;
pub mod names;
pub mod oauth2;
mod own;
mod pattern;
mod place;
mod pointer;
mod public_suffix;
mod reader;
mod remote;
mod reread;
mod rotation;
mod scan;
mod scheme;
mod seal;
mod shape;
mod signers;
mod signing;
mod sources;
mod state;
mod suspicion;
mod tokens;
mod trigger;
mod units;

pub use admin::{Account, AdminClient, AdminConfig, AdminPeer, AdminProof, Role};
pub use backends::DEFAULT_STALE;
pub use backends::{AwsConfig, BackendConfig, CredentialRef, FileKeyRef, SecretIdRenewal, VaultAuth, VaultConfig};
pub use config::HostConfig;
pub use cron::Cron;
pub use diagnostic::{Diagnostic, Diagnostics, Problem};
pub use hmac::HmacSpec;
pub use host_pattern::is_host;
pub use host_pattern::{HostPattern, Scheme};
pub use jwt::RequestJwt;
pub use listen::ListenConfig;
pub use names::HOSTS_OWN;
pub use names::{ADOPTED, Adopted, SecretRef, Which};
pub use oauth2::{ClientAuth, Oauth2Grant, Oauth2Spec};
pub use own::HostsOwn;
pub use pattern::is_path_byte;
pub use pattern::{NamePattern, PathPattern, PathPlace};
pub use place::{Basic, Place, Template};
pub use pointer::Pointer;
pub use remote::{RemoteConfig, TypedDataMethod};
pub use reread::Changes;
pub use rotation::{AfterDrain, Endpoint, HttpIssuerConfig, IssuerConfig, Listing, RotationConfig};
pub use scheme::{SchemeSpec, SigV4Spec};
pub use seal::{AnswerRule, Seal};
pub use shape::Shape;
pub use signers::{Bound, is_registered_claim};
pub use signers::{CallSpec, JwtSpec, LimitSpec, Most, Movement, OnChain, Purpose, SignInSpec, SignerSpec, Spends, TypedSpec, WalletSpec};
pub use signing::{Asset, ChainSpec, KmsConfig, MpcConfig, Pkcs11Config, SignerCap, SigningConfig, Standard};
pub use sources::{CommandConfig, CommandProtocol, DirConfig, PATH_SLOT};
pub use state::StateSpec;
pub use suspicion::looks_like_a_secret;
pub use tokens::Tokens;
pub use trigger::{CallPath, CallerAuth, HttpTrigger, Missed, Overlap, Restart, Supervision, Trigger, Webhook};
pub use units::{Rate, duration};

use http::HeaderName;
use reader::{Document, Section};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

macro_rules! with {
    ($($name:ident),* $(,)?) => {
        $(impl $name {
            /// The same with fields set, in one expression: types of configurations may get more of them.
            #[must_use]
            pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
                set(&mut self);
                self
            }
        })*
    };
}

with!(
    AdminConfig,
    AwsConfig,
    CommandConfig,
    DirConfig,
    HostConfig,
    HttpIssuerConfig,
    HttpTrigger,
    KmsConfig,
    Limits,
    ListenConfig,
    MpcConfig,
    Pkcs11Config,
    RemoteConfig,
    RotationConfig,
    SecretIdRenewal,
    SigningConfig,
    StateSpec,
    Supervision,
    VaultConfig
);

/// What one agent is, what it may use, and how much of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Manifest {
    /// The agent's name, `[a-z0-9-]`; the default namespace for look-ups.
    pub name: String,
    /// The component's file, relative to the manifest. None where the bytes are given in code.
    pub component: Option<PathBuf>,
    /// The component's SHA-256; any other component is refused.
    pub sha256: Option<[u8; 32]>,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Plain environment variables.
    pub env: Vec<(String, String)>,
    /// What the agent may consume.
    pub limits: Limits,
    /// The secrets it may use, in the order of their names.
    pub secrets: Vec<SecretSpec>,
    /// Destinations that get no secret.
    pub egress: Vec<EgressRule>,
    /// The keys it may have things signed with, in the order of their names.
    pub signers: Vec<SignerSpec>,
    /// How the agent is told that a request was denied.
    pub denials: Denials,
    /// When a host that serves runs it.
    pub trigger: Trigger,
    /// What such a host does where a run fails, or another is due before one has ended.
    pub supervision: Supervision,
    /// What the agent may keep over its runs; none where it keeps nothing.
    pub state: Option<StateSpec>,
    /// The secret that callers prove to have, where [`HttpTrigger::auth`] names one. The agent has no handle of it, and no placeholder.
    pub caller: Option<SecretSpec>,
}

/// How an agent is told that the host denied a request. Either way it learns the rule and what was wrong with the request, and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denials {
    /// As an error of `wasi:http`. Client libraries take it for a broken connection, and many send the request again.
    Error,
    /// As an HTTP response: status 403, the header `strongroom-denial` with the rule, and problem details (RFC 9457).
    #[default]
    Response,
}

/// Bounds of one run. Reaching one ends the run, except for `requests`, which refuses the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of linear memory, summed over all memories. Default 64 MiB.
    pub memory: u64,
    /// Time in which guest instructions run, counted in ticks of 10 ms. Default 10 s.
    pub cpu: Duration,
    /// Time from the first guest instruction. Default 60 s.
    pub wall: Duration,
    /// Bytes of stdout, stderr and log, and of what is written to the state, together. Default 8 MiB.
    pub output: u64,
    /// Requests open at once, from the request to the end of its response. Default 32.
    pub requests: u32,
    /// Bytes of request bodies in all. Default 64 MiB.
    pub sent: u64,
    /// Bytes of response bodies in all, after decompression. Default 256 MiB.
    pub received: u64,
    /// Records in the audit log in all; one that is longer than a KiB counts for each. Default 250,000, some 100 MB.
    pub records: u64,
    /// What guest clocks tick in. Default 1 ms.
    pub clock: Duration,
}

/// One secret and the uses of it that are granted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecretSpec {
    /// The name the agent knows it by.
    pub name: String,
    /// Where it is kept.
    pub from: SecretRef,
    /// The namespace of a bare name's look-up; by default the agent's name.
    pub namespace: Option<String>,
    /// Whether the run fails without it. Default true.
    pub required: bool,
    /// Plain text used where an optional secret is missing.
    pub default: Option<String>,
    /// What the value looks like; a value that does not match is refused.
    pub format: Option<regex::Regex>,
    /// What its placeholder looks like.
    pub placeholder: Shape,
    /// Whether the placeholder is in the environment under the secret's name.
    pub expose_env: bool,
    /// How it becomes a credential, where its value does not stand in requests as it is.
    pub scheme: Option<Arc<SchemeSpec>>,
    /// How long an old value keeps working after it has been replaced, where the operator knows.
    pub overlap: Option<Duration>,
    /// The destinations and places it may go to.
    pub allow: Vec<Grant>,
}

/// One use of a secret: where it may go, and in which place of the request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Grant {
    /// The origins.
    pub host: HostPattern,
    /// The methods, upper-case. Default GET.
    pub methods: Vec<String>,
    /// The paths.
    pub paths: Vec<PathPattern>,
    /// The places. Default `header:authorization`.
    pub place: Vec<Place>,
    /// How often.
    pub rate: Option<Rate>,
    /// The fields of responses that the agent gets placeholders for.
    pub seal: Vec<Seal>,
    /// Whether the host puts the secret into requests by itself, in the first of the places: then every request to these paths is authenticated.
    pub attach: bool,
    /// Where a placeholder of a field that a grant of this secret seals may be put, except for those of cookies. Default nowhere; where tokens
    /// are sealed, `header:authorization` and `form:refresh_token`.
    pub sealed_place: Vec<Place>,
    /// Whether GraphQL may be asked there although fields are sealed: documents without aliases and fragments.
    pub graphql: bool,
    /// Rules that may be broken in fields of responses.
    pub answers_allowed: Vec<AnswerRule>,
    /// The fields of responses that are signed URLs, which the agent may use.
    pub signed_urls: Vec<Seal>,
    /// Parameters of media types that `Accept` keeps in addition to the usual ones.
    pub accept_parameters: Vec<String>,
    /// What is not refused though its name tells against it.
    pub passes: Passes,
    /// What happens to a placeholder that stands elsewhere.
    pub misplaced: Misplaced,
    /// What happens to a secret that the agent has found itself, in a request.
    pub leaks: Leaks,
    /// The line of the manifest, for denials that name it.
    pub line: usize,
}

/// A destination that gets no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EgressRule {
    /// The origins.
    pub host: HostPattern,
    /// The methods, upper-case. Default GET.
    pub methods: Vec<String>,
    /// The paths. Default all.
    pub paths: Vec<PathPattern>,
    /// How often.
    pub rate: Option<Rate>,
    /// Whether the agent may send credentials of its own there.
    pub own_credentials: bool,
    /// What is not refused though its name tells against it.
    pub passes: Passes,
    /// What happens to a placeholder that stands in such a request.
    pub misplaced: Misplaced,
    /// What happens to a secret that the agent has found itself, in a request.
    pub leaks: Leaks,
    /// The line of the manifest, for denials that name it.
    pub line: usize,
}

/// What of a request may pass at one destination, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Passes {
    /// Headers that name a second resource or another client.
    pub headers: Vec<HeaderName>,
    /// Parameters of the query that look like a credential but are not one.
    pub parameters: Vec<String>,
    /// A body in a GET or HEAD request.
    pub get_body: bool,
    /// For `paths`, an encoded slash (`%2F`) read as a slash, too: `/repos/*/*` then covers `/repos/a%2Fb`, as `/repos/*` does in any case.
    pub encoded_slashes: bool,
    /// Entity tags as the server sends them.
    pub plain_etags: bool,
}

/// What happens to a placeholder outside its granted place. In all cases the value is not put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Misplaced {
    /// In a header or the URL: denied. In a body: sent as it is, and audited.
    #[default]
    ByPlace,
    /// Denied wherever it stands.
    Deny,
    /// Denied, and the run ends.
    Stop,
    /// Sent as it is wherever it stands, and audited.
    Pass,
}

/// What happens to what looks like a secret in a request, by the rules of [`crate::scrub::Rules`]. A guest has none of ours, but it reads
/// pages, files and answers that may hold somebody's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Leaks {
    /// The treatment.
    pub treatment: Treatment,
    /// Rules whose findings may pass.
    pub allowed: Vec<String>,
}

/// What is done about a finding. In a header or the URL, which can't be changed without changing what is asked for, each but `Stop`
/// denies the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Treatment {
    /// In a body: replaced by its name.
    #[default]
    Redact,
    /// The request is denied.
    Deny,
    /// The request is denied, and the run ends.
    Stop,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu: Duration::from_secs(10),
            wall: Duration::from_secs(60),
            output: 8 << 20,
            requests: 32,
            sent: 64 << 20,
            received: 256 << 20,
            records: 250_000,
            clock: Duration::from_millis(1),
        }
    }
}

impl Manifest {
    /// What it lets an agent do, without where that stands in its file: manifests that say the same, say the same here.
    #[must_use]
    pub fn granted(&self) -> (Vec<SecretSpec>, Vec<EgressRule>, Vec<SignerSpec>, Option<StateSpec>) {
        let (mut secrets, mut egress, mut signers) = (self.secrets.clone(), self.egress.clone(), self.signers.clone());
        secrets.iter_mut().flat_map(|secret| &mut secret.allow).for_each(|grant| grant.line = 0);
        egress.iter_mut().for_each(|rule| rule.line = 0);
        signers.iter_mut().for_each(SignerSpec::forget_lines);
        (secrets, egress, signers, self.state.clone())
    }

    /// A manifest that grants nothing, to be filled in code.
    ///
    /// # Errors
    /// A [`Problem`] where the name is not 1 to 63 of `[a-z0-9-]`.
    pub fn new(name: &str) -> Result<Self, Problem> {
        names::agent_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            component: None,
            sha256: None,
            args: Vec::new(),
            env: Vec::new(),
            limits: Limits::default(),
            secrets: Vec::new(),
            egress: Vec::new(),
            signers: Vec::new(),
            denials: Denials::default(),
            trigger: Trigger::default(),
            supervision: Supervision::default(),
            state: None,
            caller: None,
        })
    }

    /// Parses the text of a manifest. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, |root| manifest(root, text))
    }

    /// Reads a manifest from a file.
    ///
    /// # Errors
    /// [`ReadError`] where the file can't be read, or everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_with_text(path).map(|(manifest, _)| manifest)
    }

    /// The same, with the text that it was read from.
    ///
    /// # Errors
    /// [`ReadError`], likewise.
    pub fn read_with_text(path: &Path) -> Result<(Self, String), ReadError> {
        let text =
            crate::files::read_text(path, crate::files::MAX_TEXT).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let mut manifest = Self::parse(&path.display().to_string(), &text)?;
        if let (Some(component), Some(dir)) = (&manifest.component, path.parent()) {
            manifest.component = Some(dir.join(component));
        }
        if let (Trigger::Http(http), Some(dir)) = (&mut manifest.trigger, path.parent())
            && let Some(file) = http.file()
        {
            *file = dir.join(&file);
        }
        Ok((manifest, text))
    }

    /// The rules that it lets pass.
    pub fn leaks_allowed(&self) -> impl Iterator<Item = &str> {
        let grants = self.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| &grant.leaks);
        let all = grants.chain(self.egress.iter().map(|rule| &rule.leaks)).map(|leaks| &leaks.allowed);
        all.chain(self.state.iter().map(|state| &state.leaks_allowed)).flatten().map(String::as_str)
    }

    /// The rules that responses may break, each with its host.
    pub fn answers_allowed(&self) -> impl Iterator<Item = (&HostPattern, &str)> {
        let grants = self.secrets.iter().flat_map(|secret| &secret.allow);
        grants.flat_map(|grant| grant.answers_allowed.iter().map(|allowed| (&grant.host, allowed.rule.as_str())))
    }

    /// The secret of that name.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&SecretSpec> {
        self.secrets.iter().find(|secret| secret.name == name)
    }
}

impl SecretSpec {
    /// Whether a grant sends it as `Authorization: Basic`.
    pub fn in_basic(&self) -> bool {
        self.allow.iter().any(|grant| grant.place.iter().any(Place::is_basic))
    }
}

/// Why a manifest or a host configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file can't be read.
    #[error("{path}: can't be read ({source}); check the path and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something wrong.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

fn manifest(root: &Section<'_>, text: &str) -> Option<Manifest> {
    let name = root.require("name", "name = \"my-agent\"", |text| names::agent_name(text).map(|()| text.to_owned()));
    let component = root.require("component", "component = \"my_agent.wasm\"", |text| {
        if text.is_empty() { Err(Problem::new("empty", "name the component's file")) } else { Ok(PathBuf::from(text)) }
    });
    let sha256 = root.parse("sha256", sha256);
    let mut manifest = Manifest { component, sha256, ..Manifest::new(name.as_deref().unwrap_or("unnamed")).ok()? };
    let trigger = root.table("trigger");
    if let Some(section) = &trigger {
        manifest.trigger = trigger::trigger(section);
        manifest.supervision = trigger::unless_said(&manifest.trigger);
    }
    if let Some(run) = root.table("run") {
        run.elsewhere(&[("trigger", "in a table of its own, `[trigger]`")]);
        manifest.args = run.list("args", |text| not_secret(text).map(|()| text.to_owned())).unwrap_or_default();
        manifest.env = run.strings("env", |name, value| {
            let ok = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
            if !ok {
                return Err(Problem::new("not an environment variable", "use a name without `=` and text without NUL"));
            }
            not_secret(value)
        });
        manifest.supervision = trigger::supervision(&run, &manifest.trigger);
    }
    if let Some(section) = root.table("limits") {
        limits(&section, &mut manifest.limits);
    }
    manifest.state = root.table("state").map(|section| StateSpec::read(&section));
    for (name, span, section) in root.named_tables("secrets") {
        if let Err(problem) = names::secret_name(&name) {
            root.report(span.clone(), problem);
        }
        if manifest.env.iter().any(|(key, _)| *key == name) {
            root.report(span, Problem::new(format!("`{name}` is also in `run.env`"), "keep one of the two"));
        }
        manifest.secrets.extend(secret(name, &section, text));
    }
    if let (Some(section), Trigger::Http(http)) = (&trigger, &manifest.trigger) {
        trigger::claim(section, &http.auth.clone(), &mut manifest);
    }
    for secret in &manifest.secrets {
        for grant in secret.allow.iter().filter(|grant| !grant.answers_allowed.is_empty()) {
            let mut grants = manifest.secrets.iter().flat_map(|secret| &secret.allow);
            // Of one entry that has both, it was said as it was read.
            let seals = |other: &&Grant| !other.seal.is_empty() && !std::ptr::eq(*other, grant) && other.host.overlaps(&grant.host);
            if let Some(sealed) = grants.find(seals) {
                let found = format!("`answers_allowed` for a host whose responses the entry in line {} seals", sealed.line);
                let remedy = "leave `answers_allowed` out: what is sealed there could leak through it";
                root.report_in_line(grant.line, Problem::new(found, remedy));
            }
        }
    }
    for secret in &manifest.secrets {
        let named = secret.scheme.iter().flat_map(|scheme| scheme.companions());
        for name in named.filter(|name| *name == secret.name || !manifest.secrets.iter().any(|known| known.name == **name)) {
            let found = format!("`{name}`, which `secrets.{}` names, is not another secret of this manifest", secret.name);
            root.report_here(Problem::new(found, format!("add a `[secrets.{name}]`, or name the secret that it is")));
        }
    }
    manifest.signers = signers::read(root, text);
    set(&mut manifest.denials, root.parse("denials", denials));
    manifest.egress = root.tables("egress").iter().filter_map(|section| egress_rule(section, text)).collect();
    Tokens::check(&manifest, |line, problem| root.report_in_line(line, problem));
    Some(manifest)
}

fn limits(section: &Section<'_>, limits: &mut Limits) {
    let at_least = |least: u64, example: &'static str| {
        move |text: &str| match units::size(text)? {
            size if size >= least => Ok(size),
            _ => Err(Problem::new("too small to run anything", format!("write at least `{example}`"))),
        }
    };
    let memory = |text: &str| match at_least(64 << 10, "64KiB")(text)? {
        size if size <= 4 << 30 => Ok(size),
        _ => Err(Problem::new("more than a 32-bit memory can hold", "write at most `4GiB`")),
    };
    let clock = |text: &str| match units::duration(text)? {
        tick if tick <= Duration::from_secs(1) => Ok(tick),
        _ => Err(Problem::new("too coarse a clock", "write at most `1s`")),
    };
    set(&mut limits.memory, section.parse("memory", memory));
    set(&mut limits.cpu, section.parse("cpu", units::duration));
    set(&mut limits.wall, section.parse("wall", units::duration));
    set(&mut limits.output, section.parse("output", units::size));
    set(&mut limits.requests, section.integer("requests", 1..=10_000).and_then(|n| u32::try_from(n).ok()));
    set(&mut limits.sent, section.parse("sent", units::size));
    set(&mut limits.received, section.parse("received", units::size));
    set(&mut limits.records, section.integer("records", 16..=1_000_000_000));
    set(&mut limits.clock, section.parse("clock", clock));
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn secret(name: String, section: &Section<'_>, text: &str) -> Option<SecretSpec> {
    let from = section.parse("from", SecretRef::parse);
    let namespace = section.parse("namespace", names::namespace);
    let required = section.bool("required").unwrap_or(true);
    let default = section.string("default");
    let format = section.parse("format", |text| {
        regex::Regex::new(text).map_err(|_| Problem::new("not a regular expression", "see https://docs.rs/regex/#syntax"))
    });
    let placeholder = section.parse("placeholder", Shape::parse);
    let expose_env = section.parse("expose", |text| match text {
        "env" => Ok(true),
        "handle" => Ok(false),
        _ => Err(Problem::new("not a way to expose a secret", "write `\"env\"` or `\"handle\"`")),
    });
    if required && default.is_some() {
        section.report_here(Problem::new(
            format!("`secrets.{name}` is required and has a default"),
            "add `required = false`, or leave the default out",
        ));
    }
    let overlap = section.table("rotation").and_then(|rotation| rotation.parse("overlap", units::duration));
    let scheme = scheme::read(section);
    if scheme.as_ref().is_some_and(|scheme| scheme.oauth2().is_some()) && (default.is_some() || format.is_some()) {
        let remedy = "leave them out: what requests carry is a token, which the authorization server gives";
        section.report_here(Problem::new("`default` or `format` of a secret with `oauth2`", remedy));
    }
    let allow: Vec<Grant> = section.tables("allow").iter().filter_map(|section| grant(section, text, scheme.as_deref())).collect();
    let seals = allow.iter().any(|grant| grant.seal.iter().any(|seal| *seal != Seal::SetCookie));
    if !seals && allow.iter().any(|grant| !grant.sealed_place.is_empty()) {
        let remedy =
            "name in a `seal` of this secret what from a response may be put there, as in `json:/token`; cookies are sent back anyway";
        section.report_here(Problem::new("`sealed_place` without anything that is sealed", remedy));
    }
    let placeholder = placeholder.or_else(|| scheme.as_ref()?.placeholder()).unwrap_or_default();
    Some(SecretSpec {
        overlap,
        scheme,
        from: from.unwrap_or_else(|| SecretRef::Bare(name.clone())),
        name,
        namespace,
        required,
        default,
        format,
        placeholder,
        expose_env: expose_env.unwrap_or(false),
        allow,
    })
}

fn grant(section: &Section<'_>, text: &str, scheme: Option<&SchemeSpec>) -> Option<Grant> {
    section.elsewhere(&[("own_credentials", "in an `[[egress]]`")]);
    let host = section.require("host", "host = ?", HostPattern::parse);
    let methods = section.non_empty("methods", "`GET`", method);
    let paths = section.require_list("paths", "paths = ?", PathPattern::parse);
    let place = section.non_empty("place", "`header:authorization`", Place::parse);
    let attach = section.bool("attach").unwrap_or(false);
    let signs = scheme.filter(|scheme| scheme.has_own_places());
    if let (Some(scheme), Some(_)) = (signs, &place) {
        let remedy = "leave it out: the scheme says what stands in a request, and where";
        section.report_here(Problem::new(format!("`place` of a secret with `{}`", scheme.name()), remedy));
    }
    if let Some(scheme) = signs.filter(|scheme| attach && !scheme.is_attachable()) {
        let remedy = "leave it out: the agent's SDK signs with the placeholders, since region and service are its to say";
        section.report_here(Problem::new(format!("`attach` of a secret with `{}`", scheme.name()), remedy));
    } else if attach && signs.is_none() && !place.as_ref().and_then(|places| places.first()).is_none_or(Place::is_attachable) {
        let remedy =
            "name first, in `place`, one where the host can put a value by itself: `header:NAME`, `basic`, `query:NAME` or `cookie:NAME`";
        section.report_here(Problem::new("`attach` with a place that only the agent can provide", remedy));
    }
    let rate = section.parse("rate", units::rate);
    let misplaced = section.parse("misplaced", misplaced);
    let leaks = leaks(section);
    let mut seal = section.list("seal", Seal::parse).unwrap_or_default();
    let mut sealed_place = section.list("sealed_place", Place::parse_for_sealed).unwrap_or_default();
    let graphql = section.parse("graphql", |text| match text {
        "no-alias" => Ok(true),
        _ => Err(Problem::new("not a treatment of GraphQL", "write `\"no-alias\"`, or leave it out")),
    });
    let answers_allowed: Vec<AnswerRule> = section.tables("answers_allowed").iter().filter_map(answer_rule).collect();
    Tokens::read(section, &mut seal, &mut sealed_place);
    if !answers_allowed.is_empty() && !seal.is_empty() {
        let remedy = "an entry either seals fields or lets rules pass; name the paths of each in an `allow` of its own, at another host";
        section.report_here(Problem::new("`answers_allowed` and `seal` in one entry", remedy));
    }
    let signed_urls = section.list("signed_urls", seal::signed_url).unwrap_or_default();
    let accept_parameters = section.list("accept_parameters", accept_parameter).unwrap_or_default();
    let passes = passes(section);
    Some(Grant {
        seal,
        sealed_place,
        graphql: graphql.unwrap_or(false),
        answers_allowed,
        signed_urls,
        accept_parameters,
        passes,
        host: host?,
        methods: methods.unwrap_or_else(|| vec!["GET".into()]),
        paths: paths?,
        place: if signs.is_some() { Vec::new() } else { place.unwrap_or_else(|| vec![Place::bearer()]) },
        attach,
        rate,
        misplaced: misplaced.unwrap_or_default(),
        leaks,
        line: section.line(text),
    })
}

fn answer_rule(section: &Section<'_>) -> Option<AnswerRule> {
    // Whether the host has such a rule is known where the agent is loaded.
    let rule = section.require("rule", "rule = ?", |text| match names::agent_name(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(_) => Err(Problem::new("not the name of a rule", "`strongroom rules` lists them")),
    });
    let at = section.require("at", "at = ?", AnswerRule::field);
    Some(AnswerRule { rule: rule?, at: at? })
}

/// Where keys of a grant belong.
const OF_SECRETS: &str = "in a `[[secrets.NAME.allow]]`";

fn egress_rule(section: &Section<'_>, text: &str) -> Option<EgressRule> {
    section.elsewhere(&[
        ("place", OF_SECRETS),
        ("attach", OF_SECRETS),
        ("seal", OF_SECRETS),
        ("sealed_place", OF_SECRETS),
        ("tokens_for", OF_SECRETS),
        ("id_token", OF_SECRETS),
        ("keep", OF_SECRETS),
        ("graphql", OF_SECRETS),
        ("answers_allowed", OF_SECRETS),
        ("signed_urls", OF_SECRETS),
        ("accept_parameters", OF_SECRETS),
    ]);
    let host = section.require("host", "host = ?", HostPattern::parse);
    let methods = section.non_empty("methods", "`GET`", method);
    // Without it all paths are open: nobody is told to leave it out.
    let paths = section.filled("paths", "write `paths = ?` with its value in the place of `?`", PathPattern::parse);
    let rate = section.parse("rate", units::rate);
    let own_credentials = section.bool("own_credentials").unwrap_or(false);
    let passes = passes(section);
    let misplaced = section.parse("misplaced", misplaced);
    let leaks = leaks(section);
    Some(EgressRule {
        host: host?,
        methods: methods.unwrap_or_else(|| vec!["GET".into()]),
        paths: paths.or_else(|| PathPattern::parse("/**").ok().map(|all| vec![all]))?,
        rate,
        own_credentials,
        passes,
        misplaced: misplaced.unwrap_or_default(),
        leaks,
        line: section.line(text),
    })
}

fn sha256(text: &str) -> Result<[u8; 32], Problem> {
    let problem = || Problem::new("not a SHA-256", "write 64 hexadecimal digits; `strongroom inspect` prints them");
    if text.len() != 64 || !text.is_ascii() {
        return Err(problem());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| problem())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| problem())?;
    }
    Ok(hash)
}

/// The methods that can be granted: those whose meaning is the same everywhere, and that name no second resource (RFC 9110, RFC 5789).
pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn method(text: &str) -> Result<String, Problem> {
    if METHODS.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(Problem::new("not a method that can be granted", format!("write one or more of {METHODS:?}")))
    }
}

fn misplaced(text: &str) -> Result<Misplaced, Problem> {
    match text {
        "deny" => Ok(Misplaced::Deny),
        "stop" => Ok(Misplaced::Stop),
        "pass" => Ok(Misplaced::Pass),
        _ => Err(Problem::new("not a treatment", "write `\"deny\"`, `\"stop\"` or `\"pass\"`")),
    }
}

fn denials(text: &str) -> Result<Denials, Problem> {
    match text {
        "error" => Ok(Denials::Error),
        "response" => Ok(Denials::Response),
        _ => Err(Problem::new("not a way to report denials", "write `\"response\"` or `\"error\"`")),
    }
}

fn accept_parameter(text: &str) -> Result<String, Problem> {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    match text.to_ascii_lowercase() {
        name if !is_name => {
            Err(Problem::new(format!("`{name}` is not a parameter of a media type"), "write its name alone, as in `escaping`"))
        }
        name if name.contains("charset") || name.contains("encoding") => {
            Err(Problem::new("a charset or an encoding of the agent's choice", "leave it out: the host searches responses in UTF-8"))
        }
        name => Ok(name),
    }
}

fn passes(section: &Section<'_>) -> Passes {
    let header = |text: &str| {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| Problem::new("not a header's name", "write it as in `x-amz-copy-source`"))
    };
    let parameter = |text: &str| match text {
        "" => Err(Problem::new("empty", "write a parameter's name as it stands in the query, as in `key`")),
        name => Ok(name.to_owned()),
    };
    Passes {
        headers: section.list("headers", header).unwrap_or_default(),
        parameters: section.list("parameters", parameter).unwrap_or_default(),
        get_body: section.bool("get_body").unwrap_or(false),
        encoded_slashes: section.bool("encoded_slashes").unwrap_or(false),
        plain_etags: section.parse("etags", plain_etags).unwrap_or(false),
    }
}

fn plain_etags(text: &str) -> Result<bool, Problem> {
    match text {
        "plain" => Ok(true),
        _ => Err(Problem::new("not a treatment of entity tags", "write `\"plain\"`, or leave it out")),
    }
}

fn leaks(section: &Section<'_>) -> Leaks {
    let treatment = section.parse("leaks", |text| match text {
        "redact" => Ok(Treatment::Redact),
        "deny" => Ok(Treatment::Deny),
        "stop" => Ok(Treatment::Stop),
        _ => Err(Problem::new("not a treatment", "write `\"redact\"`, `\"deny\"` or `\"stop\"`")),
    });
    Leaks { treatment: treatment.unwrap_or_default(), allowed: leaks_allowed(section) }
}

/// Whether the host has such a rule is known where the agent is loaded.
fn leaks_allowed(section: &Section<'_>) -> Vec<String> {
    let allowed = section.list("leaks_allowed", |name| match names::agent_name(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(_) => Err(Problem::new("not the name of a rule", "`strongroom rules` lists them")),
    });
    allowed.unwrap_or_default()
}

fn not_secret(text: &str) -> Result<(), Problem> {
    if looks_like_a_secret(text) {
        let remedy = "an agent can read its arguments and environment: declare a `[secrets.NAME]` with `expose = \"env\"` instead";
        return Err(Problem::new("this looks like a secret", remedy));
    }
    Ok(())
}
