//! Secrets that others bring: from programs that print them, and from directories that are mounted.

use crate::cli::{CliFixture, Transcript};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use strongroom::manifest::{CommandConfig, CommandProtocol};
use strongroom::{CommandBackend, DirBackend};
use strongroom_demo::server::respond;
use strongroom_tests::{AgentFixture, Ran, VALUE, services};

const SECOND: &str = "pf_live_00112233445566778899aabbccddeeff";
const SEND: &str = "send GET https://api.test/v1/x h:authorization={KEY}";
const CONFIG: (&str, &str) = ("STRONGROOM_CONFIG", "strongroom.toml");

/// A host with this backend, and an agent `probe-1` with one secret from there.
fn desk(backend: &str, from: &str) -> CliFixture {
    let desk = CliFixture::new(&format!("[secrets.KEY]\nfrom = \"{from}\""));
    desk.write("strongroom.toml", &format!("[backends.source]\n{backend}\n"));
    desk
}

/// A script that has the value in `$value`, from a file: the configuration itself may hold none.
fn with_value(desk: &CliFixture, script: &str) -> String {
    desk.write("value", &format!("{VALUE}\n"));
    format!("read -r value < {}; {script}", desk.path("value").display())
}

fn shell(script: &str, more: &str) -> String {
    format!("type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", '''{script}''', \"sh\", \"{{path}}\"]\nprotocol = \"raw\"\n{more}")
}

fn resolved(desk: &CliFixture, env: &[(&str, &str)]) -> Transcript {
    let ran = desk.run_with("check agent.toml --resolve", &[&[CONFIG], env].concat());
    for secret in [VALUE, SECOND] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "a value on the terminal: {}{}", ran.stdout, ran.stderr);
    }
    ran
}

fn ok(ran: Transcript) -> String {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn the_same_agent_runs_from_a_command_and_from_a_directory() {
    let desk = desk("", "KEY");
    std::fs::create_dir(desk.path("mounted")).unwrap();
    desk.write("mounted/KEY", &format!("{VALUE}\n"));
    let source = shell(&with_value(&desk, "echo $value"), "");
    let mounted = "[backends.mounted]\ntype = \"dir\"\npath = \"mounted\"";
    desk.write("strongroom.toml", &format!("[backends.source]\n{source}\n{mounted}\n"));
    let mut prints = Vec::new();
    for (backend, places) in [("source", "at probe-1/KEY"), ("mounted", "at probe-1/KEY, KEY"), ("env", "at PROBE_1_KEY, KEY")] {
        let env = [CONFIG, ("SECRETS_BACKEND", backend), ("KEY", VALUE)];
        let explained = ok(desk.run_with("explain agent.toml", &env));
        assert!(explained.contains(&format!("looked up in the backend `{backend}` {places}")), "{explained}");
        assert!(ok(desk.run_with("check agent.toml --resolve", &env)).contains(&format!("KEY: {backend}:")));
        let opened = ok(desk.run_with("run agent.toml -- open+KEY", &env));
        prints.push(opened.split(' ').nth(3).unwrap().to_owned());

        let listed = desk.run_with(&format!("secrets list --backend {backend}"), &env);
        assert!(listed.code == 120 && listed.stderr.contains("can't be written to or listed"), "{}", listed.stderr);
        let set = desk.pipe(&format!("secrets set KEY --backend {backend}"), VALUE, &env);
        assert!(set.code == 120 && set.stderr.contains("can't be written to or listed"), "{}", set.stderr);
    }
    prints.dedup();
    assert_eq!(prints.len(), 1, "the same value has the same fingerprint wherever it is from");
}

#[test]
fn a_manifest_names_its_own_paths_and_no_option() {
    let note = |desk: &CliFixture| desk.path("started").exists();
    for (from, says) in [
        ("source:-rf", "can't be given to a command"),
        ("source:--config=x", "can't be given to a command"),
        ("source:probe-1/--config=x", "can't be given to a command"),
        ("source:probe-1/{path}", "can't be given to a command"),
        ("source:probe-1/a\\\"][\\\"b", "can't be given to a command"),
        ("source:probe-1/$(id)", "can't be given to a command"),
        ("source:probe-1/../other/KEY", "not a reference"),
        ("source:probe-1/a\\nb", "not a reference"),
        ("source:probe-1/a\\u0000b", "not a reference"),
        ("source:other/KEY", "can't name the path `other/KEY`"),
        ("source:KEY", "can't name the path `KEY`"),
        ("source:probe-1/KEY?version=3", "keeps no versions"),
    ] {
        let desk = desk("", from);
        let script = with_value(&desk, &format!("touch {}; echo $value", desk.path("started").display()));
        let open = if says.starts_with("can't be given") { "paths = [\"**\"]\nenv = { PATH = \"/usr/bin:/bin\" }" } else { "" };
        desk.write("strongroom.toml", &format!("[backends.source]\n{}\n", shell(&script, open)));

        let ran = resolved(&desk, &[]);

        assert!([120, 121].contains(&ran.code) && ran.stderr.contains(says), "{from}: {} {}", ran.code, ran.stderr);
        assert!(!note(&desk), "{from}: it was started");
    }
}

#[test]
fn what_a_command_is_given_of_the_hosts_environment_no_manifest_can_name() {
    let desk = desk(&shell("echo $OP_TOKEN", "pass_env = [\"OP_TOKEN\"]"), "source:probe-1/KEY");
    let env = [("OP_TOKEN", VALUE), ("OTHER_TOKEN", SECOND)];
    assert!(ok(resolved(&desk, &env)).contains("KEY: source:probe-1/KEY"));

    for (from, is_own) in [("env:OP_TOKEN", true), ("env:op_token", true), ("env:OTHER_TOKEN", false)] {
        desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"{from}\""));
        let ran = resolved(&desk, &env);
        assert_eq!(ran.stderr.contains("is the host's own; a manifest can't name it"), is_own, "{from}: {}", ran.stderr);
    }
    desk.write("agent.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"source:probe-1/KEY\"");
    let unset = resolved(&desk, &[]);
    assert!(unset.code == 121 && unset.stderr.contains("which `pass_env` names, is not set"), "{}", unset.stderr);
}

#[test]
fn what_a_command_complains_of_goes_nowhere() {
    let desk = desk("", "source:probe-1/KEY");
    let script = with_value(&desk, "echo $value >&2; echo $value; exit 7");
    desk.write("strongroom.toml", &format!("[backends.source]\n{}\n", shell(&script, "")));

    let failed = resolved(&desk, &[]);
    let run = desk.run_with("run agent.toml -- open+KEY", &[CONFIG]);

    assert!(failed.code == 121 && failed.stderr.contains("it ended with exit code 7; run it by hand"), "{}", failed.stderr);
    assert!(run.code == 121 && !run.stderr.contains(VALUE) && !run.stdout.contains(VALUE), "{}", run.stderr);
}

#[test]
fn a_program_that_others_can_replace_is_refused_as_the_host_is_built() {
    use std::os::unix::fs::PermissionsExt;
    let desk = desk("", "source:probe-1/KEY");
    let (tool, open) = (desk.path("tool"), |bits| std::fs::Permissions::from_mode(bits));
    desk.write("tool", &format!("#!/bin/sh\necho {VALUE}\n"));
    let config = format!("type = \"command\"\ncommand = [\"{}\", \"{{path}}\"]\nprotocol = \"raw\"", tool.display());
    desk.write("strongroom.toml", &format!("[backends.source]\n{config}\n"));

    for (mode, directory, says) in [
        (0o775, 0o755, "can be written by other users"),
        (0o755, 0o777, "another program could be put in the place"),
        (0o644, 0o755, "is not a program"),
    ] {
        std::fs::set_permissions(&tool, open(mode)).unwrap();
        std::fs::set_permissions(tool.parent().unwrap(), open(directory)).unwrap();
        let refused = resolved(&desk, &[]);
        assert!(refused.code != 0 && refused.stderr.contains(says), "{mode:o} {directory:o}: {}", refused.stderr);
    }
    std::fs::set_permissions(&tool, open(0o755)).unwrap();
    ok(resolved(&desk, &[]));
}

/// A terminal of its own for a command, by Python, as a person has one.
const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

#[test]
fn a_prompt_on_the_terminal_keeps_nobody_waiting() {
    let line = "check agent.toml --resolve";
    for (script, says) in [
        ("echo Passphrase: >/dev/tty; read answer </dev/tty && echo $answer", "it did not end within 500 ms, and was killed"),
        ("read answer && echo $answer", "it ended with exit code 1"),
    ] {
        let desk = desk(&shell(script, "timeout = \"500ms\""), "source:probe-1/KEY");
        let inner = desk.command(line);
        let mut terminal = Command::new("python3");
        terminal.args(["-c", TERMINAL]).arg(inner.get_program()).args(inner.get_args()).current_dir(inner.get_current_dir().unwrap());
        terminal.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env(CONFIG.0, CONFIG.1);
        // Somebody sits there and types nothing, until this is dropped.
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut sits = terminal.spawn().unwrap();
        let _typing = sits.stdin.take().unwrap();

        let output = sits.wait_with_output().unwrap();

        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(121) && said.contains(says), "{script}: {said}");
    }
}

/// An agent that sends `KEY` twice, with time that passes between the two by itself and more by `midway`.
fn twice(fixture: AgentFixture, slept: Arc<AtomicU64>, millis: u64, midway: impl Fn() + Send + Sync + 'static) -> Ran {
    let count = AtomicUsize::new(0);
    let server = move |seen: &strongroom_demo::server::Seen| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            midway();
            slept.fetch_add(millis, Ordering::Relaxed);
        }
        respond(200, "text/plain", format!("old {VALUE} now {}", seen.header("authorization")))
    };
    fixture.value("SECOND", SECOND).server(server).run(&[SEND, SEND])
}

fn granted(from: &str) -> AgentFixture {
    AgentFixture::with(&format!("[secrets.KEY]\nfrom = \"{from}\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]"))
}

/// The value of the two requests; each was searched for in both answers.
fn sent(ran: &Ran) -> [&str; 2] {
    let placeholder = ran.stdout.split("old ").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(ran.stdout.matches(&format!("old {placeholder} now {placeholder}")).count(), 2, "{}", ran.stdout);
    [0, 1].map(|at| ran.seen[at].header("authorization"))
}

#[test]
fn a_running_agent_has_what_is_mounted_anew_within_two_seconds() {
    /// How the directory is kept, and how it is replaced.
    type Kept = (&'static str, fn(&Path), fn(&Path));
    let kept: [Kept; 3] = [
        (
            "as Kubernetes does",
            |dir| {
                for (version, value) in [("..2026_01_01", VALUE), ("..2026_01_02", SECOND)] {
                    std::fs::create_dir(dir.join(version)).unwrap();
                    std::fs::write(dir.join(version).join("KEY"), value).unwrap();
                }
                symlink("..2026_01_01", dir.join("..data")).unwrap();
                symlink("..data/KEY", dir.join("KEY")).unwrap();
            },
            |dir| {
                symlink("..2026_01_02", dir.join("..data_tmp")).unwrap();
                std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
                std::fs::remove_dir_all(dir.join("..2026_01_01")).unwrap();
            },
        ),
        (
            "by a new file in the place of the old one",
            |dir| std::fs::write(dir.join("KEY"), VALUE).unwrap(),
            |dir| {
                std::fs::write(dir.join(".KEY.new"), SECOND).unwrap();
                std::fs::rename(dir.join(".KEY.new"), dir.join("KEY")).unwrap();
            },
        ),
        (
            "by writing to the file",
            |dir| std::fs::write(dir.join("KEY"), VALUE).unwrap(),
            |dir| std::fs::write(dir.join("KEY"), format!("{SECOND}\n")).unwrap(),
        ),
    ];
    for (name, make, replace) in kept {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        make(dir.path());
        let (backend, slept) = (DirBackend::new(dir.path()), Arc::<AtomicU64>::default());
        let (clock, place) = (Arc::clone(&slept), Arc::clone(&dir));
        let fixture = granted("mounted:KEY").host(move |host| host.backend("mounted", backend).slept(clock));

        let ran = twice(fixture, slept, 2_000, move || replace(place.path()));

        assert_eq!(sent(&ran), [VALUE, SECOND], "{name}");
    }
}

#[test]
fn a_file_that_is_gone_or_open_to_others_is_used_no_longer() {
    use std::os::unix::fs::PermissionsExt;
    type Midway = fn(&Path);
    let cases: [(&str, Midway); 3] = [
        ("not found", |dir| std::fs::remove_file(dir.join("KEY")).unwrap()),
        ("can be written by other users", |dir| {
            std::fs::set_permissions(dir.join("KEY"), std::fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("leads out of the directory", |dir| {
            std::fs::remove_file(dir.join("KEY")).unwrap();
            symlink("/etc/hostname", dir.join("KEY")).unwrap();
        }),
    ];
    for (says, midway) in cases {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("KEY"), VALUE).unwrap();
        let (backend, slept) = (DirBackend::new(dir.path()), Arc::<AtomicU64>::default());
        let clock = Arc::clone(&slept);
        let fixture = granted("mounted:KEY").host(move |host| host.backend("mounted", backend).slept(clock));
        let place = Arc::clone(&dir);

        let ran = twice(fixture, slept, 2_000, move || midway(place.path()));

        assert_eq!(ran.seen.len(), 1, "{says}: {}", ran.stdout);
        assert!(ran.records("secret-unavailable")[0]["reason"].as_str().unwrap().contains(says), "{says}: {:?}", ran.audit);
    }
}

/// A command that prints what a file holds.
fn printing(file: &Path, protocol: CommandProtocol) -> CommandBackend {
    let script = format!("cat {}", file.display());
    let config = CommandConfig::new(["/bin/sh", "-c", &script, "sh", "{path}"], protocol);
    CommandBackend::new(&config.with(|new| new.env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())])).unwrap()
}

#[test]
fn a_command_is_asked_again_when_its_time_is_over_or_that_of_its_value() {
    let object = |value: &str, seconds: u64| {
        let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + seconds;
        let (days, second) = (end / 86_400, end % 86_400);
        let date = date_of(days);
        let time = format!("{date}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60);
        format!("{{\"value\":\"{value}\",\"expires_at\":\"{time}\",\"version\":\"of {value:.10}\"}}")
    };
    let cases = [
        ("within its time", CommandProtocol::Raw, 0, VALUE.to_owned(), 1_000, VALUE),
        ("when its time is over", CommandProtocol::Raw, 0, VALUE.to_owned(), 301_000, SECOND),
        ("within the value's time", CommandProtocol::Json, 3_600, object(VALUE, 3_600), 100_000, VALUE),
        ("when the value's time is over", CommandProtocol::Json, 60, object(VALUE, 60), 61_000, SECOND),
    ];
    for (name, protocol, seconds, first, millis, second) in cases {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let file = dir.path().join("printed");
        std::fs::write(&file, first).unwrap();
        let (backend, slept) = (printing(&file, protocol), Arc::<AtomicU64>::default());
        let clock = Arc::clone(&slept);
        let fixture = granted("tool:probe-1/KEY").host(move |host| host.backend("tool", backend).slept(clock));
        let next = if seconds == 0 { SECOND.to_owned() } else { object(SECOND, 3_600) };

        let ran = twice(fixture, slept, millis, move || std::fs::write(&file, &next).unwrap());

        assert_eq!(sent(&ran), [VALUE, second], "{name}");
        drop(dir);
    }
}

/// A day since 1970, as it is written.
fn date_of(mut days: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}

#[test]
fn secrets_come_from_pass() {
    let home = tempfile::Builder::new().prefix("sr").tempdir().unwrap();
    let of = |name: &str| home.path().join(name).display().to_string();
    let environment = [
        ("HOME", home.path().display().to_string()),
        ("GNUPGHOME", of("gnupg")),
        ("PASSWORD_STORE_DIR", of("store")),
        ("PATH", "/usr/bin:/bin".to_owned()),
    ];
    std::fs::create_dir(of("gnupg")).unwrap();
    std::fs::set_permissions(of("gnupg"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let must = |command: &mut Command, input: &str| {
        command.env_clear().envs(environment.clone()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{command:?}");
    };
    must(
        Command::new("gpg").args([
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-gen-key",
            "agents@test",
            "default",
            "default",
            "never",
        ]),
        "",
    );
    must(Command::new("pass").args(["init", "agents@test"]), "");
    must(Command::new("pass").args(["insert", "--multiline", "agents/probe-1/KEY"]), &format!("{VALUE}\n"));
    let env: Vec<String> = environment.iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
    let config = format!(
        "type = \"command\"\ncommand = [\"/usr/bin/pass\", \"show\", \"agents/{{path}}\"]\nprotocol = \"raw\"\nenv = {{ {} }}\nnot_found = [1]",
        env.join(", ")
    );
    let desk = desk(&config, "source:probe-1/KEY");

    let found = resolved(&desk, &[]);
    desk.write("agent.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"source:probe-1/NONE\"");
    let none = resolved(&desk, &[]);
    must(Command::new("gpgconf").args(["--kill", "all"]), "");

    assert!(ok(found).contains("KEY: source:probe-1/KEY"));
    assert!(none.code == 121 && none.stderr.contains("not found: looked for `probe-1/NONE` by /usr/bin/pass"), "{}", none.stderr);
}

#[test]
fn secrets_come_from_a_file_of_sops() {
    use age::secrecy::ExposeSecret;
    let sops = services::sops();
    let identity = age::x25519::Identity::generate();
    let desk = desk("", "source:probe-1#KEY");
    desk.write("age.key", &format!("{}\n", identity.to_string().expose_secret()));
    desk.write("plain.json", &format!("{{\"KEY\": \"{VALUE}\", \"OTHER\": \"{SECOND}\"}}"));
    let mut encrypt = Command::new(&sops);
    encrypt.args(["encrypt", "--age", &identity.to_public().to_string()]).arg(desk.path("plain.json")).env_clear();
    let sealed = encrypt.output().unwrap();
    assert!(sealed.status.success() && !String::from_utf8_lossy(&sealed.stdout).contains(VALUE));
    std::fs::write(desk.path("probe-1.json"), sealed.stdout).unwrap();
    let documents = desk.path("{path}.json");
    desk.write(
        "strongroom.toml",
        &format!(
            "[backends.source]\ntype = \"command\"\ncommand = [\"{}\", \"decrypt\", \"{}\"]\nprotocol = \"raw\"\npaths = [\"{{agent}}\"]\n\
             env = {{ SOPS_AGE_KEY_FILE = \"{}\" }}\n",
            sops.display(),
            documents.display(),
            desk.path("age.key").display()
        ),
    );

    assert!(ok(resolved(&desk, &[])).contains("KEY: source:probe-1#KEY"));
    // Another agent's document is another path.
    desk.write("agent.toml", "name = \"probe-2\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"source:probe-1#KEY\"");
    let refused = resolved(&desk, &[]);
    assert!(refused.code == 121 && refused.stderr.contains("can't name the path `probe-1`"), "{}", refused.stderr);
}
