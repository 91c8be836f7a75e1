//! What was decided, as a value that travels. Its fields are private to this room: nothing else can make one.

use super::url::CanonicalUrl;
use super::{Graphql, Source};
use crate::manifest::{AnswerRule, Leaks, Misplaced, Place, Seal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Method, header};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Leave to send one request, as judged.
#[derive(Debug)]
pub(crate) struct Permit {
    url: CanonicalUrl,
    method: Method,
    substitutions: Vec<Substitution>,
    terms: Terms,
    rule: String,
    /// The policy's entries whose rates it draws on, in their order.
    counted: Vec<usize>,
}

/// Leave to send one request, once: it is charged. [`Permit`] says what of it was judged; what sends takes this by value.
#[derive(Debug)]
pub(crate) struct Leave(());

/// On what terms a request may leave.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) guarded: bool,
    /// Parameters that `Accept` keeps beside the usual ones.
    pub(super) accept_parameters: Vec<String>,
    /// What is asked of a body that is GraphQL.
    pub(super) graphql: Option<Graphql>,
    /// Whether a GET or HEAD request may have a body.
    pub(super) get_body: bool,
    pub(super) plain_etags: bool,
    /// Headers that hold what the origin gave the run, as it is.
    pub(super) passes: Vec<HeaderName>,
    /// Cookies of that kind that stand beside sealed ones.
    pub(super) plain_cookies: Vec<String>,
    /// Whether the request holds a credential of the agent's own.
    pub(super) carries_own: bool,
    pub(super) misplaced: Misplaced,
    pub(super) leaks: Leaks,
    pub(super) own_credentials: bool,
    pub(super) seals: Vec<(usize, Seal)>,
    pub(super) answers_allowed: Vec<AnswerRule>,
    pub(super) signed_urls: Vec<(usize, Seal)>,
    pub(super) is_sealed: bool,
}

/// One value that goes into one place.
#[derive(Debug)]
pub(crate) struct Substitution {
    /// The secret's index in the manifest.
    pub(crate) secret: usize,
    /// Which value: the secret's, or one that an answer brought.
    pub(crate) source: Source,
    /// Where its value goes.
    pub(crate) target: Target,
    /// The place as the manifest writes it.
    pub(crate) place: Arc<str>,
    reveal: Reveal,
}

/// Leave to read one secret's value, once.
#[derive(Debug)]
pub(crate) struct Reveal(());

/// A place in this request, with what stands around the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Header {
        name: HeaderName,
        before: String,
        after: String,
    },
    /// The other half of `user:password`, and whether the secret is the user.
    Basic {
        other: String,
        is_user: bool,
    },
    Query {
        name: String,
    },
    /// One of the cookies, all of which are sealed.
    Cookie {
        name: String,
    },
    /// All of the query, as a signed URL has it.
    WholeQuery,
}

impl Permit {
    pub(super) fn new(
        url: CanonicalUrl,
        method: Method,
        substitutions: Vec<Substitution>,
        terms: Terms,
        rule: String,
        counted: Vec<usize>,
    ) -> Self {
        Self { url, method, substitutions, terms, rule, counted }
    }

    pub(super) fn counted(&self) -> &[usize] {
        &self.counted
    }

    pub(crate) fn url(&self) -> &CanonicalUrl {
        &self.url
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the host holds a grant of this agent, so that its answer is scrubbed.
    pub(crate) fn guarded(&self) -> bool {
        self.terms.guarded
    }

    /// Parameters that `Accept` keeps beside the usual ones.
    pub(crate) fn accept_parameters(&self) -> &[String] {
        &self.terms.accept_parameters
    }

    /// What is asked of its body, if it is GraphQL.
    pub(crate) fn graphql(&self) -> Option<Graphql> {
        self.terms.graphql
    }

    /// Whether it may have a body: one that nobody expects is read by some servers as the next request.
    pub(crate) fn may_have_body(&self) -> bool {
        self.terms.get_body || !matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether entity tags stand in it, and in its answer, as the server knows them.
    pub(crate) fn plain_etags(&self) -> bool {
        self.terms.plain_etags
    }

    /// Cookies that go back as the agent has them, beside sealed ones.
    pub(crate) fn plain_cookies(&self) -> &[String] {
        &self.terms.plain_cookies
    }

    /// Whether it holds a credential of the agent's own: then what its answer brings may open the agent's account.
    pub(crate) fn carries_own(&self) -> bool {
        self.terms.carries_own
    }

    /// The first secret that it carries.
    pub(crate) fn carries(&self) -> Option<usize> {
        self.substitutions.iter().find(|s| matches!(s.source, Source::Secret(_))).map(|s| s.secret)
    }

    /// What happens to what looks like a secret in it.
    pub(crate) fn leaks(&self) -> &Leaks {
        &self.terms.leaks
    }

    /// The fields of its answer that are secrets of their own, each with the secret whose grant says so.
    pub(crate) fn seals(&self) -> &[(usize, Seal)] {
        &self.terms.seals
    }

    /// The rules that fields of its answer may break.
    pub(crate) fn answers_allowed(&self) -> &[AnswerRule] {
        &self.terms.answers_allowed
    }

    /// The fields of its answer that are signed URLs, each with the secret whose grant says so.
    pub(crate) fn signed_urls(&self) -> &[(usize, Seal)] {
        &self.terms.signed_urls
    }

    /// Whether some answer of its host holds fields that are sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.terms.is_sealed
    }

    /// Whether a header may hold a credential: the granted one, or one of the agent's own where the destination takes it.
    pub(crate) fn is_for_credentials(&self, name: &HeaderName) -> bool {
        let own = self.terms.own_credentials && super::headers::is_credential(name);
        own || self.terms.passes.contains(name) || self.substitutions.iter().any(|substitution| substitution.target.is_header(name))
    }

    /// The manifest's entry that allowed it.
    pub(crate) fn rule(&self) -> &str {
        &self.rule
    }

    pub(crate) fn substitutions(&self) -> &[Substitution] {
        &self.substitutions
    }

    pub(crate) fn take_substitutions(&mut self) -> Vec<Substitution> {
        std::mem::take(&mut self.substitutions)
    }

    pub(super) fn misplaced(&self) -> Misplaced {
        self.terms.misplaced
    }
}

impl Leave {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Substitution {
    pub(super) fn new(secret: usize, source: Source, target: Target, place: Arc<str>) -> Self {
        Self { secret, source, target, place, reveal: Reveal(()) }
    }

    pub(crate) fn into_parts(self) -> (Target, Reveal) {
        (self.target, self.reveal)
    }
}

impl Reveal {
    /// Leave to read a key in order to have it replaced by the issuer that made it, at the operator's word.
    pub(crate) fn to_rotate() -> Self {
        Self(())
    }

    /// Leave to read a key in order to sign with it, in this process; what is signed needs a permit of its own.
    pub(crate) fn to_sign() -> Self {
        Self(())
    }
}

impl Target {
    /// The place in this request, if it holds, whole and once, exactly a text that `source` knows as a placeholder.
    pub(super) fn find(
        place: &Place,
        headers: &HeaderMap,
        url: &CanonicalUrl,
        source: impl Fn(&str) -> Option<Source>,
    ) -> Option<(Self, Source)> {
        match place {
            Place::Header(name, template) => {
                let (before, inner, after) = template.split(single(headers, name)?)?;
                let source = source(inner)?;
                Some((Self::Header { name: name.clone(), before: before.to_owned(), after: after.to_owned() }, source))
            }
            Place::Basic(template) => {
                let value = single(headers, &header::AUTHORIZATION)?;
                let coded = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic ")).map(|_| &value[6..])?;
                let pair = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
                let (user, password) = pair.split_once(':')?;
                match (source(user), source(password)) {
                    (Some(source), None) if template.admits(password, true) => {
                        Some((Self::Basic { other: password.to_owned(), is_user: true }, source))
                    }
                    (None, Some(source)) if template.admits(user, false) => {
                        Some((Self::Basic { other: user.to_owned(), is_user: false }, source))
                    }
                    _ => None,
                }
            }
            Place::Query(name) => {
                let mut held = url.parameters().filter(|(key, _)| super::url::same_parameter(key, name));
                let (key, value) = held.next().filter(|_| held.next().is_none())?;
                let source = source(value).filter(|_| key == name)?;
                Some((Self::Query { name: name.clone() }, source))
            }
        }
    }

    pub(super) fn is_header(&self, header: &HeaderName) -> bool {
        match self {
            Self::Header { name, .. } => name == header,
            Self::Basic { .. } => header == header::AUTHORIZATION,
            Self::Cookie { .. } => header == header::COOKIE,
            Self::Query { .. } | Self::WholeQuery => false,
        }
    }

    pub(super) fn is_parameter(&self, parameter: &str) -> bool {
        match self {
            Self::WholeQuery => true,
            Self::Query { name } => name == parameter,
            _ => false,
        }
    }

    pub(super) fn same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Query { name }, _) => other.is_parameter(name),
            (Self::WholeQuery, _) => matches!(other, Self::Query { .. } | Self::WholeQuery),
            (Self::Header { name, .. }, _) => other.is_header(name),
            (Self::Basic { .. }, _) => other.is_header(&header::AUTHORIZATION),
            (Self::Cookie { .. }, _) => other.is_header(&header::COOKIE),
        }
    }

    /// The whole text of the place with `value` in it. None where the value can't stand there.
    pub(crate) fn filled(&self, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 3 + 64));
        match self {
            Self::Header { before, after, .. } => {
                text.extend_from_slice(before.as_bytes());
                text.extend_from_slice(value);
                text.extend_from_slice(after.as_bytes());
            }
            Self::Basic { other, is_user } => {
                // RFC 7617: a user id holds no colon.
                if *is_user && value.contains(&b':') {
                    return None;
                }
                let mut pair = Zeroizing::new(Vec::with_capacity(value.len() + other.len() + 1));
                let (user, password) = if *is_user { (value, other.as_bytes()) } else { (other.as_bytes(), value) };
                pair.extend_from_slice(user);
                pair.push(b':');
                pair.extend_from_slice(password);
                let coded = Zeroizing::new(STANDARD.encode(&*pair));
                text.extend_from_slice(b"Basic ");
                text.extend_from_slice(coded.as_bytes());
            }
            Self::Cookie { name } => {
                text.extend_from_slice(name.as_bytes());
                text.push(b'=');
                text.extend_from_slice(value);
            }
            Self::WholeQuery => text.extend_from_slice(value),
            Self::Query { .. } => {
                for byte in value {
                    match byte {
                        b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => text.push(*b),
                        b => text.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
                    }
                }
            }
        }
        Some(text)
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The text of a header that has exactly one line.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    line.to_str().ok()
}
