//! What of a request is not the grant's: a second resource or another client, a body that hides itself, credentials and placeholders where
//! they do not belong.

use super::{Asked, Denial, Destination, Placeholders, Rule, Substitution, charset, denial, deny, granted_places, headers};
use crate::credential::{Part, part};
use crate::manifest::Misplaced;
use crate::url::names::{Name, same_header};
use crate::url::{self, CanonicalUrl};
use http::HeaderName;
use std::borrow::Cow;

/// What to add to a list of an entry that covers the request.
fn added_to(open: &[&Destination], key: &str, value: &str) -> String {
    let labels: Vec<&str> = open.iter().filter(|d| d.is_entry()).map(|d| d.label.as_str()).collect();
    denial::added(&toml::Value::from(value), key, &labels.join(" or of "))
}

/// Denies a header that names a second resource or another client, unless an entry that covers the request lets it pass.
pub(super) fn second_resource(open: &[&Destination], asked: &Asked<'_>) -> Result<(), Denial> {
    let passes = |name: &HeaderName| open.iter().any(|d| d.passes.headers.contains(name));
    let mut named = asked.headers.keys().filter_map(|name| Some((name, headers::names_another(name)?)));
    match named.find(|(name, _)| !passes(name)) {
        None => Ok(()),
        Some((name, what)) => {
            let remedy = added_to(open, "headers", name.as_str());
            Err(deny(Rule::Header, asked, format!("the header `{name}` names {what}"), remedy))
        }
    }
}

/// Denies a body that is coded, or in a charset in which nobody finds the names of its fields.
pub(super) fn unreadable_body(open: &[&Destination], asked: &Asked<'_>) -> Result<(), Denial> {
    let coding = HeaderName::from_static("content-encoding");
    let is_coded = |(name, value): (&HeaderName, &http::HeaderValue)| {
        same_header(name.as_str(), coding.as_str()) && !value.is_empty() && !value.as_bytes().eq_ignore_ascii_case(b"identity")
    };
    if asked.headers.iter().any(is_coded) && !open.iter().any(|d| d.passes.headers.contains(&coding)) {
        let remedy = format!(
            "send the body as it is; if it has to be coded and can't name a method, {}",
            added_to(open, "headers", coding.as_str())
        );
        return Err(deny(Rule::Header, asked, "`content-encoding` hides the body from the host".to_owned(), remedy));
    }
    if !charset::named(asked.headers).iter().all(|name| charset::is_plain(name) || name.starts_with("utf16")) {
        let reason = "`content-type` names a charset that hides the body from the host".to_owned();
        return Err(deny(Rule::Header, asked, reason, "send text in UTF-8".to_owned()));
    }
    Ok(())
}

/// The denial of cookies beside a granted one.
pub(super) fn cookies(asked: &Asked<'_>, misplaced: Misplaced) -> Denial {
    let found = "the header `cookie` holds other cookies beside the granted one".to_owned();
    let remedy = "send the granted cookie alone, or with cookies that the same origin has set in this run".to_owned();
    Denial { stop: misplaced == Misplaced::Stop, ..deny(Rule::ForeignCredential, asked, found, remedy) }
}

/// Denies a granted place that holds anything but our placeholder, and headers that look like a credential of the guest's own.
pub(super) fn credential(
    open: &[&Destination],
    asked: &Asked<'_>,
    url: &CanonicalUrl,
    substitutions: &[Substitution],
    passes: &[HeaderName],
    placeholders: &Placeholders,
    misplaced: Misplaced,
) -> Result<(), Denial> {
    let foreign = |found: String| {
        let remedy = "an agent may send the granted placeholder here, or nothing; for a destination where it may use credentials of its own, set `own_credentials = true` in an `[[egress]]`";
        Denial { stop: misplaced == Misplaced::Stop, ..deny(Rule::ForeignCredential, asked, found, remedy.to_owned()) }
    };
    let own = open.iter().any(|d| d.own_credentials);
    // A placeholder that stands wrongly is its own rule, unless that lets it pass: then what stands around it is judged here.
    let misplaced_denies = |value: &[u8]| misplaced != Misplaced::Pass && placeholders.within(value).is_some();
    for (name, value) in asked.headers {
        if substitutions.iter().any(|s| s.scheme.is_header(name)) || passes.contains(name) || misplaced_denies(value.as_bytes()) {
            continue;
        }
        let granted = granted_places(open).any(|granted| match part(granted.place) {
            Part::Header(place) => same_header(place.as_str(), name.as_str()),
            Part::Cookie(_) => same_header("cookie", name.as_str()),
            Part::Parameter(_) | Part::Path(_) | Part::Body => false,
        });
        if granted || (!own && headers::is_credential(name)) {
            return Err(foreign(format!("the header `{name}` holds a credential that is not the granted one")));
        }
    }
    for granted in granted_places(open) {
        let Part::Parameter(granted) = part(granted.place) else { continue };
        let named = |name: &str| url::same_parameter(name, granted);
        let held: Vec<&str> = url.parameters().filter(|(name, _)| named(name)).map(|(_, value)| value).collect();
        let substituted = substitutions.iter().any(|s| s.scheme.is_parameter(granted));
        if !substituted && held.iter().any(|value| !misplaced_denies(value.as_bytes())) {
            return Err(foreign(format!("the query parameter `{granted}` holds a credential that is not the granted one")));
        }
    }
    for granted in granted_places(open) {
        let Part::Path(place) = part(granted.place) else { continue };
        let substituted = substitutions.iter().any(|s| s.scheme.segment().is_some());
        if !substituted && place.held(&url.path).is_some_and(|held| !misplaced_denies(held.as_bytes())) {
            return Err(foreign(format!("the path `{place}` holds a credential that is not the granted one")));
        }
    }
    let passes = |name: &str| open.iter().any(|d| d.passes.parameters.iter().any(|known| known == name));
    for (name, value) in url.parameters() {
        let is_ours = substitutions.iter().any(|s| s.scheme.is_parameter(name))
            || (misplaced != Misplaced::Pass && placeholders.disguised(value).is_some());
        if !own && !is_ours && !passes(name) && Name::encoded(name).is_credential(value) {
            let shown: String = name.chars().take(64).collect();
            let denial = foreign(format!("the query parameter `{shown}` looks like a credential that is not the granted one"));
            let widened = added_to(open, "parameters", &shown);
            return Err(Denial { remedy: format!("{}; if it is not a credential, {widened}", denial.remedy), ..denial });
        }
    }
    Ok(())
}

/// A secret whose placeholder stands in a URL, but for what is substituted.
pub(super) fn in_url(url: &CanonicalUrl, substitutions: &[Substitution], placeholders: &Placeholders) -> Option<usize> {
    let filled = substitutions.iter().find_map(|s| s.scheme.segment()?.with(&url.path, ""));
    let others = url.parameters().filter(|(name, _)| !substitutions.iter().any(|s| s.scheme.is_parameter(name)));
    let pairs = others.map(|(name, value)| Cow::from(format!("{name}={value}")));
    let mut texts = [Cow::from(&url.host), filled.map_or(Cow::from(&url.path), Cow::from)].into_iter().chain(pairs);
    texts.find_map(|text| placeholders.disguised(&text))
}
