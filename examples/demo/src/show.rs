//! What a person reads of it, in a minute.

use crate::internet::EVIL;
use crate::keys::hex;
use crate::paint::{Paint, Tint};
use crate::payments::Payments;
use crate::rotation::Rotation;
use crate::stage::Report;
use crate::table::{counted, table};
use std::fmt::Write;
use strongroom_ethereum::quantity::shown;

/// The report as text.
#[must_use]
pub fn report(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    let mut part = |title: &str, text: String| {
        let _ = write!(out, "\n{}\n\n{text}", paint.tint(Tint::Title, title));
    };
    let columns = [
        ("agent", Tint::Plain),
        ("its key, as it saw it", Tint::Placeholder),
        ("an answer in which the API repeated the real key", Tint::Plain),
        ("ended", Tint::Plain),
    ];
    part("What each agent saw", table(paint, &columns, &saw(report)));
    let columns = [("host", Tint::Plain), ("request", Tint::Plain), ("authorization", Tint::Key), ("times", Tint::Plain)];
    part("What the servers saw on the wire", table(paint, &columns, &wire(report)));
    let columns = [("agent", Tint::Plain), ("rule", Tint::Bad), ("what it asked for, the first time", Tint::Plain), ("times", Tint::Plain)];
    part("What was denied, and by which rule", table(paint, &columns, &denied(report)));
    if let Some(payments) = &report.payments {
        part(&format!("What a payer with a limit of {} an hour had signed", payments.hour), paid(payments, paint));
    }
    if let Some(rotation) = &report.rotation {
        let [requests, failed] = rotation.count();
        let title = format!("A key that was replaced while plain-bot worked: {requests} requests, {failed} failed");
        part(&title, replaced(rotation, paint));
    }
    let faults = report.faults();
    if faults.is_empty() {
        let held = format!(
            "No agent ever held a key: not in its memory ({} KiB were searched), its output, or the audit log, in any encoding.",
            report.memory / 1024
        );
        let _ = writeln!(out, "\n{}", paint.tint(Tint::Good, &held));
    }
    for fault in faults {
        let _ = writeln!(out, "\n{}", paint.tint(Tint::Bad, &format!("FAILED: {fault}")));
    }
    out
}

fn saw(report: &Report) -> Vec<Vec<String>> {
    let rows = report.agents.iter().map(|agent| {
        let key = words(&agent.printed).find(|word| word.starts_with("pf_live_")).unwrap_or_default().to_owned();
        let echo = agent.printed.lines().find(|line| line.contains("placed_with") || line.contains("prints an echo")).unwrap_or("(none)");
        // From where the key was: what stands in its place.
        let echo = echo.find("\"placed_with\"").or_else(|| echo.find('{')).map_or(echo, |at| &echo[at..]);
        vec![agent.name.clone(), key, echo.to_owned(), ended(&agent.end)]
    });
    rows.collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
}

fn ended(end: &str) -> String {
    end.split(':').next().unwrap_or_default().to_owned()
}

fn wire(report: &Report) -> Vec<Vec<String>> {
    let name = |value: &str| match value.strip_prefix("Bearer ") {
        Some(key) if key == report.keys.exchange => "Bearer (the real exchange key)".to_owned(),
        Some(key) if key == report.keys.model => "Bearer (the real model key)".to_owned(),
        _ if value.is_empty() => "-".to_owned(),
        _ => value.to_owned(),
    };
    let rows = report
        .wire
        .iter()
        .map(|seen| vec![seen.host.clone(), format!("{} {}", seen.method, seen.path()), name(seen.header("authorization"))]);
    let mut rows = counted(rows.collect());
    if !report.wire.iter().any(|seen| seen.host == EVIL) {
        rows.push(vec![EVIL.to_owned(), "(nothing)".to_owned(), "-".to_owned(), "0".to_owned()]);
    }
    rows
}

/// One row for each rule that has denied an agent something.
fn denied(report: &Report) -> Vec<Vec<String>> {
    let mut rows: Vec<([String; 3], u64)> = Vec::new();
    for record in &report.audit {
        let times = match record["event"].as_str() {
            Some("denial") => 1,
            Some("denials-repeated") => record["count"].as_u64().unwrap_or(0),
            _ => continue,
        };
        let row = ["agent", "rule", "asked"].map(|key| record[key].as_str().unwrap_or_default().to_owned());
        match rows.iter_mut().find(|(known, _)| known[..2] == row[..2]) {
            Some((_, known)) => *known += times,
            None => rows.push((row, times)),
        }
    }
    rows.into_iter().map(|(row, times)| row.into_iter().chain([times.to_string()]).collect()).collect()
}

/// Most hexadecimal digits of a transaction that are shown.
const DIGITS: usize = 10;

fn paid(payments: &Payments, paint: Paint) -> String {
    let mut rows = Vec::new();
    for payment in &payments.tries {
        let mut row = vec![payment.invoice.to_owned()];
        match payment.taken.first() {
            None => row.extend(["(nothing)", "", "", "", ""].map(str::to_owned)),
            Some(taken) => row.extend([
                format!("{}… {} bytes", &hex(&taken.raw)[..DIGITS], taken.raw.len()),
                taken.transaction.nonce.to_string(),
                format!("{} ETH", shown(taken.amount(), 18)),
                taken.to(),
                if taken.sender.to_string() == payments.wallet { "the wallet".to_owned() } else { taken.sender.to_string() },
            ]),
        }
        row.push(ended(&payment.end));
        rows.push(row);
    }
    let columns = [
        ("invoice", Tint::Plain),
        ("signed bytes", Tint::Plain),
        ("nonce", Tint::Plain),
        ("amount", Tint::Plain),
        ("to", Tint::Plain),
        ("signed by", Tint::Key),
        ("ended", Tint::Plain),
    ];
    let mut out = table(paint, &columns, &rows);
    let _ = writeln!(out, "\n  The wallet is {}, made for this demo; signers are recovered from the signed bytes.", payments.wallet);
    for denied in &payments.denials {
        let _ = writeln!(out, "  Denied by `{}`: {}", paint.tint(Tint::Bad, &denied.rule), denied.reason);
        let _ = writeln!(out, "  Its remedy: {}", denied.remedy);
    }
    out
}

fn replaced(rotation: &Rotation, paint: Paint) -> String {
    let row = |key: String, requests: usize, failed: usize| vec![key, requests.to_string(), failed.to_string()];
    let versions = rotation.versions.iter();
    let versions = versions.map(|known| row(format!("version {} ({})", known.name, known.fingerprint), known.requests, known.failed));
    let unsent = (rotation.unsent > 0).then(|| row("(not sent)".to_owned(), rotation.unsent, rotation.unsent));
    let tint = if rotation.count()[1] == 0 { Tint::Good } else { Tint::Bad };
    let columns = [("key", Tint::Key), ("requests", Tint::Plain), ("failed", tint)];
    let mut out = table(paint, &columns, &versions.chain(unsent).collect::<Vec<_>>());
    let placeholder = paint.tint(Tint::Placeholder, &rotation.placeholder);
    let _ = writeln!(out, "\n  All in one run, which saw the key as {placeholder} throughout.");
    let _ =
        writeln!(out, "  {} orders came between the first of these steps and the last: {}.", rotation.meanwhile, rotation.steps.join(", "));
    let answers = rotation.afterwards.iter().map(|(asked, status)| {
        let status = status.map_or_else(|| "nothing".to_owned(), |status| status.to_string());
        format!("{asked} {}", paint.tint(Tint::Bad, &status))
    });
    let _ = writeln!(out, "  The old key afterwards, in trading-bot's hands: {}.", answers.collect::<Vec<_>>().join(", "));
    out
}
