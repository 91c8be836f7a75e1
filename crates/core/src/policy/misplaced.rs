//! Placeholders where their values do not belong: what is done about them, and what is said.

use super::placeholder::Placeholders;
use super::session::Back;
use super::signed::Signer;
use super::{Asked, Denial, Destination, Permit, Policy, Rule, Substitution, denial, deny, foreign, granted_places};
use crate::credential::around;
use crate::manifest::{Misplaced, Place};
use crate::url::CanonicalUrl;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// Most characters of what a guest wrote around a placeholder that a message shows.
const SHOWN: usize = 48;

impl Policy {
    pub(super) fn misplaced(&self, asked: &Asked<'_>, found: &str, misplaced: Misplaced, secret: Option<usize>) -> Denial {
        // Each host once, with all places there.
        let mut belongs: Vec<(String, Vec<&str>)> = Vec::new();
        for destination in self.destinations.iter().filter(|d| secret.is_some_and(|secret| d.is_for(secret))) {
            let host = destination.host.to_string();
            let at = belongs.iter().position(|(known, _)| *known == host).unwrap_or_else(|| {
                belongs.push((host, Vec::new()));
                belongs.len() - 1
            });
            let places = &mut belongs[at].1;
            let texts = destination.secret.iter().flat_map(|(_, placed)| placed).map(|placed| &*placed.text);
            texts.for_each(|text| {
                if !places.contains(&text) {
                    places.push(text)
                }
            });
        }
        let belongs: Vec<String> = belongs.into_iter().map(|(host, places)| format!("{} at {host}", places.join(" or "))).collect();
        let remedy = match belongs.as_slice() {
            [] => "this secret is granted nowhere; add a `[[secrets.NAME.allow]]` for where it is meant to go".to_owned(),
            places => format!("it belongs, whole and once, in {}", places.join(", or in ")),
        };
        let reason = format!("a placeholder is in the {found}, where its value does not belong");
        Denial { stop: misplaced == Misplaced::Stop, ..deny(Rule::Misplaced, asked, reason, remedy) }
    }

    /// A denial of what AWS's library has signed with placeholders: they stand where they would, were the host to sign.
    pub(super) fn of_signer(&self, denial: Denial, asked: &Asked<'_>, url: &CanonicalUrl, placeholders: &Placeholders) -> Denial {
        match Signer::of(asked, url, placeholders, &self.destinations) {
            Some(signer) => Denial { remedy: signer.remedy(&self.secrets), ..denial },
            None => denial,
        }
    }

    /// Refuses a request whose headers or URL hold a placeholder where its value does not belong.
    pub(super) fn elsewhere(
        &self,
        open: &[&Destination],
        asked: &Asked<'_>,
        url: &CanonicalUrl,
        substitutions: &[Substitution],
        placeholders: &Placeholders,
        misplaced: Misplaced,
    ) -> Result<(), Denial> {
        let aws = |denial: Denial| self.of_signer(denial, asked, url, placeholders);
        let substituted = |name: &HeaderName| substitutions.iter().any(|s| s.scheme.is_header(name));
        for (name, value) in asked.headers.iter().filter(|(name, _)| !substituted(name)) {
            let inside = placeholders.within(value.as_bytes()).or_else(|| placeholders.disguised(name.as_str()));
            if inside.is_some() {
                let denial = self.misplaced(asked, &format!("header `{name}`"), misplaced, inside);
                return Err(match in_another_form(open, placeholders, name, value) {
                    Some((reason, remedy)) => aws(Denial { reason, remedy, ..denial }),
                    None => match placeholders.back_of(value.as_bytes()) {
                        Some(back) => sealed(denial, &back, name),
                        None => aws(denial),
                    },
                });
            }
        }
        match foreign::in_url(url, substitutions, placeholders) {
            Some(secret) => Err(aws(self.misplaced(asked, "URL", misplaced, Some(secret)))),
            None => Ok(()),
        }
    }

    /// What happens to a placeholder found in a body: `None` lets it pass as the harmless text it is.
    pub fn judge_body(&self, permit: &Permit, secret: usize) -> Option<Denial> {
        match permit.misplaced() {
            Misplaced::ByPlace | Misplaced::Pass => None,
            treatment @ (Misplaced::Deny | Misplaced::Stop) => {
                let asked = Asked {
                    method: permit.method(),
                    uri: &Uri::default(),
                    headers: &HeaderMap::new(),
                    body: None,
                    time: std::time::UNIX_EPOCH,
                };
                let denial = self.misplaced(&asked, "body", treatment, Some(secret));
                Some(Denial { asked: format!("{} {}", permit.method(), permit.url()), ..denial })
            }
        }
    }
}

/// Why a placeholder does not fit a header that is granted, and what would: something else stands around it. The first is what was wrong,
/// the second the remedy.
fn in_another_form(open: &[&Destination], placeholders: &Placeholders, name: &HeaderName, value: &HeaderValue) -> Option<(String, String)> {
    let text = value.to_str().ok()?;
    let (secret, before, after) = placeholders.standing(text)?;
    let mut here = granted_places(open).filter(|granted| granted.secret == secret && !granted.is_for_sealed);
    let (template, granted) = here.find_map(|granted| Some((around(granted.place, name)?, granted)))?;
    // As it is granted: then it stands there more than once.
    if template.split(text).is_some_and(|(_, inner, _)| placeholders.stands_for(inner, secret).is_some()) {
        return Some((format!("the header `{name}` appears more than once"), "send it once".to_owned()));
    }
    let stands = template.around();
    let form = format!("{}{{}}{}", stands.0, stands.1);
    let short =
        |text: &str| if text.chars().count() > SHOWN { text.chars().take(SHOWN).collect::<String>() + "…" } else { text.to_owned() };
    let reason =
        format!("the header `{name}` holds a placeholder as `{}{{}}{}`, and it is granted as `{form}`", short(before), short(after));
    let place = format!("header:{name}={before}{{}}{after}");
    // A scheme, as `token `: what else stands there is the guest's, and no template for an operator to copy.
    let scheme = before.trim_end_matches([' ', '=', ':']);
    let is_scheme = !scheme.is_empty() && scheme.len() <= 16 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let is_simple = after.is_empty() && is_scheme && Place::parse(&place).is_ok();
    let remedy = if is_simple {
        denial::added(&toml::Value::from(place), "place", &granted.destination.label)
    } else {
        format!("send it as `{form}`, and nothing else in that header")
    };
    Some((reason, remedy))
}

/// What an answer brought goes back to its own origin, in its own cookie or where the grant says so; an access token, to the hosts of its
/// grant.
fn sealed(denial: Denial, back: &Back, header: &HeaderName) -> Denial {
    let remedy = if matches!(back, Back::Access(_) | Back::Refresh) {
        "an access token goes to the hosts in `tokens_for` of the grant that sealed it, or to its own origin where there are none, in a `sealed_place` in the head; a refresh token goes back to the request that the grant covers, in a `sealed_place` in the body".to_owned()
    } else if header == http::header::COOKIE {
        "a sealed cookie goes back to the origin that set it, under its own name, with the credential that it was set for, and without cookies of the agent's own".to_owned()
    } else {
        format!(
            "what a response brought goes back to its own origin, in the header of the same name and with the credential that it was given for; elsewhere, add `sealed_place = [\"header:{header}\"]` to the `allow` that covers this request"
        )
    };
    Denial { remedy, ..denial }
}

pub(super) fn strictness(misplaced: Misplaced) -> u8 {
    match misplaced {
        Misplaced::Pass => 0,
        Misplaced::ByPlace => 1,
        Misplaced::Deny => 2,
        Misplaced::Stop => 3,
    }
}
