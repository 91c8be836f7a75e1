//! A token response whose tokens are sealed: the agent's library reads what it expects, and no token is in it.

use super::token_response::{Found, Kind, TokenResponse};
use super::{Edited, LEAST_BITS, SHORTEST, Sealing, Withheld};
use crate::manifest::{Seal, Tokens};
use crate::policy::session::Back;
use crate::scrub::{Known, Replacement, carries};
use crate::secrets::{Deposit, Written};
use crate::session::TELLING;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;
use std::sync::Arc;

/// A refresh token that outlives the run, and the secret that it is kept as.
pub(in crate::egress) struct RefreshToken {
    pub(in crate::egress) secret: String,
    pub(in crate::egress) token: Deposit,
}

/// What stands in the place of a token.
struct Shown {
    text: String,
    /// Whether it is a JWT that rules would find.
    is_allowed: bool,
}

impl Sealing {
    /// Whose tokens are sealed in this answer, and how.
    pub(super) fn tokens(&self) -> Option<(usize, &Tokens)> {
        self.permit.seals().iter().find_map(|(secret, seal)| if let Seal::OAuth2(tokens) = seal { Some((*secret, tokens)) } else { None })
    }

    /// The body with its tokens sealed. `has_to`: as a successful answer, which is withheld where something speaks against it.
    pub(super) fn token_response(&self, body: &[u8], secret: usize, tokens: &Tokens, has_to: bool) -> Result<Edited, Withheld> {
        let text = std::str::from_utf8(body).map_err(|_| Withheld::NotTokens)?;
        let mut response = TokenResponse::read(text);
        if let Some(why) = response.wrong.filter(|_| has_to) {
            return Err(why);
        }
        response.found.sort_by_key(|found| found.at.start);
        let mut edited = Edited { body: Vec::with_capacity(text.len()), ..Edited::default() };
        let mut from = 0;
        for found in &response.found {
            let Shown { text: shown, is_allowed } = self.shown(found, secret, tokens);
            edited.body.extend_from_slice(&body[from..found.at.start]);
            match response.is_form {
                true => edited.body.extend_from_slice(percent_encoded(&shown).as_bytes()),
                false => edited.body.extend_from_slice(serde_json::Value::from(shown.as_str()).to_string().as_bytes()),
            }
            edited.allowed.extend(is_allowed.then_some((None, shown)));
            from = found.at.end;
        }
        edited.body.extend_from_slice(&body[from..]);
        // What is not searched for everywhere is so in this answer at least.
        let others = response.found.iter().filter(|found| is_looked_for(found));
        edited.brought = others.map(|found| (Arc::new(Known::new(found.text.as_bytes(), false)), self.taken_out(secret))).collect();
        edited.kept = has_to.then(|| self.kept(&response.found, tokens)).flatten();
        Ok(edited)
    }

    fn shown(&self, found: &Found, secret: usize, tokens: &Tokens) -> Shown {
        let (back, field) = match found.kind {
            Kind::Access => (Back::Access(tokens.hosts.clone()), "access_token"),
            Kind::Refresh => (Back::Refresh, "refresh_token"),
            Kind::Id if tokens.passes_id_token => return Shown { text: found.text.to_string(), is_allowed: true },
            Kind::Id => return self.id_token(&found.text, secret),
            Kind::Other => return Shown { text: self.mark(secret), is_allowed: false },
        };
        Shown { text: self.placeholder(secret, &found.text, back, field), is_allowed: false }
    }

    /// A placeholder for a token. What is a secret of the manifest keeps that one's: an answer makes it good for nothing else.
    fn placeholder(&self, secret: usize, token: &str, back: Back, field: &str) -> String {
        if let Some(known) = self.outbound.session.keyring.placeholder_of(token.as_bytes()) {
            return known;
        }
        if self.holds_a_secret(token) {
            return self.mark(secret);
        }
        self.seal(secret, token.as_bytes(), back, field).unwrap_or_else(|| self.mark(secret))
    }

    /// Whether a value of the manifest's secrets stands within it. One that an answer brought before may come again.
    fn holds_a_secret(&self, token: &str) -> bool {
        let session = &self.outbound.session;
        let is_known = session.scrubbing.values.of(&session.scrubber()).is_some_and(|values| values.finds(token.as_bytes()));
        is_known && !session.keyring.sealed().iter().any(|sealed| sealed.version.value.equals(token.as_bytes()))
    }

    /// An ID token (OpenID Connect Core 2) whose claims can be read, and whose signature verifies nowhere.
    fn id_token(&self, token: &str, secret: usize) -> Shown {
        let parts: Vec<&str> = token.split('.').collect();
        let is_coded = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let marked = || Shown { text: self.mark(secret), is_allowed: false };
        let [head, claims, signature] = parts.as_slice() else { return marked() };
        let mut random = vec![0; signature.len() * 3 / 4];
        // An encrypted one has nothing to read; one without a signature is signed by nobody.
        if !parts.iter().all(is_coded) || getrandom::fill(&mut random).is_err() {
            return marked();
        }
        let coded = URL_SAFE_NO_PAD.encode(&random);
        if coded.len() != signature.len() {
            return marked();
        }
        // It is looked for from here on, and goes nowhere.
        let _ = self.seal(secret, token.as_bytes(), Back::Nowhere, "id_token");
        Shown { text: format!("{head}.{claims}.{coded}"), is_allowed: true }
    }

    /// The refresh token that outlives the run, if the grant says so and there is a new one.
    fn kept(&self, found: &[Found], tokens: &Tokens) -> Option<RefreshToken> {
        let name = tokens.keep.as_ref()?;
        let token = &found.iter().find(|found| found.kind == Kind::Refresh && !found.is_nested)?.text;
        let is_known = self.outbound.session.keyring.placeholder_of(token.as_bytes()).is_some() || self.holds_a_secret(token);
        (!is_known).then(|| RefreshToken { secret: name.clone(), token: Deposit::new(token.as_bytes()) })
    }

    /// Has a refresh token written down.
    pub(in crate::egress) fn keep(&self, secret: String, token: Deposit) -> Written {
        self.outbound.session.keyring.keep(secret, token)
    }

    fn taken_out(&self, secret: usize) -> Replacement {
        Replacement::new(self.mark(secret), self.mark(secret))
    }
}

/// Whether a text is looked for in the rest of its answer, and not in all text: it has no placeholder, or is too long for that.
fn is_looked_for(found: &Found) -> bool {
    let is_elsewhere = TELLING.contains(&found.text.len()) && found.kind != Kind::Other;
    found.kind != Kind::Id && !is_elsewhere && found.text.len() >= SHORTEST && carries(found.text.as_bytes(), LEAST_BITS)
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            byte => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}
