//! `strongroom explain`

use super::judge::{self, Judge};
use super::output::Answer;
use super::{Done, Failure, HostArgs, code, named};
use crate::audit::{Event, Piece, Reader, Text};
use crate::host::{audit_path, state_path};
use crate::manifest::{Manifest, Misplaced, Most, Passes, Place, Purpose};
use crate::secrets::Backends;
use clap::Args;
use std::io::BufReader;
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
            let denials = denials(&self.host, run)?;
            return replay(&Judge::new(&manifest, &self.host)?, &denials);
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
        let payload = crate::ethereum::quantity::bytes(payload).ok_or_else(|| wrong("these are none"))?;
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

/// A denial as the log has it.
struct Denied {
    rule: String,
    asked: String,
    reason: String,
    remedy: String,
}

/// The denials of a run, from the audit log.
fn denials(host: &HostArgs, run: &str) -> Result<Vec<Denied>, Failure> {
    let config = host.config()?;
    let path = audit_path(&config, state_path(&config).as_deref());
    let path = path.ok_or_else(|| Failure::new(code::USAGE, "the configuration names no audit log; set `[audit] file`"))?;
    let wrong = |error: std::io::Error| Failure::new(code::STATE, format!("{}: can't be read ({error})", path.display()));
    let mut denials = Vec::new();
    for piece in Reader::new(BufReader::new(crate::files::open(&path).map_err(wrong)?)) {
        match piece.map_err(wrong)? {
            Piece::Torn(torn) => super::audit::warn(&path, &torn),
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
fn replay(judge: &Judge, denials: &[Denied]) -> Done {
    let text = crate::text::for_people;
    let (mut worst, mut out) = (0, Answer::new());
    for denial in denials {
        out.line(format_args!("{}", text(&denial.asked)))?;
        out.line(format_args!("  was denied by rule `{}`: {}", text(&denial.rule), text(&denial.reason)))?;
        out.text(b"  now: ")?;
        match judge.answer(&mut out, &denial.asked, false) {
            Ok(code) => worst = worst.max(code),
            // The log keeps the beginning of what was asked; what is no URL can't be judged again.
            Err(Failure { code: code::USAGE, .. }) => {
                out.line(format_args!("not to be judged from the log alone; {}", text(&denial.remedy)))?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(worst)
}

/// The manifest, read aloud.
fn aloud(manifest: &Manifest, backends: &Backends) -> String {
    let mut out = format!("The agent `{}`\n", manifest.name);
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    let list = |items: Vec<String>| items.join(", ");
    for secret in &manifest.secrets {
        let need = if secret.required { "must be there" } else { "may be missing" };
        let seen = if secret.expose_env { "as an environment variable and a handle" } else { "as a handle" };
        say(format!("  uses the secret {} from {} ({need}); it sees a placeholder, {seen}", secret.name, secret.from));
        let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
        match backends.entries(&secret.from, &manifest.name, namespace) {
            Ok((from, entries)) => {
                let entries = list(entries.iter().map(ToString::to_string).collect());
                say(format!("    which is looked for in the backend `{}` at {entries}", from.name));
            }
            Err(why) => say(format!("    which can't be had: {why}")),
        }
        for grant in &secret.allow {
            let (paths, places) =
                (list(grant.paths.iter().map(ToString::to_string).collect()), list(grant.place.iter().map(Place::to_string).collect()));
            let rate = grant.rate.map(|rate| format!(", at most {} in {} s", rate.requests, rate.per.as_secs())).unwrap_or_default();
            say(format!(
                "    which may go to {} with {} {paths}, in {places}{rate} (line {})",
                grant.host,
                list(grant.methods.clone()),
                grant.line
            ));
            say(format!("      misplaced there: {}", treatment(grant.misplaced)));
            grant.host.covers_strangers().into_iter().for_each(|why| say(format!("      beware: {why}")));
            if !grant.seal.is_empty() {
                say(format!(
                    "      fields of its answers are sealed; GraphQL is {}",
                    if grant.graphql { "read, without aliases" } else { "denied" }
                ));
            }
            for passes in passes(&grant.passes) {
                say(format!("      may send there {passes}"));
            }
        }
        if secret.allow.is_empty() {
            say("    which may go nowhere".to_owned());
        }
    }
    for rule in &manifest.egress {
        let paths = list(rule.paths.iter().map(ToString::to_string).collect());
        let own = if rule.own_credentials { ", with credentials of its own" } else { ", without credentials" };
        say(format!("  may send {} to {} {paths}{own} (line {})", list(rule.methods.clone()), rule.host, rule.line));
        for passes in passes(&rule.passes) {
            say(format!("    may send there {passes}"));
        }
    }
    for signer in &manifest.signers {
        say(format!("  has things signed by the key `{}` from {}: {}", signer.name, signer.from, signer.purpose.described()));
        let Purpose::Wallet(wallet) = &signer.purpose else { continue };
        say(format!("    on chains {:?}, transactions of the kinds {}", wallet.chains, wallet.kinds.join(", ")));
        for (what, addresses) in [("plain transfers to", &wallet.recipients), ("assets of its accounts", &wallet.accounts)] {
            if !addresses.is_empty() {
                say(format!("    {what} {}", list(addresses.iter().map(ToString::to_string).collect())));
            }
        }
        for call in &wallet.calls {
            say(format!(
                "    calls of {} at {} (line {})",
                call.signature(),
                list(call.to.iter().map(ToString::to_string).collect()),
                call.line
            ));
        }
        for typed in &wallet.typed {
            say(format!("    documents {} on chain {} (line {})", typed.encoded_type, typed.chain, typed.line));
        }
        for (chain, delegate) in &wallet.delegates {
            say(format!("    lets its account run the code of {delegate} on chain {chain}"));
        }
        for limit in &wallet.limits {
            let most = |most: &Option<Most>| match most {
                None => "any amount".to_owned(),
                Some(Most::Unlimited) => "an unlimited amount".to_owned(),
                Some(Most::Amount(amount)) => amount.clone(),
            };
            let windows = format!("{} in an hour, {} in a day, {} in all", most(&limit.hour), most(&limit.day), most(&limit.total));
            say(format!("    may spend of {} on chain {}: {windows}", limit.asset, limit.chain));
        }
    }
    if manifest.secrets.iter().all(|secret| secret.allow.is_empty()) && manifest.egress.is_empty() {
        say("  may send no request".to_owned());
    }
    let limits = &manifest.limits;
    say(format!(
        "  may use {} MiB of memory, {:?} of CPU, {:?} in all, {} requests at once; print {} MiB, send {} MiB, receive {} MiB",
        limits.memory >> 20,
        limits.cpu,
        limits.wall,
        limits.requests,
        limits.output >> 20,
        limits.sent >> 20,
        limits.received >> 20
    ));
    say("  may do nothing else".to_owned());
    out
}

/// What an entry lets pass, in words.
fn passes(passes: &Passes) -> Vec<String> {
    let headers = passes.headers.iter().map(|name| format!("the header {name}, which names something else than the URL"));
    headers.chain(passes.parameters.iter().map(|name| format!("the query parameter {name} as no credential"))).collect()
}

fn treatment(misplaced: Misplaced) -> &'static str {
    match misplaced {
        Misplaced::ByPlace => "denied in headers and the URL, harmless text in a body",
        Misplaced::Deny => "denied",
        Misplaced::Stop => "denied, and the run ends",
        Misplaced::Pass => "harmless text",
    }
}
