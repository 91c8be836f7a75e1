//! Real client libraries in agents, unmodified, each against a server that plays its API (`apis/`). A library is pinned by a lock file
//! and bundled here; the server looks for the key in exactly its place, the agent for what its library made of the answers.
//!
//! Three libraries are a part of every run of the tests, the examples that people copy (`examples.rs`), the packages of the contract
//! (`contract.rs`), the requests that ccxt signs (`signed.rs`), one flow of objects that AWS's SDK signs (`storage.rs`), and what vendors' own
//! libraries send under the manifests of `examples/apis` (`vendors.rs`; in an agent, `within.rs`). All of them:
//! `cargo test --workspace --test libraries -- --include-ignored`.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is an assertion")]

mod agents;
mod api;
mod contract;
mod examples;
mod play;
mod signatures;
mod signed;
mod storage;
mod table;
mod vendor;
mod vendors;
mod within;

use table::Table;

/// One test for each table.
macro_rules! libraries {
    ($($(#[$attribute:meta])* $test:ident: $table:literal,)*) => {
        const PLAYED: &[&str] = &[$($table),*];
        $($(#[$attribute])* #[test]
        fn $test() {
            play::all(&Table::read($table));
        })*
    };
}

libraries! {
    openai: "openai",
    octokit: "octokit",
    httpx: "httpx",
    #[ignore = "long form"]
    anthropic: "anthropic",
    #[ignore = "long form"]
    axios: "axios",
    #[ignore = "long form"]
    boto3: "boto3",
    #[ignore = "long form"]
    ccxt: "ccxt",
    #[ignore = "long form"]
    ethers: "ethers",
    #[ignore = "long form"]
    google_auth: "google-auth",
    #[ignore = "long form"]
    mcp: "mcp",
    #[ignore = "long form"]
    openid: "openid",
    #[ignore = "long form"]
    requests: "requests",
    #[ignore = "long form"]
    s3: "s3",
    #[ignore = "long form"]
    slack: "slack",
    #[ignore = "long form"]
    stripe: "stripe",
    #[ignore = "long form"]
    viem: "viem",
    #[ignore = "long form"]
    wstd: "wstd",
}

#[test]
fn every_table_is_played() {
    let mut found = table::names();
    let mut played: Vec<&str> = PLAYED.to_vec();
    found.sort();
    played.sort_unstable();

    assert_eq!(found, played, "a file in `apis` and a line in `libraries!` belong together");
}

/// Cases that can't pass yet (`waits` says what has to come) are left out above. Here each of them is played and must fail: one that
/// passes has waited long enough, and loses its line.
#[test]
#[ignore = "long form"]
fn what_waits_still_fails() {
    let tables: Vec<Table> = PLAYED.iter().map(|name| Table::read(name)).collect();
    let waiting = tables.iter().flat_map(|table| table.case.iter().filter(|case| case.waits.is_some()).map(move |case| (table, case)));
    let mut passing = Vec::new();
    for (table, case) in waiting {
        let name = format!("{}: {}", table.name, case.name);
        match play::one(table, case) {
            Ok(()) => passing.push(name),
            Err(faults) => println!("{name} waits for {}\n  {}", case.waits.as_deref().unwrap_or_default(), faults.join("\n  ")),
        }
    }

    assert_eq!(passing, Vec::<String>::new(), "these pass: take `waits` out of their tables");
}
