//! Stories of requests whose answer asks for them once more: a real policy, a real server, and a scheme that answers a nonce.

use crate::audit::{AuditSink, Event, Journal, Record};
use crate::clock::Clock;
use crate::egress::{AddressGuard, AgentBody, Answer, Error, Network, Outbound, Pools, SystemResolver, Timeouts, Ways, send};
use crate::kill_switch::KillSwitch;
use crate::lock::Mutex;
use crate::manifest::{HostsOwn, Manifest};
use crate::meter::Meter;
use crate::policy::{Closed, MOST_REPEATED, Policy};
use crate::scrub::{Known, Live, Replacement, Scrubber, Search};
use crate::secrets::backends::{Bounds, Configured};
use crate::secrets::{Backends, Cache, Keyring, StaticBackend};
use crate::session::{Counts, Numbers, Scrubbing, Session, Unavailable};
use crate::shared::HighWater;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

const VALUE: &str = "key_0123456789abcdef";
const NONCE_ASKED: &str = "401 Unauthorized\r\nnonce: n1";

/// Keeps records as JSON.
#[derive(Default)]
struct Kept {
    records: Mutex<Vec<Value>>,
    /// What happens once something is recorded.
    then: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl AuditSink for Kept {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        let json = records.iter().map(|record| serde_json::to_value(record).expect("JSON"));
        self.records.lock().extend(json);
        self.then.get().into_iter().for_each(|then| then());
        Ok(())
    }
}

/// A server that answers with these heads in turn, the last one for ever; what it was sent; and an agent that may ask it.
struct Fixture {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    placeholder: String,
    outbound: Arc<Outbound>,
    audit: Arc<Kept>,
}

impl Fixture {
    async fn new(answers: &[&'static str], rate: u32) -> Self {
        Self::with(answers, rate, Policy::with_nonces).await
    }

    async fn with(answers: &[&'static str], rate: u32, scheme: impl Fn(Policy) -> Policy) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", server.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        tokio::spawn(serve(server, answers.to_vec(), Arc::clone(&seen)));

        let manifest = format!(
            "name = \"a\"\ncomponent = \"a.wasm\"\n[limits]\nrequests = 1\n[secrets.KEY]\n[[secrets.KEY.allow]]\nhost = \"{url}\"\n\
             methods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\nrate = \"{rate}/min\"\n"
        );
        let manifest = Manifest::parse("agent.toml", &manifest).expect("a manifest");
        let backend = Arc::new(StaticBackend::new().with("KEY", VALUE));
        let configured =
            Configured { name: "store".to_owned(), backend, bounds: Bounds::none(), stale: Duration::ZERO, settled: Duration::ZERO };
        let backends = Backends::new(vec![configured], "store".to_owned(), HostsOwn::default());
        let cache = Cache::new(Clock::default(), Zeroizing::new([7; 32]));
        let keyring = Keyring::open(&manifest, &backends, cache.for_run()).await.expect("the key");
        let placeholder = keyring.get(0).expect("the key").placeholder.clone();

        let audit: Arc<Kept> = Arc::default();
        let meter = Arc::new(Meter::new(manifest.limits.clone()));
        let journal = Journal::new(Some(Arc::clone(&audit) as _), "run".to_owned(), "a".to_owned()).bounded(&meter);
        let scrubbing = Scrubbing::new(Live::new(Scrubber::new(Arc::new(Search::new(Vec::new(), None)), Vec::new())));
        let line = KillSwitch::of_host(None).expect("a switch").line("a");
        let policy = Arc::new(scheme(Policy::new(&manifest, Closed::default())));
        let session = Session {
            later: Arc::default(),
            policy,
            keyring: Arc::new(keyring),
            scrubbing,
            journal: Arc::new(journal),
            meter,
            line: Arc::clone(&line),
            counts: Counts { rates: None, numbers: Arc::new(Numbers::shared(Arc::new(HighWater::new(None)))) },
            rotations: Vec::new(),
            unavailable: Unavailable::default(),
        };
        let ways = Ways {
            guard: AddressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            tls: Arc::new(crate::tls::client([]).expect("settings")),
            proxy: None,
        };
        let pools = Arc::new(Pools::new(Arc::new(Network::new(Arc::new(SystemResolver), ways)), line));
        let outbound = Arc::new(Outbound::new(Arc::new(session), pools, manifest.limits.requests, manifest.denials));
        Self { url, seen, placeholder, outbound, audit }
    }

    /// Has the agent send a request: the status of the answer that it gets, and its headers.
    async fn ask(&self, method: &str, headers: &[(&str, &str)], body: AgentBody) -> Result<Response<Answer>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}/a?b=1", self.url));
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.placeholder));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(Arc::clone(&self.outbound), request.body(body).expect("a request"), Timeouts::default()).await
    }

    async fn status(&self, body: AgentBody) -> StatusCode {
        self.ask("POST", &[], body).await.expect("an answer").status()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

async fn serve(server: TcpListener, answers: Vec<&'static str>, seen: Arc<Mutex<Vec<String>>>) {
    while let Ok((mut connection, _)) = server.accept().await {
        let mut read = Vec::new();
        let mut piece = [0; 4096];
        // The head, and whatever of the body has come with it, or follows by its length.
        let is_whole = |read: &[u8]| {
            let text = String::from_utf8_lossy(read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            body.len() >= length.unwrap_or(0)
        };
        while !is_whole(&read) {
            match connection.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read.extend_from_slice(&piece[..count]),
            }
        }
        let number = {
            let mut seen = seen.lock();
            seen.push(String::from_utf8_lossy(&read).into_owned());
            seen.len()
        };
        let answer = answers[number.min(answers.len()) - 1];
        let head = if answer.starts_with("304") { String::new() } else { "\r\ncontent-length: 0".to_owned() };
        let _ = connection.write_all(format!("HTTP/1.1 {answer}{head}\r\nconnection: close\r\n\r\n").as_bytes()).await;
        let _ = connection.shutdown().await;
    }
}

fn body(text: impl Into<Bytes>) -> AgentBody {
    AgentBody::new(http_body_util::Full::new(text.into()).map_err(|never| match never {}))
}

#[tokio::test]
async fn a_challenge_has_the_same_request_sent_once_more() {
    let fixture = Fixture::new(&[NONCE_ASKED, "200 OK"], 1).await;

    let answer = fixture.ask("POST", &[("x-own", "1")], body("hello")).await.expect("an answer");
    let (head, rest) = answer.into_parts();
    rest.collect().await.expect("its end");

    assert_eq!(head.status, StatusCode::OK);
    let seen = fixture.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for request in &seen {
        assert!(request.starts_with("POST /a?b=1 HTTP/1.1\r\n") && request.ends_with("\r\n\r\nhello"), "{request}");
        assert!(request.contains(&format!("authorization: Bearer {VALUE}\r\n")) && request.contains("x-own: 1\r\n"), "{request}");
    }
    assert!(!seen[0].contains("nonce"), "{}", seen[0]);
    let authority = fixture.url.strip_prefix("http://").expect("a URL");
    assert!(seen[1].contains("nonce: n1\r\n") && seen[1].contains(&format!("seen: POST {authority} 5\r\n")), "{}", seen[1]);

    // Each has its record, the second one says of which it is the repetition; and the rate of one is enough for both.
    let last = Event::InertPlaceholder { request: 9, secret: "KEY".into() };
    fixture.outbound.session.record(last).expect("with it come the records that wait");
    let audit = fixture.audit.records.lock().clone();
    let told: Vec<_> = audit.iter().map(|record| (record["event"].as_str(), record["request"].as_u64(), &record["repeats"])).collect();
    let (one, none) = (Value::from(1), Value::Null);
    assert_eq!(
        told[..4],
        [
            (Some("egress"), Some(1), &none),
            (Some("answer"), Some(1), &none),
            (Some("egress"), Some(2), &one),
            (Some("answer"), Some(2), &none)
        ]
    );
    assert_eq!((&audit[1]["status"], &audit[1]["error"], &audit[2]["secrets"][0]["name"]), (&401.into(), &none, &"KEY".into()));
    assert_eq!(fixture.status(body("")).await, StatusCode::FORBIDDEN, "the rate was charged");
    assert_eq!(fixture.seen().len(), 2);
}

#[tokio::test]
async fn a_second_challenge_reaches_the_agent() {
    let fixture = Fixture::new(&[NONCE_ASKED], 1).await;

    assert_eq!(fixture.status(body("")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.seen().len(), 2);
}

#[tokio::test]
async fn what_the_law_does_not_let_be_repeated_is_sent_once() {
    let long = || body(vec![b'a'; MOST_REPEATED + 1]);
    let unended = || {
        let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"hello")))]);
        AgentBody::new(StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending())))
    };
    for (what, answer, body, status) in [
        ("a body of more than 64 KiB", NONCE_ASKED, long(), 401),
        ("a body that has not ended", NONCE_ASKED, unended(), 401),
        ("a 2xx", "200 OK\r\nnonce: n1", body(""), 200),
        ("an answer that asks for nothing", "401 Unauthorized", body(""), 401),
        ("a refusal", "403 Forbidden\r\nnonce: n1", body(""), 403),
    ] {
        let fixture = Fixture::new(&[answer, "200 OK"], 9).await;

        assert_eq!(fixture.status(body).await.as_u16(), status, "{what}");
        assert_eq!(fixture.seen().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn the_longest_body_is_repeated_whole() {
    let fixture = Fixture::new(&[NONCE_ASKED, "200 OK"], 1).await;

    assert_eq!(fixture.status(body(vec![b'a'; MOST_REPEATED])).await, StatusCode::OK);
    let bodies: Vec<usize> = fixture.seen().iter().map(|request| request.split("\r\n\r\n").nth(1).map_or(0, str::len)).collect();
    assert_eq!(bodies, [MOST_REPEATED; 2]);
}

#[tokio::test]
async fn with_a_template_every_answer_reaches_the_agent() {
    let fixture = Fixture::with(&[NONCE_ASKED, "200 OK"], 9, |policy| policy).await;

    assert_eq!(fixture.status(body("hello")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.seen().len(), 1);
}

#[tokio::test]
async fn a_repetition_is_judged_as_the_agent_has_sent_it() {
    // A write has the run forget its tags as it leaves, and is repeated with what it had.
    for (method, condition) in [("GET", "if-none-match"), ("POST", "if-match")] {
        let fixture = Fixture::new(&["200 OK\r\netag: \"real\"", NONCE_ASKED, "304 Not Modified"], 9).await;
        let tag = fixture.ask("GET", &[], body("")).await.expect("an answer").headers()[header::ETAG].to_str().expect("text").to_owned();
        assert_ne!(tag, "\"real\"");

        let answer = fixture.ask(method, &[(condition, &tag)], body("")).await.expect("an answer");

        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{method}");
        let sent = fixture.seen();
        assert_eq!(sent.iter().filter(|request| request.contains(&format!("{condition}: \"real\"\r\n"))).count(), 2, "{sent:?}");
    }
}

#[tokio::test]
async fn a_repetition_that_is_denied_leaves_the_agent_the_answer_that_came() {
    let fixture = Fixture::new(&[NONCE_ASKED, "200 OK"], 9).await;
    // What comes to be known once the first has been judged is looked for in what would be sent again.
    let live = fixture.outbound.session.scrubbing.live.clone();
    let known = || (Arc::new(Known::new(b"somebodys-own-secret", false)), Replacement::new("p", "p"));
    let learn = move || live.renew(|scrubber| scrubber.knowing(std::iter::once(known())));
    fixture.audit.then.set(Box::new(learn)).ok().expect("the first");

    let answer = fixture.ask("POST", &[("x-own", "somebodys-own-secret")], body("hello")).await.expect("an answer");

    assert_eq!((answer.status(), fixture.seen().len()), (StatusCode::UNAUTHORIZED, 1));
    assert!(fixture.audit.records.lock().iter().any(|record| record["rule"] == "leak"), "it is recorded");
}
