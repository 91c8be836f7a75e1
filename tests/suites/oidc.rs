//! Access tokens of a real authorization server, which knows each kind of client, replaces refresh tokens, and takes the second use of one for
//! a theft.

use crate::cli::CliFixture;
use crate::login::{CONFIG, LOGIN, Waiting, at_oidc, used, visit};
use strongroom_tests::services::{OIDC_SECRET, Oidc};

/// Keeps a value in the desk's file.
fn set(desk: &CliFixture, name: &str, value: &str) {
    let done = desk.pipe(&format!("secrets set {name} --namespace probe-1 --backend file --config strongroom.toml"), value, &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn each_way_of_a_client_to_authenticate_has_a_token_that_works() {
    let oidc = Oidc::start();
    let desk = CliFixture::new("");
    desk.write("strongroom.toml", CONFIG);
    desk.write("ca.pem", &std::fs::read_to_string(oidc.ca()).unwrap());
    assert_eq!(desk.run("secrets init --config strongroom.toml").code, 0);
    let credentials = "grant = \"client_credentials\"\nscope = \"read\"\n";
    let signed = format!("{credentials}client_auth = \"private_key_jwt\"\n");
    let assertion = "grant = \"jwt_bearer\"\nissuer = \"assertion\"\nscope = \"read\"\n";
    let secret = OIDC_SECRET.to_owned();
    for (count, (client, table, value)) in (1..).zip([
        ("machine-basic", credentials, secret.clone()),
        ("machine-post", &*format!("{credentials}client_auth = \"post\"\n"), secret),
        ("machine-es256", &*signed, oidc.private_key("ES256")),
        ("machine-rs256", &*signed, oidc.private_key("RS256")),
        ("machine-eddsa", &*signed, oidc.private_key("EdDSA")),
        ("assertion", assertion, oidc.private_key("ES256")),
        ("assertion", assertion, oidc.private_key("RS256")),
    ]) {
        let name = format!("CRM_{count}");
        desk.write(
            "agent.toml",
            &format!(
                "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.{name}]\nfrom = \"file:probe-1/{name}\"\n[[secrets.{name}.allow]]\n\
                 host = \"{}\"\npaths = [\"/api/me\"]\nattach = true\n[secrets.{name}.oauth2]\ntoken_url = \"{}\"\nclient_id = \"{client}\"\n{table}",
                oidc.issuer.trim_start_matches("https://"),
                oidc.url("/token"),
            ),
        );
        desk.write(".env", "");
        set(&desk, &name, &value);

        let ran = used(&desk, &oidc);

        assert!(ran.starts_with("send 200") && ran.contains(client), "{client}: {ran}");
        assert_eq!((oidc.counts().token, oidc.counts().live, oidc.counts().dead), (count, count, 0), "{client}");
    }
}

#[test]
fn a_refresh_token_is_replaced_with_each_token_and_never_presented_twice() {
    let oidc = Oidc::start();
    let desk = at_oidc(&oidc, "basic");
    set(&desk, "CRM", &oidc.mint("basic", "openid offline_access read write"));

    // Each run is another host; what one has got serves the next.
    assert!(used(&desk, &oidc).starts_with("send 200"));
    assert!(used(&desk, &oidc).starts_with("send 200"));
    assert_eq!((oidc.counts().refresh, oidc.counts().live), (1, 2));

    // For another scope, it has to ask for itself.
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    for scope in ["openid offline_access write", "openid offline_access read write"] {
        desk.write("agent.toml", &manifest.replace("openid offline_access read", scope));
        assert!(used(&desk, &oidc).starts_with("send 200"), "{scope}");
    }
    assert_eq!((oidc.counts().refresh, oidc.counts().reuse, oidc.counts().dead), (3, 0, 0));
}

#[test]
fn a_refresh_token_that_somebody_else_has_used_is_over_until_a_person_logs_in() {
    let oidc = Oidc::start();
    let desk = at_oidc(&oidc, "public");
    let stolen = oidc.mint("public", "openid offline_access read");
    set(&desk, "CRM", &stolen);
    let (status, thiefs) = oidc.token(&[("grant_type", "refresh_token"), ("client_id", "public"), ("refresh_token", &stolen)]);
    assert_eq!((status, oidc.me(thiefs["access_token"].as_str().unwrap()).0), (200, 200));

    let run = format!("run agent.toml --config strongroom.toml --env-file .env -- send+GET+{}/api/me", oidc.issuer);
    let refused = desk.run(&run);

    assert_eq!(refused.code, 121, "{}", refused.stderr);
    assert!(refused.stderr.contains("log in anew: `strongroom login AGENT.toml CRM`"), "{}", refused.stderr);
    assert_eq!(oidc.counts().reuse, 1, "the server has taken it for a theft, and has revoked what the thief has");
    assert_eq!(oidc.me(thiefs["access_token"].as_str().unwrap()).0, 401);
    assert_eq!(desk.run(&run).code, 121);
    assert_eq!(oidc.counts().reuse, 1, "what is known to be over is not presented again");

    let mut login = Waiting::start(&desk, LOGIN);
    visit(&oidc.browser().follow(&login.word("https://")));
    assert_eq!(login.end().code, 0);
    assert!(used(&desk, &oidc).starts_with("send 200"));
}
