use super::*;
use crate::manifest::Trigger;
use std::path::Path;

const BEARER: &str = "http = \"/hook\"\nauth = { bearer = \"TOKEN\" }\n[secrets.TOKEN]";

fn read(trigger: &str) -> Result<Manifest, String> {
    let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n[trigger]\n{trigger}");
    Manifest::parse("agent.toml", &text).map_err(|error| error.to_string())
}

fn http(trigger: &str) -> HttpTrigger {
    match read(trigger).expect(trigger).trigger {
        Trigger::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_may_call_is_read_and_what_proves_it_is_not_the_agents() {
    let manifest = read(BEARER).expect("a manifest");
    assert!(manifest.secrets.is_empty() && manifest.caller.is_some_and(|secret| secret.name == "TOKEN"));
    assert_eq!(http(BEARER).auth, CallerAuth::Bearer("TOKEN".to_owned()));
    assert_eq!(http(BEARER).body, 1 << 20);

    let webhook = http("http = \"/hook\"\nauth = { webhook = \"slack\", secret = \"KEY\" }\nbody = \"64KiB\"\n[secrets.KEY]");
    assert_eq!(webhook.auth, CallerAuth::Webhook { of: Webhook::Slack, secret: "KEY".to_owned() });
    assert_eq!(webhook.body, 64 << 10);
    let mtls = "http = \"/\"\nauth = { mtls = \"ca.pem\", names = [\"ci.example.com\", \"spiffe://example.com/ci\"] }";
    match http(mtls).auth {
        CallerAuth::Mtls { authorities, names } => {
            assert!(authorities == Path::new("ca.pem") && names == ["ci.example.com", "spiffe://example.com/ci"]);
        }
        other => panic!("{other:?}"),
    }
    let public = http("http = \"/\"\npublic = true\nset_cookie = true\nlocation = [\"app.example.com\"]");
    assert!(public.auth == CallerAuth::Public && public.set_cookie && public.location.len() == 1);

    // Several callers at once are the ordinary case.
    assert_eq!(read(BEARER).expect("a manifest").supervision.concurrency, CONCURRENCY);
    assert_eq!(read(&format!("{BEARER}\n[run]\nconcurrency = 3")).expect("a manifest").supervision.concurrency, 3);
}

#[test]
fn a_path_is_covered_as_it_stands() {
    let covers = |pattern: &str, path: &str| CallPath::parse(pattern).expect(pattern).covers(path);

    for (pattern, path, expected) in [
        ("/", "/", true),
        ("/", "/a", false),
        ("/hook", "/hook", true),
        ("/hook", "/hook/", false),
        ("/hook", "/Hook", false),
        ("/hook", "/hook/a", false),
        ("/hook/**", "/hook", false),
        ("/hook/**", "/hook/", true),
        ("/hook/**", "/hook/a/b", true),
        ("/hook/**", "/hooks", false),
        ("/**", "/", true),
        ("/**", "/a/b", true),
    ] {
        assert_eq!(covers(pattern, path), expected, "{pattern} {path}");
    }
    let weight = |pattern: &str| CallPath::parse(pattern).expect(pattern).weight();
    assert!(weight("/a/b") > weight("/a/**") && weight("/a/**") > weight("/**") && weight("/a") > weight("/a/**"));
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    for (path, found) in [
        ("", "not a path that begins with `/`"),
        ("hook", "not a path that begins with `/`"),
        ("https://x/hook", "not a path that begins with `/`"),
        ("//hook", "an empty segment"),
        ("/hook/", "an empty segment"),
        ("//**", "an empty segment"),
        ("/a/../hook", "a dot segment"),
        ("/./hook", "a dot segment"),
        ("/%68ook", "a percent-encoding"),
        ("/hook?a=1", "a query or a fragment"),
        ("/hook#a", "a query or a fragment"),
        ("/hook;a", "a character that some servers read in another way"),
        ("/ho\\ok", "a character that some servers read in another way"),
        ("/h\u{f6}ok", "a character that some servers read in another way"),
        ("/*/hook", "a character that some servers read in another way"),
        ("/hook/**/a", "a character that some servers read in another way"),
    ] {
        assert_eq!(CallPath::parse(path).map_err(|problem| problem.found), Err(found.to_owned()), "{path}");
    }
    assert!(CallPath::parse(&format!("/{}", "a".repeat(LONGEST_PATH))).is_err());
}

#[test]
fn each_contradiction_is_one_finding() {
    for (trigger, finding) in [
        ("http = \"/a\"", "agent.toml:3:1: `trigger.http` does not say who may call; add `auth = { bearer = ? }`"),
        ("http = \"/a\"\npublic = false", "agent.toml:3:1: `trigger.http` does not say who may call; add"),
        (
            "http = \"/a\"\npublic = true\nauth = { bearer = \"TOKEN\" }\n[secrets.TOKEN]",
            "agent.toml:3:1: `auth` and `public` in one trigger; keep one of them",
        ),
        ("http = \"/a\"\nonce = true\npublic = true", "agent.toml:3:1: `trigger` has `once` and `http`; keep one of them"),
        ("http = \"/a\"\npublic = true\nmissed = \"skip\"", "agent.toml:6:1: `trigger.missed` belongs to `every` and `cron`; leave it out"),
        ("once = true\npublic = true", "agent.toml:5:1: `trigger.public` belongs to `http`; leave it out here"),
        ("http = \"a\"\npublic = true", "agent.toml:4:8: `trigger.http`: not a path that begins with `/`; write `/`, or segments"),
        ("http = \"/a\"\nauth = {}", "agent.toml:5:8: `trigger.auth` is not one way to prove who calls; write one of `bearer`"),
        (
            "http = \"/a\"\nauth = { bearer = \"A\", mtls = \"ca.pem\" }\n[secrets.A]",
            "agent.toml:5:8: `trigger.auth` is not one way to prove who calls; write one of `bearer`",
        ),
        (
            "http = \"/a\"\nauth = { webhook = \"stripe\" }",
            "agent.toml:5:8: `trigger.auth.secret` is missing; add `secret = ?` with its value in the place of `?`",
        ),
        (
            "http = \"/a\"\nauth = { webhook = \"paypal\", secret = \"A\" }\n[secrets.A]",
            "agent.toml:5:20: `trigger.auth.webhook`: not a service whose signatures are known; write `\"stripe\"`, `\"github\"` or",
        ),
        ("http = \"/a\"\nauth = { mtls = \"ca.pem\" }", "agent.toml:5:8: `trigger.auth.names` is missing; add `names = [?]`"),
        (
            "http = \"/a\"\nauth = { mtls = \"ca.pem\", names = [\"*.example.com\"] }",
            "agent.toml:5:36: `trigger.auth.names`: not a name of one certificate; write a DNS name in lower case or a URI",
        ),
        (
            "http = \"/a\"\nauth = { bearer = \"TOKEN\" }",
            "agent.toml:3:1: `TOKEN`, which `trigger.auth` names, is not a secret of this manifest; add a `[secrets.TOKEN]`",
        ),
        (
            "http = \"/a\"\nauth = { bearer = \"TOKEN\" }\n[secrets.TOKEN]\nexpose = \"env\"",
            "agent.toml:3:1: `secrets.TOKEN` proves who calls, and is the agent's too; leave `allow`, `expose`",
        ),
        (
            "http = \"/a\"\nauth = { webhook = \"github\", secret = \"A\" }\nbody = \"2MiB\"\n[secrets.A]",
            "agent.toml:6:8: `trigger.body`: more than is read of a webhook; write at most `1MiB`",
        ),
        (
            "http = \"/a\"\npublic = true\n[run]\nrestart = \"on failure\"",
            "agent.toml:7:11: `run.restart`: an agent that answers callers is not begun again; leave it out",
        ),
    ] {
        let found = read(trigger).expect_err(trigger);
        assert!(found.starts_with(finding) && found.lines().count() == 1, "{trigger}\n{found}");
    }
}
