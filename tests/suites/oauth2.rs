//! Access tokens that the host has for a secret: asked for at a real endpoint, carried to a real API, and nowhere else.

mod crash;
mod desk;
mod faults;
mod refresh;

use desk::{Desk, SECRET, bearer, granted};
use serde_json::json;
use strongroom_tests::token_endpoint::{Answer, Gate};

const CLIENT: &str = "oauth2 = { grant = \"client_credentials\", token_url = \"URL\", client_id = \"bot\", scope = \"read\" }";
const ASK: &str = "send GET https://api.test/v1/x h:authorization=Bearer+{KEY}";
const TOKEN: &str = "token-7f3a9c51e8d24b60";
const SECOND: &str = "token-0c41d97be5f2a836";

#[test]
fn a_request_carries_a_token_that_the_host_asked_for() {
    let desk = Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None)]);
    let host = desk.host();

    let first = desk.run(&host, &[ASK, ASK]);
    let second = desk.run(&host, &[ASK]);

    assert_eq!(bearer(&desk.seen()), [TOKEN; 3], "{}{}", first.stdout, second.stdout);
    let [asked] = desk.endpoint.asked().try_into().expect("one exchange for all runs");
    assert_eq!((asked.field("grant_type"), asked.field("scope")), (Some("client_credentials"), Some("read")));
    assert!(asked.header("authorization").is_some_and(|basic| basic.starts_with("Basic ")));
    let steps: Vec<String> = desk.audit("token").iter().map(|record| record["step"].as_str().unwrap().to_owned()).collect();
    assert_eq!(steps, ["ask", "answer"]);
    let sent = desk.audit("egress");
    assert_eq!(sent[0]["secrets"][0]["fingerprint"], desk.audit("token")[1]["fingerprint"], "the record has the token's fingerprint");
}

#[test]
fn what_comes_back_of_a_token_or_of_what_it_was_had_for_is_taken_out() {
    let desk = Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None)]).echoing(&[TOKEN, SECRET]);

    let ran = desk.run(&desk.host(), &[ASK]);

    assert!(ran.stdout.contains("[redacted:KEY]"), "{}", ran.stdout);
    assert!(ran.stdout.contains("echo sr_"), "a token comes back as the placeholder: {}", ran.stdout);
}

#[test]
fn a_rejected_token_is_replaced_once_and_the_request_repeated() {
    let desk = Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None), Answer::token(SECOND, 3600, None)]).rejecting(&[TOKEN]);
    let host = desk.host();

    let young = desk.run(&host, &[ASK]);
    desk.sleep(61);
    let old = desk.run(&host, &["send POST https://api.test/v1/x h:authorization=Bearer+{KEY} b:hello", ASK]);

    assert!(young.stdout.starts_with("send 401"), "a token that is younger than a minute is not replaced: {}", young.stdout);
    assert_eq!(old.stdout.matches("send 200").count(), 2, "{}", old.stdout);
    assert_eq!(bearer(&desk.seen()), [TOKEN, TOKEN, SECOND, SECOND]);
    assert_eq!(desk.seen()[2].body, "hello", "what is repeated is what the agent sent");
    assert_eq!(desk.endpoint.asked().len(), 2);
    assert_eq!(desk.audit("egress")[2]["repeats"], 1);
}

#[test]
fn a_server_that_rejects_every_token_is_asked_for_no_more_than_one_a_minute() {
    let answers = [Answer::token(TOKEN, 3600, None), Answer::token(SECOND, 3600, None), Answer::token(TOKEN, 3600, None)];
    let desk = Desk::new(CLIENT, SECRET, answers).rejecting(&[TOKEN, SECOND]);
    let host = desk.host();
    desk.sleep(61);

    desk.run(&host, &[ASK]);
    desk.sleep(61);
    let ran = desk.run(&host, &[ASK, ASK, ASK]);

    assert_eq!(ran.stdout.matches("send 401").count(), 3, "{}", ran.stdout);
    assert_eq!(desk.endpoint.asked().len(), 2);
    assert_eq!(bearer(&desk.seen()), [TOKEN, TOKEN, SECOND, SECOND, SECOND], "a rejected request is repeated once, with another token");
}

#[test]
fn the_endpoint_is_closed_to_agents() {
    let desk =
        Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None)]).and("[[egress]]\nhost = \"127.0.0.1:PORT\"\nmethods = [\"POST\"]");

    let ran = desk.run(&desk.host(), &["send POST https://127.0.0.1:PORT/token b:grant_type=client_credentials"]);

    assert!(ran.stdout.starts_with("send denied by rule `issuer`"), "{}", ran.stdout);
    assert_eq!(desk.audit("denial")[0]["rule"], "issuer");
    assert_eq!(desk.endpoint.asked().len(), 1);
}

#[test]
fn an_endpoint_that_fails_once_is_asked_once_more() {
    let failing = [Answer::closed(), Answer::new(503, "text/html", "busy"), Answer::json(500, &json!({"error": "server_error"}))];
    for failure in failing {
        let desk = Desk::new(CLIENT, SECRET, [failure, Answer::token(TOKEN, 3600, None)]);

        desk.run(&desk.host(), &[ASK]);

        assert_eq!(bearer(&desk.seen()), [TOKEN]);
    }
}

/// What a run is told, and the audit log, where an endpoint answers so.
#[test]
fn an_answer_that_is_no_token_is_told_without_a_word_of_the_servers() {
    let token = || Answer::token(TOKEN, 3600, None);
    let of_kind = |kind: &str| Answer::json(200, &json!({"access_token": TOKEN, "token_type": kind}));
    let cases: &[(&str, Answer, &str)] = &[
        ("an echo of the secret", Answer::json(400, &json!({"error": SECRET, "error_description": SECRET})), "it answered with status 400"),
        ("a page that echoes it", Answer::new(403, "text/html", format!("<p>{SECRET}")), "it answered with status 403"),
        ("gzip", token().gzip(), "it is content-coded"),
        ("cut inside the token", token().cut(40), "its response was cut short"),
        ("another type", of_kind("mac"), "not of the type `Bearer`"),
        ("a redirect", Answer::new(307, "text/html", "").header("location", "https://evil.test/"), "status 307; name the endpoint itself"),
        ("no JSON", Answer::new(200, "application/json", "{"), "neither JSON nor a form"),
        (
            "twice",
            Answer::new(200, "application/json", format!("{{\"access_token\":\"{TOKEN}\",\"access_token\":\"{SECOND}\"}}")),
            "one thing twice",
        ),
        ("no client", Answer::error("invalid_client"), "status 400, `invalid_client`"),
    ];
    for (name, answer, told) in cases {
        let desk = Desk::new(CLIENT, SECRET, [answer.clone(), answer.clone()]);

        let refused = desk.try_run(&desk.host(), &[ASK]).err().unwrap_or_else(|| panic!("{name}: it ran"));

        assert!(
            refused.contains("secret `KEY` is unavailable: no access token for it from 127.0.0.1:") && refused.contains(told),
            "{name}: {refused}"
        );
        desk.assert_silent(&[SECRET, TOKEN]);
        assert_eq!(desk.seen().len(), 0, "{name}");
    }
}

#[test]
fn a_server_that_refuses_is_not_asked_the_same_at_once() {
    let desk = Desk::new(CLIENT, SECRET, [Answer::error("invalid_client"), Answer::token(TOKEN, 3600, None)]);
    let host = desk.host();

    for _ in 0..3 {
        let refused = desk.try_run(&host, &[ASK]).err().expect("it has no token");
        assert!(refused.contains("invalid_client"), "{refused}");
    }

    assert_eq!(desk.endpoint.asked().len(), 1);
}

#[test]
fn a_form_is_read_as_a_token_too() {
    let form = format!("access_token={TOKEN}&token_type=bearer&expires_in=3600&scope=read");
    let desk = Desk::new(CLIENT, SECRET, [Answer::new(200, "application/x-www-form-urlencoded;charset=utf-8", form)]);

    desk.run(&desk.host(), &[ASK]);

    assert_eq!(bearer(&desk.seen()), [TOKEN]);
}

#[test]
fn a_token_that_ends_is_renewed_while_the_agent_runs_and_the_old_one_is_still_taken_out() {
    let desk = Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None), Answer::token(SECOND, 3600, None)]).echoing(&[TOKEN]);
    let host = desk.host();

    let ran = desk.run(&host, &[ASK, "send GET https://api.test/v1/hour h:authorization=Bearer+{KEY}", ASK]);

    assert_eq!(bearer(&desk.seen()), [TOKEN, TOKEN, SECOND], "{}", ran.stdout);
}

#[test]
fn a_token_that_is_asked_for_late_is_asked_for_once() {
    let gate = Gate::default();
    let desk = Desk::new(CLIENT, SECRET, [Answer::token(TOKEN, 3600, None).after(&gate)]);
    let host = desk.host();
    let (opened, arrived) = (gate, desk.endpoint.arrival(1));
    desk.on(async move {
        arrived.await;
        opened.open();
    });

    let ran = desk.run_at_once(&host, 4, &[ASK]);

    assert_eq!(ran.len(), 4);
    assert_eq!((bearer(&desk.seen()), desk.endpoint.asked().len()), (vec![TOKEN.to_owned(); 4], 1));
}

/// A thousand requests find that the token has ended. Three of ten are dropped while they wait, among them the one that has the host ask; the
/// endpoint takes two seconds, and fails once.
#[test]
fn however_many_requests_wait_and_are_dropped_one_exchange_counts() {
    let (failing, giving) = (Gate::default(), Gate::default());
    let answers = [
        Answer::token(TOKEN, 3600, None),
        Answer::new(503, "text/plain", "busy").after(&failing),
        Answer::token(SECOND, 3600, None).after(&giving),
    ];
    let desk = Desk::new(CLIENT, SECRET, answers).and("[limits]\nrequests = 300\nwall = \"5m\"").rated("10000/min");
    let host = desk.host();
    for (gate, arrived) in [(failing, desk.endpoint.arrival(2)), (giving, desk.endpoint.arrival(3))] {
        desk.on(async move {
            arrived.await;
            // The endpoint takes its time.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            gate.open();
        });
    }

    let ran = desk.run_at_once(
        &host,
        desk::MEETING,
        &["send GET https://api.test/v1/meet h:authorization=Bearer+{KEY}", "dropping 250 api.test /v1/x"],
    );

    for ran in &ran {
        assert!(ran.stdout.ends_with("dropping {\"200\": 175}\n"), "{}", ran.stdout);
    }
    assert_eq!(desk.endpoint.asked().len(), 3);
    let carried = bearer(&desk.seen().into_iter().filter(|seen| seen.path() == "/v1/x").collect::<Vec<_>>());
    assert!(carried.len() >= 4 * 175 && carried.iter().all(|token| token == SECOND), "{}", carried.len());
}

#[test]
fn a_manifest_that_states_it_wrongly_is_refused_with_line_and_remedy() {
    let refused = Desk::refused(&granted(
        "oauth2 = { grant = \"client_credentials\", token_url = \"http://login.test/token\", client_id = \"bot\" }",
    ));
    let told = "agent.toml:5:54: `secrets.KEY.oauth2.token_url`: not a URL of `https`, to which a credential could be sent";
    assert!(refused.contains(told), "{refused}");
    let refused =
        Desk::refused(&granted("format = \"^x$\"\noauth2 = { preset = \"github-app\", app_id = \"1\", installation_id = \"2\" }"));
    assert!(refused.contains("`default` or `format` of a secret with `oauth2`"), "{refused}");
}
