//! The denials of what is found only after a request was admitted (in a body, at a connection), or outside requests (in what is opened).

use super::{Asked, Denial, Graphql, Permit, Policy, Rule, denial, deny, graphql, refused};
use crate::manifest::Treatment;
use http::HeaderName;

/// The denial of a request that was admitted so far.
pub(super) fn of(permit: &Permit, rule: Rule, reason: impl Into<String>, remedy: impl Into<String>) -> Denial {
    Denial { rule, asked: format!("{} {}", permit.method(), permit.url()), reason: reason.into(), remedy: remedy.into(), stop: false }
}

fn state(asked: &str, reason: impl Into<String>, remedy: impl Into<String>) -> Denial {
    Denial { rule: Rule::State, asked: asked.to_owned(), reason: reason.into(), remedy: remedy.into(), stop: false }
}

impl Policy {
    /// The denial of a request that one of its rates, by its number among them, has no room for: on this host, or on all that share it.
    pub fn over_rate(&self, permit: &Permit, spent: usize) -> Denial {
        // A number that is none comes from another host alone.
        let counted = permit.counted();
        let Some(index) = counted.get(spent).or(counted.first()) else { return Self::rates_silent(permit, "no rate is shared") };
        let spent = &self.destinations[*index];
        let rate = spent.budget.rate();
        let reason = format!("more requests than the rate here allows, which is {} in {} s", rate.requests, rate.per.as_secs());
        of(permit, Rule::Rate, reason, denial::set("rate", "?", &spent.label))
    }

    /// The denial of a request where the rates can't be asked that hosts share.
    pub fn rates_silent(permit: &Permit, why: &str) -> Denial {
        of(permit, Rule::Rate, refused::RATES_SILENT, refused::silent("rates", why))
    }

    /// The denial of a body by which a server could be told another method.
    pub fn override_denied(permit: &Permit) -> Denial {
        let reason = "the body names a parameter that overrides the method that was judged";
        let remedy = "leave the parameter out and use the method itself; text that is not a form is not read as one if it is JSON and its `Content-Type` is `application/json`";
        of(permit, Rule::Override, reason, remedy)
    }

    /// The denial of a body in a request that has none.
    pub fn body_denied(permit: &Permit) -> Denial {
        let remedy = format!("send it without one; {}", denial::set("get_body", "true", permit.rule()));
        of(permit, Rule::Body, format!("a {} request has no body", permit.method()), remedy)
    }

    /// The denial of a condition on a version that this run has not got of the server.
    pub fn condition_denied(permit: &Permit, name: &HeaderName) -> Denial {
        let reason = format!("`{name}` is neither `*` nor the last validator that this run got from this URL");
        let ask = "ask for the resource first, and send what its response said";
        if name.as_str().ends_with("-since") {
            return of(permit, Rule::Header, reason, ask);
        }
        let plain = denial::set("etags", "\"plain\"", permit.rule());
        of(permit, Rule::Header, reason, format!("{ask}; where the agent keeps entity tags between runs, {plain}"))
    }

    /// The denial of a body that is GraphQL, or may be.
    pub fn graphql_denied(permit: &Permit, reason: &str) -> Denial {
        let remedy = match permit.graphql() {
            Some(Graphql::WithoutAlias) => graphql::REMEDY.to_owned(),
            _ => format!("where the agent has to ask GraphQL here, add `graphql = \"no-alias\"` to {}", permit.rule()),
        };
        of(permit, Rule::Graphql, reason, remedy)
    }

    /// The verdict on what looks like a secret in a request: `kind` by name, `place` where it stands.
    pub fn leak(permit: &Permit, kind: &str, place: &str) -> Denial {
        // What has no rule is a value that the host knows.
        let remedy = if kind.starts_with('[') {
            "the agent is not meant to have this value; find out how it got it".to_owned()
        } else {
            let allow = toml::Value::from(kind);
            format!("keep secrets out of requests; if this is not one, add {allow} to `leaks_allowed` of {}", permit.rule())
        };
        let stop = permit.leaks().treatment == Treatment::Stop;
        Denial { stop, ..of(permit, Rule::Leak, format!("the {place} holds what looks like a secret: {kind}"), remedy) }
    }

    /// The denial of a connection to an address that is not public.
    pub fn address_denied(permit: &Permit, address: std::net::IpAddr) -> Denial {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let remedy = denial::host_lines(&format!("[network]\nallow = [\"{address}/{bits}\"]"));
        of(permit, Rule::Address, "the host's name leads to an address that is not public", remedy)
    }

    /// The denial of one request more than may be open at once.
    pub fn too_many_open(asked: &Asked<'_>, limit: u32) -> Denial {
        let reason = format!("{limit} requests are open and as many wait; their responses have to be read, or dropped");
        deny(Rule::Requests, asked, reason, denial::set("requests", "?", "`[limits]`"))
    }

    /// The denial of a state where the manifest has none.
    pub fn state_unavailable() -> Denial {
        state("open the state", "the manifest lets the agent keep nothing over its runs", denial::manifest_lines("[state]"))
    }

    /// The denial of what would make the state larger than a bound of the manifest.
    pub fn state_full(what: &str, bound: &str) -> Denial {
        let remedy = format!("delete what is not needed any more; {}", denial::set(bound, "?", "`[state]`"));
        state("write the state", format!("the state would have more {what} than `{bound}` allows"), remedy)
    }

    /// The denial of a state that can't be read or written, and why.
    pub fn state_failed(why: &str) -> Denial {
        state("use the state", "the state can't be read or written at the moment", format!("make it usable: {why}"))
    }

    /// The denial of what looks like a secret in the state: `kind` by name, `place` where it stands.
    pub fn state_leak(kind: &str, place: &str) -> Denial {
        let remedy = if kind.starts_with('[') {
            "the agent is not meant to have this value; find out how it got it".to_owned()
        } else {
            let allow = toml::Value::from(kind);
            format!("keep secrets out of the state; if this is not one, add {allow} to `leaks_allowed` of `[state]`")
        };
        let reason = format!("the {place} holds what looks like a secret: {kind}");
        Denial { rule: Rule::Leak, ..state("write the state", reason, remedy) }
    }

    /// The denial of a signer that is not there for this agent.
    pub fn signer_unavailable(name: &str) -> Denial {
        let name: String = name.chars().take(128).collect();
        Denial {
            rule: Rule::Signer,
            asked: format!("open the signer {name}"),
            reason: "the manifest does not grant a signer of this name".to_owned(),
            remedy: "add a `[signers.NAME]` to the manifest".to_owned(),
            stop: false,
        }
    }

    /// The denial of a secret that is not there for this agent.
    pub fn secret_unavailable(name: &str) -> Denial {
        let name: String = name.chars().take(128).collect();
        Denial {
            rule: Rule::Secret,
            asked: format!("open {name}"),
            reason: "the manifest does not grant a secret of this name".to_owned(),
            remedy: "add a `[secrets.NAME]` with an `allow` to the manifest".to_owned(),
            stop: false,
        }
    }
}
