//! `strongroom login`: a refresh token from an authorization server into the backend that keeps it, without anybody seeing it on the way.

use crate::cli::{CliFixture, Transcript};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use strongroom_tests::services::{OIDC_SECRET, Oidc, OpenBao, call};
use strongroom_tests::token_endpoint::{Answer, TokenEndpoint};

pub(crate) const CONFIG: &str = "[network]\nallow = [\"127.0.0.1/32\"]\nca = [\"ca.pem\"]\n[audit]\nfile = \"audit.jsonl\"\n\
                      [backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n";
pub(crate) const LOGIN: &str = "login agent.toml CRM --config strongroom.toml --env-file .env";
const REFRESH: &str = "refresh-5d0c71be93f8a246";

/// A desk with a secret whose access tokens come from the server at this address, and an encrypted file for it.
fn desk(server: &str, ca: &str, client: &str) -> CliFixture {
    let host = server.trim_start_matches("https://");
    let secret = if client == "public" { "" } else { "client_secret = \"CRM_CLIENT\"\n" };
    let auth = if client == "post" { "client_auth = \"post\"\n" } else { "" };
    let desk = CliFixture::new(&format!(
        "[secrets.CRM]\nfrom = \"file:probe-1/CRM\"\nexpose = \"env\"\n[[secrets.CRM.allow]]\nhost = \"{host}\"\npaths = [\"/api/me\"]\nattach = true\n\
         [secrets.CRM.oauth2]\ngrant = \"refresh_token\"\ntoken_url = \"{server}/token\"\nclient_id = \"{client}\"\n{secret}{auth}\
         scope = \"openid offline_access read\"\nauthorization_url = \"{server}/auth\"\ndevice_url = \"{server}/device/auth\"\n\
         [secrets.CRM_CLIENT]\nfrom = \"env:CRM_CLIENT\"\nrequired = false\n"
    ));
    desk.write("strongroom.toml", CONFIG);
    desk.write("ca.pem", ca);
    desk.write(".env", &format!("CRM_CLIENT={OIDC_SECRET}\n"));
    let made = desk.run("secrets init --config strongroom.toml");
    assert_eq!(made.code, 0, "{}", made.stderr);
    desk
}

pub(crate) fn at_oidc(oidc: &Oidc, client: &str) -> CliFixture {
    desk(&oidc.issuer, &std::fs::read_to_string(oidc.ca()).unwrap(), client)
}

/// A desk at a server that answers as it is told.
fn at_script(answers: impl IntoIterator<Item = Answer>) -> (CliFixture, TokenEndpoint) {
    let endpoint = TokenEndpoint::start(answers);
    (desk(endpoint.url.trim_end_matches("/token"), &endpoint.ca, "basic"), endpoint)
}

/// A login that waits for a person.
pub(crate) struct Waiting {
    child: Child,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Waiting {
    pub(crate) fn start(desk: &CliFixture, line: &str) -> Self {
        let mut child = desk.command(line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, told: String::new() }
    }

    /// The next word that begins so.
    pub(crate) fn word(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended before it said `{start}`:\n{}", self.told);
            self.told.push_str(&line);
            if let Some(word) = line.split_whitespace().find(|word| word.starts_with(start)) {
                return word.to_owned();
            }
        }
    }

    pub(crate) fn end(mut self) -> Transcript {
        self.stderr.read_to_string(&mut self.told).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Transcript { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap(), stderr: self.told }
    }
}

/// The value of a parameter, decoded.
fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let value = value.unwrap_or_else(|| panic!("no `{name}` in {url}"));
    value.replace("%3A", ":").replace("%2F", "/")
}

/// What a browser would be sent back to by a server that gives this.
fn back(url: &str, with: &str) -> String {
    format!("{}?state={}&{with}", parameter(url, "redirect_uri"), parameter(url, "state"))
}

pub(crate) fn visit(url: &str) -> u16 {
    call("GET", url, &[], None).0
}

/// The entries of the desk's file that agents can name, with their versions.
fn kept(desk: &CliFixture) -> Value {
    let listed = desk.run("secrets list --backend file --config strongroom.toml --json");
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    serde_json::from_str(&listed.stdout).unwrap()
}

/// Has the agent use the secret; what the server's resource says.
pub(crate) fn used(desk: &CliFixture, oidc: &Oidc) -> String {
    let ran = desk.run(&format!("run agent.toml --config strongroom.toml --env-file .env -- send+GET+{}/api/me", oidc.issuer));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn a_browser_brings_what_becomes_a_refresh_token_and_the_agent_uses_it() {
    let oidc = Oidc::start();
    for client in ["public", "basic", "post"] {
        let desk = at_oidc(&oidc, client);
        let mut login = Waiting::start(&desk, &format!("{LOGIN} --json"));

        let back = oidc.browser().follow(&login.word("https://"));
        assert_eq!(visit(&back), 200, "{back}");

        let done = login.end();
        assert_eq!(done.code, 0, "{}", done.stderr);
        let told: Value = serde_json::from_str(&done.stdout).unwrap();
        let fingerprint = told["fingerprint"].as_str().unwrap();
        assert_eq!(
            told,
            json!({"secret": "CRM", "backend": "file", "path": "probe-1/CRM", "field": null, "version": "1", "fingerprint": fingerprint})
        );
        assert_eq!(kept(&desk), json!([{"path": "probe-1/CRM", "version": "1"}]));
        let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
        assert!(log.contains("\"step\":\"login\"") && log.contains(fingerprint), "{log}");

        let before = oidc.counts();
        assert!(used(&desk, &oidc).starts_with("send 200"), "{client}");
        let after = oidc.counts();
        assert_eq!((after.refresh - before.refresh, after.live - before.live, after.dead), (1, 1, 0));
    }
    assert_eq!(oidc.counts().reuse, 0);
}

#[test]
fn a_second_login_replaces_what_the_first_one_brought() {
    let oidc = Oidc::start();
    let desk = at_oidc(&oidc, "public");
    // By its bare name: it goes where `secrets set` would put it.
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    desk.write("agent.toml", &manifest.replace("from = \"file:probe-1/CRM\"\n", ""));
    desk.write("strongroom.toml", &format!("default_backend = \"file\"\n{CONFIG}"));
    for version in ["1", "2"] {
        let mut login = Waiting::start(&desk, LOGIN);
        visit(&oidc.browser().follow(&login.word("https://")));
        let done = login.end();
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stderr.contains(&format!("CRM: kept at file:probe-1/CRM, version {version}, fingerprint ")), "{}", done.stderr);
        assert_eq!(done.stdout, "");
    }
    assert!(used(&desk, &oidc).starts_with("send 200"));
}

/// Some servers give the same one again. What the journal says of it is of the session before.
#[test]
fn a_login_has_a_token_presented_that_was_given_up_before() {
    let (desk, endpoint) = at_script([
        Answer::token("access-token-1", 600, Some(REFRESH)),
        Answer::closed(),
        Answer::token("access-token-2", 600, Some(REFRESH)),
        Answer::token("access-token-3", 600, None),
        Answer::new(200, "text/plain", "me"),
    ]);
    let log_in = || {
        let mut login = Waiting::start(&desk, LOGIN);
        visit(&back(&login.word("https://"), "code=the-code"));
        let done = login.end();
        assert_eq!(done.code, 0, "{}", done.stderr);
    };
    let me = endpoint.url.replace("/token", "/api/me");
    let run = || desk.run(&format!("run agent.toml --config strongroom.toml --env-file .env -- send+GET+{me}"));

    log_in();
    for _ in 0..2 {
        let refused = run();
        assert!(refused.code == 121 && refused.stderr.contains("may have been used up"), "{}", refused.stderr);
    }
    assert_eq!(endpoint.asked().len(), 2, "a lost answer is not asked for twice");
    log_in();
    let ran = run();

    assert!(ran.stdout.starts_with("send 200"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(endpoint.asked()[3].field("refresh_token"), Some(REFRESH));
}

#[test]
fn what_is_not_this_logins_gets_404_and_changes_nothing() {
    let (desk, endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
    let mut login = Waiting::start(&desk, LOGIN);
    let url = login.word("https://");
    let (redirect, real) = (parameter(&url, "redirect_uri"), back(&url, "code=the-code"));

    assert_eq!(visit(&format!("{redirect}?code=the-code&state=another")), 404);
    assert_eq!(visit(&format!("{redirect}?code=the-code")), 404);
    assert_eq!(visit(&real.replace("/callback", "/callback/")), 404);
    assert_eq!(visit(&real.replace("/callback", "/")), 404);
    assert_eq!(call("POST", &real, &[], None).0, 404);
    assert_eq!(endpoint.asked().len(), 0, "nothing of it was used");

    let (status, _) = call("GET", &real, &[], None);
    assert_eq!(status, 200);
    let done = login.end();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        std::net::TcpStream::connect(redirect.trim_start_matches("http://").trim_end_matches("/callback")).is_err(),
        "the port is closed"
    );
    let [asked] = endpoint.asked().try_into().expect("one exchange");
    assert_eq!(asked.field("grant_type"), Some("authorization_code"));
    assert_eq!((asked.field("code"), asked.field("redirect_uri")), (Some("the-code"), Some(redirect.as_str())));
    let challenge = strongroom_tests::token_endpoint::challenge(asked.field("code_verifier").expect("a verifier"));
    assert_eq!((challenge, "S256".to_owned()), (parameter(&url, "code_challenge"), parameter(&url, "code_challenge_method")));
    assert!(!done.stderr.contains(REFRESH) && !done.stdout.contains(REFRESH), "nobody sees it");
}

#[test]
fn a_second_answer_gets_404_while_the_first_is_at_work() {
    use std::io::Write;

    let (desk, endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
    let mut login = Waiting::start(&desk, LOGIN);
    let url = login.word("https://");
    let address = parameter(&url, "redirect_uri").trim_start_matches("http://").trim_end_matches("/callback").to_owned();
    // Both are open before either of them is answered.
    let (mut first, mut second) = (std::net::TcpStream::connect(&address).unwrap(), std::net::TcpStream::connect(&address).unwrap());
    let ask = |code: &str| {
        let target = back(&url, &format!("code={code}")).replacen(&format!("http://{address}"), "", 1);
        format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n\r\n")
    };
    let one = ask("one");
    // The head but for its end: the request that is finished first is taken.
    first.write_all(&one.as_bytes()[..one.len() - 2]).unwrap();
    second.write_all(ask("two").as_bytes()).unwrap();
    let mut page = String::new();
    second.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("You can close this window."), "{page}");
    let _ = first.write_all(b"\r\n");
    let mut answer = String::new();
    let _ = first.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 404"), "{answer}");

    assert_eq!(login.end().code, 0);
    let [asked] = endpoint.asked().try_into().expect("one exchange");
    assert_eq!(asked.field("code"), Some("two"));
}

#[test]
fn a_person_who_refuses_and_a_server_that_does_are_told_by_the_errors_name() {
    let oidc = Oidc::start();
    oidc.person_agrees(false);
    let desk = at_oidc(&oidc, "public");
    let mut login = Waiting::start(&desk, LOGIN);
    let back_at_us = oidc.browser().follow(&login.word("https://"));
    assert!(back_at_us.contains("error=access_denied"), "{back_at_us}");
    assert_eq!(visit(&back_at_us), 200);
    let done = login.end();
    assert_eq!(done.code, 121, "{}", done.stderr);
    let place = format!("error: agent.toml: secret `CRM`: no refresh token from {}: ", oidc.issuer.trim_start_matches("https://"));
    assert!(done.stderr.contains(&format!("{place}it sent the browser back with `access_denied`")), "{}", done.stderr);
    assert_eq!(kept(&desk), json!([]));

    for (with, told) in [
        (format!("error={OIDC_SECRET}&error_description={OIDC_SECRET}"), "an error that is not a registered one"),
        ("code=a&iss=https%3A%2F%2Fother.test".to_owned(), "the browser came back from another server (`iss`)"),
    ] {
        let (desk, endpoint) = at_script([]);
        let mut login = Waiting::start(&desk, LOGIN);
        let url = login.word("https://");
        visit(&back(&url, &with));
        let done = login.end();
        assert!(done.code == 121 && done.stderr.contains(told) && !done.stderr.contains(OIDC_SECRET), "{}", done.stderr);
        assert_eq!(endpoint.asked().len(), 0);
    }
}

#[test]
fn nothing_that_a_server_echoes_is_shown_and_nothing_is_kept_of_what_is_no_token() {
    let echo = json!({"error": OIDC_SECRET, "error_description": format!("the client secret {OIDC_SECRET} is wrong")});
    for (answer, told) in [
        (Answer::json(400, &echo), "it answered with status 400"),
        (Answer::json(401, &json!({"error": "invalid_client", "error_description": OIDC_SECRET})), "status 401, `invalid_client`"),
        (Answer::new(200, "text/html", format!("<p>{OIDC_SECRET}</p>")), "can't be read"),
        (Answer::json(200, &echo), "it answered with status 400"),
        (Answer::token("access-token", 600, None), "its response holds none"),
        (Answer::token("access-token", 600, Some("a b")), "its `refresh_token` is not one"),
        (Answer::token("access-token", 600, Some(REFRESH)).gzip(), "content-coded"),
        (Answer::token("access-token", 600, Some(REFRESH)).cut(20), "cut short"),
        (Answer::closed(), "the connection was lost"),
        (Answer::new(302, "text/plain", "").header("location", &format!("https://127.0.0.1:9/{OIDC_SECRET}")), "name the endpoint itself"),
        (Answer::new(200, "application/json", vec![b' '; (1 << 20) + 1]), "longer than 1 MiB"),
    ] {
        let (desk, endpoint) = at_script([answer]);
        let mut login = Waiting::start(&desk, LOGIN);
        let url = login.word("https://");
        visit(&back(&url, "code=the-code"));
        let done = login.end();
        assert!(done.code == 121 && done.stderr.contains(told), "{told}: {}", done.stderr);
        assert!(!done.stderr.contains(OIDC_SECRET) && !done.stderr.contains(REFRESH) && done.stdout.is_empty(), "{}", done.stderr);
        assert_eq!((kept(&desk), endpoint.asked().len()), (json!([]), 1), "{told}");
    }
}

#[test]
fn a_person_enters_the_code_of_a_device() {
    let oidc = Oidc::start();
    let desk = at_oidc(&oidc, "basic");
    let mut login = Waiting::start(&desk, &format!("{LOGIN} --device"));
    login.word("https://");
    let code = login.told.trim_end().rsplit(' ').next().unwrap().to_owned();

    oidc.device(&code, "accept");

    let done = login.end();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(used(&desk, &oidc).starts_with("send 200"));
}

#[test]
fn a_device_is_told_to_wait_to_go_away_or_what_it_wanted() {
    let device = |code: &str| {
        let shown = json!({"device_code": "device-code-1", "user_code": code, "verification_uri": "https://login.test/device", "expires_in": 600, "interval": 1});
        Answer::json(200, &shown)
    };
    let granted = || Answer::token("access-token", 600, Some(REFRESH));
    for (answers, code, told) in [
        (
            vec![device("AB-CD"), Answer::error("authorization_pending"), Answer::closed(), granted()],
            0,
            "CRM: kept at file:probe-1/CRM, version 1",
        ),
        (vec![device("AB-CD"), Answer::error("access_denied")], 121, "it answered `access_denied`"),
        (vec![device("AB-CD"), Answer::error("expired_token")], 121, "it answered `expired_token`"),
        (vec![Answer::error("unauthorized_client")], 121, "status 400, `unauthorized_client`"),
        (vec![device("\u{1b}[2J")], 121, "its `user_code` is none that a person could enter"),
    ] {
        let asked = answers.len();
        let (desk, endpoint) = at_script(answers);

        let done = desk.run(&format!("{LOGIN} --device"));

        assert!(done.code == code && done.stderr.contains(told), "{told}: {}", done.stderr);
        assert!(!done.stderr.contains(REFRESH) && !done.stderr.contains("device-code-1"), "{}", done.stderr);
        assert_eq!(endpoint.asked().len(), asked);
        assert_eq!(endpoint.asked()[0].target, "/device/auth");
        assert_eq!(endpoint.asked()[0].field("scope"), Some("openid offline_access read"));
    }
}

#[test]
fn a_server_that_would_show_the_clients_secret_to_whoever_looks_is_not_shown() {
    let shown = json!({"device_code": "device-code-1", "user_code": "AB-CD", "verification_uri": format!("https://login.test/{OIDC_SECRET}"), "expires_in": 600});
    let (desk, _endpoint) = at_script([Answer::json(200, &shown)]);

    let done = desk.run(&format!("{LOGIN} --device"));

    assert_eq!(done.code, 121);
    assert!(done.stderr.contains("holds the client's own secret") && !done.stderr.contains(OIDC_SECRET), "{}", done.stderr);
}

#[test]
fn what_can_not_be_kept_is_not_asked_for() {
    let (desk, endpoint) = at_script([]);
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    for (of, to, line, code, told) in [
        (
            "file:probe-1/CRM",
            "env:CRM",
            LOGIN,
            120,
            "secret `CRM`: its backend `env` can't be written to, so a new refresh token could not be kept",
        ),
        ("probe-1/CRM", "probe-1/CRM?version=1", LOGIN, 120, "`from` names one version"),
        ("", "", "login agent.toml MISSING --config strongroom.toml", 120, "no secret `MISSING`; a login is for CRM"),
        ("", "", "login agent.toml CRM_CLIENT --config strongroom.toml", 120, "secret `CRM_CLIENT` has no refresh token"),
        (
            "authorization_url",
            "# a",
            LOGIN,
            120,
            "has no `authorization_url`; add it from the server's documents, or log in with `--device`",
        ),
        ("device_url", "# d", "login agent.toml CRM --config strongroom.toml --env-file .env --device", 120, "has no `device_url`"),
        ("", "", "login agent.toml CRM --config strongroom.toml", 121, "secret `CRM_CLIENT` is unavailable: not found"),
        ("", "", "login none.toml CRM --config strongroom.toml", 120, "none.toml: can't be read"),
    ] {
        desk.write("agent.toml", &manifest.replacen(of, to, 1));
        let done = desk.run(line);
        assert!(done.code == code && done.stderr.contains(told), "{told}: {} {}", done.code, done.stderr);
        assert_eq!(endpoint.asked().len(), 0);
    }
    desk.write("agent.toml", &manifest);
    std::fs::remove_file(desk.path("secrets.age")).unwrap();
    let done = desk.run(LOGIN);
    assert!(done.code == 121 && done.stderr.contains("nothing was asked of the server: "), "{}", done.stderr);
}

#[test]
fn a_browser_is_opened_on_demand_with_nothing_of_the_hosts_environment() {
    use std::os::unix::fs::PermissionsExt;

    let (desk, _endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
    std::fs::create_dir(desk.path("bin")).unwrap();
    desk.write("bin/xdg-open", "#!/bin/sh\n/usr/bin/env > \"$HOME/seen\"\necho \"$1\" > \"$HOME/opened\"\n");
    std::fs::set_permissions(desk.path("bin/xdg-open"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = desk.command(&format!("{LOGIN} --browser"));
    command.env("PATH", desk.path("bin")).env("HOME", desk.path(".")).env("VAULT_TOKEN", "of-the-host-and-nobody-else");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut login = Waiting { child, stderr, told: String::new() };

    let url = login.word("https://");
    let opened = loop {
        match std::fs::read_to_string(desk.path("opened")) {
            Ok(opened) if opened.ends_with('\n') => break opened,
            _ => std::thread::yield_now(),
        }
    };

    assert_eq!(opened.trim_end(), url);
    let seen = std::fs::read_to_string(desk.path("seen")).unwrap();
    assert!(seen.contains("HOME=") && !seen.contains("of-the-host-and-nobody-else"), "{seen}");
    visit(&back(&url, "code=the-code"));
    assert_eq!(login.end().code, 0);
}

#[test]
fn a_port_that_the_server_knows_is_named_and_one_that_is_taken_is_told() {
    let (desk, endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();

    let taken = desk.run(&format!("{LOGIN} --port {port}"));
    assert!(taken.code == 120 && taken.stderr.contains("name another with `--port`"), "{}", taken.stderr);

    drop(free);
    let mut login = Waiting::start(&desk, &format!("{LOGIN} --port {port}"));
    let url = login.word("https://");
    assert_eq!(parameter(&url, "redirect_uri"), format!("http://127.0.0.1:{port}/callback"));
    visit(&back(&url, "code=the-code"));
    assert_eq!(login.end().code, 0);
    assert_eq!(endpoint.asked().len(), 1);
}

#[test]
fn what_nobody_reads_is_kept_nevertheless() {
    let unread = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for (stdout, code) in [(unread(), 141), (full(), 126)] {
        let (desk, _endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
        let mut child =
            desk.command(&format!("{LOGIN} --json")).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut login = Waiting { child, stderr, told: String::new() };

        visit(&back(&login.word("https://"), "code=the-code"));

        let done = login.end();
        assert_eq!(done.code, code, "{}", done.stderr);
        assert_eq!(kept(&desk), json!([{"path": "probe-1/CRM", "version": "1"}]));
    }
}

#[test]
fn a_field_of_a_document_is_replaced_and_the_others_stay() {
    let bao = OpenBao::shared();
    bao.put("agents/login", json!({"crm_refresh": "the-one-before-0123456789", "client": OIDC_SECRET, "other": "stays"}));
    let policy = include_str!("../../examples/backends/vault/keeper.hcl");
    let (desk, endpoint) = at_script([Answer::token("access-token", 600, Some(REFRESH))]);
    let manifest = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    let manifest =
        manifest.replace("file:probe-1/CRM", "vault:agents/login#crm_refresh").replace("env:CRM_CLIENT", "vault:agents/login#client");
    desk.write("agent.toml", &manifest);
    desk.write("token", &bao.token("login-host", policy));
    let vault = format!(
        "[backends.vault]\ntype = \"vault\"\naddress = \"{}\"\npaths = [\"agents/**\"]\nauth = {{ method = \"token\", token = \"file:token\" }}\n",
        bao.address
    );
    desk.write("strongroom.toml", &format!("{CONFIG}{vault}"));
    desk.write("agent.toml", &manifest.replace("#crm_refresh", ""));
    let whole = desk.run(LOGIN);
    assert!(whole.code == 120 && whole.stderr.contains("is a document; name one of its fields"), "{}", whole.stderr);
    assert_eq!(endpoint.asked().len(), 0);
    desk.write("agent.toml", &manifest);
    let mut login = Waiting::start(&desk, &format!("{LOGIN} --json"));

    visit(&back(&login.word("https://"), "code=the-code"));

    let done = login.end();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&told["path"], &told["field"], &told["version"]), (&json!("agents/login"), &json!("crm_refresh"), &json!("2")));
    let document = bao.call("GET", "secret/data/agents/login", None).1;
    assert_eq!(document["data"]["data"], json!({"crm_refresh": REFRESH, "client": OIDC_SECRET, "other": "stays"}));
    assert!(endpoint.asked()[0].header("authorization").is_some_and(|basic| basic.starts_with("Basic ")));
}
