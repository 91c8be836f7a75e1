//! Fields of responses that are secrets of their own, taken out before the agent sees them: it gets a placeholder for each, which goes back
//! to the same origin and nowhere else.
//!
//! A field of a body is sealed before anything of the response is handed on, its head included. Where a successful response is not JSON, or
//! has no such field, it is withheld: what is to be sealed may be in it in some other way.

mod json;
mod login;
mod sent;
mod session;
mod signed;
mod token_response;
mod tokens;

pub(crate) use sent::Sent;
pub(super) use session::infrastructure;
pub(super) use tokens::RefreshToken;

use super::Outbound;
use crate::audit::Event;
use crate::manifest::Seal;
use crate::policy::session::Back;
use crate::policy::{Permit, Sealed};
use crate::scrub::{Known, Replacement, carries};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest sealed value, in bytes; a longer one is taken out without a placeholder.
const LONGEST: usize = 16 * 1024;
/// Shortest one, in bytes, and the random bits that it may carry at least: what is shorter could not be told in text.
const SHORTEST: usize = 8;
const LEAST_BITS: u32 = 32;
/// Longest body that fields are sealed in, in bytes.
const LONGEST_BODY: usize = 1 << 20;

/// What is sealed in one answer.
#[derive(Clone)]
pub(super) struct Sealing {
    outbound: Arc<Outbound>,
    permit: Arc<Permit>,
    request: u64,
    /// The secret that the request carried, where what its answer brings is a session of that.
    session: Option<usize>,
}

impl Sealing {
    /// What the request's grants seal; and what its answer brings of itself, where it carried this secret.
    pub(super) fn of(permit: &Arc<Permit>, outbound: &Arc<Outbound>, request: u64, carried: Option<usize>, headers: &HeaderMap) -> Self {
        let logs_in = || permit.carries_own() || outbound.sent().holds_login(request);
        let session = carried.filter(|_| session::is_given(headers) && !logs_in());
        Self { outbound: Arc::clone(outbound), permit: Arc::clone(permit), request, session }
    }

    /// Seals headers in place.
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        for (secret, seal) in self.permit.seals() {
            match seal {
                Seal::Header(name) => {
                    for value in headers.get_all(name).iter().cloned().collect::<Vec<_>>() {
                        let sealed =
                            self.seal(*secret, value.as_bytes(), Back::Granted, &seal.to_string()).unwrap_or_else(|| self.mark(*secret));
                        headers.insert(name, HeaderValue::from_str(&sealed).unwrap_or(HeaderValue::from_static("[sealed]")));
                    }
                }
                Seal::SetCookie => {
                    let lines: Vec<HeaderValue> =
                        headers.get_all(header::SET_COOKIE).iter().filter_map(|line| self.cookie(*secret, line)).collect();
                    headers.remove(header::SET_COOKIE);
                    lines.into_iter().for_each(|line| {
                        headers.append(header::SET_COOKIE, line);
                    });
                }
                Seal::Json(_) | Seal::OAuth2(_) => {}
            }
        }
        self.location(headers);
        self.session(headers);
    }

    /// A cookie's line (RFC 6265 4.1.1) with a placeholder for its value; none where that can't have one, since an agent would send back what
    /// stands there.
    fn cookie(&self, secret: usize, line: &HeaderValue) -> Option<HeaderValue> {
        let line = line.to_str().ok()?;
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=')?;
        let bare = value.trim().trim_matches('"');
        // A cookie that is taken back has no value to seal.
        let placeholder = match bare {
            "" => String::new(),
            bare => self.seal(secret, bare.as_bytes(), Back::Cookie(name.trim().to_owned()), "set-cookie")?,
        };
        let attributes: String =
            attributes.split(';').filter(|attribute| is_attribute(attribute)).map(|attribute| format!(";{attribute}")).collect();
        HeaderValue::from_str(&format!("{name}={placeholder}{attributes}")).ok()
    }

    /// What holds a body back until its fields are sealed, or otherwise taken care of, if a grant names some.
    pub(super) fn body(&self, status: StatusCode) -> Option<SealedBody> {
        let names = self.seals_fields() || !self.permit.answers_allowed().is_empty() || self.permit.signed_urls().iter().any(is_field);
        let has_to = status.is_success() && self.seals_fields();
        names.then(|| SealedBody { sealing: self.clone(), has_to, held: Zeroizing::default() })
    }

    /// Whether fields are sealed: then what can't be read is withheld. What else is named is looked for as far as it can be.
    fn seals_fields(&self) -> bool {
        self.permit.seals().iter().any(is_field)
    }

    /// A placeholder for a value; none where it is too short or too long for one, or may be the run's own.
    fn seal(&self, secret: usize, value: &[u8], back: Back, field: &str) -> Option<String> {
        self.bind(secret, value, Sealed { origin: self.origin(), back, with: None }, field)
    }

    fn bind(&self, secret: usize, value: &[u8], bound: Sealed, field: &str) -> Option<String> {
        if !(SHORTEST..=LONGEST).contains(&value.len()) || !carries(value, LEAST_BITS) {
            return None;
        }
        if self.outbound.sent().may_hold(value) {
            return None;
        }
        let (placeholder, new) = self.outbound.session.keyring.seal(secret, value, bound)?;
        if new {
            self.outbound.session.renew_scrubber();
            let _ = self.outbound.session.journal.record(Event::Sealed {
                request: self.request,
                secret: self.name(secret).into(),
                field: field.into(),
            });
        }
        Some(placeholder)
    }

    /// Where it came from, and where what it brings goes back to.
    fn origin(&self) -> String {
        self.permit.url().origin_pattern()
    }

    fn name(&self, secret: usize) -> &str {
        self.outbound.session.policy.name_of(secret)
    }

    /// What stands for a value that has no placeholder.
    fn mark(&self, secret: usize) -> String {
        format!("[sealed:{}]", self.name(secret))
    }
}

fn is_field((_, seal): &(usize, Seal)) -> bool {
    matches!(seal, Seal::Json(_) | Seal::OAuth2(_))
}

/// Whether this is an attribute of a cookie that an agent may read: a known one, with nothing else in it. Older servers put several
/// cookies into one line, and values may hold semicolons.
fn is_attribute(text: &str) -> bool {
    const KNOWN: &[&str] = &["expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "priority", "partitioned"];
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let name = name.trim().to_ascii_lowercase();
    let commas = value.matches(',').count();
    KNOWN.contains(&name.as_str()) && !value.contains('=') && value.len() <= 64 && commas <= usize::from(name == "expires")
}

/// Asks for JSON where fields of it are sealed: in another form they would not be found.
pub(super) fn shape_answer(headers: &mut HeaderMap, permit: &Permit) {
    let seals = |is: fn(&Seal) -> bool| permit.seals().iter().any(|(_, seal)| is(seal));
    let (fields, tokens) = (seals(|seal| matches!(seal, Seal::Json(_))), seals(|seal| matches!(seal, Seal::OAuth2(_))));
    // A token endpoint that is asked for nothing answers as it always does, and client libraries rely on that.
    if !fields && (!tokens || !headers.contains_key(header::ACCEPT)) {
        return;
    }
    let is_json =
        |kind: &str| kind.trim() == "application/json" || kind.trim().starts_with("application/") && kind.trim().ends_with("+json");
    let is_form = |kind: &str| matches!(kind.trim(), "application/x-www-form-urlencoded" | "*/*" | "application/*");
    let is_wanted = |kind: &str| is_json(kind) || !fields && is_form(kind);
    let mut lines = headers.get_all(header::ACCEPT).iter();
    let asks = lines.next().and_then(|line| line.to_str().ok()).is_some_and(|line| line.split(',').all(is_wanted));
    if !asks || lines.next().is_some() {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    }
}

/// A body whose fields are sealed: held until it is there whole.
pub(super) struct SealedBody {
    sealing: Sealing,
    /// Whether it must have the fields.
    has_to: bool,
    held: Zeroizing<Vec<u8>>,
}

/// Why an answer is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withheld {
    TooLong,
    NotJson,
    Missing,
    NotTokens,
    NoToken,
    Twice,
    TokenType,
    NotKept,
}

impl Withheld {
    /// For the audit log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "withheld: the manifest seals a field of it, and it is longer than 1 MiB",
            Self::NotJson => "withheld: the manifest seals a field of it, and it is not JSON in UTF-8",
            Self::Missing => "withheld: a field that the manifest seals is missing, or is not a string",
            Self::NotTokens => "withheld: the manifest seals its tokens, and it is neither a JSON object nor a form",
            Self::NoToken => "withheld: the manifest seals its tokens, and its `access_token` is missing, or is not a string",
            Self::Twice => "withheld: the manifest seals its tokens, and it has a name twice",
            Self::TokenType => "withheld: the manifest seals its tokens, and their type is not `bearer`",
            Self::NotKept => "withheld: its refresh token could not be written to where the manifest keeps it",
        }
    }

    /// For the agent.
    pub(super) fn for_guest(self) -> String {
        match self {
            Self::NotKept => format!("strongroom: the response is {}", self.reason()),
            _ => format!(
                "strongroom: the response is {}; an `allow` with that `seal` should cover only the calls that return it",
                self.reason()
            ),
        }
    }
}

/// A text that rules may find: which rule, or all.
pub(super) type Allowed = (Option<String>, String);

/// A body of which everything has been taken care of that the manifest names.
#[derive(Default)]
pub(super) struct Edited {
    pub(super) body: Vec<u8>,
    /// What rules may find in it.
    pub(super) allowed: Vec<Allowed>,
    /// What it brought, as it is looked for in the rest of the answer.
    pub(super) brought: Vec<(Arc<Known>, Replacement)>,
    /// What has to be written down before any of it is handed on.
    pub(super) kept: Option<RefreshToken>,
}

impl SealedBody {
    /// Takes a piece in. Where the body is too long for the rest to be waited for, and nothing is sealed in it, gives what is held.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Option<Vec<u8>>, Withheld> {
        if self.held.len() + piece.len() > LONGEST_BODY && self.sealing.seals_fields() {
            return Err(Withheld::TooLong);
        }
        self.held.extend_from_slice(piece);
        Ok((self.held.len() > LONGEST_BODY).then(|| std::mem::take(&mut *self.held)))
    }

    /// The whole body with its fields sealed.
    pub(super) fn finish(self) -> Result<Edited, Withheld> {
        if self.held.is_empty() {
            return Ok(Edited::default());
        }
        match self.sealed() {
            Ok(sealed) => Ok(sealed),
            // What is no success need not hold anything, and may be a page that says why.
            Err(_) if !self.has_to => Ok(Edited { body: self.held.to_vec(), ..Edited::default() }),
            Err(withheld) => Err(withheld),
        }
    }

    fn sealed(&self) -> Result<Edited, Withheld> {
        if let Some((secret, tokens)) = self.sealing.tokens() {
            return self.sealing.token_response(&self.held, secret, tokens, self.has_to);
        }
        let text = std::str::from_utf8(&self.held).map_err(|_| Withheld::NotJson)?;
        let mut allowed = self.sealing.allowed(text);
        let mut replaced: Vec<(Range<usize>, String)> = self.sealing.signed(text, &mut allowed);
        for (secret, seal) in self.sealing.permit.seals() {
            let Seal::Json(tokens) = seal else { continue };
            let found = match json::find(text, tokens) {
                Ok(found) => found,
                Err(Withheld::Missing) if !self.has_to => continue,
                Err(withheld) => return Err(withheld),
            };
            for field in found {
                if !replaced.iter().any(|(at, _)| *at == field.at) {
                    let value = Zeroizing::new(field.text);
                    let sealed = self
                        .sealing
                        .seal(*secret, value.as_bytes(), Back::Granted, &seal.to_string())
                        .unwrap_or_else(|| self.sealing.mark(*secret));
                    replaced.push((field.at, format!("\"{sealed}\"")));
                }
            }
        }
        replaced.sort_by_key(|(at, _)| at.start);
        let (mut out, mut from) = (Vec::with_capacity(text.len()), 0);
        for (at, sealed) in &replaced {
            out.extend_from_slice(&self.held[from..at.start]);
            out.extend_from_slice(sealed.as_bytes());
            from = at.end;
        }
        out.extend_from_slice(&self.held[from..]);
        Ok(Edited { body: out, allowed, ..Edited::default() })
    }
}
