//! Somebody sets the clock of a host that serves, forward and back.

use super::super::http::signed;
use super::super::process::Agents;
use super::{SECRET, hook, status};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use strongroom_tests::services::faketime;

const DAY: i64 = 86_400;

#[test]
fn a_clock_that_is_set_begins_each_run_once_and_takes_no_message_twice() {
    let agents = Agents::new().apart();
    agents.write("ticks", &["print tick"], "[trigger]\nevery = \"100ms\"\n");
    agents.write("daily", &["print due"], "[trigger]\ncron = \"0 0 * * *\"\nmissed = \"run once\"\n");
    hook(&agents, "webhook = \"stripe\", secret = \"SECRET\"");
    // The clock that the host reads is this far from the machine's.
    let offset = |seconds: i64| {
        let new = agents.path("offset.new");
        fs::write(&new, format!("{seconds:+}")).unwrap();
        fs::rename(new, agents.path("offset")).unwrap();
    };
    offset(0);
    let (library, file) = (faketime(), agents.path("offset"));
    let mut served = agents.serve_in(
        &["--listen", "0"],
        &[
            ("SECRET", SECRET),
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ],
    );
    let address = served.address();
    let send = |of: i64| {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        (now + of, delivered(&address, now + of))
    };
    let again = |at: i64| delivered(&address, at);
    served.wait_for(&["ticks ", "| tick"]);
    let (first, status) = send(0);
    assert_eq!((status, again(first)), (200, 401), "a message counts once");

    // Ten days on: what was due each day meanwhile comes once, what comes every 100 ms goes on, and yesterday's messages are too old.
    offset(10 * DAY);
    served.wait_for(&["daily ", "| due"]);
    served.wait_for_another(&["ticks ", "| tick"]);
    assert_eq!([send(0).1, send(10 * DAY).1], [401, 200]);

    // And back: nothing stands still until the old time is reached, and what has come once doesn't come again.
    offset(0);
    (0..5).for_each(|_| drop(served.wait_for_another(&["ticks ", "| tick"])));
    assert_eq!([again(first), send(10 * DAY).1], [401, 401], "neither again, nor from a time to come");
    let mut later = send(1);
    while later.1 != 200 {
        // Its second may be the first one's.
        std::thread::sleep(Duration::from_secs(1));
        later = send(1);
    }

    let (code, said) = served.terminate();
    assert_eq!(code, Some(0));
    let due = said.iter().filter(|line| line.starts_with("daily ") && line.ends_with("| due")).count();
    assert_eq!(due, 1, "not once for each of ten days, and not again");
}

fn delivered(address: &str, at: i64) -> u16 {
    let body = "{\"id\":\"evt_1\"}";
    let tag = signed(SECRET, &[format!("{at}.").as_bytes(), body.as_bytes()]);
    status(address, &format!("/hook?body HTTP/1.1\r\nstripe-signature: t={at},v1={tag}\r\n"), body)
}
