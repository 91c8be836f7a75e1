//! What a run was denied, judged once more by the manifest as it is now, as far as the audit log alone tells what was asked.

use super::judge::{Judge, Verdict, denied, denied_json};
use super::output::Answer;
use super::{Done, Failure, HostArgs, code};
use crate::audit::{Event, Piece, Reader, Text};
use crate::host::{audit_path, state_path};
use crate::policy::Rule;
use serde_json::json;
use std::io::BufReader;

/// The rules that decide by what the log keeps of a request: its method, and its URL without the query.
const BY_METHOD_AND_URL: [Rule; 5] = [Rule::Destination, Rule::Method, Rule::Path, Rule::Issuer, Rule::Address];

/// How a grant of a secret begins in a remedy.
const GRANT: &str = "[[secrets.";

/// A denial as the log has it.
pub(super) struct Denied {
    rule: String,
    asked: String,
    reason: String,
    remedy: String,
}

/// What can be said of a denial now.
enum Now {
    Judged(Verdict),
    /// Its method and URL are allowed by this entry, and it was denied for something else.
    OfSomethingElse(String),
    /// It is no request, or the log does not have all of its URL.
    Unjudged,
}

/// The denials of a run, from the audit log.
pub(super) fn denials(host: &HostArgs, run: &str) -> Result<Vec<Denied>, Failure> {
    let config = host.config()?;
    let path = audit_path(&config, state_path(&config).as_deref());
    let path = path.ok_or_else(|| Failure::new(code::USAGE, "the configuration names no audit log; set `[audit] file`"))?;
    let wrong = |error: std::io::Error| Failure::new(code::STATE, format!("{}: can't be read ({error})", path.display()));
    let mut denials = Vec::new();
    for piece in Reader::new(BufReader::new(crate::files::open(&path).map_err(wrong)?)) {
        match piece.map_err(wrong)? {
            Piece::Torn(torn) => super::audit::warn(&path, &torn),
            Piece::Newer(newer) => super::audit::warn(&path, &newer),
            Piece::Record(recorded) if recorded.record.run == run => {
                if let Event::Denial { rule, asked, reason, remedy } = recorded.record.event {
                    let [rule, asked, reason, remedy] = [rule, asked, reason, remedy].map(Text::into_owned);
                    denials.push(Denied { rule, asked, reason, remedy });
                }
            }
            Piece::Record(_) => {}
        }
    }
    match denials.is_empty() {
        false => Ok(denials),
        true => Err(Failure::new(
            code::USAGE,
            format!("{}: no denial of the run `{run}`; `strongroom audit show --event denial` lists them", path.display()),
        )),
    }
}

/// Each denial as it was, and what would come of the same request now.
pub(super) fn again(judge: &Judge, denials: &[Denied], json: bool) -> Done {
    let (mut worst, mut out) = (0, Answer::new());
    for denial in denials {
        let now = denial.now(judge)?;
        if matches!(now, Now::Judged(Verdict::Denied(_))) {
            worst = code::DENIED;
        }
        match json {
            true => out.line(format_args!("{}", denial.json(&now)))?,
            false => denial.tell(&mut out, &now)?,
        }
    }
    Ok(worst)
}

impl Denied {
    fn now(&self, judge: &Judge) -> Result<Now, Failure> {
        let verdict = match judge.judge(&self.asked) {
            Ok(verdict) => verdict,
            // The log keeps the beginning of what was asked; what is no URL can't be judged again.
            Err(Failure { code: code::USAGE, .. }) => return Ok(Now::Unjudged),
            Err(failure) => return Err(failure),
        };
        Ok(Now::Judged(match verdict {
            Verdict::Denied(mut denial) => {
                // What the log has was said of the whole request, with the secret that it carried.
                if !self.remedy.is_empty() {
                    denial.remedy.clone_from(&self.remedy);
                }
                Verdict::Denied(denial)
            }
            Verdict::Allowed(allowed) => {
                let is_decided = BY_METHOD_AND_URL.iter().any(|rule| rule.as_str() == self.rule);
                let lacks_secret = self.remedy.contains(GRANT) && allowed.places.is_empty();
                if !is_decided || lacks_secret {
                    return Ok(Now::OfSomethingElse(allowed.rule().to_owned()));
                }
                Verdict::Allowed(allowed)
            }
        }))
    }

    fn json(&self, now: &Now) -> serde_json::Value {
        let Self { rule, asked, reason, remedy } = self;
        let now = match now {
            Now::Judged(Verdict::Allowed(allowed)) => allowed.json(),
            Now::Judged(Verdict::Denied(denial)) => denied_json(denial),
            Now::OfSomethingElse(allowed_by) => json!({"verdict": "unknown", "rule": allowed_by}),
            Now::Unjudged => json!({"verdict": "unknown"}),
        };
        json!({"asked": asked, "rule": rule, "reason": reason, "remedy": remedy, "now": now})
    }

    fn tell(&self, out: &mut Answer, now: &Now) -> Result<(), Failure> {
        let text = crate::text::for_people;
        out.line(format_args!("{}", text(&self.asked)))?;
        out.line(format_args!("  was denied by rule `{}`: {}", text(&self.rule), text(&self.reason)))?;
        out.text(b"  now: ")?;
        match now {
            Now::Judged(Verdict::Allowed(allowed)) => return allowed.tell(out, false),
            Now::Judged(Verdict::Denied(denial)) => return denied(out, denial, false),
            Now::OfSomethingElse(rule) => out.line(format_args!(
                "method and URL are allowed by {rule}; the denial was about something else in the request, which the log does not have"
            ))?,
            Now::Unjudged => out.line(format_args!("the log does not have what it takes to judge it again"))?,
        }
        match self.remedy.is_empty() {
            true => Ok(()),
            false => out.line(format_args!("{}", crate::text::lines_for_people(&self.remedy))),
        }
    }
}
