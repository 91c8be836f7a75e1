//! When a host that serves runs an agent (`[trigger]`), and what it does where a run fails, or another is due before one has ended (`[run]`).

mod http;

pub(super) use http::claim;
pub use http::{CallPath, CallerAuth, HttpTrigger, Webhook};

use super::cron::{Cron, time_zone};
use super::diagnostic::Problem;
use super::reader::{Elsewhere, Section};
use super::units;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The shortest time between two runs of a schedule, and the shortest wait before a run is begun again.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest of either.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// When an agent runs, where its host serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trigger {
    /// Once, as the host starts to serve or its manifest is new.
    #[default]
    Once,
    /// As the host starts to serve for the first time, and then each time that so long has passed.
    Every {
        /// From the beginning of one run to that of the next: 100 ms to 366 days.
        every: Duration,
        /// What becomes of runs that nobody could begin.
        missed: Missed,
    },
    /// By a calendar.
    Cron {
        /// The times.
        cron: Cron,
        /// What becomes of runs that nobody could begin.
        missed: Missed,
    },
    /// As callers ask for it: a run for each request.
    Http(HttpTrigger),
}

/// What becomes of runs that were due while the host was down or the machine asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Missed {
    /// They are left out.
    #[default]
    Skip,
    /// However many they were, one run begins as soon as the host serves again.
    RunOnce,
}

/// What the host does with the runs of an agent, where it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Supervision {
    /// Which ends have the agent begin again. Default never.
    pub restart: Restart,
    /// How long the host waits before the first new beginning; the wait doubles with each further failure. Default 1 s.
    pub backoff_from: Duration,
    /// The longest such wait; a run that took as long ends a series of failures. Default 5 minutes.
    pub backoff_to: Duration,
    /// Failures in a row after which the host leaves the agent alone. Default 10.
    pub give_up: u32,
    /// What becomes of a run that is due while as many as may be are under way. Default: it is left out.
    pub overlap: Overlap,
    /// Runs at once. Default 1; of an agent that callers run, 16.
    pub concurrency: u32,
}

/// Which ends of a run have the agent begin again. A run that ends with an exit code other than 0, by a trap, a limit or a denial, or that can't
/// begin, has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Restart {
    /// None.
    #[default]
    Never,
    /// Failures.
    OnFailure,
    /// All: the agent is to stay up.
    Always,
}

/// What becomes of a run that is due while as many as may be are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It waits. So many may wait; more are left out.
    Queue(u32),
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            restart: Restart::Never,
            backoff_from: Duration::from_secs(1),
            backoff_to: Duration::from_secs(300),
            give_up: 10,
            overlap: Overlap::Skip,
            concurrency: 1,
        }
    }
}

/// Keys of `[trigger]`, each with what it goes with, where it has `http`, `cron` or neither.
const WITH_HTTP: Elsewhere = &[("time_zone", "to `cron`"), ("missed", "to `every` and `cron`")];
const WITH_CRON: Elsewhere =
    &[("auth", "to `http`"), ("public", "to `http`"), ("body", "to `http`"), ("set_cookie", "to `http`"), ("location", "to `http`")];
const WITH_OTHERS: Elsewhere = &[
    ("time_zone", "to `cron`"),
    ("auth", "to `http`"),
    ("public", "to `http`"),
    ("body", "to `http`"),
    ("rate", "to `http`"),
    ("set_cookie", "to `http`"),
    ("location", "to `http`"),
];

/// Reads `[trigger]`.
pub(super) fn trigger(section: &Section<'_>) -> Trigger {
    let kinds: Vec<&str> = ["once", "every", "cron", "http"].into_iter().filter(|kind| section.has(kind)).collect();
    if kinds.len() != 1 {
        section.ignore_rest();
        let problem = match kinds[..] {
            [] => {
                let remedy = "add `once = true`, `every = ?`, `cron = ?` or `http = ?`, with its value in the place of `?`";
                Problem::new("`trigger` says no time", remedy)
            }
            _ => Problem::new(format!("`trigger` has `{}`", kinds.join("` and `")), "keep one of them"),
        };
        section.report_here(problem);
        return Trigger::Once;
    }
    section.elsewhere(match kinds[0] {
        "http" => WITH_HTTP,
        "cron" => WITH_CRON,
        _ => WITH_OTHERS,
    });
    if kinds[0] == "http" {
        return http::read(section).map_or(Trigger::Once, Trigger::Http);
    }
    let missed = section.parse("missed", |text| match text {
        "skip" => Ok(Missed::Skip),
        "run once" => Ok(Missed::RunOnce),
        _ => Err(Problem::new("not a treatment of missed runs", "write `\"skip\"` or `\"run once\"`")),
    });
    let missed_or_skip = missed.unwrap_or_default();
    match kinds[0] {
        "every" => {
            let every = section.parse("every", period).unwrap_or(LONGEST);
            Trigger::Every { every, missed: missed_or_skip }
        }
        "cron" => {
            let zone = section.parse("time_zone", time_zone).unwrap_or(TimeZone::UTC);
            let cron = section.parse("cron", |text| Cron::parse(text, zone));
            cron.map_or(Trigger::Once, |cron| Trigger::Cron { cron, missed: missed_or_skip })
        }
        _ => {
            if section.bool("once") == Some(false) {
                section.report_here(Problem::new("`trigger.once` is `false`", "write `once = true`, or leave the table out"));
            }
            if missed.is_some() {
                section.report_here(Problem::new("`missed` with `once`", "leave it out: it is for runs that have their times"));
            }
            Trigger::Once
        }
    }
}

/// What holds where `[run]` says nothing of failures and overlaps.
pub(super) fn unless_said(trigger: &Trigger) -> Supervision {
    let concurrency = if matches!(trigger, Trigger::Http(_)) { http::CONCURRENCY } else { 1 };
    Supervision { concurrency, ..Supervision::default() }
}

/// Reads what `[run]` says of failures and overlaps.
pub(super) fn supervision(run: &Section<'_>, trigger: &Trigger) -> Supervision {
    let is_http = matches!(trigger, Trigger::Http(_));
    let default = unless_said(trigger);
    let restart = run.parse("restart", |text| match text {
        "never" => Ok(Restart::Never),
        _ if is_http => Err(Problem::new("an agent that answers callers is not begun again", "leave it out: each request is a run")),
        "on failure" => Ok(Restart::OnFailure),
        "always" if *trigger != Trigger::Once => {
            Err(Problem::new("`always` for an agent that has its times", "write `\"on failure\"`: its schedule begins it again"))
        }
        "always" => Ok(Restart::Always),
        _ => Err(Problem::new("not a treatment of ends", "write `\"never\"`, `\"on failure\"` or `\"always\"`")),
    });
    let (mut from, mut to) = (None, None);
    if let Some(backoff) = run.table("backoff") {
        from = backoff.parse("from", period);
        to = backoff.parse("to", period);
    }
    let give_up = run.integer("give_up", 1..=1_000_000).and_then(|most| u32::try_from(most).ok());
    if restart.unwrap_or_default() == Restart::Never && !run.has("restart") && (run.has("backoff") || run.has("give_up")) {
        run.report_here(Problem::new("`backoff` or `give_up` of an agent that is not begun again", "add `restart = \"on failure\"`"));
    }
    let from = from.unwrap_or_else(|| to.map_or(default.backoff_from, |to| default.backoff_from.min(to)));
    let to = to.unwrap_or(default.backoff_to.max(from));
    if from > to {
        run.report_here(Problem::new("`backoff.from` is longer than `backoff.to`", "write the shorter one as `from`"));
    }
    let queues = run.parse("overlap", |text| match text {
        "skip" => Ok(false),
        "queue" => Ok(true),
        _ => Err(Problem::new("not a treatment of overlapping runs", "write `\"skip\"` or `\"queue\"`")),
    });
    let most = run.integer("queue", 1..=10_000).and_then(|most| u32::try_from(most).ok());
    if run.has("queue") && queues != Some(true) {
        run.report_here(Problem::new("`queue` of runs that don't wait", "add `overlap = \"queue\"`, or leave it out"));
    }
    Supervision {
        restart: restart.unwrap_or_default(),
        backoff_from: from,
        backoff_to: to,
        give_up: give_up.unwrap_or(default.give_up),
        overlap: if queues == Some(true) { Overlap::Queue(most.unwrap_or(16)) } else { Overlap::Skip },
        concurrency: run.integer("concurrency", 1..=1_000).and_then(|most| u32::try_from(most).ok()).unwrap_or(default.concurrency),
    }
}

fn period(text: &str) -> Result<Duration, Problem> {
    match units::duration(text)? {
        period if period < SHORTEST => Err(Problem::new("too short", "write at least `100ms`")),
        period if period > LONGEST => Err(Problem::new("too long", "write at most `366d`")),
        period => Ok(period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn read(tables: &str) -> Result<Manifest, String> {
        Manifest::parse("agent.toml", &format!("name = \"a\"\ncomponent = \"a.wasm\"\n{tables}")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_agent_runs_once_and_is_left_alone_unless_its_manifest_says_otherwise() {
        let manifest = read("").expect("a manifest");

        assert_eq!((manifest.trigger, manifest.supervision), (Trigger::Once, Supervision::default()));
    }

    #[test]
    fn triggers_and_what_belongs_to_them_are_read() {
        let seconds = Duration::from_secs;
        assert_eq!(read("[trigger]\nonce = true").expect("once").trigger, Trigger::Once);
        let every = read("[trigger]\nevery = \"5m\"\nmissed = \"run once\"").expect("every").trigger;
        assert_eq!(every, Trigger::Every { every: seconds(300), missed: Missed::RunOnce });
        let cron = "[trigger]\ncron = \"0  9 * * MON-FRI\"\ntime_zone = \"Europe/Berlin\"";
        match read(cron).expect("cron").trigger {
            Trigger::Cron { cron, missed: Missed::Skip } => assert_eq!(cron.shown(), "0 9 * * MON-FRI in Europe/Berlin"),
            other => panic!("{other:?}"),
        }

        let run = "[run]\nrestart = \"always\"\nbackoff = { from = \"2s\", to = \"1m\" }\ngive_up = 3\noverlap = \"queue\"\nqueue = 5\nconcurrency = 2";
        let expected = Supervision {
            restart: Restart::Always,
            backoff_from: seconds(2),
            backoff_to: seconds(60),
            give_up: 3,
            overlap: Overlap::Queue(5),
            concurrency: 2,
        };
        assert_eq!(read(run).expect("a table").supervision, expected);
        // One end of the waits moves the other one along.
        let waits = |backoff: &str| {
            let read = read(&format!("[run]\nrestart = \"on failure\"\nbackoff = {{ {backoff} }}")).expect("a table").supervision;
            (read.backoff_from, read.backoff_to)
        };
        assert_eq!((waits("from = \"10m\""), waits("to = \"100ms\"")), ((seconds(600), seconds(600)), (SHORTEST, SHORTEST)));
    }

    #[test]
    fn each_contradiction_is_one_finding() {
        for (tables, finding) in [
            ("[trigger]\nmissed = \"skip\"", "agent.toml:3:1: `trigger` says no time; add `once = true`, `every = ?`, `cron = ?` or"),
            ("[trigger]\nonce = true\nevery = \"5m\"", "agent.toml:3:1: `trigger` has `once` and `every`; keep one of them"),
            ("[trigger]\nonce = false", "agent.toml:3:1: `trigger.once` is `false`; write `once = true`"),
            ("[trigger]\nonce = true\nmissed = \"skip\"", "agent.toml:3:1: `missed` with `once`; leave it out"),
            ("[trigger]\nevery = \"50ms\"", "agent.toml:4:9: `trigger.every`: too short; write at least `100ms`"),
            ("[trigger]\nevery = \"400d\"", "agent.toml:4:9: `trigger.every`: too long; write at most `366d`"),
            ("[trigger]\nevery = \"1h\"\ntime_zone = \"UTC\"", "agent.toml:5:1: `trigger.time_zone` belongs to `cron`; leave it out here"),
            ("[trigger]\nevery = \"1h\"\nmissed = \"all\"", "agent.toml:5:10: `trigger.missed`: not a treatment of missed runs; write"),
            ("[trigger]\ncron = \"0 25 * * *\"", "agent.toml:4:8: `trigger.cron`: its hours can't be read; write a number from 0 to 23"),
            (
                "[trigger]\ncron = \"0 9 * * *\"\ntime_zone = \"Mars/Base\"",
                "agent.toml:5:13: `trigger.time_zone`: not a time zone; write a name",
            ),
            ("[run]\ntrigger = \"once\"", "agent.toml:4:1: `run.trigger` belongs in a table of its own, `[trigger]`; leave it out here"),
            ("[run]\nrestart = \"often\"", "agent.toml:4:11: `run.restart`: not a treatment of ends; write `\"never\"`, `\"on failure\"`"),
            (
                "[trigger]\nevery = \"1h\"\n[run]\nrestart = \"always\"",
                "agent.toml:6:11: `run.restart`: `always` for an agent that has its times; write `\"on failure\"`",
            ),
            (
                "[run]\ngive_up = 3",
                "agent.toml:3:1: `backoff` or `give_up` of an agent that is not begun again; add `restart = \"on failure\"`",
            ),
            (
                "[run]\nrestart = \"always\"\nbackoff = { from = \"2m\", to = \"1m\" }",
                "agent.toml:3:1: `backoff.from` is longer than `backoff.to`; write the shorter one as `from`",
            ),
            (
                "[run]\noverlap = \"wait\"",
                "agent.toml:4:11: `run.overlap`: not a treatment of overlapping runs; write `\"skip\"` or `\"queue\"`",
            ),
            ("[run]\nqueue = 3", "agent.toml:3:1: `queue` of runs that don't wait; add `overlap = \"queue\"`"),
            ("[run]\nconcurrency = 0", "agent.toml:4:15: `run.concurrency` is out of range; write a whole number from 1 to 1000"),
        ] {
            let found = read(tables).expect_err(tables);
            assert!(found.starts_with(finding) && found.lines().count() == 1, "{tables}\n{found}");
        }
    }
}
