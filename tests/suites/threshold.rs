//! A host with real parties: three processes of `strongroom-mpc-party` whose operators have the agents' manifests, each. What parties do among themselves
//! is tried in `crates/mpc-party`.
//!
//! Ignored unless asked for, since the parties are built with GMP: `cargo test --workspace --test suites threshold -- --ignored`. By default
//! every tenth case of the table is tried; all with `STRONGROOM_TABLE=all`.

use crate::signing::{every_kind_is_mined, lines, the_example_pays};
use crate::signing_table::{Book, tried};
use strongroom_tests::fixtures::wallet::WalletFixture;
use strongroom_tests::services::Anvil;
use strongroom_tests::services::threshold::{Threshold, address};

/// The manifest of the probe, as the parties have it.
fn manifest(lines: &str) -> String {
    format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{lines}\n")
}

#[test]
#[ignore = "it builds the parties, which need GMP"]
fn a_node_mines_every_kind_that_real_parties_sign() {
    let lines = format!("[signers.wallet]\nfrom = \"mpc:treasury\"\n{}", lines());
    let parties = Threshold::start(&[manifest(&lines)], "");
    let opened = WalletFixture::with(&lines).config(&parties.table()).open();

    every_kind_is_mined(|operation| opened.sign(operation));

    parties.kill(0);
    every_kind_is_mined(|operation| opened.sign(operation));
    assert!(opened.sign("address").starts_with(&address()));
}

#[test]
#[ignore = "it builds the parties, which need GMP"]
fn the_example_pays_an_invoice_with_a_key_of_real_parties() {
    let anvil = Anvil::start(1);
    anvil.fund(&address(), "0x8ac7230489e80000");
    let example = include_str!("../../examples/agents/payer/agent.toml").replace("file:payer/treasury", "mpc:treasury");
    let parties = Threshold::start(&[example], "");

    the_example_pays(&anvil, "mpc:treasury", &parties.table());
}

#[test]
#[ignore = "it builds the parties, which need GMP"]
fn cases_of_the_table_come_to_the_same_with_real_parties() {
    let book = Book::of(&address(), "mpc:treasury");
    let every = if std::env::var("STRONGROOM_TABLE").is_ok_and(|which| which == "all") { 1 } else { 10 };
    // What no party can have: a manifest that is refused, keys for other uses, and those that a backend keeps.
    let is_theirs = |case: &toml::Table| {
        let other = ["refused", "beside_refused", "whole", "values"].iter().any(|key| case.contains_key(*key));
        !other && !book.manifests(case).concat().contains("use = ")
    };
    let mut cases: Vec<_> = book.cases().into_iter().filter(is_theirs).step_by(every).collect();
    // Most are agents of the same parties. What a case has of the host's lines, or of another agent, is for parties of its own.
    let lines = book.host(&toml::Table::new());
    let is_alone = |case: &toml::Table| book.host(case) != lines || case.contains_key("beside");
    for (number, case) in cases.iter_mut().enumerate().filter(|(_, case)| !is_alone(case)) {
        case.insert("agent".to_owned(), format!("probe-{number}-of-many").into());
    }
    let manifests: Vec<_> = cases.iter().filter(|case| !is_alone(case)).flat_map(|case| book.manifests(case)).collect();
    let many = Threshold::start(&manifests, &lines);

    let wrong = tried(&cases, |case| match is_alone(case) {
        false => book.attempt(case, &many.table()),
        true => book.attempt(case, &Threshold::start(&book.manifests(case), &book.host(case)).table()),
    });

    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
