//! What was decided, as a value that travels. Its fields are private to this room: nothing else can make one.

use super::terms::Terms;
use super::{Graphql, Source};
use crate::credential::Scheme;
use crate::manifest::{AnswerRule, Leaks, Misplaced, Seal};
use crate::url::CanonicalUrl;
use http::{HeaderName, Method};
use std::sync::Arc;
use std::time::Instant;

/// Leave to send one request, as judged.
#[derive(Debug)]
pub struct Permit {
    url: CanonicalUrl,
    method: Method,
    substitutions: Vec<Substitution>,
    terms: Terms,
    rule: String,
    /// The manifest's secrets that it carries, by their indexes.
    carried: Vec<usize>,
    /// By how many manifests it was judged that were read since the run began, and what the last one is called.
    later: (usize, Option<Arc<str>>),
    /// The policy's entries whose rates it draws on, in their order.
    counted: Vec<usize>,
}

/// Leave to send one request, once: it is charged. [`Permit`] says what of it was judged; what sends takes this by value. It knows when it was
/// charged, for whoever gives it up again.
#[derive(Debug)]
pub struct Leave {
    /// What is left of it once it is used: nothing, where it is for a repetition.
    charge: Option<Charge>,
}

/// What a request was charged, and when, after it has left: it covers one repetition ([`Attempt`](super::Attempt)).
#[derive(Debug)]
pub struct Charge(Instant);

/// One value that goes into one place.
#[derive(Debug)]
pub struct Substitution {
    /// The secret's index in the manifest.
    pub secret: usize,
    /// Which value: the secret's, or one that an answer brought.
    pub source: Source,
    /// How the credential is made of its value, and where it goes.
    pub scheme: Scheme,
    /// The place as the manifest writes it.
    pub place: Arc<str>,
    /// The secrets that the scheme reads beside it, each with leave to.
    pub with: Vec<(usize, Reveal)>,
    reveal: Reveal,
}

/// Leave to read one secret's value, once.
#[derive(Debug)]
pub struct Reveal(());

impl Permit {
    pub(super) fn new(
        url: CanonicalUrl,
        method: Method,
        substitutions: Vec<Substitution>,
        terms: Terms,
        rule: String,
        counted: Vec<usize>,
    ) -> Self {
        let carried = substitutions.iter().filter(|s| matches!(s.source, Source::Secret(_))).map(|s| s.secret).collect();
        Self { url, method, substitutions, terms, rule, carried, later: (0, None), counted }
    }

    /// The same, judged by so many later manifests as well, of which the last is called so.
    #[must_use]
    pub fn judged_by(self, later: usize, last: Arc<str>) -> Self {
        Self { later: (later, Some(last)), ..self }
    }

    /// By how many manifests it was judged that were read since the run began.
    pub fn later(&self) -> usize {
        self.later.0
    }

    /// What the last of them is called.
    pub fn edition(&self) -> Option<&str> {
        self.later.1.as_deref()
    }

    /// The manifest's secrets that it carries, or has carried.
    pub(super) fn carried(&self) -> &[usize] {
        &self.carried
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The same on other terms, if there are any.
    pub(super) fn on_terms(self, terms: impl FnOnce(Terms) -> Option<Terms>) -> Option<Self> {
        Some(Self { terms: terms(self.terms)?, ..self })
    }

    pub(super) fn counted(&self) -> &[usize] {
        &self.counted
    }

    pub fn url(&self) -> &CanonicalUrl {
        &self.url
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the host holds a grant of this agent, so that its answer is scrubbed.
    pub fn guarded(&self) -> bool {
        self.terms.guarded
    }

    /// Parameters that `Accept` keeps beside the usual ones.
    pub fn accept_parameters(&self) -> &[String] {
        &self.terms.accept_parameters
    }

    /// What is asked of its body, if it is GraphQL.
    pub fn graphql(&self) -> Option<Graphql> {
        self.terms.graphql
    }

    /// Whether it may have a body: one that nobody expects is read by some servers as the next request.
    pub fn may_have_body(&self) -> bool {
        self.terms.get_body || !matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether entity tags stand in it, and in its answer, as the server knows them.
    pub fn plain_etags(&self) -> bool {
        self.terms.plain_etags
    }

    /// Cookies that go back as the agent has them, beside sealed ones.
    pub fn plain_cookies(&self) -> &[String] {
        &self.terms.plain_cookies
    }

    /// Whether it holds a credential of the agent's own: then what its answer brings may open the agent's account.
    pub fn carries_own(&self) -> bool {
        self.terms.carries_own
    }

    /// Whether its answer may ask for it once more.
    pub fn may_be_challenged(&self) -> bool {
        self.substitutions.iter().any(|substitution| substitution.scheme.may_challenge())
    }

    /// The first secret that it carries, or that a cookie of the origin's stands for.
    pub fn carries(&self) -> Option<usize> {
        self.substitutions.iter().find(|s| matches!(s.source, Source::Secret(_))).map(|s| s.secret).or(self.terms.renewed)
    }

    /// Whether a value goes into its body, which was judged as a whole.
    pub fn fills_body(&self) -> bool {
        self.terms.fills_body
    }

    /// Whether all of its body has to be at hand as it leaves.
    pub fn holds_body(&self) -> bool {
        self.terms.holds_body
    }

    /// Whether it says when it was made, by the host's clock.
    pub fn is_timed(&self) -> bool {
        self.terms.is_timed
    }

    /// Whether the host signs it.
    pub fn is_signed(&self) -> bool {
        self.terms.is_signed
    }

    /// Whether its body has to leave as the agent wrote it, since it is signed.
    pub fn fixes_body(&self) -> bool {
        self.terms.fixes_body
    }

    /// A secret whose placeholder stands in its body as text, beside those that are filled.
    pub fn inert(&self) -> Option<usize> {
        self.terms.inert
    }

    /// What happens to what looks like a secret in it.
    pub fn leaks(&self) -> &Leaks {
        &self.terms.leaks
    }

    /// The fields of its answer that are secrets of their own, each with the secret whose grant says so.
    pub fn seals(&self) -> &[(usize, Seal)] {
        &self.terms.seals
    }

    /// Whether its answer may bring a token that outlives the run.
    pub fn keeps_tokens(&self) -> bool {
        self.terms.seals.iter().any(|(_, seal)| matches!(seal, Seal::OAuth2(tokens) if tokens.keep.is_some()))
    }

    /// The rules that fields of its answer may break.
    pub fn answers_allowed(&self) -> &[AnswerRule] {
        &self.terms.answers_allowed
    }

    /// The fields of its answer that are signed URLs, each with the secret whose grant says so.
    pub fn signed_urls(&self) -> &[(usize, Seal)] {
        &self.terms.signed_urls
    }

    /// Whether some answer of its host holds fields that are sealed.
    pub fn is_sealed(&self) -> bool {
        self.terms.is_sealed
    }

    /// Whether a header may hold a credential: the granted one, or one of the agent's own where the destination takes it.
    pub fn is_for_credentials(&self, name: &HeaderName) -> bool {
        let own = self.terms.own_credentials && super::headers::is_credential(name);
        own || self.terms.passes.contains(name) || self.substitutions.iter().any(|substitution| substitution.scheme.is_header(name))
    }

    /// The manifest's entry that allowed it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    pub fn substitutions(&self) -> &[Substitution] {
        &self.substitutions
    }

    pub fn take_substitutions(&mut self) -> Vec<Substitution> {
        std::mem::take(&mut self.substitutions)
    }

    /// Sets schemes as an answer has asked for them; false where it was another request that it answered.
    pub(super) fn challenged(&mut self, asked: Vec<Scheme>) -> bool {
        let own = &mut self.substitutions;
        let is_same = own.len() == asked.len() && own.iter().zip(&asked).all(|(own, asked)| own.scheme.target() == asked.target());
        if is_same {
            own.iter_mut().zip(asked).for_each(|(own, asked)| own.scheme = asked);
        }
        is_same
    }

    pub(super) fn misplaced(&self) -> Misplaced {
        self.terms.misplaced
    }
}

impl Leave {
    pub(super) fn charged(at: Instant) -> Self {
        Self { charge: Some(Charge(at)) }
    }

    /// For a repetition, which was charged with the request that it repeats.
    pub(super) fn to_repeat() -> Self {
        Self { charge: None }
    }

    pub(super) fn charged_at(&self) -> Option<Instant> {
        self.charge.as_ref().map(|Charge(at)| *at)
    }

    /// Uses it up, as the request leaves.
    pub fn used(self) -> Option<Charge> {
        self.charge
    }
}

impl Substitution {
    pub(super) fn new(secret: usize, source: Source, scheme: Scheme, place: Arc<str>) -> Self {
        Self { secret, source, scheme, place, with: Vec::new(), reveal: Reveal(()) }
    }

    /// The same with secrets that the scheme reads beside it.
    pub(super) fn with(self, secrets: &[usize]) -> Self {
        Self { with: secrets.iter().map(|secret| (*secret, Reveal(()))).collect(), ..self }
    }

    /// Its scheme, and leave to read the value and those beside it.
    pub fn into_parts(self) -> (Scheme, Reveal, Vec<Reveal>) {
        (self.scheme, self.reveal, self.with.into_iter().map(|(_, reveal)| reveal).collect())
    }
}

impl Reveal {
    /// Leave to read a key in order to have it replaced by the issuer that made it, at the operator's request.
    pub fn to_rotate() -> Self {
        Self(())
    }

    /// Leave to read a credential in order to present it at the token endpoint that its manifest names.
    pub fn to_exchange() -> Self {
        Self(())
    }

    /// Leave to read a value in order to write it back into the file that it was taken from, at the operator's request.
    pub fn to_restore() -> Self {
        Self(())
    }

    /// Leave to read a key in order to sign with it, in this process; what is signed needs a permit of its own.
    pub(crate) fn to_sign() -> Self {
        Self(())
    }
}
