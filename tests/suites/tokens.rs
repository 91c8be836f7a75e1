//! Token responses (RFC 6749 5.1): the agent's own OAuth library exchanges a code or its credentials for tokens, and has placeholders of them.

use super::network::{Fixed, once};
use std::io::Write;
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::{AgentFixture, Ran, VALUE, echo};

pub(super) const ACCESS: &str = "at-7Hq2mZ9xKc4Lw8TnYd3Rf6";
pub(super) const REFRESH: &str = "rt-5bQ9zX2kLm7Rt4VwPs8Jc1";
pub(super) const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A token endpoint at `sub.api.test`, whose access tokens go to `api.test`. Other hosts say what they were sent.
pub(super) fn room(more: &str, answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> AgentFixture {
    let endpoint =
        "host = \"sub.api.test\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\nplace = [\"form:client_secret\"]\nseal = [\"oauth2\"]";
    AgentFixture::granted(&format!("{endpoint}\n{more}"))
        .and("[[egress]]\nhost = \"api.test\"\nmethods = [\"GET\", \"POST\"]\n[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\", \"POST\"]")
        .value("ACCESS", ACCESS)
        .value("REFRESH", REFRESH)
        .server(move |seen| match seen.path() {
            "/token" => answer(seen),
            _ => respond(200, "text/plain", format!("you sent <{}> <{}>", seen.header("authorization"), seen.header("x-token"))),
        })
}

pub(super) const FOR_API: &str = "tokens_for = [\"api.test\"]";

/// What a token endpoint answers.
pub(super) fn tokens() -> String {
    format!(
        "{{\"access_token\":\"{ACCESS}\", \"token_type\":\"Bearer\",\"expires_in\":3599,\"scope\":\"read\",\"refresh_token\":\"{REFRESH}\"}}"
    )
}

/// The exchange, in the way of a library.
pub(super) const EXCHANGE: &str =
    "POST https://sub.api.test/token h:content-type=application/x-www-form-urlencoded b:grant_type=client_credentials&client_secret={KEY}";
const AFTER_ACCESS: &str = "access_token\":\"";
const AFTER_REFRESH: &str = "refresh_token\":\"";

pub(super) fn form_of(seen: &Seen, name: &str) -> String {
    let body = String::from_utf8_lossy(&seen.body).into_owned();
    body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
}

#[test]
fn an_access_token_goes_to_the_hosts_of_its_grant_and_its_lifetime_stays() {
    let ran = room(FOR_API, |_| respond(200, JSON, tokens())).run(&[
        &format!("login {AFTER_ACCESS} {EXCHANGE} -- GET https://api.test/v1/me h:authorization=Bearer+(SEALED)"),
        &format!("send {EXCHANGE}"),
    ]);

    assert_eq!(form_of(&ran.seen[0], "client_secret"), VALUE);
    assert_eq!(ran.seen[1].header("authorization"), format!("Bearer {ACCESS}"), "{}", ran.stdout);
    assert!(ran.stdout.contains("you sent <Bearer sr_"), "an echo of it is scrubbed: {}", ran.stdout);
    let shown = "\"token_type\":\"Bearer\",\"expires_in\":3599,\"scope\":\"read\",\"refresh_token\":\"sr_";
    assert!(ran.stdout.contains(shown), "{}", ran.stdout);
    let fields: Vec<&str> = ran.records("sealed").iter().filter_map(|record| record["field"].as_str()).collect();
    assert_eq!(fields, ["access_token", "refresh_token"], "{:?}", ran.audit);
    assert_eq!(ran.records("sealed")[0]["secret"], "KEY");
    assert_eq!(ran.records("egress")[1]["secrets"][0]["place"], "header:authorization", "{:?}", ran.audit);
}

#[test]
fn answers_of_hosts_that_tokens_go_to_are_searched_by_the_rules_too() {
    const THEIRS: &str = "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";
    let endpoint = "host = \"sub.api.test\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\nseal = [\"oauth2\"]\ntokens_for = [\"api.test\"]";
    let ran = AgentFixture::granted(endpoint)
        .and("[[egress]]\nhost = \"api.test\"")
        .value("THEIRS", THEIRS)
        .server(|_| respond(200, "text/plain", format!("{THEIRS} and more")))
        .run(&["send GET https://api.test/v1/me"]);

    assert!(ran.stdout.contains("and more") && ran.records("answer")[0]["redacted"] == 1, "{:?}", ran.audit);
}

#[test]
fn a_form_is_sealed_as_json_is_and_the_agents_accept_stays() {
    let answer = format!("access_token={ACCESS}&refresh%5Ftoken={REFRESH}&expires_in=28800&scope=repo%2Cgist&token_type=bearer");
    let ask = |accept: &str| format!("login access_token= {EXCHANGE} {accept} -- GET https://api.test/v1/me h:authorization=(SEALED)");
    for (accept, sent) in [
        ("h:accept=application/x-www-form-urlencoded", FORM),
        ("h:accept=application/json", JSON),
        ("h:user-agent=x", ""),
        ("h:accept=text/html", JSON),
    ] {
        let answer = answer.clone();
        let ran = room(FOR_API, move |_| respond(200, FORM, answer.clone())).run(&[&ask(accept), &format!("send {EXCHANGE}")]);

        assert_eq!(ran.seen[0].header("accept"), sent, "{accept}");
        assert_eq!(ran.seen[1].header("authorization"), ACCESS, "{}", ran.stdout);
        assert!(
            ran.stdout.contains("&refresh%5Ftoken=sr_") && ran.stdout.contains("&expires_in=28800&scope=repo%2Cgist&"),
            "{}",
            ran.stdout
        );
    }
}

/// RFC 6749 4.4 and 6, as the crate `oauth2` asks.
#[test]
fn a_client_library_in_rust_gets_its_tokens_and_refreshes_them() {
    const SECOND: &str = "at-3Wd8nPz5Vb1Qx6Ky0Gh4Jt";
    let answer = |seen: &Seen| match form_of(seen, "grant_type").as_str() {
        "refresh_token" => respond(200, JSON, tokens().replace(ACCESS, SECOND)),
        // Of which the library reads nothing, so that it may have any signature.
        _ => respond(200, JSON, tokens().replace("\"scope\"", &format!("\"id_token\":\"{ID_TOKEN}\",\"scope\""))),
    };

    let ran =
        room(FOR_API, answer).value("SECOND", SECOND).guest("token-bot").run(&["https://sub.api.test/token", "https://api.test/v1/me"]);

    let [asked, first, refreshed, second] = ran.seen.as_slice() else { panic!("{:?}\n{}", ran.seen, ran.stdout) };
    assert_eq!((form_of(asked, "client_id"), form_of(asked, "client_secret")), ("bot".to_owned(), VALUE.to_owned()));
    assert_eq!((form_of(refreshed, "refresh_token"), form_of(refreshed, "client_secret")), (REFRESH.to_owned(), VALUE.to_owned()));
    assert_eq!([first, second].map(|seen| seen.header("authorization")), [format!("Bearer {ACCESS}"), format!("Bearer {SECOND}")]);
    assert!(ran.stdout.starts_with("lives for Some(3599s)\n"), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("you sent <Bearer sr_").count(), 2, "an echo of them is scrubbed: {}", ran.stdout);
}

#[test]
fn a_refresh_token_goes_back_to_its_endpoint_in_the_body() {
    let refresh = "POST https://sub.api.test/token h:content-type=application/x-www-form-urlencoded b:grant_type=refresh_token&refresh_token=(SEALED)&client_secret={KEY}";
    let ran = room(FOR_API, |_| respond(200, JSON, tokens())).run(&[&format!("login {AFTER_REFRESH} {EXCHANGE} -- {refresh}")]);

    assert_eq!(form_of(&ran.seen[1], "refresh_token"), REFRESH, "{}", ran.stdout);
    assert_eq!(form_of(&ran.seen[1], "client_secret"), VALUE);
    let places: Vec<String> =
        ran.records("egress")[1]["secrets"].as_array().unwrap().iter().map(|used| used["place"].to_string()).collect();
    assert_eq!(places, ["\"form:client_secret\"", "\"form:refresh_token\""]);

    // RFC 7009: it is revoked in a request of its own, where the secret is granted for that.
    let revoke = "[[secrets.KEY.allow]]\nhost = \"sub.api.test\"\nmethods = [\"POST\"]\npaths = [\"/revoke\"]\nplace = [\"form:client_secret\"]\nsealed_place = [\"form:token\"]";
    let ran = room(FOR_API, |_| respond(200, JSON, tokens())).and(revoke).run(&[&format!(
        "login {AFTER_REFRESH} {EXCHANGE} -- POST https://sub.api.test/revoke h:content-type=application/x-www-form-urlencoded b:token=(SEALED)&client_secret={{KEY}}"
    )]);
    assert_eq!(form_of(&ran.seen[1], "token"), REFRESH, "{}", ran.stdout);
}

#[test]
fn a_token_goes_nowhere_else() {
    let to = |request: &str, after: &str, rule: &str, more: &str| {
        let ran = room(more, |_| respond(200, JSON, tokens())).run(&[&format!("login {after} {EXCHANGE} -- {request}")]);
        assert_eq!(ran.denied(), [rule], "{request}: {}", ran.stdout);
        assert_eq!(ran.seen.len(), 1, "{request}");
        ran
    };
    for (request, rule) in [
        ("GET https://other.test/ h:authorization=Bearer+(SEALED)", "misplaced-placeholder"),
        ("POST https://sub.api.test/token h:content-type=application/json h:authorization=Bearer+(SEALED) b:<()>", "misplaced-placeholder"),
        ("GET https://api.test/v1/me h:x-token=(SEALED)", "misplaced-placeholder"),
        ("GET https://api.test/v1/me?access_token=(SEALED)", "misplaced-placeholder"),
        ("GET https://api.test/v1/me h:authorization=token+(SEALED)", "misplaced-placeholder"),
        ("POST https://sub.api.test/token h:content-type=application/x-www-form-urlencoded b:refresh_token=(SEALED)", "foreign-credential"),
        ("GET https://api.test/v1/me h:authorization=Bearer+theirs", "foreign-credential"),
        ("DELETE https://api.test/v1/me h:authorization=Bearer+(SEALED)", "method"),
        ("GET https://evil.test/v1/me h:authorization=Bearer+(SEALED)", "destination"),
    ] {
        to(request, AFTER_ACCESS, rule, FOR_API);
    }
    for (request, rule) in [
        ("GET https://api.test/v1/me h:authorization=Bearer+(SEALED)", "misplaced-placeholder"),
        ("GET https://sub.api.test/token h:authorization=Bearer+(SEALED)", "method"),
    ] {
        to(request, AFTER_REFRESH, rule, FOR_API);
    }
    // Where no host is named, it is the token endpoint's own.
    let ran = to("GET https://api.test/v1/me h:authorization=Bearer+(SEALED)", AFTER_ACCESS, "misplaced-placeholder", "");
    let remedy = ran.records("denial")[0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("`tokens_for`"), "{remedy}");
}

#[test]
fn a_header_of_the_grants_choice_holds_the_token_or_nothing() {
    let more = format!("{FOR_API}\nsealed_place = [\"header:x-token\"]");
    let ran = room(&more, |_| respond(200, JSON, tokens())).run(&[
        &format!("login {AFTER_ACCESS} {EXCHANGE} -- GET https://api.test/v1/me h:x-token=(SEALED)"),
        "send GET https://api.test/v1/me h:x-token=theirs",
    ]);

    assert_eq!((ran.seen[1].header("x-token"), ran.seen.len()), (ACCESS, 2), "{}", ran.stdout);
    assert_eq!(ran.denied(), ["foreign-credential"], "{}", ran.stdout);
}

#[test]
fn a_successful_response_that_may_hold_a_token_in_some_other_way_is_withheld() {
    let utf16: Vec<u8> = tokens().bytes().flat_map(|byte| [0, byte]).collect();
    for (what, body) in [
        ("neither a JSON object nor a form", format!("<p>access_token={ACCESS}</p>").into_bytes()),
        ("neither a JSON object nor a form", format!("[{}]", tokens()).into_bytes()),
        ("neither a JSON object nor a form", tokens()[..40].into()),
        ("neither a JSON object nor a form", format!("scope=x;access_token={ACCESS}").into_bytes()),
        ("neither a JSON object nor a form", utf16),
        ("`access_token` is missing, or is not a string", format!("{{\"data\":{}}}", tokens()).into_bytes()),
        ("`access_token` is missing, or is not a string", format!("{{\"token\":\"{ACCESS}\"}}").into_bytes()),
        ("it has a name twice", format!("{{\"access_token\":\"first-7Hq2mZ9xKc4\",\"access_token\":\"{ACCESS}\"}}").into_bytes()),
        ("it has a name twice", format!("access_token={ACCESS}&access%5Ftoken=other-7Hq2mZ9xKc4&token_type=bearer").into_bytes()),
        ("their type is not `bearer`", tokens().replace("Bearer", "DPoP").into_bytes()),
        ("their type is not `bearer`", format!("access_token={ACCESS}&token_type=mac").into_bytes()),
        ("longer than 1 MiB", format!("{{\"access_token\":\"{ACCESS}\",\"pad\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes()),
    ] {
        let ran = room(FOR_API, move |_| respond(200, JSON, body.clone())).run(&[&format!("send {EXCHANGE}")]);

        assert!(ran.stdout.contains("withheld") && ran.stdout.contains(what), "{what}: {}", ran.stdout);
        assert!(ran.records("answer")[0]["error"].as_str().unwrap().contains(what), "{:?}", ran.audit);
    }
}

#[test]
fn a_coded_response_is_read_and_one_that_breaks_off_is_not_handed_on() {
    let coded = |coding: &'static str, part: fn(&[u8]) -> &[u8]| {
        room(FOR_API, move |_| {
            let mut answer = respond(200, JSON, part(&echo::coded(tokens().as_bytes(), "gzip")).to_vec());
            answer.headers_mut().insert("content-encoding", coding.parse().unwrap());
            answer
        })
        .run(&[&format!("send {EXCHANGE}")])
    };
    let whole = coded("gzip", |body| body);
    assert!(whole.stdout.contains("\"access_token\":\"sr_") && whole.stdout.contains("\"expires_in\":3599"), "{}", whole.stdout);
    let half = coded("gzip", |body| &body[..body.len() / 2]);
    assert!(!half.stdout.contains("send 200"), "{}", half.stdout);
    let unknown = coded("x-rot13", |body| body);
    assert!(unknown.stdout.contains("a content coding that the host can't decode"), "{}", unknown.stdout);

    let cut = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: 500\r\n\r\n{}", &tokens()[..30]);
    let (port, server) = once(move |_, stream| {
        let _ = stream.write_all(cut.as_bytes());
    });
    let grant = format!(
        "host = \"http://raw.test:{port}\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\nplace = [\"form:client_secret\"]\nseal = [\"oauth2\"]"
    );
    let ran = AgentFixture::granted(&grant)
        .seeking([ACCESS[..13].to_owned()].into_iter())
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send {}", EXCHANGE.replace("https://sub.api.test", &format!("http://raw.test:{port}")))]);
    server.join().unwrap();
    assert!(!ran.stdout.contains("send 200"), "{}", ran.stdout);
    assert_eq!(ran.records("answer")[0]["error"], "the connection was lost");
}

#[test]
fn an_error_passes_and_is_searched() {
    for (status, body) in [
        (400, "{\"error\":\"invalid_grant\",\"error_description\":\"the code has expired\"}".to_owned()),
        (200, "error=authorization_pending&error_description=wait".to_owned()),
        (200, "{\"error\":\"bad_verification_code\"}".to_owned()),
        (500, "<p>down</p>".to_owned()),
    ] {
        let given = body.clone();
        let ran = room(FOR_API, move |_| respond(status, JSON, body.clone())).run(&[&format!("send {EXCHANGE}")]);
        assert!(ran.stdout.contains(&format!("send {status}")) && ran.stdout.contains(&given), "{}", ran.stdout);
    }
    let ran = room(FOR_API, |seen| respond(401, "text/html", format!("<p>wrong: {}</p>", String::from_utf8_lossy(&seen.body))))
        .run(&[&format!("send {EXCHANGE}")]);
    assert!(ran.stdout.contains("client_secret=pf_live_"), "the assertion comes back as its placeholder: {}", ran.stdout);

    let ran =
        room(FOR_API, |_| respond(400, JSON, format!("{{\"error\":\"x\",\"access_token\":\"{ACCESS}\",\"access_token\":\"{REFRESH}\"}}")))
            .run(&[&format!("send {EXCHANGE}")]);
    assert_eq!(ran.stdout.matches("\"access_token\":\"sr_").count(), 2, "what an error holds is sealed all the same: {}", ran.stdout);
}

/// A token endpoint that answers with the client's secret makes it no token: it goes where it is granted, and nowhere else.
#[test]
fn a_secret_of_the_manifest_becomes_no_token() {
    let ran = room(FOR_API, |_| respond(200, JSON, tokens().replace(ACCESS, VALUE)))
        .run(&[&format!("login {AFTER_ACCESS} {EXCHANGE} -- GET https://api.test/v1/me h:authorization=Bearer+(SEALED)")]);
    assert_eq!((ran.denied(), ran.seen.len()), (vec!["misplaced-placeholder"], 1), "{}", ran.stdout);

    let ran = room(FOR_API, |_| respond(200, JSON, tokens().replace(ACCESS, &format!("x-{VALUE}")))).run(&[&format!("send {EXCHANGE}")]);
    assert!(ran.stdout.contains("\"access_token\":\"[sealed:KEY]\""), "{}", ran.stdout);
}

/// An agent could have the endpoint answer with a token of its own choice.
#[test]
fn what_the_run_itself_has_sent_is_no_token() {
    const THEIRS: &str = "theirs-Jc1Ps8Wv6Nq3Hd0";
    let ran = room(FOR_API, |_| respond(200, JSON, tokens().replace(ACCESS, THEIRS)))
        .run(&[&format!("login {AFTER_ACCESS} {EXCHANGE}&scope={THEIRS} -- GET https://api.test/v1/me h:authorization=Bearer+(SEALED)")]);

    assert!(ran.seen.iter().all(|seen| !seen.header("authorization").contains(THEIRS)), "{:?}", ran.seen);
    assert_eq!(ran.denied(), ["foreign-credential"], "{}", ran.stdout);
}

#[test]
fn other_tokens_are_taken_out_by_their_names_and_what_repeats_a_token_elsewhere() {
    let long: &'static str = Box::leak((0..700u64).map(|at| format!("{:x}Z", at * 2_654_435_761)).collect::<String>().into_boxed_str());
    let ran = room(FOR_API, move |_| {
        let body = format!(
            "{{\"access_token\":\"{long}\",\"device_secret\":\"{REFRESH}\",\"authed_user\":{{\"id\":\"U1\",\"access_token\":\"{ACCESS}\"}},\"note\":\"{ACCESS} {long}\",\"issued_token_type\":\"urn:x\"}}"
        );
        let mut answer = respond(200, JSON, body);
        answer.headers_mut().insert("x-note", format!("{ACCESS} {long}").parse().unwrap());
        answer
    })
    .value("LONG", long)
    .run(&[&format!("send {EXCHANGE}")]);

    assert!(long.len() > 4096 && ran.stdout.contains("{\"access_token\":\"sr_"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\"device_secret\":\"[sealed:KEY]\",\"authed_user\":{\"id\":\"U1\",\"access_token\":\"sr_"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("\"issued_token_type\":\"urn:x\"") && ran.stdout.contains("x-note=sr_"), "{}", ran.stdout);
}

/// `{"alg":"RS256"}`, claims, and a signature of 32 bytes.
const ID_TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3N1Yi5hcGkudGVzdCIsInN1YiI6InUxIn0.c2lnbmF0dXJlLW9mLXRoaXJ0eS10d28tYnl0ZXMhIQ";

fn with_id_token(more: &str) -> AgentFixture {
    room(more, |_| respond(200, JSON, tokens().replace("\"scope\"", &format!("\"id_token\":\"{ID_TOKEN}\",\"scope\""))))
}

#[test]
fn an_id_token_keeps_its_claims_and_has_a_signature_that_verifies_nowhere() {
    let signature = ID_TOKEN.rsplit('.').next().unwrap();
    let claims = "{\"alg\":\"RS256\"} {\"iss\":\"https://sub.api.test\",\"sub\":\"u1\"}";
    let ask = format!("jwt id_token\":\" {EXCHANGE}");

    let read = with_id_token(FOR_API).seeking([signature.to_owned()].into_iter()).run(&[&ask]);
    let other = read.stdout.trim().rsplit(' ').next().unwrap();
    assert!(read.stdout.starts_with(&format!("jwt {claims} ")), "{}", read.stdout);
    assert!(other.len() == signature.len() && other != signature, "{}", read.stdout);
    assert_eq!(read.records("sealed").len(), 3, "{:?}", read.audit);

    let whole = with_id_token(&format!("{FOR_API}\nid_token = \"pass\"")).run(&[&ask]);
    assert_eq!(whole.stdout.trim(), format!("jwt {claims} {signature}"));
}

#[test]
fn an_id_token_that_can_not_be_read_is_taken_out() {
    for token in ["a.b.c.d.e-encrypted-5bQ9zX2kLm7Rt4Vw", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.", "opaque-5bQ9zX2kLm7Rt4Vw"] {
        let body = tokens().replace("\"scope\"", &format!("\"id_token\":\"{token}\",\"scope\""));
        let ran = room(FOR_API, move |_| respond(200, JSON, body.clone())).run(&[&format!("send {EXCHANGE}")]);
        assert!(ran.stdout.contains("\"id_token\":\"[sealed:KEY]\""), "{token}: {}", ran.stdout);
    }
}

#[test]
fn a_manifest_says_of_tokens_what_can_be_true() {
    let refused = |more: &str, what: &str| {
        let error = room(more, |_| respond(200, JSON, tokens())).try_run(&["env"]).map(|_: Ran| ()).expect_err(what);
        assert!(error.contains(what), "{more}: {error}");
    };
    refused("tokens_for = [\"evil.test\"]", "`tokens_for` names evil.test, to which the manifest lets nothing go");
    refused("keep = \"NOBODY\"", "`keep` names `NOBODY`, which is not a secret of this manifest");
    refused("id_token = \"drop\"", "not a treatment of ID tokens");
}
