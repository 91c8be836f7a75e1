//! What a run was denied, judged once more by the manifest as it is now, as far as the audit log alone tells what was asked.

use super::{Failed, Judge, Kind, Verdict};
use crate::audit::{Event, Piece, Reader, Text};
use crate::host::{audit_path, state_path};
use crate::manifest::HostConfig;
use crate::policy::Rule;
use serde::Serialize;
use std::fmt::Display;
use std::io::BufReader;
use std::path::PathBuf;

/// The rules that decide by what the log keeps of a request: its method, and its URL without the query.
const BY_METHOD_AND_URL: [Rule; 5] = [Rule::Destination, Rule::Method, Rule::Path, Rule::Issuer, Rule::Address];

/// How a grant of a secret begins in a remedy.
const GRANT: &str = "[[secrets.";

/// A denial as the audit log has it. Its texts are the log's: escape them before a terminal gets them ([`crate::text::for_people`]).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PastDenial {
    /// What was asked for.
    pub asked: String,
    /// The rule that decided.
    pub rule: String,
    /// What was found.
    pub reason: String,
    /// What would have allowed it.
    pub remedy: String,
}

/// The audit log of a host with this configuration, if it has one.
#[must_use]
pub fn audit_log(config: &HostConfig) -> Option<PathBuf> {
    audit_path(config, state_path(config).as_deref())
}

/// The denials of a run, from the audit log; `warn` is told of what in it can't be read.
///
/// # Errors
/// [`Failed`] where there is no log, it can't be read, or it has no denial of that run.
pub fn denials(config: &HostConfig, run: &str, warn: impl Fn(&dyn Display)) -> Result<Vec<PastDenial>, Failed> {
    let path = audit_log(config).ok_or_else(|| Failed::usage("the configuration names no audit log; set `[audit] file`"))?;
    let wrong = |error: std::io::Error| Failed::new(Kind::State, format!("{}: can't be read ({error})", path.display()));
    let warn = |what: &dyn Display| warn(&format_args!("{}: {what}", path.display()));
    let mut denials = Vec::new();
    for piece in Reader::new(BufReader::new(crate::files::open(&path).map_err(wrong)?)) {
        match piece.map_err(wrong)? {
            Piece::Torn(torn) => warn(&torn),
            Piece::Newer(newer) => warn(&newer),
            Piece::Record(recorded) if recorded.record.run == run => {
                if let Event::Denial { rule, asked, reason, remedy } = recorded.record.event {
                    let [rule, asked, reason, remedy] = [rule, asked, reason, remedy].map(Text::into_owned);
                    denials.push(PastDenial { asked, rule, reason, remedy });
                }
            }
            Piece::Record(_) => {}
        }
    }
    match denials.is_empty() {
        false => Ok(denials),
        true => Err(Failed::usage(format!(
            "{}: no denial of the run `{run}`; `strongroom audit show --event denial` lists them",
            path.display()
        ))),
    }
}

impl PastDenial {
    /// What would become of the same request now.
    ///
    /// # Errors
    /// [`Failed`], as of [`Judge::judge`]; what is no request is [`Verdict::Unknown`].
    pub async fn now(&self, judge: &Judge) -> Result<Verdict, Failed> {
        let verdict = match judge.judge(&self.asked).await {
            Ok(verdict) => verdict,
            // The log keeps the beginning of what was asked; what is no URL can't be judged again.
            Err(Failed { kind: Kind::Usage, .. }) => return Ok(Verdict::Unknown { rule: None }),
            Err(failed) => return Err(failed),
        };
        Ok(match verdict {
            Verdict::Denied(mut denial) => {
                // What the log has was said of the whole request, with the secret that it carried.
                if !self.remedy.is_empty() {
                    denial.remedy.clone_from(&self.remedy);
                }
                Verdict::Denied(denial)
            }
            Verdict::Allowed(allowed) => {
                let is_decided = BY_METHOD_AND_URL.iter().any(|rule| rule.as_str() == self.rule);
                let lacks_secret = self.remedy.contains(GRANT) && allowed.secrets.is_empty();
                if !is_decided || lacks_secret {
                    return Ok(Verdict::Unknown { rule: Some(allowed.rule) });
                }
                Verdict::Allowed(allowed)
            }
            unknown => unknown,
        })
    }
}
