//! The benchmarks' guest. Without arguments it does nothing; with `METHOD URL COUNT BEARER` it sends that request so many times;
//! with `upload URL BYTES` and `download URL` it moves one large body; with `attached METHOD URL COUNT BYTES` it sends bodies without a
//! credential, and with `aws URL COUNT HOW` requests as an SDK of AWS signs them, or with a bearer token in the signature's place. It imports
//! plain WASI alone, so any host can run it.

mod aws;

use std::io::Read;
use strongroom_guest::http;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => {}
        ["idle"] => {
            println!("up");
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
        ["download", url] => {
            let mut answer = http::get(*url).send().expect("an answer");
            let mut buffer = vec![0; 64 * 1024];
            let mut total = 0u64;
            while let Ok(read @ 1..) = answer.read(&mut buffer) {
                total += read as u64;
            }
            println!("{total}");
        }
        ["upload", url, bytes] => {
            let total: u64 = bytes.parse().expect("a number");
            let answer = http::post(*url).send_from(std::io::repeat(b'x').take(total)).expect("an answer");
            println!("{}", answer.status());
        }
        ["attached", method, url, count, bytes] => {
            let body = vec![b'x'; bytes.parse().expect("a number")];
            for _ in 0..count.parse().expect("a number") {
                let request = http::request(*method, *url).header("content-type", "application/octet-stream").body(body.clone());
                let answer = request.send().expect("an answer");
                assert_eq!(answer.status(), 200, "the server answers every request");
                assert!(!answer.bytes().expect("a body").is_empty(), "with a body");
            }
        }
        ["aws", url, count, how] => {
            let headers = aws::headers(url, *how == "bearer");
            for _ in 0..count.parse().expect("a number") {
                let request = headers.iter().fold(http::get(*url), |request, (name, value)| request.header(*name, value));
                let answer = request.send().expect("an answer");
                assert_eq!(answer.status(), 200, "the server answers every request");
                assert!(!answer.bytes().expect("a body").is_empty(), "with a body");
            }
        }
        [method, url, count, bearer] => {
            let bearer = match bearer.strip_prefix("env:") {
                Some(name) => std::env::var(name).expect("the placeholder"),
                None => (*bearer).to_owned(),
            };
            let bearer = format!("Bearer {bearer}");
            for _ in 0..count.parse().expect("a number") {
                let answer = http::request(*method, *url).header("authorization", &bearer).send().expect("an answer");
                assert_eq!(answer.status(), 200, "the server answers every request");
                assert!(!answer.bytes().expect("a body").is_empty(), "with a body");
            }
        }
        _ => panic!("unknown arguments"),
    }
}
