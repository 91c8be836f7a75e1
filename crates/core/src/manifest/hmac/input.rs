//! What is signed, as a template: text with pieces of the request in braces, `{timestamp}{method}{target}{body}`, and digests of templates,
//! `{path}{sha256-raw {nonce}{body}}`. Text has no braces, and `\n` in it is a line feed.

use super::Words;
use crate::manifest::Problem;
use http::HeaderName;
use std::fmt;

/// Longest template, in bytes.
const MAX_LENGTH: usize = 1_024;
/// How deep digests may stand in digests.
const MAX_DEPTH: usize = 4;

/// What is signed: pieces, one after the other. It prints as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Input(pub Vec<Piece>);

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// `{method}`: upper-case.
    Method,
    /// `{path}`: as it is sent.
    Path,
    /// `{query}`: as it is sent, without `?` and without the signature; empty where there is none.
    Query,
    /// `{sorted_query}`: the same with its parameters in the order of their names.
    SortedQuery,
    /// `{target}`: the path, and `?` and the query where there is one.
    Target,
    /// `{body}`: as it is sent, without the signature where that stands in a form.
    Body,
    /// `{timestamp}`: as it is written in the request.
    Timestamp,
    /// `{nonce}`: the same.
    Nonce,
    /// `{host}`: as `Host` has it.
    Host,
    /// `{header:NAME}`: a header with a single line.
    Header(HeaderName),
    /// `{sha256 …}`, `{sha256-raw …}`, `{sha512 …}`, `{sha512-raw …}`: a digest of pieces, in lower-case hexadecimal digits or as it is.
    Digest {
        /// The hash function.
        hash: Hash,
        /// Whether the digest's bytes stand there, and not its digits.
        raw: bool,
        /// What it is of.
        of: Vec<Piece>,
    },
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Words for Hash {
    const ALL: &'static [(&'static str, Self)] = &[("sha256", Self::Sha256), ("sha512", Self::Sha512)];
}

const REMEDY: &str = "use `{method}`, `{path}`, `{query}`, `{sorted_query}`, `{target}`, `{body}`, `{timestamp}`, `{nonce}`, `{host}`, \
                      `{header:NAME}`, and digests as in `{sha256 {body}}`";

impl Input {
    /// Parses a template.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_LENGTH {
            return Err(Problem::new(format!("a template of more than {MAX_LENGTH} bytes"), "shorten its text"));
        }
        let mut rest = text;
        let pieces = pieces(&mut rest, 0)?;
        match pieces.iter().any(Piece::is_of_the_request) {
            true => Ok(Self(pieces)),
            false => Err(Problem::new("a template without anything of the request", REMEDY)),
        }
    }

    /// Whether some piece, at whatever depth, is one of these.
    pub(crate) fn has(&self, is: &dyn Fn(&Piece) -> bool) -> bool {
        self.0.iter().any(|piece| piece.has(is))
    }
}

impl Piece {
    fn has(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Digest { of, .. } => of.iter().any(|piece| piece.has(is)),
            piece => is(piece),
        }
    }

    fn is_of_the_request(&self) -> bool {
        self.has(&|piece| !matches!(piece, Self::Text(_)))
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "method" => Self::Method,
            "path" => Self::Path,
            "query" => Self::Query,
            "sorted_query" => Self::SortedQuery,
            "target" => Self::Target,
            "body" => Self::Body,
            "timestamp" => Self::Timestamp,
            "nonce" => Self::Nonce,
            "host" => Self::Host,
            _ => Self::Header(HeaderName::from_bytes(name.strip_prefix("header:")?.as_bytes()).ok()?),
        })
    }
}

/// Pieces up to the end of the text, or within a digest up to its closing brace, which stays.
fn pieces(rest: &mut &str, depth: usize) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    loop {
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        let (text, behind) = rest.split_at(end);
        if !text.is_empty() {
            pieces.push(Piece::Text(unescaped(text)?));
        }
        *rest = behind;
        match behind.as_bytes().first() {
            None if depth > 0 => return Err(unbalanced()),
            None => return Ok(pieces),
            Some(b'}') if depth == 0 => return Err(unbalanced()),
            Some(b'}') => return Ok(pieces),
            Some(_) => pieces.push(piece(rest, depth)?),
        }
    }
}

/// The piece at the beginning, which is an opening brace.
fn piece(rest: &mut &str, depth: usize) -> Result<Piece, Problem> {
    let inner = &rest[1..];
    let end = inner.find(['{', '}', ' ']).ok_or_else(unbalanced)?;
    let (name, behind) = inner.split_at(end);
    match behind.as_bytes()[0] {
        b'}' => {
            *rest = &behind[1..];
            Piece::parse(name).ok_or_else(|| Problem::new("an unknown piece", REMEDY))
        }
        b' ' => {
            let (hash, raw) = name.strip_suffix("-raw").map_or((name, false), |hash| (hash, true));
            let known = Hash::ALL.iter().find(|(word, _)| *word == hash);
            let (_, hash) = known.ok_or_else(|| Problem::new("an unknown digest", REMEDY))?;
            if depth == MAX_DEPTH {
                return Err(Problem::new(format!("digests nested more than {MAX_DEPTH} deep"), "take some of them out"));
            }
            *rest = &behind[1..];
            let of = pieces(rest, depth + 1)?;
            *rest = rest.strip_prefix('}').ok_or_else(unbalanced)?;
            match of.is_empty() {
                true => Err(Problem::new("a digest of nothing", REMEDY)),
                false => Ok(Piece::Digest { hash: *hash, raw, of }),
            }
        }
        _ => Err(unbalanced()),
    }
}

fn unbalanced() -> Problem {
    Problem::new("braces that do not match", "write each piece in a pair of braces, as in `{method}`; text has none")
}

fn unescaped(text: &str) -> Result<String, Problem> {
    let text = text.replace("\\n", "\n");
    match text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\\') {
        Some(_) => Err(Problem::new("a backslash or a control character in the text", "write a line feed as `\\n`; there are no others")),
        None => Ok(text),
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| piece.fmt(f))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&text.replace('\n', "\\n")),
            Self::Method => f.write_str("{method}"),
            Self::Path => f.write_str("{path}"),
            Self::Query => f.write_str("{query}"),
            Self::SortedQuery => f.write_str("{sorted_query}"),
            Self::Target => f.write_str("{target}"),
            Self::Body => f.write_str("{body}"),
            Self::Timestamp => f.write_str("{timestamp}"),
            Self::Nonce => f.write_str("{nonce}"),
            Self::Host => f.write_str("{host}"),
            Self::Header(name) => write!(f, "{{header:{name}}}"),
            Self::Digest { hash, raw, of } => {
                write!(f, "{{{}{} ", hash.word(), if *raw { "-raw" } else { "" })?;
                of.iter().try_for_each(|piece| piece.fmt(f))?;
                f.write_str("}")
            }
        }
    }
}
