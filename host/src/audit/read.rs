//! Reads a log as it stands: a host that died in the middle of a write leaves half a record behind, and another host may have gone on in
//! the same line.

use super::Record;
use std::io::{self, BufRead};

/// How each record begins.
const BEGINNING: &[u8] = b"{\"time\":";

/// A piece of a log.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// A record.
    Record(Box<Recorded>),
    /// What is none.
    Torn(Torn),
}

/// A record as it was read.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub struct Recorded {
    /// What it says.
    pub record: Record<'static>,
    /// Its line.
    pub text: String,
}

/// Where a log holds what is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Torn {
    /// The line, from 1.
    pub line: u64,
    /// The byte of the file that it begins at, from 0.
    pub at: u64,
    /// Its length.
    pub bytes: u64,
}

/// The pieces of a log, in order.
#[derive(Debug)]
pub struct Reader<R> {
    log: R,
    line: Vec<u8>,
    number: u64,
    at: u64,
    /// The record that stands behind a torn one, in the same line.
    next: Option<Recorded>,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, at, bytes } = self;
        write!(
            f,
            "line {line}: {bytes} bytes, from byte {at} on, are not a record and are passed over; a write was cut short, or the log was changed"
        )
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads a log from its beginning.
    pub fn new(log: R) -> Self {
        Self { log, line: Vec::new(), number: 0, at: 0, next: None }
    }

    /// The next piece; `None` at the end.
    fn piece(&mut self) -> io::Result<Option<Piece>> {
        if let Some(recorded) = self.next.take() {
            return Ok(Some(Piece::Record(Box::new(recorded))));
        }
        loop {
            self.line.clear();
            let (read, at) = (self.log.read_until(b'\n', &mut self.line)?, self.at);
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.at += read as u64;
            let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            // An empty line stands where a host began a new one after a torn one.
            if text.trim_ascii().is_empty() {
                continue;
            }
            return Ok(Some(match last_record(text) {
                (0, Some(recorded)) => Piece::Record(Box::new(recorded)),
                (bytes, recorded) => {
                    self.next = recorded;
                    Piece::Torn(Torn { line: self.number, at, bytes: bytes as u64 })
                }
            }));
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
}

/// The record that a line ends with, and how many bytes stand before it: all of them, where there is none.
fn last_record(line: &[u8]) -> (usize, Option<Recorded>) {
    if let Some(recorded) = record(line) {
        return (0, Some(recorded));
    }
    // In the text of a record these characters can't stand: its quotes are escaped there.
    let found = memchr::memmem::rfind(line, BEGINNING).and_then(|at| Some((at, record(&line[at..])?)));
    found.map_or((line.len(), None), |(at, recorded)| (at, Some(recorded)))
}

fn record(text: &[u8]) -> Option<Recorded> {
    let text = std::str::from_utf8(text).ok()?;
    Some(Recorded { record: serde_json::from_str(text).ok()?, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, Used};

    const WHOLE: &str = "{\"time\":\"t\",\"run\":\"r\",\"agent\":\"a\",\"event\":\"of-a-later-version\",\"more\":[1]}";

    /// The records, and the pieces between them as line, first byte and length.
    fn read(log: &[u8]) -> (usize, Vec<(u64, u64, u64)>) {
        let (mut records, mut torn) = (0, Vec::new());
        for piece in Reader::new(log) {
            match piece.expect("read") {
                Piece::Record(recorded) => {
                    assert_eq!((recorded.text.as_str(), &*recorded.record.run), (WHOLE, "r"));
                    records += 1;
                }
                Piece::Torn(Torn { line, at, bytes }) => torn.push((line, at, bytes)),
            }
        }
        (records, torn)
    }

    #[test]
    fn a_log_is_read_past_what_was_torn_wherever_it_was() {
        let half = &WHOLE[..10];
        for cut in 1..WHOLE.len() {
            let (torn, length) = (&WHOLE[..cut], cut as u64);
            let first = WHOLE.len() as u64 + 1;
            assert_eq!(read(format!("{WHOLE}\n{torn}").as_bytes()), (1, vec![(2, first, length)]), "at the end");
            assert_eq!(read(format!("{WHOLE}\n{torn}\n{WHOLE}\n").as_bytes()), (2, vec![(2, first, length)]), "in the middle");
            assert_eq!(read(format!("{WHOLE}\n{torn}{WHOLE}\n").as_bytes()), (2, vec![(2, first, length)]), "another host went on");
            assert_eq!(read(format!("{torn}\n\n{WHOLE}\n").as_bytes()), (1, vec![(1, 0, length)]), "an empty line");
        }
        assert_eq!(read(format!("{WHOLE}\n").as_bytes()), (1, vec![]));
        assert_eq!(read(b""), (0, vec![]));
        // Zeros, as a power cut leaves them, bytes that are no text, and JSON that is no record.
        for (bytes, length) in [(&[0u8; 4_096][..], 4_096), (b"\xff\xfe", 2), (b"3", 1), (half.as_bytes(), 10)] {
            assert_eq!(read(&[bytes, b"\n", WHOLE.as_bytes()].concat()), (1, vec![(1, 0, length)]));
        }
    }

    #[test]
    fn what_a_later_version_has_written_is_kept_as_it_stands() {
        let recorded = record(WHOLE.as_bytes()).expect("a record");

        assert_eq!(recorded.record.event_name(), "of-a-later-version");
        assert_eq!(serde_json::to_string(&recorded.record).expect("JSON"), WHOLE);
        assert_eq!(recorded.record.clone().into_owned(), recorded.record);
    }

    #[test]
    fn the_place_is_told() {
        let torn = Torn { line: 17, at: 4_242, bytes: 123 };

        assert!(torn.to_string().starts_with("line 17: 123 bytes, from byte 4242 on, are not a record"), "{torn}");
    }

    #[test]
    fn each_event_is_read_as_it_was_written() {
        let texts = || vec!["one".to_owned(), "two".to_owned()].into();
        let used = || Used {
            name: "KEY".into(),
            fingerprint: "0a0a0a0a".into(),
            version: Some("3".into()),
            stale: true,
            place: Some("header:authorization".into()),
        };
        let plain = || Used { version: None, stale: false, place: None, ..used() };
        let (error, detail) = (Some("the connection was refused".into()), Some("by 127.0.0.1".into()));
        let events = [
            Event::RunStart { component: "00".into(), secrets: vec![used(), plain()] },
            Event::Egress { request: 1, method: "GET".into(), url: "https://a/".into(), rule: "r".into(), secrets: vec![], repeats: None },
            Event::VersionsChanged { request: 1, secrets: vec![used()] },
            Event::Rotation { rotation: "r".into(), number: 1, step: "issue".into(), detail: None },
            Event::Rotation { rotation: "r".into(), number: 2, step: "alert".into(), detail: Some("look".into()) },
            Event::Answer { request: 1, status: Some(200), sent: 1, received: 2, redacted: 3, millis: 4, error: None, detail: None },
            Event::Answer { request: 1, status: None, sent: 1, received: 2, redacted: 3, millis: 4, error, detail },
            Event::InertPlaceholder { request: 1, secret: "KEY".into() },
            Event::LeakRedacted { request: 1, kinds: texts() },
            Event::Sealed { request: 1, secret: "KEY".into(), field: "json:/a".into() },
            Event::SecretOpened { secret: plain() },
            Event::SecretUnavailable { secret: "KEY".into(), reason: "r".into(), incident: true },
            Event::SecretUnavailable { secret: "KEY".into(), reason: "r".into(), incident: false },
            Event::Signed {
                signer: "w".into(),
                key: "0x".into(),
                what: texts(),
                spends: texts(),
                left: texts(),
                digest: "00".into(),
                again: true,
            },
            Event::SignerFailed { signer: "w".into(), reason: "r".into(), spent: false },
            Event::Denial { rule: "path".into(), asked: "GET".into(), reason: "r".into(), remedy: "a \"line\"\n".into() },
            Event::DenialsRepeated { rule: "path".into(), asked: "GET".into(), reason: "why".into(), count: 7 },
            Event::FailuresRepeated { error: "e".into(), count: 7, sent: 1, received: 2 },
            Event::RunEnd { outcome: "exit 0".into(), usage: crate::meter::Usage { cpu_millis: 1, ..Default::default() } },
        ];
        for event in events {
            let written = Record { time: "t".into(), run: "r".into(), agent: "a".into(), event };
            let text = serde_json::to_string(&written).expect("JSON");

            let read = record(text.as_bytes()).expect("a record").record;

            assert_eq!(read, written);
            assert_eq!(read.clone().into_owned(), written);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["event"], read.event_name(), "{text}");
        }
    }
}
