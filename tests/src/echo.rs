//! A server that repeats the credential it was sent, in whatever form the path asks for: `/v1/echo/FORM`, with the query
//! `coding`, `chunk` and `in` (`body`, `header`, `cookie`, `trailer`, `name`); and at `/v1/mirror/NAME`, a header.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::io::Write;
use strongroom_demo::server::{Response, Seen, respond};

/// Every form that an echo can take.
pub const FORMS: &[&str] = &[
    "raw",
    "json",
    "json-part",
    "percent",
    "percent-lower",
    "html",
    "html-hex",
    "qp",
    "c",
    "octal",
    "hex",
    "hex-upper",
    "hex-colons",
    "hex-spaces",
    "base64",
    "base64-1",
    "base64-2",
    "base64url",
    "base64-wrapped",
    "base64-in-json",
    "utf16le",
    "utf16be",
    "utf32le",
    "utf32be",
    "reversed",
    "upper",
    "hex-0x",
    "base32",
    "base64-twice",
    "percent-twice",
    "json-twice",
    "html-in-json",
];
/// Every content coding that a host undoes.
pub const CODINGS: &[&str] = &["identity", "gzip", "deflate", "raw-deflate", "br", "zstd"];

/// Answers a request with an echo; anything else than `/v1/echo/…` with a greeting.
#[must_use]
pub fn handle(seen: &Seen) -> Response {
    let credential = seen.header("authorization");
    let credential = credential.strip_prefix("Bearer ").unwrap_or(credential);
    let parameter = |name: &str| {
        let query = seen.target.split_once('?').map_or("", |(_, query)| query);
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    if let Some(header) = seen.path().strip_prefix("/v1/mirror/") {
        return respond(200, "text/plain", format!("<<{}>>", seen.header(header)));
    }
    let Some(form) = seen.path().strip_prefix("/v1/echo/") else {
        return respond(200, "text/plain", "hello from the server");
    };
    let echo = [b"<<".as_slice(), &formed(credential, form), b">>"].concat();
    let chunk = parameter("chunk").parse().unwrap_or(usize::MAX);
    let coding = parameter("coding");
    let mut answer = match parameter("in").as_str() {
        "header" => with_header(respond(200, "text/plain", "see the header"), "x-echo", &echo),
        "cookie" => with_header(respond(200, "text/plain", "see the cookie"), "set-cookie", &[b"key=".as_slice(), &echo].concat()),
        "name" => {
            let mut answer = respond(200, "text/plain", "see the header's name");
            let name = HeaderName::from_bytes(format!("x-{credential}").as_bytes()).expect("a name");
            answer.headers_mut().insert(name, HeaderValue::from_static("1"));
            answer
        }
        "trailer" => trailed("x-echo", &echo),
        _ => chunked(&coded(&echo, &coding), chunk),
    };
    *answer.status_mut() = parameter("status").parse().unwrap_or(http::StatusCode::OK);
    if let Some(name) = match coding.as_str() {
        "" | "identity" => None,
        "raw-deflate" => Some("deflate"),
        other => Some(other),
    } {
        answer.headers_mut().insert("content-encoding", HeaderValue::from_str(name).expect("a coding's name"));
    }
    answer.headers_mut().insert("etag", HeaderValue::from_static("\"tag-of-the-original\""));
    answer
}

fn with_header(mut answer: Response, name: &'static str, value: &[u8]) -> Response {
    answer.headers_mut().insert(name, HeaderValue::from_bytes(value).expect("visible characters"));
    answer
}

/// An answer with a trailer.
#[must_use]
pub fn trailed(name: &'static str, value: &[u8]) -> Response {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("visible"))]);
    let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"see the trailer"))), Ok(Frame::trailers(trailers))];
    let mut answer = http::Response::new(StreamBody::new(stream::iter(frames)).boxed());
    answer.headers_mut().insert("trailer", HeaderValue::from_static(name));
    answer
}

/// A body in chunks of this many bytes.
#[must_use]
pub fn chunked(body: &[u8], chunk: usize) -> Response {
    let frames: Vec<_> = body.chunks(chunk.max(1)).map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    http::Response::new(StreamBody::new(stream::iter(frames)).boxed())
}

/// A value in one form.
#[must_use]
pub fn formed(value: &str, form: &str) -> Vec<u8> {
    let each = |f: &dyn Fn(u8) -> String| value.bytes().map(f).collect::<String>().into_bytes();
    let wrapped = |text: String, line_break: &str| {
        let lines: Vec<String> = text.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        lines.join(line_break).into_bytes()
    };
    match form {
        "json" => each(&|b| format!("\\u{b:04x}")),
        "json-part" => each(&|b| if b % 2 == 0 { format!("\\u{b:04X}") } else { char::from(b).to_string() }),
        "percent" => each(&|b| format!("%{b:02X}")),
        "percent-lower" => each(&|b| format!("%{b:02x}")),
        "html" => each(&|b| format!("&#{b};")),
        "html-hex" => each(&|b| format!("&#x{b:X};")),
        "qp" => each(&|b| format!("={b:02X}")),
        "c" => each(&|b| format!("\\x{b:02x}")),
        "octal" => each(&|b| format!("\\{b:03o}")),
        "hex" => each(&|b| format!("{b:02x}")),
        "hex-upper" => each(&|b| format!("{b:02X}")),
        "hex-colons" => each(&|b| format!("{b:02x}:")),
        "hex-spaces" => each(&|b| format!("{b:02x} ")),
        "base64" => STANDARD.encode(value).into_bytes(),
        "base64-1" => STANDARD.encode(format!("u{value}:x")).into_bytes(),
        "base64-2" => STANDARD.encode(format!("us{value}x")).into_bytes(),
        "base64url" => URL_SAFE.encode(value).into_bytes(),
        "base64-wrapped" => wrapped(STANDARD.encode(value), "\r\n"),
        "base64-in-json" => wrapped(STANDARD.encode(value), "\\n"),
        "utf16le" => value.bytes().flat_map(|b| [b, 0]).collect(),
        "utf16be" => value.bytes().flat_map(|b| [0, b]).collect(),
        "utf32le" => value.bytes().flat_map(|b| [b, 0, 0, 0]).collect(),
        "utf32be" => value.bytes().flat_map(|b| [0, 0, 0, b]).collect(),
        "reversed" => value.bytes().rev().collect(),
        "upper" => value.to_uppercase().into_bytes(),
        "hex-0x" => each(&|b| format!("0x{b:02x}, ")),
        "base32" => base32(value.as_bytes()),
        "base64-twice" => STANDARD.encode(STANDARD.encode(format!("k{value}"))).into_bytes(),
        "percent-twice" => each(&|b| format!("%25{b:02X}")),
        "json-twice" => each(&|b| format!("\\\\u{b:04x}")),
        "html-in-json" => each(&|b| format!("\\u0026#{b};")),
        _ => value.as_bytes().to_vec(),
    }
}

/// RFC 4648, without padding.
fn base32(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let digit = |bits: &[u8]| (0..5).fold(0, |number, at| number << 1 | bits.get(at).copied().unwrap_or(0));
    bits.chunks(5).map(|bits| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(digit(bits))]).collect()
}

/// A body under a content coding.
#[must_use]
pub fn coded(body: &[u8], coding: &str) -> Vec<u8> {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    let all = "writing to memory";
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).expect(all);
            encoder.finish().expect(all)
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).expect(all);
            encoder.finish().expect(all)
        }
        "raw-deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).expect(all);
            encoder.finish().expect(all)
        }
        "br" => {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(body).expect(all);
            out
        }
        "zstd" => zstd::encode_all(body, 3).expect(all),
        _ => body.to_vec(),
    }
}
