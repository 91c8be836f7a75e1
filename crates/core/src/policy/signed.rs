//! Requests that are signed: by an agent's client library with placeholders, and by the host with what they stand for.

use super::{Asked, Denial, Destination, Placeholders, Rule, Source, Substitution, deny};
use crate::credential::hmac::Hmac;
use crate::credential::sigv4::{self, SigV4};
use crate::credential::{Fields, Scheme, Seen};
use crate::manifest::{Manifest, Misplaced, SchemeSpec, SecretSpec};
use crate::url::CanonicalUrl;
use http::HeaderMap;
use std::sync::Arc;

/// How a grant has requests signed.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    pub(super) spec: Arc<SchemeSpec>,
    /// The secrets that belong to the one that is granted, by their indices.
    pub(super) with: Vec<usize>,
    /// How records name it.
    pub(super) text: Arc<str>,
}

impl Signs {
    /// The scheme of a secret, where that signs.
    pub(super) fn of(secret: &SecretSpec, manifest: &Manifest) -> Option<Self> {
        let spec = secret.scheme.as_ref().filter(|spec| spec.has_own_places())?;
        let index = |name: &str| manifest.secrets.iter().position(|known| known.name == name);
        Some(Self { spec: Arc::clone(spec), with: spec.companions().filter_map(index).collect(), text: spec.name().into() })
    }

    /// Whether the headers leave it open that a request can be judged only with its body at hand.
    pub(super) fn may_read_body(&self, headers: &HeaderMap) -> bool {
        match &*self.spec {
            SchemeSpec::SigV4(_) => SigV4::may_read_body(headers),
            _ => true,
        }
    }

    /// Whether a request can be judged only with its body at hand.
    pub(super) fn reads_body(&self, seen: &Seen<'_>, method: &str) -> bool {
        match &*self.spec {
            SchemeSpec::SigV4(_) => SigV4::reads_body(seen, method),
            _ => true,
        }
    }

    /// The scheme that makes the credential of a request; `None` where there is nothing to make; or why what the agent has signed can't
    /// be taken for its own.
    fn find(
        &self,
        secret: usize,
        attach: bool,
        asked: &Asked<'_>,
        seen: &Seen<'_>,
        placeholders: &Placeholders,
    ) -> Result<Option<Scheme>, String> {
        match &*self.spec {
            SchemeSpec::Hmac(spec) => {
                let body = asked.body.ok_or("the host has not read its body")?;
                let parts = (asked.method.as_str(), body);
                let found = Hmac::find(spec, seen, parts, placeholders.text_of(secret), attach, asked.time)?;
                Ok(found.map(|found| Scheme::Hmac(Box::new(found))))
            }
            SchemeSpec::Jwt(_) | SchemeSpec::Oauth2(_) => Ok(None),
            SchemeSpec::SigV4(_) => {
                let (of_secret, prepared) = (placeholders.text_of(secret), placeholders.prepared(secret));
                let id = self.with.first().and_then(|index| placeholders.text_of(*index));
                // Where no agent runs there is nothing that could be signed.
                let (Some(secret), Some(prepared), Some(access_key_id)) = (of_secret, prepared, id) else { return Ok(None) };
                let session_token = self.with.get(1).and_then(|index| placeholders.text_of(*index));
                let pair = sigv4::Placeholders { secret, prepared, access_key_id, session_token };
                let found = SigV4::find(seen, asked.method.as_str(), asked.body, &pair, asked.time);
                found.transpose().map(|found| found.map(|found| Scheme::SigV4(Box::new(found)))).map_err(|why| why.to_string())
            }
        }
    }
}

/// What a request says of the key that has signed it, as AWS's libraries sign.
pub(super) struct Signer {
    /// The secret whose placeholder is the key's id.
    id: usize,
    /// The secret access key that the manifest names with it, where that has a grant.
    pub(super) key: Option<usize>,
}

impl Signer {
    /// `None` where the request is not signed, or with an id that is no placeholder.
    pub(super) fn of(asked: &Asked<'_>, url: &CanonicalUrl, placeholders: &Placeholders, all: &[Destination]) -> Option<Self> {
        let seen = Seen { headers: asked.headers, url, fields: Fields::Empty };
        let Some((id, "", "")) = placeholders.standing(&SigV4::key_id(&seen, asked.method.as_str())?) else { return None };
        let names = |d: &&Destination| {
            d.signs.as_ref().is_some_and(|signs| matches!(&*signs.spec, SchemeSpec::SigV4(_)) && signs.with.first() == Some(&id))
        };
        let key = all.iter().find(names).and_then(|d| Some(d.secret.as_ref()?.0));
        Some(Self { id, key })
    }

    /// What has to be granted for the host to sign the request, where it was not.
    pub(super) fn remedy(&self, secrets: &[String]) -> String {
        let name = |index: usize| secrets.get(index).map_or("", String::as_str);
        match self.key {
            Some(key) => format!("grant this request to the secret that signs it: add a `[[secrets.{}.allow]]` that covers it", name(key)),
            None => format!(
                "the host signs for AWS: add `sigv4 = {{ access_key_id = \"{}\" }}` to the table of the secret access key, and an `allow` \
                 that covers this request",
                name(self.id)
            ),
        }
    }
}

/// Adds the signatures that the host makes. A signature that no placeholder of a grant has made is denied.
pub(super) fn sign<'d>(
    open: &[&'d Destination],
    asked: &Asked<'_>,
    seen: &Seen<'_>,
    placeholders: &Placeholders,
    misplaced: Misplaced,
    found: &mut Vec<Substitution>,
    used: &mut Vec<&'d Destination>,
) -> Result<(), Denial> {
    let mut refused = None;
    for destination in open.iter().copied() {
        let (Some(signs), Some((secret, _))) = (&destination.signs, &destination.secret) else { continue };
        match signs.find(*secret, destination.attach, asked, seen, placeholders) {
            Ok(None) => {}
            Err(why) => refused = Some((why, signs)),
            Ok(Some(scheme)) => {
                if found.is_empty() {
                    used.clear();
                }
                found.push(Substitution::new(*secret, Source::Secret(*secret), scheme, Arc::clone(&signs.text)).with(&signs.with));
                used.push(destination);
                return Ok(());
            }
        }
    }
    match refused {
        None => Ok(()),
        Some((why, signs)) => {
            let reason = format!("the request is not signed ({}) with a granted placeholder: {why}", signs.spec.name());
            let remedy =
                "have the agent's client library take the placeholders of the granted secrets for its keys, and send the request just as it has signed it".to_owned();
            Err(Denial { stop: misplaced == Misplaced::Stop, ..deny(Rule::ForeignCredential, asked, reason, remedy) })
        }
    }
}
