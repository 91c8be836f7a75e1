//! `strongroom explain`

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, code, verdict};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use strongroom::Manifest;
use strongroom::ops::{self, Judge, PastDenial, Verdict, named};
use strongroom::text::{for_people, lines_for_people};
use strongroom_ground::text::unhex;

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
        let (config, mut out) = (self.host.config()?, Answer::new());
        if let Some(run) = &self.from_audit {
            let denials = ops::denials(&config, run, |what| say(format_args!("warning: {what}")))?;
            return self.again(&Judge::new(&manifest, &config)?, &denials);
        }
        if let Some(request) = &self.request {
            let verdict = super::runtime()?.block_on(Judge::new(&manifest, &config)?.judge(request))?;
            return verdict::tell(&mut out, &verdict, self.json).map(|()| verdict::code(&verdict));
        }
        let explained = ops::explain(&manifest, &config)?;
        match self.json {
            true => out.line(format_args!("{}", json!(explained)))?,
            false => out.text(lines_for_people(&explained.to_string()).as_bytes())?,
        }
        Ok(0)
    }

    /// Each denial as it was, and what would come of the same request now.
    fn again(&self, judge: &Judge, denials: &[PastDenial]) -> Done {
        let (mut worst, mut out, runtime) = (0, Answer::new(), super::runtime()?);
        for denial in denials {
            let now = runtime.block_on(denial.now(judge))?;
            if let Verdict::Denied(_) = now {
                worst = code::DENIED;
            }
            verdict::tell_again(&mut out, denial, &now, self.json)?;
        }
        Ok(worst)
    }

    /// What would come of a transaction. Nothing is signed, and nothing is charged.
    fn judge_transaction(&self, payload: &str) -> Done {
        let wrong = |what: &str| {
            Failure::new(code::USAGE, format!("`--tx` takes an unsigned payload (EIP-2718), `0x` and hexadecimal digits; {what}"))
        };
        let payload = payload.strip_prefix("0x").and_then(unhex).ok_or_else(|| wrong("this is not one"))?;
        let agent = self.host.host()?.load(&self.manifest)?;
        let first = || agent.manifest().signers.first().map(|signer| signer.name.clone());
        let name = self.signer.clone().or_else(first).ok_or_else(|| Failure::new(code::USAGE, "the manifest has no signer"))?;
        let wallet = super::runtime()?.block_on(agent.wallet(&name)).map_err(|error| Failure::new(code::SECRET, error))?;
        let mut out = Answer::new();
        match wallet.judge(&payload) {
            Ok(verdict) if self.json => {
                let verdict = json!({"verdict": "allowed", "what": verdict.what, "spends": verdict.spends});
                out.line(format_args!("{verdict}")).map(|()| 0)
            }
            Ok(verdict) => {
                out.line(format_args!("allowed for `{name}`, if its limits still have room"))?;
                for line in &verdict.what {
                    out.line(format_args!("  {}", for_people(line)))?;
                }
                for spends in &verdict.spends {
                    out.line(format_args!("  spends at most {spends}"))?;
                }
                Ok(0)
            }
            Err(denial) => verdict::tell(&mut out, &Verdict::Denied(denial), self.json).map(|()| code::DENIED),
        }
    }
}
