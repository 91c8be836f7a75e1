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
    mended.change(trigger, supervision, false, 70_000);
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
        let running = runs.begun > 0;
        runs.change(trigger, supervision, running, now);
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

#[test]
fn one_run_makes_up_for_all_that_were_missed() {
    for lines in ["every = \"5m\"", "cron = \"*/5 * * * *\""] {
        for run in ["", "concurrency = 3", "overlap = \"queue\""] {
            let mut runs = runs(&format!("[trigger]\n{lines}\nmissed = \"run once\"\n[run]\n{run}"));
            let due = runs.wakes().expect("it has its times");

            // The machine slept for half an hour.
            let ticked = runs.tick(due + 30 * 60_000);

            assert_eq!((ticked.begin, ticked.left_out), (1, None), "{lines}, {run}");
            assert_eq!(ticked.passed, Some(due + 30 * 60_000), "{lines}: the last time is remembered");
            assert_eq!(runs.tick(due + 30 * 60_000), Ticked::default(), "{lines}, {run}");
            assert_eq!(runs.wakes(), Some(due + 35 * 60_000), "{lines}, {run}");
        }
    }
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    let mut backs_off = runs("[run]\nrestart = \"always\"\nbackoff = { from = \"1s\", to = \"4s\" }");
    begin(&mut backs_off, 0);
    backs_off.ended(&failed(), true, SECOND / 2, 100_000_000);
    backs_off.tick(1_000);
    assert!(backs_off.wakes().is_some_and(|wakes| wakes <= 5_000), "{:?}", backs_off.wakes());

    let (trigger, supervision) = read("[trigger]\ncron = \"0 * * * *\"");
    let mut hourly = Runs::new(trigger, supervision, None, 4_000_000_000_000);
    hourly.tick(1_000);
    assert_eq!(hourly.wakes(), Some(3_600_000));
}

#[test]
fn a_change_neither_loses_an_agent_nor_runs_it_twice() {
    let change = |runs: &mut Runs, tables: &str, running: bool, now: u64| {
        let (trigger, supervision) = read(tables);
        runs.change(trigger, supervision, running, now);
    };
    let failing = "[run]\nrestart = \"on failure\"\nbackoff = { from = \"1m\" }";

    // One that backs off gets times of its own.
    let mut timed = runs(failing);
    begin(&mut timed, 0);
    timed.ended(&failed(), true, SECOND, 1_000);
    change(&mut timed, &format!("[trigger]\nevery = \"1h\"\n{failing}"), false, 5_000);
    assert_eq!(begin(&mut timed, 5_000), (1, None));
    timed.ended(&Ending::Well, true, SECOND, 6_000);
    assert_eq!(timed.wakes(), Some(3_605_000));

    // Its old times are forgotten.
    let mut once = runs(&format!("[trigger]\nevery = \"10s\"\n{failing}"));
    begin(&mut once, 0);
    once.ended(&failed(), true, SECOND, 1_000);
    change(&mut once, failing, false, 5_000);
    assert_eq!(begin(&mut once, 5_000), (1, None));
    once.ended(&Ending::Well, true, SECOND, 6_000);
    assert_eq!(once.wakes(), None);

    // Given up with a run under way, gone, and there again.
    let mut back = runs("[trigger]\nevery = \"1s\"\n[run]\nrestart = \"on failure\"\ngive_up = 1\nconcurrency = 2");
    begin(&mut back, 0);
    begin(&mut back, 1_000);
    assert_eq!(back.ended(&failed(), true, SECOND / 2, 1_500), Next::GivesUp(1));
    back.drain();
    change(&mut back, "[trigger]\nevery = \"1s\"", true, 2_000);
    assert!(!back.is_over() && back.wakes() == Some(3_000), "{:?}", back.wakes());

    // Interrupted after it was there again.
    let mut cut = runs("");
    begin(&mut cut, 0);
    cut.drain();
    change(&mut cut, "", true, 1_000);
    assert_eq!(cut.ended(&Ending::Interrupted, true, SECOND, 2_000), Next::AsPlanned);
    assert_eq!(begin(&mut cut, 2_000), (1, None));

    // A run that waits for room takes what is there when it begins.
    let mut waits = runs("");
    assert_eq!(waits.tick(0).begin, 1);
    change(&mut waits, "", false, 1_000);
    waits.began();
    waits.ended(&Ending::Well, true, SECOND, 2_000);
    assert_eq!((waits.wakes(), waits.tick(3_000).begin), (None, 0));
}

#[test]
fn a_paused_agent_has_nothing_due_and_is_asked_for_no_run() {
    let mut runs = runs("[trigger]\nevery = \"1s\"");
    assert_eq!(begin(&mut runs, 0), (1, None));
    assert_eq!(runs.ended(&Ending::Well, true, SECOND, 500), Next::AsPlanned);

    runs.pause(true);
    assert_eq!((runs.state(), runs.wakes(), runs.next(), runs.triggered(900)), (AgentState::Paused, None, None, Triggered::Paused));
    // Nothing is taken note of, so that no time counts as one that has begun a run.
    assert_eq!([1_000, 2_000, 3_000].map(|now| runs.tick(now)), [Ticked::default(), Ticked::default(), Ticked::default()]);

    runs.pause(false);
    assert!(runs.wakes().is_some_and(|wakes| wakes <= 4_000));
    assert_eq!(begin(&mut runs, 4_000).0, 1, "one, and not those that were missed");
}

#[test]
fn callers_of_a_paused_agent_are_turned_away() {
    let mut runs = runs("[trigger]\nhttp = \"/a\"\npublic = true");
    assert!(runs.called());
    runs.pause(true);
    assert!(!runs.called());
}

#[test]
fn as_many_callers_as_may_run_at_once_may_come_at_once() {
    let mut runs = runs("[trigger]\nhttp = \"/a\"\npublic = true\n[run]\nconcurrency = 3");

    assert_eq!([(); 4].map(|()| runs.called()), [true, true, true, false]);
    assert_eq!(runs.tick(0).begin, 3);
    assert!(!runs.called(), "all of them are under way");
}
