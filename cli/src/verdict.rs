//! What would become of a request, told to people and programs.

use super::output::Answer;
use super::{Failure, code};
use serde_json::json;
use strongroom::ops::{Allowed, PastDenial, Verdict};
use strongroom::text::{for_people, lines_for_people};

/// What a command ends with that has asked for it.
pub(super) fn code(verdict: &Verdict) -> u8 {
    if let Verdict::Denied(_) = verdict { code::DENIED } else { 0 }
}

pub(super) fn tell(out: &mut Answer, verdict: &Verdict, json: bool) -> Result<(), Failure> {
    match verdict {
        verdict if json => out.line(format_args!("{}", json!(verdict))),
        Verdict::Allowed(allowed) => tell_allowed(out, allowed),
        Verdict::Denied(denial) => out.line(format_args!("{denial}")),
        Verdict::Unknown { rule: Some(rule), .. } => out.line(format_args!(
            "method and URL are allowed by {rule}; the denial was about something else in the request, which the log does not have"
        )),
        _ => out.line(format_args!("the log does not have what it takes to judge it again")),
    }
}

/// By what it is allowed, and what it may carry.
fn tell_allowed(out: &mut Answer, allowed: &Allowed) -> Result<(), Failure> {
    out.line(format_args!("allowed by {}", allowed.rule))?;
    for secret in &allowed.secrets {
        out.line(format_args!("  may carry {secret}"))?;
    }
    for term in &allowed.terms {
        out.line(format_args!("  {term}"))?;
    }
    let answer = if allowed.scrubbed { "scrubbed" } else { "searched for the values that the host keeps" };
    out.line(format_args!("  its response is {answer}"))?;
    match allowed.resolved {
        true => Ok(()),
        false => out.line(format_args!(
            "  its host's name can't be resolved from here: a run would not reach it, and whether its address is public is not known"
        )),
    }
}

/// A denial of the log, and what would come of the same request now.
pub(super) fn tell_again(out: &mut Answer, past: &PastDenial, now: &Verdict, json: bool) -> Result<(), Failure> {
    let PastDenial { asked, rule, reason, remedy, .. } = past;
    if json {
        return out.line(format_args!("{}", json!({"asked": asked, "rule": rule, "reason": reason, "remedy": remedy, "now": now})));
    }
    out.line(format_args!("{}", for_people(asked)))?;
    out.line(format_args!("  was denied by rule `{}`: {}", for_people(rule), for_people(reason)))?;
    out.text(b"  now: ")?;
    tell(out, now, false)?;
    match now {
        Verdict::Unknown { .. } if !remedy.is_empty() => out.line(format_args!("{}", lines_for_people(remedy))),
        _ => Ok(()),
    }
}
