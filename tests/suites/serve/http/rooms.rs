//! A run for each caller, and how many of them there are at once.

use super::{BEARER, House, Reply, masked};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// A caller whose request is not whole, so that its run waits.
struct Held(TcpStream);

impl Held {
    fn new(house: &House, target: &str) -> Self {
        let before = house.records("called").len();
        let mut stream = house.connect();
        stream.write_all(&house.by_bearer(target).header("content-length", "2").whole()).unwrap();
        house.wait_for("called", before + 1);
        Self(stream)
    }

    fn finish(mut self) -> Reply {
        self.0.write_all(b"ok").unwrap();
        Reply::read(self.0)
    }
}

#[test]
fn two_callers_at_once_have_two_instances() {
    let house = House::new(&[("bot", BEARER, "")]);

    let talk = format!("/bot?open=KEY&say={0}&count&say={0}&body", masked(" "));
    let held = Held::new(&house, &talk);
    let other = house.call(house.by_bearer(&talk).body("ok"));
    let first = held.finish();

    let words = |reply: &Reply| reply.body.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (first, other) = (words(&first), words(&other));
    assert!(first[0].starts_with("sr_") && other[0].starts_with("sr_") && first[0] != other[0], "{first:?} {other:?}");
    assert_eq!((&first[1..], &other[1..]), (&["1".to_owned(), "ok".to_owned()][..], &["1".to_owned(), "ok".to_owned()][..]));
    assert_eq!(house.wait_for("run-end", 2).len(), 2);
}

#[test]
fn a_caller_that_finds_no_room_is_told_to_come_again_and_no_run_begins() {
    let trigger = format!("{BEARER}\nrate = \"2/h\"");
    let house = House::new(&[("bot", &trigger, "[run]\nconcurrency = 1\n")]);
    let held = Held::new(&house, "/bot?body");

    let refused = house.call(house.by_bearer("/bot?body").body("ok"));

    assert!(refused.status == 503 && refused.head.contains("retry-after: 1"), "{refused:?}");
    assert_eq!(house.records("called").len(), 1);
    assert_eq!(house.records("caller-refused")[0]["reason"], "there is no room for a run");
    assert_eq!(held.finish().body, "ok");
    house.wait_for("run-end", 1);
    // Its place is free a moment after the record of its end.
    let mut status = 503;
    while status == 503 {
        status = house.call(house.by_bearer("/bot?body").body("ok")).status;
    }
    assert_eq!(status, 200, "what has begun no run counts for none");
    assert_eq!(house.call(house.by_bearer("/bot?body").body("ok")).status, 429);
}

#[test]
fn callers_that_come_at_once_have_room_as_long_as_there_is_some() {
    const CALLERS: usize = 16;
    let house = House::new(&[("bot", BEARER, &format!("[run]\nconcurrency = {CALLERS}\n"))]);
    let together = std::sync::Barrier::new(CALLERS);

    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let call = || {
            let request = house.by_bearer("/bot?body").body("ok");
            together.wait();
            house.call(request).status
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });

    assert_eq!(statuses, [200; CALLERS]);
}

#[test]
fn an_agent_is_called_as_often_as_its_manifest_says() {
    let trigger = format!("{BEARER}\nrate = \"2/h\"");
    let house = House::new(&[("bot", &trigger, "")]);
    // Whoever proves nothing uses nothing up.
    (0..3).for_each(|_| assert_eq!(house.call(house.request("POST", "/bot").body("")).status, 401));

    let called = [0; 3].map(|_| house.call(house.by_bearer("/bot").body("")));

    assert_eq!([called[0].status, called[1].status, called[2].status], [200, 200, 429]);
    assert!(called[2].head.contains("retry-after: 1"), "{}", called[2].head);
    assert_eq!(house.records("called").len(), 2);
    assert_eq!(house.records("caller-refused").last().unwrap()["reason"], "it was called as often as `trigger.rate` allows");
}

#[test]
fn callers_wait_in_turn_where_the_manifest_says_so() {
    let house = House::new(&[("bot", BEARER, "[run]\nconcurrency = 1\noverlap = \"queue\"\nqueue = 1\n")]);
    let held = Held::new(&house, "/bot?body");
    let mut waiting = house.connect();
    waiting.write_all(&house.by_bearer("/bot?body").body("next").whole()).unwrap();
    let status = || house.supervisor.status().into_iter().next().unwrap();
    while status().queued == 0 {
        std::thread::yield_now();
    }

    assert_eq!(house.call(house.by_bearer("/bot?body").body("one too many")).status, 503);
    assert_eq!(house.records("called").len(), 1);
    held.finish();

    assert_eq!(Reply::read(waiting).body, "next");
}

#[test]
fn a_host_that_drains_answers_what_has_begun_and_nothing_else() {
    let house = House::new(&[("bot", BEARER, "")]);
    let held = Held::new(&house, "/bot?body");
    let mut idle = house.connect();
    idle.write_all(&house.by_bearer("/bot?body").body("ok").whole()).unwrap();
    assert_eq!(Reply::read(idle).status, 200);

    let supervisor = house.supervisor.clone();
    let draining = house.runtime.spawn(async move { supervisor.drain(std::time::Duration::from_secs(3_600)).await });
    while house.supervisor.status()[0].state != strongroom::serve::AgentState::Draining {
        std::thread::yield_now();
    }
    assert_eq!(held.finish().body, "ok");
    let drained = house.runtime.block_on(draining).unwrap();

    // Whether the end of the first was heard of before is nobody's concern.
    assert!(drained.ended >= 1 && drained.interrupted == 0, "{drained:?}");
    let mut late = TcpStream::connect(house.address).map(BufReader::new);
    assert!(late.as_mut().map_or(true, |late| late.read_line(&mut String::new()).map_or(true, |read| read == 0)), "nobody listens");
}
