//! The head of an HTTP/1 response as it comes over the wire, line by line; and what is said about a head that can't be read.
//!
//! The client leaves out lines that are not headers, and joins folded ones, as browsers do. A line that says how the response is to be read
//! must not be among them: whoever reads by it would see a different response from the one that was searched. The client does not tell what
//! it left out, so it is looked for here, and the response refused.

/// Most header lines of an answer.
pub(super) const MOST_LINES: usize = 256;

/// What header names begin with that say how a body is to be read.
const TELLING: &[&[u8]] = &[b"content-", b"transfer-encoding"];
/// Those that say where it ends: they have one spelling.
const FRAMING: &[&[u8]] = &[b"content-length", b"transfer-encoding"];

/// A line that can't be left out, and can't be read.
#[derive(Debug, thiserror::Error)]
#[error("a header line that says how the response is to be read is malformed")]
pub(super) struct OddLine;

/// The heads of one connection's answers.
#[derive(Debug, Default)]
pub(super) struct Heads {
    at: Place,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// What a folded line would go on with.
    last: Last,
    is_interim: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before an answer.
    #[default]
    Status,
    Fields,
    /// Behind a head: nothing is looked at until the next request.
    Body,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// None, or one that is left out.
    #[default]
    None,
    Header,
    /// One that says how the body is to be read.
    Telling,
    /// One that says where it ends.
    Framing,
}

impl Heads {
    /// A request, or a part of one, is sent: an answer may begin.
    pub(super) fn sent(&mut self) {
        if self.at == Place::Body {
            *self = Self { line: std::mem::take(&mut self.line), ..Self::default() };
            self.line.clear();
        }
    }

    pub(super) fn is_watching(&self) -> bool {
        self.at != Place::Body
    }

    /// Bytes have come.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Result<(), OddLine> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.at == Place::Body {
                return Ok(());
            }
            if !piece.ends_with(b"\n") {
                self.line.extend_from_slice(piece);
            } else if self.line.is_empty() {
                self.take(piece)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.take(&line)?;
            }
        }
        Ok(())
    }

    /// Takes a whole line.
    fn take(&mut self, line: &[u8]) -> Result<(), OddLine> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.at {
            Place::Body => {}
            Place::Status if line.is_empty() => {}
            Place::Status => {
                // What is no answer is the rest of one that came while its request was still being sent.
                self.at = if line.starts_with(b"HTTP/") { Place::Fields } else { Place::Body };
                self.is_interim = line.get(9) == Some(&b'1') && !line[9..].starts_with(b"101");
                self.last = Last::None;
            }
            Place::Fields if line.is_empty() => self.at = if self.is_interim { Place::Status } else { Place::Body },
            Place::Fields => self.last = judged(line, self.last)?,
        }
        Ok(())
    }
}

/// What a line is, behind another.
fn judged(line: &[u8], last: Last) -> Result<Last, OddLine> {
    let is_whole = !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    let left_out = || if tells(line) { Err(OddLine) } else { Ok(Last::None) };
    if matches!(line[0], b' ' | b'\t') {
        return match last {
            Last::None => left_out(),
            Last::Header | Last::Telling if is_whole => Ok(last),
            Last::Header => Ok(Last::None),
            Last::Telling | Last::Framing => Err(OddLine),
        };
    }
    let Some((name, _)) = line.iter().position(|byte| *byte == b':').map(|at| line.split_at(at)) else { return left_out() };
    let bare = name.trim_ascii_end();
    if !is_whole || bare.is_empty() || !bare.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)) {
        return left_out();
    }
    let is = |names: &[&[u8]]| names.iter().any(|known| bare.len() >= known.len() && bare[..known.len()].eq_ignore_ascii_case(known));
    match (is(FRAMING), is(TELLING)) {
        (true, _) if bare.len() < name.len() => Err(OddLine),
        (true, _) => Ok(Last::Framing),
        (_, true) => Ok(Last::Telling),
        _ => Ok(Last::Header),
    }
}

/// Whether a line names how a body is to be read, anywhere in it.
fn tells(line: &[u8]) -> bool {
    let line = line.to_ascii_lowercase();
    TELLING.iter().any(|name| memchr::memmem::find(&line, name).is_some())
}

/// Why there is no answer, where one came whose head can't be read.
pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(at) = cause {
        if let Some(hyper) = at.downcast_ref::<hyper::Error>() {
            if hyper.is_parse_too_large() {
                return Some("its head is too long: more than 256 header lines, or some 400 KB");
            }
            if hyper.is_parse() {
                return Some("its head does not follow HTTP/1.1");
            }
        }
        if at.downcast_ref::<h2::Error>().is_some_and(is_odd) {
            return Some("its head does not follow HTTP/2, or is longer than 64 KiB");
        }
        let odd = at.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()).is_some_and(|inner| inner.is::<OddLine>());
        if odd {
            return Some("a header line that says how it is to be read is malformed");
        }
        cause = at.source();
    }
    None
}

/// Whether it was this side that could not read what came: a server that ends a request by itself says the same for other reasons.
fn is_odd(error: &h2::Error) -> bool {
    error.is_library() && matches!(error.reason(), Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::COMPRESSION_ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(head: &str) -> bool {
        // However it comes in.
        let taken: Vec<bool> = [1, 3, 1000]
            .into_iter()
            .map(|size| {
                let mut heads = Heads::default();
                head.as_bytes().chunks(size).all(|piece| heads.received(piece).is_ok())
            })
            .collect();
        assert!(taken.iter().all(|one| *one == taken[0]), "{head}");
        taken[0]
    }

    #[test]
    fn a_line_that_frames_is_never_left_out_and_others_may_be() {
        for line in [
            "x: y",
            "PHP Warning: Unable to load library in Unknown on line 0",
            "no header at all",
            "set-cookie: a=\x01b",
            "x : y",
            "content-type : text/plain",
            "x: a\r\n  folded",
            "content-type: text/html;\r\n charset=utf-8",
            "transfer-encoding: chunked",
            "x-transfer-encodings: a",
            "link: <content-length>",
            ": nameless",
        ] {
            assert!(is_taken(&format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n")), "{line:?}");
        }
        for line in [
            "transfer-encoding : chunked",
            "Content-Length\t: 5",
            "content-length: 5\x01",
            "transfer-encoding: chu\x7fnked",
            "transfer-encoding\x0b: chunked",
            "\"content-encoding\": gzip",
            " transfer-encoding: chunked",
            "transfer-encoding:\r\n chunked",
            "content-length: 5\r\n 6",
            "set-cookie: a=\x01b\r\n content-length: 5",
            "content-type: text/html;\r\n charset=\x01utf-7",
            "content-encoding gzip",
        ] {
            assert!(!is_taken(&format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n")), "{line:?}");
            assert!(!is_taken(&format!("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n{line}\r\n\r\n")), "behind another: {line:?}");
            assert!(is_taken(&format!("HTTP/1.1 200 OK\r\n\r\n{line}\r\n\r\n")), "in a body: {line:?}");
        }
    }

    #[test]
    fn each_answer_of_a_connection_is_looked_at_and_no_body() {
        let mut heads = Heads::default();
        assert!(heads.received(b"HTTP/1.1 200 OK\r\n\r\ncontent-length : 1\r\n").is_ok() && !heads.is_watching());
        heads.sent();
        assert!(heads.is_watching());
        assert!(heads.received(b"and more, content-length : 1\r\ncontent-length : 1\r\n").is_ok(), "a body that came early goes on");
        heads.sent();
        heads.sent();
        assert!(heads.received(b"HTTP/1.1 200 OK\r\ncontent-length : 1\r\n").is_err());
    }
}
