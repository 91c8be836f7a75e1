//! Whether a response is one whole text in a charset that can be searched. What is not is refused before any of it is handed on.

use crate::policy::charset;
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Marks at the beginning of a text (UTF-16, UTF-32, UTF-7, UTF-EBCDIC, SCSU, BOCU-1) and of XML in EBCDIC.
const MARKS: &[&[u8]] = &[
    b"\xfe\xff",
    b"\xff\xfe",
    b"\0\0\xfe\xff",
    b"+/v8",
    b"+/v9",
    b"+/v+",
    b"+/v/",
    b"\xdd\x73\x66\x73",
    b"\x0e\xfe\xff",
    b"\xfb\xee\x28",
    b"\x4c\x6f\xa7\x94",
];
/// The longest of them.
const LONGEST: usize = 4;

/// Why the frame of an answer is refused: whoever reads it otherwise than the host sees another body.
pub(super) fn framing(headers: &HeaderMap) -> Option<&'static str> {
    let mut lines = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |line: &HeaderValue| line.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) if is_chunked(line) && !headers.contains_key(header::CONTENT_LENGTH) => None,
        (Some(line), None) if is_chunked(line) => Some("its length is given twice (`Transfer-Encoding` and `Content-Length`)"),
        _ => Some("its transfer coding is not `chunked`"),
    }
}

/// Why the answer of a host that holds a grant is refused.
pub(super) fn whole(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let is_part = matches!(status.as_u16(), 206 | 226) || headers.contains_key(header::CONTENT_RANGE);
    if is_part || types.any(|line| is_kind(line, "multipart/byteranges")) {
        return Some("it is a partial response, which nobody asked for");
    }
    (!charset::named(headers).iter().all(|name| charset::is_plain(name))).then_some("its charset is not UTF-8, US-ASCII or ISO-8859-1")
}

/// Whether a media type begins so.
fn is_kind(line: &HeaderValue, kind: &str) -> bool {
    line.as_bytes().get(..kind.len()).is_some_and(|found| found.eq_ignore_ascii_case(kind.as_bytes()))
}

/// Why the answer of another host is refused.
pub(super) fn searchable(headers: &HeaderMap) -> Option<&'static str> {
    let all = charset::named(headers).iter().all(|name| charset::is_ascii_based(name));
    (!all).then_some("its charset hides what is in it")
}

/// Whether a body came to its end because its chunks are not as RFC 9112 7.1 has them.
pub(super) fn is_frame_malformed(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(at) = cause {
        if let Some(io) = at.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData);
        }
        cause = at.source();
    }
    false
}

/// The beginning of a body, where a mark says how the rest is to be read.
#[derive(Debug, Default)]
pub(super) struct Opening(Vec<u8>);

impl Opening {
    /// What looks at the beginning, unless the body is no text.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let is_other = |line| ["image/", "audio/", "video/", "font/"].iter().any(|kind| is_kind(line, kind));
        (!headers.get(header::CONTENT_TYPE).is_some_and(is_other)).then(Self::default)
    }

    /// Takes a piece in; why the body is refused.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<&'static str> {
        let missing = LONGEST.saturating_sub(self.0.len()).min(piece.len());
        if missing == 0 {
            return None;
        }
        self.0.extend_from_slice(&piece[..missing]);
        MARKS.iter().any(|mark| self.0.starts_with(mark)).then_some("its body begins as text that is not UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_frame_is_taken() {
        let framed = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            framing(&headers).is_none()
        };
        assert!(framed(&[]) && framed(&[("content-length", "1")]) && framed(&[("transfer-encoding", "Chunked")]));
        for coding in ["gzip, chunked", "chunked, gzip", "identity", "gzip", "xchunked", "chunked, chunked", ""] {
            assert!(!framed(&[("transfer-encoding", coding)]), "{coding}");
        }
        assert!(!framed(&[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")]));
        assert!(!framed(&[("transfer-encoding", "chunked"), ("content-length", "1")]));
    }

    #[test]
    fn a_mark_is_seen_in_single_bytes_and_only_at_the_beginning() {
        for mark in MARKS {
            let mut opening = Opening::default();
            assert!(mark.iter().any(|byte| opening.push(&[*byte]).is_some()), "{mark:?}");
        }
        let mut opening = Opening::default();
        assert!(opening.push(b"\xef\xbb\xbf{").is_none() && opening.push(b"\xff\xfe").is_none());
    }
}
