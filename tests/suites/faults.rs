//! What goes wrong between a host and its backends, and what comes of it: one table, then what a table can't say.

use crate::backends::AGENTS_POLICY;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use strongroom::manifest::{CredentialRef, SecretIdRenewal, VaultAuth, VaultConfig};
use strongroom::{Host, HostConfig, Manifest, VaultBackend};
use strongroom_demo::server::respond;
use strongroom_tests::services::{Fault, Faulty, OpenBao, Postgres};
use strongroom_tests::{AgentFixture, Ran, VALUE, block_on};

const SECOND: &str = "pf_live_00112233445566778899aabbccddeeff";
/// Longer than `cache` in these tests, shorter than `stale`.
const PAST_CACHE: u64 = 301_000;
/// Longer than both.
const PAST_STALE: u64 = 3_700_000;

/// A server, a role there, and the way to it.
struct VaultFixture {
    bao: &'static OpenBao,
    role: String,
    relay: Arc<Faulty>,
    credentials: tempfile::TempDir,
}

impl VaultFixture {
    /// A role of this name, with its secret at `agents/NAME`.
    fn new(role: &str, settings: Value) -> Self {
        Self::to(OpenBao::shared(), role, settings)
    }

    fn to(bao: &'static OpenBao, role: &str, settings: Value) -> Self {
        let credentials = bao.role_files(role, AGENTS_POLICY, settings);
        bao.put(&format!("agents/{role}"), json!({"KEY": VALUE}));
        Self { bao, role: role.to_owned(), relay: Arc::new(Faulty::before(&bao.address)), credentials }
    }

    fn config(&self) -> VaultConfig {
        OpenBao::config(self.relay.url(), self.credentials.path()).with(|new| {
            new.cache = Duration::from_secs(300);
            new.stale = Duration::from_secs(3600);
        })
    }

    /// A room whose `KEY` comes from there, with time that a test can turn.
    fn room(&self, slept: &Arc<AtomicU64>) -> AgentFixture {
        let (backend, slept) = (VaultBackend::new(&self.config()).unwrap(), Arc::clone(slept));
        AgentFixture::with(&format!(
            "[secrets.KEY]\nfrom = \"vault:agents/{}#KEY\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]",
            self.role
        ))
        .value("SECOND", SECOND)
        .host(move |host| host.backend("vault", backend).slept(slept))
    }
}

const SEND: &str = "send GET https://api.test/v1/x h:authorization={KEY}";

/// What a request was sent with, or what the guest was told.
fn outcomes(ran: &Ran) -> Vec<String> {
    ran.stdout.lines().filter(|line| line.starts_with("send")).map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

/// Does `work` at the first request that the API gets; answers as `answer` says.
fn at_first(
    work: impl Fn() + Send + Sync + 'static,
    status: u16,
) -> impl Fn(&strongroom_demo::server::Seen) -> strongroom_demo::server::Response {
    let count = AtomicUsize::new(0);
    move |_| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            work();
            respond(status, "text/plain", "first")
        } else {
            respond(200, "text/plain", "later")
        }
    }
}

/// What a server of a cluster answers that does not lead it, and is told not to pass requests on.
fn standby() -> Fault {
    let answer = include_str!("../field/http/vault-standby-307.http");
    // The relay closes its connection after an answer of its own, and says so.
    Fault::Answer(answer.replace("Content-Length: 0", "Content-Length: 0\r\nConnection: close"))
}

#[test]
fn a_redirect_of_a_standby_is_not_followed_with_the_token() {
    let way = VaultFixture::new("standby", json!({}));
    let elsewhere = Faulty::before(&way.bao.address);
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/v1/secret/data/agents/standby\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.url()
    );
    way.relay.set(&[Fault::Answer(redirect)]);

    let error = way.room(&Arc::default()).try_run(&[SEND]).err().unwrap();

    assert!(error.contains("a standby (307)") && !error.contains(&elsewhere.url()), "{error}");
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_field_that_is_a_number_is_a_value_of_the_server_too() {
    let way = VaultFixture::new("digits", json!({}));
    way.bao.put("agents/digits", json!({"KEY": 12_345_678_901_u64, "OTHER": "a"}));

    let ran = way.room(&Arc::default()).run(&[SEND]);

    assert_eq!(ran.seen[0].header("authorization"), "12345678901");
}

#[test]
fn faults_at_the_start_have_their_table() {
    let bao = OpenBao::shared();
    let answer = |status: &str, header: &str, body: &str| Fault::answer(status, header, body);
    let html = answer("200 OK", "", "<html>it works</html>");
    let failed = answer("500 Internal Server Error", "", "{\"errors\":[\"pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0\"]}");
    let wait = answer("429 Too Many Requests", "retry-after: 1", "{\"errors\":[\"quota\"]}");
    let long_wait = answer("429 Too Many Requests", "retry-after: 3600", "{\"errors\":[\"quota\"]}");
    let moved = answer("301 Moved Permanently", "location: https://vault.test/", "");
    let redirect = answer("307 Temporary Redirect", "location: http://evil.test/v1/auth/approle/login", "{}");
    let lost = answer("404 Not Found", "", "<html>nothing here</html>");
    let huge = Fault::Answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 8 << 20, "x".repeat(8 << 20)));
    // The first connection is the login's, unless it is kept; each fault below closes its connection.
    let cases: Vec<(&str, Vec<Fault>, Result<(), &str>)> = vec![
        ("nothing", vec![Fault::None], Ok(())),
        ("down", vec![Fault::Closed], Err("closed the connection")),
        ("down once", vec![Fault::Closed, Fault::None], Err("closed the connection")),
        ("slow", vec![Fault::Slow(Duration::from_secs(5)), Fault::None], Ok(())),
        ("asks to wait a second", vec![wait.clone(), Fault::None], Ok(())),
        ("asks to wait again and again", vec![wait], Err("throttles requests (429)")),
        ("asks to wait an hour", vec![long_wait], Err("throttles requests (429)")),
        ("fails", vec![failed], Err("the server failed (500)")),
        ("is no Vault", vec![html], Err("login returned no token")),
        ("is a proxy that knows no Vault", vec![lost.clone()], Err("a response (404) that is not Vault's")),
        // What a redirect of Vault means, and what helps: a bare "failed" sends people to the server's log.
        ("sends the login elsewhere", vec![redirect], Err("the server is a standby (307); point `address` at the cluster")),
        ("is a standby at first", vec![standby(), Fault::None], Ok(())),
        ("is a standby", vec![standby()], Err("the server is a standby (307); point `address` at the cluster")),
        ("is behind a proxy that wants TLS", vec![moved], Err("the server sends requests elsewhere (301)")),
        ("answers without end", vec![huge], Err("more than 4194304 bytes")),
    ];
    std::thread::scope(|scope| {
        for (number, (name, faults, expected)) in cases.into_iter().enumerate() {
            scope.spawn(move || {
                let way = VaultFixture::to(bao, &format!("start-{number}"), json!({}));
                way.relay.set(&faults);
                let ran = way.room(&Arc::default()).try_run(&[SEND]);
                match (ran, expected) {
                    (Ok(ran), Ok(())) => assert_eq!(ran.seen[0].header("authorization"), VALUE, "{name}"),
                    (Err(error), Err(says)) => {
                        assert!(error.contains(says), "{name}: {error}");
                        assert!(!error.contains(VALUE), "{name}: {error}");
                    }
                    (Ok(_), Err(says)) => panic!("{name}: it ran, but should say: {says}"),
                    (Err(error), Ok(())) => panic!("{name}: {error}"),
                }
            });
        }
    });
}

#[test]
fn values_that_cant_be_secrets_have_their_table() {
    let way = VaultFixture::new("values", json!({}));
    let cases = [
        (json!({"OTHER": VALUE}), "not found: looked for agents/values#KEY"),
        // A number is a value, with its digits; the others say what they are.
        (json!({"KEY": {"deep": VALUE}}), "what is at agents/values#KEY is an object; name one of its fields"),
        (json!({"KEY": [VALUE]}), "what is at agents/values#KEY is a list; name one of its elements"),
        (json!({"KEY": true}), "what is at agents/values#KEY is true or false"),
        (json!({"KEY": null}), "what is at agents/values#KEY is null"),
        (json!({"KEY": 1_234}), "fewer than 8 bytes"),
        (json!({"KEY": ""}), "fewer than 8 bytes"),
        (json!({"KEY": "x".repeat(1 << 20)}), "more than 65536 bytes"),
        (json!({"KEY": format!("{VALUE}\n")}), "begins or ends with white space"),
    ];
    for (fields, says) in cases {
        way.bao.put("agents/values", fields);
        let error = way.room(&Arc::default()).try_run(&[SEND]).err().unwrap();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn faults_in_the_middle_of_a_run_have_their_table() {
    /// What happens between the first request and the second.
    type Midway = Box<dyn Fn(&VaultFixture, &AtomicU64) + Send + Sync>;
    fn then(millis: u64, work: impl Fn(&VaultFixture) + Send + Sync + 'static) -> Midway {
        Box::new(move |way, slept| {
            work(way);
            slept.fetch_add(millis, Ordering::Relaxed);
        })
    }
    let replaced = |way: &VaultFixture| way.bao.put(&format!("agents/{}", way.role), json!({"KEY": SECOND}));
    let down = |way: &VaultFixture| way.relay.set(&[Fault::Closed]);
    let lost = |way: &VaultFixture| way.relay.set(&[Fault::answer("404 Not Found", "", "<html>nothing here</html>")]);
    let failing = |way: &VaultFixture| way.relay.set(&[Fault::answer("500 Internal Server Error", "", "{}")]);
    let standing_by = |way: &VaultFixture| way.relay.set(&[standby()]);
    let revoked = move |way: &VaultFixture| {
        way.bao.revoke_tokens(&way.role);
        replaced(way);
    };
    let no_policy = |way: &VaultFixture| {
        let policy = json!({"policy": "path \"x\" { capabilities = [\"read\"] }"});
        way.bao.must("PUT", &format!("sys/policies/acl/{}", way.role), policy);
    };
    let deleted = |way: &VaultFixture| drop(way.bao.must("DELETE", &format!("secret/data/agents/{}", way.role), Value::Null));
    let no_field = |way: &VaultFixture| way.bao.put(&format!("agents/{}", way.role), json!({"OTHER": SECOND}));
    let (kept, renewed, refused) = ([Some(VALUE), Some(VALUE)], [Some(VALUE), Some(SECOND)], [Some(VALUE), None]);
    /// What happens, how the API answers the first request, with what the two were sent, and what the audit log says of the second.
    type Case = (&'static str, Midway, u16, [Option<&'static str>; 2], &'static str);
    let cases: Vec<Case> = vec![
        ("nothing", then(0, |_| {}), 200, kept, ""),
        ("the value is replaced, and its time is over", then(PAST_CACHE, replaced), 200, renewed, ""),
        ("the value is replaced within its time", then(0, replaced), 200, kept, ""),
        ("the value is replaced, and the old one is rejected", then(0, replaced), 401, renewed, ""),
        ("the server is down, and the value may be used a while", then(PAST_CACHE, down), 200, kept, "stale"),
        ("the server is down for longer than that", then(PAST_STALE, down), 200, refused, "the last value is older than 3600 s"),
        ("a proxy has lost the server", then(PAST_CACHE, lost), 200, kept, "stale"),
        ("the server is down, and the value is rejected", then(0, down), 401, kept, ""),
        ("the server is down, the value is past its time, and it is rejected", then(PAST_CACHE, down), 401, kept, "stale"),
        ("the server fails", then(PAST_CACHE, failing), 200, kept, "stale"),
        ("the server has become a standby", then(PAST_CACHE, standing_by), 200, kept, "stale"),
        ("the token is revoked", then(PAST_CACHE, revoked), 200, renewed, ""),
        ("the policy is taken away", then(PAST_CACHE, no_policy), 200, refused, "policy does not let this host do it (403)"),
        ("the secret is deleted", then(PAST_CACHE, deleted), 200, refused, "not found"),
        ("the field is gone", then(PAST_CACHE, no_field), 200, refused, "not found"),
        ("the machine sleeps for a day", then(86_400_000, |_| {}), 200, kept, ""),
    ];
    std::thread::scope(|scope| {
        for (number, (name, midway, status, expected, says)) in cases.into_iter().enumerate() {
            scope.spawn(move || {
                let way = Arc::new(VaultFixture::new(&format!("midway-{number}"), json!({})));
                let slept: Arc<AtomicU64> = Arc::default();
                let (way_, slept_) = (Arc::clone(&way), Arc::clone(&slept));
                let ran = way.room(&slept).server(at_first(move || midway(&way_, &slept_), status)).run(&[SEND, SEND]);
                let sent: Vec<&str> = ran.seen.iter().map(|seen| seen.header("authorization")).collect();
                let wanted: Vec<&str> = expected.iter().copied().flatten().collect();
                assert_eq!(sent, wanted, "{name}: {}", ran.stdout);
                let audit: Vec<&Value> = ran.records("egress");
                let was_stale = audit.last().unwrap()["secrets"][0]["stale"] == true;
                assert_eq!(was_stale, says == "stale", "{name}: {audit:?}");
                if expected[1].is_none() {
                    let records = ran.records("secret-unavailable");
                    assert!(records[0]["reason"].as_str().unwrap().contains(says), "{name}: {records:?}");
                    assert!(ran.stdout.contains("the secret `KEY` is not available at the moment"), "{name}: {}", ran.stdout);
                }
                assert_eq!(outcomes(&ran).len(), 2, "{name}");
            });
        }
    });
}

#[test]
fn a_sealed_server_is_told_from_a_broken_one() {
    let bao: &'static OpenBao = Box::leak(Box::new(OpenBao::start()));
    let way = VaultFixture::to(bao, "sealed", json!({}));
    bao.must("PUT", "sys/seal", Value::Null);

    let error = way.room(&Arc::default()).try_run(&[SEND]).err().unwrap();

    assert!(error.contains("the server is sealed; an operator has to unseal it"), "{error}");
    bao.stop();
    let error = way.room(&Arc::default()).try_run(&[SEND]).err().unwrap();
    assert!(error.contains("closed the connection") || error.contains("can't be reached"), "{error}");
}

#[test]
fn a_new_value_is_taken_out_of_answers_as_the_old_one_is() {
    let way = VaultFixture::new("scrubbed", json!({}));
    let (slept, bao) = (Arc::<AtomicU64>::default(), way.bao);
    let turned = Arc::clone(&slept);
    let count = AtomicUsize::new(0);
    let ran = way
        .room(&slept)
        .server(move |seen| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                bao.put("agents/scrubbed", json!({"KEY": SECOND}));
                turned.fetch_add(PAST_CACHE, Ordering::Relaxed);
            }
            respond(200, "text/plain", format!("old {VALUE} now {}", seen.header("authorization")))
        })
        .run(&[SEND, SEND]);

    // `run` has searched for both values in the guest's memory; here is what stands in their stead.
    let placeholder = ran.stdout.split("old ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(ran.stdout.matches(&format!("old {placeholder} now {placeholder}")).count(), 2, "{}", ran.stdout);
}

#[test]
fn a_new_value_of_another_format_is_not_used_and_the_old_one_is_for_a_while() {
    let way = VaultFixture::new("unfit", json!({}));
    let backend = VaultBackend::new(&way.config()).unwrap();
    let slept: Arc<AtomicU64> = Arc::default();
    let (turned, clock, bao) = (Arc::clone(&slept), Arc::clone(&slept), way.bao);
    let ran = AgentFixture::with(
        "[secrets.KEY]\nfrom = \"vault:agents/unfit#KEY\"\nformat = \"^pf_live_[a-f0-9]{32}$\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]",
    )
    .host(move |host| host.backend("vault", backend).slept(clock))
    .server(move |_| {
        bao.put("agents/unfit", json!({"KEY": "a-key-of-another-kind"}));
        turned.fetch_add(PAST_CACHE * 7, Ordering::Relaxed);
        respond(200, "text/plain", "done")
    })
    .run(&[SEND, SEND, SEND, SEND]);

    let sent: Vec<&str> = ran.seen.iter().map(|seen| seen.header("authorization")).collect();
    assert_eq!(sent, [VALUE, VALUE, VALUE], "{}", ran.stdout);
    assert!(ran.records("secret-unavailable")[0]["reason"].as_str().unwrap().contains("does not match the manifest's `format`"));
}

#[test]
fn rejections_make_the_host_ask_once_a_minute() {
    let way = VaultFixture::new("rejected", json!({}));
    let ran_counts: Arc<Mutex<Vec<u64>>> = Arc::default();
    let agent = "name = \"rejected\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/rejected#KEY\"\n[[secrets.KEY.allow]]\nhost = \"http://127.0.0.1:PORT\"\npaths = [\"/v1/**\"]";
    block_on(async {
        let server = strongroom_demo::server::Server::http(|_| respond(401, "text/plain", "no")).await.unwrap();
        let slept: Arc<AtomicU64> = Arc::default();
        let config = HostConfig::default().with(|new| new.network_allow = vec!["127.0.0.1/32".parse().unwrap()]);
        let host = Host::builder().config(config).without_audit().without_state().max_agents(2).slept(Arc::clone(&slept));
        let host = host.backend("vault", VaultBackend::new(&way.config()).unwrap()).build().unwrap();
        let port = server.address.port().to_string();
        let agent = host
            .agent(Manifest::parse("agent.toml", &agent.replace("PORT", &port)).unwrap(), &strongroom_components::bytes("probe"))
            .unwrap();
        let run = async || {
            let request = format!("repeat 20 GET http://127.0.0.1:{port}/v1/x h:authorization={{KEY}}");
            let options = strongroom::RunOptions::default().args([request]).stdout(strongroom::Captured::default());
            agent.run(options).await.unwrap();
            ran_counts.lock().unwrap().push(host.secret_counts().asked);
        };
        run().await;
        run().await;
        slept.fetch_add(61_000, Ordering::Relaxed);
        run().await;
    });

    assert_eq!(*ran_counts.lock().unwrap(), [2, 2, 3], "the first asking, one for all rejections, one more a minute later");
}

#[test]
fn ten_thousand_callers_make_one_login_and_one_call() {
    let way = VaultFixture::new("burst", json!({}));
    let manifest = "name = \"burst\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/burst#KEY\"";
    block_on(async {
        let host = Host::builder().without_audit().without_state().max_agents(1);
        let host = host.backend("vault", VaultBackend::new(&way.config()).unwrap()).build().unwrap();
        let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
        let callers: Vec<_> = (0..10_000).map(|_| agent.watch("KEY")).collect();
        let watched = futures_util::future::join_all(callers).await;

        assert!(watched.iter().all(Result::is_ok));
        assert_eq!(host.secret_counts().asked, 1);
        assert_eq!(way.bao.tokens("burst"), 1);
        drop(watched);
        host.shutdown().await;
        assert_eq!(way.bao.tokens("burst"), 0, "the host has logged out");
    });
}

/// Waits for something that a server does in its own time.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_token_is_renewed_before_its_time_and_made_anew_at_its_greatest_age() {
    let way = VaultFixture::new("renewed", json!({"token_ttl": "4s", "token_max_ttl": "9s"}));
    let manifest = "name = \"renewed\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/renewed#KEY\"";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&way.config()).unwrap()).build().unwrap();
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    let _watched = runtime.block_on(agent.watch("KEY")).unwrap();

    let lives = || way.bao.lives("renewed");
    let (first, _) = lives().pop().unwrap();
    wait_until("a renewal", || lives().iter().any(|(accessor, renewed)| *accessor == first && *renewed));
    wait_until("a new login", || lives().iter().any(|(accessor, _)| *accessor != first));
}

/// A role of OpenBao's database engine that makes users of PostgreSQL.
fn database(bao: &OpenBao, role: &str, ttl: &str) {
    let postgres = Postgres::shared();
    static ENGINE: std::sync::Once = std::sync::Once::new();
    ENGINE.call_once(|| {
        bao.must("POST", "sys/mounts/database", json!({"type": "database"}));
        let (user, password) = postgres.superuser();
        let url = postgres.url();
        let config = json!({"plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url, "username": user, "password": password});
        bao.must("POST", "database/config/postgres", config);
    });
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
    let settings = json!({"db_name": "postgres", "creation_statements": create, "default_ttl": ttl, "max_ttl": "24h"});
    bao.must("POST", &format!("database/roles/{role}"), settings);
}

/// A room with both halves of one leased credential.
fn leased_room(way: &VaultFixture, role: &str) -> AgentFixture {
    let backend = VaultBackend::new(&way.config()).unwrap();
    let secret = |name: &str, field: &str, header: &str| {
        format!(
            "[secrets.{name}]\nfrom = \"vault:database/creds/{role}#{field}\"\n[[secrets.{name}.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]\nplace = [\"header:{header}\"]\n"
        )
    };
    AgentFixture::with(&format!("{}{}", secret("USERNAME", "username", "x-user"), secret("PASSWORD", "password", "x-password")))
        .host(move |host| host.backend("vault", backend))
}

const SEND_BOTH: &str = "send GET https://api.test/v1/x h:x-user={USERNAME} h:x-password={PASSWORD}";

#[test]
fn a_leased_credential_works_during_the_run_and_not_after_it() {
    let (way, postgres) = (VaultFixture::new("leased", json!({})), Postgres::shared());
    database(way.bao, "leased", "1h");
    let ran = leased_room(&way, "leased")
        .server(move |seen| {
            let works = postgres.admits(seen.header("x-user"), seen.header("x-password"));
            respond(200, "text/plain", format!("works {works}"))
        })
        .run(&[SEND_BOTH, SEND_BOTH]);

    assert_eq!(ran.stdout.matches("works true").count(), 2, "{}", ran.stdout);
    let (user, password) = (ran.seen[0].header("x-user"), ran.seen[0].header("x-password"));
    assert_eq!(ran.seen[1].header("x-user"), user, "one credential for the run");
    assert!(user.len() > 8 && password.len() > 8);
    // It was given back as the run ended; the server takes its time to see to it.
    wait_until("the end of the lease", || way.bao.leases("database/creds/leased").is_empty());
    assert!(!postgres.admits(user, password));
}

#[test]
fn a_lease_that_is_revoked_under_a_run_is_made_anew() {
    let (way, postgres) = (VaultFixture::new("revoked", json!({})), Postgres::shared());
    database(way.bao, "revoked", "1h");
    let bao = way.bao;
    let first = AtomicUsize::new(0);
    let ran = leased_room(&way, "revoked")
        .server(move |seen| {
            if first.fetch_add(1, Ordering::Relaxed) == 0 {
                for lease in bao.leases("database/creds/revoked") {
                    bao.must("POST", "sys/leases/revoke", json!({"lease_id": lease, "sync": true}));
                }
            }
            let works = postgres.admits(seen.header("x-user"), seen.header("x-password"));
            respond(if works { 200 } else { 401 }, "text/plain", "")
        })
        .run(&[SEND_BOTH, SEND_BOTH]);

    assert_eq!(outcomes(&ran), ["401", "200"], "{}", ran.stdout);
    wait_until("the end of the second lease", || way.bao.leases("database/creds/revoked").is_empty());
}

#[test]
fn leases_end_with_the_login_and_are_made_anew_under_the_next() {
    let way = VaultFixture::new("under", json!({"token_ttl": "4s", "token_max_ttl": "6s"}));
    database(way.bao, "under", "1h");
    let manifest = "name = \"under\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:database/creds/under#password\"";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&way.config()).unwrap()).build().unwrap();
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    let watched = runtime.block_on(agent.watch("KEY")).unwrap();
    let first = runtime.block_on(watched.fingerprint()).unwrap();

    wait_until("a credential under the next login", || runtime.block_on(watched.fingerprint()).unwrap() != first);
    assert!(host.secret_counts().leased >= 2);
    drop(watched);
    runtime.block_on(host.clone().shutdown());
    wait_until("the end of both leases", || way.bao.leases("database/creds/under").is_empty());
}

#[test]
fn a_short_lease_is_prolonged_while_it_is_needed() {
    let way = VaultFixture::new("prolonged", json!({}));
    database(way.bao, "prolonged", "5s");
    let manifest = "name = \"prolonged\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:database/creds/prolonged#password\"";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&way.config()).unwrap()).build().unwrap();
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    let watched = runtime.block_on(agent.watch("KEY")).unwrap();
    let first = runtime.block_on(watched.fingerprint()).unwrap();

    wait_until("three renewals", || host.secret_counts().renewed >= 3);
    assert_eq!(runtime.block_on(watched.fingerprint()).unwrap(), first, "it is the same credential");
    assert_eq!(host.secret_counts().leased, 1);
}

/// A host whose only secret comes by this login.
fn logs_in(auth: VaultAuth, agent: &str) -> Result<(), String> {
    let bao = OpenBao::shared();
    bao.put(&format!("agents/{agent}"), json!({"KEY": VALUE}));
    let config = VaultConfig::new(bao.address.clone(), auth).with(|new| {
        new.paths = vec!["agents/**".parse().expect("a pattern")];
        new.leased = Vec::new();
        new.cache = Duration::from_secs(300);
        new.stale = Duration::from_secs(3600);
    });
    let manifest = format!("name = \"{agent}\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/{agent}#KEY\"");
    block_on(async {
        let host = Host::builder().without_audit().without_state().max_agents(1);
        let host = host.backend("vault", VaultBackend::new(&config).unwrap()).build().unwrap();
        let agent = host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
        let watched = agent.watch("KEY").await.map_err(|error| error.to_string());
        host.shutdown().await;
        watched.map(drop)
    })
}

/// A file with a credential in it.
fn credential(dir: &tempfile::TempDir, name: &str, text: &str) -> CredentialRef {
    std::fs::write(dir.path().join(name), text).unwrap();
    CredentialRef::File(dir.path().join(name))
}

#[test]
fn a_wrapped_secret_id_is_opened_once_and_what_is_wrong_with_it_is_an_incident() {
    let bao = OpenBao::shared();
    let (role_id, _) = bao.role("wrapped", AGENTS_POLICY, json!({}));
    let dir = tempfile::tempdir().unwrap();
    let wrap = |path: &str| {
        let headers = [("x-vault-token", bao.root()), ("x-vault-wrap-ttl", "300s")];
        let (status, answer) =
            strongroom_tests::services::call("POST", &format!("{}/v1/{path}", bao.address), &headers, Some(&json!({"a": "b"})));
        assert_eq!(status, 200, "{answer}");
        answer["wrap_info"]["token"].as_str().unwrap().to_owned()
    };
    let auth = |wrapping: &str| VaultAuth::AppRole {
        mount: "approle".into(),
        role_id: credential(&dir, "role-id", &role_id),
        secret_id: credential(&dir, "wrapping", wrapping),
        wrapped: true,
        renew: None,
    };
    let wrapping = wrap("auth/approle/role/wrapped/secret-id");

    logs_in(auth(&wrapping), "wrapped").unwrap();

    let reused = logs_in(auth(&wrapping), "wrapped").unwrap_err();
    assert!(reused.contains("it has already been opened") && reused.contains("somebody else may have the secret id"), "{reused}");
    let foreign = logs_in(auth(&wrap("sys/wrapping/wrap")), "wrapped").unwrap_err();
    assert!(foreign.contains("was not made by the AppRole method"), "{foreign}");
    let never = logs_in(auth("s.never-a-wrapping"), "wrapped").unwrap_err();
    assert!(never.contains("never was one") && !never.contains("s.never-a-wrapping"), "{never}");
}

/// What the documentation tells people to give a host beside [`AGENTS_POLICY`] that replaces its own secret id.
pub(crate) fn renewing_policy(role: &str) -> String {
    let lines = AGENTS_POLICY.lines().filter_map(|line| line.strip_prefix("#: "));
    let own: String = lines.map(|line| format!("{}\n", line.replace("/role/strongroom/", &format!("/role/{role}/")))).collect();
    assert!(own.contains(&format!("auth/approle/role/{role}/secret-id/destroy")), "{own}");
    format!("{AGENTS_POLICY}\n{own}")
}

/// A host's login by a secret id in a file that it may replace.
fn renewing(dir: &tempfile::TempDir, role: &str, role_id: &str, secret_id: &str) -> VaultAuth {
    VaultAuth::AppRole {
        mount: "approle".into(),
        role_id: credential(dir, "role-id", role_id),
        secret_id: credential(dir, "secret-id", secret_id),
        wrapped: false,
        renew: Some(SecretIdRenewal::new(role.to_owned())),
    }
}

#[test]
fn a_secret_id_in_a_file_is_replaced_before_its_end() {
    use std::os::unix::fs::PermissionsExt;
    let bao = OpenBao::shared();
    let dir = tempfile::tempdir().unwrap();
    let settings = json!({"secret_id_ttl": "9s", "token_ttl": "1h"});
    let (role_id, first) = bao.role("renewing", &renewing_policy("renewing"), settings);
    bao.put("agents/renewing", json!({"KEY": VALUE}));
    let held = || std::fs::read_to_string(dir.path().join("secret-id")).unwrap();
    let known = |secret_id: &str| {
        let (status, answer) = bao.call("POST", "auth/approle/role/renewing/secret-id/lookup", Some(&json!({"secret_id": secret_id})));
        status == 200 && answer["data"].is_object()
    };
    let auth = renewing(&dir, "renewing", &role_id, &first);
    let config = VaultConfig::new(bao.address.clone(), auth).with(|new| new.paths = vec!["agents/**".parse().expect("a pattern")]);
    let manifest = "name = \"renewing\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/renewing#KEY\"";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&config).unwrap()).build().unwrap();
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    drop(runtime.block_on(agent.watch("KEY")).unwrap());

    assert_eq!(held(), first, "it has time yet");
    wait_until("a second secret id", || held() != first);
    let second = held();
    wait_until("the end of the first", || !known(&first));
    assert!(known(&second));
    wait_until("a third secret id", || held() != second);
    wait_until("the end of the second", || !known(&second));
    assert_eq!(std::fs::metadata(dir.path().join("secret-id")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!dir.path().join("secret-id.new").exists());
    assert_eq!(bao.tokens("renewing"), 1, "what tried them out has logged out");
    runtime.block_on(host.clone().shutdown());
    assert_eq!(bao.tokens("renewing"), 0);
    let (status, _) = bao.call("POST", "auth/approle/login", Some(&json!({"role_id": role_id, "secret_id": held()})));
    assert_eq!(status, 200, "the one in the file works");
}

/// What plays a server with AppRole, where it is time for each secret id to be replaced. It keeps what it was asked, in order.
struct Played {
    server: strongroom_demo::server::Server,
    runtime: tokio::runtime::Runtime,
}

impl Played {
    /// `fails` is what is refused: the end of a path, and a part of the body.
    fn new(fails: Option<(&'static str, &'static str)>, uses: u64) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answers = move |seen: &strongroom_demo::server::Seen| {
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            if fails.is_some_and(|(path, part)| seen.path().ends_with(path) && body.contains(part)) {
                return respond(400, "application/json", json!({"errors": ["secret id old or new"]}).to_string());
            }
            let answer = match seen.path().strip_prefix("/v1/auth/approle/").unwrap_or_default() {
                "login" => json!({"auth": {"client_token": "s.token", "lease_duration": 3600, "renewable": true}}),
                "role/agents/secret-id/lookup" => {
                    json!({"data": {"secret_id_ttl": 600, "expiration_time": "2000-01-01T00:00:00Z", "cidr_list": ["10.0.0.0/8"], "metadata": {}}})
                }
                "role/agents/secret-id" => json!({"data": {"secret_id": "the-new-one", "secret_id_ttl": 600, "secret_id_num_uses": uses}}),
                "role/agents/secret-id/destroy" => json!({}),
                _ => json!({"data": {"data": {"KEY": VALUE}, "metadata": {"version": 1}}}),
            };
            respond(200, "application/json", answer.to_string())
        };
        let server = runtime.block_on(strongroom_demo::server::Server::http(answers)).unwrap();
        Self { server, runtime }
    }

    /// A host that logs in, and out at once; gives the calls about secret ids, as `PATH BODY`.
    fn hosted(&self, dir: &tempfile::TempDir) -> Vec<String> {
        let auth = renewing(dir, "agents", "the-role", "the-old-one");
        let config = VaultConfig::new(format!("http://{}", self.server.address), auth)
            .with(|new| new.paths = vec!["agents/**".parse().expect("a pattern")]);
        let manifest = "name = \"played\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/played#KEY\"";
        self.runtime.block_on(async {
            let host = Host::builder().without_audit().without_state().max_agents(1);
            let host = host.backend("vault", VaultBackend::new(&config).unwrap()).build().unwrap();
            let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
            agent.watch("KEY").await.unwrap();
            host.shutdown().await;
        });
        let seen = self.server.seen();
        let about = seen.iter().filter_map(|seen| Some((seen.path().strip_prefix("/v1/auth/approle/")?, seen)));
        about.map(|(path, seen)| format!("{} {}", path.rsplit("agents/").next().unwrap(), String::from_utf8_lossy(&seen.body))).collect()
    }
}

#[test]
fn whatever_fails_while_a_secret_id_is_replaced_the_file_holds_one_that_works() {
    let (login, lookup) = (r#"login {"role_id":"the-role","secret_id":"the-old-one"}"#, r#"secret-id/lookup {"secret_id":"the-old-one"}"#);
    let (make, try_out) = (r#"secret-id {"cidr_list":["10.0.0.0/8"]}"#, r#"login {"role_id":"the-role","secret_id":"the-new-one"}"#);
    let (destroy_old, destroy_new) =
        (r#"secret-id/destroy {"secret_id":"the-old-one"}"#, r#"secret-id/destroy {"secret_id":"the-new-one"}"#);
    let whole = [login, lookup, make, try_out, destroy_old];
    type Case = (&'static str, Option<(&'static str, &'static str)>, u64, &'static str);
    let cases: [(Case, &[&str]); 6] = [
        (("nothing", None, 0, "the-new-one"), &whole),
        (("the look", Some(("/lookup", "")), 0, "the-old-one"), &whole[..2]),
        (("making one", Some(("/secret-id", "")), 0, "the-old-one"), &whole[..3]),
        (("trying it", Some(("/login", "the-new-one")), 0, "the-old-one"), &[login, lookup, make, try_out, destroy_new]),
        (("it works but once", None, 1, "the-old-one"), &[login, lookup, make, destroy_new]),
        (("destroying the old one", Some(("/destroy", "the-old-one")), 0, "the-new-one"), &whole),
    ];
    for ((name, fails, uses, expected), calls) in cases {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Played::new(fails, uses).hosted(&dir), calls, "{name}");
        assert_eq!(std::fs::read_to_string(dir.path().join("secret-id")).unwrap(), expected, "{name}");
        assert!(!dir.path().join("secret-id.new").exists(), "{name}");
    }
}

#[test]
fn a_secret_id_that_another_process_replaces_is_left_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(dir.path().join("secret-id.lock")).unwrap();
    lock.lock().unwrap();

    assert_eq!(Played::new(None, 0).hosted(&dir).len(), 1, "the login alone");
}

#[test]
fn an_incident_is_in_the_audit_log() {
    let bao = OpenBao::shared();
    let (role_id, _) = bao.role("incident", AGENTS_POLICY, json!({}));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("role-id"), role_id).unwrap();
    std::fs::write(dir.path().join("wrapping"), "s.never-a-wrapping").unwrap();
    let desk = crate::cli::CliFixture::new("[secrets.KEY]");
    let config = format!(
        "[backends.vault]\ntype = \"vault\"\naddress = \"{}\"\n[backends.vault.auth]\nmethod = \"approle\"\nwrapped = true\nrole_id = \"file:{}\"\nsecret_id = \"file:{}\"\n[audit]\nfile = \"audit.jsonl\"",
        bao.address,
        dir.path().join("role-id").display(),
        dir.path().join("wrapping").display()
    );
    desk.write("strongroom.toml", &config);

    let ran = desk.run_with("run agent.toml -- open+KEY", &[("SECRETS_BACKEND", "vault"), ("STRONGROOM_CONFIG", "strongroom.toml")]);

    assert_eq!(ran.code, 121, "{}", ran.stderr);
    let audit = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let record: Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    assert_eq!((&record["event"], &record["incident"]), (&json!("secret-unavailable"), &json!(true)), "{audit}");
}

/// A JWT (RFC 7519) under ES256, made by the tests' own key.
fn jwt(key: &rcgen::KeyPair, claims: &Value) -> String {
    use base64::Engine;
    let coded = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", coded(br#"{"alg":"ES256","typ":"JWT"}"#), coded(claims.to_string().as_bytes()));
    let der = rcgen::SigningKey::sign(key, signed.as_bytes()).unwrap();
    // ASN.1 gives two integers, each of as many bytes as it needs; JWS (RFC 7518 3.4) wants 32 of each.
    let integer = |at: usize| {
        let length = usize::from(der[at + 1]);
        let bytes = &der[at + 2..at + 2 + length];
        let mut fixed = [0; 32];
        let bytes = &bytes[bytes.len().saturating_sub(32)..];
        fixed[32 - bytes.len()..].copy_from_slice(bytes);
        (fixed, at + 2 + length)
    };
    let (r, next) = integer(2);
    let (s, _) = integer(next);
    format!("{signed}.{}", coded(&[r, s].concat()))
}

#[test]
fn a_host_logs_in_by_a_token_a_jwt_and_as_a_pod_of_kubernetes() {
    let bao = OpenBao::shared();
    let dir = tempfile::tempdir().unwrap();
    bao.must("PUT", "sys/policies/acl/by-others", json!({"policy": AGENTS_POLICY}));
    let made = bao.must("POST", "auth/token/create", json!({"policies": ["by-others"], "ttl": "10m"}));
    let token = made["auth"]["client_token"].as_str().unwrap();
    logs_in(VaultAuth::Token(credential(&dir, "token", token)), "by-others").unwrap();
    let (status, _) =
        strongroom_tests::services::call("GET", &format!("{}/v1/auth/token/lookup-self", bao.address), &[("x-vault-token", token)], None);
    assert_eq!(status, 200, "a token that somebody else has made is theirs to end");
    let dead = logs_in(VaultAuth::Token(credential(&dir, "token", "s.not-a-token")), "by-others").unwrap_err();
    assert!(dead.contains("is not valid, or has expired; put a new one there") && !dead.contains("s.not-a-token"), "{dead}");

    let key = rcgen::KeyPair::generate().unwrap();
    bao.must("POST", "sys/auth/jwt", json!({"type": "jwt"}));
    bao.must("POST", "auth/jwt/config", json!({"jwt_validation_pubkeys": [key.public_key_pem()]}));
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["strongroom"], "token_policies": ["by-others"], "token_ttl": "1h"});
    bao.must("POST", "auth/jwt/role/agents", role);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let by_jwt = |audience: &str| {
        let claims = json!({"sub": "host-1", "aud": audience, "iat": now, "exp": now + 300});
        VaultAuth::Jwt { mount: "jwt".into(), role: "agents".into(), jwt: credential(&dir, "jwt", &jwt(&key, &claims)) }
    };
    logs_in(by_jwt("strongroom"), "by-others").unwrap();
    let refused = logs_in(by_jwt("another"), "by-others").unwrap_err();
    assert!(refused.contains("the JWT login was refused (400)"), "{refused}");

    // The cluster's side: what the API server says of a service account's token (authentication.k8s.io/v1 TokenReview).
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let review = |seen: &strongroom_demo::server::Seen| {
        assert_eq!(seen.path(), "/apis/authentication.k8s.io/v1/tokenreviews");
        let user = json!({"username": "system:serviceaccount:agents:host", "uid": "1", "groups": ["system:serviceaccounts"]});
        let answer = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": {"authenticated": true, "user": user, "audiences": ["strongroom"]}});
        respond(201, "application/json", answer.to_string())
    };
    let cluster = runtime.block_on(strongroom_demo::server::Server::http(review)).unwrap();
    bao.must("POST", "sys/auth/kubernetes", json!({"type": "kubernetes"}));
    let cluster_ca = rcgen::generate_simple_self_signed(vec!["cluster".to_owned()]).unwrap().cert.pem();
    let config = json!({"kubernetes_host": format!("http://{}", cluster.address), "kubernetes_ca_cert": cluster_ca, "token_reviewer_jwt": "reviewer", "disable_local_ca_jwt": true});
    bao.must("POST", "auth/kubernetes/config", config);
    let role = json!({"bound_service_account_names": ["host"], "bound_service_account_namespaces": ["agents"], "token_policies": ["by-others"], "audience": "strongroom"});
    bao.must("POST", "auth/kubernetes/role/agents", role);
    let claims = json!({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:agents:host", "aud": ["strongroom"], "iat": now, "nbf": now, "exp": now + 300,
        "kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "host", "uid": "1"}}});
    let auth = VaultAuth::Jwt { mount: "kubernetes".into(), role: "agents".into(), jwt: credential(&dir, "pod", &jwt(&key, &claims)) };
    let in_a_pod = logs_in(auth, "by-others");
    assert_eq!(in_a_pod, Ok(()), "{:?}", cluster.seen());
    assert_eq!(cluster.seen().len(), 1, "the cluster was asked");
}

#[test]
fn a_run_that_is_interrupted_gives_its_credentials_back() {
    let way = VaultFixture::new("interrupted", json!({}));
    database(way.bao, "interrupted", "1h");
    let desk = crate::cli::CliFixture::new(
        "[limits]\nwall = \"10m\"\ncpu = \"10m\"\n[secrets.KEY]\nfrom = \"vault:database/creds/interrupted#password\"",
    );
    let config = format!(
        "[backends.vault]\ntype = \"vault\"\naddress = \"{}\"\nleased = [\"database/creds/interrupted\"]\n[backends.vault.auth]\nmethod = \"approle\"\nrole_id = \"file:{}\"\nsecret_id = \"file:{}\"",
        way.bao.address,
        way.credentials.path().join("role-id").display(),
        way.credentials.path().join("secret-id").display()
    );
    desk.write("strongroom.toml", &config);
    // The codes are those by which shells report the two signals: one code for both told a supervisor nothing.
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let mut running = desk.start("run agent.toml --config strongroom.toml -- print+begun sleep+600000");
        running.wait_for("begun");
        assert_eq!(way.bao.leases("database/creds/interrupted").len(), 1);

        let (code, stderr) = running.signal(signal);

        assert_eq!(code, expected, "{stderr}");
        wait_until("the end of the lease", || way.bao.leases("database/creds/interrupted").is_empty());
        assert_eq!(way.bao.tokens("interrupted"), 0, "and the login is ended");
    }
}

#[test]
fn values_lie_in_locked_pages_that_no_core_dump_holds() {
    let status = || {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // Locked ones alone: other parts of a process keep pages out of dumps too, but do not lock them.
    let flagged = || {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        maps.lines().filter(|line| line.starts_with("VmFlags:") && line.contains(" lo") && line.contains(" dd")).count()
    };
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let allowed = limits.lines().find(|line| line.starts_with("Max locked memory")).unwrap().split_whitespace().nth(3).unwrap().to_owned();
    let before = status();
    let values: Vec<_> = (0..64).map(|_| strongroom::SecretValue::new(VALUE)).collect();

    // Where the machine allows a MiB: other tests of this process give back less than half of these pages meanwhile.
    if allowed.parse::<u64>().is_ok_and(|allowed| allowed >= 1 << 20) || allowed == "unlimited" {
        assert!(status() >= before + 128, "{} kB of locked memory, {before} kB before", status());
        assert!(flagged() >= 1, "the pages are left out of dumps");
    }
    drop(values);
}

#[test]
fn a_leased_credential_that_is_rejected_is_replaced_though_its_lease_lives() {
    let way = VaultFixture::new("rejected-lease", json!({}));
    database(way.bao, "rejected-lease", "1h");
    let ran = leased_room(&way, "rejected-lease").server(at_first(|| {}, 401)).run(&[SEND_BOTH, SEND_BOTH]);

    assert_ne!(ran.seen[0].header("x-user"), ran.seen[1].header("x-user"));
    wait_until("the end of both leases", || way.bao.leases("database/creds/rejected-lease").is_empty());
}

#[test]
fn a_value_that_nobody_used_for_a_while_is_looked_after_again() {
    let way = VaultFixture::new("idle", json!({}));
    let config = way.config().with(|new| new.cache = Duration::from_millis(500));
    let manifest = "name = \"idle\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"vault:agents/idle#KEY\"";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&config).unwrap()).build().unwrap();
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    drop(runtime.block_on(agent.watch("KEY")).unwrap());
    // The while in which nobody uses it.
    std::thread::sleep(Duration::from_millis(600));

    let watched = runtime.block_on(agent.watch("KEY")).unwrap();

    wait_until("askings that nobody waited for", || host.secret_counts().asked >= 5);
    drop(watched);
}
