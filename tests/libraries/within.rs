//! The same as `vendors`, where the library runs in an agent in JavaScript: whole and unmodified below the host, with the manifest as people copy
//! it. What it signs with placeholders arrives signed with the real key, and what the manifest is not for is denied.

use crate::agents;
use crate::table::Language;
use crate::vendor::{self, Vendor};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use strongroom_tests::AgentFixture;

/// An engine of JavaScript wants more than a guest in Rust.
const LIMITS: &str = "[limits]\nmemory = \"512MiB\"\ncpu = \"120s\"\n";

/// One test for each table that names an agent.
macro_rules! within {
    ($($(#[$attribute:meta])* $test:ident: $vendor:literal,)*) => {
        const WITHIN: &[&str] = &[$($vendor),*];
        $($(#[$attribute])* #[test]
        fn $test() {
            within($vendor);
        })*
    };
}

within! {
    an_agent_trades_at_binance: "binance",
    #[ignore = "long form"]
    an_agent_works_with_openai: "openai",
    #[ignore = "long form"]
    an_agent_works_with_anthropic: "anthropic",
    #[ignore = "long form"]
    an_agent_works_with_github: "github",
    #[ignore = "long form"]
    an_agent_works_with_github_app: "github-app",
    #[ignore = "long form"]
    an_agent_works_with_stripe: "stripe",
    #[ignore = "long form"]
    an_agent_works_with_telegram: "telegram",
    #[ignore = "long form"]
    an_agent_works_with_slack: "slack",
    #[ignore = "long form"]
    an_agent_works_with_s3: "s3",
    #[ignore = "long form"]
    an_agent_trades_at_bybit: "bybit",
    #[ignore = "long form"]
    an_agent_trades_at_kraken: "kraken",
    #[ignore = "long form"]
    an_agent_trades_at_okx: "okx",
    #[ignore = "long form"]
    an_agent_trades_at_coinbase: "coinbase",
}

#[test]
fn every_library_that_an_agent_has_is_tried_in_it() {
    let tables = vendor::names(&vendor::directory()).into_iter().filter(|name| Vendor::read(name).agent.is_some());

    assert_eq!(tables.collect::<BTreeSet<_>>(), WITHIN.iter().map(|&name| name.to_owned()).collect());
}

/// Has the agent make its calls; what arrives is what the table has, and no more.
fn within(name: &str) {
    let vendor = Arc::new(Vendor::read(name));
    let [agent, calls] = vendor.agent.clone().unwrap();
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

    let ran = vendor.with_values(fixture).run(&[&agent, &calls]);

    assert_eq!(vendor.arrived(&ran, &BTreeMap::new()), Vec::<String>::new(), "{}", ran.stdout);
    assert_eq!(ran.denied(), vendor.denied(), "{:?}", ran.records("denial"));
}
