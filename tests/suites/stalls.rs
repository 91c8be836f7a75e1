//! A server that echoes what it was sent a byte at a time, and stalls behind each: what an agent gets by that of a value, and when.

use super::network::Fixed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use strongroom_tests::corpus::Numbers;
use strongroom_tests::{AgentFixture, Ran};

/// Longer than the silence in which an answer is let go.
const STALL: Duration = Duration::from_millis(300);
/// As long as a part of a value may be that an agent sees.
const PART: usize = 8;

type Form = (&'static str, fn(&[u8]) -> String);

const FORMS: [Form; 5] = [
    ("raw", |value| String::from_utf8_lossy(value).into_owned()),
    ("base64", |value| STANDARD.encode(value)),
    ("hex", |value| each(value, |byte| format!("{byte:02x}"))),
    ("percent", |value| each(value, |byte| format!("%{byte:02X}"))),
    ("JSON", |value| each(value, |byte| format!("\\u{byte:04x}"))),
];

fn each(value: &[u8], form: fn(u8) -> String) -> String {
    value.iter().map(|byte| form(*byte)).collect()
}

/// Answers one request with this event, and stalls behind each byte of it.
fn stall(mut stream: TcpStream, event: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for byte in event {
        stream.write_all(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n'])?;
        // What is tried: a silence that the host takes for the end of what comes.
        thread::sleep(STALL);
    }
    stream.write_all(b"0\r\n\r\n")
}

/// An agent that was told its value in some form.
fn told(value: &str, echo: &str) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let event = format!("data: you said \"{echo}\" and more\n\n");
    let server = thread::spawn(move || stall(listener.accept()?.0, event.as_bytes()));
    let allow = format!("host = \"http://raw.test:{port}\"\npaths = [\"/**\"]");
    let parts = value.as_bytes().windows(PART).map(|part| String::from_utf8_lossy(part).into_owned());
    let ran = AgentFixture::granted(&allow)
        .and("[limits]\nwall = \"3h\"")
        .value("KEY", value)
        .seeking(parts)
        .resolver(Fixed(&["127.0.0.1"]))
        .try_run(&[&format!("pieces GET http://raw.test:{port}/ h:authorization=Bearer+{{KEY}}")])
        .unwrap();
    assert!(ran.stdout.starts_with("pieces "), "{}", ran.stdout);
    server.join().unwrap().unwrap();
    ran
}

/// All at once, since each waits nearly all of the time.
fn each_at_once(lengths: &[usize], forms: &[Form]) {
    let cases = lengths.iter().flat_map(|length| forms.iter().map(|form| (*length, *form)));
    let running: Vec<_> = cases
        .map(|(length, (name, form))| {
            thread::spawn(move || {
                let value = Numbers::new(length as u64).base62(length);
                let ran = told(&value, &form(value.as_bytes()));
                assert!(ran.leaks.is_empty() && ran.searched > 0, "{length} bytes, {name}: {:?}", ran.leaks);
            })
        })
        .collect();
    running.into_iter().for_each(|running| running.join().unwrap());
}

#[test]
fn a_server_that_stalls_behind_each_byte_shows_no_part_of_a_value() {
    each_at_once(&[8, 16], &FORMS[..2]);
}

#[test]
#[ignore = "long form"]
fn a_server_that_stalls_behind_each_byte_shows_no_part_of_a_long_value_in_any_form() {
    each_at_once(&[40, 300], &FORMS);
    each_at_once(&[3_000], &FORMS[..1]);
}

#[test]
#[ignore = "long form"]
fn what_arrives_when_is_the_same_for_a_right_guess_and_a_wrong_one() {
    let value = Numbers::new(5).base62(24);
    let right = value[..18].to_owned();
    let wrong = format!("{}{}", &right[..17], if right.ends_with('0') { '1' } else { '0' });
    // The guess stands in the agent's own memory: what it got is compared, which is how long each piece was.
    let running = [right, wrong].map(|guess| (value.clone(), guess)).map(|(value, guess)| thread::spawn(move || told(&value, &guess)));
    let [right, wrong] = running.map(|running| running.join().unwrap().stdout);
    assert_eq!(right, wrong);
}
