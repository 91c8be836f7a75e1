//! Reads a log as it stands: a host that died in the middle of a write leaves half a record behind, and another host may have gone on in
//! the same line.

use serde_json::Value;
use std::io::{self, BufRead};

/// How each record begins.
const BEGINNING: &[u8] = b"{\"time\":";

/// A piece of a log.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'l> {
    /// A record: its text, and what it says.
    Record(&'l str, Value),
    /// What is none.
    Torn(Torn),
}

/// Where a log holds what is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Torn {
    /// The line, from 1.
    line: u64,
    /// The byte of the file that it begins at, from 0.
    at: u64,
    /// Its length.
    bytes: u64,
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

/// Gives the pieces of a log to `each`, in order, until one of them fails.
///
/// # Errors
/// That of `each`, or what `unreadable` makes of the operating system's.
pub(crate) fn pieces<E>(
    mut log: impl BufRead,
    unreadable: impl Fn(io::Error) -> E,
    mut each: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut line, mut at, mut number) = (Vec::new(), 0u64, 0u64);
    loop {
        line.clear();
        let read = log.read_until(b'\n', &mut line).map_err(&unreadable)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // An empty line stands where a host began a new one after a torn one.
        if !text.trim_ascii().is_empty() {
            let begins = beginning(text);
            if begins > 0 {
                each(Piece::Torn(Torn { line: number, at, bytes: begins as u64 }))?;
            }
            if let Some((text, value)) = record(&text[begins..]) {
                each(Piece::Record(text, value))?;
            }
        }
        at += read as u64;
    }
}

/// Where in a line its last record begins: at its end where there is none.
fn beginning(line: &[u8]) -> usize {
    if record(line).is_some() {
        return 0;
    }
    // In the text of a record these characters can't stand: its quotes are escaped there.
    let found = memchr::memmem::rfind(line, BEGINNING);
    found.filter(|at| record(&line[*at..]).is_some()).unwrap_or(line.len())
}

fn record(text: &[u8]) -> Option<(&str, Value)> {
    let text = std::str::from_utf8(text).ok()?;
    let value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    Some((text, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "{\"time\":\"t\",\"run\":\"r\"}";

    /// The records, and the pieces between them as line, first byte and length.
    fn read(log: &[u8]) -> (usize, Vec<(u64, u64, u64)>) {
        let (mut records, mut torn) = (0, Vec::new());
        pieces(
            log,
            |error| error,
            |piece| {
                match piece {
                    Piece::Record(text, value) => {
                        assert_eq!((text, &value["run"]), (WHOLE, &Value::from("r")));
                        records += 1;
                    }
                    Piece::Torn(Torn { line, at, bytes }) => torn.push((line, at, bytes)),
                }
                Ok(())
            },
        )
        .expect("read");
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
    fn reading_ends_where_nobody_wants_more() {
        let mut seen = 0;
        let enough = |_: Piece<'_>| {
            seen += 1;
            Err(io::Error::other("enough"))
        };

        assert!(pieces(format!("{WHOLE}\n{WHOLE}\n").as_bytes(), |error| error, enough).is_err());
        assert_eq!(seen, 1);
    }

    #[test]
    fn the_place_is_told() {
        let torn = Torn { line: 17, at: 4_242, bytes: 123 };

        assert!(torn.to_string().starts_with("line 17: 123 bytes, from byte 4242 on, are not a record"), "{torn}");
    }
}
