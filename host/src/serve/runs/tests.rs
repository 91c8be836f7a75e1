//! The runs of one agent, as stories of what time and its runs bring.

use super::*;
use crate::manifest::Manifest;

const SECOND: Duration = Duration::from_secs(1);

fn runs(tables: &str) -> Runs {
    let (trigger, supervision) = read(tables);
    Runs::new(trigger, supervision, None, 0)
}

fn read(tables: &str) -> (Trigger, Supervision) {
    let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n{tables}");
    let manifest = Manifest::parse("agent.toml", &text).expect("a manifest");
    (manifest.trigger, manifest.supervision)
}

fn failed() -> Ending {
    Ending::Failed("exit 1".to_owned())
}

/// How many runs begin at a time, and whether one is left out.
fn begin(runs: &mut Runs, now: u64) -> (u32, Option<LeftOut>) {
    let ticked = runs.tick(now);
    (0..ticked.begin).for_each(|_| runs.began());
    (ticked.begin, ticked.left_out)
}

#[test]
fn an_agent_that_runs_once_has_ended_after_it() {
    let mut runs = runs("");
    assert_eq!((runs.state(), runs.wakes()), (AgentState::Waiting, Some(0)));

    assert_eq!(runs.tick(0), Ticked { begin: 1, passed: Some(0), left_out: None });
    assert_eq!(runs.state(), AgentState::Queued);
    runs.began();
    assert_eq!((runs.state(), runs.wakes()), (AgentState::Running, None));
    assert_eq!(runs.ended(&failed(), true, SECOND, 5), Next::AsPlanned);

    assert_eq!((runs.state(), runs.wakes(), runs.tick(1_000_000).begin), (AgentState::Ended, None, 0));
}

#[test]
fn a_run_that_is_due_while_another_is_under_way_is_left_out_or_waits() {
    let every = "[trigger]\nevery = \"1s\"\n[run]\n";
    // What begins at each second, while the first goes on.
    for (lines, begins, left_out) in [
        ("", [1, 0, 0, 0], 3),
        ("overlap = \"skip\"", [1, 0, 0, 0], 3),
        ("overlap = \"queue\"\nqueue = 2", [1, 0, 0, 0], 1),
        ("overlap = \"queue\"", [1, 0, 0, 0], 0),
        ("concurrency = 2", [1, 1, 0, 0], 2),
        ("concurrency = 2\noverlap = \"queue\"\nqueue = 1", [1, 1, 0, 0], 1),
        ("concurrency = 4", [1, 1, 1, 1], 0),
    ] {
        let mut runs = runs(&format!("{every}{lines}"));

        let begun = [0, 1_000, 2_000, 3_000].map(|now| begin(&mut runs, now).0);

        assert_eq!((begun, runs.left_out), (begins, left_out), "{lines}");
        // What waits begins as soon as there is a slot.
        let waiting = runs.queued();
        assert_eq!(runs.ended(&Ending::Well, true, SECOND, 3_500), Next::AsPlanned);
        assert_eq!(begin(&mut runs, 3_500), (waiting.min(1), None), "{lines}");
    }
}

#[test]
fn a_failed_run_is_begun_again_later_each_time_and_then_given_up() {
    let mut runs = runs("[run]\nrestart = \"on failure\"\nbackoff = { from = \"1s\", to = \"4s\" }\ngive_up = 5");
    let (mut now, mut waits) = (0, Vec::new());
    assert_eq!(begin(&mut runs, now), (1, None));

    let given_up = loop {
        match runs.ended(&failed(), true, SECOND / 2, now) {
            Next::Again(wait) => {
                assert_eq!(runs.state(), AgentState::BackingOff { why: "exit 1".to_owned() });
                assert_eq!(begin(&mut runs, now), (0, None), "not before its time");
                waits.push(wait);
                now = runs.wakes().expect("it comes again");
                assert_eq!(begin(&mut runs, now), (1, None));
            }
            Next::GivesUp(failures) => break failures,
            Next::AsPlanned => unreachable!("it has failed"),
        }
    };

    assert_eq!((given_up, runs.restarts, runs.state()), (5, 4, AgentState::GivenUp { why: "exit 1".to_owned() }));
    assert_eq!((runs.wakes(), runs.tick(u64::MAX).begin), (None, 0));
    for (wait, most) in waits.iter().zip([1, 2, 4, 4].map(|seconds| SECOND * seconds)) {
        assert!(*wait <= most && *wait > most / 4 * 3, "{wait:?} of {most:?}: with jitter");
    }
}

#[test]
fn what_ends_a_series_of_failures() {
    let lines = "[run]\nrestart = \"on failure\"\nbackoff = { from = \"1s\", to = \"4s\" }\ngive_up = 2";
    let ends = |runs: &mut Runs, ending: &Ending, took: Duration| {
        let now = runs.wakes().unwrap_or(0);
        begin(runs, now);
        runs.ended(ending, true, took, now)
    };

    // A run that took long before it failed begins a series of its own.
    let mut long = runs(lines);
    assert!(matches!(ends(&mut long, &failed(), SECOND), Next::Again(_)));
    assert!(matches!(ends(&mut long, &failed(), SECOND * 4), Next::Again(_)));
    assert_eq!(ends(&mut long, &failed(), SECOND), Next::GivesUp(2));

    // A run that ended well.
    let mut well = runs(&format!("[trigger]\nevery = \"1h\"\n{lines}"));
    assert!(matches!(ends(&mut well, &failed(), SECOND), Next::Again(_)));
    assert_eq!(ends(&mut well, &Ending::Well, SECOND), Next::AsPlanned);
    assert!(matches!(ends(&mut well, &failed(), SECOND), Next::Again(_)));

    // A changed manifest.
    let mut mended = runs(lines);
    assert!(matches!(ends(&mut mended, &failed(), SECOND), Next::Again(_)));
    assert_eq!(ends(&mut mended, &failed(), SECOND), Next::GivesUp(2));
    let (trigger, supervision) = read(lines);
    mended.change(trigger, supervision, 70_000);
    assert_eq!((mended.state(), mended.wakes()), (AgentState::Waiting, Some(70_000)));
}

#[test]
fn restart_says_which_ends_have_an_agent_begin_again() {
    for (restart, well, bad) in [("never", false, false), ("on failure", false, true), ("always", true, true)] {
        for (ending, expected) in [(Ending::Well, well), (failed(), bad), (Ending::Interrupted, false)] {
            let mut runs = runs(&format!("[run]\nrestart = \"{restart}\""));
            begin(&mut runs, 0);

            let next = runs.ended(&ending, true, SECOND, 0);

            assert_eq!(matches!(next, Next::Again(_)), expected, "{restart}, {ending:?}");
        }
    }
}

#[test]
fn an_agent_that_backs_off_takes_no_run_of_its_schedule_beside() {
    let mut runs = runs("[trigger]\nevery = \"1s\"\n[run]\nrestart = \"on failure\"\nbackoff = { from = \"10s\" }");
    begin(&mut runs, 0);
    runs.ended(&failed(), true, SECOND / 2, 500);

    assert_eq!(begin(&mut runs, 1_000), (0, Some(LeftOut::Busy)));

    let again = runs.next().expect("it comes again");
    assert!(again > 7_000 && begin(&mut runs, again).0 == 1, "{again}");
}

#[test]
fn a_manifest_that_changes_is_for_the_next_run() {
    let change = |runs: &mut Runs, tables: &str, now: u64| {
        let (trigger, supervision) = read(tables);
        runs.change(trigger, supervision, now);
    };

    // An agent that runs once, and has: once more.
    let mut ended = runs("");
    begin(&mut ended, 0);
    ended.ended(&Ending::Well, true, SECOND, 1_000);
    change(&mut ended, "", 5_000);
    assert_eq!(begin(&mut ended, 5_000), (1, None));

    // While it runs: behind that run, whatever the wait would be.
    let mut under_way = runs("");
    begin(&mut under_way, 0);
    change(&mut under_way, "[run]\nrestart = \"on failure\"\nbackoff = { from = \"1m\" }", 5_000);
    assert_eq!(begin(&mut under_way, 5_000), (0, None));
    assert_eq!(under_way.ended(&failed(), true, SECOND, 6_000), Next::Again(Duration::ZERO));
    assert_eq!(begin(&mut under_way, 6_000), (1, None));

    // While it waits to begin again: at once.
    let mut waits = runs("[run]\nrestart = \"on failure\"\nbackoff = { from = \"1m\" }");
    begin(&mut waits, 0);
    waits.ended(&failed(), true, SECOND, 1_000);
    change(&mut waits, "[run]\nrestart = \"on failure\"", 5_000);
    assert_eq!(begin(&mut waits, 5_000), (1, None));

    // The same times: nothing moves. Other times: from now on.
    let mut timed = runs("[trigger]\nevery = \"1h\"");
    begin(&mut timed, 0);
    timed.ended(&Ending::Well, true, SECOND, 1_000);
    change(&mut timed, "[trigger]\nevery = \"1h\"\n[run]\nconcurrency = 2", 5_000);
    assert_eq!(timed.wakes(), Some(3_600_000));
    change(&mut timed, "[trigger]\nevery = \"1m\"", 5_000);
    assert_eq!(timed.wakes(), Some(65_000));

    // What drained is there again.
    timed.drain();
    change(&mut timed, "[trigger]\nevery = \"1m\"", 100_000);
    assert_eq!((timed.state(), timed.wakes()), (AgentState::Waiting, Some(160_000)));
}

#[test]
fn an_agent_that_drains_begins_nothing_and_is_over_with_its_last_run() {
    let mut runs = runs("[trigger]\nevery = \"1s\"\n[run]\noverlap = \"queue\"\nrestart = \"on failure\"");
    begin(&mut runs, 0);
    begin(&mut runs, 1_000);
    assert_eq!(runs.queued(), 1);

    runs.drain();
    assert_eq!((runs.state(), runs.queued(), runs.wakes(), runs.is_over()), (AgentState::Draining, 0, None, false));
    assert_eq!(begin(&mut runs, 2_000), (0, None));

    assert_eq!(runs.ended(&failed(), true, SECOND, 2_500), Next::AsPlanned);
    assert!(runs.is_over());
}
