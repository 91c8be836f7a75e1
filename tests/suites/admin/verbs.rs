//! The commands, at the socket.

use crate::serve::process::Agents;
use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

/// It is not due while tests run, but in one minute of a year.
const YEARLY: &str = "[trigger]\ncron = \"0 0 1 1 *\"";

/// What a command says on stdout and stderr, with its code.
fn asked(agents: &Agents, verb: &[&str]) -> (i32, String, String) {
    let output = command(agents, verb).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn command(agents: &Agents, verb: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
    command.args(verb).args(["--config", "strongroom.toml"]).current_dir(agents.path("."));
    command.env_clear();
    command
}

fn done(agents: &Agents, verb: &[&str]) -> String {
    let (code, out, told) = asked(agents, verb);
    assert_eq!(code, 0, "{verb:?}: {out}{told}");
    format!("{out}{told}")
}

fn refused(agents: &Agents, verb: &[&str]) -> String {
    let (code, out, told) = asked(agents, verb);
    assert!(code == 120 && out.is_empty(), "{verb:?}: {code} {out}{told}");
    told
}

fn state(agents: &Agents, agent: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&done(agents, &["ps", "--json"])).unwrap();
    all.as_array().unwrap().iter().find(|known| known["agent"] == agent).unwrap().clone()
}

#[test]
fn an_operator_runs_looks_stops_pauses_and_resumes() {
    let agents =
        Agents::new().apart().agent("yearly", &["print hello", "log a note"], YEARLY).agent("stays", &["print up", "spin"], YEARLY);
    let mut served = agents.serve();
    served.wait_for(&["2 agents"]);

    // Nothing is due.
    assert!(done(&agents, &["ps"]).lines().any(|line| line.starts_with("yearly  waiting") && line.ends_with(" 0     -")));
    assert_eq!(done(&agents, &["trigger", "yearly"]), "yearly: triggered\n");
    served.wait_for(&["yearly", "has ended"]);
    let logs = done(&agents, &["logs", "yearly"]);
    assert!(logs.lines().count() == 2 && logs.contains(" | hello\n") && logs.contains(" | [info] a note"), "{logs}");
    let runs = done(&agents, &["runs", "yearly"]);
    assert!(runs.lines().count() == 2 && runs.ends_with("exit 0\n"), "{runs}");

    done(&agents, &["trigger", "stays"]);
    served.wait_for(&["stays", " | up"]);
    assert_eq!(state(&agents, "stays")["state"]["is"], "running");
    assert!(refused(&agents, &["trigger", "stays"]).contains("as many runs under way, or waiting, as its `[run]` allows"));
    let run = state(&agents, "stays")["running"][0].as_str().unwrap().to_owned();
    assert!(
        refused(&agents, &["stop", "stays", "--run", "another"]).contains("has no run `another` under way; see `strongroom runs stays`")
    );
    assert_eq!(done(&agents, &["stop", "stays", "--run", &run]), format!("stays: told to end: {run}\n"));
    served.wait_for(&["stays", "an operator has stopped it"]);
    assert_eq!(done(&agents, &["stop", "stays"]), "stays: nothing was running\n");
    // The trigger goes on.
    assert!(state(&agents, "stays")["next"].is_u64());

    assert_eq!(done(&agents, &["pause", "stays"]), "stays: paused\n");
    assert_eq!((&state(&agents, "stays")["state"]["is"], &state(&agents, "stays")["next"]), (&"paused".into(), &serde_json::Value::Null));
    assert!(refused(&agents, &["trigger", "stays"]).contains("is paused; resume it first (`strongroom resume stays`)"));
    let (code, _) = served.terminate();
    assert_eq!(code, Some(0));
    assert!(asked(&agents, &["ps"]).2.contains("no host serves with the state directory"));

    // It stays so over a restart.
    let mut served = agents.serve();
    served.wait_for(&["2 agents"]);
    assert_eq!(state(&agents, "stays")["state"]["is"], "paused");
    assert_eq!(done(&agents, &["resume", "stays"]), "stays: resumed\n");
    done(&agents, &["trigger", "stays"]);
    served.wait_for(&["stays", " | up"]);
    done(&agents, &["stop", "stays"]);

    // Who is stopped by the kill switch is told apart.
    done(&agents, &["kill-switch", "on", "yearly"]);
    assert!(refused(&agents, &["trigger", "yearly"]).contains("stopped by the kill switch; lift that first"));
    assert!(refused(&agents, &["trigger", "nobody"]).contains("there is no agent `nobody`; see which there are with `strongroom ps`"));
    assert!(refused(&agents, &["logs", "no/body"]).contains("`no/body` is no name of an agent or a run"));
    served.terminate();

    let log = std::fs::read_to_string(agents.path("audit.jsonl")).unwrap();
    let asked: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &serde_json::Value| record["event"] == "administered")
        .collect();
    let who = format!("user {}", std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(agents.path("audit.jsonl")).unwrap()));
    assert!(
        asked.iter().all(|record| record["by"] == who.as_str() && record["role"] == "admin" && record["refused"] == false),
        "{asked:#?}"
    );
    let what: Vec<_> =
        asked.iter().map(|record| format!("{} {}", record["operation"].as_str().unwrap(), record["subject"].as_str().unwrap())).collect();
    assert_eq!(what[..4], ["triggerAgent yearly", "triggerAgent stays", "triggerAgent stays", "stopRuns stays?run=another"]);
}

#[test]
fn a_directory_is_read_anew_and_what_cannot_be_used_is_told() {
    let agents = Agents::new().apart().agent("one", &["print one"], YEARLY).agent("given-up", &[], "");
    let mut served = agents.serve();
    served.wait_for(&["2 agents"]);

    agents.write("two", &["print two"], YEARLY);
    agents.remove("given-up");
    assert_eq!(done(&agents, &["reload"]), "new: two\ngone: given-up\n");
    agents.file("one.toml", "name = \"one\"\n");
    let (code, out, told) = asked(&agents, &["reload"]);
    assert!(code == 120 && out.is_empty(), "{out}");
    assert!(told.contains("one.toml:1:1: ") && told.contains("\none goes on by the manifest and the component that it had"), "{told}");
    let (code, answer, _) = asked(&agents, &["reload", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["refused"][0]["keeps"]), (120, &"one".into()));
    served.terminate();
}

#[test]
fn a_paused_agent_begins_nothing_and_what_was_due_is_missed() {
    let agents = Agents::new().apart().agent("ticker", &["print tick"], "[trigger]\nevery = \"1s\"");
    let mut served = agents.serve();
    served.wait_for(&["ticker", " | tick"]);
    done(&agents, &["pause", "ticker"]);
    // A run that had begun before may end after.
    while !state(&agents, "ticker")["running"].as_array().unwrap().is_empty() {}
    let before = state(&agents, "ticker")["runs"].clone();

    // The host's own clock goes on: another agent's ticks count it.
    agents.write("other", &["print other"], "[trigger]\nevery = \"1s\"");
    done(&agents, &["reload"]);
    for _ in 0..3 {
        served.wait_for_another(&["other", " | other"]);
    }
    assert_eq!(state(&agents, "ticker")["runs"], before);
    done(&agents, &["resume", "ticker"]);
    served.wait_for_another(&["ticker", " | tick"]);
    served.terminate();
}

#[test]
fn a_run_that_waits_while_its_agent_is_paused_begins_once_that_is_lifted() {
    let often = "[trigger]\nevery = \"1s\"";
    let agents = Agents::new().apart().agent("ticker", &["print tick"], often).agent("other", &["print other"], often);
    done(&agents, &["kill-switch", "on", "ticker"]);
    let mut served = agents.serve();
    // What is due waits for the switch.
    served.wait_for(&["other", " | other"]);
    done(&agents, &["pause", "ticker"]);
    done(&agents, &["kill-switch", "off", "ticker"]);

    for _ in 0..2 {
        served.wait_for_another(&["other", " | other"]);
    }
    assert_eq!(state(&agents, "ticker")["runs"], 0);
    done(&agents, &["resume", "ticker"]);
    served.wait_for_another(&["ticker", " | tick"]);
    served.terminate();
}

#[test]
fn lines_are_followed_until_the_host_ends() {
    let agents = Agents::new().apart().agent("yearly", &["print hello"], YEARLY).agent("other", &["print not-this"], YEARLY);
    let mut served = agents.serve();
    served.wait_for(&["2 agents"]);
    let mut follower = command(&agents, &["logs", "yearly", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = follower.stdout.take().unwrap();

    for _ in 0..2 {
        done(&agents, &["trigger", "other"]);
        served.wait_for_another(&["other", "has ended"]);
        done(&agents, &["trigger", "yearly"]);
        served.wait_for_another(&["yearly", "has ended"]);
    }
    let (code, _) = served.terminate();
    assert_eq!(code, Some(0));

    let mut text = String::new();
    lines.read_to_string(&mut text).unwrap();
    follower.wait().unwrap();
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.starts_with("yearly ") && line.ends_with(" | hello")), "{text}");
}

#[test]
fn a_socket_that_was_left_behind_is_made_anew_and_one_of_another_host_stays() {
    let agents = Agents::new().apart().agent("one", &["print one"], YEARLY);
    let config = std::fs::read_to_string(agents.path("strongroom.toml")).unwrap();
    std::fs::write(agents.path("strongroom.toml"), format!("{config}\n[admin]\nsocket = \"admin.sock\"\n")).unwrap();
    drop(UnixListener::bind(agents.path("admin.sock")).unwrap());
    let mut served = agents.serve();
    served.wait_for(&["1 agent"]);
    assert!(done(&agents, &["ps"]).contains("one"));
    // Nobody else of the machine can come there.
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(agents.path("admin.sock")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Another host with that socket does not take it away.
    std::fs::create_dir(agents.path("others")).unwrap();
    let output = command(&agents, &["serve", "others"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(126) && said.contains("admin.sock: operators can't be listened to there (another host listens there)"),
        "{said}"
    );
    assert!(UnixStream::connect(agents.path("admin.sock")).is_ok());
    served.terminate();
    assert!(!agents.path("admin.sock").exists());

    std::fs::write(agents.path("admin.sock"), "somebody's file").unwrap();
    let output = command(&agents, &["serve", "agents"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("a file that is no socket is there"));
    assert_eq!(std::fs::read_to_string(agents.path("admin.sock")).unwrap(), "somebody's file");
}

#[test]
fn no_more_runs_go_on_at_once_than_the_command_says() {
    let agents = Agents::new().apart().agent("first", &["print up", "spin"], "").agent("second", &["print up", "spin"], "");
    let mut served = agents.serve_with(&["--max-agents", "1"]);
    served.wait_for(&["| up"]);

    let states = loop {
        let mut states = ["first", "second"].map(|agent| state(&agents, agent)["state"]["is"].as_str().unwrap().to_owned());
        states.sort();
        if !states.contains(&"waiting".to_owned()) {
            break states;
        }
    };
    assert_eq!(states, ["queued", "running"]);
    served.signal("TERM");
    served.wait_for(&["ending by SIGTERM"]);
    served.signal("TERM");
    served.end();
}
