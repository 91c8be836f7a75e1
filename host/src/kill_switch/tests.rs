use super::*;
use crate::manifest::Limits;
use crate::meter::Meter;
use std::fs::{self, File};
use std::path::Path;

fn state(dir: &Path) -> StateDir {
    StateDir::open(&dir.join("state")).expect("a state directory")
}

fn host(dir: &Path) -> KillSwitch {
    KillSwitch::of_host(Some(&state(dir))).expect("a switch")
}

fn agent(name: &str) -> Whom {
    Whom::agent(name).expect("a name")
}

fn passes(line: &Line) -> bool {
    line.pass(|| ()).is_some()
}

#[test]
fn what_is_stopped_is_stopped_once_the_call_returns_and_nobody_else_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (here, there) = (host(dir.path()), host(dir.path()));
    let (own, other, elsewhere) = (here.line("payer"), here.line("reader"), there.line("payer"));
    let run = Arc::new(Meter::new(Limits::default()));
    own.hang_run(&run).expect("it begins");

    let confirmed = here.on(&agent("payer")).expect("it is written");

    assert_eq!(confirmed.silent, [] as [u32; 0]);
    assert_eq!(confirmed.by, [std::process::id(); 2]);
    assert!(confirmed.is_known && !here.on(&agent("pyaer")).expect("it is written").is_known);
    assert!(!passes(&own) && !passes(&elsewhere) && passes(&other));
    assert!(run.is_stopped(), "a run that was under way ends");
    assert!(own.hang_run(&Arc::new(Meter::new(Limits::default()))).is_err(), "and none begins");
    assert_eq!(there.stopped().expect("read"), [agent("payer"), agent("pyaer")]);
}

#[test]
fn it_is_lifted_by_the_name_that_it_was_turned_by() {
    let dir = tempfile::tempdir().expect("a directory");
    let switch = host(dir.path());
    let line = switch.line("payer");
    let turned = |turn: fn(&KillSwitch, &Whom) -> io::Result<Confirmed>, whom: &Whom| {
        turn(&switch, whom).expect("it is written");
        passes(&line)
    };

    assert!(!turned(KillSwitch::on, &Whom::All));
    assert!(!turned(KillSwitch::on, &agent("payer")));
    assert!(!turned(KillSwitch::off, &Whom::All), "it is stopped by its own name, too");
    assert!(turned(KillSwitch::off, &agent("payer")));
    assert!(!turned(KillSwitch::on, &Whom::All));
    assert!(!turned(KillSwitch::off, &agent("payer")), "all are stopped");
    assert!(turned(KillSwitch::off, &Whom::All));
}

#[test]
fn it_outlives_the_host_and_holds_for_whoever_is_loaded_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let whoever_turns_it = KillSwitch::at(&state(dir.path())).expect("a switch");
    let confirmed = whoever_turns_it.on(&agent("payer")).expect("it is written");
    assert_eq!(confirmed, Confirmed::default(), "no host runs");

    let host = host(dir.path());

    assert!(!passes(&host.line("payer")) && passes(&host.line("reader")));
}

#[test]
fn a_host_that_has_ended_is_not_waited_for_and_one_that_hangs_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(host(dir.path()));
    let kept = Kept::at(&state(dir.path())).expect("its files");
    // A host that runs, and never looks.
    let hung = kept.hosts.begin().expect("its file");
    // What a process leaves behind that was killed.
    let left = dir.path().join("state/kill-switch.hosts/1-00");
    fs::write(&left, "").expect("a file");

    let confirmed = KillSwitch::at(&state(dir.path())).expect("a switch").on(&Whom::All).expect("it is written");

    assert_eq!((confirmed.by.len(), confirmed.silent), (0, vec![std::process::id()]));
    assert!(!left.exists());
    drop(hung);
}

#[test]
fn what_a_person_writes_into_the_file_holds() {
    let dir = tempfile::tempdir().expect("a directory");
    let switch = host(dir.path());
    let line = switch.line("payer");
    fs::write(dir.path().join("state/kill-switch"), "# a remark\npayer  since the incident\n").expect("written");

    // Somebody else's change is confirmed by what stands there now.
    switch.on(&agent("reader")).expect("it is written");

    assert!(!passes(&line));
    assert_eq!(switch.stopped().expect("read"), [agent("payer"), agent("reader")]);
}

/// Waits until a line passes, or does not.
fn becomes(line: &Line, open: bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while passes(line) != open {
        assert!(Instant::now() < until, "it never becomes so");
        std::thread::yield_now();
    }
}

#[test]
fn who_asks_meanwhile_keeps_no_host_from_what_was_turned() {
    let dir = tempfile::tempdir().expect("a directory");
    let (host, whoever_turns_it) = (host(dir.path()), KillSwitch::at(&state(dir.path())).expect("a switch"));
    let (line, over) = (host.line("payer"), std::sync::atomic::AtomicBool::new(false));

    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                host.stopped().expect("read");
            }
        });
        for turn in 0..20 {
            let turned = if turn % 2 == 0 { KillSwitch::on } else { KillSwitch::off };
            let confirmed = turned(&whoever_turns_it, &agent("payer")).expect("it is written");
            assert_eq!((confirmed.by.len(), confirmed.silent.len()), (1, 0), "turn {turn}");
            assert_eq!(passes(&line), turn % 2 == 1, "turn {turn}");
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn what_can_not_be_read_stops_all_and_what_is_gone_or_cut_off_lifts_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, file) = (host(dir.path()), dir.path().join("state/kill-switch"));
    let (payer, reader) = (switch.line("payer"), switch.line("reader"));
    switch.on(&agent("payer")).expect("it is written");
    let good = fs::read_to_string(&file).expect("a file");

    fs::write(&file, "# format 2\nin=other ways\n").expect("written");
    becomes(&reader, false);
    assert!(switch.stopped().is_err());
    fs::write(&file, &good).expect("written");
    becomes(&reader, true);
    assert!(!passes(&payer));

    fs::write(&file, "").expect("written");
    becomes(&reader, false);
    fs::write(&file, &good).expect("written");
    becomes(&reader, true);
    fs::remove_file(&file).expect("removed");
    // The next turn of the switch is one for all that it says.
    assert!(!passes(&payer) && passes(&reader));
    switch.on(&agent("reader")).expect("it is written");
    assert!(!passes(&reader) && passes(&payer));
}

#[test]
fn a_host_that_can_not_write_it_down_has_stopped_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, held) = (host(dir.path()), File::create(dir.path().join("state/kill-switch.lock")).expect("a file"));
    let line = switch.line("payer");
    // Whoever turns it elsewhere is hung.
    held.lock().expect("a lock");

    let refused = switch.on(&agent("payer")).expect_err("nobody can turn it");

    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    assert!(!passes(&line));
    assert_eq!(switch.stopped().expect("read"), [agent("payer")]);
    held.unlock().expect("unlocked");
    switch.off(&agent("payer")).expect("it is written");
    assert!(passes(&line));
}

#[test]
fn a_host_that_keeps_no_state_is_stopped_alone() {
    let (one, other) = (KillSwitch::of_host(None).expect("a switch"), KillSwitch::of_host(None).expect("a switch"));
    let (line, elsewhere) = (one.line("payer"), other.line("payer"));

    one.on(&Whom::All).expect("nothing is written");

    assert!(!passes(&line) && passes(&elsewhere));
    assert_eq!(one.stopped().expect("known"), [Whom::All]);
}
