//! One exchange at a token endpoint: recorded before it is made, and again with what came of it.

use super::source::Source;
use crate::credential::oauth2::{NoToken, Presented, TokenAnswer, TokenRequest, read};
use crate::egress::{Call, CallError};
use crate::secrets::SecretValue;
use http::Method;
use std::time::{Duration, SystemTime};

/// Why there is no token, and what that says of what was presented. No text is the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// What was presented is worth nothing any more.
    Over(String),
    /// Nothing was used up, and the same request would fail again.
    Refused(String),
    /// Nothing was used up, and a while later it may be otherwise.
    Later(String),
    /// Whether what was presented is used up is unknown.
    Unknown(String),
}

/// What is presented.
pub(super) struct Credentials<'c> {
    pub(super) secret: &'c SecretValue,
    pub(super) client: Option<&'c SecretValue>,
}

impl Failure {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Over(text) | Self::Refused(text) | Self::Later(text) | Self::Unknown(text) => text,
        }
    }
}

impl From<NoToken> for Failure {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::Over(why) => Self::Over(why),
            NoToken::Refused(why) => Self::Refused(why),
            NoToken::Later(why) => Self::Later(why),
            NoToken::Unknown(why) => Self::Unknown(why),
        }
    }
}

/// Asks for a token, and waits so long for it.
pub(super) async fn ask(source: &Source, with: &Credentials<'_>, patience: Duration) -> Result<TokenAnswer, Failure> {
    let server = source.spec.server();
    let asked = SystemTime::now();
    let TokenRequest { url, headers, body } = request(source, with, asked).map_err(Failure::Refused)?;
    let unrecorded = |_| Failure::Later("the audit log can't be written".to_owned());
    source.record("ask", Some(format!("{} at {server}", source.spec.grant.name())), None).map_err(unrecorded)?;
    let call = Call { method: Method::POST, url, headers, body };
    let answer = match source.parts.caller.send(call, patience).await {
        Ok(reply) => read(&source.spec, reply.status, &reply.headers, &reply.body, asked).map_err(Failure::from),
        Err(CallError::Unsent(why)) => Err(Failure::Later(why)),
        Err(CallError::Lost(why)) => Err(Failure::Unknown(why.to_owned())),
    };
    // What is done cannot be undone by a log that fails now: the next request is refused by it.
    let _ = match &answer {
        Ok(answer) => {
            let access = answer.access.as_ref().ok().map(|access| source.fingerprint(access.token.as_bytes()));
            let refresh = answer.refresh.as_ref().map(|refresh| source.fingerprint(refresh.as_bytes()));
            let detail = match (&answer.access, refresh) {
                (Err(why), _) => Some(why.clone()),
                (Ok(_), refresh) => refresh.map(|refresh| format!("refresh token {refresh}")),
            };
            source.record("answer", detail, access.as_deref())
        }
        Err(failure) => source.record("failed", Some(failure.text().to_owned()), None),
    };
    answer
}

fn request(source: &Source, with: &Credentials<'_>, now: SystemTime) -> Result<TokenRequest, String> {
    use crate::policy::Reveal;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| "the system's random source failed".to_owned())?;
    let presented = Presented {
        secret: with.secret.reveal(Reveal::to_exchange()),
        client: with.client.map(|client| client.reveal(Reveal::to_exchange())),
        now,
        id,
    };
    source.spec.request(&presented)
}
