//! When agents of a directory run, what is said of them, and how little one keeps from the others.

use super::process::Agents;

const OFTEN: &str = "[trigger]\nevery = \"100ms\"";

#[test]
fn each_agent_runs_when_it_is_due_and_each_line_says_whose_it_is() {
    let agents = Agents::new().agent("greeter", &["print hello", "log a note"], "").agent("ticker", &["print tick"], OFTEN);
    std::fs::create_dir(agents.path("agents/deeper")).unwrap();
    agents.file("deeper/agent.toml", "name = \"deeper\"\ncomponent = \"../../probe.wasm\"\n[run]\nargs = [\"print from below\"]");
    let mut served = agents.serve();

    let hello = served.wait_for(&["greeter ", "| hello"]);
    let ticks: Vec<String> = (0..3).map(|_| served.wait_for(&["ticker ", "| tick"])).collect();
    let (code, said) = served.terminate();

    assert_eq!(code, Some(0), "{}", said.join("\n"));
    let run = hello.strip_prefix("greeter ").and_then(|rest| rest.strip_suffix(" | hello")).expect("agent, run, line");
    assert!(said.contains(&format!("greeter {run} | [info] a note field=a note")), "{}", said.join("\n"));
    assert!(said.iter().any(|line| line.starts_with("deeper ") && line.ends_with(" | from below")));
    let runs: std::collections::BTreeSet<&String> = ticks.iter().collect();
    assert_eq!(runs.len(), 3, "each tick is a run of its own: {ticks:?}");
    assert_eq!(said.iter().filter(|line| line.ends_with("| hello")).count(), 1, "an agent without a trigger runs once");
    assert_eq!(agents.ends("greeter"), ["exit 0"]);
}

#[test]
fn a_manifest_that_is_wrong_is_told_and_stops_no_other() {
    let agents = Agents::new().agent("good", &["print well"], "").agent("lost", &[], "");
    agents.file("bad.toml", "name = \"bad\"\ncomponent = \"../probe.wasm\"\n[trigger]\nevery = \"often\"");
    agents.file("lost.toml", "name = \"lost\"\ncomponent = \"nowhere.wasm\"");
    for twin in ["one.toml", "other.toml"] {
        agents.file(twin, "name = \"twin\"\ncomponent = \"../probe.wasm\"\n[run]\nargs = [\"print never\"]");
    }
    let mut served = agents.serve();

    served.wait_for(&["good ", "| well"]);
    served.wait_for(&["agents: serving 1 agent; manifests that can't be used: 4"]);
    let (code, said) = served.terminate();

    assert_eq!(code, Some(0));
    for told in [
        "error: agents/bad.toml:4:9: `trigger.every`: not a duration; write a whole number above 0",
        "error: agents/lost.toml: agents/nowhere.wasm: the component can't be read",
        "error: agents/one.toml: the name `twin` is that of agents/other.toml too; give each agent a name of its own",
        "error: agents/other.toml: the name `twin` is that of agents/one.toml too",
    ] {
        assert!(said.iter().any(|line| line.starts_with(told)), "{told}\n{}", said.join("\n"));
    }
    assert!(!said.iter().any(|line| line.contains("never")));
}

#[test]
fn an_agent_that_fails_is_begun_again_and_then_given_up_with_its_reason() {
    let restart = "restart = \"on failure\"\nbackoff = { from = \"100ms\", to = \"100ms\" }\ngive_up = 3";
    let agents = Agents::new().agent("failing", &["print trying", "exit 3"], restart).agent("ticker", &["print tick"], OFTEN);
    let mut served = agents.serve();

    served.wait_for(&["ERROR agent failing, run ", "(exit 1); that was failure 3 in a row, and none begins any more"]);
    // Others go on, and it does not come back.
    (0..3).for_each(|_| drop(served.wait_for_another(&["ticker ", "| tick"])));
    let (_, said) = served.terminate();

    assert_eq!(said.iter().filter(|line| line.starts_with("failing ") && line.ends_with("| trying")).count(), 3);
    let again = said.iter().filter(|line| line.contains("WARN agent failing, run ") && line.contains("another begins in "));
    assert_eq!(again.count(), 2, "{}", said.join("\n"));
    assert_eq!(agents.ends("failing"), ["exit 1"; 3]);
}

#[test]
fn an_agent_that_is_to_stay_up_is_begun_again_however_it_ends() {
    let always = "restart = \"always\"\nbackoff = { from = \"100ms\", to = \"100ms\" }\ngive_up = 2";
    let agents = Agents::new().agent("steady", &["print up"], always);
    let mut served = agents.serve();

    (0..4).for_each(|_| drop(served.wait_for(&["steady ", "| up"])));
    let (code, _) = served.terminate();

    assert_eq!(code, Some(0), "four ends, and no failure among them");
}

#[test]
fn agents_that_spin_do_not_hold_the_others() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut agents = Agents::new().agent("ticker", &["print tick"], OFTEN);
    // More than one for each lane.
    for number in 0..=cores {
        let spin = "name = \"spin-N\"\ncomponent = \"../probe.wasm\"\n[run]\nargs = [\"print spinning\", \"spin\"]\n[limits]\ncpu = \"1h\"\nwall = \"1h\"";
        agents.file(&format!("spin-{number}.toml"), &spin.replace("spin-N", &format!("spin-{number}")));
    }
    agents = agents.agent("late", &["print late"], "");
    let mut served = agents.serve_with(&["--drain", "100ms"]);
    served.wait_for(&[&format!("serving {} agents", cores + 3)]);
    let spinning = |served: &super::process::Served| served.seen.iter().filter(|line| line.ends_with("| spinning")).count();
    while spinning(&served) <= cores {
        served.wait_for(&["| spinning"]);
    }

    (0..10).for_each(|_| drop(served.wait_for_another(&["ticker ", "| tick"])));
    let (code, said) = served.terminate();

    assert_eq!(code, Some(143), "what spins is interrupted: {}", said.join("\n"));
    assert!(said.iter().any(|line| line.ends_with("| late")));
    for number in 0..=cores {
        assert_eq!(agents.ends(&format!("spin-{number}")), ["interrupted: the host ends it"]);
    }
}

#[test]
fn a_schedule_goes_on_where_an_earlier_host_left_it() {
    let hourly = "[trigger]\nevery = \"1h\"";
    let agents = Agents::new().apart().agent("hourly", &["print hour"], hourly).agent(
        "catcher",
        &["print caught"],
        &format!("{hourly}\nmissed = \"run once\""),
    );
    let mut first = agents.serve();
    first.wait_for(&["| hour"]);
    first.wait_for(&["serving 2 agents"]);
    let (_, said) = first.terminate();
    assert_eq!(said.iter().filter(|line| line.ends_with("| hour") || line.ends_with("| caught")).count(), 2, "both for the first time");

    // Neither is due again.
    let mut second = agents.serve();
    second.wait_for(&["serving 2 agents"]);
    let (_, said) = second.terminate();
    assert!(!said.iter().any(|line| line.ends_with(": begins")), "{}", said.join("\n"));

    // The host was down for days.
    let file = agents.path("state/schedules");
    let days_ago = |line: &str| match line.split_once(' ') {
        Some((agent, due)) if !line.starts_with('#') => format!("{agent} {}", due.parse::<u64>().unwrap() - 60 * 3_600_000 - 1_800_000),
        _ => line.to_owned(),
    };
    let text: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(days_ago).collect();
    std::fs::write(&file, text.join("\n") + "\n").unwrap();
    let mut third = agents.serve();
    third.wait_for(&["| caught"]);
    third.wait_for(&["serving 2 agents"]);
    let (_, said) = third.terminate();
    assert_eq!(
        said.iter().filter(|line| line.ends_with(": begins")).count(),
        1,
        "one of the sixty, and none of those to be skipped: {said:?}"
    );
}

#[test]
fn a_host_that_serves_has_as_many_descriptors_as_the_process_may_have() {
    let agents = Agents::new().agent("greeter", &["print hello"], "");
    let mut served = agents.serve();
    served.wait_for(&["1 agent"]);

    let limits = served.limits();
    let row = limits.lines().find(|row| row.starts_with("Max open files")).unwrap();
    let [soft, hard] = [row.split_whitespace().nth(3).unwrap(), row.split_whitespace().nth(4).unwrap()];
    assert_eq!(soft, hard, "{row}");
    served.terminate();
}

#[test]
fn agents_of_one_component_share_its_code() {
    let yearly = |count: usize| {
        let agents = (0..count).fold(Agents::new(), |agents, number| {
            agents.agent(&format!("waits-{number}"), &["print tick"], "[trigger]\ncron = \"0 0 29 2 *\"\n")
        });
        let mut served = agents.serve();
        served.wait_for(&["serving ", " agent"]);
        // Each component that is loaded has memory of its own, which the system counts as an open file.
        std::fs::read_dir(format!("/proc/{}/fd", served.process())).unwrap().count()
    };

    assert_eq!(yearly(1), yearly(20));
}
