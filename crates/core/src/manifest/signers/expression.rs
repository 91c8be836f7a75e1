//! The regular expressions of signers: what a message has to match, and what an HMAC authenticates.

use crate::manifest::diagnostic::Problem;

/// A pattern that matches whole, and of which no wildcard crosses a line.
pub(super) fn pattern(text: &str) -> Result<regex::Regex, Problem> {
    // By itself first: what closes a group that it did not open would leave the frame around it.
    if regex_syntax::Parser::new().parse(text).is_err() {
        return Err(Problem::new("not a regular expression", "see https://docs.rs/regex/#syntax"));
    }
    let whole = regex::RegexBuilder::new(&format!("^(?:{text})$")).multi_line(false).dot_matches_new_line(false).crlf(true).build();
    let pattern = whole.map_err(|_| Problem::new("not a regular expression", "see https://docs.rs/regex/#syntax"))?;
    match crosses_lines(text) {
        false => Ok(pattern),
        true => Err(Problem::new(
            "a part of this pattern matches line breaks as well as other characters",
            "write line breaks as `\\n`, and for the rest classes without them, as in `[^\\n]*` or `[0-9a-f]+`",
        )),
    }
}

/// Whether a class of more than one character has a line break among them.
fn crosses_lines(text: &str) -> bool {
    use regex_syntax::hir::{Class, Hir, HirKind};

    fn crosses(hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                let wide = class.ranges().iter().any(|range| range.start() <= '\n' && '\n' <= range.end());
                wide && class.ranges().iter().map(|range| u32::from(range.end()) - u32::from(range.start()) + 1).sum::<u32>() > 1
            }
            HirKind::Class(Class::Bytes(_)) => true,
            HirKind::Repetition(repetition) => crosses(&repetition.sub),
            HirKind::Capture(capture) => crosses(&capture.sub),
            HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().any(crosses),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => false,
        }
    }
    regex_syntax::Parser::new().parse(text).is_ok_and(|hir| crosses(&hir))
}

/// The template of what is authenticated. It may not match an input from which keys are derived.
pub(super) fn template(text: &str) -> Result<regex::Regex, Problem> {
    let template = pattern(text)?;
    match DERIVATIONS.iter().find(|input| template.is_match(input)) {
        None => Ok(template),
        Some(_) => Err(Problem::new(
            "this template matches inputs whose output is a key, as the steps of AWS Signature Version 4 are",
            "let it begin with what every request of the agent begins with, as in `GET /v1/`",
        )),
    }
}

/// Inputs by which known schemes derive keys: the steps of AWS Signature Version 4, and those of HKDF and PBKDF2 with short inputs.
const DERIVATIONS: &[&str] = &[
    "20260101",
    "20301231",
    "us-east-1",
    "eu-central-1",
    "ap-southeast-2",
    "auto",
    "global",
    "s3",
    "kms",
    "sts",
    "iam",
    "execute-api",
    "secretsmanager",
    "dynamodb",
    "bedrock",
    "aws4_request",
    "vod",
    "tc3_request",
    "",
    "a",
    "\u{1}",
    "key",
    "info\u{1}",
    "goog4_request",
    "2026-01-01",
    "sdk_request",
];
