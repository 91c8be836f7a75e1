//! Records that outlive what they were made from: for sinks that keep them, and for readers of logs.

use super::{Event, Record, Text, Used};
use std::borrow::Cow;

fn text(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

fn texts(texts: Cow<'_, [String]>) -> Cow<'static, [String]> {
    Cow::Owned(texts.into_owned())
}

fn used(used: Vec<Used<'_>>) -> Vec<Used<'static>> {
    used.into_iter().map(Used::into_owned).collect()
}

impl Record<'_> {
    /// The same, with all that it borrows.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        Record { time: self.time, run: text(self.run), agent: text(self.agent), event: self.event.into_owned() }
    }
}

impl Used<'_> {
    /// The same, with all that it borrows.
    #[must_use]
    pub fn into_owned(self) -> Used<'static> {
        let Self { name, fingerprint, version, stale, place } = self;
        Used { name: text(name), fingerprint: text(fingerprint), version: version.map(text), stale, place: place.map(text) }
    }
}

impl Event<'_> {
    /// The same, with all that it borrows.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::RunStart { component, manifest, secrets } => {
                Event::RunStart { component: text(component), manifest: manifest.map(text), secrets: used(secrets) }
            }
            Self::Called { method, path, by, caller, from } => {
                Event::Called { method: text(method), path: text(path), by: text(by), caller: caller.map(text), from: text(from) }
            }
            Self::CallerRefused { path, status, reason, from, more } => {
                Event::CallerRefused { path: text(path), status, reason: text(reason), from: text(from), more }
            }
            Self::Administered { operation, subject, by, role, refused } => {
                Event::Administered { operation: text(operation), subject: text(subject), by: text(by), role: text(role), refused }
            }
            Self::OperatorRefused { status, from, more } => Event::OperatorRefused { status, from: text(from), more },
            Self::ConfigurationRead { file, changed, after_restart, refused } => Event::ConfigurationRead {
                file: text(file),
                changed: texts(changed),
                after_restart: texts(after_restart),
                refused: refused.map(text),
            },
            Self::Responded { status, received, sent, redacted, withheld, error } => {
                Event::Responded { status, received, sent, redacted, withheld: texts(withheld), error: error.map(text) }
            }
            Self::Egress { request, method, url, rule, secrets, repeats, manifest } => {
                let (secrets, manifest) = (used(secrets), manifest.map(text));
                Event::Egress { request, method: text(method), url: text(url), rule: text(rule), secrets, repeats, manifest }
            }
            Self::VersionsChanged { request, secrets } => Event::VersionsChanged { request, secrets: used(secrets) },
            Self::Rotation { rotation, number, step, detail } => {
                Event::Rotation { rotation: text(rotation), number, step: text(step), detail: detail.map(text) }
            }
            Self::Token { credential, step, detail, fingerprint } => Event::Token {
                credential: text(credential),
                step: text(step),
                detail: detail.map(text),
                fingerprint: fingerprint.map(text),
            },
            Self::Answer { request, status, sent, received, redacted, millis, error, detail, made } => {
                let (error, detail, made) = (error.map(text), detail.map(text), used(made));
                Event::Answer { request, status, sent, received, redacted, millis, error, detail, made }
            }
            Self::InertPlaceholder { request, secret } => Event::InertPlaceholder { request, secret: text(secret) },
            Self::LeakRedacted { request, kinds } => Event::LeakRedacted { request, kinds: texts(kinds) },
            Self::Sealed { request, secret, field } => Event::Sealed { request, secret: text(secret), field: text(field) },
            Self::SecretOpened { secret } => Event::SecretOpened { secret: secret.into_owned() },
            Self::SecretUnavailable { secret, reason, incident } => {
                Event::SecretUnavailable { secret: text(secret), reason: text(reason), incident }
            }
            Self::Signed { signer, key, what, spends, left, digest, again } => {
                let (what, spends, left) = (texts(what), texts(spends), texts(left));
                Event::Signed { signer: text(signer), key: text(key), what, spends, left, digest: text(digest), again }
            }
            Self::SignerFailed { signer, reason, spent } => Event::SignerFailed { signer: text(signer), reason: text(reason), spent },
            Self::Denial { rule, asked, reason, remedy } => {
                Event::Denial { rule: text(rule), asked: text(asked), reason: text(reason), remedy: text(remedy) }
            }
            Self::DenialsRepeated { rule, asked, reason, count } => {
                Event::DenialsRepeated { rule: text(rule), asked: text(asked), reason: text(reason), count }
            }
            Self::FailuresRepeated { error, count, sent, received } => {
                Event::FailuresRepeated { error: text(error), count, sent, received }
            }
            Self::RunEnd { outcome, usage } => Event::RunEnd { outcome: text(outcome), usage },
            Self::Other(unknown) => Event::Other(unknown),
        }
    }
}
