//! What a handler sees of its caller, and what its caller gets of it.

use super::{BEARER, House, KEY, Plan, Reply, TOKEN, masked};
use std::io::{BufRead, BufReader, Write};

#[test]
fn the_handler_sees_the_request_and_not_what_proved_who_calls() {
    let house = House::with(&[("bot", BEARER, "")], Plan { inspects: true, ..Plan::default() });

    let request = house
        .by_bearer("/bot?seen&body")
        .header("x-order", "7")
        .header("proxy-authorization", "Basic eDp5")
        .header("cookie", "session=1")
        .body("hello");
    let reply = house.call(request);

    assert_eq!(reply.status, 200, "{reply:?}");
    let lines: Vec<&str> = reply.body.lines().collect();
    assert_eq!(lines[0], format!("POST Some(Scheme::Http) {} /bot?seen&body", house.address));
    assert!(lines.contains(&"x-order: 7") && reply.body.ends_with("hello"), "{}", reply.body);
    assert!(!reply.body.contains("authorization") && !reply.body.contains(TOKEN), "{}", reply.body);
    assert!(!reply.body.contains("cookie"), "another agent's: {}", reply.body);
    let ended = house.wait_for("run-end", 1);
    assert_eq!(ended[0]["outcome"], "exit 0");
    let called = &house.records("called")[0];
    assert_eq!((&called["method"], &called["path"], &called["by"]), (&"POST".into(), &"/bot".into(), &"bearer".into()));
    assert_eq!(called["caller"].as_str().unwrap().len(), 8, "a fingerprint");
    assert!(called["from"].as_str().unwrap().starts_with("127.0.0.1:"));
    let responded = &house.records("responded")[0];
    assert_eq!((&responded["status"], &responded["received"], &responded["sent"]), (&200.into(), &5.into(), &reply.body.len().into()));
    let memories = house.memories.lock().unwrap();
    let holds = |value: &str| memories.iter().any(|memory| memory.windows(value.len()).any(|window| window == value.as_bytes()));
    assert!(!memories.is_empty() && holds("x-order") && !holds(TOKEN));
}

#[test]
fn a_request_that_brings_a_value_of_the_agent_s_reaches_it_without() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("agents")).unwrap();
    let below = super::manifest(&("below", BEARER, "")).replace("\"/below\"", "\"/below/**\"");
    std::fs::write(dir.path().join("agents/below.toml"), below).unwrap();
    let house = House::in_directory(dir, &[("bot", BEARER, "")], Plan { inspects: true, ..Plan::default() });

    let request =
        house.by_bearer("/bot?seen&body").header("x-copy", KEY).header("x-token", TOKEN).body(format!("it is {KEY}, and {TOKEN}."));
    let reply = house.call(request);
    let in_target = house.call(house.by_bearer(&format!("/bot?seen&key={KEY}")).body(""));

    assert!(reply.status == 200 && reply.body.contains("x-copy: ") && reply.body.contains("it is "), "{reply:?}");
    assert!(!reply.body.contains(KEY) && !reply.body.contains(TOKEN), "{}", reply.body);
    let in_path = house.call(house.by_bearer(&format!("/below/{KEY}")).body(""));
    assert_eq!((in_target.status, in_target.body.as_str()), (400, ""));
    assert_eq!((in_path.status, in_path.body.as_str()), (400, ""));
    house.wait_for("run-end", 3);
    assert!(house.records("called").iter().all(|record| !record.to_string().contains(KEY)));
    let memories = house.memories.lock().unwrap();
    assert!(
        !memories
            .iter()
            .any(|memory| memory.windows(KEY.len()).any(|window| window == KEY.as_bytes() || window.starts_with(TOKEN.as_bytes())))
    );
}

#[test]
fn a_body_in_a_coding_that_is_not_searched_is_refused() {
    let house = House::new(&[("bot", BEARER, "")]);

    for (coding, expected) in [("chunked", 200), ("gzip, chunked", 400), ("Chunked", 200)] {
        let mut bytes = house.by_bearer("/bot").header("transfer-encoding", coding).whole();
        bytes.extend(b"0\r\n\r\n");
        assert_eq!(house.send(&bytes).status, expected, "{coding}");
    }
}

#[test]
fn an_agent_that_takes_another_s_path_leaves_nobody_in_doubt() {
    let house = House::new(&[("bot", BEARER, "")]);
    let write = |name: &str, text: &str| std::fs::write(house.dir.path().join("agents").join(name), text).unwrap();
    assert_eq!(house.call(house.by_bearer("/bot").body("")).status, 200);

    // The one goes on by what it was, since what it is now can't be read; the other has its path.
    write("bot.toml", "name = \"bot\"");
    write("other.toml", &super::manifest(&("other", "public = true", "")).replace("\"/other\"", "\"/bot\""));
    let reloaded = house.runtime.block_on(house.supervisor.reload()).unwrap();

    let told: Vec<&str> = reloaded.refused.iter().map(|refused| refused.why.as_str()).collect();
    assert_eq!(told.iter().filter(|why| why.contains("the path `/bot` is that of")).count(), 2, "{told:?}");
    assert_eq!(house.call(house.by_bearer("/bot").body("")).status, 404);
}

#[test]
fn a_handler_can_t_hand_on_what_the_host_keeps() {
    let house = House::new(&[("bot", BEARER, "")]);
    let (token, key) = (masked(TOKEN), masked(KEY));

    for (target, expected) in [
        (format!("/bot?say={}&say={token}", masked("<")), "<[redacted:TOKEN]"),
        // In two pieces, wherever the cut is.
        (format!("/bot?say={}&say={}", &token[..2], &token[2..]), "[redacted:TOKEN]"),
        (format!("/bot?say={}&say={}&say={}", &token[..20], &token[20..40], &token[40..]), "[redacted:TOKEN]"),
        (format!("/bot?say={}", masked("Y2FsbGVyLXRva2VuLTAxMjM0NTY3ODlhYmNkZWZnaGlq")), "[redacted:TOKEN]"),
    ] {
        let reply = house.call(house.by_bearer(&target).body(""));
        assert_eq!((reply.status, reply.body.as_str(), reply.whole), (200, expected, true), "{target}");
    }
    let reply =
        house.call(house.by_bearer(&format!("/bot?header=x-echo:{token}&header=x-key:{key}&header=x-plain:{}", masked("yes"))).body(""));
    assert!(reply.head.contains("x-echo: [redacted:token]") && reply.head.contains("x-plain: yes"), "{}", reply.head);
    assert!(!reply.head.contains(KEY) && !reply.head.contains(TOKEN), "{}", reply.head);
    let reply = house.call(house.by_bearer(&format!("/bot?say={key}")).body(""));
    assert!(reply.body.starts_with("sr_") && !reply.body.contains(KEY), "the placeholder: {}", reply.body);
    let redacted: u64 = house.wait_for("responded", 6).iter().map(|record| record["redacted"].as_u64().unwrap()).sum();
    assert!(redacted >= 7, "{redacted}");
}

#[test]
fn headers_that_hold_beyond_the_exchange_are_withheld_unless_the_manifest_says_so() {
    let open = format!("{BEARER}\nset_cookie = true\nlocation = [\"app.example.com\"]");
    let house = House::new(&[("bot", BEARER, ""), ("open", &open, "")]);
    let sent = |name: &str, header: &str, value: &str| {
        let reply = house.call(house.by_bearer(&format!("/{name}?status=303&header={header}:{}", masked(value))).body(""));
        assert_eq!(reply.status, 303);
        reply.head.contains(&format!("\r\n{header}: "))
    };

    assert!(!sent("bot", "set-cookie", "session=1") && sent("open", "set-cookie", "session=1"));
    assert!(!sent("bot", "location", "https://app.example.com/") && sent("open", "location", "https://app.example.com/"));
    assert!(!sent("open", "location", "https://evil.example/") && !sent("open", "location", "//evil.example/"));
    assert!(sent("bot", "location", "/done") && sent("bot", "x-anything", "1"));
    for header in ["alt-svc", "strict-transport-security", "clear-site-data", "refresh", "strongroom-denial", "trailer"] {
        assert!(!sent("open", header, "1"), "{header}");
    }
    let withheld: Vec<String> = house.wait_for("responded", 14).iter().map(|record| record["withheld"].to_string()).collect();
    assert!(withheld.contains(&"[\"set-cookie\"]".to_owned()) && withheld.contains(&"[\"location\"]".to_owned()), "{withheld:?}");
}

#[test]
fn a_handler_that_fails_is_told_of_without_its_words() {
    let limits = "[limits]\ncpu = \"500ms\"\nwall = \"1h\"";
    let house = House::new(&[("bot", BEARER, limits), ("brief", BEARER, "[limits]\nwall = \"1s\"\ncpu = \"1h\"\n")]);

    for (target, status, outcome) in [
        ("/bot?stop", 500, "trap: "),
        ("/bot?leave", 500, "exit 1"),
        ("/bot?spin", 500, "limit: cpu"),
        ("/brief?spin", 504, "limit: wall"),
        ("/bot?error", 502, "exit 1"),
        ("/bot?status=101", 502, "exit 1"),
        (&format!("/bot?header=content-encoding:{}&say=00", masked("gzip")), 502, "exit 1"),
    ] {
        let before = house.records("run-end").len();
        let reply = house.call(house.by_bearer(target).body(""));
        assert_eq!((reply.status, reply.body.as_str()), (status, ""), "{target}");
        let ended = house.wait_for("run-end", before + 1);
        assert!(ended[before]["outcome"].as_str().unwrap().starts_with(outcome), "{target}: {}", ended[before]);
    }
    assert!(house.records("responded").iter().all(|record| record["error"].is_string()));
}

#[test]
fn a_response_that_ends_with_its_run_is_no_whole_one() {
    let house = House::new(&[("bot", BEARER, "")]);
    let long = "a line of text that is long enough to leave\n".repeat(40);

    let broken = house.call(house.by_bearer(&format!("/bot?say={}&stop", masked(&long))).body(""));
    let whole = house.call(house.by_bearer(&format!("/bot?say={}", masked(&long))).body(""));

    // Its head may not have left either.
    assert!(!broken.whole && [0, 200].contains(&broken.status), "{broken:?}");
    assert!(whole.whole && whole.body == long);
    // The record of the one may come after that of the other.
    let responded = house.wait_for("responded", 2);
    assert_eq!(responded.iter().filter(|record| record["error"] == "the run ended before its response did").count(), 1);
}

#[test]
fn a_caller_that_leaves_ends_the_run() {
    let house = House::new(&[("bot", BEARER, "[limits]\nwall = \"60s\"\ncpu = \"1h\"\n")]);

    // Before there is a response.
    let mut stream = house.connect();
    stream.write_all(&house.by_bearer("/bot?spin").body("").whole()).unwrap();
    house.wait_for("called", 1);
    drop(stream);
    let ended = house.wait_for("run-end", 1);
    assert_eq!(ended[0]["outcome"], "interrupted: the caller has left");

    // In the middle of one.
    let mut stream = house.connect();
    stream.write_all(&house.by_bearer(&format!("/bot?say={}&spin", masked(&"line\n".repeat(100)))).body("").whole()).unwrap();
    let mut head = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut head).unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\n");
    drop(stream);
    let ended = house.wait_for("run-end", 2);
    assert_eq!(ended[1]["outcome"], "interrupted: the caller has left");
}

#[test]
fn what_a_caller_sends_and_gets_counts_towards_the_limits() {
    let house = House::new(&[("bot", &format!("{BEARER}\nbody = \"1KiB\""), "[limits]\nsent = \"10KiB\"\n")]);
    let chunked = |body: &str| {
        let head = house.by_bearer("/bot?body").header("transfer-encoding", "chunked").whole();
        house.send(&[&head[..], format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes()].concat())
    };

    assert_eq!(chunked(&"x".repeat(1_024)).body.len(), 1_024);
    assert_eq!(chunked(&"x".repeat(1_025)).body, "[broken]");
    assert_eq!(house.call(house.by_bearer("/bot?body").body("x".repeat(1_025))).status, 413);
    let reply: Reply = house.call(house.by_bearer(&format!("/bot?{}", format!("&say={}", masked(&"y".repeat(1_000))).repeat(3))).body(""));
    assert!(reply.whole && reply.body.len() == 3_000);
    let large = format!("say={}", masked(&"y".repeat(3_000)));
    let reply = house.call(house.by_bearer(&format!("/bot?{large}")).header("x-unused", "1").body(""));
    assert_eq!(reply.body.len(), 3_000);
    assert!(house.records("responded").iter().any(|record| record["error"] == "the request's body is longer than `trigger.body`"));
}
