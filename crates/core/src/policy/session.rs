//! What an API gives an agent to send back: a cookie, the id of a session, a token against forged requests.
//!
//! An agent that is told to log in to somebody else's account gets a session as well, so the fact that one came back is not enough. What a
//! response brings is the API's own for this run only where the request carried the granted credential, and it goes back only with that.

use super::permit::Substitution;
use super::placeholder::{Placeholders, Source};
use crate::credential::{Scheme, Target, cookies};
use crate::manifest::{HostPattern, Place};
use crate::url::CanonicalUrl;
use http::{HeaderMap, HeaderName, header};

/// Where something that an answer brought goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// Where the grant that sealed it says.
    Granted,
    /// Into the cookie of this name.
    Cookie(String),
    /// Into the header of this name.
    Header(HeaderName),
    /// As the whole query of a URL with this path.
    Query(String),
    /// As an access token, in the head of requests to these hosts; where there are none, to its origin.
    Access(Vec<HostPattern>),
    /// As a refresh token, in the body of requests to its origin.
    Refresh,
    /// Nowhere.
    Nowhere,
}

impl Back {
    /// Whether a grant's place for what it seals, in a request to this URL, is one for something that came from `origin`.
    pub(super) fn goes(&self, origin: &str, place: &Place, url: &CanonicalUrl) -> bool {
        let is_origin = || url.origin_pattern() == origin;
        match self {
            Self::Granted => is_origin(),
            Self::Access(hosts) if hosts.is_empty() => !place.is_field() && is_origin(),
            Self::Access(hosts) => !place.is_field() && hosts.iter().any(|host| host.matches(url.scheme, &url.host, url.port)),
            Self::Refresh => place.is_field() && is_origin(),
            Self::Cookie(_) | Self::Header(_) | Self::Query(_) | Self::Nowhere => false,
        }
    }

    /// Whether it is a place that holds one thing at a time, so that what is newer takes the place of what was there.
    pub(super) fn is_single(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::Header(_))
    }
}

/// Something short that an answer brought and that is no secret: the guest has it as it is.
#[derive(Debug)]
pub(super) struct Issued {
    origin: String,
    back: Back,
    value: String,
    /// The secret that has to stand in a request with it; none for what guards no account.
    with: Option<usize>,
}

/// Values that are kept of one run; the oldest go first.
const MOST_ISSUED: usize = 256;

/// Cookies of what stands in front of an API: they tell robots from browsers and one machine from another, and open no account.
const INFRASTRUCTURE: &[&str] =
    &["__cf_bm", "_cfuvid", "__cflb", "__cfruid", "cf_clearance", "AWSALB", "AWSALBCORS", "AWSALBTG", "AWSALBTGCORS"];

/// Cookies whose value a client copies into a header, against forged requests.
const COPIED: &[(&str, &str)] =
    &[("XSRF-TOKEN", "x-xsrf-token"), ("csrftoken", "x-csrftoken"), ("CSRF-TOKEN", "x-csrf-token"), ("_csrf", "csrf-token")];

/// Whether a cookie of that name opens nothing.
pub fn is_infrastructure(cookie: &str) -> bool {
    INFRASTRUCTURE.contains(&cookie)
}

/// Whether an answer's header of that name is for the client to send back.
pub fn is_session(name: &HeaderName) -> bool {
    const WORDS: &[&str] = &["session", "sessionid", "csrf", "xsrf", "csrftoken", "xsrftoken", "token"];
    let name = name.as_str();
    !name.starts_with("access-control-") && name.split(['-', '_']).any(|word| WORDS.contains(&word))
}

/// What of a request goes back to where it came from.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The sealed cookies, by their values' sources, and what stands beside them.
    pub(super) cookies: Vec<(usize, Source, String)>,
    pub(super) plain_cookies: Vec<String>,
    /// Headers that are sealed as a whole.
    pub(super) headers: Vec<(usize, Source, HeaderName)>,
    /// The query of a signed URL.
    pub(super) query: Option<(usize, Source)>,
    /// Headers that hold what the guest has as it is, and nothing else.
    pub(super) passes: Vec<HeaderName>,
    /// Whether beside a cookie that a grant fills there are others, which did not come from the origin.
    pub(super) has_others: bool,
}

impl Session {
    /// Adds what goes back into a request to what its grants put there, which come first in a place that is no cookie. Gives the headers that
    /// hold what the guest has as it is, and the cookies of that kind.
    pub(super) fn join(self, substitutions: &mut Vec<Substitution>) -> (Vec<HeaderName>, Vec<String>) {
        let back = |secret, source, target, place: String| Substitution::new(secret, source, Scheme::Template(target), place.into());
        let cookies = self.cookies.into_iter().map(|(secret, source, name)| {
            let place = format!("cookie:{name}");
            back(secret, source, Target::Cookie { name }, place)
        });
        let headers = self.headers.into_iter().map(|(secret, source, name)| {
            let place = format!("header:{name}");
            back(secret, source, Target::Header { name, before: String::new(), after: String::new() }, place)
        });
        let query = self.query.map(|(secret, source)| back(secret, source, Target::WholeQuery, "query".to_owned()));
        for substitution in cookies.chain(headers).chain(query) {
            let is_free = |target: &Target| target.cookie().is_some() || !substitutions.iter().any(|s| s.scheme.fills(target));
            if substitution.scheme.target().is_some_and(is_free) {
                substitutions.push(substitution);
            }
        }
        (self.passes, self.plain_cookies)
    }
}

impl Placeholders {
    /// Keeps something that the guest may send back as it is.
    pub fn issue(&self, origin: &str, back: Back, value: &str, with: Option<usize>) {
        let mut issued = self.issued.write();
        issued.retain(|known| known.origin != origin || known.back != back);
        if issued.len() >= MOST_ISSUED {
            issued.remove(0);
        }
        issued.push(Issued { origin: origin.to_owned(), back, value: value.to_owned(), with });
    }

    /// The secret whose cookie the origin has replaced: in the place of the one that is granted stands what an answer brought with it.
    pub(super) fn renewed<'g>(
        &self,
        headers: &HeaderMap,
        url: &CanonicalUrl,
        mut granted: impl Iterator<Item = (usize, &'g str)>,
    ) -> Option<usize> {
        let (pairs, origin, sealed) = (cookies(headers)?, url.origin_pattern(), self.sealed.read());
        let is_of = |known: &super::placeholder::SealedEntry, secret: usize, name: &str| {
            let bound = &known.bound;
            bound.origin == origin
                && bound.with == Some(secret)
                && matches!(&bound.back, Back::Cookie(of) if of == name)
                && pairs.contains(&(name, &known.entry.text))
        };
        granted.find(|(secret, name)| sealed.iter().any(|known| is_of(known, *secret, name))).map(|(secret, _)| secret)
    }

    /// What of a request came from its own origin, where it carries these secrets. Cookies of the names in `filled` are filled by grants.
    pub(super) fn session(&self, headers: &HeaderMap, url: &CanonicalUrl, carried: &[usize], filled: &[&str]) -> Session {
        let is_there = |with: Option<usize>| with.is_none_or(|secret| carried.contains(&secret));
        let sealed = self.sealed.read();
        let issued = self.issued.read();
        let mut session = Session::default();
        if sealed.is_empty() && issued.is_empty() && filled.is_empty() {
            return session;
        }
        let origin = url.origin_pattern();
        let find_sealed = |text: &str, back: &Back| {
            let is = |known: &&super::placeholder::SealedEntry| {
                known.entry.text == text && known.bound.origin == origin && known.bound.back == *back && is_there(known.bound.with)
            };
            sealed.iter().find(is).map(|known| (known.entry.secret, Source::Sealed(known.number)))
        };
        let is_issued = |text: &str, back: &Back| {
            issued.iter().any(|known| known.value == text && known.origin == origin && known.back == *back && is_there(known.with))
        };

        if headers.contains_key(header::COOKIE) {
            let pairs = cookies(headers).unwrap_or_default();
            let once = (1..pairs.len()).all(|at| !pairs[..at].iter().any(|(name, _)| *name == pairs[at].0));
            let all = pairs.iter().try_for_each(|(name, value)| {
                if filled.contains(name) {
                    return Some(());
                }
                let back = Back::Cookie((*name).to_owned());
                match find_sealed(value, &back) {
                    Some((secret, source)) => session.cookies.push((secret, source, (*name).to_owned())),
                    None if is_issued(value, &back) => session.plain_cookies.push(format!("{name}={value}")),
                    None => return None,
                }
                Some(())
            });
            // More than one line, or what is no list of pairs, holds no pair that is known.
            let is_odd = pairs.is_empty() && !filled.is_empty();
            if all.is_none() || !once || is_odd {
                session = Session { has_others: !filled.is_empty(), ..Session::default() };
            } else if filled.is_empty() && session.cookies.is_empty() && !session.plain_cookies.is_empty() {
                session.passes.push(header::COOKIE);
            }
        }
        session.query = url.query.as_ref().and_then(|query| find_sealed(query, &Back::Query(url.path.clone())));
        for name in headers.keys().filter(|name| **name != header::COOKIE) {
            let Some(text) = crate::credential::single(headers, name) else { continue };
            let copied = COPIED.iter().filter(|(_, header)| *header == name.as_str()).map(|(cookie, _)| Back::Cookie((*cookie).to_owned()));
            let origins: Vec<Back> = copied.chain([Back::Header(name.clone())]).collect();
            match origins.iter().find_map(|back| find_sealed(text, back)) {
                Some((secret, source)) => session.headers.push((secret, source, name.clone())),
                None if origins.iter().any(|back| is_issued(text, back)) => session.passes.push(name.clone()),
                None => {}
            }
        }
        session
    }
}
