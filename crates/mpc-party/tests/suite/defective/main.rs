//! A party with a planted defect, which no release has: it is all of `src` but for one module, `presignature`. The kill test must find it out.

#![allow(dead_code, missing_docs, reason = "a program that is made of a library's modules needs less of them")]

#[path = "../../../src/agree.rs"]
mod agree;
#[path = "../../../src/ceremony.rs"]
mod ceremony;
#[path = "../../../src/config.rs"]
mod config;
#[path = "../../../src/judge.rs"]
mod judge;
#[path = "../../../src/ledger/mod.rs"]
mod ledger;
#[path = "../../../src/party.rs"]
mod party;
#[path = "../../../src/peers.rs"]
mod peers;
mod presignature;
#[path = "../../../src/rounds.rs"]
mod rounds;
#[path = "../../../src/runs.rs"]
mod runs;
#[path = "../../../src/sealed.rs"]
mod sealed;
#[path = "../../../src/serve.rs"]
mod serve;
#[path = "../../../src/shares.rs"]
mod shares;
#[path = "../../../src/signing.rs"]
mod signing;
#[path = "../../../src/supply.rs"]
mod supply;
#[path = "../../../src/trio.rs"]
mod trio;
#[path = "../../../src/unlock.rs"]
mod unlock;

use std::path::PathBuf;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let config = config::Config::read(&configuration())?;
    let listen = config.listen;
    party::Party::open(config)?.serve(listen).await
}

/// What stands last of `run --config FILE`.
fn configuration() -> PathBuf {
    std::env::args_os().next_back().expect("a configuration").into()
}
