//! `cargo demo`: it holds, it notices what is not as it must be, and it has colours where they are wanted.

use std::process::{Command, Output};
use strongroom_demo::paint::Paint;
use strongroom_demo::stage::Report;
use strongroom_demo::{show, stage};
use strongroom_tests::block_on;

#[test]
fn the_demo_holds_and_its_tables_say_what_happened() {
    let mut report = block_on(stage::run(false)).unwrap();

    assert_eq!(report.faults(), Vec::<String>::new());
    let text = show::report(&report, Paint::NONE);
    for line in [
        "the real exchange key",
        "the real model key",
        "(nothing)",
        "foreign-credential",
        "destination",
        "misplaced-placeholder",
        "address",
        "No agent ever held a key",
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
    the_third_payment_is_denied(&report, &text);
    no_request_fails_while_the_key_is_replaced(&report, &text);
    each_defect_of_an_act_is_a_fault(&mut report);
}

fn the_third_payment_is_denied(report: &Report, text: &str) {
    let payments = report.payments.as_ref().unwrap();
    let wallet = report.keys.address().unwrap();
    let paid: Vec<usize> = payments.tries.iter().map(|payment| payment.taken.len()).collect();
    assert_eq!(paid, [1, 1, 0]);
    for (nonce, payment) in payments.tries[..2].iter().enumerate() {
        let taken = &payment.taken[0];
        assert_eq!((taken.transaction.nonce, taken.sender.to_string()), (nonce as u64, wallet.clone()));
        let line = text.lines().find(|line| line.trim_start().starts_with(payment.invoice)).unwrap();
        for part in ["0.009 ETH", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "the wallet", "exit 0"] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
    }
    for line in
        ["What a payer with a limit of 0.02 ETH an hour had signed", "Denied by `spend`: more ETH than may be spent", "hour = ?", &wallet]
    {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

fn no_request_fails_while_the_key_is_replaced(report: &Report, text: &str) {
    let rotation = report.rotation.as_ref().unwrap();
    let [requests, failed] = rotation.count();
    assert_eq!((failed, rotation.versions.len()), (0, 2));
    assert!(text.contains(&format!("A key that was replaced while plain-bot worked: {requests} requests, 0 failed")), "{text}");
    for version in &rotation.versions {
        assert!(text.contains(&format!("version {} ({})", version.name, version.fingerprint)), "{text}");
    }
    assert!(text.contains("in trading-bot's hands: GET /v1/price 401, POST /v1/orders 401."), "{text}");
}

/// Zero failures is what was counted: one more and the demo fails.
fn each_defect_of_an_act_is_a_fault(report: &mut Report) {
    let fault = |report: &Report, about: &str| {
        let faults = report.faults();
        assert!(faults.iter().any(|fault| fault.contains(about)), "{about} is missing in {faults:?}");
        assert!(show::report(report, Paint::NONE).contains("FAILED: "));
    };

    let rotation = report.rotation.as_mut().unwrap();
    rotation.versions[1].failed = 1;
    fault(report, "1 of ");
    let rotation = report.rotation.as_mut().unwrap();
    rotation.versions[1].failed = 0;
    rotation.unsent = 2;
    fault(report, "2 of ");
    let rotation = report.rotation.as_mut().unwrap();
    rotation.unsent = 0;
    rotation.versions[0].requests += 1;
    fault(report, "the exchange has not seen what was sent");
    let rotation = report.rotation.as_mut().unwrap();
    rotation.versions[0].requests -= 1;
    rotation.afterwards[0].1 = Some(200);
    fault(report, "the old key was not refused afterwards");
    report.rotation.as_mut().unwrap().afterwards[0].1 = Some(401);
    assert_eq!(report.faults(), Vec::<String>::new());

    let payments = report.payments.as_mut().unwrap();
    payments.wallet.replace_range(2..3, "?");
    fault(report, "invoice-17 did not go as it must");
    let payments = report.payments.as_mut().unwrap();
    payments.tries[2].taken = payments.tries[1].taken.clone();
    fault(report, "invoice-19 did not go as it must");
    report.payments.as_mut().unwrap().denials.clear();
    fault(report, "the payer's denials are not the one by its limit");
}

#[test]
fn the_demo_fails_when_keys_do_reach_the_agents() {
    let report = block_on(stage::run(true)).unwrap();

    let faults = report.faults();
    assert!(faults.iter().any(|fault| fault.contains("the memory of a guest")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("printed")), "{faults:?}");
    assert!(show::report(&report, Paint::NONE).contains("FAILED"));
}

#[test]
fn the_demo_has_colours_on_a_terminal_and_none_in_a_pipe() {
    const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let demo = env!("CARGO_BIN_EXE_demo-under-test");
    let text = |output: &Output| {
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout.clone()).unwrap()
    };

    let piped = Command::new(demo).env("TERM", "xterm-256color").env_remove("NO_COLOR").output().unwrap();
    let mut terminal = Command::new("python3");
    let shown = terminal.args(["-c", TERMINAL, demo]).env("TERM", "xterm-256color").env_remove("NO_COLOR").output().unwrap();

    let (piped, shown) = (text(&piped), text(&shown));
    assert!(piped.contains("\nWhat each agent saw\n") && !piped.contains('\x1b'), "{piped}");
    assert!(shown.contains("\x1b[1mWhat each agent saw\x1b[0m") && shown.contains("\x1b[31mspend\x1b[0m"), "{shown}");
    assert!(shown.contains("\x1b[32mNo agent ever held a key"), "{shown}");
}
