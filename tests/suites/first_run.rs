//! The first minutes of an agent's author: `new`, `init`, and where a configuration has secrets looked up.

use crate::cli::CliFixture;
use crate::network::once;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use strongroom::Manifest;
use strongroom_tests::VALUE;

const KEY: &str = "pk_live_00112233445566778899aabbccddeeff";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn a_new_agent_in_rust_builds_and_gets_an_answer() {
    let desk = CliFixture::new("");
    let made = desk.run(&format!("new price-bot --sdk {}", root().join("guest-sdk").display()));
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.contains("cargo build --release --target wasm32-wasip2\n"), "{}", made.stdout);
    // What the workspace was built with is here already.
    let agent = desk.path("price-bot");
    std::fs::copy(root().join("Cargo.lock"), agent.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--target", "wasm32-wasip2"]).current_dir(&agent).env_remove("CARGO_TARGET_DIR");
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(!String::from_utf8_lossy(&built.stderr).contains("warning"), "{}", String::from_utf8_lossy(&built.stderr));

    let (port, server) = once(|request, stream| {
        assert!(request.contains(&format!("authorization: Bearer {KEY}\r\n")), "{request}");
        let body = format!("{{\"used\":\"{KEY}\"}}");
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let manifest = std::fs::read_to_string(agent.join("agent.toml")).unwrap();
    desk.write("price-bot/agent.toml", &manifest.replace("api.example.com", &format!("http://127.0.0.1:{port}")));
    desk.write("strongroom.toml", "[network]\nallow = [\"127.0.0.1/32\"]\n");
    let line = format!("run price-bot/agent.toml --config strongroom.toml -- http://127.0.0.1:{port}/v1/price");
    let ran = desk.run_with(&line, &[("PRICE_API_KEY", KEY)]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("200 {\"used\":\"pk_live_") && !ran.stdout.contains(KEY), "{}", ran.stdout);
    server.join().unwrap();
}

#[test]
fn a_new_agent_in_javascript_or_python_is_the_example_under_another_name() {
    for (lang, example, files) in [
        ("js", "price-js", &["main.js", "package.json", "package-lock.json", "wit/agent.wit"][..]),
        ("python", "price-py", &["app.py", "wasi_http.py", "requirements.txt", "wit/agent.wit"]),
    ] {
        let desk = CliFixture::new("");
        let made = desk.run(&format!("new --lang {lang} my-bot"));
        assert_eq!(made.code, 0, "{}", made.stderr);
        for file in files {
            let original = std::fs::read_to_string(root().join("examples/agents").join(example).join(file)).unwrap();
            let copy = std::fs::read_to_string(desk.path("my-bot").join(file)).unwrap();
            assert_eq!(copy, original.replace(example, "my-bot"), "{file}");
        }
        let explained = desk.run("explain my-bot/agent.toml");
        assert!(explained.code == 0 && explained.stdout.contains("api.example.com"), "{}{}", explained.stdout, explained.stderr);
        let readme = std::fs::read_to_string(desk.path("my-bot/README.md")).unwrap();
        assert!(readme.contains("--output my-bot.wasm") || readme.contains("npm run build"), "{readme}");
    }
}

#[test]
fn new_touches_nothing_that_is_there_and_takes_no_name_that_no_agent_can_have() {
    let desk = CliFixture::new("");
    std::fs::create_dir(desk.path("there")).unwrap();
    for (name, says) in [("there", "already exists"), ("../up", "can't be an agent's name"), ("Big", "can't be an agent's name")] {
        let made = desk.run(&format!("new {name}"));
        assert!(made.code == 120 && made.stderr.contains(says), "{name}: {}", made.stderr);
    }
    assert_eq!(std::fs::read_dir(desk.path("there")).unwrap().count(), 0);
}

#[test]
fn init_writes_a_manifest_that_is_read_as_it_was_asked_for() {
    let desk = CliFixture::new("");
    let done = desk.run(
        "init bot.toml --name bot --component probe.wasm --secret KEY --host api.test --path /v1/** --method POST --secret OTHER --host http://127.0.0.1:8080 --env",
    );
    assert_eq!(done.code, 0, "{}", done.stderr);

    let text = std::fs::read_to_string(desk.path("bot.toml")).unwrap();
    let manifest = Manifest::parse("bot.toml", &text).unwrap();
    let grants: Vec<String> = manifest.secrets.iter().map(|secret| format!("{} {}", secret.name, secret.allow[0].host)).collect();
    assert_eq!(grants, ["KEY api.test", "OTHER http://127.0.0.1:8080"]);
    assert!(manifest.secrets[0].allow[0].methods.iter().all(|method| method == "POST"));
    // Its comments are lines that are taken when the mark goes, one by one.
    for line in text.lines().filter(|line| line.starts_with("# ") && line.contains(" = ") && !line.contains("host")) {
        let changed = text.replacen(line, line.trim_start_matches("# "), 1);
        let read = Manifest::parse("bot.toml", &changed);
        assert!(read.is_ok() || line.contains("memory") || line.contains("cpu") || line.contains("wall"), "{line}: {:?}", read.err());
    }
    assert_eq!(desk.run("check bot.toml").code, 0);
}

#[test]
fn init_writes_a_manifest_for_each_scheme_that_it_knows() {
    let desk = CliFixture::new("");
    let unknown = desk.run("init x.toml --name bot --scheme nothing");
    let known =
        unknown.stderr.split_once("[possible values: ").and_then(|(_, rest)| rest.split_once(']')).map(|(known, _)| known.to_owned());
    let known = known.unwrap_or_else(|| panic!("{}", unknown.stderr)).replace(',', " ");
    let known: Vec<&str> = known.split_whitespace().collect();
    let places = ["bearer", "basic", "header", "query", "cookie", "form", "json"];
    let schemes = ["binance", "binance-ed25519", "bybit", "okx", "kraken", "coinbase-exchange", "coinbase-cdp", "sigv4"];
    let tokens = ["oauth2", "oauth2-client", "google-service-account", "github-app"];
    let schemes = [&schemes[..], &tokens].concat();
    assert_eq!((unknown.code, known.as_slice()), (120, [&places[..], &schemes[..]].concat().as_slice()));

    for scheme in known {
        let is_place = places.contains(&scheme);
        let more = if is_place { " --secret KEY --host api.test" } else { "" };
        let done = desk.run(&format!("init {scheme}.toml --name bot --component probe.wasm --scheme {scheme}{more}"));
        assert_eq!(done.code, 0, "{scheme}: {}", done.stderr);
        let checked = desk.run(&format!("check {scheme}.toml"));
        // A refresh token needs a backend that can be written to, which is not configured here.
        let is_missing = scheme == "oauth2" && checked.stderr.contains("no backend `file` is configured");
        assert_eq!(checked.code != 0, is_missing, "{scheme}: {}", checked.stderr);

        let manifest = Manifest::read(&desk.path(&format!("{scheme}.toml"))).unwrap();
        let signing = manifest.secrets.iter().filter(|secret| secret.scheme.is_some()).count();
        assert_eq!(signing, usize::from(!is_place), "{scheme}");
        assert!(manifest.secrets.iter().all(|secret| secret.expose_env != is_place), "{scheme}: client libraries read the environment");
        if is_missing {
            continue;
        }
        let explained = desk.run(&format!("explain {scheme}.toml"));
        for never in ["in ,", "may be sent nowhere", "is not available"] {
            assert!(explained.code == 0 && !explained.stdout.contains(never), "{scheme}: {}", explained.stdout);
        }
        for withdrawal in ["POST+https://api.binance.com/sapi/v1/capital/withdraw/apply", "POST+https://api.kraken.com/0/private/Withdraw"]
        {
            assert_eq!(desk.run(&format!("explain {scheme}.toml --request {withdrawal}")).code, 124, "{scheme}");
        }
    }
    let form = Manifest::read(&desk.path("form.toml")).unwrap();
    assert_eq!(
        (form.secrets[0].allow[0].methods[0].as_str(), form.secrets[0].allow[0].place[0].to_string()),
        ("POST", "form:client_secret".to_owned())
    );

    let named = desk.run("init own.toml --name bot --scheme okx --secret MY_KEY --host eea.okx.com --path /api/v5/account/* --method GET");
    assert_eq!(named.code, 0, "{}", named.stderr);
    let own = Manifest::read(&desk.path("own.toml")).unwrap();
    let secrets: Vec<String> = own.secrets.iter().map(|secret| format!("{} {}", secret.name, secret.allow[0].host)).collect();
    assert_eq!(secrets, ["MY_KEY eea.okx.com", "OKX_API_KEY eea.okx.com", "OKX_PASSPHRASE eea.okx.com"]);
}

#[test]
fn init_overwrites_nothing_and_writes_nothing_that_check_refuses() {
    let desk = CliFixture::new("");
    let before = std::fs::read_to_string(desk.path("agent.toml")).unwrap();
    for (line, says) in [
        ("init --name a --secret KEY --host api.test", "agent.toml: already exists"),
        ("init new.toml --name a --secret KEY", "`--host HOST` is missing, and there is no terminal to ask on"),
        ("init new.toml --name a --secret KEY --secret B --host api.test", "2 secrets and 1 hosts"),
        ("init new.toml --name a --secret KEY --host *.com", "nothing was written, since it would be refused"),
        ("init new.toml --name a --secret a+b --host api.test", "nothing was written, since it would be refused"),
        ("init new.toml --secret KEY --host api.test", "give one with `--name`"),
        ("init new.toml --name a --scheme okx --secret KEY --secret B", "`--secret` may be given once with this `--scheme`"),
        ("init new.toml --name a --scheme header", "`--secret NAME` is missing"),
    ] {
        let done = desk.pipe_words(line, "");
        assert!(done.code == 120 && done.stderr.contains(says), "{line}: {}", done.stderr);
        assert!(!desk.path("new.toml").exists(), "{line}");
    }
    assert_eq!(std::fs::read_to_string(desk.path("agent.toml")).unwrap(), before);
}

#[test]
fn the_configuration_says_where_bare_names_are_looked_up_and_the_environment_may_say_otherwise() {
    let desk = CliFixture::new("[secrets.KEY]\n");
    let backends =
        "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n[audit]\nfile = \"audit.jsonl\"\n";
    desk.write("strongroom.toml", backends);
    let hint = desk.run("secrets init --config strongroom.toml");
    assert!(hint.code == 0 && hint.stderr.contains("`default_backend = \"file\"`"), "{}", hint.stderr);

    desk.write("strongroom.toml", &format!("default_backend = \"file\"\n{backends}"));
    let set = desk.pipe("secrets set KEY --config strongroom.toml", VALUE, &[]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let line = "run agent.toml --config strongroom.toml -- open+KEY";
    assert!(desk.run(line).stdout.contains("open KEY "), "{}", desk.run(line).stderr);
    let elsewhere = desk.run_with(line, &[("SECRETS_BACKEND", "env")]);
    assert_eq!(elsewhere.code, 121, "{}", elsewhere.stderr);
    assert!(desk.run_with(line, &[("SECRETS_BACKEND", "")]).stdout.contains("open KEY "), "an empty variable says nothing");

    desk.write("strongroom.toml", "default_backend = \"nope\"\n");
    let refused = desk.run(line);
    assert!(refused.code == 120 && refused.stderr.contains("`default_backend`"), "{}", refused.stderr);
}
