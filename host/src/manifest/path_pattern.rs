//! Which paths a grant reaches: `/v1/orders`, `/v1/*/status`, `/v1/**`.

use super::diagnostic::Problem;
use std::fmt;

/// A path whose segments are literal or `*` (exactly one segment, not empty), with an optional `/**` at the end (any rest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
}

impl PathPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let Some(text) = text.strip_prefix('/') else {
            return Err(Problem::new("a path without `/` in front", "write a path from the root, as in `/v1/**`"));
        };
        let mut segments = Vec::new();
        let mut parts = text.split('/').peekable();
        while let Some(part) = parts.next() {
            match part {
                "**" if parts.peek().is_none() => return Ok(Self { segments, rest: true }),
                "**" => return Err(Problem::new("`**` in the middle of a path", "`**` stands only at the end; `*` is one segment")),
                "*" => segments.push(Segment::Any),
                "." | ".." => return Err(Problem::new("a dot segment", "write the path as it is requested")),
                _ if part.contains('*') => {
                    return Err(Problem::new("a `*` beside other characters", "`*` stands for one whole segment, `**` for any rest"));
                }
                _ if !part.bytes().all(|b| is_path_byte(b) || b == b'%') => {
                    return Err(Problem::new("a character that no path can hold", "percent-encode it, as in `%20`"));
                }
                _ => segments.push(Segment::Literal(part.to_owned())),
            }
        }
        Ok(Self { segments, rest: false })
    }

    /// Whether a canonical path (leading `/`, no query) is in the set.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut parts = path.split('/');
        for segment in &self.segments {
            let fits = match (segment, parts.next()) {
                (_, None) => false,
                (Segment::Any, Some(part)) => !part.is_empty(),
                (Segment::Literal(literal), Some(part)) => literal == part,
            };
            if !fits {
                return false;
            }
        }
        // `/v1/**` covers what is below `/v1/`, not `/v1` itself.
        if self.rest { parts.next().is_some() } else { parts.next().is_none() }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => write!(f, "/{literal}")?,
                Segment::Any => f.write_str("/*")?,
            }
        }
        f.write_str(if self.rest { "/**" } else { "" })
    }
}

/// Bytes that stand in a path as they are: RFC 3986 `pchar` without `;` and without percent-encoding.
pub(crate) fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_segments() {
        let cases = [
            ("/v1/**", "/v1/orders", true),
            ("/v1/**", "/v1/a/b", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v1", false),
            ("/v1/**", "/v10/a", false),
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/v1/*/status", "/v1/7/status", true),
            ("/v1/*/status", "/v1//status", false),
            ("/v1/*/status", "/v1/7/8/status", false),
            ("/v1", "/v1", true),
            ("/v1", "/v1/", false),
            ("/", "/", true),
        ];
        for (pattern, path, expected) in cases {
            let parsed = PathPattern::parse(pattern).expect("valid");
            assert_eq!(parsed.matches(path), expected, "{pattern} on {path}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for bad in ["", "v1", "/a/**/b", "/a*", "/a/../b", "/a b", "/a?b"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
