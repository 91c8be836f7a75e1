//! Where values come from, and what is said when they don't.

use std::path::Path;
use strongroom::{End, EnvBackend, Host, Manifest, RunOptions, SecretBackend};
use strongroom_tests::{AgentFixture, VALUE, block_on};

#[test]
fn every_missing_secret_is_listed_in_one_error_with_where_it_was_looked_for() {
    let error = AgentFixture::with("[secrets.FIRST]\n[secrets.SECOND]\nfrom = \"static:shared/second\"\n[secrets.THIRD]\nrequired = false")
        .try_run(&["env"])
        .err()
        .unwrap();

    assert_eq!(
        error,
        "secret `FIRST` is unavailable: not found: looked for `probe-1/FIRST`, then `FIRST`\n\
         secret `SECOND` is unavailable: not found: looked for `shared/second`"
    );
}

#[test]
fn an_optional_secret_may_be_missing_and_a_default_is_plain_text() {
    let ran = AgentFixture::with(
        "[secrets.MODE]\nrequired = false\ndefault = \"demo\"\nexpose = \"env\"\n[secrets.GONE]\nrequired = false\nexpose = \"env\"",
    )
    .run(&["env", "open MODE", "open GONE"]);

    assert!(ran.stdout.contains("env MODE=demo") && ran.stdout.contains("open MODE demo"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("env GONE"), "{}", ran.stdout);
    assert!(ran.stdout.contains("open: `GONE` is not available"), "{}", ran.stdout);
}

#[test]
fn not_granted_and_not_there_look_alike_to_a_guest() {
    let ran = AgentFixture::new().value("ANOTHER_AGENTS", "a-secret-of-another-agent").run(&[
        "open ANOTHER_AGENTS",
        "open NO_SUCH",
        "open ",
        "open key",
    ]);

    for (line, name) in ran.stdout.lines().zip(["ANOTHER_AGENTS", "NO_SUCH", "", "key"]) {
        assert_eq!(line, format!("open: `{name}` is not available to this agent"));
    }
    assert_eq!(ran.denied(), ["secret"; 4]);
}

#[test]
fn a_value_that_does_not_fit_is_refused_without_being_quoted() {
    let cases = [
        ("format = \"^pf_live_[a-f0-9]{32}$\"", "sk-another-kind-of-key-0123456789", "does not match the manifest's `format`"),
        ("", "short", "fewer than 8 bytes"),
        ("", "with-a-line-break-at-its-end\n", "begins or ends with white space"),
    ];
    for (lines, value, says) in cases {
        let error = AgentFixture::with(&format!("[secrets.KEY]\n{lines}")).value("KEY", value).try_run(&["env"]).err().unwrap();
        assert!(error.contains(says) && error.contains("`KEY`"), "{error}");
        assert!(!error.contains(value.trim()), "{error}");
    }
}

#[test]
fn a_namespace_is_looked_in_first() {
    let ran = AgentFixture::granted("host = \"api.test\"\npaths = [\"/v1/**\"]")
        .value("probe-1/KEY", "the-value-of-this-agent-0123456789")
        .run(&["send GET https://api.test/v1/x h:authorization=Bearer+{KEY}"]);
    assert_eq!(ran.seen[0].header("authorization"), "Bearer the-value-of-this-agent-0123456789");
}

#[test]
fn a_field_that_is_a_number_is_the_digits_that_stand_there() {
    let room = |field: &str, document: &str| {
        let grant =
            format!("[secrets.KEY]\nfrom = \"static:document#{field}\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]");
        AgentFixture::with(&grant).value("document", document).try_run(&["send GET https://api.test/v1/x h:authorization={KEY}"])
    };

    for digits in ["1234567890", "12345678901234567890123456789012345678", "0.10000000000000000000005", "-1.50E+0040", "10000000.0"] {
        for (field, document) in
            [("pin", format!("{{\"pin\":{digits}}}")), ("/a/1/pin", format!("{{\"a\" : [0, {{ \"pin\" : {digits} }}]}}"))]
        {
            let ran = room(field, &document).unwrap_or_else(|error| panic!("{document}: {error}"));
            assert_eq!(ran.seen[0].header("authorization"), digits, "{document}");
        }
    }
    for (value, says) in [
        ("true", "is true or false"),
        ("null", "is null; write the value there"),
        ("{\"a\":\"0123456789\"}", "is an object; name one of its fields, as in `#/NAME/NAME`"),
        ("[\"0123456789\"]", "is a list; name one of its elements, as in `#/NAME/0`"),
    ] {
        let error = room("pin", &format!("{{\"pin\":{value}}}")).err().unwrap();
        assert!(error.contains(says) && !error.contains("0123456789"), "{value}: {error}");
    }
}

fn env_host(file: Option<&Path>) -> Host {
    let env = file.map_or_else(|| Ok(EnvBackend::new()), EnvBackend::with_file).unwrap();
    Host::builder().backend("env", env).without_audit().without_state().max_agents(1).build().unwrap()
}

#[test]
fn the_env_backend_reads_the_operators_file_and_only_what_the_manifest_names() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets.env");
    std::fs::write(
        &file,
        format!("# a comment\nSR_TEST_KEY={VALUE}\nSR_TEST_UNNAMED=never-read-0123456789\nexport SR_TEST_QUOTED=\"with spaces inside\"\n"),
    )
    .unwrap();
    let host = env_host(Some(&file));
    let manifest = "name = \"a\"\ncomponent = \"a.wasm\"\n[secrets.K]\nfrom = \"env:SR_TEST_KEY\"\nexpose = \"env\"\n[secrets.Q]\nfrom = \"env:SR_TEST_QUOTED\"";
    let agent = host.agent(Manifest::parse("agent.toml", manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    let stdout = strongroom::Captured::default();

    let outcome = block_on(agent.run(RunOptions::default().args(["env"]).stdout(stdout.clone()))).unwrap();

    assert_eq!(outcome.end, End::Exit(0));
    assert_eq!(stdout.text().lines().count(), 1, "one variable, and it is a placeholder: {}", stdout.text());
    assert!(stdout.text().starts_with("env K=sr_"), "{}", stdout.text());
}

#[test]
fn a_malformed_env_file_is_named_with_its_entry_and_without_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    std::fs::write(&file, format!("GOOD=1\n{VALUE} is not an entry\n")).unwrap();

    let error = EnvBackend::with_file(&file).err().unwrap().to_string();

    assert!(error.contains(".env: line 2"), "{error}");
    assert!(!error.contains("pf_live"), "{error}");
    assert!(EnvBackend::with_file(&dir.path().join("none")).err().unwrap().to_string().contains("can't be read"));
}

#[test]
fn the_hosts_own_credentials_cant_be_named() {
    let host = env_host(None);
    for (agent, secret, from) in [
        ("a", "K", "from = \"env:VAULT_SECRET_ID\""),
        ("a", "K", "from = \"env:AWS_SECRET_ACCESS_KEY\""),
        ("a", "K", "from = \"env:STRONGROOM_CONFIG\""),
        ("a", "AWS_SECRET_ACCESS_KEY", ""),
        // Through the agent's name, or a namespace.
        ("vault", "secret-id", ""),
        ("a", "SECRET_ACCESS_KEY", "namespace = \"aws\""),
    ] {
        let manifest = format!("name = \"{agent}\"\ncomponent = \"a.wasm\"\n[secrets.{secret}]\n{from}");
        let manifest = Manifest::parse("agent.toml", &manifest).unwrap();
        let error = host.agent(manifest, &strongroom_components::bytes("probe")).err().unwrap().to_string();
        assert!(error.contains("is the host's own; a manifest can't name it"), "{from}: {error}");
    }
}

#[test]
fn an_unknown_backend_is_named_with_those_that_are_configured() {
    let error = AgentFixture::with("[secrets.KEY]\nfrom = \"vault:agents/a#key\"").try_run(&["env"]).err().unwrap();

    assert!(error.contains("no backend `vault` is configured; these are configured: static, env"), "{error}");
}

#[test]
fn a_backend_of_ones_own_may_say_when_a_value_expires() {
    use strongroom::{BackendError, Entry, Found, SecretValue};
    struct Own;
    #[async_trait::async_trait]
    impl SecretBackend for Own {
        fn entries_for(&self, _namespace: &str, name: &str) -> Vec<Entry> {
            vec![Entry::new(name)]
        }
        fn admits(&self, _entry: &Entry) -> Result<(), BackendError> {
            Ok(())
        }
        async fn get(&self, _entry: &Entry) -> Result<Found, BackendError> {
            Ok(Found::value(SecretValue::new(VALUE)).with(|new| new.expires_at = Some(1_800_000_000)))
        }
    }

    let ran = AgentFixture::new().host(|host| host.backend("own", Own).default_backend("own")).run(&["open KEY"]);

    assert!(ran.stdout.contains("Some(1800000000)"), "{}", ran.stdout);
}
