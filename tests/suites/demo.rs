//! `cargo demo`: it holds, and it notices a leak.

use strongroom_demo::{show, stage};
use strongroom_tests::block_on;

#[test]
fn the_demo_holds_and_its_tables_say_what_happened() {
    let report = block_on(stage::run(false)).unwrap();

    assert_eq!(report.faults(), Vec::<String>::new());
    let text = show::report(&report);
    for line in [
        "the real exchange key",
        "the real model key",
        "(nothing)",
        "foreign-credential",
        "destination",
        "misplaced-placeholder",
        "address",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    // Every row that the exfiltrator plays came to nothing.
    let hostile = report.agents.iter().find(|agent| agent.name == "exfiltrator").unwrap();
    for row in ["1", "2", "3", "4", "5", "6", "9", "10", "12", "15", "19"] {
        assert!(
            hostile.printed.lines().any(|line| line.starts_with(&format!("{row} | "))),
            "row {row} was not played:\n{}",
            hostile.printed
        );
    }
    for line in hostile.printed.lines().filter(|line| line.starts_with("2 |") || line.starts_with("10 |") || line.starts_with("19 |")) {
        assert!(!line.contains("| answered"), "{line}");
    }
}

#[test]
fn the_demo_fails_when_keys_do_reach_the_agents() {
    let report = block_on(stage::run(true)).unwrap();

    let faults = report.faults();
    assert!(faults.iter().any(|fault| fault.contains("the memory of a guest")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("printed")), "{faults:?}");
    assert!(show::report(&report).contains("FAILED"));
}
