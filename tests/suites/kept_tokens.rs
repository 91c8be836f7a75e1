//! Refresh tokens that outlive their run, and what an operator is told of tokens.

mod crash;

use super::tokens::{ACCESS, EXCHANGE, FOR_API, JSON, REFRESH, form_of, room, tokens};
use crate::cli::CliFixture;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::sync::Arc;
use strongroom::{FileBackend, FileKey, SecretBackend};
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::AgentFixture;
use tokio::sync::Notify;

/// The secret that refresh tokens are kept as.
const KEPT: &str = "[secrets.KEPT]\nfrom = \"FROM\"\nrequired = false\nexpose = \"env\"\n[[secrets.KEPT.allow]]\nhost = \"sub.api.test\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\nplace = [\"form:refresh_token\"]";

/// A manifest that keeps its refresh token as `KEPT`, in an encrypted file, and what the file has of it afterwards.
struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let store = Self { dir: tempfile::tempdir().unwrap() };
        FileKey::create_identity(&store.dir.path().join("key")).unwrap();
        store.backend().create().unwrap();
        store
    }

    fn backend(&self) -> FileBackend {
        FileBackend::new(self.dir.path().join("secrets.age"), FileKey::identity_file(&self.dir.path().join("key")).unwrap())
    }

    fn has(&self, value: &str) -> bool {
        let kept = strongroom_tests::block_on(async { self.backend().get(&strongroom::Entry::new("probe-1/KEPT")).await });
        kept.is_ok_and(|kept| kept.value.equals(value.as_bytes()))
    }

    fn room(&self, from: &str, answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> AgentFixture {
        let kept = KEPT.replace("FROM", from);
        let backend = self.backend();
        room(&format!("{FOR_API}\nkeep = \"KEPT\""), answer).and(&kept).host(move |builder| builder.backend("file", backend))
    }
}

const REFRESH_KEPT: &str = "POST https://sub.api.test/token h:content-type=application/x-www-form-urlencoded b:grant_type=refresh_token&refresh_token={KEPT}&client_secret={KEY}";

#[test]
fn a_refresh_token_that_is_kept_is_the_next_runs_secret() {
    let store = Store::new();
    let next = "rt-second-9zX2kLm7Rt4VwPs8";

    // Another account's stands in front of it.
    let both = tokens().replacen('{', "{\"of_user\":{\"refresh_token\":\"rt-of-a-user-Kd3Fz7Lp1\"},", 1);
    let first = store.room("file:probe-1/KEPT", move |_| respond(200, JSON, both.clone())).run(&[&format!("send {EXCHANGE}")]);
    assert!(first.stdout.contains("\"refresh_token\":\"sr_") && store.has(REFRESH), "{}", first.stdout);

    let answer = move |seen: &Seen| match form_of(seen, "refresh_token").as_str() {
        REFRESH => respond(200, JSON, tokens().replace(REFRESH, next)),
        // The server gives the same one again.
        _ => respond(200, JSON, tokens().replace(REFRESH, next).replace(ACCESS, "at-third-2kLm7Rt4VwPs8Jc1")),
    };
    let second = store
        .room("file:probe-1/KEPT", answer)
        .value("NEXT", next)
        .run(&[&format!("send {REFRESH_KEPT}"), &format!("send {REFRESH_KEPT}")]);

    assert_eq!(form_of(&second.seen[0], "refresh_token"), REFRESH, "{}", second.stdout);
    assert_eq!(form_of(&second.seen[1], "refresh_token"), next, "the placeholder stands for the new one at once: {}", second.stdout);
    assert!(store.has(next));
}

#[test]
fn a_response_whose_refresh_token_can_not_be_written_is_withheld() {
    let store = Store::new();
    let file = store.dir.path().join("secrets.age");
    let answer = move |_: &Seen| {
        // Somebody removes the file while the run goes on.
        let _ = std::fs::remove_file(&file);
        respond(200, JSON, tokens())
    };
    let ran = store.room("file:probe-1/KEPT", answer).run(&[&format!("send {EXCHANGE}")]);

    assert!(ran.stdout.contains("its refresh token could not be written"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("access_token"), "{}", ran.stdout);
    let record = ran.records("answer")[0].clone();
    assert!(record["error"].as_str().unwrap().contains("could not be written") && record["detail"].is_string(), "{record}");
}

/// The token that it replaces is worth nothing any more: what comes too late for the agent is written down all the same.
#[test]
fn a_refresh_token_is_kept_though_the_agent_waits_no_longer() {
    let store = Store::new();
    let given_up = Arc::new(Notify::new());
    let waits = Arc::clone(&given_up);
    let answer = move |_: &Seen| {
        let waits = Arc::clone(&waits);
        let body = futures_util::stream::once(async move {
            waits.notified().await;
            Ok(Frame::data(Bytes::from(tokens())))
        });
        http::Response::builder().header("content-type", JSON).body(BodyExt::boxed(StreamBody::new(body))).unwrap()
    };
    let room = store.room("file:probe-1/KEPT", answer).watched(move |said| {
        if said.contains("send ") {
            given_up.notify_one();
        }
    });

    let ran = room.run(&[&format!("send {EXCHANGE} t:50")]);

    assert!(!ran.stdout.contains("send 200") && store.has(REFRESH), "{}", ran.stdout);
}

#[test]
fn where_a_refresh_token_can_not_be_kept_the_run_does_not_start() {
    let store = Store::new();
    for (from, what) in
        [("static:KEPT", "the backend `static` can't be written to"), ("file:probe-1/KEPT?version=1", "names one version of the entry")]
    {
        let refused = store.room(from, |_| respond(200, JSON, tokens())).try_run(&["env"]).err().unwrap_or_default();
        assert!(refused.contains("secret `KEPT` is unavailable") && refused.contains(what), "{from}: {refused}");
    }
}

/// What an operator is told without a run.
#[test]
fn operators_are_told_what_becomes_of_tokens() {
    let manifest = |from: &str| {
        format!(
            "[secrets.CLIENT]\n[[secrets.CLIENT.allow]]\nhost = \"auth.test\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\nseal = [\"oauth2\"]\ntokens_for = [\"api.test\"]\nkeep = \"KEPT\"\n\
             [secrets.KEPT]\nfrom = \"{from}\"\nrequired = false\n[[egress]]\nhost = \"api.test\""
        )
    };
    let desk = CliFixture::new(&manifest("env:KEPT"));

    let checked = desk.run("check agent.toml");
    let explained = desk.run("explain agent.toml");

    assert_ne!(checked.code, 0);
    let why = "secret `KEPT`: the manifest keeps refresh tokens there, and the backend `env` can't be written to; name another in `from`, or leave `keep` out";
    assert!(checked.stderr.contains(why), "{}{}", checked.stdout, checked.stderr);
    for sentence in [
        "an access token's goes to api.test, in header:authorization, where the manifest opens the request; a refresh token's goes back to the token endpoint, in form:refresh_token",
        "an ID token keeps its claims, and has a signature that verifies nowhere",
        "a refresh token is written to where the secret KEPT is kept before the agent has the response, and is that secret in the next run",
    ] {
        assert!(explained.stdout.contains(sentence), "{}", explained.stdout);
    }
}
