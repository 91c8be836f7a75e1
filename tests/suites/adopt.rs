//! `strongroom adopt`: values of files that people have, moved into a backend and written back.

use crate::cli::{CliFixture, Transcript};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use strongroom_tests::VALUE;
use strongroom_tests::services::OpenBao;

const OTHER: &str = "pf_live_00112233445566778899aabbccddeeff";
const WORDS: &str = "correct horse battery";
const CONFIG: &str = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
const FILE: &[(&str, &str)] = &[("SECRETS_BACKEND", "file"), ("STRONGROOM_CONFIG", "strongroom.toml")];
const KEEPER: &str = include_str!("../../examples/backends/vault/keeper.hcl");

/// A desk with a file of secrets on it.
fn desk() -> CliFixture {
    let desk = CliFixture::new("[secrets.KEY]");
    desk.write("strongroom.toml", CONFIG);
    assert_eq!(desk.run_with("secrets init", FILE).code, 0);
    desk
}

/// Both streams, without a value in them.
fn said(ran: Transcript, code: i32) -> (String, String) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    for value in [VALUE, OTHER, WORDS] {
        assert!(!ran.stdout.contains(value) && !ran.stderr.contains(value), "a value on the terminal: {}{}", ran.stdout, ran.stderr);
    }
    (ran.stdout, ran.stderr)
}

fn text(desk: &CliFixture, name: &str) -> String {
    std::fs::read_to_string(desk.path(name)).unwrap()
}

/// A file of each kind with the two keys and the password in it, and how they stand there once they are adopted.
fn files() -> [(&'static str, String, Vec<String>); 3] {
    let at = |name: &str| format!("strongroom:file:bot/{name}");
    let env = format!(
        "# of the bot\r\nexport KEY={VALUE} # said\r\nPORT=8080\r\nOTHER_KEY = \"{OTHER}\"\r\n\r\nDB_PASSWORD='{WORDS}'\r\nMODE=fast\r\nPEM_KEY=\"-----BEGIN\r\n{WORDS}\r\n\"\r\n"
    );
    let mcp = format!(
        "{{\n  // said\n  \"mcpServers\": {{\n    \"git hub\": {{ \"command\": \"npx\", \"env\": {{ \"KEY\": \"{VALUE}\", \"MODE\": \"fast\", \"DB_PASSWORD\" : \"{WORDS}\" }} }},\n    \
         \"remote\": {{ \"url\": \"https://x.test/\", \"headers\": {{\"Authorization\": \"Bearer {OTHER}\", \"Accept\": \"text/plain\"}} }},\n  }}\n}}\n"
    );
    let compose = format!(
        "services:\n  web:\n    image: web:1\n    environment:\n      KEY: {VALUE} # said\n      MODE: fast\n      DB_PASSWORD: \"{WORDS}\"\n      FROM_HOST_KEY: ${{KEY}}\n  \
         worker:\n    environment:\n    - OTHER_KEY={OTHER}\n    - KEY={VALUE}\n    command: [run]\n"
    );
    [
        (
            ".env",
            env,
            vec![
                format!("export KEY={} # said\r\n", at("KEY")),
                format!("OTHER_KEY = \"{}\"\r\n", at("OTHER_KEY")),
                format!("DB_PASSWORD='{}'\r\n", at("DB_PASSWORD")),
                format!("PEM_KEY=\"{} (lines)\"\r\n", at("PEM_KEY")),
            ],
        ),
        (
            "mcp.json",
            mcp,
            vec![
                format!("\"KEY\": \"{}\", \"MODE\"", at("KEY")),
                format!("\"DB_PASSWORD\" : \"{}\" }}", at("DB_PASSWORD")),
                format!("\"Authorization\": \"Bearer {}\", ", at("REMOTE_AUTHORIZATION")),
            ],
        ),
        (
            "compose.yaml",
            compose,
            vec![
                format!("      KEY: {} # said\n", at("KEY")),
                format!("      DB_PASSWORD: \"{}\"\n", at("DB_PASSWORD")),
                format!("    - OTHER_KEY={}\n", at("OTHER_KEY")),
                format!("    - KEY={}\n", at("KEY")),
            ],
        ),
    ]
}

#[test]
fn a_file_of_each_kind_is_adopted_and_comes_back_byte_for_byte() {
    for (name, before, written) in files() {
        let desk = desk();
        desk.write(name, &before);
        std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(0o640)).unwrap();
        let mode = |desk: &CliFixture| std::fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777;

        let (shown, _) = said(desk.run_with(&format!("adopt {name} --namespace bot --dry-run"), FILE), 0);
        assert_eq!(text(&desk, name), before, "nothing was written");
        assert!(shown.contains("fingerprint ") && shown.contains("looks like a secret, to file:bot/"), "{shown}");
        let (shown, told) = said(desk.run_with(&format!("adopt {name} --namespace bot --yes"), FILE), 0);

        let adopted = text(&desk, name);
        assert!([VALUE, OTHER, WORDS].iter().all(|value| !adopted.contains(value)), "{adopted}");
        for line in &written {
            assert!(adopted.contains(line), "{line} is not in {adopted}");
        }
        assert_eq!(mode(&desk), 0o640);
        assert!(shown.contains("[secrets.KEY]\nfrom = \"file:bot/KEY\"\n"), "{shown}");
        assert!(told.contains("read back from there") && told.contains("may still hold the values"), "{told}");
        assert!(
            std::fs::read_dir(desk.path(".")).unwrap().flatten().all(|file| !file.file_name().to_string_lossy().contains("strongroom-new"))
        );

        // Once more, there is nothing to do.
        let (_, told) = said(desk.run_with(&format!("adopt {name} --namespace bot --yes"), FILE), 0);
        assert!(told.contains("it has references already, and there is nothing more to move"), "{told}");
        assert_eq!(text(&desk, name), adopted);

        let (_, told) = said(desk.run_with(&format!("adopt --undo {name} --yes"), FILE), 0);
        assert_eq!(text(&desk, name), before);
        assert!(told.contains("its mode is 0600 now, and was 0640") && told.contains("rm-version"), "{told}");
        assert_eq!(mode(&desk), 0o600);
    }
}

#[test]
fn the_lines_for_the_manifest_give_an_agent_what_the_file_held() {
    let desk = desk();
    desk.write("app.env", &format!("KEY={VALUE}\n"));
    let opened = |env: &[(&str, &str)]| {
        let ran = desk.run_with("run agent.toml -- open+KEY", env);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.split(' ').nth(3).unwrap().to_owned()
    };
    let before = opened(&[("KEY", VALUE)]);

    let (shown, _) = said(desk.run_with("adopt app.env --namespace probe-1 --yes", FILE), 0);
    let (_, lines) = shown.split_once("writes one):\n").unwrap();
    desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{lines}"));

    assert_eq!(opened(FILE), before);
}

#[test]
fn values_go_to_openbao_and_come_back() {
    let bao = OpenBao::shared();
    let role = bao.role("adopting", KEEPER, json!({}));
    let env =
        [("SECRETS_BACKEND", "vault"), ("VAULT_ADDR", bao.address.as_str()), ("VAULT_ROLE_ID", &role.0), ("VAULT_SECRET_ID", &role.1)];
    bao.put("agents/adopted", json!({"there": "before", "KEY": VALUE}));
    let desk = CliFixture::new("");
    let before = format!("KEY={VALUE}\nOTHER_KEY={OTHER}\n");
    desk.write("app.env", &before);

    let (_, told) = said(desk.run_with("adopt app.env --yes", &env), 120);
    assert!(told.contains("`--namespace`"), "{told}");
    let (_, told) = said(desk.run_with("adopt app.env --namespace adopted --yes", &env), 0);

    assert!(told.contains("1 of them from before"), "{told}");
    assert_eq!(text(&desk, "app.env"), "KEY=strongroom:vault:agents/adopted#KEY\nOTHER_KEY=strongroom:vault:agents/adopted#OTHER_KEY\n");
    let kept = bao.call("GET", "secret/data/agents/adopted", None).1;
    assert_eq!(kept["data"]["data"], json!({"there": "before", "KEY": VALUE, "OTHER_KEY": OTHER}));
    said(desk.run_with("adopt --undo app.env --yes", &env), 0);
    assert_eq!(text(&desk, "app.env"), before);
}

#[test]
fn what_can_not_be_kept_leaves_the_file_as_it_was_and_a_second_run_goes_on() {
    let desk = desk();
    let before = format!("KEY={VALUE}\nOTHER_KEY={OTHER}\n");
    desk.write("app.env", &before);
    let adopt = "adopt app.env --yes";

    std::fs::rename(desk.path("secrets.age"), desk.path("away.age")).unwrap();
    let (_, told) = said(desk.run_with(adopt, FILE), 121);
    assert!(told.contains("app.env is unchanged: fix that, and run the command again"), "{told}");
    assert_eq!(text(&desk, "app.env"), before);
    std::fs::rename(desk.path("away.age"), desk.path("secrets.age")).unwrap();

    // Another value is never replaced, and nothing is begun where one is.
    assert_eq!(desk.pipe("secrets set OTHER_KEY", VALUE, FILE).code, 0);
    let (_, told) = said(desk.run_with(adopt, FILE), 120);
    assert!(told.contains("file:OTHER_KEY already has another value") && told.contains("`strongroom secrets set OTHER_KEY`"), "{told}");
    assert_eq!(text(&desk, "app.env"), before);
    let (listed, _) = said(desk.run_with("secrets list", FILE), 0);
    assert!(!listed.contains("\nKEY") && !listed.starts_with("KEY"), "{listed}");

    // As a run leaves it that broke off after a value: the same one is there.
    assert_eq!(desk.pipe("secrets set OTHER_KEY", OTHER, FILE).code, 0);
    desk.write("app.env.strongroom-new", "left by a run that was killed");
    let (_, told) = said(desk.run_with(adopt, FILE), 0);
    assert!(told.contains("2 values in the backend") && told.contains("1 of them from before"), "{told}");
    assert_eq!(text(&desk, "app.env"), "KEY=strongroom:file:KEY\nOTHER_KEY=strongroom:file:OTHER_KEY\n");
    assert!(!desk.path("app.env.strongroom-new").exists());

    // Without what it refers to, it stays as it is too.
    let adopted = text(&desk, "app.env");
    assert_eq!(desk.run_with("secrets rm-version KEY 1", FILE).code, 0);
    let (_, told) = said(desk.run_with("adopt --undo app.env --yes", FILE), 121);
    assert!(told.contains("app.env: line 1, `KEY`: not found") && told.contains("nothing was written"), "{told}");
    assert_eq!(text(&desk, "app.env"), adopted);
}

#[test]
fn a_run_that_is_killed_at_any_point_leaves_the_file_whole_and_loses_no_value() {
    let desk = desk();
    let before = format!("KEY={VALUE}\nMODE=fast\nOTHER_KEY={OTHER}\n");
    desk.write("app.env", &before);
    let begun = std::time::Instant::now();
    said(desk.run_with("adopt app.env --yes --namespace first", FILE), 0);
    let whole = begun.elapsed();
    let mut killed = 0;
    for round in 0..30u32 {
        desk.write("app.env", &before);
        let line = format!("adopt app.env --yes --namespace n{round}");
        let mut adopting = desk.begin(&line, "", FILE);
        // Not to wait for something: the moment is what is tried.
        std::thread::sleep(whole * (round * 37 % 100) / 100);
        let _ = adopting.kill();
        killed += u32::from(!adopting.wait().unwrap().success());

        let now = text(&desk, "app.env");
        let adopted =
            before.replace(VALUE, &format!("strongroom:file:n{round}/KEY")).replace(OTHER, &format!("strongroom:file:n{round}/OTHER_KEY"));
        assert!(now == before || now == adopted, "round {round}: {now}");
        said(desk.run_with(&line, FILE), 0);
        assert_eq!(text(&desk, "app.env"), adopted, "round {round}");
        said(desk.run_with("adopt --undo app.env --yes", FILE), 0);
        assert_eq!(text(&desk, "app.env"), before, "round {round}");
    }
    assert!(killed > 0, "none of 30 was killed before its end");
}

#[test]
fn a_reference_is_never_taken_for_a_value() {
    let desk = desk();
    let adopted = "PORT=80\nKEY=strongroom:file:bot/KEY\n";
    desk.write("app.env", adopted);

    let (_, told) = said(desk.run_with("secrets import app.env", FILE), 120);
    assert!(told.contains("app.env: line 2, `KEY`: this is a reference") && told.contains("`strongroom adopt --undo app.env`"), "{told}");
    for dry in ["secrets import --dry-run app.env", "secrets import --dry-run app.env --namespace x"] {
        assert_eq!(desk.run_with(dry, FILE).code, 120);
    }
    let (_, told) = said(desk.run_with("run agent.toml --env-file app.env -- open+KEY", &[]), 121);
    assert!(told.contains("app.env: line 2: the variable `KEY` holds a reference") && told.contains("`from = \"file:bot/KEY\"`"), "{told}");
    let (_, told) = said(desk.run_with("run agent.toml -- open+KEY", &[("KEY", "strongroom:file:bot/KEY")]), 121);
    assert!(told.contains("the variable `KEY` holds a reference") && told.contains("`from = \"file:bot/KEY\"`"), "{told}");
    let (_, told) = said(desk.run_with("check agent.toml --resolve", &[("KEY", "strongroom:nowhere")]), 121);
    assert!(told.contains("the variable `KEY` holds a reference"), "{told}");
    let set = desk.pipe("secrets set KEY", "strongroom:file:bot/KEY", FILE);
    assert!(set.code == 120 && set.stderr.contains("it is a reference"), "{}", set.stderr);
    // A reference to nothing stands in no file for long.
    for (reference, finding) in [
        ("strongroom:bot", "names no entry"),
        ("strongroom:none:KEY", "no backend `none`"),
        ("strongroom:env:HOME", "is not an entry that"),
        ("strongroom:file:strongroom/rotation/x", "is not an entry that"),
    ] {
        desk.write("app.env", &format!("KEY={reference}\n"));
        let undone = desk.run_with("adopt --undo app.env --yes", FILE);
        assert!(
            undone.code > 0 && undone.stderr.contains("app.env: line 1") && undone.stderr.contains(finding),
            "{reference}: {}",
            undone.stderr
        );
        assert_eq!(text(&desk, "app.env"), format!("KEY={reference}\n"));
    }
}

#[test]
fn what_is_no_file_to_rewrite_is_refused_with_a_remedy() {
    let desk = desk();
    let path = |name: &str| desk.path(name);
    desk.write("app.env", &format!("KEY={VALUE}\n"));
    std::os::unix::fs::symlink("app.env", path("link.env")).unwrap();
    desk.write("hard.env", &format!("KEY={VALUE}\n"));
    std::fs::hard_link(path("hard.env"), path("hard2.env")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.env")).status().unwrap().success());
    std::fs::write(path("bytes.env"), b"KEY=\xff\n").unwrap();
    std::fs::write(path("long.env"), vec![b'#'; (4 << 20) + 1]).unwrap();
    desk.write("twice.env", &format!("KEY={VALUE}\nKEY={OTHER}\n"));
    desk.write("twice.json", &format!("{{\"mcpServers\": {{\"a\": {{\"env\": {{\n\"KEY\": \"{VALUE}\",\n\"KEY\": \"{OTHER}\"}}}}}}}}"));
    desk.write(
        "two.json",
        &format!("{{\"mcpServers\": {{\"a\": {{\"env\": {{\"KEY\": \"{VALUE}\"}}}},\n\"b\": {{\"env\": {{\"KEY\": \"{OTHER}\"}}}}}}}}"),
    );
    desk.write("none.json", "{\"a\": 1}");
    desk.write("bad.json", "{\"mcpServers\": {\n\"a\" 1}}");
    desk.write("twice.yaml", &format!("services:\n  a:\n    environment:\n      KEY: {VALUE}\n      KEY: {OTHER}\n"));
    desk.write("anchor.yaml", "services:\n  a:\n    environment: *all\n");
    for (line, says) in [
        ("adopt none.env", "none.env: can't be read"),
        ("adopt link.env", "link.env: it is a symbolic link, which leads to app.env; name the file itself"),
        ("adopt hard.env", "hard.env: it has 1 more hard links"),
        ("adopt pipe.env", "it is a pipe, and only regular files are read"),
        ("adopt bytes.env", "it is not UTF-8 text"),
        ("adopt long.env", "it has more than 4194304 bytes"),
        ("adopt twice.env", "twice.env: line 2: `KEY`: the name appears above with another value; keep one of them"),
        ("adopt twice.json", "twice.json: line 3: a name appears twice in the same object; keep one of them"),
        ("adopt two.json", "two.json: line 2: `b.KEY` has another value than `a.KEY` on line 1"),
        ("adopt none.json", "none.json: line 1: the file has neither `mcpServers` nor `servers`"),
        ("adopt bad.json", "bad.json: line 2: this is not JSON"),
        ("adopt twice.yaml", "twice.yaml: line 5: the variable is already set above in the same service; keep one of them"),
        ("adopt anchor.yaml", "anchor.yaml: line 3: `environment` is not a block of lines"),
        ("adopt app.env --as mcp", "app.env: line 1: this is not JSON"),
        ("adopt app.env --only NONE", "`--only NONE`: it has no value of that name"),
        ("adopt app.env --namespace bad+name", "`--namespace`: not a namespace"),
        ("adopt app.env --backend env", "the backend `env` can't be written to; name one that can"),
    ] {
        let (_, told) = said(desk.run_with(&format!("{line} --yes"), FILE), 120);
        assert!(told.contains(says), "{line}: {told}");
    }
    let (_, told) = said(desk.run_with("adopt app.env", FILE), 120);
    assert!(told.contains("there is no terminal to ask on; give `--yes`"), "{told}");
    let mistaken = desk.run_with(&format!("adopt app.env --yes --only {VALUE}"), FILE);
    assert!(
        mistaken.code == 120 && mistaken.stderr.contains("`--only`: this looks like a secret itself") && !mistaken.stderr.contains(VALUE)
    );
    assert_eq!(text(&desk, "app.env"), format!("KEY={VALUE}\n"));
    // The way that the refusal of two values names.
    for (owner, value) in [("a", VALUE), ("b", OTHER)] {
        said(desk.run_with(&format!("adopt two.json --yes --only {owner}.KEY --namespace {owner}"), FILE), 0);
        assert!(!text(&desk, "two.json").contains(value));
    }
}

#[test]
fn what_is_moved_is_chosen_and_what_stays_is_said() {
    let desk = desk();
    let vault =
        "[backends.vault]\ntype = \"vault\"\naddress = \"https://vault.test\"\nauth = { method = \"token\", token = \"env:PHRASE\" }";
    desk.write("strongroom.toml", &format!("{CONFIG}\n{vault}"));
    let with = [FILE, &[("PHRASE", WORDS)]].concat();
    let before = format!(
        "PLAIN={VALUE}\nSHORT_KEY=abc\nMODE=fast-enough\nPHRASE=\"{WORDS}\"\nFILLED_KEY=${{OTHER_VARIABLE}}\nDB_PASSWORD=\"two \\$words\"\nEMPTY_TOKEN=\n"
    );
    desk.write("app.env", &before);

    let (shown, told) = said(desk.run_with("adopt app.env --json --dry-run", &with), 0);
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let values: Vec<_> = document["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["because"].as_str().unwrap()))
        .collect();
    assert_eq!(values, [("PLAIN", "value"), ("DB_PASSWORD", "name")]);
    assert_eq!(
        (document["written"].as_bool(), document["kind"].as_str(), document["values"][0]["bytes"].as_u64()),
        (Some(false), Some("env"), Some(40))
    );
    assert_eq!(document["values"][1]["written_differently"], true, "`\\$` is written as `$`");
    let left: Vec<_> = document["left"].as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert_eq!(left, ["SHORT_KEY", "FILLED_KEY"]);
    assert!(told.contains("SHORT_KEY: line 2: left as it is: it has fewer than 8 bytes"), "{told}");

    // All but what the host itself is configured with.
    let (shown, told) = said(desk.run_with("adopt --undo app.env --json --yes", &with), 0);
    assert!(shown.contains("\"values\":[]") && told.contains("it has no reference of `strongroom adopt`"), "{shown}{told}");
    let (shown, told) = said(desk.run_with("adopt app.env --json --all --yes", &with), 0);
    assert!(told.contains("PHRASE: line 4: left as it is: it is the host's own"), "{told}");
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(document["written"] == true && document["values"].as_array().unwrap().len() == 3, "{document}");
    let adopted = text(&desk, "app.env");
    assert_eq!(
        adopted,
        before
            .replace(VALUE, "strongroom:file:PLAIN")
            .replace("fast-enough", "strongroom:file:MODE")
            .replace("two \\$words", "strongroom:file:DB_PASSWORD")
    );
    let (shown, _) = said(desk.run_with("adopt --undo app.env --json --yes --only MODE", &with), 0);
    assert!(shown.contains("\"from\":\"file:MODE\""), "{shown}");
    assert_eq!(text(&desk, "app.env"), adopted.replace("strongroom:file:MODE", "fast-enough"));
    let (_, told) = said(desk.run_with("adopt app.env --yes --only SHORT_KEY", &with), 120);
    assert!(told.contains("line 2: `SHORT_KEY` can't be moved: it has fewer than 8 bytes"), "{told}");
}

#[test]
fn on_a_terminal_it_asks_and_git_is_thought_of() {
    let desk = desk();
    desk.write("strongroom.toml", &format!("default_backend = \"file\"\n{CONFIG}"));
    let before = format!("KEY={VALUE}\n");
    desk.write("app.env", &before);
    for arguments in [vec!["init", "-q"], vec!["add", "app.env"]] {
        assert!(std::process::Command::new("git").args(arguments).current_dir(desk.path(".")).status().unwrap().success());
    }

    let (code, shown) = crate::first_hour::typed(&desk, "adopt app.env --config strongroom.toml", &["n"]);
    assert!(code == 0 && shown.contains("Move 1 value into `file`, and leave references in app.env? [y/N]:"), "{shown}");
    assert!(shown.contains("nothing was written") && !shown.contains(VALUE), "{shown}");
    assert_eq!(text(&desk, "app.env"), before);
    let (code, shown) = crate::first_hour::typed(&desk, "adopt app.env --config strongroom.toml", &["y"]);
    assert!(code == 0 && shown.contains("git tracks app.env, and its history keeps the values") && !shown.contains(VALUE), "{shown}");
    assert_eq!(text(&desk, "app.env"), "KEY=strongroom:file:KEY\n");
    let (code, shown) = crate::first_hour::typed(&desk, "adopt --undo app.env --config strongroom.toml", &["yes"]);
    assert!(code == 0 && shown.contains("Write 1 value into app.env as plaintext? [y/N]:"), "{shown}");
    assert_eq!(text(&desk, "app.env"), before);
}
