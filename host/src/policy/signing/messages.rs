//! Judges messages (EIP-191) and sign-ins (EIP-4361).

use super::Verdict;
use crate::ethereum::message::{SignIn, readable};
use crate::manifest::{SignInSpec, WalletSpec};
use crate::policy::Rule;
use crate::policy::denial::manifest_lines;
use alloy_primitives::Address;

/// How far a sign-in's time of issue may lie from the host's clock, in seconds.
const SKEW: i64 = 300;

/// Judges a message; gives what it says, for people. `now` is in seconds since 1970.
pub(super) fn judge(signer: &str, spec: &WalletSpec, own: Address, message: &[u8], now: u64) -> Verdict<String> {
    let text = readable(message).map_err(|wrong| (Rule::Message, wrong.to_string(), "sign what a person can read".to_owned()))?;
    if SignIn::is_claimed(text) {
        let sign_in = SignIn::read(text);
        let sign_in = sign_in
            .map_err(|wrong| (Rule::SignIn, format!("it claims to be a sign-in, and is none: {wrong}"), "see EIP-4361".to_owned()))?;
        return judge_sign_in(signer, &spec.sign_ins, own, &sign_in, now);
    }
    matching(&spec.messages, text)?;
    Ok(format!("message {text:?}"))
}

/// Whether a text matches a pattern, whole.
pub(super) fn matching(patterns: &[regex::Regex], text: &str) -> Verdict<()> {
    match patterns.iter().any(|pattern| pattern.is_match(text)) {
        true => Ok(()),
        false => Err((Rule::Message, "no pattern of the manifest matches it".to_owned(), "add a pattern for it to `messages`".to_owned())),
    }
}

fn judge_sign_in(signer: &str, specs: &[SignInSpec], own: Address, sign_in: &SignIn<'_>, now: u64) -> Verdict<String> {
    let deny = |reason: &str, remedy: &str| Err((Rule::SignIn, reason.to_owned(), remedy.to_owned()));
    if sign_in.address != own {
        return deny("it is for another account", "write the signer's own address");
    }
    let Some(spec) = specs.iter().find(|spec| spec.domain == sign_in.domain && spec.uri == sign_in.uri && spec.chain == sign_in.chain)
    else {
        let text = |text: &str| toml::Value::from(text);
        let remedy = manifest_lines(&format!(
            "[[signers.{signer}.sign_in]]\ndomain = {}\nuri = {}\nchain = {}",
            text(sign_in.domain),
            text(sign_in.uri),
            sign_in.chain
        ));
        return deny("its domain, URI and chain are not granted together", &remedy);
    };
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let latest = now.saturating_add(i64::try_from(spec.within.as_secs()).unwrap_or(i64::MAX));
    if !sign_in.expires.is_some_and(|expires| (now..=latest).contains(&expires.as_second())) {
        return deny("it does not expire, or too late", "set an expiration time, or raise `within`");
    }
    if (sign_in.issued.as_second() - now).abs() > SKEW {
        return deny("its time of issue is not now", "set it to the present");
    }
    if let Some(resource) = sign_in.resources.iter().find(|resource| !spec.resources.iter().any(|known| known == *resource)) {
        return deny(&format!("the resource {resource:?} is not granted"), "add it to `resources` of the sign-in");
    }
    let expires = sign_in.expires.map(|expires| expires.to_string()).unwrap_or_default();
    let statement = sign_in.statement.unwrap_or_default();
    Ok(format!("sign-in at {}, until {expires}, statement {statement:?}, resources {:?}", sign_in.uri, sign_in.resources))
}
