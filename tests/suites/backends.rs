//! Secrets from servers: the same agent from every backend, and what each of them can do beside that.

use crate::cli::{CliFixture, Transcript};
use crate::faults::renewing_policy;
use serde_json::{Value, json};
use strongroom_demo::server::{Server, respond};
use strongroom_tests::VALUE;
use strongroom_tests::services::{Moto, OpenBao};

/// What the documentation tells people to give a host, and those who keep its secrets.
pub(crate) const AGENTS_POLICY: &str = include_str!("../../examples/backends/vault/agents.hcl");
pub(crate) const KEEPER_POLICY: &str = include_str!("../../examples/backends/vault/keeper.hcl");

const OTHER: &str = "pf_live_00112233445566778899aabbccddeeff";

/// An agent of this name, with one secret under its bare name.
fn desk(agent: &str) -> CliFixture {
    let desk = CliFixture::new("");
    desk.write("agent.toml", &manifest(agent, ""));
    desk
}

fn manifest(agent: &str, secret: &str) -> String {
    format!("name = \"{agent}\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nformat = \"^pf_live_[a-f0-9]{{32}}$\"\n{secret}\n")
}

fn ok(transcript: Transcript) -> String {
    assert_eq!(transcript.code, 0, "{}", transcript.stderr);
    let said = format!("{}{}", transcript.stdout, transcript.stderr);
    assert!(!said.contains(VALUE) && !said.contains(OTHER), "a value on the terminal: {said}");
    said
}

/// The variables that a person sets to have secrets from Vault.
fn vault_env<'a>(bao: &'a OpenBao, role: &'a (String, String)) -> Vec<(&'a str, &'a str)> {
    vec![("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", &bao.address), ("VAULT_ROLE_ID", &role.0), ("VAULT_SECRET_ID", &role.1)]
}

fn aws_env(moto: &Moto) -> Vec<(&str, &str)> {
    [&[("SECRETS_BACKEND", "aws")], &moto.environment()[..]].concat()
}

/// The fingerprint that the agent sees.
fn opened(desk: &CliFixture, env: &[(&str, &str)]) -> String {
    let said = ok(desk.run_with("run agent.toml -- open+KEY", env));
    said.split(' ').nth(3).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn the_same_agent_runs_from_every_backend_by_one_variable() {
    let (bao, moto) = (OpenBao::shared(), Moto::shared());
    let agent = "every-backend";
    let role = bao.role("every-backend", AGENTS_POLICY, json!({}));
    let keeper = bao.role("every-backend-keeper", KEEPER_POLICY, json!({}));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let echo = |seen: &strongroom_demo::server::Seen| respond(200, "text/plain", format!("you sent {}", seen.header("authorization")));
    let server = runtime.block_on(Server::http(echo)).unwrap();
    let url = format!("http://127.0.0.1:{}", server.address.port());
    let desk = desk(agent);
    desk.write("agent.toml", &manifest(agent, &format!("[[secrets.KEY.allow]]\nhost = \"{url}\"\npaths = [\"/v1/**\"]")));
    let file = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
    desk.write("strongroom.toml", &format!("{file}\n[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\""));
    let config = ("STRONGROOM_CONFIG", "strongroom.toml");

    // Each is filled by the tool that people use.
    let file_env = vec![("SECRETS_BACKEND", "file"), config];
    ok(desk.run_with("secrets init", &file_env));
    ok(desk.pipe(&format!("secrets set KEY --namespace {agent}"), VALUE, &file_env));
    ok(desk.pipe(&format!("secrets set KEY --namespace {agent}"), VALUE, &vault_env(bao, &keeper)));
    ok(desk.pipe(&format!("secrets set KEY --namespace {agent}"), VALUE, &aws_env(moto)));

    let backends = [("env", vec![("KEY", VALUE)]), ("file", file_env), ("vault", vault_env(bao, &role)), ("aws", aws_env(moto))];
    let mut prints = Vec::new();
    for (name, env) in backends {
        let resolved = ok(desk.run_with("check agent.toml --resolve", &env));
        assert!(resolved.contains(&format!("KEY: {name}:")), "{name}: {resolved}");
        prints.push(opened(&desk, &env));

        let request = format!("run agent.toml -- send+GET+{url}/v1/x+h:authorization={{KEY}}");
        let ran = desk.run_with(&request, &[&env[..], &[config]].concat());
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        assert_eq!(server.seen().last().unwrap().header("authorization"), VALUE, "{name}");
        assert!(ran.stdout.contains("you sent sr_") && !ran.stdout.contains(VALUE), "{name}: {}", ran.stdout);
    }
    prints.dedup();
    assert_eq!(prints.len(), 1, "the same value has the same fingerprint wherever it is from");
    assert_eq!(bao.tokens("every-backend"), 0, "each command has ended its login");
    assert_eq!(bao.tokens("every-backend-keeper"), 0);
}

#[test]
fn a_bare_name_is_a_field_as_written_then_in_lower_case() {
    let bao = OpenBao::shared();
    let role = bao.role("bare-name", AGENTS_POLICY, json!({}));
    let env = vault_env(bao, &role);
    let desk = desk("bare-name");

    bao.put("agents/bare-name", json!({"key": VALUE}));
    let lower = opened(&desk, &env);
    bao.put("agents/bare-name", json!({"key": VALUE, "KEY": OTHER}));
    assert_ne!(opened(&desk, &env), lower);

    // Another namespace is the operator's to open.
    bao.put("agents/shared-keys", json!({"key": VALUE}));
    desk.write("agent.toml", &manifest("bare-name", "namespace = \"shared-keys\""));
    let refused = desk.run_with("check agent.toml", &env);
    assert_eq!(refused.code, 121);
    assert!(refused.stderr.contains("can't name the path `agents/shared-keys`"), "{}", refused.stderr);
    desk.write(
        "strongroom.toml",
        &format!(
            "[backends.vault]\ntype = \"vault\"\naddress = \"{}\"\npaths = [\"agents/{{agent}}\", \"agents/shared-keys\"]\n\
             auth = {{ method = \"approle\", role_id = \"env:VAULT_ROLE_ID\", secret_id = \"env:VAULT_SECRET_ID\" }}",
            bao.address
        ),
    );
    let with_config = [&env[..], &[("STRONGROOM_CONFIG", "strongroom.toml")]].concat();
    assert_eq!(opened(&desk, &with_config), lower);
    let explained = ok(desk.run_with("explain agent.toml", &with_config));
    assert!(explained.contains("looked up in the backend `vault` at agents/shared-keys#KEY, agents/shared-keys#key"), "{explained}");
}

#[test]
fn versions_in_vault_are_written_on_condition_read_taken_out_of_use_restored_and_destroyed() {
    let bao = OpenBao::shared();
    let role = bao.role("versions", &format!("{AGENTS_POLICY}\n{KEEPER_POLICY}"), json!({}));
    let env = vault_env(bao, &role);
    let desk = desk("versions");
    let set = |value: &str, expect: &str| desk.pipe(&format!("secrets set KEY --namespace versions --expect {expect}"), value, &env);

    assert_eq!(ok(set(VALUE, "0")), "agents/versions#KEY: version 1\n");
    let first = opened(&desk, &env);
    assert_eq!(ok(set(OTHER, "1")), "agents/versions#KEY: version 2\n");
    let second = opened(&desk, &env);
    let late = set(VALUE, "1");
    assert!(late.code == 120 && late.stderr.contains("version 2 is the newest, not 1"), "{}", late.stderr);

    desk.write("agent.toml", &manifest("versions", "from = \"vault:agents/versions?version=1#KEY\""));
    assert_eq!(opened(&desk, &env), first, "one version may be named");
    desk.write("agent.toml", &manifest("versions", ""));

    // Another field of the same secret stays.
    ok(desk.pipe("secrets set SECOND --namespace versions", VALUE, &env));
    assert_eq!(opened(&desk, &env), second);
    let status = ok(desk.run_with("secrets status agent.toml --json", &env));
    let line = status.lines().find(|line| line.contains("agents/versions\"")).unwrap();
    let status: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&status["version"], &status["fingerprints"]["KEY"]), (&json!("3"), &json!(second)), "{status}");
    assert_eq!(status["versions"].as_array().unwrap().len(), 3);
    assert_eq!(status["agents"], json!(["versions"]));

    ok(desk.run_with("secrets rm-version KEY 3 --namespace versions", &env));
    let gone = desk.run_with("run agent.toml -- open+KEY", &env);
    assert!(
        gone.code == 121 && gone.stderr.contains("not found: looked for the field `KEY` of agents/versions in http"),
        "{}",
        gone.stderr
    );
    ok(desk.run_with("secrets restore KEY 3 --namespace versions", &env));
    assert_eq!(opened(&desk, &env), second);
    ok(desk.run_with("secrets rm-version KEY 1 --destroy --namespace versions", &env));
    assert_eq!(bao.call("GET", "secret/data/agents/versions?version=1", None).1["data"]["metadata"]["destroyed"], true);
    let listed = ok(desk.run_with("secrets list --json", &env));
    assert!(listed.contains("{\"path\":\"agents/versions\",\"version\":\"3\"}"), "{listed}");
    assert_eq!(desk.run_with("secrets rm-version KEY 9 --namespace versions", &env).code, 120);

    let rotate = desk.run_with("secrets rotate KEY --namespace versions", &env);
    assert!(rotate.code == 120 && rotate.stderr.contains("makes no keys itself"), "{}", rotate.stderr);
    let shared = desk.pipe("secrets set KEY", VALUE, &env);
    assert!(shared.code == 120 && shared.stderr.contains("--namespace"), "{}", shared.stderr);
}

#[test]
fn commands_that_end_at_once_replace_their_secret_id_too() {
    let bao = OpenBao::shared();
    let (role_id, first) = bao.role("renews", &renewing_policy("renews"), json!({"secret_id_ttl": "8s"}));
    bao.put("agents/renews", json!({"KEY": VALUE}));
    let desk = desk("renews");
    desk.write("secret-id", &format!("{first}\n"));
    let config = "[backends.vault]\ntype = \"vault\"\naddress = \"ADDRESS\"\n[backends.vault.auth]\nmethod = \"approle\"\nrole_id = \"env:VAULT_ROLE_ID\"\n\
                  secret_id = \"file:secret-id\"\nrenew = { role = \"renews\", before = \"4s\" }";
    desk.write("strongroom.toml", &config.replace("ADDRESS", &bao.address));
    let env = [("SECRETS_BACKEND", "vault"), ("STRONGROOM_CONFIG", "strongroom.toml"), ("VAULT_ROLE_ID", role_id.as_str())];
    let held = || std::fs::read_to_string(desk.path("secret-id")).unwrap().trim().to_owned();

    let begun = std::time::Instant::now();
    while held() == first {
        assert!(begun.elapsed().as_secs() < 60, "no second secret id came");
        opened(&desk, &env);
    }
    assert!(begun.elapsed().as_secs() >= 3, "it had time yet");
    opened(&desk, &env);
    let old = json!({"role_id": role_id, "secret_id": first});
    assert_eq!(bao.call("POST", "auth/approle/login", Some(&old)).0, 400, "the first is destroyed");
    assert_eq!(bao.tokens("renews"), 0);
}

#[test]
fn the_documented_policies_are_as_narrow_as_they_say() {
    let bao = OpenBao::shared();
    let role = bao.role("narrow", AGENTS_POLICY, json!({}));
    bao.put("agents/narrow", json!({"KEY": VALUE}));
    bao.put("elsewhere", json!({"KEY": VALUE}));
    let env = vault_env(bao, &role);
    let desk = desk("narrow");
    opened(&desk, &env);

    let write = desk.pipe("secrets set KEY --namespace narrow", VALUE, &env);
    assert!(write.code == 120 && write.stderr.contains("policy does not let this host do it (403)"), "{}", write.stderr);
    let config = "[backends.vault]\ntype = \"vault\"\naddress = \"ADDRESS\"\npaths = [\"**\"]\nauth = { method = \"approle\", role_id = \"env:VAULT_ROLE_ID\", secret_id = \"env:VAULT_SECRET_ID\" }";
    desk.write("strongroom.toml", &config.replace("ADDRESS", &bao.address));
    desk.write("agent.toml", &manifest("narrow", "from = \"vault:elsewhere#KEY\""));
    let read = desk.run_with("run agent.toml -- open+KEY", &[&env[..], &[("STRONGROOM_CONFIG", "strongroom.toml")]].concat());
    assert!(read.code == 121 && read.stderr.contains("elsewhere in http") && read.stderr.contains("(403)"), "{}", read.stderr);
}

#[test]
fn tls_needs_the_servers_own_authority() {
    let bao = OpenBao::start_tls();
    bao.cli(&["kv", "put", "secret/agents/tls", &format!("KEY={VALUE}")]);
    let desk = desk("tls");
    let env = [("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", bao.address.as_str()), ("VAULT_TOKEN", bao.root())];

    let unknown = desk.run_with("run agent.toml -- open+KEY", &env);
    assert!(unknown.code == 121 && unknown.stderr.contains("`ca` for its certificate"), "{}", unknown.stderr);
    let ca = bao.ca.clone().unwrap().display().to_string();
    opened(&desk, &[&env[..], &[("VAULT_CACERT", &ca)]].concat());
}

#[test]
fn a_namespace_of_the_server_is_its_own_world() {
    let bao = OpenBao::shared();
    bao.must("POST", "sys/namespaces/team-a", json!({}));
    bao.must("POST", "team-a/sys/mounts/secret", json!({"type": "kv", "options": {"version": "2"}}));
    bao.must("POST", "team-a/secret/data/agents/spaced", json!({"data": {"KEY": VALUE}}));
    let desk = desk("spaced");
    let env = [("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", bao.address.as_str()), ("VAULT_TOKEN", bao.root())];

    assert_eq!(desk.run_with("run agent.toml -- open+KEY", &env).code, 121);
    opened(&desk, &[&env[..], &[("VAULT_NAMESPACE", "team-a")]].concat());
}

#[test]
fn what_is_missing_for_a_backend_is_said() {
    let desk = desk("missing");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("SECRETS_BACKEND", "vault")], "set VAULT_ADDR with VAULT_ROLE_ID and VAULT_SECRET_ID"),
        (
            &[("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", "http://127.0.0.1:1/vault")],
            "backend `vault`: VAULT_ADDR is not the address of a server: write `https://HOST:PORT`, without a user and without a path",
        ),
        (&[("SECRETS_BACKEND", "aws")], "set AWS_REGION"),
        (&[("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", "http://127.0.0.1:1")], "the host's credential at env:VAULT_TOKEN is not set"),
        (
            &[("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", "http://127.0.0.1:1"), ("VAULT_ROLE_ID", "x"), ("VAULT_SECRET_ID", "y")],
            "http://127.0.0.1:1: the AppRole login: http://127.0.0.1:1 can't be reached",
        ),
    ];
    for (env, says) in cases {
        let ran = desk.run_with("run agent.toml -- open+KEY", env);
        assert!(ran.code >= 120 && ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    // Also where one manifest alone names it.
    desk.write("agent.toml", &manifest("missing", "from = \"vault:agents/missing#KEY\""));
    let ran = desk.run_with("run agent.toml -- open+KEY", &[("VAULT_ADDR", "http://127.0.0.1:1/vault")]);
    assert!(
        ran.stderr.contains("no backend `vault` is configured") && ran.stderr.contains("; VAULT_ADDR is not the address"),
        "{}",
        ran.stderr
    );
}

#[test]
fn aws_keeps_fields_text_and_bytes_and_moves_its_labels() {
    let moto = Moto::shared();
    let env = aws_env(moto);
    let desk = desk("labels");
    let set = |value: &str, more: &str| desk.pipe(&format!("secrets set KEY --namespace labels{more}"), value, &env);

    ok(set(VALUE, " --expect 0"));
    let first = opened(&desk, &env);
    ok(set(OTHER, ""));
    let second = opened(&desk, &env);
    assert_ne!(first, second);
    desk.write("agent.toml", &manifest("labels", "from = \"aws:agents/labels?stage=AWSPREVIOUS#KEY\""));
    assert_eq!(opened(&desk, &env), first, "the version before is one label away");

    let status = ok(desk.run_with("secrets status agent.toml --json", &env));
    let line = status.lines().find(|line| line.contains("agents/labels\"")).unwrap();
    let status: Value = serde_json::from_str(line).unwrap();
    let versions = status["versions"].as_array().unwrap();
    let current = versions.iter().find(|version| version["current"] == true).unwrap();
    let previous = versions.iter().find(|version| version["stages"].as_array().unwrap().contains(&json!("AWSPREVIOUS"))).unwrap();
    let (current, previous) = (current["version"].as_str().unwrap(), previous["version"].as_str().unwrap());

    // One version may be named; a writer who has seen another is told.
    desk.write("agent.toml", &manifest("labels", &format!("from = \"aws:agents/labels?version={previous}#KEY\"")));
    assert_eq!(opened(&desk, &env), first);
    let late = set(VALUE, &format!(" --expect {previous}"));
    assert!(late.code == 120 && late.stderr.contains(&format!("version {current} is the newest")), "{}", late.stderr);

    // Out of use, and back.
    desk.write("agent.toml", &manifest("labels", ""));
    ok(desk.run_with(&format!("secrets rm-version KEY {current} --namespace labels"), &env));
    assert_eq!(opened(&desk, &env), first);
    ok(desk.run_with(&format!("secrets restore KEY {current} --namespace labels"), &env));
    assert_eq!(opened(&desk, &env), second);
    let destroy = |version: &str| desk.run_with(&format!("secrets rm-version KEY {version} --destroy --namespace labels"), &env);
    let in_use = destroy(current);
    assert!(in_use.code == 120 && in_use.stderr.contains("is in use"), "{}", in_use.stderr);
    // Without a label it is AWS's to remove.
    ok(destroy(previous));
    let status = ok(desk.run_with("secrets status --json", &env));
    let status: Value = serde_json::from_str(status.lines().find(|line| line.contains("agents/labels")).unwrap()).unwrap();
    let previous = status["versions"].as_array().unwrap().iter().find(|version| version["version"] == *previous);
    assert!(previous.is_none_or(|previous| previous["stages"] == json!([]) && previous["deleted"] == true), "{status}");
}

#[test]
fn aws_gives_whole_texts_and_bytes_too() {
    use base64::Engine;
    let moto = Moto::shared();
    let env = aws_env(moto);
    let desk = desk("whole");
    let binary = base64::engine::general_purpose::STANDARD.encode(VALUE);
    for (name, body) in [
        ("agents/whole/text", json!({"Name": "agents/whole/text", "SecretString": VALUE})),
        ("agents/whole/bytes", json!({"Name": "agents/whole/bytes", "SecretBinary": binary})),
    ] {
        assert_eq!(moto.secrets("CreateSecret", &body).0, 200);
        desk.write("agent.toml", &manifest("whole", &format!("from = \"aws:{name}\"")));
        assert_eq!(opened(&desk, &env), opened(&self::desk("whole"), &[("KEY", VALUE)]), "{name}");
    }
    for (from, code, says) in [
        ("aws:agents/whole/none", 121, "not found: looked for agents/whole/none in AWS Secrets Manager"),
        ("aws:agents/whole/text#field", 121, "isn't a JSON document, so it has no fields"),
        ("aws:agents/whole/text?version=00000000-0000-0000-0000-000000000000", 121, "not found"),
        ("aws:agents/other", 121, "can't name the path `agents/other`"),
        ("aws:arn:aws:secretsmanager:us-east-1:123456789012:secret:agents/whole/text", 121, "can't name the path"),
    ] {
        desk.write("agent.toml", &manifest("whole", &format!("from = \"{from}\"")));
        let ran = desk.run_with("run agent.toml -- open+KEY", &env);
        assert!(ran.code == code && ran.stderr.contains(says), "{from}: {} {}", ran.code, ran.stderr);
    }

    // What is marked for deletion is gone, not stale.
    assert_eq!(moto.secrets("DeleteSecret", &json!({"SecretId": "agents/whole/text"})).0, 200);
    desk.write("agent.toml", &manifest("whole", "from = \"aws:agents/whole/text\""));
    let deleted = desk.run_with("run agent.toml -- open+KEY", &env);
    assert!(deleted.code == 121 && deleted.stderr.contains("marked for deletion"), "{}", deleted.stderr);
}

#[test]
fn aws_is_asked_to_rotate_and_says_what_is_missing() {
    // moto moves the labels of a rotation; the function that makes the new key, and its failures, are not played.
    let moto = Moto::shared();
    let env = aws_env(moto);
    let desk = desk("turning");
    ok(desk.pipe("secrets set KEY --namespace turning", VALUE, &env));

    let begun = desk.run_with("secrets rotate KEY --namespace turning", &env);
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    assert!(begun.stderr.contains("agents/turning: version") && begun.stderr.contains("rotation function"), "{}", begun.stderr);
    let none = desk.run_with("secrets rotate KEY --namespace nobody", &env);
    assert!(none.code == 120 && none.stderr.contains("not found"), "{}", none.stderr);
}

#[test]
fn aws_credentials_come_from_where_people_have_them() {
    let moto = Moto::shared();
    let desk = desk("chain");
    ok(desk.pipe("secrets set KEY --namespace chain", VALUE, &aws_env(moto)));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // What the agents of ECS and EC2 answer (their credential endpoints), with keys that moto takes as it takes all.
    let keys = |field: &str| {
        json!({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
               field: "session", "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"})
    };
    let metadata = move |seen: &strongroom_demo::server::Seen| match seen.path() {
        "/latest/api/token" => {
            let mut answer = respond(200, "text/plain", "imds-session");
            answer.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", http::HeaderValue::from_static("21600"));
            answer
        }
        path if path.contains("/security-credentials-extended") => respond(404, "text/plain", "not here"),
        path if path.ends_with("/security-credentials/") => respond(200, "text/plain", "agents"),
        "/latest/meta-data/placement/region" => respond(200, "text/plain", "us-east-1"),
        _ => respond(200, "application/json", keys("Token").to_string()),
    };
    let server = runtime.block_on(Server::http(metadata)).unwrap();
    let local = format!("http://{}", server.address);
    desk.write(
        "credentials",
        "[agents]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    );
    desk.write("web-identity", "a.web.identity");
    let file = |name: &str| desk.path(name).display().to_string();
    let (credentials, identity, container) = (file("credentials"), file("web-identity"), format!("{local}/ecs"));
    let common = [("SECRETS_BACKEND", "aws"), ("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", moto.address.as_str())];
    let no_metadata = [("AWS_EC2_METADATA_DISABLED", "true")];
    let chains: [(&str, Vec<(&str, &str)>); 4] = [
        ("profile", vec![("AWS_SHARED_CREDENTIALS_FILE", &credentials), ("AWS_PROFILE", "agents")]),
        ("web identity", vec![("AWS_WEB_IDENTITY_TOKEN_FILE", &identity), ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/agents")]),
        ("ECS", vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)]),
        ("EC2", vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", &local)]),
    ];
    for (name, chain) in chains {
        let seen = server.seen().len();
        let more = if name == "EC2" { &no_metadata[..0] } else { &no_metadata[..] };
        let ran = desk.run_with("run agent.toml -- open+KEY", &[&common[..], more, &chain].concat());
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        assert_eq!(
            server.seen().len() > seen,
            matches!(name, "ECS" | "EC2"),
            "{name}: {:?}",
            server.seen().iter().map(|seen| seen.target.clone()).collect::<Vec<_>>()
        );
    }

    let none = desk.run_with("run agent.toml -- open+KEY", &[&common[..], &no_metadata].concat());
    assert!(none.code == 121 && none.stderr.contains("there are no credentials (environment, profile, role)"), "{}", none.stderr);
    desk.write("strongroom.toml", "[backends.aws]\ntype = \"aws\"\nprofile = \"agents\"\n[network]\n");
    let config = [("STRONGROOM_CONFIG", "strongroom.toml"), ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str())];
    opened(&desk, &[&common[..], &no_metadata, &config].concat());
}

#[test]
fn what_is_used_longer_than_it_lives_is_warned_of() {
    let desk = desk("overlap");
    let env = [("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", "https://vault.internal:8200")];
    desk.write("agent.toml", &manifest("overlap", "rotation = { overlap = \"1m\" }"));

    let checked = desk.run_with("check agent.toml", &env);

    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(
        checked.stderr.contains("an old value works for 60 s after a rotation, but the backend `vault` is asked every 300 s"),
        "{}",
        checked.stderr
    );
    desk.write("agent.toml", &manifest("overlap", "rotation = { overlap = \"5m\" }"));
    assert!(!desk.run_with("check agent.toml", &env).stderr.contains("warning"));
}

#[test]
fn leased_credentials_of_others_are_closed_whatever_paths_say() {
    let desk = desk("leased-1");
    let config = "[backends.vault]\ntype = \"vault\"\naddress = \"https://vault.internal:8200\"\npaths = [\"**\"]\nleased = [\"database/creds/{agent}\"]\nauth = { method = \"token\", token = \"env:VAULT_TOKEN\" }";
    desk.write("strongroom.toml", config);
    let env = [("STRONGROOM_CONFIG", "strongroom.toml")];

    desk.write("agent.toml", &manifest("leased-1", "from = \"vault:database/creds/leased-1#password\""));
    ok(desk.run_with("check agent.toml", &env));
    desk.write("agent.toml", &manifest("leased-1", "from = \"vault:database/creds/leased-2#password\""));
    let refused = desk.run_with("check agent.toml", &env);
    assert!(refused.code == 121 && refused.stderr.contains("can't name the path `database/creds/leased-2`"), "{}", refused.stderr);

    desk.write("strongroom.toml", &config.replace("\"**\"", "\"agents/**/public\""));
    let wide = desk.run_with("check agent.toml", &env);
    assert!(wide.code == 120 && wide.stderr.contains("`**` stands only at the end"), "{}", wide.stderr);
}
