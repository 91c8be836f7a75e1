//! Plays cases: an agent inside, an API outside, and what either found wrong.

use crate::agents;
use crate::api::Api;
use crate::table::{Case, Key, Table};
use std::collections::BTreeSet;
use strongroom::End;
use strongroom_tests::{AgentFixture, Ran};
use tokio::sync::watch;

/// Engines of JavaScript and Python want more than a guest in Rust.
const LIMITS: &str = "[limits]\nmemory = \"512MiB\"\ncpu = \"60s\"\n";

/// Plays all cases of a table but those that wait for something.
pub fn all(table: &Table) {
    let mut faults = Vec::new();
    for case in table.case.iter().filter(|case| case.waits.is_none()) {
        let played = one(table, case);
        println!("{} {}: {}", table.name, case.name, if played.is_ok() { "ok" } else { "faults" });
        if let Err(found) = played {
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", case.name)));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", table.name, faults.join("\n"));
}

/// Plays one case; what went wrong.
pub fn one(table: &Table, case: &Case) -> Result<(), Vec<String>> {
    let (print, printed) = watch::channel(String::new());
    let api = Api::new(table, case, printed);
    let hosts: BTreeSet<&str> = case.request.iter().map(|request| request.host()).collect();
    let answering = api.clone();
    let component = agents::component(table);
    let _first = agents::first(&component);
    let mut room = AgentFixture::with(&format!("{LIMITS}{}\n{}", table.manifest, case.manifest))
        .component(component)
        .names(hosts.into_iter())
        .server(move |seen| answering.answer(seen))
        .watched(move |text| print.send_modify(|printed| printed.push_str(text)));
    for key in &table.key {
        room = room.value(&key.name, &key.value);
    }
    room = room.seeking(table.sought.iter().cloned());
    let ran = room.try_run(&[&table.name, &case.name]).map_err(|error| vec![error])?;
    let mut faults = api.faults();
    faults.extend(ran.leaks.iter().cloned());
    faults.extend(unlike(table, case, &ran));
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What the agent's side has otherwise than the table.
fn unlike(table: &Table, case: &Case, ran: &Ran) -> Vec<String> {
    let mut faults = Vec::new();
    if ran.searched == 0 {
        faults.push("no memory was searched".to_owned());
    }
    let printed = table.key.iter().fold(ran.stdout.clone(), |text, key| named(&text, key));
    if printed.trim() != case.prints.trim() {
        faults.push(format!("it printed\n{}\nnot\n{}", printed.trim(), case.prints.trim()));
    }
    if ran.outcome.end != End::Exit(0) {
        faults.push(format!("it ended with {:?}: {}", ran.outcome.end, ran.stderr));
    }
    if ran.denied() != case.denied {
        faults.push(format!("denied: {:?}, not {:?}", ran.records("denial"), case.denied));
    }
    faults
}

/// The text with `{NAME}` for each placeholder.
fn named(text: &str, key: &Key) -> String {
    let mut parts = text.split(&key.beginning);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '-');
        format!("{text}{{{}}}{rest}", key.name)
    })
}
