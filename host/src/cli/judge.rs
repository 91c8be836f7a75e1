//! What would come of one request, said as a run would decide it: by the policy, then by the addresses that its host has.

use super::output::Answer;
use super::{Done, Failure, HostArgs, code};
use crate::egress::{AddressGuard, ConnectError, judge_addresses, unwrapped};
use crate::manifest::{HostConfig, Manifest};
use crate::policy::{Asked, Closed, Denial, Permit, Placeholders, Policy};
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

/// Judges requests of one agent on one host.
pub(super) struct Judge {
    policy: Policy,
    guard: AddressGuard,
    runtime: tokio::runtime::Runtime,
}

/// What would come of one request.
pub(super) enum Verdict {
    Allowed(Box<Allowed>),
    Denied(Denial),
}

/// A request that may leave, and what it may carry.
pub(super) struct Allowed {
    permit: Permit,
    reach: Reach,
    /// The secrets that it may carry, each with its places.
    pub(super) places: Vec<String>,
    terms: Vec<String>,
}

/// What the network said of an allowed request.
enum Reach {
    /// Its host's addresses may be connected to.
    Open,
    /// Its host has no address now, as far as this machine can tell.
    Unresolved,
}

impl Judge {
    pub(super) fn new(manifest: &Manifest, host: &HostArgs) -> Result<Self, Failure> {
        let config: HostConfig = host.config()?;
        let closed: Closed = crate::rotation::closed_by(&config).map_err(|error| Failure::new(code::USAGE, error))?;
        Ok(Self { policy: Policy::new(manifest, closed), guard: AddressGuard::new(config.network_allow), runtime: super::runtime()? })
    }

    /// Judges a method and a URL, and answers.
    pub(super) fn answer(&self, out: &mut Answer, request: &str, json: bool) -> Done {
        match self.judge(request)? {
            Verdict::Allowed(allowed) => allowed.tell(out, json).map(|()| 0),
            Verdict::Denied(denial) => denied(out, &denial, json).map(|()| code::DENIED),
        }
    }

    /// Judges a method and a URL.
    pub(super) fn judge(&self, request: &str) -> Result<Verdict, Failure> {
        let wrong = || Failure::new(code::USAGE, "`--request` takes a method and a URL, as in \"POST https://api.example.com/v1/orders\"");
        let (method, url) = request.split_once(' ').ok_or_else(wrong)?;
        let method: Method = method.parse().map_err(|_| wrong())?;
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let asked = Asked { method: &method, uri: &uri, headers: &HeaderMap::new() };
        Ok(match self.verdict(&asked) {
            Ok((permit, reach)) => {
                let (places, terms) = (self.policy.places(&asked), self.policy.terms(&asked));
                Verdict::Allowed(Box::new(Allowed { permit, reach, places, terms }))
            }
            Err(denial) => Verdict::Denied(denial),
        })
    }

    fn verdict(&self, asked: &Asked<'_>) -> Result<(Permit, Reach), Denial> {
        let permit = self.policy.authorize(asked, &Placeholders::default())?;
        let url = permit.url();
        match self.runtime.block_on(judge_addresses(&self.guard, &url.host, url.port)) {
            Ok(()) => Ok((permit, Reach::Open)),
            Err(ConnectError::Address(address)) => Err(Policy::address_denied(&permit, unwrapped(address))),
            Err(_) => Ok((permit, Reach::Unresolved)),
        }
    }
}

impl Allowed {
    /// The manifest's entry that allows it.
    pub(super) fn rule(&self) -> &str {
        self.permit.rule()
    }

    pub(super) fn json(&self) -> Value {
        let Self { permit, reach, places, terms } = self;
        json!({"verdict": "allowed", "rule": permit.rule(), "secrets": places, "terms": terms, "scrubbed": permit.guarded(),
               "resolved": matches!(reach, Reach::Open)})
    }

    /// Says by what it is allowed, and what it may carry.
    pub(super) fn tell(&self, out: &mut Answer, json: bool) -> Result<(), Failure> {
        if json {
            return out.line(format_args!("{}", self.json()));
        }
        out.line(format_args!("allowed by {}", self.rule()))?;
        for place in &self.places {
            out.line(format_args!("  may carry {place}"))?;
        }
        for term in &self.terms {
            out.line(format_args!("  {term}"))?;
        }
        let answer = if self.permit.guarded() { "scrubbed" } else { "searched for the values that the host keeps" };
        out.line(format_args!("  its answer is {answer}"))?;
        match self.reach {
            Reach::Open => Ok(()),
            Reach::Unresolved => out.line(format_args!(
                "  its host's name can't be resolved from here: a run would not reach it, and whether its address is public is not known"
            )),
        }
    }
}

/// Says why something is denied, and what would allow it.
pub(super) fn denied(out: &mut Answer, denial: &Denial, json: bool) -> Result<(), Failure> {
    if !json {
        return out.line(format_args!("{denial}"));
    }
    out.line(format_args!("{}", denied_json(denial)))
}

pub(super) fn denied_json(denial: &Denial) -> Value {
    json!({"verdict": "denied", "rule": denial.rule.as_str(), "reason": denial.reason, "remedy": denial.remedy})
}
