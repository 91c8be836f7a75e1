//! `wasi:http/incoming-handler`, by hand.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use strongroom_guest::Secret;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Callee);

struct Callee;

/// How often this instance was called.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl Guest for Callee {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let target = request.path_with_query().unwrap_or_default();
        let words: Vec<&str> = target.split_once('?').map_or("", |(_, query)| query).split('&').collect();
        match words[0] {
            "stop" => panic!("as it was told"),
            "leave" => return,
            "spin" => spin(),
            "error" => return ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("as it was told".to_owned())))),
            _ => {}
        }
        let fields = Fields::new();
        for (name, value) in words.iter().filter_map(|word| word.strip_prefix("header=")?.split_once(':')) {
            // What the host forbids is not there.
            let _ = fields.append(name, &decoded(value));
        }
        let response = OutgoingResponse::new(fields);
        if let Some(status) = words.iter().find_map(|word| word.strip_prefix("status=")?.parse().ok()) {
            let _ = response.set_status_code(status);
        }
        let body = response.body().expect("the first time");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("the first time");
        for word in words {
            let text = said(word, &request);
            // The caller may have gone, or want no body.
            let _ = stream.write_all(&text).and_then(|()| Write::flush(&mut stream));
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn said(word: &str, request: &IncomingRequest) -> Vec<u8> {
    match word.split_once('=').unwrap_or((word, "")) {
        ("seen", _) => seen(request).into_bytes(),
        ("body", _) => body(request),
        ("count", _) => CALLS.load(Ordering::Relaxed).to_string().into_bytes(),
        ("open", name) => Secret::open(name).map_or_else(|error| error.to_string(), |secret| secret.placeholder().to_owned()).into_bytes(),
        ("env", name) => std::env::var(name).unwrap_or_default().into_bytes(),
        ("say", text) => decoded(text),
        ("print", text) => {
            println!("{text}");
            Vec::new()
        }
        ("stop", _) => panic!("as it was told"),
        ("spin", _) => spin(),
        _ => Vec::new(),
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn seen(request: &IncomingRequest) -> String {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
        other => format!("{other:?}"),
    };
    let (scheme, authority) = (format!("{:?}", request.scheme()), request.authority().unwrap_or_default());
    let mut lines = vec![format!("{method} {scheme} {authority} {}", request.path_with_query().unwrap_or_default())];
    for (name, value) in request.headers().entries() {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn body(request: &IncomingRequest) -> Vec<u8> {
    let Ok(body) = request.consume() else { return b"[consumed]".to_vec() };
    let Ok(mut stream) = body.stream() else { return b"[no stream]".to_vec() };
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        Err(_) => b"[broken]".to_vec(),
    }
}

/// Masked bytes in hexadecimal digits: the host finds values in digits alone, and lets no request with one in its target through.
fn decoded(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| 0x2a ^ u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16).unwrap_or(b'?');
    text.as_bytes().chunks(2).map(pair).collect()
}
