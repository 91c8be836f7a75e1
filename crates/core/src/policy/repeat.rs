//! The law on repeating. The host repeats a request at most once, because a scheme's challenge asks for it: to the same origin, with the method,
//! URL and body that the guest sent, judged anew; only if all of the body is kept, and never once a 2xx has come. Rates are charged once for both.

use super::Policy;
use super::permit::{Charge, Leave, Permit};
use crate::credential::Scheme;
use http::StatusCode;

/// Longest body that is sent twice, in bytes. That of any longer one is not kept, and its guest gets the answer as it came.
pub const MOST_REPEATED: usize = 64 * 1024;

/// A request that was answered, as far as one more try depends on it. Of its answer the guest has nothing yet.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// As it was judged.
    pub permit: &'a Permit,
    /// What is left of its leave: nothing, where it is a repetition itself.
    pub charge: Option<Charge>,
    /// The length of its body as the guest wrote it, if all of that has come and is kept.
    pub kept: Option<usize>,
    pub status: StatusCode,
    /// Its schemes as its answer asks for them, in the order of its substitutions.
    pub asked: Vec<Scheme>,
}

impl Attempt<'_> {
    /// Whether it may be repeated, if what is then asked is the same request.
    pub fn may_repeat(&self) -> bool {
        let is_first = self.charge.is_some();
        let is_whole = self.kept.is_some_and(|bytes| bytes <= MOST_REPEATED);
        // What a 2xx answers has had its effect, whatever else it asks for.
        is_first && is_whole && !self.status.is_success()
    }
}

impl Policy {
    /// Leave for the one repetition of a request, judged anew as `next`: without a charge, and with the schemes that were asked for.
    pub fn repeat(&self, attempt: Attempt<'_>, next: &mut Permit) -> Option<Leave> {
        let first = attempt.permit;
        let is_same = next.url() == first.url() && next.method() == first.method() && next.counted() == first.counted();
        (attempt.may_repeat() && is_same && next.challenged(attempt.asked)).then(Leave::to_repeat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::policy::{Asked, Closed, Placeholders};
    use http::{HeaderMap, Method, Uri, header};
    use std::time::{Duration, Instant};

    const PLACEHOLDER: &str = "placeholder-of-the-key";

    fn policy() -> Policy {
        let manifest = "name = \"a\"\ncomponent = \"a.wasm\"\n[secrets.KEY]\n[[secrets.KEY.allow]]\nhost = \"api.test\"\n\
                        methods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\nrate = \"1/min\"\n\
                        [[secrets.KEY.allow]]\nhost = \"other.test\"\npaths = [\"/**\"]\n";
        Policy::new(&Manifest::parse("agent.toml", manifest).expect("a manifest"), Closed::default()).with_nonces()
    }

    fn judged(policy: &Policy, method: Method, url: &'static str) -> Permit {
        let mut placeholders = Placeholders::default();
        placeholders.insert(0, PLACEHOLDER.to_owned());
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, PLACEHOLDER.parse().expect("a header"));
        policy
            .authorize(
                &Asked {
                    method: &method,
                    uri: &Uri::from_static(url),
                    headers: &headers,
                    body: Some(&[]),
                    time: std::time::SystemTime::UNIX_EPOCH,
                },
                &placeholders,
            )
            .expect("a permit")
    }

    /// What the schemes of a request become when its answer brings a nonce.
    fn asked(permit: &mut Permit) -> Vec<Scheme> {
        let mut answer = HeaderMap::new();
        answer.insert("nonce", "n1".parse().expect("a header"));
        let tried = permit.take_substitutions().into_iter().map(|substitution| substitution.into_parts().0);
        tried.map(|scheme| scheme.challenge(StatusCode::UNAUTHORIZED, &answer).expect("a challenge")).collect()
    }

    #[test]
    fn a_request_is_repeated_under_every_condition_of_the_law_and_under_no_fewer() {
        struct Row {
            what: &'static str,
            is_repetition: bool,
            kept: Option<usize>,
            status: StatusCode,
            next: (Method, &'static str),
            repeated: bool,
        }
        let row = |what, repeated| Row {
            what,
            is_repetition: false,
            kept: Some(0),
            status: StatusCode::UNAUTHORIZED,
            next: (Method::POST, "https://api.test/a?b=1"),
            repeated,
        };
        let rows = [
            row("all is well", true),
            Row { kept: Some(MOST_REPEATED), ..row("the longest body", true) },
            Row { status: StatusCode::PAYMENT_REQUIRED, ..row("a payment is asked for", true) },
            Row { is_repetition: true, ..row("it was repeated before", false) },
            Row { kept: Some(MOST_REPEATED + 1), ..row("a longer body", false) },
            Row { kept: None, ..row("a body of which more is to come", false) },
            Row { status: StatusCode::OK, ..row("a 2xx", false) },
            Row { status: StatusCode::NO_CONTENT, ..row("a 2xx without a body", false) },
            Row { next: (Method::GET, "https://api.test/a?b=1"), ..row("another method", false) },
            Row { next: (Method::POST, "https://api.test/a?b=2"), ..row("another query", false) },
            Row { next: (Method::POST, "https://api.test/b?b=1"), ..row("another path", false) },
            Row { next: (Method::GET, "https://other.test/a?b=1"), ..row("another origin", false) },
        ];
        for Row { what, is_repetition, kept, status, next, repeated } in rows {
            let policy = policy();
            let mut first = judged(&policy, Method::POST, "https://api.test/a?b=1");
            let charge = policy.charge(&first, Instant::now()).expect("leave").used().filter(|_| !is_repetition);
            let asked = asked(&mut first);
            let mut next = judged(&policy, next.0, next.1);

            let leave = policy.repeat(Attempt { permit: &first, charge, kept, status, asked }, &mut next);
            assert_eq!(leave.is_some(), repeated, "{what}");
            // At most once: of the leave to repeat nothing is left.
            assert!(leave.and_then(Leave::used).is_none(), "{what}");
        }
    }

    #[test]
    fn a_repetition_is_not_charged() {
        let (policy, now) = (policy(), Instant::now());
        let mut first = judged(&policy, Method::GET, "https://api.test/");
        let charge = policy.charge(&first, now).expect("leave").used();
        let asked = asked(&mut first);
        let mut next = judged(&policy, Method::GET, "https://api.test/");

        let attempt = Attempt { permit: &first, charge, kept: Some(0), status: StatusCode::UNAUTHORIZED, asked };
        assert!(policy.repeat(attempt, &mut next).is_some());
        assert!(policy.charge(&next, now).is_err(), "the rate is spent by the first");
        assert!(policy.charge(&next, now + Duration::from_secs(60)).is_ok());
    }

    #[test]
    fn what_an_answer_asks_for_goes_to_the_places_that_it_was_asked_for() {
        let policy = policy();
        let mut first = judged(&policy, Method::GET, "https://api.test/");
        let charge = policy.charge(&first, Instant::now()).expect("leave").used();
        let _ = asked(&mut first);
        let mut next = judged(&policy, Method::GET, "https://api.test/");

        let attempt = Attempt { permit: &first, charge, kept: Some(0), status: StatusCode::UNAUTHORIZED, asked: Vec::new() };
        assert!(policy.repeat(attempt, &mut next).is_none(), "another number of places");
    }
}
