//! The one language of patterns, for paths of URLs, entries of backends and keys of signers: `*` is one segment, `**` at the end any rest.

use super::diagnostic::Problem;
use std::fmt;

/// Segments between slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segments {
    segments: Vec<Segment>,
    /// Whether any further segments may follow, at least one.
    rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// Any text but none.
    Any,
    /// One text that is not known beforehand, with what stands around it: the name of an agent, or a secret.
    Around(String, String),
}

/// Where an agent's name may stand in a pattern.
const AGENT: &str = "{agent}";

impl Segments {
    fn parse(text: &str, literal: impl Fn(&str) -> Result<Segment, Problem>) -> Result<Self, Problem> {
        let mut segments = Vec::new();
        let mut parts = text.split('/').peekable();
        while let Some(part) = parts.next() {
            segments.push(match part {
                "**" if parts.peek().is_none() => return Ok(Self { segments, rest: true }),
                "**" => return Err(Problem::new("`**` in the middle of a pattern", "`**` stands only at the end; `*` is one segment")),
                "*" => Segment::Any,
                // Any pattern with a whole segment there would cover more than what was meant.
                _ if part.contains('*') => {
                    let remedy = "`*` stands for one whole segment, never for a part of one: write each of those that are meant";
                    return Err(Problem::new("a `*` next to other characters", remedy));
                }
                "." | ".." => return Err(Problem::new("a dot segment", "write it without `.` and `..`")),
                part => literal(part)?,
            });
        }
        Ok(Self { segments, rest: false })
    }

    /// Whether a text is in the set, with this text in its hole; without one, with any.
    fn matches(&self, text: &str, inner: Option<&str>) -> bool {
        let mut parts = text.split('/');
        for segment in &self.segments {
            let Some(part) = parts.next() else { return false };
            let fits = match segment {
                Segment::Any => !part.is_empty(),
                Segment::Literal(literal) => literal == part,
                Segment::Around(before, after) => {
                    let name = part.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
                    name.is_some_and(|name| inner.map_or(!name.is_empty(), |inner| inner == name))
                }
            };
            if !fits {
                return false;
            }
        }
        // `v1/**` covers what is below `v1/`, not `v1` itself.
        if self.rest { parts.next().is_some() } else { parts.next().is_none() }
    }
}

impl Segments {
    /// As it is written, with `hole` for what is not known.
    fn written(&self, hole: &str) -> String {
        let rest = self.rest.then_some("**".to_owned());
        let each = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.clone(),
            Segment::Any => "*".to_owned(),
            Segment::Around(before, after) => format!("{before}{hole}{after}"),
        });
        each.chain(rest).collect::<Vec<_>>().join("/")
    }
}

/// Which paths a grant reaches: `/v1/orders`, `/v1/*/status`, `/v1/**`. A path whose segments are literal or `*` (exactly one segment, not
/// empty), with an optional `/**` at the end (any rest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(Segments);

impl PathPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let Some(text) = text.strip_prefix('/') else {
            return Err(Problem::new("a path without `/` in front", "put a `/` in front: paths are read from the root"));
        };
        let literal = |part: &str| match part.bytes().find(|b| !is_path_byte(*b) && *b != b'%') {
            None => Ok(Segment::Literal(part.to_owned())),
            Some(b'?' | b'#') => {
                Err(Problem::new("a path with a query", "leave the query out: requests are covered by their path, whatever their query"))
            }
            Some(b';' | b'\\') => {
                Err(Problem::new("a character that no request may have in its path", "leave the path out: it can't be granted"))
            }
            Some(_) => Err(Problem::new("a character that no path can hold", "percent-encode it, as in `%20`")),
        };
        Segments::parse(text, literal).map(Self)
    }

    /// Whether a canonical path (leading `/`, no query) is in the set.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        path.strip_prefix('/').is_some_and(|path| self.0.matches(path, None))
    }
}

impl std::str::FromStr for PathPattern {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.written(""))
    }
}

/// A segment of a path, with the secret in it: `/bot{}/**`. The other segments are as in a [`PathPattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPlace {
    segments: Segments,
    /// Which segment it is.
    at: usize,
}

/// Where a secret stands in its segment.
const SECRET: &str = "{}";

impl PathPlace {
    /// Parses a place.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let remedy = "write a path from the root with `{}` once, where the secret stands, as in `path:/bot{}/**`";
        let wrong = || Problem::new("not a path with the secret in one of its segments", remedy);
        let text = text.strip_prefix('/').ok_or_else(wrong)?;
        let literal = |part: &str| match part.split_once(SECRET) {
            _ if !part.replace(SECRET, "").bytes().all(|b| is_path_byte(b) || b == b'%') => Err(wrong()),
            Some((before, after)) => Ok(Segment::Around(before.to_owned(), after.to_owned())),
            None => Ok(Segment::Literal(part.to_owned())),
        };
        let segments = Segments::parse(text, literal)?;
        let at = segments.segments.iter().position(|segment| matches!(segment, Segment::Around(..)));
        match at.filter(|_| text.matches(SECRET).count() == 1) {
            Some(at) => Ok(Self { segments, at }),
            None => Err(wrong()),
        }
    }

    /// What of a path stands where the secret would, where the path is such a one.
    pub(crate) fn held<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_prefix('/').filter(|path| self.segments.matches(path, None))?;
        let Segment::Around(before, after) = &self.segments.segments[self.at] else { return None };
        path.split('/').nth(self.at)?.strip_prefix(before.as_str())?.strip_suffix(after.as_str())
    }

    /// The path with this text where the secret stands.
    pub(crate) fn with(&self, path: &str, text: &str) -> Option<String> {
        self.held(path)?;
        let Segment::Around(before, after) = &self.segments.segments[self.at] else { return None };
        let filled = [before, text, after].concat();
        // The first part stands before the first slash.
        let parts = path.split('/').enumerate().map(|(index, part)| if index == self.at + 1 { filled.as_str() } else { part });
        Some(parts.collect::<Vec<_>>().join("/"))
    }
}

impl fmt::Display for PathPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.segments.written(SECRET))
    }
}

/// What manifests may name in a backend, or among the keys of a signer: `agents/{agent}/**`, `shared/*`. Segments are literal or `*`, with an
/// optional `**` at the end; `{agent}` stands for the agent's name, once in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Segments);

impl NamePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let literal = |part: &str| {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Problem::new("not a pattern of names", "write names joined by `/`, without spaces, none of them empty"));
            }
            match part.split_once(AGENT) {
                None => Ok(Segment::Literal(part.to_owned())),
                Some((_, after)) if after.contains(AGENT) => {
                    Err(Problem::new("`{agent}` twice in a segment", "write `{agent}` once in a segment"))
                }
                Some((before, after)) => Ok(Segment::Around(before.to_owned(), after.to_owned())),
            }
        };
        Segments::parse(text, literal).map(Self)
    }

    /// The patterns of a list that is known to be right.
    pub fn list(patterns: &[&str]) -> Vec<Self> {
        patterns.iter().filter_map(|pattern| Self::parse(pattern).ok()).collect()
    }

    /// Patterns as a message shows them.
    pub fn shown(patterns: &[Self]) -> String {
        patterns.iter().map(Self::to_string).collect::<Vec<_>>().join("`, `")
    }

    /// Whether the agent may name it.
    #[must_use]
    pub fn matches(&self, name: &str, agent: &str) -> bool {
        self.0.matches(name, Some(agent))
    }

    /// Whether some agent may name it.
    #[must_use]
    pub fn matches_for_some(&self, name: &str) -> bool {
        self.0.matches(name, None)
    }

    /// What all names begin with that it covers, up to its first wildcard.
    pub fn root(&self) -> String {
        let text = self.to_string();
        let end = text.find(['{', '*']).unwrap_or(text.len());
        text[..end].to_owned()
    }
}

impl std::str::FromStr for NamePattern {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.written(AGENT))
    }
}

/// Bytes that stand in a path as they are: RFC 3986 `pchar` without `;` and without percent-encoding.
pub fn is_path_byte(byte: u8) -> bool {
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

    #[test]
    fn no_remedy_has_a_pattern_that_covers_more_than_what_was_written() {
        let paths = ["", "v1", "/a/**/b", "/a*", "/v1/orders-*", "/a/../b", "/a b", "/a?b=1", "/a;b"];
        let of_paths = paths.into_iter().filter_map(|text| PathPattern::parse(text).err());
        let names = ["alias/agents-*", "id=*", "{agent}-*", "a/{agent}*", "", "a//b", "a/**/b"];
        let found: Vec<Problem> = of_paths.chain(names.into_iter().filter_map(|text| NamePattern::parse(text).err())).collect();

        assert_eq!(found.len(), paths.len() + names.len());
        for Problem { remedy, .. } in found {
            let quoted = remedy.split('`').skip(1).step_by(2);
            let patterns: Vec<&str> = quoted.filter(|text| text.contains('*') && text.len() > 2).collect();
            assert!(patterns.is_empty(), "{remedy}");
        }
    }

    #[test]
    fn a_secret_is_the_whole_of_what_stands_in_its_segment() {
        let place = |text: &str| PathPlace::parse(text).expect("a place");
        for (text, path, held) in [
            ("/bot{}/**", "/botKEY/getMe", Some("KEY")),
            ("/bot{}/**", "/botKEY/a/b", Some("KEY")),
            ("/bot{}/**", "/botKEY", None),
            ("/bot{}/**", "/bot/getMe", None),
            ("/bot{}/**", "/other/botKEY", None),
            ("/v2/{}", "/v2/KEY", Some("KEY")),
            ("/*/{}.json", "/a/KEY.json", Some("KEY")),
            ("/*/{}.json", "/a/KEY", None),
        ] {
            assert_eq!(place(text).held(path), held, "{text} on {path}");
            assert_eq!(place(text).to_string(), text);
        }
        assert_eq!(place("/bot{}/**").with("/botKEY/getMe", "x:1").as_deref(), Some("/botx:1/getMe"));
        for bad in ["", "/", "bot{}", "/a/b", "/{}{}", "/{}/{}", "/a*{}", "/a?{}", "/a b{}"] {
            assert!(PathPlace::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_an_agents_own_or_shared() {
        let cases = [
            ("{agent}", "bot-1", true),
            ("{agent}", "bot-2", false),
            ("{agent}/*", "bot-1/trade", true),
            ("{agent}/*", "bot-1/trade/more", false),
            ("{agent}/**", "bot-1/trade/more", true),
            ("{agent}/**", "bot-12/trade", false),
            ("alias/ro-{agent}-x", "alias/ro-bot-1-x", true),
            ("alias/ro-{agent}-x", "alias/ro-bot-2-x", false),
            ("*", "1234abcd-12ab-34cd-56ef-1234567890ab", true),
            ("*", "alias/x", false),
            ("**", "alias/x", true),
            ("arn:aws:kms:eu-west-1:1:key/*", "arn:aws:kms:eu-west-1:1:key/2", true),
        ];
        for (pattern, name, expected) in cases {
            let parsed = NamePattern::parse(pattern).expect("valid");
            assert_eq!(parsed.matches(name, "bot-1"), expected, "{pattern} on {name}");
            assert_eq!(parsed.to_string(), pattern);
            assert!(!expected || parsed.matches_for_some(name), "{pattern} on {name}");
        }
        for bad in ["", "a//b", "a/../b", "{agent}{agent}", "a/**/b", "a b"] {
            assert!(NamePattern::parse(bad).is_err(), "{bad}");
        }
    }
}
