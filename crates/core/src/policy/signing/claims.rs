//! Judges what keys sign that are not wallets: tokens (RFC 7519), and inputs of an HMAC (RFC 2104).

use super::permit::{MacPermit, TokenPermit};
use crate::manifest::{JwtSpec, is_registered_claim};
use crate::policy::{Denial, Rule, denial};
use serde_json::{Map, Value};

/// Most bytes of a token's claims, and of what is authenticated.
const MAX_LENGTH: usize = 64 * 1024;

/// Most characters of a claim's name that a message shows.
const SHOWN: usize = 64;

/// Least bytes of what is authenticated. The inputs by which schemes derive keys are shorter: a date, a region, a service.
const LEAST: usize = 16;

/// The verdict on the claims that an agent adds, a JSON object. `now` is in seconds since 1970.
pub fn token_claims(spec: &JwtSpec, algorithm: &str, added: &str, now: u64) -> Result<TokenPermit, Denial> {
    let deny = |reason: &str, remedy: String| Denial {
        rule: Rule::Claims,
        asked: "sign a token".to_owned(),
        reason: reason.to_owned(),
        remedy,
        stop: false,
    };
    if added.len() > MAX_LENGTH {
        return Err(deny("its claims are larger than 64 KiB", String::new()));
    }
    let Ok(Value::Object(added)) = serde_json::from_str(if added.trim().is_empty() { "{}" } else { added }) else {
        return Err(deny("its claims are not a JSON object", String::new()));
    };
    if let Some(name) = added.keys().find(|name| !spec.claims.contains(name)) {
        // The agent's own words, which may be of any length.
        let shown: String = name.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let remedy = match is_registered_claim(name) {
            true => {
                format!(
                    "no line can allow the claim `{shown}`: the manifest, not the agent, says who a token is for and how long it is valid"
                )
            }
            false if shown != *name => {
                format!("no line can allow it: the claim that begins with {shown:?} is too long, or has control characters")
            }
            false => denial::added(&toml::Value::from(name.as_str()), "claims", "the signer"),
        };
        return Err(deny("it has a claim that is not granted", remedy));
    }
    let mut header = Map::from_iter([("alg".to_owned(), algorithm.into())]);
    header.extend(spec.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    header.entry("typ").or_insert_with(|| "JWT".into());
    let set = [("iss", &spec.issuer), ("sub", &spec.subject), ("aud", &spec.audience), ("scope", &spec.scope)];
    let mut claims: Map<String, Value> =
        set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))).collect();
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), now.saturating_add(spec.lifetime.as_secs()).into());
    claims.extend(added);
    Ok(TokenPermit::new(header, claims))
}

/// The verdict on an input of an HMAC.
pub fn hmac_input(template: &regex::Regex, input: &[u8]) -> Result<MacPermit, Denial> {
    let deny = |reason: &str, remedy: &str| Denial {
        rule: Rule::Hmac,
        asked: "authenticate an input".to_owned(),
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
        stop: false,
    };
    let text = std::str::from_utf8(input).ok().filter(|_| input.len() <= MAX_LENGTH);
    let text = text.ok_or_else(|| deny("it is not UTF-8 text of at most 64 KiB", ""))?;
    // Counters of key derivations (HKDF, PBKDF2, SP 800-108) are such.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(deny("it has control characters, as inputs of key derivations do", "authenticate text"));
    }
    if text.len() < LEAST {
        return Err(deny("it is so short that its output may serve as a key", "authenticate whole requests"));
    }
    match template.is_match(text) {
        true => Ok(MacPermit::new(text.to_owned())),
        false => Err(deny("the signer's `template` does not match it", "widen the template if it should match")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_which_claim_is_not_granted_however_long_it_is_or_whatever_is_in_it() {
        let manifest =
            "name = \"a\"\ncomponent = \"a\"\n[signers.S]\nfrom = \"file:x\"\nuse = \"jwt\"\naudience = \"b\"\nclaims = [\"order\"]";
        let manifest = crate::manifest::Manifest::parse("agent.toml", manifest).expect("a manifest");
        let crate::manifest::Purpose::Jwt(spec) = &manifest.signers[0].purpose else { panic!("a signer of tokens") };
        let long = format!("role{}", "x".repeat(5_000));
        for (claim, said) in [
            ("admin", "add \"admin\" to `claims`"),
            ("iss", "the claim `iss`"),
            ("a\nb", "the claim that begins with"),
            (long.as_str(), "the claim that begins with \"rolexxx"),
        ] {
            let added = Value::from(Map::from_iter([(claim.to_owned(), Value::from(1))])).to_string();
            let denial = token_claims(spec, "ES256", &added, 0).expect_err("it is not granted");

            assert!(denial.remedy.contains(said), "{}", denial.remedy);
            assert!(denial.remedy.len() < 300 && !denial.remedy.contains('\n'), "{}", denial.remedy);
            assert_eq!(denial.reason, "it has a claim that is not granted", "the agent learns no more");
        }
    }
}
