//! What a run may do once its agent's manifest was read anew: what it could do before, and no more than the later manifest lets it. A request is
//! judged by both. It leaves where both let it, with the same values in the same places, on the stricter of their terms.

use super::terms::Terms;
use super::{Asked, Closed, Denial, Destination, Permit, Placeholders, Policy, Rule, Substitution, deny};
use crate::manifest::{Manifest, Seal, SecretSpec};
use std::fmt::Debug;

/// What is to be done about a denial by a later manifest.
const REMEDY: &str = "begin a new run, which has that manifest alone";

impl Policy {
    /// That of a manifest that was read after `earlier`, for runs of that one: their secrets have the numbers that they had, and what only the
    /// later manifest has is theirs in name alone. A secret whose scheme is another is withdrawn: what is exchanged for it, or made of it, would be.
    pub fn later(manifest: &Manifest, earlier: &Manifest, closed: Closed) -> Self {
        let mut left = manifest.secrets.clone();
        let same = |known: &SecretSpec, left: &mut Vec<SecretSpec>| {
            let at = left.iter().position(|secret| secret.name == known.name)?;
            Some(left.remove(at)).filter(|secret| secret.scheme == known.scheme)
        };
        let withdrawn = |known: &SecretSpec| SecretSpec { allow: Vec::new(), ..known.clone() };
        let known: Vec<SecretSpec> =
            earlier.secrets.iter().map(|known| same(known, &mut left).unwrap_or_else(|| withdrawn(known))).collect();
        let mut manifest = manifest.clone();
        manifest.secrets = known.into_iter().chain(left).collect();
        Self::new(&manifest, closed)
    }

    /// What is left of a permit by this policy, which is a later one; and this one's own, which is charged beside it.
    pub fn confirm(&self, permit: Permit, asked: &Asked<'_>, placeholders: &Placeholders) -> Result<(Permit, Permit), Denial> {
        let own = self.authorize(asked, placeholders).map_err(|denial| Denial {
            rule: Rule::Reloaded,
            reason: format!(
                "the manifest that was read since the run began denies it by rule `{}`: {}",
                denial.rule.as_str(),
                denial.reason
            ),
            remedy: format!("for runs that begin: {}", denial.remedy),
            ..denial
        })?;
        let otherwise = || {
            let reason = "the manifest that was read since the run began lets it leave otherwise: with other values, places or terms";
            deny(Rule::Reloaded, asked, reason.to_owned(), REMEDY.to_owned())
        };
        Ok((permit.within(&own).ok_or_else(otherwise)?, own))
    }

    /// Whether what was admitted still would be, as far as its URL and method go: an entry lets it pass, and one grants each secret of the manifest's
    /// that stands in it. What an answer brought is bound to its origin, and needs no grant there.
    pub fn still_admits(&self, permit: &Permit) -> Result<(), Denial> {
        let (url, method) = (permit.url(), permit.method().as_str());
        let is_open = |d: &Destination| {
            d.host.matches(url.scheme, &url.host, url.port) && d.methods.iter().any(|known| known == method) && d.is_open_at(url)
        };
        let open: Vec<&Destination> = self.destinations.iter().filter(|d| is_open(d)).collect();
        let grants = |secret: usize| open.iter().any(|d| d.is_for(secret));
        if !open.is_empty() && !self.closed.covers(url) && permit.carried().iter().all(|secret| grants(*secret)) {
            return Ok(());
        }
        Err(Denial {
            rule: Rule::Reloaded,
            asked: format!("{method} {url}"),
            reason: "the manifest that was read since the request was sent does not grant it any more".to_owned(),
            remedy: REMEDY.to_owned(),
            stop: false,
        })
    }
}

impl Denial {
    /// A signer that another manifest, which was read since the run began, has not, or not as it was.
    #[must_use]
    pub fn of_another_signer(name: &str) -> Self {
        let reason = format!("the manifest that was read since the run began has no signer `{name}`, or another one of that name");
        Self { rule: Rule::Reloaded, asked: format!("sign with `{name}`"), reason, remedy: REMEDY.to_owned(), stop: false }
    }

    /// A state that another manifest, which was read since the run began, has not, or has less of.
    #[must_use]
    pub fn of_less_state() -> Self {
        let reason = "the manifest that was read since the run began has no `[state]`, or a smaller one".to_owned();
        Self { rule: Rule::Reloaded, asked: "use the state".to_owned(), reason, remedy: REMEDY.to_owned(), stop: false }
    }

    /// A request that waited while the manifest was read anew: nothing of it has left.
    #[must_use]
    pub fn read_meanwhile(permit: &Permit) -> Self {
        let asked = format!("{} {}", permit.method(), permit.url());
        let reason = "the manifest was read anew while the request waited to leave".to_owned();
        let remedy = "send it again: it is judged by the new manifest as well then".to_owned();
        Self { rule: Rule::Reloaded, asked, reason, remedy, stop: false }
    }

    /// A run whose manifest was read anew too often.
    #[must_use]
    pub fn read_too_often(times: usize) -> Self {
        let reason = format!("its manifest was read anew {times} times since the run began");
        Self { rule: Rule::Reloaded, asked: "run".to_owned(), reason, remedy: REMEDY.to_owned(), stop: true }
    }
}

impl Permit {
    /// The same on the stricter of both terms, where another lets the same values leave in the same places.
    fn within(self, other: &Self) -> Option<Self> {
        let with = |of: &Substitution| of.with.iter().map(|(secret, _)| *secret).collect::<Vec<_>>();
        let is_one = |one: &Substitution, other: &Substitution| {
            (one.secret, one.source) == (other.secret, other.source) && with(one) == with(other) && is_alike(&one.scheme, &other.scheme)
        };
        // Their order is that of the manifest's lines, and says nothing.
        let has = |in_it: &Self, wanted: &Substitution| in_it.substitutions().iter().any(|known| is_one(known, wanted));
        let is_same = self.substitutions().len() == other.substitutions().len()
            && self.substitutions().iter().all(|one| has(other, one))
            && other.substitutions().iter().all(|one| has(&self, one));
        if !is_same {
            return None;
        }
        self.on_terms(|terms| terms.stricter(other.terms()))
    }
}

impl Terms {
    /// The stricter of two terms; nothing where neither is.
    fn stricter(mut self, other: &Self) -> Option<Self> {
        // Tokens are sealed by one entry alone, which says what becomes of them.
        let has_tokens = self.seals.iter().chain(&other.seals).any(|(_, seal)| matches!(seal, Seal::OAuth2(_)));
        let is_same = self.passes == other.passes
            && self.plain_cookies == other.plain_cookies
            && (!has_tokens || is_alike(&self.seals, &other.seals))
            && (self.fills_body, self.holds_body, self.is_timed, self.is_signed)
                == (other.fills_body, other.holds_body, other.is_timed, other.is_signed)
            && (self.fixes_body, self.inert, self.renewed) == (other.fixes_body, other.inert, other.renewed);
        if !is_same {
            return None;
        }
        self.graphql = self.graphql.max(other.graphql);
        self.signed_urls.retain(|known| other.signed_urls.contains(known));
        self.guarded |= other.guarded;
        self.is_sealed |= other.is_sealed;
        self.carries_own |= other.carries_own;
        self.get_body &= other.get_body;
        self.plain_etags &= other.plain_etags;
        self.own_credentials &= other.own_credentials;
        self.accept_parameters.retain(|name| other.accept_parameters.contains(name));
        self.answers_allowed.retain(|rule| other.answers_allowed.contains(rule));
        self.leaks.allowed.retain(|rule| other.leaks.allowed.contains(rule));
        self.leaks.treatment = self.leaks.treatment.max(other.leaks.treatment);
        if super::misplaced::strictness(other.misplaced) > super::misplaced::strictness(self.misplaced) {
            self.misplaced = other.misplaced;
        }
        for (secret, seal) in &other.seals {
            if !self.seals.iter().any(|(_, known)| known == seal) {
                self.seals.push((*secret, seal.clone()));
            }
        }
        Some(self)
    }
}

/// Whether two say the same. Some have patterns in them, which are compared by their text.
pub fn is_alike<T: Debug>(one: &T, other: &T) -> bool {
    format!("{one:?}") == format!("{other:?}")
}
