//! A manifest read aloud: all that it grants, an entry with what belongs to it below.

mod credential;

use super::Failed;
use crate::clock::Clock;
use crate::manifest::HostConfig;
use crate::manifest::{
    AnswerRule, CallerAuth, EgressRule, Grant, JwtSpec, Leaks, Limits, Manifest, Misplaced, Most, Passes, Purpose, SchemeSpec, Seal,
    SecretSpec, SignInSpec, SignerSpec, StateSpec, Treatment, Trigger, WalletSpec,
};
use crate::secrets::Backends;
use serde::Serialize;
use std::fmt::{self, Display};

/// What an agent may do, in sentences that continue its name.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Explained {
    /// The agent's name.
    pub agent: String,
    /// What it may do, and at the end that it may do nothing else.
    pub sentences: Vec<Sentence>,
}

/// One sentence.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Sentence {
    /// 1 for what the agent may do; more for what belongs to the nearest sentence above with a smaller depth.
    pub depth: usize,
    /// The sentence. It may quote a manifest: escape it before a terminal gets it ([`crate::text::for_people`]).
    pub text: String,
}

impl Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The agent `{}`", self.agent)?;
        self.sentences.iter().try_for_each(|Sentence { depth, text }| writeln!(f, "{}{text}", "  ".repeat(*depth)))
    }
}

/// The sentences so far.
struct Lines(Vec<Sentence>);

impl Lines {
    /// A sentence, so many steps in.
    fn say(&mut self, depth: usize, line: impl Display) {
        self.0.push(Sentence { depth, text: line.to_string() });
    }
}

/// What an agent may do, by its manifest, on a host of this configuration. Asks no backend.
///
/// # Errors
/// [`Failed`] where a backend of the configuration can't be made.
pub fn explain(manifest: &Manifest, config: &HostConfig) -> Result<Explained, Failed> {
    let backends = crate::host::backends(Vec::new(), config, &Clock::default(), None)?;
    Ok(Explained { agent: manifest.name.clone(), sentences: sentences(manifest, &backends) })
}

fn sentences(manifest: &Manifest, backends: &Backends) -> Vec<Sentence> {
    let mut lines = Lines(Vec::new());
    manifest.secrets.iter().for_each(|spec| secret(&mut lines, manifest, spec, backends));
    manifest.egress.iter().for_each(|rule| egress(&mut lines, rule));
    manifest.signers.iter().for_each(|spec| signer(&mut lines, spec));
    if manifest.secrets.iter().all(|secret| secret.allow.is_empty()) && manifest.egress.is_empty() {
        lines.say(1, "may send no request");
    }
    if let Some(state) = &manifest.state {
        keeps(&mut lines, state);
    }
    limits(&mut lines, &manifest.limits);
    times(&mut lines, &manifest.trigger);
    lines.say(1, "may do nothing else");
    lines.0
}

/// What it keeps over its runs.
fn keeps(lines: &mut Lines, state: &StateSpec) {
    let size = match state.max_size {
        size if size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        size if size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    };
    lines.say(1, format_args!("keeps a state over its runs: at most {} keys, and {size} with their values", state.max_keys));
    if !state.leaks_allowed.is_empty() {
        lines.say(2, format_args!("may keep what these rules find: {}", list(&state.leaks_allowed)));
    }
}

/// When a host that serves runs it, where that is more than once.
fn times(lines: &mut Lines, trigger: &Trigger) {
    match trigger {
        Trigger::Every { every, .. } => lines.say(1, format_args!("runs each {} s, where its host serves", every.as_secs_f64())),
        Trigger::Cron { cron, .. } => lines.say(1, format_args!("runs by the calendar {}, where its host serves", cron.shown())),
        Trigger::Http(http) => {
            lines.say(1, format_args!("answers requests to {}, where its host serves and listens", http.path));
            lines.say(2, callers(&http.auth));
            if http.set_cookie {
                lines.say(2, "with responses that may set cookies");
            }
            if !http.location.is_empty() {
                lines.say(2, format_args!("with responses that may lead to {}", list(&http.location)));
            }
        }
        _ => {}
    }
}

/// Who may call an agent.
fn callers(auth: &CallerAuth) -> String {
    match auth {
        CallerAuth::Bearer(secret) => format!("of callers that show the value of {secret} (bearer); the agent gets none of it"),
        CallerAuth::Webhook { of, secret } => {
            format!("that {} has signed with {secret}, each once; the agent gets none of it", of.as_str())
        }
        CallerAuth::Mtls { authorities, names } => {
            format!("of callers with a certificate for {}, of the authorities in {}", names.join(", "), authorities.display())
        }
        _ => "of anybody".to_owned(),
    }
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn secret(lines: &mut Lines, manifest: &Manifest, spec: &SecretSpec, backends: &Backends) {
    let need = if spec.required { "required" } else { "optional" };
    let seen = if spec.expose_env { "as an environment variable and a handle" } else { "as a handle" };
    lines.say(1, format_args!("uses the secret {} from {} ({need}); it sees a placeholder, {seen}", spec.name, spec.from));
    let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
    match backends.entries(&spec.from, &manifest.name, namespace) {
        Ok((from, entries)) => lines.say(2, format_args!("which is looked up in the backend `{}` at {}", from.name, list(entries))),
        Err(why) => lines.say(2, format_args!("which is not available: {why}")),
    }
    let belongs_to = |other: &&SecretSpec| other.scheme.iter().any(|scheme| scheme.companions().any(|name| name == spec.name));
    let signing: Vec<&SecretSpec> = manifest.secrets.iter().filter(belongs_to).collect();
    for SecretSpec { name, scheme, .. } in &signing {
        let scheme = scheme.as_ref().map_or("", |scheme| scheme.name());
        lines.say(2, format_args!("which goes with the requests that are signed with {name} ({scheme})"));
    }
    spec.allow.iter().for_each(|entry| grant(lines, spec.scheme.as_deref(), entry));
    if spec.allow.is_empty() && signing.is_empty() {
        lines.say(2, "which may be sent nowhere");
    }
}

fn grant(lines: &mut Lines, scheme: Option<&SchemeSpec>, entry: &Grant) {
    let rate = entry.rate.map(|rate| format!(", at most {} in {} s", rate.requests, rate.per.as_secs())).unwrap_or_default();
    lines.say(2, format_args!("{}{rate} (line {})", credential::granted(scheme, entry), entry.line));
    credential::sentences(scheme, entry).iter().for_each(|sentence| lines.say(3, sentence));
    lines.say(3, format_args!("misplaced there: {}", misplaced(entry.misplaced)));
    leaks(lines, 3, &entry.leaks);
    entry.host.covers_strangers().into_iter().for_each(|why| lines.say(3, format_args!("beware: {why}")));
    if !entry.seal.is_empty() {
        lines.say(3, format_args!("sealed in its responses: {}", list(&entry.seal)));
        lines.say(3, format_args!("GraphQL there is {}", if entry.graphql { "read, without aliases" } else { "denied" }));
    }
    if let Some(tokens) = entry.seal.iter().find_map(|seal| if let Seal::OAuth2(tokens) = seal { Some(tokens) } else { None }) {
        credential::tokens(tokens, entry).iter().for_each(|sentence| lines.say(3, sentence));
    } else if !entry.sealed_place.is_empty() {
        lines.say(3, format_args!("a placeholder of what was sealed may be put in {}", list(&entry.sealed_place)));
    }
    if !entry.signed_urls.is_empty() {
        lines.say(3, format_args!("may use the signed URLs that its responses have in {}", list(&entry.signed_urls)));
    }
    for AnswerRule { rule, at, .. } in &entry.answers_allowed {
        lines.say(3, format_args!("what the rule {rule} finds stays in its responses in {}", Seal::Json(at.clone())));
    }
    if !entry.accept_parameters.is_empty() {
        lines.say(3, format_args!("may ask for responses with the media type's parameters {}", list(&entry.accept_parameters)));
    }
    passes(&entry.passes).iter().for_each(|passes| lines.say(3, format_args!("may send there {passes}")));
}

fn egress(lines: &mut Lines, rule: &EgressRule) {
    let rate = rule.rate.map(|rate| format!(", at most {} in {} s", rate.requests, rate.per.as_secs())).unwrap_or_default();
    let own = if rule.own_credentials { ", with credentials of its own" } else { ", without credentials" };
    lines.say(1, format_args!("may send {} to {} {}{own}{rate} (line {})", list(&rule.methods), rule.host, list(&rule.paths), rule.line));
    if rule.misplaced != Misplaced::ByPlace {
        lines.say(2, format_args!("misplaced there: {}", misplaced(rule.misplaced)));
    }
    leaks(lines, 2, &rule.leaks);
    passes(&rule.passes).iter().for_each(|passes| lines.say(2, format_args!("may send there {passes}")));
}

fn misplaced(misplaced: Misplaced) -> &'static str {
    match misplaced {
        Misplaced::ByPlace => "denied in headers and the URL, harmless text in a body",
        Misplaced::Deny => "denied",
        Misplaced::Stop => "denied, and the run ends",
        Misplaced::Pass => "harmless text",
    }
}

/// What becomes of secrets that no manifest names, where that is not as usual.
fn leaks(lines: &mut Lines, depth: usize, leaks: &Leaks) {
    match leaks.treatment {
        Treatment::Redact => {}
        Treatment::Deny => lines.say(depth, "what looks like another secret in a request there: denied"),
        Treatment::Stop => lines.say(depth, "what looks like another secret in a request there: denied, and the run ends"),
    }
    if !leaks.allowed.is_empty() {
        lines.say(depth, format_args!("may send there what these rules find: {}", list(&leaks.allowed)));
    }
}

/// What an entry lets pass, in words.
fn passes(passes: &Passes) -> Vec<String> {
    let headers = passes.headers.iter().map(|name| format!("the header {name}, which names something other than the URL"));
    let parameters = passes.parameters.iter().map(|name| format!("the query parameter {name} as no credential"));
    let flags = [
        (passes.get_body, "a body with GET and HEAD"),
        (passes.encoded_slashes, "`%2F` in a path, which is read as a slash too"),
        (passes.plain_etags, "entity tags as the server gave them"),
    ];
    headers.chain(parameters).chain(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, what)| what.to_owned())).collect()
}

fn signer(lines: &mut Lines, spec: &SignerSpec) {
    lines.say(1, format_args!("may sign with the key `{}` from {}: {}", spec.name, spec.from, spec.purpose.described()));
    lines.say(2, format_args!("at most {} times in {} s", spec.rate.requests, spec.rate.per.as_secs()));
    match &spec.purpose {
        Purpose::Wallet(wallet) => account(lines, wallet),
        Purpose::Jwt(jwt) => tokens(lines, jwt),
        Purpose::Hmac { template } => lines.say(2, format_args!("inputs that match {}", pattern(template))),
        Purpose::Solana { messages } => lines.say(2, format_args!("messages that match {}", list(messages.iter().map(pattern)))),
        _ => {}
    }
}

fn tokens(lines: &mut Lines, jwt: &JwtSpec) {
    let JwtSpec { issuer, subject, audience, scope, lifetime, headers, claims, .. } = jwt;
    let fixed = [("iss", issuer), ("sub", subject), ("aud", audience), ("scope", scope)];
    let fixed = fixed.into_iter().filter_map(|(claim, value)| Some(format!("{claim} {}", value.as_ref()?)));
    let headers = headers.iter().map(|(name, value)| format!("{name} {value}"));
    lines.say(2, format_args!("tokens of {} s with {}", lifetime.as_secs(), list(fixed.chain(headers))));
    if !claims.is_empty() {
        lines.say(2, format_args!("to which it may add the claims {}", list(claims)));
    }
}

fn account(lines: &mut Lines, wallet: &WalletSpec) {
    lines.say(2, format_args!("on chains {:?}, transactions of the kinds {}", wallet.chains, wallet.kinds.join(", ")));
    let most = [("value", wallet.max_value.clone()), ("fee", wallet.max_fee.clone()), ("gas", wallet.max_gas.map(|gas| gas.to_string()))];
    for (what, most) in most {
        most.into_iter().for_each(|most| lines.say(2, format_args!("of a {what} of at most {most} each")));
    }
    wallet.nonces.iter().for_each(|(chain, nonce)| lines.say(2, format_args!("from the nonce {nonce} on, on chain {chain}")));
    for (what, addresses) in [("plain transfers to", &wallet.recipients), ("assets of its accounts", &wallet.accounts)] {
        if !addresses.is_empty() {
            lines.say(2, format_args!("{what} {}", list(addresses)));
        }
    }
    wallet
        .calls
        .iter()
        .for_each(|call| lines.say(2, format_args!("calls of {} at {} (line {})", call.signature(), list(&call.to), call.line)));
    wallet
        .typed
        .iter()
        .for_each(|typed| lines.say(2, format_args!("documents {} on chain {} (line {})", typed.encoded_type, typed.chain, typed.line)));
    wallet.messages.iter().for_each(|message| lines.say(2, format_args!("messages that match {}", pattern(message))));
    wallet.sign_ins.iter().for_each(|spec| sign_in(lines, spec));
    for (chain, delegate) in &wallet.delegates {
        lines.say(2, format_args!("lets its account run the code of {delegate} on chain {chain}"));
    }
    for limit in &wallet.limits {
        let windows = format!("{} in an hour, {} in a day, {} in all", amount(&limit.hour), amount(&limit.day), amount(&limit.total));
        lines.say(2, format_args!("may spend of {} on chain {}: {windows}", limit.asset, limit.chain));
    }
}

fn sign_in(lines: &mut Lines, spec: &SignInSpec) {
    let expiry = match spec.without_expiry {
        true => "with or without an expiry".to_owned(),
        false => format!("which expires within {} s", spec.within.as_secs()),
    };
    lines.say(2, format_args!("a sign-in to {} at {} on chain {}, {expiry}", spec.domain, spec.uri, spec.chain));
    if !spec.resources.is_empty() {
        lines.say(3, format_args!("for the resources {}", list(&spec.resources)));
    }
}

fn amount(most: &Option<Most>) -> String {
    match most {
        None => "any amount".to_owned(),
        Some(Most::Unlimited) => "an unlimited amount".to_owned(),
        Some(Most::Amount(amount)) => amount.clone(),
    }
}

/// A pattern as the manifest writes it: without what has it match the whole.
fn pattern(pattern: &regex::Regex) -> &str {
    let text = pattern.as_str();
    text.strip_prefix("^(?:").and_then(|text| text.strip_suffix(")$")).unwrap_or(text)
}

fn limits(lines: &mut Lines, limits: &Limits) {
    lines.say(
        1,
        format_args!(
            "may use {} MiB of memory, {:?} of CPU, {:?} in all, {} requests at once; print {} MiB, send {} MiB, receive {} MiB; leave {} records",
            limits.memory >> 20,
            limits.cpu,
            limits.wall,
            limits.requests,
            limits.output >> 20,
            limits.sent >> 20,
            limits.received >> 20,
            limits.records
        ),
    );
}
