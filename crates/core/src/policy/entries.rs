//! The entry of a manifest that would allow one request, and nothing else: this host, this method, this path, and the place where the
//! placeholder stands. What the neighbouring entry says beyond that holds for the new one too, so that nothing gets looser on the way.

use super::placeholder::Placeholders;
use super::signed::Signer;
use super::{Asked, Destination};
use crate::manifest::{EgressRule, Grant, HostPattern, Leaks, METHODS, Misplaced, PathPattern, Place, Rate, Seal, Treatment};
use crate::url::CanonicalUrl;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, header};
use toml::{Table, Value};

/// A placeholder that a request carries: its secret, and the place where it stands, if a secret can stand there.
struct Carried {
    secret: usize,
    place: Option<Place>,
    /// The path as an entry covers it, where the placeholder stands in one of its segments: with `*` for that.
    path: Option<String>,
}

/// The lines for a request that no entry of `all` covers, or why there are none, as the end of a sentence. `near` are the entries that come
/// nearest.
pub(super) fn lines(
    asked: &Asked<'_>,
    url: &CanonicalUrl,
    placeholders: &Placeholders,
    near: &[&Destination],
    all: &[Destination],
    secrets: &[String],
) -> Result<String, String> {
    let method = asked.method.as_str();
    if !METHODS.contains(&method) {
        return Err(match METHODS.iter().find(|known| known.eq_ignore_ascii_case(method)) {
            Some(known) => format!("methods are told apart by case; the agent has to write {known}"),
            None => format!("the methods that can be granted are {}", METHODS.join(", ")),
        });
    }
    let exactly = |pattern: &PathPattern| pattern.to_string() == url.path && !url.path.contains('*');
    if !PathPattern::parse(&url.path).is_ok_and(|pattern| exactly(&pattern)) {
        return Err("in `paths` a `*` stands for any segment, and not for itself".to_owned());
    }
    let signer = Signer::of(asked, url, placeholders, all);
    if let Some(signer) = signer.as_ref().filter(|signer| signer.key.is_none()) {
        return Err(signer.remedy(secrets));
    }
    let carried = if signer.is_some() { None } else { carried(asked.headers, url, placeholders, all) };
    let path = carried.as_ref().and_then(|carried| carried.path.clone()).unwrap_or_else(|| url.path.clone());
    let host = HostPattern::parse(&url.origin_pattern()).map_err(|problem| problem.found)?;
    let mut entry = Table::new();
    entry.insert("host".into(), host.to_string().into());
    entry.insert("methods".into(), vec![method.to_owned()].into());
    entry.insert("paths".into(), vec![path].into());
    let signing = signer.and_then(|signer| signer.key);
    let grant = match carried {
        // What signs has places of its own.
        _ if signing.is_some() => signing.map(|secret| (secret, vec![Place::bearer()])),
        Some(Carried { place: None, .. }) => return Err("a placeholder is where no secret can be put".to_owned()),
        Some(Carried { secret, place: Some(place), .. }) => Some((secret, vec![place])),
        // Where a request is judged without an agent, what it would carry is what the nearest entry is for.
        None if placeholders.is_empty() => near.first().and_then(|near| {
            let (secret, places) = near.secret.as_ref()?;
            Some((*secret, places.iter().map(|placed| placed.place.clone()).collect()))
        }),
        None => None,
    };
    let of_secret = grant.as_ref().map(|(secret, _)| *secret);
    let kin = near.iter().find(|near| near.secret.as_ref().map(|(secret, _)| *secret) == of_secret);
    entry.extend(kin.map(|kin| kin.terms.clone()).unwrap_or_default());
    let mut warning = String::new();
    let root = match grant {
        None => nested("egress", vec![entry].into()),
        Some((secret, places)) => {
            if !places.is_empty() && places != [Place::bearer()] {
                entry.insert("place".into(), places.iter().map(Place::to_string).collect::<Vec<_>>().into());
            }
            let name = secrets.get(secret).map_or("", String::as_str);
            // Where a request goes is the agent's choice: whoever pastes the lines has to know that the secret goes along.
            let has_it = |d: &Destination| d.is_for(secret) && d.host.matches(url.scheme, &url.host, url.port);
            if !all.iter().any(has_it) {
                warning = format!("# this gives {name} to {host}: add it only if that host is meant to have that secret\n");
            }
            nested("secrets", nested(name, nested("allow", vec![entry].into()).into()).into())
        }
    };
    toml::to_string(&root).map(|lines| warning + lines.trim_end()).map_err(|error| error.to_string())
}

fn nested(key: &str, value: Value) -> Table {
    Table::from_iter([(key.to_owned(), value)])
}

/// The first placeholder of the manifest's secrets that stands in a header, a parameter or the path.
fn carried(headers: &HeaderMap, url: &CanonicalUrl, placeholders: &Placeholders, all: &[Destination]) -> Option<Carried> {
    let in_header = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let text = value.to_str().ok()?;
        let plain = placeholders.standing(text);
        let plain = plain.map(|(secret, before, after)| Carried { secret, place: header_place(name, before, after), path: None });
        plain.or_else(|| in_basic(name, text, placeholders))
    };
    let in_parameter = |(name, value): (&str, &str)| {
        let (secret, before, after) = placeholders.standing(value)?;
        let place = (before.is_empty() && after.is_empty()).then(|| Place::parse(&format!("query:{name}")).ok()).flatten();
        Some(Carried { secret, place, path: None })
    };
    let found = headers.iter().find_map(in_header).or_else(|| url.parameters().find_map(in_parameter));
    found.or_else(|| in_path(url, placeholders, all))
}

/// A placeholder in a segment of the path: in the place that a grant of its secret has there, or else in one for this path alone.
fn in_path(url: &CanonicalUrl, placeholders: &Placeholders, all: &[Destination]) -> Option<Carried> {
    let segments: Vec<&str> = url.path.split('/').collect();
    let standing = |(at, segment): (usize, &&str)| {
        placeholders.standing(segment).map(|(secret, before, after)| (at, secret, format!("{before}{{}}{after}")))
    };
    let (at, secret, held) = segments.iter().enumerate().find_map(standing)?;
    let with = |text: &str| {
        let parts = segments.iter().enumerate().map(|(index, segment)| if index == at { text } else { segment });
        parts.collect::<Vec<_>>().join("/")
    };
    let granted = all.iter().filter(|d| d.is_for(secret)).flat_map(|d| d.secret.iter().flat_map(|(_, places)| places));
    let fits = |place: &&Place| matches!(place, Place::Path(path) if path.held(&url.path).is_some_and(|held| placeholders.stands_for(held, secret).is_some()));
    let known = granted.map(|placed| &placed.place).find(fits).cloned();
    Some(Carried { secret, place: known.or_else(|| Place::parse(&format!("path:{}", with(&held))).ok()), path: Some(with("*")) })
}

fn header_place(name: &HeaderName, before: &str, after: &str) -> Option<Place> {
    let bearer = name == header::AUTHORIZATION && after.is_empty() && (before.is_empty() || before.eq_ignore_ascii_case("bearer "));
    match bearer || (before.is_empty() && after.is_empty()) {
        true => Place::parse(&format!("header:{name}")).ok(),
        false => Place::parse(&format!("header:{name}={before}{{}}{after}")).ok(),
    }
}

fn in_basic(name: &HeaderName, text: &str, placeholders: &Placeholders) -> Option<Carried> {
    let coded =
        text.get(..6).filter(|scheme| name == header::AUTHORIZATION && scheme.eq_ignore_ascii_case("basic ")).map(|_| &text[6..])?;
    let pair = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    let whole = |half: &str| match placeholders.standing(half) {
        Some((secret, "", "")) => Some(secret),
        _ => None,
    };
    let (secret, place) = match (whole(user), whole(password)) {
        (Some(secret), None) if matches!(password, "" | "x") => (secret, Place::parse("basic").ok()),
        (None, Some(secret)) if matches!(user, "" | "x") => (secret, Place::parse("basic").ok()),
        (None, Some(secret)) => (secret, Place::parse(&format!("basic={user}:{{}}")).ok()),
        (Some(secret), None) => (secret, None),
        _ => return None,
    };
    Some(Carried { secret, place, path: None })
}

/// What a grant says beyond host, methods, paths and place, as the manifest writes it.
pub(super) fn grant_terms(grant: &Grant) -> Table {
    let mut terms = terms(grant.rate, grant.misplaced, &grant.leaks);
    // A place for what is sealed means nothing where nothing is.
    if !grant.sealed_place.is_empty() && !grant.seal.is_empty() {
        terms.insert("sealed_place".into(), grant.sealed_place.iter().map(Place::to_string).collect::<Vec<_>>().into());
    }
    if grant.attach {
        terms.insert("attach".into(), true.into());
    }
    let hosts = grant.seal.iter().filter_map(|seal| if let Seal::OAuth2(tokens) = seal { Some(&tokens.hosts) } else { None });
    let hosts: Vec<String> = hosts.flatten().map(HostPattern::to_string).collect();
    if !hosts.is_empty() {
        terms.insert("tokens_for".into(), hosts.into());
    }
    if !grant.seal.is_empty() {
        terms.insert("seal".into(), grant.seal.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    }
    terms
}

/// The same of an `[[egress]]`.
pub(super) fn egress_terms(rule: &EgressRule) -> Table {
    let mut terms = terms(rule.rate, rule.misplaced, &rule.leaks);
    if rule.own_credentials {
        terms.insert("own_credentials".into(), true.into());
    }
    terms
}

fn terms(rate: Option<Rate>, misplaced: Misplaced, leaks: &Leaks) -> Table {
    let misplaced = match misplaced {
        Misplaced::ByPlace => None,
        Misplaced::Deny => Some("deny"),
        Misplaced::Stop => Some("stop"),
        Misplaced::Pass => Some("pass"),
    };
    let treatment = match leaks.treatment {
        Treatment::Redact => None,
        Treatment::Deny => Some("deny"),
        Treatment::Stop => Some("stop"),
    };
    let rate = rate.map(|rate| rate.to_string());
    let allowed = (!leaks.allowed.is_empty()).then(|| leaks.allowed.clone());
    let terms = [
        ("misplaced", misplaced.map(Value::from)),
        ("leaks", treatment.map(Value::from)),
        ("leaks_allowed", allowed.map(Value::from)),
        ("rate", rate.map(Value::from)),
    ];
    terms.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
