//! `strongroom explain`

use super::aloud::aloud;
use super::judge::{self, Judge};
use super::output::Answer;
use super::{Done, Failure, HostArgs, code, named, replay};
use crate::manifest::Manifest;
use clap::Args;
use std::path::PathBuf;

/// Says what an agent may do, or how one request would be judged.
///
/// `--from-audit` judges what a run was denied once more, by the manifest as it is now. Both that and `--request` look up the host's name,
/// since a run refuses addresses that are not public. With `--request` the exit code is 0 where it is allowed, and 124 where it is denied.
#[derive(Args)]
pub(super) struct Explain {
    /// The agent's manifest
    manifest: PathBuf,
    /// A request to judge: a method and a URL, as in `POST https://api.example.com/v1/orders`
    #[arg(long, value_name = "REQUEST")]
    request: Option<String>,
    /// A run whose denials to judge again, by its name in the audit log
    #[arg(long, value_name = "RUN", conflicts_with = "request")]
    from_audit: Option<String>,
    /// A transaction to judge, which the agent would ask a signer for: its unsigned payload, `0x` and hexadecimal digits
    #[arg(long, value_name = "PAYLOAD", conflicts_with_all = ["request", "from_audit"])]
    tx: Option<String>,
    /// The signer that would be asked; by default the first
    #[arg(long, value_name = "NAME", requires = "tx")]
    signer: Option<String>,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn perform(self) -> Done {
        self.signer.as_deref().map_or(Ok(()), named::signer)?;
        if let Some(payload) = &self.tx {
            return self.judge_transaction(payload);
        }
        let manifest = Manifest::read(&self.manifest)?;
        if let Some(run) = &self.from_audit {
            let denials = replay::denials(&self.host, run)?;
            return replay::again(&Judge::new(&manifest, &self.host)?, &denials, self.json);
        }
        match &self.request {
            None => {
                let backends = self.host.backends()?;
                let text = crate::text::lines_for_people(&aloud(&manifest, &backends));
                Answer::new().text(text.as_bytes()).map(|()| 0)
            }
            Some(request) => Judge::new(&manifest, &self.host)?.answer(&mut Answer::new(), request, self.json),
        }
    }
}

impl Explain {
    /// What would come of a transaction. Nothing is signed, and nothing is charged.
    fn judge_transaction(&self, payload: &str) -> Done {
        let wrong = |what: &str| {
            Failure::new(code::USAGE, format!("`--tx` takes an unsigned payload (EIP-2718), `0x` and hexadecimal digits; {what}"))
        };
        let payload = crate::ethereum::quantity::bytes(payload).ok_or_else(|| wrong("this is not one"))?;
        let agent = self.host.host()?.load(&self.manifest)?;
        let first = || agent.manifest().signers.first().map(|signer| signer.name.clone());
        let name = self.signer.clone().or_else(first).ok_or_else(|| Failure::new(code::USAGE, "the manifest has no signer"))?;
        let wallet = super::runtime()?.block_on(agent.wallet(&name)).map_err(|error| Failure::new(code::SECRET, error))?;
        let mut out = Answer::new();
        match wallet.judge(&payload) {
            Ok(verdict) if self.json => {
                let verdict = serde_json::json!({"verdict": "allowed", "what": verdict.what, "spends": verdict.spends});
                out.line(format_args!("{verdict}")).map(|()| 0)
            }
            Ok(verdict) => {
                out.line(format_args!("allowed for `{name}`, as far as its limits have room"))?;
                for line in &verdict.what {
                    out.line(format_args!("  {}", crate::text::for_people(line)))?;
                }
                for spends in &verdict.spends {
                    out.line(format_args!("  spends at most {spends}"))?;
                }
                Ok(0)
            }
            Err(denial) => judge::denied(&mut out, &denial, self.json).map(|()| code::DENIED),
        }
    }
}
