//! The session that an API gives to whoever sent the granted credential: sealed without a line in the manifest, for the same requests.

use super::{LEAST_BITS, SHORTEST, Sealing, is_attribute};
use crate::manifest::Seal;
use crate::policy::session::{Back, is_infrastructure, is_session};
use crate::policy::{Permit, Sealed};
use crate::scrub::carries;
use http::{HeaderMap, HeaderName, HeaderValue, header};

impl Sealing {
    /// Seals the cookies and the session headers of an answer that no line of the manifest seals.
    pub(super) fn session(&self, headers: &mut HeaderMap) {
        let Some(secret) = self.session else { return };
        let is_named = |seal: &Seal| self.permit.seals().iter().any(|(_, known)| known == seal);
        if !is_named(&Seal::SetCookie) {
            let lines: Vec<HeaderValue> = headers
                .get_all(header::SET_COOKIE)
                .iter()
                .map(|line| self.session_cookie(secret, line).unwrap_or_else(|| line.clone()))
                .collect();
            headers.remove(header::SET_COOKIE);
            for line in lines {
                headers.append(header::SET_COOKIE, line);
            }
        }
        let names: Vec<HeaderName> =
            headers.keys().filter(|name| is_session(name) && !is_named(&Seal::Header((*name).clone()))).cloned().collect();
        for name in names {
            let Some(text) = headers.get(&name).and_then(|value| value.to_str().ok()).map(str::to_owned) else { continue };
            let shown = self.given(secret, &text, Back::Header(name.clone()), &format!("header:{name}"));
            if let Some(placeholder) = shown.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, placeholder);
            }
        }
    }

    /// A cookie's line with a placeholder for its value, if it is to have one.
    fn session_cookie(&self, secret: usize, line: &HeaderValue) -> Option<HeaderValue> {
        let text = line.to_str().ok()?;
        let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
        let (name, value) = pair.split_once('=')?;
        let (name, bare) = (name.trim(), value.trim().trim_matches('"'));
        if is_infrastructure(name) {
            return None;
        }
        let placeholder = self.given(secret, bare, Back::Cookie(name.to_owned()), "set-cookie")?;
        let attributes: String =
            attributes.split(';').filter(|attribute| is_attribute(attribute)).map(|attribute| format!(";{attribute}")).collect();
        HeaderValue::from_str(&format!("{name}={placeholder}{attributes}")).ok()
    }

    /// A placeholder for what an answer gives; none where the guest has it as it is: what is too short to be a secret goes back so, and what
    /// the run itself has sent, or the host looks for, does not go back at all.
    fn given(&self, secret: usize, value: &str, back: Back, field: &str) -> Option<String> {
        if value.is_empty() || self.outbound.session.scrubber().finds(value.as_bytes()) && !self.is_sealed_already(value) {
            return None;
        }
        if value.len() < SHORTEST || !carries(value.as_bytes(), LEAST_BITS) {
            let name = match &back {
                Back::Cookie(name) => name,
                Back::Header(name) => name.as_str(),
                Back::Granted | Back::Query(_) | Back::Access(_) | Back::Refresh | Back::Nowhere => "",
            };
            if !self.outbound.sent().may_hold_short(name, value) {
                self.outbound.session.keyring.placeholders.issue(&self.origin(), back, value, Some(secret));
            }
            return None;
        }
        self.bind(secret, value.as_bytes(), Sealed { origin: self.origin(), back, with: Some(secret) }, field)
    }

    /// Whether it is what an answer brought before: an API may say its session again and again.
    fn is_sealed_already(&self, value: &str) -> bool {
        self.outbound.session.keyring.sealed().iter().any(|known| known.version.value.equals(value.as_bytes()))
    }
}

/// Whether an answer gives something that goes back.
pub(super) fn is_given(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == header::SET_COOKIE || is_session(name))
}

/// Lets the cookies of what stands in front of a host go back to it as they are: they open no account.
pub(in crate::egress) fn infrastructure(outbound: &super::Outbound, permit: &Permit, headers: &HeaderMap) {
    for line in headers.get_all(header::SET_COOKIE) {
        let pair = line.to_str().ok().and_then(|line| line.split(';').next()?.split_once('='));
        if let Some((name, value)) = pair.map(|(name, value)| (name.trim(), value.trim()))
            && is_infrastructure(name)
            && !value.is_empty()
            && !outbound.session.scrubber().finds(value.as_bytes())
        {
            outbound.session.keyring.placeholders.issue(&permit.url().origin_pattern(), Back::Cookie(name.to_owned()), value, None);
        }
    }
}
