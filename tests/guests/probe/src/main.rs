//! A guest that does what its arguments say, one after the other, and prints what it saw. The tests' hand inside the room.
//!
//! `{NAME}` in an argument stands for the placeholder of that secret; `{NAME|upper}`, `{NAME|b64}` and `{NAME|pct}` for a
//! disguise of it; `{NAME|mac:TEXT}` for the HMAC of a text with it. `<(` and `)>` stand for braces, `(NOW)` for the time in milliseconds.

mod aws;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};
use strongroom_guest::{Access, Authorization, Fee, Secret, Signed, Signer, Transaction, http, log, state};

fn main() {
    for argument in std::env::args().skip(1) {
        let line = filled(&argument);
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        perform(verb, &rest);
    }
}

fn perform(verb: &str, rest: &[&str]) {
    match verb {
        "env" => std::env::vars().for_each(|(name, value)| println!("env {name}={value}")),
        "args" => println!("args {:?}", std::env::args().collect::<Vec<_>>()),
        "open" => match Secret::open(rest[0]) {
            Ok(secret) => println!("open {} {} {} {:?}", secret.name(), secret.placeholder(), secret.fingerprint(), secret.expires_at()),
            Err(error) => println!("open: {error}"),
        },
        "handles" => {
            let mut open = Vec::new();
            let error = loop {
                match Secret::open(rest[0]) {
                    Ok(secret) => open.push(secret),
                    Err(error) => break error,
                }
            };
            println!("handles {}: {error}", open.len());
        }
        "send" => println!("send {}", outcome(request(rest))),
        "repeat" => {
            let times: usize = rest[0].parse().unwrap_or(1);
            (0..times).for_each(|_| println!("send {}", outcome(request(&rest[1..]))));
        }
        "hold" => {
            let held: Vec<_> = (0..rest[0].parse().unwrap_or(1)).map(|_| request(&rest[1..]).send()).collect();
            held.iter().for_each(|answer| {
                println!("hold {}", answer.as_ref().map_or_else(ToString::to_string, |answer| answer.status().to_string()))
            });
        }
        // `unsized BODY REQUEST`: a body whose length is not said; `x*N` is so many bytes.
        "unsized" => {
            let body = rest[0].strip_prefix("x*").map_or_else(|| rest[0].into(), |count| vec![b'x'; count.parse().unwrap_or(0)]);
            println!("unsized {}", outcome_of(request(&rest[1..]).send_from(body.as_slice())));
        }
        // `at-once COUNT AUTHORITY PATH [SCHEME]`: so many requests before the first answer is waited for; prints how many were answered.
        // The same, and the first of them and three of each ten are dropped before any has an answer.
        "dropping" => {
            println!("dropping {}", dropping(rest[0].parse().unwrap_or(1), rest[1], rest[2]))
        }
        "at-once" => {
            println!("at-once {}", at_once(rest[0].parse().unwrap_or(1), rest[1], rest[2], rest.get(3).copied().unwrap_or("https")))
        }
        // `back NAME REQUEST -- REQUEST…`: `(GIVEN)` in all later ones is the value of the cookie or header NAME of the first answer.
        "back" => {
            let parts: Vec<&[&str]> = rest[1..].split(|word| *word == "--").collect();
            let first = outcome(request(parts[0]));
            println!("back {first}");
            let (_, after) = first.split_once(&format!("{}=", rest[0])).unwrap_or_default();
            let given: String = after.chars().take_while(|c| !"; ]".contains(*c)).collect();
            for part in &parts[1..] {
                let words: Vec<String> = part.iter().map(|word| word.replace("(GIVEN)", &given)).collect();
                println!("back {}", outcome(request(&words.iter().map(String::as_str).collect::<Vec<_>>())));
            }
        }
        // `replay URL`: sends the requests that an answer lists, one a line. Words are METHOD, URL, BODY and NAME=VALUE for each header line; all
        // but METHOD and NAME are in base64.
        "replay" => match http::get(rest[0]).send().and_then(http::Response::text) {
            Ok(listed) => listed.lines().for_each(|line| println!("replay {}", outcome(recorded(line)))),
            Err(error) => println!("replay: {error}"),
        },
        // `read REQUEST`: prints what comes of the answer's body, and then what ended it.
        "read" => println!("read {}", request(rest).send().map_or_else(|error| error.to_string(), read)),
        "download" => println!("download {}", request(rest).send().map_or_else(|error| error.to_string(), count)),
        // `until MARK REQUEST -- REQUEST`: sends the second when MARK, in base64, has come of the answer to the first.
        "until" => {
            let at = rest.iter().position(|word| *word == "--").unwrap_or(rest.len());
            let mark = STANDARD.decode(rest[0]).unwrap_or_default();
            println!("until {}", until(&mark, request(&rest[1..at]), request(&rest[at + 1..])));
        }
        // `read-then REQUEST -- NOTE`: reads a piece of the answer, logs the note, and reads on; prints what came first, and why no more did.
        "read-then" => {
            let at = rest.iter().position(|word| *word == "--").unwrap_or(rest.len());
            println!("read-then {}", read_then(request(&rest[..at]), &rest[at + 1..].join(" ")));
        }
        "pieces" => println!("pieces {:?}", request(rest).send().map_or_else(|error| error.to_string(), pieces)),
        "upload" => {
            let body = vec![b'x'; rest[0].parse().unwrap_or(0)];
            println!("upload {}", outcome(request(&rest[1..]).body(body)));
        }
        "late" => println!("late {}", late(rest[0], rest[1], rest[2].parse().unwrap_or(0))),
        // `login FIELD-OR-COOKIE REQUEST -- REQUEST`: `{SEALED}` in the second is what the first answered there.
        "login" => {
            let at = rest.iter().position(|word| *word == "--").unwrap_or(rest.len());
            let first = outcome(request(&rest[1..at]));
            let (_, after) = first.split_once(rest[0]).unwrap_or_default();
            let sealed: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let second: Vec<String> = rest[at + 1..].iter().map(|word| word.replace("(SEALED)", &sealed)).collect();
            println!("login {sealed} {}", outcome(request(&second.iter().map(String::as_str).collect::<Vec<_>>())));
        }
        // `jwt MARK REQUEST`: head, claims and signature of the token behind MARK; what looks like one is taken out of what an agent prints.
        "jwt" => {
            let answer = outcome(request(&rest[1..]));
            let (_, after) = answer.split_once(rest[0]).unwrap_or_default();
            let token: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
            let parts: Vec<&str> = token.split('.').collect();
            let read = |part: &str| String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).into_owned();
            match parts.as_slice() {
                [head, claims, signature] => println!("jwt {} {} {signature}", read(head), read(claims)),
                _ => println!("jwt: none in {answer}"),
            }
        }
        // The same with a request between the two.
        "login-then" => {
            let parts: Vec<&[&str]> = rest[1..].split(|word| *word == "--").collect();
            let first = outcome(request(parts[0]));
            let (_, after) = first.split_once(rest[0]).unwrap_or_default();
            let sealed: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            println!("between {}", outcome(request(parts[1])));
            let last: Vec<String> = parts[2].iter().map(|word| word.replace("(SEALED)", &sealed)).collect();
            println!("login {sealed} {}", outcome(request(&last.iter().map(String::as_str).collect::<Vec<_>>())));
        }
        "relay" => {
            let answer = outcome(request(&rest[1..]));
            match rest[0] {
                "stderr" => eprintln!("{answer}"),
                "log" => log::warn(&answer, &[("answer", &answer)]),
                "panic" => panic!("{answer}"),
                _ => println!("{answer}"),
            }
        }
        // A request that is signed for AWS.
        "aws" => println!("aws {}", aws::sign(rest)),
        "sign" => println!("sign {}", sign(rest).unwrap_or_else(|error| error.to_string())),
        // `sign-quietly FIRST TIMES SIGNER FIELDS…`: one transaction whose nonce counts up; prints how many were signed.
        "sign-quietly" => {
            let first: u64 = rest[0].parse().unwrap_or(0);
            let times: u64 = rest[1].parse().unwrap_or(1);
            let (signer, mut transaction) = (Signer::open(rest[2]).expect("a signer"), transaction(&rest[3..]));
            let signed = (first..first + times).filter(|nonce| {
                transaction.nonce = nonce.to_string();
                signer.sign_transaction(&transaction, None).is_ok()
            });
            println!("sign {}", signed.count());
        }
        // `sign-each FIRST TIMES …`: the nonce counts up.
        "sign-each" => {
            let first: u64 = rest[0].parse().unwrap_or(0);
            for nonce in first..first + rest[1].parse::<u64>().unwrap_or(1) {
                let words: Vec<String> = rest[2..].iter().map(|word| word.replace("NONCE", &nonce.to_string())).collect();
                let outcome = sign(&words.iter().map(String::as_str).collect::<Vec<_>>());
                println!("sign {}", outcome.unwrap_or_else(|error| error.to_string()));
            }
        }
        "state" => println!("state {}", kept(rest).unwrap_or_else(|error| error.to_string())),
        // `keep-answer KEY REQUEST`: keeps what was answered. `from-state KEY MARK REQUEST`: `(KEPT)` in the request is what stands there behind MARK.
        "keep-answer" => println!("keep-answer {:?}", state::set(rest[0], outcome(request(&rest[1..])))),
        "from-state" => {
            let kept = kept(&["get", rest[0]]).unwrap_or_default();
            let (_, after) = kept.split_once(rest[1]).unwrap_or_default();
            let kept: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let words: Vec<String> = rest[2..].iter().map(|word| word.replace("(KEPT)", &kept)).collect();
            println!("from-state {}", outcome(request(&words.iter().map(String::as_str).collect::<Vec<_>>())));
        }
        // `count KEY`: adds one again and again, and says each sum.
        "count" => loop {
            match state::increment(rest[0], 1) {
                Ok(sum) => println!("counted {sum}"),
                Err(error) => {
                    println!("count: {error}");
                    break;
                }
            }
        },
        "trailers" => println!("trailers {}", trailers(rest[0], rest[1])),
        "trailer" => println!("trailer {}", trailer(rest[0], rest[1])),
        "print" => println!("{}", rest.join(" ")),
        "bytes" => {
            let _ = std::io::stdout().write_all(&STANDARD.decode(rest[0]).unwrap_or_default());
        }
        "log" => log::info(&rest.join(" "), &[("field", &rest.join(" "))]),
        "flood" => loop {
            println!("{}", "x".repeat(1000));
        },
        "flood-log" => loop {
            log::info(&"x".repeat(1000), &[]);
        },
        "spin" => loop {
            std::hint::black_box(0);
        },
        "recurse" => println!("{}", deeper(rest.len() as u64)),
        // `hoard-fields COUNT BYTES`: makes so many sets of header fields, of so many bytes each, and keeps them.
        "hoard-fields" => println!("hoard-fields {}", hoard_fields(rest[0].parse().unwrap_or(0), rest[1].parse().unwrap_or(0))),
        "alloc" => {
            let megabytes: usize = rest[0].parse().unwrap_or(1);
            let hoard: Vec<Vec<u8>> = (0..megabytes).map(|_| vec![1; 1 << 20]).collect();
            println!("alloc {}", hoard.len());
        }
        "sleep" => std::thread::sleep(Duration::from_millis(rest[0].parse().unwrap_or(0))),
        "clock" => {
            let grain =
                |nanos: u128| (0..10).map(|power| 10u128.pow(power)).take_while(|grain| nanos.is_multiple_of(*grain)).last().unwrap_or(1);
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_nanos());
            println!("clock {}", grain(now));
        }
        "files" => println!("files {:?} {:?}", std::fs::read("/etc/passwd").map(|_| ()), std::fs::write("x", "y")),
        "socket" => println!(
            "socket {:?} {:?} {:?}",
            std::net::TcpStream::connect("127.0.0.1:1").map(|_| ()),
            std::net::TcpListener::bind("127.0.0.1:0").map(|_| ()),
            std::net::UdpSocket::bind("127.0.0.1:0").map(|_| ())
        ),
        "stdin" => {
            let mut text = String::new();
            println!("stdin {:?} {text:?}", std::io::stdin().read_to_string(&mut text));
        }
        "panic" => panic!("{}", rest.join(" ")),
        "exit" => std::process::exit(rest[0].parse().unwrap_or(1)),
        other => panic!("the probe knows no `{other}`"),
    }
}

/// `SIGNER VERB …`, as the arms say; bytes are in URL-safe base64, and a last word `key:…` is the idempotency key.
fn sign(words: &[&str]) -> Result<String, strongroom_guest::Error> {
    let signer = Signer::open(words[0])?;
    let key = words.last().and_then(|word| word.strip_prefix("key:"));
    let bytes = |at: usize| URL_SAFE.decode(words.get(at).copied().unwrap_or_default()).unwrap_or_default();
    let signed = |signed: Signed| format!("{} {}", URL_SAFE.encode(&signed.raw), URL_SAFE.encode(&signed.hash));
    match words[1] {
        "address" => Ok(format!("{} {}", signer.address(), URL_SAFE.encode(signer.public_key()))),
        // Field by field: `chain:1 nonce:0 gas:21000 max:… priority:… price:… to:… value:… input:BASE64 access: blobs:FEE,BASE64 …`
        "fields" => signer.sign_transaction(&transaction(&words[2..]), key).map(signed),
        "payload" => signer.sign_payload(&bytes(2), key).map(signed),
        "message" => signer.sign_message(&bytes(2), key).map(|signature| URL_SAFE.encode(signature)),
        "typed" => {
            let document = String::from_utf8_lossy(&bytes(2)).into_owned();
            signer.sign_typed_data(&document, key).map(|signature| URL_SAFE.encode(signature))
        }
        "authorization" => {
            let signed = signer.sign_authorization(words[2], words[3], words[4], key)?;
            Ok(format!("{} {} {}", signed.y_parity, URL_SAFE.encode(signed.r), URL_SAFE.encode(signed.s)))
        }
        "digest" => signer.sign_digest(&bytes(2).try_into().unwrap_or([0; 32])).map(|signature| URL_SAFE.encode(signature)),
        "hmac" => signer.hmac(&bytes(2)).map(|output| URL_SAFE.encode(output)),
        // A point before it: a token, or its base64, is taken out of what an agent prints.
        "jwt" => signer.sign_jwt(&String::from_utf8_lossy(&bytes(2))).map(|token| URL_SAFE.encode(format!(".{token}"))),
        other => panic!("the probe knows no `{other}`"),
    }
}

/// `get KEY`, `set KEY VALUE`, `both KEY VALUE KEY VALUE`, `delete KEY`, `keys`, `add KEY NUMBER`, `bytes KEY COUNT`, `fill COUNT BYTES`.
fn kept(words: &[&str]) -> Result<String, strongroom_guest::Error> {
    let number = |at: usize| words[at].parse::<usize>().unwrap_or(0);
    let text = |value: Option<Vec<u8>>| value.map_or("nothing".into(), |value| String::from_utf8_lossy(&value).into_owned());
    match words[0] {
        "get" => state::get(words[1]).map(text),
        "set" => state::set(words[1], words[2..].join(" ")).map(|()| "kept".to_owned()),
        "both" => state::set_all([(words[1], words[2]), (words[3], words[4])]).map(|()| "kept".to_owned()),
        "delete" => state::delete(words[1]).map(|()| "deleted".to_owned()),
        "keys" => state::keys().map(|keys| format!("{} {}", keys.len(), keys.join(","))),
        "add" => state::increment(words[1], number(2) as u64).map(|sum| sum.to_string()),
        "bytes" => state::set(words[1], vec![0xff; number(2)]).map(|()| "kept".to_owned()),
        "fill" => {
            let kept = (0..number(1)).take_while(|at| state::set(&format!("key-{at}"), vec![b'x'; number(2)]).is_ok());
            Ok(format!("filled {}", kept.count()))
        }
        other => panic!("the probe keeps no `{other}`"),
    }
}

fn transaction(words: &[&str]) -> Transaction {
    let mut transaction = Transaction::transfer(1, 0, "", "0", "0", "0");
    let word = |text: &str| URL_SAFE.decode(text).unwrap_or_default().try_into().unwrap_or([0; 32]);
    for (name, value) in words.iter().filter_map(|word| word.split_once(':')) {
        let text = value.to_owned();
        match (name, &mut transaction.fee) {
            ("chain", _) => transaction.chain_id = text,
            ("nonce", _) => transaction.nonce = text,
            ("gas", _) => transaction.gas = text,
            ("to", _) => transaction.to = text,
            ("value", _) => transaction.value = text,
            ("input", _) => transaction.input = URL_SAFE.decode(value).unwrap_or_default(),
            ("price", fee) => *fee = Fee::Price(text),
            ("max", Fee::Market { max, .. }) => *max = text,
            ("priority", Fee::Market { priority, .. }) => *priority = text,
            ("access", _) => {
                let mut parts = value.split(',');
                let address = parts.next().unwrap_or_default().to_owned();
                let list = transaction.access_list.get_or_insert_default();
                if !address.is_empty() {
                    list.push(Access { address, slots: parts.map(word).collect() });
                }
            }
            ("blobs", _) => {
                let mut parts = value.split(',');
                let fee = parts.next().unwrap_or_default().to_owned();
                transaction.blobs = Some((fee, parts.map(word).collect()));
            }
            ("authorize", _) => {
                let parts: Vec<&str> = value.split(',').collect();
                transaction.authorizations.push(Authorization {
                    chain_id: parts[0].to_owned(),
                    address: parts[1].to_owned(),
                    nonce: parts[2].to_owned(),
                    y_parity: parts[3].parse().unwrap_or(0),
                    r: word(parts[4]),
                    s: word(parts[5]),
                });
            }
            _ => {}
        }
    }
    transaction
}

/// `METHOD URL`, then `h:NAME=VALUE`, `b:BODY`, `t:MILLIS`.
fn request(words: &[&str]) -> http::Request {
    let mut request = http::request(words[0], words[1]);
    for word in &words[2..] {
        request = match word.split_once(':') {
            Some(("h", header)) => {
                let (name, value) = header.split_once('=').unwrap_or((header, ""));
                request.header(name, value.replace('+', " "))
            }
            Some(("b", body)) => request.body(body),
            Some(("t", millis)) => request.timeout(Duration::from_millis(millis.parse().unwrap_or(0))),
            _ => panic!("the probe knows no `{word}`"),
        };
    }
    request
}

fn recorded(line: &str) -> http::Request {
    let decoded = |word: &str| STANDARD.decode(word).expect("base64");
    let text = |word: &str| String::from_utf8(decoded(word)).expect("UTF-8");
    let words: Vec<&str> = line.split(' ').collect();
    let request = http::request(words[0], text(words[1])).body(decoded(words[2]));
    let lines = words[3..].iter().filter_map(|word| word.split_once('='));
    lines.fold(request, |request, (name, value)| request.header(name, text(value)))
}

fn outcome(request: http::Request) -> String {
    outcome_of(request.send())
}

fn outcome_of(answer: Result<http::Response, strongroom_guest::Error>) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return error.to_string(),
    };
    let status = answer.status();
    let headers: Vec<String> = answer.headers().iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
    let body = answer.bytes().map_or_else(|error| error.to_string(), |body| String::from_utf8_lossy(&body).into_owned());
    format!("{status} [{}] {body}", headers.join("; "))
}

fn until(mark: &[u8], first: http::Request, second: http::Request) -> String {
    let mut answer = match first.send() {
        Ok(answer) => answer,
        Err(error) => return error.to_string(),
    };
    let (mut read, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while !read.windows(mark.len()).any(|window| window == mark) {
        match answer.read(&mut buffer) {
            Ok(count @ 1..) => read.extend_from_slice(&buffer[..count]),
            other => return format!("ended before the mark: {other:?} {}", String::from_utf8_lossy(&read)),
        }
    }
    let second = second.send().map_or_else(|error| error.to_string(), |answer| answer.status().to_string());
    format!("{second} {}", String::from_utf8_lossy(&read).escape_debug())
}

fn read(mut answer: http::Response) -> String {
    let (mut buffer, mut all) = (vec![0; 64 * 1024], Vec::new());
    let end = loop {
        match answer.read(&mut buffer) {
            Ok(0) => break "the end".to_owned(),
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) => break error.to_string(),
        }
    };
    format!("{} then {end}", String::from_utf8_lossy(&all))
}

fn read_then(request: http::Request, note: &str) -> String {
    let mut answer = match request.send() {
        Ok(answer) => answer,
        Err(error) => return error.to_string(),
    };
    let mut buffer = vec![0; 1_024];
    let first =
        answer.read(&mut buffer).map_or_else(|error| error.to_string(), |count| String::from_utf8_lossy(&buffer[..count]).into_owned());
    log::info(note, &[]);
    loop {
        match answer.read(&mut buffer) {
            Ok(0) => return format!("{}: the end", first.escape_debug()),
            Ok(_) => {}
            Err(error) => return format!("{}: {error}", first.escape_debug()),
        }
    }
}

fn pieces(mut answer: http::Response) -> String {
    let mut buffer = vec![0; 256 * 1024];
    let mut sizes = Vec::new();
    while let Ok(read @ 1..) = answer.read(&mut buffer) {
        sizes.push(read.to_string());
    }
    sizes.join(",")
}

fn count(mut answer: http::Response) -> String {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0u64;
    loop {
        match answer.read(&mut buffer) {
            Ok(0) => return total.to_string(),
            Ok(read) => total += read as u64,
            Err(error) => return format!("{total} then {error}"),
        }
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn deeper(depth: u64) -> u64 {
    std::hint::black_box(depth) + deeper(depth + 1)
}

fn filled(argument: &str) -> String {
    let mut out = String::new();
    let argument = argument.replace("(NOW)", &now());
    let mut rest = argument.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inside, after)) = after.split_once('}') else { break };
        out.push_str(before);
        let (name, disguise) = inside.split_once('|').unwrap_or((inside, ""));
        match Secret::open(name) {
            Ok(secret) => out.push_str(&disguised(&secret.placeholder(), disguise)),
            Err(_) => out.push_str(&format!("{{{inside}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("<(", "{").replace(")>", "}")
}

/// The HMAC-SHA-256 of a text with the placeholder as its key, as a client library would make it.
fn mac(placeholder: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(placeholder.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Milliseconds since 1970.
fn now() -> String {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
}

fn disguised(placeholder: &str, how: &str) -> String {
    match how {
        "upper" => placeholder.to_uppercase(),
        "b64" => STANDARD.encode(placeholder),
        "basic" => STANDARD.encode(format!("user:{placeholder}")),
        "alone" => STANDARD.encode(format!("{placeholder}:")),
        "pct" => placeholder.bytes().map(|b| format!("%{b:02X}")).collect(),
        how if how.starts_with("mac:") => mac(placeholder, &how["mac:".len()..]),
        "half" => placeholder[..placeholder.len() / 2].to_owned(),
        _ => placeholder.to_owned(),
    }
}

/// Posts a body of one byte with a trailer, which the SDK has no call for.
#[cfg(target_family = "wasm")]
fn trailer(authority: &str, value: &str) -> String {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest};

    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).expect("a method");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some("/v1/x")).expect("a path");
    let body = request.body().expect("a body");
    let answer = handle(request, None).expect("a request");
    let stream = body.write().expect("a stream");
    stream.blocking_write_and_flush(b"x").expect("written");
    drop(stream);
    let trailers = Fields::from_list(&[("x-trailer".to_owned(), value.as_bytes().to_vec())]).expect("fields");
    OutgoingBody::finish(body, Some(trailers)).expect("finished");
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(answer))) => answer.status().to_string(),
        other => format!("{other:?}"),
    }
}

/// Begins a request and writes the first byte of its body so many milliseconds later; the SDK has a body's beginning before.
#[cfg(target_family = "wasm")]
fn late(authority: &str, path: &str, millis: u64) -> String {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

    let bearer = format!("Bearer {}", std::env::var("KEY").unwrap_or_default());
    let fields = Fields::from_list(&[("authorization".to_owned(), bearer.into_bytes())]).expect("fields");
    let request = OutgoingRequest::new(fields);
    request.set_method(&Method::Post).expect("a method");
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(path)).expect("a path");
    let body = request.body().expect("a body");
    let answer = handle(request, None).expect("a request");
    std::thread::sleep(Duration::from_millis(millis));
    let stream = body.write().expect("a stream");
    stream.blocking_write_and_flush(b"x").expect("written");
    drop(stream);
    OutgoingBody::finish(body, None).expect("finished");
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(answer))) => answer.status().to_string(),
        other => format!("{other:?}"),
    }
}

/// Gets a path and reads the trailers of the answer, which the SDK has no call for.
#[cfg(target_family = "wasm")]
fn trailers(authority: &str, path: &str) -> String {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, IncomingBody, OutgoingBody, OutgoingRequest};

    let bearer = format!("Bearer {}", std::env::var("KEY").unwrap_or_default());
    let fields = Fields::from_list(&[("authorization".to_owned(), bearer.into_bytes())]).expect("fields");
    let request = OutgoingRequest::new(fields);
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(path)).expect("a path");
    let body = request.body().expect("a body");
    let answer = handle(request, None).expect("a request");
    OutgoingBody::finish(body, None).expect("finished");
    answer.subscribe().block();
    let Some(Ok(Ok(answer))) = answer.get() else { return "no answer".into() };
    let body = answer.consume().expect("a body");
    let stream = body.stream().expect("a stream");
    while stream.blocking_read(4096).is_ok() {}
    drop(stream);
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    match trailers.get() {
        Some(Ok(Ok(Some(fields)))) => {
            let lines = fields.entries().into_iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value)));
            lines.collect::<Vec<_>>().join("; ")
        }
        other => format!("none: {other:?}"),
    }
}

/// Makes sets of header fields, and fills each with so many bytes.
#[cfg(target_family = "wasm")]
fn hoard_fields(count: usize, bytes: usize) -> usize {
    use wasip2::http::types::Fields;

    let fill = |_| {
        let fields = Fields::new();
        (0..bytes / 1_000).for_each(|_| fields.append("x-hoard", &[b'x'; 1_000]).expect("room"));
        fields
    };
    (0..count).map(fill).collect::<Vec<_>>().len()
}

#[cfg(not(target_family = "wasm"))]
fn hoard_fields(_count: usize, _bytes: usize) -> usize {
    unreachable!("the probe runs as a component")
}

/// Sends requests one after the other and waits for their answers afterwards, as programs with promises do.
#[cfg(target_family = "wasm")]
fn at_once(count: usize, authority: &str, path: &str, scheme: &str) -> String {
    outcomes(open_at_once(count, authority, path, scheme, |_| false))
}

/// The same, of which the first and three of each ten are dropped before any has an answer.
#[cfg(target_family = "wasm")]
fn dropping(count: usize, authority: &str, path: &str) -> String {
    outcomes(open_at_once(count, authority, path, "https", |at| at % 10 < 3))
}

#[cfg(target_family = "wasm")]
fn open_at_once(
    count: usize,
    authority: &str,
    path: &str,
    scheme: &str,
    is_dropped: impl Fn(usize) -> bool,
) -> Vec<wasip2::http::types::FutureIncomingResponse> {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

    let send = |_| {
        let bearer = format!("Bearer {}", std::env::var("KEY").unwrap_or_default());
        let request = OutgoingRequest::new(Fields::from_list(&[("authorization".to_owned(), bearer.into_bytes())]).expect("fields"));
        request.set_authority(Some(authority)).expect("an authority");
        request.set_path_with_query(Some(path)).expect("a path");
        request.set_scheme(Some(&if scheme == "http" { Scheme::Http } else { Scheme::Https })).expect("a scheme");
        handle(request, None).expect("a request")
    };
    let answers: Vec<_> = (0..count).map(send).collect();
    answers.into_iter().enumerate().filter(|(at, _)| !is_dropped(*at)).map(|(_, answer)| answer).collect()
}

/// How often each status came.
#[cfg(target_family = "wasm")]
fn outcomes(answers: Vec<wasip2::http::types::FutureIncomingResponse>) -> String {
    let mut statuses = std::collections::BTreeMap::new();
    for answer in answers {
        answer.subscribe().block();
        let status = match answer.get() {
            Some(Ok(Ok(answer))) => answer.status().to_string(),
            other => format!("{other:?}"),
        };
        *statuses.entry(status).or_insert(0) += 1;
    }
    format!("{statuses:?}")
}

#[cfg(not(target_family = "wasm"))]
fn dropping(_count: usize, _authority: &str, _path: &str) -> String {
    unreachable!("the probe runs as a component")
}

#[cfg(not(target_family = "wasm"))]
fn at_once(_count: usize, _authority: &str, _path: &str, _scheme: &str) -> String {
    unreachable!("the probe runs as a component")
}

#[cfg(not(target_family = "wasm"))]
fn trailers(_authority: &str, _path: &str) -> String {
    unreachable!("the probe runs as a component")
}

#[cfg(not(target_family = "wasm"))]
fn late(_authority: &str, _path: &str, _millis: u64) -> String {
    unreachable!("the probe runs as a component")
}

#[cfg(not(target_family = "wasm"))]
fn trailer(_authority: &str, _value: &str) -> String {
    unreachable!("the probe runs as a component")
}
