//! Services that sign what they send: each message begins one run.

use super::{House, Plan, SIGNING};
use hmac::{Hmac, Mac};
use std::time::{SystemTime, UNIX_EPOCH};

/// The signature of these pieces, in hexadecimal digits.
pub(in super::super) fn signed(key: &str, pieces: &[&[u8]]) -> String {
    let mut mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(key.as_bytes()).unwrap();
    pieces.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn webhook(of: &str) -> String {
    format!("auth = {{ webhook = \"{of}\", secret = \"SIGNING\" }}")
}

#[test]
fn a_message_begins_one_run_by_whichever_signature_or_name_it_comes() {
    let house = House::new(&[("stripe", &webhook("stripe"), ""), ("github", &webhook("github"), ""), ("slack", &webhook("slack"), "")]);
    let (body, at) = (b"{\"id\":\"evt_1\"}".as_slice(), now());
    let (before, other) = (format!("{at}."), "f".repeat(64));
    let tag = signed(SIGNING, &[before.as_bytes(), body]);
    let stripe = |header: String| house.call(house.request("POST", "/stripe?seen&body").header("stripe-signature", &header).body(body));

    // While Stripe's secret is replaced there are two signatures.
    let taken = stripe(format!("t={at},v1={other},v1={tag},v0={other}"));
    assert!(taken.status == 200 && taken.body.ends_with("{\"id\":\"evt_1\"}"), "{taken:?}");
    assert!(!taken.body.contains("signature") && !taken.body.contains(&tag), "what proved it is not seen: {}", taken.body);
    assert_eq!([stripe(format!("t={at},v1={tag}")).status, stripe(format!("v1={tag},t={at},v0={other}")).status], [401, 401]);

    let github = |delivery: &str, body: &str| {
        let hub = format!("sha256={}", signed(SIGNING, &[body.as_bytes()]));
        let request = house.request("POST", "/github?seen").header("x-hub-signature-256", &hub).header("x-github-delivery", delivery);
        house.call(request.header("x-github-event", "push").body(body))
    };
    let taken = github("72d3162e-cc78-11e3-81ab-4c9367dc0958", "{\"ref\":1}");
    assert!(taken.status == 200 && taken.body.contains("x-github-event: push") && !taken.body.contains("sha256="), "{taken:?}");
    assert_eq!(github("72d3162e-cc78-11e3-81ab-4c9367dc0958", "{\"ref\":2}").status, 401, "its name has come before");
    assert_eq!(github("00000000-cc78-11e3-81ab-4c9367dc0958", "{\"ref\":1}").status, 401, "nothing signs its name");
    assert_eq!(github("00000000-cc78-11e3-81ab-4c9367dc0958", "{\"ref\":3}").status, 200, "and it is not used up by that");

    let slack = |at: u64| {
        let tag = format!("v0={}", signed(SIGNING, &[format!("v0:{at}:").as_bytes(), b"token=x"]));
        let request = house.request("POST", "/slack?seen&body").header("x-slack-signature", &tag);
        house.call(request.header("x-slack-request-timestamp", &at.to_string()).body("token=x"))
    };
    assert_eq!([slack(at).status, slack(at).status, slack(at - 1).status], [200, 401, 200]);

    let by: Vec<String> = house.wait_for("called", 5).iter().map(|record| record["by"].as_str().unwrap().to_owned()).collect();
    assert_eq!(by, ["stripe", "github", "github", "slack", "slack"]);
    let again = house.records("caller-refused");
    assert!(again.len() == 5 && again.iter().all(|record| record["reason"] == "the message has begun a run before"));
}

#[test]
fn the_next_host_knows_which_messages_have_begun_runs() {
    let state = tempfile::tempdir().unwrap();
    let agents = [("stripe", webhook("stripe"))];
    let agents: Vec<_> = agents.iter().map(|(name, trigger)| (*name, trigger.as_str(), "")).collect();
    let plan = || Plan { state: Some(state.path().join("state")), ..Plan::default() };
    let at = now();
    let header = format!("t={at},v1={}", signed(SIGNING, &[format!("{at}.").as_bytes(), b"{}"]));
    let send = |house: &House| house.call(house.request("POST", "/stripe").header("stripe-signature", &header).body("{}")).status;

    let house = House::with(&agents, plan());
    assert_eq!(send(&house), 200);
    let dir = house.end();
    let next = House::in_directory(dir, &agents, plan());

    assert_eq!(send(&next), 401);
}

#[test]
fn a_message_that_finds_no_room_may_come_again() {
    let trigger = webhook("stripe");
    let house = House::new(&[("stripe", &trigger, "[run]\nconcurrency = 1\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\n")]);
    let header = |at: u64| format!("t={at},v1={}", signed(SIGNING, &[format!("{at}.").as_bytes(), b"{}"]));
    let at = now();
    let send = |at: u64, query: &str| house.request("POST", &format!("/stripe?{query}")).header("stripe-signature", &header(at)).body("{}");
    let mut spinning = house.connect();
    std::io::Write::write_all(&mut spinning, &send(at - 1, "spin").whole()).unwrap();
    house.wait_for("called", 1);

    assert_eq!(house.call(send(at, "body")).status, 503);
    drop(spinning);
    house.wait_for("run-end", 1);

    let mut status = 503;
    while status == 503 {
        // Its place is free a moment after the record of its end.
        status = house.call(send(at, "body")).status;
    }
    assert_eq!(status, 200);
}
