//! Judges messages (EIP-191) and sign-ins (EIP-4361).

use super::Verdict;
use crate::ethereum::message::{Unreadable, readable};
use crate::ethereum::sign_in::SignIn;
use crate::manifest::{SignInSpec, WalletSpec};
use crate::policy::Rule;
use crate::policy::denial::{self, manifest_lines};
use alloy_primitives::Address;

/// How far a sign-in's time of issue may lie from the host's clock, in seconds.
const SKEW: i64 = 300;

/// Judges a message; gives what it says, for people. `now` is in seconds since 1970.
pub(super) fn judge(signer: &str, spec: &WalletSpec, own: Address, message: &[u8], now: u64) -> Verdict<String> {
    let refused = |rule: Rule| move |Unreadable { found, remedy }| (rule, found, remedy.to_owned());
    let text = readable(message).map_err(refused(Rule::Message))?;
    if SignIn::is_claimed(text) {
        let sign_in = SignIn::read(text).map_err(refused(Rule::SignIn))?;
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
    let entry = format!("the `[[signers.{signer}.sign_in]]` of {}", sign_in.uri);
    if let Some(c) = sign_in.nonce.chars().find(|c| !c.is_ascii_alphanumeric() && !spec.nonce_characters.contains(*c)) {
        let reason = format!("its nonce has U+{:04X}, and EIP-4361 allows only letters and digits", u32::from(c));
        return deny(&reason, &denial::set("nonce_characters", &toml::Value::from(spec.with_character(c)).to_string(), &entry));
    }
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let latest = now.saturating_add(i64::try_from(spec.within.as_secs()).unwrap_or(i64::MAX));
    if sign_in.expires.is_none() && !spec.without_expiry {
        let remedy = denial::set("without_expiry", "true", &entry) + "; or let the message have an `Expiration Time`";
        return deny("it does not expire, or expires too late", &remedy);
    }
    if !sign_in.expires.is_none_or(|expires| (now..=latest).contains(&expires.as_second())) {
        return deny("it does not expire, or expires too late", "set an expiration time that is not past, or raise `within`");
    }
    if (sign_in.issued.as_second() - now).abs() > SKEW {
        return deny("its time of issue is not now", "set it to the present");
    }
    if let Some(resource) = sign_in.resources.iter().find(|resource| !spec.resources.iter().any(|known| known == *resource)) {
        return deny(&format!("the resource {resource:?} is not granted"), "add it to `resources` of the sign-in");
    }
    let expires = sign_in.expires.map_or_else(|| "its site ends it".to_owned(), |expires| expires.to_string());
    let statement = sign_in.statement.unwrap_or_default();
    Ok(format!("sign-in at {}, until {expires}, statement {statement:?}, resources {:?}", sign_in.uri, sign_in.resources))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;
    use std::time::Duration;

    const OWN: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
    /// 2026-11-28T12:00:00Z, when the messages of the field were issued.
    const NOW: u64 = 1_795_867_200;

    fn file(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field/messages").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What a site's entry says that takes what the site of the field gives.
    fn site(uri: &str, chain: u64) -> SignInSpec {
        let (domain, uri) = ("app.example".to_owned(), uri.to_owned());
        SignInSpec {
            domain,
            uri,
            chain,
            within: Duration::from_secs(8 * 86_400),
            without_expiry: true,
            nonce_characters: "-".to_owned(),
            resources: Vec::new(),
        }
    }

    fn judged(sign_in: SignInSpec, message: &str) -> Verdict<String> {
        let spec = WalletSpec { sign_ins: vec![sign_in], ..WalletSpec::default() };
        judge("wallet", &spec, OWN, message.as_bytes(), NOW)
    }

    #[test]
    fn sign_ins_of_the_field_are_read_by_the_grammar_of_the_eip() {
        for (name, uri, chain) in [
            ("siwe-nonce-is-a-uuid.txt", "https://app.example/", 232),
            ("siwe-with-scheme.txt", "https://app.example/", 480),
            ("siwe-no-statement-one-empty-line.txt", "https://app.example/login", 1),
            ("siwe-no-statement-two-empty-lines.txt", "https://app.example/login", 1),
        ] {
            let verdict = judged(site(uri, chain), &file(name));
            assert!(verdict.is_ok(), "{name}: {verdict:?}");
        }
    }

    #[test]
    fn what_a_site_leaves_out_or_adds_is_denied_with_the_line_that_allows_it() {
        let uuid = file("siwe-nonce-is-a-uuid.txt");
        let site = site("https://app.example/", 232);

        let strict = judged(SignInSpec { nonce_characters: String::new(), ..site.clone() }, &uuid).expect_err("a UUID");
        let other = judged(SignInSpec { nonce_characters: "_".to_owned(), ..site.clone() }, &uuid).expect_err("a UUID");
        let ending = judged(SignInSpec { without_expiry: false, ..site.clone() }, &uuid).expect_err("no end");
        let late = judged(site.clone(), &uuid.replace("989935464+00:00", "989Z\nExpiration Time: 2027-12-05T12:00:00Z"))
            .expect_err("an end far off");

        assert!(strict.1.contains("U+002D") && strict.2.contains("`nonce_characters = \"-\"`"), "{strict:?}");
        assert!(other.2.contains("`nonce_characters = \"_-\"`"), "{other:?}");
        assert!(ending.2.contains("`without_expiry = true`"), "{ending:?}");
        assert!(late.1.contains("too late"), "an end that it has counts: {late:?}");
    }

    #[test]
    fn a_refusal_names_line_and_what_belongs_there() {
        let text = file("siwe-with-scheme.txt");
        let refusal = |text: &str| judged(site("https://app.example/", 480), text).expect_err("no sign-in").1;
        for (from, to, said) in [
            ("Version: 1", "Version: 2", "line 7: `Version: ` belongs here"),
            ("Chain ID: 480\n", "", "line 8: `Chain ID: ` belongs here"),
            ("with a link", "with an Ümlaut", "U+00DC in line 4, column 29"),
            ("C8\n\nThis", "C8\nThis", "line 3: an empty line follows after the address"),
            ("913Z\nNot", "913\nNot", "line 11: after `Expiration Time: ` comes a time"),
            ("Request ID: 0", "Request ID: 0\n\nResources:", "line 14: the sign-in has ended"),
            ("0x7099", "0x70998", "line 2: the line is an address with its checksum"),
            ("https://app.example wants", "https://app.example/x wants", "line 1: the line begins with a domain"),
        ] {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            let refusal = refusal(&text.replace(from, to));
            assert!(refusal.contains(said), "{said}: {refusal}");
        }
        let trailing = refusal(&file("siwe-version-as-some-write-it-last-line-break.txt"));
        assert!(trailing.contains("line 11: the sign-in ends without a line break after its last line; leave it out"), "{trailing}");
        let cut = refusal(text.split("Issued At").next().expect("a beginning").trim_end());
        assert!(cut.contains("line 10: `Issued At: ` belongs here") && cut.contains("the text ends before it"), "{cut}");
    }

    #[test]
    fn a_character_that_is_not_shown_is_named_with_its_place() {
        let emoji = judged(site("https://app.example/", 1), &file("plain-login-with-joined-emoji.txt")).expect_err("a joiner").1;
        assert!(emoji.contains("U+200D (a zero-width joiner, as emoji are joined by) in line 1, column 24"), "{emoji}");
        for (message, said) in [
            ("hello\r\nworld", "U+000D (a carriage return) in line 1, column 6"),
            ("äöü\nhel\u{202e}lo", "U+202E in line 2, column 4"),
            ("love \u{2764}\u{fe0f}", "U+FE0F (a variation selector, as emoji have) in line 1, column 7"),
            ("\u{feff}hello", "U+FEFF (a byte order mark) in line 1, column 1"),
        ] {
            let refusal = judged(site("https://app.example/", 1), message).expect_err(message).1;
            assert!(refusal.contains(said), "{said}: {refusal}");
        }
    }
}
