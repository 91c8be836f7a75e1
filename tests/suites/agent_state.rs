//! What agents keep over their runs: from the guest to the disk and back, in several processes, and as operators see it.

use crate::cli::CliFixture;
use crate::tokens::{ACCESS, EXCHANGE, FOR_API, JSON, REFRESH, form_of, tokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use strongroom::{End, FileBackend, FileKey, Host, HostConfig, Manifest, RunOptions, Whom};
use strongroom_demo::server::respond;
use strongroom_tests::{AgentFixture, Ran, VALUE, block_on, state_dir};

const GRANT: &str = "[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\n";
const STATE: &str = "[state]\n";

/// An agent of a name of its own, whose state goes with it.
struct Keeper(String);

impl Keeper {
    fn new() -> Self {
        Self(format!("keeper-{:016x}", getrandom::u64().unwrap()))
    }

    /// The agent with these lines in its manifest, on a host of its own.
    fn fixture(&self, manifest: &str) -> AgentFixture {
        AgentFixture::of(format!("name = \"{}\"\ncomponent = \"probe.wasm\"\n{manifest}\n", self.0))
    }

    fn run(&self, operations: &[&str]) -> Ran {
        self.fixture(&format!("{STATE}{GRANT}")).run(operations)
    }

    /// A command line beside it, on a state directory of its own.
    fn desk(&self, manifest: &str) -> CliFixture {
        let desk = CliFixture::new("");
        desk.write("keeper.toml", &format!("name = \"{}\"\ncomponent = \"probe.wasm\"\n{manifest}\n", self.0));
        desk
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        for extension in ["state", "lock", "new"] {
            let _ = std::fs::remove_file(state_dir().join("agents").join(&self.0).with_extension(extension));
        }
    }
}

#[test]
fn what_a_run_keeps_the_next_one_reads() {
    let keeper = Keeper::new();
    let first =
        keeper.run(&["state add runs 1", "state set last block 19234567", "state both a 1 b 2", "state delete a", "state get last"]);
    assert_eq!(first.stdout, "state 1\nstate kept\nstate kept\nstate deleted\nstate block 19234567\n");

    let second = keeper.run(&["state add runs 1", "state get last", "state get a", "state keys"]);

    assert_eq!(second.stdout, "state 2\nstate block 19234567\nstate nothing\nstate 3 b,last,runs\n");
    let usage = &second.records("run-end")[0]["usage"];
    assert_eq!((&usage["state_reads"], &usage["state_writes"]), (&3.into(), &1.into()), "{usage}");
}

#[test]
fn an_agent_without_the_table_has_no_state_and_none_has_anothers() {
    let (keeper, other) = (Keeper::new(), Keeper::new());
    assert_eq!(keeper.run(&["state set mine 1"]).stdout, "state kept\n");

    assert_eq!(other.run(&["state get mine", "state keys"]).stdout, "state nothing\nstate 0 \n");
    let without = keeper.fixture(GRANT).run(&["state get mine", "state set mine 2"]);

    assert_eq!(without.stdout, "state `the state` is not available to this agent\n".repeat(2));
    assert_eq!(without.denied(), ["state"]);
    assert!(without.records("denial")[0]["remedy"].as_str().unwrap().ends_with("add to the manifest:\n[state]"));
    assert_eq!(keeper.run(&["state get mine"]).stdout, "state 1\n");
}

#[test]
fn a_host_that_keeps_no_state_loads_no_agent_that_does() {
    let refused = Keeper::new().fixture(STATE).host(|builder| builder.without_state()).try_run(&["state keys"]).err().unwrap();

    assert_eq!(
        refused,
        "the agent's state: this host keeps no state; leave `[state]` out of the manifest, or give the host a state directory"
    );
}

#[test]
fn a_state_has_the_bounds_of_its_manifest() {
    let keeper = Keeper::new();
    let bounded = |operations: &[&str]| keeper.fixture("[state]\nmax_size = \"64KiB\"\nmax_keys = 5").run(operations);

    let ran = bounded(&["state fill 9 10", "state bytes key-0 70000", "state bytes key-0 60000", "state delete key-1", "state set f g"]);

    let full = "state denied by rule `state`: the state would have more bytes of keys and values than `max_size` allows";
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines, ["state filled 5", full, "state kept", "state deleted", "state kept"]);
    let records = ran.records("denial");
    assert_eq!(ran.denied(), ["state", "state"]);
    assert!(records[0]["reason"].as_str().unwrap().contains("more keys than `max_keys` allows"));
    assert!(records[1]["remedy"].as_str().unwrap().contains("set `max_size = ?` in `[state]`"), "{:?}", records[1]);
    let odd = bounded(&[
        "state set  1",
        &format!("state set {} 1", "k".repeat(257)),
        "state bytes big 1048577",
        "state set key-0 text",
        "state add f 1",
    ]);
    let form = "state not to be kept: a key has 1 to 256 bytes and no control characters";
    let long = "state not to be kept: a value has at most 1 MiB";
    let number = "state not to be kept: the value is not a whole number of decimal digits";
    assert_eq!(odd.stdout.lines().collect::<Vec<_>>(), [form, form, long, "state kept", number], "{}", odd.stdout);
}

/// What is kept would be there for every later run, and for whoever reads the disk.
#[test]
fn what_looks_like_a_secret_is_not_kept() {
    const GITHUB: &str = "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";
    let keeper = Keeper::new();
    // The agent is told the value: a test of the last line, which is not to be reached.
    let coded = STANDARD.encode(VALUE);
    let ran = keeper
        .fixture(&format!("{STATE}{GRANT}"))
        .try_run(&[
            &format!("state set a {VALUE}"),
            &format!("state set a see {coded} there"),
            &format!("state set {VALUE} 1"),
            &format!("state add {coded} 1"),
            &format!("state both a 1 b {GITHUB}"),
            "state keys",
        ])
        .unwrap();

    let known = |place: &str| format!("state denied by rule `leak`: the {place} holds what looks like a secret: [redacted:KEY]");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..4], [known("value"), known("value"), known("key"), known("key")]);
    assert!(lines[4].starts_with("state denied by rule `leak`: the value holds what looks like a secret: github"), "{}", lines[4]);
    assert_eq!(lines[5], "state 0 ", "not even a part of it");
    assert_eq!(ran.denied(), ["leak"; 3]);
    let remedy = ran.records("denial")[2]["remedy"].as_str().unwrap().to_owned();
    let rule = remedy.split('"').nth(1).unwrap();
    assert!(remedy.ends_with("to `leaks_allowed` of `[state]`"), "{remedy}");
    assert!(!std::fs::exists(state_dir().join("agents").join(&keeper.0).with_extension("state")).unwrap());

    let allowed = keeper.fixture(&format!("[state]\nleaks_allowed = [\"{rule}\"]\n{GRANT}"));
    let allowed = allowed.try_run(&[&format!("state set b {GITHUB}"), &format!("state set a {coded}")]).unwrap();
    assert!(allowed.stdout.starts_with(&format!("state kept\n{}", known("value"))), "{}", allowed.stdout);
}

#[test]
fn a_placeholder_that_was_kept_is_the_next_runs_own() {
    let keeper = Keeper::new();
    let kept = keeper.run(&["state set login <(\"key\":\"{KEY}\",\"again\":\"{KEY}\")>", "open KEY"]);
    let placeholder =
        |ran: &Ran| ran.stdout.lines().find_map(|line| line.strip_prefix("open KEY ")?.split(' ').next().map(str::to_owned)).unwrap();

    let next =
        keeper.run(&["state get login", "open KEY", "from-state login again\":\" GET https://api.test/v1/x h:authorization=Bearer+(KEPT)"]);

    let (old, new) = (placeholder(&kept), placeholder(&next));
    assert_ne!(old, new);
    assert!(next.stdout.matches(&new).count() >= 3, "{}", next.stdout);
    assert!(!next.stdout.contains(&old), "{}", next.stdout);
    assert_eq!(next.seen[0].header("authorization"), format!("Bearer {VALUE}"));
    // Of a secret that the manifest has no more, it is what it always was to others: text.
    let without = keeper.fixture(STATE).run(&["state get login"]);
    assert!(without.stdout.contains(&old), "{}", without.stdout);
}

/// A manifest that seals tokens, and where `keep` is set, keeps refresh tokens.
fn sealing(keep: bool, backend: FileBackend, keeper: &Keeper) -> AgentFixture {
    let endpoint = "[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"sub.api.test\"\nmethods = [\"POST\"]\npaths = [\"/token\"]\n\
                    place = [\"form:client_secret\"]\nseal = [\"oauth2\"]\n";
    let kept = "[secrets.KEPT]\nfrom = \"file:probe-1/KEPT\"\nrequired = false\n[[secrets.KEPT.allow]]\nhost = \"sub.api.test\"\n\
                methods = [\"POST\"]\npaths = [\"/token\"]\nplace = [\"form:refresh_token\"]\n";
    let keep = if keep { format!("keep = \"KEPT\"\n{kept}") } else { String::new() };
    keeper
        .fixture(&format!("{STATE}{endpoint}{FOR_API}\n{keep}[[egress]]\nhost = \"api.test\"\n"))
        .value("ACCESS", ACCESS)
        .value("REFRESH", REFRESH)
        .host(move |builder| builder.backend("file", backend))
        .server(|seen| match seen.path() {
            "/token" => respond(200, JSON, tokens()),
            _ => respond(200, "text/plain", "hello".to_owned()),
        })
}

#[test]
fn a_refresh_tokens_placeholder_works_in_later_runs_where_the_manifest_keeps_the_token() {
    let dir = tempfile::tempdir().unwrap();
    FileKey::create_identity(&dir.path().join("key")).unwrap();
    let backend = || FileBackend::new(dir.path().join("secrets.age"), FileKey::identity_file(&dir.path().join("key")).unwrap());
    backend().create().unwrap();
    let refresh = "from-state tokens refresh_token\":\" POST https://sub.api.test/token h:content-type=application/x-www-form-urlencoded \
                   b:grant_type=refresh_token&refresh_token=(KEPT)&client_secret={KEY}";
    let access = "from-state tokens access_token\":\" GET https://api.test/v1/me h:authorization=Bearer+(KEPT)";

    for keep in [true, false] {
        let keeper = Keeper::new();
        let first = sealing(keep, backend(), &keeper).run(&[&format!("keep-answer tokens {EXCHANGE}")]);
        assert!(first.stdout.contains("Ok"), "{}", first.stdout);

        // Twice: it is kept as that of its run, and read by another.
        for _ in 0..2 {
            let next = sealing(keep, backend(), &keeper).run(&[refresh, access]);
            let sent = next.seen.first().map(|seen| form_of(seen, "refresh_token")).unwrap_or_default();
            assert_eq!(sent == REFRESH, keep, "{}\n{:?}", next.stdout, next.seen);
            assert!(next.seen.iter().all(|seen| seen.path() == "/token"), "an access token ends with its run: {}", next.stdout);
        }
    }
}

#[test]
fn a_run_and_another_process_count_together() {
    let keeper = Keeper::new();
    let desk = keeper.desk(STATE);
    let adds = ["state+add+runs+1"; 30].join(" ");
    let line = format!("run keeper.toml -- {adds}");

    let both: Vec<_> = (0..2).map(|_| desk.spawn(&line, Stdio::piped())).collect();
    let mut sums = Vec::new();
    for process in both {
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        sums.extend(text.lines().map(|line| line.strip_prefix("state ").unwrap().parse::<u32>().unwrap()));
    }

    sums.sort_unstable();
    assert_eq!(sums, (1..=60).collect::<Vec<_>>());
    assert_eq!(desk.run(&format!("state show {} runs", keeper.0)).stdout, "60\n");
}

#[test]
fn what_was_answered_outlives_a_process_that_is_killed() {
    let keeper = Keeper::new();
    let desk = keeper.desk(STATE);
    let mut kept = 0_u64;
    for _ in 0..3 {
        let mut child = desk.spawn("run keeper.toml -- count+runs", Stdio::piped());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // The last line may have been cut.
        let mut sums = lines.filter_map(|line| line.strip_prefix("counted ")?.parse::<u64>().ok());
        assert_eq!(sums.next(), Some(kept + 1), "it goes on from where it was");
        sums.by_ref().take(20).for_each(drop);
        child.kill().unwrap();
        child.wait().unwrap();
        let last = sums.max().unwrap_or(kept + 21);

        kept = desk.run(&format!("state show {} runs", keeper.0)).stdout.trim().parse().unwrap();

        assert!(kept >= last, "{kept} after {last} was answered");
    }
}

#[test]
fn an_agent_that_is_stopped_keeps_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let config = HostConfig::default().with(|new| new.state_dir = Some(dir.path().join("state")));
    let host = Host::builder().config(config).without_audit().build().unwrap();
    let manifest = Manifest::parse("agent.toml", "name = \"keeper\"\ncomponent = \"probe.wasm\"\n[state]\n").unwrap();
    let agent = host.agent(manifest, &strongroom_components::bytes("probe")).unwrap();
    let file = dir.path().join("state/agents/keeper.state");
    let (counted, counts) = std::sync::mpsc::channel();

    let run = std::thread::spawn(move || block_on(agent.run(RunOptions::default().args(["count runs"]).stdout(Told(counted)))).unwrap());
    counts.recv().unwrap();
    host.kill_switch().on(&Whom::agent("keeper").unwrap()).unwrap();
    let stopped = std::fs::read(&file).unwrap();

    assert!(matches!(run.join().unwrap().end, End::Stopped(_)));
    assert!(std::fs::read(&file).unwrap() == stopped, "nothing is written after the switch was confirmed");
}

/// Output of which somebody is told.
struct Told(std::sync::mpsc::Sender<()>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_state_outlives_its_component_and_its_manifest() {
    let keeper = Keeper::new();
    assert_eq!(keeper.run(&["state set a 1"]).stdout, "state kept\n");
    // Another component: the same program with a section more.
    let mut component = strongroom_components::bytes("probe");
    component.extend_from_slice(&[0, 3, 2, b'n', b'2']);

    let upgraded = keeper.fixture("[state]\nmax_keys = 7").component(component).run(&["state get a"]);

    assert_eq!(upgraded.stdout, "state 1\n");
}

#[test]
fn operators_see_what_is_kept_and_take_it_out() {
    let keeper = Keeper::new();
    let desk = keeper.desk(STATE);
    let name = &keeper.0;
    assert_eq!(desk.run(&format!("state show {name}")).stderr, format!("{name}: it keeps nothing\n"));
    let ran = desk.run("run keeper.toml -- state+set+last+block+19234567 state+bytes+binary+3 state+set+line+a\u{1b}[2Jb");
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let shown = desk.run(&format!("state show {name}"));
    let rows: Vec<Vec<&str>> = shown.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.iter().map(|row| row[1..].join(" ")).collect::<Vec<_>>(), ["3 B binary", "14 B last", "6 B line"]);
    assert!(rows.iter().all(|row| row[0].parse::<jiff::Timestamp>().is_ok()), "{}", shown.stdout);
    let listed: serde_json::Value = serde_json::from_str(&desk.run(&format!("state show {name} --json")).stdout).unwrap();
    assert_eq!((&listed[1]["key"], &listed[1]["size"], listed[1].get("value")), (&"last".into(), &14.into(), None));
    assert_eq!(desk.run(&format!("state show {name} last")).stdout, "block 19234567\n");
    assert_eq!(desk.run(&format!("state show {name} last --json")).stdout, "{\"value\":\"block 19234567\"}\n");
    assert_eq!(desk.run(&format!("state show {name} binary --json")).stdout, "{\"base64\":\"////\"}\n");
    assert_eq!(desk.run(&format!("state show {name} line")).stdout, "a\\u{1b}[2Jb\n");

    let missing = desk.run(&format!("state show {name} gone"));
    assert_eq!((missing.code, missing.stderr.contains("keeps no key `gone`")), (120, true), "{}", missing.stderr);
    assert_eq!(desk.run(&format!("state clear {name} last")).stdout, format!("{name}: last cleared\n"));
    assert_eq!(desk.run(&format!("state clear {name} last")).code, 120);
    assert_eq!(desk.run(&format!("state clear {name}")).stdout, format!("{name}: all keys cleared\n"));
    assert_eq!(desk.run(&format!("state show {name} --json")).stdout, "[]\n");
    assert_eq!(desk.run("state show No_Name").code, 120);
}

/// What a rule finds today may have been let through yesterday.
#[test]
fn a_value_is_shown_without_what_looks_like_a_secret() {
    const GITHUB: &str = "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";
    let keeper = Keeper::new();
    let desk = keeper.desk("[state]\nleaks_allowed = [\"github-personal-token\"]");
    let ran = desk.run(&format!("run keeper.toml -- state+set+token+see+{GITHUB}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "state kept\n"), "{}", ran.stderr);

    let shown = desk.run(&format!("state show {} token", keeper.0));

    assert!(shown.stdout.starts_with("see [redacted:") && !shown.stdout.contains(GITHUB), "{}", shown.stdout);
    desk.run(&format!("state clear {}", keeper.0));
}

#[test]
fn explain_says_what_an_agent_keeps() {
    let desk = CliFixture::new("[state]\nmax_size = \"2MiB\"\nmax_keys = 50\nleaks_allowed = [\"github-personal-token\"]");

    let explained = desk.run("explain agent.toml").stdout;

    assert!(explained.contains("keeps a state over its runs: at most 50 keys, and 2 MiB with their values"), "{explained}");
    assert!(explained.contains("may keep what these rules find: github-personal-token"), "{explained}");
}

/// The probe's own file is as others have left it.
#[test]
fn a_damaged_state_is_told_to_the_operator_and_not_to_the_agent() {
    let keeper = Keeper::new();
    assert_eq!(keeper.run(&["state set a 1"]).stdout, "state kept\n");
    let file = state_dir().join("agents").join(&keeper.0).with_extension("state");
    std::fs::write(&file, "no state").unwrap();

    let ran = keeper.run(&["state get a", "state set a 2"]);

    assert_eq!(ran.outcome.end, End::Exit(0));
    let said = "state denied by rule `state`: the state can't be read or written at the moment\n";
    assert_eq!(ran.stdout, said.repeat(2));
    let remedy = ran.records("denial")[0]["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains(&*file.to_string_lossy()) && remedy.contains("strongroom state clear"), "{remedy}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no state");
}
