//! Signatures of services over what they send. Pure.
//!
//! * Stripe: `Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX…]`, over `SECONDS.BODY`; several `v1` while its secret is replaced.
//! * GitHub: `X-Hub-Signature-256: sha256=HEX`, over the body alone; `X-GitHub-Delivery` names the delivery, and nothing signs that.
//! * Slack: `X-Slack-Signature: v0=HEX`, over `v0:SECONDS:BODY`; `X-Slack-Request-Timestamp: SECONDS`.
//!
//! All are HMAC with SHA-256, in lower-case hexadecimal digits. What counts once is what was signed, not the signature: of several signatures
//! over one message each would open the door again.

use super::deliveries::Id;
use crate::manifest::Webhook;
use crate::secrets::SecretValue;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

/// By how much the time of a message may differ from the host's, in either direction, in milliseconds.
const DRIFT: u64 = 5 * 60 * 1_000;
/// How long a message with a time is remembered: twice as long as it could be sent again.
const TIMED: u64 = 2 * DRIFT;
/// How long one without is remembered. GitHub delivers anew for three days.
pub(super) const UNTIMED: u64 = 3 * 24 * 60 * 60 * 1_000;
/// Most signatures of one message.
const MOST: usize = 8;

const STRIPE: HeaderName = HeaderName::from_static("stripe-signature");
const HUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
const HUB_SHA1: HeaderName = HeaderName::from_static("x-hub-signature");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");
const SLACK: HeaderName = HeaderName::from_static("x-slack-signature");
const SLACK_TIME: HeaderName = HeaderName::from_static("x-slack-request-timestamp");

/// What the headers of a request say of its signature.
pub(super) struct Signed {
    of: Webhook,
    /// As hash functions give them.
    tags: Vec<[u8; 32]>,
    /// What stands before the body in what is signed.
    before: Vec<u8>,
    /// When it was signed, in milliseconds since 1970.
    at: Option<u64>,
    /// What else names it, unsigned.
    delivery: Option<Vec<u8>>,
}

impl Signed {
    /// Reads what a service's headers say.
    pub(super) fn read(of: Webhook, headers: &HeaderMap) -> Result<Self, &'static str> {
        let (tags, before, at, delivery) = match of {
            Webhook::Stripe => {
                let (time, tags) = stripe(one(headers, &STRIPE)?)?;
                (tags, format!("{time}.").into_bytes(), Some(time), None)
            }
            Webhook::Github => {
                let tag = hex(after(one(headers, &HUB)?, "sha256=")?)?;
                let delivery = one(headers, &DELIVERY)?;
                if delivery.len() > 64 || !delivery.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                    return Err("the delivery's name is malformed");
                }
                (vec![tag], Vec::new(), None, Some(delivery.as_bytes().to_vec()))
            }
            Webhook::Slack => {
                let tag = hex(after(one(headers, &SLACK)?, "v0=")?)?;
                let time = one(headers, &SLACK_TIME)?;
                seconds(time)?;
                (vec![tag], format!("v0:{time}:").into_bytes(), Some(time), None)
            }
        };
        let at = at.map(seconds).transpose()?;
        Ok(Self { of, tags, before, at, delivery })
    }

    /// Whether it was signed about now.
    pub(super) fn is_in_time(&self, now: u64) -> bool {
        self.at.is_none_or(|at| at.abs_diff(now) <= DRIFT)
    }

    /// Whether whoever has this value signed this body.
    pub(super) fn is_by(&self, value: &SecretValue, body: &[u8]) -> bool {
        // All of them, so that time does not tell which.
        self.tags.iter().filter(|tag| value.has_signed(&[&self.before, body], tag)).count() > 0
    }

    /// What it is remembered by, for an agent, and for how many milliseconds.
    pub(super) fn ids(&self, agent: &str, body: &[u8], now: u64) -> (Vec<Id>, u64) {
        let id = |what: &str, pieces: &[&[u8]]| {
            let mut hash = Sha256::new();
            for piece in [agent.as_bytes(), self.of.as_str().as_bytes(), what.as_bytes()].iter().chain(pieces) {
                hash.update((piece.len() as u64).to_be_bytes());
                hash.update(piece);
            }
            Id::of(&hash.finalize())
        };
        let message = id("message", &[&self.before, body]);
        let delivery = self.delivery.as_ref().map(|delivery| id("delivery", &[delivery]));
        let lasts = self.at.map_or(UNTIMED, |at| at.saturating_sub(now) + TIMED);
        ([message].into_iter().chain(delivery).collect(), lasts)
    }
}

/// Takes what has proved who calls out of a request's headers.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in [STRIPE, HUB, HUB_SHA1, SLACK] {
        headers.remove(name);
    }
}

/// The one line of a header.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, &'static str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next().map(HeaderValue::to_str), lines.next()) {
        (Some(Ok(line)), None) => Ok(line),
        (None, _) => Err("a header of the signature is missing"),
        (Some(_), Some(_)) => Err("a header of the signature is there twice"),
        (Some(Err(_)), None) => Err("a header of the signature is malformed"),
    }
}

fn after<'t>(text: &'t str, scheme: &str) -> Result<&'t str, &'static str> {
    text.strip_prefix(scheme).ok_or("the signature is of another scheme")
}

/// The time and the signatures of Stripe's header. Those of other schemes count for nothing.
fn stripe(header: &str) -> Result<(&str, Vec<[u8; 32]>), &'static str> {
    let (mut time, mut tags) = (None, Vec::new());
    for item in header.split(',') {
        match item.split_once('=') {
            Some(("t", found)) if time.is_none() => time = Some(found),
            Some(("t", _)) => return Err("the signature has two times"),
            Some(("v1", _)) if tags.len() == MOST => return Err("there are too many signatures"),
            Some(("v1", tag)) => tags.push(hex(tag)?),
            Some(_) => {}
            None => return Err("the signature is malformed"),
        }
    }
    let time = time.ok_or("the signature has no time")?;
    seconds(time)?;
    if tags.is_empty() { Err("the signature is of another scheme") } else { Ok((time, tags)) }
}

/// A time in whole seconds, in its one spelling, as milliseconds.
fn seconds(text: &str) -> Result<u64, &'static str> {
    let is_plain = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let seconds = is_plain.then(|| text.parse::<u64>().ok()).flatten();
    seconds.map(|seconds| seconds * 1_000).ok_or("the signature's time is malformed")
}

/// 64 lower-case hexadecimal digits.
fn hex(text: &str) -> Result<[u8; 32], &'static str> {
    let malformed = "the signature is not 64 lower-case hexadecimal digits";
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pairs: &[[u8; 2]; 32] = pairs.try_into().map_err(|_| malformed)?;
    if !rest.is_empty() {
        return Err(malformed);
    }
    let mut tag = [0; 32];
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(malformed)?;
    }
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_772_409_600_000;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn what_the_services_document_is_accepted() {
        // GitHub's own example: "Validating webhook deliveries", its secret and payload.
        let hub = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = Signed::read(Webhook::Github, &headers(&[("x-hub-signature-256", hub), ("x-github-delivery", "1")])).expect("read");
        assert!(github.is_by(&SecretValue::new("It's a Secret to Everybody"), b"Hello, World!") && github.is_in_time(NOW));

        // Slack's own example: "Verifying requests from Slack".
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&\
                    user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F\
                    commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c4\
                    47fce8b6703c";
        let tag = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let slack = headers(&[("x-slack-signature", tag), ("x-slack-request-timestamp", "1531420618")]);
        let slack = Signed::read(Webhook::Slack, &slack).expect("read");
        assert!(slack.is_by(&SecretValue::new("8f742231b10e8888abcd99yyyzzz85a5"), body.as_bytes()));
        assert!(slack.is_in_time(1_531_420_618_000 + DRIFT) && !slack.is_in_time(1_531_420_618_000 + DRIFT + 1));
        assert!(slack.is_in_time(1_531_420_618_000 - DRIFT) && !slack.is_in_time(1_531_420_618_000 - DRIFT - 1));
    }

    #[test]
    fn a_message_counts_once_by_whichever_of_its_signatures_it_comes() {
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        let ids = |header: String| {
            let signed = Signed::read(Webhook::Stripe, &headers(&[("stripe-signature", &header)])).expect("read");
            signed.ids("bot", b"{}", NOW)
        };

        assert_eq!(ids(format!("t=1772409600,v1={one}")), ids(format!("v0=x,v1={other},t=1772409600")));
        assert_ne!(ids(format!("t=1772409600,v1={one}")), ids(format!("t=1772409601,v1={one}")));

        // GitHub signs no name of a delivery: each of the two counts.
        let ids = |delivery: &str, body: &[u8]| {
            let hub = format!("sha256={one}");
            let headers = headers(&[("x-hub-signature-256", &hub), ("x-github-delivery", delivery)]);
            Signed::read(Webhook::Github, &headers).expect("read").ids("bot", body, NOW).0
        };
        let first = ids("1", b"{}");
        assert!(ids("2", b"{}").iter().any(|id| first.contains(id)) && ids("1", b"[]").iter().any(|id| first.contains(id)));
        assert!(!ids("2", b"[]").iter().any(|id| first.contains(id)));
    }

    #[test]
    fn what_no_service_sends_is_refused() {
        let tag = "a".repeat(64);
        for (header, why) in [
            (String::new(), "the signature is malformed"),
            (format!("v1={tag}"), "the signature has no time"),
            ("t=1772409600".to_owned(), "the signature is of another scheme"),
            (format!("t=1772409600,v0={tag}"), "the signature is of another scheme"),
            (format!("t=1772409600,t=1772409601,v1={tag}"), "the signature has two times"),
            (format!("t=1772409600;v1={tag}"), "the signature's time is malformed"),
            (format!("t=1772409600,v1={tag},"), "the signature is malformed"),
            (format!("t=1772409600, v1={tag}"), "the signature is of another scheme"),
            (format!("t=1772409600,v1={}", tag.to_uppercase()), "the signature is not 64 lower-case hexadecimal digits"),
            (format!("t=1772409600,v1={tag}a"), "the signature is not 64 lower-case hexadecimal digits"),
            (format!("t=1772409600,v1={}", &tag[2..]), "the signature is not 64 lower-case hexadecimal digits"),
            (format!("t=+1772409600,v1={tag}"), "the signature's time is malformed"),
            (format!("t=01772409600,v1={tag}"), "the signature's time is malformed"),
            (format!("t=1772409600.0,v1={tag}"), "the signature's time is malformed"),
            (format!("t=9999999999999,v1={tag}"), "the signature's time is malformed"),
            (format!("t=1772409600{}", format!(",v1={tag}").repeat(MOST + 1)), "there are too many signatures"),
        ] {
            let read = Signed::read(Webhook::Stripe, &headers(&[("stripe-signature", &header)]));
            assert_eq!(read.map(|_| ()), Err(why), "{header}");
        }
        let twice = headers(&[("stripe-signature", "t=1772409600,v1=a"), ("stripe-signature", "t=1772409600,v1=b")]);
        assert_eq!(Signed::read(Webhook::Stripe, &twice).map(|_| ()), Err("a header of the signature is there twice"));
        assert_eq!(Signed::read(Webhook::Stripe, &headers(&[])).map(|_| ()), Err("a header of the signature is missing"));
    }

    #[test]
    fn another_key_or_body_is_not_the_signer() {
        let header = headers(&[("x-hub-signature-256", &format!("sha256={}", "0".repeat(64))), ("x-github-delivery", "1")]);

        assert!(!Signed::read(Webhook::Github, &header).expect("read").is_by(&SecretValue::new(KEY), b"{}"));
    }
}
