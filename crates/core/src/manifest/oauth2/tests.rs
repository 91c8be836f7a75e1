use super::*;

const REFRESH: &str = "grant = \"refresh_token\"\ntoken_url = \"https://login.test/oauth2/token\"\nclient_id = \"bot\"\nclient_secret = \"SECRET\"\n\
    scope = \"read write\"\nauthorization_url = \"https://login.test/auth?prompt=consent\"\ndevice_url = \"https://login.test/device\"\n";
const ASSERTION: &str =
    "grant = \"jwt_bearer\"\ntoken_url = \"https://login.test/token\"\nissuer = \"bot\"\nkey_id = \"k1\"\nscope = \"a\"\n";
const CLIENT: &str = "grant = \"client_credentials\"\ntoken_url = \"https://login.test/token\"\nclient_id = \"bot\"\naudience = \"api\"\n";

#[test]
fn a_scheme_prints_as_a_table_that_reads_as_the_same() {
    let google =
        "preset = \"google-service-account\"\nscope = \"https://www.googleapis.com/auth/devstorage.read_only\"\nsubject = \"a@b.c\"";
    let github = "preset = \"github-app\"\napp_id = \"Iv1.a\"\ninstallation_id = \"77\"";
    let own = &format!("{github}\napi_url = \"https://git.test/api/v3\"");
    for text in [REFRESH, ASSERTION, CLIENT, google, github, own] {
        let spec = Oauth2Spec::parse("m", text).expect(text);
        let table: toml::Table = format!("x = {spec}").parse().expect("TOML");
        let again = Oauth2Spec::parse("m", &toml::to_string(&table["x"]).expect("a table")).expect("the same");
        assert_eq!(again, spec, "{spec}");
    }
}

#[test]
fn what_is_left_out_is_what_most_servers_want() {
    let spec = |text: &str| Oauth2Spec::parse("m", text).expect(text);
    assert_eq!(spec(CLIENT).client_auth, ClientAuth::Basic);
    assert_eq!(spec(REFRESH).client_auth, ClientAuth::Basic);
    assert_eq!(spec(&REFRESH.replace("client_secret = \"SECRET\"\n", "")).client_auth, ClientAuth::None, "a public client");
    let Oauth2Grant::JwtBearer(assertion) = spec(ASSERTION).grant else { panic!("another grant") };
    assert_eq!((assertion.subject.as_str(), assertion.audience), ("bot", None));

    let app = spec("preset = \"github-app\"\napp_id = \"Iv1.a\"\ninstallation_id = \"77\"");
    assert_eq!(app.token_url.as_deref(), Some("https://api.github.com/app/installations/77/access_tokens"));
    let own = spec("preset = \"github-app\"\napp_id = \"1\"\ninstallation_id = \"7\"\napi_url = \"https://git.test/api/v3\"");
    assert_eq!(own.token_url.as_deref(), Some("https://git.test/api/v3/app/installations/7/access_tokens"));
    assert_eq!(spec(REFRESH).closed().collect::<Vec<_>>(), ["https://login.test/oauth2/token", "https://login.test/device"]);
    assert_eq!(spec(REFRESH).server(), "login.test");
}

#[test]
fn whatever_is_wrong_with_a_scheme_is_told_with_its_remedy() {
    for (text, of, to, told) in [
        (REFRESH, "refresh_token\"", "password\"", "an unknown grant"),
        (REFRESH, "https://login.test/oauth2", "http://login.test/oauth2", "not a URL of `https`"),
        (REFRESH, "https://login.test/oauth2", "https://login.test/a/../b", "`token_url`"),
        (REFRESH, "https://login.test/oauth2", "https://u:p@login.test/oauth2", "`token_url`"),
        (REFRESH, "oauth2/token", "oauth2/token?a=b", "a URL with a query"),
        (REFRESH, "read write", "read  write", "not a scope"),
        (REFRESH, "client_id = \"bot\"\n", "", "`client_id` is missing"),
        (REFRESH, "\"SECRET\"", "\"the secret\"", "client_secret"),
        (REFRESH, "scope", "client_auth = \"none\"\nscope", "`client_secret` with `client_auth = \"none\"`"),
        (REFRESH, "client_secret = \"SECRET\"", "client_auth = \"post\"", "nothing to do so with"),
        (REFRESH, "scope", "client_auth = \"tls\"\nscope", "an unknown way for a client to authenticate"),
        (REFRESH, "scope", "issuer = \"a\"\nscope", "`issuer` belongs"),
        (CLIENT, "audience", "client_auth = \"none\"\naudience", "`client_auth = \"none\"` with `client_credentials`"),
        (CLIENT, "audience", "client_secret = \"A\"\naudience", "`client_secret` belongs"),
        (CLIENT, "\"bot\"", "\"a b\"", "not visible ASCII"),
        (ASSERTION, "issuer = \"bot\"\n", "", "`issuer` is missing"),
        (ASSERTION, "scope", "client_auth = \"basic\"\nscope", "`client_auth` with `jwt_bearer`"),
        (ASSERTION, "\"k1\"", "\"-----BEGIN\"", "not visible ASCII"),
        ("preset = \"x\"", "\"x\"", "\"google\"", "an unknown preset"),
        ("preset = \"x\"", "\"x\"", "\"google-service-account\"", "`scope` is missing"),
        ("preset = \"x\"", "\"x\"", "\"github-app\"\napp_id = \"1\"\ninstallation_id = \"abc\"", "not a number"),
        (
            "preset = \"x\"",
            "\"x\"",
            "\"github-app\"\napp_id = \"1\"\ninstallation_id = \"1\"\ntoken_url = \"https://a.b/c\"",
            "unknown key `token_url`",
        ),
    ] {
        let text = text.replacen(of, to, 1);
        let found = Oauth2Spec::parse("m", &text).expect_err(&text).to_string();
        assert!(found.contains(told), "{of} -> {to}: {found}");
    }
}
