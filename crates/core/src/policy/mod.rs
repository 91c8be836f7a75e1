//! Decides: a request for an effect becomes a [`Permit`] or a [`Denial`].
//!
//! Pure and synchronous but for the rates. Only this room constructs permits, and every function that reveals a value or sends
//! a request takes one by value, so that skipping the decision does not compile.

mod budget;
pub mod charset;
mod closed;
pub mod denial;
mod denials;
mod entries;
mod fields;
mod foreign;
mod graphql;
pub mod headers;
mod later;
mod misplaced;
mod overrides;
mod permit;
pub mod placeholder;
mod repeat;
pub mod session;
mod signed;
mod signing;
mod terms;

pub use budget::Budget;
pub use closed::Closed;
pub use denial::{Denial, Rule};
pub use graphql::{Graphql, MAX_BODY as MAX_GRAPHQL};
pub use later::is_alike;
pub use overrides::Overrides;
pub use permit::{Charge, Leave, Permit, Reveal, Substitution};
pub use placeholder::{Placeholders, Sealed, Source};
pub use repeat::{Attempt, MOST_REPEATED};
pub use signing::{
    AssetId, Limit, MacPermit, Payload, SignPermit, Slot, Sums, TokenPermit, WalletPolicy, Windows, hmac_input, off_chain_message,
    raw_digest, refused, shown, token_claims,
};

use crate::credential::jwt::Minted;
use crate::credential::{self, Fields, Part, Scheme, Seen, Target};
use crate::manifest::{
    AnswerRule, Diagnostics, EgressRule, Grant, HostPattern, Leaks, Manifest, Misplaced, Passes, PathPattern, Place, Rate, RequestJwt,
    SchemeSpec, Seal, Tokens,
};
use crate::url::CanonicalUrl;
use crate::url::names::Name;
use http::{HeaderMap, HeaderName, Method, Uri};
use signed::Signs;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use terms::Terms;

/// What one agent may do, made from its manifest.
#[derive(Debug)]
pub struct Policy {
    destinations: Vec<Destination>,
    /// Where tokens go that answers bring, each with its places. They open nothing.
    tokens: Arc<[Destination]>,
    /// The secrets' names, by index.
    secrets: Vec<String>,
    /// What is denied whatever the manifest grants.
    closed: Closed,
}

/// A grant or an `[[egress]]` entry: where requests may go, and what may stand in them.
#[derive(Debug)]
struct Destination {
    host: HostPattern,
    methods: Vec<String>,
    paths: Vec<PathPattern>,
    budget: Budget,
    misplaced: Misplaced,
    leaks: Leaks,
    own_credentials: bool,
    passes: Passes,
    accept_parameters: Vec<String>,
    /// The fields of answers that are secrets of their own.
    seal: Vec<Seal>,
    answers_allowed: Vec<AnswerRule>,
    signed_urls: Vec<Seal>,
    /// What is asked of GraphQL there.
    graphql: Option<Graphql>,
    /// For a grant, the secret's index in the manifest and its places.
    secret: Option<(usize, Vec<Placed>)>,
    /// The places of what the grant seals.
    sealed_place: Vec<Placed>,
    /// Whether the host puts the secret into requests by itself.
    attach: bool,
    /// The scheme that signs requests with the secret.
    signs: Option<Signs>,
    /// What it says beside these, as the manifest writes it.
    terms: toml::Table,
    /// How messages and records name it.
    label: String,
    /// What its rate is counted under, where several hosts count together: the same for each of them, and after the manifest's lines have moved.
    counter: String,
}

/// A request as the guest made it.
pub struct Asked<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    /// All of its body, where that has to be known ([`Policy::reads_body`]); what asks without a body has an empty one.
    pub body: Option<&'a [u8]>,
    /// By the host's clock.
    pub time: SystemTime,
}

impl Policy {
    pub fn new(manifest: &Manifest, closed: Closed) -> Self {
        let agent = manifest.name.as_str();
        let grants = manifest.secrets.iter().enumerate().flat_map(|(index, secret)| {
            let counter = move |number| format!("{agent}/secrets.{}.allow.{number}", secret.name);
            let grants = secret.allow.iter().enumerate();
            let signs = Signs::of(secret, manifest);
            grants.map(move |(number, grant)| {
                let destination = Destination::from_grant(index, &secret.name, grant);
                destination.by_scheme(secret.scheme.as_deref(), signs.clone()).counted_as(counter(number))
            })
        });
        let egress = manifest.egress.iter().enumerate();
        let egress = egress.map(|(number, rule)| Destination::from_egress(rule).counted_as(format!("{agent}/egress.{number}")));
        let destinations = grants.chain(egress).collect();
        let closed = closed.with(Closed::by(manifest));
        let granted = manifest.secrets.iter().enumerate();
        let granted = granted.flat_map(|(index, secret)| secret.allow.iter().map(move |grant| (index, secret.name.as_str(), grant)));
        let tokens = granted.flat_map(|(index, name, grant)| Destination::of_tokens(index, name, grant)).collect();
        Self { destinations, tokens, secrets: manifest.secrets.iter().map(|secret| secret.name.clone()).collect(), closed }
    }

    /// The same with all secrets in the scheme for tests, which has requests repeated.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn with_nonces(mut self) -> Self {
        let granted = self.destinations.iter_mut().filter_map(|d| d.secret.as_mut());
        granted.flat_map(|(_, places)| places).for_each(|placed| placed.made = Made::Nonce);
        self
    }

    /// The name of a secret, by its index in the manifest.
    pub fn name_of(&self, secret: usize) -> &str {
        self.secrets.get(secret).map_or("", String::as_str)
    }

    /// Whether a host of that name holds a grant, at whatever scheme, port, method or path.
    fn guards(&self, host: &str) -> bool {
        self.destinations.iter().chain(&*self.tokens).any(|d| d.secret.is_some() && d.host.matches_name(host))
    }

    /// Whether a request may only be judged with its body at hand, since a secret may be granted in one of its fields.
    pub fn reads_body(&self, asked: &Asked<'_>) -> bool {
        let has_fields = |d: &Destination| granted_places(&[d]).any(|granted| granted.place.is_field());
        let may_read = |d: &&Destination| d.signs.as_ref().is_some_and(|signs| signs.may_read_body(asked.headers)) || has_fields(d);
        let mut reading = self.destinations.iter().filter(may_read).peekable();
        if reading.peek().is_none() {
            return false;
        }
        let Ok(url) = CanonicalUrl::read(asked.uri) else { return false };
        let seen = Seen { headers: asked.headers, url: &url, fields: Fields::Empty };
        let is_signed = |d: &Destination| d.signs.as_ref().is_some_and(|signs| signs.reads_body(&seen, asked.method.as_str()));
        reading.any(|d| d.covers(asked, &url) && (has_fields(d) || is_signed(d)))
    }

    /// The denial of a request whose body is longer than one that is judged as a whole.
    pub fn body_too_long(asked: &Asked<'_>) -> Denial {
        fields::too_long(asked)
    }

    /// The verdict on a request: on its body only as far as secrets are granted in its fields. Nothing is charged yet.
    pub fn authorize(&self, asked: &Asked<'_>, placeholders: &Placeholders) -> Result<Permit, Denial> {
        let url = CanonicalUrl::read(asked.uri)
            .map_err(|reason| deny(Rule::Url, asked, reason.to_owned(), "write the URL in its canonical form".to_owned()))?;
        headers::check(asked.headers).map_err(|reason| deny(Rule::Header, asked, reason, "leave the header out".to_owned()))?;
        if self.closed.covers(&url) {
            let remedy = "leave it to the host, which makes and revokes keys (`[issuers]` in its configuration) and asks for tokens (`oauth2`) itself";
            return Err(deny(
                Rule::Issuer,
                asked,
                "this call makes, revokes or lists keys, or asks for tokens".to_owned(),
                remedy.to_owned(),
            ));
        }
        let open = self.open(asked, &url, placeholders)?;
        let bound = self.bound(&open, asked, &url);
        let misplaced = bound.iter().map(|d| d.misplaced).max_by_key(|m| misplaced::strictness(*m)).unwrap_or_default();

        foreign::second_resource(&open, asked)?;
        let graphql = bound.iter().filter_map(|d| d.graphql).max();
        if let Some(reason) = graphql.and_then(|_| Graphql::in_query(&url)) {
            return Err(deny(Rule::Graphql, asked, reason.to_owned(), graphql::IN_QUERY_REMEDY.to_owned()));
        }
        let guarded = self.guards(&url.host);
        if guarded && (*asked.method == Method::POST || graphql.is_some()) {
            foreign::unreadable_body(&open, asked)?;
        }

        let fields = fields::read(&open, asked)?;
        let seen = Seen { headers: asked.headers, url: &url, fields };
        // What a token response brought may stand in a request that something else opens.
        let tokens = self.tokens.iter().filter(|d| d.host.matches(url.scheme, &url.host, url.port));
        let placed: Vec<&Destination> = open.iter().copied().chain(tokens).collect();
        let (mut substitutions, mut used) = substitutions(&placed, &seen, placeholders);
        attach(&open, &seen, &mut substitutions, &mut used);
        signed::sign(&open, asked, &seen, placeholders, misplaced, &mut substitutions, &mut used)?;
        let (session, renewed) = session(&open, &seen, placeholders, &substitutions);
        if session.has_others {
            return Err(foreign::cookies(asked, misplaced));
        }
        let (passes, plain_cookies) = session.join(&mut substitutions);
        substitutions.sort_by_key(|s| s.scheme.turn());
        foreign::credential(&placed, asked, &url, &substitutions, &passes, placeholders, misplaced)
            .map_err(|denial| self.of_signer(denial, asked, &url, placeholders))?;
        if misplaced != Misplaced::Pass {
            self.elsewhere(&open, asked, &url, &substitutions, placeholders, misplaced)?;
        }
        let inert = fields::judge(&open, asked, &seen.fields, &substitutions, placeholders, misplaced)?;
        if inert.is_some() && misplaced::strictness(misplaced) >= misplaced::strictness(Misplaced::Deny) {
            return Err(self.misplaced(asked, "body", misplaced, inert));
        }

        // What bounds a request by another reading of its path counts it, too.
        let is_in = |entries: &[&Destination], entry: &Destination| entries.iter().any(|known| std::ptr::eq(*known, entry));
        let counts = |d: &Destination| is_in(&used, d) || is_in(&bound, d) && !is_in(&open, d);
        let counted = self.destinations.iter().enumerate().filter(|(_, d)| counts(d)).map(|(index, _)| index).collect();
        let rule = used.iter().map(|d| d.label.as_str()).collect::<Vec<_>>().join("; ");
        let is_ours = |name: &HeaderName| substitutions.iter().any(|s| s.scheme.is_header(name)) || passes.contains(name);
        let own_parameter = |(name, value): (&str, &str)| {
            Name::encoded(name).is_credential(value) && !substitutions.iter().any(|s| s.scheme.is_parameter(name))
        };
        let carries_own =
            asked.headers.keys().any(|name| headers::is_credential(name) && !is_ours(name)) || url.parameters().any(own_parameter);
        let is_sealed =
            self.destinations.iter().any(|d| !(d.seal.is_empty() && d.signed_urls.is_empty()) && d.host.matches_name(&url.host));
        let fills_body = substitutions.iter().any(|s| s.scheme.fills_body());
        let is_signed = substitutions.iter().any(|s| s.scheme.turn() > 0);
        let holds_body = substitutions.iter().any(|s| s.scheme.holds_body());
        let is_timed = substitutions.iter().any(|s| s.scheme.is_timed());
        let fixes_body = substitutions.iter().any(|s| s.scheme.fixes_body());
        let of_entries = Terms::of_entries(&open, &bound, &used);
        let terms = Terms {
            guarded,
            graphql,
            misplaced,
            passes,
            plain_cookies,
            carries_own,
            is_sealed,
            fills_body,
            holds_body,
            is_timed,
            fixes_body,
            is_signed,
            inert,
            renewed,
            ..of_entries
        };
        Ok(Permit::new(url, asked.method.clone(), substitutions, terms, rule, counted))
    }

    /// Takes out the `Referer` of a client that names the page before, where a secret stands in paths: its URL would hold the placeholder, and
    /// nothing was done wrong.
    pub fn forget_referer(&self, headers: &mut HeaderMap, placeholders: &Placeholders) {
        let fills_paths = |d: &Destination| {
            let places = d.secret.iter().flat_map(|(_, places)| places);
            places.into_iter().any(|placed| matches!(credential::part(&placed.place), Part::Path(_)))
        };
        let holds_one = |line: &http::HeaderValue| line.to_str().is_ok_and(|line| placeholders.disguised(line).is_some());
        if headers.get_all(http::header::REFERER).iter().any(holds_one) && self.destinations.iter().any(fills_paths) {
            headers.remove(http::header::REFERER);
        }
    }

    /// Charges a request to the rates of all its entries; or to none, where one has no room left.
    pub fn charge(&self, permit: &Permit, now: Instant) -> Result<Leave, Denial> {
        let budgets = permit.counted().iter().map(|index| &self.destinations[*index].budget);
        Budget::take_all(budgets, now).map(|()| Leave::charged(now)).map_err(|spent| self.over_rate(permit, spent))
    }

    /// The rates that a request draws on, each by the name that it is counted under where several hosts count together.
    pub fn rates<'p>(&'p self, permit: &'p Permit) -> impl Iterator<Item = (&'p str, Rate)> {
        let counted = permit.counted().iter().map(|index| &self.destinations[*index]);
        counted.map(|destination| (destination.counter.as_str(), destination.budget.rate()))
    }

    /// Takes the leave of a request back that is not sent, and what it was charged.
    pub fn refund(&self, permit: &Permit, leave: Leave) {
        let Some(at) = leave.charged_at() else { return };
        permit.counted().iter().for_each(|index| self.destinations[*index].budget.give_back(at));
    }

    /// Whether something of the manifest lets a request to this URL pass; and whether with credentials of the agent's own.
    pub fn opens(&self, url: &CanonicalUrl) -> Option<bool> {
        let open = |d: &&Destination| d.host.matches(url.scheme, &url.host, url.port) && d.is_open_at(url);
        let open: Vec<&Destination> = self.destinations.iter().filter(open).collect();
        (!open.is_empty() && !self.closed.covers(url)).then(|| open.iter().any(|d| d.own_credentials))
    }

    /// The secrets that such a request may carry, each with its place, for people.
    pub fn places(&self, asked: &Asked<'_>) -> Vec<String> {
        let Ok(url) = CanonicalUrl::read(asked.uri) else { return Vec::new() };
        let open = self.open(asked, &url, &Placeholders::default()).unwrap_or_default();
        let signed = open.iter().filter_map(|d| {
            let (secret, scheme) = (d.secret.as_ref()?.0, &d.signs.as_ref()?.text);
            Some(format!("{} as a signature ({scheme})", self.secrets[secret]))
        });
        granted_places(&open)
            .filter(|granted| !granted.is_for_sealed)
            .map(|granted| match granted.made {
                Made::Token(_) => format!("{} as a token (jwt) in {}", self.secrets[granted.secret], granted.place),
                Made::Bearer => format!("{} as a token (oauth2) in {}", self.secrets[granted.secret], granted.place),
                _ => format!("{} in {}", self.secrets[granted.secret], granted.place),
            })
            .chain(signed)
            .collect()
    }

    /// What further bounds such a request, for people.
    pub fn terms(&self, asked: &Asked<'_>) -> Vec<String> {
        let Ok(url) = CanonicalUrl::read(asked.uri) else { return Vec::new() };
        let open = self.open(asked, &url, &Placeholders::default()).unwrap_or_default();
        let rate = |d: &&Destination| {
            let rate = Some(d.budget.rate()).filter(|rate| *rate != Rate::DEFAULT)?;
            Some(format!("at most {} times in {} s, by {}; more are denied by rule `rate`", rate.requests, rate.per.as_secs(), d.label))
        };
        let signed = |d: &&Destination| {
            let places: Vec<String> = d.signed_urls.iter().map(ToString::to_string).collect();
            let own: Vec<String> = self.destinations.iter().filter(|d| d.own_credentials).map(|d| d.host.to_string()).collect();
            let plain = if own.is_empty() { String::new() } else { format!("; as they are where they lead to {}", own.join(", ")) };
            (!places.is_empty())
                .then(|| format!("signed URLs in {} of the response are the agent's to use, by {}{plain}", places.join(", "), d.label))
        };
        let allowed = |d: &&Destination| {
            let each = d.answers_allowed.iter().map(|allowed| format!("{} in json:/{}", allowed.rule, allowed.at.join("/")));
            let each: Vec<String> = each.collect();
            (!each.is_empty()).then(|| format!("rules that the response may break, by {}: {}", d.label, each.join(", ")))
        };
        open.iter().flat_map(|d| [rate(d), signed(d), allowed(d)]).flatten().collect()
    }

    /// The destinations that cover the request; or, where there is none, the most telling reason.
    fn open(&self, asked: &Asked<'_>, url: &CanonicalUrl, placeholders: &Placeholders) -> Result<Vec<&Destination>, Denial> {
        let open: Vec<_> = self.destinations.iter().filter(|d| d.covers(asked, url)).collect();
        if !open.is_empty() {
            return Ok(open);
        }
        let at_host: Vec<_> = self.destinations.iter().filter(|d| d.host.matches(url.scheme, &url.host, url.port)).collect();
        let at_path: Vec<_> = at_host.iter().copied().filter(|d| d.is_open_at(url)).collect();
        let (rule, reason, near) = if at_host.is_empty() {
            (Rule::Destination, "nothing is granted at this scheme, host and port", at_host)
        } else if at_path.is_empty() {
            (Rule::Path, "nothing is granted at this path", at_host)
        } else {
            (Rule::Method, "this method is not granted here", at_path)
        };
        let lines = entries::lines(asked, url, placeholders, &near, &self.destinations, &self.secrets);
        let lines = lines.and_then(|lines| self.try_out(&lines, asked, url, placeholders).map(|()| lines));
        let remedy = lines.map_or_else(|why| format!("no line can allow it: {why}"), |lines| denial::manifest_lines(&lines));
        Err(deny(rule, asked, reason.to_owned(), remedy))
    }

    /// The destinations whose terms bind a request: those that cover it, and those that cover it where a server makes slashes of encoded
    /// ones. To let it pass is for the first alone.
    fn bound<'s>(&'s self, open: &[&'s Destination], asked: &Asked<'_>, url: &CanonicalUrl) -> Vec<&'s Destination> {
        let Some(decoded) = url.with_slashes() else { return open.to_vec() };
        self.destinations.iter().filter(|d| d.is_at(asked, url) && (d.is_open_at(url) || d.reaches(&decoded))).collect()
    }

    /// Whether a manifest with these lines would be accepted, and the request then allowed. What is suggested was tried before.
    fn try_out(&self, lines: &str, asked: &Asked<'_>, url: &CanonicalUrl, placeholders: &Placeholders) -> Result<(), String> {
        let refused =
            |wrong: Diagnostics| format!("the lines for it would be refused: {}", wrong.0.first().map_or("", |first| &first.found));
        let manifest = Manifest::parse("agent.toml", &format!("name = \"a\"\ncomponent = \"a\"\n{lines}")).map_err(refused)?;
        let index = |name: &str| self.secrets.iter().position(|known| known == name);
        let grants = manifest.secrets.iter().filter_map(|secret| Some((index(&secret.name)?, secret)));
        // What signs is said by the secret's table, not by its grants.
        let signs = |index: usize| self.destinations.iter().find(|d| d.is_for(index)).and_then(|d| d.signs.clone());
        let grants = grants.flat_map(|(index, secret)| {
            let of_grant = move |grant| Destination::from_grant(index, &secret.name, grant).by_scheme(None, signs(index));
            secret.allow.iter().map(of_grant)
        });
        let destinations = grants.chain(manifest.egress.iter().map(Destination::from_egress)).collect();
        let tokens = Arc::clone(&self.tokens);
        let trial = Self { destinations, tokens, secrets: self.secrets.clone(), closed: Closed::default() };
        // Where nothing covered the request, the trial would look for lines in its turn.
        if !trial.destinations.iter().any(|d| d.covers(asked, url)) {
            return Err("no entry names it exactly".to_owned());
        }
        // A signature over a body that nobody has read so far can't be tried.
        if asked.body.is_none() && trial.reads_body(asked) {
            return Ok(());
        }
        trial.authorize(asked, placeholders).map(drop).map_err(|denial| denial.reason)
    }
}

impl Destination {
    fn covers(&self, asked: &Asked<'_>, url: &CanonicalUrl) -> bool {
        self.is_at(asked, url) && self.is_open_at(url)
    }

    /// Whether its host and methods are the request's.
    fn is_at(&self, asked: &Asked<'_>, url: &CanonicalUrl) -> bool {
        self.host.matches(url.scheme, &url.host, url.port) && self.methods.iter().any(|method| method == asked.method.as_str())
    }

    /// Whether it lets requests to this path pass: as it is sent, or as it is decoded where the entry says so.
    fn is_open_at(&self, url: &CanonicalUrl) -> bool {
        let decoded = if self.passes.encoded_slashes { url.with_slashes() } else { None };
        self.reaches(&url.path) || decoded.is_some_and(|path| self.reaches(&path))
    }

    /// Whether it is an entry of the manifest, and opens something.
    fn is_entry(&self) -> bool {
        !self.methods.is_empty()
    }

    /// Whether it is a grant of that secret.
    fn is_for(&self, secret: usize) -> bool {
        self.secret.as_ref().is_some_and(|(index, _)| *index == secret)
    }

    fn reaches(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
    }

    fn from_grant(index: usize, name: &str, grant: &Grant) -> Self {
        Self {
            host: grant.host.clone(),
            methods: grant.methods.clone(),
            paths: grant.paths.clone(),
            budget: Budget::new(grant.rate.unwrap_or(Rate::DEFAULT)),
            misplaced: grant.misplaced,
            leaks: grant.leaks.clone(),
            seal: grant.seal.clone(),
            answers_allowed: grant.answers_allowed.clone(),
            signed_urls: grant.signed_urls.clone(),
            graphql: (!grant.seal.is_empty()).then_some(if grant.graphql { Graphql::WithoutAlias } else { Graphql::Denied }),
            own_credentials: false,
            passes: grant.passes.clone(),
            accept_parameters: grant.accept_parameters.clone(),
            secret: Some((index, placed(&grant.place))),
            sealed_place: placed(grant.sealed_place.iter().filter(|place| tokens_of(grant).is_none() || place.is_field())),
            attach: grant.attach,
            signs: None,
            terms: entries::grant_terms(grant),
            label: format!("secrets.{name}.allow, line {}", grant.line),
            counter: String::new(),
        }
    }

    /// Where the access tokens go that a grant seals, one for each host: it has their places, and opens nothing.
    fn of_tokens(index: usize, name: &str, grant: &Grant) -> Vec<Self> {
        let Some(tokens) = tokens_of(grant) else { return Vec::new() };
        let hosts = if tokens.hosts.is_empty() { std::slice::from_ref(&grant.host) } else { &tokens.hosts };
        let of_host = |host: &HostPattern| {
            let heads = grant.sealed_place.iter().filter(|place| !place.is_field());
            let rule = EgressRule::of_tokens(host, grant.line);
            let label = format!("secrets.{name}.allow, line {}", grant.line);
            Self { secret: Some((index, Vec::new())), sealed_place: placed(heads), label, ..Self::from_egress(&rule) }
        };
        hosts.iter().map(of_host).collect()
    }

    fn from_egress(rule: &EgressRule) -> Self {
        Self {
            host: rule.host.clone(),
            methods: rule.methods.clone(),
            paths: rule.paths.clone(),
            budget: Budget::new(rule.rate.unwrap_or(Rate::DEFAULT)),
            misplaced: rule.misplaced,
            leaks: rule.leaks.clone(),
            seal: Vec::new(),
            answers_allowed: Vec::new(),
            signed_urls: Vec::new(),
            graphql: None,
            own_credentials: rule.own_credentials,
            passes: rule.passes.clone(),
            accept_parameters: Vec::new(),
            secret: None,
            sealed_place: Vec::new(),
            attach: false,
            signs: None,
            terms: entries::egress_terms(rule),
            label: format!("egress, line {}", rule.line),
            counter: String::new(),
        }
    }

    /// The same with the secret's scheme: one that signs, or one that makes what stands in the places.
    fn by_scheme(mut self, scheme: Option<&SchemeSpec>, signs: Option<Signs>) -> Self {
        let made = |scheme: &SchemeSpec| match scheme {
            SchemeSpec::Jwt(spec) => Some(Made::Token(Arc::clone(spec))),
            SchemeSpec::Oauth2(_) => Some(Made::Bearer),
            SchemeSpec::Hmac(_) | SchemeSpec::SigV4(_) => None,
        };
        if let (Some(made), Some((_, places))) = (scheme.and_then(made), &mut self.secret) {
            places.iter_mut().for_each(|placed| placed.made = made.clone());
        }
        Self { signs, ..self }
    }

    fn counted_as(self, counter: String) -> Self {
        Self { counter, ..self }
    }
}

fn deny(rule: Rule, asked: &Asked<'_>, reason: String, remedy: String) -> Denial {
    let uri = asked.uri;
    let whole =
        format!("{} {}://{}{}", asked.method, uri.scheme_str().unwrap_or("?"), uri.authority().map_or("?", |a| a.as_str()), uri.path());
    Denial { rule, asked: whole.chars().take(256).collect(), reason, remedy, stop: false }
}

/// The places of the open grants that hold exactly the placeholder of their secret, and the entries that the request draws on:
/// the grant of each, or the first entry that covers the request.
fn substitutions<'d>(open: &[&'d Destination], seen: &Seen<'_>, placeholders: &Placeholders) -> (Vec<Substitution>, Vec<&'d Destination>) {
    let (mut found, mut used): (Vec<Substitution>, Vec<&Destination>) = (Vec::new(), Vec::new());
    for Granted { destination, secret, place, text, made, is_for_sealed } in granted_places(open) {
        let source = |text: &str| match is_for_sealed {
            false => placeholders.stands_for(text, secret).or_else(|| made.stands_for(text, secret, placeholders)),
            true => placeholders.sealed_by(text, secret, place, seen.url),
        };
        if let Some((target, source)) = Target::find(place, seen, source)
            && !found.iter().any(|s| s.scheme.fills(&target))
        {
            found.push(Substitution::new(secret, source, made.scheme(target), Arc::clone(text)));
            used.extend(destination.is_entry().then_some(destination));
        }
    }
    if used.is_empty() {
        used.extend(open.first());
    }
    (found, used)
}

/// Adds the secrets that the host puts into requests by itself, where their places are free: what an agent has put there is judged as its own.
fn attach<'d>(open: &[&'d Destination], seen: &Seen<'_>, found: &mut Vec<Substitution>, used: &mut Vec<&'d Destination>) {
    for destination in open.iter().copied().filter(|d| d.attach) {
        let Some((secret, places)) = &destination.secret else { continue };
        let Some(Placed { place, text, made }) = places.first().filter(|placed| placed.place.is_attachable()) else { continue };
        let target = Target::of(place);
        let is_there = |s: &Substitution| s.source == Source::Secret(*secret) || s.scheme.fills(&target);
        if !found.iter().any(is_there) && credential::is_free(place, seen) {
            // The first entry that covers the request counted it, where no place did.
            if found.is_empty() {
                used.clear();
            }
            found.push(Substitution::new(*secret, Source::Secret(*secret), made.scheme(target), Arc::clone(text)));
            used.push(destination);
        }
    }
}

/// What of a request came from its own origin, with what the request carries; and the secret that a cookie of the origin's stands for, in the
/// place of that secret.
fn session(
    open: &[&Destination],
    seen: &Seen<'_>,
    placeholders: &Placeholders,
    found: &[Substitution],
) -> (session::Session, Option<usize>) {
    let granted =
        granted_places(open).filter(|granted| !granted.is_for_sealed).filter_map(|granted| match credential::part(granted.place) {
            Part::Cookie(name) => Some((granted.secret, name)),
            _ => None,
        });
    let renewed = placeholders.renewed(seen.headers, seen.url, granted);
    let carried = found.iter().filter(|s| matches!(s.source, Source::Secret(_))).map(|s| s.secret).chain(renewed).collect::<Vec<_>>();
    let filled: Vec<&str> = found.iter().filter_map(|s| s.scheme.target()?.cookie()).collect();
    (placeholders.session(seen.headers, seen.url, &carried, &filled), renewed)
}

/// A place, and how records name it.
#[derive(Debug)]
struct Placed {
    place: Place,
    text: Arc<str>,
    made: Made,
}

/// What is put into a place.
#[derive(Debug, Clone)]
enum Made {
    /// The value.
    Value,
    /// A token that the value signs.
    Token(Arc<RequestJwt>),
    /// A token that an authorization server gives for the value.
    Bearer,
    /// For tests.
    #[cfg(any(test, feature = "test-util"))]
    Nonce,
}

impl Made {
    fn scheme(&self, target: Target) -> Scheme {
        match self {
            Self::Value => Scheme::Template(target),
            Self::Bearer => Scheme::Bearer(target),
            Self::Token(spec) => Scheme::Jwt(Box::new(Minted::new(spec, target))),
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce => Scheme::nonce(target),
        }
    }

    /// Whether a text that is not the placeholder was made of it, as a client library would.
    fn stands_for(&self, text: &str, secret: usize, placeholders: &Placeholders) -> Option<Source> {
        let Self::Token(_) = self else { return None };
        Minted::is_of(placeholders.text_of(secret)?, text).then_some(Source::Secret(secret))
    }
}

/// What a grant says of tokens, where it seals some.
fn tokens_of(grant: &Grant) -> Option<&Tokens> {
    grant.seal.iter().find_map(|seal| if let Seal::OAuth2(tokens) = seal { Some(tokens) } else { None })
}

fn placed<'p>(places: impl IntoIterator<Item = &'p Place>) -> Vec<Placed> {
    places.into_iter().map(|place| Placed { place: place.clone(), text: place.to_string().into(), made: Made::Value }).collect()
}

/// A place of a grant.
struct Granted<'d> {
    destination: &'d Destination,
    secret: usize,
    place: &'d Place,
    text: &'d Arc<str>,
    made: &'d Made,
    /// For what the grant seals, not for the secret itself.
    is_for_sealed: bool,
}

fn granted_places<'d>(open: &[&'d Destination]) -> impl Iterator<Item = Granted<'d>> {
    let of = |destination: &'d Destination, (secret, places): &'d (usize, Vec<Placed>)| {
        let each = move |places: &'d [Placed], is_for_sealed| {
            let granted =
                move |Placed { place, text, made }: &'d Placed| Granted { destination, secret: *secret, place, text, made, is_for_sealed };
            places.iter().map(granted)
        };
        each(places, false).chain(each(&destination.sealed_place, true))
    };
    open.iter().copied().filter_map(|d| d.secret.as_ref().map(|secret| (d, secret))).flat_map(move |(d, secret)| of(d, secret))
}
