//! The server that plays an API: it answers as the table says, and notes what should not have come.

use crate::table::{Answer, Case, Key, Request, Table};
use bytes::Bytes;
use flate2::Compression;
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};
use strongroom_demo::scan::Needle;
use strongroom_demo::server::{Body, Response, Seen, respond};
use strongroom_tests::echo::chunked;
use tokio::sync::{mpsc, watch};

/// What has to be in the agent's output for each event that it was sent.
const EVENT: &str = "{\"event\":";

/// An API that is being played. What it notes is shared by its clones.
#[derive(Clone)]
pub struct Api {
    keys: Vec<Key>,
    requests: Arc<Vec<Request>>,
    noted: Arc<Mutex<Noted>>,
    printed: watch::Receiver<String>,
}

#[derive(Default)]
struct Noted {
    /// The requests of the table that have come.
    came: Vec<usize>,
    faults: Vec<String>,
}

impl Api {
    /// The API of one case; `printed` is what the agent has printed.
    pub fn new(table: &Table, case: &Case, printed: watch::Receiver<String>) -> Self {
        Self { keys: table.key.clone(), requests: Arc::new(case.request.clone()), noted: Arc::default(), printed }
    }

    /// Answers one request.
    pub fn answer(&self, seen: &Seen) -> Response {
        let line = format!("{} {}{}", seen.method, seen.host, seen.target);
        let mut noted = self.noted.lock().unwrap();
        let next = self.requests.iter().enumerate().find(|(at, request)| request.on == line && !noted.came.contains(at));
        let Some((at, request)) = next else {
            noted.faults.push(format!("{line} was not expected"));
            noted.faults.extend(self.elsewhere(seen, &line));
            return respond(404, "application/json", "{}");
        };
        noted.came.push(at);
        let faults = self.misplaced(request, seen).into_iter().chain(unlike(request, seen)).map(|fault| format!("{line}: {fault}"));
        noted.faults.extend(faults);
        noted.faults.extend(self.elsewhere(seen, &line));
        self.given(&request.answer, seen)
    }

    /// What was wrong, once the run is over.
    pub fn faults(&self) -> Vec<String> {
        let noted = self.noted.lock().unwrap();
        let missing = self.requests.iter().enumerate().filter(|(at, _)| !noted.came.contains(at));
        noted.faults.iter().cloned().chain(missing.map(|(_, request)| format!("{} did not come", request.on))).collect()
    }

    /// Whether each key is in its place, or in none.
    fn misplaced(&self, request: &Request, seen: &Seen) -> Vec<String> {
        let place = |key: &Key| {
            let body = String::from_utf8_lossy(&seen.body);
            let found: Vec<&str> = match &key.field {
                Some(field) => body.split('&').filter_map(|pair| pair.strip_prefix(field.as_str())?.strip_prefix('=')).collect(),
                None => seen.headers.get_all(&key.header).iter().filter_map(|line| line.to_str().ok()).collect(),
            };
            let expected = request.keys.then(|| key.template.replace("{}", &key.value));
            let right = found == expected.as_deref().into_iter().collect::<Vec<_>>();
            (!right).then(|| format!("{} is not in `{}`, whole and once", key.name, key.field.as_ref().unwrap_or(&key.header)))
        };
        self.keys.iter().filter_map(place).collect()
    }

    /// Keys and placeholders outside the keys' places.
    fn elsewhere(&self, seen: &Seen, line: &str) -> Vec<String> {
        let mut rest = seen.clone();
        for key in &self.keys {
            match &key.field {
                Some(field) => rest.body = without(&rest.body, field),
                None => drop(rest.headers.remove(&key.header)),
            }
        }
        let text = rest.text();
        let find = |key: &Key| {
            let form = Needle::new(&key.name, &key.value).find(text.as_bytes()).map(|(form, _)| form.to_owned());
            let form = form.or_else(|| text.contains(&key.beginning).then(|| "a placeholder".to_owned()))?;
            Some(format!("{line}: {} ({form}) outside its place", key.name))
        };
        self.keys.iter().filter_map(find).collect()
    }

    fn given(&self, answer: &Answer, seen: &Seen) -> Response {
        let filled =
            |text: &str| self.keys.iter().fold(text.to_owned(), |text, key| text.replace(&format!("{{{}}}", key.name), arrived(key, seen)));
        let mut response = if answer.events.is_empty() {
            self.whole(answer, filled(&answer.body), seen)
        } else {
            let events = answer.events.iter().chain(&answer.end).map(|event| Bytes::from(format!("{}\n\n", filled(event)))).collect();
            http::Response::new(paced(events, self.printed.clone()))
        };
        *response.status_mut() = answer.status.try_into().unwrap();
        let standard = if answer.events.is_empty() { "application/json" } else { "text/event-stream" };
        response.headers_mut().insert("content-type", HeaderValue::from_static(standard));
        for (name, value) in &answer.headers {
            let name: HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, filled(value).parse().unwrap());
        }
        response
    }

    /// A body that is there at once; under gzip where that was asked for.
    fn whole(&self, answer: &Answer, body: String, seen: &Seen) -> Response {
        let asked = seen.header("accept-encoding").contains("gzip") && !body.is_empty();
        let body = if asked { gzip(body.as_bytes()) } else { body.into_bytes() };
        let mut response = match answer.chunk {
            Some(chunk) => chunked(&body, chunk),
            None => respond(200, "application/json", body),
        };
        if asked {
            response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// A form without one of its fields.
fn without(form: &[u8], field: &str) -> Bytes {
    let form = String::from_utf8_lossy(form);
    let others = form.split('&').filter(|pair| pair.split('=').next() != Some(field));
    others.collect::<Vec<_>>().join("&").into()
}

/// What a request has otherwise than the table.
fn unlike(request: &Request, seen: &Seen) -> Vec<String> {
    let headers = request.headers.iter().filter(|(name, value)| seen.header(name) != value.as_str());
    let headers = headers.map(|(name, value)| format!("`{name}` is `{}`, not `{value}`", seen.header(name)));
    let body = String::from_utf8_lossy(&seen.body);
    let parts = request.body.iter().filter(|part| !body.contains(part.as_str())).map(|part| format!("no `{part}` in `{body}`"));
    let length = request.length.filter(|length| {
        seen.header("content-length") != length.to_string() || seen.body.len() != *length || seen.headers.contains_key("transfer-encoding")
    });
    let length = length.map(|length| format!("its length is not said as {length}: {:?}", seen.headers));
    headers.chain(parts).chain(length).collect()
}

/// The key as it came.
fn arrived<'s>(key: &Key, seen: &'s Seen) -> &'s str {
    if key.field.is_some() {
        return "";
    }
    let (before, after) = key.template.split_once("{}").unwrap();
    seen.header(&key.header).strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_default()
}

/// Events of which each leaves when the agent has printed all before it.
fn paced(events: Vec<Bytes>, mut printed: watch::Receiver<String>) -> Body {
    let (send, mut receive) = mpsc::channel(1);
    tokio::spawn(async move {
        for (number, event) in events.into_iter().enumerate() {
            let all = printed.wait_for(|text| text.matches(EVENT).count() >= number).await.is_ok();
            // The run is over where nothing more is printed, or read.
            if !all || send.send(Ok::<_, Infallible>(Frame::data(event))).await.is_err() {
                return;
            }
        }
    });
    StreamBody::new(stream::poll_fn(move |context| receive.poll_recv(context))).boxed()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}
