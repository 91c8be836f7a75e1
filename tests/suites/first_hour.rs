//! What an operator meets in the first hour and must not be hurt by: closed pipes and full disks, prompts, files that are none, names,
//! interrupts.

use crate::cli::CliFixture;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use strongroom_tests::VALUE;
use strongroom_tests::fixtures::wallet::KEY as WALLET_KEY;

const GRANT: &str = "[secrets.KEY]\nplaceholder = \"pf_live_{hex:32}\"\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]\nmisplaced = \"stop\"";
const WALLET: &str =
    "[signers.wallet]\nfrom = \"file:probe-1/wallet\"\nchains = [1]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n";
const CONFIG: &str = "[signing]\nledger = \"ledger\"\nhot_limit = { ETH = \"2\" }\n[audit]\nfile = \"audit.jsonl\"\n\
                      [backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n\
                      [issuers.local]\ntype = \"purpleflea\"\nurl = \"http://127.0.0.1:9\"\n[rotations.bot]\nsecrets = [\"file:KEY\"]\nissuer = \"local\"\n";

/// A desk on which every command has something to answer.
fn desk() -> CliFixture {
    let desk = CliFixture::new(GRANT);
    desk.write("strongroom.toml", CONFIG);
    desk.write("wallet.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{WALLET}"));
    for (line, input) in [
        ("secrets init --config strongroom.toml", ""),
        ("secrets set KEY --backend file --config strongroom.toml", VALUE),
        ("wallet import wallet --namespace probe-1 --backend file --config strongroom.toml", WALLET_KEY),
    ] {
        let done = desk.pipe(line, input, &[]);
        assert_eq!(done.code, 0, "{line}: {}", done.stderr);
    }
    let denied = desk.run("run agent.toml --env-file .env --config strongroom.toml -- send+GET+https://other.test/x");
    assert_eq!(denied.code, 0, "{}", denied.stderr);
    desk
}

/// The name of a run in the desk's audit log.
fn a_run(desk: &CliFixture) -> String {
    let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
    let denial =
        log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).find(|record| record["event"] == "denial");
    denial.unwrap()["run"].as_str().unwrap().to_owned()
}

/// Every command that answers on stdout.
fn commands(desk: &CliFixture) -> Vec<String> {
    let with_config = [
        "run agent.toml --env-file .env -- print+hello",
        "explain agent.toml",
        "explain agent.toml --request GET+http://127.0.0.1:1/",
        "explain agent.toml --json --request GET+http://127.0.0.1:1/",
        "explain wallet.toml --tx 0x02e0018080018252089470997970c51812dc3a010c7d01b50e0d17dc79c88080c0",
        "rules",
        "rules --json",
        "audit show",
        "audit show --json",
        "secrets list --backend file",
        "secrets list --backend file --json",
        "secrets status --backend file agent.toml",
        "secrets status --backend file --json",
        "secrets history",
        "secrets history --json",
        "wallet address wallet.toml",
        "wallet address wallet.toml --json",
        "wallet show wallet.toml",
        "wallet new other --namespace probe-1 --backend file",
        "limits show wallet.toml",
        "limits show wallet.toml --json",
    ];
    let with_config = with_config.map(|line| match line.split_once(" -- ") {
        Some((line, rest)) => format!("{line} --config strongroom.toml -- {rest}"),
        None => format!("{line} --config strongroom.toml"),
    });
    let plain =
        ["--help", "--version", "run --help", "completions bash", "inspect probe.wasm", "inspect probe.wasm --json"].map(str::to_owned);
    let replay = format!("explain agent.toml --config strongroom.toml --from-audit {}", a_run(desk));
    with_config.into_iter().chain(plain).chain([replay]).collect()
}

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

fn output(desk: &CliFixture, line: &str, stdout: Stdio, stderr: Stdio) -> Output {
    desk.command(line).stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn every_command_ends_quietly_where_nobody_reads_on_and_says_that_a_device_is_full() {
    let desk = desk();
    for line in commands(&desk) {
        let unread = output(&desk, &line, closed(), Stdio::piped());
        let said = String::from_utf8_lossy(&unread.stderr).into_owned();
        assert_eq!(unread.status.code(), Some(141), "{line}: {said}");
        assert!(!said.contains("error") && !said.contains("panic") && !said.contains("defect"), "{line}: {said}");

        let line = line.replace("wallet new other", "wallet new another");
        let unwritten = output(&desk, &line, full(), Stdio::piped());
        let said = String::from_utf8_lossy(&unwritten.stderr).into_owned();
        assert_eq!(unwritten.status.code(), Some(126), "{line}: {said}");
        assert!(said.contains("error: stdout can't be written (No space left on device"), "{line}: {said}");
    }
}

#[test]
fn what_can_not_be_said_is_no_defect() {
    let desk = desk();
    let warns = "run agent.toml --env-file .env --config strongroom.toml --json -- send+GET+https://other.test/x log+note";
    for line in ["check agent.toml", "run none.toml", "nonsense", warns] {
        let code = output(&desk, line, Stdio::null(), Stdio::piped()).status.code();
        assert_eq!(output(&desk, line, Stdio::null(), closed()).status.code(), code, "{line}");
        // What nobody could be told is told by the code.
        let told = if code == Some(0) { Some(126) } else { code };
        assert_eq!(output(&desk, line, Stdio::null(), full()).status.code(), told, "{line}");
    }
}

/// The last line on stderr, which is JSON.
fn report(stderr: &str) -> serde_json::Value {
    let last = stderr.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: the last line is no JSON:\n{stderr}"))
}

#[test]
fn the_report_is_the_last_line_however_a_run_ends() {
    let desk = desk();
    desk.write("limited.toml", "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[limits]\ncpu = \"50ms\"");
    desk.write("broken.toml", "name = \"a\"");
    desk.write("bad-audit.toml", "[audit]\nfile = \"/dev/full\"");
    let cases = [
        ("run agent.toml --env-file .env --json -- exit+0", 0, "exit 0"),
        ("run agent.toml --env-file .env --json -- exit+1", 1, "exit 1"),
        ("run agent.toml --env-file .env --json -- panic+no", 125, "trap"),
        ("run limited.toml --json -- spin", 123, "limit: cpu"),
        ("run agent.toml --env-file .env --json -- send+GET+https://api.test/v1/x+h:x-a={KEY}", 124, "stopped by a denial"),
        ("run agent.toml --json", 121, "a secret is unavailable"),
        ("run broken.toml --json", 120, "not begun"),
        ("run none.toml --json", 120, "not begun"),
        ("run agent.toml --env-file .env --config bad-audit.toml --json -- exit+0", 126, "the audit log failed"),
    ];
    for (line, code, end) in cases {
        let ran = desk.run(line);
        let report = report(&ran.stderr);
        assert_eq!((ran.code, report["code"].as_i64()), (code, Some(i64::from(code))), "{line}: {}", ran.stderr);
        assert!(report["end"].as_str().unwrap().starts_with(end), "{line}: {report}");
        assert_eq!(report["error"].is_null(), code < 120, "{line}: {report}");
        assert!(!ran.stderr.contains(VALUE), "{line}");
    }
}

#[test]
fn an_interrupted_run_has_its_code_its_report_and_its_account() {
    for (signal, name, code) in [("INT", "SIGINT", 130), ("TERM", "SIGTERM", 143)] {
        let desk = desk();
        desk.write("spinning.toml", "name = \"spinner\"\ncomponent = \"probe.wasm\"\n[limits]\ncpu = \"1h\"\nwall = \"1h\"");

        let mut running = desk.start("run spinning.toml --config strongroom.toml --json -- print+begun spin");
        running.wait_for("begun");
        let (ended, stderr) = running.signal(signal);

        assert_eq!(ended, code, "{stderr}");
        let report = report(&stderr);
        assert_eq!((report["code"].as_i64(), report["end"].as_str()), (Some(i64::from(code)), Some(&*format!("interrupted: {name}"))));
        let log = std::fs::read_to_string(desk.path("audit.jsonl")).unwrap();
        let mut records = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let end = records.rfind(|record| record["agent"] == "spinner" && record["event"] == "run-end").unwrap();
        assert_eq!(end["outcome"], format!("interrupted: {name}"));
        assert_eq!(end["usage"], report["usage"]);
        assert_eq!(end["usage"]["output"], 6);
        assert!(end["usage"]["memory"].as_u64().unwrap() >= 64 << 10, "{end}");
    }
}

#[test]
fn a_run_whose_stdout_is_closed_ends_at_once() {
    let desk = desk();
    desk.write("endless.toml", "name = \"endless\"\ncomponent = \"probe.wasm\"\n[limits]\ncpu = \"1h\"\nwall = \"1h\"");

    let ended = output(&desk, "run endless.toml --config strongroom.toml --json -- print+begun spin", closed(), Stdio::piped());

    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(141), "{stderr}");
    assert_eq!(report(&stderr)["end"], "interrupted: stdout can't be written");
}

#[test]
fn what_is_no_regular_file_is_refused_and_says_so() {
    let desk = desk();
    let made = Command::new("mkfifo").arg(desk.path("pipe")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(desk.path("directory")).unwrap();
    let text = |name: &str, text: String| desk.write(name, &text);
    for (path, is) in [("pipe", "a pipe"), ("directory", "a directory"), ("/dev/zero", "a device")] {
        text("component.toml", format!("name = \"a\"\ncomponent = \"{path}\""));
        text("rules.toml", format!("[scrub]\nrules = [\"{path}\"]"));
        text("ca.toml", format!("[network]\nca = [\"{path}\"]"));
        text("sealed.toml", format!("[backends.file]\ntype = \"file\"\npath = \"{path}\"\nkey = \"file:secrets.key\""));
        text("key.toml", format!("[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:{path}\""));
        let lines = [
            format!("run {path}"),
            format!("check {path}"),
            format!("explain {path}"),
            format!("rules --config {path}"),
            format!("run agent.toml --env-file {path}"),
            "run component.toml".to_owned(),
            format!("inspect {path}"),
            "rules --config rules.toml".to_owned(),
            "check wallet.toml --config ca.toml".to_owned(),
            "secrets list --backend file --config sealed.toml".to_owned(),
            format!("audit show {path}"),
            format!("secrets import {path} --backend file --config strongroom.toml"),
            format!("check agent.toml --env-file .env --env-example {path}"),
        ];
        for line in lines {
            let ran = desk.run(&line);
            assert!(
                ran.code >= 120 && ran.stderr.contains(&format!("it is {is}, and only regular files are read")),
                "{line}: {}",
                ran.stderr
            );
        }
        // The mode of an identity is looked at first.
        assert!(desk.run("secrets list --backend file --config key.toml").code >= 120, "{path}");
    }
}

#[test]
fn what_nobody_could_have_written_in_full_is_not_read_in_full() {
    let desk = desk();
    let long = std::fs::File::create(desk.path("long.toml")).unwrap();
    long.set_len(1 << 40).unwrap();

    let ran = desk.run("check long.toml");

    assert_eq!(ran.code, 120);
    assert!(ran.stderr.contains("it has more than 4194304 bytes"), "{}", ran.stderr);
}

#[test]
fn an_example_of_the_environment_is_never_written_over_what_somebody_wrote() {
    let desk = CliFixture::new(GRANT);
    let check = |desk: &CliFixture| desk.run("check agent.toml --env-example");
    let read = |desk: &CliFixture| std::fs::read_to_string(desk.path(".env.example")).unwrap();

    assert_eq!(check(&desk).code, 0);
    let first = read(&desk);
    desk.write("agent.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{GRANT}\n[secrets.MORE]\n"));
    assert_eq!(check(&desk).code, 0, "what it wrote, it writes anew");
    assert_ne!(read(&desk), first);

    let written = read(&desk);
    for touched in [written.replace("KEY=", &format!("KEY={VALUE}")), format!("{written}OWN=1\n"), "OWN=1\n".to_owned(), String::new()] {
        desk.write(".env.example", &touched);
        let refused = check(&desk);
        assert_eq!(refused.code, 120, "{touched}");
        assert!(refused.stderr.contains(".env.example: it is not as `--env-example` writes it"), "{}", refused.stderr);
        assert_eq!(read(&desk), touched);
    }
}

#[test]
fn a_name_that_no_manifest_can_use_is_refused_with_the_reason() {
    let desk = desk();
    desk.write("bad.env", "GOOD=12345678\n");
    for line in [
        "secrets set bad+name",
        "secrets set ../up",
        "secrets set a#b",
        "secrets set a?version=1",
        "secrets set strongroom/rotation/bot",
        "secrets set é",
        "secrets set KEY --namespace bad+name",
        "secrets set KEY --namespace a//b",
        "secrets set KEY --backend Bad",
        "secrets rm-version bad+name 1",
        "secrets restore bad+name 1",
        "secrets rotate bad+name",
        "secrets history bad+name",
        "secrets import bad.env --namespace bad+name",
        "login agent.toml bad+name",
        "wallet new bad+name",
        "wallet import bad+name",
    ] {
        let ran = desk.pipe_words(&format!("{line} --config strongroom.toml"), VALUE);
        assert_eq!(ran.code, 120, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("; "), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains("bad name"), "{line}: the name may be a value: {}", ran.stderr);
    }
    // A value in the place of a name is not repeated.
    let mistaken = desk.pipe(&format!("secrets set {VALUE} --backend file --config strongroom.toml"), VALUE, &[]);
    assert_eq!(mistaken.code, 120);
    assert!(mistaken.stderr.contains("looks like a secret itself") && !mistaken.stderr.contains(VALUE), "{}", mistaken.stderr);
    assert_eq!(desk.run("audit show --agent Bad_Name --config strongroom.toml").code, 120);
    assert_eq!(desk.run("explain wallet.toml --tx 0x00 --signer bad+name --config strongroom.toml").code, 120);
}

/// Types lines on a terminal of the command's own: what it shows, and its code.
pub(crate) fn typed(desk: &CliFixture, line: &str, lines: &[&str]) -> (i32, String) {
    // The terminal echoes nothing from the start: the prompt comes before the command has turned that off, and this types fast.
    const DRIVER: &str = "import os, pty, sys, termios\n\
        answers = sys.stdin.read().split('\\n')[:-1]\n\
        pid, terminal = pty.fork()\n\
        if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n\
        modes = termios.tcgetattr(terminal)\n\
        modes[3] &= ~termios.ECHO\n\
        termios.tcsetattr(terminal, termios.TCSANOW, modes)\n\
        seen = b''\n\
        while True:\n\
        \x20   try: part = os.read(terminal, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not part: break\n\
        \x20   seen += part\n\
        \x20   while answers and seen.rstrip(b' ').endswith(b':') and b'\\n' not in seen[seen.rstrip(b' ').rfind(b':'):]:\n\
        \x20       os.write(terminal, answers.pop(0).encode() + b'\\n')\n\
        \x20       seen += b'|'\n\
        _, status = os.waitpid(pid, 0)\n\
        sys.stdout.write(seen.decode())\n\
        sys.exit(os.waitstatus_to_exitcode(status))";
    let command = desk.command(line);
    let mut driver = Command::new("python3");
    driver.args(["-c", DRIVER]).arg(command.get_program()).args(command.get_args()).current_dir(desk.path("."));
    let path = std::env::var_os("PATH").unwrap_or_default();
    driver.env_clear().env("PATH", path).env("XDG_STATE_HOME", desk.path("state"));
    let mut child = driver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_new_passphrase_is_asked_for_twice_and_is_no_short_one() {
    let desk = CliFixture::new("");
    desk.write("strongroom.toml", "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"prompt\"\n");
    let init = "secrets init --config strongroom.toml";

    for (lines, says) in [
        (["", ""], "the passphrase is empty"),
        (["elevenchars", "elevenchars"], "the passphrase is too short"),
        (["correct horse battery", "correct horse batterie"], "the two are not the same"),
    ] {
        let (code, shown) = typed(&desk, init, &lines);
        assert_eq!(code, 120, "{shown}");
        assert!(shown.contains(says) && !shown.contains("horse") && !shown.contains("eleven"), "{shown}");
        assert!(!desk.path("secrets.age").exists(), "{says}");
    }
    let (code, shown) = typed(&desk, init, &["correct horse battery", "correct horse battery"]);
    assert_eq!(code, 0, "{shown}");
    assert!(Path::exists(&desk.path("secrets.age")) && !shown.contains("horse"), "{shown}");

    // The same for a passphrase from the environment.
    desk.write("env.toml", "[backends.file]\ntype = \"file\"\npath = \"other.age\"\nkey = \"env:PHRASE\"\n");
    let short = desk.run_with("secrets init --config env.toml", &[("PHRASE", "short")]);
    assert_eq!(short.code, 120, "{}", short.stderr);
    assert!(short.stderr.contains("too short") && !desk.path("other.age").exists(), "{}", short.stderr);
}

#[test]
fn secrets_are_found_in_the_whole_of_a_manifest_and_of_a_configuration() {
    let key = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let desk = CliFixture::new(GRANT);
    for lines in [
        format!("[secrets.MORE]\nrequired = false\ndefault = \"{key}\""),
        format!("[[secrets.KEY.allow]]\nhost = \"x.test\"\npaths = [\"/\"]\nplace = [\"header:x-key={key} {{}}\"]"),
        format!("# {key}"),
        format!("[[egress]]\nhost = \"x.test\" # {key}"),
    ] {
        desk.write("held.toml", &format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{GRANT}\n{lines}\n"));
        for verb in ["check", "run", "explain"] {
            let refused = desk.run(&format!("{verb} held.toml --env-file .env"));
            assert_eq!(refused.code, 120, "{verb}: {lines}: {}", refused.stderr);
            assert!(refused.stderr.contains("looks like a secret") && refused.stderr.contains("held.toml:1"), "{}", refused.stderr);
            assert!(!refused.stderr.contains("16C7e42F"), "{}", refused.stderr);
        }
    }
    desk.write("held.toml", &format!("# {key}\n[audit]\nfile = \"audit.jsonl\"\n"));
    let refused = desk.run("rules --config held.toml");
    assert_eq!(refused.code, 120);
    assert!(
        refused.stderr.contains("held.toml:1:3: this looks like a secret") && !refused.stderr.contains("16C7e42F"),
        "{}",
        refused.stderr
    );
}

#[test]
fn explain_judges_addresses_and_check_knows_whose_names_a_star_covers() {
    let desk = CliFixture::new(
        "[[egress]]\nhost = \"http://127.0.0.1:1\"\nrate = \"5/min\"\n[[egress]]\nhost = \"nowhere.invalid\"\n[[egress]]\nhost = \"*.github.io\"",
    );
    let explain = |more: &str, request: &str| desk.run(&format!("explain agent.toml{more} --request {request}"));

    let denied = explain("", "GET+http://127.0.0.1:1/");
    assert_eq!(denied.code, 124, "{}", denied.stdout);
    assert!(denied.stdout.contains("rule `address`") && denied.stdout.contains("allow = [\"127.0.0.1/32\"]"), "{}", denied.stdout);
    desk.write("strongroom.toml", "[network]\nallow = [\"127.0.0.1/32\"]");
    let allowed = explain(" --config strongroom.toml", "GET+http://127.0.0.1:1/");
    assert_eq!(allowed.code, 0, "{}", allowed.stdout);
    assert!(allowed.stdout.contains("at most 5 times in 60 s"), "{}", allowed.stdout);
    let unknown = explain("", "GET+https://nowhere.invalid/");
    assert_eq!(unknown.code, 0, "{}", unknown.stdout);
    assert!(unknown.stdout.contains("can't be resolved"), "{}", unknown.stdout);
    for (method, says) in [("PURGE", "the methods that can be granted are GET"), ("get", "the agent has to write GET")] {
        let denied = explain("", &format!("{method}+https://other.test/"));
        assert!(denied.code == 124 && denied.stdout.contains(says) && !denied.stdout.contains("to allow it"), "{}", denied.stdout);
    }

    let warned = desk.run("check agent.toml");
    assert_eq!(warned.code, 0, "{}", warned.stderr);
    assert!(warned.stderr.contains("warning: agent.toml:8: `*.github.io` covers the names of all customers"), "{}", warned.stderr);
    for bare in ["*.com", "*.co.uk"] {
        desk.write("wide.toml", &format!("name = \"a\"\ncomponent = \"probe.wasm\"\n[[egress]]\nhost = \"{bare}\""));
        let refused = desk.run("check wide.toml");
        assert!(
            refused.code == 120 && refused.stderr.contains("wide.toml:4:8:") && refused.stderr.contains("public suffix"),
            "{}",
            refused.stderr
        );
    }
}
