//! Fields of answers that are secrets of their own, taken out before the agent sees them: it gets a placeholder for each, which goes
//! back to the same origin and nowhere else.

use super::Outbound;
use crate::audit::Event;
use crate::manifest::Seal;
use crate::policy::{Permit, Sealed};
use http::{HeaderMap, HeaderValue, header};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Most bytes of a sealed string of a body; a longer one is taken out without a placeholder.
const MAX_STRING: usize = 16 * 1024;
/// Most bytes of a key in a JSON body that are compared.
const MAX_KEY: usize = 256;
/// Deepest nesting of a JSON body that is followed.
const MAX_DEPTH: usize = 64;

/// What is sealed in one answer.
#[derive(Clone)]
pub(super) struct Sealing {
    outbound: Arc<Outbound>,
    origin: String,
    request: u64,
    seals: Vec<(usize, Seal)>,
}

impl Sealing {
    /// What the request's grants seal, if anything.
    pub(super) fn of(permit: &Permit, outbound: &Arc<Outbound>, request: u64) -> Option<Self> {
        let seals = permit.seals().to_vec();
        (!seals.is_empty()).then(|| Self { outbound: Arc::clone(outbound), origin: permit.url().origin_pattern(), request, seals })
    }

    /// Seals headers in place.
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        for (secret, seal) in &self.seals {
            match seal {
                Seal::Header(name) => {
                    for value in headers.get_all(name).iter().cloned().collect::<Vec<_>>() {
                        let placeholder = self.seal(*secret, value.as_bytes(), None, seal);
                        headers.insert(name, HeaderValue::from_str(&placeholder).unwrap_or(HeaderValue::from_static("[sealed]")));
                    }
                }
                Seal::SetCookie => {
                    let lines: Vec<HeaderValue> =
                        headers.get_all(header::SET_COOKIE).iter().map(|line| self.cookie(*secret, line)).collect();
                    headers.remove(header::SET_COOKIE);
                    lines.into_iter().for_each(|line| {
                        headers.append(header::SET_COOKIE, line);
                    });
                }
                Seal::Json(_) => {}
            }
        }
    }

    /// A cookie's line (RFC 6265 4.1.1) with a placeholder for its value.
    fn cookie(&self, secret: usize, line: &HeaderValue) -> HeaderValue {
        let unreadable = HeaderValue::from_static("[sealed]");
        let Ok(line) = line.to_str() else { return unreadable };
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let Some((name, value)) = pair.split_once('=') else { return unreadable };
        let bare = value.trim().trim_matches('"');
        // A cookie that is taken back has no value to seal.
        let placeholder = if bare.is_empty() {
            String::new()
        } else {
            self.seal(secret, bare.as_bytes(), Some(name.trim().to_owned()), &Seal::SetCookie)
        };
        let attributes: String =
            attributes.split(';').filter(|attribute| is_attribute(attribute)).map(|attribute| format!(";{attribute}")).collect();
        HeaderValue::from_str(&format!("{name}={placeholder}{attributes}")).unwrap_or(unreadable)
    }

    /// What seals strings of a body, if a grant names some.
    pub(super) fn body(&self) -> Option<JsonSealer> {
        let pointers = self.seals.iter().any(|(_, seal)| matches!(seal, Seal::Json(_)));
        pointers.then(|| JsonSealer { sealing: self.clone(), path: Vec::new(), state: State::Between, dead: false })
    }

    fn seal(&self, secret: usize, value: &[u8], cookie: Option<String>, field: &Seal) -> String {
        let bound = Sealed { origin: self.origin.clone(), cookie };
        let name = self.outbound.keyring.get(secret).map(|key| key.name.as_str()).unwrap_or_default();
        let Some((placeholder, new)) = self.outbound.keyring.seal(secret, value, bound, self.outbound.cache.fingerprint_key()) else {
            return format!("[sealed:{name}]");
        };
        if new {
            self.outbound.renew_scrubber();
            let field = field.to_string();
            let _ = self.outbound.journal.record(Event::Sealed { request: self.request, secret: name, field: &field });
        }
        placeholder
    }
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

/// Seals strings of a JSON body as it streams past. It follows the nesting and looks at nothing else; what is not JSON passes.
pub(super) struct JsonSealer {
    sealing: Sealing,
    path: Vec<Level>,
    state: State,
    /// Nested too deep to be followed any more.
    dead: bool,
}

/// One container that is open.
struct Level {
    /// In an array, the index of the element; in an object, none.
    index: Option<usize>,
    /// The key of the member.
    key: Vec<u8>,
    /// Whether a string here is a key.
    at_key: bool,
}

enum State {
    Between,
    /// In a string; whether the last byte was a backslash.
    String {
        escaped: bool,
        of: Of,
    },
}

enum Of {
    Key,
    Value,
    /// A string that is sealed, for this secret by this field; and what came of it.
    Sealed(usize, Seal, Zeroizing<Vec<u8>>),
}

impl JsonSealer {
    /// Takes a piece of the body in, and gives it with sealed strings replaced.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len());
        for byte in piece {
            self.step(*byte, &mut out);
        }
        out
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Between => {
                out.push(byte);
                self.between(byte);
            }
            State::String { escaped, of } => {
                let ends = byte == b'"' && !*escaped;
                *escaped = byte == b'\\' && !*escaped;
                match of {
                    Of::Key if !ends => {
                        if let Some(level) = self.path.last_mut().filter(|level| level.key.len() < MAX_KEY) {
                            level.key.push(byte);
                        }
                    }
                    Of::Sealed(_, _, held) if !ends && held.len() < MAX_STRING => held.push(byte),
                    _ => {}
                }
                if !ends {
                    if !matches!(of, Of::Sealed(..)) {
                        out.push(byte);
                    }
                    return;
                }
                if let State::String { of: Of::Sealed(secret, seal, held), .. } = std::mem::replace(&mut self.state, State::Between) {
                    out.extend_from_slice(self.placeholder(secret, &seal, &held).as_bytes());
                }
                out.push(byte);
            }
        }
    }

    /// A byte outside strings.
    fn between(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' if self.path.len() >= MAX_DEPTH => self.dead = true,
            b'{' => self.path.push(Level { index: None, key: Vec::new(), at_key: true }),
            b'[' => self.path.push(Level { index: Some(0), key: Vec::new(), at_key: false }),
            b'}' | b']' => {
                self.path.pop();
            }
            b',' => {
                if let Some(level) = self.path.last_mut() {
                    level.at_key = level.index.is_none();
                    level.index = level.index.map(|index| index + 1);
                }
            }
            b':' => {
                if let Some(level) = self.path.last_mut() {
                    level.at_key = false;
                }
            }
            b'"' => {
                let of = match self.path.last_mut() {
                    Some(level) if level.at_key => {
                        level.key.clear();
                        Of::Key
                    }
                    _ => self.sealed_here().map_or(Of::Value, |(secret, seal)| Of::Sealed(secret, seal, Zeroizing::default())),
                };
                self.state = State::String { escaped: false, of };
            }
            _ => {}
        }
    }

    /// The secret and the field by which a string at this place is sealed. Where the nesting is lost, every string is.
    fn sealed_here(&self) -> Option<(usize, Seal)> {
        let named = |tokens: &[String]| {
            let level = |(level, token): (&Level, &String)| match level.index {
                Some(index) => index.to_string() == *token,
                None => serde_json::from_slice::<String>(&[b"\"", level.key.as_slice(), b"\""].concat()).is_ok_and(|key| key == *token),
            };
            self.path.len() == tokens.len() && self.path.iter().zip(tokens).all(level)
        };
        let is = |(_, seal): &&(usize, Seal)| matches!(seal, Seal::Json(tokens) if self.dead || named(tokens));
        self.sealing.seals.iter().find(is).cloned()
    }

    fn placeholder(&self, secret: usize, seal: &Seal, held: &[u8]) -> String {
        let text: Option<String> = serde_json::from_slice(&[b"\"", held, b"\""].concat()).ok();
        match text.map(Zeroizing::new).filter(|text| !text.is_empty() && held.len() < MAX_STRING && !self.dead) {
            Some(text) => self.sealing.seal(secret, text.as_bytes(), None, seal),
            None if held.is_empty() => String::new(),
            None => "[sealed]".to_owned(),
        }
    }
}
