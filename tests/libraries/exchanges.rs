//! Exchanges as ccxt speaks to them in an agent in JavaScript, unmodified, under the manifests of `examples/apis`: what it signs with placeholders
//! arrives signed with the real key, and a withdrawal is denied.

use crate::agents;
use crate::table::Language;
use crate::vendor::Vendor;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use strongroom_tests::AgentFixture;

/// An engine of JavaScript wants more than a guest in Rust.
const LIMITS: &str = "[limits]\nmemory = \"512MiB\"\ncpu = \"120s\"\n";

#[test]
fn an_agent_trades_at_binance() {
    trades("binance");
}

#[test]
#[ignore = "long form"]
fn an_agent_trades_at_bybit() {
    trades("bybit");
}

#[test]
#[ignore = "long form"]
fn an_agent_trades_at_kraken() {
    trades("kraken");
}

#[test]
#[ignore = "long form"]
fn an_agent_trades_at_okx() {
    trades("okx");
}

#[test]
#[ignore = "long form"]
fn an_agent_trades_at_coinbase() {
    trades("coinbase");
}

/// Runs the agent's function of this name; what arrives is what the table of the same name has, and no more.
fn trades(name: &str) {
    let vendor = Arc::new(Vendor::read(name));
    let (played, came, hosts) = (Arc::clone(&vendor), Mutex::new(Vec::new()), vendor.hosts());
    let component = agents::component_of(Language::Javascript);
    let _first = agents::first(&component);
    let fixture = AgentFixture::of(format!("{}\n{LIMITS}", vendor.manifest()))
        .component(component)
        .names(hosts.iter().map(String::as_str))
        .server(move |seen| {
            let mut came = came.lock().unwrap();
            let line = played.line(seen, &BTreeMap::new());
            let answer = played.answer(&line, &came);
            came.push(line);
            answer
        });

    let ran = vendor.with_values(fixture).run(&["ccxt", name]);

    assert_eq!(vendor.arrived(&ran, &BTreeMap::new()), Vec::<String>::new(), "{}", ran.stdout);
    assert_eq!(ran.denied(), vendor.denied(), "{:?}", ran.records("denial"));
}
