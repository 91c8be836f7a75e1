//! Reads a log as it stands: a host that died in the middle of a write leaves half a record behind, and another host may have gone on in
//! the same line.

use super::{FORMAT, Record};
use crate::format;
use std::io::{self, BufRead};

/// How each record begins.
const BEGINNING: &[u8] = b"{\"time\":";

/// A piece of a log.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// A record.
    Record(Box<Recorded>),
    /// What is not a record.
    Torn(Torn),
    /// A record in a format that this version does not know.
    Newer(Newer),
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

/// Where a log holds something that is not a record.
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

/// Where a log holds a record in the format of a later version: what it says may mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Newer {
    /// The line, from 1.
    pub line: u64,
    /// The number of its format.
    pub format: u64,
}

/// What a text is.
#[derive(Debug)]
enum Read {
    Record(Box<Recorded>),
    /// A record of this format.
    Newer(u64),
}

/// The pieces of a log, in order.
#[derive(Debug)]
pub struct Reader<R> {
    log: R,
    line: Vec<u8>,
    number: u64,
    at: u64,
    /// The record that stands behind a torn one, in the same line.
    next: Option<Read>,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, at, bytes } = self;
        write!(
            f,
            "line {line}: {bytes} bytes, from byte {at} on, are not a record and are skipped; a write was cut short, or the log was changed"
        )
    }
}

impl std::fmt::Display for Newer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let refused = format::refused(self.format, FORMAT).unwrap_or_default();
        write!(f, "line {}: a record is skipped, {refused}", self.line)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads a log from its beginning.
    pub fn new(log: R) -> Self {
        Self { log, line: Vec::new(), number: 0, at: 0, next: None }
    }

    /// The next piece; `None` at the end.
    fn piece(&mut self) -> io::Result<Option<Piece>> {
        if let Some(read) = self.next.take() {
            return Ok(Some(self.whole(read)));
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
                (0, Some(read)) => self.whole(read),
                (bytes, read) => {
                    self.next = read;
                    Piece::Torn(Torn { line: self.number, at, bytes: bytes as u64 })
                }
            }));
        }
    }
}

impl<R> Reader<R> {
    /// The piece that is no torn one.
    fn whole(&self, read: Read) -> Piece {
        match read {
            Read::Record(recorded) => Piece::Record(recorded),
            Read::Newer(format) => Piece::Newer(Newer { line: self.number, format }),
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
fn last_record(line: &[u8]) -> (usize, Option<Read>) {
    if let Some(read) = record(line) {
        return (0, Some(read));
    }
    // In the text of a record these characters can't stand: its quotes are escaped there.
    let found = memchr::memmem::rfind(line, BEGINNING).and_then(|at| Some((at, record(&line[at..])?)));
    found.map_or((line.len(), None), |(at, read)| (at, Some(read)))
}

fn record(text: &[u8]) -> Option<Read> {
    if let Some(format) = format::of_json(text).filter(|format| *format > FORMAT) {
        return Some(Read::Newer(format));
    }
    let text = std::str::from_utf8(text).ok()?;
    Some(Read::Record(Box::new(Recorded { record: serde_json::from_str(text).ok()?, text: text.to_owned() })))
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
                Piece::Newer(newer) => panic!("{newer}"),
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
        let recorded = recorded(WHOLE);

        assert_eq!(recorded.record.event_name(), "of-a-later-version");
        assert_eq!(serde_json::to_string(&recorded.record).expect("JSON"), WHOLE);
        assert_eq!(recorded.record.clone().into_owned(), recorded.record);
    }

    #[test]
    fn a_record_in_a_newer_format_is_told_and_passed_over() {
        let newer = [r#"{"time":"t","run":"r","agent":"a","format":2,"event":"denial"}"#, r#"{"format":3,"at":"t"}"#];
        let same = r#"{"time":"t","run":"r","agent":"a","format":1,"event":"of-a-later-version"}"#;
        let torn = &WHOLE[..9];

        let log = format!("{}\n{WHOLE}\n{torn}{}\n{same}\n{}\n", newer[0], newer[0], newer[1]);
        let pieces: Vec<Piece> = Reader::new(log.as_bytes()).map(|piece| piece.expect("read")).collect();

        let what = "a record is skipped, written by a newer Strongroom (format";
        let rest = "this one reads up to 1): upgrade this one";
        let expected = [(1, 2), (3, 2), (5, 3)].map(|(line, format)| format!("line {line}: {what} {format}; {rest}"));
        let told = pieces.iter().filter_map(|piece| if let Piece::Newer(newer) = piece { Some(newer.to_string()) } else { None });
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(pieces.iter().filter(|piece| matches!(piece, Piece::Record(_))).count(), 2);
        assert_eq!(pieces.len(), 6, "and the torn one");
    }

    fn recorded(text: &str) -> Recorded {
        match record(text.as_bytes()) {
            Some(Read::Record(recorded)) => *recorded,
            _ => panic!("no record: {text}"),
        }
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
            Event::RunStart { component: "00".into(), manifest: None, secrets: vec![used(), plain()] },
            Event::Egress {
                request: 1,
                method: "GET".into(),
                url: "https://a/".into(),
                rule: "r".into(),
                secrets: vec![],
                repeats: None,
                manifest: None,
            },
            Event::VersionsChanged { request: 1, secrets: vec![used()] },
            Event::Rotation { rotation: "r".into(), number: 1, step: "issue".into(), detail: None },
            Event::Rotation { rotation: "r".into(), number: 2, step: "alert".into(), detail: Some("look".into()) },
            Event::Token { credential: "file:bot/CRM".into(), step: "ask".into(), detail: Some("at login.test".into()), fingerprint: None },
            Event::Token { credential: "file:bot/CRM".into(), step: "answer".into(), detail: None, fingerprint: Some("0123abcd".into()) },
            Event::Answer {
                request: 1,
                status: Some(200),
                sent: 1,
                received: 2,
                redacted: 3,
                millis: 4,
                error: None,
                detail: None,
                made: vec![Used::made_of("KEY", crate::secrets::SecretValue::new("a signature").fingerprint(&[7; 32]))],
            },
            Event::Answer { request: 1, status: None, sent: 1, received: 2, redacted: 3, millis: 4, error, detail, made: Vec::new() },
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

            let read = recorded(&text).record;

            assert_eq!(read, written);
            assert_eq!(read.clone().into_owned(), written);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["event"], read.event_name(), "{text}");
        }
    }
}
