//! The third act: a key that its issuer replaces while an agent works with it, and what the old one is good for afterwards.

use crate::exchange::EACH;
use crate::server::Seen;
use crate::stage::{AgentReport, Stage, manifest};
use anyhow::{Result, bail};
use serde_json::Value;
use std::pin::pin;

/// The rotation, in the host's configuration.
pub(crate) const NAME: &str = "exchange";

/// The key that was replaced.
pub struct Rotation {
    /// What the agent's requests went with, in order.
    pub versions: Vec<Version>,
    /// Requests of the agent that were not sent at all.
    pub unsent: usize,
    /// What the server saw of them: how many came with the old key, and then how many with the new one. None where one came out of turn.
    pub seen: Option<[usize; 2]>,
    /// Orders that came while the key was replaced.
    pub meanwhile: usize,
    /// The steps of the rotation, as the audit log has them.
    pub steps: Vec<String>,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
    /// What stood for the key in the agent's run.
    pub placeholder: String,
    /// Receipts of the run with that placeholder in the key's place, and without it.
    pub receipts: [usize; 2],
    /// How the agent ended.
    pub end: String,
    /// What the old key was answered afterwards, by request.
    pub afterwards: Vec<(String, Option<u64>)>,
    /// Requests that came with the old key afterwards, as the server saw them.
    pub late: usize,
}

/// One value of the key, and the requests that it went with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What the store calls it.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Requests that were sent.
    pub requests: usize,
    /// Those of them that had no answer, or one that says that they failed.
    pub failed: usize,
}

pub(crate) async fn play(stage: &Stage) -> Result<Rotation> {
    let (exchange, agent) = (&stage.internet.exchange, stage.load(manifest("plain-bot")?)?);
    let (seen, noted) = (stage.server.seen().len(), stage.audit()?.len());
    exchange.open();
    let mut working = pin!(stage.play(&agent));
    tokio::select! {
        early = &mut working => {
            let AgentReport { end, printed, .. } = early?;
            bail!("plain-bot ended before its key was replaced: {end}, after {}", printed.lines().last().unwrap_or("nothing"));
        }
        () = exchange.is_busy() => {}
    }
    let replacing = async {
        let before = exchange.orders();
        let replaced = stage.host.rotate(NAME, |_| ()).await;
        let meanwhile = exchange.orders() - before;
        exchange.close();
        (replaced.err().map(|error| error.to_string()), meanwhile)
    };
    let (worked, (failure, meanwhile)) = tokio::join!(working, replacing);
    let worked = worked?;
    let records = stage.audit()?.split_off(noted);
    let seen_at_work = stage.server.seen().split_off(seen);

    // The other bots have copies of the old key, which no rotation knows of.
    let (seen, noted) = (stage.server.seen().len(), stage.audit()?.len());
    stage.play(&stage.load(manifest("trading-bot")?)?).await?;
    let afterwards = requests(&stage.audit()?.split_off(noted), "trading-bot");
    let is_old = |seen: &&Seen| seen.header("authorization") == format!("Bearer {}", stage.keys.exchange);
    let late = stage.server.seen().split_off(seen).iter().filter(is_old).count();

    let at_work = requests(&records, "plain-bot");
    let placeholder = worked.printed.lines().find_map(|line| line.strip_prefix("my key is ")).unwrap_or_default().to_owned();
    let receipts: Vec<&str> = worked.printed.lines().filter(|line| line.contains("placed_with")).collect();
    let own = receipts.iter().filter(|receipt| receipt.contains(&format!("\"placed_with\":\"{placeholder}\""))).count();
    Ok(Rotation {
        versions: versions(&at_work),
        unsent: records.iter().filter(|record| record["agent"] == "plain-bot").map(unsent).sum(),
        seen: in_turn(&seen_at_work, &stage.keys.exchange, &stage.keys.successor),
        meanwhile,
        steps: records.iter().filter(|record| record["event"] == "rotation").map(|record| text(record, "step")).collect(),
        failure,
        receipts: [own, receipts.len() - own],
        placeholder,
        end: worked.end,
        afterwards: afterwards.into_iter().map(|request| (request.asked, request.status)).collect(),
        late,
    })
}

impl Rotation {
    /// All requests of the agent at work, and how many of them failed.
    #[must_use]
    pub fn count(&self) -> [usize; 2] {
        let sum = |of: fn(&Version) -> usize| self.versions.iter().map(of).sum::<usize>() + self.unsent;
        [sum(|version| version.requests), sum(|version| version.failed)]
    }

    /// Everything that is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(failure) = &self.failure {
            faults.push(format!("the key was not replaced: {failure}"));
        }
        let [requests, failed] = self.count();
        if failed > 0 || self.end != "exit 0" {
            faults
                .push(format!("{failed} of {requests} requests failed while the key was replaced, and plain-bot ended with {}", self.end));
        }
        // An order is the second request of two.
        let sent: Vec<usize> = self.versions.iter().map(|version| version.requests).collect();
        if self.seen.is_none_or(|seen| seen[..] != sent[..]) || sent.iter().any(|sent| *sent < 2 * EACH - 1) {
            let seen = self.seen.map_or_else(|| "keys out of turn".to_owned(), |[old, new]| format!("{old} and {new}"));
            faults
                .push(format!("the exchange has not seen what was sent with the old key, and then with the new one: {sent:?}, but {seen}"));
        }
        let [own, other] = self.receipts;
        if self.placeholder.is_empty() || own < 2 * EACH || other > 0 {
            faults.push(format!("{other} receipts do not have the placeholder of the run, and {own} have it"));
        }
        if !["issue", "verify", "switch", "drain", "revoke", "clean", "done"].iter().eq(&self.steps) {
            faults.push(format!("the rotation has not taken its steps: {}", self.steps.join(", ")));
        }
        let refused = self.afterwards.iter().filter(|(_, status)| *status == Some(401)).count();
        if refused == 0 || refused != self.afterwards.len() || refused != self.late {
            faults.push(format!("the old key was not refused afterwards: {:?}", self.afterwards));
        }
        faults
    }
}

/// A request of an agent's, as the audit log has it.
struct Request {
    number: u64,
    asked: String,
    version: String,
    fingerprint: String,
    status: Option<u64>,
}

fn requests(records: &[Value], agent: &str) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    for record in records.iter().filter(|record| record["agent"] == agent) {
        let number = record["request"].as_u64().unwrap_or_default();
        let used = &record["secrets"][0];
        if record["event"] == "egress" {
            let path = text(record, "url").splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
            let asked = format!("{} {path}", text(record, "method"));
            requests.push(Request { number, asked, version: text(used, "version"), fingerprint: text(used, "fingerprint"), status: None });
            continue;
        }
        let Some(request) = requests.iter_mut().find(|request| request.number == number) else { continue };
        match record["event"].as_str() {
            // Its body came after the switch: it has left with the new key.
            Some("versions-changed") => (request.version, request.fingerprint) = (text(used, "version"), text(used, "fingerprint")),
            Some("answer") if record["error"].is_null() => request.status = record["status"].as_u64(),
            _ => {}
        }
    }
    requests
}

fn versions(requests: &[Request]) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    for request in requests {
        let failed = usize::from(!request.status.is_some_and(|status| (200..300).contains(&status)));
        match versions.last_mut().filter(|version| version.fingerprint == request.fingerprint) {
            Some(version) => {
                version.requests += 1;
                version.failed += failed;
            }
            None => {
                let (name, fingerprint) = (request.version.clone(), request.fingerprint.clone());
                versions.push(Version { name, fingerprint, requests: 1, failed });
            }
        }
    }
    versions
}

/// How many requests a record says were not sent.
fn unsent(record: &Value) -> usize {
    match record["event"].as_str() {
        Some("denial" | "secret-unavailable") => 1,
        Some("denials-repeated") => record["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
        _ => 0,
    }
}

/// How many requests came with the old key, and then how many with the new one; none where one came with another, or out of turn.
fn in_turn(seen: &[Seen], old: &str, new: &str) -> Option<[usize; 2]> {
    let [old, new] = [old, new].map(|key| format!("Bearer {key}"));
    let keys: Vec<&str> = seen.iter().filter(|seen| seen.host == "api.purpleflea.com").map(|seen| seen.header("authorization")).collect();
    let first = keys.iter().take_while(|key| **key == old).count();
    keys[first..].iter().all(|key| **key == new).then(|| [first, keys.len() - first])
}

fn text(record: &Value, key: &str) -> String {
    record[key].as_str().unwrap_or_default().to_owned()
}
