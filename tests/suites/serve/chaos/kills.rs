//! Hosts that are killed under load. A hundred times: `STRONGROOM_KILLS=100 cargo test --workspace --test suites chaos::kills`.

use super::super::http::signed;
use super::super::process::Agents;
use super::{SECRET, hook, number, status};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use strongroom_tests::fixtures::wallet::KEY;

const VARIABLES: [(&str, &str); 2] = [("SECRET", SECRET), ("WALLET", KEY)];
const FRIEND: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// What may be signed for in all: less than a few lives of the host come to.
const LIMIT: u64 = 150;
/// Signatures that each life asks for, and the last one, for which that is too many in any case.
const ASKED: u64 = 40;
const ASKED_LAST: u64 = 2 * LIMIT;
const SENDERS: usize = 4;

/// What is delivered: the next message, and those whose delivery broke off, with how often.
#[derive(Default)]
struct Deliveries {
    next: u64,
    again: Vec<u64>,
    /// What became of each that has ended: 200, or 401 where an earlier try had begun its run.
    ended: BTreeMap<u64, u16>,
}

#[test]
fn a_host_that_is_killed_under_load_does_nothing_twice_that_must_be_once() {
    let kills = number("STRONGROOM_KILLS", 6);
    let agents = Agents::new().configured("[signing]\nledger = \"ledger\"\n");
    hook(&agents, "webhook = \"github\", secret = \"SECRET\"");
    agents.write(
        "counts",
        &["count sum"],
        "restart = \"always\"\nbackoff = { from = \"100ms\", to = \"100ms\" }\n[limits]\noutput = \"1GiB\"\n[state]\n",
    );
    pays(&agents, 0, ASKED);
    agents.ask(&["limits", "confirm", "agents/pays.toml"], &VARIABLES);

    let (deliveries, mut said, mut slowest) = (Mutex::new(Deliveries::default()), Vec::new(), Duration::ZERO);
    for kill in 0..kills {
        pays(&agents, kill + 1, ASKED);
        let began = Instant::now();
        let mut served = agents.serve_in(&["--listen", "0"], &VARIABLES);
        let address = served.address();
        slowest = slowest.max(began.elapsed());
        said.extend(thread::scope(|scope| {
            (0..SENDERS).for_each(|_| drop(scope.spawn(|| deliver(&address, &deliveries))));
            // After so many lines, wherever each of its agents is then.
            (0..100 + kill * 37 % 200).for_each(|_| served.next_line());
            served.kill()
        }));
    }
    eprintln!("{kills} kills; the slowest host listened after {slowest:?}");

    // What broke off comes once more, to a host that stays.
    pays(&agents, kills + 1, ASKED_LAST);
    let mut served = agents.serve_in(&["--listen", "0"], &VARIABLES);
    let address = served.address();
    let left = std::mem::take(&mut deliveries.lock().unwrap().again);
    left.into_iter().for_each(|message| assert!(matches!(delivered(&address, message), 200 | 401), "message {message}"));
    served.wait_for(&["pays ", "| sign denied by rule `spend`"]);
    said.extend(served.terminate().1);

    let texts = |agent: &str| {
        said.iter().filter_map(|line| line.strip_prefix(agent)?.split_once(" | ").map(|(_, text)| text.to_owned())).collect::<Vec<_>>()
    };
    let mut messages = texts("hook ");
    let (all, _) = (messages.len(), messages.sort());
    messages.dedup();
    assert!(all as u64 > kills && messages.len() == all, "no message begins two runs: {all} runs, {} messages", messages.len());
    let ended = &deliveries.lock().unwrap().ended;
    assert!(ended.values().filter(|status| **status == 200).count() as u64 > kills, "{ended:?}");

    let sums: Vec<u64> = texts("counts ").iter().filter_map(|text| text.strip_prefix("counted ")?.parse().ok()).collect();
    assert!(sums.len() as u64 > kills && sums.is_sorted_by(|before, after| before < after), "no sum is given twice");

    let signatures =
        texts("pays ").iter().filter(|text| text.starts_with("sign ") && text.len() > 100 && !text.contains("denied")).count() as u64;
    assert!((LIMIT / 2..=LIMIT).contains(&signatures), "{signatures} signatures of {LIMIT}");
    agents.ask(&["audit", "show", "--event", "run-end"], &[]);
}

/// The agent that signs, with nonces that no other life has had.
fn pays(agents: &Agents, life: u64, asked: u64) {
    let operation =
        format!("sign-each {} {asked} wallet fields chain:1 nonce:NONCE to:{FRIEND} value:1 max:0 priority:0", 1_000_000 * (life + 1));
    let tables = format!(
        "[signers.wallet]\nfrom = \"env:WALLET\"\n\
         rate = \"1000000/s\"\nchains = [1]\nrecipients = [\"{FRIEND}\"]\n[[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\ntotal = \"0.{LIMIT:018}\"\n"
    );
    agents.write("pays", &[&operation], &tables);
}

/// Delivers messages, one after the other, until nobody is there.
fn deliver(address: &str, deliveries: &Mutex<Deliveries>) {
    loop {
        let message = {
            let mut all = deliveries.lock().unwrap();
            let again = all.again.pop();
            again.unwrap_or_else(|| {
                all.next += 1;
                all.next
            })
        };
        let status = delivered(address, message);
        let mut all = deliveries.lock().unwrap();
        if !matches!(status, 200 | 401) {
            all.again.push(message);
            return;
        }
        all.ended.insert(message, status);
    }
}

fn delivered(address: &str, message: u64) -> u16 {
    let body = format!("{{\"message\":{message}}}");
    let tag = signed(SECRET, &[body.as_bytes()]);
    let head = format!(
        "/hook?print=message-{message} HTTP/1.1\r\nx-hub-signature-256: sha256={tag}\r\nx-github-delivery: {message}\r\nx-github-event: push\r\n"
    );
    status(address, &head, &body)
}
